"""The writer: one that fails fails alone, a full disk confirms nothing, a crash is a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hub.domain.ids import IdSource
from hub.exchange.ports import StoreUnavailable
from hub.store.engine import SqliteSession, connect_sqlite, driver
from hub.store.open import SimulatedDatabase
from hub.store.sql_store import SqlStore
from hub.store.transaction import Transaction
from hub.store.writer import GroupWriter, Hooks, run_now
from tests.conftest import Database, SettableClock
from tests.store.build import apply_one, inserts, must_apply, receipt, stock, task


class Flaky:
    """A session that does what the real one does, unless told to fail."""

    def __init__(self, inner: SqliteSession) -> None:
        self.inner = inner
        self.on_commit: list[BaseException] = []
        self.on_begin: list[BaseException] = []
        self.commits = 0

    def begin(self) -> Transaction:
        if self.on_begin:
            raise self.on_begin.pop()
        return self.inner.begin()

    def commit(self) -> None:
        self.commits += 1
        if self.on_commit:
            raise self.on_commit.pop()
        self.inner.commit()

    def rollback(self) -> None:
        self.inner.rollback()

    def close(self) -> None:
        self.inner.close()


def sqlite_error(code: int, words: str) -> BaseException:
    error: BaseException = driver.OperationalError(words)
    error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error


@pytest.fixture
def flaky(tmp_path: Path, clock: SettableClock) -> Flaky:
    connection = connect_sqlite(tmp_path / "t.db", read_only=False)
    connection.execute("CREATE TABLE t (a PRIMARY KEY)")
    return Flaky(SqliteSession(connection, 1, clock.now))


Start = Callable[[Flaky], GroupWriter[int]]


def add_all(tx: Transaction, items: Sequence[int]) -> list[int]:
    for item in items:
        tx.execute("INSERT INTO t VALUES (?)", (item,))
    return list(items)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Start:
    def started(flaky: Flaky, **limits: Any) -> GroupWriter[int]:
        writer: GroupWriter[int] = GroupWriter(flaky, add_all, committed=lambda: None, **limits)
        request.addfinalizer(writer.close)
        return writer

    return started


def add(number: int) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute("INSERT INTO t VALUES (?)", (number,))


def rows(writer: GroupWriter[int]) -> list[int]:
    return [row[0] for row in writer.run(lambda tx: tx.fetch("SELECT a FROM t ORDER BY a"))]


def held_up(writer: GroupWriter[int]) -> threading.Event:
    """Keep the writer busy until the event is set."""
    go, busy = threading.Event(), threading.Event()

    def wait(tx: Transaction) -> None:
        busy.set()
        go.wait(10)

    writer.submit(wait)
    assert busy.wait(10)
    return go


def test_what_waits_shares_one_commit(flaky: Flaky, start: Start) -> None:
    writer = start(flaky)
    go = held_up(writer)
    waiting: list[Future[Any]] = [writer.submit_intake(number) for number in range(20)]
    waiting += [writer.submit(add(number)) for number in range(100, 120)]
    go.set()
    assert [future.result(10) for future in waiting] == [*range(20), *[1] * 20]
    assert flaky.commits <= 5
    assert len(rows(writer)) == 40


def test_under_load_a_commit_waits_for_those_who_are_just_coming(flaky: Flaky, start: Any) -> None:
    coming, late = [3, 4], []

    def pause(seconds: float) -> None:
        if coming:
            late.append(writer.submit_intake(coming.pop(0)))

    writer = start(flaky, pause=pause)
    go = held_up(writer)
    together = [writer.submit_intake(number) for number in range(2)]
    go.set()
    assert [future.result(10) for future in together] == [0, 1]
    before = flaky.commits
    assert writer.submit_intake(2).result(10) == 2
    assert [future.result(10) for future in late] == [3, 4]
    assert flaky.commits == before + 1


def test_nobody_waits_for_others_who_comes_alone(flaky: Flaky, start: Any) -> None:
    waited: list[float] = []
    writer = start(flaky, pause=waited.append)
    for number in range(3):
        assert writer.submit_intake(number).result(10) == number
    assert waited == []


def test_a_job_that_fails_fails_alone(flaky: Flaky, start: Start) -> None:
    writer = start(flaky)
    go = held_up(writer)

    def half(tx: Transaction) -> None:
        tx.execute("INSERT INTO t VALUES (7)")
        raise ZeroDivisionError

    failing, good, refused = writer.submit(half), writer.submit(add(1)), writer.submit(add(1))
    go.set()
    with pytest.raises(ZeroDivisionError):
        failing.result(10)
    assert good.result(10) == 1
    with pytest.raises(driver.IntegrityError):
        refused.result(10)
    assert rows(writer) == [1]


def test_a_busy_database_is_tried_again(flaky: Flaky, start: Start) -> None:
    flaky.on_begin = [sqlite_error(5, "database is locked")] * 3
    writer = start(flaky)
    assert writer.run(add(1)) == 1


def test_a_commit_that_failed_is_never_reported_as_success(flaky: Flaky, start: Start) -> None:
    writer = start(flaky)
    flaky.on_commit = [sqlite_error(13, "database or disk is full")]
    with pytest.raises(StoreUnavailable):
        writer.run(add(1))
    assert rows(writer) == []
    assert writer.broken is None


def test_after_an_error_of_the_disk_writing_stops_for_good(flaky: Flaky, start: Start) -> None:
    writer = start(flaky)
    flaky.on_commit = [sqlite_error(1034, "disk I/O error")]
    with pytest.raises(StoreUnavailable):
        writer.run(add(1))
    assert writer.broken is not None
    with pytest.raises(StoreUnavailable, match="writing stopped"):
        writer.run(add(2))
    with pytest.raises(StoreUnavailable, match="writing stopped"):
        writer.submit_intake(3)


def test_full_queues_refuse_at_once(flaky: Flaky, start: Any) -> None:
    writer = start(flaky, intake_limit=2, work_limit=3)
    go = held_up(writer)
    waiting: list[Future[Any]] = [writer.submit_intake(number) for number in range(2)]
    waiting += [writer.submit(add(100 + number)) for number in range(3)]
    with pytest.raises(StoreUnavailable, match="2 writes are waiting"):
        writer.submit_intake(9)
    with pytest.raises(StoreUnavailable, match="3 writes are waiting"):
        writer.submit(add(9))
    go.set()
    assert [future.result(10) for future in waiting] == [0, 1, 1, 1, 1]
    assert rows(writer) == [0, 1, 100, 101, 102]


def test_whoever_stops_waiting_stops_nobody_else(flaky: Flaky, start: Start) -> None:
    writer = start(flaky)
    go = held_up(writer)
    gone, stays = writer.submit_intake(1), writer.submit_intake(2)
    gone.cancel()
    go.set()
    assert stays.result(10) == 2
    assert rows(writer) == [1, 2], "what was handed over is written, whoever waits for it"


def test_closing_writes_what_waits(flaky: Flaky) -> None:
    writer: GroupWriter[int] = GroupWriter(flaky, add_all, committed=lambda: None)
    go = held_up(writer)
    waiting = writer.submit(add(1))
    closer = threading.Thread(target=writer.close)
    closer.start()
    go.set()
    closer.join(10)
    assert waiting.result(0) == 1
    with pytest.raises(StoreUnavailable, match="closing"):
        writer.submit(add(2))


def test_a_full_database_confirms_nothing_and_goes_on_when_there_is_room(
    make_database: Callable[[str], Database], clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own page limit stands for the disk: the same result code takes the same way."""
    opened: list[Any] = []

    def remembered(path: Path, *, read_only: bool) -> Any:
        opened.append(connect_sqlite(path, read_only=read_only))
        return opened[-1]

    monkeypatch.setattr("hub.store.open.connect_sqlite", remembered)
    store = make_database("sqlite").open(clock)
    connection = opened[-1]
    must_apply(store, inserts("tasks", task("t1")))
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.accept_soon(receipt("big", b"x" * 400_000)).result(10)
    with pytest.raises(StoreUnavailable, match="full"):
        store.accept([receipt("big", b"x" * 400_000)])
    assert not store.accept_soon(receipt("small")).result(10).duplicate
    connection.execute("PRAGMA max_page_count = 1000000")
    assert not store.accept_soon(receipt("big", b"x" * 400_000)).result(10).duplicate


