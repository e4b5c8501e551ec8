"""Kits: sold as one line, kept, sourced and shipped as several, told to the channel as they were sold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.change import Addition, Edit, LineEdit
from hub.domain.decision import Verdict
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.change.changes import edit_order
from hub.oms.people import cancel_order
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, Row, channel, location, order_record, rules

D = Decimal
SET = {
    "external_id": "SET",
    "sku": "SET",
    "components": [{"sku": "TEE", "quantity": "2", "share": "3"}, {"sku": "CAP", "quantity": "1", "share": "1"}],
}


def bench_with(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), location("west", priority=2), **changes))
    bench.stock("TEE", "east", 20)
    bench.stock("CAP", "east", 20)
    bench.restate("items", SET, connection="erp")
    return bench


def sold(bench: Bench, quantity: int | str = 2, **changes: Any) -> None:
    bench.order(order_record(("L1", "SET", quantity), **changes))


def ship(bench: Bench, *parts: tuple[str, int], notice: str = "s-1", which: int = 0) -> None:
    work = bench.sent("send_fulfilment_request")[which].record
    by_sku = {line["sku"]: line["line"] for line in work["lines"]}
    lines = [{"line": by_sku[sku], "sku": sku, "quantity": str(units)} for sku, units in parts]
    package = {"package": notice, "tracking_number": f"T-{notice}", "lines": lines}
    record = {"fact_key": notice, "external_id": notice, "fulfilment_order": work["fulfilment_order"]}
    bench.fact("shipments", {**record, "packages": [package]}, connection="wms-east")


def buckets(bench: Bench) -> dict[str, Row]:
    return {row["sku"]: row for row in bench.store.rows("order_lines", {})}


def where(bench: Bench) -> dict[str, dict[str, D]]:
    names = {row["external_line_id"]: row["sku"] for row in bench.store.rows("order_lines", {})}
    return {names[line]: held for line, held in bench.lines().items()}


def test_a_kit_is_sourced_as_its_components_and_posted_as_it_was_sold() -> None:
    bench = bench_with()
    sold(bench)
    bench.run()
    assert where(bench) == {"SET": {"open": D(2)}, "TEE": {"released": D(4)}, "CAP": {"released": D(2)}}
    (work,) = bench.sent("send_fulfilment_request")
    assert {line["sku"]: line["quantity"] for line in work.record["lines"]} == {"TEE": "4", "CAP": "2"}
    (posted,) = bench.sent("submit_order")
    assert [(line["sku"], line["quantity"]) for line in posted.record["lines"]] == [("SET", "2")]


def test_the_price_is_shared_by_weight_and_invoices_add_up() -> None:
    bench = bench_with()
    bench.order(
        order_record(
            ("L1", "SET", 2),
            lines=[{"external_line_id": "L1", "sku": "SET", "quantity": "2", "unit_price": "9.99"}],
            totals={"total": "19.98"},
        )
    )
    bench.run()
    rows = buckets(bench)
    assert (rows["TEE"]["document"]["details"]["total"], rows["CAP"]["document"]["details"]["total"]) == (
        "14.99",
        "4.99",
    )
    ship(bench, ("TEE", 3), notice="s-1")
    ship(bench, ("TEE", 1), ("CAP", 2), notice="s-2")
    amounts = [D(effect.record["amount"]) for effect in bench.sent("post_invoice")]
    assert sum(amounts) == D("19.98")
    assert bench.the_order()["status"] == "closed"


def test_a_kit_in_one_parcel_is_charged_the_whole_shipping() -> None:
    bench = bench_with()
    sold(bench, 1, totals={"lines": "10", "shipping": "4.90", "total": "14.90"})
    bench.run()
    ship(bench, ("TEE", 2), ("CAP", 1))
    assert [effect.record["amount"] for effect in bench.sent("post_invoice")] == ["14.9"]


def test_the_channel_is_told_of_whole_kits_with_the_package_that_completes_them() -> None:
    bench = bench_with()
    sold(bench)
    bench.run()
    ship(bench, ("TEE", 4), notice="s-1")
    assert bench.sent("push_shipment") == []
    assert where(bench)["SET"] == {"open": D(2)}
    ship(bench, ("CAP", 1), notice="s-2")
    ship(bench, ("CAP", 1), notice="s-3")
    told = [
        (one.record["lines"][0]["external_line_id"], one.record["lines"][0]["quantity"], one.record["package"])
        for one in bench.sent("push_shipment")
    ]
    assert told == [("L1", "1", "s-2"), ("L1", "1", "s-3")]
    assert where(bench)["SET"] == {"shipped": D(2)}
    assert bench.the_order()["status"] == "closed"


def test_cancelling_kits_cancels_their_components() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    sold(bench, 3)
    bench.run("allocate")
    record = {"fact_key": "c-1", "order_external_id": "4507", "lines": [{"external_line_id": "L1", "quantity": "1"}]}
    bench.fact("cancel_requests", {**record, "executed": True})
    assert where(bench) == {
        "SET": {"open": D(2), "cancelled": D(1)},
        "TEE": {"allocated": D(4), "cancelled": D(2)},
        "CAP": {"allocated": D(2), "cancelled": D(1)},
    }
    bench._commit(cancel_order(bench.store, bench.rules, bench.now, "ac_1", bench.the_order()["id"], "jo", "gone"))
    assert bench.the_order()["status"] == "cancelled"
    assert where(bench)["SET"] == {"cancelled": D(3)}


def test_a_kit_of_which_one_component_is_cancelled_ends_when_the_rest_has_left() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    sold(bench, 1)
    bench.run("allocate")
    order = bench.the_order()["id"]
    wanted = Edit(lines=[LineEdit("CAP", D(0))])
    bench._commit(edit_order(bench.store, bench.rules, bench.now, "ac_1", order, "jo", "no cap", wanted))
    change = bench.store.rows("changes", {})[0]
    assert (change["state"], change["price_effect"]) == ("accepted", D("-2.5"))
    bench.later(minutes=11)
    bench.run()
    ship(bench, ("TEE", 2))
    assert where(bench) == {"SET": {"shipped": D(1)}, "TEE": {"shipped": D(2)}, "CAP": {"cancelled": D(1)}}
    assert bench.the_order()["status"] == "closed"
    assert len(bench.sent("push_shipment")) == 1


def test_an_edit_of_a_kit_after_release_waits_for_its_components() -> None:
    bench = bench_with()
    sold(bench, 2)
    bench.run()
    bench.send()
    order = bench.the_order()["id"]
    wanted = Edit(lines=[LineEdit("1", D(1))])
    bench._commit(edit_order(bench.store, bench.rules, bench.now, "ac_1", order, "jo", "one is enough", wanted))
    assert bench.store.rows("changes", {})[0]["state"] == "requested"
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert {line["sku"]: line["quantity"] for line in asked.record["lines"]} == {"TEE": "2", "CAP": "1"}
    said = {"fulfilment_order": asked.record["fulfilment_order"], "cancel_request": asked.record["cancel_request"]}
    bench.fact("fulfilment_responses", {"fact_key": "a", "status": "cancel_accepted", **said}, connection="wms-east")
    change = bench.store.rows("changes", {})[0]
    assert (change["state"], change["price_effect"]) == ("accepted", D(-10))
    assert where(bench)["SET"] == {"open": D(1), "cancelled": D(1)}


def test_a_channel_that_ships_a_kit_by_hand_ships_its_components() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    sold(bench, 1)
    bench.run("allocate")
    package = {"package": "1", "lines": [{"external_line_id": "L1", "quantity": "1"}]}
    bench.fact("shipments", {"fact_key": "h", "external_id": "h", "order_external_id": "4507", "packages": [package]})
    assert where(bench) == {"SET": {"shipped": D(1)}, "TEE": {"shipped": D(2)}, "CAP": {"shipped": D(1)}}


def test_a_kit_that_becomes_known_later_is_taken_apart_then() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 20)
    bench.stock("CAP", "east", 20)
    sold(bench)
    assert bench.the_order()["status"] == "held"
    bench.restate("items", SET, connection="erp")
    bench.run()
    assert where(bench)["TEE"] == {"released": D(4)}


def test_an_order_keeps_what_its_kits_were_made_of_when_it_was_captured() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    sold(bench)
    bench.restate("items", {**SET, "components": [{"sku": "CAP", "quantity": "1"}]}, connection="erp")
    sold(bench, 3, source_version="2026-11-02T09:05:00.000000Z")
    bench.run("allocate")
    assert where(bench) == {"SET": {"open": D(3)}, "TEE": {"allocated": D(6)}, "CAP": {"allocated": D(3)}}


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ([{"sku": "SET2", "quantity": "1"}], "never a kit itself: SET2"),
        ([{"sku": "BAD", "quantity": "1"}], "never a kit itself: BAD"),
        ([{"sku": "TEE", "quantity": "0"}], "more than nothing"),
        ([{"sku": "TEE", "quantity": "1"}, {"sku": "TEE", "quantity": "2"}], "named twice"),
        ([{"sku": "TEE", "quantity": "1", "share": "1"}, {"sku": "CAP", "quantity": "2"}], "or none has"),
    ],
)
def test_what_makes_no_kit_is_refused_with_words(components: list[Row], words: str) -> None:
    bench = bench_with()
    bench.restate("items", {"external_id": "SET2", "sku": "SET2", "components": SET["components"]}, connection="erp")
    decision = bench.restate("items", {"external_id": "BAD", "sku": "BAD", "components": components}, connection="erp")
    assert decision.verdict is Verdict.PARKED
    assert words in decision.message


def test_a_kit_that_its_location_has_is_asked_back_by_its_components() -> None:
    bench = bench_with()
    sold(bench, 3)
    bench.run()
    bench.send()
    order = bench.the_order()["id"]
    given = (bench.store, bench.rules, bench.now, "ac_1", order, "jo", "one less")
    decision, (answer,) = cancel_lines(*given, [("SET", D(1))])
    bench._commit(decision)
    assert answer.words == "line 1 (SET): 1 asked of its location"
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert {line["sku"]: line["quantity"] for line in asked.record["lines"]} == {"TEE": "2", "CAP": "1"}


def test_a_component_is_not_cancelled_alone_and_a_whole_order_is_answered_as_it_was_sold() -> None:
    bench = bench_with()
    sold(bench, 3)
    bench.run("allocate")
    order = bench.the_order()["id"]
    given = (bench.store, bench.rules, bench.now, "ac_1", order, "jo", "none")
    refused, _ = cancel_lines(*given, [("TEE", D(1))])
    assert (refused.code, "part of a kit" in refused.message) == ("not_possible", True)
    _, answers = cancel_lines(*given)
    assert [answer.words for answer in answers] == ["line 1 (SET): 3 cancelled"]


def test_the_number_of_a_kits_line_means_the_kit_and_none_of_its_components() -> None:
    bench = bench_with()
    sold(bench, 3)
    bench.run("allocate")
    given = (bench.store, bench.rules, bench.now, "ac_1", bench.the_order()["id"], "jo", "one less")
    _, answers = cancel_lines(*given, [("1", D(1))])
    assert [answer.words for answer in answers] == ["line 1 (SET): 1 asked of its location"]
    back = returning("20")
    asked(back, "1", "1")
    claimed = {row["sku"]: row["claimed"] for row in back.store.rows("return_lines", {})}
    assert claimed == {"TEE": D(2), "CAP": D(1)}


def test_where_the_policy_asks_nobody_kits_with_a_location_go_on() -> None:
    bench = bench_with(cancel_after_release="refuse")
    sold(bench, 12)
    bench.run()
    bench.send()
    order = bench.the_order()["id"]
    given = (bench.store, bench.rules, bench.now, "ac_1", order, "jo", "none")
    _, (answer,) = cancel_lines(*given)
    assert answer.words == "line 1 (SET): 12 with its location, which is not asked"
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": False})
    assert not bench.sent("cancel_fulfilment_request"), "nobody is asked"


def test_a_component_never_becomes_a_kit_itself_whichever_was_told_first() -> None:
    bench = bench_with()
    inner = {"external_id": "TEE", "sku": "TEE", "components": [{"sku": "YARN", "quantity": "1"}]}
    refused = bench.restate("items", inner, connection="erp")
    assert (refused.verdict, refused.code) == (Verdict.PARKED, "kit")
    assert "component of SET" in refused.message
    bench.restate("items", {**SET, "components": [{"sku": "CAP", "quantity": "1"}]}, connection="erp")
    assert bench.restate("items", inner, connection="erp").verdict is Verdict.APPLIED


def returning(amount: str = "20") -> Bench:
    """Three kits of two TEE and a CAP each, sold for an amount in all, that have left; a shop and an ERP that hear."""
    takers = dict.fromkeys(("submit_order", "post_invoice", "post_credit_note", "post_goods_movement"), ("erp",))
    told = channel(capabilities=frozenset({"push_shipment", "push_refund", "push_return"}))
    east = location("east", can=frozenset({"ship", "receive_returns"}))
    bench = Bench(rules(east, channels={"shop": told}, takers=takers))
    bench.stock("TEE", "east", 20)
    bench.stock("CAP", "east", 20)
    bench.restate("items", SET, connection="erp")
    totals = {"lines": amount, "shipping": "4", "total": str(D(amount) + 4)}
    line = {"external_line_id": "L1", "sku": "SET", "quantity": "3", "total": amount}
    bench.order(order_record(("L1", "SET", 3), totals=totals, lines=[line]))
    bench.run()
    ship(bench, ("TEE", 6), ("CAP", 3))
    return bench


def asked(bench: Bench, line: str, quantity: str) -> str:
    lines = [{"line": line, "quantity": quantity}]
    order, cause = bench.the_order()["id"], f"ac_{len(bench.decisions)}"
    made = return_desk.request(bench.store, bench.rules, bench.now, cause, order, "api", lines, "unwanted")
    bench.commit(made)
    return made.message


def arrived(bench: Bench, key: str, *lines: Row) -> None:
    (*_, one) = bench.store.rows("returns", {}, order_by=("created_at", "number"))
    record = {"fact_key": key, "status": "received", "location": "EAST", "return": one["id"], "lines": list(lines)}
    bench.fact("returns", record, connection="wms-east")


def test_a_kit_comes_back_by_its_own_line_as_all_of_its_components_and_is_paid_back_to_the_cent() -> None:
    bench = returning("20")
    asked(bench, "L1", "1")
    claimed = {row["sku"]: row["claimed"] for row in bench.store.rows("return_lines", {})}
    assert claimed == {"TEE": D(2), "CAP": D(1)}
    arrived(bench, "r-1", {"sku": "SET", "quantity": "1", "grade": "A"})
    on_hand = {row["sku"]: row["on_hand"] for row in bench.store.rows("stock", {})}
    assert on_hand == {"TEE": D(16), "CAP": D(18)}
    (refund,) = bench.sent("push_refund")
    assert [(line["external_line_id"], line["quantity"]) for line in refund.record["lines"]] == [("L1", "1")]
    assert [line["external_line_id"] for line in bench.sent("push_return")[0].record["lines"]] == ["L1"]
    asked(bench, "L1", "2")
    arrived(bench, "r-2", {"sku": "SET", "quantity": "2", "grade": "A"})
    assert sum(D(one.record["amount"]) for one in bench.sent("push_refund")) == D(24), "with its shipping"
    assert sum(D(one.record["amount"]) for one in bench.sent("post_credit_note")) == D(24)
    assert "0 can come back" in asked(bench, "L1", "1")


def test_a_component_may_come_back_alone_at_its_part_and_no_kit_of_it_after() -> None:
    bench = returning("20")
    named = next(row["id"] for row in bench.store.rows("order_lines", {}) if row["sku"] == "CAP")
    asked(bench, named, "1")
    arrived(bench, "r-1", {"sku": "CAP", "quantity": "1", "grade": "A"})
    (refund,) = bench.sent("push_refund")
    assert (refund.record["amount"], refund.record.get("lines")) == ("1.67", []), "a quarter of a third of 20"
    assert "3 of CAP asked for, 2 can come back" in asked(bench, "L1", "3")
    assert "name whole ones" in asked(bench, "L1", "0.5")
    asked(bench, "L1", "2")
    arrived(bench, "r-2")
    lines = [{"line": named, "quantity": "1", "disposition": "scrap"}]
    (_, one) = bench.store.rows("returns", {}, order_by=("number",))
    kits = [{"line": "L1", "quantity": "2", "disposition": "restock"}]
    done = return_desk.inspect_return(bench.store, bench.rules, bench.now, "ac_x", one["id"], "ada", kits)
    bench.commit(done)
    again = return_desk.inspect_return(bench.store, bench.rules, bench.now, "ac_y", one["id"], "ada", lines)
    assert "there is nothing to be inspected" in again.message
    # Of the first kit its two TEE stay: three quarters of its third.
    assert sum(D(one.record["amount"]) for one in bench.sent("push_refund")) == D("15.00")


def test_a_shop_that_wants_fewer_kits_for_those_that_came_back_cancels_nothing() -> None:
    bench = returning("30")
    asked(bench, "L1", "1")
    arrived(bench, "r-1", {"sku": "SET", "quantity": "1", "grade": "A"})
    line = {"external_line_id": "L1", "sku": "SET", "quantity": "3", "current_quantity": "2", "total": "30"}
    totals = {"lines": "30", "shipping": "4", "total": "34", "current_total": "24"}
    bench.order(order_record(("L1", "SET", 3), source_version="2026-11-09T09:00:00Z", totals=totals, lines=[line]))
    bench.run()
    assert where(bench) == {"SET": {"shipped": D(3)}, "TEE": {"shipped": D(6)}, "CAP": {"shipped": D(3)}}
    assert bench.raised() == []
    assert sum(D(note.record["amount"]) for note in bench.sent("post_credit_note")) == D(10)


def collected(**pickup: Any) -> Bench:
    """A kit is to be collected at a store, stands ready there, and its channel listens."""
    takes = channel(
        capabilities=frozenset({"push_order_status", "push_cancellation", "push_refund"}), location_map={"S-1": "store"}
    )
    store = location("store", type="store", can=frozenset({"pickup"}))
    bench = Bench(rules(location("east"), store, channels={"shop": takes}, **pickup))
    for sku in ("TEE", "CAP"):
        bench.stock(sku, "store", 20)
    bench.restate("items", SET, connection="erp")
    sold(bench, method="pickup", pickup_location="S-1")
    bench.run("allocate", "confirm")
    return bench


def says(bench: Bench, status: str, **said: Any) -> None:
    (work,) = bench.store.rows("fulfilment_orders", {})
    record = {"fact_key": f"{status}-{len(bench.decisions)}", "fulfilment_order": work["id"], "status": status, **said}
    bench.fact("fulfilment_responses", record, connection="wms-store")


def test_a_kit_that_nobody_collects_is_cancelled_with_its_components_and_stays_so() -> None:
    bench = collected()
    says(bench, "ready_for_pickup")
    says(bench, "not_collected")
    assert where(bench) == {"SET": {"cancelled": D(2)}, "TEE": {"cancelled": D(4)}, "CAP": {"cancelled": D(2)}}
    assert bench.the_order()["status"] == "cancelled"
    (told,) = bench.sent("push_cancellation")
    assert told.record["whole"] is True
    assert [(line["external_line_id"], line["quantity"]) for line in told.record["lines"]] == [("L1", "2")]
    bench.later(days=1)
    bench.run()
    assert len(bench.sent("push_cancellation")) == 1, "it is told once"


def test_of_a_kit_that_stands_ready_its_channel_is_told_by_the_line_that_it_knows() -> None:
    bench = collected()
    says(bench, "ready_for_pickup")
    (told,) = bench.sent("push_order_status")
    assert [(line["external_line_id"], line["quantity"]) for line in told.record["lines"]] == [("L1", "2")]


def test_a_component_that_nobody_collects_leaves_its_kit_wanting_until_the_rest_is_given_up_too() -> None:
    bench = collected()
    says(bench, "ready_for_pickup")
    (cap,) = [row["id"] for row in bench.store.rows("order_lines", {"sku": "CAP"})]
    says(bench, "not_collected", lines=[{"line": cap, "quantity": "1"}])
    assert where(bench)["CAP"] == {"cancelled": D(1), "ready_for_pickup": D(1)}
    assert where(bench)["SET"] == {"open": D(2)}
    assert bench.sent("push_cancellation") == []
    says(bench, "not_collected")
    assert where(bench) == {"SET": {"cancelled": D(2)}, "TEE": {"cancelled": D(4)}, "CAP": {"cancelled": D(2)}}
    (told,) = bench.sent("push_cancellation")
    assert [(line["external_line_id"], line["quantity"]) for line in told.record["lines"]] == [("L1", "2")]


def test_a_kit_cancelled_after_a_part_of_it_was_given_up_is_cancelled_once() -> None:
    bench = collected()
    says(bench, "ready_for_pickup")
    tee, cap = (bench.store.rows("order_lines", {"sku": sku})[0]["id"] for sku in ("TEE", "CAP"))
    one = [{"line": tee, "quantity": "2"}, {"line": cap, "quantity": "1"}]
    says(bench, "not_collected", lines=one)
    assert where(bench)["SET"] == {"open": D(1), "cancelled": D(1)}
    bench.order(order_record(("L1", "SET", 1), source_version="2026-11-02T10:00:00.000000Z"))
    assert where(bench)["SET"] == {"open": D(1), "cancelled": D(1)}, "the channel counts the same kit"
    assert where(bench)["TEE"] == {"cancelled": D(2), "ready_for_pickup": D(2)}


@pytest.mark.parametrize("grace", [0, 600])
def test_a_kit_that_a_person_adds_is_sourced_as_its_components(grace: int) -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=grace)})
    bench.order(order_record(("L1", "CAP", 1)))
    bench.run()
    bench.act(edit_order, "ann", "they called", Edit(additions=[Addition("SET", D(2), D("9.99"))]))
    bench.run()
    bench.later(seconds=grace)
    bench.run()
    held = {row["sku"]: row["released"] for row in bench.store.rows("order_lines", {}) if row["released"]}
    assert [row["released"] for row in bench.store.rows("order_lines", {"sku": "TEE"})] == [D(4)]
    assert sum(row["released"] for row in bench.store.rows("order_lines", {"sku": "CAP"})) == D(3)
    assert "SET" not in held
    (change,) = bench.store.rows("changes", {})
    assert (change["state"], change["price_effect"]) == ("accepted", D("19.98"))


def test_a_kit_whose_last_component_is_given_up_after_the_others_were_lost_was_sent_and_not_collected() -> None:
    bench = bench_with(follows_packages=True)
    sold(bench, 1)
    bench.run()
    ship(bench, ("TEE", 2))
    lost = {"fact_key": "t-1", "tracking_number": "T-s-1", "status": "lost", "occurred_at": bench.now.isoformat()}
    bench.fact("tracking", lost, connection="carrier")
    assert where(bench)["TEE"] == {"lost": D(2)}
    (cap,) = [row["id"] for row in bench.store.rows("order_lines", {"sku": "CAP"})]
    (work,) = bench.store.rows("fulfilment_orders", {})
    told = {"fact_key": "w-1", "fulfilment_order": work["id"], "status": "not_collected"}
    bench.fact("fulfilment_responses", {**told, "lines": [{"line": cap, "quantity": "1"}]}, connection="wms-east")
    assert where(bench)["CAP"] == {"cancelled": D(1)}
    assert where(bench)["SET"] == {"shipped": D(1)}
