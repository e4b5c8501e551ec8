"""Invoices less credit notes are what is kept of an order's money, whoever gives back and whenever it is heard."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision
from hub.domain.money import round_to_minor
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.desk.load import open_case
from hub.oms.money.payment_actions import refund_order
from hub.oms.money.whole import whole_of
from hub.oms.people import cancel_order
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, Row, channel, location, order_record, rules
from tests.unit.test_oms_pay import MONEY, card, event, payment

D = Decimal
ZERO = D(0)
TOTALS = {"lines": "30", "shipping": "5", "total": "35"}


def shop(managed_by: str = "hub", stock: int = 10, **changes: Any) -> Bench:
    """A shop and an ERP that is told of invoices and credit notes."""
    takers = dict.fromkeys(
        ("submit_order", "update_order", "cancel_order", "post_invoice", "post_credit_note"), ("erp",)
    )
    takers |= dict.fromkeys(MONEY, ("payment",))
    one = channel(money=managed_by, capabilities=frozenset({"push_shipment", "push_refund"}))
    east = location("east", can=frozenset({"ship", "receive_returns"}))
    bench = Bench(rules(east, channels={"shop": one}, takers=takers, **changes))
    bench.stock("TEE", "east", stock)
    return bench


def leave(bench: Bench, units: int, notice: str = "n-1") -> None:
    (work,) = bench.store.rows("fulfilment_orders", {})
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}
    package = {"package": notice, "tracking_number": notice, "lines": [line]}
    bench.fact(
        "shipments",
        {"fact_key": notice, "external_id": notice, "fulfilment_order": work["id"], "packages": [package]},
        connection="wms-east",
    )
    bench.run("allocate", "confirm")


def answered(bench: Bench) -> None:
    """Every capture and refund that was asked for succeeds; so do those that follow from it."""
    while waiting := [one for one in bench.effects.values() if _unanswered(bench, one.capability, one.key)]:
        for effect in waiting:
            bench.reply(effect, external_id=f"x-{effect.key[-8:]}")
        bench.run("settle_money")


def _unanswered(bench: Bench, capability: str, key: str) -> bool:
    table = {"capture": "captures", "refund": "refunds", "push_refund": "refunds"}.get(capability)
    found = [row for row in bench.store.rows(table, {}) if row["id"] in key.split("/")] if table else []
    return any(row["state"] == "pending" for row in found)


def posted(bench: Bench) -> tuple[list[str], list[str]]:
    invoices = [str(one.record["amount"]) for one in bench.sent("post_invoice")]
    return invoices, [str(one.record["amount"]) for one in bench.sent("post_credit_note")]


def balance(bench: Bench) -> tuple[Decimal, Decimal]:
    """What the ERP has of the order, and what is kept of its money."""
    invoices, notes = posted(bench)
    paid = bench.store.rows("payments", {})
    moved = bench.store.rows("money_moves", {"kind": "refunded", "payment_id": None})
    kept = sum((row["captured"] - row["refunded"] - row["over_refunded"] for row in paid), ZERO)
    kept -= sum((row["amount"] for row in moved), ZERO)
    return sum(map(D, invoices), ZERO) - sum(map(D, notes), ZERO), kept


def goodwill(bench: Bench, amount: str) -> Decision:
    return bench.act(refund_order, "op", "late", D(amount), {})


def cancelled(bench: Bench, units: int) -> None:
    def some(snapshot: Any, rules: Any, now: Any, cause: str, order: str) -> Decision:
        return cancel_lines(snapshot, rules, now, cause, order, "op", "no stock", [("1", D(units))])[0]

    bench.act(some)


def told(bench: Bench, key: str, amount: str, *lines: Mapping[str, str]) -> None:
    record: Row = {"external_id": key, "fact_key": key, "order_external_id": "4507", "currency": "USD"}
    bench.fact("refunds", {**record, "amount": amount, "lines": [dict(line) for line in lines]})


def told_without_money(bench: Bench, line: Mapping[str, str]) -> None:
    record: Row = {"external_id": "900", "fact_key": "900", "order_external_id": "4507", "currency": "USD"}
    bench.fact("refunds", {**record, "lines": [dict(line)]})


def restated(bench: Bench, minute: int, units: int, **totals: str) -> None:
    version = f"2026-11-02T09:{minute:02}:00.000000Z"
    bench.order(order_record(("L1", "TEE", units), source_version=version, totals={**TOTALS, **totals}))


def sold(managed_by: str = "hub", *, release: bool = True, **said: Any) -> Bench:
    bench = shop(managed_by)
    payments = {"payments": [card("35", **said)]} if managed_by == "hub" else {}
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, **payments))
    if release:
        bench.run("allocate", "confirm")
    return bench


def test_a_goodwill_refund_is_credited_once_when_the_money_has_gone_back() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    goodwill(bench, "7")
    assert posted(bench) == (["35"], []), "nothing went back yet"
    (refund,) = bench.sent("refund")
    bench.reply(refund, external_id="re-1")
    bench.reply(refund, external_id="re-1")
    (note,) = bench.sent("post_credit_note")
    assert (note.record["amount"], note.record["reason"], note.record["lines"]) == ("7", "late", [])
    assert note.key == f"refund/{refund.subject}"
    told(bench, "900", "7")
    assert balance(bench) == (D(28), D(28))


def test_a_refund_that_fails_is_not_credited_and_tried_again_it_is_once() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    goodwill(bench, "7")
    bench.reply(bench.sent("refund")[0], accepted=False, reason="account closed")
    assert posted(bench)[1] == []
    goodwill(bench, "7")
    answered(bench)
    assert (posted(bench)[1], balance(bench)) == (["7"], (D(28), D(28)))


def test_a_refund_by_hand_in_place_of_a_settlement_s_that_failed_is_not_credited_again() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    order = bench.the_order()["id"]
    asked = return_desk.request(
        bench.store, bench.rules, bench.now, "ac_1", order, "api", [{"line": "1", "quantity": "1"}], "small"
    )
    bench.commit(asked)
    (one,) = bench.store.rows("returns", {})
    settled = return_desk.settle_return(
        bench.store, bench.rules, bench.now, "ac_2", one["id"], "refund", "small", [{"line": "1", "quantity": "1"}]
    )
    bench.commit(settled)
    assert posted(bench)[1] == ["10"]
    bench.reply(bench.sent("refund")[0], accepted=False, reason="account closed")
    goodwill(bench, "10")
    answered(bench)
    assert (posted(bench)[1], balance(bench)) == (["10"], (D(25), D(25)))


def test_goodwill_of_what_was_paid_in_advance_is_credited_when_it_is_invoiced() -> None:
    bench = sold(state="captured")
    goodwill(bench, "7")
    answered(bench)
    assert posted(bench) == ([], [])
    leave(bench, 3)
    assert (posted(bench), balance(bench)) == ((["35"], ["7"]), (D(28), D(28)))


def test_goodwill_of_an_order_of_which_nothing_left_needs_no_credit_note_and_the_rest_goes_back() -> None:
    bench = sold(state="captured")
    goodwill(bench, "7")
    answered(bench)
    bench.act(cancel_order, "op", "customer called")
    bench.run("settle_money")
    answered(bench)
    assert [one.record["amount"] for one in bench.sent("refund")] == ["7", "28"]
    assert (posted(bench), balance(bench)) == (([], []), (ZERO, ZERO))
    assert "refund_not_covered" not in bench.raised()


def test_what_was_cancelled_here_is_not_charged_though_the_channel_still_counts_it() -> None:
    bench = sold(release=False)
    cancelled(bench, 2)
    bench.run("allocate", "confirm")
    leave(bench, 1)
    assert [one.record["amount"] for one in bench.sent("capture")] == ["15"]
    restated(bench, 5, 1, current_total="15")
    answered(bench)
    assert (posted(bench), balance(bench)) == ((["15"], []), (D(15), D(15)))


@pytest.mark.parametrize("managed_by", ["hub", "channel"])
def test_where_the_rest_is_cancelled_after_the_first_goods_left_shipping_is_charged_to_its_end(managed_by: str) -> None:
    bench = sold(managed_by=managed_by)
    leave(bench, 1)
    answered(bench)
    restated(bench, 5, 1, current_total="15")
    bench.run("settle_money")
    answered(bench)
    (first, rest) = bench.sent("post_invoice")
    assert [first.record["amount"], rest.record["amount"]] == ["11.67", "3.33"]
    assert (rest.record["lines"], rest.record["last"], rest.record["shipping"]) == ([], True, "3.33")
    if managed_by == "hub":
        assert balance(bench) == (D(15), D(15))


def test_a_goodwill_refund_of_the_channel_s_own_is_credited_whether_its_total_is_lowered_before_or_after() -> None:
    for before in (True, False):
        bench = sold(managed_by="channel")
        leave(bench, 3)
        if before:
            restated(bench, 5, 3, current_total="28")
        told(bench, "900", "7")
        if not before:
            restated(bench, 5, 3, current_total="28")
        assert posted(bench) == (["35"], ["7"])
        assert balance(bench)[0] == D(28)


def test_a_total_that_a_refund_lowered_before_the_goods_left_is_invoiced_as_it_is() -> None:
    bench = sold(managed_by="channel")
    told(bench, "900", "7")
    restated(bench, 5, 3, current_total="28")
    leave(bench, 3)
    assert posted(bench) == (["28"], [])


def test_a_channel_that_never_lowers_its_total_has_its_goodwill_credited_when_more_is_invoiced_than_it_keeps() -> None:
    bench = sold(managed_by="channel")
    leave(bench, 1)
    told(bench, "900", "7")
    assert posted(bench)[1] == [], "it keeps more than is invoiced so far"
    leave(bench, 2, "n-2")
    assert posted(bench) == (["11.67", "23.33"], ["7"])


def test_units_that_a_channel_cancels_and_refunds_are_on_no_invoice_and_on_no_credit_note() -> None:
    bench = sold(managed_by="channel", release=False)
    line = {"external_line_id": "L1", "quantity": "2", "amount": "20", "restock": "cancel"}
    told(bench, "900", "20", line)
    bench.run("allocate", "confirm")
    leave(bench, 1)
    assert posted(bench) == (["15"], [])


def test_a_refund_at_the_provider_by_hand_is_credited() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    record = {"fact_key": "e-9", "external_id": "re-9", "payment_external_id": "pay-1", "amount": "4"}
    bench.fact("refunds", {**record, "currency": "USD"}, connection="payment")
    assert (posted(bench)[1], balance(bench)) == (["4"], (D(31), D(31)))
    event(bench, "e-10", "captured", amount="35", external_id="x-unknown")
    assert payment(bench)["captured"] == 70, "what others capture beyond is told, and no reason for a credit note"
    assert posted(bench)[1] == ["4"]


def test_money_that_a_bank_sends_back_is_ours_again_and_still_owed() -> None:
    """The refund had succeeded; days later the provider says that the card is closed."""
    bench = shop()
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=[card("35")]))
    bench.run()
    leave(bench, 3)
    answered(bench)
    bench.act(refund_order, "op", "goodwill", D(4), {})
    (refund,) = bench.sent("refund")
    bench.reply(refund, external_id="re-1")
    told = {"external_id": "re-1", "reference": refund.record["key"], "payment_external_id": "pay-1"}
    told |= {"amount": "4", "currency": "USD", "state": "failed", "note": "the card is closed"}
    bench.fact("refunds", {**told, "fact_key": "f-1"}, connection="payment")
    assert (payment(bench)["refunded"], payment(bench)["captured"]) == (ZERO, D(35))
    assert [row["state"] for row in bench.store.rows("refunds", {})] == ["failed"]
    assert bench.raised() == ["refund_undone"]
    late = {**told, "fact_key": "f-2", "state": "succeeded"}
    bench.fact("refunds", late, connection="payment")
    assert payment(bench)["refunded"] == ZERO, "a word about the first success that comes late is no second one"
    bench.act(refund_order, "op", "by another way", D(4), {})
    answered(bench)
    assert payment(bench)["refunded"] == D(4)
    assert [one.record["amount"] for one in bench.sent("post_credit_note")] == ["4"], "it was credited once"


def requested(bench: Bench, order: str, units: str = "1") -> str:
    """The id of a return of the order's first line."""
    lines = [{"line": "1", "quantity": units}]
    cause = f"ac_{len(bench.decisions)}"
    bench.commit(return_desk.request(bench.store, bench.rules, bench.now, cause, order, "api", lines, "small"))
    found = bench.store.rows("returns", {"order_id": order}, order_by=("number",))
    return str(found[-1]["id"])


