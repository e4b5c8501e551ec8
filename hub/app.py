"""Composition: opens a hub for a command, or serves one."""

from __future__ import annotations

import contextlib
import gc
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
from hub.api.ingress import Application, Ingress
from hub.api.later import Later
from hub.api.metrics import Metrics, Sample
from hub.config.findings import ConfigErrors
from hub.domain.ids import IdSource
from hub.exchange.ports import StoreUnavailable
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.control import serve_actions
from hub.runtime.database import database_address, is_postgres
from hub.runtime.hub import Hub
from hub.runtime.mapping_check import mapping_findings
from hub.runtime.place import Place
from hub.runtime.revisions import active_revision, keep_revision, last_good, record_revision, refused_revision
from hub.runtime.worker import Worker
from hub.sdk.ports import Clock
from hub.store.clock import SystemClock
from hub.store.control import ControlServer
from hub.store.open import open_store
from hub.store.reading import ReadingPool
from hub.store.sql_store import SqlStore

log = logging.getLogger("hub.app")

ROLES = ("web", "worker", "scheduler")
FOLLOW_SECONDS = 2.0
"""How often a process on PostgreSQL looks which revision is active."""


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
def opened_hub(place: Place, loaded: Loaded, *, environ: Mapping[str, str]) -> Iterator[Hub]:
    """A hub for one command: decides and stores, starts no threads and sends nothing by itself.

    The revision it runs under is kept; only `config.apply` and the start of a hub make one the active one.
    """
    clock = SystemClock()
    with opened_store(place, environ=environ, clock=clock) as store:
        hub = _hub(place, loaded, store, clock, environ)
        keep_revision(store, loaded, clock.now())
        hub.engine.start()
        yield hub


def _hub(place: Place, loaded: Loaded, store: SqlStore, clock: Clock, environ: Mapping[str, str]) -> Hub:
    ids = IdSource(random.SystemRandom())
    return Hub(place, loaded, store, clock=clock, ids=ids, source=random.Random(), environ=environ, act=act)


def loaded_or_last_good(place: Place, environ: Mapping[str, str]) -> tuple[Loaded, ConfigErrors | None]:
    """The files' configuration; where they have faults the last good one from the database, and the faults.

    Raises ConfigErrors where no hub ever ran on this data.
    """
    try:
        loaded = load_configuration(place.config, environ)
    except ConfigErrors as error:
        stored = stored_configuration(place, environ)
        if stored is None:
            raise
        return stored, error
    return _unless_refused(loaded, place, environ), None


def _unless_refused(loaded: Loaded, place: Place, environ: Mapping[str, str]) -> Loaded:
    """The files' configuration, or the active one where a person went back from what the files still say."""
    from hub.store.reading import NoDatabase, open_reading
    from hub.views.revisions import refused

    try:
        with open_reading(database_address(place.config, environ), home=place.home) as connection:
            gone_back = refused(connection) == loaded.bundle.revision
            return (last_good(connection, place.home, environ) or loaded) if gone_back else loaded
    except NoDatabase:
        return loaded
    except ConfigErrors as error:
        log.warning("the revision that was gone back to cannot be used any more: %s", error)
        return loaded


