"""The hub, put together: configuration, store, connections, rules, the exchange's engine; one object a process."""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from hub.config.findings import ConfigErrors
from hub.config.model import Bundle, HubConfig
from hub.config.secrets import Secrets
from hub.domain.decision import Decision, ExceptionClear, ExceptionRequest
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.engine import Engine
from hub.exchange.ingress import Signatures, respond
from hub.exchange.ingress import decide as take_in
from hub.exchange.ports import Accepted, NewReceipt
from hub.exchange.schedules import Schedule
from hub.oms.handlers import Handlers
from hub.oms.handlers import build as build_handlers
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.connections import HttpFactory, RuntimeConnections, real_http
from hub.runtime.place import Place
from hub.runtime.rules import rules_of
from hub.sdk.ports import Clock
from hub.sdk.records import HttpAnswer, RawRequest
from hub.store.sql_store import SqlStore
from hub.transport.alerts import AlertSender

log = logging.getLogger("hub.runtime")

COMMIT_ROUNDS = 20
ALERTS_EVERY_SECONDS = 60.0

Act = Callable[["Hub", str, dict[str, Any]], Mapping[str, Any]]


class Busy(Exception):
    """The rows a person wanted to change kept changing; nothing was done."""


class Hub:
    """Everything of one process. `adopt` swaps the configuration between batches; a bad one changes nothing."""

    def __init__(
        self,
        place: Place,
        loaded: Loaded,
        store: SqlStore,
        *,
        clock: Clock,
        ids: IdSource,
        source: random.Random,
        environ: Mapping[str, str],
        act: Act,
        http: HttpFactory = real_http,
    ) -> None:
        self.place = place
        self.store = store
        self.clock = clock
        self.ids = ids
        self._random = source
        self.environ = environ
        self._act = act
        self._http = http
        self._adopting = threading.Lock()
        self._signatures = Signatures(_tell_signature)
        self.loaded = loaded
        self.rules = rules_of(loaded.bundle)
        self.engine, self.handlers, self.connections = self._assemble(loaded)

    def _alert_port(self, config: HubConfig) -> AlertSender:
        return AlertSender(config.alerts, Secrets(self.environ), name=config.seller.name)

    def _assemble(self, loaded: Loaded) -> tuple[Engine, Handlers, RuntimeConnections]:
        connections = RuntimeConnections(
            loaded.bundle, loaded.registry, loaded.library, self.clock, self.environ, http=self._http
        )
        handlers = build_handlers(self.rules)
        hub = loaded.bundle.hub
        engine = Engine(
            self.store,
            connections,
            handlers,
            connections.renderer(),
            clock=self.clock,
            ids=self.ids,
            source=self._random,
            schedules=schedules_of(loaded.bundle),
            alert_port=self._alert_port(hub) if hub.alerts.to else None,
            alert_after_seconds=hub.alerts.after.total_seconds(),
        )
        return engine, handlers, connections

    # What the ingress needs.

    def decide(self, connection: str, topic: str | None, request: RawRequest) -> NewReceipt | HttpAnswer:
        return take_in(self.connections, self._signatures, connection, topic, request)

    def respond(self, connection: str, request: RawRequest) -> HttpAnswer | None:
        return respond(self.connections, connection, request)

    def accept_soon(self, receipt: NewReceipt) -> Future[Accepted]:
        return self.store.accept_soon(receipt)

    # What people and the command line need.

    def act(self, action: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one thing of hub.actions; `who` is among the arguments. Raises ActionRefused."""
        return dict(self._act(self, action, arguments))

    def commit(self, compute: Callable[[Writer], WriteSet], cause: str) -> None:
        """Compute on a snapshot and apply; again when somebody changed the rows meanwhile. Raises Busy."""
        for _ in range(COMMIT_ROUNDS):
            with self.store.read() as snapshot:
                writes = compute(self.writer(snapshot, cause))
            if self.store.apply([writes])[0].applied is Applied.APPLIED:
                return
        raise Busy(f"{cause}: the rows keep changing")

    def commit_decision(self, decide: Callable[[Snapshot, dt.datetime], Decision], cause: str) -> Decision:
        """As `commit`, for decisions of the OMS; the one that was applied."""
        taken: list[Decision] = []

        def compute(writer: Writer) -> WriteSet:
            decision = decide(writer.snapshot, writer.now)
            taken[:] = [decision]
            return decision_rows(decision, writer)

        self.commit(compute, cause)
        return taken[0]

    def writer(self, snapshot: Snapshot, cause: str) -> Writer:
        return Writer(snapshot, self.connections, self.connections.renderer(), self.ids, self.clock.now(), cause)

    # Configuration.

    def adopt(self) -> tuple[bool, str]:
        """Load the configuration again. (changed, words). A bad one raises an exception for people."""
        with self._adopting:
            try:
                loaded = load_configuration(self.place.config, self.environ)
            except ConfigErrors as error:
                self._tell_bad(error)
                raise
            self._clear_bad()
            if loaded.bundle.revision == self.loaded.bundle.revision:
                return False, f"nothing changed, revision {loaded.bundle.revision[:12]}"
            record_revision(self.store, loaded, self.clock.now())
            self.rules = rules_of(loaded.bundle)
            self.engine, self.handlers, self.connections = self._assemble(loaded)
            self.engine.gates.restore()
            self.loaded = loaded
            return True, f"adopted revision {loaded.bundle.revision[:12]}"

    def _tell_bad(self, error: ConfigErrors) -> None:
        request = ExceptionRequest(
            cause_key="configuration",
            kind="configuration",
            title="The configuration has faults and was not taken",
            detail=str(error),
            next_step="The hub goes on with the last good revision",
            hint="Mend the files and run `hub config apply`",
            subject_kind="connection",
            subject_id="configuration",
            owner="it",
        )
        self.commit_decision(lambda _s, _n: Decision(exceptions=[request]), "config.apply")

    def _clear_bad(self) -> None:
        clear = ExceptionClear("configuration", "connection", "configuration", "config.apply")
        self.commit_decision(lambda _s, _n: Decision(clears=[clear]), "config.apply")

    def close(self) -> None:
        self.store.close()


def _tell_signature(connection: str, why: str, number: int) -> None:
    log.warning("%s: a webhook's signature was refused (%d so far): %s", connection, number, why)


def schedules_of(bundle: Bundle) -> tuple[Schedule, ...]:
    """Polls as configured, alerts each minute."""
    polls = [
        Schedule(
            id=f"poll/{connection.id}/{stream.name}",
            kind="poll",
            subject=f"{connection.id}|{stream.name}",
            payload={"connection": connection.id, "stream": stream.name},
            every_seconds=stream.poll.every.total_seconds(),
        )
        for connection in bundle.connections.values()
        for stream in connection.streams.values()
        if stream.poll is not None
    ]
    return (*polls, Schedule(id="alerts", kind="alerts", subject="alerts", every_seconds=ALERTS_EVERY_SECONDS))


def record_revision(store: SqlStore, loaded: Loaded, now: dt.datetime) -> None:
    """Keep the revision's bundle and make it the active one."""
    bundle = loaded.bundle
    writes = WriteSet()
    writes.insert(
        "revisions",
        {"hash": bundle.revision, "bundle": bundle.blob, "versions": {}, "created_at": now},
        ignore=True,
    )
    with store.read() as snapshot:
        known = snapshot.row("settings", {"name": "active_revision"})
    row = {"name": "active_revision", "value": bundle.revision, "updated_at": now}
    if known is None:
        writes.insert("settings", row, ignore=True)
    else:
        writes.update("settings", {"name": "active_revision"}, {"value": bundle.revision, "updated_at": now})
    store.apply([writes])
