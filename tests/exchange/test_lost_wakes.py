"""Who begins to wait while another makes what it waits for is woken, whoever commits first (docs: applying)."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from hub.domain.decision import Decision, EventRequest, Incoming, Verdict
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, Outcome, WriteSet
from hub.exchange.decisions import decision_rows
from hub.store.bodies import InlineShelf
from hub.store.shapes import Sequences
from hub.store.sql_store import SqlStore
from hub.store.transaction import PostgresTransaction
from hub.store.writesets import apply, prepare
from tests.conftest import Database, SettableClock
from tests.exchange.world import World

SUBJECT = "order|shop||1"
MADE = Decision(events=[EventRequest("captured", "1", "1")], wakes=[SUBJECT])


def waits_for_the_order(world: World, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Refunds wait until the order is captured; `meanwhile` happens once, after the first has read and before it
    commits."""
    still = [meanwhile]

    def refund(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        known = bool(snapshot.rows("events", {"type": "captured"}))
        while still:
            still.pop()()
        return Decision() if known else Decision(Verdict.WAITING, waits_for=SUBJECT, message="unknown")

    world.handlers.messages["refunds"] = refund
    world.receive({"external_id": "r1", "fact_key": "r1"}, "refunds")
    assert world.engine.parse() == 1


def made(world: World) -> WriteSet:
    with world.store.read() as snapshot:
        return decision_rows(MADE, world.writer(snapshot))


def test_what_is_made_between_reading_and_beginning_to_wait_is_found(store: SqlStore, clock: SettableClock) -> None:
    world = World(store=store, clock=clock)
    waits_for_the_order(world, lambda: world.commit(lambda writer: decision_rows(MADE, writer)))
    assert world.engine.apply() == 1
    assert world.engine.apply() == 1, "nothing woke it"
    assert world.states("refunds") == ["applied"]


def test_what_began_to_wait_after_its_maker_had_read_is_woken(store: SqlStore, clock: SettableClock) -> None:
    world = World(store=store, clock=clock)
    waits_for_the_order(world)
    read_before = made(world)
    assert world.engine.apply() == 1
    assert world.states("refunds") == ["waiting"]
    world.store.apply([read_before])
    assert world.engine.apply() == 1, "nothing woke it"
    assert world.states("refunds") == ["applied"]


@pytest.fixture
def shared(make_database: Callable[[str], Database], clock: SettableClock) -> tuple[World, str]:
    database = make_database("postgresql")
    return World(store=database.open(clock), clock=clock), database.address


@contextmanager
def uncommitted(url: str, writes: WriteSet, clock: SettableClock) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another process has applied `writes` and not committed yet."""
    with psycopg.connect(url) as connection:
        ready = prepare([writes], clock.now(), Sequences(0), InlineShelf())
        apply(PostgresTransaction(connection, 99), ready)
        yield connection


def waits(future: Future[int], connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Returns when somebody waits for what this connection holds, or when the other did not have to."""
    until = time.monotonic() + 10
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while not future.done() and time.monotonic() < until:
        with psycopg.connect(connection.info.dsn) as other:
            if other.execute(asked).fetchone() != (0,):
                return
        time.sleep(0.01)


@pytest.mark.postgresql
def test_one_begins_to_wait_while_the_other_has_not_committed(shared: tuple[World, str], clock: SettableClock) -> None:
    world, url = shared
    waits_for_the_order(world)
    with ThreadPoolExecutor(1) as pool, uncommitted(url, made(world), clock) as maker:
        applying = pool.submit(world.engine.apply)
        waits(applying, maker)
        maker.commit()
        assert applying.result(20) == 1
    assert world.engine.apply() == 1, "nothing woke it"
    assert world.states("refunds") == ["applied"]


@pytest.mark.postgresql
def test_one_makes_it_while_the_other_has_not_committed_that_it_waits(
    shared: tuple[World, str], clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, url = shared
    waits_for_the_order(world)
    kept: list[WriteSet] = []

    def keep(sets: Sequence[WriteSet]) -> list[Outcome]:
        kept.extend(sets)
        return [Outcome(Applied.APPLIED)] * len(sets)

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "apply", keep)
        world.engine.apply()
    with ThreadPoolExecutor(1) as pool, uncommitted(url, kept[0], clock) as waiter:
        making = pool.submit(lambda: len(world.store.apply([made(world)])))
        waits(making, waiter)
        waiter.commit()
        assert making.result(20) == 1
    assert world.engine.apply() == 1, "nothing woke it"
    assert world.states("refunds") == ["applied"]


def test_one_whose_process_ended_before_its_second_look_is_looked_at_soon_however_old_it_is() -> None:
    world = World()
    clock = world.clock
    waits_for_the_order(world)
    clock.advance(3600)  # it was received long ago, and waits only now
    assert world.engine.apply() == 1
    (recheck,) = world.rows("tasks", kind="recheck_message")
    assert recheck["due_at"] - clock.now() == dt.timedelta(seconds=2)
    world.settle(2)
    (again,) = world.rows("tasks", kind="recheck_message", state="pending")
    assert again["due_at"] - clock.now() > dt.timedelta(minutes=20)