# --- PostgreSQL ---


class Lost:
    """Loses its connection as often as told, at COMMIT or before."""

    def __init__(self, *, begins: int = 0, commits: int = 0, state: str | None = None) -> None:
        self.begins, self.commits, self.state = begins, commits, state
        self.jobs = 0

    def _error(self) -> psycopg.Error:
        error = psycopg.OperationalError("the connection is lost")
        error.sqlstate = self.state
        return error

    def begin(self) -> Transaction:
        self.jobs += 1
        if self.begins:
            self.begins -= 1
            raise self._error()
        return None  # type: ignore[return-value]

    def commit(self) -> None:
        if self.commits:
            self.commits -= 1
            raise self._error()

    def rollback(self) -> None:
        return

    def close(self) -> None:
        return


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57P01", "08006", None])
def test_what_proves_that_nothing_happened_is_tried_again(state: str | None) -> None:
    session = Lost(begins=2, state=state)
    assert run_now(session, lambda tx: "done") == "done"
    assert session.jobs == 3


def test_a_lost_commit_is_neither_success_nor_repeated() -> None:
    session = Lost(commits=1)
    with pytest.raises(StoreUnavailable):
        run_now(session, lambda tx: "done")
    assert session.jobs == 1


def test_a_mistake_of_ours_is_not_retried() -> None:
    session = Lost(begins=1, state="42601")
    with pytest.raises(psycopg.Error):
        run_now(session, lambda tx: "done")
    assert session.jobs == 1


