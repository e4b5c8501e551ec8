"""The answers to our own calls: numbers kept, refusals shown in the other side's words, late acknowledgements."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.decision import Verdict
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal


def confirmed() -> Bench:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 5)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    bench.send()
    return bench


def test_the_number_of_the_erp_is_kept_and_found_again() -> None:
    bench = confirmed()
    bench.reply(bench.sent("submit_order")[0], external_id="90017", number="SO-17")
    assert bench.the_order()["document"]["numbers"] == {"erp": "SO-17"}
    (reference,) = bench.store.rows("cross_references", {})
    assert (reference["system"], reference["external_id"]) == ("erp", "90017")
    assert reference["internal_id"] == bench.the_order()["id"]


def test_the_same_answer_twice_changes_nothing_more() -> None:
    bench = confirmed()
    for resolution in ("success", "duplicate"):
        bench.reply(bench.sent("submit_order")[0], resolution, external_id="90017")
    assert len(bench.store.rows("cross_references", {})) == 1


def test_a_refused_call_is_not_raised_again_beside_its_deliverys_exception() -> None:
    bench = confirmed()
    bench.reply(bench.sent("submit_order")[0], "rejected", reason="customer 4711 is blocked")
    assert bench.raised() == []


def test_a_no_in_an_answer_is_raised_in_the_other_sides_words_and_cleared_by_a_later_success() -> None:
    bench = confirmed()
    (posted,) = bench.sent("submit_order")
    bench.reply(posted, accepted=False, reason="customer 4711 is blocked")
    (raised,) = bench.exceptions
    assert (raised.kind, raised.detail) == ("refused", "customer 4711 is blocked")
    bench.reply(posted, external_id="90017")
    assert [clear.cause_key for clear in bench.decisions[-1].clears] == [raised.cause_key]


def test_a_call_that_succeeded_and_says_no_is_a_refusal() -> None:
    bench = confirmed()
    bench.reply(bench.sent("submit_order")[0], accepted=False, reason="credit limit")
    assert bench.raised() == ["refused"]


def test_the_warehouses_own_id_is_kept_with_the_work() -> None:
    bench = confirmed()
    bench.reply(bench.sent("send_fulfilment_request")[0], external_id="W-1")
    (work,) = bench.store.rows("fulfilment_orders", {})
    assert (work["state"], work["external_id"]) == ("sent", "W-1")


def test_an_answer_that_comes_after_the_work_has_begun_takes_nothing_back() -> None:
    bench = confirmed()
    (work,) = bench.store.rows("fulfilment_orders", {})
    report = {"fact_key": "1", "fulfilment_order": work["id"], "status": "picked"}
    bench.fact("fulfilment_responses", report, connection="wms-east")
    bench.reply(bench.sent("send_fulfilment_request")[0])
    assert bench.store.rows("fulfilment_orders", {})[0]["state"] == "in_progress"


def test_an_unknown_outcome_is_shown_until_it_is_known() -> None:
    bench = confirmed()
    (sent,) = bench.sent("send_fulfilment_request")
    bench.reply(sent, "ambiguous")
    assert bench.store.rows("fulfilment_orders", {})[0]["state"] == "unknown"
    bench.reply(sent)
    assert bench.store.rows("fulfilment_orders", {})[0]["state"] == "sent"


def test_a_refused_cancel_is_known_by_line() -> None:
    bench = confirmed()
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507"})
    (asked,) = bench.sent("cancel_fulfilment_request")
    line = bench.line_id("L1")
    answers = [
        {"line": line, "quantity": "2", "answer": "refused", "reason": "on the truck"},
    ]
    bench.reply(asked, lines=answers)
    assert bench.lines() == {"L1": {"released": D(2)}}
    assert "cancel_refused" in bench.raised()
    (work,) = bench.store.rows("fulfilment_orders", {})
    assert work["document"]["cancel_requests"][0]["lines"][0]["refused"] == "2"


def test_a_late_acknowledgement_is_read_as_the_answer() -> None:
    bench = confirmed()
    (posted,) = bench.sent("submit_order")
    key = f"erp/submit_order/{posted.key}"
    said = {"fact_key": "a", "key": key, "accepted": True, "external_id": "90017"}
    bench.fact("acknowledgements", said, connection="erp")
    assert bench.the_order()["document"]["numbers"] == {"erp": "90017"}


def test_an_acknowledgement_of_nothing_we_sent_waits() -> None:
    bench = confirmed()
    decision = bench.fact("acknowledgements", {"fact_key": "a", "key": "erp/submit_order/x", "accepted": True})
    assert decision is not None
    assert decision.verdict is Verdict.WAITING


def test_a_missed_comparison_publishes_the_level_anew() -> None:
    told = channel(location_map={"gid/1": "east"})
    bench = Bench(rules(location("east"), channels={"shop": told}, takers={"push_inventory": ("shop",)}))
    bench.stock("TEE", "east", 5)
    count = {"location": "EAST", "as_of": "2026-11-02T09:30:00Z", "rows": [{"sku": "TEE", "quantity": "4"}]}
    bench.restate("stock", count, connection="wms-east")
    bench.later(seconds=10)
    bench.run("push_stock")
    (pushed,) = bench.sent("push_inventory")
    bench.reply(pushed, accepted=False, reason="the quantity has changed")
    assert "poll" in [task.kind for task in bench.tasks.values()]
    bench.later(seconds=10)
    bench.run("push_stock")
    again = bench.sent("push_inventory")[-1]
    assert again.record["available"] == "4"
    assert "previous" not in again.record


def test_an_unsent_update_does_not_take_the_cancellation_of_a_sent_order_back_with_it() -> None:
    bench = confirmed()
    fewer = order_record(("L1", "TEE", 1), source_version="2026-11-02T09:10:00.000000Z")
    bench.order(fewer)
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.reply(asked, accepted=True)
    assert bench.sent("update_order")
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507"})
    bench.reply(bench.sent("cancel_fulfilment_request")[-1], accepted=True)
    assert bench.the_order()["status"] == "cancelled"
    (told,) = bench.sent("cancel_order")
    assert told.withdraws == ()
