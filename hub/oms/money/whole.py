"""What an order comes to: the source's total, without what was cancelled here, divided into its parts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.money import apportion, decimal_text, round_to_minor, smallest_amount
from hub.domain.order import Order, OrderLine, edits_effect
from hub.domain.payment import Charge
from hub.domain.quantity import LEFT
from hub.domain.totals import line_value

ZERO = Decimal(0)
CONCEDED = "conceded"
"""Order fact: by how much goods that left in place of others are charged less than the ordered ones, in all."""
CREDITED, BEFORE = "credited", "total_before_credit"
LESS_BEFORE = "taken_off_before_credit"
"""Order fact: what the source had taken off its total by then, for units that it wanted no more."""
REFUNDED_THERE = "refunded_there"
"""Order fact: what a channel that holds no money wrote down as refunded, of goods that had left."""


def present_total(order: Order) -> Decimal | None:
    """What the source says now that the order comes to; None where it says nothing."""
    stated = (order.facts.get("totals") or {}).get("current_total")
    return Decimal(stated) if stated is not None else order.total


def taken_off(order: Order) -> Decimal:
    """What of the credit notes the source has taken off the order's total since: channels state a total that their
    refunds have lowered. What they took off for goods that are cancelled is no part of it; whichever of a refund and
    the total that it lowers is heard of first, it is the same."""
    total = present_total(order)
    if total is None:
        return ZERO
    cancelled, less = stated_less(order)
    before, less_before = Decimal(order.facts.get(BEFORE, total)), ZERO if BEFORE in order.facts else less
    lowered = before + Decimal(order.facts.get(LESS_BEFORE, less_before)) - total - cancelled
    given = max(Decimal(order.facts.get(CREDITED, "0")), Decimal(order.facts.get(REFUNDED_THERE, "0")))
    if order.currency is not None:
        lowered = round_to_minor(lowered, order.currency)
    return min(max(lowered, ZERO), given)


def remember_total(order: Order) -> None:
    """To be called before the first credit note: what the order comes to, and what its source has taken off by then."""
    if BEFORE not in order.facts:
        total, less = present_total(order) or ZERO, stated_less(order)[1]
        order.facts = {**order.facts, BEFORE: decimal_text(total), LESS_BEFORE: decimal_text(less)}


def stated_less(order: Order) -> tuple[Decimal, Decimal]:
    """What the source has taken off its total for units it wants no more: (for the cancelled ones, for all). Those that
    had left and were refunded are not cancelled. Nothing for a source that does not say what it came to at first."""
    totals = order.facts.get("totals") or {}
    if "current_total" not in totals or "total" not in totals:
        return ZERO, ZERO
    lowered = max(Decimal(totals["total"]) - Decimal(totals["current_total"]), ZERO)
    included, cancelled, every = bool(order.facts.get("taxes_included")), ZERO, ZERO
    for line in order.lines:
        if line.is_kit or line.added_here:
            continue
        units = max(line.ledger.ordered - line.wanted, ZERO)
        left = line.ledger.sum(LEFT)
        given_up = max(units - min(line.refunded_beside, left), line.cancelled_by_facts)
        given_up = min(given_up, units, max(line.ledger.ordered - left, ZERO))
        every += _parts(line, units, included)[0]
        cancelled += _parts(line, given_up, included)[0]
    return min(cancelled, lowered), min(every, lowered)


def whole_of(order: Order) -> Charge:
    """What all shipments together charge: the source's current total where it states one, divided by its own terms."""
    conceded = Decimal(order.facts.get(CONCEDED, "0"))
    goods = sum((value_of_units(line, line.live) for line in order.lines if not line.is_kit), ZERO) - conceded
    if order.currency is not None:
        goods = round_to_minor(goods, order.currency)
    before, shipping, tax = _stated(order)
    if before is None:
        return Charge(goods, shipping, tax, ZERO)
    total, tax = _without_cancelled(order, before, shipping, tax)
    discounts = goods + shipping + tax - (total - conceded)
    return Charge(goods, shipping, tax, discounts)


def cancelled_here(order: Order) -> Decimal:
    """What the source's total still counts for goods that were cancelled here."""
    before, shipping, tax = _stated(order)
    return ZERO if before is None else before - _without_cancelled(order, before, shipping, tax)[0]


def _stated(order: Order) -> tuple[Decimal | None, Decimal, Decimal]:
    """(total with the edits made here, None where the source states none; shipping; tax beside the prices)."""
    totals = order.facts.get("totals") or {}
    stated = totals.get("current_total", totals.get("total"))
    shipping, edited = Decimal(totals.get("shipping", "0")), edits_effect(order)
    tax = ZERO if order.facts.get("taxes_included") else Decimal(totals.get("tax", "0")) + edited.tax
    if stated is None:
        return None, shipping, tax
    before = Decimal(stated) + edited.amount + taken_off(order)
    if order.currency is not None:
        # An edit's price effect may have more digits than the currency; nobody pays a part of a cent.
        before, tax = round_to_minor(before, order.currency), round_to_minor(tax, order.currency)
    return before, shipping, tax


def _without_cancelled(order: Order, total: Decimal, shipping: Decimal, tax: Decimal) -> tuple[Decimal, Decimal]:
    """The source's total and its tax without what was cancelled here and the source still counts: goods with their
    share of tax and discounts. Its shipping stays."""
    lines = [line for line in order.lines if not line.is_kit]
    included = bool(order.facts.get("taxes_included"))
    here = [_parts(line, max(line.wish - line.live, ZERO), included) for line in lines]
    if not any(worth for worth, _ in here) or order.currency is None:
        return total, tax
    stays = [_parts(line, line.live, included) for line in lines]
    totals = order.facts.get("totals") or {}
    step, goods = smallest_amount(order.currency), total - shipping
    less = apportion(goods, [_sum(stays, 0), _sum(here, 0)], step)[1]
    if Decimal(totals.get("current_total", totals["total"])) < Decimal(totals.get("total", "0")):
        # It lowers its total by itself and may have done so for these goods: what stays is charged at least.
        less = min(less, round_to_minor(max(goods - _sum(stays, 0), ZERO), order.currency))
    by_tax = _sum(stays, 1) + _sum(here, 1) > 0
    taxed = apportion(tax, [_sum(stays, int(by_tax)), _sum(here, int(by_tax))], step)[1]
    return total - max(less, ZERO), tax - taxed


def _parts(line: OrderLine, units: Decimal, taxes_included: bool) -> tuple[Decimal, Decimal]:
    """What units of a line cost with their tax and discounts, and that tax; neither below zero."""
    ordered, details = line.ledger.ordered, line.details
    if units <= 0 or ordered <= 0:
        return ZERO, ZERO
    taxes = ZERO if taxes_included else sum((Decimal(str(one["amount"])) for one in details.get("taxes", ())), ZERO)
    adjusted = [one for one in details.get("adjustments", ()) if one.get("type") == "discount"]
    discount = sum((abs(Decimal(str(one["amount"]))) for one in adjusted), ZERO)
    worth = value_of_units(line, units) + (taxes - discount) * units / ordered
    return max(worth, ZERO), max(taxes * units / ordered, ZERO)


def _sum(parts: Sequence[tuple[Decimal, Decimal]], which: int) -> Decimal:
    return sum((part[which] for part in parts), ZERO)


def value_of_units(line: OrderLine, units: Decimal) -> Decimal:
    """Units of a line at its price."""
    return line_value({**line.details, "quantity": decimal_text(line.ledger.ordered)}, units)
