"""Movements that a location or its till tells of, feeds that shrink, and stock that is low or too high."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision, Verdict
from hub.oms.stock import stock
from tests.property.memory_store import Bench, location, order_record, rules

D = Decimal


def moved(bench: Bench, units: str, *, at: str = "2026-11-02T09:10:00Z", by: str = "wms-east", **more: Any) -> Decision:
    record = {"fact_key": f"m{units}{at}{more}", "location": "EAST", "sku": "TEE", "quantity": units}
    found = bench.fact("stock_movements", {**record, "occurred_at": at, **more}, connection=by)
    assert found is not None
    return found


def counted(bench: Bench, units: str, as_of: str, **more: Any) -> Decision:
    record = {"location": "EAST", "as_of": as_of, "rows": [{"sku": "TEE", "quantity": units}], **more}
    return bench.restate("stock", record, connection="wms-east")


def on_hand(bench: Bench) -> Decimal:
    (row,) = bench.store.rows("stock", {"sku": "TEE"})
    return D(row["on_hand"])


def warehouse(units: int = 5, **changes: Any) -> Bench:
    bench = Bench(rules(location("east", **changes)))
    bench.stock("TEE", "east", units)
    return bench


def test_a_movement_after_the_count_changes_the_balance_and_one_before_is_only_journalled() -> None:
    bench = warehouse()
    counted(bench, "7", "2026-11-02T09:00:00Z")
    moved(bench, "-2")
    moved(bench, "-4", at="2026-11-02T08:00:00Z")
    assert on_hand(bench) == 5
    late = [row for row in bench.store.rows("stock_events", {"kind": "movement"}) if row["stated"] == -4]
    assert [row["delta"] for row in late] == [D(0)]


def test_a_complete_count_says_none_of_what_it_does_not_list_also_of_what_nobody_knew() -> None:
    bench = Bench(rules(location("east")))
    record = {"location": "EAST", "as_of": "2026-11-02T10:00:00Z", "rows": [{"sku": "CAP", "quantity": "1"}]}
    bench.restate("stock", {**record, "complete": True}, connection="wms-east")
    moved(bench, "5", at="2026-11-02T09:00:00Z")
    assert counted(bench, "4", "2026-11-02T09:30:00Z").verdict is Verdict.SUPERSEDED
    assert [row["on_hand"] for row in bench.store.rows("stock", {"sku": "TEE"})] in ([], [D(0)])
    moved(bench, "2", at="2026-11-02T11:00:00Z")
    assert on_hand(bench) == 2


def test_a_till_counts_only_where_the_location_takes_its_movements() -> None:
    bench = warehouse()
    assert moved(bench, "-1", by="pos-14", location="east").verdict is Verdict.IGNORED
    bench = warehouse(movements_from=frozenset({"pos-14"}))
    moved(bench, "-1", by="pos-14", location="east")
    assert on_hand(bench) == 4


def test_a_shipment_of_ours_is_told_by_its_notice_alone() -> None:
    bench = warehouse()
    assert moved(bench, "-1", kind="shipment").verdict is Verdict.IGNORED
    assert on_hand(bench) == 5


def test_a_movement_within_the_clock_skew_of_a_count_is_shown_and_not_guessed() -> None:
    bench = warehouse(clock_skew=dt.timedelta(seconds=30))
    counted(bench, "7", "2026-11-02T09:00:00Z")
    moved(bench, "-2", at="2026-11-02T09:00:20Z")
    assert on_hand(bench) == 7
    assert bench.raised() == ["stock_unclear"]


def test_goods_received_go_to_those_who_wait() -> None:
    bench = warehouse(0)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    moved(bench, "3", kind="receipt")
    bench.run("allocate")
    (line,) = bench.store.rows("order_lines", {})
    assert line["released"] == 2


def test_damaged_goods_are_counted_beside_what_can_be_sold_and_never_below_none() -> None:
    bench = warehouse()
    moved(bench, "2", bucket="damaged")
    moved(bench, "-3", bucket="damaged", kind="scrap")
    (row,) = bench.store.rows("stock", {"sku": "TEE"})
    assert (row["on_hand"], row["damaged"]) == (D(5), D(0))
    assert bench.raised() == ["stock_bucket"]


@pytest.mark.parametrize(("units", "verdict"), [("3", Verdict.APPLIED), ("2", Verdict.PARKED)])
def test_a_complete_count_that_shrinks_more_than_declared_is_refused_as_a_whole(units: str, verdict: Verdict) -> None:
    bench = warehouse(10, shrink_limit=D("0.7"))
    assert counted(bench, units, "2026-11-02T09:00:00Z", complete=True).verdict is verdict
    assert on_hand(bench) == (D(units) if verdict is Verdict.APPLIED else 10)


def signals(bench: Bench) -> list[tuple[str, str, str]]:
    made = [event for decision in bench.decisions for event in decision.events if event.type.startswith("hub.stock.")]
    return [
        (event.type.split(".")[2], event.data["units"], event.data["threshold"])
        for event in made
        if event.type in ("hub.stock.low.v1", "hub.stock.high.v1")
    ]


def test_low_and_high_stock_are_told_once_a_crossing() -> None:
    bench = warehouse(10, low_stock={"default": D(4)}, high_stock={"TEE": D(20)})
    for units in ("-7", "-1", "+5", "-4", "+30"):
        bench.later(seconds=60)
        moved(bench, units.removeprefix("+"), at=bench.now.isoformat())
        bench.later(seconds=60)
        bench.run("watch_stock")
    assert signals(bench) == [("low", "3", "4"), ("low", "3", "4"), ("high", "33", "20")]


def shelf(skus: int, **changes: Any) -> Bench:
    bench = Bench(rules(location("east", **changes)))
    for number in range(skus):
        bench.stock(f"S{number}", "east", 10)
    return bench


def cut_off(bench: Bench, rows: int, units: str = "10") -> Decision:
    record = {"location": "EAST", "as_of": "2026-11-02T10:00:00Z", "complete": True}
    some = [{"sku": f"S{number}", "quantity": units} for number in range(rows)]
    return bench.restate("stock", {**record, "rows": some}, connection="wms-east")


@pytest.mark.parametrize(
    ("skus", "rows", "units", "limit", "verdict"),
    [
        (20, 9, "10", None, Verdict.PARKED),  # cut off in the middle
        (20, 20, "-1", None, Verdict.PARKED),  # whatever that was, it was no count
        (20, 20, "0", None, Verdict.PARKED),
        (20, 10, "10", None, Verdict.APPLIED),
        (20, 9, "10", D(1), Verdict.APPLIED),  # a location that may sell out overnight says so
        (19, 1, "10", None, Verdict.APPLIED),  # too few to tell
    ],
)
def test_a_complete_count_of_less_than_half_of_much_is_taken_for_cut_off(
    skus: int, rows: int, units: str, limit: Decimal | None, verdict: Verdict
) -> None:
    bench = shelf(skus, shrink_limit=limit)
    assert cut_off(bench, rows, units).verdict is verdict
    known = sum((row["on_hand"] for row in bench.store.rows("stock", {})), D(0))
    assert known == (skus * 10 if verdict is Verdict.PARKED else rows * int(units))
    assert bench.raised() == (["stock_feed"] if verdict is Verdict.PARKED else [])


def test_more_movements_than_a_page_since_a_count_all_stay_on_top_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "PAGE", 3)
    bench = shelf(4)
    for sku in ("S0", "S1", "S2", "S3"):
        for number in range(3):
            bench.later(seconds=1)
            moved(bench, "-1", at=bench.now.isoformat(), sku=sku, number=str(number))
    record = {"location": "EAST", "as_of": "2026-11-02T09:00:00Z"}
    rows = [{"sku": f"S{number}", "quantity": "10"} for number in range(4)]
    bench.restate("stock", {**record, "rows": rows}, connection="wms-east")
    assert [row["on_hand"] for row in bench.store.rows("stock", {})] == [D(7)] * 4


def test_a_count_or_movement_of_a_day_to_come_is_refused_and_freezes_nothing() -> None:
    bench = warehouse(10)
    assert counted(bench, "3", "2062-11-02T09:00:00Z").verdict is Verdict.PARKED
    assert bench.raised() == ["stock_feed"]
    assert moved(bench, "-1", at="2062-11-02T09:00:00Z").verdict is Verdict.PARKED
    assert counted(bench, "7", "2026-11-02T09:00:00Z").verdict is Verdict.APPLIED
    assert on_hand(bench) == 7
