"""One furnished floor for tests that only look, one of its own for tests that change something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.runtime.configuration import Loaded
from hub.views.states import DELIVERY_STATES, ORDER_STATES
from tests.api.service import a_service, configured
from tests.cli.site import SECRETS
from tests.web.floor import Floor, a_floor, furnished


@pytest.fixture(scope="session")
def with_pages(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Mappings are compiled once for all tests."""
    return configured(tmp_path_factory.mktemp("with-pages"), SECRETS)


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory, with_pages: Loaded, sqlite_template: Path) -> Iterator[Floor]:
    with (
        a_service(tmp_path_factory.mktemp("floor"), with_pages, sqlite_template, SECRETS) as service,
        a_floor(service) as found,
    ):
        furnished(found, ORDER_STATES, DELIVERY_STATES)
        yield found


@pytest.fixture
def own_floor(tmp_path: Path, with_pages: Loaded, sqlite_template: Path) -> Iterator[Floor]:
    with a_service(tmp_path, with_pages, sqlite_template, SECRETS) as service, a_floor(service) as found:
        yield found
