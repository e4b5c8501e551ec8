"""A whole exchange on a real store in memory, with a clock that tests move and systems that tests script."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.domain.decision import Decision, EffectRequest, Incoming, MessageHandler, QueryHandler, TaskHandler, Verdict
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.connections import ConnectionView, Identity, Mapped, Rendered, StreamView
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.engine import Engine
from hub.exchange.mappings import ENTITY_FIELD
from hub.exchange.ports import NewReceipt
from hub.exchange.schedules import Schedule
from hub.mapping.errors import MappingError
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.manifest import CapabilityInfo, Manifest
from hub.sdk.records import Effect, Found, NotFound, Reply, Unsure
from hub.store.open import SimulatedDatabase
from hub.store.sql_store import SqlStore
from hub.store.writer import Hooks
from tests.conftest import START, SettableClock


class Crash(BaseException):
    """The process ends here; nothing catches it."""


class Plain:
    """A mapping that takes a record as it is; `broken` makes it fail as a wrong mapping would."""

    def __init__(self, stream: str) -> None:
        self._entity = ENTITY_FIELD.get(stream, "external_id")
        self.broken = False
        self.runs = 0

    def identify(self, tree: Any) -> Identity:
        return Identity(tree.get(self._entity), tree.get("scope", ""), tree.get("source_version"), tree.get("fact_key"))

    def run(self, tree: Any) -> Mapped:
        self.runs += 1
        if self.broken or tree.get("bad"):
            raise MappingError("currency", "required", "currency is missing")
        return Mapped({name: value for name, value in tree.items() if name != "bad"})


class PlainReply:
    def run(self, raw: bytes, content_type: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(raw)
        return found


@dataclass
class Target:
    """A system that keeps documents by our key. `script` says how it misbehaves, one word a call, then well:
    ok | refuse | lose_answer | fail_before | unreachable | throttle | auth | crash_before | crash_after | late | gone |
    bug. `lag_seconds`: how long a lookup does not see a new document."""

    clock: SettableClock
    script: list[str] = field(default_factory=list)
    lag_seconds: float = 0.0
    deduplicates: bool = False
    refuses_second: bool = False
    asynchronous: bool = False
    unsure: bool = False
    documents: list[tuple[str, Any, dt.datetime]] = field(default_factory=list)
    late: list[tuple[dt.datetime, str, Any]] = field(default_factory=list)
    calls: int = 0
    lookups: int = 0
    refreshed: int = 0

    def count(self, key: str) -> int:
        self._commit_late()
        return sum(1 for name, _, _ in self.documents if name == key)

    def __getattr__(self, name: str) -> Any:
        if name in {str(capability) for capability in Capability}:
            return self._call
        raise AttributeError(name)

    def refresh(self) -> None:
        self.refreshed += 1

    def _commit_late(self) -> None:
        now = self.clock.now()
        for at, key, payload in [entry for entry in self.late if entry[0] <= now]:
            self.late.remove((at, key, payload))
            self._store(key, payload, at)

    def _store(self, key: str, payload: Any, at: dt.datetime) -> None:
        if not (self.deduplicates and any(name == key for name, _, _ in self.documents)):
            self.documents.append((key, payload, at))

    def _call(self, effect: Effect) -> Reply:
        self._commit_late()
        self.calls += 1
        what = self.script.pop(0) if self.script else "ok"
        now = self.clock.now()
        match what:
            case "refuse":
                raise CallFailed(Resolution.REJECTED, "customer is blocked", status=422, code="BLOCKED")
            case "gone":
                raise CallFailed(Resolution.GONE, "no such order", status=404)
            case "fail_before" | "throttle" | "auth":
                kind = {
                    "fail_before": (Resolution.AMBIGUOUS, 500, None),
                    "throttle": (Resolution.RATE_LIMITED, 429, 100.0),
                    "auth": (Resolution.AUTH_FAILED, 401, None),
                }[what]
                raise CallFailed(kind[0], what, status=kind[1], retry_after_seconds=kind[2])
            case "unreachable":
                raise CallFailed(Resolution.RETRY, "connection refused")
            case "bug":
                raise ZeroDivisionError
            case "crash_before":
                raise Crash
            case "late":
                self.late.append((now + dt.timedelta(seconds=50), effect.key, effect.payload))
                raise CallFailed(Resolution.AMBIGUOUS, "gateway timeout", status=504)
        if self.refuses_second and any(key == effect.key for key, _, _ in self.documents):
            raise CallFailed(Resolution.DUPLICATE, "reference exists", status=409)
        self._store(effect.key, effect.payload, now)
        if what == "crash_after":
            raise Crash
        if what == "lose_answer":
            raise CallFailed(Resolution.AMBIGUOUS, "connection reset")
        return self._reply(effect.key)

    def _reply(self, key: str) -> Reply:
        number = next(place for place, entry in enumerate(self.documents) if entry[0] == key)
        external = f"X{number + 1}"
        body = json.dumps({"external_id": external}).encode()
        return Reply(body, "application/json", 201, external, asynchronous=self.asynchronous)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        self._commit_late()
        self.lookups += 1
        if self.unsure:
            return Unsure("the search is down")
        seen = self.clock.now() - dt.timedelta(seconds=self.lag_seconds)
        for key, payload, at in self.documents:
            if key == effect.key and at <= seen:
                return Found(self._reply(key), same_content=payload == effect.payload)
        return NotFound()


def manifest(name: str) -> Manifest:
    return Manifest(name, name, f"tests:{name}", None, "", "bronze")


class Echoing:
    """A renderer that changes nothing; a record with `unwritable` cannot be rendered."""

    def __init__(self) -> None:
        self.broken = True

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        if self.broken and record.get("unwritable"):
            raise MappingError("ship_to", "required", "ship_to is missing")
        return Rendered(dict(record))


@dataclass
class Handlers:
    messages: dict[str, MessageHandler] = field(default_factory=dict)
    tasks: dict[str, TaskHandler] = field(default_factory=dict)
    queries: dict[str, QueryHandler] = field(default_factory=dict)


class World:
    """`applied` is what the handlers were given, in order. `shop` sends, `erp` receives."""

    def __init__(
        self,
        defaults: Defaults = DEFAULTS,
        seed: int = 1,
        store: SqlStore | None = None,
        clock: SettableClock | None = None,
    ) -> None:
        self.clock = clock or SettableClock(START)
        self.defaults = defaults
        self.ids = IdSource(random.Random(seed))
        self.random = random.Random(seed)
        self.hooks = Hooks()
        self.database = None if store else SimulatedDatabase(clock=self.clock, ids=self.ids, hooks=self.hooks)
        if store is not None:
            self.store = store
        self.erp = Target(self.clock)
        self.views: dict[str, ConnectionView] = {}
        self.revision = "r1"
        self.renderer = Echoing()
        self.applied: list[Incoming] = []
        self.decisions: dict[str, Decision] = {}
        self.handlers = Handlers()
        self.schedules: list[Schedule] = []
        self.mappings: dict[str, Plain] = {}
        for stream in ("orders", "cancel_requests", "refunds", "shipments", "stock", "acknowledgements"):
            self.mappings[stream] = Plain(stream)
            self.handlers.messages[stream] = self._record
        self.handlers.messages["replies"] = self._record
        streams = {name: StreamView(name, mapping=mapping) for name, mapping in self.mappings.items()}
        self.views["shop"] = ConnectionView("shop", manifest("shop"), object(), streams=streams)
        self.erp_with(SafetyMode.LOOKUP, settle_seconds=20.0)
        self.restart()

    # connections port

    def get(self, connection: str) -> ConnectionView | None:
        return self.views.get(connection)

    def ids_of(self) -> Sequence[str]:
        return tuple(self.views)

    def erp_with(self, mode: SafetyMode, *capabilities: str, **options: Any) -> None:
        names = capabilities or ("submit_order", "update_order", "cancel_order", "push_inventory", "post_invoice")
        declared = {Capability(name): CapabilityInfo(Capability(name), mode, **options) for name in names}
        streams = {
            name: StreamView(name, mapping=mapping)
            for name, mapping in self.mappings.items()
            if name in ("acknowledgements", "shipments", "refunds")
        }
        self.views["erp"] = ConnectionView(
            "erp",
            manifest("erp"),
            self.erp,
            streams=streams,
            capabilities=declared,
            replies={name: PlainReply() for name in names},
            call_deadline=60.0,
        )

    def change(self, connection: str, **values: Any) -> None:
        self.views[connection] = replace(self.views[connection], **values)

    def change_stream(self, connection: str, stream: str, **values: Any) -> None:
        streams = dict(self.views[connection].streams)
        streams[stream] = replace(streams[stream], **values)
        self.change(connection, streams=streams)

    # the hub

    def restart(self) -> None:
        """A new run of the hub on the same database."""
        if self.database is not None:
            self.store = self.database.open()
        self.engine = Engine(
            self.store,
            _Port(self),
            self.handlers,
            self.renderer,
            clock=self.clock,
            ids=self.ids,
            source=self.random,
            schedules=self.schedules,
            defaults=self.defaults,
            queries=self.handlers.queries,
        )
        self.engine.start()

    def settle(self, seconds: float = 0.0) -> None:
        """Let the clock run, then work until nothing is due."""
        self.clock.advance(seconds)
        self.engine.run_until_idle()

    def run_for(self, seconds: float, every: float = 10.0) -> None:
        """Work while the clock runs."""
        left = seconds
        while left > 0:
            self.settle(min(every, left))
            left -= every

    def survive(self) -> None:
        """Work until the process ends by a scripted crash, then start again."""
        try:
            self.engine.run_until_idle()
        except Crash:
            self.restart()
            return
        raise AssertionError("nothing crashed")

    # what tests do

    def receive(self, record: Any, stream: str = "orders", connection: str = "shop", **other: Any) -> str:
        body = record if isinstance(record, bytes) else json.dumps(record).encode()
        values: dict[str, Any] = {
            "topic": None,
            "delivery_id": None,
            "headers": {},
            "content_type": "application/json",
            "source": "webhook",
            "received_at": self.clock.now(),
        }
        receipt = NewReceipt(connection=connection, stream=stream, body=body, **{**values, **other})
        return self.store.accept([receipt])[0].id

    def order(self, external_id: str = "1", version: str = "", **fields: Any) -> None:
        self.receive({"external_id": external_id, **({"source_version": version} if version else {}), **fields})
        self.settle()

    def decide(self, *effects: EffectRequest, **other: Any) -> None:
        """Commit a decision as a message's would be."""
        decision = Decision(effects=list(effects), **other)
        assert self.commit(lambda writer: decision_rows(decision, writer)) is Applied.APPLIED

    def commit(self, rows: Any) -> Applied:
        with self.store.read() as snapshot:
            writes: WriteSet = rows(self.writer(snapshot))
        return self.store.apply([writes])[0].applied

    def writer(self, snapshot: Snapshot) -> Writer:
        return Writer(snapshot, _Port(self), self.renderer, self.ids, self.clock.now(), "test")

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        with self.store.read() as snapshot:
            return snapshot.rows(table, where)

    def delivery(self, key: str = "erp/submit_order/order/1") -> dict[str, Any]:
        (row,) = self.rows("deliveries", business_key=key)
        return row

    def states(self, stream: str = "orders") -> list[str]:
        with self.store.read() as snapshot:
            return [row["state"] for row in snapshot.rows("messages", {"stream": stream}, order_by=("sequence",))]

    def exceptions(self, state: str = "open") -> list[str]:
        return sorted(row["kind"] for row in self.rows("exceptions", state=state))

    def replies(self) -> list[dict[str, Any]]:
        return [incoming.record for incoming in self.applied if incoming.stream == "replies"]

    def _record(self, incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        decision = self.decisions.get(incoming.external_id) or self.decisions.get(incoming.stream)
        if decision is None:
            self.applied.append(incoming)
            return Decision(Verdict.APPLIED, subject=f"OR{incoming.external_id}")
        return replace(decision)


class _Port:
    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def revision(self) -> str:
        return self._world.revision

    def get(self, connection: str) -> ConnectionView | None:
        return self._world.get(connection)

    def ids(self) -> Sequence[str]:
        return self._world.ids_of()


def submit(order: str = "1", **other: Any) -> EffectRequest:
    values: dict[str, Any] = {
        "destination": "erp",
        "capability": "submit_order",
        "key": f"order/{order}",
        "aggregate": order,
        "lane": "order",
        "record": {"order": order},
        "order_id": f"OR{order}",
    }
    return EffectRequest(**{**values, **other})
