"""`statements`: what an order of `flow` asks of the database, by kind; a count, the same on every machine.

The hub runs in this process (inside.py); each batch of orders is worked off to its end. Counted are the statements that
reach the driver, and the rows that they read or write: one statement may write many rows.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.store.shapes import Params
from hub.store.transaction import SqliteTransaction, SqlRow
from tests.bench.inside import inside
from tests.bench.measure import beside

GATHERED = 8
"""Orders of a batch: about what arrives at 60 a second while the worker lets work gather and decides."""
WARM_UP = 16
_TABLE = re.compile(r'(?:FROM|INTO|UPDATE)\s+"?(?P<table>[a-z_]+)')
_FRAME = ("SAVEPOINT", "RELEASE", "ROLLBACK")


@dataclass(slots=True)
class Counted:
    """`statements` and `rows` by kind: "read orders", "write orders", "frame" (savepoints)."""

    statements: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)

    def add(self, sql: str, rows: int) -> None:
        kind = kind_of(sql)
        self.statements[kind] += 1
        self.rows[kind] += max(rows, 0)


def kind_of(sql: str) -> str:
    if sql.startswith(_FRAME):
        return "frame"
    verb = "read" if sql.startswith(("SELECT", "WITH")) else "write"
    found = _TABLE.search(sql)
    return f"{verb} {found['table'] if found else '?'}"


@contextmanager
def counting() -> Iterator[Counted]:
    """Everything that any transaction of this process does meanwhile."""
    counted = Counted()
    fetch, execute, many = SqliteTransaction.fetch, SqliteTransaction.execute, SqliteTransaction.many

    def counted_fetch(self: SqliteTransaction, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        rows = fetch(self, sql, params)
        counted.add(sql, len(rows))
        return rows

    def counted_execute(self: SqliteTransaction, sql: str, params: Sequence[Any] = ()) -> int:
        changed = execute(self, sql, params)
        counted.add(sql, changed)
        return changed

    def counted_many(self: SqliteTransaction, sql: str, rows: Sequence[Params]) -> int:
        changed = many(self, sql, rows)
        counted.add(sql, changed)
        return changed

    for name, function in (("fetch", counted_fetch), ("execute", counted_execute), ("many", counted_many)):
        setattr(SqliteTransaction, name, function)
    try:
        yield counted
    finally:
        for name, function in (("fetch", fetch), ("execute", execute), ("many", many)):
            setattr(SqliteTransaction, name, function)


def run(folder: Path, orders: int) -> dict[str, Any]:
    """`orders` in batches of GATHERED; the figures are for one order."""
    batches = max(1, orders // GATHERED)
    with inside(folder) as hub:
        hub.take(WARM_UP)
        with counting() as counted:
            before = time.process_time()
            for _ in range(batches):
                hub.take(GATHERED)
            cpu = time.process_time() - before
    taken = batches * GATHERED
    kinds = [
        {"kind": kind, "statements": round(number / taken, 3), "rows": round(counted.rows[kind] / taken, 2)}
        for kind, number in counted.statements.most_common()
    ]
    return {
        "name": "statements",
        "items": taken,
        "batch": GATHERED,
        "statements_per_order": round(counted.statements.total() / taken, 1),
        "rows_per_order": round(counted.rows.total() / taken, 1),
        "cpu_us_per_item": round(cpu / taken * 1e6, 1),
        "kinds": kinds,
        "beside": beside(),
    }


def words(item: dict[str, Any]) -> str:
    told = [f"{one['kind']}: {one['statements']:g} for {one['rows']:g} rows" for one in item["kinds"]]
    return (
        f"statements: {item['statements_per_order']:g} an order for {item['rows_per_order']:g} rows, "
        f"in batches of {item['batch']}; {item['cpu_us_per_item']:g} us\n  " + "\n  ".join(told)
    )
