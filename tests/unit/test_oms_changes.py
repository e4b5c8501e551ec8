"""Change sets: what is edited before and after an order is confirmed, here and at its channel."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.change import CHANGE_MEANINGS, CHANGE_MOVES, Addition, ChangeState, Edit, LineEdit, price_effect
from hub.domain.decision import Decision, Verdict
from hub.oms.change.changes import edit_order
from tests.property.memory_store import Bench, Row, channel, location, order_record, rules

D = Decimal
PUSHES = frozenset({"push_shipment", "push_cancellation", "push_refund"})
GRACE = {"shop": channel(grace_seconds=1800, capabilities=PUSHES)}


def bench_with(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", 10)
    bench.stock("CAP", "east", 10)
    return bench


def in_grace() -> Bench:
    bench = bench_with(channels=GRACE)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    assert bench.the_order()["status"] == "received"
    return bench


def released() -> Bench:
    bench = bench_with(channels={"shop": channel(capabilities=PUSHES)})
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate", "confirm")
    bench.send()
    return bench


def edit(bench: Bench, *lines: tuple[str, int], cause: str = "ac_1", **changes: Any) -> Decision:
    wanted = Edit(lines=[LineEdit(line, D(units)) for line, units in lines], **changes)
    decision = edit_order(
        bench.store, bench.rules, bench.now, cause, bench.the_order()["id"], "jo", "the buyer called", wanted
    )
    bench._commit(decision)
    return decision


def the_change(bench: Bench) -> Row:
    return bench.store.rows("changes", {}, order_by=("at",))[-1]


def answer(bench: Bench, status: str) -> None:
    asked = bench.sent("cancel_fulfilment_request")[-1]
    report = {
        "fact_key": f"a-{asked.record['cancel_request']}",
        "fulfilment_order": asked.record["fulfilment_order"],
        "cancel_request": asked.record["cancel_request"],
        "status": status,
    }
    bench.fact("fulfilment_responses", report, connection="wms-east")


def test_in_grace_a_quantity_is_simply_changed() -> None:
    bench = in_grace()
    edit(bench, ("1", 3))
    bench.run("allocate")
    assert bench.lines() == {"L1": {"allocated": D(3)}}
    row = the_change(bench)
    assert (row["state"], row["price_effect"], row["beside_total"], row["asked_by"]) == ("accepted", D(10), D(10), "jo")
    assert row["delta"]["lines"][0] | {"line": ""} == {"line": "", "sku": "TEE", "from": "2", "to": "3"}
    bench.later(minutes=31)
    bench.run("confirm")
    (posted,) = bench.sent("submit_order")
    assert posted.record["lines"][0]["quantity"] == "3"
    assert posted.record["totals"] == {"total": "30", "current_total": "30"}


def test_in_grace_a_smaller_quantity_frees_stock_at_once() -> None:
    bench = in_grace()
    edit(bench, ("L1", 1))
    bench.run("allocate")
    assert bench.lines() == {"L1": {"allocated": D(1), "cancelled": D(1)}}
    stock = bench.store.row("stock", {"sku": "TEE", "location": "east"})
    assert stock is not None
    assert stock["soft"] == D(1)
    assert the_change(bench)["price_effect"] == D(-10)


def test_a_line_can_be_added_and_its_channel_is_not_told_of_it() -> None:
    bench = in_grace()
    edit(bench, additions=[Addition("CAP", D(1), D("7.50"))])
    bench.later(minutes=31)
    bench.run("allocate", "confirm")
    assert [sorted(buckets) for buckets in bench.lines().values()] == [["released"], ["released"]]
    assert the_change(bench)["price_effect"] == D("7.50")
    (work,) = bench.sent("send_fulfilment_request")
    assert [line["sku"] for line in work.record["lines"]] == ["TEE", "CAP"]
    parts = [{"line": line["line"], "quantity": line["quantity"]} for line in work.record["lines"]]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work.record["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": parts}]}, connection="wms-east")
    (pushed,) = bench.sent("push_shipment")
    assert [line["sku"] for line in pushed.record["lines"]] == ["TEE"]
    (invoice,) = bench.sent("post_invoice")
    assert invoice.record["amount"] == "27.5"
    assert bench.the_order()["status"] == "closed"


def test_an_unknown_sku_that_is_added_holds_its_line_and_the_answer_says_so() -> None:
    bench = in_grace()
    decision = edit(bench, additions=[Addition("NEW", D(1), D(1))])
    assert [hold["rule"] for hold in bench.store.rows("holds", {})] == ["unknown_sku"]
    assert ". The order is held now and nothing more of it is sent: unknown_sku: " in decision.message
    assert "held" not in edit(bench, ("1", 3), cause="ac_2").message, "it was held before"


def test_an_address_that_is_mended_here_releases_its_hold_and_stays_mended() -> None:
    bench = bench_with()
    record = order_record(("L1", "TEE", 1))
    del record["ship_to"]["postal_code"]
    bench.order(record)
    assert bench.the_order()["status"] == "held"
    edit(bench, ship_to={"postal_code": "12207"})
    bench.run("allocate", "confirm")
    (work,) = bench.sent("send_fulfilment_request")
    assert work.record["ship_to"]["postal_code"] == "12207"
    assert the_change(bench)["request"] == {"ship_to": ["postal_code"]}
    bench.order({**record, "source_version": "2026-11-02T09:05:00.000000Z", "note": "gift"})
    assert bench.the_order()["status"] == "confirmed"
    contact = bench.store.row("contacts", {"order_id": bench.the_order()["id"], "role": "ship_to"})
    assert contact is not None
    assert contact["data"]["postal_code"] == "12207"


def test_after_release_less_is_asked_of_the_location_and_its_word_decides() -> None:
    bench = released()
    decision = edit(bench, ("1", 1))
    assert "requested" in decision.message
    assert the_change(bench)["state"] == "requested"
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert asked.record["lines"][0]["quantity"] == "1"
    answer(bench, "cancel_accepted")
    assert bench.lines() == {"L1": {"released": D(1), "cancelled": D(1)}}
    row = the_change(bench)
    assert (row["state"], row["price_effect"]) == ("accepted", D(-10))
    (updated,) = bench.sent("update_order")
    assert updated.record["lines"][0]["quantity"] == "1"


def test_a_location_that_refuses_declines_the_change() -> None:
    bench = released()
    edit(bench, ("1", 1))
    answer(bench, "cancel_refused")
    row = the_change(bench)
    assert (row["state"], row["price_effect"], row["why"]) == (
        "declined",
        D(0),
        "1 of line 1 cannot be taken back any more",
    )
    assert bench.lines() == {"L1": {"released": D(2)}}
    assert "changes_open" not in bench.the_order()["document"]


def test_after_release_more_becomes_work_of_its_own() -> None:
    bench = released()
    edit(bench, ("1", 5))
    bench.run("allocate")
    assert [work.record["lines"][0]["quantity"] for work in bench.sent("send_fulfilment_request")] == ["2", "3"]
    assert the_change(bench)["state"] == "accepted"


def test_after_release_an_address_waits_for_the_goods_to_come_back() -> None:
    bench = released()
    edit(bench, ship_to={"lines": ["2 Other Street"]})
    assert the_change(bench)["state"] == "requested"
    answer(bench, "cancel_accepted")
    bench.run("allocate")
    assert the_change(bench)["state"] == "accepted"
    first, second = bench.sent("send_fulfilment_request")
    assert first.record["ship_to"]["lines"] == ["1 Example Street"]
    assert second.record["ship_to"]["lines"] == ["2 Other Street"]
    assert bench.lines() == {"L1": {"released": D(2)}}
    (updated,) = bench.sent("update_order")
    assert updated.record["ship_to"]["lines"] == ["2 Other Street"]


def test_an_address_that_comes_too_late_leaves_everything_as_it_was() -> None:
    bench = released()
    edit(bench, ship_to={"lines": ["2 Other Street"]})
    answer(bench, "cancel_refused")
    row = the_change(bench)
    assert (row["state"], row["why"]) == ("declined", "2 units go to the address as it was")
    contact = bench.store.row("contacts", {"order_id": bench.the_order()["id"], "role": "ship_to"})
    assert contact is not None
    assert contact["data"]["lines"] == ["1 Example Street"]


def test_a_cancellation_while_the_address_is_asked_for_is_not_too_late() -> None:
    bench = released()
    edit(bench, ship_to={"lines": ["2 Other Street"]})
    edit(bench, ("1", 1), cause="ac_2")
    answer(bench, "cancel_accepted")
    bench.run("allocate")
    assert bench.lines() == {"L1": {"released": D(1), "cancelled": D(1)}}
    assert "cancel_too_late" not in bench.raised()
    assert [row["state"] for row in bench.store.rows("changes", {})] == ["accepted", "accepted"]


def test_a_channel_that_goes_on_stating_what_it_stated_reverts_nothing() -> None:
    bench = in_grace()
    edit(bench, ("1", 1))
    bench.order(order_record(("L1", "TEE", 2), source_version="2026-11-02T09:05:00.000000Z", note="gift"))
    bench.run("allocate")
    assert bench.lines()["L1"]["allocated"] == D(1)
    assert bench.raised() == []


def test_a_channel_that_states_a_third_quantity_makes_a_conflict_with_both_values() -> None:
    bench = in_grace()
    edit(bench, ("1", 1))
    bench.order(order_record(("L1", "TEE", 3), source_version="2026-11-02T09:05:00.000000Z"))
    bench.run("allocate")
    (raised,) = bench.exceptions
    assert (raised.kind, raised.detail) == ("conflicting_edit", "line 1 (TEE): 1 here by jo, 3 at shop.")
    assert bench.lines()["L1"]["allocated"] == D(1)
    edit(bench, as_channel=True, cause="ac_2")
    bench.run("allocate")
    assert bench.lines() == {"L1": {"allocated": D(3)}}
    assert bench.decisions[-2].clears or any(decision.clears for decision in bench.decisions)
    assert sum(row["beside_total"] for row in bench.store.rows("changes", {})) == 0


def test_a_conflict_about_an_address_tells_no_address() -> None:
    bench = in_grace()
    edit(bench, ship_to={"lines": ["2 Other Street"]})
    record = order_record(("L1", "TEE", 2), source_version="2026-11-02T09:05:00.000000Z")
    record["ship_to"] = {**record["ship_to"], "lines": ["3 Third Street"], "admin_area_code": "NJ"}
    bench.order(record)
    (raised,) = bench.exceptions
    assert raised.detail == "address: admin_area_code NY here, NJ at shop; lines as the contacts have them."
    edit(bench, as_channel=True, cause="ac_2")
    contact = bench.store.row("contacts", {"order_id": bench.the_order()["id"], "role": "ship_to"})
    assert contact is not None
    assert contact["data"]["lines"] == ["3 Third Street"]


def test_a_channel_that_makes_the_same_change_takes_it_over() -> None:
    bench = in_grace()
    edit(bench, ("1", 1))
    bench.order(order_record(("L1", "TEE", 1), source_version="2026-11-02T09:05:00.000000Z"))
    assert "edits" not in bench.the_order()["document"]
    assert [row["beside_total"] for row in bench.store.rows("changes", {})] == [D(0), D(0)]
    bench.order(order_record(("L1", "TEE", 2), source_version="2026-11-02T09:06:00.000000Z"))
    bench.run("allocate")
    assert bench.lines()["L1"]["allocated"] == D(2)
    assert bench.raised() == []


def test_a_restate_in_grace_is_kept_as_an_accepted_change_of_the_channel() -> None:
    bench = in_grace()
    bench.order(order_record(("L1", "TEE", 3), source_version="2026-11-02T09:05:00.000000Z"))
    row = the_change(bench)
    assert (row["asked_by"], row["state"], row["price_effect"], row["beside_total"]) == (
        "shop",
        "accepted",
        D(10),
        D(0),
    )


def test_a_restate_after_release_is_asked_for_and_waits_like_any_other_change() -> None:
    bench = released()
    bench.order(order_record(("L1", "TEE", 1), source_version="2026-11-02T09:05:00.000000Z"))
    assert the_change(bench)["state"] == "requested"
    answer(bench, "cancel_accepted")
    assert the_change(bench)["state"] == "accepted"


def test_an_address_restated_after_release_takes_the_work_back() -> None:
    bench = released()
    record = order_record(("L1", "TEE", 2), source_version="2026-11-02T09:05:00.000000Z")
    record["ship_to"] = {**record["ship_to"], "lines": ["2 Other Street"]}
    bench.order(record)
    assert bench.raised() == ["address_changed"]
    answer(bench, "cancel_accepted")
    bench.run("allocate")
    assert bench.sent("send_fulfilment_request")[-1].record["ship_to"]["lines"] == ["2 Other Street"]
    assert the_change(bench)["state"] == "accepted"
    assert any(clear.cause_key.startswith("address-changed/") for clear in bench.decisions[-2].clears)


def tell(bench: Bench, key: str = "860-1", **said: Any) -> Decision | None:
    return bench.fact("order_changes", {"fact_key": key, "order_external_id": "4507", **said})


def test_a_change_that_the_channel_tells_is_made_in_grace_and_told_to_nobody_again() -> None:
    bench = in_grace()
    more = {"external_line_id": "L2", "sku": "CAP", "quantity": "1", "unit_price": "7.50"}
    tell(bench, lines=[{"external_line_id": "L1", "quantity": "1"}, more])
    bench.run("allocate")
    assert bench.lines() == {"L1": {"allocated": D(1), "cancelled": D(1)}, "L2": {"allocated": D(1)}}
    row = the_change(bench)
    assert (row["asked_by"], row["state"], row["price_effect"]) == ("shop", "accepted", D("-2.50"))
    assert bench.sent("push_cancellation") == []
    bench.later(minutes=31)
    bench.run()
    (posted,) = bench.sent("submit_order")
    assert posted.record["totals"] == {"total": "17.5", "current_total": "17.5"}
    assert bench.raised() == []


def test_a_told_change_after_release_waits_for_the_location() -> None:
    bench = released()
    tell(bench, lines=[{"external_line_id": "L1", "quantity": "1"}])
    assert the_change(bench)["state"] == "requested"
    answer(bench, "cancel_accepted")
    assert the_change(bench)["state"] == "accepted"


def test_a_later_restate_of_the_same_channel_is_no_conflict_with_its_own_change() -> None:
    bench = in_grace()
    tell(bench, lines=[{"external_line_id": "L1", "quantity": "1"}])
    bench.order(order_record(("L1", "TEE", 5), source_version="2026-11-02T09:05:00.000000Z"))
    bench.run("allocate")
    assert bench.lines()["L1"]["allocated"] == D(5)
    assert bench.raised() == []


def test_a_told_change_waits_for_its_order_and_one_that_comes_too_late_is_shown() -> None:
    bench = bench_with(channels=GRACE)
    told = tell(bench, lines=[{"external_line_id": "L1", "quantity": "1"}])
    assert told is not None
    assert told.verdict is Verdict.WAITING
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    assert bench.lines()["L1"]["allocated"] == D(1)
    bench.order(
        order_record(("L1", "TEE", 2), source_version="2026-11-02T09:05:00Z", cancelled_at="2026-11-02T09:04:00Z")
    )
    tell(bench, "860-2", lines=[{"external_line_id": "L1", "quantity": "2"}])
    assert bench.raised() == ["change_not_possible"]


def test_a_told_change_of_which_one_part_makes_no_sense_is_not_made_in_part() -> None:
    bench = in_grace()
    tell(bench, lines=[{"external_line_id": "L1", "quantity": "1"}, {"external_line_id": "L9", "quantity": "1"}])
    bench.run("allocate")
    assert bench.lines() == {"L1": {"allocated": D(2)}}
    assert bench.raised() == ["change_not_possible"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Edit(), "nothing is said to be different"),
        (Edit(lines=[LineEdit("9", D(1))]), "the order has no line 9"),
        (Edit(lines=[LineEdit("1", D(-1))]), "line 1 cannot be -1"),
        (Edit(additions=[Addition("CAP", D(0), D(1))]), "needs a SKU and a quantity above zero"),
        (Edit(ship_to={"country": "US"}), "the address is that one already"),
        (Edit(as_channel=True), "states nothing that differs"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_with_words(wanted: Edit, words: str) -> None:
    bench = in_grace()
    decision = edit_order(bench.store, bench.rules, bench.now, "ac_1", bench.the_order()["id"], "jo", "why", wanted)
    assert decision.verdict is Verdict.IGNORED
    assert words in decision.message


def test_a_price_effect_takes_discounts_and_taxes_along() -> None:
    details = {
        "unit_price": "10.00",
        "adjustments": [{"type": "discount", "amount": "3.00"}],
        "taxes": [{"amount": "1.70"}],
    }
    effect = price_effect(details, D(3), D(-1), "USD", taxes_included=False)
    assert (effect.amount, effect.tax) == (D("-9.57"), D("-0.57"))
    included = price_effect(details, D(3), D(-1), "USD", taxes_included=True)
    assert (included.amount, included.tax) == (D("-9.00"), D(0))


def test_the_channel_is_told_to_take_less_once() -> None:
    bench = in_grace()
    edit(bench, ("1", 1))
    (told,) = bench.sent("push_cancellation")
    assert told.record["lines"][0]["quantity"] == "1"
    assert bench.sent("push_refund") == []


def test_a_channel_that_cannot_be_told_to_cancel_is_asked_to_pay_back() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=1800, capabilities=frozenset({"push_refund"}))})
    bench.order(order_record(("L1", "TEE", 2)))
    edit(bench, ("1", 1))
    (told,) = bench.sent("push_refund")
    assert told.record["amount"] == "10"


def test_a_difference_that_only_the_channel_can_charge_is_shown_to_a_person() -> None:
    bench = in_grace()
    edit(bench, ("1", 3))
    assert bench.raised() == ["collect_at_channel"]


def test_where_the_hub_manages_the_money_shipments_charge_what_the_order_has_become() -> None:
    takers = dict.fromkeys(("submit_order", "update_order", "post_invoice"), ("erp",))
    takers |= dict.fromkeys(("capture", "refund", "void"), ("payment",))
    shop = channel(money="hub", grace_seconds=1800)
    bench = bench_with(channels={"shop": shop}, takers=takers)
    payment = {"external_id": "pay-1", "method": "card", "amount": "20", "state": "authorised"}
    bench.order(order_record(("L1", "TEE", 2), payments=[payment]))
    edit(bench, ("1", 1))
    bench.later(minutes=31)
    bench.run("allocate", "confirm")
    (work,) = bench.sent("send_fulfilment_request")
    package = {"package": "1", "lines": [{"line": bench.line_id("L1"), "quantity": "1"}]}
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work.record["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [package]}, connection="wms-east")
    (captured,) = bench.sent("capture")
    assert captured.record["amount"] == "10"
    assert bench.sent("refund") == []


def test_every_state_has_its_moves_and_a_meaning() -> None:
    assert set(CHANGE_MOVES) == set(CHANGE_MEANINGS) == set(ChangeState)


@pytest.mark.parametrize(
    ("then", "accepted", "released", "effect"),
    [(4, True, 4, "10.00"), (4, False, 4, "10.00"), (2, True, 2, "-10.00"), (2, False, 3, "0")],
)
def test_a_second_edit_of_a_line_whose_first_still_waits_counts_from_before_the_first(
    then: int, accepted: bool, released: int, effect: str
) -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 9)
    bench.order(order_record(("L1", "TEE", 3)))
    bench.run()
    bench.send()
    bench.act(edit_order, "ann", "less", Edit(lines=[LineEdit("1", D(1))]))
    bench.act(edit_order, "bob", "no, so many", Edit(lines=[LineEdit("1", D(then))]))
    for asked in bench.sent("cancel_fulfilment_request"):
        bench.reply(asked, accepted=accepted)
    bench.run()
    assert bench.lines()["L1"]["released"] == D(released)
    found = {row["asked_by"]: row for row in bench.store.rows("changes", {})}
    assert (found["ann"]["state"], found["ann"]["price_effect"]) == ("declined", D(0))
    assert "changed again" in found["ann"]["why"]
    assert found["bob"]["price_effect"] == D(effect)
    bench.later(hours=1)
    bench.order(order_record(("L1", "TEE", 3), note="again", source_version="2026-11-02T10:00:00.000000Z"))
    bench.run()
    assert bench.lines()["L1"]["released"] == D(released), "nothing more is wanted of it than was said last"


@pytest.mark.parametrize(
    ("stated", "effect", "raised"),
    [(3, "-20.00", False), (5, "-40.00", True), (2, "-10.00", True), (1, "0", False)],
)
def test_what_the_channel_states_while_an_edit_waits_is_held_against_it(stated: int, effect: str, raised: bool) -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 9)
    bench.order(order_record(("L1", "TEE", 3)))
    bench.run()
    bench.send()
    bench.act(edit_order, "ann", "less", Edit(lines=[LineEdit("1", D(1))]))
    bench.order(order_record(("L1", "TEE", stated), note="x", source_version="2026-11-02T10:00:00.000000Z"))
    bench.run()
    assert ("conflicting_edit" in bench.raised()) is raised
    for asked in bench.sent("cancel_fulfilment_request"):
        bench.reply(asked, accepted=True)
    bench.run()
    assert bench.lines()["L1"]["released"] == D(1)
    (change,) = bench.store.rows("changes", {"asked_by": "ann"})
    assert (change["state"], change["price_effect"]) == ("accepted", D(effect)), "so that what it comes to is one unit"


def test_what_an_edit_adds_to_the_total_follows_what_the_channel_states() -> None:
    bench = Bench(rules(location("east"), channels={"shop": channel(grace_seconds=3600)}))
    bench.stock("TEE", "east", 9)
    bench.order(order_record(("L1", "TEE", 3)))
    bench.run()

    def comes_to() -> Decimal:
        beside = sum((row["beside_total"] for row in bench.store.rows("changes", {})), D(0))
        return D(bench.the_order()["total"]) + beside

    bench.act(edit_order, "ann", "less", Edit(lines=[LineEdit("1", D(2))]))
    assert comes_to() == D(20)
    for number, stated in enumerate((5, 3, 4), 10):
        bench.order(order_record(("L1", "TEE", stated), source_version=f"2026-11-02T{number}:00:00.000000Z"))
        bench.run()
        assert comes_to() == D(20), f"two are wanted, whatever the total of {stated} is"
    bench.act(edit_order, "ann", "so be it", Edit(lines=[LineEdit("1", D(1))]))
    assert comes_to() == D(10)
    bench.order(order_record(("L1", "TEE", 1), source_version="2026-11-02T14:00:00.000000Z"))
    assert comes_to() == D(10)
