"""`hub run` as a process: its API is there, and its webhooks never wait for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hub.demo.processes import HubProcess, free_port
from tests.api.service import DESK, DeskSite, an_order
from tests.cli.site import SHOP, shop_order, signed
from tests.e2e.running import until


@pytest.fixture
def site(tmp_path: Path) -> DeskSite:
    return DeskSite(tmp_path)


@pytest.fixture
def url(site: DeskSite) -> Iterator[str]:
    process = HubProcess(site.config, site.home, port=free_port(), environ=site.environ)
    process.log = site.home.parent / "hub.log"
    process.start()
    try:
        process.wait_ready()
        yield process.url
    finally:
        process.stop()


def test_a_key_made_beside_it_opens_its_api(site: DeskSite, url: str) -> None:
    body = json.dumps(shop_order()).encode()
    assert requests.post(f"{url}/in/{SHOP}", body, headers=signed(body), timeout=20).status_code == 202
    key = site.good("keys", "create", "desk", "--scope", "orders:write").out.strip()
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "1"}
    made = requests.post(f"{url}/v1/orders", json=an_order(), headers=headers, params={"channel": DESK}, timeout=60)
    assert made.status_code == 201, made.text

    def seen_alike() -> bool:
        """Asked twice: between the two the hub may have gone on with it."""
        there = site.good("--url", url, "--token", key, "orders", "show", "PHONE-1").out
        return bool(there == site.good("orders", "show", "PHONE-1").out)

    until(seen_alike, "the API and the database show the same order")
    assert site.good("keys", "revoke", key[:14]).code == 0
    assert requests.get(f"{url}/v1/orders", headers=headers, timeout=20).status_code == 401
    assert "Swagger" in requests.get(f"{url}/docs/start.js", timeout=20).text
    assert site.good("verify").code == 0
