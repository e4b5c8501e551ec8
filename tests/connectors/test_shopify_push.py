"""Shipments and stock back to the shop, with everything that can go wrong on the way."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses

from connectors.shopify.connector import Shopify
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Effect, Found, NotFound, Unsure
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.connectors.shopify_shop import MAPPINGS, TOKEN, Clock, ShopWorld, context_for

Open = Callable[..., ShopWorld]
FULFIL_CALL = 2
"""push_shipment first reads the order's fulfilment orders, then creates the fulfilment."""


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


def reply_record(capability: Capability, raw: bytes) -> Any:
    mapped = MAPPINGS.get(f"shopify/{capability}.reply").run(json.loads(raw))
    return mapped.record


def test_a_shipment_becomes_a_fulfilment_with_its_tracking_number(shop: ShopWorld) -> None:
    order = shop.place(("MUG-BLUE", 3, "18.50"), ("MUG-RED", 1, "18.50"))
    reply = shop.connector.push_shipment(shop.shipment(order, {"MUG-BLUE": 2}))
    ((key, subject, data),) = shop.ledger("fulfilment")
    assert (key, subject) == ("1Z999", order)
    assert list(data["lines"].values()) == [2]
    assert reply.external_id == str(data["id"])
    assert reply_record(Capability.PUSH_SHIPMENT, reply.raw) == {"external_id": reply.external_id, "number": "1Z999"}
    assert shop.order(order)["fulfillment_status"] == "partial"


def test_the_same_shipment_pushed_again_makes_no_second_fulfilment(shop: ShopWorld) -> None:
    order = shop.place(("MUG-BLUE", 4, "18.50"))
    effect = shop.shipment(order, {"MUG-BLUE": 2})
    first = shop.connector.push_shipment(effect)
    again = shop.connector.push_shipment(effect)
    assert again.external_id == first.external_id
    assert reply_record(Capability.PUSH_SHIPMENT, again.raw) == reply_record(Capability.PUSH_SHIPMENT, first.raw)
    assert len(shop.ledger("fulfilment")) == 1


def test_the_shops_words_come_with_a_refusal(shop: ShopWorld) -> None:
    order = shop.place(("MUG-BLUE", 1, "18.50"))
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_shipment(shop.shipment(order, {"MUG-BLUE": 2}))
    assert caught.value.resolution is Resolution.REJECTED
    assert caught.value.code == "nothing_to_fulfil"
    shop.control("cancel", id=order)
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_shipment(shop.shipment(order, {"MUG-BLUE": 1}))
    assert caught.value.resolution is Resolution.REJECTED
    assert shop.ledger("fulfilment") == []


def test_an_order_the_shop_does_not_know_is_refused(shop: ShopWorld) -> None:
    order = shop.place(("A", 1, "5.00"))
    effect = shop.shipment(order, {"A": 1})
    assert isinstance(effect.payload, dict)
    stray = Effect({**effect.payload, "orderId": "gid://shopify/Order/5"}, effect.key, {}, effect.deadline)
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_shipment(stray)
    assert (caught.value.resolution, caught.value.code) == (Resolution.REJECTED, "order_not_found")


@pytest.mark.parametrize("fault", ["error_before", "throttle", "drop_after", "late_commit"])
def test_a_failure_before_the_fulfilment_was_asked_for_is_never_ambiguous(open_shop: Open, fault: str) -> None:
    shop = open_shop(Faults(script={1: fault}))
    order = shop.place(("A", 1, "5.00"))
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_shipment(shop.shipment(order, {"A": 1}))
    assert caught.value.resolution in (Resolution.RETRY, Resolution.RATE_LIMITED)
    assert shop.ledger("fulfilment") == []


@pytest.mark.parametrize(
    ("fault", "happened"), [("error_before", False), ("error_after", True), ("late_commit", False)]
)
def test_an_error_of_the_fulfilment_itself_is_ambiguous_and_the_lookup_tells(
    open_shop: Open, fault: str, happened: bool
) -> None:
    shop = open_shop(Faults(script={FULFIL_CALL: fault}, late_commit_seconds=3))
    order = shop.place(("A", 1, "5.00"))
    effect = shop.shipment(order, {"A": 1})
    with pytest.raises(CallFailed) as caught:
        shop.connector.push_shipment(effect)
    assert caught.value.resolution is Resolution.AMBIGUOUS
    found = shop.connector.lookup(Capability.PUSH_SHIPMENT, effect)
    assert isinstance(found, Found if happened else NotFound)
    shop.clock.pass_seconds(5)
    if fault == "late_commit":
        found = shop.connector.lookup(Capability.PUSH_SHIPMENT, effect)
        assert isinstance(found, Found)
        assert found.same_content is True


