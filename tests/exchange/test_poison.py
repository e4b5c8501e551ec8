"""Messages that end their process, and trying again what a person made possible."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from hub.domain.decision import Decision
from hub.domain.writeset import Applied
from hub.exchange.defaults import DEFAULTS
from hub.exchange.redrive import redrive_message
from hub.exchange.verbs import Refused
from tests.exchange.world import Crash, World, submit


@pytest.fixture
def world() -> World:
    return World()


def fact(key: str = "f1", **other: object) -> dict[str, object]:
    return {"external_id": key, "fact_key": key, "order_external_id": "1", **other}


def quick() -> World:
    return World(replace(DEFAULTS, poison_wall=1.0, poison_cpu=1.0, poison_memory_bytes=64 * 1024 * 1024))


@pytest.mark.parametrize("how", ["dies", "hangs", "eats"])
def test_poison_ends_a_crash_loop(how: str) -> None:
    """In this process it would end the hub: twice it does, then it is computed apart, and at five it parks."""
    world = quick()
    claims: list[int] = []
    us = os.getpid()

    def handler(incoming: object, snapshot: object, now: object) -> Decision:
        if os.getpid() == us:
            raise Crash
        if how == "dies":
            os._exit(9)
        if how == "hangs":
            time.sleep(600)
        return Decision(message="x" * len(bytearray(1 << 40)))

    world.handlers.messages["orders"] = handler
    world.handlers.messages["refunds"] = world._record
    world.receive({"external_id": "1"})
    world.receive(fact(), "refunds")
    for _ in range(10):
        try:
            world.run_for(60)
        except Crash:
            world.restart()
        claims.append(world.rows("messages", stream="orders")[0]["claims"])
    assert world.states() == ["parked"]
    assert world.exceptions() == ["poison"]
    assert max(claims) == 5
    assert world.states("refunds") == ["applied"]


def test_a_message_computed_apart_reads_the_database_and_is_applied() -> None:
    world = quick()
    us, runs = os.getpid(), 0

    def handler(incoming: object, snapshot: object, now: object) -> Decision:
        nonlocal runs
        if os.getpid() == us:
            runs += 1
            raise Crash
        found = snapshot.rows("settings", {"name": "owner_epoch"})  # type: ignore[attr-defined]
        return Decision(subject=found[0]["value"], effects=[submit()])

    world.handlers.messages["orders"] = handler
    world.receive({"external_id": "1"})
    for _ in range(2):
        with pytest.raises(Crash):
            world.settle()
        world.restart()
    world.settle()
    assert (world.states(), runs) == (["applied"], 2)
    assert world.erp.calls == 1


def test_a_handlers_defect_is_tried_again_ever_later_and_then_parks(world: World) -> None:
    def handler(incoming: object, snapshot: object, now: object) -> Decision:
        raise ZeroDivisionError

    world.handlers.messages["orders"] = handler
    world.receive({"external_id": "1"})
    world.settle()
    assert world.states() == ["retry"]
    world.run_for(300)
    assert (world.states(), world.exceptions()) == (["parked"], ["poison"])


# --- re-drive ---


def test_a_parked_message_is_redriven_as_a_new_one_linked_to_the_old(world: World) -> None:
    world.mappings["orders"].broken = True
    world.order("1")
    (old,) = world.rows("messages", stream="orders")
    world.mappings["orders"].broken = False
    world.revision = "r2"
    assert world.commit(lambda writer: redrive_message(writer, old["id"], "ann")) is Applied.APPLIED
    world.settle()
    new = next(row for row in world.rows("messages", stream="orders") if row["id"] != old["id"])
    assert world.states() == ["re-driven", "applied"]
    assert (new["redrive_of"], new["revision"]) == (old["id"], "r2")
    assert world.exceptions() == []


def test_a_redrive_pressed_twice_at_once_is_one(world: World) -> None:
    world.mappings["orders"].broken = True
    world.order("1")
    (old,) = world.rows("messages", stream="orders")
    world.mappings["orders"].broken = False
    with world.store.read() as snapshot:
        both = [redrive_message(world.writer(snapshot), old["id"], who) for who in ("ann", "bob")]
    assert [outcome.applied for outcome in world.store.apply(both)] == [Applied.APPLIED, Applied.CONFLICT]
    with world.store.read() as snapshot, pytest.raises(Refused, match="re-driven"):
        redrive_message(world.writer(snapshot), old["id"], "bob")
    world.settle()
    assert world.states() == ["re-driven", "applied"]
