"""Opening the store: what the address says, migrated, with a run number of its own."""

from __future__ import annotations

import enum
import itertools
import threading
from pathlib import Path
from typing import Any

from hub.domain.ids import IdSource
from hub.sdk.ports import Clock
from hub.store import accept, migrations
from hub.store.accept import PreparedReceipt
from hub.store.bodies import FolderShelf, InlineShelf
from hub.store.engine import (
    MemoryReaders,
    SqliteReaders,
    SqliteSession,
    connect_memory,
    connect_sqlite,
    describe_sqlite,
)
from hub.store.owner import take_ownership
from hub.store.run_number import count_epoch, last_sequences
from hub.store.shapes import Sequences
from hub.store.sql_store import Parts, SqlStore
from hub.store.transaction import Transaction
from hub.store.values import instant_to_database
from hub.store.wakeups import Wakeups
from hub.store.writer import ClosedWriter, GroupWriter, Hooks, InlineWriter


class Mode(enum.StrEnum):
    """OWN: this process reads and writes. READ: it looks only (SQLite opened read-only)."""

    OWN = "own"
    READ = "read"


def open_store(address: str, *, home: Path, clock: Clock, ids: IdSource, mode: Mode = Mode.OWN) -> SqlStore:
    """`address`: a postgresql:// URL, or the path of a SQLite file (relative to `home`; `sqlite:///path` too).

    Creates and migrates what is not there. Raises OwnerRunning if another process owns the SQLite file, and
    StoreUnavailable if the database cannot be reached.
    """
    if address.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
        from hub.store.postgres import open_postgres

        return open_postgres(address, clock=clock, ids=ids, read_only=mode is Mode.READ)
    path = (home / address.removeprefix("sqlite:///")).absolute()
    if mode is Mode.READ:
        return _read_sqlite(path, clock, ids)
    return _own_sqlite(path, home, clock, ids)


def _own_sqlite(path: Path, home: Path, clock: Clock, ids: IdSource) -> SqlStore:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = take_ownership(path)
    try:
        migrations.upgrade_sqlite(path)
        connection = connect_sqlite(path, read_only=False)
    except BaseException:
        owner.release()
        raise
    epoch = _next_epoch(connection, clock)
    wakeups = Wakeups()
    shelf = FolderShelf(path.with_name(path.name + ".bodies"))
    writer: GroupWriter[PreparedReceipt] = GroupWriter(
        SqliteSession(connection, epoch, clock.now), accept.accept, committed=wakeups.wake
    )
    readers = SqliteReaders(path, epoch, clock.now)
    with readers.read() as tx:
        sequences = last_sequences(tx)
        shelf.sweep(lambda names: _with_rows(tx, names))
    parts = Parts(
        writer=writer,
        attempts=writer,
        readers=readers,
        shelf=shelf,
        sequences=sequences,
        wakeups=wakeups,
        epoch=epoch,
        ended=lambda tx: None,
        describe=describe_sqlite(),
        closing=owner.release,
    )
    return SqlStore(parts, clock=clock, ids=ids)


def _with_rows(tx: Transaction, names: list[str]) -> set[str]:
    return {name for name in names if tx.fetch("SELECT 1 FROM bodies WHERE file = ?", (name,))}


def _next_epoch(connection: Any, clock: Clock) -> int:
    session = SqliteSession(connection, 0, clock.now)
    tx = session.begin()
    try:
        epoch = count_epoch(tx, instant_to_database(clock.now()))
        session.commit()
    finally:
        session.rollback()
    return epoch


def _read_sqlite(path: Path, clock: Clock, ids: IdSource) -> SqlStore:
    readers = SqliteReaders(path, 0, clock.now)
    writer = ClosedWriter()
    parts = Parts(
        writer=writer,
        attempts=writer,
        readers=readers,
        shelf=FolderShelf(path.with_name(path.name + ".bodies")),
        sequences=Sequences(0),
        wakeups=Wakeups(),
        epoch=0,
        ended=lambda tx: None,
        describe=describe_sqlite() + ", read only",
        closing=lambda: None,
    )
    return SqlStore(parts, clock=clock, ids=ids)


class SimulatedDatabase:
    """A database in memory that survives simulated crashes: `open` as often as the simulated hub starts.

    `used`: the connection of an earlier one, which is emptied. It keeps its schema and its prepared statements, which
    is most of what a short run would cost.
    """

    def __init__(self, *, clock: Clock, ids: IdSource, hooks: Hooks, used: Any = None) -> None:
        self._clock, self._ids, self._hooks = clock, ids, hooks
        self._connection = connect_memory() if used is None else used
        self._lock = threading.RLock()
        self._commits = itertools.count(1)
        if used is None:
            migrations.create_in_memory(self._connection)
        else:
            _empty(used)

    @property
    def connection(self) -> Any:
        """The driver's connection, for audits between two steps; whoever writes through it spoils the run."""
        return self._connection

    def open(self) -> SqlStore:
        """A store with a run number of its own; what an earlier one had claimed is for `recover`."""
        connection, clock = self._connection, self._clock
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        epoch = _next_epoch(connection, clock)
        wakeups = Wakeups()
        writer: InlineWriter[PreparedReceipt] = InlineWriter(
            SqliteSession(connection, epoch, clock.now),
            accept.accept,
            committed=wakeups.wake,
            lock=self._lock,
            changes=lambda: connection.total_changes,
            hooks=self._hooks,
            numbers=self._commits,
        )
        readers = MemoryReaders(connection, self._lock, epoch, clock.now)
        with readers.read() as tx:
            sequences = last_sequences(tx)
        parts = Parts(
            writer=writer,
            attempts=writer,
            readers=readers,
            shelf=InlineShelf(),
            sequences=sequences,
            wakeups=wakeups,
            epoch=epoch,
            ended=lambda tx: None,
            describe=describe_sqlite() + ", in memory",
            closing=lambda: None,
        )
        return SqlStore(parts, clock=clock, ids=self._ids)

    def close(self) -> None:
        self._connection.close()


def _empty(connection: Any) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
    ).fetchall()
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    for (name,) in names:
        connection.execute(f'DELETE FROM "{name}"')  # noqa: S608 - names of our own tables
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
