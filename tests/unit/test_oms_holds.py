"""Holds as a stack: of several kinds, each with its own end, possible at any time before closing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision, MappingHold, TaskRequest
from hub.domain.listing import Listing
from hub.oms.people import cancel_order, hold_order, release_order
from hub.oms.ports import HoldBox
from tests.property.memory_store import Bench, channel, location, order_record, rules

HOUR = dt.timedelta(hours=1)


def bench_with(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", 10)
    return bench


def say(bench: Bench, verb: Any, *more: Any, order: str = "#1001", cause: str = "ac_1", **words: Any) -> Decision:
    row = bench.store.rows("orders", {"number": order})[0]
    decision: Decision = verb(bench.store, bench.rules, bench.now, cause, row["id"], "jo", "why", *more, **words)
    bench._commit(decision)
    return decision


def holds(bench: Bench) -> list[tuple[str, str, bool]]:
    return [(row["kind"], row["rule"], row["released_at"] is None) for row in bench.store.rows("holds", {})]


def test_an_order_goes_on_only_when_the_last_hold_is_released() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    bench.order(order_record(("L1", "TEE", 1)))
    say(bench, hold_order, "fraud", cause="ac_1")
    say(bench, hold_order, "manual", cause="ac_2")
    bench.later(minutes=11)
    bench.run()
    say(bench, release_order, "fraud", cause="ac_3")
    bench.run()
    assert bench.the_order()["status"] == "held"
    say(bench, release_order, cause="ac_4")
    bench.run()
    assert bench.the_order()["status"] == "confirmed"


def test_releasing_a_kind_that_does_not_hold_it_is_refused() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", 1)))
    say(bench, hold_order)
    assert say(bench, release_order, "fraud", cause="ac_2").message == "no hold of the kind fraud is open"


@pytest.mark.parametrize(("then", "status"), [("release", "confirmed"), ("cancel", "cancelled"), ("escalate", "held")])
def test_a_time_box_ends_as_it_was_said(then: str, status: str) -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", 1)))
    say(bench, hold_order, "fraud", bench.now + HOUR, then)
    bench.run()
    assert bench.the_order()["status"] == "held"
    bench.later(hours=1)
    bench.run()
    assert bench.the_order()["status"] == status
    assert ("hold_overdue" in bench.raised()) is (then == "escalate")
    if then == "escalate":
        say(bench, release_order, cause="ac_2")
        assert any(clear.cause_key.startswith("hold-overdue/") for clear in bench.decisions[-1].clears)


def test_a_box_of_a_hold_that_was_released_and_placed_again_does_not_end_the_new_one() -> None:
    bench = bench_with(hold_boxes={"payment": HoldBox(HOUR, "cancel")}, payment_require=("paid",))
    record = order_record(("L1", "TEE", 1), payment_state="pending")
    bench.order(record)
    bench.later(minutes=50)
    bench.order({**record, "payment_state": "paid", "source_version": "2026-11-02T09:50:00.000000Z"})
    bench.order({**record, "payment_state": "pending", "source_version": "2026-11-02T09:55:00.000000Z"})
    bench.later(minutes=20)
    bench.run("hold_box")
    assert bench.the_order()["status"] == "held"
    bench.later(minutes=40)
    bench.run("hold_box")
    assert bench.the_order()["status"] == "cancelled"


def test_who_releases_one_of_two_holds_is_told_of_the_other() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", 1), ("L2", "NEW", 1)))
    say(bench, hold_order, "fraud")
    assert say(bench, release_order, "fraud").message == "released; still held by unknown_sku (validation)"
    assert say(bench, release_order).message == ""


def test_a_time_that_is_over_is_refused() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", 1)))
    assert "is over already" in say(bench, hold_order, "manual", bench.now - HOUR, "release").message


def test_an_order_can_be_held_after_it_was_confirmed_and_its_reservations_stay() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run()
    say(bench, hold_order, "fraud")
    assert bench.the_order()["status"] == "held"
    assert bench.lines()["L1"] == {"released": 1}


def test_the_same_order_placed_twice_holds_the_later_until_one_is_cancelled() -> None:
    bench = bench_with(duplicate_within=HOUR)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.later(minutes=5)
    bench.order(order_record(("X9", "TEE", 1), external_id="4508", number="#1002", placed_at="2026-11-02T09:04:00Z"))
    bench.run()
    assert holds(bench) == [("fraud", "duplicate", True)]
    (held,) = bench.store.rows("holds", {})
    assert "#1001" in held["hint"]
    assert bench.store.rows("orders", {"status": "held"})[0]["number"] == "#1002"
    say(bench, cancel_order, order="#1001")
    bench.run()
    assert holds(bench) == [("fraud", "duplicate", False)]
    assert bench.store.rows("orders", {"number": "#1002"})[0]["status"] == "confirmed"


@pytest.mark.parametrize(
    "changes",
    [
        {"placed_at": "2026-11-02T12:00:00Z"},
        {"buyer": {"external_id": "c-2", "email": "other@example.com"}},
        {"lines": [{"external_line_id": "1", "sku": "TEE", "quantity": "3", "unit_price": "10"}], "totals": {}},
    ],
)
def test_another_time_buyer_or_quantity_makes_another_order(changes: dict[str, Any]) -> None:
    bench = bench_with(duplicate_within=HOUR)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.order(order_record(("L1", "TEE", 1), external_id="4508", number="#1002", **changes))
    assert holds(bench) == []


def test_of_two_that_come_at_the_same_moment_exactly_one_is_held() -> None:
    bench = bench_with(duplicate_within=HOUR, channels={"shop": channel(grace_seconds=600)})
    bench.order(order_record(("L1", "TEE", 1), external_id="4508", number="#1002"))
    bench.order(order_record(("L1", "TEE", 1)))
    bench.later(seconds=16)
    bench.run("recheck_holds")
    assert [row["status"] for row in bench.store.rows("orders", {}, order_by=("status",))] == ["held", "received"]


def test_a_total_above_the_limit_of_its_channel_is_looked_at_by_a_person() -> None:
    shop = channel(value_limits={"USD": Decimal(15)})
    bench = bench_with(channels={"shop": shop})
    bench.order(order_record(("L1", "TEE", 2)))
    assert holds(bench) == [("fraud", "value_limit", True)]
    say(bench, release_order)
    bench.order(order_record(("L1", "TEE", 2), source_version="2026-11-02T09:50:00.000000Z", note="gift"))
    bench.run()
    assert bench.the_order()["status"] == "confirmed", "what a person released is not held for the same cause again"


def test_no_event_tells_who_the_buyer_of_a_double_is() -> None:
    bench = bench_with(duplicate_within=HOUR)
    bench.order(order_record(("L1", "TEE", 1)))
    key = bench.the_order()["duplicate_key"]
    assert len(key) == 32
    assert "buyer@example.com" not in str(bench.the_order())


def test_another_configuration_is_taken_to_what_is_held_and_to_what_channels_were_told() -> None:
    strict = rules(
        location("east"),
        channels={"shop": channel(value_limits={"USD": Decimal(5)})},
        takers={"push_inventory": ("shop",)},
        unknown_sku="hold_order",
    )
    bench = Bench(strict)
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.order(order_record(("L1", "MUG", 1), external_id="4508"))
    bench.later(seconds=10)
    bench.run()
    assert [(row["rule"], row["released_at"]) for row in bench.store.rows("holds", {})] == [
        ("value_limit", None),
        ("unknown_sku", None),
        ("value_limit", None),
    ]
    lenient = channel(
        value_limits={"USD": Decimal(500)}, threshold=Decimal(2), listings={"MUG": (Listing("MUG", "TEE"),)}
    )
    bench.rules = replace(strict, channels={"shop": lenient})
    looks = [TaskRequest(kind, "r2", bench.now, kind) for kind in ("recheck_held", "push_all")]
    bench.commit(Decision(tasks=looks))
    bench.later(seconds=10)
    bench.run()
    assert {row["status"] for row in bench.store.rows("orders", {})} == {"confirmed"}
    assert {row["sku"] for row in bench.store.rows("order_lines", {})} == {"TEE"}
    bench.later(seconds=10)
    bench.run()
    assert bench.sent("push_inventory")[-1].record["available"] == "6"


def test_what_an_order_lacks_while_its_channel_keeps_it_back_is_no_finding_when_it_is_looked_at_again() -> None:
    bench = Bench(rules(location("east"), duplicate_within=dt.timedelta(hours=1)))
    bench.stock("TEE", "east", 10)
    pending = order_record(("L1", "TEE", 1))
    del pending["ship_to"]
    bench.order(pending, holds=[MappingHold("payment_state", "pending", "it is not paid yet")])
    bench.later(minutes=1)
    bench.run("recheck_holds")
    assert [row["rule"] for row in bench.store.rows("holds", {})] == ["pending"]


@pytest.mark.parametrize(("quantity", "held"), [("1.5", False), ("2", True), ("0.75", True), ("-1.5", True)])
def test_goods_sold_by_measure_are_ordered_in_their_increment(quantity: str, held: bool) -> None:
    bench = bench_with()
    bench.restate("items", {"external_id": "TEE", "sku": "TEE", "increment": "1.5"})
    bench.order(order_record(("L1", "TEE", quantity)))
    assert [rule for _, rule, _ in holds(bench)] == (["values"] if held else [])


def test_an_item_without_an_increment_is_asked_nothing() -> None:
    bench = bench_with()
    bench.order(order_record(("L1", "TEE", "1.25")))
    assert holds(bench) == []
