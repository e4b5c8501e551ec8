"""What a person can do to orders and stock. Each returns a Decision; authorising and auditing are the caller's."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.decision import Decision, EventRequest, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import units_text
from hub.domain.order import Hold, OrderStatus, status
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import StockChange
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.desk.load import Case, new_hold, open_case
from hub.oms.desk.save import push_tasks, save
from hub.oms.desk.times import instant_text
from hub.oms.desk.waiting import wake_waiting
from hub.oms.intake.hold_box import RELEASE, THEN, box
from hub.oms.intake.holds import MANUAL, release
from hub.oms.ports import Rules

NOT_FOUND = "not_found"
NOT_POSSIBLE = "not_possible"


def hold_order(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    reason: str,
    kind: str = MANUAL,
    until: dt.datetime | None = None,
    then: str = RELEASE,
) -> Decision:
    """Stop an order where it is; what has been released to locations goes on there. Holds stack: the order goes on when
    the last is released. `until` gives this one a time box of its own."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return _missing(order_id)
    if status(case.order) in (OrderStatus.CLOSED, OrderStatus.CANCELLED):
        return _not_possible(case, f"the order is {status(case.order)}")
    if until is not None and until <= now:
        return _not_possible(case, f"{instant_text(until)} is over already")
    hold = new_hold(case, kind, MANUAL, "", f"{who}: {case.discreet(reason)}", None, cause)
    if until is not None:
        hold.until, hold.then = until, then
    case.order.holds.append(hold)
    box(case, hold)
    decision = save(case)
    decision.message = _still_leaves(case, hold)
    return decision


def _still_leaves(case: Case, hold: Hold) -> str:
    """What a hold does not stop, in words; empty where it stops everything."""
    out: dict[str, Decimal] = {}
    for work in case.work:
        units = sum((part.at_location for part in work.lines), Decimal(0))
        if units > 0:
            out[work.location] = out.get(work.location, Decimal(0)) + units
    if not out:
        return ""
    who = ", ".join(f"{location} has {units_text(units)}" for location, units in sorted(out.items()))
    ends = f"; at {instant_text(hold.until)}: {THEN[hold.then]}" if hold.until is not None else ""
    return f"is held, but {who} of it, which may still leave; cancel them to have them asked back{ends}"


def release_order(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    reason: str,
    kind: str | None = None,
) -> Decision:
    """Release every open hold, or those of one kind; what a person released is not held for the same cause again."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return _missing(order_id)
    held = [hold for hold in case.order.holds if hold.open and kind in (None, hold.kind)]
    if not held:
        return _not_possible(case, f"no hold of the kind {kind} is open" if kind else "nothing holds the order")
    for hold in held:
        release(case, hold, f"{who}: {case.discreet(reason)}")
    if case.acts:
        case.task("allocate", order_id, now)
    others = sorted({f"{hold.rule} ({hold.kind})" for hold in case.order.holds if hold.open})
    decision = save(case)
    if others:
        decision.message = f"released; still held by {', '.join(others)}"
    return decision


def cancel_order(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, who: str, reason: str
) -> Decision:
    """Cancel what is left of an order; locations that work on it are asked."""
    return cancel_lines(snapshot, rules, now, cause, order_id, who, reason)[0]


def adjust_stock(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    sku: str,
    location: str,
    delta: Decimal,
    who: str,
    reason: str,
) -> Decision:
    """Correct what is on hand at a location by a difference; the next count of its authority takes over again."""
    if location not in rules.locations:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no location {location}")
    if not delta:
        return Decision(Verdict.IGNORED, code=NOT_POSSIBLE, message="an adjustment of nothing changes nothing")
    decision = Decision(subject=f"{sku}@{location}")
    decision.writes.stock(StockChange(sku, location, on_hand=delta))
    decision.writes.insert(
        "stock_events",
        {
            "id": derived_id("se", cause, sku, location),
            "sku": sku,
            "location": location,
            "bucket": "on_hand",
            "kind": "adjustment",
            "delta": delta,
            "absolute": None,
            "source": who,
            "source_time": now,
            "reason": reason,
            "cause": cause,
            "sequence": f"{now.isoformat()}/{cause}",
        },
    )
    decision.tasks += push_tasks(rules, now, [sku])
    if delta > 0:
        wake_waiting(decision, snapshot, [sku], now, cause)
    data = {"sku": sku, "location": location}
    decision.events.append(EventRequest(Fact.STOCK_ADJUSTED.value, sku, f"adjusted/{cause}", None, data))
    return decision


def _missing(order_id: str) -> Decision:
    return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")


def _not_possible(case: Case, why: str) -> Decision:
    return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=why)
