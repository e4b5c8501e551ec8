"""The whole API against its own document by schemathesis, over real HTTP: no finding."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.api.document import operations
from tests.api.service import Service, an_order
from tests.cli.site import SHOP, shop_order, signed

SETTINGS = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def furnished(shared_service: Service) -> Iterator[tuple[str, str]]:
    """Address and key of a hub in which there is something of everything."""
    for number in range(3):
        shared_service.write(an_order(f"PHONE-{number}"))
    adjustment = {"sku": "SKU-001", "location": "dc-east", "delta": "5", "reason": "counted"}
    assert shared_service.post("/v1/inventory/adjustments", adjustment).status == 200
    for body in (json.dumps(shop_order()).encode(), b"no order"):
        assert shared_service.asking("POST", f"/in/{SHOP}", body, key=None, headers=signed(body)).status == 202
    shared_service.hub.engine.parse(10)
    shared_service.hub.engine.apply(10)
    shared_service.hub.engine.decide(50)
    with shared_service.served() as url:
        yield url, shared_service.key("admin")


def checked(folder: Path, url: str, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("schemathesis")
    return subprocess.run(
        [
            str(program),
            f"--config-file={SETTINGS}",
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization: Bearer {key}",
            "--workers=1",
            "--no-color",
            "--continue-on-failure",
            "--generation-database=none",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=folder,
    )


def test_schemathesis_finds_nothing(furnished: tuple[str, str], tmp_path: Path) -> None:
    """All but the one operation that would take its key away."""
    done = checked(tmp_path, *furnished, "--exclude-operation-id=keys.revoke", "--max-examples=8")
    assert done.returncode == 0, done.stdout[-20_000:]
    assert f"Tested: {len(operations()) - 1}" in done.stdout


def test_schemathesis_finds_nothing_where_keys_end(furnished: tuple[str, str], tmp_path: Path) -> None:
    done = checked(
        tmp_path, *furnished, "--include-operation-id=keys.revoke", "--max-examples=20", "--phases=coverage,fuzzing"
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "Tested: 1" in done.stdout
