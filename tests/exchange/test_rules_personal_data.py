"""Personal data lies in bodies and contacts only; everything else holds ids and masked words."""

from __future__ import annotations

from typing import Any

import pytest

from hub.domain.masking import masked, private_texts
from hub.oms.people import cancel_order, hold_order, release_order
from hub.sdk.errors import CallFailed, Resolution
from tests.exchange.whole import Whole

PERSON = {
    "name": "Zebedee Quillfeather",
    "email": "zebedee.q@example.com",
    "phone": "+1 555 0142 777",
    "lines": ["77 Larkspur Hollow"],
    "locality": "Albanyville",
}
WORDS = "Zebedee QUILLFEATHER of 77 Larkspur Hollow, Albanyville (zebedee.q@example.com, +1 555 0142 777) said no"
TELLTALE = ("zebedee", "quillfeather", "larkspur", "albanyville", "example.com", "0142")
KEEPS_PEOPLE = ("bodies", "contacts")
TABLES = (
    "events",
    "exceptions",
    "exception_subjects",
    "attempts",
    "audit",
    "orders",
    "order_lines",
    "holds",
    "tasks",
    "fulfilment_orders",
    "shipments",
    "reservations",
    "sourcing_decisions",
    "money_moves",
    "payments",
    "captures",
    "refunds",
    "deliveries",
    "messages",
    "receipts",
    "sources",
    "quantity_moves",
    "stock_events",
    "fact_keys",
    "cross_references",
    "pushed_stock",
    "cursors",
    "connection_states",
)


def order_of_a_person(hub: Whole, **fields: Any) -> None:
    buyer = {"external_id": "c-1", **{name: PERSON[name] for name in ("name", "email", "phone")}}
    ship_to = {**PERSON, "admin_area_code": "NY", "postal_code": "12207", "country": "US"}
    hub.restate(("L1", "TEE", 2), buyer=buyer, bill_to=ship_to, ship_to=ship_to, **fields)
    hub.settle()


def nothing_tells(hub: Whole) -> None:
    for table in TABLES:
        said = hub.all_text(table).lower()
        assert [word for word in TELLTALE if word in said] == [], table
    assert any("zebedee" in hub.all_text(table).lower() for table in KEEPS_PEOPLE)


@pytest.fixture
def hub() -> Whole:
    world = Whole()
    world.items("TEE")
    world.stock(TEE=5)
    return world


def test_an_order_from_capture_to_shipment_leaves_no_name_outside_bodies_and_contacts(hub: Whole) -> None:
    order_of_a_person(hub)
    hub.report("east", "acknowledged")
    hub.ships("east", "2")
    hub.settle(100)
    assert hub.the_order()["status"] == "closed"
    nothing_tells(hub)


@pytest.mark.parametrize("resolution", [Resolution.REJECTED, Resolution.RETRY, Resolution.AMBIGUOUS])
def test_what_others_say_of_people_is_masked_wherever_it_is_kept(hub: Whole, resolution: Resolution) -> None:
    def refuse(effect: object) -> None:
        raise CallFailed(resolution, WORDS, status=422, raw=WORDS.encode())

    hub.erp.__dict__["submit_order"] = refuse
    hub.wms["wms-east"].__dict__["send_fulfilment_request"] = refuse
    order_of_a_person(hub, cancel_reason=WORDS)
    hub.run_for(900)
    assert "***" in hub.all_text("attempts")
    nothing_tells(hub)


def test_what_a_location_and_a_customer_give_as_reasons_is_masked(hub: Whole) -> None:
    order_of_a_person(hub)
    hub.report("east", "rejected", reason=WORDS)
    hub.fact("cancel_requests", order_external_id="4507", reason=WORDS)
    hub.settle()
    nothing_tells(hub)


def test_the_reason_of_a_cancel_that_came_before_its_order_is_masked_when_it_is_known_whom_it_names(hub: Whole) -> None:
    hub.fact("cancel_requests", order_external_id="4507", reason=WORDS)
    hub.settle()
    order_of_a_person(hub)
    nothing_tells(hub)


def test_what_our_own_people_write_is_masked_too(hub: Whole) -> None:
    order_of_a_person(hub, payment_state="pending")
    for verb in (release_order, hold_order, release_order, cancel_order):
        hub.person(verb, reason=WORDS)
    nothing_tells(hub)


def test_masking_takes_whole_words_only_and_keeps_numbers_that_are_ids() -> None:
    private = private_texts([{"name": "An Li", "lines": ["1 Lane"], "email": "a@b.example"}])
    assert masked("Order 123456789012 of An Li, 1 Lane: analysis of Anli failed (x@y.example)", private) == (
        "Order 123456789012 of ***, ***: analysis of Anli failed (***)"
    )
