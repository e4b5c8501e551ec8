"""The ERP connector's four postings, through zeep and real sockets, against the emulated ERP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.sdk.capabilities import Capability
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Found, NotFound, Tree, Unsure
from tests.connectors.erp_soap_world import MAPPINGS, World, answer_of, canonical, invoice, order

SUBMIT = Capability.SUBMIT_ORDER


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


def test_an_order_is_booked_under_our_reference(world: World) -> None:
    reply = world.submit()
    assert (reply.status, reply.external_id, reply.asynchronous) == (200, "SO-1000", False)
    assert answer_of(reply, "submit_order") == {"external_id": "SO-1000", "number": "SO-1000", "accepted": True}
    assert [(entry["key"], entry["number"]) for entry in world.ledger("sales_order")] == [("ord_1", "SO-1000")]
    assert world.submit("ord_2").external_id == "SO-1001"


def test_every_mapped_record_is_valid_by_the_wsdl_and_arrives_exactly(world: World) -> None:
    names = {
        "submit_order": "posted_order",
        "update_order": "posted_order_changed",
        "post_invoice": "invoice",
        "post_credit_note": "credit_note",
        "post_goods_movement": "goods_movement",
        "cancel_order": "order_cancellation",
    }
    for capability, record in names.items():
        payload = MAPPINGS.get(f"erp_soap/{capability}.out").run(canonical(record)).record
        reply = getattr(world.connector, capability)(world.effect(payload))
        assert answer_of(reply, capability)["accepted"] is True
    assert [(one["kind"], one["amount"], one["status"]) for one in world.control("documents")] == [
        ("sales_order", "51.15", "cancelled"),
        ("order_change", "25.10", "booked"),
        ("invoice", "28.65", "booked"),
        ("credit_note", "10.45", "booked"),
        ("goods_movement", "", "booked"),
        ("order_cancel", "", "booked"),
    ]
    assert world.ledger("sales_order")[0]["lines"] == [["lin_1", "MUG-BLUE", "2"], ["lin_2", "CLOTH-RED", "1.5"]]


def test_a_repeated_order_would_be_a_second_document(world: World) -> None:
    """What the safety mode is for: the ERP does not help here."""
    world.submit()
    world.submit()
    assert [entry["number"] for entry in world.ledger("sales_order")] == ["SO-1000", "SO-1001"]
    found = world.connector.lookup(SUBMIT, world.effect(order()))
    assert isinstance(found, Found)
    assert found.reply.external_id == "SO-1000"
    assert world.log.warnings == [("the reference was booked more than once", {"reference": "ord_1", "documents": 2})]


@pytest.mark.parametrize("fault", ["error_before", "error_after", "drop_after"])
def test_a_lost_answer_is_ambiguous_and_the_lookup_says_what_happened(world: World, fault: str) -> None:
    world.faults.script = {1: fault}
    with pytest.raises((CallFailed, TransportError)) as failed:
        world.submit()
    if isinstance(failed.value, TransportError):
        assert not failed.value.before_first_byte
    else:
        assert getattr(failed.value, "resolution", None) is Resolution.AMBIGUOUS
    outcome = world.connector.lookup(SUBMIT, world.effect(order()))
    if fault == "error_before":
        assert outcome == NotFound()
    else:
        assert isinstance(outcome, Found)
        assert outcome.same_content is True
        assert answer_of(outcome.reply, "submit_order")["external_id"] == "SO-1000"


def test_work_that_is_committed_late_is_found_after_the_settle_time(world: World) -> None:
    world.faults.script = {1: "late_commit"}
    effect = world.effect(order())
    with pytest.raises(CallFailed) as failed:
        world.connector.submit_order(effect)
    assert (failed.value.status, failed.value.resolution) == (504, Resolution.AMBIGUOUS)
    assert world.connector.lookup(SUBMIT, effect) == NotFound()
    world.clock.pass_seconds(20)
    assert isinstance(world.connector.lookup(SUBMIT, effect), Found)


def test_a_lookup_sees_only_what_is_older_than_the_lag(world: World) -> None:
    world.faults.lookup_lag_seconds = 15
    world.submit()
    assert world.connector.lookup(SUBMIT, world.effect(order())) == NotFound()
    world.clock.pass_seconds(15)
    assert isinstance(world.connector.lookup(SUBMIT, world.effect(order())), Found)


def test_a_lookup_that_fails_is_unsure(world: World) -> None:
    world.faults.script = {1: "error_before", 2: "drop_after", 3: "throttle"}
    for _ in range(3):
        assert isinstance(world.connector.lookup(SUBMIT, world.effect(order())), Unsure)


@pytest.mark.parametrize(
    "changes",
    [
        {"Currency": "EUR"},
        {"Totals": {"Total": "51.16"}},
        {"OrderReference": "ord_9"},
        {"Lines": {"Line": [{"LineReference": "lin_1", "Quantity": "3"}]}},
        {"Lines": {"Line": []}},
    ],
)
def test_a_document_of_other_content_is_found_as_such(world: World, changes: dict[str, Tree]) -> None:
    world.submit()
    found = world.connector.lookup(SUBMIT, world.effect(order(**changes)))
    assert isinstance(found, Found)
    assert found.same_content is False


def test_a_number_written_otherwise_is_the_same_content(world: World) -> None:
    world.submit(Totals={"Total": "51.150"})
    found = world.connector.lookup(SUBMIT, world.effect(order()))
    assert isinstance(found, Found)
    assert found.same_content is True


def test_throttling_says_when_to_come_again(world: World) -> None:
    world.faults.retry_after_seconds = 9
    world.faults.script = {1: "throttle"}
    with pytest.raises(CallFailed) as failed:
        world.submit()
    assert (failed.value.resolution, failed.value.retry_after_seconds) == (Resolution.RATE_LIMITED, 9)
    assert world.ledger("sales_order") == []


def test_a_delayed_answer_is_an_answer(world: World) -> None:
    world.faults.script = {1: "delay"}
    assert world.submit().external_id == "SO-1000"


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ({"by": "sku", "value": "MUG"}, "UNKNOWN_ITEM"),
        ({"by": "customer", "value": "shopify-us", "code": "UNKNOWN_CUSTOMER"}, "UNKNOWN_CUSTOMER"),
    ],
)
def test_a_refusal_is_final_and_in_the_erps_words(world: World, refusal: dict[str, object], code: str) -> None:
    world.control("refuse", message="Fish & Chips <are> off", **refusal)
    with pytest.raises(CallFailed) as failed:
        world.submit()
    assert (failed.value.resolution, failed.value.code) == (Resolution.REJECTED, code)
    assert failed.value.words == "Fish & Chips <are> off"
    assert world.ledger("sales_order") == []
    world.control("forgive")
    assert world.submit().external_id == "SO-1000"


def test_what_was_said_not_to_be_processed_is_simply_repeated(world: World) -> None:
    world.control("lock", locked=True)
    with pytest.raises(CallFailed) as failed:
        world.submit()
    assert failed.value.resolution is Resolution.RETRY
    world.control("lock", locked=False)
    world.submit()
    assert len(world.ledger("sales_order")) == 1


def test_a_wrong_password_pauses_instead_of_refusing(world: World) -> None:
    stranger = world.connect(password="wrong")
    with pytest.raises(CallFailed) as failed:
        stranger.submit_order(world.effect(order()))
    assert failed.value.resolution is Resolution.AUTH_FAILED
    assert not stranger.check().ok
    assert world.connector.check().ok


def test_a_payload_that_does_not_fit_the_wsdl_is_refused_before_it_leaves(world: World) -> None:
    with pytest.raises(CallFailed) as failed:
        world.submit(Colour="blue")
    assert (failed.value.resolution, failed.value.code) == (Resolution.REJECTED, "unsendable")
    assert world.emulator.calls == 0


def test_what_xml_cannot_carry_does_not_hold_an_order(world: World) -> None:
    assert world.submit(BuyerName="Ada\x0b \ud800Example\x00").external_id == "SO-1000"


def test_a_change_needs_its_order(world: World) -> None:
    with pytest.raises(CallFailed) as failed:
        world.connector.update_order(world.effect(order("ord_1@2")))
    assert (failed.value.resolution, failed.value.code) == (Resolution.REJECTED, "UNKNOWN_ORDER")
    world.submit()
    assert world.connector.update_order(world.effect(order("ord_1@2"))).external_id == "OC-1000"


def test_a_cancelled_order_takes_no_invoice(world: World) -> None:
    world.submit()
    world.connector.cancel_order(world.effect({"Reference": "chg_1", "OrderReference": "ord_1", "Reason": "no"}))
    with pytest.raises(CallFailed) as failed:
        world.connector.post_invoice(world.effect(invoice()))
    assert failed.value.code == "ORDER_CANCELLED"


def test_a_second_invoice_of_our_reference_is_read_back_and_compared(world: World) -> None:
    world.submit()
    first = world.connector.post_invoice(world.effect(invoice()))
    again = world.connector.post_invoice(world.effect(invoice()))
    assert first.external_id == again.external_id == "IV-1000"
    assert answer_of(again, "post_invoice")["external_id"] == "IV-1000"
    with pytest.raises(CallFailed) as failed:
        world.connector.post_invoice(world.effect(invoice(Amount="28.66")))
    assert failed.value.resolution is Resolution.DUPLICATE
    assert len(world.ledger("invoice")) == 1


def credit(reference: str = "rs_1", **changes: Tree) -> dict[str, Tree]:
    return invoice(reference, **{"Amount": "10.45", **changes})


def goods(reference: str = "gm_1", **changes: Tree) -> dict[str, Tree]:
    moved: dict[str, Tree] = {"Movement": "return", "Location": "store-14", "Sku": "MUG", "Quantity": "1"}
    return {"Reference": reference, **moved, **changes}


@pytest.mark.parametrize(
    ("capability", "payload", "other", "number"),
    [
        ("post_credit_note", credit(), credit(Amount="10.46"), "CN-1000"),
        ("post_goods_movement", goods(), goods(Location="dc-east"), "GM-1000"),
        ("post_goods_movement", goods(), goods(Quantity="2"), "GM-1000"),
    ],
)
def test_credit_notes_and_goods_movements_are_booked_once_too(
    world: World, capability: str, payload: Tree, other: Tree, number: str
) -> None:
    world.submit()
    post = getattr(world.connector, capability)
    assert post(world.effect(payload)).external_id == post(world.effect(payload)).external_id == number
    with pytest.raises(CallFailed) as failed:
        post(world.effect(other))
    assert failed.value.resolution is Resolution.DUPLICATE
    (found,) = [one for one in world.control("documents") if one["number"] == number]
    assert found["status"] == "booked"


def test_a_credit_note_needs_its_order_and_outlives_its_cancellation(world: World) -> None:
    with pytest.raises(CallFailed) as failed:
        world.connector.post_credit_note(world.effect(credit()))
    assert failed.value.code == "UNKNOWN_ORDER"
    world.submit()
    world.connector.cancel_order(world.effect({"Reference": "chg_1", "OrderReference": "ord_1", "Reason": "no"}))
    assert world.connector.post_credit_note(world.effect(credit())).external_id == "CN-1000"


def test_the_books_balance_and_say_what_is_where(world: World) -> None:
    world.submit()
    world.connector.post_invoice(world.effect(invoice()))
    world.connector.post_credit_note(world.effect(credit()))
    world.connector.post_goods_movement(world.effect(goods()))
    world.connector.post_goods_movement(world.effect(goods("gm_2", Movement="issue", Quantity="3")))
    balances = world.control("balances")
    assert balances["receivables USD"] == {"debit": "28.65", "credit": "10.45", "balance": "18.20"}
    assert balances["revenue USD"] == {"debit": "10.45", "credit": "28.65", "balance": "-18.20"}
    assert balances["store-14 MUG"] == {"debit": "1", "credit": "3", "balance": "-2"}


@pytest.mark.parametrize("fault", ["error_after", "drop_after", "late_commit"])
def test_an_invoice_whose_answer_is_lost_is_posted_again_without_harm(world: World, fault: str) -> None:
    world.submit()
    world.faults.script = {2: fault}
    with pytest.raises((CallFailed, TransportError)):
        world.connector.post_invoice(world.effect(invoice()))
    world.clock.pass_seconds(20)
    assert world.connector.post_invoice(world.effect(invoice())).external_id == "IV-1000"
    assert len(world.ledger("invoice")) == 1
