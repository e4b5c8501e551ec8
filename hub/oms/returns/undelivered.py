"""Goods that left and did not arrive: lost on the way, or brought back by their carrier.

A person decides with the customer: ship them again, or cancel them and pay them back. What a carrier brings back is
counted where it is received, whatever is decided of the order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.return_policy import Disposition, value_of
from hub.domain.returns import IllegalReturn, claimed_of, has_left, settled_of
from hub.oms.change.cancel import tell_erp
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.money.pay import give_back
from hub.oms.money.posting import post_credit_note, post_goods_movement
from hub.oms.returns.receive import STAGES
from hub.oms.returns.settle import gave_up, paid_for
from hub.oms.stock.reserve import count_unassigned
from hub.oms.stock.restock import put_into_stock
from hub.oms.telling.tell import push_cancellation

ZERO = Decimal(0)
UNDELIVERED = (Bucket.RETURNED_TO_SENDER, Bucket.LOST)
BACK = "back_undelivered"
Quantities = Sequence[tuple[OrderLine, Decimal]]


def ship_again(case: Case, lines: Quantities) -> None:
    """What did not arrive is open again and finds a location like anything else. Raises IllegalReturn."""
    for line, units in lines:
        _take(case, line, units, Bucket.OPEN)
    tell(case, Fact.ORDER_CHANGED, case.cause, undelivered="ship again")
    _explained(case)
    count_unassigned(case)
    case.task("allocate", case.order.id, case.now)


def give_up(case: Case, lines: Quantities, reason: str) -> Decimal:
    """What did not arrive is cancelled and paid back; returns the amount. Raises IllegalReturn."""
    currency = case.order.currency
    if currency is None:
        raise IllegalReturn("the order has no currency")
    amount = ZERO
    for line, units in lines:
        paid, of_units = paid_for(case, line)
        before = settled_of(case.returns, line.id) + gave_up(case, line.id)
        amount += value_of(paid, of_units, before, units, currency)
        _take(case, line, units, Bucket.CANCELLED)
        line.cancelled_by_facts += units
        known = case.order.facts.get("gave_up", {})
        units_given_up = decimal_text(gave_up(case, line.id) + units)
        case.order.facts = {**case.order.facts, "gave_up": {**known, line.id: units_given_up}}
    key = f"undelivered/{case.new_id('ud', case.order.id)}"
    if amount > 0:
        give_back(case, amount, key, reason, lines)
        post_credit_note(case, key, amount, lines, reason)
    push_cancellation(case, lines, reason, key)
    _explained(case)
    tell_erp(case, reason)
    return amount


def received_back(
    case: Case, line: OrderLine, units: Decimal, location: str, disposition: Disposition, at: dt.datetime, source: str
) -> Decimal:
    """Goods that their carrier brought back are at a location: into stock, as far as the ledger knows of them. Returns
    how many of the units that were."""
    known = case.order.facts.get(BACK, {})
    before = Decimal(known.get(line.id, "0"))
    arrived = min(units, max(line.ledger[Bucket.RETURNED_TO_SENDER] - before, ZERO))
    if arrived <= 0 or not line.sku:
        return ZERO
    case.order.facts = {**case.order.facts, BACK: {**known, line.id: decimal_text(before + arrived)}}
    _, bucket, _ = STAGES[disposition]
    put_into_stock(case, location, line.sku, bucket, arrived, at, source, f"came back undelivered of {case.order.id}")
    movement = case.new_id("gm", line.id)
    post_goods_movement(
        case, f"undelivered/{movement}", "receipt", location, line.sku, arrived, "came back undelivered"
    )
    told = {"sku": line.sku, "units": decimal_text(arrived), "location": location, "undelivered": "received back"}
    tell(case, Fact.ORDER_CHANGED, f"{line.id}/{case.cause}", **told)
    return arrived


def _take(case: Case, line: OrderLine, units: Decimal, target: Bucket) -> None:
    there = line.ledger.sum(UNDELIVERED)
    free = min(there, has_left(line.ledger) - claimed_of(case.returns, line.id))
    if units <= 0 or units > free:
        raise IllegalReturn(
            f"{decimal_text(units)} of {line.sku} named, {decimal_text(max(free, ZERO))} did not arrive"
        )
    for bucket, part in line.ledger.take(UNDELIVERED, units):
        line.ledger.move(bucket, target, part)
        known = case.order.facts.get(BACK, {})
        if bucket is Bucket.RETURNED_TO_SENDER and line.id in known:
            left = max(Decimal(known[line.id]) - part, ZERO)
            case.order.facts = {**case.order.facts, BACK: {**known, line.id: decimal_text(left)}}


def _explained(case: Case) -> None:
    """Nothing is left that did not arrive: its packages trouble nobody any more."""
    if any(line.ledger.sum(UNDELIVERED) for line in case.order.lines):
        return
    kinds = ("/package_lost", "/package_returned")
    case.forget([key for key in case.raised if key.startswith("package/") and key.endswith(kinds)], "decided")
