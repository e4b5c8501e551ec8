"""The same use cases on the real tables: every row, constraint and precondition of the store holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub.domain.ids import IdSource
from hub.domain.writeset import Applied, WriteSet
from hub.oms.handlers import build
from hub.store.open import open_store
from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.property.memory_store import Bench, Conflict, channel, location, order_record, rules

D = Decimal

T = TypeVar("T")


class SqlTables:
    """A SqlStore as the bench reads and writes it."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def rows(
        self, table: str, where: Mapping[str, Any], *, order_by: Sequence[str] = (), limit: int = 10_000
    ) -> list[dict[str, Any]]:
        with self._store.read() as snapshot:
            return snapshot.rows(table, where, order_by=order_by, limit=limit)

    def row(self, table: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        with self._store.read() as snapshot:
            return snapshot.row(table, where)

    def count(self, table: str, where: Mapping[str, Any]) -> int:
        with self._store.read() as snapshot:
            return snapshot.count(table, where)

    def body(self, body_id: str) -> bytes | None:
        with self._store.read() as snapshot:
            return snapshot.body(body_id)

    def once(self, key: tuple[str, ...], work_out: Callable[[], T]) -> T:
        return work_out()  # every question has a snapshot of its own

    def apply(self, writes: WriteSet) -> None:
        (outcome,) = self._store.apply([writes])
        if outcome.applied is not Applied.APPLIED:
            raise Conflict(outcome.failed)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[SqlTables]:
    store = open_store("hub.db", home=tmp_path, clock=SettableClock(), ids=IdSource(random.Random(1)))
    yield SqlTables(store)
    store.close()


def shipment(bench: Bench, at: str, key: str, units: int) -> dict[str, Any]:
    work = bench.store.rows("fulfilment_orders", {"location": at})[-1]
    return {
        "fact_key": key,
        "external_id": key,
        "fulfilment_order": work["id"],
        "shipped_at": "2026-11-02T12:00:00Z",
        "packages": [
            {
                "package": "1",
                "tracking_number": "TN1",
                "lines": [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}],
            }
        ],
    }


def test_an_order_runs_from_count_to_shipment_over_a_short_and_a_cancel(tables: SqlTables) -> None:
    takers = {**rules().takers, "push_inventory": ("shop",)}
    shop = channel(grace_seconds=60, location_map={"gid/1": "east", "gid/2": "west"})
    bench = Bench(
        rules(location("east"), location("west", priority=2), takers=takers, channels={"shop": shop}), store=tables
    )
    for at, units in (("east", "4"), ("west", "6")):
        count = {"location": at.upper(), "as_of": "2026-11-02T08:00:00Z", "rows": [{"sku": "TEE", "quantity": units}]}
        bench.restate("stock", count, connection=f"wms-{at}")
    bench.order(order_record(("L1", "TEE", 4), ("L2", "NEW", 1)))
    bench.run("allocate")
    assert bench.the_order()["status"] == "held"
    bench.restate("items", {"external_id": "1", "sku": "TEE"})
    bench.restate("items", {"external_id": "2", "sku": "NEW"})
    bench.later(seconds=60)
    bench.run("release_holds", "allocate", "confirm")
    assert bench.lines() == {"L1": {"released": D(4)}, "L2": {"backordered": D(1)}}
    bench.run("push_stock")
    shown = [
        (e.record["sku"], e.record["external_location_id"], e.record["available"])
        for e in bench.effects.values()
        if e.capability == "push_inventory"
    ]
    assert sorted(shown) == [
        ("NEW", "gid/1", "0"),
        ("NEW", "gid/2", "0"),
        ("TEE", "gid/1", "0"),
        ("TEE", "gid/2", "6"),
    ]
    bench.send()
    bench.fact(
        "fulfilment_responses",
        {
            "fact_key": "1",
            "fulfilment_order": bench.sent("send_fulfilment_request")[0].record["fulfilment_order"],
            "status": "short",
            "lines": [{"line": bench.line_id("L1"), "quantity": "1"}],
        },
        connection="wms-east",
    )
    bench.run("resource")
    bench.fact("shipments", shipment(bench, "east", "s-1", 3), connection="wms-east")
    bench.fact("shipments", shipment(bench, "west", "s-2", 1), connection="wms-west")
    lines = [{"external_line_id": "L2", "quantity": "1", "restock": "cancel"}]
    refund = {"external_id": "r", "fact_key": "r", "order_external_id": "4507", "amount": "10", "lines": lines}
    bench.fact("refunds", refund)
    assert bench.lines() == {"L1": {"shipped": D(4)}, "L2": {"cancelled": D(1)}}
    assert bench.the_order()["status"] == "closed"
    stock = {row["location"]: (row["on_hand"], row["soft"], row["firm"]) for row in bench.store.rows("stock", {})}
    assert stock == {"east": (D(1), D(0), D(0)), "west": (D(5), D(0), D(0))}


