"""Goods that come to a store from elsewhere and are collected there, and goods that move between shelves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.decision import Verdict
from hub.oms.fulfilment.staff import report_work
from tests.property.memory_store import Bench, channel, location, order_record, rules
from tests.unit.test_oms_pickup import TAKES, report, work_of


def bench_of(at_store: int = 0) -> Bench:
    bench = Bench(
        rules(
            location("east"),
            location("store-14", type="store", can=frozenset({"ship", "pickup"}), priority=5),
            channels={"shop": channel(capabilities=TAKES)},
        )
    )
    bench.stock("TEE", "east", 10)
    if at_store:
        bench.stock("TEE", "store-14", at_store)
    return bench


def ordered(bench: Bench, quantity: int = 3) -> None:
    said = {"method": "ship_to_store", "pickup_location": "store-14"}
    bench.order(order_record(("L1", "TEE", quantity), **said))
    bench.run("allocate", "confirm")


def depart(bench: Bench, quantity: str = "3", sku: str = "TEE") -> None:
    lines = [{"line": bench.line_id("L1"), "sku": sku, "quantity": quantity}]
    notice = {"fact_key": f"s-{len(bench.decisions)}", "external_id": "s-1", "fulfilment_order": work_of(bench)["id"]}
    bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": lines}]}, connection="wms-east")


def receive(bench: Bench, quantity: str | None = None) -> Any:
    bench.later(seconds=1)
    lines = [("L1", quantity)] if quantity else []
    return report(bench, "received", lines, work=work_of(bench))


def stock(bench: Bench, place: str) -> dict[str, int]:
    row = bench.store.row("stock", {"sku": "TEE", "location": place}) or {}
    return {name: int(row[name]) for name in ("on_hand", "firm", "in_transit") if row.get(name)}


def test_what_the_store_has_itself_is_simply_collected_there() -> None:
    bench = bench_of(at_store=5)
    ordered(bench)
    assert [(work_of(bench)["location"], work_of(bench)["method"])] == [("store-14", "pickup")]


def test_the_first_leg_is_asked_of_the_warehouse_with_the_store_as_its_destination() -> None:
    bench = bench_of()
    ordered(bench)
    (sent,) = bench.sent("send_fulfilment_request")
    assert (sent.record["method"], sent.record["location"]) == ("transfer", "east")
    assert (sent.record["destination"], sent.record["external_destination_id"]) == ("store-14", "STORE-14")


def test_goods_on_their_way_are_in_transit_and_promised_to_nobody_else() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    assert (stock(bench, "east"), stock(bench, "store-14")) == ({"on_hand": 7}, {"in_transit": 3})
    assert bench.lines() == {"L1": {"packed": Decimal(3)}}
    assert (work_of(bench)["state"], bench.the_order()["status"]) == ("in_transit", "confirmed")
    assert bench.sent("post_invoice") == bench.sent("push_shipment") == []


def test_what_came_is_the_second_leg_and_is_handed_over_and_charged() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    receive(bench)
    assert stock(bench, "store-14") == {"on_hand": 3, "firm": 3}
    leg = work_of(bench, 1)
    assert (leg["location"], leg["method"], work_of(bench)["state"]) == ("store-14", "pickup", "completed")
    report(bench, "ready_for_pickup", work=leg)
    assert [one.record["status"] for one in bench.sent("push_order_status")] == ["ready_for_pickup"]
    report(bench, "handed_over", work=leg)
    assert bench.lines() == {"L1": {"handed_over": Decimal(3)}}
    assert bench.the_order()["status"] == "closed"
    assert stock(bench, "store-14") == {}
    assert [one.record["amount"] for one in bench.sent("post_invoice")] == ["30"]


def test_a_short_receipt_shows_the_difference_until_it_comes() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    receive(bench, "2")
    assert "transfer_short" in bench.raised()
    assert stock(bench, "store-14") == {"on_hand": 2, "firm": 2, "in_transit": 1}
    receive(bench, "1")
    assert stock(bench, "store-14") == {"on_hand": 3, "firm": 3}
    assert any(clear.cause_key.startswith("transfer-short/") for clear in bench.decisions[-1].clears)
    assert {row["method"] for row in bench.store.rows("fulfilment_orders", {"location": "store-14"})} == {"pickup"}


def test_a_receipt_that_overtakes_its_departure_waits_for_it() -> None:
    bench = bench_of()
    ordered(bench)
    decision = receive(bench)
    assert decision.verdict is Verdict.WAITING
    depart(bench)
    assert stock(bench, "store-14") == {"on_hand": 3, "firm": 3}


def test_more_than_was_sent_is_there_and_a_person_is_told() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    receive(bench, "4")
    assert stock(bench, "store-14") == {"on_hand": 4, "firm": 3}
    assert "unexpected_report" in bench.raised()


def test_a_cancellation_on_the_way_lets_go_of_the_goods_and_asks_nobody() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": True})
    assert bench.lines() == {"L1": {"cancelled": Decimal(3)}}
    assert "cancel_too_late" not in bench.raised()
    receive(bench)
    assert stock(bench, "store-14") == {"on_hand": 3}
    assert len(bench.store.rows("fulfilment_orders", {})) == 1


def test_a_cancellation_that_the_warehouse_did_not_answer_before_it_sent_is_settled_all_the_same() -> None:
    bench = bench_of()
    ordered(bench)
    bench.send()
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": True})
    assert bench.lines() == {"L1": {"released": Decimal(3)}}
    depart(bench)
    assert bench.lines() == {"L1": {"cancelled": Decimal(3)}}
    assert stock(bench, "store-14") == {"in_transit": 3}


def test_a_transfer_that_does_not_come_is_shown_after_its_time() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    bench.later(days=8)
    bench.run()
    assert "transfer_overdue" in bench.raised()


def test_a_count_at_the_store_after_the_goods_came_is_not_added_to() -> None:
    bench = bench_of(at_store=1)
    ordered(bench)
    depart(bench)
    count = {"location": "STORE-14", "as_of": "2026-11-02T18:00:00Z", "rows": [{"sku": "TEE", "quantity": "4"}]}
    bench.restate("stock", count, connection="wms-store-14")
    report(bench, "received", work=work_of(bench), occurred_at="2026-11-02T17:00:00Z")
    assert stock(bench, "store-14") == {"on_hand": 4, "firm": 3}


def test_goods_that_came_but_are_not_in_a_newer_count_are_sent_once_more_and_a_person_is_told() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    count = {"location": "STORE-14", "as_of": "2026-11-02T23:00:00Z", "rows": [{"sku": "TEE", "quantity": "0"}]}
    bench.restate("stock", count, connection="wms-store-14")
    receive(bench)
    assert bench.the_order()["document"]["raised"] == [f"unexpected-report/{work_of(bench)['id']}"]
    bench.run("resource", "allocate")
    assert bench.lines() == {"L1": {"released": Decimal(3)}}
    assert stock(bench, "east") == {"on_hand": 7, "firm": 3}


def test_goods_lost_on_the_way_are_sent_again() -> None:
    bench = bench_of()
    ordered(bench)
    depart(bench)
    receive(bench, "2")
    bench.commit(report_work(bench.store, bench.rules, bench.now, "ac", work_of(bench)["id"], "lost", {}))
    bench.run("resource", "allocate")
    assert bench.lines() == {"L1": {"released": Decimal(1), "packed": Decimal(2)}}
    assert stock(bench, "store-14") == {"on_hand": 2, "firm": 2}
    assert "raised" not in bench.the_order()["document"]
