"""The invoice that a channel wants of what left (X12 810, INVOIC): under the number that the books gave it.

Where something posts invoices (`post_invoice`) it is told when that has answered, so that both speak of one number;
else at once, under the order's number and how many there were.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.telling.tell import push

_PARTS = ("goods", "shipping", "tax", "discounts")


def tells_invoices(case: Case) -> bool:
    return case.channel is not None and "push_invoice" in case.channel.capabilities


def invoice_posted(case: Case, key: str, number: str) -> None:
    """The books have taken the invoice of that key."""
    if not tells_invoices(case):
        return
    for move in case.snapshot.rows("money_moves", {"order_id": case.order.id, "kind": "invoiced"}, order_by=("at",)):
        if move["document"].get("key") == key:
            tell_invoice(case, move["document"], number, move["at"])


def tell_invoice(case: Case, document: Mapping[str, Any], number: str, issued_at: dt.datetime) -> None:
    """`document`: what was booked of the invoice. Told twice, the first counts."""
    order, key = case.order, str(document["key"])
    if case.snapshot.row("deliveries", {"business_key": f"{order.channel}/push_invoice/{key}"}) is not None:
        return
    invoices = case.snapshot.count("money_moves", {"order_id": order.id, "kind": "invoiced"})
    amount = sum((Decimal(document[name]) for name in _PARTS[:3]), Decimal(0)) - Decimal(document["discounts"])
    record: dict[str, Any] = {
        "order": order.id,
        "order_external_id": order.external_id,
        "order_number": order.number,
        "order_placed_at": instant_text(order.placed_at) if order.placed_at else None,
        "number": number or f"{order.number or order.external_id}-{invoices + 1}",
        "shipment": document["shipment"],
        "currency": order.currency,
        "issued_at": instant_text(issued_at),
        **{name: document[name] for name in _PARTS},
        "amount": decimal_text(amount),
        "last": document["last"],
        "lines": [_line(case, said) for said in document["lines"]],
    }
    push(case, "push_invoice", key, "invoice", record)


def _line(case: Case, said: Mapping[str, Any]) -> dict[str, Any]:
    """A component is told under the line of its kit, which is what the channel knows."""
    line = case.order.line(str(said["line"]))
    sold = case.order.line(line.kit) if line is not None and line.kit else line
    told = {**said, **_known(sold)} if sold is not None else dict(said)
    if line is not None and line.kit:
        told["sku"] = said.get("sku")
    return {name: value for name, value in told.items() if value is not None}


def _known(line: OrderLine) -> dict[str, Any]:
    details = line.details
    return {
        "external_line_id": line.external_line_id,
        "sku": details.get("listing") or line.sku,
        "unit": details.get("unit"),
        "unit_price": None if line.is_kit else details.get("unit_price"),
    }
