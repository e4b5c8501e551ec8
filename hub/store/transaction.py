"""One open transaction on a raw driver connection: what jobs of the store are given, alike on both databases.

Statements use `?`; rows are tuples of what the driver returns. Nothing here converts values (see shapes).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hub.store.errors import driver_errors
from hub.store.shapes import InsertShape, Params
from hub.store.values import instant_to_database

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
SqlRow = tuple[Any, ...]

LEASE_MICROSECONDS = 120 * 1_000_000
"""How long a claim holds; renewed at a third, so that 80 s are always left: more than any call deadline."""


Step = tuple[str | InsertShape, Sequence[Params]]
"""A statement, or a bulk insert, with its rows: one empty row for a statement without parameters."""


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

    def steps(self, steps: Sequence[Step]) -> list[int]:
        """Statements in this order, each for all its rows; rows changed by each. One round trip where there are any."""
        ...

    def lease_now(self) -> int:
        """Microseconds of the clock that leases count by."""
        ...


Job = Callable[[Transaction], T]
Clock = Callable[[], dt.datetime]


ROWS_A_STATEMENT = (32, 16, 8)
"""Or what is left, so that few statements are prepared for any number of rows."""


@lru_cache(maxsize=1024)
def _with_rows(sql: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.replace(f"VALUES {row}", f"VALUES {', '.join([row] * rows)}")


def among(tx: Transaction, sql: str, ids: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
    """`IN ({ids})` for any number of ids; on PostgreSQL an array, so that one statement is prepared for all numbers."""
    if tx.postgresql:
        return sql.replace("IN ({ids})", "= ANY(?)"), (list(ids),)
    return sql.replace("{ids}", ", ".join("?" * len(ids))), tuple(ids)


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
        """Several rows a statement: the driver gives up the interpreter's lock for every step, and a row each would
        hand it to and fro between the threads."""
        added = start = 0
        while start < len(rows):
            left = len(rows) - start
            count = next((size for size in ROWS_A_STATEMENT if size <= left), left)
            some = rows[start] if count == 1 else tuple(chain.from_iterable(rows[start : start + count]))
            added += self.execute(_with_rows(shape.sql, len(shape.converts), count), some)
            start += count
        return added

    def steps(self, steps: Sequence[Step]) -> list[int]:
        return [
            self.insert(what, rows) if isinstance(what, InsertShape) else self._step(what, rows) for what, rows in steps
        ]

    def _step(self, sql: str, rows: Sequence[Params]) -> int:
        return self.execute(sql, rows[0]) if len(rows) == 1 else self.many(sql, rows)

    def lease_now(self) -> int:
        return instant_to_database(self._now())


@lru_cache(maxsize=8192)
def _psycopg_sql(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()


def _columns(rows: Sequence[Params]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_ROLLBACKS = itertools.count(1)


class PostgresTransaction:
    postgresql = True

    def __init__(self, connection: psycopg.Connection[SqlRow], epoch: int) -> None:
        self.epoch = epoch
        self._connection = connection
        self._cursor = connection.cursor()
        self._spoilt = False

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        if self._spoilt and sql.startswith("ROLLBACK TO"):
            # The driver forgets what it prepared when something is rolled back, but minds only texts it does not know.
            self._spoilt = False
            return self._cursor.execute(f"{sql} /* {next(_ROLLBACKS)} */".encode()).rowcount
        return self._cursor.execute(_psycopg_sql(sql), params).rowcount

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        return self._cursor.execute(_psycopg_sql(sql), params).fetchall()

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        if len(rows) == 1:
            return self.execute(sql, rows[0])
        self._cursor.executemany(_psycopg_sql(sql), rows)
        return self._cursor.rowcount

    def insert(self, shape: InsertShape, rows: Sequence[Params]) -> int:
        """One statement whatever the number of rows: an array a column."""
        return self._cursor.execute(_psycopg_sql(shape.unnest), _columns(rows)).rowcount

    def steps(self, steps: Sequence[Step]) -> list[int]:
        cursors: list[psycopg.Cursor[SqlRow]] = []
        refusal: Exception | None = None
        self._spoilt = True  # until it went well: of what comes after a refusal the server has prepared nothing
        try:
            with self._connection.pipeline():
                try:
                    for what, rows in steps:
                        self._send(what, rows, cursors)
                except driver_errors() as error:  # told before the end; the end itself only says that it was aborted
                    refusal = error
        except driver_errors() as error:
            raise refusal or error from None
        if refusal is not None:
            raise refusal
        self._spoilt = False
        return [cursor.rowcount for cursor in cursors]

    def _send(self, what: str | InsertShape, rows: Sequence[Params], cursors: list[psycopg.Cursor[SqlRow]]) -> None:
        cursor = self._connection.cursor()
        cursors.append(cursor)
        if isinstance(what, InsertShape):
            cursor.execute(_psycopg_sql(what.unnest), _columns(rows))
        elif len(rows) == 1:
            cursor.execute(_psycopg_sql(what), rows[0])
        else:
            cursor.executemany(_psycopg_sql(what), rows)

    def lease_now(self) -> int:
        rows = self.fetch("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        now: int = rows[0][0]
        return now
