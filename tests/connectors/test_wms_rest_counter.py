"""The store side of the emulated warehouse: what its buyer collects, what goes to another one, what takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.wms_rest_world import Clock, World, request


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        world.stock(MUG="5", CUP="5")
        yield world


def ask(world: World, reference: str = "ful_1@1", **said: Any) -> None:
    world.connector.send_fulfilment_request(world.effect({**request(reference, MUG="2"), **said}))


def test_what_is_collected_stands_ready_and_then_leaves_with_a_proof(world: World) -> None:
    ask(world, shipping_method="pickup")
    world.pass_seconds(1.5)
    assert world.statuses() == ["acknowledged", "packed", "ready_for_pickup"]
    assert world.on_hand()["MUG"] == "5"
    world.pass_seconds(0.5)
    assert world.statuses()[-1] == "handed_over"
    assert world.on_hand()["MUG"] == "3"
    assert [entry["proof"] for entry in world.ledger("handover")] == ["PIN-0001"]
    assert world.events("shipments") == []


def test_where_nobody_comes_the_goods_wait_until_somebody_puts_them_back(world: World) -> None:
    world.control("behave", buyer="stays_away")
    ask(world, shipping_method="pickup")
    world.pass_seconds(3600)
    assert world.statuses()[-1] == "ready_for_pickup"
    world.control("act", client_order_id="ful_1", do="not_collected")
    assert world.statuses()[-1] == "not_collected"
    assert world.on_hand()["MUG"] == "5"
    assert world.control("show", client_order_id="ful_1")["items"][0]["status"] == "cancelled"


def test_a_transfer_lies_on_the_other_shelves_when_it_has_come(world: World) -> None:
    world.control("behave", transit_seconds=60, lost={"MUG": "1"})
    ask(world, shipping_method="transfer", ship_to_warehouse="STORE")
    world.pass_seconds(1.5)
    assert len(world.events("shipments")) == 1
    assert world.statuses()[-1] == "packed"
    world.pass_seconds(60)
    assert world.statuses()[-1] == "received"
    rows = {(row["warehouse"], row["sku"]): row["quantity"] for row in world.control("stock")["rows"]}
    assert (rows["EAST", "MUG"], rows["STORE", "MUG"]) == ("3", "1")


def test_a_transfer_under_way_arrives_though_the_warehouse_was_started_anew(tmp_path: Path) -> None:
    ledger, clock = str(tmp_path / "wms.ledger"), Clock()
    with World(ledger, clock=clock) as world:
        world.stock(MUG="5")
        world.control("behave", transit_seconds=60)
        ask(world, shipping_method="transfer", ship_to_warehouse="STORE")
        world.pass_seconds(1.5)
        assert len(world.events("shipments")) == 1
    with World(ledger, clock=clock) as world:
        world.pass_seconds(61)
        assert world.statuses()[-1] == "received"
        world.pass_seconds(61)
        assert world.statuses().count("received") == 1


def test_another_sku_leaves_in_place_of_the_one_that_was_asked_for(world: World) -> None:
    world.control("behave", substitute={"MUG": "CUP"})
    ask(world)
    world.pass_seconds(2)
    assert world.on_hand() == {"MUG": "5", "CUP": "3"}
    (event,) = world.events("shipments")
    told: Any = event
    assert told["data"]["packages"][0]["lines"] == [{"line_reference": "lin_MUG", "sku": "CUP", "quantity": "2"}]
