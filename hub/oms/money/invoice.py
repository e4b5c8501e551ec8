"""Invoicing by shipment: goods at their value, shares of the rest, and the last shipment takes the remainder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text, money_text, round_to_minor
from hub.domain.order import edits_effect
from hub.domain.payment import NOTHING, Charge, charge_for
from hub.domain.quantity import ENDED, LEFT
from hub.domain.shipment import Shipment
from hub.domain.totals import line_value
from hub.oms.desk.load import Case
from hub.oms.money import pay
from hub.oms.money.credit import credit_what_went_back
from hub.oms.money.pay import manages_money
from hub.oms.money.posting import CREDITED_AS_LESS, credit_what_is_less
from hub.oms.money.whole import present_total, taken_off, value_of_units, whole_of
from hub.oms.telling.channel_invoice import tell_invoice, tells_invoices
from hub.oms.telling.outgoing import post_invoice

ZERO = Decimal(0)


def invoice(case: Case, shipment: Shipment) -> None:
    """Post what this shipment is charged, and keep the ledger that makes all invoices add up to the source's total."""
    order = case.order
    posts = bool(case.rules.takers.get("post_invoice"))
    if not (posts or manages_money(case) or tells_invoices(case)) or order.currency is None or not case.acts:
        return
    value, lines = ZERO, []
    for line in order.lines:
        parts = [part for package in shipment.packages for part in package.lines if part.line_id == line.id]
        units = sum((part.counted for part in parts), ZERO)
        if units > 0:
            amount = line_value({**line.details, "quantity": decimal_text(line.ledger.ordered)}, units)
            amount -= sum((part.conceded for part in parts), ZERO)
            value += amount
            shown: dict[str, Any] = {"line": line.id, "sku": line.sku, "quantity": decimal_text(units)}
            shown["amount"] = decimal_text(round_to_minor(amount, order.currency))
            lines.append({name: said for name, said in shown.items() if said is not None})
    goods = [line for line in order.lines if not line.is_kit]
    to_come = sum((value_of_units(line, line.live - line.ledger.sum(LEFT)) for line in goods), ZERO)
    # A kit's own line follows its components only after this: it says nothing yet of what has left.
    last = all(line.ledger.sum(ENDED) >= line.ledger.ordered for line in goods)
    before, whole = _charged(case), whole_of(case.order)
    if order.facts.get("invoiced_last") and (whole - before).amount <= 0:
        # Everything is charged already; more goods than that are an exception, not a second invoice. An order that was
        # edited after its last shipment has something left to charge again.
        return
    charge = charge_for(whole, before, value, ZERO if last else max(to_come, Decimal(1)), order.currency)
    pay.charge(case, f"shipment/{shipment.id}", charge, shipment.id)
    key = f"shipment/{shipment.id}/invoice"
    if posts:
        post_invoice(case, key, shipment.id, shipment.shipped_at, charge, lines, last)
    _book(case, charge, shipment.id, last, key, lines)


def invoice_rest(case: Case) -> None:
    """The order has ended and its last goods left before the rest was cancelled: what is still missing of its total
    (shipping, mostly) is charged, so that the invoices add up to it."""
    order = case.order
    if order.facts.get("invoiced_last", True) or order.currency is None or not case.acts:
        return
    rest = whole_of(case.order) - _charged(case)
    order.facts = {**order.facts, "invoiced_last": True}
    if rest.amount <= 0:
        return
    (last,) = case.snapshot.rows("shipments", {"order_id": order.id}, order_by=("-shipped_at", "-id"), limit=1)
    shipment_id, key = str(last["id"]), f"rest/{case.new_id('iv', order.id)}"
    pay.charge(case, key, rest, shipment_id)
    if case.rules.takers.get("post_invoice"):
        post_invoice(case, key, shipment_id, case.now, rest, [], last=True)
    _book(case, rest, shipment_id, True, key, [])


