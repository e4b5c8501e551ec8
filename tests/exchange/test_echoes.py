"""Echoes: what we push comes back, often before our own answer, and creates nothing."""

from __future__ import annotations

import pytest

from hub.domain.decision import EffectRequest
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.manifest import CapabilityInfo
from tests.exchange.world import World


@pytest.fixture
def world() -> World:
    return World()


def pushing(world: World) -> EffectRequest:
    """A shop we push shipments to, that keeps them like the ERP keeps documents."""
    info = CapabilityInfo(Capability.PUSH_SHIPMENT, SafetyMode.NONE)
    world.change("shop", connector=world.erp, capabilities={Capability.PUSH_SHIPMENT: info})
    world.commit(lambda writer: _order_row(world))
    return EffectRequest(
        destination="shop",
        capability="push_shipment",
        key="package/P1/shop",
        aggregate="OR1",
        lane="shipment",
        record={"tracking_number": "T1"},
        order_id="OR1",
        echo="ShipmentNotice",
        echo_match={"tracking_number": "T1", "order_external_id": "1"},
    )


PUSH = "shop/push_shipment/package/P1/shop"


def _order_row(world: World) -> object:
    from hub.domain.writeset import WriteSet

    now = world.clock.now()
    writes = WriteSet()
    row = {
        "id": "OR1",
        "channel": "shop",
        "scope": "",
        "external_id": "1",
        "seller_entity": "acme",
        "order_type": "sale",
        "status": "confirmed",
        "effects": "on",
        "document": {},
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    writes.insert("orders", row)
    return writes


def notice(tracking: str = "T1", **other: object) -> dict[str, object]:
    packages = [{"package": "1", "tracking_number": tracking, "lines": []}]
    return {"external_id": "S1", "fact_key": "S1", "order_external_id": "1", "packages": packages, **other}


def test_an_echo_before_the_answer_is_matched_by_key_and_settles_the_unknown(world: World) -> None:
    push = pushing(world)
    world.erp.script = ["lose_answer"]
    world.decide(push)
    world.settle()
    assert world.delivery(PUSH)["state"] == "unknown"
    world.receive(notice("other", reference=PUSH), "shipments")
    world.settle()
    assert world.states("shipments") == ["ignored"]
    assert (world.delivery(PUSH)["state"], world.delivery(PUSH)["external_id"]) == ("acknowledged", "S1")
    assert world.exceptions() == []
    assert [incoming.stream for incoming in world.applied].count("shipments") == 0
    assert world.replies()[-1]["resolution"] == "success"


def test_an_echo_is_matched_by_content_where_our_key_does_not_come_back(world: World) -> None:
    push = pushing(world)
    world.erp.script = ["lose_answer"]
    world.decide(push)
    world.settle()
    world.receive(notice(), "shipments")
    world.settle()
    assert world.states("shipments") == ["ignored"]
    assert world.delivery(PUSH)["state"] == "acknowledged"


def test_an_echo_after_the_answer_creates_nothing(world: World) -> None:
    world.decide(pushing(world))
    world.settle()
    world.receive(notice(), "shipments")
    world.settle()
    assert world.states("shipments") == ["ignored"]
    world.receive(notice(), "shipments")
    world.settle()
    assert world.states("shipments") == ["ignored", "duplicate"]


def test_what_may_be_an_echo_waits_until_the_delivery_settles(world: World) -> None:
    push = pushing(world)
    world.erp.script = ["unreachable"]
    world.decide(push)
    world.settle()
    world.receive(notice("T2"), "shipments")
    world.settle()
    assert world.states("shipments") == ["waiting"]
    world.run_for(20)
    assert world.delivery(PUSH)["state"] == "acknowledged"
    assert world.states("shipments") == ["applied"]


def test_a_fact_about_an_order_without_a_push_is_news(world: World) -> None:
    pushing(world)
    world.receive(notice(), "shipments")
    world.settle()
    assert world.states("shipments") == ["applied"]
