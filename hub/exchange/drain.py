"""All outgoing work of one destination: claim, attempt, call, settle (docs: outbox). Thread safe."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.domain.ids import IdSource
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.calls import call, probe
from hub.exchange.closing import RELEASED
from hub.exchange.connections import Connections, ConnectionView, Renderer
from hub.exchange.decisions import Writer
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.gates import Gates, note_auth_failure
from hub.exchange.ports import ClaimedDelivery, NewAttempt, Store
from hub.exchange.resolution import (
    CallResult,
    Counts,
    Next,
    Situation,
    decide,
    effective_mode,
    unknown,
)
from hub.exchange.settlement import Attempted, evidence_rows, settle_rows
from hub.exchange.unknown import Probed, from_evidence, settle_probe
from hub.formats import json
from hub.sdk.capabilities import SafetyMode
from hub.sdk.errors import Resolution
from hub.sdk.ports import Clock
from hub.sdk.records import Effect

SETTLE_ROUNDS = 20
SETTLES_WITHIN_SECONDS = 1.0
"""What a slow target has answered is not kept waiting for the rest of its group."""


@dataclass(slots=True)
class Outbox:
    """What draining needs; one object for all destinations and threads."""

    store: Store
    connections: Connections
    renderer: Renderer
    clock: Clock
    ids: IdSource
    random: random.Random
    gates: Gates
    defaults: Defaults = field(default_factory=lambda: DEFAULTS)


@dataclass(slots=True)
class _Ready:
    """A claimed delivery on its way. `lease_until` moves when the lease is renewed."""

    delivery: ClaimedDelivery
    mode: SafetyMode
    first_attempt_at: dt.datetime
    refs: dict[str, str]
    lease_until: dt.datetime


def drain(outbox: Outbox, destination: str, limit: int) -> int:
    """Send or look up what is due at one destination; how many deliveries were moved.

    With an open breaker or a paused connection nothing is claimed. Rows that were claimed but not begun go back.
    """
    view = outbox.connections.get(destination)
    if view is None or outbox.gates.paused(destination) or view.gate.wait_seconds() > 0:
        return 0
    claimed = outbox.store.claim_deliveries(destination, limit)
    if not claimed:
        return 0
    ready = _prepare(outbox, view, claimed)
    moved = 0
    position = 0
    while position < len(ready):
        group = _next_group(ready, position, outbox.defaults.group)
        if outbox.gates.paused(destination):
            _give_back(outbox, ready[position:], 0.0)
            break
        done = _run_group(outbox, view, group)
        moved += done
        position += len(group)
        if done == 0 and (wait := view.gate.wait_seconds()) > 0:
            _give_back(outbox, ready[position:], wait)
            break
        _renew(outbox, ready[position:])
    return moved


def _prepare(outbox: Outbox, view: ConnectionView, claimed: Sequence[ClaimedDelivery]) -> list[_Ready]:
    """Look up external ids known by now, and since when each delivery has been tried."""
    now = outbox.clock.now()
    internal = {name for row in claimed for name in (row.order_id, *row.refs.values()) if name}
    ttl = [row.id for row in claimed if row.attempts and view.capability(row.capability).key_ttl_seconds is not None]
    known: dict[str, dict[str, str]] = {}
    firsts: dict[str, dt.datetime] = {}
    with outbox.store.read() as snapshot:
        if internal:
            where = {"internal_id": tuple(sorted(internal)), "system": view.id, "role": "primary"}
            for reference in snapshot.rows("cross_references", where):
                known.setdefault(reference["internal_id"], {})[reference["entity"]] = reference["external_id"]
        if ttl:
            for attempt in snapshot.rows("attempts", {"delivery_id": tuple(ttl), "number": 1}):
                firsts[attempt["delivery_id"]] = attempt["started_at"]
    ready = []
    for row in claimed:
        first = firsts.get(row.id, now)
        refs: dict[str, str] = {}
        for internal_id in (row.order_id, *row.refs.values()):
            refs |= known.get(internal_id or "", {})
        mode = effective_mode(view.capability(row.capability), first, now, view.can_lookup)
        ready.append(_Ready(row, mode, first, refs | dict(row.refs), row.lease_until))
    return ready


def _next_group(ready: Sequence[_Ready], position: int, size: int) -> list[_Ready]:
    """Deliveries whose attempts are committed together. A crash leaves every started attempt open: several only where
    repeating the call is harmless, or where looking it up tells that it never left."""

    def groups(entry: _Ready) -> bool:
        return entry.mode is not SafetyMode.NONE and entry.delivery.state != "unknown"

    first = ready[position]
    if not groups(first):
        return [first]
    group = [first]
    for entry in ready[position + 1 : position + size]:
        if not groups(entry):
            break
        group.append(entry)
    return group


def _run_group(outbox: Outbox, view: ConnectionView, group: Sequence[_Ready]) -> int:
    """Begin, call and settle; how many were moved (0 where the breaker gave no leave)."""
    quiet = [entry for entry in group if not _needs_call(entry, view)]
    calls = [entry for entry in group if _needs_call(entry, view)]
    settled: list[Attempted | Probed] = [_without_call(outbox, view, entry) for entry in quiet]
    begun: list[tuple[_Ready, NewAttempt, object]] = []
    for entry in calls:
        permit = view.gate.permit()
        if permit is None:
            _give_back(outbox, [entry], view.gate.wait_seconds())
            continue
        begun.append((entry, _attempt(outbox, view, entry), permit))
    started = outbox.store.start_attempts([attempt for _, attempt, _ in begun]) if begun else []
    moved, since = 0, outbox.clock.monotonic()
    for (entry, attempt, permit), ok in zip(begun, started, strict=True):
        if not ok:
            # The lease is lost or too short: whoever has it now, or the sweep, goes on with it.
            view.gate.record(permit, success=None)
            continue
        settled.append(_make_call(outbox, view, entry, attempt, permit))
        if outbox.clock.monotonic() - since > SETTLES_WITHIN_SECONDS:
            settle(outbox, settled)
            moved, since, settled = moved + len(settled), outbox.clock.monotonic(), []
    settle(outbox, settled)
    return moved + len(settled)


def _needs_call(entry: _Ready, view: ConnectionView) -> bool:
    """An unknown outcome that only a person can settle is not probed."""
    return entry.delivery.state != "unknown" or (entry.mode is not SafetyMode.NONE and view.can_lookup)


def _without_call(outbox: Outbox, view: ConnectionView, entry: _Ready) -> Attempted | Probed:
    situation = _situation(outbox, view, entry, outbox.clock.now())
    return Probed(entry.delivery, None, CallResult(Resolution.AMBIGUOUS), unknown(SafetyMode.NONE, situation))


def _attempt(outbox: Outbox, view: ConnectionView, entry: _Ready) -> NewAttempt:
    delivery = entry.delivery
    deadline = outbox.clock.now() + dt.timedelta(seconds=view.call_deadline)
    kind = "probe" if delivery.state == "unknown" else "call"
    return NewAttempt(delivery.id, delivery.attempts + 1, kind, delivery.token, deadline)


def _make_call(
    outbox: Outbox, view: ConnectionView, entry: _Ready, attempt: NewAttempt, permit: object
) -> Attempted | Probed:
    delivery = entry.delivery
    started = outbox.clock.now()
    remaining = (attempt.deadline - started).total_seconds()
    if remaining < view.call_deadline / 2 or outbox.gates.paused(view.id):
        # Calls before it in the group took too long, or were refused our credentials; nothing was sent, so it simply
        # comes again.
        view.gate.record(permit, success=None)
        result = CallResult(Resolution.RETRY, words="not begun because of how the calls before it went")
        again = Next("unknown" if delivery.state == "unknown" else "retry", due_at=started)
        return Attempted(delivery, attempt.number, attempt.kind, started, started, result, result.resolution, again)
    effect = Effect(
        payload=json.loads_canonical(delivery.payload),
        key=delivery.business_key,
        refs=entry.refs,
        deadline=attempt.deadline,
        attempt=attempt.number,
    )
    if attempt.kind == "probe":
        probed = probe(view, delivery.capability, effect)
        view.gate.record(permit, success=probed.breaker_success)
        return settle_probe(
            delivery,
            attempt.number,
            started,
            outbox.clock.now(),
            probed,
            view.capability(delivery.capability),
            outbox.random,
            outbox.defaults,
        )
    called = call(view, delivery.capability, effect, entry.mode)
    finished = outbox.clock.now()
    situation = replace(_situation(outbox, view, entry, finished), deadline=attempt.deadline, attempts=attempt.number)
    resolution, coming = decide(called.result, situation, outbox.random, outbox.defaults)
    if called.conflict:
        coming = Next("conflict", due_at=None, raises="conflict", breaker=Counts.SUCCESS)
    counted = {Counts.SUCCESS: True, Counts.FAILURE: False, Counts.NOTHING: None}[coming.breaker]
    view.gate.record(permit, success=counted)
    note_auth_failure(outbox.gates, outbox.store, view, coming, called.result, finished)
    return Attempted(delivery, attempt.number, "call", started, finished, called.result, resolution, coming)


def _situation(outbox: Outbox, view: ConnectionView, entry: _Ready, now: dt.datetime) -> Situation:
    delivery = entry.delivery
    return Situation(
        info=view.capability(delivery.capability),
        now=now,
        deadline=now,
        created_at=delivery.created_at,
        give_up_at=delivery.give_up_at,
        attempts=delivery.attempts,
        first_attempt_at=entry.first_attempt_at,
        can_lookup=view.can_lookup,
    )


def settle(outbox: Outbox, ended: Sequence[Attempted | Probed]) -> None:
    """Commit outcomes, each by itself and all in one transaction; a stale token makes evidence of one."""
    waiting = list(ended)
    for number in range(SETTLE_ROUNDS):
        if not waiting:
            return
        with outbox.store.read() as snapshot:
            writer = Writer(snapshot, outbox.connections, outbox.renderer, outbox.ids, outbox.clock.now(), "settle")
            # At first each lease counts as held: the token is a precondition, and nearly always fits.
            rows = [_rows_of(one, writer, held=number == 0) for one in waiting]
        outcomes = outbox.store.apply(rows)
        waiting = [one for one, outcome in zip(waiting, outcomes, strict=True) if outcome.applied is Applied.CONFLICT]
    # Attempts stay open under a lease that ends: the sweep turns them to unknown or retry, nothing is lost.
    raise SettleConflict([one.delivery.id for one in waiting])


class SettleConflict(Exception):
    """Outcomes could not be written for conflicts alone, twenty times; a mistake of ours."""


def _rows_of(ended: Attempted | Probed, writer: Writer, *, held: bool) -> WriteSet:
    if held and isinstance(ended, Attempted):
        return settle_rows(ended, replace(writer, cause=ended.id))
    row = writer.snapshot.row("deliveries", {"id": ended.delivery.id})
    ours = row is not None and row["lease_token"] == ended.delivery.token
    if isinstance(ended, Probed):
        return from_evidence(ended, writer) if ours else WriteSet()
    writer = replace(writer, cause=ended.id)
    if ours:
        return settle_rows(ended, writer)
    return evidence_rows(ended, row, writer) if row is not None else WriteSet()


def _give_back(outbox: Outbox, entries: Sequence[_Ready], wait_seconds: float) -> None:
    """Release claims on which nothing was begun."""
    if not entries:
        return
    due = outbox.clock.now() + dt.timedelta(seconds=max(wait_seconds, 0.0))
    sets = []
    for entry in entries:
        writes = WriteSet()
        values: dict[str, Any] = {**RELEASED, "state": entry.delivery.state, "due_at": due}
        writes.update("deliveries", {"id": entry.delivery.id, "lease_token": entry.delivery.token}, values, expect=None)
        sets.append(writes)
    outbox.store.apply(sets)


def _renew(outbox: Outbox, entries: Sequence[_Ready]) -> None:
    """Renew the leases of what still waits its turn, once a third of them is gone."""
    now, lease = outbox.clock.now(), outbox.defaults.lease
    old = [entry for entry in entries if (entry.lease_until - now).total_seconds() < lease * 2 / 3]
    if not old:
        return
    outbox.store.renew([(entry.delivery.id, entry.delivery.token) for entry in old])
    for entry in old:
        entry.lease_until = now + dt.timedelta(seconds=lease)
