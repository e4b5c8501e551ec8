"""A look into a database that is not there yet says so, on either database, instead of failing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.reading import NoDatabase, open_reading
from tests.conftest import Server


def test_a_file_that_is_not_there_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match=r"hub\.db"), open_reading("hub.db", home=tmp_path):
        pass


@pytest.mark.postgresql
def test_an_empty_postgresql_database_is_no_database(postgresql_server: Server, tmp_path: Path) -> None:
    postgresql_server.execute("DROP DATABASE IF EXISTS hub_empty WITH (FORCE)")
    postgresql_server.execute("CREATE DATABASE hub_empty")
    with (
        pytest.raises(NoDatabase, match="no hub has ever run"),
        open_reading(postgresql_server.url("hub_empty"), home=tmp_path) as connection,
    ):
        connection.execute(text("SELECT * FROM settings"))
    postgresql_server.execute("DROP DATABASE hub_empty WITH (FORCE)")


@pytest.mark.postgresql
def test_a_migrated_postgresql_database_is_read(postgresql_url: str, tmp_path: Path) -> None:
    with open_reading(postgresql_url, home=tmp_path) as connection:
        assert connection.execute(text("SELECT * FROM settings")).fetchall() == []
