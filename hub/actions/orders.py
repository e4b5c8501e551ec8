"""Holding, releasing and cancelling an order by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.snapshot import Snapshot
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.oms.people import cancel_order, hold_order, release_order
from hub.oms.ports import Rules
from hub.runtime.hub import Hub


class Changed(Refused):
    """The order is not any more at the version that the person looked at."""


def _find(snapshot: Snapshot, reference: str) -> str:
    found = {str(row["id"]) for row in snapshot.rows("orders", {"id": reference})}
    for column in ("number", "external_id"):
        found |= {str(row["id"]) for row in snapshot.rows("orders", {column: (reference, f"#{reference}")}, limit=20)}
    if not found:
        raise Refused(f"There is no order {reference!r}")
    if len(found) > 1:
        raise Refused(f"{reference!r} fits several orders: {', '.join(sorted(found))}")
    return found.pop()


Verb = Callable[[Snapshot, Rules, dt.datetime, str, str, str, str], Decision]


def _do(
    hub: Hub, action: str, verb: Verb, who: str, reference: str, reason: str, version: int | None, words: str
) -> dict[str, Any]:
    """`version`: only while the order is at this one. Raises Refused, Changed."""
    with hub.store.read() as snapshot:
        order = _find(snapshot, reference)
    cause = hub.ids.new("ac", hub.clock.now())

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        row = snapshot.row("orders", {"id": order}) if version is not None else None
        if row is not None and row["version"] != version:
            raise Changed(f"{order} is at version {row['version']} by now, not {version}")
        decision = verb(snapshot, hub.rules, now, cause, order, who, reason)
        if decision.verdict is Verdict.APPLIED:
            contacts = snapshot.rows("contacts", {"order_id": order})
            said = masked(reason, private_texts(row["data"] for row in contacts))
            audit(decision.writes, f"orders.{action}", order, who, said, now)
        return decision

    decision = hub.commit_decision(decide, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message or f"{order} cannot be changed so")
    return {"order": order, "message": f"{order}: {decision.message or words}"}


def hold(hub: Hub, who: str, reference: str, reason: str, version: int | None = None) -> dict[str, Any]:
    return _do(hub, "hold", hold_order, who, reference, reason, version, "is held; nothing more of it is sent")


def release(hub: Hub, who: str, reference: str, reason: str, version: int | None = None) -> dict[str, Any]:
    return _do(hub, "release", release_order, who, reference, reason, version, "goes on")


def cancel(hub: Hub, who: str, reference: str, reason: str, version: int | None = None) -> dict[str, Any]:
    return _do(hub, "cancel", cancel_order, who, reference, reason, version, "is being cancelled")
