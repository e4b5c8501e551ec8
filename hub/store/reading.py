"""A read-only SQLAlchemy connection for read models: sees what is committed, can change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from hub.store.engine import connect_sqlite, driver

READ_TIMEOUT_SECONDS = 30


class NoDatabase(Exception):
    """There is no database at this address."""


@contextmanager
def open_reading(address: str, *, home: Path) -> Iterator[Connection]:
    """`address` as for `open_store`. One consistent snapshot for as long as it is open. Raises NoDatabase."""
    if address.startswith(("postgresql", "postgres:")):
        url = "postgresql+psycopg://" + address.split("://", 1)[1]
        engine = create_engine(
            url,
            poolclass=NullPool,
            connect_args={"options": f"-c statement_timeout={READ_TIMEOUT_SECONDS * 1000}"},
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        )
    else:
        path = (home / address.removeprefix("sqlite:///")).absolute()
        if not path.is_file():
            raise NoDatabase(f"{path} is not there")
        engine = create_engine(
            "sqlite://", creator=lambda: connect_sqlite(path, read_only=True), module=driver, poolclass=NullPool
        )
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.execute(text("BEGIN"))
            yield connection
    except OperationalError as error:
        if "connect" in str(error.orig).lower() or "unable to open" in str(error.orig).lower():
            raise NoDatabase(str(error.orig)) from error
        raise
    finally:
        engine.dispose()
