"""Shipments and stock to the marketplace: what is sent, what is repeated, and how an unknown outcome is looked up."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.amazon_sp.pushes import package_reference
from hub.mapping import MappingError, MappingLibrary
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Found, NotFound, Unsure
from tests.connectors.amazon_world import BRITAIN, GERMANY, AmazonWorld

Open = Callable[..., AmazonWorld]
SHIP, STOCK = Capability.PUSH_SHIPMENT, Capability.PUSH_INVENTORY


@pytest.fixture
def open_world() -> Iterator[Open]:
    opened: list[AmazonWorld] = []

    def make(*arguments: Any, **options: Any) -> AmazonWorld:
        opened.append(AmazonWorld(*arguments, **options))
        return opened[-1]

    yield make
    for world in opened:
        world.close()


@pytest.fixture
def world(open_world: Open) -> AmazonWorld:
    return open_world()


def reply_of(raw: bytes, capability: Capability) -> Any:
    return MappingLibrary().get(f"amazon_sp/{capability}.reply").run(json.loads(raw)).record


def test_a_package_is_confirmed_with_its_lines(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"), ("B", 1, "7.00"))
    first = world.shipment(order, {"A": 2})
    reply = world.connector.push_shipment(first)
    assert reply.status == 204
    reference = package_reference("pkg_1Z999")
    assert reply_of(reply.raw, SHIP) == {"external_id": reference, "number": "1Z999"}
    shown = world.order(order)
    assert shown["fulfillment"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    assert [package["packageReferenceId"] for package in shown["packages"]] == [reference]
    world.connector.push_shipment(world.shipment(order, {"B": 1}, "1Z888"))
    assert world.order(order)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert [key for key, _, _ in world.ledger("fulfilment")] == ["1Z999", "1Z888"]


def test_the_package_reference_is_a_positive_number_and_always_the_same() -> None:
    made = [package_reference(f"pk_{number}") for number in range(200)]
    assert all(reference.isdigit() and int(reference) > 0 for reference in made)
    assert len(set(made)) == 200
    assert package_reference("pk_1") == made[1]
    assert package_reference("417") == "417"


def test_a_carrier_that_the_marketplace_does_not_know_is_told_by_its_name(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"))
    world.connector.push_shipment(world.shipment(order, {"A": 1}, carrier="Cargo Bikes"))
    assert world.order(order)["packages"][0]["carrier"] == "Cargo Bikes"


def test_the_order_says_its_marketplace_where_the_connection_has_several(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"), marketplace=BRITAIN)
    world.connector = world.connect(marketplaces=[GERMANY, BRITAIN])
    world.connector.push_shipment(world.shipment(order, {"A": 1}))
    assert len(world.ledger("fulfilment")) == 1


@pytest.mark.parametrize("fault", ["error_after", "drop_after", "late_commit"])
def test_a_confirmation_of_unknown_outcome_is_found_in_the_orders_packages(fault: str, open_world: Open) -> None:
    world = open_world(Faults(script={1: fault}))
    order = world.place(("A", 2, "5.00"))
    effect = world.shipment(order, {"A": 2})
    with pytest.raises((CallFailed, TransportError)) as caught:
        world.connector.push_shipment(effect)
    if isinstance(caught.value, CallFailed):
        assert caught.value.resolution is Resolution.AMBIGUOUS
    world.clock.pass_seconds(10)
    found = world.connector.lookup(SHIP, effect)
    assert isinstance(found, Found)
    assert found.same_content is True
    assert reply_of(found.reply.raw, SHIP)["number"] == "1Z999"
    assert len(world.ledger("fulfilment")) == 1


def test_what_did_not_happen_is_not_found_and_another_package_is_no_answer(open_world: Open) -> None:
    world = open_world(Faults(script={1: "error_before"}))
    order = world.place(("A", 2, "5.00"))
    effect = world.shipment(order, {"A": 1})
    with pytest.raises(CallFailed):
        world.connector.push_shipment(effect)
    assert world.connector.lookup(SHIP, effect) == NotFound()
    world.connector.push_shipment(world.shipment(order, {"A": 1}, "1Z777"))
    assert world.connector.lookup(SHIP, effect) == NotFound()


def test_a_package_with_our_number_and_other_lines_is_a_conflict(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"))
    world.connector.push_shipment(world.shipment(order, {"A": 1}))
    found = world.connector.lookup(SHIP, world.shipment(order, {"A": 2}))
    assert isinstance(found, Found)
    assert found.same_content is False


def test_a_lookup_sees_a_package_only_after_the_lag_that_the_manifest_waits_for(open_world: Open) -> None:
    world = open_world(Faults(lookup_lag_seconds=100))
    order = world.place(("A", 1, "5.00"))
    effect = world.shipment(order, {"A": 1})
    world.connector.push_shipment(effect)
    assert world.connector.lookup(SHIP, effect) == NotFound()
    world.clock.pass_seconds(120)
    later = replace(effect, deadline=world.clock.now() + dt.timedelta(seconds=60))
    assert isinstance(world.connector.lookup(SHIP, later), Found)


def test_a_package_confirmed_again_is_no_second_one(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"))
    effect = world.shipment(order, {"A": 2})
    world.connector.push_shipment(effect)
    world.connector.push_shipment(effect)
    assert len(world.ledger("fulfilment")) == 1
    assert len(world.ledger("repeated")) == 1
    assert len(world.order(order)["packages"]) == 1


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"by_channel": True}, "not fulfilled by the merchant"),
        ({"pending": True}, "not open for shipment"),
    ],
)
def test_a_refusal_carries_the_vendors_words(wish: dict[str, Any], words: str, world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"), **wish)
    with pytest.raises(CallFailed, match=words) as caught:
        world.connector.push_shipment(world.shipment(order, {"A": 1}))
    assert (caught.value.resolution, caught.value.code) == (Resolution.REJECTED, "InvalidInput")


def test_without_a_tracking_number_nothing_is_rendered(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"))
    with pytest.raises(MappingError, match="trackingNumber"):
        world.shipment(order, {"A": 1}, tracking_number="")


def test_a_quota_used_up_sends_nothing_and_says_when(open_world: Open) -> None:
    world = open_world(rates='{"confirmShipment": 0.5}', bursts='{"confirmShipment": 1}')
    orders = [world.place(("A", 1, "5.00")) for _ in range(2)]
    world.connector.push_shipment(world.shipment(orders[0], {"A": 1}, "T1"))
    with pytest.raises(CallFailed) as caught:
        world.connector.push_shipment(world.shipment(orders[1], {"A": 1}, "T2"))
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert len(world.ledger("fulfilment")) == 1


def test_a_token_refused_while_writing_is_renewed_once_without_doubt(world: AmazonWorld) -> None:
    orders = [world.place(("A", 1, "5.00")) for _ in range(2)]
    world.connector.push_shipment(world.shipment(orders[0], {"A": 1}, "T1"))
    world.control("expire_tokens")
    world.connector.push_shipment(world.shipment(orders[1], {"A": 1}, "T2"))
    assert len(world.ledger("fulfilment")) == 2


def test_a_level_is_set_for_the_sku_rounded_down(world: AmazonWorld) -> None:
    reply = world.connector.push_inventory(world.level("MUG/BLUE 1", "7.5"))
    assert reply_of(reply.raw, STOCK)["accepted"] is True
    (pushed,) = world.ledger("stock_push")
    assert pushed[1:] == ("MUG/BLUE 1", {"channel": "DEFAULT", "quantity": 7, "before": None})
    assert world.control("levels") == {"levels": {"MUG/BLUE 1": 7}}


def test_a_level_of_unknown_outcome_is_looked_up_and_set_again_where_another_is_shown(open_world: Open) -> None:
    world = open_world(Faults(script={2: "drop_after", 4: "error_before"}))
    world.connector.push_inventory(world.level("A", "5"))
    second = world.level("A", "4", "2")
    with pytest.raises(TransportError):
        world.connector.push_inventory(second)
    assert isinstance(world.connector.lookup(STOCK, second), Found)
    third = world.level("A", "3", "3")
    with pytest.raises(CallFailed):
        world.connector.push_inventory(third)
    assert world.connector.lookup(STOCK, third) == NotFound()


def test_a_sku_without_a_listing_and_a_connection_without_seller_are_refusals(open_world: Open) -> None:
    world = open_world(skus="A,B")
    with pytest.raises(CallFailed, match="not found") as caught:
        world.connector.push_inventory(world.level("C", "5"))
    assert caught.value.resolution is Resolution.REJECTED
    world.connector = world.connect(seller_id="")
    with pytest.raises(CallFailed, match="no seller_id"):
        world.connector.push_inventory(world.level("A", "5"))
    assert not world.connector.check().ok


def test_a_lookup_that_cannot_be_made_is_unsure(open_world: Open) -> None:
    world = open_world(Faults(script={1: "error_before"}))
    order = world.place(("A", 1, "5.00"))
    assert isinstance(world.connector.lookup(SHIP, world.shipment(order, {"A": 1})), Unsure)


def test_people_buy_only_what_is_shown_to_them(world: AmazonWorld) -> None:
    world.connector.push_inventory(world.level("A", "2"))
    wish = {"lines": [{"sku": "A", "quantity": 2, "price": "5.00"}]}
    assert world.control("sell", **wish)["accepted"] is True
    assert world.control("sell", **wish) == {"accepted": False, "sold_out": ["A"]}
    assert [data["available"] for _, _, data in world.ledger("sale")] == [2]
