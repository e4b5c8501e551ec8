"""Goods that are there and cannot leave today, decisions that race for a day's end, how often an order is split."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.schedule import Schedule
from hub.domain.sourcing import Step
from hub.domain.sourcing.cost import Carriage
from hub.oms.handlers import build
from hub.oms.ports import Strategy
from hub.oms.sourcing.reroute import reroute_order, what_if
from tests.property.memory_store import Bench, Conflict, location, order_record, rules

D = Decimal
NEW_YORK = Schedule("America/New_York")


def placed(bench: Bench, number: str, **changes: Any) -> None:
    bench.order(order_record(("L1", "TEE", 1), external_id=number, **changes))
    bench.run("allocate")


def planned(bench: Bench) -> list[tuple[str, str]]:
    """(location, its date) of each fulfilment order."""
    return [(row["location"], row["planned_on"]) for row in bench.store.rows("fulfilment_orders", {})]


def full_store(**changes: Any) -> Bench:
    bench = Bench(rules(location("store", capacity_per_day=1, schedule=NEW_YORK), **changes))
    bench.stock("TEE", "store", 10)
    return bench


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-10-31T20:00:00", "2026-11-01T04:00:00"),  # still summer time there
        ("2026-11-01T20:00:00", "2026-11-02T05:00:00"),  # a day of 25 hours
        ("2026-03-08T03:30:00", "2026-03-08T05:00:00"),  # the last minutes of the day before clocks go forward
    ],
)
def test_an_order_for_a_full_day_waits_for_midnight_of_the_location_and_no_longer(now: str, midnight: str) -> None:
    bench = full_store()
    bench.now = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    at = dt.datetime.fromisoformat(midnight).replace(tzinfo=dt.UTC)
    placed(bench, "1")
    placed(bench, "2")
    assert len(planned(bench)) == 1
    bench.later(minutes=1)
    bench.run("allocate")  # the second look, for stock that was counted at the same moment
    bench.now = at - dt.timedelta(seconds=1)
    bench.run("allocate")
    assert len(planned(bench)) == 1
    bench.now = at
    bench.run("allocate")
    assert planned(bench)[1] == ("store", NEW_YORK.today(at).isoformat())


def test_who_is_first_in_the_queue_gets_the_first_place_of_the_next_day() -> None:
    bench = full_store()
    for number in ("d", "c", "b", "a"):
        placed(bench, number)
        bench.later(seconds=1)
    days = []
    for _ in range(3):
        bench.later(days=1)
        bench.run("allocate")
        days.append(
            "".join(row["external_id"] for row in bench.store.rows("orders", {}) if _worked_on(bench, row["id"]))
        )
    assert days == ["dc", "dcb", "dcba"]


def _worked_on(bench: Bench, order_id: str) -> bool:
    return bench.store.count("fulfilment_orders", {"order_id": order_id}) > 0


def test_what_is_there_but_not_to_be_had_today_is_not_cancelled_for_want_of_stock() -> None:
    bench = full_store(when_nothing="cancel")
    placed(bench, "1")
    placed(bench, "2")
    bench.later(minutes=1)
    bench.run("allocate")
    second = bench.store.rows("orders", {"external_id": "2"})[0]
    assert second["status"] == "confirmed"
    bench.later(days=1)
    bench.run("allocate")
    assert _worked_on(bench, second["id"])


def test_same_day_after_the_cut_off_leaves_on_the_next_day_that_something_leaves() -> None:
    schedule = Schedule("America/New_York", frozenset(range(5)), frozenset({"2026-11-26"}), {"same_day": dt.time(12)})
    bench = Bench(rules(location("store", schedule=schedule)))
    bench.stock("TEE", "store", 5)
    bench.now = dt.datetime(2026, 11, 25, 17, 1, tzinfo=dt.UTC)  # 12:01 there, the day before a holiday
    placed(bench, "1", method="same_day")
    for _ in range(3):
        bench.later(hours=12)
        bench.run("allocate")
    assert planned(bench) == [("store", "2026-11-27")]


def test_of_two_decisions_for_the_last_place_of_a_day_one_is_made_anew() -> None:
    bench = Bench(rules(location("store", capacity_per_day=1), location("far", cost_order=D(50))))
    for place in ("store", "far"):
        bench.stock("TEE", place, 10)
    bench.order(order_record(("L1", "TEE", 1), external_id="1"))
    bench.order(order_record(("L1", "TEE", 1), external_id="2"))
    tasks = [task for task in bench.tasks.values() if task.kind == "allocate"]
    allocate = build(bench.rules).tasks["allocate"]
    first, second = (allocate(task, bench.store, bench.now) for task in tasks)
    bench.commit(first)
    with pytest.raises(Conflict):
        bench.commit(second)
    bench.commit(allocate(tasks[1], bench.store, bench.now))
    assert sorted(where for where, _ in planned(bench)) == ["far", "store"]


def three_places() -> Bench:
    """An order of three articles, each somewhere else, that may go in two shipments."""
    places = (location("a"), location("b"), location("c"))
    bench = Bench(rules(*places, strategies={"cheapest": Strategy("cheapest", max_shipments=2)}))
    for sku, place in (("A", "a"), ("B", "b"), ("C", "c")):
        bench.stock(sku, place, 1)
    bench.order(order_record(("L1", "A", 1), ("L2", "B", 1), ("L3", "C", 1)))
    bench.run("allocate")
    return bench


def test_the_rest_of_an_order_makes_no_shipment_that_its_strategy_forbids() -> None:
    bench = three_places()
    for _ in range(3):
        bench.later(days=1)
        bench.run("allocate")
    assert len(planned(bench)) == 2
    raised = bench.exceptions[-1]
    assert (raised.kind, "--more-shipments 1" in raised.hint) == ("shipment_limit", True)
    document = bench.store.rows("sourcing_decisions", {})[-1]["document"]
    assert [said["code"] for said in document["exclusions"] if said["location"] == "c"] == ["max_shipments"]


def test_a_person_allows_one_more_shipment() -> None:
    bench = three_places()
    bench.later(minutes=1)
    bench.run("allocate")
    decision = bench.act(reroute_order, "eve", "the customer asked", "", 1)
    assert decision.message == "may have 1 more shipment than its strategy allows"
    bench.run("allocate")
    assert len(planned(bench)) == 3
    assert bench.the_order()["document"].get("raised", []) == []


def test_looking_where_else_it_would_come_from_counts_only_what_has_left() -> None:
    bench = three_places()
    found = what_if(bench.store, bench.rules, bench.now, bench.the_order()["id"], "nowhere")
    assert found is not None
    assert [document["plan"]["locations"] for document in found["decisions"]] == [["c"]]


def test_where_dangerous_goods_may_not_fly_they_go_by_the_zone_that_takes_them() -> None:
    by_air = Carriage("air", 1, (Step(D(5000), D("2.00")),), refuses=frozenset({"hazmat"}))
    by_road = Carriage("road", 4, (Step(D(5000), D("9.00")),), origins=frozenset({"east"}))
    able = frozenset({"ship", "hazmat"})
    bench = Bench(rules(location("east", can=able), location("west", can=able), carriage=(by_air, by_road)))
    for sku in ("PAINT", "TEE"):
        for place in ("east", "west"):
            bench.stock(sku, place, 5)
    bench.restate("items", {"external_id": "PAINT", "sku": "PAINT", "flags": ["hazmat"]})
    bench.order(order_record(("L1", "PAINT", 1)))
    bench.run("allocate")
    document = bench.store.rows("sourcing_decisions", {})[-1]["document"]
    assert [(said["location"], said["code"]) for said in document["exclusions"]] == [("west", "country")]
    assert "dangerous goods" in document["exclusions"][0]["detail"]
    assert document["plan"]["days"] == 4
