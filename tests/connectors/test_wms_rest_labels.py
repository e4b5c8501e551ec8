"""A warehouse whose labels somebody else buys: it says what is in which box, and no box leaves without its label."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sdk.capabilities import Capability
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.records import Effect, Found
from tests.connectors.wms_rest_world import MAPPINGS, World, cancellation


def packed(**config: Any) -> World:
    """Two lines packed, nothing shipped."""
    world = World(labels="hub", **config)
    world.stock(MUG="9", CUP="9")
    world.send(MUG="2", CUP="1")
    world.pass_seconds(1.2)
    return world


def boxes(world: World) -> list[Any]:
    mapping = MAPPINGS.get("wms_rest/fulfilment_responses.in")
    said = [mapping.run(event).record for event in world.events("fulfilment_responses")]
    (packages,) = [record["packages"] for record in said if record["status"] == "packed"]
    assert isinstance(packages, list)
    return packages


def label(world: World, package: str, number: str = "EZ1", reference: str = "package/p/label/1") -> Effect:
    payload = {
        "reference": reference,
        "client_order_id": "ful_1",
        "package": package,
        "tracking_number": number,
        "content": "JVBERi0xLjQK",
    }
    return world.effect(payload)


def shipments(world: World) -> list[Any]:
    mapping = MAPPINGS.get("wms_rest/shipments.in")
    return [mapping.run(event).record for event in world.events("shipments")]


def test_it_says_what_is_in_which_box_and_what_that_weighs() -> None:
    with packed(packages="2") as world:
        first, second = boxes(world)
        assert first == {
            "package": "FR-000001-B1",
            "weight_grams": "975.0",
            "length_mm": "305",
            "width_mm": "229",
            "height_mm": "152",
            "lines": [{"line": "lin_MUG", "sku": "MUG", "quantity": "2"}],
        }
        assert second["package"] == "FR-000001-B2"


def test_a_box_leaves_with_the_label_it_was_sent_and_not_before() -> None:
    with packed() as world:
        world.pass_seconds(60)
        assert shipments(world) == []
        world.connector.send_label(label(world, "FR-000001-B1"))
        world.pass_seconds(1)
        (shipment,) = shipments(world)
        assert [(box["package"], box["tracking_number"]) for box in shipment["packages"]] == [("FR-000001-B1", "EZ1")]


def test_a_label_whose_answer_was_lost_is_attached_once() -> None:
    with packed() as world:
        world.faults.script = {world.emulator.calls + 1: "drop_after"}
        effect = label(world, "FR-000001-B1")
        with pytest.raises(Exception, match="connection"):
            world.connector.send_label(effect)
        assert world.connector.send_label(effect).status == 409
        found = world.connector.lookup(Capability.SEND_LABEL, effect)
        assert isinstance(found, Found)
        assert found.same_content is True
        assert len(world.ledger("label")) == 1


def test_a_label_for_a_box_that_is_not_there_is_refused() -> None:
    with packed() as world:
        with pytest.raises(CallFailed) as failed:
            world.connector.send_label(label(world, "FR-000001-B9"))
        assert failed.value.resolution is Resolution.REJECTED


def test_a_second_label_of_a_box_replaces_the_first() -> None:
    with packed(mode="hold") as world:
        world.control("act", client_order_id="ful_1", do="pack")
        world.connector.send_label(label(world, "FR-000001-B1"))
        world.connector.send_label(label(world, "FR-000001-B1", "EZ2", "package/p/label/2"))
        world.control("act", client_order_id="ful_1", do="ship")
        assert shipments(world)[0]["packages"][0]["tracking_number"] == "EZ2"


def test_goods_that_were_cancelled_leave_their_box() -> None:
    with packed(packages="2") as world:
        world.connector.cancel_fulfilment_request(world.effect(cancellation("c1", "ful_1", CUP="1")))
        world.connector.send_label(label(world, "FR-000001-B1"))
        world.pass_seconds(1)
        (shipment,) = shipments(world)
        assert [box["lines"] for box in shipment["packages"]] == [[{"line": "lin_MUG", "sku": "MUG", "quantity": "2"}]]


def test_boxes_and_labels_survive_a_restart(tmp_path: object) -> None:
    ledger = f"{tmp_path}/ledger.db"
    with packed(ledger=ledger) as world:
        clock = world.clock
    with World(ledger, clock=clock, labels="hub") as world:
        world.connector.send_label(label(world, "FR-000001-B1"))
        world.pass_seconds(1)
        assert len(shipments(world)) == 1
