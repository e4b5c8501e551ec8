"""What becomes of an order's record: captured, held, parked, without effects, cancelled before it came."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import DueTask, MappingHold, Verdict
from hub.oms import people
from hub.oms.ports import RoutingRule, Strategy
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
VERSION = "2026-11-02T09:0{}:00.000000Z"


def shop(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", 5)
    return bench


def holds(bench: Bench) -> list[tuple[str, str]]:
    return [(hold["rule"], hold["path"]) for hold in bench.store.rows("holds", {"released_at": None})]


@pytest.mark.parametrize(("field", "value"), [("currency", ""), ("external_id", "")])
def test_only_what_cannot_be_identified_is_parked(field: str, value: str) -> None:
    bench = shop()
    decision = bench.order(order_record(("L1", "TEE", 1), **{field: value}))
    assert (decision.verdict, decision.error_field) == (Verdict.PARKED, field)
    assert bench.store.rows("orders", {}) == []


def test_an_unknown_sku_holds_its_line_and_counts_as_demand() -> None:
    bench = shop()
    decision = bench.order(order_record(("L1", "TEE", 1), ("L2", "NEW", 2)))
    bench.run("allocate", "confirm")
    assert decision.held
    assert holds(bench) == [("unknown_sku", "lines.1.sku")]
    assert bench.lines() == {"L1": {"allocated": D(1)}, "L2": {"open": D(2)}}
    assert [row["sku"] for row in bench.store.rows("reservations", {"state": "unassigned"})] == ["NEW"]
    assert bench.effects == {}


def test_the_item_that_was_missing_releases_what_waited_for_it() -> None:
    bench = shop()
    bench.order(order_record(("L1", "NEW", 1)))
    bench.restate("items", {"external_id": "1", "sku": "NEW"})
    bench.run("release_holds", "allocate")
    assert holds(bench) == []
    assert bench.the_order()["status"] == "confirmed"
    assert bench.lines() == {"L1": {"backordered": D(1)}}


def test_unknown_skus_may_be_accepted() -> None:
    bench = shop(unknown_sku="accept")
    assert not bench.order(order_record(("L1", "NEW", 1))).held


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"payment_state": "pending"}, "payment", "payment_state"),
        ({"totals": {"total": "21.00"}}, "totals", "totals.total"),
        ({"ship_to": {"country": "US", "lines": ["1 A St"], "locality": "Albany"}}, "address", "ship_to.postal_code"),
    ],
)
def test_a_rule_that_fails_holds_the_order_and_lets_go_when_it_is_met(
    changes: dict[str, Any], rule: str, path: str
) -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 2), source_version=VERSION.format(1), **changes))
    bench.run("allocate")
    assert (rule, path) in holds(bench)
    assert bench.lines() == {"L1": {"open": D(2)}}
    bench.order(order_record(("L1", "TEE", 2), source_version=VERSION.format(2)))
    bench.run("allocate")
    assert holds(bench) == []
    assert bench.the_order()["status"] == "confirmed"


def test_a_country_without_postal_codes_needs_none() -> None:
    bench = shop()
    address = {"country": "HK", "lines": ["1 Example Road"], "locality": "Kowloon"}
    assert not bench.order(order_record(("L1", "TEE", 1), ship_to=address)).held


def test_a_mapping_hold_names_its_field_and_goes_with_a_newer_restate() -> None:
    bench = shop()
    record = order_record(("L1", "TEE", 1), source_version=VERSION.format(1))
    bench.order(record, holds=[MappingHold("payment_state", "table", "no such word: frobbed")])
    assert holds(bench) == [("mapping", "payment_state")]
    bench.order({**record, "source_version": VERSION.format(2)})
    assert holds(bench) == []


def test_what_a_person_released_is_not_held_for_the_same_cause_again() -> None:
    bench = shop()
    record = order_record(("L1", "TEE", 1), payment_state="pending", source_version=VERSION.format(1))
    bench.order(record)
    order_id = bench.the_order()["id"]
    decision = people.release_order(bench.store, bench.rules, bench.now, "act-1", order_id, "ann", "paid in cash")
    bench.store.apply(decision.writes)
    bench.order({**record, "source_version": VERSION.format(2), "note": "x"})
    bench.run("allocate")
    assert holds(bench) == []
    assert bench.the_order()["status"] == "confirmed"


def test_a_held_order_gives_its_reservation_back_after_a_while() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 1), ("L2", "NEW", 1)))
    bench.run("allocate")
    bench.later(minutes=61)
    bench.run("reservation_expiry")
    assert bench.lines()["L1"] == {"open": D(1)}
    assert bench.store.row("stock", {"sku": "TEE", "location": "east"})["soft"] == 0  # type: ignore[index]


def test_an_order_that_only_waits_for_its_grace_keeps_its_reservation() -> None:
    bench = Bench(rules(location("east"), channels={"shop": channel(grace_seconds=7200)}))
    bench.stock("TEE", "east", 1)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate")
    bench.later(minutes=61)
    bench.run("reservation_expiry")
    assert bench.lines()["L1"] == {"allocated": D(1)}


def test_an_order_held_whole_reserves_nothing_and_counts_as_demand() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 1), payment_state="pending"))
    bench.tasks["tk"] = DueTask("tk", "allocate", bench.the_order()["id"], {}, bench.now)
    bench.run("allocate")
    assert bench.lines()["L1"] == {"open": D(1)}
    (demand,) = bench.store.rows("reservations", {})
    assert (demand["state"], demand["quantity"], demand["location"]) == ("unassigned", 1, "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"test": True}, "test order"),
        ({"fulfilment_state": "fulfilled"}, "fulfilled already"),
        ({"placed_at": "2026-10-31T23:59:59Z"}, "placed before start_from"),
    ],
)
def test_some_orders_are_captured_without_effects(changes: dict[str, Any], why: str) -> None:
    start = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    bench = shop(channels={"shop": channel(start_from=start)})
    bench.order(order_record(("L1", "TEE", 1), **changes))
    bench.run()
    assert (bench.the_order()["effects"], bench.the_order()["document"]["no_effects"]) == ("none", why)
    assert bench.effects == {}
    assert bench.store.rows("reservations", {}) == []


def test_what_the_channel_fulfils_is_only_watched() -> None:
    record = order_record(("L1", "TEE", 1))
    record["lines"][0]["fulfilled_by"] = "channel"
    bench = shop()
    bench.order(record)
    bench.run()
    assert bench.the_order()["effects"] == "none"


def test_a_late_create_lands_cancelled() -> None:
    bench = shop()
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507", "executed": True})
    assert bench.the_order()["status"] == "cancelled"
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run()
    assert bench.lines() == {"L1": {"cancelled": D(2)}}
    assert (bench.the_order()["status"], bench.effects) == ("cancelled", {})


def test_an_id_that_is_used_again_for_another_order_is_parked() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 1), source_version=VERSION.format(1)))
    other = order_record(("L1", "TEE", 1), source_version=VERSION.format(2), placed_at="2026-11-02T10:00:00Z")
    decision = bench.order(other)
    assert (decision.verdict, decision.code) == (Verdict.PARKED, "identity_reused")
    assert bench.the_order()["version"] == 1


def test_digital_lines_end_where_they_begin_once_the_order_is_confirmed() -> None:
    record = order_record(("L1", "TEE", 1), ("L2", "GIFT", 1))
    record["lines"][1]["requires_shipping"] = False
    bench = shop()
    bench.order(record)
    bench.run("allocate")
    assert bench.lines() == {"L1": {"released": D(1)}, "L2": {"delivered": D(1)}}


def test_more_refunded_than_charged_is_applied_with_an_exception() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 1)))
    for key in ("r-1", "r-2"):
        refund = {"external_id": key, "fact_key": key, "order_external_id": "4507", "currency": "USD", "amount": "7"}
        bench.fact("refunds", refund)
    assert bench.raised() == ["refund_too_high"]
    assert [row["amount"] for row in bench.store.rows("money_moves", {})] == [D(7), D(7)]


def test_goods_that_came_back_are_not_cancelled_from_what_has_not_left() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 2), source_version=VERSION.format(1)))
    bench.run("allocate")
    bench.send()
    notice = {
        "fact_key": "s",
        "external_id": "s",
        "fulfilment_order": bench.sent("send_fulfilment_request")[0].record["fulfilment_order"],
        "packages": [{"package": "1", "lines": [{"line": bench.line_id("L1"), "quantity": "1"}]}],
    }
    bench.fact("shipments", notice, connection="wms-east")
    lines = [{"external_line_id": "L1", "quantity": "1", "restock": "return"}]
    bench.fact("refunds", {"external_id": "r", "fact_key": "r", "order_external_id": "4507", "lines": lines})
    restated = order_record(("L1", "TEE", 2), source_version=VERSION.format(2))
    restated["lines"][0]["current_quantity"] = "1"
    bench.order(restated)
    assert bench.lines() == {"L1": {"shipped": D(1), "released": D(1)}}
    assert bench.sent("cancel_fulfilment_request") == []


def test_a_held_order_stays_where_it_is_until_it_is_released() -> None:
    bench = Bench(rules(location("east"), channels={"shop": channel(grace_seconds=60)}))
    bench.stock("TEE", "east", 5)
    bench.order(order_record(("L1", "TEE", 1)))
    order_id = bench.the_order()["id"]
    held = people.hold_order(bench.store, bench.rules, bench.now, "act-1", order_id, "ann", "call first")
    bench.store.apply(held.writes)
    bench.later(seconds=60)
    bench.run("allocate", "confirm")
    assert (bench.the_order()["status"], bench.effects) == ("held", {})


def test_a_person_cancels_what_is_left() -> None:
    bench = shop()
    bench.order(order_record(("L1", "TEE", 1)))
    order_id = bench.the_order()["id"]
    cancelled = people.cancel_order(bench.store, bench.rules, bench.now, "act-1", order_id, "ann", "fraud")
    bench.store.apply(cancelled.writes)
    assert bench.the_order()["status"] == "cancelled"
    again = people.cancel_order(bench.store, bench.rules, bench.now, "act-2", order_id, "ann", "fraud")
    assert (again.verdict, again.code) == (Verdict.IGNORED, people.NOT_POSSIBLE)


def test_an_order_that_nobody_can_deliver_may_be_held_until_stock_comes() -> None:
    bench = shop(when_nothing="hold")
    bench.order(order_record(("L1", "TEE", 9)))
    bench.run("allocate")
    assert holds(bench) == [("no_stock", "lines")]
    assert bench.effects == {}
    count = {"location": "EAST", "as_of": "2026-11-02T09:30:00Z", "rows": [{"sku": "TEE", "quantity": "9"}]}
    bench.restate("stock", count, connection="wms-east")
    bench.run("allocate")
    assert holds(bench) == []
    assert bench.lines() == {"L1": {"released": D(9)}}


def test_what_nobody_can_deliver_may_be_cancelled() -> None:
    bench = shop(when_nothing="cancel")
    bench.order(order_record(("L1", "TEE", 9), source_version=VERSION.format(1)))
    bench.run("allocate")
    assert bench.lines() == {"L1": {"released": D(5), "cancelled": D(4)}}
    (posted,) = bench.sent("submit_order")
    assert posted.record["lines"][0]["quantity"] == "5"
    bench.order(order_record(("L1", "TEE", 9), source_version=VERSION.format(2), note="gift"))
    bench.run("allocate")
    assert bench.lines() == {"L1": {"released": D(5), "cancelled": D(4)}}


@pytest.mark.parametrize(
    ("when", "expected"),
    [("total.amount < `30`", "frugal"), ("country == 'DE'", "cheapest"), ("units > `1` && method == 'ship'", "frugal")],
)
def test_the_first_routing_rule_that_matches_chooses_the_strategy(when: str, expected: str) -> None:
    strategies = {"cheapest": Strategy("cheapest"), "frugal": Strategy("frugal", max_shipments=1)}
    bench = shop(strategies=strategies, routing=(RoutingRule("special", when, "frugal"),))
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    (decision,) = bench.store.rows("sourcing_decisions", {})
    rule = "special" if expected == "frugal" else "fallback"
    assert decision["document"]["rule"] == f"{rule}/{expected}"


def test_a_line_that_nobody_can_read_holds_the_order_and_takes_no_line_away() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.stock("CAP", "east", 10)
    bad = MappingHold("lines", "mapping", "not all of line_items can be read, element 2: quantity is missing")
    bench.order(order_record(("L1", "TEE", 1)), holds=[bad])
    bench.run()
    assert bench.the_order()["status"] == "held"
    assert bench.lines() == {"L1": {"open": D(1)}}
    whole = order_record(("L1", "TEE", 1), ("L2", "CAP", 2), source_version="2026-11-02T10:00:00.000000Z")
    bench.order(whole)
    bench.run()
    assert bench.lines() == {"L1": {"released": D(1)}, "L2": {"released": D(2)}}
    bench.order(order_record(("L1", "TEE", 1), source_version="2026-11-02T11:00:00.000000Z"), holds=[bad])
    bench.run()
    assert bench.lines() == {"L1": {"released": D(1)}, "L2": {"released": D(2)}}
    assert bench.sent("cancel_fulfilment_request") == []
    assert bench.the_order()["status"] == "held"
