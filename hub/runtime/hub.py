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
from hub.config.model import Retention as RetentionConfig
from hub.config.secrets import Secrets
from hub.domain.decision import Decision, DueTask, ExceptionClear, ExceptionRequest
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.engine import Engine
from hub.exchange.ingress import Signatures, respond
from hub.exchange.ingress import decide as take_in
from hub.exchange.ports import Accepted, NewReceipt
from hub.exchange.retention import Retention
from hub.exchange.schedules import Schedule
from hub.exchange.tasks import Again
from hub.exchange.tasks import Worker as TaskWorker
from hub.oms.desk.ahead import reading_ahead
from hub.oms.handlers import Handlers
from hub.oms.handlers import build as build_handlers
from hub.runtime.configuration import Loaded
from hub.runtime.connections import HttpFactory, RuntimeConnections, real_http
from hub.runtime.database import database_address
from hub.runtime.environment import with_env_file
from hub.runtime.levels import COMPARE_AT, Levels
from hub.runtime.levels import KIND as COMPARE
from hub.runtime.lint import checked_configuration
from hub.runtime.place import Place
from hub.runtime.revisions import (
    NoRevision,
    Why,
    active_revision,
    previous_revision,
    record_revision,
    refused_revision,
    revision_named,
)
from hub.runtime.rules import rules_of
from hub.sdk.ports import Clock
from hub.sdk.records import HttpAnswer, RawRequest
from hub.store.reading import open_reading
from hub.store.sql_store import SqlStore
from hub.transport.alerts import AlertSender

__all__ = ["Act", "Busy", "Hub", "record_revision", "schedules_of", "short"]

log = logging.getLogger("hub.runtime")

