"""Each benchmark runs small: the shape of what it prints and its durability checks, never times."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from tests.bench import flow, intake
from tests.bench.cli import main
from tests.bench.measure import cpu_seconds

ORDERS = 60
STABLE = {"name", "per_second", "cpu_us_per_item", "floor_cpu_us_per_item", "cpu_ratio", "wall_seconds", "processes"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--items", str(ORDERS), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["hub_cli"] == "1.0"
    (item,) = printed["items"]
    assert item.keys() >= STABLE | {"beside"}
    assert item["items"] == ORDERS
    assert item["cpu_ratio"] > 0
    return dict(item)


def test_mapping_measures_orders_of_fifty_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "mapping")["fields_per_order"] >= 50


@pytest.mark.timeout(180)
def test_intake_finds_every_answered_webhook_in_the_killed_hub(capsys: pytest.CaptureFixture[str]) -> None:
    item = run(capsys, "intake")
    assert item["durable"] == ORDERS
    assert item["fsyncs_per_item"] > 0
    assert item["p99_ms"] >= item["p50_ms"] > 0


@pytest.mark.timeout(300)
def test_flow_delivers_three_calls_an_order_and_its_floor_writes_the_same_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    item = run(capsys, "flow", "--per-second", "30")
    assert item["calls_per_order"] == 3
    assert item["rows_per_order"] > 20
    assert item["updates_per_order"] > 10
    assert item["wal_bytes_per_order"] > 0


def test_the_processor_time_of_a_short_run_is_more_than_nothing() -> None:
    before, own = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - own < 0.002:
        pass
    assert 0.002 <= cpu_seconds(os.getpid()) - before < 0.1


def test_a_lost_receipt_ends_the_run() -> None:
    with pytest.raises(RuntimeError, match="kept 9"):
        intake.check("the hub", stored=9, answered=10)


def test_a_call_that_is_missing_at_its_target_ends_the_run() -> None:
    counted = {"receipts": 2, "orders": 2, "deliveries": 6}
    flow.check(counted, at_targets=6, orders=2)
    with pytest.raises(RuntimeError, match="5 calls"):
        flow.check(counted, at_targets=5, orders=2)
    with pytest.raises(RuntimeError, match="'orders': 1"):
        flow.check({**counted, "orders": 1}, at_targets=6, orders=2)


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2


def test_an_order_takes_few_statements(capsys: pytest.CaptureFixture[str]) -> None:
    """The bound is what it takes, with room for little: a read an order that a batch could do at once is found here."""
    assert main(["statements", "--items", "32", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    kinds = {one["kind"]: one for one in item["kinds"]}
    assert 15 < item["statements_per_order"] < 26
    for name in ("items", "stock", "contacts", "reservations", "order_lines", "orders", "bodies"):
        assert kinds[f"read {name}"]["statements"] < 1, name
    assert kinds["write quantity_moves"]["rows"] == 9


def test_growth_copies_whole_orders_and_measures_both_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["growth", "--items", "400", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["items"] == item["large"]["orders"] >= 400 > item["small"]["orders"]
    assert item["large"]["lists_ms"].keys() == item["small"]["lists_ms"].keys()
    assert item["cpu_ratio"] > 0


def test_sourcing_measures_four_sizes_and_what_is_saved_on_a_synthetic_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sourcing", "--items", "4", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["costs"] == "synthetic"
    assert [(one["lines"], one["locations"]) for one in item["sizes"]] == [(1, 5), (3, 20), (5, 50), (10, 50)]
    for one in item["sizes"]:
        assert one["p99_ms"] >= one["median_ms"] > 0
        assert one["saved_against_nearest_first"] >= 0
        assert one["saved_against_fewest_splits"] >= 0
