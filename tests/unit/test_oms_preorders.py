"""Preorders: a date from what is to come, kept when the purchase order moves, and told."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.writeset import Update, WriteSet
from hub.oms.ports import Backorders, NotifyRule
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal


def shop(**changes: Any) -> Bench:
    takes = channel(capabilities=frozenset({"push_order_status", "push_cancellation"}))
    bench = Bench(rules(location("east"), channels={"shop": takes}, **changes))
    bench.stock("TEE", "east", 0)
    return bench


def supply(bench: Bench, quantity: str, day: str, po: str = "PO-1", **more: Any) -> None:
    record = {"external_id": f"{po}/1", "reference": po, "sku": "TEE", "location": "EAST", "quantity": quantity}
    bench.restate("supply", {**record, "expected_at": f"{day}T08:00:00Z", **more}, connection="wms-east")
    bench.run()


def order(bench: Bench, number: str, units: int, **more: Any) -> None:
    bench.order(order_record(("L1", "TEE", units), external_id=number, **more))
    bench.run("allocate")
    bench.later(seconds=1)


def ordered(bench: Bench, number: str) -> dict[str, int]:
    (row,) = bench.store.rows("orders", {"external_id": number})
    (line,) = bench.store.rows("order_lines", {"order_id": row["id"]})
    return {name: int(line[name]) for name in ("preordered", "backordered", "released", "cancelled") if line[name]}


def dates(bench: Bench, number: str) -> dict[str, int]:
    (row,) = bench.store.rows("orders", {"external_id": number})
    claims = bench.store.rows("supply_claims", {"order_id": row["id"]}, order_by=("due_at",))
    return {claim["due_at"].date().isoformat(): int(claim["quantity"]) for claim in claims if claim["quantity"]}


def consistent(bench: Bench) -> None:
    """Claims sum to what is preordered, and each supply counts the claims on it."""
    claims = bench.store.rows("supply_claims", {})
    for line in bench.store.rows("order_lines", {}):
        assert sum((one["quantity"] for one in claims if one["line_id"] == line["id"]), D(0)) == line["preordered"]
    for one in bench.store.rows("supply", {}):
        on_it = [claim["quantity"] for claim in claims if claim["supply_id"] == one["id"]]
        assert one["promised"] == sum(on_it, D(0)), one["reference"]


def told(bench: Bench, fact: str) -> list[dict[str, Any]]:
    return [dict(event.data) for made in bench.decisions for event in made.events if event.type == fact]


def test_what_is_to_come_is_preordered_with_its_date_and_the_rest_backordered() -> None:
    bench = shop()
    supply(bench, "5", "2026-11-20")
    supply(bench, "2", "2026-12-01", "PO-2")
    order(bench, "1", 4)
    order(bench, "2", 4)
    assert (ordered(bench, "1"), dates(bench, "1")) == ({"preordered": 4}, {"2026-11-20": 4})
    assert ordered(bench, "2") == {"preordered": 3, "backordered": 1}
    assert dates(bench, "2") == {"2026-11-20": 1, "2026-12-01": 2}
    assert told(bench, "hub.order.promised.v1")[0]["now"] == "4 by 2026-11-20T08:00:00Z"
    consistent(bench)


def test_a_purchase_order_that_moves_moves_the_promises_and_says_so() -> None:
    bench = shop()
    supply(bench, "5", "2026-11-20")
    order(bench, "1", 4)
    supply(bench, "5", "2026-11-27")
    assert dates(bench, "1") == {"2026-11-27": 4}
    (changed,) = told(bench, "hub.order.promise_changed.v1")
    assert (changed["before"], changed["now"]) == ("4 by 2026-11-20T08:00:00Z", "4 by 2026-11-27T08:00:00Z")
    (pushed,) = bench.sent("push_order_status")
    assert pushed.record["status"] == "promise_moved"
    assert pushed.record["promised_at"] == "2026-11-27T08:00:00Z"
    consistent(bench)


def letters(bench: Bench) -> list[tuple[str, str]]:
    return [
        (effect.record["template"], effect.record["data"].get("promised_at", "")[:10])
        for effect in bench.sent("notify")
    ]


def test_buyers_hear_of_a_delay_once_a_new_date_and_of_nothing_within_a_day() -> None:
    rule = NotifyRule(frozenset({"promise_moved", "delayed"}))
    bench = shop(takers={"notify": ("mail",)}, notify={"shop": rule})
    supply(bench, "5", "2026-11-20")
    order(bench, "1", 4, buyer={"email": "buyer@example.com"})
    supply(bench, "5", "2026-11-20", expected_at="2026-11-20T19:00:00Z")
    assert letters(bench) == []
    supply(bench, "5", "2026-11-27")
    assert letters(bench) == [("delayed", "2026-11-27")]
    supply(bench, "5", "2026-11-23")
    assert letters(bench)[1:] == [("promise_moved", "2026-11-23")]
    supply(bench, "5", "2026-11-27")
    assert letters(bench)[2:] == [], "of that date they have heard"
    supply(bench, "5", "2026-11-27", status="cancelled")
    assert letters(bench)[-1] == ("delayed", "")


def test_a_channel_without_the_letter_of_delays_has_the_one_of_moves() -> None:
    rule = NotifyRule(frozenset({"promise_moved"}))
    bench = shop(takers={"notify": ("mail",)}, notify={"shop": rule})
    supply(bench, "5", "2026-11-20")
    order(bench, "1", 4, buyer={"email": "buyer@example.com"})
    supply(bench, "5", "2026-11-27")
    assert letters(bench) == [("promise_moved", "2026-11-27")]


def test_when_a_purchase_order_shrinks_the_last_in_the_queue_loses_the_date() -> None:
    bench = shop()
    supply(bench, "5", "2026-11-20")
    order(bench, "1", 3)
    order(bench, "2", 2)
    supply(bench, "4", "2026-11-20")
    assert (ordered(bench, "1"), ordered(bench, "2")) == ({"preordered": 3}, {"preordered": 1, "backordered": 1})
    supply(bench, "4", "2026-11-20", status="cancelled")
    assert (ordered(bench, "1"), ordered(bench, "2")) == ({"backordered": 3}, {"backordered": 2})
    consistent(bench)


def test_supply_that_is_stated_later_gives_dates_to_those_who_wait_first_come_first() -> None:
    bench = shop()
    order(bench, "1", 3)
    order(bench, "2", 3)
    assert ordered(bench, "1") == {"backordered": 3}
    supply(bench, "4", "2026-11-20")
    assert (ordered(bench, "1"), ordered(bench, "2")) == ({"preordered": 3}, {"preordered": 1, "backordered": 2})
    consistent(bench)


def test_goods_that_came_end_the_promise_even_where_the_receipt_is_told_before_the_count() -> None:
    bench = shop()
    supply(bench, "5", "2026-11-20")
    order(bench, "1", 4)
    supply(bench, "5", "2026-11-20", received="5", status="closed")
    assert dates(bench, "1") == {"2026-11-20": 4}
    count = {"location": "EAST", "as_of": "2026-11-02T10:00:00Z", "rows": [{"sku": "TEE", "quantity": "5"}]}
    bench.restate("stock", count, connection="wms-east")
    bench.run("allocate")
    assert (ordered(bench, "1"), dates(bench, "1")) == ({"released": 4}, {})
    (row,) = bench.store.rows("supply", {})
    assert (row["promised"], row["fulfilled"]) == (D(0), D(4))
    consistent(bench)


def test_what_a_cancelled_order_was_promised_goes_to_the_next() -> None:
    bench = shop()
    supply(bench, "3", "2026-11-20")
    order(bench, "1", 3)
    order(bench, "2", 2)
    bench.order(order_record(("L1", "TEE", 3), external_id="1", cancelled_at="2026-11-02T10:00:00Z"))
    assert dates(bench, "1") == {}
    bench.later(minutes=2)
    bench.run()
    assert ordered(bench, "2") == {"preordered": 2}
    consistent(bench)


def test_an_item_that_is_not_released_yet_waits_for_its_day_whatever_is_there() -> None:
    bench = shop()
    bench.store.apply(WriteSet([Update("stock", {"sku": "TEE"}, {"on_hand": D(9)})]))
    day = {"document": {"available_from": "2026-11-10T00:00:00Z"}}
    bench.store.apply(WriteSet([Update("items", {"sku": "TEE"}, day)]))
    order(bench, "1", 2)
    assert (ordered(bench, "1"), dates(bench, "1")) == ({"preordered": 2}, {"2026-11-10": 2})
    consistent(bench)
    bench.now = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
    bench.run("allocate")
    assert ordered(bench, "1") == {"released": 2}
    consistent(bench)


def test_what_waits_too_long_without_a_date_is_cancelled_and_the_channel_told() -> None:
    bench = shop(backorders=Backorders(auto_cancel_after=dt.timedelta(days=14)))
    supply(bench, "1", "2026-12-20")
    order(bench, "1", 3)
    bench.later(days=15)
    bench.run()
    assert ordered(bench, "1") == {"preordered": 1, "cancelled": 2}
    (pushed,) = bench.sent("push_cancellation")
    assert [line["quantity"] for line in pushed.record["lines"]] == ["2"]
    bench.rules = replace(bench.rules, backorders=Backorders())
    consistent(bench)
