"""Time boxes of holds: what happens when one has stood for as long as it may."""

from __future__ import annotations

import datetime as dt

from hub.domain.order import Hold
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text

RELEASE, CANCEL, ESCALATE = "release", "cancel", "escalate"
THEN = {
    RELEASE: "the order goes on",
    CANCEL: "what is left of the order is cancelled",
    ESCALATE: "an exception asks for a person; it stays held",
}


def box(case: Case, hold: Hold) -> None:
    """Begin a hold's time box: its own where it has one, else that of its kind."""
    if hold.until is None:
        of_kind = case.rules.hold_boxes.get(hold.kind)
        if of_kind is None:
            return
        hold.until, hold.then = case.now + of_kind.after, of_kind.then
    payload = {"hold": hold.id, "placed_at": instant_text(hold.placed_at)}
    case.task("hold_box", case.order.id, hold.until, hold.id, payload=payload)


def still_boxed(hold: Hold, placed_at: str, now: dt.datetime) -> bool:
    """Whether the hold that this box was written for still stands, and its time is over."""
    return hold.open and hold.until is not None and hold.until <= now and instant_text(hold.placed_at) == placed_at
