"""The same rules on real database files and servers, with several threads at one destination."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hub.domain.decision import Decision, EventRequest
from hub.exchange.redrive import redrive_message
from hub.sdk.capabilities import SafetyMode
from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.exchange.world import World, submit


def test_many_threads_at_one_destination_make_one_call_for_each_delivery(store: SqlStore, clock: SettableClock) -> None:
    world = World(store=store, clock=clock)
    world.erp_with(SafetyMode.LOOKUP, settle_seconds=1.0)
    orders = [str(number) for number in range(40)]
    world.decide(*[submit(order) for order in orders])

    def send(_: int) -> int:
        return sum(world.engine.drain("erp", 3) for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        moved = sum(pool.map(send, range(4)))
    assert moved == len(orders)
    assert world.erp.calls == len(orders)
    assert all(world.erp.count(f"erp/submit_order/order/{order}") == 1 for order in orders)
    assert {row["state"] for row in world.rows("deliveries")} == {"acknowledged"}


def test_a_whole_round_works_on_every_database(store: SqlStore, clock: SettableClock) -> None:
    world = World(store=store, clock=clock)
    world.decisions["1"] = Decision(
        subject="OR1", effects=[submit()], events=[EventRequest("captured", "OR1", "OR1")], wakes=["order|shop||1"]
    )
    world.erp.script = ["lose_answer"]
    world.receive({"external_id": "1"})
    world.receive({"external_id": "2", "bad": True})
    world.receive({"external_id": "r", "fact_key": "r"}, "refunds")
    world.run_for(200)
    assert world.states() == ["applied", "parked"]
    assert world.states("refunds") == ["applied"]
    assert (world.delivery()["state"], world.erp.count("erp/submit_order/order/1")) == ("acknowledged", 1)
    parked = world.rows("messages", state="parked")[0]["id"]
    world.commit(lambda writer: redrive_message(writer, parked, "ann"))
    world.settle()
    assert sorted(world.states()) == ["applied", "parked", "re-driven"]
    assert world.exceptions() == ["mapping"]
