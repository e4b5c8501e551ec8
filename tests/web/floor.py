"""A hub with something on every page, its dashboard served on loopback, and visitors who look at it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import requests

from hub.api.application import build
from hub.api.ingress import Ingress
from hub.api.metrics import Metrics
from hub.app import WebThread
from hub.domain.writeset import WriteSet
from hub.runtime.hub import Hub
from hub.store.clock import SystemClock
from hub.store.reading import ReadingPool
from hub.web.site import build as build_pages
from tests.api.service import Service, an_order
from tests.cli.site import SHOP, shop_order

SECONDS = 20
MORE_ORDERS = 8
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
MARKUP = ("<img src=x", "<script>alert")


class Visitor:
    """A browser without JavaScript: keeps cookies, follows redirects, fills the forms that a page has."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def get(self, path: str, *, follow: bool = True, **query: str) -> requests.Response:
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        return self.session.get(address, timeout=SECONDS, allow_redirects=follow)

    def page(self, path: str, **query: str) -> str:
        """A page that must be there."""
        answer = self.get(path, follow=True, **query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-400:])
        return answer.text

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> requests.Response:
        return self.session.post(f"{self.url}{path}", data=dict(fields), headers=headers, timeout=SECONDS)

    def csrf(self, path: str = "/") -> str:
        """What the forms of a page carry."""
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def press(self, page: str, action: str, **fields: str) -> requests.Response:
        """Fill and send the form of a page that goes to `action`; the page must have it."""
        text = self.get(page).text
        assert f'action="{action}"' in unescape(text), f"{page} has no form for {action}"
        return self.post(action, {"csrf": self.csrf(page), **fields})

    def log_in(self, key: str) -> requests.Response:
        return self.post("/login", {"key": key})


@dataclass
class Floor:
    """`orders` by state, `deliveries` by state; `hostile` is an order whose every text is markup."""

    hub: Hub
    service: Service
    url: str
    orders: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, str] = field(default_factory=dict)
    hostile: str = ""

    def visitor(self, *scopes: str) -> Visitor:
        """Logged in with a key that has these scopes, by default everything."""
        visitor = Visitor(self.url)
        answer = visitor.log_in(self.service.key(*(scopes or ("admin",))))
        assert answer.status_code in (200, 403), answer.text
        return visitor

    def rows(self, table: str, **where: object) -> list[dict[str, Any]]:
        with self.hub.store.read() as snapshot:
            return snapshot.rows(table, where)

    def set(self, table: str, row_id: str, **values: object) -> None:
        writes = WriteSet()
        writes.update(table, {"id": row_id}, values)
        self.hub.store.apply([writes])

    def order(self, external_id: str, **changes: object) -> str:
        """Written by the API, on a thread of its own: a browser's loop runs on the test's."""
        with ThreadPoolExecutor(1) as apart:
            return str(apart.submit(self.service.write, an_order(external_id, **changes)).result()["order"])

    def act(self, action: str, **arguments: object) -> dict[str, Any]:
        return self.hub.act(action, {"who": "test", **arguments})


@contextmanager
def a_floor(service: Service, database: str = "sqlite:///hub.db") -> Iterator[Floor]:
    pool = ReadingPool(database, home=service.site.home)
    intake = Ingress(lambda: service.hub, SystemClock(), Metrics(), max_body_bytes=1_000_000)
    pages = build_pages(lambda: service.hub, lambda: pool)
    application = build(intake, Metrics(), lambda: {"ready": True}, rest=pages)
    web = WebThread(application, "127.0.0.1", 0)
    try:
        yield Floor(service.hub, service, f"http://127.0.0.1:{web.port}")
    finally:
        web.stop()
        pool.close()


def furnished(floor: Floor, states: Mapping[str, str], of_deliveries: Mapping[str, str]) -> None:
    """An order in every state, a delivery in every state, exceptions, stock, a parked message."""
    items = [{"sku": "SKU-001"}, {"sku": HOSTILE}]
    floor.act("import.items", file=str(floor.service.site.write("items.json", items)))
    floor.act("inventory.adjust", sku="SKU-001", location="dc-east", delta="500", reason=HOSTILE)
    for number, state in enumerate(states):
        floor.orders[state] = floor.order(f"PHONE-{number}", number=f"P{number}")
    for number in range(MORE_ORDERS):
        floor.order(f"MORE-{number}")
    floor.hub.engine.run_until_idle(80)
    waiting = sorted(row["id"] for row in floor.rows("deliveries"))
    for state, delivery in zip(of_deliveries, waiting, strict=False):
        floor.set("deliveries", delivery, state=state)
        floor.deliveries[state] = delivery
    for state, order in floor.orders.items():
        floor.set("orders", order, status=state)
    line = {"external_line_id": HOSTILE, "sku": HOSTILE + "?", "quantity": "1", "unit_price": "1", "title": HOSTILE}
    buyer = {"name": HOSTILE, "lines": [HOSTILE], "locality": HOSTILE, "country": "US"}
    floor.hostile = floor.order(HOSTILE, number=HOSTILE, lines=[line], ship_to=buyer, buyer={"name": HOSTILE})
    floor.act("orders.hold", reference=floor.hostile, reason=HOSTILE)
    odd = shop_order(9, currency=None)
    floor.act("ingest", connection=SHOP, files=[str(floor.service.site.write(f"{quote('<b>')}.json", odd))])
    floor.act("ingest", connection=SHOP, files=[str(floor.service.site.write("broken.json", b"<script>alert(2)"))])


def handed_over(floor: Floor) -> str:
    """An order of two whose buyer has it."""
    floor.act("import.items", file=str(floor.service.site.write("items.json", [{"sku": "SKU-001"}])))
    floor.act("inventory.adjust", sku="SKU-001", location="store-14", delta="9", reason="counted")
    order = floor.order("PICK-2", method="pickup", pickup_location="store-14")
    floor.hub.engine.run_until_idle(30)
    (work,) = floor.rows("fulfilment_orders", order_id=order)
    floor.act("work.report", fulfilment_order=work["id"], status="handed_over")
    return order
