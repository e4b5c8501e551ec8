"""Sold over a counter: handed over at once, the store's stock moved at the time of the sale."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.writeset import Insert, Update, WriteSet
from tests.property.memory_store import START, Bench, channel, location, order_record, rules

D = Decimal


def till(**changes: Any) -> Bench:
    shop = channel(location_map={"0042": "soho"}, capabilities=frozenset({"push_shipment"}))
    bench = Bench(rules(location("soho", type="store"), channels={"shop": shop}, **changes))
    bench.stock("TEE", "soho", 10)
    bench.stock("CAP", "soho", 10)
    return bench


def receipt(quantity: int = 2, **changes: Any) -> dict[str, Any]:
    record = order_record(("1", "TEE", quantity), **{"sold_at": "0042", "fulfilment_state": "fulfilled", **changes})
    record.pop("ship_to")
    return record


def on_hand(bench: Bench) -> D:
    row = bench.store.row("stock", {"sku": "TEE", "location": "soho"})
    assert row is not None
    found: D = row["on_hand"]
    return found


def test_a_sale_is_over_when_it_is_heard_of_and_is_posted_like_any_other() -> None:
    bench = till()
    bench.order(receipt())
    assert bench.the_order()["status"] == "closed"
    assert bench.lines() == {"1": {"handed_over": D(2)}}
    assert on_hand(bench) == D(8)
    bench.run()
    assert [effect.capability for effect in bench.effects.values()] == ["submit_order", "post_invoice"]
    assert bench.sent("post_invoice")[0].record["amount"] == "20"
    assert bench.raised() == []


def test_the_stock_moves_at_the_time_of_the_sale() -> None:
    bench = till()
    counted = START + dt.timedelta(hours=1)
    bench.store.apply(WriteSet([Update("stock", {"sku": "TEE"}, {"as_of": counted}, {}, None)]))
    bench.order(receipt(placed_at="2026-11-02T08:59:00Z"))
    assert on_hand(bench) == D(10), "the count is newer than the sale and holds it already"
    (entry,) = bench.store.rows("stock_events", {})
    assert (entry["delta"], entry["source_time"].isoformat()) == (D(0), "2026-11-02T08:59:00+00:00")
    bench.order(receipt(external_id="4508", number="#2", placed_at="2026-11-02T10:30:00Z"))
    assert on_hand(bench) == D(8)


def test_the_same_receipt_again_sells_nothing_twice_and_a_corrected_one_the_difference() -> None:
    bench = till()
    bench.order(receipt())
    bench.run()
    bench.order(receipt(source_version="2026-11-02T09:05:00.000000Z", note="gift"))
    assert on_hand(bench) == D(8)
    bench.order(receipt(3, source_version="2026-11-02T09:06:00.000000Z"))
    bench.run()
    assert on_hand(bench) == D(7)
    assert [effect.record["amount"] for effect in bench.sent("post_invoice")] == ["20", "10"]


def test_what_the_store_sends_later_goes_the_way_of_every_order() -> None:
    bench = till()
    record = order_record(("1", "TEE", 1), ("2", "CAP", 1), sold_at="0042")
    record["lines"][1]["method"] = "ship"
    bench.order(record)
    bench.run()
    assert bench.lines() == {"1": {"handed_over": D(1)}, "2": {"released": D(1)}}


def test_a_sale_that_is_wrong_in_itself_moves_stock_and_is_not_posted_yet() -> None:
    bench = till()
    bench.order(receipt(totals={"total": "99"}))
    bench.run()
    assert on_hand(bench) == D(8)
    assert bench.sent("submit_order") == []
    bench.order(receipt(source_version="2026-11-02T09:06:00.000000Z"))
    bench.run()
    assert len(bench.sent("submit_order")) == 1


def test_a_store_that_nobody_knows_is_shown_to_a_person() -> None:
    bench = till()
    bench.order(receipt(sold_at="0099"))
    assert bench.raised() == ["unknown_store"]
    assert bench.the_order()["status"] == "closed"
    assert on_hand(bench) == D(10)


def test_a_kit_over_the_counter_takes_its_components() -> None:
    bench = till()
    made_of = [{"sku": "TEE", "quantity": "2"}, {"sku": "CAP", "quantity": "1"}]
    bench.restate("items", {"external_id": "SET", "sku": "SET", "components": made_of}, connection="erp")
    record = order_record(("1", "SET", 1), sold_at="0042")
    bench.order(record)
    assert on_hand(bench) == D(8)
    assert bench.the_order()["status"] == "closed"


def test_a_late_batch_of_what_a_complete_count_did_not_list_was_in_it() -> None:
    bench = till()
    count = {"location": "soho", "as_of": "2026-11-02T08:59:30Z", "complete": True}
    rows = [{"sku": "CAP", "quantity": "3"}, {"sku": "TEE", "quantity": "9"}]
    bench.restate("stock", {**count, "rows": rows}, connection="wms-soho")
    bench.store.apply(WriteSet([Insert("items", {"sku": "BAG", "document": {}, "updated_at": bench.now})]))
    sale = order_record(("1", "BAG", 1), ("2", "TEE", 1), sold_at="0042", placed_at="2026-10-30T08:59:00Z")
    bench.order(sale)
    assert on_hand(bench) == D(9)
    assert bench.store.row("stock", {"sku": "BAG", "location": "soho"}) is None
    assert [row["delta"] for row in bench.store.rows("stock_events", {"kind": "shipment"})] == [D(0), D(0)]


def test_a_late_sale_was_never_work_that_a_count_leaves_out() -> None:
    bench = till()
    soho = replace(bench.rules.locations["soho"], stock_means="net_of_picked")
    bench.rules = replace(bench.rules, locations={"soho": soho})
    bench.store.apply(WriteSet([Update("stock", {"sku": "TEE"}, {"as_of": START}, {}, None)]))
    bench.order(receipt(placed_at="2026-11-02T08:00:00Z"))
    assert on_hand(bench) == D(10)


def test_a_sale_of_a_day_to_come_was_made_by_now() -> None:
    bench = till()
    bench.order(receipt(placed_at="2062-11-02T09:00:00Z"))
    assert on_hand(bench) == D(8)
    bench.later(hours=1)
    count = {"location": "soho", "as_of": bench.now.isoformat(), "rows": [{"sku": "TEE", "quantity": "8"}]}
    bench.restate("stock", count, connection="wms-soho")
    assert on_hand(bench) == D(8), "the count holds the sale"
