"""Who writes: one thread with two queues, or, in the simulation, the caller itself.

Group commit: whatever waits is written in one transaction, intake first, then jobs for about 20 ms; each job has a
savepoint of its own, so that one that fails fails alone. Futures resolve after COMMIT. Full queues, a full disk and a
lost database raise StoreUnavailable to everybody whose work was in that transaction: nobody confirms anything.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hub.exchange.ports import StoreUnavailable
from hub.store.engine import Session
from hub.store.errors import VALUE_ERRORS, Fault, driver_errors, fault_of
from hub.store.transaction import Job, Transaction

T = TypeVar("T")
Item = TypeVar("Item")
Told = Callable[[Any, Exception | None], None]
"""Hears, in the writer's thread, what came of an item: its result after the commit, or why nothing was stored. Must be
quick and must not raise."""
Intake = Callable[[Transaction, Sequence[Item]], Sequence[Any]]
"""Writes many items of the intake at once; one result an item, in order."""

WRITE_SECONDS = 0.020
INTAKE_AT_ONCE = 200
TRIES = 6
GATHER_SECONDS = 0.0005
"""After a commit that several receipts shared: the next one waits until nobody came for so long."""
GATHER_LOOKS = 6
"""But no longer than so many times that."""


class CommitUnknown(Exception):
    """COMMIT itself failed: whether the rows stand is unknown, so it is never reported as success nor repeated."""


@dataclass(slots=True)
class _Entry:
    job: Job[Any]
    told: list[Told]
    many: bool = False
    """The job answers for several who wait (the intake)."""
    wakes: bool = False
    result: Any = None
    error: Exception | None = None

    def resolve(self) -> None:
        results = self.result if self.many else (self.result,)
        for number, told in enumerate(self.told):
            if self.error is not None:
                told(None, self.error)
            else:
                told(results[number], None)


def _to(future: Future[Any]) -> Told:
    def told(result: Any, error: Exception | None) -> None:
        try:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        except InvalidStateError:  # cancelled: whoever waited has gone
            return

    return told


def _commit(session: Session) -> None:
    try:
        session.commit()
    except driver_errors() as error:
        raise CommitUnknown(str(error)) from error


def _run_first(session: Session, entry: _Entry) -> Transaction:
    """Before the first job there is nothing to keep: if it fails, the transaction is begun again, and the usual one
    that is alone costs no savepoint."""
    tx = session.begin()
    _try(tx, entry)
    if entry.error is None:
        return tx
    session.rollback()
    return session.begin()


def _run_next(tx: Transaction, entry: _Entry) -> None:
    """A failing job takes back its own savepoint."""
    tx.execute("SAVEPOINT job")
    _try(tx, entry)
    if entry.error is not None:
        tx.execute("ROLLBACK TO SAVEPOINT job")
    tx.execute("RELEASE SAVEPOINT job")


def _try(tx: Transaction, entry: _Entry) -> None:
    """Faults of the database itself end the transaction."""
    entry.result = entry.error = None
    try:
        entry.result = entry.job(tx)
    except (*driver_errors(), *VALUE_ERRORS) as error:
        if fault_of(error) not in (Fault.ROW, Fault.PROGRAM):
            raise
        entry.error = error
    except Exception as error:  # noqa: BLE001 - the one who waits for the job gets it
        entry.error = error


def unavailable(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(
        f"nothing was stored: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    )


def run_now(session: Session, job: Job[T]) -> T:
    """The job in a transaction of its own, in this thread; what may be tried again is, on a new connection."""
    for tried in range(1, TRIES + 1):
        try:
            result = job(session.begin())
            _commit(session)
            return result
        except CommitUnknown as error:
            session.rollback()
            raise unavailable(error) from error
        except driver_errors() as error:
            session.rollback()
            fault = fault_of(error)
            if fault in (Fault.ROW, Fault.PROGRAM):
                raise
            if fault not in (Fault.RETRY, Fault.LOST) or tried == TRIES:
                raise unavailable(error) from error
            time.sleep(random.uniform(0.5, 1.0) * 0.005 * 2**tried)
        except BaseException:
            session.rollback()
            raise
    raise AssertionError("the last try returns or raises")


class GroupWriter(Generic[Item]):
    """The one thread that writes (SQLite: everything; PostgreSQL: intake and attempts, for their group commit)."""

    def __init__(
        self,
        session: Session,
        intake: Intake[Item],
        *,
        committed: Callable[[], None],
        name: str = "hub-writer",
        intake_limit: int = 10_000,
        work_limit: int = 10_000,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._intake, self._committed, self._pause = session, intake, committed, pause
        self._limits = (intake_limit, work_limit)
        self._arrivals: deque[tuple[Item, Told]] = deque()
        self._jobs: deque[_Entry] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._together = 0
        """Receipts in the commit before."""
        self.broken: str | None = None
        """Why writing stopped for good (the disk refused to keep what it was given), else None."""
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def submit_intake(self, item: Item) -> Future[Any]:
        future: Future[Any] = Future()
        self.hand_over(item, _to(future))
        return future

    def hand_over(self, item: Item, told: Told) -> None:
        """As `submit_intake`, for whoever has a way of its own to hear of the commit."""
        with self._changed:
            self._refuse_if_full(len(self._arrivals), self._limits[0])
            self._arrivals.append((item, told))
            self._changed.notify()

    def submit(self, job: Job[T], *, wakes: bool = False) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            self._refuse_if_full(len(self._jobs), self._limits[1])
            self._jobs.append(_Entry(job, [_to(future)], wakes=wakes))
            self._changed.notify()
        return future

    def run(self, job: Job[T], *, wakes: bool = False) -> T:
        return self.submit(job, wakes=wakes).result()

    def _refuse_if_full(self, waiting: int, limit: int) -> None:
        if self.broken is not None:
            raise StoreUnavailable(f"writing stopped: {self.broken}")
        if self._closing:
            raise StoreUnavailable("the store is closing")
        if waiting >= limit:
            raise StoreUnavailable(f"{waiting} writes are waiting already")

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not (self._arrivals or self._jobs or self._closing):
                    self._changed.wait()
                if self._closing and not self._arrivals and not self._jobs:
                    return
            self._transaction()

    def _gather(self) -> None:
        """Under load a commit waits for those who are just coming: it costs the same for one as for many. Whoever comes
        alone is written at once, and jobs never wait for this."""
        seen = len(self._arrivals)
        if self._together < 2 or not seen:
            return
        for _ in range(GATHER_LOOKS):
            if self._jobs or self._closing or seen >= INTAKE_AT_ONCE:
                return
            self._pause(GATHER_SECONDS)
            came = len(self._arrivals)
            if came == seen:
                return
            seen = came

    def _first(self) -> _Entry | None:
        """Everything of the intake that waits, as one entry."""
        self._gather()
        with self._changed:
            count = min(len(self._arrivals), INTAKE_AT_ONCE)
            taken = [self._arrivals.popleft() for _ in range(count)]
        self._together = count
        if not taken:
            return None
        items = [item for item, _ in taken]
        return _Entry(lambda tx: self._intake(tx, items), [told for _, told in taken], many=True, wakes=True)

    def _next(self) -> _Entry | None:
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def _transaction(self) -> None:
        first = self._first()
        entries = [] if first is None else [first]
        for tried in range(1, TRIES + 1):
            try:
                self._once(entries, repeated=tried > 1)
            except CommitUnknown as error:
                self._fail(entries, error, fault_of(error.__cause__ or error))
                return
            except driver_errors() as error:
                fault = fault_of(error)
                if fault not in (Fault.RETRY, Fault.LOST) or tried == TRIES:
                    self._fail(entries, error, fault)
                    return
                self._session.rollback()
                time.sleep(random.uniform(0.5, 1.0) * 0.005 * 2**tried)
            else:
                break
        if any(entry.wakes and entry.error is None for entry in entries):
            self._committed()
        for entry in entries:
            entry.resolve()

    def _once(self, entries: list[_Entry], *, repeated: bool) -> None:
        if not entries and (job := self._next()) is not None:
            entries.append(job)
        if not entries:
            return
        tx = _run_first(self._session, entries[0])
        for entry in entries[1:]:
            _run_next(tx, entry)
        end = time.monotonic() + WRITE_SECONDS
        while not repeated and time.monotonic() < end and (following := self._next()) is not None:
            entries.append(following)
            _run_next(tx, following)
        _commit(self._session)

    def _fail(self, entries: Sequence[_Entry], error: Exception, fault: Fault) -> None:
        self._session.rollback()
        if fault is Fault.BROKEN:
            self.broken = f"{type(error).__name__}: {error}"
        for entry in entries:
            entry.error = unavailable(error)
            entry.resolve()
        if self.broken is not None:
            with self._changed:
                waiting = [told for _, told in self._arrivals]
                waiting += [told for entry in self._jobs for told in entry.told]
                self._arrivals.clear()
                self._jobs.clear()
            for told in waiting:
                told(None, StoreUnavailable(f"writing stopped: {self.broken}"))

    def close(self) -> None:
        """Write what waits, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._session.close()


