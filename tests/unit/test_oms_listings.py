"""What a channel calls our goods: read by what counted when the order was placed, never guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.decision import Decision, TaskRequest
from hub.domain.listing import Listing, clash, meant
from hub.domain.writeset import Insert, Update, WriteSet
from hub.oms.promise.compare import Shown, compare_levels
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
NOV = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
START_OF_SALE = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


def bench_with(*listings: Listing) -> Bench:
    shop = channel(listings={"MUG": listings})
    bench = Bench(rules(location("east"), channels={"shop": shop}))
    bench.stock("MUG-RED", "east", 10)
    bench.stock("MUG-BLUE", "east", 10)
    return bench


def sold(bench: Bench) -> list[str]:
    return [row["sku"] for row in bench.store.rows("order_lines", {})]


@pytest.mark.parametrize(
    ("placed_at", "sku"), [("2026-10-31T23:59:59Z", "MUG-RED"), ("2026-11-01T00:00:00Z", "MUG-BLUE")]
)
def test_the_time_of_the_order_decides_what_was_meant(placed_at: str, sku: str) -> None:
    bench = bench_with(Listing("MUG", "MUG-RED", None, NOV), Listing("MUG", "MUG-BLUE", NOV))
    bench.order(order_record(("L1", "MUG", 1), placed_at=placed_at))
    bench.run()
    assert sold(bench) == [sku]
    assert bench.the_order()["status"] == "confirmed"


def test_the_channel_is_told_by_its_own_name() -> None:
    bench = bench_with(Listing("MUG", "MUG-BLUE"))
    bench.order(order_record(("L1", "MUG", 1)))
    bench.run()
    (work,) = bench.sent("send_fulfilment_request")
    assert [line["sku"] for line in work.record["lines"]] == ["MUG-BLUE"]
    package = {"package": "1", "lines": [{"line": bench.line_id("L1"), "quantity": "1"}]}
    notice = {"fact_key": "s", "external_id": "s", "fulfilment_order": work.record["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [package]}, connection="wms-east")
    assert bench.sent("push_shipment")[0].record["lines"][0]["sku"] == "MUG"


def test_what_was_imported_counts_like_what_is_configured() -> None:
    bench = bench_with()
    row = {"id": "1", "connection": "shop", "theirs": "MUG", "ours": "MUG-RED", "valid_from": None, "valid_to": None}
    bench.store.apply(WriteSet([Insert("listings", row)]))
    bench.order(order_record(("L1", "MUG", 1)))
    assert sold(bench) == ["MUG-RED"]


def test_a_name_that_nobody_knows_holds_as_before() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "MUG", 1)))
    assert [row["rule"] for row in bench.store.rows("holds", {})] == ["unknown_sku"]


def test_a_name_that_did_not_count_when_it_was_ordered_says_when_it_did() -> None:
    bench = bench_with(Listing("MUG", "MUG-RED", NOV, NOV + dt.timedelta(days=1)))
    bench.order(order_record(("L1", "MUG", 1)))
    (hold,) = bench.store.rows("holds", {})
    assert hold["hint"].startswith("MUG is listed as MUG-RED from 2026-11-01 until 2026-11-02, but as nothing certain")


instants = st.sampled_from([None, *(NOV + dt.timedelta(days=day) for day in range(6))])
listings = st.builds(Listing, st.just("MUG"), st.sampled_from(["A", "B"]), instants, instants).filter(
    lambda one: one.valid_from is None or one.valid_to is None or one.valid_from < one.valid_to
)


@given(wanted=st.lists(listings, max_size=6), hours=st.integers(-24, 24 * 7))
def test_what_is_taken_without_a_clash_never_means_two_things(wanted: list[Listing], hours: int) -> None:
    taken: list[Listing] = []
    for one in wanted:
        if clash(one, taken) is None:
            taken.append(one)
    at = NOV + dt.timedelta(hours=hours)
    assert len({one.ours for one in taken if one.holds(at)}) <= 1
    assert meant(taken, at) == next((one.ours for one in taken if one.holds(at)), None)


def told_levels(bench: Bench) -> dict[str, str]:
    """What the channel shows: the last level of each of its names."""
    bench.later(seconds=10)
    bench.run("push_stock")
    return {one.record["sku"]: one.record["available"] for one in bench.sent("push_inventory")}


def telling(*listings: Listing) -> Bench:
    shop = channel(listings={"MUG": listings})
    bench = Bench(rules(location("east"), channels={"shop": shop}, takers={"push_inventory": ("shop",)}))
    for sku, units in (("MUG-RED", 10), ("MUG-BLUE", 4), ("TEE", 6)):
        bench.stock(sku, "east", 0)
        count(bench, sku, units)
    return bench


def count(bench: Bench, sku: str, units: int) -> None:
    bench.later(seconds=1)
    record = {"location": "EAST", "as_of": bench.now.isoformat(), "rows": [{"sku": sku, "quantity": str(units)}]}
    bench.restate("stock", record, connection="wms-east")


def imported(bench: Bench, name: str, ours: str) -> None:
    row = {"id": name + ours, "connection": "shop", "theirs": name, "ours": ours, "valid_from": None, "valid_to": None}
    bench.store.apply(WriteSet([Insert("listings", row)]))


def test_stock_is_told_under_the_name_the_channel_sells_it_by() -> None:
    bench = telling(Listing("MUG", "MUG-RED"))
    imported(bench, "SHIRT", "TEE")
    imported(bench, "SHIRT-2", "TEE")
    assert told_levels(bench) == {"MUG": "10", "MUG-BLUE": "4", "SHIRT": "6", "SHIRT-2": "6"}
    assert len(bench.sent("push_inventory")) == 4


def test_a_name_that_comes_to_mean_another_item_shows_its_stock_from_that_moment() -> None:
    bench = telling(Listing("MUG", "MUG-RED", None, START_OF_SALE), Listing("MUG", "MUG-BLUE", START_OF_SALE))
    before = told_levels(bench)
    assert before["MUG"] == "10"
    bench.later(days=30)
    bench.run("push_stock")
    assert told_levels(bench)["MUG"] == "4"
    count(bench, "MUG-RED", 9)
    assert told_levels(bench)["MUG"] == "4"


def test_a_name_that_means_nothing_any_more_shows_none() -> None:
    bench = telling(Listing("MUG", "MUG-RED", None, START_OF_SALE))
    assert told_levels(bench)["MUG"] == "10"
    bench.later(days=30)
    assert told_levels(bench) == {"MUG": "0", "MUG-RED": "10", "MUG-BLUE": "4", "TEE": "6"}


def test_a_sku_that_was_told_before_it_was_listed_is_known_under_both_names() -> None:
    bench = telling()
    told_levels(bench)
    imported(bench, "SHIRT", "TEE")
    count(bench, "TEE", 5)
    assert told_levels(bench) == {"MUG-RED": "10", "MUG-BLUE": "4", "TEE": "5", "SHIRT": "5"}
    bench.store.apply(WriteSet([Update("deliveries", {}, {"state": "refused"}, expect=None)]))
    count(bench, "TEE", 3)
    assert told_levels(bench) == {"MUG-RED": "10", "MUG-BLUE": "4", "TEE": "5", "SHIRT": "3"}
    assert not any(task.kind == "push_stock" for task in bench.tasks.values())


def test_what_the_channel_shows_is_compared_by_its_name() -> None:
    bench = telling(Listing("MUG", "MUG-RED"))
    told_levels(bench)
    bench.store.apply(WriteSet([Update("deliveries", {}, {"state": "acknowledged"}, expect=None)]))
    bench.later(hours=1)
    shop = bench.rules.channels["shop"]
    shown = [Shown("MUG", ("",), D(25)), Shown("TEE", ("",), D(6))]
    decision, found = compare_levels(bench.store, bench.rules, bench.now, shop, shown, bench.now, "read-first")
    assert found.differing == [{"sku": "MUG", "outlet": "", "shown": "25", "told": "10", "may_sell": "10"}]
    bench.commit(decision)
    bench.run("push_stock")
    again = bench.sent("push_inventory")[-1].record
    assert (again["sku"], again["available"], again["previous"]) == ("MUG", "10", "25")


def test_a_line_that_a_change_adds_is_read_by_what_counted_when_the_order_was_placed() -> None:
    bench = telling(Listing("MUG", "MUG-RED", None, START_OF_SALE))
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate")
    bench.later(days=30)
    added = {"external_line_id": "L2", "sku": "MUG", "quantity": "1", "unit_price": "5"}
    bench.fact("order_changes", {"fact_key": "c", "order_external_id": "4507", "lines": [added]})
    assert sold(bench) == ["TEE", "MUG-RED"]
    assert not bench.store.rows("holds", {})


def test_a_hold_for_a_name_that_nobody_knew_goes_when_the_name_is_listed() -> None:
    bench = telling()
    bench.order(order_record(("L1", "SHIRT", 2), ("L2", "MUG-RED", 1)))
    bench.run("allocate")
    assert told_levels(bench)["TEE"] == "6"
    imported(bench, "SHIRT", "TEE")
    bench.commit(Decision(tasks=[TaskRequest("release_holds", "SHIRT", bench.now, "release_holds/SHIRT/1")]))
    bench.run("release_holds")
    assert sold(bench) == ["TEE", "MUG-RED"]
    assert [row["released_by"] for row in bench.store.rows("holds", {})] == ["hub"]
    (waiting,) = bench.store.rows("reservations", {"state": "unassigned"})
    assert (waiting["sku"], waiting["quantity"]) == ("TEE", D(2))
    bench.run("allocate")
    assert bench.lines() == {"L1": {"released": D(2)}, "L2": {"released": D(1)}}
    levels = told_levels(bench)
    assert (levels["TEE"], levels["SHIRT"]) == ("4", "4")


def test_demand_follows_a_line_whose_sku_its_channel_corrects() -> None:
    bench = telling()
    bench.order(order_record(("L1", "MUG-REB", 20), ("L2", "TEE", 1)))
    bench.run("allocate")
    bench.order(order_record(("L1", "MUG-RED", 20), ("L2", "TEE", 1), source_version="2026-11-02T10:00:00.000000Z"))
    bench.run("allocate")
    (waiting,) = bench.store.rows("reservations", {"state": "unassigned"})
    assert (waiting["sku"], waiting["quantity"]) == ("MUG-RED", D(10))
