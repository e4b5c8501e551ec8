"""What is still to come: what channels may sell ahead, what is believed, and every number explained."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.decision import Verdict
from hub.domain.promise import Pool
from hub.domain.writeset import Insert, Update, WriteSet
from hub.oms.ports import SkuPool
from hub.oms.promise.availability import explain_availability
from hub.oms.promise.promise import promises
from tests.property.memory_store import Bench, channel, location, rules

D = Decimal


def notice(quantity: str = "10", *, po: str = "PO-1", day: str = "2026-11-20", **more: Any) -> dict[str, Any]:
    record = {"external_id": f"{po}/1", "reference": po, "sku": "TEE", "location": "EAST", "quantity": quantity}
    return {**record, "expected_at": f"{day}T08:00:00Z", **more}


def bench_of(units: int | str, *, seller: dict[str, Any] | None = None, at: dict[str, Any] | None = None) -> Bench:
    shop = channel(**(seller or {}))
    bench = Bench(rules(location("east", **(at or {})), channels={"shop": shop}, takers={"push_inventory": ("shop",)}))
    bench.stock("TEE", "east", units)
    return bench


def sellable(bench: Bench, sku: str = "TEE", at: dt.datetime | None = None) -> Decimal:
    (found,) = promises(bench.store, bench.rules, bench.rules.channels["shop"], sku, bench.now, at).values()
    assert sum((term.amount for term in found.terms), D(0)) == found.quantity
    return found.quantity


def test_supply_counts_only_as_far_ahead_as_the_channel_sells() -> None:
    bench = bench_of(3, seller={"supply_within": dt.timedelta(days=20)})
    bench.restate("supply", notice(), connection="wms-east")
    bench.restate("supply", notice("5", po="PO-2", day="2026-12-20"), connection="wms-east")
    assert sellable(bench) == 13
    assert sellable(bench, at=dt.datetime(2026, 12, 24, tzinfo=dt.UTC)) == 18
    assert sellable(bench, at=bench.now) == 3


def test_without_a_horizon_only_what_is_there_is_sold() -> None:
    bench = bench_of(3)
    bench.restate("supply", notice(), connection="wms-east")
    assert sellable(bench) == 3


def test_what_has_come_or_will_not_come_counts_no_more() -> None:
    bench = bench_of(0, seller={"supply_within": dt.timedelta(days=30)})
    bench.restate("supply", notice(received="4"), connection="wms-east")
    assert sellable(bench) == 6
    bench.restate("supply", notice(received="4", status="closed"), connection="wms-east")
    assert sellable(bench) == 0


def test_a_supply_for_a_place_that_nobody_knows_is_parked() -> None:
    refused = bench_of(0).restate("supply", notice(location="MOON"), connection="wms-east")
    assert (refused.verdict, refused.code) == (Verdict.PARKED, "unknown_location")


def test_the_last_units_are_kept_for_the_channel_of_their_pool() -> None:
    bench = bench_of(10)
    bench.rules = rules(
        location("east"),
        channels={"shop": channel(), "market": channel(id="market", share=D("0.5"))},
        pools=(SkuPool("TEE", Pool("shop", D(4))),),
    )
    (own,) = promises(bench.store, bench.rules, bench.rules.channels["shop"], "TEE", bench.now).values()
    (other,) = promises(bench.store, bench.rules, bench.rules.channels["market"], "TEE", bench.now).values()
    assert (own.quantity, other.quantity) == (D(10), D(3))
    assert ("kept for shop", D(-4)) in [(term.name, term.amount) for term in other.terms]


def test_goods_sold_by_the_metre_are_promised_in_their_increment() -> None:
    bench = bench_of("7.4")
    bench.store.apply(WriteSet([Update("items", {"sku": "TEE"}, {"document": {"increment": "1.5"}})]))
    assert sellable(bench) == D("6.0")


@pytest.mark.parametrize(("hours", "expected"), [(23, 5), (25, 0)])
def test_a_count_that_is_too_old_is_believed_no_more(hours: int, expected: int) -> None:
    bench = bench_of(0, at={"stale_after": dt.timedelta(hours=24)})
    count = {"location": "EAST", "as_of": "2026-11-02T09:00:00Z", "rows": [{"sku": "TEE", "quantity": "5"}]}
    bench.restate("stock", count, connection="wms-east")
    bench.later(hours=hours)
    assert sellable(bench) == expected


def test_nothing_is_promised_of_what_nobody_ever_counted() -> None:
    bench = bench_of(0)
    assert sellable(bench, "UNHEARD-OF") == 0


def test_a_kit_is_as_many_as_its_scarcest_component_makes() -> None:
    bench = bench_of(9)
    bench.stock("CAP", "east", 3)
    document = {"components": [{"sku": "TEE", "quantity": "2"}, {"sku": "CAP", "quantity": "1"}]}
    bench.store.apply(WriteSet([Insert("items", {"sku": "SET", "document": document, "updated_at": bench.now})]))
    assert sellable(bench, "SET") == 3
    bench.store.apply(WriteSet([Update("stock", {"sku": "TEE"}, {"on_hand": D(5)})]))
    assert sellable(bench, "SET") == 2


def test_every_number_behind_a_promise_is_told() -> None:
    bench = bench_of(3, seller={"supply_within": dt.timedelta(days=30), "threshold": D(1)})
    bench.restate("supply", notice(), connection="wms-east")
    found = explain_availability(bench.store, bench.rules, "TEE", bench.now)
    assert found is not None
    (told,) = found["promises"]
    assert told["quantity"] == "12"
    assert [term["name"] for term in told["terms"]] == ["free at east", "supply PO-1", "threshold of the channel"]
    assert found["supply"][0]["to_come"] == "10"
    assert explain_availability(bench.store, bench.rules, "NOTHING", bench.now) is None


@given(
    stock=st.lists(st.integers(0, 20), min_size=2, max_size=4),
    waits=st.integers(0, 60),
    pool=st.integers(0, 30),
    mine=st.booleans(),
)
def test_what_waits_and_what_is_kept_counts_once_however_many_places_a_channel_knows(
    stock: list[int], waits: int, pool: int, mine: bool
) -> None:
    names = [f"l{number}" for number in range(len(stock))]
    shop = channel(location_map={f"place-{name}": name for name in names})
    kept = SkuPool("TEE", Pool("shop" if mine else "market", D(pool)))
    bench = Bench(rules(*(location(name) for name in names), channels={"shop": shop}, pools=(kept,)))
    for name, units in zip(names, stock, strict=True):
        bench.stock("TEE", name, units)
    demand = {"id": "r", "sku": "TEE", "order_id": "o", "line_id": "l", "location": "", "quantity": D(waits)}
    row = {**demand, "state": "unassigned", "fulfilment_order_id": None, "expires_at": None, "created_at": bench.now}
    bench.store.apply(WriteSet([Insert("reservations", row)]))
    found = promises(bench.store, bench.rules, shop, "TEE", bench.now)
    left = max(0, sum(stock) - waits)
    assert sum(one.quantity for one in found.values()) == (left if mine else max(0, left - pool))
    for one, units in zip(found.values(), stock, strict=True):
        assert one.quantity <= units
        assert one.quantity == sum(term.amount for term in one.terms)
