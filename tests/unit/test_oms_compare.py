"""What a channel shows against what it may sell: what differs is told anew, once its orders are known."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.writeset import Insert, Update, WriteSet
from hub.oms.promise.compare import Compared, Shown, compare_levels
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal


def told(units: int = 10) -> Bench:
    """A shop that was told of the SKU, and its push has arrived."""
    shop = channel(location_map={"77": "east"})
    bench = Bench(rules(location("east"), takers={"push_inventory": ("shop",)}, channels={"shop": shop}))
    bench.stock("TEE", "east", units)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate")
    bench.later(seconds=10)
    bench.run("push_stock")
    became(bench, "acknowledged")
    bench.later(seconds=60)
    return bench


def became(bench: Bench, state: str) -> None:
    """What became of the pushes."""
    where = {"capability": "push_inventory"}
    bench.store.apply(WriteSet([Update("deliveries", where, {"state": state}, expect=None)]))


def compare(bench: Bench, *shown: Shown, read_at: dt.datetime | None = None) -> Compared:
    at = read_at or bench.now
    decision, found = compare_levels(
        bench.store, bench.rules, bench.now, bench.rules.channels["shop"], shown, at, "read-first"
    )
    bench._commit(decision)
    return found


def test_a_level_as_it_was_told_is_left_alone() -> None:
    bench = told()
    found = compare(bench, Shown("TEE", ("gid://77", "77"), D(9)))
    assert (found.equal, found.differing) == (1, [])
    assert len(bench.sent("push_inventory")) == 1


def test_a_level_that_somebody_changed_over_there_is_told_anew_against_what_is_shown() -> None:
    bench = told()
    found = compare(bench, Shown("TEE", ("77",), D(25)))
    assert found.differing == [{"sku": "TEE", "outlet": "77", "shown": "25", "told": "9", "may_sell": "9"}]
    bench.run("push_stock")
    again = bench.sent("push_inventory")[-1]
    assert (again.record["available"], again.record["previous"]) == ("9", "25")


def test_what_a_channel_may_have_sold_is_read_before_its_level_is_raised() -> None:
    bench = told()
    reading = {"id": "tk1", "dedupe_key": "read-first", "state": "pending", "kind": "poll"}
    bench.store.apply(WriteSet([Insert("tasks", reading)]))
    compare(bench, Shown("TEE", ("77",), D(7)))
    bench.run("push_stock")
    assert len(bench.sent("push_inventory")) == 1
    bench.order(order_record(("L1", "TEE", 2), external_id="4508"))
    bench.run("allocate")
    bench.store.apply(WriteSet([Update("tasks", {"id": "tk1"}, {"state": "done"})]))
    bench.later(seconds=3)
    bench.run("push_stock")
    assert len(bench.sent("push_inventory")) == 1


def test_what_was_told_meanwhile_or_is_on_its_way_and_what_is_not_ours_is_left_alone() -> None:
    bench = told()
    early = bench.now - dt.timedelta(hours=1)
    assert compare(bench, Shown("TEE", ("77",), D(3)), read_at=early).under_way == 1
    became(bench, "retry")
    assert compare(bench, Shown("TEE", ("77",), D(3))).under_way == 1
    assert compare(bench, Shown("MUG", ("77",), D(3)), Shown("TEE", ("99",), D(3))).unknown == 2
