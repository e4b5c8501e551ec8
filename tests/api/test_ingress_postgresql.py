"""The same bodies on PostgreSQL, which takes no NUL in a text: what is kept must not depend on the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.api.application import build
from hub.api.ingress import Ingress
from hub.api.metrics import Metrics
from hub.app import opened_hub
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from hub.store.clock import SystemClock
from tests.api.asgi import ask
from tests.api.bodies import READABLE, UNREADABLE
from tests.cli.site import SECRETS, SHOP, Site, shop_order, signed

pytestmark = pytest.mark.postgresql


def test_every_body_comes_to_a_stated_outcome(postgresql_url: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.edit("hub.yaml", "database: sqlite", f'database: "{postgresql_url}"')
    loaded = load_configuration(site.config, SECRETS)
    with opened_hub(Place(site.config, site.home), loaded, environ=SECRETS) as hub:
        application = build(Ingress(lambda: hub, SystemClock(), Metrics()), Metrics(), lambda: {"ready": True})
        names = {}
        for name, body in {**UNREADABLE, **READABLE}.items():
            answer = ask(application, "POST", f"/in/{SHOP}", pieces=[body], headers=signed(body))
            assert answer.status == 202, name
            names[answer.data["id"]] = name
        while hub.engine.parse() + hub.engine.apply():
            pass
        with hub.store.read() as snapshot:
            receipts = {names[row["id"]]: row for row in snapshot.rows("receipts", {})}
            for name, body in {**UNREADABLE, **READABLE}.items():
                assert snapshot.body(receipts[name]["body_id"]) == body, name
            unsettled = snapshot.rows("messages", {"state": ("stored", "claimed", "retry")})
        assert {name for name, row in receipts.items() if row["state"] == "unparsable"} == set(UNREADABLE)
        assert unsettled == []
    assert site.hub("verify").code == 0, site.hub("verify").out


def test_header_and_path_may_hold_what_a_database_does_not_take(postgresql_url: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.edit("hub.yaml", "database: sqlite", f'database: "{postgresql_url}"')
    loaded = load_configuration(site.config, SECRETS)
    body = json.dumps(shop_order()).encode()
    with opened_hub(Place(site.config, site.home), loaded, environ=SECRETS) as hub:
        application = build(Ingress(lambda: hub, SystemClock(), Metrics()), Metrics(), lambda: {"ready": True})
        for path, headers in (
            (f"/in/{SHOP}/a\x00b", {name: value for name, value in signed(body).items() if "topic" not in name}),
            (f"/in/{SHOP}", signed(body, **{"x-shopify-webhook-id": "a\x00b"})),
            (f"/in/{SHOP}", signed(body, **{"x-shopify-webhook-id": "\xff" * 5000})),
            (f"/in/{SHOP}/\udcff\ud800", {name: value for name, value in signed(body).items() if "topic" not in name}),
        ):
            answer = ask(application, "POST", path, pieces=[body], headers=headers)
            assert 200 <= answer.status < 500, (path, answer)
