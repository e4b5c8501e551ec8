"""One open transaction on a raw driver connection: what jobs of the store are given, alike on both databases.

Statements use `?`; rows are tuples of what the driver returns. Nothing here converts values (see shapes).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hub.store.shapes import InsertShape, Params
from hub.store.values import instant_to_database

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
SqlRow = tuple[Any, ...]

LEASE_MICROSECONDS = 120 * 1_000_000
"""How long a claim holds; renewed at a third, so that 80 s are always left: more than any call deadline."""


class Transaction(Protocol):
    postgresql: bool
    epoch: int
    """Which run of the hub claims: rows claimed by a run that ended are orphans."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Rows changed."""
        ...

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]: ...

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        """The same statement for many rows; rows changed in total."""
        ...

    def insert(self, shape: InsertShape, rows: Sequence[Params]) -> int:
        """Add rows of one shape in bulk; rows added."""
        ...

    def lease_now(self) -> int:
        """Microseconds of the clock that leases count by."""
        ...


Job = Callable[[Transaction], T]
Clock = Callable[[], dt.datetime]


class SqliteTransaction:
    postgresql = False

    def __init__(self, connection: Any, epoch: int, now: Clock) -> None:
        self.epoch = epoch
        self._connection = connection
        self._now = now

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        count: int = self._connection.execute(sql, params).rowcount
        return count

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        rows: list[SqlRow] = self._connection.execute(sql, params).fetchall()
        return rows

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        count: int = self._connection.executemany(sql, rows).rowcount
        return count

    def insert(self, shape: InsertShape, rows: Sequence[Params]) -> int:
        if len(rows) == 1:
            return self.execute(shape.sql, rows[0])
        return self.many(shape.sql, rows)

    def lease_now(self) -> int:
        return instant_to_database(self._now())


@lru_cache(maxsize=8192)
def _psycopg_sql(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=1024)
def _psycopg_binary(sql: str) -> str:
    return sql.replace("?", "%b")


class PostgresTransaction:
    postgresql = True

    def __init__(self, connection: psycopg.Connection[SqlRow], epoch: int) -> None:
        self.epoch = epoch
        self._cursor = connection.cursor()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._cursor.execute(_psycopg_sql(sql).encode(), params).rowcount

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        return self._cursor.execute(_psycopg_sql(sql).encode(), params).fetchall()

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        if len(rows) == 1:
            return self.execute(sql, rows[0])
        self._cursor.executemany(_psycopg_sql(sql).encode(), rows)
        return self._cursor.rowcount

    def insert(self, shape: InsertShape, rows: Sequence[Params]) -> int:
        """One statement whatever the number of rows: an array a column."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        return self._cursor.execute(_psycopg_sql(shape.unnest).encode(), columns).rowcount

    def lease_now(self) -> int:
        rows = self.fetch("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        now: int = rows[0][0]
        return now