def test_a_dropped_fulfilment_is_a_transport_error_after_the_first_byte(open_shop: Open) -> None:
    shop = open_shop(Faults(script={FULFIL_CALL: "drop_after"}))
    order = shop.place(("A", 1, "5.00"))
    effect = shop.shipment(order, {"A": 1})
    with pytest.raises(TransportError) as caught:
        shop.connector.push_shipment(effect)
    assert not caught.value.before_first_byte
    found = shop.connector.lookup(Capability.PUSH_SHIPMENT, effect)
    assert isinstance(found, Found)
    assert found.reply.external_id == str(shop.ledger("fulfilment")[0][2]["id"])


def test_a_lookup_within_the_read_lag_does_not_see_the_fulfilment_yet(open_shop: Open) -> None:
    shop = open_shop(Faults(lookup_lag_seconds=8))
    order = shop.place(("A", 1, "5.00"))
    effect = shop.shipment(order, {"A": 1})
    shop.connector.push_shipment(effect)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, effect), NotFound)
    shop.clock.pass_seconds(10)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, effect), Found)


def test_without_a_tracking_number_a_twin_leaves_the_lookup_unsure(shop: ShopWorld) -> None:
    order = shop.place(("A", 2, "5.00"))
    effect = shop.shipment(order, {"A": 1}, tracking=None)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, effect), NotFound)
    shop.connector.push_shipment(effect)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, effect), Unsure)


def test_a_handover_whose_answer_was_lost_is_found_by_how_much_is_fulfilled(open_shop: Open) -> None:
    shop = open_shop(Faults(script={FULFIL_CALL: "drop_after"}))
    order = shop.place(("A", 2, "5.00"))
    first = shop.shipment(order, {"A": 1}, tracking=None, before=0)
    with pytest.raises(TransportError):
        shop.connector.push_shipment(first)
    found = shop.connector.lookup(Capability.PUSH_SHIPMENT, first)
    assert isinstance(found, Found)
    assert (found.same_content, found.reply.external_id) == (True, str(shop.ledger("fulfilment")[0][2]["id"]))
    second = shop.shipment(order, {"A": 1}, tracking=None, before=1)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, second), NotFound)
    shop.connector.push_shipment(second)
    assert isinstance(shop.connector.lookup(Capability.PUSH_SHIPMENT, second), Found)
    assert len(shop.ledger("fulfilment")) == 2


def test_a_handover_of_all_there_is_needs_no_count(shop: ShopWorld) -> None:
    order = shop.place(("A", 2, "5.00"), ("B", 1, "5.00"))
    effect = shop.shipment(order, {"A": 2}, tracking=None)
    first = shop.connector.push_shipment(effect)
    found = shop.connector.lookup(Capability.PUSH_SHIPMENT, effect)
    assert isinstance(found, Found)
    assert shop.connector.push_shipment(effect).external_id == first.external_id
    assert len(shop.ledger("fulfilment")) == 1


def test_the_same_number_with_other_lines_is_other_content(shop: ShopWorld) -> None:
    order = shop.place(("A", 2, "5.00"))
    shop.connector.push_shipment(shop.shipment(order, {"A": 1}))
    found = shop.connector.lookup(Capability.PUSH_SHIPMENT, shop.shipment(order, {"A": 2}))
    assert isinstance(found, Found)
    assert found.same_content is False


def test_the_shop_echoes_a_fulfilment_as_a_webhook(shop: ShopWorld) -> None:
    order = shop.place(("A", 1, "5.00"))
    shop.delivered()
    shop.connector.push_shipment(shop.shipment(order, {"A": 1}))
    shop.clock.pass_seconds(1)
    echoes: dict[str | None, Any] = {echo.topic: shop.connector.parse(echo)[0].body for echo in shop.delivered()}
    assert set(echoes) == {"fulfillments/create", "orders/updated"}
    assert echoes["fulfillments/create"]["tracking_number"] == "1Z999"
    assert echoes["orders/updated"]["fulfillments"][0]["tracking_number"] == "1Z999"


