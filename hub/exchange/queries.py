"""Queries: reads of another system that a decision waits for. No row in the outbox, nothing to settle, given up soon.

A task asks (its subject and payload say what), outside any transaction; the answer goes to the decision, which is
committed under the usual preconditions. Asked twice, nothing is harmed: a query changes nothing over there.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.decision import Answer, DueTask, QueryHandler, Question
from hub.domain.ids import IdSource
from hub.domain.masking import masked
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied
from hub.exchange.connections import Connections, ConnectionView, Renderer
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.gates import Gates
from hub.exchange.ports import Store
from hub.exchange.resolution import TABLE, CallResult, Counts, result_of_error
from hub.exchange.tasks import CONFLICT_ROUNDS, Again, TaskFailed, Worker
from hub.mapping.errors import MappingError
from hub.sdk.errors import Resolution
from hub.sdk.ports import Clock
from hub.sdk.records import Ask, Reply

GIVES_UP_SECONDS = 60.0
CALL_SECONDS = 20.0
TRIES_AGAIN_SECONDS = (2.0, 6.0)
_REFUSALS = frozenset({Resolution.REJECTED, Resolution.GONE, Resolution.AUTH_FAILED})


@dataclass(frozen=True, slots=True)
class NotNow:
    """There was no answer, but there may be one in so many seconds."""

    words: str
    seconds: float


@dataclass(slots=True)
class Queries:
    """What asking needs; one object for all connections. Thread safe."""

    store: Store
    connections: Connections
    renderer: Renderer
    clock: Clock
    ids: IdSource
    random: random.Random
    gates: Gates

    def worker(self, handler: QueryHandler) -> Worker:
        """The task that asks for `handler` and commits what it decides."""

        def work(task: DueTask) -> Again | None:
            with self.store.read() as snapshot:
                question = handler.question(task, snapshot, self.clock.now())
                until = _until(task, snapshot)
            if question is None:
                return None
            answer = self.ask(question)
            if isinstance(answer, NotNow):
                if self.clock.now() + dt.timedelta(seconds=answer.seconds) < until:
                    return Again(answer.seconds)
                answer = Answer(None, answer.words)
            self._commit(task, handler, answer)
            return None

        return work

    def ask(self, question: Question) -> Answer | NotNow:
        """Ask once, whatever the time: a hub that was down asks before it gives up.

        A refusal is an answer, with the other side's words; so is a question or an answer that our mapping cannot make
        or read. Raises TaskFailed where the connection is not there or cannot answer such a question.
        """
        view = self.connections.get(question.connection)
        method = getattr(view.connector, question.query, None) if view is not None else None
        if view is None or method is None:
            raise TaskFailed(f"{question.connection} does not answer {question.query}")
        if self.gates.paused(view.id):
            return NotNow(f"{view.id} is paused", TRIES_AGAIN_SECONDS[1])
        try:
            tree = self.renderer.render(view.id, question.query, question.record).tree
        except MappingError as error:
            return Answer(None, f"the question cannot be put: {error}", refused=True)
        permit = view.gate.permit()
        if permit is None:
            return NotNow(f"{view.id} has failed too often and is left alone", max(view.gate.wait_seconds(), 1.0))
        seconds = min(CALL_SECONDS, view.call_deadline)
        try:
            reply: Reply = method(Ask(tree, self.clock.now() + dt.timedelta(seconds=seconds)))
        except Exception as error:  # noqa: BLE001 - whatever a connector raises says what became of the question
            result = result_of_error(error)
            counts = TABLE[result.resolution].breaker
            view.gate.record(permit, success=False if counts is Counts.FAILURE else None)
            return self._not_answered(result)
        view.gate.record(permit, success=True)
        return _read(view, question.query, reply)

    def _not_answered(self, result: CallResult) -> Answer | NotNow:
        words = masked(result.words) or result.resolution.value
        if result.resolution in _REFUSALS:
            return Answer(None, words, refused=True)
        again = self.random.uniform(*TRIES_AGAIN_SECONDS)
        return NotNow(words, max(result.retry_after_seconds or 0.0, again))

    def _commit(self, task: DueTask, handler: QueryHandler, answer: Answer) -> None:
        """Decide on a snapshot and apply; anew when something changed meanwhile."""
        for _ in range(CONFLICT_ROUNDS):
            with self.store.read() as snapshot:
                now = self.clock.now()
                decision = handler.decide(task, answer, snapshot, now)
                writer = Writer(snapshot, self.connections, self.renderer, self.ids, now, task.id)
                writes = decision_rows(decision, writer)
            if not writes.operations or self.store.apply([writes])[0].applied is Applied.APPLIED:
                return
        raise TaskFailed("what it decides about keeps changing")


def query_workers(queries: Queries, handlers: Mapping[str, QueryHandler]) -> dict[str, Worker]:
    """Workers by kind of task."""
    return {kind: queries.worker(handler) for kind, handler in handlers.items()}


def _read(view: ConnectionView, query: str, reply: Reply) -> Answer:
    mapping = view.replies.get(query)
    if mapping is None:
        raise TaskFailed(f"there is no mapping {view.manifest.name}/{query}.reply")
    try:
        return Answer(mapping.run(reply.raw, reply.content_type))
    except MappingError as error:
        return Answer(None, f"the answer cannot be read: {error}", refused=True)


def _until(task: DueTask, snapshot: Snapshot) -> dt.datetime:
    """Until when an answer is waited for: as the task says, else a minute from when it was made. (Its due time moves
    with every try.)"""
    said = task.payload.get("until")
    if isinstance(said, str):
        return dt.datetime.fromisoformat(said)
    row = snapshot.row("tasks", {"id": task.id})
    made: dt.datetime = row["created_at"] if row is not None else task.due_at
    return made + dt.timedelta(seconds=GIVES_UP_SECONDS)
