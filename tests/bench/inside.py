"""A hub in this process, on a real SQLite file, its targets in this process too: no threads, no sockets.

For what a run of several processes cannot show: which statements an order takes, and what a profiler sees of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.actions.table import act
from hub.domain.ids import IdSource
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub, record_revision
from hub.runtime.place import Place
from hub.sdk.ports import Clock, HttpPort, HttpResponse
from hub.sdk.records import HttpAnswer, RawRequest
from hub.store.clock import SystemClock
from hub.store.open import open_store
from hub.transport.limits import Limits
from tests.bench.orders import shop_order, webhook
from tests.bench.sink import Sink
from tests.bench.site import ERP, SHOP, SHOP_SECRET, counted_shelves, environment, warehouses, write_flow_site

CALLS = 3


class _Wire:
    """HttpPort of every connection: the sink, without a socket."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def request(self, method: str, url: str, *, body: bytes = b"", **options: Any) -> HttpResponse:
        del method, options
        status, content_type, answer = self._sink.answer("", urlsplit(url).path, {}, body)
        return HttpResponse(status, {"content-type": content_type}, answer)


class InsideHub:
    """`orders` are numbered on from the last; each call of `take` is a batch that the hub works off to its end."""

    def __init__(self, hub: Hub, database: Path, taken: int) -> None:
        self.hub, self.database, self.taken = hub, database, taken
        self._source = random.Random(1)

    def take(self, orders: int) -> None:
        """Webhooks in, worked off until nothing is due any more."""
        for _ in range(orders):
            self.taken += 1
            headers, body = webhook(shop_order(self.taken, self._source, assortments=CALLS - 1), SHOP_SECRET)
            self.webhook(SHOP, "orders/create", headers, body)
        self.hub.engine.run_until_idle()

    def webhook(self, connection: str, topic: str | None, headers: Mapping[str, str], body: bytes) -> None:
        """Raises RuntimeError where it is not taken."""
        path = f"/in/{connection}" + (f"/{topic}" if topic else "")
        request = RawRequest("POST", path, "", dict(headers), body, self.hub.clock.now())
        decided = self.hub.decide(connection, topic, request)
        if isinstance(decided, HttpAnswer):
            raise RuntimeError(f"{connection} was answered {decided.status}")
        self.hub.accept_soon(decided).result()


@contextmanager
def inside(folder: Path, taken: int = 0) -> Iterator[InsideHub]:
    """The site of `flow` with its shelves counted, in `folder`; with `taken`, the one that stands there, after so many
    orders."""
    config, home = folder / "config", folder / "home"
    if not taken:
        write_flow_site(config, dict.fromkeys((ERP, *warehouses(CALLS)), 9), CALLS)
    environ = environment()
    loaded = load_configuration(config, environ)
    clock, source = SystemClock(), random.Random(7)
    ids = IdSource(random.Random(7))
    store = open_store("hub.db", home=home, clock=clock, ids=ids)
    sink = Sink(None)

    def http(connection: str, config: Mapping[str, Any], limits: Limits, clock: Clock) -> HttpPort:
        del connection, config, limits, clock
        return _Wire(sink)

    hub = Hub(
        Place(config, home), loaded, store, clock=clock, ids=ids, source=source, environ=environ, act=act, http=http
    )
    try:
        record_revision(store, loaded, clock.now())
        hub.engine.start()
        found = InsideHub(hub, home / "hub.db", taken)
        for name in () if taken else warehouses(CALLS):
            headers, body = counted_shelves(name)
            found.webhook(name, None, headers, body)
        hub.engine.run_until_idle()
        yield found
    finally:
        hub.close()
