"""On PostgreSQL every question to the server costs a wait; batches are written in a few, whatever they hold."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hub.domain.ids import IdSource
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.ports import NewAttempt
from hub.store.open import open_store
from hub.store.sql_store import SqlStore
from hub.store.transaction import PostgresTransaction, Step
from tests.conftest import START, SettableClock
from tests.store.build import body, change, delivery, event, line, must_apply, order

pytestmark = pytest.mark.postgresql


class Trips:
    count = 0


@contextmanager
def round_trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trips]:
    """Waits for the server's answer: statements by themselves, and ends of pipelines."""
    found = Trips()
    wait, leave = psycopg.Connection.wait, psycopg.Pipeline.__exit__

    def counted_wait(connection: Any, waiting: Any, **named: Any) -> Any:
        own = not connection.autocommit  # the bell rings in a thread of its own
        if own and not connection.pgconn.pipeline_status and waiting.__name__ != "_enter_gen":
            found.count += 1
        return wait(connection, waiting, **named)

    def counted_leave(pipeline: Any, *args: Any) -> None:
        found.count += 1
        leave(pipeline, *args)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "wait", counted_wait)
        patched.setattr(psycopg.Pipeline, "__exit__", counted_leave)
        yield found


@pytest.fixture
def store(postgresql_url: str, clock: SettableClock) -> Iterator[SqlStore]:
    opened = open_store(postgresql_url, home=Path(), clock=clock, ids=IdSource(random.Random(1)))
    yield opened
    opened.close()


def captured(order_id: str) -> WriteSet:
    writes = WriteSet()
    writes.insert("orders", order(order_id), claim=True)
    writes.insert("order_lines", line(order_id, 1))
    writes.insert("events", event(f"ev-{order_id}"), ignore=True)
    writes.insert("bodies", body(f"bd-{order_id}"))
    writes.insert("deliveries", delivery(order_id), claim=True)
    return writes


def packed(order_id: str) -> WriteSet:
    """A change that minds no version, of an order that another set of its batch changes too."""
    writes = change("orders", {"id": order_id}, {"status": "confirmed"})
    writes.update("order_lines", {"id": f"{order_id}/1"}, {"sku": "SKU-2"})
    return writes


def test_fifty_orders_are_written_in_two_round_trips(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    must_apply(store, captured("or-first"))
    with round_trips(monkeypatch) as trips:
        must_apply(store, *[captured(f"or-{number}") for number in range(50)])
    assert trips.count == 2


def test_sets_that_share_a_row_do_not_make_the_whole_batch_slow(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_apply(store, *[captured(f"or-{number}") for number in range(48)])
    writes = [packed(f"or-{number}") for number in range(48)] + [packed("or-7"), packed("or-9")]
    with round_trips(monkeypatch) as trips:
        must_apply(store, *writes)
    assert trips.count == 4  # the locks of the orders, two layers, the commit


def test_sets_computed_for_an_older_version_are_left_out_from_the_start(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_apply(store, *[captured(f"or-{number}") for number in range(50)])
    writes = [change("orders", {"id": f"or-{number}", "version": 1}, {"version": 2}) for number in range(50)]
    writes[33] = change("orders", {"id": "or-33", "version": 9}, {"version": 10})
    with round_trips(monkeypatch) as trips:
        outcomes = store.apply(writes)
    assert [number for number, one in enumerate(outcomes) if one.applied is Applied.CONFLICT] == [33]
    assert trips.count == 3


def test_two_changes_of_an_order_in_one_batch_apply_where_the_second_knows_of_the_first(store: SqlStore) -> None:
    must_apply(store, captured("or-1"))
    first, second, third = (
        change("orders", {"id": "or-1", "version": version}, {"version": version + 1}) for version in (1, 2, 2)
    )
    assert [one.applied for one in store.apply([first, second, third])] == [
        Applied.APPLIED,
        Applied.APPLIED,
        Applied.CONFLICT,
    ]


def test_one_set_that_conflicts_does_not_make_the_whole_batch_slow(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_apply(store, *[captured(f"or-{number}") for number in range(50)])
    writes = [change("orders", {"id": f"or-{number}"}, {"status": "confirmed"}) for number in range(50)]
    writes[33] = change("order_lines", {"id": "or-33/9"}, {"sku": "SKU-2"})
    with round_trips(monkeypatch) as trips:
        outcomes = store.apply(writes)
    assert [number for number, one in enumerate(outcomes) if one.applied is Applied.CONFLICT] == [33]
    assert trips.count <= 30


def test_attempts_are_announced_together(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    must_apply(store, *[captured(f"or-{number}") for number in range(20)])
    claimed = store.claim_deliveries("erp", 20)
    deadline = START + dt.timedelta(seconds=60)
    attempts = [NewAttempt(one.id, 1, "call", one.token, deadline) for one in claimed]
    with round_trips(monkeypatch) as trips:
        assert store.start_attempts(attempts) == [True] * 20
    assert trips.count <= 4


def test_a_refusal_in_a_round_trip_leaves_no_statement_behind_that_the_server_never_prepared(
    postgresql_url: str,
) -> None:
    """The server skips what comes after a refusal, while the driver has noted it as prepared."""
    guard, taken, later = (
        "SAVEPOINT part",
        "INSERT INTO settings VALUES (?, '', 0)",
        "DELETE FROM settings WHERE name = ?",
    )
    with psycopg.connect(postgresql_url) as connection:
        tx = PostgresTransaction(connection, 1)

        def refused(*steps: Step) -> None:
            with pytest.raises(psycopg.errors.UniqueViolation):
                tx.steps([(guard, [()]), *steps])
            tx.execute("ROLLBACK TO SAVEPOINT part")

        tx.steps([(taken, [("a",)])])
        refused((taken, [("a",)]))
        for _ in range(5):
            tx.steps([(guard, [()]), (later, [("b",)])])
        refused((taken, [("c",), ("a",)]), (later, [("b",)]))
        assert tx.steps([(later, [("a",)])]) == [1]
