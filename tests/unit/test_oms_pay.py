"""Charging what leaves and giving back what is owed, on payments that the hub manages and on those it does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.property.memory_store import Bench, Row, channel, location, order_record, rules

D = Decimal
MONEY = ("capture", "refund", "void", "reauthorise", "authorise")


def provider(**changes: Any) -> Bench:
    """A shop whose money the hub manages at the connection `payment`."""
    takers = dict.fromkeys(("submit_order", "update_order", "cancel_order", "post_invoice"), ("erp",))
    takers |= dict.fromkeys(MONEY, ("payment",))
    shop = channel(money="hub", capabilities=frozenset({"push_shipment", "push_refund"}))
    bench = Bench(rules(location("east"), channels={"shop": shop}, takers=takers, **changes))
    bench.stock("TEE", "east", 10)
    return bench


def card(amount: str, **changes: Any) -> Row:
    return {"external_id": "pay-1", "method": "card", "amount": amount, "state": "authorised", **changes}


def ship(bench: Bench, quantity: int | str, notice: str = "n-1") -> None:
    (work,) = bench.store.rows("fulfilment_orders", {})
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(quantity)}
    package = {"package": f"box-{notice}", "tracking_number": f"T-{notice}", "lines": [line]}
    record = {"fact_key": notice, "external_id": notice, "fulfilment_order": work["id"], "packages": [package]}
    bench.fact("shipments", record, connection="wms-east")


def payment(bench: Bench, external_id: str = "pay-1") -> Row:
    row = bench.store.row("payments", {"external_id": external_id})
    assert row is not None
    return row


def test_each_shipment_captures_what_it_is_charged_and_the_last_takes_the_remainder() -> None:
    bench = provider()
    totals = {"lines": "30", "shipping": "5", "total": "35"}
    bench.order(order_record(("L1", "TEE", 3), totals=totals, payments=[card("35")]))
    bench.run()
    ship(bench, 1)
    (first,) = bench.sent("capture")
    assert first.record["amount"] == "11.67"
    assert first.record["payment_external_id"] == "pay-1"
    assert payment(bench)["capturing"] == D("11.67")
    bench.reply(first, external_id="cap-1")
    assert payment(bench)["state"] == "partially_captured"
    ship(bench, 2, "n-2")
    last = bench.sent("capture")[-1]
    assert last.record["amount"] == "23.33"
    assert last.record["final"] is True
    bench.reply(last, external_id="cap-2")
    row = payment(bench)
    assert (row["state"], row["captured"], row["capturing"]) == ("captured", D(35), D(0))
    assert bench.raised() == []
