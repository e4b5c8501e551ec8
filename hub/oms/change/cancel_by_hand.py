"""Cancelling by a person: a whole order, or quantities of its lines, each with an answer of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from hub.domain.decision import Decision, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine, OrderStatus, status
from hub.domain.quantity import LEFT, Bucket
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import cancel_units, cancel_whole, settle_cancel, unreleased
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.kits import components
from hub.oms.ports import Rules
from hub.oms.telling.tell import cancel_at_channel

ZERO = Decimal(0)
NOT_FOUND, NOT_POSSIBLE = "not_found", "not_possible"


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What became of a quantity: cancelled at once, asked of its location, kept by it (the policy asks nobody), or
    left already. Together they are what was to be cancelled."""

    line: OrderLine
    cancelled: Decimal
    asked: Decimal
    kept: Decimal
    left: Decimal

    @property
    def words(self) -> str:
        gone = min(self.left, self.line.ledger.sum(LEFT))
        said = (
            (self.cancelled, "cancelled"),
            (self.asked, "asked of its location"),
            (self.kept, "with its location, which is not asked"),
            (gone, "left already"),
            (self.left - gone, "cancelled before"),
        )
        told = ", ".join(f"{decimal_text(units)} {what}" for units, what in said if units > 0)
        return f"line {self.line.number} ({self.line.sku}): {told or 'nothing is left of it'}"


def cancel_lines(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    reason: str,
    lines: Sequence[tuple[str, Decimal]] = (),
) -> tuple[Decision, tuple[LineAnswer, ...]]:
    """Cancel what is left of an order, or of `lines` (the line's number, the channel's id or ours; how many). What a
    location has is asked of it, unless the policy keeps released goods going."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}"), ()
    if status(case.order) in (OrderStatus.CLOSED, OrderStatus.CANCELLED):
        return _not_possible(case, f"the order is {status(case.order)}")
    wanted: dict[str, Decimal] = {}
    for name, units in lines:
        line = _line(case, name)
        if line is None:
            return _not_possible(case, f"the order has no line {name}, or several")
        if line.kit is not None:
            return _not_possible(case, f"line {line.number} is part of a kit: cancel the kit, or edit the order")
        if units <= 0:
            return _not_possible(case, f"{decimal_text(units)} of line {line.number} is nothing to cancel")
        wanted[line.id] = wanted.get(line.id, ZERO) + units
        if wanted[line.id] > line.ledger.ordered:
            return _not_possible(
                case,
                f"line {line.number} ({line.sku}) is for {decimal_text(line.ledger.ordered)} in all:"
                f" {decimal_text(wanted[line.id])} of it cannot be cancelled",
            )
    before = {line.id: line.ledger[Bucket.CANCELLED] for line in case.order.lines}
    said = case.discreet(reason)
    asks = rules.cancel_after_release == "request"
    if not wanted and asks:
        cancel_whole(case, who, said, instant_text(now))
        wanted = {line.id: line.live for line in case.order.lines if line.live > 0 and line.kit is None}
    else:
        wanted = wanted or {line.id: line.live for line in case.order.lines if line.live > 0 and line.kit is None}
        for line in case.order.lines:
            cancel_units(
                line,
                min(wanted.get(line.id, ZERO), line.live - line.ledger.sum(LEFT) if asks else unreleased(case, line)),
            )
    settle_cancel(case, said)
    answers = tuple(_answer(case, line, wanted[line.id], before) for line in case.order.lines if line.id in wanted)
    if not any(one.cancelled or one.asked for one in answers):
        return _not_possible(case, "; ".join(one.words for one in answers), answers)
    cancel_at_channel(case)
    tell(case, Fact.ORDER_CHANGED)
    decision = save(case)
    decision.message = "; ".join(one.words for one in answers) if lines or not asks else ""
    return decision, answers


def _line(case: Case, name: str) -> OrderLine | None:
    lines = case.order.lines
    for found in (
        [line for line in lines if name in (line.id, line.external_line_id)],
        [line for line in lines if name == str(line.number) and not line.kit],
        [line for line in lines if name == line.sku],
    ):
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _answer(case: Case, line: OrderLine, wanted: Decimal, before: dict[str, Decimal]) -> LineAnswer:
    cancelled = min(line.ledger[Bucket.CANCELLED] - before[line.id], wanted)
    asked = min(_waiting(case, line), wanted - cancelled)
    rest = wanted - cancelled - asked
    kept = ZERO
    if case.rules.cancel_after_release != "request":
        kept = min(rest, line.live - line.ledger.sum(LEFT))
    return LineAnswer(line, cancelled, asked, kept, rest - kept)


def _waiting(case: Case, line: OrderLine) -> Decimal:
    """Units that a location was asked for; of a kit as many as its components ask for."""
    if line.is_kit:
        parts = [_waiting(case, part) / part.per_kit for part in components(case.order, line) if part.per_kit]
        return max(parts, default=ZERO).to_integral_value(ROUND_CEILING)
    return sum((work.waiting(line.id) for work in case.work), ZERO)


def _not_possible(
    case: Case, why: str, answers: tuple[LineAnswer, ...] = ()
) -> tuple[Decision, tuple[LineAnswer, ...]]:
    return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=why), answers
