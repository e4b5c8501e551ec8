"""Refunds that others made, or tell of: a money fact, and for lines taken back a cancellation.

A refund is never refused. One that exceeds what was captured is applied and raises an exception. One of ours that comes
back is recognised: by our key, by the id it was answered with, else by order, money and amount.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text, money_text
from hub.domain.payment import ORIGINAL, CallState, Payment, Purpose, Refund, in_order, spread
from hub.domain.quantity import LEFT
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import settle_cancel
from hub.oms.desk.load import Case, find_case, order_key
from hub.oms.desk.save import save, tell
from hub.oms.money.by_line import FOR_LINES
from hub.oms.money.credit import UNCREDITED, credit_what_went_back
from hub.oms.money.pay import give_back, manages_money, of_order, open_payment, payment_key
from hub.oms.money.payment_answers import journal_refund, refund_failed, refund_succeeded
from hub.oms.money.whole import REFUNDED_THERE
from hub.oms.ports import Rules
from hub.oms.returns.kit_returns import parts_of
from hub.oms.telling.tell import cancelled_there

ZERO = Decimal(0)


def handle_refund(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `refunds`."""

    def apply_refund(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        if "order_external_id" not in record:
            return _of_payment(incoming, snapshot, rules, now)
        external_id, scope = str(record["order_external_id"]), str(record.get("scope", incoming.scope))
        case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
        waits_for = order_key(incoming.connection, scope, external_id)
        if case is None or not case.order.known:
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known")
        amount = Decimal(str(record.get("amount", "0")))
        known = _ours(case, incoming, amount, str(record.get("currency") or case.order.currency))
        if record.get("state") == "failed":
            if known is not None:
                words = case.discreet(str(record.get("note", "no reason given")))
                refund_failed(case, known, incoming.connection, words, told=True)
            return save(case)
        asked_here = known is not None and known.purpose is not Purpose.OBSERVED
        for said in () if asked_here else record.get("lines") or ():
            line = case.order.external_line(str(said["external_line_id"]))
            if line is None:
                message = f"the order has no line {said['external_line_id']} yet"
                return Decision(Verdict.WAITING, waits_for=waits_for, message=message)
            units = max(Decimal(str(said["quantity"])), ZERO)
            if said.get("restock") == "cancel":
                cancelled_there(case, line, units, str(record.get("reference", "")))
            elif said.get("restock") == "return":
                line.refunded_beside += units
            else:
                # It does not say whether the goods had left. Only what has can be refunded beside: of the rest, the
                # restate's lower quantity means that it must not leave any more.
                line.refunded_beside += min(units, max(line.ledger.sum(LEFT) - line.refunded_beside, ZERO))
        if amount:
            _money(case, incoming, amount, None)
        elif "amount" not in record and manages_money(case):
            _pay_back(case, incoming)
        settle_cancel(case, "refunded")
        tell(case, Fact.ORDER_REFUNDED, incoming.fact_key, amount=decimal_text(amount))
        return save(case)

    return apply_refund


def _of_payment(incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime) -> Decision:
    """A provider knows payments, not orders."""
    record = incoming.record
    external_id = str(record.get("payment_external_id", ""))
    if not external_id:
        hint = "map order_external_id or payment_external_id"
        return Decision(Verdict.PARKED, code="required", message="it names neither order nor payment", hint=hint)
    found = open_payment(snapshot, rules, now, incoming.id, incoming.connection, external_id)
    if found is None:
        waits_for = payment_key(incoming.connection, external_id)
        return Decision(Verdict.WAITING, waits_for=waits_for, message="the payment is not known")
    case, payment = found
    amount = Decimal(str(record.get("amount", "0")))
    if record.get("state") == "failed":
        refund = _ours(case, incoming, amount, payment.currency)
        if refund is not None:
            words = case.discreet(str(record.get("note", "no reason given")))
            refund_failed(case, refund, incoming.connection, words, told=True)
    elif amount:
        _money(case, incoming, amount, payment)
        tell(case, Fact.ORDER_REFUNDED, incoming.fact_key, amount=decimal_text(amount))
    return save(case)


def _pay_back(case: Case, incoming: Incoming) -> None:
    """The channel wrote a refund down and moved no money, because the hub holds it: what it names for goods that had
    left goes back. Goods that have not left are not charged."""
    record, lines, owed_back = incoming.record, [], ZERO
    for said in record.get("lines") or ():
        line = case.order.external_line(str(said["external_line_id"]))
        if line is not None and said.get("restock") != "cancel":
            owed_back += Decimal(str(said.get("amount", "0"))) + Decimal(str(said.get("tax", "0")))
            lines.append((line, Decimal(str(said["quantity"]))))
    currency, external_id = str(case.order.currency), str(record["external_id"])
    if owed_back <= 0:
        return
    known = _ours(case, incoming, owed_back, currency)
    if known is not None:
        known.facts = {**known.facts, "seen": {**known.facts.get("seen", {}), incoming.connection: external_id}}
        return
    there = Decimal(case.order.facts.get(REFUNDED_THERE, "0")) + owed_back
    case.order.facts = {**case.order.facts, REFUNDED_THERE: decimal_text(there)}
    key = f"channel/{incoming.connection}/{external_id}"
    give_back(case, owed_back, key, case.discreet(str(record.get("note", "refunded at the channel"))), lines)
    for refund in case.refunds:
        if refund.key == key:
            refund.facts = {**refund.facts, "seen": {incoming.connection: external_id}}


def _money(case: Case, incoming: Incoming, amount: Decimal, payment: Payment | None) -> None:
    """Book what was given back, unless it is ours or another told of it before. `payment` None: of the order's."""
    order, record = case.order, incoming.record
    currency = str(record.get("currency") or (payment.currency if payment else order.currency))
    external_id = str(record["external_id"])
    known = _ours(case, incoming, amount, currency)
    if known is not None:
        refund_succeeded(case, known, incoming.connection, external_id)
        return
    payments = [payment] if payment is not None else in_order(of_order(case), case.rules.refund_order)
    payments = [one for one in payments if one.currency == currency]
    parts = spread(amount, [one.refundable for one in payments])
    beyond = amount - sum(parts, ZERO)
    if payments:
        parts[0] += beyond
    else:
        payments, parts = [Payment("", order.id, incoming.connection, "channel", currency)], [amount]
    key = f"observed/{incoming.connection}/{external_id}"
    never_left = _for_what_never_left(record)
    lines, for_lines = _taken_back(case, record)
    for number, (one, part) in enumerate(zip(payments, parts, strict=True)):
        if part > 0:
            row_id = derived_id("rf", order.id, key, str(number))
            refund = Refund(row_id, order.id, one.id or None, currency, part, key, Purpose.OBSERVED, case.now)
            refund.state, refund.external_id = CallState.SUCCEEDED, external_id
            refund.facts = {"seen": {incoming.connection: external_id}}
            if lines:
                refund.facts |= {"lines": lines} | ({FOR_LINES: decimal_text(for_lines)} if for_lines else {})
                lines = []
            if (uncredited := min(never_left, part)) > 0:
                refund.facts[UNCREDITED] = decimal_text(uncredited)
                never_left -= uncredited
            case.refunds.append(refund)
            if one.id:
                one.see_refunded(part, external_id)
            else:
                journal_refund(case, refund, external_id)
    credit_what_went_back(case)
    if beyond > 0 and (payments[0].id or currency == order.currency):
        _too_high(case, currency)


def _for_what_never_left(record: Mapping[str, Any]) -> Decimal:
    """What of a refund is for units that it cancels: they are on no invoice."""
    cancelled = [said for said in record.get("lines") or () if said.get("restock") == "cancel"]
    return sum((Decimal(str(said.get(name, "0"))) for said in cancelled for name in ("amount", "tax")), ZERO)


def _taken_back(case: Case, record: Mapping[str, Any]) -> tuple[list[list[str]], Decimal]:
    """Units that a refund was for and did not cancel, by line (kits by their components), and what it gave for them;
    nothing where it does not say."""
    lines, amount = [], ZERO
    for said in record.get("lines") or ():
        line = case.order.external_line(str(said["external_line_id"]))
        if line is None or said.get("restock") == "cancel":
            continue
        parts = parts_of(case, line, max(Decimal(str(said["quantity"])), ZERO))
        lines += [[part.id, decimal_text(units)] for part, units in parts if units > 0]
        amount += sum((Decimal(str(said.get(name, "0"))) for name in ("amount", "tax")), ZERO)
    return lines, amount


def _too_high(case: Case, currency: str) -> None:
    order = case.order
    refunded = [one.amount for one in case.refunds if one.currency == currency and one.state is CallState.SUCCEEDED]
    charged = sum((one.captured for one in of_order(case) if one.currency == currency), ZERO)
    case.raise_exception(
        f"refund-too-high/{order.id}",
        "refund_too_high",
        "More was refunded than was charged",
        f"{money_text(sum(refunded, ZERO), currency)} refunded, {money_text(charged, currency)} charged.",
        "Check the refunds at the channel and at the payment provider.",
        f"hub orders show {order.id}",
    )


def _ours(case: Case, incoming: Incoming, amount: Decimal, currency: str) -> Refund | None:
    """The refund that this tells of, where it is known: by our key, by its id, else by its money.

    What one connection has told of once is another refund when it tells of it again. Of what others observed, only a
    second witness of the hub's own money is the same.
    """
    said_by, record = incoming.connection, incoming.record
    reference, external_id = str(record.get("reference", "")), str(record["external_id"])
    if reference:
        parts = reference.split("/")
        return next((one for one in case.refunds if one.id in parts), None)
    seen = {one.id: one.facts.get("seen", {}).get(said_by) for one in case.refunds}
    by_id = next((one for one in case.refunds if seen[one.id] == external_id), None)
    if by_id is not None:
        return by_id
    for one in case.refunds:
        fits = one.amount == amount and one.currency == currency and one.state is not CallState.FAILED
        # Store credit moves no money: who tells of money tells of another refund.
        fits = fits and one.tender == ORIGINAL
        witness = one.purpose is not Purpose.OBSERVED or manages_money(case)
        if fits and witness and seen[one.id] in (None, ""):
            return one
    return None
