"""The settings that make SQLite durable: each was a measured way to lose something."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from hub.store.engine import SqliteSession, connect_sqlite, describe_sqlite, driver, has_wal_reset_race
from hub.store.erasure import CLOSED, DUE
from hub.store.errors import SQLITE_ERRORS, driver_errors
from hub.store.open import Mode
from hub.store.shapes import condition_of, condition_params, select_sql, table_shape
from tests.conftest import Database, SettableClock
from tests.store.build import body, inserts, must_apply, receipt, task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


def pragma(connection: object, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]  # type: ignore[attr-defined]


def test_the_writer_uses_the_log_and_syncs_every_commit(file: Path) -> None:
    connection = connect_sqlite(file, read_only=False)
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert pragma(connection, "busy_timeout") == 5000
    connection.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_foreign_keys_are_on(file: Path, read_only: bool) -> None:
    connect_sqlite(file, read_only=False).close()
    connection = connect_sqlite(file, read_only=read_only)
    assert pragma(connection, "foreign_keys") == 1
    connection.close()


def test_a_broken_reference_is_refused(file: Path) -> None:
    connection = connect_sqlite(file, read_only=False)
    connection.execute("CREATE TABLE parent (id TEXT PRIMARY KEY)")
    connection.execute("CREATE TABLE child (parent TEXT REFERENCES parent (id))")
    with pytest.raises(SQLITE_ERRORS, match="FOREIGN KEY"):
        connection.execute("INSERT INTO child VALUES ('nobody')")
    connection.close()


def test_readers_neither_write_nor_checkpoint(file: Path) -> None:
    writer = connect_sqlite(file, read_only=False)
    writer.execute("CREATE TABLE t (a)")
    reader = connect_sqlite(file, read_only=True)
    assert pragma(reader, "wal_autocheckpoint") == 0
    with pytest.raises(SQLITE_ERRORS, match="readonly"):
        reader.execute("INSERT INTO t VALUES (1)")
    log = file.with_name(file.name + "-wal")
    before = log.stat().st_size
    reader.execute("SELECT * FROM t").fetchall()
    reader.close()
    assert log.stat().st_size == before > 0
    writer.close()


def test_concurrent_read_add_write_loses_no_update(file: Path, clock: SettableClock) -> None:
    setup = connect_sqlite(file, read_only=False)
    setup.execute("CREATE TABLE counter (value INTEGER)")
    setup.execute("INSERT INTO counter VALUES (0)")
    start = threading.Barrier(4)

    def add() -> None:
        session = SqliteSession(connect_sqlite(file, read_only=False), 1, clock.now)
        start.wait(10)
        for _ in range(5):
            tx = session.begin()
            ((value,),) = tx.fetch("SELECT value FROM counter")
            tx.execute("UPDATE counter SET value = ?", (value + 1,))
            session.commit()
        session.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert pragma_value(setup) == 20
    setup.close()


def pragma_value(connection: object) -> object:
    return connection.execute("SELECT value FROM counter").fetchone()[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("version", "races"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_releases_with_the_wal_reset_race_are_known(version: tuple[int, int, int], races: bool) -> None:
    assert has_wal_reset_race(version) is races
    said = describe_sqlite(version, "standard library")
    assert said.startswith(f"SQLite {'.'.join(map(str, version))} (standard library")
    assert ("one connection" in said) is races


def test_the_store_says_which_library_it_runs_on(make_database: object, clock: SettableClock) -> None:
    database = make_database("sqlite")  # type: ignore[operator]
    said = database.open(clock).describe()
    assert driver.sqlite_version in said
    assert ("pysqlite3" in said) == (driver is not sqlite3)


def test_the_standard_librarys_sqlite_works_as_well(
    monkeypatch: pytest.MonkeyPatch, make_database: object, clock: SettableClock
) -> None:
    monkeypatch.setattr("hub.store.engine.driver", sqlite3)
    database: Database = make_database("sqlite")  # type: ignore[operator]
    store = database.open(clock)
    must_apply(store, inserts("tasks", task("t1")))
    assert [one.id for one in store.claim_tasks(1)] == ["t1"]
    assert store.accept([receipt(), receipt()])[1].duplicate


def test_a_reading_process_sees_what_is_committed_and_writes_nothing(
    make_database: object, clock: SettableClock
) -> None:
    database: Database = make_database("sqlite")  # type: ignore[operator]
    owner = database.open(clock)
    reader = database.open(clock, mode=Mode.READ)
    must_apply(owner, inserts("tasks", task("t1")))
    with reader.read() as snapshot:
        assert len(snapshot.rows("tasks", {})) == 1
    from hub.exchange.ports import StoreUnavailable

    with pytest.raises(StoreUnavailable, match="only reads"):
        reader.claim_tasks(1)


def test_large_bodies_lie_beside_the_database_and_orphans_are_swept(
    make_database: object, clock: SettableClock
) -> None:
    database: Database = make_database("sqlite")  # type: ignore[operator]
    store = database.open(clock)
    must_apply(store, inserts("bodies", body("bd-1", b"x" * (2 << 20)), body("bd-2", b"x" * (1 << 20))))
    folder = database.home / "hub.db.bodies"
    (kept,) = folder.iterdir()
    (folder / "left-by-a-crash.body").write_bytes(b"half")
    database.close(store)
    database.open(clock)
    assert list(folder.iterdir()) == [kept]


def test_a_statement_the_driver_refuses_is_an_error_it_knows(file: Path) -> None:
    connection = connect_sqlite(file, read_only=False)
    with pytest.raises(driver_errors()):
        connection.execute("SELECT nonsense")
    connection.close()


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        ("deliveries", {"subject": "A|east", "state": ("pending", "retry")}, "ix_deliveries_subject"),
        ("messages", {"receipt_id": "rc-1"}, "(receipt_id=?)"),
        ("messages", {"entity_key": "e", "state": "parked", "kind": "state"}, "ix_messages_parked"),
        ("messages", {"waits_for": ("a", "b"), "state": "waiting"}, "ix_messages_waits"),
        ("deliveries", {"order_id": "o", "state": ("pending", "retry")}, "ix_deliveries_order"),
        ("deliveries", {"order_id": "o", "state": "parked", "park_reason": "blocked"}, "ix_deliveries_order"),
        ("exceptions", {"cause_key": "x", "state": "open"}, "uq_exceptions_open"),
        ("holds", {"rule": "unknown_sku", "released_at": None}, "ix_holds_open"),
        ("reservations", {"sku": "A", "location": "east", "state": ("soft", "firm")}, "ix_reservations_live"),
    ],
)
def test_what_the_hot_paths_ask_for_is_found_by_an_index(
    sqlite_template: Path, table: str, where: dict[str, object], index: str
) -> None:
    connection = connect_sqlite(sqlite_template, read_only=True)
    sql = select_sql(table, condition_of(where), ())
    params = [*condition_params(table_shape(table), where), 10]
    plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params))
    connection.close()
    assert index in plan


def test_a_state_nobody_could_have_is_bound_like_any_text(make_database: object, clock: SettableClock) -> None:
    database: Database = make_database("sqlite")  # type: ignore[operator]
    store = database.open(clock)
    must_apply(store, inserts("tasks", task("t1", state="Bobby'; --")))
    with store.read() as snapshot:
        assert len(snapshot.rows("tasks", {"state": "Bobby'; --"})) == 1
        assert snapshot.rows("tasks", {"state": ("pending", "it's")}) == []


def test_retention_finds_the_bytes_it_may_erase_by_an_index(sqlite_template: Path) -> None:
    connection = connect_sqlite(sqlite_template, read_only=True)
    plans = {
        kind: " ".join(
            str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {DUE.format(closed)}", (kind, 1, 1))
        )
        for kind, closed in CLOSED.items()
    }
    connection.close()
    assert {kind for kind, plan in plans.items() if "ix_bodies_kept" not in plan} == set()
