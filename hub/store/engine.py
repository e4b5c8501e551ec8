"""SQLite with the settings that make it durable, and what a session and readers are on either database.

Write-ahead log, foreign keys on, synchronous FULL, driver autocommit with BEGIN IMMEDIATE for the one writer
(the driver's default opens no transaction for a SELECT and loses updates). Readers are opened read-only, so that every
write and every checkpoint happens on the writer's connection: SQLite 3.7.0 to 3.51.2 can corrupt a database when
two connections reset the log at once (https://www.sqlite.org/wal.html, "The WAL-Reset Bug").
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from hub.store.errors import driver_errors
from hub.store.transaction import SqliteTransaction, Transaction

try:
    import pysqlite3.dbapi2 as _bundled
except ImportError:  # no wheel for this platform: the standard library's SQLite, whatever its release
    driver: Any = sqlite3
    DRIVER_NAME = "standard library"
else:
    driver = _bundled
    DRIVER_NAME = "pysqlite3 wheel"

Version = tuple[int, int, int]
BUSY_SECONDS = 5.0
STATEMENTS_CACHED = 512
WRITER_CACHE_KIB = 64 * 1024
"""Upper pages of every index stay with the writer; the library's 2 MiB would be read again for every batch."""
READER_CACHE_KIB = 8 * 1024
CHECKPOINT_PAGES = 1000
"""The library's own figure. Four times as many spared no processor time, and each checkpoint held every webhook's
answer for a quarter of a second."""


def has_wal_reset_race(version: Version) -> bool:
    """Releases 3.7.0 to 3.51.2, except the branches that got the fix (3.44.6 and later, 3.50.7 and later)."""
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    return (3, 7, 0) <= version < (3, 51, 3)


def describe_sqlite(version: Version | None = None, source: str = DRIVER_NAME) -> str:
    """One line for the start-up message: release, where it is from, and what its release means."""
    release = version or driver.sqlite_version_info
    number = ".".join(str(part) for part in release)
    if not has_wal_reset_race(release):
        return f"SQLite {number} ({source})"
    return f"SQLite {number} ({source}; has the WAL-reset race: all writes and checkpoints stay on one connection)"


class Session(Protocol):
    """One writer's way into the database, a transaction at a time."""

    def begin(self) -> Transaction: ...

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """End whatever is open; never raises."""
        ...

    def close(self) -> None: ...


def connect_sqlite(path: Path, *, read_only: bool) -> Any:
    """A connection with every setting in place. Any thread may use it, one at a time."""
    mode = "ro" if read_only else "rwc"
    connection = driver.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )
    try:
        if not read_only:
            _expect(connection, "PRAGMA journal_mode = WAL", "wal")
        _settings(connection)
        connection.execute(f"PRAGMA wal_autocheckpoint = {0 if read_only else CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB if read_only else WRITER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_memory() -> Any:
    """The simulation's database: one connection in memory, shared by all."""
    connection = driver.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED
    )
    _settings(connection)
    return connection


def _settings(connection: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")


def _expect(connection: Any, pragma: str, answer: str) -> None:
    got = connection.execute(pragma).fetchone()[0]
    if got != answer:
        raise RuntimeError(f"{pragma} answered {got}: the folder of the database must be on a local disk")


class SqliteSession:
    """The writer's connection: every transaction is BEGIN IMMEDIATE."""

    def __init__(self, connection: Any, epoch: int, now: Callable[[], dt.datetime]) -> None:
        self.connection = connection
        self._transaction = SqliteTransaction(connection, epoch, now)

    def begin(self) -> Transaction:
        self.connection.execute("BEGIN IMMEDIATE")
        return self._transaction

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except driver_errors():  # SQLite ends a transaction by itself when it cannot go on
            return

    def close(self) -> None:
        self.connection.close()


class SqliteReaders:
    """Read-only connections, each lent to one thread at a time; a transaction sees one committed state."""

    def __init__(self, path: Path, epoch: int, now: Callable[[], dt.datetime], *, kept: int = 8) -> None:
        self._path, self._epoch, self._now, self._kept = path, epoch, now, kept
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = connect_sqlite(self._path, read_only=True)
        try:
            connection.execute("BEGIN")
            yield SqliteTransaction(connection, self._epoch, self._now)
        finally:
            self._give_back(connection)

    def _give_back(self, connection: Any) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._lock:
            if not self._closed and len(self._idle) < self._kept:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class MemoryReaders:
    """Reads on the one connection in memory; the lock is the writer's."""

    def __init__(self, connection: Any, lock: threading.RLock, epoch: int, now: Callable[[], dt.datetime]) -> None:
        self._transaction = SqliteTransaction(connection, epoch, now)
        self._lock = lock

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._lock:
            yield self._transaction

    def close(self) -> None:
        return


class Readers(Protocol):
    @contextmanager
    def read(self) -> Iterator[Transaction]: ...

    def close(self) -> None: ...