def came_back(bench: Bench, one: str, units: str = "1") -> None:
    lines = [{"line": "1", "quantity": units, "disposition": "restock"}]
    cause = f"ac_{len(bench.decisions)}"
    bench.commit(return_desk.receive_return(bench.store, bench.rules, bench.now, cause, one, "ada", "east", lines))


@pytest.mark.parametrize("by", ["person", "channel"])
def test_goods_whose_money_went_back_before_they_came_are_not_paid_back_twice(by: str) -> None:
    bench = sold(managed_by="hub" if by == "person" else "channel")
    leave(bench, 3)
    answered(bench)
    if by == "person":
        bench.act(refund_order, "op", "come back soon", None, {"L1": D(1)})
    else:
        told(bench, "900", "10", {"external_line_id": "L1", "quantity": "1", "amount": "10", "restock": "return"})
    answered(bench)
    order = bench.the_order()["id"]
    came_back(bench, requested(bench, order))
    answered(bench)
    name = "refund" if by == "person" else "push_refund"
    assert [one.record["amount"] for one in bench.sent(name)] == (["10"] if by == "person" else [])
    (settlement,) = bench.store.rows("return_settlements", {})
    assert (settlement["amount"], settlement["document"]["lines"][0]["kept"]) == (ZERO, "10")
    came_back(bench, requested(bench, order, "2"), "2")
    answered(bench)
    assert posted(bench)[1] == ["10", "25"]
    assert bench.raised() == []


