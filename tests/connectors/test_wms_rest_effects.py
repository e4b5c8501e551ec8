"""The warehouse connector's two effects against the emulated warehouse over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Found, NotFound, Unsure
from tests.connectors.wms_rest_world import MAPPINGS, World, cancellation, request

SEND = Capability.SEND_FULFILMENT_REQUEST
CANCEL = Capability.CANCEL_FULFILMENT_REQUEST


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


def test_a_request_reaches_the_warehouse_as_it_was_frozen(world: World) -> None:
    payload = request(MUG="2", CLOTH="1.5")
    reply = world.connector.send_fulfilment_request(world.effect(payload))
    assert (reply.status, reply.external_id) == (201, "FR-000001")
    assert json.loads(reply.raw)["request"] == payload
    assert [entry["key"] for entry in world.ledger("fulfilment_request")] == ["ful_1@1"]


def test_a_second_request_of_the_same_content_is_the_first_one_read_back(world: World) -> None:
    first = world.send()
    reply = world.connector.send_fulfilment_request(world.effect(request()))
    assert reply.status == 409
    assert reply.external_id == first
    assert MAPPINGS.get("wms_rest/send_fulfilment_request.reply").run(json.loads(reply.raw)).record == {
        "external_id": first
    }
    assert len(world.ledger("fulfilment_request")) == 1
    assert [entry["existing"] for entry in world.ledger("duplicate_reference")] == [first]


def test_other_content_under_our_reference_is_no_success_and_looks_different(world: World) -> None:
    world.send(MUG="2")
    other = world.effect(request(MUG="3"))
    with pytest.raises(CallFailed) as failed:
        world.connector.send_fulfilment_request(other)
    assert failed.value.resolution is Resolution.DUPLICATE
    found = world.connector.lookup(SEND, other)
    assert isinstance(found, Found)
    assert found.same_content is False


def test_a_refusal_carries_the_warehouses_words(world: World) -> None:
    with pytest.raises(CallFailed) as failed:
        world.connector.send_fulfilment_request(world.effect(request(MUG="0")))
    assert failed.value.resolution is Resolution.REJECTED
    assert failed.value.code == "invalid"
    assert "quantity must be a decimal above zero" in failed.value.words


def test_a_closed_door_says_that_nothing_was_done(world: World) -> None:
    world.control("door", open=False)
    with pytest.raises(CallFailed) as failed:
        world.send()
    assert failed.value.resolution is Resolution.RETRY
    world.control("door", open=True)
    assert world.send() == "FR-000001"


def test_a_wrong_key_pauses_instead_of_refusing(world: World) -> None:
    stranger = world.connect(api_key="wrong")
    with pytest.raises(CallFailed) as failed:
        stranger.send_fulfilment_request(world.effect(request()))
    assert failed.value.resolution is Resolution.AUTH_FAILED
    assert not stranger.check().ok
    assert world.connector.check().ok


def test_an_error_before_the_work_is_repeated_and_done_once(world: World) -> None:
    world.faults.script = {1: "error_before"}
    with pytest.raises(CallFailed) as failed:
        world.send()
    assert failed.value.resolution is Resolution.RETRY
    assert world.ledger("fulfilment_request") == []
    assert world.send() == "FR-000001"
    assert len(world.ledger("fulfilment_request")) == 1


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_an_answer_lost_after_the_work_does_not_make_a_second_document(world: World, fault: str) -> None:
    world.faults.script = {1: fault}
    with pytest.raises((CallFailed, TransportError)) as failed:
        world.send()
    if isinstance(failed.value, TransportError):
        assert not failed.value.before_first_byte
    else:
        assert getattr(failed.value, "resolution", None) is Resolution.RETRY
    assert world.send() == "FR-000001"
    assert [entry["id"] for entry in world.ledger("fulfilment_request")] == ["FR-000001"]


def test_work_that_is_committed_late_is_found_when_it_has_come(world: World) -> None:
    world.faults.script = {1: "late_commit"}
    effect = world.effect(request())
    with pytest.raises(CallFailed) as failed:
        world.connector.send_fulfilment_request(effect)
    assert failed.value.status == 504
    assert world.connector.lookup(SEND, effect) == NotFound()
    world.pass_seconds(world.faults.late_commit_seconds)
    found = world.connector.lookup(SEND, effect)
    assert isinstance(found, Found)
    assert found.same_content is True
    assert world.connector.send_fulfilment_request(effect).external_id == found.reply.external_id
    assert len(world.ledger("fulfilment_request")) == 1


def test_throttling_says_when_to_come_again(world: World) -> None:
    world.faults.retry_after_seconds = 7
    world.faults.script = {1: "throttle"}
    with pytest.raises(CallFailed) as failed:
        world.send()
    assert failed.value.resolution is Resolution.RATE_LIMITED
    assert failed.value.retry_after_seconds == 7


def test_a_delayed_answer_is_an_answer(world: World) -> None:
    world.faults.script = {1: "delay"}
    assert world.send() == "FR-000001"


def test_a_lookup_sees_only_what_is_older_than_the_lag(world: World) -> None:
    world.faults.lookup_lag_seconds = 5
    effect = world.effect(request())
    world.connector.send_fulfilment_request(effect)
    assert world.connector.lookup(SEND, effect) == NotFound()
    world.clock.pass_seconds(5)
    assert isinstance(world.connector.lookup(SEND, effect), Found)


def test_a_lookup_that_fails_is_unsure(world: World) -> None:
    world.faults.script = {1: "error_before", 2: "drop_after"}
    effect = world.effect(request())
    assert isinstance(world.connector.lookup(SEND, effect), Unsure)
    assert isinstance(world.connector.lookup(SEND, effect), Unsure)


def test_cancelling_splits_a_line_by_what_is_still_there(world: World) -> None:
    world.stock(MUG="5", CLOTH="5")
    world.control("behave", mode="hold")
    world.send(MUG="3", CLOTH="1.5")
    world.control("act", client_order_id="ful_1", do="ship", lines={"lin_MUG": "1"})
    reply = world.connector.cancel_fulfilment_request(world.effect(cancellation("can_1", "ful_1", MUG="3", CLOTH="2")))
    record = MAPPINGS.get("wms_rest/cancel_fulfilment_request.reply").run(json.loads(reply.raw)).record
    assert record == {
        "external_id": "CX-000001",
        "lines": [
            {"line": "lin_MUG", "quantity": "2", "answer": "accepted"},
            {"line": "lin_MUG", "quantity": "1", "answer": "overtaken", "reason": "already shipped"},
            {"line": "lin_CLOTH", "quantity": "1.5", "answer": "accepted"},
            {"line": "lin_CLOTH", "quantity": "0.5", "answer": "refused", "reason": "not open any more"},
        ],
    }
    assert world.on_hand() == {"CLOTH": "5", "MUG": "4"}


def test_cancelling_twice_gives_the_first_answers_again(world: World) -> None:
    world.send(MUG="2")
    effect = world.effect(cancellation("can_1", "ful_1", MUG="2"))
    first = world.connector.cancel_fulfilment_request(effect)
    again = world.connector.cancel_fulfilment_request(effect)
    assert again.external_id == first.external_id
    assert json.loads(again.raw)["existing"]["lines"] == json.loads(first.raw)["lines"]
    assert len(world.ledger("cancel_request")) == 1
    assert isinstance(world.connector.lookup(CANCEL, effect), Found)


def test_cancelling_what_the_warehouse_never_got_is_refused(world: World) -> None:
    with pytest.raises(CallFailed) as failed:
        world.connector.cancel_fulfilment_request(world.effect(cancellation("can_1", "ful_9", MUG="1")))
    assert (failed.value.resolution, failed.value.code) == (Resolution.REJECTED, "unknown_request")


def test_a_cancel_that_a_person_decides_is_answered_once_and_by_event(world: World) -> None:
    world.control("behave", mode="silent", cancels="later_accept", cancel_seconds=10)
    world.send(MUG="2")
    reply = world.connector.cancel_fulfilment_request(world.effect(cancellation("can_1", "ful_1", MUG="2")))
    assert json.loads(reply.raw)["lines"] == []
    assert world.statuses() == []
    world.pass_seconds(10)
    assert world.statuses() == ["cancel_accepted"]
    world.pass_seconds(60)
    assert world.statuses() == ["cancel_accepted"]


def test_a_well_behaved_warehouse_counts_no_fault() -> None:
    with World(faults=Faults()) as world:
        world.send()
        assert world.emulator.ledger.faults() == {}


quantities = st.integers(1, 400).map(lambda tenths: Decimal(tenths) / 10)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ordered=quantities, shipped=quantities, asked=quantities, policy=st.sampled_from(["accept", "refuse"]))
def test_the_answers_of_a_cancel_add_up_to_what_was_asked(
    ordered: Decimal, shipped: Decimal, asked: Decimal, policy: str
) -> None:
    with World() as world:
        world.stock(MUG="50")
        world.control("behave", mode="hold", cancels=policy)
        world.send(MUG=str(ordered))
        world.control("act", client_order_id="ful_1", do="ship", lines={"lin_MUG": str(shipped)})
        reply = world.connector.cancel_fulfilment_request(world.effect(cancellation("can_1", "ful_1", MUG=str(asked))))
        answers = json.loads(reply.raw)["lines"]
        by_word = {row["answer"]: Decimal(row["quantity"]) for row in answers}
        gone = min(ordered, shipped)
        assert sum(by_word.values()) == asked
        assert by_word.get("accepted", Decimal(0)) == (min(asked, ordered - gone) if policy == "accept" else 0)
        assert by_word.get("overtaken", Decimal(0)) <= gone
