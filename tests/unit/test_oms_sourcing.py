"""Which locations an order is sourced from: what they can do, when they send, what it costs, and what is kept of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hub.domain.schedule import Schedule
from hub.domain.sourcing import Step
from hub.domain.sourcing.cost import Carriage, days_late
from hub.domain.sourcing.packaging import shipment_steps
from hub.domain.writeset import Insert, WriteSet
from hub.oms.ports import Strategy
from hub.views.explain import explain
from tests.property.memory_store import Bench, location, order_record, rules

D = Decimal
STEPS = (Step(D(500), D("4.20")), Step(D(2000), D("6.00")), Step(D(10000), D("11.00")))


def bench(*places: Any, **changes: Any) -> Bench:
    return Bench(rules(*places, **changes))


def item(bench: Bench, sku: str, **document: Any) -> None:
    bench.store.apply(WriteSet([Insert("items", {"sku": sku, "document": document, "updated_at": bench.now})]))


def decided(bench: Bench) -> dict[str, Any]:
    bench.run("allocate")
    document: dict[str, Any] = bench.store.rows("sourcing_decisions", {})[-1]["document"]
    return document


def why_not(document: dict[str, Any]) -> dict[str, str]:
    return {said["location"]: said["code"] for said in document["exclusions"]}


def test_dangerous_goods_come_only_from_where_they_are_handled() -> None:
    shop = bench(location("east"), location("west", can=frozenset({"ship", "hazmat"}), priority=9))
    item(shop, "PAINT", flags=["hazmat"])
    shop.stock("PAINT", "east", 5)
    shop.stock("PAINT", "west", 5)
    shop.order(order_record(("L1", "PAINT", 1)))
    document = decided(shop)
    assert document["plan"]["locations"] == ["west"]
    assert why_not(document) == {"east": "hazmat"}


def test_what_may_not_be_sold_to_the_young_comes_from_where_age_is_checked() -> None:
    shop = bench(location("east"), location("west", can=frozenset({"ship", "age_check"})))
    item(shop, "WINE", flags=["age_restricted"])
    shop.stock("WINE", "east", 5)
    shop.order(order_record(("L1", "WINE", 1)))
    assert why_not(decided(shop)) == {"east": "age_check", "west": "no_stock"}


def test_the_capacity_of_a_day_is_used_up_by_its_own_work_until_midnight_there() -> None:
    tokyo = Schedule("Asia/Tokyo")
    shop = bench(location("near", capacity_per_day=2, schedule=tokyo), location("far", cost_order=D(9)))
    shop.stock("TEE", "near", 10)
    shop.stock("TEE", "far", 10)
    for number in ("1", "2", "3"):
        shop.order(order_record(("L1", "TEE", 1), external_id=number))
        shop.run("allocate")
    work = [row["location"] for row in shop.store.rows("fulfilment_orders", {})]
    assert sorted(work) == ["far", "near", "near"]
    document = shop.store.rows("sourcing_decisions", {})[-1]["document"]
    assert why_not(document) == {"near": "capacity"}
    shop.later(hours=6)  # 15:00 UTC is midnight in Tokyo
    shop.order(order_record(("L1", "TEE", 1), external_id="4"))
    shop.run("allocate")
    assert shop.store.rows("fulfilment_orders", {})[-1]["location"] == "near"


def test_an_order_after_the_cut_off_leaves_on_the_next_working_day_of_the_locations_zone() -> None:
    new_york = Schedule("America/New_York", frozenset(range(5)), frozenset({"2026-11-26"}), {"standard": dt.time(15)})
    in_time = dt.datetime(2026, 11, 25, 19, 59, tzinfo=dt.UTC)  # 14:59 there, the day before a holiday
    assert new_york.leaves_on(in_time) == dt.date(2026, 11, 25)
    assert new_york.leaves_on(in_time + dt.timedelta(minutes=2)) == dt.date(2026, 11, 27)
    friday = dt.datetime(2026, 11, 27, 21, tzinfo=dt.UTC)
    assert new_york.leaves_on(friday) == dt.date(2026, 11, 30)
    assert Schedule(days=frozenset()).leaves_on(friday) is None


def test_same_day_is_asked_only_where_something_still_leaves_today() -> None:
    open_late = Schedule(cut_offs={"same_day": dt.time(10)})
    shut = Schedule(cut_offs={"same_day": dt.time(8)})
    shop = bench(location("late", schedule=open_late, cost_order=D(9)), location("early", schedule=shut))
    shop.stock("TEE", "late", 5)
    shop.stock("TEE", "early", 5)
    shop.order(order_record(("L1", "TEE", 1), method="same_day"))  # at 09:00
    document = decided(shop)
    assert document["plan"]["locations"] == ["late"]
    assert why_not(document) == {"early": "cut_off"}


def test_carriage_by_zone_and_weight_decides_and_a_place_that_nobody_goes_to_is_not_asked() -> None:
    table = (
        Carriage("near", 1, STEPS, origins=frozenset({"east"}), postal_prefixes=("12",)),
        Carriage("home", 4, tuple(Step(step.grams, step.amount * 2) for step in STEPS), countries=frozenset({"US"})),
    )
    shop = bench(location("east", cost_order=D(2)), location("west", cost_order=D(1)), carriage=table)
    item(shop, "TEE", weight_grams="400")
    shop.stock("TEE", "east", 5)
    shop.stock("TEE", "west", 5)
    shop.order(order_record(("L1", "TEE", 2)))
    document = decided(shop)
    assert document["plan"]["locations"] == ["east"]
    assert ["east: carrier", "6"] in document["plan"]["terms"]
    assert document["plan"]["days"] == 1
    assert document["second_best"]["cost"] == "13.3"  # 12 for 800 g, 1 an order, 0.20 a line, 0.05 a unit
    abroad = order_record(("L1", "TEE", 1), external_id="9")
    shop.order(
        {**abroad, "ship_to": {**abroad["ship_to"], "country": "CA", "admin_area_code": "ON", "postal_code": "K1A 0B1"}}
    )
    assert why_not(decided(shop)) == {"east": "country", "west": "country"}


def test_what_is_heavier_than_the_heaviest_parcel_goes_in_several() -> None:
    steps = shipment_steps(STEPS, D(25000))
    assert [step.amount for step in steps if step.grams == 20000] == [22]
    assert next(step.amount for step in steps if step.grams >= 21000) == 22 + 6


def test_being_late_costs_and_is_counted_in_days_of_the_location() -> None:
    slow = (
        Carriage("far", 6, (Step(D(10000), D(1)),), origins=frozenset({"west"})),
        Carriage("near", 1, (Step(D(10000), D(3)),)),
    )
    strategy = Strategy("cheapest", late_per_day=D(2))
    shop = bench(location("east"), location("west"), carriage=slow, strategies={"cheapest": strategy})
    shop.stock("TEE", "east", 5)
    shop.stock("TEE", "west", 5)
    record = order_record(("L1", "TEE", 1))
    record["lines"][0]["promised_by"] = "2026-11-05T12:00:00Z"
    shop.order(record)
    document = decided(shop)
    assert document["plan"]["locations"] == ["east"]
    assert ["west: lateness", "6"] in document["second_best"]["terms"]  # three days after the fifth
    assert days_late(dt.date(2026, 11, 4), dt.date(2026, 11, 4), dt.date(2026, 11, 2), None) == 2


def test_the_last_units_of_a_store_cost_more_than_those_of_a_full_shelf() -> None:
    store = location("store", cost_order=D(0), last_units_below=D(3), last_unit_cost=D(5))
    shop = bench(store, location("dc", cost_order=D(4)))
    shop.stock("TEE", "store", 3)
    shop.stock("TEE", "dc", 50)
    shop.order(order_record(("L1", "TEE", 1)))
    assert decided(shop)["plan"]["locations"] == ["dc"]


def test_an_order_is_not_split_into_parts_that_are_worth_too_little() -> None:
    strategy = Strategy("cheapest", min_shipment_value=D(15))
    shop = bench(location("east"), location("west"), strategies={"cheapest": strategy})
    shop.stock("TEE", "east", 2)
    shop.stock("MUG", "west", 1)
    shop.order(order_record(("L1", "TEE", 2), ("L2", "MUG", 1)))  # 20.00 and 10.00
    document = decided(shop)
    assert document["plan"]["locations"] == ["east"]
    assert document["plan"]["unfilled"] == {"MUG": "1"}


def test_a_decision_says_in_words_what_came_second_by_how_much_and_why_not_the_others() -> None:
    shop = bench(location("east"), location("west", cost_order=D("2.50")), location("store", can=frozenset({"pickup"})))
    for at in ("east", "west", "store"):
        shop.stock("TEE", at, 5)
    shop.order(order_record(("L1", "TEE", 1)))
    told = [f"{label} {words}" for label, words in explain(decided(shop))]
    assert "second best +1.4: 1 TEE from west; cost 2.75 = 2.5 west: order + 0.25 handling" in told
    assert "not asked store: the location does not ship (method)" in told
    assert any(line.startswith("search proven") for line in told)
