"""The last units, wanted by many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.domain.writeset import Applied, StockChange
from hub.store.shapes import stock_statements
from hub.store.sql_store import SqlStore
from tests.conftest import Database
from tests.store import oversell
from tests.store.build import inserts, must_apply, stock

THREADS = 6
TRIES = 8


def test_the_last_units_are_sold_once_however_many_want_them(store: SqlStore) -> None:
    must_apply(store, stock("A", on_hand=Decimal(20)), stock("B", on_hand=Decimal(15)))
    start = threading.Barrier(THREADS)
    taken: list[str] = []

    def buy(number: int) -> None:
        start.wait(10)
        for turn in range(TRIES):
            name = f"rv-{number}-{turn}"
            both = ("A", "B") if (number + turn) % 2 else ("B", "A")
            writes = inserts(
                "stock_events",
                *[
                    {
                        "id": f"{name}-{sku}",
                        "sku": sku,
                        "location": "east",
                        "bucket": "soft",
                        "kind": "movement",
                        "delta": Decimal(0),
                        "source": "test",
                        "source_time": store_time(),
                        "reason": "reserve",
                        "cause": name,
                        "sequence": name,
                    }
                    for sku in both
                ],
            )
            for sku in both:
                writes.stock(StockChange(sku, "east", soft=Decimal(1), reserve=True))
            single = stock("A", soft=Decimal(1), reserve=True)
            for wanted, outcome in zip((name, f"{name}-single"), store.apply([writes, single]), strict=True):
                if outcome.applied is Applied.APPLIED:
                    taken.append(wanted)

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    pairs = [name for name in taken if not name.endswith("single")]
    with store.read() as snapshot:
        left = {row["sku"]: row["on_hand"] - row["soft"] for row in snapshot.rows("stock", {})}
        journal = snapshot.rows("stock_events", {})
    assert left == {"A": 20 - len(taken), "B": 15 - len(pairs)}
    assert left["A"] == 0
    assert left["B"] >= 0
    assert len(journal) == 2 * len(pairs)


def store_time() -> object:
    from tests.conftest import START

    return START


@pytest.mark.parametrize(
    ("kind", "processes", "threads"), [("sqlite", 1, 2), pytest.param("postgresql", 2, 1, marks=pytest.mark.postgresql)]
)
def test_racing_orders_of_many_processes_never_reserve_what_is_not_there(
    make_database: Callable[[str], Database], kind: str, processes: int, threads: int
) -> None:
    database = make_database(kind)
    place = oversell.Place(database.address, database.home)
    found = oversell.run_race(place, 8, processes, threads)
    assert found["orders"] == 8 * 3 * 2
    assert found["there_were"] >= found["reserved"] > 0
    assert (found["oversold"], found["left_though_wanted"], found["orders_lost"]) == (0, 0, 0)
    assert found["promises_broken"] == []


def test_the_race_is_lost_where_stock_is_taken_without_its_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unconditional(operation: StockChange, instant: int) -> Any:
        return stock_statements(replace(operation, reserve=False), instant)

    monkeypatch.setattr("hub.store.writesets.stock_statements", unconditional)
    found = oversell.run_race(oversell.Place("hub.db", tmp_path), 12, 0, 4)
    assert found["oversold"] > 0