def test_two_decisions_on_one_state_of_an_order_do_not_mix(tables: SqlTables) -> None:
    bench = Bench(rules(location("east")), store=tables)
    bench.stock("TEE", "east", 5)
    bench.order(order_record(("L1", "TEE", 1)))
    first = bench.decisions[-1]
    with pytest.raises(Conflict):
        bench.store.apply(first.writes)


def test_what_is_not_free_is_not_reserved(tables: SqlTables) -> None:
    bench = Bench(rules(location("east")), store=tables)
    bench.stock("TEE", "east", 1)
    for number in (1, 2):
        bench.order(order_record(("L1", "TEE", 1), external_id=str(number)))
    bench.run("allocate")
    (row,) = bench.store.rows("stock", {})
    assert (row["on_hand"], row["firm"]) == (D(1), D(1))
    assert sorted(line["backordered"] for line in bench.store.rows("order_lines", {})) == [D(0), D(1)]


def test_a_preorder_gets_its_date_keeps_it_when_supply_moves_and_its_goods_in_its_turn(tables: SqlTables) -> None:
    takers = {**rules().takers, "push_inventory": ("shop",)}
    east = location("east", low_stock={"default": D(2)}, movements_from=frozenset({"pos"}))
    bench = Bench(rules(east, takers=takers, channels={"shop": channel()}), store=tables)
    bench.stock("TEE", "east", 0)
    notice = {"external_id": "PO-1", "sku": "TEE", "location": "EAST", "quantity": "5", "reference": "PO-1"}
    bench.restate("supply", {**notice, "expected_at": "2026-11-20T08:00:00Z"}, connection="wms-east")
    for number, units in (("1", 4), ("2", 3)):
        bench.order(order_record(("L1", "TEE", units), external_id=number))
        bench.run("allocate")
        bench.later(seconds=1)
    assert [(row["preordered"], row["backordered"]) for row in lines_of(tables)] == [(D(4), D(0)), (D(1), D(2))]
    bench.restate("supply", {**notice, "expected_at": "2026-11-25T08:00:00Z"}, connection="wms-east")
    bench.run()
    claims = tables.rows("supply_claims", {})
    assert {row["due_at"].day for row in claims} == {25}
    (supply,) = tables.rows("supply", {})
    assert (supply["promised"], supply["fulfilled"]) == (D(5), D(0))
    moved = {"fact_key": "m1", "location": "east", "sku": "TEE", "quantity": "5", "occurred_at": "2026-11-02T09:30:00Z"}
    bench.fact("stock_movements", moved, connection="pos")
    bench.later(seconds=10)
    bench.run()
    assert [(row["released"], row["preordered"]) for row in lines_of(tables)] == [(D(4), D(0)), (D(1), D(2))]
    (supply,) = tables.rows("supply", {})
    assert (supply["promised"], supply["fulfilled"]) == (D(2), D(5))
    assert {row["outcome"] for row in tables.rows("backorder_releases", {})} == {"released"}
    assert [row["level"] for row in tables.rows("stock_signals", {})] == ["low"]
    count = {"location": "EAST", "as_of": "2026-11-02T10:00:00Z", "rows": [{"sku": "CAP", "quantity": "1"}]}
    bench.restate("stock", {**count, "complete": True}, connection="wms-east")
    (mark,) = tables.rows("stock_marks", {})
    assert mark["location"] == "east"


def lines_of(tables: SqlTables) -> list[dict[str, Any]]:
    ids = [row["id"] for row in tables.rows("orders", {}, order_by=("external_id",))]
    return [row for order_id in ids for row in tables.rows("order_lines", {"order_id": order_id})]


def test_the_last_place_of_a_locations_day_is_given_once(tables: SqlTables) -> None:
    places = (location("store", capacity_per_day=2), location("far", cost_order=D(50)))
    bench = Bench(rules(*places), store=tables)
    for place in ("store", "far"):
        bench.stock("TEE", place, 10)
    for number in ("1", "2", "3"):
        bench.order(order_record(("L1", "TEE", 1), external_id=number))
    tasks = [task for task in bench.tasks.values() if task.kind == "allocate"]
    allocate = build(bench.rules).tasks["allocate"]
    waiting = [(task, allocate(task, tables, bench.now)) for task in tasks]
    anew = 0
    while waiting:
        task, decision = waiting.pop(0)
        try:
            bench.commit(decision)
        except Conflict:
            anew += 1
            waiting.append((task, allocate(task, tables, bench.now)))
    taken = [row["location"] for row in tables.rows("fulfilment_orders", {})]
    assert (sorted(taken), anew > 0) == (["far", "store", "store"], True)