@pytest.mark.parametrize(("price", "paid"), [("4", D(29)), ("25", D(35))])
def test_goods_that_went_out_in_exchange_and_come_back_are_paid_back_by_the_first_order(
    price: str, paid: Decimal
) -> None:
    bench = sold()
    bench.stock("BIG", "east", 5)
    leave(bench, 3)
    answered(bench)
    first = bench.the_order()["id"]
    one = requested(bench, first)
    wanted = [{"sku": "BIG", "quantity": "1", "price": price}]
    given = (bench.store, bench.rules, bench.now, "ac_x", one, wanted, "another", [{"line": "1", "quantity": "1"}])
    bench.commit(return_desk.exchange_return(*given))
    bench.run()
    answered(bench)
    if price == "25":
        (more,) = bench.sent("authorise")
        bench.reply(more, payment={"external_id": "pay-2", "amount": "15"})
        answered(bench)
    (other,) = [row for row in bench.store.rows("orders", {}) if row["id"] != first]
    (work,) = bench.store.rows("fulfilment_orders", {"order_id": other["id"]})
    line = {"line": work["document"]["lines"][0]["line"], "sku": "BIG", "quantity": "1"}
    notice = {"fact_key": "n-9", "external_id": "n-9", "fulfilment_order": work["id"]}
    notice["packages"] = [{"package": "n-9", "tracking_number": "n-9", "lines": [line]}]
    bench.fact("shipments", notice, connection="wms-east")
    bench.run()
    assert balance(bench) == (D(25) + D(price), D(25) + D(price))
    came_back(bench, requested(bench, other["id"]))
    answered(bench)
    assert balance(bench) == (D(25), D(25)), "the goods of both orders, and what is kept of their money"
    assert {row["order_id"] for row in bench.store.rows("refunds", {})} == {first}


