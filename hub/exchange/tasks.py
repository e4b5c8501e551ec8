"""Internal work: tasks are claimed, run, and ended in the transaction that holds what they decided (docs: tasks)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.domain.decision import Decision, DueTask, ExceptionRequest, TaskHandler, Verdict
from hub.domain.ids import IdSource
from hub.domain.snapshot import Coming, Snapshot
from hub.domain.writeset import Applied, Update, WriteSet
from hub.exchange.backoff import backoff_seconds
from hub.exchange.connections import Connections, Renderer
from hub.exchange.decisions import Writer, decision_rows, read_ahead
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.exceptions import raise_rows
from hub.exchange.ports import ClaimedTask, Preload, Store, StoreUnavailable, preload_nothing
from hub.sdk.ports import Clock

log = logging.getLogger("hub.exchange")

CONFLICT_ROUNDS = 20
ASKS_AGAIN_SECONDS = 60.0
RELEASED: Mapping[str, Any] = {"lease_token": None, "lease_until": None, "lease_epoch": None}

OwnHandler = Callable[[DueTask, Writer], Decision]
"""A task of the exchange that only decides."""

Worker = Callable[[DueTask], "Again | None"]
"""A task of the exchange that does I/O before it is done; None when it is, else when to come again."""


@dataclass(frozen=True, slots=True)
class Again:
    """The task is not done; it comes again after so many seconds, without counting as a failure. `why` is kept with it
    until then, for people who wonder: never what a record says."""

    seconds: float
    why: str = ""


@dataclass(slots=True)
class Tasks:
    """What running tasks needs: the OMS's handlers, the exchange's own, and its workers, by kind."""

    store: Store
    connections: Connections
    renderer: Renderer
    clock: Clock
    ids: IdSource
    random: Any
    handlers: Mapping[str, TaskHandler]
    own: Mapping[str, OwnHandler]
    workers: Mapping[str, Worker]
    defaults: Defaults = field(default_factory=lambda: DEFAULTS)
    counts: dict[str, int] = field(default_factory=dict)
    preload: Preload = preload_nothing


def run_tasks(tasks: Tasks, limit: int, kinds: tuple[str, ...] | None = None, *, but: tuple[str, ...] = ()) -> int:
    """Claim and run due tasks, of these kinds or of all but those; how many were claimed."""
    claimed = tasks.store.claim_tasks(limit, kinds, but=but)
    deciding = [task for task in claimed if task.kind not in tasks.workers]
    for task in claimed:
        if task.kind in tasks.workers:
            _work(tasks, task)
    _decide_all(tasks, deciding)
    for task in claimed:
        tasks.counts[task.kind] = tasks.counts.get(task.kind, 0) + 1
    return len(claimed)


def _work(tasks: Tasks, task: ClaimedTask) -> None:
    """I/O first, with transactions of its own; then the task is done. Run twice, it must do no harm."""
    again: Again | None = None
    try:
        if task.claims > tasks.defaults.task_parks_at:
            raise TaskFailed("it was begun five times and never finished")
        again = tasks.workers[task.kind](_due(task))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one task that fails must not stop the others
        failure = error
        _apply_one(tasks, task, lambda snapshot: _failed(tasks, task, failure, snapshot))
        return
    _apply_one(tasks, task, lambda _: _ended(tasks, task) if again is None else _again(tasks, task, again))


def _decide_all(tasks: Tasks, claimed: list[ClaimedTask]) -> None:
    """One snapshot, one transaction; what conflicts is decided anew."""
    waiting = claimed
    for _ in range(CONFLICT_ROUNDS):
        if not waiting:
            return
        with tasks.store.read() as snapshot:
            tasks.preload(snapshot, [Coming(task.kind, task.subject) for task in waiting])
            decided = [(task, *_decided(tasks, task, snapshot)) for task in waiting]
            read_ahead(snapshot, [decision for _, decision, _ in decided if isinstance(decision, Decision)])
            sets = [_rows(tasks, task, decision, writer) for task, decision, writer in decided]
        outcomes = tasks.store.apply(sets)
        waiting = [task for task, outcome in zip(waiting, outcomes, strict=True) if outcome.applied is Applied.CONFLICT]
    for task in waiting:
        log.warning("task %s conflicts with every change around it and is tried again", task.id)
        tasks.store.apply([_again(tasks, task, Again(1.0))])


def _decided(tasks: Tasks, task: ClaimedTask, snapshot: Snapshot) -> tuple[Decision | Exception, Writer]:
    """What the task decides, or why it cannot, and what turns that into rows."""
    now = tasks.clock.now()
    writer = Writer(snapshot, tasks.connections, tasks.renderer, tasks.ids, now, task.id)
    try:
        if task.claims > tasks.defaults.task_parks_at:
            raise TaskFailed("it was begun five times and never finished")
        own, handler = tasks.own.get(task.kind), tasks.handlers.get(task.kind)
        if own is not None:
            return own(_due(task), writer), writer
        if handler is not None:
            return handler(_due(task), snapshot, now), writer
        raise TaskFailed(f"nothing here does {task.kind}")
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one task that fails must not stop the others
        return error, writer


def _rows(tasks: Tasks, task: ClaimedTask, decided: Decision | Exception, writer: Writer) -> WriteSet:
    if isinstance(decided, Exception):
        return _failed(tasks, task, decided, writer.snapshot)
    if decided.verdict is Verdict.WAITING:
        return _again(tasks, task, Again(ASKS_AGAIN_SECONDS))
    try:
        writes = decision_rows(decided, writer)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - what cannot be written down fails its own task and stops no other
        return _failed(tasks, task, error, writer.snapshot)
    writes.extend(_ended(tasks, task))
    return writes


class TaskFailed(Exception):
    """A task that cannot be done; trying again will not help unless something changes."""


def _due(task: ClaimedTask) -> DueTask:
    return DueTask(task.id, task.kind, task.subject, task.payload, task.due_at)


def _guard(task: ClaimedTask) -> dict[str, Any]:
    return {"id": task.id, "state": "claimed", "lease_token": task.token}


def _ended(tasks: Tasks, task: ClaimedTask) -> WriteSet:
    writes = WriteSet()
    writes.update("tasks", _guard(task), {"state": "done", "finished_at": tasks.clock.now(), "error": None, **RELEASED})
    return writes


def _again(tasks: Tasks, task: ClaimedTask, again: Again) -> WriteSet:
    """Back to the queue; the claim does not count."""
    writes = WriteSet()
    due = tasks.clock.now() + dt.timedelta(seconds=again.seconds)
    values = {"state": "pending", "due_at": due, "claims": task.claims - 1, "error": again.why or None, **RELEASED}
    writes.update("tasks", _guard(task), values)
    return writes


def _failed(tasks: Tasks, task: ClaimedTask, error: Exception, snapshot: Snapshot) -> WriteSet:
    """Again by backoff, and after five times failed, with an exception."""
    now = tasks.clock.now()
    # A defect's text could hold anything a record says, so only its kind is kept.
    why = str(error) if isinstance(error, TaskFailed) else f"it failed with {type(error).__name__}"
    log.warning("task %s (%s): %s", task.id, task.kind, why, exc_info=not isinstance(error, TaskFailed))
    writes = WriteSet()
    if task.claims < tasks.defaults.task_parks_at and not isinstance(error, TaskFailed):
        due = now + dt.timedelta(seconds=backoff_seconds(task.claims, tasks.random, tasks.defaults))
        values = {"state": "pending", "due_at": due, "error": why, **RELEASED}
        writes.operations.append(Update("tasks", _guard(task), values, expect=None))
        return writes
    request = ExceptionRequest(
        cause_key=f"task/{task.kind}/{why[:200]}",
        kind="task_failed",
        title=f"the task {task.kind} failed",
        detail=why,
        next_step="it is not tried again by itself",
        hint="remove the cause, then retry the task",
        subject_kind="task",
        subject_id=task.id,
    )
    raise_rows(writes, snapshot, [request], task.id, now)
    writes.update("tasks", _guard(task), {"state": "failed", "finished_at": now, "error": why, **RELEASED})
    return writes


def _apply_one(tasks: Tasks, task: ClaimedTask, rows: Callable[[Snapshot], WriteSet]) -> None:
    for _ in range(CONFLICT_ROUNDS):
        with tasks.store.read() as snapshot:
            writes = rows(snapshot)
            standing = snapshot.row("tasks", {"id": task.id})
        if standing is None or standing["lease_token"] != task.token:
            return  # its lease ended while it ran; whoever has it now ends it
        if tasks.store.apply([writes])[0].applied is Applied.APPLIED:
            return


def recheck_message(task: DueTask, writer: Writer) -> Decision:
    """A waiting message is looked at again by itself: what it waits for may be there, or its patience over."""
    writes = WriteSet()
    where = {"id": task.subject, "state": "waiting"}
    writes.update("messages", where, {"state": "stored", "due_at": writer.now}, expect=None)
    return Decision(writes=writes)
