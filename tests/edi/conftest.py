"""Makes the connector of tests/edi/stub known, as an installed one would be, to the tests of this folder alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.store.sql_store import SqlStore
from tests.conftest import Database, SettableClock

STUB = Path(__file__).with_name("stub")


@pytest.fixture(autouse=True)
def _stub_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUB))


@pytest.fixture
def one_store(make_database: Callable[[str], Database], clock: SettableClock) -> SqlStore:
    """A store on SQLite alone, for what does not depend on the database."""
    return make_database("sqlite").open(clock)