def _book(
    case: Case, charge: Charge, shipment_id: str, last: bool, key: str, lines: Sequence[Mapping[str, Any]]
) -> None:
    order = case.order
    document: dict[str, Any] = {"shipment": shipment_id, **_text(charge)}
    if tells_invoices(case):
        document |= {"key": key, "lines": [dict(line) for line in lines], "last": last}
        if not case.rules.takers.get("post_invoice"):
            tell_invoice(case, document, "", case.now)
    order.facts = {**order.facts, "invoiced": _text(_charged(case) + charge), "invoiced_last": last}
    case.decision.writes.insert(
        "money_moves",
        {
            "id": case.new_id("mm", shipment_id),
            "order_id": order.id,
            "payment_id": None,
            "kind": "invoiced",
            "currency": order.currency,
            "amount": charge.amount,
            "external_id": None,
            "document": document,
            "at": case.now,
        },
    )
    credit_what_went_back(case)


def _charged(case: Case) -> Charge:
    said = case.order.facts.get("invoiced")
    if said is None:
        return NOTHING
    return Charge(*(Decimal(said[name]) for name in ("goods", "shipping", "tax", "discounts")))


def _text(charge: Charge) -> dict[str, str]:
    return {
        "goods": decimal_text(charge.goods),
        "shipping": decimal_text(charge.shipping),
        "tax": decimal_text(charge.tax),
        "discounts": decimal_text(charge.discounts),
    }


def tell_if_invoiced_above_total(case: Case) -> None:
    """The source lowered its total after goods had been invoiced: only a credit note puts that right."""
    order, cause_key = case.order, f"invoiced-above-total/{case.order.id}"
    invoiced = _charged(case).amount
    # A present total that refunds have lowered is news only for those who can be told of credit notes.
    stated = present_total(order) if case.rules.takers.get("post_credit_note") else order.total
    total = None if stated is None else stated + edits_effect(order).amount + taken_off(order)
    if manages_money(case):
        _tell_if_total_is_less(case, invoiced, total)
        return
    if stated is not None:
        _tell_if_credited_too_much(case, invoiced - stated - edits_effect(order).amount)
    if total is None or invoiced <= total:
        case.forget([cause_key], "the total covers it")
        return
    if case.rules.takers.get("post_credit_note"):
        credit_what_is_less(case, invoiced - total)
        case.forget([cause_key], "a credit note covers it")
        return
    case.raise_exception(
        cause_key,
        "invoiced_above_total",
        "More was invoiced than the order comes to now",
        f"{money_text(invoiced, order.currency)} were invoiced for what has left; the order's total is now"
        f" {money_text(total, order.currency)}.",
        "Credit the difference in the ERP, or have the total corrected at the channel.",
        f"hub orders show {order.id}",
    )


def _tell_if_total_is_less(case: Case, invoiced: Decimal, total: Decimal | None) -> None:
    """Where the hub manages the money, credit notes follow what it gives back: a lower total gives nothing back. What
    came back or was refunded lowers it of itself; else a person decides."""
    order, cause_key = case.order, f"invoiced-above-total/{case.order.id}"
    if total is None or invoiced <= total or case.returns or case.refunds:
        case.forget([cause_key], "the total covers it, or money went back for it")
        return
    case.raise_exception(
        cause_key,
        "invoiced_above_total",
        "More was invoiced than the order comes to now",
        f"{money_text(invoiced, order.currency)} were charged for what has left; the order's total is now"
        f" {money_text(total, order.currency)}.",
        "Refund the difference, which credits it; or have the total corrected at the channel.",
        f"hub orders refund {order.id} --amount {decimal_text(invoiced - total)} --reason WHY",
    )


def _tell_if_credited_too_much(case: Case, less: Decimal) -> None:
    """The source lowered its total, which was credited, and raised it again: `less` is what it is below the invoices
    now. An invoice for it can only be made by people: the goods left long ago."""
    order, cause_key = case.order, f"credited-too-much/{case.order.id}"
    beyond = Decimal(order.facts.get(CREDITED_AS_LESS, "0")) - max(less, ZERO)
    if beyond <= 0:
        case.forget([cause_key], "the total is as low as was credited")
        return
    case.raise_exception(
        cause_key,
        "credited_too_much",
        "A lowered total was credited, and is raised again",
        f"{money_text(beyond, order.currency)} were credited for it beyond what the total is lower now.",
        "Invoice the difference in the ERP, or have the total corrected at the channel.",
        f"hub orders show {order.id}",
    )
