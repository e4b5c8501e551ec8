"""What a channel calls our goods: read by what counted when the order was placed, never guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.listing import Listing, clash, meant
from hub.domain.writeset import Insert, WriteSet
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
NOV = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
DEC = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


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