# -- stock ---------------------------------------------------------------------------------------------------------


def test_a_level_is_set_for_the_very_sku(shop: ShopWorld) -> None:
    shop.control("catalogue", skus=["mug-blue", "MUG-BLUE", "MUG'S"])
    reply = shop.connector.push_inventory(shop.level("MUG-BLUE", "7.9", "1"))
    shop.connector.push_inventory(shop.level("MUG'S", "2", "1"))
    assert shop.control("levels")["levels"] == {"MUG-BLUE": 7, "MUG'S": 2}
    assert reply_record(Capability.PUSH_INVENTORY, reply.raw)["accepted"] is True


def test_every_level_that_the_shop_shows_can_be_read_page_by_page(shop: ShopWorld) -> None:
    shop.control("catalogue", skus=[f"SKU-{number:03}" for number in range(60)])
    shop.connector.push_inventory(shop.level("SKU-007", "7", "1"))
    shop.connector.push_inventory(shop.level("SKU-059", "3", "2"))
    found = {one.sku: (",".join(one.outlets[1:]), int(one.available)) for one in shop.connector.shown_levels()}
    assert found == {"SKU-007": ("655441491,", 7), "SKU-059": ("655441491,", 3)}


def test_a_sku_the_shop_does_not_sell_is_refused_by_name(shop: ShopWorld) -> None:
    with pytest.raises(CallFailed, match="no item with the SKU NOPE") as caught:
        shop.connector.push_inventory(shop.level("NOPE", "1", "1"))
    assert caught.value.resolution is Resolution.REJECTED


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_a_level_whose_answer_was_lost_is_repeated_without_a_second_effect(open_shop: Open, fault: str) -> None:
    shop = open_shop(Faults(script={2: fault}))
    shop.control("catalogue", skus=["A"])
    effect = shop.level("A", "5", "1")
    with pytest.raises((CallFailed, TransportError)) as caught:
        shop.connector.push_inventory(effect)
    if isinstance(caught.value, CallFailed):
        assert caught.value.resolution is Resolution.RETRY
    shop.control("sell", lines=[{"sku": "A", "quantity": 2, "price": "1.00"}])
    shop.connector.push_inventory(effect)
    assert len(shop.ledger("stock_push")) == 1
    assert shop.control("levels")["levels"] == {"A": 3}


def test_a_level_compared_with_what_the_shop_no_longer_has_is_an_answer_not_an_error(shop: ShopWorld) -> None:
    shop.control("stock", levels={"A": 10})
    shop.control("sell", lines=[{"sku": "A", "quantity": 4, "price": "1.00"}])
    reply = shop.connector.push_inventory(shop.level("A", "12", "1", previous="10"))
    assert reply_record(Capability.PUSH_INVENTORY, reply.raw) == {
        "accepted": False,
        "reason": "compare_miss",
        "attributes": {"available": "6"},
    }
    assert shop.control("levels")["levels"] == {"A": 6}
    shop.connector.push_inventory(shop.level("A", "8", "2", previous="6"))
    assert shop.control("levels")["levels"] == {"A": 8}


def test_the_shop_sells_no_more_than_it_shows(shop: ShopWorld) -> None:
    shop.control("stock", levels={"A": 3})
    line = [{"sku": "A", "quantity": 2, "price": "1.00"}]
    assert shop.control("sell", lines=line)["accepted"] is True
    assert shop.control("sell", lines=line) == {"accepted": False, "sold_out": ["A"]}
    assert [data["quantity"] for _, _, data in shop.ledger("sale")] == [2]


# -- what the vendor may answer, word for word -----------------------------------------------------------------------

URL = "https://acme.myshopify.example/admin/api/2026-07/graphql.json"


@pytest.fixture
def vendor() -> Iterator[Shopify]:
    http = RequestsHttp(HttpPolicy(), Clock())
    config = {"shop": "acme.myshopify.example", "access_token": TOKEN, "location": "1"}
    yield Shopify(context_for(http, Clock(), config))
    http.close()


