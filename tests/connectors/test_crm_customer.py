"""What the order management asks of a CRM, and what it keeps of what a CRM says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.property.memory_store import Bench, location, order_record, rules

ADA = {"external_id": "b-7", "name": "Ada Example", "email": "ada@example.com", "phone": "+15550100", "locale": "en-US"}


def bench(**changes: Any) -> Bench:
    given = rules(location("east"), **changes)
    made = Bench(replace(given, takers={**given.takers, "upsert_customer": ("crm",)}))
    made.stock("TEE", "east", 50)
    return made


def confirmed(made: Bench, buyer: dict[str, Any] | None, external_id: str = "1001", **fields: Any) -> Bench:
    record = {name: value for name, value in order_record(("L1", "TEE", 2)).items() if name != "buyer"}
    said = {} if buyer is None else {"buyer": buyer}
    made.order({**record, "external_id": external_id, **said, **fields})
    made.run("allocate")
    return made


def test_the_crm_is_told_the_buyer_the_addresses_and_the_order() -> None:
    made = confirmed(bench(), ADA, number="#1042")
    (call,) = made.sent("upsert_customer")
    order = made.the_order()
    assert (call.destination, call.lane, call.order_id) == ("crm", "customer", order["id"])
    assert call.record["key"] == call.key == f"customer/{call.aggregate}/{order['id']}"
    assert call.record["reference"] == call.aggregate == order["document"]["customer"]
    assert {name: call.record[name] for name in ("name", "email", "phone", "locale")} == {
        name: ADA[name] for name in ("name", "email", "phone", "locale")
    }
    assert call.record["channel_customer_id"] == "b-7"
    assert call.record["last_order"]["order_number"] == "#1042"


@pytest.mark.parametrize("buyer", [None, {}, {"locale": "en"}, {"name": ""}])
def test_nobody_is_told_of_where_the_channel_withholds_the_buyer(buyer: dict[str, Any] | None) -> None:
    made = confirmed(bench(), buyer)
    assert made.sent("upsert_customer") == []
    assert made.sent("submit_order") != []
    assert "customer" not in made.the_order()["document"]


def test_nobody_is_told_where_no_system_keeps_customers() -> None:
    made = Bench(rules(location("east")))
    made.stock("TEE", "east", 5)
    assert confirmed(made, ADA).sent("upsert_customer") == []


def test_orders_of_one_buyer_share_a_customer_and_each_has_a_call_of_its_own() -> None:
    made = confirmed(confirmed(bench(), ADA), {**ADA, "email": "ada.two@example.com"}, "1002")
    first, second = made.sent("upsert_customer")
    assert first.aggregate == second.aggregate
    assert first.subject == second.subject == f"customer/{first.aggregate}"
    assert first.key != second.key


def test_guests_share_nothing_and_no_address_for_mail_becomes_a_key() -> None:
    guest = {"email": "guest@example.com"}
    first, second = confirmed(confirmed(bench(), guest), guest, "1002").sent("upsert_customer")
    assert first.aggregate != second.aggregate


def test_nothing_is_told_before_the_order_is_confirmed_nor_twice() -> None:
    made = bench()
    made.order({**order_record(("L1", "TEE", 2)), "buyer": ADA})
    assert made.sent("upsert_customer") == []
    made.run("allocate")
    made.run("allocate")
    assert len(made.sent("upsert_customer")) == 1


def test_no_other_call_waits_for_it() -> None:
    made = confirmed(bench(), ADA)
    (told,) = made.sent("upsert_customer")
    others = [call for capability in ("submit_order", "send_fulfilment_request") for call in made.sent(capability)]
    assert others
    assert all(call.lane != told.lane and not call.requires for call in others)


def test_the_crms_id_is_kept_with_the_customer_and_the_order() -> None:
    made = confirmed(bench(), ADA)
    (call,) = made.sent("upsert_customer")
    made.send()
    for _ in range(2):
        made.reply(call, external_id="c-17")
    (reference,) = made.store.rows("cross_references", {"entity": "customer"})
    assert (reference["system"], reference["external_id"], reference["internal_id"]) == ("crm", "c-17", call.aggregate)
    assert made.the_order()["document"]["customers"] == {"crm": "c-17"}


def test_a_customer_that_names_us_is_tied_to_ours_and_let_go_when_it_is_merged() -> None:
    made = bench()
    stated = {"external_id": "c-17", "reference": "cu_1", "source_version": "1"}
    made.restate("customers", stated, connection="crm")
    (reference,) = made.store.rows("cross_references", {})
    assert (reference["internal_id"], reference["valid_to"]) == ("cu_1", None)
    made.restate("customers", {**stated, "source_version": "2", "merged_into": "c-18"}, connection="crm")
    (reference,) = made.store.rows("cross_references", {})
    assert reference["valid_to"] is not None


def test_a_customer_of_the_crms_own_is_kept_and_tied_to_nobody() -> None:
    made = bench()
    decision = made.restate("customers", {"external_id": "c-18", "reference": "KDNR-5"}, connection="crm")
    assert decision.subject == "c-18"
    assert made.store.rows("cross_references", {}) == []


def test_a_customer_whom_the_crm_gives_another_reference_is_tied_to_that() -> None:
    made = bench()
    for version, reference in enumerate(("cu_1", "cu_2")):
        record = {"external_id": "c-17", "reference": reference, "source_version": str(version)}
        made.restate("customers", record, connection="crm")
    (row,) = made.store.rows("cross_references", {})
    assert row["internal_id"] == "cu_2"
