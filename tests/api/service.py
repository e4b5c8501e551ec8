"""The API of a hub of its own: asked in process, or served on loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hub.api.application import build
from hub.api.ingress import Application, Ingress
from hub.api.metrics import Metrics
from hub.api.surface import build as build_api
from hub.app import WebThread, opened_hub
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.database import database_address
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.store.clock import SystemClock
from hub.store.reading import ReadingPool
from tests.api.asgi import Answer, ask
from tests.cli.site import SECRETS, Site

DESK = "phone-desk"
CONFIG = Path(__file__).resolve().parent / "config"
LIMIT = 500_000
ADMINISTRATOR = "the administrator's key"
PROBLEM = "application/problem+json"


class DeskSite(Site):
    """A shop, a warehouse, an ERP, and a channel whose orders come by the API."""

    def __init__(self, folder: Path, environ: Mapping[str, str] = SECRETS) -> None:
        self.config, self.home = folder / "config", folder / "home"
        self.environ = dict(environ)
        shutil.copytree(CONFIG, self.config)
        self.home.mkdir(parents=True, exist_ok=True)


def an_order(external_id: str = "PHONE-1", **changes: object) -> dict[str, Any]:
    """In canonical form, of goods that the demo knows."""
    lines = [{"external_line_id": "1", "sku": "SKU-001", "quantity": "2", "unit_price": "9.95"}]
    order: dict[str, Any] = {
        "external_id": external_id,
        "number": external_id,
        "placed_at": "2026-11-20T09:30:00+01:00",
        "currency": "USD",
        "payment_state": "paid",
        "ship_to": {
            "name": "A. Buyer",
            "lines": ["1 Main St"],
            "locality": "Newark",
            "admin_area_code": "NJ",
            "admin_area": "New Jersey",
            "postal_code": "07101",
            "country": "US",
        },
        "lines": lines,
        "totals": {"total": "19.90"},
    }
    return {**order, **changes}


@dataclass
class Service:
    """`asking` with the key of an administrator unless another is given."""

    site: Site
    hub: Hub
    application: Application
    tokens: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def key(self, *scopes: str) -> str:
        """A key with these scopes, made once."""
        name = " ".join(sorted(scopes))
        if name not in self.tokens:
            made = self.hub.act(
                "keys.create", {"who": "test", "name": f"key {len(self.tokens)}", "scopes": list(scopes)}
            )
            self.tokens[name] = made["token"]
        return self.tokens[name]

    def asking(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = ADMINISTRATOR,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Answer:
        """`key` None sends none; a body that is no bytes is sent as JSON."""
        sent = dict(headers or {})
        token = self.key("admin") if key is ADMINISTRATOR else key
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if raw:
            sent = {"content-type": "application/json", "content-length": str(len(raw)), **sent}
        path, _, given = path.partition("?")
        return ask(self.application, method, path, pieces=[raw], headers=sent, query=given or urlencode(query))

    def get(self, path: str, **query: object) -> Any:
        """What a path holds; it must be there."""
        answer = self.asking("GET", f"{path}?{urlencode(query)}" if query else path)
        assert answer.status == 200, answer.body
        return answer.data

    def post(self, path: str, body: object = None, *, once: str = "", **headers: str) -> Answer:
        """With an Idempotency-Key of its own unless one is given."""
        self.made += 1
        return self.asking("POST", path, body, headers={"idempotency-key": once or f"request-{self.made}", **headers})

    def write(self, order: dict[str, Any] | None = None, *, once: str = "") -> dict[str, Any]:
        """An order, taken."""
        answer = self.post("/v1/orders", order or an_order(), once=once)
        assert answer.status in (200, 201), answer.body
        return answer.data

    @contextmanager
    def served(self) -> Iterator[str]:
        """On loopback, by the server that the hub itself uses."""
        web = WebThread(self.application, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{web.port}"
        finally:
            web.stop()


def configured(folder: Path, environ: Mapping[str, str]) -> Loaded:
    return load_configuration(DeskSite(folder, environ).config, environ)


@contextmanager
def a_service(
    folder: Path, loaded: Loaded, template: Path | None, environ: Mapping[str, str], database: str = ""
) -> Iterator[Service]:
    """On a database of its own: a copy of the template, or the one at an address."""
    site = DeskSite(folder, environ)
    if template is not None:
        shutil.copy(template, site.home / "hub.db")
    else:
        site.edit("hub.yaml", "database: sqlite", f'database: "{database}"')
    place = Place(site.config, site.home)
    with opened_hub(place, loaded, environ=environ) as hub:
        views = ReadingPool(database_address(site.config, environ), home=site.home)
        api = build_api(lambda: hub, lambda: views, SystemClock(), max_body_bytes=LIMIT)
        ingress = Ingress(lambda: hub, SystemClock(), Metrics(), max_body_bytes=LIMIT)
        yield Service(site, hub, build(ingress, Metrics(), lambda: {"ready": True}, api=api))
        views.close()


def problem_of(answer: Answer, status: int, kind: str) -> dict[str, Any]:
    """The problem that an answer is."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == PROBLEM
    found = answer.data
    assert found["type"] == f"/docs/problems/{kind}"
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["hint"]
    return found