def stock_effect() -> Effect:
    payload = {"sku": "A", "inventoryItemId": "8", "quantity": "3"}
    return Effect(payload, "A/1", {}, Clock().now() + dt.timedelta(seconds=60))


@pytest.mark.parametrize(
    ("status", "body", "resolution"),
    [
        (200, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}, Resolution.RATE_LIMITED),
        (200, {"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}, Resolution.AUTH_FAILED),
        (200, {"errors": [{"message": "oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Resolution.RETRY),
        (200, {"errors": [{"message": "Field 'x' doesn't exist on type 'Order'"}]}, Resolution.REJECTED),
        (200, {"unexpected": True}, Resolution.RETRY),
        (402, {"errors": "Unavailable Shop"}, Resolution.AUTH_FAILED),
        (423, {"errors": "Locked"}, Resolution.AUTH_FAILED),
        (400, {"errors": "bad"}, Resolution.REJECTED),
        (502, {"errors": "bad gateway"}, Resolution.RETRY),
    ],
)
@responses.activate
def test_each_documented_answer_has_its_resolution(
    vendor: Shopify, status: int, body: object, resolution: Resolution
) -> None:
    responses.post(URL, json=body, status=status)
    with pytest.raises(CallFailed) as caught:
        vendor.push_inventory(stock_effect())
    assert caught.value.resolution is resolution


@responses.activate
def test_user_errors_are_a_refusal_in_the_vendors_words(vendor: Shopify) -> None:
    errors = [{"code": "INVALID_LOCATION", "field": ["input"], "message": "The location could not be found."}]
    responses.post(URL, json={"data": {"inventorySetQuantities": {"userErrors": errors}}})
    with pytest.raises(CallFailed) as caught:
        vendor.push_inventory(stock_effect())
    assert (caught.value.resolution, caught.value.code, caught.value.words) == (
        Resolution.REJECTED,
        "INVALID_LOCATION",
        "The location could not be found.",
    )


@responses.activate
def test_a_concurrent_call_with_our_key_is_waited_for(vendor: Shopify) -> None:
    errors = [{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "message": "in progress"}]
    responses.post(URL, json={"data": {"inventorySetQuantities": {"userErrors": errors}}})
    with pytest.raises(CallFailed) as caught:
        vendor.push_inventory(stock_effect())
    assert caught.value.resolution is Resolution.RATE_LIMITED


@responses.activate
def test_the_call_carries_token_key_and_an_open_comparison(vendor: Shopify) -> None:
    responses.post(URL, json={"data": {"inventorySetQuantities": {"userErrors": []}}})
    vendor.push_inventory(stock_effect())
    vendor.push_inventory(stock_effect())
    first, second = (json.loads(call.request.body or b"") for call in responses.calls)
    assert first == second
    assert responses.calls[0].request.headers["x-shopify-access-token"] == TOKEN
    assert "@idempotent(key: $key)" in first["query"]
    (quantity,) = first["variables"]["input"]["quantities"]
    assert quantity == {
        "inventoryItemId": "gid://shopify/InventoryItem/8",
        "locationId": "gid://shopify/Location/1",
        "quantity": 3,
        "changeFromQuantity": None,
    }


@responses.activate
def test_an_unreadable_200_to_a_fulfilment_is_ambiguous(vendor: Shopify) -> None:
    line = {"id": "gid://shopify/FulfillmentOrderLineItem/9", "remainingQuantity": 1}
    order = {
        "id": "gid://shopify/Order/1",
        "fulfillments": [],
        "fulfillmentOrders": {
            "nodes": [
                {
                    "id": "gid://shopify/FulfillmentOrder/2",
                    "status": "OPEN",
                    "lineItems": {"nodes": [line | {"lineItem": {"id": "gid://shopify/LineItem/3"}}]},
                }
            ]
        },
    }
    responses.post(URL, json={"data": {"order": order}})
    responses.post(URL, body=b"<html>maintenance</html>")
    payload = {"orderId": "1", "fulfillment": {}, "lines": [{"lineItemId": "3", "quantity": 1}]}
    with pytest.raises(CallFailed) as caught:
        vendor.push_shipment(Effect(payload, "k", {}, Clock().now() + dt.timedelta(seconds=60)))
    assert caught.value.resolution is Resolution.AMBIGUOUS
