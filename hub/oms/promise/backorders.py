"""Whose turn it is: the journal of who got goods that others wait for, and an end to waiting for ever."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from hub.domain.backorder import Turn
from hub.domain.decision import Decision, DueTask, TaskRequest, Verdict
from hub.domain.events import Fact
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.reservation import Reservation
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import tell_erp
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.desk.waiting import due_before, free_after
from hub.oms.ports import Rules
from hub.oms.promise.place import place_of
from hub.oms.promise.preorders import NOT_BEFORE
from hub.oms.sourcing.source import Sourcing
from hub.oms.stock.reserve import count_unassigned, unassigned_row
from hub.oms.telling.tell import notify, push_cancellation

ZERO = Decimal(0)
OUT_OF_STOCK = "out of stock"


def take_turns(
    case: Case, lines: Sequence[OrderLine], found: Sequence[Sourcing], released: Mapping[str, dt.datetime]
) -> None:
    """After sourcing: who got something that others wait for is journalled, and who could not use what there is gives
    way, with the reason. `released`: lines that wait for their item's day."""
    for line in lines:
        assert line.sku
        row = unassigned_row(case, line)
        got = _got(line)
        waited = any(one["line_id"] == line.id and one["state"] == "unassigned" for one in _loaded(case))
        if got > 0 and (waited or line.sku in case.due_to_others):
            free = sum(free_after(case, line.sku).values(), ZERO) + got
            _journal(case, line, "released", got, free, "")
        if row is not None and row.quantity > 0:
            _turn(case, line, row, found, released.get(line.id))


def _turn(
    case: Case, line: OrderLine, row: Reservation, found: Sequence[Sourcing], released: dt.datetime | None
) -> None:
    if released is not None:
        row.turn, row.why = Turn.HELD, f"{NOT_BEFORE}{instant_text(released)}"
        return
    if row.turn == Turn.HELD:
        if row.why.startswith(NOT_BEFORE):
            row.turn, row.why = Turn.WAITS, ""
        else:
            return
    _look_at_the_end(case, line)
    assert line.sku
    free = free_after(case, line.sku)
    left = sum(free.values(), ZERO)
    if left <= 0 or left - due_before(case, line.sku) <= 0:
        row.turn, row.why = Turn.WAITS, ""
        return
    why = _why(line.sku, free, found)
    if (row.turn, row.why) != (Turn.PASSED, why):
        row.turn, row.why = Turn.PASSED, why
        _journal(case, line, "passed", ZERO, left, why)


def _why(sku: str, free: Mapping[str, Decimal], found: Sequence[Sourcing]) -> str:
    """Why what is free was of no use: the locations that were excluded, or the rule that wants more than there is."""
    excluded = {one.location: one.code for sourcing in found for one in sourcing.exclusions}
    where = [f"{name}: {excluded[name]}" for name, units in sorted(free.items()) if units > 0 and name in excluded]
    if where:
        return "; ".join(where)
    rules = ", ".join(sorted({sourcing.rule for sourcing in found if sku in sourcing.plan.unfilled}))
    return f"less is free than {rules or 'its strategy'} can use"


def _got(line: OrderLine) -> Decimal:
    """What of the line was newly reserved in this decision."""
    moves = line.ledger.moves
    came = sum((move.quantity for move in moves if move.target is Bucket.ALLOCATED), ZERO)
    went = sum(
        (move.quantity for move in moves if move.source is Bucket.ALLOCATED and move.target is Bucket.OPEN), ZERO
    )
    return came - went


def _loaded(case: Case) -> Sequence[Mapping[str, object]]:
    return list(case.loaded.get("reservations", {}).values())


def _journal(case: Case, line: OrderLine, outcome: str, quantity: Decimal, free: Decimal, reason: str) -> None:
    case.decision.writes.insert(
        "backorder_releases",
        {
            "id": case.new_id("br", line.id, outcome),
            "sku": line.sku,
            "order_id": case.order.id,
            "line_id": line.id,
            "place": place_of(case),
            "outcome": outcome,
            "quantity": quantity,
            "free": free,
            "ahead": due_before(case, line.sku or ""),
            "reason": reason,
            "cause": case.cause,
            "at": case.now,
        },
    )


def _look_at_the_end(case: Case, line: OrderLine) -> None:
    """Ask to be woken when the line has waited as long as the policy lets it."""
    after = case.rules.backorders.auto_cancel_after
    row = unassigned_row(case, line)
    if after and row is not None and line.ledger[Bucket.BACKORDERED] > 0:
        key = f"backorder_end/{row.id}"
        case.decision.tasks.append(TaskRequest("backorder_end", case.order.id, row.created_at + after, key))


def handle_backorder_end(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `backorder_end`: subject is the order. What has waited too long without a date is cancelled."""

    def backorder_end(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        after = rules.backorders.auto_cancel_after
        if case is None or not case.acts or not after:
            return Decision(Verdict.IGNORED, message="nobody minds how long it waits any more")
        over = []
        for line in case.order.lines:
            row = unassigned_row(case, line)
            units = line.ledger[Bucket.BACKORDERED]
            if row is not None and units > 0 and row.created_at + after <= now:
                line.cancelled_by_facts += units
                over.append((line, units))
        if not over:
            return Decision(Verdict.IGNORED, subject=case.order.id, message="nothing has waited too long")
        reconcile(case, OUT_OF_STOCK)
        if case.order.confirmed_at is not None:
            tell_erp(case, OUT_OF_STOCK)
        count_unassigned(case)
        push_cancellation(case, over, OUT_OF_STOCK, f"{case.order.id}/{case.cause}")
        notify(case, "backorder_cancelled", f"{case.order.id}/{case.cause}", over)
        tell(case, Fact.ORDER_CHANGED)
        return save(case)

    return backorder_end
