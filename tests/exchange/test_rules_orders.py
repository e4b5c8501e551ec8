"""Rules about orders, from their first restate to their end, with the order management behind the real exchange."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hub.domain.writeset import Outcome, WriteSet
from hub.exchange.decisions import Writer
from hub.exchange.verbs import resend_as_new
from hub.oms.desk.again import record_now
from hub.oms.people import cancel_order, hold_order, release_order
from tests.exchange.whole import Whole, spine
from tests.property.memory_store import channel

GRACE = 600


@pytest.fixture
def hub() -> Iterator[Whole]:
    world = Whole()
    world.items("TEE", "CAP")
    world.stock(TEE=5, CAP=5)
    yield world
    assert world.findings() == []


def graced(world: Whole) -> None:
    world.change_rules(replace(world.rules, channels={"shop": channel(grace_seconds=GRACE)}))


# --- parking: only what cannot be identified, and always with an exception ---


@pytest.mark.parametrize(
    ("stream", "connection", "record"),
    [
        ("orders", "shop", {"external_id": "1"}),
        ("stock", "wms-east", {"location": "NOWHERE", "as_of": "2026-03-02T09:00:00Z", "rows": [{"sku": "A"}]}),
        ("items", "shop", {"external_id": "1"}),
    ],
)
def test_what_is_parked_is_shown_to_a_person_in_plain_words(
    hub: Whole, stream: str, connection: str, record: dict[str, Any]
) -> None:
    hub.receive(record, stream, connection)
    hub.settle()
    (parked,) = hub.rows("messages", state="parked")
    (subject,) = hub.rows("exception_subjects", subject_id=parked["id"])
    (exception,) = hub.rows("exceptions", id=subject["exception_id"])
    assert exception["title"]
    assert exception["next_step"]
    assert exception["hint"]
    assert exception["owner"]


def test_a_parked_order_is_superseded_by_a_complete_one_and_its_exception_goes(hub: Whole) -> None:
    hub.receive({"external_id": "4507", "source_version": "2026-11-02T09:01:00.000000Z"})
    hub.settle()
    assert len(hub.exceptions()) == 1
    hub.restate(("L1", "TEE", 1), number=2)
    hub.settle()
    assert (hub.states(), hub.exceptions()) == (["superseded", "applied"], [])


def test_an_order_of_a_used_id_stays_parked_until_a_person_chooses(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.restate(("L9", "CAP", 1), number=2, placed_at="2025-01-01T00:00:00Z")
    hub.settle()
    assert hub.exceptions() == ["identity_reused"]
    hub.restate(("L1", "TEE", 2), number=3)
    hub.settle()
    assert hub.states() == ["applied", "parked", "applied"]
    assert hub.exceptions() == ["identity_reused"]


def test_a_refused_stock_feed_is_forgotten_with_the_next_good_one(hub: Whole) -> None:
    hub.clock.advance(60)
    hub.receive({"location": "EAST", "as_of": hub.clock.now().isoformat(), "rows": []}, "stock", "wms-east")
    hub.settle()
    assert hub.exceptions() == ["stock_feed"]
    hub.clock.advance(60)
    hub.stock(TEE=5, CAP=5)
    assert hub.exceptions() == []


def test_negative_stock_is_forgotten_when_the_count_is_right_again(hub: Whole) -> None:
    hub.clock.advance(60)
    hub.stock(TEE=-3)
    assert hub.exceptions() == ["stock_negative"]
    hub.clock.advance(60)
    hub.stock(TEE=4)
    assert hub.exceptions() == []


# --- holds release themselves when their cause is fixed, and the order goes on ---


def test_an_order_released_during_its_grace_is_confirmed_when_the_grace_is_over(hub: Whole) -> None:
    graced(hub)
    hub.restate(("L1", "TEE", 1), payment_state="pending")
    hub.settle()
    hub.person(release_order)
    assert hub.the_order()["status"] == "received"
    hub.settle(GRACE + 1)
    assert hub.the_order()["status"] == "confirmed"


def test_the_item_of_an_order_held_whole_is_imported_during_its_grace(hub: Whole) -> None:
    hub.change_rules(replace(hub.rules, unknown_sku="hold_order", channels={"shop": channel(grace_seconds=GRACE)}))
    hub.stock("wms-west", NEW=1)
    hub.restate(("L1", "NEW", 1))
    hub.settle()
    hub.items("NEW")
    hub.settle(GRACE + 1)
    assert (hub.the_order()["status"], hub.exceptions()) == ("confirmed", [])


def test_what_was_added_while_a_confirmed_order_was_held_is_sourced_when_the_hold_goes(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.restate(("L1", "TEE", 2), number=2, ship_to={"country": "US"})
    hub.settle()
    assert hub.buckets() == {"open": 1, "released": 1}
    hub.restate(("L1", "TEE", 2), number=3)
    hub.settle()
    assert hub.buckets() == {"released": 2}


def test_a_payment_that_comes_lets_the_order_go_on(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1), payment_state="pending")
    hub.settle()
    assert hub.the_order()["status"] == "held"
    hub.restate(("L1", "TEE", 1), number=2, payment_state="paid")
    hub.settle()
    assert (hub.the_order()["status"], len(hub.sent("submit_order"))) == ("confirmed", 1)


def test_each_unknown_sku_is_forgotten_when_its_own_item_is_known(hub: Whole) -> None:
    hub.restate(("L1", "NEW", 1), ("L2", "NEWER", 1))
    hub.settle()
    hub.items("NEW")
    (left,) = hub.rows("exceptions", state="open")
    assert left["cause_key"] == "hold/unknown_sku/NEWER"


def test_nothing_held_is_sent_on(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1), ship_to={"country": "US"})
    hub.settle(100)
    assert [row for row in hub.rows("deliveries") if row["capability"] != "push_inventory"] == []


# --- shorts, exclusions, silence ---


def test_a_location_is_asked_again_when_its_exclusion_is_over(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.report("east", "rejected", reason="no hands today")
    assert hub.buckets() == {"backordered": 1}
    hub.run_for(25 * 3600, every=3600)
    assert hub.buckets() == {"released": 1}
    assert hub.exceptions() == []


def test_what_nobody_has_any_more_and_nobody_wants_any_more_is_no_trouble(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.report("east", "rejected")
    assert hub.exceptions() == ["unfillable"]
    hub.fact("cancel_requests", order_external_id="4507")
    hub.settle()
    assert (hub.the_order()["status"], hub.exceptions()) == ("cancelled", [])


def test_a_location_that_gives_back_what_it_was_silent_about_is_not_asked_again(hub: Whole) -> None:
    hub.stock("wms-west", TEE=5)
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.settle(24 * 3600 + 1)
    assert hub.exceptions() == ["silence"]
    (request,) = hub.work("east")["document"]["cancel_requests"]
    hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert hub.work("west")["state"] in ("planned", "sent")
    assert hub.exceptions() == []


def test_silence_is_not_asked_of_who_was_never_asked(hub: Whole) -> None:
    hub.change("wms-east", effects=False)
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.settle(24 * 3600 + 1)
    assert hub.exceptions() == []


# --- several processes at once ---


def meanwhile(hub: Whole, happens: Callable[[], object]) -> None:
    """Just before the next commit of a decision, another process commits something that the decision did not see."""
    apply = hub.store.apply

    def late(write_sets: Sequence[WriteSet]) -> list[Outcome]:
        hub.store.apply = apply  # type: ignore[method-assign]
        happens()
        return apply(write_sets)

    hub.store.apply = late  # type: ignore[method-assign]


def test_stock_counted_while_an_order_was_found_nothing_for_still_reaches_it(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 9))
    hub.engine.parse()
    hub.engine.apply()

    def counted() -> None:
        rows = [{"sku": "TEE", "quantity": "9"}]
        hub.receive({"location": "WEST", "as_of": "2026-03-02T08:59:00Z", "rows": rows}, "stock", "wms-west")
        hub.engine.parse()
        hub.engine.apply()

    meanwhile(hub, counted)
    hub.engine.run_tasks()
    hub.settle()
    assert hub.buckets()["backordered"] == 4
    hub.settle(20)
    assert hub.buckets() == {"released": 9}


def test_an_item_imported_while_its_order_was_captured_still_releases_it(hub: Whole) -> None:
    hub.restate(("L1", "NEW", 1))
    hub.engine.parse()

    def imported() -> None:
        hub.items("NEW")

    meanwhile(hub, imported)
    hub.engine.apply()
    hub.settle()
    assert hub.the_order()["status"] == "held"
    hub.settle(20)
    assert (hub.the_order()["status"], hub.exceptions()) == ("confirmed", [])


# --- cancelling, in every state ---


def cancelled_at(hub: Whole, moment: str) -> None:
    """An order brought to a moment, then cancelled by its channel."""
    if moment == "before allocation":
        hub.restate(("L1", "TEE", 2), payment_state="pending")
        hub.settle()
    elif moment == "allocated":
        graced(hub)
        hub.restate(("L1", "TEE", 2))
        hub.settle()
        assert hub.buckets() == {"allocated": 2}
    elif moment == "backordered":
        hub.restate(("L1", "TEE", 9))
        hub.settle()
    elif moment == "confirmed":
        for target in ("erp", "wms-east"):
            hub.change(target, effects=True)
        hub.restate(("L1", "TEE", 2))
        hub.engine.parse()
        hub.engine.apply()
        hub.engine.run_tasks()
        assert hub.buckets() == {"released": 2}
    else:
        hub.restate(("L1", "TEE", 2))
        hub.settle()
        for status in ("acknowledged", "packed"):
            if moment != "sent":
                hub.report("east", status)
            if moment == status:
                break
    if moment == "shipped":
        hub.ships("east", "2")


@pytest.mark.parametrize("who", ["channel", "person"])
@pytest.mark.parametrize(
    ("moment", "asked", "left"),
    [
        ("before allocation", False, {"cancelled": 2}),
        ("allocated", False, {"cancelled": 2}),
        ("confirmed", False, {"cancelled": 2}),
        ("sent", True, {"released": 2}),
        ("acknowledged", True, {"accepted": 2}),
        ("packed", True, {"packed": 2}),
        ("shipped", False, {"shipped": 2}),
    ],
)
def test_a_cancel_takes_back_what_is_ours_and_asks_for_the_rest(
    hub: Whole, moment: str, asked: bool, left: dict[str, int], who: str
) -> None:
    cancelled_at(hub, moment)
    if who == "channel":
        hub.fact("cancel_requests", order_external_id="4507", executed=True)
        hub.settle()
    else:
        hub.person(cancel_order)
    assert hub.buckets() == left
    assert bool(hub.sent("cancel_fulfilment_request")) is asked
    if moment == "shipped":
        assert hub.exceptions() == (["cancel_too_late"] if who == "channel" else [])
        return
    if asked:
        assert hub.sent("cancel_order") == []
        (request,) = hub.work("east")["document"]["cancel_requests"]
        hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert (hub.the_order()["status"], hub.buckets()) == ("cancelled", {"cancelled": 2})
    # Who was told of the order is told of its end; who was not hears of neither.
    assert len(hub.sent("cancel_order")) == len(hub.sent("submit_order")) == (1 if asked else 0)
    (stock,) = hub.rows("stock", sku="TEE", location="east")
    assert (stock["soft"], stock["firm"]) == (0, 0)


@pytest.mark.parametrize("said", ["rejected", "short"])
def test_what_a_location_gives_back_by_itself_answers_the_cancel_that_waits_for_it(hub: Whole, said: str) -> None:
    cancelled_at(hub, "acknowledged")
    hub.fact("cancel_requests", order_external_id="4507", executed=True)
    hub.settle()
    hub.report("east", said, lines=[{"line": hub.line()["id"], "quantity": "2"}])
    assert (hub.the_order()["status"], hub.buckets()) == ("cancelled", {"cancelled": 2})
    assert len(hub.sent("cancel_order")) == 1


def test_a_cancel_by_lines_before_the_order_is_known_waits_for_it_and_counts_once(hub: Whole) -> None:
    graced(hub)
    lines = [{"external_line_id": "L1", "quantity": "1"}]
    hub.fact("cancel_requests", order_external_id="4507", lines=lines)
    hub.settle()
    hub.restate(("L1", "TEE", 3))
    hub.settle()
    hub.settle(GRACE + 1)
    assert hub.states("cancel_requests") == ["applied"]
    assert hub.buckets() == {"cancelled": 1, "released": 2}
    hub.restate(("L1", "TEE", 2), number=2)
    hub.settle()
    assert hub.buckets() == {"cancelled": 1, "released": 2}


def test_two_restates_in_a_row_that_cannot_be_identified_are_both_shown(hub: Whole) -> None:
    for number in (1, 2):
        hub.receive({"external_id": "4507", "source_version": f"2026-11-02T09:0{number}:00.000000Z"})
        hub.settle()
    assert hub.states() == ["parked", "parked"]
    assert len(hub.rows("exception_subjects", cleared_at=None)) == 2
    hub.restate(("L1", "TEE", 1), number=3)
    hub.settle()
    assert (hub.states(), hub.exceptions()) == (["superseded", "superseded", "applied"], [])


def test_a_cancel_comes_over_an_absent_create_and_over_a_parked_one(hub: Whole) -> None:
    hub.receive({"external_id": "4507", "source_version": "2026-11-02T09:00:30.000000Z"})
    hub.fact("cancel_requests", order_external_id="4507")
    hub.settle()
    hub.restate(("L1", "TEE", 1), number=2)
    hub.settle()
    assert (hub.the_order()["status"], hub.buckets()) == ("cancelled", {"cancelled": 1})
    assert [row for row in hub.rows("deliveries") if row["capability"] != "push_inventory"] == []


# --- edits ---


def test_an_edit_reaches_the_erp_as_an_update_and_an_equal_restate_does_not(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.restate(("L1", "TEE", 3), number=2)
    hub.settle()
    hub.restate(("L1", "TEE", 3), number=3)
    hub.settle()
    assert len(hub.sent("update_order")) == 1
    assert hub.buckets() == {"released": 3}


def test_a_poll_that_states_what_a_webhook_stated_changes_nothing_and_asks_nobody(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1), attributes={"shop": {"sent by": "webhook"}})
    hub.settle()
    hub.restate(("L1", "TEE", 1), attributes={"shop": {"sent by": "poll"}})
    hub.settle()
    told = [row["type"] for row in hub.rows("events", order_id=hub.the_order()["id"])]
    assert "hub.order.changed.v1" not in told
    assert hub.rows("tasks", kind="fetch") == []
    hub.restate(("L1", "TEE", 2), number=2)
    hub.settle()
    told = [row["type"] for row in hub.rows("events", order_id=hub.the_order()["id"])]
    assert told.count("hub.order.changed.v1") == 1


def test_an_order_edited_to_nothing_and_wanted_again_is_shown_to_a_person(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1))
    hub.engine.parse()
    hub.engine.apply()
    hub.engine.run_tasks()
    hub.settle()
    hub.restate(("L1", "TEE", 0), number=2)
    hub.settle()
    (request,) = hub.work("east")["document"]["cancel_requests"]
    hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert len(hub.sent("cancel_order")) == 1
    hub.restate(("L1", "TEE", 1), number=3)
    hub.settle()
    assert hub.buckets() == {"released": 1}
    assert hub.exceptions() == ["wanted_again"]


def test_a_restate_that_contradicts_a_cancellation_made_here_is_shown_with_both(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 1), payment_state="pending")
    hub.settle()
    hub.person(cancel_order)
    hub.restate(("L1", "TEE", 3), number=2)
    hub.settle()
    assert hub.buckets() == {"cancelled": 3}
    (exception,) = hub.rows("exceptions", kind="conflicting_edit")
    assert "ann" in exception["detail"]
    assert "3" in exception["detail"]


def test_an_order_that_is_held_by_a_person_stays_held_whatever_the_channel_restates(hub: Whole) -> None:
    graced(hub)
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.person(hold_order)
    hub.restate(("L1", "TEE", 2), number=2)
    hub.settle(GRACE + 1)
    assert hub.the_order()["status"] == "held"
    assert hub.sent("submit_order") == []


def test_a_total_that_was_lowered_after_goods_were_invoiced_is_shown_to_a_person(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 2))
    hub.settle()
    hub.ships("east", "1")
    hub.restate(("L1", "TEE", 0), number=2)
    hub.settle()
    assert "invoiced_above_total" in hub.exceptions()
    hub.restate(("L1", "TEE", 2), number=3)
    hub.settle()
    assert "invoiced_above_total" not in hub.exceptions()


# --- refused by others ---


def test_a_refused_submission_is_one_exception_that_a_resend_as_new_clears(hub: Whole) -> None:
    hub.erp.script = ["refuse"]
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    assert hub.exceptions() == ["refused"]
    (refused,) = hub.rows("deliveries", state="refused")
    hub.commit(lambda writer: resend_as_new(writer, refused["id"], "unblocked", "ann"))
    hub.settle()
    assert (hub.exceptions(), len(hub.sent("submit_order"))) == ([], 1)


def test_what_was_refused_is_written_anew_when_it_is_resent(hub: Whole) -> None:
    hub.erp.script = ["refuse"]
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.restate(("L1", "TEE", 2), number=2)
    hub.settle()
    (refused,) = hub.rows("deliveries", state="refused")

    def again(writer: Writer) -> WriteSet:
        def now(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
            return record_now(hub.rules, writer.snapshot, writer.now, row)

        return resend_as_new(writer, refused["id"], "quantity corrected", "ann", now)

    hub.commit(again)
    hub.settle()
    (sent,) = [record for key, record, _ in hub.erp.documents if "/submit_order/" in key]
    assert [line["quantity"] for line in sent["lines"]] == ["2"]
    (standing,) = hub.rows("deliveries", state="refused")
    assert standing["body_hash"] == refused["body_hash"], "what was sent once stays as it was"


def test_a_change_of_an_order_that_the_erp_refused_is_no_second_cause(hub: Whole) -> None:
    hub.erp.script = ["refuse"]
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    hub.restate(("L1", "TEE", 2), number=2)
    hub.run_for(60)
    (update,) = hub.rows("deliveries", capability="update_order")
    assert (update["state"], update["park_reason"]) == ("parked", "blocked")
    assert (hub.exceptions(), hub.erp.calls) == (["refused"], 1)


def test_an_order_cancelled_while_its_submission_could_not_be_written_leaves_no_exception(hub: Whole) -> None:
    hub.renderer.broken = True
    hub.change_rules(
        replace(hub.rules, takers={**hub.rules.takers, "submit_order": ("nowhere",), "cancel_order": ("nowhere",)})
    )
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    assert "mapping" in hub.exceptions()
    hub.fact("cancel_requests", order_external_id="4507")
    hub.settle()
    (request,) = hub.work("east")["document"]["cancel_requests"]
    hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert (hub.the_order()["status"], hub.exceptions()) == ("cancelled", [])


# --- going live ---


def test_what_an_observing_hub_would_send_can_be_read_and_going_live_is_from_now(hub: Whole) -> None:
    hub.change_rules(replace(hub.rules, channels={"shop": channel(effects=False)}))
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    (submit,) = hub.rows("deliveries", capability="submit_order")
    assert submit["state"] == "suppressed"
    with hub.store.read() as snapshot:
        body = snapshot.body(submit["body_id"])
    assert body is not None
    assert b'"order_external_id":"4507"' in body
    hub.change_rules(spine())
    hub.restate(("L1", "TEE", 2), number=2)
    hub.settle(dt.timedelta(days=1).total_seconds())
    assert hub.sent("submit_order") == hub.sent("update_order") == hub.sent("send_fulfilment_request") == []
    hub.receive({**_other(), "external_id": "4508"})
    hub.settle()
    assert len(hub.sent("submit_order")) == 1


def _other() -> dict[str, Any]:
    from tests.property.memory_store import order_record

    return order_record(("L1", "CAP", 1))


def test_a_channel_that_fulfils_by_hand_leaves_ledgers_that_add_up(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 2), payment_state="pending")
    hub.settle()
    lines = [{"external_line_id": "L1", "quantity": "2"}]
    hub.fact("shipments", external_id="f1", order_external_id="4507", packages=[{"package": "1", "lines": lines}])
    hub.settle()
    assert (hub.the_order()["status"], hub.buckets()) == ("closed", {"shipped": 2})
