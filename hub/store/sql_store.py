"""The store of the hub on SQLite or PostgreSQL: the exchange's `Store`, put together from the parts of this folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hub.domain.ids import IdSource
from hub.domain.writeset import Outcome, WriteSet
from hub.exchange.ports import (
    Accepted,
    ClaimedDelivery,
    ClaimedMessage,
    ClaimedReceipt,
    ClaimedTask,
    NewAttempt,
    NewReceipt,
    StoreUnavailable,
)
from hub.sdk.ports import Clock
from hub.store import accept, claimed, claims, erasure, leases, writesets
from hub.store.accept import PreparedReceipt
from hub.store.bodies import BodyShelf
from hub.store.engine import Readers
from hub.store.errors import Fault, driver_errors, fault_of
from hub.store.shapes import Sequences
from hub.store.snapshot import SqlSnapshot
from hub.store.transaction import LEASE_MICROSECONDS, Job, Transaction
from hub.store.values import MICROSECOND, instant_to_database
from hub.store.wakeups import Wakeups
from hub.store.writer import Told, unavailable

T = TypeVar("T")


class Writer(Protocol):
    broken: str | None

    def run(self, job: Job[T], *, wakes: bool = False) -> T: ...

    def submit_intake(self, item: PreparedReceipt) -> Future[Accepted]: ...

    def hand_over(self, item: PreparedReceipt, told: Told) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Parts:
    """What an opened database consists of; made by `hub.store.open`."""

    writer: Writer
    attempts: Writer
    """Who writes attempts: where commits are shared."""
    readers: Readers
    shelf: BodyShelf
    sequences: Sequences
    wakeups: Wakeups
    epoch: int
    ended: Callable[[Transaction], list[int] | None]
    """Epochs of runs that ended; None: every other one."""
    describe: str
    closing: Callable[[], None]


class SqlStore:
    """Every method is one transaction, durable on return, and thread safe. Raises StoreUnavailable."""

    def __init__(self, parts: Parts, *, clock: Clock, ids: IdSource) -> None:
        self._parts, self._clock, self._ids = parts, clock, ids
        self._writer, self._readers, self._shelf = parts.writer, parts.readers, parts.shelf
        self._turn = 0

    def describe(self) -> str:
        """One line for start-up: which database, which release, what that means."""
        return self._parts.describe

    @property
    def epoch(self) -> int:
        """Which run of the hub this is; counts up with every start."""
        return self._parts.epoch

    @property
    def broken(self) -> str | None:
        """Why nothing can be written any more, else None: for readiness."""
        return self._writer.broken

    # --- intake ---

    def accept(self, receipts: Sequence[NewReceipt], *, cursor: tuple[str, str] | None = None) -> list[Accepted]:
        now = self._clock.now()
        prepared = [self._prepare(receipt, now) for receipt in receipts]
        instant = instant_to_database(now)

        def job(tx: Transaction) -> list[Accepted]:
            accepted = accept.accept(tx, prepared) if prepared else []
            if cursor is not None:
                accept.set_cursor(tx, cursor, instant)
            return accepted

        return self._writer.run(job, wakes=True)

    def accept_soon(self, receipt: NewReceipt) -> Future[Accepted]:
        return self._writer.submit_intake(self._prepare(receipt, self._clock.now()))

    def hand_in(self, receipt: NewReceipt, told: Told) -> None:
        """As `accept_soon`; `told` hears of the commit, in the thread that made it."""
        self._writer.hand_over(self._prepare(receipt, self._clock.now()), told)

    def _prepare(self, receipt: NewReceipt, now: dt.datetime) -> PreparedReceipt:
        try:
            return accept.prepare_receipt(receipt, self._ids, now, self._shelf)
        except OSError as error:  # the folder of large bodies
            raise unavailable(error) from error

    # --- claims ---

    def claim_receipts(self, limit: int) -> list[ClaimedReceipt]:
        ids = self._writer.run(lambda tx: claims.claim_receipts(tx, limit))
        return self._load(lambda tx: claimed.receipts(tx, ids, self._shelf)) if ids else []

    def claim_messages(self, limit: int) -> list[ClaimedMessage]:
        now = self._now()
        self._turn += 1
        turn = self._turn
        token, ids = self._writer.run(lambda tx: claims.claim_messages(tx, limit, now, turn))
        return self._load(lambda tx: claimed.messages(tx, ids, token, self._shelf)) if ids else []

    def claim_tasks(
        self, limit: int, kinds: Sequence[str] | None = None, *, but: Sequence[str] = ()
    ) -> list[ClaimedTask]:
        now = self._now()
        token, ids = self._writer.run(lambda tx: claims.claim_tasks(tx, limit, kinds, but, now))
        return self._load(lambda tx: claimed.tasks(tx, ids, token)) if ids else []

    def claim_deliveries(self, destination: str, limit: int) -> list[ClaimedDelivery]:
        now = self._clock.now()
        instant = instant_to_database(now)
        lease, rows = self._writer.run(lambda tx: claims.claim_deliveries(tx, destination, limit, instant))
        until = now + LEASE_MICROSECONDS * MICROSECOND
        return self._load(lambda tx: claimed.deliveries(tx, rows, lease.token, until, self._shelf)) if rows else []

    def start_attempts(self, attempts: Sequence[NewAttempt]) -> list[bool]:
        now = self._now()
        prepared = [leases.prepare_attempt(attempt, now, instant_to_database(attempt.deadline)) for attempt in attempts]
        return self._parts.attempts.run(lambda tx: leases.start_attempts(tx, prepared)) if prepared else []

    def renew(self, delivery_ids: Sequence[tuple[str, str]]) -> None:
        if delivery_ids:
            self._parts.attempts.run(lambda tx: leases.renew(tx, delivery_ids))

    def recover(self) -> Mapping[str, int]:
        now = self._now()

        def job(tx: Transaction) -> Mapping[str, int]:
            return leases.recover(tx, self._parts.ended(tx), now)

        return self._writer.run(job, wakes=True)

    def destinations_due(self) -> list[str]:
        now = self._now()
        return self._load(lambda tx: claims.destinations_due(tx, now))

    def blocked_deliveries(self, limit: int) -> list[tuple[str, str, str]]:
        """(delivery id, required business key, its state) where the required one will never be acknowledged."""
        return self._load(lambda tx: claims.blocked_deliveries(tx, limit))

    # --- decisions ---

    def apply(self, write_sets: Sequence[WriteSet]) -> list[Outcome]:
        """Also raises KeyError, TypeError, ValueError for write sets no database can hold; none is applied then."""
        if not write_sets:
            return []
        try:
            prepared = writesets.prepare(write_sets, self._clock.now(), self._parts.sequences, self._shelf)
        except OSError as error:
            raise unavailable(error) from error
        return self._writer.run(lambda tx: writesets.apply(tx, prepared), wakes=True)

    # --- retention ---

    def erase_bodies(self, owner_kind: str, before: dt.datetime, limit: int) -> int:
        """Erase the bytes of what is closed; how many."""
        since, now = instant_to_database(before), self._now()
        files = self._writer.run(lambda tx: erasure.erase(tx, owner_kind, since, now, limit))
        for file in files:
            if file is not None:
                self._shelf.discard(file)
        return len(files)

    def erase_people(self, before: dt.datetime, limit: int) -> int:
        """Erase contacts and merged views of orders that ended before; how many orders."""
        since, now = instant_to_database(before), self._now()
        return self._writer.run(lambda tx: erasure.erase_people(tx, since, now, limit))

    def forget_answers(self, before: dt.datetime, limit: int) -> int:
        """Forget what API requests with an Idempotency-Key were answered before; how many."""
        since = instant_to_database(before)
        return self._writer.run(lambda tx: erasure.forget_answers(tx, since, limit))

    # --- reading and waiting ---

    @contextmanager
    def read(self) -> Iterator[SqlSnapshot]:
        with self._readers.read() as tx:
            yield SqlSnapshot(tx, self._shelf)

    def _load(self, load: Callable[[Transaction], T]) -> T:
        try:
            with self._readers.read() as tx:
                return load(tx)
        except driver_errors() as error:
            if fault_of(error) in (Fault.ROW, Fault.PROGRAM):
                raise
            raise unavailable(error) from error

    def wait(self, timeout_seconds: float) -> bool:
        return self._parts.wakeups.wait(timeout_seconds)

    def wake(self) -> None:
        self._parts.wakeups.wake()

    def close(self) -> None:
        """Write what waits, then let go of everything."""
        self._writer.close()
        if self._parts.attempts is not self._writer:
            self._parts.attempts.close()
        self._readers.close()
        self._parts.closing()

    def _now(self) -> int:
        return instant_to_database(self._clock.now())


__all__ = ["Parts", "SqlStore", "StoreUnavailable"]
