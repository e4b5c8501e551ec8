"""A read-only SQLAlchemy connection for read models: sees what is committed, can change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Pool, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from hub.store.engine import connect_sqlite, driver

READ_TIMEOUT_SECONDS = 30


class NoDatabase(Exception):
    """There is no database at this address."""


_INSTALLED = text("SELECT to_regclass('alembic_version')")


@contextmanager
def open_reading(address: str, *, home: Path) -> Iterator[Connection]:
    """`address` as for `open_store`. One consistent snapshot for as long as it is open. Raises NoDatabase."""
    engine = _engine(address, home, NullPool)
    try:
        with _snapshot(engine) as connection:
            if engine.dialect.name == "postgresql" and connection.scalar(_INSTALLED) is None:
                raise NoDatabase("no hub has ever run on this PostgreSQL database")
            yield connection
    finally:
        engine.dispose()


class ReadingPool:
    """As `open_reading`, for a process that reads again and again: connections are kept. Thread safe."""

    def __init__(self, address: str, *, home: Path) -> None:
        self._engine = _engine(address, home, QueuePool)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent snapshot for as long as it is open."""
        with _snapshot(self._engine) as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _engine(address: str, home: Path, pool: type[Pool]) -> Engine:
    if address.startswith(("postgresql", "postgres:")):
        url = "postgresql+psycopg://" + address.split("://", 1)[1]
        return create_engine(
            url,
            poolclass=pool,
            connect_args={"options": f"-c statement_timeout={READ_TIMEOUT_SECONDS * 1000}"},
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        )
    path = (home / address.removeprefix("sqlite:///")).absolute()
    if not path.is_file():
        raise NoDatabase(f"{path} is not there")
    return create_engine(
        "sqlite://", creator=lambda: connect_sqlite(path, read_only=True), module=driver, poolclass=pool
    )


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.execute(text("BEGIN"))
            yield connection
    except OperationalError as error:
        if "connect" in str(error.orig).lower() or "unable to open" in str(error.orig).lower():
            raise NoDatabase(str(error.orig)) from error
        raise
