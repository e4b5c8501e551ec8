"""Publishing stock to a channel that compares before it sets, because it sells meanwhile."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hub.domain.writeset import Insert, Update, WriteSet
from tests.property.memory_store import Bench, channel, location, order_record, rules


def bench_with_stock(units: int) -> Bench:
    bench = Bench(rules(location("east"), takers={"push_inventory": ("shop",)}, channels={"shop": channel()}))
    bench.stock("TEE", "east", units)
    return bench


def publish(bench: Bench) -> Any:
    bench.run("allocate")
    bench.later(seconds=10)
    bench.run("push_stock")
    return bench.sent("push_inventory")[-1]


def bench_after_a_miss() -> tuple[Bench, Any]:
    bench = bench_with_stock(10)
    bench.order(order_record(("L1", "TEE", 1)))
    publish(bench)
    bench.order(order_record(("L1", "TEE", 2), external_id="4508"))
    missed = publish(bench)
    bench.reply(missed, accepted=False, reason="compare_miss")
    return bench, missed


def test_a_level_is_compared_with_what_was_published_before() -> None:
    bench = bench_with_stock(10)
    bench.order(order_record(("L1", "TEE", 1)))
    assert "previous" not in publish(bench).record
    bench.order(order_record(("L1", "TEE", 2), external_id="4508"))
    pushed = publish(bench)
    assert (pushed.record["available"], pushed.record["previous"]) == ("7", "9")


def test_a_miss_reads_the_orders_of_the_channel_first() -> None:
    bench, _ = bench_after_a_miss()
    (poll,) = [task for task in bench.tasks.values() if task.kind == "poll"]
    assert poll.payload == {"connection": "shop", "stream": "orders"}
    assert poll.due_at <= bench.now


def test_after_a_miss_the_promise_is_published_again_without_a_comparison() -> None:
    bench, missed = bench_after_a_miss()
    again = publish(bench)
    assert again.key != missed.key
    assert again.record["available"] == "7"
    assert "previous" not in again.record


def test_after_a_miss_the_next_level_is_compared_with_what_the_channel_shows() -> None:
    bench = bench_with_stock(10)
    bench.order(order_record(("L1", "TEE", 1)))
    missed = publish(bench)
    bench.reply(missed, accepted=False, reason="compare_miss", attributes={"available": "8"})
    again = publish(bench)
    assert (again.record["available"], again.record["previous"]) == ("9", "8")


def test_a_missed_level_is_not_set_anew_before_the_orders_have_been_read() -> None:
    bench, missed = bench_after_a_miss()
    reading = {"dedupe_key": f"poll-before-push/shop/{missed.key}", "state": "pending"}
    bench.store.apply(WriteSet([Insert("tasks", reading)]))
    bench.later(seconds=10)
    bench.run("push_stock")
    assert bench.sent("push_inventory")[-1].key == missed.key
    bench.store.apply(WriteSet([Update("tasks", {"state": "pending"}, {"state": "done"})]))
    receipt = {"connection": "shop", "state": "pending"}
    bench.store.apply(WriteSet([Insert("receipts", receipt)]))
    bench.later(seconds=10)
    bench.run("push_stock")
    assert bench.sent("push_inventory")[-1].key == missed.key
    bench.store.apply(WriteSet([Update("receipts", receipt, {"state": "parsed"})]))
    bench.later(seconds=10)
    bench.run("push_stock")
    assert bench.sent("push_inventory")[-1].key != missed.key


def test_a_miss_of_an_older_level_changes_nothing() -> None:
    bench, missed = bench_after_a_miss()
    again = publish(bench)
    bench.reply(missed, accepted=False, reason="compare_miss")
    row = bench.store.row("pushed_stock", {"sku": "TEE"})
    assert row is not None
    assert row["quantity"] == Decimal(7)
    bench.later(seconds=10)
    assert bench.sent("push_inventory")[-1] is again


def test_what_a_held_order_waits_for_is_not_shown_to_channels_and_comes_back_when_it_is_cancelled() -> None:
    bench = bench_with_stock(10)
    bench.order(order_record(("L1", "TEE", 1)))
    assert publish(bench).record["available"] == "9"
    bench.order(order_record(("L1", "TEE", 4), external_id="4508", payment_state="pending"))
    assert publish(bench).record["available"] == "5"
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4508"})
    assert publish(bench).record["available"] == "9"


def test_a_kit_is_told_anew_when_a_component_of_it_changes() -> None:
    bench = bench_with_stock(10)
    bench.stock("CAP", "east", 4)
    parts = [{"sku": "TEE", "quantity": "2"}, {"sku": "CAP", "quantity": "1"}]
    bench.restate("items", {"external_id": "SET", "sku": "SET", "components": parts})
    bench.later(seconds=10)
    bench.run("push_stock")
    assert bench.sent("push_inventory")[-1].record["available"] == "4"
    bench.order(order_record(("L1", "TEE", 6)))
    publish(bench)
    assert {effect.record["sku"]: effect.record["available"] for effect in bench.sent("push_inventory")} == {
        "SET": "2",
        "TEE": "4",
    }


def test_a_count_that_grew_too_old_is_told_as_nothing_without_anybody_asking() -> None:
    east = location("east", stale_after=dt.timedelta(hours=24))
    bench = Bench(rules(east, takers={"push_inventory": ("shop",)}, channels={"shop": channel()}))
    count = {"location": "EAST", "as_of": "2026-11-02T09:00:00Z", "rows": [{"sku": "TEE", "quantity": "5"}]}
    bench.restate("stock", count, connection="wms-east")
    bench.later(seconds=10)
    bench.run()
    assert bench.sent("push_inventory")[-1].record["available"] == "5"
    bench.later(hours=24)
    bench.run()
    bench.later(seconds=10)
    bench.run()
    assert bench.sent("push_inventory")[-1].record["available"] == "0"


def test_no_channel_is_told_of_a_sku_that_nobody_here_knows() -> None:
    bench = bench_with_stock(10)
    bench.order(order_record(("L1", "TEE", 1), ("L2", "TEE-MISSPELT", 1)))
    publish(bench)
    assert {effect.record["sku"] for effect in bench.sent("push_inventory")} == {"TEE"}
