"""Counts of stock, movements around them, and what channels are told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Verdict
from hub.oms import people
from tests.property.memory_store import Bench, channel, location, order_record, rules
from tests.unit.test_oms_locations import ships, work_id

D = Decimal


def counted(bench: Bench, units: str, *, as_of: str = "2026-11-02T09:30:00Z", at: str = "east", **more: Any) -> Any:
    record = {"location": at.upper(), "as_of": as_of, "rows": [{"sku": "TEE", "quantity": units}], **more}
    return bench.restate("stock", record, connection=f"wms-{at}")


def on_hand(bench: Bench, sku: str = "TEE") -> Decimal:
    row = bench.store.row("stock", {"sku": sku, "location": "east"})
    assert row is not None
    return D(row["on_hand"])


def warehouse(units: int = 5, **changes: Any) -> Bench:
    bench = Bench(rules(location("east", **changes)))
    bench.stock("TEE", "east", units)
    return bench


def test_a_count_replaces_what_was_there_and_an_older_one_does_not() -> None:
    bench = warehouse()
    counted(bench, "7")
    assert on_hand(bench) == 7
    late = counted(bench, "2", as_of="2026-11-02T09:00:00Z")
    assert late.verdict is Verdict.SUPERSEDED
    assert on_hand(bench) == 7


def test_a_sequence_beats_time() -> None:
    bench = warehouse()
    counted(bench, "7", sequence="9")
    counted(bench, "3", sequence="10", as_of="2026-11-02T09:00:00Z")
    assert on_hand(bench) == 3


@pytest.mark.parametrize(
    ("shipped_at", "expected"),
    [("2026-11-02T09:29:59Z", 7), ("2026-11-02T09:30:00Z", 7), ("2026-11-02T09:30:01Z", 5)],
)
def test_a_shipment_is_inside_a_count_of_its_time_or_later(shipped_at: str, expected: int) -> None:
    for count_first in (True, False):
        bench = warehouse()
        bench.order(order_record(("L1", "TEE", 2)))
        bench.run("allocate")
        if count_first:
            counted(bench, "7")
        ships(bench, 2, shipped_at=shipped_at)
        if not count_first:
            counted(bench, "7")
        assert on_hand(bench) == expected
        assert bench.store.row("stock", {"sku": "TEE", "location": "east"})["firm"] == 0  # type: ignore[index]


def test_a_count_that_excludes_work_in_progress_gets_it_added_back() -> None:
    bench = warehouse(stock_means="net_of_acknowledged")
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    report = {"fact_key": "a", "fulfilment_order": work_id(bench), "status": "acknowledged"}
    bench.fact("fulfilment_responses", report, connection="wms-east")
    counted(bench, "3")
    assert on_hand(bench) == 5
    ships(bench, 2, shipped_at="2026-11-02T09:10:00Z")
    assert on_hand(bench) == 3


@pytest.mark.parametrize("broken", [{"rows": []}, {"row_count": 2}])
def test_an_empty_or_truncated_feed_changes_nothing(broken: dict[str, Any]) -> None:
    bench = warehouse()
    refused = counted(bench, "1", **broken)
    assert (refused.verdict, refused.code) == (Verdict.PARKED, "stock_feed_refused")
    assert on_hand(bench) == 5
    assert bench.raised() == ["stock_feed"]


def test_negative_stock_counts_as_none_with_an_exception() -> None:
    bench = warehouse()
    counted(bench, "-2")
    assert on_hand(bench) == 0
    assert bench.raised() == ["stock_negative"]


def test_a_complete_count_empties_what_it_does_not_list() -> None:
    bench = warehouse()
    bench.stock("CAP", "east", 4)
    counted(bench, "5", complete=True)
    assert on_hand(bench, "CAP") == 0


def test_only_the_authority_of_a_location_counts_its_stock() -> None:
    bench = warehouse(stock_authority="erp")
    assert counted(bench, "9").verdict is Verdict.IGNORED
    assert on_hand(bench) == 5


def test_new_stock_goes_to_the_order_that_waited_longest() -> None:
    bench = warehouse(0)
    for number in ("1", "2"):
        bench.order(order_record(("L1", "TEE", 1), external_id=number))
        bench.run("allocate")
        bench.later(seconds=1)
    counted(bench, "1")
    bench.run("allocate")
    served = [row["order_id"] for row in bench.store.rows("order_lines", {"released": D(1)})]
    assert served == [row["id"] for row in bench.store.rows("orders", {"external_id": "1"})]


def publishing(share: str = "1", **changes: Any) -> Bench:
    told = channel(share=D(share), location_map={"gid/1": "east"}, **changes)
    bench = Bench(rules(location("east"), channels={"shop": told}, takers={"push_inventory": ("shop",)}))
    bench.stock("TEE", "east", 10)
    return bench


def test_a_change_of_stock_reaches_the_channel_once_in_five_seconds() -> None:
    bench = publishing()
    for number in ("1", "2", "3"):
        bench.order(order_record(("L1", "TEE", 1), external_id=number))
        bench.run("allocate")
    bench.later(seconds=10)
    bench.run("push_stock")
    (pushed,) = bench.sent("push_inventory")
    assert (pushed.record["available"], pushed.record["sequence"]) == ("7", "1")
    assert (pushed.key, pushed.subject) == ("subject/TEE|gid/1/1", "shop|TEE|gid/1")


def test_the_next_push_names_what_was_pushed_before_and_an_equal_one_is_not_sent() -> None:
    bench = publishing(share="0.5", threshold=D(1))
    for units in ("9", "8", "5"):
        counted(bench, units, as_of=f"2026-11-02T10:00:0{len(bench.decisions) % 10}Z")
        bench.later(seconds=10)
        bench.run("push_stock")
    said = [(push.record["available"], push.record.get("previous")) for push in bench.sent("push_inventory")]
    assert said == [("3", None), ("1", "3")]


def test_a_first_count_of_nothing_is_told_because_the_channel_may_show_more() -> None:
    bench = publishing()
    counted(bench, "0", rows=[{"sku": "LAMP", "quantity": "0"}])
    bench.later(seconds=10)
    bench.run("push_stock")
    assert [(push.record["sku"], push.record["available"]) for push in bench.sent("push_inventory")] == [("LAMP", "0")]


def test_a_person_corrects_stock_by_a_difference_that_stays_until_the_next_count() -> None:
    bench = warehouse()
    correction = people.adjust_stock(
        bench.store, bench.rules, bench.now, "act-1", "TEE", "east", D(-2), "ann", "broken in the aisle"
    )
    bench.store.apply(correction.writes)
    assert on_hand(bench) == 3
    (event,) = bench.store.rows("stock_events", {})
    assert (event["kind"], event["delta"], event["source"]) == ("adjustment", D(-2), "ann")


def test_inside_the_clock_skew_a_count_is_an_exception_and_not_a_guess() -> None:
    skewed = location("east", clock_skew=dt.timedelta(seconds=30))
    bench = Bench(rules(skewed))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate")
    shipped = {
        "fact_key": "s-1",
        "external_id": "s-1",
        "fulfilment_order": bench.store.rows("fulfilment_orders", {})[0]["id"],
        "shipped_at": "2026-11-02T10:00:00Z",
        "packages": [{"package": "1", "lines": [{"line": bench.line_id("L1"), "quantity": "1"}]}],
    }
    bench.fact("shipments", shipped, connection="wms-east")

    def count(at: str, **more: str) -> None:
        rows = [{"sku": "TEE", "quantity": "7"}]
        bench.restate("stock", {"location": "EAST", "as_of": at, "rows": rows, **more}, connection="wms-east")

    count("2026-11-02T10:00:20Z")
    assert (bench.raised(), bench.store.rows("stock", {})[0]["on_hand"]) == (["stock_unclear"], 9)
    count("2026-11-02T10:00:31Z")
    assert bench.store.rows("stock", {})[0]["on_hand"] == 7
    assert [clear.subject_id for clear in bench.decisions[-1].clears] == ["TEE@east"]
