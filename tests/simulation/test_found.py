"""What seeds have found, as the shortest story that shows it: scripted people, quiet peers, the same audit."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hub.runtime.simulation import CrashPlan, Simulation
from tests.simulation import cli
from tests.simulation.audit import audit
from tests.simulation.scenario import Story
from tests.simulation.site import ERP, HOSTS, LOCATIONS, SHOP, SKUS, WMS, Weather, open_peers, settings

DAY = dt.timedelta(days=1)
FAST = {"acknowledge_seconds": "1", "pack_seconds": "2", "ship_seconds": "5"}
TAX = {"tax_rate": "0.0825", "shipping": "4.95"}


class Tale:
    """A run without chance: `at` puts somebody's deed on the agenda, `end` plays everything and audits."""

    def __init__(self, *, warehouse: dict[str, str], books: dict[str, str], grace: bool) -> None:
        cli.quiet()
        weather = Weather({name: {} for name in HOSTS}, warehouse, books)
        setting = settings()[1 if grace else 0]
        setting.connection = settings()[0].connection
        self.simulation = Simulation(
            setting, 0, lambda clock, source: open_peers(weather, clock, source), crashes=0, crash_at_call=0.0
        )
        settings()[0].connection = setting.connection
        self.story = Story(self.simulation, random.Random(0))
        self.answers: list[dict[str, Any] | None] = []

    def stock(self, units: int) -> None:
        rows = [{"warehouse": place, "sku": sku, "quantity": str(units)} for place in LOCATIONS for sku in SKUS]
        self.story.ask(WMS, "set_stock", {"rows": rows})
        self.story.count()

    def order(self, seconds: float, **quantities: int) -> Callable[[], str]:
        """Somebody orders; gives the order's id once it is placed."""
        lines = [
            {"sku": sku.replace("_", "-"), "quantity": units, "price": "10.00"} for sku, units in quantities.items()
        ]
        placed: list[str] = []

        def place() -> None:
            answer = self.story.ask(SHOP, "place", {"lines": lines, **TAX})
            assert answer is not None
            self.story.orders.append(str(answer["name"]))
            placed.append(str(answer["id"]))

        self.story.at(seconds, place)
        return lambda: placed[0]

    def at(self, seconds: float, peer: str, verb: str, asked: Callable[[], dict[str, Any]]) -> None:
        self.story.at(seconds, lambda: self.answers.append(self.story.ask(peer, verb, asked())))

    def end(self) -> list[str]:
        self.story.play()
        self.simulation.poll_every(7200.0)
        self.simulation.settle(DAY)
        self.story.count()
        self.simulation.settle(DAY)
        return audit(self.simulation, self.story)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.simulation.database.connection.execute(sql).fetchall())

    def erp(self, kind: str) -> list[tuple[str, str, str, str]]:
        emulator = next(peer.emulator for peer in self.simulation.peers if peer.connection == ERP)
        return emulator.ledger.entries(kind)


def tale(*, warehouse: dict[str, str] | None = None, queued: bool = False, grace: bool = False) -> Tale:
    books = {"acceptance": "queued" if queued else "booked", "queue_seconds": "30"}
    told = Tale(warehouse={**FAST, **(warehouse or {})}, books=books, grace=grace)
    told.stock(5)
    return told


def test_a_late_acceptance_finds_the_delivery_by_the_reference_we_gave() -> None:
    told = tale(queued=True)
    told.order(1, SKU_A=1)
    assert told.end() == []
    states = told.rows("SELECT capability, state FROM deliveries WHERE destination = 'erp' ORDER BY sequence")
    assert states == [("submit_order", "acknowledged"), ("post_invoice", "acknowledged")]
    assert told.rows("SELECT title FROM exceptions WHERE state = 'open'") == []


def test_a_late_refusal_blocks_what_needed_the_document() -> None:
    told = tale(queued=True)
    told.at(0, ERP, "refuse", lambda: {"by": "sku", "value": "SKU-A"})
    told.order(1, SKU_A=1)
    assert told.end() == []
    states = told.rows("SELECT capability, state FROM deliveries WHERE destination = 'erp' ORDER BY sequence")
    assert states == [("submit_order", "refused"), ("post_invoice", "parked")]


def test_a_change_of_an_order_that_the_erp_refused_is_blocked_and_not_refused_again() -> None:
    told = tale(warehouse={"acknowledge_seconds": "100", "pack_seconds": "200", "ship_seconds": "300"})
    told.at(0, ERP, "refuse", lambda: {"by": "sku", "value": "SKU-A"})
    order = told.order(1, SKU_A=1)
    told.at(20, SHOP, "edit", lambda: {"id": order(), "lines": {"SKU-A": 2}})
    assert told.end() == []
    titles = told.rows("SELECT title FROM exceptions WHERE state = 'open'")
    assert titles == [("erp refused submit_order",)]
    blocked = told.rows("SELECT DISTINCT state, park_reason FROM deliveries WHERE capability = 'update_order'")
    assert blocked == [("parked", "blocked")]