@pytest.mark.parametrize(
    ("currency", "price", "totals"),
    [
        ("JPY", "1000.3333", {"lines": "3001", "shipping": "500", "discounts": "1", "total": "3500"}),
        ("JPY", "1000", {"lines": "3000", "shipping": "500", "tax": "1", "total": "3501"}),
        ("KWD", "10", {"lines": "30", "shipping": "1.000", "tax": "0.002", "discounts": "0.001", "total": "31.001"}),
        ("USD", "10", {"lines": "30", "shipping": "3.33", "tax": "1.01", "discounts": "1.00", "total": "33.34"}),
    ],
)
def test_three_shipments_are_charged_in_whole_minor_units_that_add_up(
    currency: str, price: str, totals: dict[str, str]
) -> None:
    bench = shop()
    line = {"external_line_id": "L1", "sku": "TEE", "quantity": "3", "unit_price": price}
    total = totals["total"]
    bench.order(order_record(lines=[line], currency=currency, totals=totals, payments=[card(total)]))
    bench.run("allocate", "confirm")
    for number in range(3):
        leave(bench, 1, f"n-{number}")
        answered(bench)
    assert balance(bench) == (D(total), D(total))
    for invoice in bench.sent("post_invoice"):
        for name in ("goods", "shipping", "tax", "discounts", "amount"):
            amount = D(invoice.record[name])
            assert amount == round_to_minor(amount, currency)