def stored_configuration(place: Place, environ: Mapping[str, str]) -> Loaded | None:
    """The last good revision; None where there is none, or none that could run now."""
    from hub.store.reading import NoDatabase, open_reading

    try:
        with open_reading(database_address(place.config, environ), home=place.home) as connection:
            return last_good(connection, place.home, environ)
    except (NoDatabase, ConfigErrors) as error:
        log.warning("there is no last good configuration to go on with: %s", error)
        return None


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve: `roles` of ROLES; `port` 0 takes a free one."""

    host: str
    port: int
    roles: tuple[str, ...] = ROLES
    senders: int = 8


class Server:
    """One process of the hub. The ingress answers (503, come again) before the database is open."""

    def __init__(
        self,
        place: Place,
        loaded: Loaded,
        environ: Mapping[str, str],
        serving: Serving,
        faults: ConfigErrors | None = None,
    ) -> None:
        """`faults`: what is wrong with the files, where `loaded` is therefore the last good revision."""
        self._place = place
        self._loaded = loaded
        self._faults = faults
        self._environ = environ
        self._serving = serving
        self._clock = SystemClock()
        self._metrics = Metrics()
        self._hub: Hub | None = None
        self._worker: Worker | None = None
        self._control: ControlServer | None = None
        self._api = Later(self._make_api)
        self._pages = Later(self._make_pages)
        self._views: ReadingPool | None = None
        self._views_lock = threading.Lock()
        self._url: str | None = None
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
            # What is loaded by now stays: collections need not look at it again, and a batch's many short-lived objects
            # need not start one.
            gc.freeze()
            gc.set_threshold(10_000, 20, 50)
            log.info("ready after %.2f s: %s", time.monotonic() - self._started, ", ".join(self._serving.roles))
            self._stopping.wait()
        finally:
            self._close(web)

    def _open(self) -> None:
        place, clock = self._place, self._clock
        address = database_address(place.config, self._environ)
        store = open_store(address, home=place.home, clock=clock, ids=IdSource(random.SystemRandom()))
        log.info("database: %s", store.describe())
        loaded = self._checked(store)
        hub = _hub(place, loaded, store, clock, self._environ)
        record_revision(store, loaded, clock.now())
        if self._faults is not None:
            log.error("the configuration has faults; going on with the last good one:\n%s", self._faults)
            hub.tell_bad(self._faults)
        recovered = {kind: count for kind, count in hub.engine.start().items() if count}
        if recovered:
            log.info("given back from an earlier run: %s", recovered)
        self._metrics.gauges(lambda: _gauges(hub))
        if is_postgres(address):
            # Several processes share the database: commands open it themselves, and this one follows what they adopt.
            threading.Thread(target=self._follow, args=(hub,), name="follow", daemon=True).start()
        else:
            self._control = serve_actions(place.home, hub.act)
        roles = self._serving.roles
        self._worker = Worker(
            lambda: hub.engine,
            store.wait,
            wake=store.wake,
            senders=self._serving.senders,
            apart=is_postgres(address),
            failed=lambda: self._metrics.count("hub_worker_failures_total"),
            worked=lambda: self._metrics.count("hub_worker_rounds_total"),
        )
        self._worker.start(work="worker" in roles, scheduler="scheduler" in roles)
        # Ready only now: whoever sees it may talk to the control socket at once.
        self._hub = hub
        if "web" in roles:
            hub.url = self._url
            self._api.begin()
            self._pages.begin()

    def _checked(self, store: SqlStore) -> Loaded:
        """A revision that was not the active one has its mappings compiled before anything runs under it."""
        loaded = self._loaded
        with store.read() as snapshot:
            active, refused = active_revision(snapshot), refused_revision(snapshot)
        if refused == loaded.bundle.revision != active:
            stored = stored_configuration(self._place, self._environ)
            if stored is not None:
                log.warning("the files say what was rolled back; going on with %s until `hub config apply`", active)
                return stored
        known = active == loaded.bundle.revision
        findings = [] if known else mapping_findings(loaded)
        if not findings:
            return loaded
        faults = ConfigErrors(findings)
        stored = stored_configuration(self._place, self._environ)
        if stored is None:
            store.close()
            raise faults
        self._faults = faults
        return stored

    def _listen(self) -> WebThread:
        limit = self._loaded.bundle.hub.web.max_body_bytes
        intake = Ingress(self._intake, self._clock, self._metrics, max_body_bytes=limit)
        application = build(intake, self._metrics, self._readiness, api=self._api, rest=self._pages)
        web = WebThread(application, self._serving.host, self._serving.port)
        host = self._serving.host
        self._url = f"http://[{host}]:{web.port}" if ":" in host else f"http://{host}:{web.port}"
        log.info("listening on %s", self._url)
        return web

    def _intake(self) -> Hub | None:
        return None if self._stopping.is_set() else self._hub

    def _make_api(self) -> Application:
        from hub.api.surface import build as build_api  # connexion takes seconds to import

        limit = self._loaded.bundle.hub.web.max_body_bytes
        return build_api(self._intake, self._pool, self._clock, max_body_bytes=limit)

    def _make_pages(self) -> Application:
        from hub.web.site import build as build_pages

        return build_pages(self._intake, self._pool)

    def _pool(self) -> ReadingPool:
        """What the API and the dashboard read from."""
        with self._views_lock:
            if self._views is None:
                address = database_address(self._place.config, self._environ)
                self._views = ReadingPool(address, home=self._place.home)
            return self._views

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
        if self._hub is None:
            return
        try:
            log.info("configuration: %s", self._hub.adopt()[1])
        except ConfigErrors as error:
            log.error("configuration not taken:\n%s", error)

    def _follow(self, hub: Hub) -> None:
        while not self._stopping.wait(FOLLOW_SECONDS):
            try:
                adopted = hub.follow()
            except StoreUnavailable as error:
                log.warning("cannot see which configuration is active: %s", error)
                continue
            if adopted is not None:
                log.info("configuration: adopted revision %s, which another process made active", adopted)

    def _close(self, web: WebThread | None) -> None:
        self._stopping.set()
        if web is not None:
            web.stop()
        if self._worker is not None:
            self._worker.stop()
        if self._control is not None:
            self._control.close()
        if self._views is not None:
            self._views.close()
        if self._hub is not None:
            self._hub.close()


class CannotListen(Exception):
    """The address is taken, not ours, or not allowed."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"Cannot listen on {host}:{port}: {why}")


class WebThread:
    """uvicorn on a thread of its own, on a socket bound before it starts."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        import uvicorn

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise CannotListen(host, port, error.strerror or str(error)) from error
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=15,
            server_header=False,
            lifespan="off",
            proxy_headers=False,  # nothing here asks who the client is
            ws="none",
        )
        self._server = uvicorn.Server(config)
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
