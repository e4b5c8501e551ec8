"""Sending an order from elsewhere: what that would come to, and asking for it. Nothing is freed before its location has
accepted; only what no location has been asked for yet moves at once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.fulfilment import FINISHED, FulfilmentOrder
from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.oms.change.reconcile import ask
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.fulfilment.pickup import TURNED_DOWN
from hub.oms.intake.groups import groups
from hub.oms.people import NOT_FOUND, NOT_POSSIBLE
from hub.oms.ports import Rules
from hub.oms.sourcing.source import MORE_SHIPMENTS, RESOURCED, document_of, exclude_location, find_plan
from hub.oms.stock.reserve import count_unassigned

ZERO = Decimal(0)
_NOT_LEFT = (Bucket.OPEN, Bucket.BACKORDERED, Bucket.PREORDERED, Bucket.ALLOCATED, *AT_LOCATION)


def what_if(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, order_id: str, leaving: str = ""
) -> dict[str, Any] | None:
    """Where what has not left would come from if it were sourced now, without `leaving` (a location; empty: without
    those that work on it). Decides nothing, writes nothing. None: there is no such order."""
    case = open_case(snapshot, rules, now, "what-if", order_id)
    if case is None:
        return None
    left = {leaving: "it would be left"} if leaving else dict.fromkeys(_working(case), "it works on the order now")
    lines = [line for line in case.order.lines if line.ours and line.sku and not line.is_kit]
    pool = {line.id: line.ledger.sum(_NOT_LEFT) for line in lines}
    wanted = [line for line in lines if pool[line.id] > 0]
    decisions = [
        document_of(case, find_plan(case, group, of_group, pool, left, _left_by(case, group.method)))
        for group, of_group in _groups(case, wanted)
    ]
    now_at = [{"location": work.location, "state": str(work.state), "id": work.id} for work in _open_work(case)]
    return {"order": case.order.id, "now_at": now_at, "decisions": decisions}


def _left_by(case: Case, method: str) -> int:
    return sum(1 for work in case.work if work.method == method and any(line.left for line in work.lines))


def _groups(case: Case, lines: list[OrderLine]) -> list[tuple[Any, list[OrderLine]]]:
    return list(groups(case, lines).items())


def reroute_order(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    reason: str,
    leaving: str = "",
    more_shipments: int = 0,
) -> Decision:
    """Ask the locations that work on an order (or `leaving` alone) to give it back, to be sourced elsewhere.
    `more_shipments`: nobody is asked; what waits may go in so many shipments more than its strategy allows.
    """
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    if not case.acts or case.order.cancelled:
        return _not_possible(case, "the hub does nothing for this order any more")
    if leaving and leaving not in rules.locations:
        return _not_possible(case, f"there is no location {leaving}")
    said = case.discreet(reason)
    if more_shipments > 0:
        return _allow_more(case, more_shipments)
    if case.order.confirmed_at is None:
        return _before_release(case, leaving, said)
    wishes: dict[str, dict[str, Decimal]] = {}
    for work in _open_work(case):
        if leaving in ("", work.location):
            free = {line.line_id: line.at_location - work.waiting(line.line_id) for line in work.lines}
            wishes[work.id] = {line_id: units for line_id, units in free.items() if units > 0}
    if not any(wishes.values()) and not leaving and _waits_anywhere(case):
        return _begin_again(case)
    if not any(wishes.values()):
        return _not_possible(case, f"nothing of it is at {leaving or 'a location'} that was not asked back already")
    ask(case, wishes, "resource", said)
    moved = [work for work in case.work if work.id in wishes and work.state in FINISHED]
    for work in moved:  # nobody had heard of it: there is no answer to wait for
        exclude_location(case, work.location, said)
    if moved:
        count_unassigned(case)
        case.task("allocate", case.order.id, case.now)
    waits = sorted({work.location for work in case.work if wishes.get(work.id) and work not in moved})
    case.decision.message = f"{', '.join(waits)} was asked to give it back" if waits else "is sourced anew"
    return save(case)


def _waits_anywhere(case: Case) -> bool:
    loose = (Bucket.OPEN, Bucket.BACKORDERED)
    return any(line.ours and not line.is_kit and line.ledger.sum(loose) > 0 for line in case.order.lines)


def _begin_again(case: Case) -> Decision:
    """What nobody has is sourced as if no location had turned it down yet: a person has asked them, or knows more."""
    forgotten = ("sourced_for", RESOURCED, "exclusions")
    case.order.facts = {name: value for name, value in case.order.facts.items() if name not in forgotten}
    case.clear_exception(f"resource-limit/{case.order.id}", "sourced anew by a person")
    case.clear_exception(TURNED_DOWN, "sourced anew by a person")
    case.task("allocate", case.order.id, case.now, "begin-again")
    case.decision.message = "is sourced anew; every location may be asked again"
    return save(case)


def _allow_more(case: Case, more: int) -> Decision:
    facts = {name: value for name, value in case.order.facts.items() if name != "sourced_for"}
    case.order.facts = {**facts, MORE_SHIPMENTS: int(facts.get(MORE_SHIPMENTS, 0)) + more}
    case.task("allocate", case.order.id, case.now, "more")
    case.decision.message = f"may have {more} more shipment{'s' if more > 1 else ''} than its strategy allows"
    return save(case)


def _before_release(case: Case, leaving: str, reason: str) -> Decision:
    """Only reserved: it is sourced anew as a whole, without the location where one is named."""
    if case.order.held:
        return _not_possible(case, "it is held; release it first")
    if leaving:
        exclude_location(case, leaving, reason)
    case.order.facts = {name: value for name, value in case.order.facts.items() if name != "sourced_for"}
    case.task("allocate", case.order.id, case.now)
    case.decision.message = "is sourced anew"
    return save(case)


def _open_work(case: Case) -> list[FulfilmentOrder]:
    return [work for work in case.work if work.state not in FINISHED]


def _working(case: Case) -> list[str]:
    return sorted({work.location for work in _open_work(case)})


def _not_possible(case: Case, why: str) -> Decision:
    return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=why)
