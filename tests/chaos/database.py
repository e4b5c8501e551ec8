"""The database of a run, and a look into it that never writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from hub.store.reading import open_reading


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """`sqlite`, `postgresql` (a server of its own for the run) or the URL of an empty PostgreSQL database."""
    if kind != "postgresql":
        yield kind
        return
    from tests.conftest import some_server

    with some_server() as server:
        server.execute("CREATE DATABASE hub_chaos")
        yield server.url("hub_chaos")


@contextmanager
def looking(address: str, home: Path) -> Iterator[Connection]:
    """A read-only connection to the hub's database."""
    with open_reading(address, home=home) as connection:
        yield connection


def select(connection: Connection, sql: str) -> Sequence[Any]:
    """All rows; columns by name."""
    return connection.execute(text(sql)).fetchall()


def count(connection: Connection, sql: str) -> int:
    return int(connection.execute(text(sql)).scalar() or 0)


def integrity(address: str, home: Path) -> str:
    """SQLite's own check of its file; `ok` where the server looks after its files itself."""
    if address.startswith("postgres"):
        return "ok"
    with looking(address, home) as connection:
        return str(connection.execute(text("PRAGMA integrity_check")).scalar())
