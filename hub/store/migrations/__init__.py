"""The schema's history. `upgrade_*` brings a database to HEAD; a database that is there already costs one SELECT.

Each revision is a transaction of its own on both databases, so an upgrade that was killed goes on where it was. One
starter migrates: on SQLite the owner of the file, on PostgreSQL who holds the advisory lock; the others wait.
Alembic is imported only when there is something to do, because a restart must be quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.store.engine import connect_sqlite, driver
from hub.store.errors import driver_errors

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0001"
FOLDER = Path(__file__).parent
ADVISORY_LOCK = 0x6F72646572  # "order"
_VERSION_QUERY = "SELECT version_num FROM alembic_version"


def statements(revision: str, dialect: str) -> list[str]:
    """The frozen DDL of a revision, statement by statement."""
    text = (FOLDER / "versions" / f"{revision}_{dialect}.sql").read_text("utf-8")
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def is_current(connection: Any) -> bool:
    """Whether a raw driver connection sees the newest schema."""
    try:
        row = connection.execute(_VERSION_QUERY).fetchone()
    except driver_errors():
        return False
    return row is not None and row[0] == HEAD


def upgrade_sqlite(path: Path) -> bool:
    """True if something was done. The caller owns the file."""
    connection = connect_sqlite(path, read_only=False)
    try:
        if is_current(connection):
            return False
        engine = _engine_on(connection)
        with engine.connect() as bound:
            _upgrade(bound)
        return True
    finally:
        connection.close()


def create_in_memory(connection: Any) -> None:
    """The newest schema on an empty connection, without the history: for the simulation."""
    for statement in statements(HEAD, "sqlite"):
        connection.execute(statement)


def _engine_on(connection: Any) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: connection, module=driver, poolclass=StaticPool)
    event.listen(engine, "begin", lambda bound: bound.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def upgrade_postgres(url: str) -> bool:
    """True if something was done here. Waits for another starter that is migrating."""
    import psycopg

    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(plain, connect_timeout=5, autocommit=True) as connection:
        if is_current(connection):
            return False
        connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        if is_current(connection):
            return False
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(plain, connect_timeout=5), poolclass=NullPool
        )
        with engine.connect() as bound:
            _upgrade(bound)
        return True


def _upgrade(bound: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = bound
    command.upgrade(config, "head")
