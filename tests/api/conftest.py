"""Services of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.runtime.configuration import Loaded
from tests.api.service import Service, a_service, configured
from tests.cli.site import SECRETS


@pytest.fixture(scope="session")
def with_api(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Mappings are compiled once for all tests."""
    return configured(tmp_path_factory.mktemp("with-api"), SECRETS)


@pytest.fixture
def service(tmp_path: Path, with_api: Loaded, sqlite_template: Path) -> Iterator[Service]:
    with a_service(tmp_path, with_api, sqlite_template, SECRETS) as service:
        yield service


@pytest.fixture(scope="module")
def shared_service(
    tmp_path_factory: pytest.TempPathFactory, with_api: Loaded, sqlite_template: Path
) -> Iterator[Service]:
    """For tests that change nothing others look at."""
    with a_service(tmp_path_factory.mktemp("shared"), with_api, sqlite_template, SECRETS) as service:
        yield service
