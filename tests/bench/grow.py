"""Many orders without taking them: those that stand in a hub's database again and again, under ids of their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.store.engine import driver as sqlite

_ID = re.compile(r"\b([a-z]{2}_)([0-9A-Za-z]+)|\d{7,}")
KEPT = ("alembic_version", "connection_states", "revisions", "schedule_slots", "stock", "stock_events")
"""Tables whose rows are not an order's."""


def grow(database: Path, times: int) -> int:
    """Copy every order with all that belongs to it `times` times; how many orders there are then. The hub is closed.

    Copies have the ids a hub would give them: of the same length, spread over the whole range. Their bodies are short.
    """
    connection = sqlite.connect(str(database), isolation_level=None)
    for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "foreign_keys = OFF", "cache_size = -4000000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    found = indexes.fetchall()
    connection.execute("BEGIN")
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"')
    for table in _tables(connection):
        _copy(connection, table, times)
    for _, sql in found:
        connection.execute(sql)
    connection.execute(
        "UPDATE stock SET firm = (SELECT COALESCE(SUM(quantity), 0) FROM reservations r WHERE"
        " r.sku = stock.sku AND r.location = stock.location AND r.state = 'firm')"
    )
    connection.execute("COMMIT")
    (count,) = connection.execute("SELECT COUNT(*) FROM orders").fetchone()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return int(count)


def _tables(connection: Any) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in rows.fetchall() if name not in KEPT]


def _copy(connection: Any, table: str, times: int) -> None:
    names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid').fetchall()
    if not rows:
        return
    marks = ", ".join("?" * len(names))
    insert = f'INSERT OR IGNORE INTO "{table}" VALUES ({marks})'
    small = names.index("body") if table == "bodies" else None
    for time in range(1, times + 1):
        other = _other(time)
        copies = [[_ID.sub(other, value) if value.__class__ is str else value for value in row] for row in rows]
        if small is not None:
            for copy in copies:
                copy[small] = b"{}"
        connection.executemany(insert, copies)


def _other(time: int) -> Callable[[re.Match[str]], str]:
    """What stands for an id in the copy of that number: always the same for the same id."""
    known: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        text = found[0]
        if text not in known:
            digest = hashlib.sha256(f"{time}/{text}".encode())
            if found[1]:
                known[text] = found[1] + digest.hexdigest().upper()[: len(found[2])].ljust(len(found[2]), "0")
            else:
                known[text] = str(int(digest.hexdigest()[:12], 16) + 10**14)
        return known[text]

    return other
