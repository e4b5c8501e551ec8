"""One starter migrates, the schema is what the tables say, and doing it again is nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool, StaticPool

from hub.store import migrations
from hub.store.engine import connect_memory, connect_sqlite, driver
from hub.store.migrations import freeze
from hub.store.tables import metadata
from tests.conftest import Server


def conditions(index: Any) -> list[tuple[str, str]]:
    """What makes an index partial."""
    return sorted((name, str(value)) for name, value in index.get("dialect_options", {}).items())


def described(engine: Engine) -> dict[str, object]:
    """Tables with columns, keys, indexes and checks, as the database itself tells them."""
    inspector = inspect(engine)
    found: dict[str, object] = {}
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        columns = inspector.get_columns(table)
        checks = inspector.get_check_constraints(table)
        found[table] = {
            "columns": [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in columns],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (one["name"] or "", str(one["column_names"]), bool(one["unique"]), conditions(one))
                for one in inspector.get_indexes(table)
            ),
            "unique": sorted(str(one["column_names"]) for one in inspector.get_unique_constraints(table)),
            "checks": sorted((one["name"] or "", one["sqltext"]) for one in checks),
        }
    engine.dispose()
    return found


def engine_of(url_or_connection: object) -> Engine:
    if isinstance(url_or_connection, str):
        plain = url_or_connection
        return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(plain), poolclass=NullPool)
    return create_engine("sqlite://", creator=lambda: url_or_connection, module=driver, poolclass=StaticPool)


def test_the_frozen_statements_are_those_of_the_tables() -> None:
    for name, text in freeze.frozen().items():
        assert (migrations.FOLDER / name).read_text("utf-8") == text, (
            "run python -m hub.store.migrations.freeze while the revision is unreleased, else add a revision"
        )


def test_a_migrated_sqlite_database_is_what_the_tables_say(sqlite_template: Path) -> None:
    expected = engine_of(connect_memory())
    metadata.create_all(expected)
    wanted = described(expected)
    assert described(engine_of(connect_sqlite(sqlite_template, read_only=True))) == wanted
    memory = connect_memory()
    migrations.create_in_memory(memory)
    assert described(engine_of(memory)) == wanted
    assert {"orders", "deliveries", "bodies"} <= set(wanted)


@pytest.mark.postgresql
def test_a_migrated_postgresql_database_is_what_the_tables_say(postgresql_server: Server, postgresql_url: str) -> None:
    postgresql_server.execute("DROP DATABASE IF EXISTS hub_expected WITH (FORCE)")
    postgresql_server.execute("CREATE DATABASE hub_expected")
    expected = engine_of(postgresql_server.url("hub_expected"))
    metadata.create_all(expected)
    assert described(engine_of(postgresql_url)) == described(expected)
    postgresql_server.execute("DROP DATABASE hub_expected WITH (FORCE)")


def test_upgrading_twice_is_nothing(tmp_path: Path) -> None:
    assert migrations.upgrade_sqlite(tmp_path / "hub.db") is True
    assert migrations.upgrade_sqlite(tmp_path / "hub.db") is False


def test_an_upgrade_that_died_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrations.statements

    def dies_halfway(revision: str, dialect: str) -> list[str]:
        return [*whole(revision, dialect)[:40], "CREATE NONSENSE"]

    path = tmp_path / "hub.db"
    monkeypatch.setattr(migrations, "statements", dies_halfway)
    with pytest.raises(Exception, match="NONSENSE"):
        migrations.upgrade_sqlite(path)
    monkeypatch.setattr(migrations, "statements", whole)
    connection = connect_sqlite(path, read_only=False)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'orders'").fetchall() == []
    connection.close()
    assert migrations.upgrade_sqlite(path) is True


@pytest.mark.postgresql
def test_of_two_starters_one_migrates(postgresql_server: Server) -> None:
    postgresql_server.execute("DROP DATABASE IF EXISTS hub_starters WITH (FORCE)")
    postgresql_server.execute("CREATE DATABASE hub_starters")
    url = postgresql_server.url("hub_starters")
    did: list[bool] = []
    threads = [threading.Thread(target=lambda: did.append(migrations.upgrade_postgres(url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(did) == [False, True]
    postgresql_server.execute("DROP DATABASE hub_starters WITH (FORCE)")


def test_the_newest_revision_is_the_one_that_starters_look_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD
