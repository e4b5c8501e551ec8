"""What a person can do about an order's money. Each returns a Decision; authorising and auditing are the caller's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from hub.domain.decision import Decision, Verdict
from hub.domain.money import decimal_text, money_text, round_to_minor
from hub.domain.order import OrderLine
from hub.domain.payment import ORIGINAL, PaymentState
from hub.domain.quantity import LEFT
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.intake.kits import components
from hub.oms.money.by_line import refund_value, refunded_units
from hub.oms.money.pay import capture_what_is_due, give_back, manages_money, of_order, owed
from hub.oms.money.payment_answers import refund_succeeded
from hub.oms.people import NOT_FOUND, NOT_POSSIBLE
from hub.oms.ports import Rules

ZERO, ONE = Decimal(0), Decimal(1)


def refund_order(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    reason: str,
    amount: Decimal | None,
    lines: Mapping[str, Decimal],
    tender: str = ORIGINAL,
) -> Decision:
    """Give money back: an amount, or what units of lines were charged. Moves no goods and cancels nothing. `tender`:
    to what it was paid with, or as store credit.

    `lines` is line (our id, the channel's, its number or its SKU) -> units. More than was captured is refused.
    """
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    if not case.acts:
        return _not_possible(case, "the hub does nothing for this order")
    named = {name: _line(case, name) for name in lines}
    unknown = [name for name, line in named.items() if line is None]
    if unknown:
        return _not_possible(case, f"the order has no line {', '.join(unknown)}")
    meant = [(line, lines[name]) for name, line in named.items() if line is not None]
    quantities = [part for line, units in meant for part in _parts(case, line, units)]
    back = refunded_units(case)
    for line, units in meant:
        left = min((_left(part, each, back) for part, each in _parts(case, line, ONE)), default=ZERO)
        if not ZERO < units <= left:
            words = f"{decimal_text(units)} of line {line.number} ({line.sku}) to refund, {decimal_text(left)} are left"
            return _not_possible(case, words)
        for part, more in _parts(case, line, units):
            back[part.id] = back.get(part.id, ZERO) + more
    value = sum((refund_value(case, line, units) for line, units in quantities), ZERO)
    wanted = round_to_minor(value if amount is None else amount, case.order.currency or "")
    refundable = sum((one.refundable for one in of_order(case)), ZERO)
    if not ZERO < wanted <= refundable:
        currency = case.order.currency
        words = f"{money_text(wanted, currency)} to refund, {money_text(refundable, currency)} can be"
        return _not_possible(case, f"{words}: {_ledger(case)}")
    for line, units in meant:
        # The channel wants less of the line from now on; that is no wish to cancel what has not left.
        line.give_back(min(units, max(line.ledger.sum(LEFT) - line.refunded_beside, ZERO)))
    give_back(case, wanted, f"person/{cause}", case.discreet(reason) or f"refunded by {who}", quantities, tender=tender)
    return save(case)


def refund_made(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    who: str,
    refund_id: str,
    external_id: str,
) -> Decision:
    """A person has given money back at the channel, which cannot be told to and may never tell. `refund_id` "": the
    only one that waits for it."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    waiting = [
        one
        for one in case.refunds
        if one.state.open and {f"refund-at-channel/{one.id}", f"store-credit/{one.id}"} & set(case.raised)
    ]
    meant = [one for one in waiting if refund_id in ("", one.id)]
    if len(meant) != 1:
        which = ", ".join(f"{one.id} ({money_text(one.amount, one.currency)})" for one in waiting) or "none"
        return _not_possible(case, f"refunds that wait for a person at the channel: {which}")
    refund_succeeded(case, meant[0], f"person/{who}", external_id)
    return save(case)


def capture_again(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, who: str, reason: str
) -> Decision:
    """Try once more to take what has left and is not paid."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    if not manages_money(case):
        return _not_possible(case, f"{case.order.channel} manages the money of its orders itself")
    taken = sum((one.captured + one.capturing for one in of_order(case)), ZERO)
    due = sum(owed(case).values(), ZERO) - taken
    if due <= 0:
        return _not_possible(case, f"nothing is due: {_ledger(case)}")
    for trouble in ("capture-failed/", "capture-undone/"):
        case.clear_exception(trouble, f"{who}: {case.discreet(reason)}")
    capture_what_is_due(case, f"again/{cause}", {"reason": case.discreet(reason)})
    return save(case)


def _line(case: Case, name: str) -> OrderLine | None:
    lines = case.order.lines
    exact = [one for one in lines if name in (one.id, one.external_line_id)]
    by_number = [one for one in lines if name == str(one.number) and not one.kit]
    by_sku = [one for one in lines if one.sku == name]
    for found in (exact, by_number, by_sku):
        if len(found) == 1:
            return found[0]
    return None


def _parts(case: Case, line: OrderLine, units: Decimal) -> list[tuple[OrderLine, Decimal]]:
    """The line itself; of a kit its components, by which returns count too: nothing of it is paid back twice."""
    if not line.is_kit:
        return [(line, units)]
    return [(part, units * part.per_kit) for part in components(case.order, line)]


def _left(part: OrderLine, each: Decimal, back: Mapping[str, Decimal]) -> Decimal:
    """How often `each` of a line can still be paid back: of a kit's component only whole kits."""
    left = part.ledger.ordered - back.get(part.id, ZERO)
    return left if each == ONE else left // each


def _ledger(case: Case) -> str:
    payments = of_order(case)
    captured = sum((one.captured for one in payments), ZERO)
    refunded = sum((one.refunded + one.refunding for one in payments), ZERO)
    currency = case.order.currency
    on_its_way = money_text(refunded, currency)
    words = f"captured {money_text(captured, currency)}, refunded or on its way back {on_its_way}"
    credit = sum((one.store_credit for one in payments), ZERO)
    words += f", given as store credit {money_text(credit, currency)}" if credit else ""
    disputed = any(one.dispute in (PaymentState.DISPUTED, PaymentState.LOST) for one in payments)
    return f"{words}; the customer's bank takes back what is disputed" if disputed else words


def _not_possible(case: Case, why: str) -> Decision:
    return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=why)
