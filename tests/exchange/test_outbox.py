"""Outgoing work: sent once, whatever the other side and the process do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from hub.domain.writeset import Applied, Outcome, WriteSet
from hub.exchange import verbs
from hub.exchange.drain import SettleConflict
from hub.exchange.gates import resume_rows
from hub.exchange.ports import NewAttempt
from hub.sdk.capabilities import SafetyMode
from tests.exchange.world import Target, World, submit

KEY = "erp/submit_order/order/1"


@pytest.fixture
def world() -> World:
    return World()


def test_an_effect_is_sent_once_and_its_answer_comes_home(world: World) -> None:
    world.decide(submit())
    world.settle()
    assert world.erp.count(KEY) == 1
    row = world.delivery()
    assert (row["state"], row["external_id"], row["attempts"]) == ("acknowledged", "X1", 1)
    (reply,) = world.replies()
    assert (reply["delivery"], reply["key"], reply["resolution"]) == (KEY, "order/1", "success")
    assert reply["reply"] == {"external_id": "X1"}


def test_the_same_fact_decided_twice_is_one_delivery(world: World) -> None:
    world.decide(submit())
    world.decide(submit())
    world.settle()
    world.decide(submit())
    world.settle()
    assert world.erp.calls == 1
    assert len(world.rows("deliveries")) == 1


def test_the_reply_is_written_in_the_write_set_that_settles(world: World) -> None:
    """A crash at any later commit cannot lose an answer: no commit holds the state without the reply."""
    world.decide(submit())
    seen: list[tuple[str, int]] = []

    def look(_: int) -> None:
        seen.append((world.delivery()["state"], len(world.rows("messages", stream="replies"))))

    world.hooks.after_commit = look
    world.settle()
    assert ("acknowledged", 1) in seen
    assert ("acknowledged", 0) not in seen


def test_bytes_are_frozen_when_the_row_is_enqueued(world: World) -> None:
    world.erp.script = ["unreachable"]
    world.decide(submit(record={"b": 1, "a": "2"}))
    world.settle()
    before = world.delivery()["body_hash"]
    world.run_for(60)
    assert world.erp.documents[0][1] == {"a": "2", "b": 1}
    assert world.delivery()["body_hash"] == before


# --- safety modes under a crash between attempt and settle ---


@pytest.mark.parametrize("crash", ["crash_before", "crash_after"])
@pytest.mark.parametrize("mode", [SafetyMode.IDEMPOTENCY_KEY, SafetyMode.UNIQUE_REFERENCE, SafetyMode.LOOKUP])
def test_a_crash_between_attempt_and_settle_makes_one_document(world: World, mode: SafetyMode, crash: str) -> None:
    world.erp_with(mode, settle_seconds=20.0)
    world.erp.deduplicates = mode is SafetyMode.IDEMPOTENCY_KEY
    world.erp.refuses_second = mode is SafetyMode.UNIQUE_REFERENCE
    world.erp.script = [crash]
    world.decide(submit())
    world.survive()
    world.run_for(300)
    assert world.erp.count(KEY) == 1
    assert world.delivery()["state"] == "acknowledged"
    assert world.replies()[-1]["external_id"] == "X1"


@pytest.mark.parametrize("crash", ["crash_before", "crash_after"])
def test_a_crash_with_no_safety_mode_waits_for_a_person(world: World, crash: str) -> None:
    world.erp_with(SafetyMode.NONE)
    world.erp.script = [crash]
    world.decide(submit())
    world.survive()
    world.run_for(600)
    assert (world.erp.calls, world.erp.lookups) == (1, 0)
    assert world.delivery()["state"] == "unknown"
    assert world.exceptions() == ["unknown"]


def test_a_claim_without_an_attempt_goes_back_to_pending(world: World) -> None:
    world.decide(submit())
    assert world.store.claim_deliveries("erp", 10)
    world.restart()
    world.settle()
    assert world.delivery()["attempts"] == 1
    assert world.erp.count(KEY) == 1


def test_a_late_commit_with_a_lagging_lookup_does_not_double(world: World) -> None:
    """The gateway gave up after seconds, the work is done within the deadline, the search lags behind it."""
    world.erp_with(SafetyMode.LOOKUP, settle_seconds=20.0)
    world.erp.lag_seconds = 15.0
    world.erp.script = ["late"]
    world.decide(submit())
    world.run_for(60)
    assert world.erp.lookups == 0
    world.run_for(120)
    assert world.erp.count(KEY) == 1
    assert (world.delivery()["state"], world.erp.calls) == ("acknowledged", 1)


def test_a_lookup_that_is_sure_lets_the_call_be_made_again(world: World) -> None:
    world.erp.script = ["fail_before"]
    world.decide(submit())
    world.run_for(200)
    assert world.erp.count(KEY) == 1
    assert (world.erp.calls, world.erp.lookups) == (2, 1)


def test_a_lookup_that_finds_other_content_is_a_conflict(world: World) -> None:
    world.erp.documents.append((KEY, {"order": "other"}, world.clock.now()))
    world.erp.script = ["fail_before"]
    world.decide(submit())
    world.run_for(200)
    assert world.delivery()["state"] == "conflict"
    assert world.exceptions() == ["conflict"]


def test_a_unique_reference_that_exists_is_read_back_and_compared(world: World) -> None:
    world.erp_with(SafetyMode.UNIQUE_REFERENCE)
    world.erp.refuses_second = True
    world.erp.documents.append((KEY, {"order": "1"}, world.clock.now()))
    world.erp.documents.append(("erp/submit_order/order/2", {"order": "somebody else's"}, world.clock.now()))
    world.decide(submit("1"), submit("2"))
    world.settle()
    assert world.delivery()["state"] == "acknowledged"
    assert world.delivery("erp/submit_order/order/2")["state"] == "conflict"


def test_an_unsure_lookup_stays_unknown_tells_a_person_and_is_asked_again(world: World) -> None:
    world.erp.script = ["lose_answer"]
    world.erp.unsure = True
    world.decide(submit())
    world.run_for(200)
    assert world.delivery()["state"] == "unknown"
    assert world.exceptions() == ["unknown"]
    world.erp.unsure = False
    world.run_for(1800, every=60)
    assert world.delivery()["state"] == "acknowledged"
    assert world.exceptions() == []


def test_an_idempotency_key_the_target_has_forgotten_falls_back_to_lookup(world: World) -> None:
    world.erp_with(SafetyMode.IDEMPOTENCY_KEY, key_ttl_seconds=100.0, settle_seconds=5.0)
    world.erp.script = ["unreachable", "lose_answer"]
    world.decide(submit())
    world.settle()
    world.erp.deduplicates = False
    world.settle(200)
    assert world.delivery()["state"] == "unknown"
    world.run_for(100)
    assert (world.delivery()["state"], world.erp.count(KEY)) == ("acknowledged", 1)


def test_a_defect_of_the_connector_proves_nothing(world: World) -> None:
    world.erp_with(SafetyMode.NONE)
    world.erp.script = ["bug"]
    world.decide(submit())
    world.settle()
    assert world.delivery()["state"] == "unknown"
    assert "ZeroDivisionError" in world.delivery()["error"]


# --- the three verbs ---


def unknown(world: World) -> str:
    world.erp_with(SafetyMode.NONE)
    world.erp.script = ["lose_answer"]
    world.decide(submit(), submit("1", capability="post_invoice", key="shipment/1/invoice", requires=(KEY,)))
    world.settle()
    assert world.delivery()["state"] == "unknown"
    return str(world.delivery()["id"])


def test_happened_acknowledges_with_the_external_id(world: World) -> None:
    delivery = unknown(world)
    assert world.commit(lambda writer: verbs.happened(writer, delivery, "SO-9", "ann")) is Applied.APPLIED
    world.settle()
    assert (world.delivery()["state"], world.delivery()["external_id"]) == ("acknowledged", "SO-9")
    assert [reply["external_id"] for reply in world.replies() if reply["resolution"] == "success"] == ["SO-9", "X2"]
    assert world.exceptions() == []
    assert [row["action"] for row in world.rows("audit")] == ["deliveries.happened"]


def test_did_not_happen_sends_the_same_bytes_again(world: World) -> None:
    delivery = unknown(world)
    assert world.commit(lambda writer: verbs.did_not_happen(writer, delivery, "ann")) is Applied.APPLIED
    world.settle()
    assert (world.delivery()["state"], world.erp.calls) == ("acknowledged", 3)
    assert world.exceptions() == []


def test_what_a_person_sends_again_after_weeks_is_not_given_up_at_once(world: World) -> None:
    delivery = unknown(world)
    world.clock.advance(30 * 86_400)
    world.erp.script = ["unreachable"]
    world.commit(lambda writer: verbs.did_not_happen(writer, delivery, "ann"))
    world.settle()
    assert world.delivery()["state"] == "retry"
    world.run_for(60)
    assert world.delivery()["state"] == "acknowledged"


def test_outcomes_that_could_not_be_written_lose_nothing_and_double_nothing(world: World) -> None:
    """Every write set of a settlement conflicts, twenty times: a mistake of ours, of which the work must not suffer."""
    world.decide(submit())
    apply = world.store.apply

    def refusing(write_sets: Sequence[WriteSet]) -> list[Outcome]:
        settles = [any(getattr(one, "table", "") == "attempts" for one in each.operations) for each in write_sets]
        return [Outcome(Applied.CONFLICT)] * len(write_sets) if any(settles) else apply(write_sets)

    world.store.apply = refusing  # type: ignore[method-assign]
    with pytest.raises(SettleConflict):
        world.engine.drain("erp")
    world.store.apply = apply  # type: ignore[method-assign]
    assert (world.delivery()["state"], world.erp.calls) == ("in_flight", 1)
    world.run_for(400)
    assert (world.delivery()["state"], world.erp.count(KEY)) == ("acknowledged", 1)
    assert [reply["resolution"] for reply in world.replies()][-1] == "success"


def test_abandon_needs_a_reason_to_be_kept_and_blocks_what_required_it(world: World) -> None:
    delivery = unknown(world)
    assert world.commit(lambda writer: verbs.abandon(writer, delivery, "order void", "ann")) is Applied.APPLIED
    world.settle()
    assert (world.delivery()["state"], world.delivery()["error"]) == ("abandoned", "order void")
    invoice = world.delivery("erp/post_invoice/shipment/1/invoice")
    assert (invoice["state"], invoice["park_reason"]) == ("parked", "blocked")
    assert world.replies()[-1]["resolution"] == "abandoned"


def test_a_verb_pressed_twice_at_once_has_one_effect(world: World) -> None:
    delivery = unknown(world)
    with world.store.read() as snapshot:
        first = verbs.did_not_happen(world.writer(snapshot), delivery, "ann")
        second = verbs.happened(world.writer(snapshot), delivery, "SO-9", "bob")
    assert [outcome.applied for outcome in world.store.apply([first, second])] == [Applied.APPLIED, Applied.CONFLICT]
    with world.store.read() as snapshot, pytest.raises(verbs.Refused, match="pending"):
        verbs.happened(world.writer(snapshot), delivery, "SO-9", "bob")


def test_resend_as_new_is_the_only_way_to_a_second_effect_and_is_audited(world: World) -> None:
    world.decide(submit())
    world.settle()
    delivery = str(world.delivery()["id"])
    with world.store.read() as snapshot, pytest.raises(verbs.Refused, match="reason"):
        verbs.resend_as_new(world.writer(snapshot), delivery, "", "ann")
    world.commit(lambda writer: verbs.resend_as_new(writer, delivery, "they lost it", "ann"))
    world.settle()
    assert world.delivery(f"{KEY}#2")["state"] == "acknowledged"
    assert [row["reason"] for row in world.rows("audit")] == ["they lost it"]


def test_mark_done_elsewhere_settles_what_was_never_sent(world: World) -> None:
    world.decide(submit(record={"unwritable": True}))
    delivery = str(world.delivery()["id"])
    world.commit(lambda writer: verbs.mark_done(writer, delivery, "SO-1", "typed in by hand", "ann"))
    world.settle()
    assert (world.delivery()["state"], world.erp.calls) == ("acknowledged", 0)
    assert world.exceptions() == []


# --- late results ---


def test_a_late_success_with_a_stale_token_settles_an_unknown_and_moves_nothing_else(world: World) -> None:
    world.erp_with(SafetyMode.NONE)
    world.decide(submit())

    def lose_the_lease(_: object) -> None:
        world.clock.advance(200)  # the call took longer than its lease; the sweep gave the row back
        world.store.recover()

    slow = Slow(world.clock, before_answer=lose_the_lease)
    world.change("erp", connector=slow)
    world.settle()
    row = world.delivery()
    assert (row["state"], row["external_id"]) == ("acknowledged", "X1")
    assert [(entry["resolution"], entry["stale"]) for entry in world.rows("attempts")] == [("success", True)]
    assert world.replies()[-1]["external_id"] == "X1"


class Slow(Target):
    def __init__(self, clock: object, before_answer: object) -> None:
        super().__init__(clock)  # type: ignore[arg-type]  # the world's clock
        self._before_answer = before_answer

    def submit_order(self, effect: object) -> object:
        reply = self._call(effect)  # type: ignore[arg-type]
        self._before_answer(effect)  # type: ignore[operator]
        return reply


# --- order, coalescing, withdrawal, dependants ---


def test_rows_of_one_lane_go_in_order_and_other_lanes_do_not_wait(world: World) -> None:
    world.erp.script = ["unreachable"]
    world.decide(submit("1"), submit("1", key="order/1@2", capability="update_order"), submit("2"))
    world.settle()
    assert [key for key, _, _ in world.erp.documents] == ["erp/submit_order/order/2"]
    world.run_for(30)
    assert [key for key, _, _ in world.erp.documents][1:] == [KEY, "erp/update_order/order/1@2"]


def cancel(order: str = "1") -> object:
    return submit(
        order, capability="cancel_order", key=f"order/{order}/cancel", withdraws=(f"erp/submit_order/order/{order}",)
    )


def test_a_cancel_withdraws_a_submit_without_attempt_and_itself(world: World) -> None:
    world.decide(submit())
    world.decide(cancel())  # type: ignore[arg-type]
    world.settle()
    assert world.erp.calls == 0
    assert world.delivery()["state"] == "withdrawn"
    assert world.delivery("erp/cancel_order/order/1/cancel")["state"] == "withdrawn"


def test_a_cancel_after_an_attempt_goes_out_behind_the_submit(world: World) -> None:
    world.erp.script = ["unreachable"]
    world.decide(submit())
    world.settle()
    world.decide(cancel())  # type: ignore[arg-type]
    world.run_for(60)
    assert [key for key, _, _ in world.erp.documents] == [KEY, "erp/cancel_order/order/1/cancel"]


def test_a_cancel_that_only_takes_back_an_unsent_change_goes_out_for_what_was_sent(world: World) -> None:
    world.decide(submit())
    world.settle()
    world.erp.script = ["unreachable"]
    world.decide(submit("2"))  # another order, so that the connection is not idle
    world.decide(submit(key="order/1@2", capability="update_order"))
    both = ("erp/submit_order/order/1", "erp/update_order/order/1@")
    world.decide(submit(capability="cancel_order", key="order/1/cancel", withdraws=both))
    world.run_for(60)
    assert world.delivery("erp/update_order/order/1@2")["state"] == "withdrawn"
    assert world.delivery("erp/cancel_order/order/1/cancel")["state"] == "acknowledged"


def test_an_attempt_that_starts_while_the_cancel_decides_makes_it_decide_again(world: World) -> None:
    world.decide(submit())
    with world.store.read() as snapshot:
        from hub.domain.decision import Decision
        from hub.exchange.decisions import decision_rows

        writes = decision_rows(Decision(effects=[cancel()]), world.writer(snapshot))  # type: ignore[list-item]
    (claimed,) = world.store.claim_deliveries("erp", 1)
    deadline = world.clock.now() + dt.timedelta(seconds=60)
    assert world.store.start_attempts([NewAttempt(claimed.id, 1, "call", claimed.token, deadline)]) == [True]
    assert world.store.apply([writes])[0].applied is Applied.CONFLICT


def stock(quantity: int, number: int) -> object:
    return submit(
        capability="push_inventory",
        key=f"subject/A|dc/{number}",
        aggregate="A|dc",
        lane="stock",
        subject="A|dc",
        record={"available": quantity},
        order_id=None,
    )


def test_a_newer_stock_push_replaces_the_pending_one(world: World) -> None:
    for number, quantity in enumerate((5, 4, 3)):
        world.decide(stock(quantity, number))  # type: ignore[arg-type]
    world.settle()
    assert [payload for _, payload, _ in world.erp.documents] == [{"available": 3}]
    assert sorted(row["state"] for row in world.rows("deliveries")) == ["acknowledged", "coalesced", "coalesced"]


def test_dependants_of_a_refused_delivery_park_as_blocked_under_the_same_exception(world: World) -> None:
    world.erp.script = ["refuse"]
    invoice = submit(capability="post_invoice", key="shipment/1/invoice", lane="invoice", requires=(KEY,))
    note = submit(
        capability="update_order", key="order/1@9", lane="late", requires=("erp/post_invoice/shipment/1/invoice",)
    )
    world.decide(submit(), invoice, note)
    world.settle()
    assert world.delivery()["state"] == "refused"
    assert world.delivery()["error"] == "customer is blocked"
    assert {row["park_reason"] for row in world.rows("deliveries", state="parked")} == {"blocked"}
    (exception,) = world.rows("exceptions")
    assert (exception["kind"], exception["detail"], exception["count"]) == ("refused", "customer is blocked", 3)
    assert len(world.rows("exception_subjects")) == 3


def test_what_is_enqueued_after_its_requirement_was_refused_parks_as_blocked_too(world: World) -> None:
    world.erp.script = ["refuse"]
    world.decide(submit())
    world.settle()
    world.decide(submit(capability="post_invoice", key="shipment/1/invoice", lane="invoice", requires=(KEY,)))
    world.run_for(15)
    invoice = world.delivery("erp/post_invoice/shipment/1/invoice")
    assert (invoice["state"], invoice["park_reason"], invoice["error"]) == ("parked", "blocked", f"waits for {KEY}")
    (exception,) = world.rows("exceptions")
    assert (exception["kind"], exception["count"]) == ("refused", 2)


def refused_with_a_dependant(world: World) -> str:
    world.erp.script = ["refuse"]
    world.decide(submit(), submit(capability="post_invoice", key="shipment/1/invoice", lane="invoice", requires=(KEY,)))
    world.settle()
    return str(world.delivery()["id"])


def test_a_refused_delivery_marked_done_elsewhere_lets_its_dependants_go(world: World) -> None:
    delivery = refused_with_a_dependant(world)
    world.commit(lambda writer: verbs.mark_done(writer, delivery, "SO-5", "typed in", "ann"))
    world.settle()
    assert world.delivery("erp/post_invoice/shipment/1/invoice")["state"] == "acknowledged"
    assert world.exceptions() == []


def test_a_refused_delivery_resent_as_new_lets_its_dependants_wait_for_the_new_one(world: World) -> None:
    delivery = refused_with_a_dependant(world)
    world.commit(lambda writer: verbs.resend_as_new(writer, delivery, "customer unblocked", "ann"))
    world.settle()
    assert [key for key, _, _ in world.erp.documents] == [f"{KEY}#2", "erp/post_invoice/shipment/1/invoice"]
    assert world.exceptions() == []


def test_refusals_for_the_same_reason_are_one_exception_with_many_subjects(world: World) -> None:
    world.erp.script = ["refuse"] * 7
    world.decide(*[submit(str(number)) for number in range(7)])
    world.settle()
    (exception,) = world.rows("exceptions")
    assert (exception["count"], len(world.rows("exception_subjects"))) == (7, 7)


# --- what keeps a connection from being called ---


def test_refused_credentials_are_refreshed_once_then_the_connection_pauses_with_one_exception(world: World) -> None:
    world.erp.script = ["auth"] * 4
    world.decide(submit("1"), submit("2"), submit("3"))
    world.run_for(1200, every=60)
    assert world.erp.refreshed == 1
    assert world.erp.calls == 2
    assert world.exceptions() == ["auth_failed"]
    world.erp.script = []
    world.commit(lambda writer: resume_rows(writer.snapshot, "erp", "ann", writer.now))
    world.settle(2)
    assert {row["state"] for row in world.rows("deliveries")} == {"acknowledged"}
    assert world.exceptions() == []


def test_retry_after_is_never_early_and_at_most_a_tenth_late(world: World) -> None:
    world.erp.script = ["throttle"]
    world.decide(submit())
    world.settle()
    wait = (world.delivery()["due_at"] - world.clock.now()).total_seconds()
    assert 100 <= wait <= 110
    assert world.exceptions() == []


def test_a_delivery_is_given_up_by_age_and_can_be_retried(world: World) -> None:
    world.erp.script = ["unreachable"] * 100
    world.decide(submit(give_up_after_seconds=3600))
    world.run_for(7200, every=300)
    assert (world.delivery()["state"], world.delivery()["park_reason"]) == ("parked", "gave_up")
    assert "gave_up" in world.exceptions()
    world.erp.script = []
    delivery = str(world.delivery()["id"])
    world.commit(lambda writer: verbs.retry(writer, delivery, "ann"))
    world.settle()
    assert (world.delivery()["state"], world.erp.count(KEY)) == ("acknowledged", 1)
    assert world.exceptions() == []


def test_an_old_retry_tells_a_person_and_success_clears_it(world: World) -> None:
    world.erp.script = ["unreachable"] * 12
    world.decide(submit())
    world.run_for(900, every=60)
    assert world.exceptions() == ["retrying"]
    world.run_for(3600, every=300)
    assert world.delivery()["state"] == "acknowledged"
    assert world.exceptions() == []


def test_what_is_true_no_more_is_not_told_any_longer(world: World) -> None:
    """It was retried for long, and then a call was lost: one thing needs a person, not two."""
    world.erp_with(SafetyMode.NONE)
    world.erp.script = ["unreachable"] * 40
    world.decide(submit())
    world.run_for(1800, every=60)
    assert world.exceptions() == ["retrying"]
    world.erp.script = ["lose_answer"]
    world.run_for(7200, every=300)
    assert world.delivery()["state"] == "unknown"
    assert world.exceptions() == ["unknown"]


def test_an_observing_connection_shows_what_it_would_have_sent(world: World) -> None:
    world.change("erp", effects=False)
    world.decide(submit())
    world.settle()
    assert (world.delivery()["state"], world.erp.calls) == ("suppressed", 0)
    with world.store.read() as snapshot:
        assert snapshot.body(world.delivery()["body_id"]) == b'{"order":"1"}'
    world.change("erp", effects=True)
    world.settle()
    assert world.erp.calls == 0
    world.commit(lambda writer: verbs.go_live(writer, [world.delivery()["id"]], "ann"))
    world.settle()
    assert world.erp.count(KEY) == 1


def test_what_cannot_be_rendered_parks_and_is_rendered_again_on_retry(world: World) -> None:
    world.decide(submit(record={"unwritable": True}))
    world.settle()
    assert (world.delivery()["state"], world.delivery()["park_reason"]) == ("parked", "mapping")
    assert world.exceptions() == ["mapping"]
    world.renderer.broken = False
    world.commit(lambda writer: verbs.retry(writer, str(world.delivery()["id"]), "ann"))
    world.settle()
    assert world.erp.documents[0][1] == {"unwritable": True}
    assert world.exceptions() == []


# --- asynchronous acceptance ---


def test_a_document_only_taken_waits_for_its_acknowledgement(world: World) -> None:
    world.erp.asynchronous = True
    world.decide(submit())
    world.settle()
    assert world.delivery()["state"] == "sent"
    assert world.replies() == []
    world.receive({"fact_key": "a1", "key": KEY, "accepted": True, "external_id": "SO-7"}, "acknowledgements", "erp")
    world.settle()
    assert (world.delivery()["state"], world.delivery()["external_id"]) == ("acknowledged", "SO-7")
    assert world.replies()[-1]["external_id"] == "SO-7"


def test_an_acknowledgement_that_refuses_is_a_refusal(world: World) -> None:
    world.erp.asynchronous = True
    world.decide(submit())
    world.settle()
    ack = {"fact_key": "a1", "key": KEY, "accepted": False, "reason": "unknown customer"}
    world.receive(ack, "acknowledgements", "erp")
    world.settle()
    assert world.delivery()["state"] == "refused"
    assert world.exceptions() == ["refused"]


def test_an_acknowledgement_that_does_not_come_is_overdue_and_still_open(world: World) -> None:
    world.erp_with(SafetyMode.LOOKUP, overdue_after_seconds=600.0)
    world.erp.asynchronous = True
    world.decide(submit())
    world.run_for(700, every=100)
    assert world.delivery()["state"] == "overdue"
    assert world.exceptions() == ["overdue"]
    world.receive({"fact_key": "a1", "key": KEY, "accepted": True}, "acknowledgements", "erp")
    world.settle()
    assert world.delivery()["state"] == "acknowledged"
    assert world.exceptions() == []
