"""Makes the connector of tests/edi/stub known, as an installed one would be, to the tests of this folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest

STUB = Path(__file__).with_name("stub")


@pytest.fixture(autouse=True)
def _stub_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUB))