COMMIT_ROUNDS = 20
SIGNAL = Why("hub", "config.apply", "SIGHUP")
ALERTS_EVERY_SECONDS = 60.0
RETENTION_AT = "40 3 * * *"
KINDS_OF_BODIES = ("receipt", "message", "reply", "attempt", "delivery")
ERASED_AT_ONCE = 500
ANSWERS_KEPT = dt.timedelta(days=2)
"""A request with an Idempotency-Key gets its first answer again for one day."""

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
        self._not_here: str | None = None
        self.url: str | None = None  # where this process answers, if it does
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
        self.levels = Levels(self.store, connections, self.rules, self.clock, self.ids)
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
            preload=reading_ahead(self.rules),
            workers={**retention_workers(self.store, self.clock, hub.retention), COMPARE: self.levels.run},
            queries=handlers.queries,
        )
        return engine, handlers, connections

    # What the ingress needs.

    def decide(self, connection: str, topic: str | None, request: RawRequest) -> NewReceipt | HttpAnswer:
        return take_in(self.connections, self._signatures, connection, topic, request)

    def respond(self, connection: str, request: RawRequest) -> HttpAnswer | None:
        return respond(self.connections, connection, request)

    def accept_soon(self, receipt: NewReceipt) -> Future[Accepted]:
        return self.store.accept_soon(receipt)

    def hand_in(self, receipt: NewReceipt, told: Callable[[Any, Exception | None], None]) -> None:
        self.store.hand_in(receipt, told)

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

    def adopt(self, why: Why = SIGNAL) -> tuple[bool, str]:
        """Load the configuration again. (changed, words). A bad one raises an exception for people."""
        with self._adopting:
            try:
                self._read_new_variables()
                loaded = checked_configuration(self.place.config, self.environ)
            except ConfigErrors as error:
                self.tell_bad(error)
                raise
            self._clear_bad()
            revision = loaded.bundle.revision
            with self.store.read() as snapshot:
                active, refused = active_revision(snapshot), refused_revision(snapshot)
            if revision == self.loaded.bundle.revision == active and refused != revision:
                return False, f"nothing changed, revision {short(revision)}"
            self._switch(loaded, why)
            return True, f"adopted revision {short(revision)}"

    def _read_new_variables(self) -> None:
        """Take up what .env has got since the start, as the secrets of a connection that is new; what was set stays."""
        self.environ = with_env_file(self.place.config, self.environ)

    def roll_back(self, name: str | None, why: Why) -> str:
        """Make a stored revision the active one, by default the one before; its name.

        The files stay as they are, and what they say now is not adopted by a start, only by `adopt`. Raises NoRevision,
        and ConfigErrors where the revision does not fit present connectors or variables.
        """
        with self._adopting:
            with self.store.read() as snapshot:
                active, wanted = active_revision(snapshot), name or previous_revision(snapshot)
            if wanted is None:
                raise NoRevision("there is no revision before the present one")
            loaded = self._stored(wanted)
            if loaded.bundle.revision == active:
                raise NoRevision(f"{short(active)} is in force already")
            self._switch(loaded, why, refuse=active)
            return loaded.bundle.revision

    def follow(self) -> str | None:
        """Adopt what another process of this hub has made active; the revision's short name if it was new here.

        The files here must say the same, unless a person rolled back to a stored revision: where they do not, this
        process goes on as it is.
        """
        with self.store.read() as snapshot:
            active, refused = active_revision(snapshot), refused_revision(snapshot)
        if active in (None, self.loaded.bundle.revision, self._not_here):
            return None
        with self._adopting:
            try:
                self._read_new_variables()
                loaded = checked_configuration(self.place.config, self.environ)
                if refused is not None and loaded.bundle.revision == refused:
                    loaded = self._stored(str(active))
            except (ConfigErrors, NoRevision):
                loaded = None
            if loaded is None or loaded.bundle.revision != active:
                log.warning("revision %s is active, but the files of this process say otherwise", short(active))
                self._not_here = active
                return None
            self._take(loaded)
            return short(active)

    def _stored(self, name: str) -> Loaded:
        with open_reading(database_address(self.place.config, self.environ), home=self.place.home) as connection:
            return revision_named(connection, name, self.place.home, self.environ)

    def _switch(self, loaded: Loaded, why: Why, *, refuse: str | None = None) -> None:
        record_revision(self.store, loaded, self.clock.now(), why, refuse=refuse)
        self._take(loaded)

    def _take(self, loaded: Loaded) -> None:
        self.rules = rules_of(loaded.bundle)
        self.engine, self.handlers, self.connections = self._assemble(loaded)
        self.engine.gates.restore()
        self.loaded = loaded
        self._not_here = None

    def tell_bad(self, error: ConfigErrors) -> None:
        """Open the exception that says why the files were not taken."""
        request = ExceptionRequest(
            cause_key="configuration",
            kind="configuration",
            title="The configuration has faults and was not taken",
            detail=str(error),
            next_step=f"The hub goes on with revision {short(self.loaded.bundle.revision)}, the last good one",
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


def short(revision: str | None) -> str:
    """As people read it."""
    return (revision or "none")[:12]


def _tell_signature(connection: str, why: str, number: int) -> None:
    log.warning("%s: a webhook's signature was refused (%d so far): %s", connection, number, why)


def schedules_of(bundle: Bundle) -> tuple[Schedule, ...]:
    """Polls as configured, alerts each minute, every night what was kept too long and what channels show of stock."""
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
    return (
        *polls,
        Schedule(id="alerts", kind="alerts", subject="alerts", every_seconds=ALERTS_EVERY_SECONDS),
        Schedule(id="retention", kind="retention", subject="bodies", cron=RETENTION_AT),
        Schedule(id="personal_data", kind="personal_data", subject="contacts", cron=RETENTION_AT),
        *(
            Schedule(id=f"{COMPARE}/{connection.id}", kind=COMPARE, subject=connection.id, cron=COMPARE_AT)
            for connection in bundle.offering("push_inventory")
        ),
    )


def retention_workers(store: SqlStore, clock: Clock, config: RetentionConfig) -> dict[str, TaskWorker]:
    """Erase by the configured ages, in chunks."""
    days = config.receipts.total_seconds() / 86_400
    bodies = Retention(store, clock, dict.fromkeys(KINDS_OF_BODIES, days))

    def people(_: DueTask) -> Again | None:
        now = clock.now()
        erased = store.erase_people(now - config.personal_data_after_delivery, ERASED_AT_ONCE)
        forgotten = store.forget_answers(now - ANSWERS_KEPT, ERASED_AT_ONCE)
        return Again(0.0) if ERASED_AT_ONCE in (erased, forgotten) else None

    return {"retention": bodies.run, "personal_data": people}