@pytest.mark.postgresql
def test_postgresql_deadlocks_are_run_again_and_both_get_through(
    make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    from hub.domain.writeset import WriteSet

    store = make_database("postgresql").open(clock)
    must_apply(store, inserts("tasks", task("t1", state="done"), task("t2", state="done")))
    meet = threading.Barrier(2)
    outcomes: list[str] = []

    def work(first: str, second: str) -> None:
        meet.wait(10)
        for _ in range(15):
            writes = WriteSet()
            writes.update("tasks", {"id": first}, {"error": first})
            writes.update("tasks", {"id": second}, {"error": first})
            outcomes.append(apply_one(store, writes).failed)

    threads = [threading.Thread(target=work, args=pair) for pair in (("t1", "t2"), ("t2", "t1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes == [""] * 30


@pytest.mark.postgresql
def test_work_of_one_process_wakes_another(make_database: Callable[[str], Database], clock: SettableClock) -> None:
    database = make_database("postgresql")
    here, there = database.open(clock), database.open(clock, seed=2)
    while there.wait(0.2):
        pass
    must_apply(here, inserts("tasks", task("t1")))
    assert there.wait(10) is True


@pytest.mark.postgresql
def test_two_processes_claim_different_rows(make_database: Callable[[str], Database], clock: SettableClock) -> None:
    database = make_database("postgresql")
    here, there = database.open(clock), database.open(clock, seed=2)
    must_apply(here, inserts("tasks", *[task(f"t{number}") for number in range(10)]))
    mine, theirs = here.claim_tasks(5), there.claim_tasks(50)
    assert sorted(one.id for one in [*mine, *theirs]) == [f"t{number}" for number in range(10)]
    assert here.recover() == there.recover() == {}


def test_a_postgresql_that_is_not_there_is_unavailable(tmp_path: Path, clock: SettableClock, ids: IdSource) -> None:
    from hub.store.open import open_store

    with pytest.raises(StoreUnavailable):
        open_store(f"postgresql:///hub?host={tmp_path}", home=tmp_path, clock=clock, ids=ids)


# --- the simulation ---


class SimulatedCrash(BaseException):
    """Raised by a hook where the simulated process dies."""


def simulated(clock: SettableClock, ids: IdSource, *, crash_at: int, after: bool) -> SimulatedDatabase:
    def crash(number: int) -> None:
        if number == crash_at:
            raise SimulatedCrash

    hooks = Hooks(after_commit=crash) if after else Hooks(before_commit=crash)
    return SimulatedDatabase(clock=clock, ids=ids, hooks=hooks)


@pytest.mark.parametrize("after", [False, True])
def test_a_simulated_crash_leaves_the_state_before_or_after_its_commit(
    clock: SettableClock, ids: IdSource, after: bool
) -> None:
    database = simulated(clock, ids, crash_at=2, after=after)
    first = database.open()
    must_apply(first, inserts("tasks", task("t1")))
    assert first.claim_messages(1) == []  # nothing changed: no commit to crash at
    with pytest.raises(SimulatedCrash):
        first.claim_tasks(1)
    second = database.open()
    assert second.epoch == first.epoch + 1
    assert second.recover() == ({"tasks": 1} if after else {})
    assert [one.claims for one in second.claim_tasks(1)] == [2 if after else 1]
    database.close()


def test_the_simulated_store_does_what_the_real_ones_do(clock: SettableClock, ids: IdSource) -> None:
    database = simulated(clock, ids, crash_at=0, after=False)
    store: SqlStore = database.open()
    assert store.accept_soon(receipt()).result(0).id == store.accept([receipt()])[0].id
    assert [one.body for one in store.claim_receipts(1)] == [b'{"id":1}']
    assert apply_one(store, stock(soft=1, reserve=True)).failed
    assert store.wait(0) is True
    store.close()
    database.close()
