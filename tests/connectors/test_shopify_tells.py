"""Refunds, cancellations, returns and status to the shop, with lost answers, repeats and what comes back of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.shopify.tells import note_of
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Effect, Found, NotFound, Reply
from tests.connectors.shopify_shop import MAPPINGS, ShopWorld

Open = Callable[..., ShopWorld]
DESK, WRITE = 1, 2
"""Each call first looks at the order, then writes."""


@pytest.fixture
def open_shop() -> Iterator[Open]:
    opened: list[ShopWorld] = []

    def make(*arguments: Any, **options: Any) -> ShopWorld:
        opened.append(ShopWorld(*arguments, **options))
        return opened[-1]

    yield make
    for world in opened:
        world.close()


@pytest.fixture
def shop(open_shop: Open) -> ShopWorld:
    return open_shop()


def lines_of(shop: ShopWorld, order: str, **units: int) -> list[dict[str, str]]:
    ids = {line["sku"]: str(line["id"]) for line in shop.order(order)["line_items"]}
    return [{"external_line_id": ids[sku], "sku": sku, "quantity": str(count)} for sku, count in units.items()]


def refund(shop: ShopWorld, order: str, amount: str, *, number: str = "rf_1", **units: int) -> Effect:
    record = {"key": f"shopify-us/push_refund/refund/{number}", "order_external_id": order, "refund": number}
    record |= {"amount": amount, "currency": "USD", "reason": "broken"}
    return shop.effect(Capability.PUSH_REFUND, {**record, "lines": lines_of(shop, order, **units)})


def cancellation(shop: ShopWorld, order: str, *, whole: bool = False, pays: bool = True, **units: int) -> Effect:
    record = {"key": "shopify-us/push_cancellation/cancellation/c_1", "order_external_id": order, "whole": whole}
    record |= {"refund": pays, "reason": "sold out", "lines": lines_of(shop, order, **units)}
    return shop.effect(Capability.PUSH_CANCELLATION, record)


def returned(shop: ShopWorld, order: str, status: str, **units: int) -> Effect:
    record = {"key": f"shopify-us/push_return/return/rt_1/{status}", "order_external_id": order, "return": "rt_1"}
    return shop.effect(Capability.PUSH_RETURN, {**record, "status": status, "lines": lines_of(shop, order, **units)})


def status(shop: ShopWorld, order: str, said: str, **units: int) -> Effect:
    record = {"key": f"shopify-us/push_order_status/status/fo_1/{said}", "order_external_id": order, "status": said}
    record["occurred_at"] = "2026-11-02T09:00:00Z"
    return shop.effect(Capability.PUSH_ORDER_STATUS, {**record, "lines": lines_of(shop, order, **units)})


def echoes(shop: ShopWorld) -> dict[str, Any]:
    """Canonical refunds and orders that came back, by stream."""
    shop.clock.pass_seconds(1)
    found: dict[str, Any] = {}
    for receipt in shop.delivered():
        body = shop.connector.parse(receipt)[0].body
        found[receipt.stream] = MAPPINGS.get(f"shopify/{receipt.stream}.in").run(body).record
    return found


def answer(capability: Capability, reply: Reply) -> Any:
    return MAPPINGS.get(f"shopify/{capability}.reply").run(json.loads(reply.raw)).record


def call(shop: ShopWorld, capability: Capability, effect: Effect) -> Reply:
    made: Reply = getattr(shop.connector, capability.value)(effect)
    return made


# -- refunds -------------------------------------------------------------------------------------------------------


def test_a_refund_pays_back_our_amount_and_comes_back_with_our_key(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 3, "10.00"))
    shop.delivered()
    effect = refund(shop, order, "12.50", MUG=1)
    reply = shop.connector.push_refund(effect)
    ((key, subject, data),) = shop.ledger("refund")
    assert (key, subject, data["amount"], list(data["lines"].values())) == (reply.external_id, order, "12.50", [1])
    assert answer(Capability.PUSH_REFUND, reply) == {"external_id": reply.external_id}
    came = echoes(shop)["refunds"]
    assert (came["amount"], came["reference"], came["order_external_id"]) == ("12.50", effect.key, order)


def test_of_a_refund_that_was_paid_elsewhere_the_shop_is_only_told(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 3, "10.00"))
    effect = refund(shop, order, "10.00", MUG=1)
    assert isinstance(effect.payload, dict)
    paid = Effect({**effect.payload, "paid": True}, effect.key, {}, effect.deadline)
    shop.connector.push_refund(paid)
    (made,) = shop.order(order)["refunds"]
    assert (made["transactions"], [line["quantity"] for line in made["refund_line_items"]]) == ([], [1])


def test_a_refund_pushed_again_pays_once(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 3, "10.00"))
    effect = refund(shop, order, "10.00", MUG=1)
    first = shop.connector.push_refund(effect)
    again = shop.connector.push_refund(effect)
    assert first.external_id == again.external_id
    assert len(shop.ledger("refund")) == 1
    shop.connector.push_refund(refund(shop, order, "5.00", number="rf_2"))
    assert [data["amount"] for _, _, data in shop.ledger("refund")] == ["10.00", "5.00"]


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_a_refund_whose_answer_was_lost_is_found_and_not_paid_again(open_shop: Open, fault: str) -> None:
    shop = open_shop(Faults(script={WRITE: fault}))
    order = shop.place(("MUG", 3, "10.00"))
    effect = refund(shop, order, "10.00", MUG=1)
    with pytest.raises((CallFailed, TransportError)):
        shop.connector.push_refund(effect)
    found = shop.connector.lookup(Capability.PUSH_REFUND, effect)
    assert isinstance(found, Found)
    assert found.reply.external_id == shop.connector.push_refund(effect).external_id
    assert len(shop.ledger("refund")) == 1


def test_a_repeat_that_the_shop_does_not_show_yet_is_known_by_its_key(open_shop: Open) -> None:
    shop = open_shop(Faults(lookup_lag_seconds=8))
    order = shop.place(("MUG", 3, "10.00"))
    effect = refund(shop, order, "30.00")
    first = shop.connector.push_refund(effect)
    assert isinstance(shop.connector.lookup(Capability.PUSH_REFUND, effect), NotFound)
    assert shop.connector.push_refund(effect).external_id == first.external_id
    assert len(shop.ledger("refund")) == 1


def test_more_than_the_shop_took_is_refused_with_the_numbers(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 1, "10.00"))
    with pytest.raises(CallFailed, match=r"can give back 10\.00 of 12\.00") as caught:
        shop.connector.push_refund(refund(shop, order, "12.00"))
    assert (caught.value.resolution, caught.value.code) == (Resolution.REJECTED, "not_refundable")
    unpaid = shop.place(("MUG", 1, "10.00"), financial_status="pending")
    with pytest.raises(CallFailed, match=r"can give back 0\.00 of"):
        shop.connector.push_refund(refund(shop, unpaid, "1.00"))
    assert shop.ledger("refund") == []


# -- cancellations -------------------------------------------------------------------------------------------------


def test_quantities_are_taken_off_the_order_and_paid_back_by_the_shop(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 3, "10.00"), ("TEE", 1, "5.00"), tax_rate="0.10")
    shop.delivered()
    effect = cancellation(shop, order, MUG=2)
    reply = shop.connector.push_cancellation(effect)
    ((key, _, data),) = shop.ledger("refund")
    assert (key, data["amount"]) == (reply.external_id, "22.00"), "the shop's own price of two, tax included"
    lines = {line["sku"]: line for line in shop.order(order)["line_items"]}
    assert (lines["MUG"]["current_quantity"], lines["MUG"]["fulfillable_quantity"]) == (1, 1)
    came = echoes(shop)
    assert came["refunds"]["reference"] == effect.key
    assert came["refunds"]["lines"][0]["restock"] == "cancel"
    assert came["orders"]["lines"][0]["current_quantity"] == "1"
    assert shop.connector.push_cancellation(effect).external_id == reply.external_id
    assert len(shop.ledger("refund")) == 1


def test_where_somebody_else_pays_back_the_shop_only_takes_the_lines_off(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 3, "10.00"))
    shop.connector.push_cancellation(cancellation(shop, order, pays=False, MUG=2))
    ((_, _, data),) = shop.ledger("refund")
    assert (data["amount"], list(data["lines"].values())) == ("0.00", [2])
    assert shop.order(order)["refunds"][0]["transactions"] == []


@pytest.mark.parametrize("pays", [True, False])
def test_all_of_an_order_is_cancelled_once(shop: ShopWorld, pays: bool) -> None:
    order = shop.place(("MUG", 2, "10.00"))
    shop.delivered()
    effect = cancellation(shop, order, whole=True, pays=pays, MUG=2)
    assert isinstance(shop.connector.lookup(Capability.PUSH_CANCELLATION, effect), NotFound)
    reply = shop.connector.push_cancellation(effect)
    assert answer(Capability.PUSH_CANCELLATION, reply)["number"].startswith("gid://shopify/Job/")
    assert isinstance(shop.connector.lookup(Capability.PUSH_CANCELLATION, effect), Found)
    shop.connector.push_cancellation(effect)
    assert len(shop.ledger("cancel")) == 1
    assert [data["amount"] for _, _, data in shop.ledger("refund")] == (["20.00"] if pays else [])
    assert echoes(shop)["orders"]["cancelled_at"]


@pytest.mark.parametrize(("fault", "happened"), [("error_after", True), ("error_before", False)])
@pytest.mark.parametrize("whole", [True, False])
def test_a_cancellation_of_unknown_outcome_is_looked_up(
    open_shop: Open, fault: str, happened: bool, whole: bool
) -> None:
    shop = open_shop(Faults(script={WRITE if whole else WRITE + 1: fault}))
    order = shop.place(("MUG", 2, "10.00"))
    effect = cancellation(shop, order, whole=whole, MUG=2 if whole else 1)
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_cancellation(effect)
    assert caught.value.resolution is Resolution.AMBIGUOUS
    found = shop.connector.lookup(Capability.PUSH_CANCELLATION, effect)
    assert isinstance(found, Found if happened else NotFound)


def test_what_has_been_fulfilled_cannot_be_cancelled_there(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 1, "10.00"))
    shop.connector.push_shipment(shop.shipment(order, {"MUG": 1}))
    with pytest.raises(CallFailed, match="fulfilled") as caught:
        shop.connector.push_cancellation(cancellation(shop, order, whole=True, MUG=1))
    assert caught.value.resolution is Resolution.REJECTED


# -- returns -------------------------------------------------------------------------------------------------------


def test_a_return_is_opened_once_and_closed_when_it_is_settled(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 2, "10.00"))
    with pytest.raises(CallFailed, match="not fulfilled"):
        shop.connector.push_return(returned(shop, order, "approved", MUG=1))
    shop.connector.push_shipment(shop.shipment(order, {"MUG": 2}))
    approved = returned(shop, order, "approved", MUG=1)
    assert isinstance(shop.connector.lookup(Capability.PUSH_RETURN, approved), NotFound)
    reply = shop.connector.push_return(approved)
    assert answer(Capability.PUSH_RETURN, reply)["number"] == f"gid://shopify/Return/{reply.external_id}"
    assert isinstance(shop.connector.lookup(Capability.PUSH_RETURN, approved), Found)
    for said in ("label_issued", "in_transit", "received", "inspected"):
        shop.connector.push_return(returned(shop, order, said, MUG=1))
    settled = returned(shop, order, "settled", MUG=1)
    assert isinstance(shop.connector.lookup(Capability.PUSH_RETURN, settled), NotFound)
    shop.connector.push_return(settled)
    shop.connector.push_return(returned(shop, order, "closed", MUG=1))
    assert [data["status"] for _, _, data in shop.ledger("return")] == ["OPEN", "CLOSED"]
    assert isinstance(shop.connector.lookup(Capability.PUSH_RETURN, settled), Found)


def test_a_return_that_is_given_up_is_cancelled(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 2, "10.00"))
    shop.connector.push_shipment(shop.shipment(order, {"MUG": 2}))
    shop.connector.push_return(returned(shop, order, "approved", MUG=2))
    shop.connector.push_return(returned(shop, order, "cancelled", MUG=2))
    assert [data["status"] for _, _, data in shop.ledger("return")] == ["OPEN", "CANCELED"]


# -- where an order stands -----------------------------------------------------------------------------------------


def test_ready_for_pickup_is_told_of_the_fulfilment_order_that_holds_it(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 2, "10.00"))
    effect = status(shop, order, "ready_for_pickup", MUG=2)
    assert isinstance(shop.connector.lookup(Capability.PUSH_ORDER_STATUS, effect), NotFound)
    shop.connector.push_order_status(effect)
    assert isinstance(shop.connector.lookup(Capability.PUSH_ORDER_STATUS, effect), Found)
    ((key, subject, _),) = shop.ledger("ready")
    assert (key, subject) == (f"gid://shopify/FulfillmentOrder/{order}", order)
    again = shop.place(("MUG", 2, "10.00"))
    shop.connector.push_shipment(shop.shipment(again, {"MUG": 2}, tracking="1Z2"))
    shop.connector.push_order_status(status(shop, again, "ready_for_pickup", MUG=2))
    assert len(shop.ledger("ready")) == 1, "what was handed over meanwhile is not told ready any more"
    shop.control("cancel", id=order)
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_order_status(effect)
    assert caught.value.code == "nothing_ready"


def test_ready_for_pickup_of_a_whole_order_is_looked_up_as_it_is_told(shop: ShopWorld) -> None:
    effect = status(shop, shop.place(("MUG", 2, "10.00")), "ready_for_pickup")
    assert isinstance(shop.connector.lookup(Capability.PUSH_ORDER_STATUS, effect), NotFound)
    shop.connector.push_order_status(effect)
    assert isinstance(shop.connector.lookup(Capability.PUSH_ORDER_STATUS, effect), Found)


def test_what_the_shop_has_no_word_for_becomes_a_tag(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 2, "10.00"), tags="vip")
    effect = status(shop, order, "delayed")
    shop.connector.push_order_status(effect)
    shop.connector.push_order_status(effect)
    assert shop.order(order)["tags"] == "vip, hub: delayed"
    assert len(shop.ledger("tag")) == 1
    assert isinstance(shop.connector.lookup(Capability.PUSH_ORDER_STATUS, effect), Found)


def test_an_order_the_shop_does_not_know_is_refused(shop: ShopWorld) -> None:
    order = shop.place(("MUG", 2, "10.00"))
    for capability, effect in (
        (Capability.PUSH_REFUND, refund(shop, order, "1")),
        (Capability.PUSH_CANCELLATION, cancellation(shop, order, MUG=1)),
        (Capability.PUSH_RETURN, returned(shop, order, "approved", MUG=1)),
        (Capability.PUSH_ORDER_STATUS, status(shop, order, "ready_for_pickup")),
    ):
        assert isinstance(effect.payload, dict)
        stray = Effect({**effect.payload, "orderId": "gid://shopify/Order/5"}, effect.key, {}, effect.deadline)
        with pytest.raises(CallFailed) as caught:
            call(shop, capability, stray)
        assert caught.value.code == "order_not_found"


def test_a_note_says_why_and_whose_it_is_and_fits() -> None:
    assert note_of("broken", "shop/push_refund/refund/1") == "broken [hub shop/push_refund/refund/1]"
    assert note_of("", "k") == "[hub k]"
    assert len(note_of("x" * 9000, "k")) == 5000
