"""The exchange put together: every kind of work as a method, and `step`, one round of all of them, inline.

Nothing here starts a thread or sleeps; who drives it (worker loop, fleet, simulation) decides when and where. `drain`
may be called from any number of threads at once, the other methods from one thread each.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from hub.domain.decision import ExceptionRequest, QueryHandler
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.acknowledge import overdue
from hub.exchange.alerts import AlertPort, Alerts
from hub.exchange.apply import Applier, Handlers, apply_messages
from hub.exchange.blocked import park_blocked
from hub.exchange.connections import Connections, Renderer
from hub.exchange.decisions import Writer, effect_rows
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.drain import Outbox, drain
from hub.exchange.exceptions import raise_rows
from hub.exchange.gates import Gates
from hub.exchange.isolation import Crashed, alone
from hub.exchange.parse import Unparsable, parks, parsed_rows, split, unparsable_rows
from hub.exchange.polls import Polls
from hub.exchange.ports import ClaimedReceipt, Preload, Store, preload_nothing
from hub.exchange.queries import Queries, query_workers
from hub.exchange.retention import Eraser, Retention
from hub.exchange.schedules import Schedule, enqueue_due
from hub.exchange.tasks import Tasks, Worker, recheck_message, run_tasks
from hub.sdk.ports import Clock
from hub.sdk.records import RawRecord

SWEEP_SECONDS = 10.0
PARSE_ROUNDS = 10


class Engine:
    """`workers` adds kinds of tasks that do I/O, `queries` tasks that ask another system before they decide.
    `schedules` are enqueued by `upkeep`. `preload` knows the tables that handlers read about a subject."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        handlers: Handlers,
        renderer: Renderer,
        *,
        clock: Clock,
        ids: IdSource,
        source: random.Random,
        schedules: Sequence[Schedule] = (),
        alert_port: AlertPort | None = None,
        alert_after_seconds: float = DEFAULTS.alert_age,
        eraser: Eraser | None = None,
        workers: Mapping[str, Worker] | None = None,
        queries: Mapping[str, QueryHandler] | None = None,
        defaults: Defaults = DEFAULTS,
        preload: Preload = preload_nothing,
    ) -> None:
        self.store = store
        self.connections = connections
        self.clock = clock
        self.ids = ids
        self.defaults = defaults
        self.schedules = tuple(schedules)
        self.gates = Gates(store, connections, clock, defaults)
        self.applier = Applier(store, connections, handlers, renderer, clock, ids, source, defaults, preload=preload)
        self.outbox = Outbox(store, connections, renderer, clock, ids, source, self.gates, defaults)
        self.polls = Polls(store, connections, clock, source, self.gates)
        self.queries = Queries(store, connections, renderer, clock, ids, source, self.gates)
        own_workers: dict[str, Worker] = {
            "poll": self.polls.poll,
            "fetch": self.polls.fetch,
            "alerts": Alerts(store, clock, alert_port, alert_after_seconds).run,
            **query_workers(self.queries, queries or {}),
        }
        if eraser is not None:
            own_workers["retention"] = Retention(eraser, clock).run
        self.task_runner = Tasks(
            store,
            connections,
            renderer,
            clock,
            ids,
            source,
            handlers.tasks,
            {"acknowledgement_overdue": overdue, "recheck_message": recheck_message},
            {**own_workers, **(workers or {})},
            defaults,
            preload=preload,
        )
        self._swept_at: float | None = None

    def start(self) -> Mapping[str, int]:
        """Give back what earlier runs held, go on with saved breakers and buckets; counts of what was given back."""
        self.gates.restore()
        self._swept_at = self.clock.monotonic()
        return self.store.recover()

    def step(self) -> bool:
        """One round of everything; True if anything was done."""
        done = self.upkeep() > 0
        done = self.parse() > 0 or done
        done = self.apply() > 0 or done
        done = self.run_tasks() > 0 or done
        for destination in self.destinations_due():
            done = self.drain(destination) > 0 or done
        return done

    def upkeep(self) -> int:
        """What time alone brings: schedules, expired leases, saved breakers. How much work was made."""
        now = self.clock.now()
        made = sum(enqueue_due(self.store, schedule, now) for schedule in self.schedules)
        self.gates.save()
        monotonic = self.clock.monotonic()
        if self._swept_at is None or monotonic - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = monotonic
            made += sum(self.store.recover().values())
            made += park_blocked(self.store, self.clock)
        return made

    def parse(self, limit: int = DEFAULTS.claim_limit) -> int:
        """Cut due receipts into messages; how many receipts were claimed."""
        claimed = self.store.claim_receipts(limit)
        read = [(receipt, self._records(receipt)) for receipt in claimed]
        waiting = read
        for _ in range(PARSE_ROUNDS):
            if not waiting:
                break
            with self.store.read() as snapshot:
                sets = [self._receipt_rows(receipt, records, snapshot) for receipt, records in waiting]
            outcomes = self.store.apply(sets)
            waiting = [
                one for one, outcome in zip(waiting, outcomes, strict=True) if outcome.applied is Applied.CONFLICT
            ]
        return len(claimed)

    def _records(self, receipt: ClaimedReceipt) -> list[RawRecord] | Unparsable:
        view = self.connections.get(receipt.connection)
        if view is None:
            return Unparsable("no_connection", f"there is no connection {receipt.connection}")
        if parks(receipt.claims):
            return Unparsable("poison", "it was claimed five times and never finished")
        try:
            if receipt.claims >= self.defaults.poison_alone_from:
                with self.store.read() as snapshot:
                    return alone(lambda _: split(receipt, view), snapshot, self.defaults)
            return split(receipt, view)
        except Unparsable as problem:
            return problem
        except Crashed as crash:
            return Unparsable("poison", str(crash))
        except Exception as error:  # noqa: BLE001 - a parser's defect keeps the bytes and tells a person
            return Unparsable("parser", f"the connector's parser failed with {type(error).__name__}")

    def _receipt_rows(
        self, receipt: ClaimedReceipt, records: list[RawRecord] | Unparsable, snapshot: Snapshot
    ) -> WriteSet:
        now = self.clock.now()
        raised: list[ExceptionRequest]
        if isinstance(records, Unparsable):
            writes, raised = unparsable_rows(receipt, records.code, records.message)
        else:
            view = self.connections.get(receipt.connection)
            assert view is not None
            closing = view.intake.close(receipt.id, receipt.body, snapshot, now) if view.intake is not None else None
            writes, raised = parsed_rows(receipt, records, view, self.ids, now, self.connections.revision, closing)
            if closing is not None:
                writer = Writer(snapshot, self.connections, self.applier.renderer, self.ids, now, receipt.id)
                raised = [*raised, *closing.exceptions]
                writes.extend(closing.writes)
                effect_rows(writes, closing.effects, writer, raised)
        raise_rows(writes, snapshot, raised, receipt.id, now)
        return writes

    def apply(self, limit: int = DEFAULTS.claim_limit) -> int:
        """Give due messages their verdicts; how many were claimed."""
        return apply_messages(self.applier, limit)

    def run_tasks(self, limit: int = DEFAULTS.claim_limit, kinds: tuple[str, ...] | None = None) -> int:
        """Run due tasks; how many were claimed. A kind that nothing here does fails with an exception."""
        return run_tasks(self.task_runner, limit, kinds)

    def decide(self, limit: int = DEFAULTS.claim_limit) -> int:
        """Tasks that only compute. Those of a kind that nothing here does are among them: they fail and are seen."""
        return run_tasks(self.task_runner, limit, but=tuple(sorted(self.task_runner.workers)))

    def ask(self, limit: int = DEFAULTS.ask_limit) -> int:
        """Tasks that talk to other systems."""
        return self.run_tasks(limit, tuple(sorted(self.task_runner.workers)))

    def destinations_due(self) -> list[str]:
        """Destinations with something to send or to look up that are not held back."""
        return [name for name in self.store.destinations_due() if not self._held_back(name)]

    def _held_back(self, destination: str) -> bool:
        view = self.connections.get(destination)
        return view is None or view.gate.wait_seconds() > 0

    def drain(self, destination: str, limit: int = DEFAULTS.claim_limit) -> int:
        """Send what is due at one destination; how many were moved. Thread safe: claims are disjoint."""
        return drain(self.outbox, destination, limit)

    def run_until_idle(self, max_rounds: int = 1_000) -> int:
        """Step until nothing is due now; how many rounds did something. Raises RuntimeError if it never settles."""
        for number in range(max_rounds):
            if not self.step():
                return number
        raise RuntimeError(f"there was still work after {max_rounds} rounds")