class ClosedWriter:
    """Of a store that only reads."""

    broken: str | None = "this process only reads"

    def run(self, job: Job[T], *, wakes: bool = False) -> T:
        raise StoreUnavailable("this process only reads")

    def submit_intake(self, item: object) -> Future[Any]:
        raise StoreUnavailable("this process only reads")

    def hand_over(self, item: object, told: Told) -> None:
        raise StoreUnavailable("this process only reads")

    def close(self) -> None:
        return


@dataclass(slots=True)
class Hooks:
    """Called around every commit that changes something, with its number since the database began.

    Raising there is the simulated crash: nothing of that commit stands, or all of it does but nobody was told.
    """

    before_commit: Callable[[int], None] = field(default=lambda number: None)
    after_commit: Callable[[int], None] = field(default=lambda number: None)


class InlineWriter(Generic[Item]):
    """The caller writes: no thread, no queue, every commit numbered."""

    def __init__(
        self,
        session: Session,
        intake: Intake[Item],
        *,
        committed: Callable[[], None],
        lock: threading.RLock,
        changes: Callable[[], int],
        hooks: Hooks,
        numbers: Iterator[int],
    ) -> None:
        self._session, self._intake, self._committed = session, intake, committed
        self._lock, self._changes, self._hooks, self._numbers = lock, changes, hooks, numbers
        self.broken: str | None = None

    def run(self, job: Job[T], *, wakes: bool = False) -> T:
        with self._lock:
            before = self._changes()
            number = 0
            try:
                result = job(self._session.begin())
                if self._changes() != before:
                    number = next(self._numbers)
                    self._hooks.before_commit(number)
                self._session.commit()
            except driver_errors() as error:
                self._session.rollback()
                if fault_of(error) in (Fault.ROW, Fault.PROGRAM):
                    raise
                raise unavailable(error) from error
            except BaseException:
                self._session.rollback()
                raise
            if number:
                self._hooks.after_commit(number)
            if wakes:
                self._committed()
            return result

    def submit(self, job: Job[T], *, wakes: bool = False) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(self.run(job, wakes=wakes))
        return future

    def submit_intake(self, item: Item) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self.run(lambda tx: self._intake(tx, [item]), wakes=True)[0])
        return future

    def hand_over(self, item: Item, told: Told) -> None:
        told(self.run(lambda tx: self._intake(tx, [item]), wakes=True)[0], None)

    def close(self) -> None:
        """The connection in memory outlives the run."""
