"""The store on PostgreSQL: jobs in the calling thread on pooled connections, intake and attempts by group commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from hub.domain.ids import IdSource
from hub.exchange.ports import Accepted
from hub.sdk.ports import Clock
from hub.store import accept, migrations
from hub.store.accept import PreparedReceipt
from hub.store.bodies import InlineShelf
from hub.store.pools import PostgresPool, PostgresReaders, PostgresSession, open_pool
from hub.store.run_number import count_epoch, last_sequences
from hub.store.sql_store import Parts, SqlStore
from hub.store.transaction import Job, SqlRow, Transaction
from hub.store.values import instant_to_database
from hub.store.wakeups import Wakeups
from hub.store.writer import GroupWriter, Told, run_now, unavailable

T = TypeVar("T")

CHANNEL = "hub_work"
EPOCH_LOCKS = 0x687562
"""Class of the advisory locks by which a run shows that it lives: (class, epoch)."""

WRITE_CONNECTIONS = 16
READ_CONNECTIONS = 16


class PooledWriter:
    """Jobs run in the thread that asks; receipts wait for each other in one group writer."""

    broken: str | None = None

    def __init__(
        self, pool: PostgresPool, epoch: int, group: GroupWriter[PreparedReceipt], committed: Callable[[], None]
    ) -> None:
        self._pool, self._epoch, self._group, self._committed = pool, epoch, group, committed

    def run(self, job: Job[T], *, wakes: bool = False) -> T:
        result = run_now(PostgresSession(self._pool, self._epoch), job)
        if wakes:
            self._committed()
        return result

    def submit_intake(self, item: PreparedReceipt) -> Future[Accepted]:
        return self._group.submit_intake(item)

    def hand_over(self, item: PreparedReceipt, told: Told) -> None:
        self._group.hand_over(item, told)

    def close(self) -> None:
        return


class Bell:
    """Tells other processes that there is work, and hears them: one connection each way, in threads of their own.

    Notifications are sent after the commit and at most every 10 ms, because NOTIFY inside transactions makes commits
    wait for each other; one that is lost costs the sweep's delay. The hearing connection holds the advisory lock by
    which others see that this run lives.
    """

    def __init__(self, url: str, epoch: int, wakeups: Wakeups) -> None:
        self._url, self._epoch, self._wakeups = url, epoch, wakeups
        self._due = threading.Event()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._hear, name="hub-bell-hear", daemon=True),
            threading.Thread(target=self._ring, name="hub-bell-ring", daemon=True),
        ]
        self._hearing = self._hearing_connection()
        for thread in self._threads:
            thread.start()

    def committed(self) -> None:
        self._wakeups.wake()
        self._due.set()

    def _connect(self) -> psycopg.Connection[SqlRow]:
        return psycopg.connect(self._url, connect_timeout=5, autocommit=True, application_name="order-hub bell")

    def _hearing_connection(self) -> psycopg.Connection[SqlRow]:
        connection = self._connect()
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (EPOCH_LOCKS, self._epoch))
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _hear(self) -> None:
        while not self._closing.is_set():
            try:
                for _ in self._hearing.notifies(timeout=1.0, stop_after=1):
                    self._wakeups.wake()
            except psycopg.Error:
                self._hearing.close()
                while not self._closing.wait(1.0):
                    try:
                        self._hearing = self._hearing_connection()
                    except psycopg.Error:  # still away: the sweep does the waking meanwhile
                        continue
                    break
        self._hearing.close()

    def _ring(self) -> None:
        connection: psycopg.Connection[SqlRow] | None = None
        while not self._closing.is_set():
            self._due.wait()
            self._due.clear()
            connection = self._notify(connection)
            self._closing.wait(0.01)
        connection = self._notify(connection)  # for our own hearing thread, which waits for one
        if connection is not None:
            connection.close()

    def _notify(self, connection: psycopg.Connection[SqlRow] | None) -> psycopg.Connection[SqlRow] | None:
        try:
            connection = connection or self._connect()
            connection.execute(f"NOTIFY {CHANNEL}")
        except psycopg.Error:  # the others' sweep finds the work
            return None
        return connection

    def close(self) -> None:
        self._closing.set()
        self._due.set()
        for thread in self._threads:
            thread.join()


def open_postgres(url: str, *, clock: Clock, ids: IdSource, read_only: bool) -> SqlStore:
    """Migrates, counts the run and starts the threads. StoreUnavailable if the server cannot be reached."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        if not read_only:
            migrations.upgrade_postgres(plain)
        return _open(plain, clock=clock, ids=ids, read_only=read_only)
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise unavailable(error) from error


def _open(url: str, *, clock: Clock, ids: IdSource, read_only: bool) -> SqlStore:
    reading = open_pool(url, size=READ_CONNECTIONS, read_only=True)
    pools = [reading]
    try:
        pool = reading if read_only else open_pool(url, size=WRITE_CONNECTIONS, read_only=False)
        pools.append(pool)
        epoch = 0
        if not read_only:
            epoch = run_now(PostgresSession(pool, 0), lambda tx: count_epoch(tx, instant_to_database(clock.now())))
        readers = PostgresReaders(reading, epoch)
        with readers.read() as tx:
            sequences = last_sequences(tx)
            version = tx.fetch("SHOW server_version")[0][0]
        wakeups = Wakeups()
        bell = None if read_only else Bell(url, epoch, wakeups)
    except BaseException:
        for opened in pools:
            opened.close()
        raise
    committed = wakeups.wake if bell is None else bell.committed
    group: GroupWriter[PreparedReceipt] = GroupWriter(
        PostgresSession(pool, epoch), accept.accept, committed=committed, name="hub-intake"
    )

    def closing() -> None:
        if bell is not None:
            bell.close()
        pool.close()

    parts = Parts(
        writer=PooledWriter(pool, epoch, group, committed),
        attempts=group,
        readers=readers,
        shelf=InlineShelf(),
        sequences=sequences,
        wakeups=wakeups,
        epoch=epoch,
        ended=ended_epochs,
        describe=f"PostgreSQL {version}",
        closing=closing,
    )
    return SqlStore(parts, clock=clock, ids=ids)


def ended_epochs(tx: Transaction) -> list[int]:
    """Epochs that hold rows while nobody holds their advisory lock: their process or its connection is gone."""
    rows = tx.fetch(
        "WITH held AS (SELECT DISTINCT lease_epoch FROM ("
        " SELECT lease_epoch FROM receipts WHERE state = 'pending' AND lease_until IS NOT NULL"
        " UNION ALL SELECT lease_epoch FROM messages WHERE state = 'claimed'"
        " UNION ALL SELECT lease_epoch FROM tasks WHERE state = 'claimed'"
        " UNION ALL SELECT lease_epoch FROM deliveries WHERE state IN ('in_flight', 'probing')) AS rows)"
        " SELECT lease_epoch FROM held WHERE lease_epoch IS NOT NULL AND NOT EXISTS ("
        " SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND CAST(CAST(classid AS text) AS bigint) = ? AND CAST(CAST(objid AS text) AS bigint) = held.lease_epoch)",
        (EPOCH_LOCKS,),
    )
    return [row[0] for row in rows]