def test_what_is_added_after_the_last_shipment_is_shipped_and_charged() -> None:
    told = tale()
    order = told.order(1, SKU_A=1)
    told.at(60, SHOP, "edit", lambda: {"id": order(), "lines": {"SKU-A": 3}})
    assert told.end() == []
    assert told.rows("SELECT shipped FROM order_lines") == [(3_000_000,)]
    assert len(told.erp("invoice")) == 2


def test_a_fulfilled_order_that_gets_another_line_ships_it() -> None:
    told = tale()
    order = told.order(1, SKU_A=1)
    added = [{"sku": "SKU-B", "quantity": 1, "price": "7.77"}]
    told.at(60, SHOP, "edit", lambda: {"id": order(), "add": added})
    assert told.end() == []
    assert told.rows("SELECT sku, shipped FROM order_lines ORDER BY number") == [
        ("SKU-A", 1_000_000),
        ("SKU-B", 1_000_000),
    ]


def test_goods_refunded_before_they_left_do_not_leave_when_the_others_have() -> None:
    told = tale(grace=True)
    order = told.order(1, SKU_A=2)
    told.at(10, SHOP, "refund", lambda: {"id": order(), "lines": {"SKU-A": 1}, "restock": "none"})
    assert told.end() == []
    assert told.rows("SELECT shipped, cancelled, open FROM order_lines") == [(1_000_000, 1_000_000, 0)]
    assert told.rows("SELECT status FROM orders") == [("closed",)]


def test_an_order_edited_before_it_is_confirmed_goes_to_the_erp_with_its_present_total() -> None:
    told = tale(grace=True)
    order = told.order(1, SKU_A=2, SKU_B=1)
    told.at(10, SHOP, "edit", lambda: {"id": order(), "lines": {"SKU-A": 0}})
    assert told.end() == []
    assert len(told.erp("sales_order")) == 1


def test_locations_that_are_always_short_are_not_asked_for_ever() -> None:
    told = tale()
    told.at(0, WMS, "behave", lambda: {"match": {"sku": "SKU-A"}, "short": {"SKU-A": "all"}})
    told.order(1, SKU_A=1)
    told.story.scripted_short.add("#1001")
    assert told.end() == []
    assert told.rows("SELECT COUNT(*) FROM fulfilment_orders")[0][0] <= 8
    assert ("An order was sourced again too often",) in told.rows("SELECT title FROM exceptions WHERE state = 'open'")


@pytest.mark.parametrize("moment", range(1, 60, 7))
def test_a_crash_at_any_commit_changes_nothing_of_the_end(moment: int) -> None:
    told = tale()
    told.order(1, SKU_A=1, SKU_B=2)
    plan = told.simulation.plan
    plan.most, plan._next, plan._before = 1, moment, moment % 2 == 0
    assert told.end() == []
    assert plan.crashes == 1
    assert told.rows("SELECT SUM(shipped) FROM order_lines") == [(int(Decimal(3) * 1_000_000),)]


def test_goods_that_one_order_gives_back_go_to_the_order_that_waits() -> None:
    told = tale(grace=True)
    rows = [{"warehouse": place, "sku": "SKU-A", "quantity": "0"} for place in LOCATIONS]
    rows[0]["quantity"] = "1"
    told.story.ask(WMS, "set_stock", {"rows": rows})
    told.story.count()
    first = told.order(1, SKU_A=1)
    told.order(5, SKU_A=1)
    told.at(20, SHOP, "cancel", lambda: {"id": first()})
    assert told.end() == []
    assert told.rows("SELECT status FROM orders ORDER BY created_at") == [("cancelled",), ("closed",)]


def test_an_order_that_ships_whole_goes_when_less_is_wanted_than_before() -> None:
    told = tale()
    rows = [{"warehouse": place, "sku": "SKU-A", "quantity": "0"} for place in LOCATIONS]
    rows[0]["quantity"] = "1"
    told.story.ask(WMS, "set_stock", {"rows": rows})
    told.story.count()
    order = told.order(1, SKU_A=2)
    told.at(20, SHOP, "refund", lambda: {"id": order(), "lines": {"SKU-A": 1}, "restock": "cancel"})
    assert told.end() == []
    assert told.rows("SELECT shipped, cancelled FROM order_lines") == [(1_000_000, 1_000_000)]


def test_a_late_acceptance_settles_a_call_that_the_process_did_not_survive() -> None:
    told = tale(queued=True)

    class DiesInItsFirstCall(CrashPlan):
        def call(self) -> str:
            submitting = "SELECT 1 FROM deliveries WHERE capability = 'submit_order' AND state = 'in_flight'"
            return "after" if self.crashes == 0 and told.rows(submitting) else ""

    told.simulation.plan = DiesInItsFirstCall(random.Random(0), most=1, gap=10_000)
    told.order(1, SKU_A=1)
    assert told.end() == []
    assert told.simulation.plan.crashes == 1
    attempts = told.rows(
        "SELECT a.kind, a.resolution, d.state FROM attempts a JOIN deliveries d ON d.id = a.delivery_id"
        " WHERE d.capability = 'submit_order' ORDER BY a.number"
    )
    assert attempts[0] == ("call", None, "acknowledged")
