"""Charging what leaves and giving back what is owed, on payments that the hub manages and on those it does not."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Verdict
from hub.oms.desk.load import open_case
from hub.oms.desk.save import save
from hub.oms.money.pay import collect, give_back
from hub.oms.money.payment_actions import capture_again, refund_made, refund_order
from hub.oms.people import cancel_order
from tests.property.memory_store import Bench, Row, channel, location, order_record, rules

D = Decimal
MONEY = ("capture", "refund", "void", "reauthorise", "authorise")


def provider(**changes: Any) -> Bench:
    """A shop whose money the hub manages at the connection `payment`."""
    takers = dict.fromkeys(("submit_order", "update_order", "cancel_order", "post_invoice"), ("erp",))
    takers |= dict.fromkeys(MONEY, ("payment",))
    shop = channel(money="hub", capabilities=frozenset({"push_shipment", "push_refund"}))
    bench = Bench(rules(location("east"), channels={"shop": shop}, takers=takers, **changes))
    bench.stock("TEE", "east", 10)
    return bench


def card(amount: str, **changes: Any) -> Row:
    return {"external_id": "pay-1", "method": "card", "amount": amount, "state": "authorised", **changes}


def ship(bench: Bench, quantity: int | str, notice: str = "n-1") -> None:
    (work,) = bench.store.rows("fulfilment_orders", {})
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(quantity)}
    package = {"package": f"box-{notice}", "tracking_number": f"T-{notice}", "lines": [line]}
    record = {"fact_key": notice, "external_id": notice, "fulfilment_order": work["id"], "packages": [package]}
    bench.fact("shipments", record, connection="wms-east")


def payment(bench: Bench, external_id: str = "pay-1") -> Row:
    row = bench.store.row("payments", {"external_id": external_id})
    assert row is not None
    return row


def test_each_shipment_captures_what_it_is_charged_and_the_last_takes_the_remainder() -> None:
    bench = provider()
    totals = {"lines": "30", "shipping": "5", "total": "35"}
    bench.order(order_record(("L1", "TEE", 3), totals=totals, payments=[card("35")]))
    bench.run()
    ship(bench, 1)
    (first,) = bench.sent("capture")
    assert first.record["amount"] == "11.67"
    assert first.record["payment_external_id"] == "pay-1"
    assert payment(bench)["capturing"] == D("11.67")
    bench.reply(first, external_id="cap-1")
    assert payment(bench)["state"] == "partially_captured"
    ship(bench, 2, "n-2")
    last = bench.sent("capture")[-1]
    assert last.record["amount"] == "23.33"
    assert last.record["final"] is True
    bench.reply(last, external_id="cap-2")
    row = payment(bench)
    assert (row["state"], row["captured"], row["capturing"]) == ("captured", D(35), D(0))
    assert bench.raised() == []


def _owe_back(bench: Bench, amount: str, key: str = "return/1") -> str:
    case = open_case(bench.store, bench.rules, bench.now, f"cause-{key}-{bench.now}", bench.the_order()["id"])
    assert case is not None
    refund = give_back(case, D(amount), key, "came back")
    bench.commit(save(case))
    return str(refund)


def test_what_is_owed_back_while_its_capture_is_under_way_is_given_back_when_that_has_ended() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    (capture,) = bench.sent("capture")
    promised = _owe_back(bench, "10")
    assert _owe_back(bench, "10") == promised
    assert (bench.sent("refund"), bench.raised()) == ([], [])
    bench.reply(capture, external_id="cap-1")
    (refund,) = bench.sent("refund")
    assert refund.record["amount"] == "10"
    assert refund.key.endswith(promised), "whoever asked finds the refund that they were promised"
    _owe_back(bench, "10")
    assert len(bench.sent("refund")) == 1


def test_what_is_owed_back_of_a_capture_that_failed_is_told_to_a_person() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    (capture,) = bench.sent("capture")
    _owe_back(bench, "10")
    bench.reply(capture, accepted=False, reason="insufficient funds")
    assert bench.sent("refund") == []
    assert sorted(bench.raised()) == ["capture_failed", "refund_not_covered"]


def test_a_provider_cannot_be_asked_for_more_than_is_authorised() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("25")]))
    bench.run()
    ship(bench, 3)
    (capture,) = bench.sent("capture")
    assert capture.record["amount"] == "25"
    assert bench.raised() == ["capture_short"]
    assert "5.00 USD are owed" in bench.exceptions[-1].detail


def test_several_payments_are_charged_in_the_declared_order_and_the_last_takes_the_rest() -> None:
    bench = provider(capture_order=("gift_card", "card"))
    gift = {"external_id": "gift-1", "method": "gift_card", "amount": "12", "state": "authorised"}
    bench.order(order_record(("L1", "TEE", 3), payments=[card("18"), gift]))
    bench.run()
    ship(bench, 1)
    ship(bench, 2, "n-2")
    asked = [(one.record["payment_external_id"], one.record["amount"]) for one in bench.sent("capture")]
    assert asked == [("gift-1", "10"), ("gift-1", "2"), ("pay-1", "18")]


def test_what_was_paid_in_advance_counts_before_anything_is_captured() -> None:
    bench = provider(gateways={"gift_card": "channel"})
    gift = {"external_id": "gift-1", "gateway": "gift_card", "amount": "12", "state": "captured"}
    bench.order(order_record(("L1", "TEE", 3), payments=[gift, card("18")]))
    bench.run()
    ship(bench, 3)
    assert [one.record["amount"] for one in bench.sent("capture")] == ["18"]
    assert payment(bench, "gift-1")["managed_by"] == "channel"


def test_a_declined_capture_stops_no_goods_and_says_why() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.run()
    ship(bench, 1)
    (capture,) = bench.sent("capture")
    bench.reply(capture, accepted=False, reason="insufficient funds")
    assert bench.raised() == ["capture_failed"]
    assert "insufficient funds" in bench.exceptions[-1].detail
    assert payment(bench)["capturing"] == 0
    assert bench.lines() == {"L1": {"shipped": D(1)}}
    assert bench.act(capture_again, "op", "asked the bank").verdict is Verdict.APPLIED
    again = bench.sent("capture")[-1]
    assert again.record["amount"] == "10"
    bench.reply(again, external_id="cap-2")
    assert payment(bench)["state"] == "captured"


def event(bench: Bench, key: str, kind: str, **said: str) -> None:
    record = {"fact_key": key, "payment_external_id": "pay-1", "event": kind, **said}
    bench.fact("payments", record, connection="payment")


def test_our_own_capture_comes_back_before_its_answer_and_counts_once() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.run()
    ship(bench, 1)
    (capture,) = bench.sent("capture")
    event(bench, "e-1", "captured", amount="10", external_id="cap-1", reference=f"payment/capture/{capture.key}")
    assert payment(bench)["captured"] == 10
    bench.reply(capture, external_id="cap-1")
    event(bench, "e-2", "captured", amount="10", external_id="cap-1")
    row = payment(bench)
    assert (row["captured"], row["capturing"]) == (D(10), D(0))
    assert [move["amount"] for move in bench.store.rows("money_moves", {"kind": "captured"})] == [D(10)]


def test_events_that_come_the_wrong_way_round_end_in_one_ledger() -> None:
    told = [
        ("e-1", "captured", {"amount": "6", "external_id": "c-1"}),
        ("e-2", "voided", {"amount": "4"}),
        ("e-3", "captured", {"amount": "3", "external_id": "c-2"}),
    ]
    ledgers = set()
    for arrival in itertools.permutations(told):
        bench = provider()
        bench.order(order_record(("L1", "TEE", 1), payments=[card("13")]))
        for key, kind, said in arrival:
            event(bench, key, kind, **said)
        row = payment(bench)
        ledgers.add((row["state"], row["authorised"], row["captured"], row["voided"]))
    assert ledgers == {("captured", D(13), D(9), D(4))}


def test_a_word_about_a_payment_that_nobody_knows_yet_waits_for_its_order() -> None:
    bench = provider()
    event(bench, "e-1", "disputed", amount="10", words="fraudulent")
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    assert payment(bench)["state"] == "disputed"
    assert bench.raised() == ["disputed"]
    event(bench, "e-2", "dispute_lost", amount="10")
    assert payment(bench)["state"] == "lost"


def test_what_was_not_charged_is_voided_when_the_order_is_cancelled() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 2), payments=[card("20")]))
    bench.run()
    bench.act(cancel_order, "op", "customer called")
    bench.run()
    (void,) = bench.sent("void")
    assert void.record["amount"] == "20"
    bench.reply(void, external_id="v-1")
    assert payment(bench)["state"] == "voided"


def test_money_for_goods_that_never_left_goes_back_when_the_order_ends() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30", state="captured")]))
    bench.run()
    ship(bench, 1)
    bench.act(cancel_order, "op", "customer called")
    bench.run()
    (work,) = bench.store.rows("fulfilment_orders", {})
    assert bench.lines() == {"L1": {"shipped": D(1), "cancelled": D(2)}}, work
    (refund,) = bench.sent("refund")
    assert refund.record["amount"] == "20"
    bench.reply(refund, external_id="re-1")
    assert payment(bench)["refunded"] == 20
    (told,) = bench.sent("push_refund")
    assert told.record["amount"] == "20"


def test_an_authorisation_is_asked_for_again_before_it_ends() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", expires_at="2026-11-09T09:00:00Z")]))
    bench.run("allocate")
    bench.later(days=6, minutes=1)
    bench.run("authorisation_expiry")
    (asked,) = bench.sent("reauthorise")
    assert asked.record["amount"] == "10"
    said = {"external_id": "pay-2", "amount": "10", "expires_at": "2026-11-16T09:00:00Z"}
    bench.reply(asked, payment=said)
    row = payment(bench, "pay-2")
    assert (row["state"], row["authorised"], row["voided"]) == ("authorised", D(20), D(10))
    event(bench, "e-9", "voided", amount="10")
    assert payment(bench, "pay-2")["state"] == "voided", "the old name leads to it still"


def test_where_nobody_authorises_again_the_order_waits_for_another_payment() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", expires_at="2026-11-09T09:00:00Z")]))
    bench.later(days=6, minutes=1)
    bench.run("authorisation_expiry")
    bench.reply(bench.sent("reauthorise")[0], accepted=False, reason="card was stolen")
    assert bench.raised()[-1] == "payment_lost"
    assert "card was stolen" in bench.exceptions[-1].detail
    assert bench.the_order()["status"] == "held"
    bench.order(order_record(("L1", "TEE", 1), number="#1001b", source_version="2026-11-02T09:01:00.000000Z"))
    assert bench.the_order()["status"] == "held", "a restate of the channel is no payment"
    another = {"external_id": "pay-9", "amount": "10", "state": "authorised"}
    changed = order_record(("L1", "TEE", 1), source_version="2026-11-02T09:02:00.000000Z", payments=[another])
    bench.order(changed)
    bench.run("allocate")
    assert bench.the_order()["status"] == "confirmed"


def test_a_refund_goes_back_in_the_declared_order_and_never_beyond_what_was_captured() -> None:
    bench = provider(refund_order=("gift_card", "card"))
    gift = {"external_id": "gift-1", "method": "gift_card", "amount": "12", "state": "captured"}
    bench.order(order_record(("L1", "TEE", 3), payments=[card("18", state="captured"), gift]))
    bench.run()
    ship(bench, 3)
    bench.run()
    refused = bench.act(refund_order, "op", "goodwill", D(31), {})
    assert refused.verdict is Verdict.IGNORED
    assert (
        refused.message
        == "31.00 USD to refund, 30.00 USD can be: captured 30.00 USD, refunded or on its way back 0.00 USD"
    )
    bench.act(refund_order, "op", "goodwill", D(15), {})
    asked = [(one.record["payment_external_id"], one.record["amount"]) for one in bench.sent("refund")]
    assert asked == [("gift-1", "12"), ("pay-1", "3")]
    for one in bench.sent("refund"):
        bench.reply(one, external_id=one.key)
    refused = bench.act(refund_order, "op", "goodwill", D("15.01"), {})
    assert "captured 30.00 USD, refunded or on its way back 15.00 USD" in refused.message
    assert bench.lines() == {"L1": {"shipped": D(3)}}, "a refund moves no goods"


def test_units_are_refunded_once_at_what_they_were_charged() -> None:
    bench = provider()
    line: Row = {"external_line_id": "L1", "sku": "TEE", "quantity": "3", "unit_price": "10.00"}
    line |= {"adjustments": [{"type": "discount", "amount": "-3.00"}], "taxes": [{"name": "VAT", "amount": "1.34"}]}
    totals = {"lines": "30.00", "discounts": "3.00", "tax": "1.34", "total": "28.34"}
    bench.order(order_record(lines=[line], totals=totals, payments=[card("28.34")]))
    bench.run()
    ship(bench, 3)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    bench.act(refund_order, "op", "broken", None, {"TEE": D(1)})
    (refund,) = bench.sent("refund")
    assert refund.record["amount"] == "9.45"
    refused = bench.act(refund_order, "op", "broken", None, {"L1": D(3)})
    assert refused.message == "3 of line 1 (TEE) to refund, 2 are left"


def test_an_unknown_refund_is_settled_by_what_is_found() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", state="captured")]))
    bench.run()
    ship(bench, 1)
    bench.act(refund_order, "op", "goodwill", D(4), {})
    (refund,) = bench.sent("refund")
    bench.reply(refund, "ambiguous")
    assert [row["state"] for row in bench.store.rows("refunds", {})] == ["unknown"]
    assert payment(bench)["refunding"] == 4, "what may have gone back is not given back again"
    bench.reply(refund, external_id="re-1")
    assert payment(bench)["refunded"] == 4


def test_our_refund_comes_back_from_provider_and_channel_and_is_one_refund() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", state="captured")]))
    bench.run()
    ship(bench, 1)
    bench.act(refund_order, "op", "goodwill", D(4), {})
    (refund,) = bench.sent("refund")
    of_provider = {"external_id": "re-1", "fact_key": "re-1", "payment_external_id": "pay-1", "amount": "4"}
    bench.fact("refunds", {**of_provider, "reference": f"payment/refund/{refund.key}"}, connection="payment")
    of_shop = {"external_id": "900", "fact_key": "900", "order_external_id": "4507", "currency": "USD", "amount": "4"}
    bench.fact("refunds", of_shop)
    bench.reply(refund, external_id="re-1")
    assert payment(bench)["refunded"] == 4
    bench.fact("refunds", {**of_shop, "external_id": "901", "fact_key": "901"})
    assert payment(bench)["refunded"] == 8, "the shop tells of another one"
    assert len(bench.store.rows("refunds", {})) == 2


def test_more_given_back_than_captured_is_counted_beside_and_told() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", state="captured")]))
    told = {"external_id": "re-1", "fact_key": "re-1", "payment_external_id": "pay-1", "amount": "14"}
    bench.fact("refunds", told, connection="payment")
    row = payment(bench)
    assert (row["refunded"], row["over_refunded"]) == (D(10), D(4))
    assert bench.raised() == ["refund_too_high"]


def test_a_refund_heard_of_before_its_capture_ends_in_the_same_ledger() -> None:
    ledgers = []
    for captured_first in (True, False):
        bench = provider()
        bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
        told = {"external_id": "re-1", "fact_key": "re-1", "payment_external_id": "pay-1", "amount": "4"}
        if captured_first:
            event(bench, "e-1", "captured", amount="10", external_id="c-1")
        bench.fact("refunds", told, connection="payment")
        if not captured_first:
            event(bench, "e-1", "captured", amount="10", external_id="c-1")
        row = payment(bench)
        ledgers.append({name: row[name] for name in ("state", "captured", "refunded", "over_refunded")})
    assert ledgers[0] == ledgers[1] == {"state": "captured", "captured": D(10), "refunded": D(4), "over_refunded": D(0)}


def test_where_the_channel_manages_the_money_it_is_told_to_refund_and_its_refund_is_ours() -> None:
    shop = channel(capabilities=frozenset({"push_shipment", "push_refund"}))
    bench = Bench(rules(location("east"), channels={"shop": shop}))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run()
    ship(bench, 1)
    assert not bench.sent("capture")
    bench.act(refund_order, "op", "broken", None, {"L1": D(1)})
    (asked,) = bench.sent("push_refund")
    assert asked.record["amount"] == "10"
    assert [row["state"] for row in bench.store.rows("refunds", {})] == ["pending"]
    refused = bench.act(refund_order, "op", "again", D(1), {})
    assert "0.00 USD can be" in refused.message
    bench.reply(asked, external_id="900")
    (row,) = bench.store.rows("refunds", {})
    assert (row["state"], row["external_id"]) == ("succeeded", "900")
    assert [move["amount"] for move in bench.store.rows("money_moves", {"kind": "refunded"})] == [D(10)]


def test_a_channel_that_cannot_be_told_has_a_person_refund_there() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.act(refund_order, "op", "goodwill", D(2), {})
    assert bench.raised() == ["refund_at_channel"]
    told = {"external_id": "900", "fact_key": "900", "order_external_id": "4507", "currency": "USD", "amount": "2"}
    bench.fact("refunds", told)
    assert [row["state"] for row in bench.store.rows("refunds", {})] == ["succeeded"]
    assert bench.decisions[-1].clears


def test_a_person_says_that_the_money_was_given_back_there() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.act(refund_order, "op", "goodwill", D(2), {})
    order = bench.the_order()["id"]
    assert "hub payments refunded" in bench.exceptions[-1].hint
    wrong = refund_made(bench.store, bench.rules, bench.now, "ac1", order, "eve", "rf_other", "A-1")
    assert wrong.verdict is Verdict.IGNORED
    bench.commit(refund_made(bench.store, bench.rules, bench.now, "ac2", order, "eve", "", "A-1"))
    assert [(row["state"], row["external_id"]) for row in bench.store.rows("refunds", {})] == [("succeeded", "A-1")]
    assert "raised" not in bench.the_order()["document"]


def collected(bench: Bench, amount: str, key: str) -> None:
    case = open_case(bench.store, bench.rules, bench.now, f"cause-{key}", bench.the_order()["id"])
    assert case is not None
    collect(case, D(amount), key, "the exchange costs more")
    bench.commit(save(case))


def test_a_difference_is_charged_once_with_the_means_of_the_first_payment() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.run()
    ship(bench, 1)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    collected(bench, "5", "exchange/1")
    collected(bench, "5", "exchange/1")
    (asked,) = bench.sent("authorise")
    assert (asked.record["amount"], asked.record["source_external_id"]) == ("5", "pay-1")
    bench.reply(asked, external_id="pay-7")
    more = bench.sent("capture")[-1]
    assert (more.record["amount"], more.record["payment_external_id"]) == ("5", "pay-7")
    bench.reply(more, external_id="cap-2")
    assert payment(bench, "pay-7")["captured"] == 5
    assert bench.raised() == []


def test_a_difference_is_charged_where_the_event_comes_before_the_answer() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.run()
    ship(bench, 1)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    collected(bench, "5", "exchange/1")
    (asked,) = bench.sent("authorise")
    told = {"payment_external_id": "pay-7", "event": "authorised", "amount": "5", "reference": asked.key}
    bench.fact("payments", {"fact_key": "e-7", **told}, connection="payment")
    bench.reply(asked, external_id="pay-7")
    more = bench.sent("capture")[-1]
    assert (more.record["amount"], more.record["payment_external_id"]) == ("5", "pay-7")


def test_only_the_channel_can_charge_a_difference_on_money_it_manages() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 1)))
    collected(bench, "5", "exchange/1")
    assert bench.raised() == ["collect_at_channel"]


def test_an_authorisation_that_lasts_shorter_than_it_is_watched_is_not_asked_for_again_at_once() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", expires_at="2026-11-02T10:00:00Z")]))
    bench.run("authorisation_expiry")
    assert not bench.sent("reauthorise")
    bench.later(minutes=30)
    bench.run("authorisation_expiry")
    assert len(bench.sent("reauthorise")) == 1


def test_a_refund_that_the_shop_only_wrote_down_is_paid_back_by_the_hub() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 2), payments=[card("20")]))
    bench.run()
    ship(bench, 2)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    line = {"external_line_id": "L1", "quantity": "1", "amount": "10", "tax": "0", "restock": "return"}
    told = {"external_id": "900", "fact_key": "900", "order_external_id": "4507", "currency": "USD", "lines": [line]}
    bench.fact("refunds", told)
    (refund,) = bench.sent("refund")
    assert refund.record["amount"] == "10"
    bench.reply(refund, external_id="re-1")
    assert payment(bench)["refunded"] == 10
    assert not bench.sent("push_refund"), "the shop knows already"


def test_what_is_cancelled_before_it_left_was_never_charged() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 2), payments=[card("20")]))
    line = {"external_line_id": "L1", "quantity": "1", "amount": "10", "tax": "0", "restock": "cancel"}
    told = {"external_id": "900", "fact_key": "900", "order_external_id": "4507", "currency": "USD", "lines": [line]}
    bench.fact("refunds", told)
    assert not bench.sent("refund")


def test_goods_that_leave_before_their_payment_is_known_are_charged_when_it_is() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payment_state="authorised"))
    bench.run()
    ship(bench, 1)
    assert bench.raised() == ["capture_short"]
    version = "2026-11-02T09:02:00.000000Z"
    bench.order(order_record(("L1", "TEE", 1), source_version=version, payments=[card("10")]))
    (capture,) = bench.sent("capture")
    assert capture.record["amount"] == "10"
    assert [clear.cause_key.split("/")[0] for clear in bench.decisions[-1].clears] == ["capture-short"]


def test_means_of_payment_that_nobody_authorised_are_authorised_before_the_order_goes_on() -> None:
    bench = provider(payment_require=())
    bench.order(order_record(("L1", "TEE", 1), payment_state="pending", payments=[card("10", state="created")]))
    bench.run()
    assert bench.the_order()["status"] == "held"
    (asked,) = bench.sent("authorise")
    assert (asked.record["source_external_id"], asked.record["amount"]) == ("pay-1", "10")
    bench.reply(asked, payment={"external_id": "pay-2", "amount": "10"})
    bench.run()
    assert bench.the_order()["status"] == "confirmed"
    ship(bench, 1)
    assert bench.sent("capture")[0].record["payment_external_id"] == "pay-2"


def test_means_of_payment_that_are_declined_hold_the_order_and_say_why() -> None:
    bench = provider(payment_require=())
    bench.order(order_record(("L1", "TEE", 1), payment_state="pending", payments=[card("10", state="created")]))
    bench.reply(bench.sent("authorise")[0], accepted=False, reason="card was stolen")
    bench.run()
    assert bench.the_order()["status"] == "held"
    assert bench.raised() == ["payment_lost"]
    assert payment(bench)["state"] == "failed"


def undone(bench: Bench, key: str, **said: str) -> None:
    (capture,) = bench.sent("capture")[:1]
    told = {"amount": capture.record["amount"], "external_id": "cap-1", "words": "the bank took it back", **said}
    event(bench, key, "capture_failed", **told)


def test_a_capture_that_fails_days_after_its_yes_is_owed_again_and_a_person_asks_for_it() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    bench.run()
    undone(bench, "e-9")
    undone(bench, "e-9b")
    row = payment(bench)
    assert (row["state"], row["captured"]) == ("authorised", D(0))
    assert bench.raised() == ["capture_undone"]
    assert "the bank took it back" in bench.exceptions[-1].detail
    assert sum(move["amount"] for move in bench.store.rows("money_moves", {"kind": "captured"})) == 0
    bench.act(capture_again, "op", "asked the customer")
    again = bench.sent("capture")[1]
    assert again.record["amount"] == "30"
    bench.reply(again, external_id="cap-2")
    assert payment(bench)["captured"] == D(30)
    assert [clear.cause_key for one in bench.decisions for clear in one.clears if "undone" in clear.cause_key]


@pytest.mark.parametrize("late", [True, False])
def test_the_yes_of_a_capture_that_comes_after_its_failure_takes_nothing(late: bool) -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    (capture,) = bench.sent("capture")
    failed = {"reference": f"payment/capture/{capture.key}", "occurred_at": "2026-11-04T09:00:00.000000Z"}
    undone(bench, "e-9", **failed)
    if late:
        bench.reply(capture, external_id="cap-1")
    else:
        yes = {"amount": "30", "external_id": "cap-1", "occurred_at": "2026-11-02T10:00:00.000000Z"}
        event(bench, "e-8", "captured", **yes, reference=failed["reference"])
    assert (payment(bench)["captured"], payment(bench)["capturing"]) == (D(0), D(0))
    assert len(bench.store.rows("captures", {})) == 1


def test_a_capture_undone_under_a_refund_that_is_under_way_waits_for_it() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    bench.act(refund_order, "op", "late", D(12), {})
    undone(bench, "e-9")
    assert (payment(bench)["captured"], payment(bench)["refunding"]) == (D(12), D(12))
    bench.reply(bench.sent("refund")[0], external_id="re-1")
    row = payment(bench)
    assert (row["captured"], row["refunded"], row["over_refunded"]) == (D(0), D(0), D(12))


def test_money_that_comes_back_after_its_refund_succeeded_can_be_given_back_again() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 3), payments=[card("30")]))
    bench.run()
    ship(bench, 3)
    bench.reply(bench.sent("capture")[0], external_id="cap-1")
    bench.act(refund_order, "op", "late", D(12), {})
    (refund,) = bench.sent("refund")
    bench.reply(refund, external_id="re-1")
    failed = {"external_id": "re-1", "payment_external_id": "pay-1", "amount": "12", "currency": "USD"}
    for key in ("e-1", "e-2"):
        record = {**failed, "fact_key": key, "state": "failed", "note": "account closed"}
        bench.fact("refunds", record, connection="payment")
    assert payment(bench)["refunded"] == 0
    assert bench.raised() == ["refund_undone"]
    assert sum(move["amount"] for move in bench.store.rows("money_moves", {"kind": "refunded"})) == 0
    bench.act(refund_order, "op", "by another way", D(12), {})
    bench.reply(bench.sent("refund")[1], external_id="re-2")
    assert payment(bench)["refunded"] == 12


def test_a_chargeback_may_be_reversed_and_come_a_second_time() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", state="captured")]))
    told = [("disputed", "03", "disputed"), ("dispute_won", "05", "won"), ("disputed", "04", "won")]
    for kind, day, state in [*told, ("disputed", "09", "disputed"), ("dispute_lost", "10", "lost")]:
        event(bench, f"e-{kind}-{day}", kind, amount="10", occurred_at=f"2026-11-{day}T09:00:00.000000Z")
        assert payment(bench)["state"] == state
    event(bench, "e-99", "dispute_won", amount="10", occurred_at="2026-12-01T09:00:00.000000Z")
    assert payment(bench)["state"] == "won", "the scheme decided anew"


def test_what_a_customer_takes_back_through_the_bank_is_not_refunded_beside() -> None:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10", state="captured")]))
    event(bench, "e-1", "disputed", amount="10", words="fraudulent")
    refused = bench.act(refund_order, "op", "sorry", D(5), {})
    assert (refused.verdict, "the customer's bank takes back" in refused.message) == (Verdict.IGNORED, True)
    assert _owe_back(bench, "5") == "None"
    assert (bench.sent("refund"), bench.raised()) == ([], ["disputed", "refund_not_covered"])
    assert "a payment is disputed" in bench.exceptions[-1].detail
    event(bench, "e-2", "dispute_won", amount="10")
    bench.act(refund_order, "op", "sorry", D(5), {})
    assert [one.record["amount"] for one in bench.sent("refund")] == ["5"]
