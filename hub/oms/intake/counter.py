"""Sold over a counter: the buyer has the goods before anybody here hears of the order.

Such an order names the store that sold it (`sold_at`). Its lines are handed over at once, whatever else is found wrong
with it, and the store's stock moves at the time of the sale: a late batch of receipts does not touch a count that is
newer. Posting and invoicing wait for confirmation, as with every order. Lines that name a way of delivery go that way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import DECREASE, Bucket
from hub.domain.shipment import Package, PackageLine, Shipment
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.kits import follow_components
from hub.oms.money.invoice import invoice
from hub.oms.stock.goods import take_from_stock
from hub.oms.stock.reserve import trim

ZERO = Decimal(0)
UNCHARGED = "at_counter"
"""The fact of an order: line id -> quantity that was handed over and is not invoiced yet."""


def sell_at_counter(case: Case, record: Mapping[str, Any]) -> None:
    """Hand over what a store has sold and nobody has counted as handed over yet."""
    said = record.get("sold_at")
    if not said or not case.acts or case.order.cancelled:
        return
    order = case.order
    store = store_of(case, str(said))
    at = order.placed_at or case.now
    taken: dict[str, Decimal] = {}
    handed = {line: Decimal(units) for line, units in order.facts.get(UNCHARGED, {}).items()}
    for line in order.lines:
        if not line.ours or not _carried_out(case, line):
            continue
        for bucket, units in line.ledger.take(DECREASE, line.live):
            line.ledger.advance(bucket, Bucket.HANDED_OVER, units)
            handed[line.id] = handed.get(line.id, ZERO) + units
            if line.sku:
                taken[line.sku] = taken.get(line.sku, ZERO) + units
        trim(case, line)
    if not handed:
        return
    order.facts = {**order.facts, UNCHARGED: {line: decimal_text(units) for line, units in handed.items()}}
    follow_components(case)
    if store is None:
        _unknown_store(case, str(said))
    elif taken:
        take_from_stock(case, store, order.channel, taken, at, reserved=False)
    tell(case, Fact.ORDER_SOLD, case.cause, location=store or str(said), at=instant_text(at))
    if order.confirmed_at is not None:
        charge_counter_sale(case)


def charge_counter_sale(case: Case) -> None:
    """Invoice what was handed over at the counter; called when the order is confirmed, and for what came after."""
    order = case.order
    handed = {line: Decimal(units) for line, units in order.facts.get(UNCHARGED, {}).items()}
    if not handed:
        return
    order.facts = {name: value for name, value in order.facts.items() if name != UNCHARGED}
    said = str(order.facts.get("sold_at", ""))
    at = order.placed_at or case.now
    number = int(order.facts.get("counter_sales", 0)) + 1
    order.facts = {**order.facts, "counter_sales": number}
    reference = f"{order.number or order.external_id}/{number}"
    lines = tuple(
        PackageLine(line.id, line.sku or "", handed[line.id], handed[line.id])
        for line in order.lines
        if line.id in handed
    )
    package = Package(case.new_id("pk", order.id, reference), reference, "", "", lines)
    sale = Shipment(
        id=case.new_id("sh", order.id, reference),
        order_id=order.id,
        fulfilment_order_id="",
        location=store_of(case, said) or said,
        external_id=reference,
        shipped_at=at,
        carrier="",
        service="",
        packages=(package,),
    )
    case.decision.writes.insert("shipments", _row(sale, case.now))
    invoice(case, sale)


def store_of(case: Case, said: str) -> str | None:
    """Our location by what the channel calls it, or by its own id; None where it is neither."""
    mapped = case.channel.location_map.get(said, said) if case.channel is not None else said
    return mapped if mapped in case.rules.locations else None


def _carried_out(case: Case, line: OrderLine) -> bool:
    """Nothing says that it goes any other way."""
    return not (line.details.get("method") or case.order.facts.get("method"))


def _unknown_store(case: Case, said: str) -> None:
    case.raise_exception(
        f"unknown-store/{case.order.channel}/{said}",
        "unknown_store",
        "A sale names a store that is not known",
        f"{case.order.channel} calls it {said!r}. The sale is kept; no location's stock has moved.",
        "Map it (location_map of the channel), then correct the stock of what it sold.",
        f"hub orders show {case.order.id}",
    )


def _row(sale: Shipment, now: dt.datetime) -> dict[str, Any]:
    (package,) = sale.packages
    lines = [{"line": part.line_id, "sku": part.sku, "quantity": decimal_text(part.quantity)} for part in package.lines]
    return {
        "id": sale.id,
        "order_id": sale.order_id,
        "fulfilment_order_id": "",
        "location": sale.location,
        "external_id": sale.external_id,
        "shipped_at": sale.shipped_at,
        "document": {"counter": True, "packages": [{"id": package.id, "package": package.external_id, "lines": lines}]},
        "created_at": now,
    }
