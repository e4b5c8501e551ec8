"""Composition: opens a hub for a command, or serves one."""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.actions.table import act
from hub.api.application import build
from hub.api.ingress import Ingress, Intake
from hub.api.metrics import Metrics, Sample
from hub.domain.ids import IdSource
from hub.runtime.clock import SystemClock
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.control import ControlServer
from hub.runtime.database import database_address
from hub.runtime.hub import Hub, record_revision
from hub.runtime.place import Place
from hub.runtime.worker import Worker
from hub.sdk.ports import Clock
from hub.store.open import open_store
from hub.store.sql_store import SqlStore

log = logging.getLogger("hub.app")

ROLES = ("web", "worker", "scheduler")


@contextlib.contextmanager
def opened_store(place: Place, *, environ: Mapping[str, str], clock: Clock | None = None) -> Iterator[SqlStore]:
    """The database of a place, created and migrated if need be. Raises OwnerRunning."""
    ids = IdSource(random.SystemRandom())
    address = database_address(place.config, environ)
    store = open_store(address, home=place.home, clock=clock or SystemClock(), ids=ids)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def opened_hub(place: Place, *, environ: Mapping[str, str]) -> Iterator[Hub]:
    """A hub for one command: decides and stores, starts no threads and sends nothing by itself."""
    clock = SystemClock()
    loaded = load_configuration(place.config, environ)
    with opened_store(place, environ=environ, clock=clock) as store:
        hub = Hub(
            place,
            loaded,
            store,
            clock=clock,
            ids=IdSource(random.SystemRandom()),
            source=random.Random(),
            environ=environ,
            act=act,
        )
        record_revision(store, loaded, clock.now())
        hub.engine.start()
        yield hub


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve: `roles` of ROLES; `port` 0 takes a free one."""

    host: str
    port: int
    roles: tuple[str, ...] = ROLES
    senders: int = 8


class Server:
    """One process of the hub. The ingress answers (503, come again) before the database is open."""

    def __init__(self, place: Place, loaded: Loaded, environ: Mapping[str, str], serving: Serving) -> None:
        self._place = place
        self._loaded = loaded
        self._environ = environ
        self._serving = serving
        self._clock = SystemClock()
        self._metrics = Metrics()
        self._hub: Hub | None = None
        self._worker: Worker | None = None
        self._control: ControlServer | None = None
        self._stopping = threading.Event()
        self._started = time.monotonic()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let what is under way finish."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=self._adopt, daemon=True).start())
        web = self._listen() if "web" in self._serving.roles else None
        try:
            self._open()
            log.info("ready after %.2f s: %s", time.monotonic() - self._started, ", ".join(self._serving.roles))
            self._stopping.wait()
        finally:
            self._close(web)

    def _open(self) -> None:
        place, clock, loaded = self._place, self._clock, self._loaded
        ids = IdSource(random.SystemRandom())
        store = open_store(database_address(place.config, self._environ), home=place.home, clock=clock, ids=ids)
        log.info("database: %s", store.describe())
        hub = Hub(
            place,
            loaded,
            store,
            clock=clock,
            ids=ids,
            source=random.Random(),
            environ=self._environ,
            act=act,
        )
        record_revision(store, loaded, clock.now())
        recovered = {kind: count for kind, count in hub.engine.start().items() if count}
        if recovered:
            log.info("given back from an earlier run: %s", recovered)
        self._metrics.gauges(lambda: _gauges(hub))
        self._hub = hub
        self._control = ControlServer(place.home, hub.act)
        roles = self._serving.roles
        self._worker = Worker(
            lambda: hub.engine,
            store.wait,
            wake=store.wake,
            senders=self._serving.senders,
            failed=lambda: self._metrics.count("hub_worker_failures_total"),
        )
        self._worker.start(work="worker" in roles, scheduler="scheduler" in roles)

    def _listen(self) -> WebThread:
        limit = self._loaded.bundle.hub.web.max_body_bytes
        intake = Ingress(self._intake, self._clock, self._metrics, max_body_bytes=limit)
        application = build(intake, self._metrics, self._readiness)
        web = WebThread(application, self._serving.host, self._serving.port)
        log.info("listening on http://%s:%d", self._serving.host, web.port)
        return web

    def _intake(self) -> Intake | None:
        return None if self._stopping.is_set() else self._hub

    def _readiness(self) -> dict[str, Any]:
        hub = self._hub
        if hub is None:
            return {"ready": False, "why": "starting"}
        if self._stopping.is_set():
            return {"ready": False, "why": "stopping"}
        broken = hub.store.broken
        if broken:
            return {"ready": False, "why": broken}
        return {"ready": True, "revision": hub.loaded.bundle.revision[:12], "epoch": hub.store.epoch}

    def _adopt(self) -> None:
        from hub.config.findings import ConfigErrors

        if self._hub is None:
            return
        try:
            log.info("configuration: %s", self._hub.adopt()[1])
        except ConfigErrors as error:
            log.error("configuration not taken:\n%s", error)

    def _close(self, web: WebThread | None) -> None:
        self._stopping.set()
        if web is not None:
            web.stop()
        if self._worker is not None:
            self._worker.stop()
        if self._control is not None:
            self._control.close()
        if self._hub is not None:
            self._hub.close()


class WebThread:
    """uvicorn on a thread of its own, on a socket bound before it starts."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        import uvicorn

        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=15,
            server_header=False,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stop accepting, answer what is under way."""
        self._server.should_exit = True
        self._thread.join(20)


def _gauges(hub: Hub) -> list[Sample]:
    from hub.store.reading import open_reading
    from hub.views.work import counts, deliveries_by_destination

    address = database_address(hub.place.config, hub.environ)
    with open_reading(address, home=hub.place.home) as connection:
        state = counts(connection)
        deliveries = deliveries_by_destination(connection)
    samples: list[Sample] = []
    for name, label in (("receipts", "state"), ("messages", "state"), ("orders", "status")):
        samples += [(f"hub_{name}", ((label, key),), float(count)) for key, count in state[name].items()]
    samples += [("hub_exceptions_open", (("kind", key),), float(count)) for key, count in state["exceptions"].items()]
    by_key: dict[tuple[str, str], int] = {}
    for row in deliveries:
        key = (row["destination"], row["state"])
        by_key[key] = by_key.get(key, 0) + row["count"]
    samples += [
        ("hub_deliveries", (("destination", key[0]), ("state", key[1])), float(count)) for key, count in by_key.items()
    ]
    return samples
