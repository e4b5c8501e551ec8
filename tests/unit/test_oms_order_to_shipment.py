"""One order from its shop to the warehouse, the ERP and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.property.memory_store import Bench, location, order_record, rules


def captured(*lines: tuple[str, str, int | str], **changes: Any) -> Bench:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(*lines, **changes))
    bench.run("allocate", "confirm")
    return bench


def shipped(bench: Bench, quantity: str, fact_key: str = "s-1") -> None:
    (work,) = bench.sent("send_fulfilment_request")
    notice = {
        "fact_key": fact_key,
        "external_id": fact_key,
        "fulfilment_order": work.record["fulfilment_order"],
        "shipped_at": "2026-11-02T12:00:00Z",
        "carrier": "Parcel Co",
        "packages": [
            {
                "package": "1",
                "tracking_number": "TN1",
                "lines": [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": quantity}],
            }
        ],
    }
    bench.fact("shipments", notice, connection="wms-east")


def test_a_paid_order_is_confirmed_and_sent_to_warehouse_and_erp() -> None:
    bench = captured(("L1", "TEE", 2))
    assert bench.the_order()["status"] == "confirmed"
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    assert [effect.destination for effect in bench.effects.values()] == ["erp", "wms-east"]
    (posted,) = bench.sent("submit_order")
    assert posted.record["lines"][0]["quantity"] == "2"
    assert posted.record["totals"] == {"lines": "20", "total": "20"}


def test_a_shipment_closes_the_order_and_tells_channel_and_erp() -> None:
    bench = captured(("L1", "TEE", 2))
    shipped(bench, "2")
    assert bench.the_order()["status"] == "closed"
    assert bench.lines() == {"L1": {"shipped": Decimal(2)}}
    (pushed,) = bench.sent("push_shipment")
    assert pushed.destination == "shop"
    assert pushed.record["tracking_number"] == "TN1"
    assert pushed.record["lines"] == [{"external_line_id": "L1", "sku": "TEE", "quantity": "2"}]
    (invoice,) = bench.sent("post_invoice")
    assert invoice.record["amount"] == "20"
    assert invoice.requires == (f"erp/submit_order/order/{bench.the_order()['id']}",)
    stock = bench.store.row("stock", {"sku": "TEE", "location": "east"})
    assert stock is not None
    assert (stock["on_hand"], stock["soft"], stock["firm"]) == (Decimal(8), Decimal(0), Decimal(0))


def test_packages_that_go_by_several_carriers_are_told_with_their_own() -> None:
    bench = captured(("L1", "TEE", 2))
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": "1"}
    packages = [
        {"package": "1", "tracking_number": "TN1", "lines": [line]},
        {"package": "2", "tracking_number": "TN2", "carrier": "Bike", "service": "evening", "lines": [line]},
    ]
    work = bench.store.rows("fulfilment_orders", {})[0]["id"]
    notice = {"fact_key": "s", "external_id": "s", "fulfilment_order": work, "carrier": "UPS", "packages": packages}
    bench.fact("shipments", notice, connection="wms-east")
    said = [(one.record["carrier"], one.record.get("service")) for one in bench.sent("push_shipment")]
    assert said == [("UPS", None), ("Bike", "evening")]
    assert bench.the_order()["status"] == "closed"


def test_skipped_steps_are_written_as_implied() -> None:
    bench = captured(("L1", "TEE", 1))
    shipped(bench, "1")
    moves = bench.store.rows("quantity_moves", {})
    said = [(move["from_bucket"], move["to_bucket"], move["implied"]) for move in moves]
    assert said == [
        ("", "open", False),
        ("open", "allocated", False),
        ("allocated", "released", False),
        ("released", "accepted", True),
        ("accepted", "picked", True),
        ("picked", "packed", True),
        ("packed", "shipped", False),
    ]


def sent_instead(bench: Bench, quantity: str, **said: str) -> None:
    (work,) = bench.sent("send_fulfilment_request")
    lines = [{"line": bench.line_id("L1"), "sku": "TEE-V2", "quantity": quantity, **said}]
    notice = {"fact_key": "s-9", "external_id": "s-9", "fulfilment_order": work.record["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": lines}]}, connection="wms-east")


def test_another_article_in_place_counts_as_the_line_and_leaves_its_own_stock() -> None:
    bench = captured(("L1", "TEE", 2))
    bench.stock("TEE-V2", "east", 5)
    sent_instead(bench, "2")
    assert bench.lines() == {"L1": {"shipped": Decimal(2)}}
    (line,) = bench.store.rows("order_lines", {})
    assert line["document"]["substituted"] == {"TEE-V2": "2"}
    shelves = {row["sku"]: (int(row["on_hand"]), int(row["firm"])) for row in bench.store.rows("stock", {})}
    assert shelves == {"TEE": (10, 0), "TEE-V2": (3, 0)}
    assert "substituted" in bench.raised()
    (pushed,) = bench.sent("push_shipment")
    assert pushed.record["lines"] == [
        {"external_line_id": "L1", "sku": "TEE", "substitute": "TEE-V2", "quantity": "2", "told_before": "0"}
    ]
    assert [one.record["amount"] for one in bench.sent("post_invoice")] == ["20"]


def test_a_cheaper_article_is_charged_at_its_own_price_and_what_was_paid_for_is_given_back() -> None:
    bench = captured(("L1", "TEE", 2))
    bench.stock("TEE-V2", "east", 5)
    sent_instead(bench, "2", unit_price="7.50")
    assert [one.record["amount"] for one in bench.sent("post_invoice")] == ["15"]
    (refund,) = bench.store.rows("refunds", {})
    assert refund["amount"] == Decimal(5)


def test_a_dearer_article_costs_what_was_ordered() -> None:
    bench = captured(("L1", "TEE", 2))
    bench.stock("TEE-V2", "east", 5)
    sent_instead(bench, "1", unit_price="99")
    shipped(bench, "1", "s-10")
    assert sum(Decimal(one.record["amount"]) for one in bench.sent("post_invoice")) == Decimal(20)
    assert not bench.store.rows("refunds", {})


def test_less_than_nothing_is_not_taken_for_nothing() -> None:
    bench = captured(("L1", "TEE", 2))
    shipped(bench, "-1")
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    assert "shipped_unexpected" in bench.raised()