def test_a_total_that_is_lowered_and_raised_again_is_shown_to_a_person() -> None:
    """The lower total was credited at once; nothing can be invoiced again for goods that have left."""
    bench = shop("channel")
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    leave(bench, 3)
    answered(bench)
    for minute, units in ((1, 1), (2, 3)):
        version = f"2026-11-02T10:0{minute}:00.000000Z"
        bench.order(order_record(("L1", "TEE", units), source_version=version, payments=[card("30")]))
        bench.later(minutes=1)
        bench.run()
    assert [one.record["amount"] for one in bench.sent("post_credit_note")] == ["20"]
    assert bench.raised() == ["credited_too_much"]
    last = order_record(("L1", "TEE", 1), source_version="2026-11-02T10:03:00.000000Z", payments=[card("30")])
    decision = bench.order(last)
    assert [clear.cause_key.split("/")[0] for clear in decision.clears] == ["credited-too-much"]
    assert len(bench.sent("post_credit_note")) == 1


def test_a_total_that_is_lowered_takes_no_money_back_that_the_hub_manages_and_a_person_is_told() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    restated(bench, 5, 3, current_total="31")
    assert (posted(bench)[1], bench.raised()) == ([], ["invoiced_above_total"])
    goodwill(bench, "4")
    answered(bench)
    restated(bench, 6, 3, current_total="31")
    assert (posted(bench)[1], balance(bench)) == (["4"], (D(31), D(31)))


def test_what_was_cancelled_here_loses_its_own_tax_and_discount() -> None:
    bench = shop()
    bench.stock("CAP", "east", 5)
    taxed: Row = {"external_line_id": "L1", "sku": "TEE", "quantity": "4", "unit_price": "9.35"}
    taxed |= {"taxes": [{"name": "VAT", "rate": "0.0825", "amount": "2.22", "included": False}]}
    taxed |= {"adjustments": [{"type": "discount", "amount": "-1.10"}]}
    plain = {"external_line_id": "L2", "sku": "CAP", "quantity": "1", "unit_price": "7.77"}
    totals = {"lines": "45.17", "discounts": "1.10", "shipping": "4.95", "tax": "2.22", "total": "51.24"}
    bench.order(order_record(lines=[taxed, plain], totals=totals, payments=[card("51.24")]))
    cancelled(bench, 4)
    bench.run("allocate", "confirm")
    (work,) = bench.store.rows("fulfilment_orders", {})
    part = {"line": bench.line_id("L2"), "sku": "CAP", "quantity": "1"}
    notice = {"fact_key": "n-1", "external_id": "n-1", "fulfilment_order": work["id"]}
    notice["packages"] = [{"package": "n-1", "tracking_number": "n-1", "lines": [part]}]
    bench.fact("shipments", notice, connection="wms-east")
    assert [one.record["amount"] for one in bench.sent("capture")] == ["12.72"]


