"""PostgreSQL through pools of bounded size: one for writing, one whose transactions are read-only snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import IsolationLevel
from psycopg_pool import ConnectionPool

from hub.store.transaction import PostgresTransaction, SqlRow, Transaction

PostgresPool = ConnectionPool[psycopg.Connection[SqlRow]]

_POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "application_name": "order-hub",
    "options": "-c lock_timeout=5s -c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
    " -c synchronous_commit=on -c timezone=UTC",
}


def _read_only(connection: psycopg.Connection[SqlRow]) -> None:
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True


def open_pool(url: str, *, size: int, read_only: bool) -> PostgresPool:
    """At most `size` connections, opened as needed; waiting for a free one is bounded to ten seconds."""
    return ConnectionPool(
        url.replace("postgresql+psycopg://", "postgresql://", 1),
        kwargs=_POSTGRES_OPTIONS,
        min_size=1,
        max_size=size,
        timeout=10.0,
        max_idle=300.0,
        configure=_read_only if read_only else None,
        check=None,
        open=True,
        name="hub-read" if read_only else "hub-write",
    )


class PostgresSession:
    """One transaction at a time on a pooled connection; a broken one is thrown away with its transaction."""

    def __init__(self, pool: PostgresPool, epoch: int) -> None:
        self._pool, self._epoch = pool, epoch
        self._connection: psycopg.Connection[SqlRow] | None = None

    def begin(self) -> Transaction:
        self._connection = self._pool.getconn()
        return PostgresTransaction(self._connection, self._epoch)

    def commit(self) -> None:
        if self._connection is None:
            raise RuntimeError("no transaction is open")
        self._connection.commit()
        self._return()

    def rollback(self) -> None:
        self._return()

    def _return(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.putconn(connection)  # rolls back what is open, drops what is broken

    def close(self) -> None:
        self._return()


class PostgresReaders:
    def __init__(self, pool: PostgresPool, epoch: int) -> None:
        self._pool, self._epoch = pool, epoch

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._pool.connection() as connection:
            yield PostgresTransaction(connection, self._epoch)

    def close(self) -> None:
        self._pool.close()
