"""Invoicing by shipment: goods at their value, shares of the rest, and the last shipment takes the remainder."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.money import apportion, decimal_text, money_text, round_to_minor, smallest_amount
from hub.domain.order import OrderLine, edits_effect
from hub.domain.payment import NOTHING, Charge, charge_for
from hub.domain.quantity import ENDED, LEFT
from hub.domain.shipment import Shipment
from hub.domain.totals import line_value
from hub.oms.desk.load import Case
from hub.oms.fulfilment.substitute import conceded_so_far
from hub.oms.money import pay
from hub.oms.money.credit import credit_what_went_back
from hub.oms.money.pay import manages_money
from hub.oms.money.posting import credit_what_is_less, present_total, taken_off
from hub.oms.telling.outgoing import post_invoice

ZERO = Decimal(0)


def invoice(case: Case, shipment: Shipment) -> None:
    """Post what this shipment is charged, and keep the ledger that makes all invoices add up to the source's total."""
    order = case.order
    posts = bool(case.rules.takers.get("post_invoice"))
    if not (posts or manages_money(case)) or order.currency is None or not case.acts:
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
    to_come = sum((_value(line, line.live - line.ledger.sum(LEFT)) for line in order.lines if not line.is_kit), ZERO)
    # A kit's own line follows its components only after this: it says nothing yet of what has left.
    last = all(line.ledger.sum(ENDED) >= line.ledger.ordered for line in order.lines if not line.is_kit)
    before, whole = _charged(case), whole_of(case)
    if order.facts.get("invoiced_last") and (whole - before).amount <= 0:
        # Everything is charged already; more goods than that are an exception, not a second invoice. An order that was
        # edited after its last shipment has something left to charge again.
        return
    charge = charge_for(whole, before, value, ZERO if last else max(to_come, Decimal(1)), order.currency)
    pay.charge(case, f"shipment/{shipment.id}", charge, shipment.id)
    if posts:
        post_invoice(case, f"shipment/{shipment.id}/invoice", shipment.id, shipment.shipped_at, charge, lines, last)
    _book(case, charge, shipment.id, last)


def invoice_rest(case: Case) -> None:
    """The order has ended and its last goods left before the rest was cancelled: what is still missing of its total
    (shipping, mostly) is charged, so that the invoices add up to it."""
    order = case.order
    if order.facts.get("invoiced_last", True) or order.currency is None or not case.acts:
        return
    rest = whole_of(case) - _charged(case)
    order.facts = {**order.facts, "invoiced_last": True}
    if rest.amount <= 0:
        return
    (last,) = case.snapshot.rows("shipments", {"order_id": order.id}, order_by=("-shipped_at", "-id"), limit=1)
    shipment_id, key = str(last["id"]), f"rest/{case.new_id('iv', order.id)}"
    pay.charge(case, key, rest, shipment_id)
    if case.rules.takers.get("post_invoice"):
        post_invoice(case, key, shipment_id, case.now, rest, [], last=True)
    _book(case, rest, shipment_id, last=True)


def _book(case: Case, charge: Charge, shipment_id: str, last: bool) -> None:
    order = case.order
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
            "document": {"shipment": shipment_id, **_text(charge)},
            "at": case.now,
        },
    )
    credit_what_went_back(case)


def whole_of(case: Case) -> Charge:
    """What all shipments together charge: the source's current total where it states one, divided by its own terms."""
    order = case.order
    totals = order.facts.get("totals") or {}
    stated = totals.get("current_total", totals.get("total"))
    conceded = conceded_so_far(case)
    goods = sum((_value(line, line.live) for line in order.lines if not line.is_kit), ZERO) - conceded
    shipping = Decimal(totals.get("shipping", "0"))
    edited = edits_effect(order)
    tax = ZERO if order.facts.get("taxes_included") else Decimal(totals.get("tax", "0")) + edited.tax
    if stated is None:
        return Charge(goods, shipping, tax, ZERO)
    before = Decimal(stated) + edited.amount + taken_off(case)
    total, tax = _without_cancelled(case, before, shipping, tax)
    discounts = goods + shipping + tax - (total - conceded)
    return Charge(goods, shipping, tax, discounts)


def _without_cancelled(case: Case, total: Decimal, shipping: Decimal, tax: Decimal) -> tuple[Decimal, Decimal]:
    """The source's total and its tax without what was cancelled here and the source still counts: goods with their
    share of tax and discounts. Its shipping stays."""
    order = case.order
    lines = [line for line in order.lines if not line.is_kit]
    here = sum((_value(line, max(line.wish - line.live, ZERO)) for line in lines), ZERO)
    if here <= 0 or order.currency is None:
        return total, tax
    stays = sum((_value(line, line.live) for line in lines), ZERO)
    totals = order.facts.get("totals") or {}
    step, goods = smallest_amount(order.currency), total - shipping
    less = apportion(goods, [stays, here], step)[1]
    if Decimal(totals.get("current_total", totals["total"])) < Decimal(totals.get("total", "0")):
        # It lowers its total by itself and may have done so for these goods: what stays is charged at least.
        less = min(less, max(goods - tax - stays, ZERO))
    return total - max(less, ZERO), tax - apportion(tax, [stays, here], step)[1]


def _value(line: OrderLine, units: Decimal) -> Decimal:
    return line_value({**line.details, "quantity": decimal_text(line.ledger.ordered)}, units)


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
    stated = present_total(case) if case.rules.takers.get("post_credit_note") else order.total
    total = None if stated is None else stated + edits_effect(order).amount + taken_off(case)
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