@pytest.mark.parametrize("total_first", [True, False])
@pytest.mark.parametrize("paid_back_late", [True, False])
def test_goods_that_leave_after_others_were_refunded_are_charged_whichever_is_heard_of_first(
    total_first: bool, paid_back_late: bool
) -> None:
    """Two of three had left when the channel refunds one: it is one of the two, and the third still goes out."""
    bench = sold()
    leave(bench, 2)
    answered(bench)
    if total_first:
        restated(bench, 5, 2, current_total="25")
    told_without_money(bench, {"external_line_id": "L1", "quantity": "1", "amount": "10", "restock": "none"})
    if not total_first:
        restated(bench, 5, 2, current_total="25")
    if not paid_back_late:
        answered(bench)
    bench.run("allocate", "confirm")
    work = bench.store.rows("fulfilment_orders", {})[-1]
    package = {"package": "n-2", "lines": [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": "1"}]}
    last = {"fact_key": "n-2", "external_id": "n-2", "fulfilment_order": work["id"], "packages": [package]}
    bench.fact("shipments", last, connection="wms-east")
    answered(bench)
    invoices, notes = posted(bench)
    assert sum(map(D, invoices)) == 35
    assert notes == ["10"]
    assert balance(bench) == (D(25), D(25))


def test_what_the_channel_takes_off_for_cancelled_goods_is_not_taken_for_a_goodwill_refund() -> None:
    bench = shop(stock=2)
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=[card("35")]))
    bench.run("allocate", "confirm")
    leave(bench, 1)
    answered(bench)
    goodwill(bench, "1")
    answered(bench)
    cancelled(bench, 1)
    restated(bench, 5, 2, current_total="25")
    leave(bench, 1, "n-2")
    answered(bench)
    invoices, notes = posted(bench)
    assert sum(map(D, invoices)) == 25
    assert notes == ["1"]
    assert balance(bench) == (D(24), D(24))


def test_what_was_cancelled_stays_off_the_whole_when_other_units_are_given_back() -> None:
    bench = sold(release=False)
    told_without_money(bench, {"external_line_id": "L1", "quantity": "1", "amount": "10", "restock": "cancel"})
    restated(bench, 5, 2, current_total="25")
    bench.run("allocate", "confirm")
    leave(bench, 2)
    answered(bench)
    bench.act(refund_order, "op", "broken", None, {"L1": D(1)})
    answered(bench)
    assert (posted(bench), balance(bench)) == ((["25"], ["10"]), (D(15), D(15)))
    case = open_case(bench.store, bench.rules, bench.now, "look", bench.the_order()["id"])
    assert case is not None
    assert whole_of(case.order).amount == 25


def test_a_kit_whose_money_went_back_before_it_came_is_not_paid_back_twice() -> None:
    bench = shop()
    parts = [{"sku": "CUP", "quantity": "2", "share": "3"}, {"sku": "LID", "quantity": "1", "share": "1"}]
    bench.restate("items", {"external_id": "TEE", "sku": "TEE", "components": parts}, connection="erp")
    bench.stock("CUP", "east", 20)
    bench.stock("LID", "east", 20)
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=[card("35")]))
    bench.run()
    (work,) = bench.sent("send_fulfilment_request")
    package = {"package": "n-1", "tracking_number": "n-1", "lines": work.record["lines"]}
    notice = {"fact_key": "n-1", "external_id": "n-1", "fulfilment_order": work.record["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [package]}, connection="wms-east")
    bench.run("allocate", "confirm")
    answered(bench)
    bench.act(refund_order, "op", "come back soon", None, {"1": D(1)})
    answered(bench)
    assert [one.record["amount"] for one in bench.sent("refund")] == ["10"]
    came_back(bench, requested(bench, bench.the_order()["id"]))
    answered(bench)
    assert [one.record["amount"] for one in bench.sent("refund")] == ["10"], "its money was back already"
    again = bench.act(refund_order, "op", "all of it", None, {"1": D(3)})
    assert again.message == "3 of line 1 (TEE) to refund, 2 are left"
