"""What a channel hears of an order that it placed: once, what of each line will come (X12 855, ORDRSP)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.telling.tell import push, untold

ZERO = Decimal(0)
RESPONDED = "responded"
"""Order fact: the channel was told whether the order is taken."""


def order_response(case: Case) -> None:
    """Tell the channel that the order is confirmed, with what waits and what will not come."""
    order = case.order
    if RESPONDED in order.facts or case.channel is None or "order_response" not in case.channel.capabilities:
        return
    lines = [_line(line) for line in order.lines if line.as_sold]
    if not lines:
        return
    order.facts = {**order.facts, RESPONDED: True}
    verdicts = {line["verdict"] for line in lines}
    verdict = "accepted" if verdicts <= {"accepted", "backordered"} else "accepted_in_part"
    why = "" if verdicts != {"declined"} else str(order.facts.get("cancelled", {}).get("reason", ""))
    record: dict[str, Any] = {
        "order": order.id,
        "order_external_id": order.external_id,
        "order_number": order.number,
        "order_placed_at": instant_text(order.placed_at) if order.placed_at else None,
        "decided_at": instant_text(case.now),
        "currency": order.currency,
        "verdict": "declined" if verdicts == {"declined"} else verdict,
        "why": why,
        "lines": lines,
    }
    push(case, "order_response", f"order/{order.id}", "response", record)


def decline_order(case: Case) -> None:
    """The order was cancelled here before it was confirmed, so that its buyer never heard that it is taken."""
    order = case.order
    if order.confirmed_at is not None or not order.lines or any(line.live > 0 for line in order.lines):
        return
    if any(untold(case, line) > 0 for line in order.lines) and order.facts.get("cancelled", {}).get("by") not in _BUYER:
        order_response(case)


_BUYER = ("channel", "customer")


def _line(line: OrderLine) -> dict[str, Any]:
    ledger, details = line.ledger, line.details
    waiting = ledger.sum((Bucket.BACKORDERED, Bucket.PREORDERED))
    declined = ledger[Bucket.CANCELLED]
    if line.live <= 0:
        verdict = "declined"
    elif declined > 0:
        verdict = "accepted_in_part"
    else:
        verdict = "backordered" if waiting > 0 else "accepted"
    told: dict[str, Any] = {
        "external_line_id": line.external_line_id,
        "sku": details.get("listing") or line.sku,
        "title": details.get("title"),
        "ordered": decimal_text(ledger.ordered),
        "accepted": decimal_text(max(line.live - waiting, ZERO)),
        "backordered": decimal_text(waiting),
        "declined": decimal_text(declined),
        "unit": details.get("unit"),
        "unit_price": details.get("unit_price"),
        "verdict": verdict,
    }
    return {name: value for name, value in told.items() if value is not None}
