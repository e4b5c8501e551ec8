"""Claimed messages become write sets, computed outside any transaction and applied fifty at a time (docs: applying)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.domain.decision import Incoming, MessageHandler, TaskHandler
from hub.domain.ids import IdSource
from hub.domain.snapshot import BatchSnapshot, Coming, Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.backoff import backoff_seconds
from hub.exchange.connections import Connections, Renderer
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.isolation import Crashed, alone
from hub.exchange.kinds import full_fact_key
from hub.exchange.ports import ClaimedMessage, Preload, Store, StoreUnavailable, preload_nothing
from hub.exchange.replies import STREAM as REPLIES
from hub.exchange.verdicts import Computed, MappedMessage, again_rows, compute, mapped_before, poison_rows
from hub.sdk.ports import Clock
from hub.sdk.streams import Kind

log = logging.getLogger("hub.exchange")

ALONE_ROUNDS = 20


class Handlers(Protocol):
    """The OMS, by stream and by kind of task; wired by the runtime."""

    @property
    def messages(self) -> Mapping[str, MessageHandler]: ...

    @property
    def tasks(self) -> Mapping[str, TaskHandler]: ...


class Random(Protocol):
    def uniform(self, a: float, b: float) -> float: ...


@dataclass(slots=True)
class Applier:
    """What applying needs. `counts` adds up verdicts, for metrics and reports."""

    store: Store
    connections: Connections
    handlers: Handlers
    renderer: Renderer
    clock: Clock
    ids: IdSource
    random: Any
    defaults: Defaults = field(default_factory=lambda: DEFAULTS)
    counts: dict[str, int] = field(default_factory=dict)
    preload: Preload = preload_nothing

    def count(self, verdict: str) -> None:
        self.counts[verdict] = self.counts.get(verdict, 0) + 1


def apply_messages(applier: Applier, limit: int) -> int:
    """Claim and apply due messages; how many got a verdict."""
    claimed = applier.store.claim_messages(limit)
    for wave in _waves(claimed):
        for start in range(0, len(wave), applier.defaults.batch):
            _apply_batch(applier, wave[start : start + applier.defaults.batch])
    return len(claimed)


def _waves(messages: Sequence[ClaimedMessage]) -> list[list[ClaimedMessage]]:
    """In order, no two about the same subject together: computed on one snapshot, all but one would conflict."""
    waves: list[list[ClaimedMessage]] = []
    seen: dict[str, int] = {}
    for message in messages:
        number = seen.get(message.subject, 0)
        if message.subject:
            seen[message.subject] = number + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(message)
    return waves


def _apply_batch(applier: Applier, messages: Sequence[ClaimedMessage]) -> None:
    """Five rounds together, then what still conflicts alone; what conflicts even then comes again later."""
    waiting = list(messages)
    for _ in range(1 + applier.defaults.conflict_rounds):
        waiting = _round(applier, waiting)
        if not waiting:
            return
    for message in waiting:
        if not any(not _round(applier, [message]) for _ in range(ALONE_ROUNDS)):
            log.warning("message %s conflicts with every change around it and is tried again", message.id)
            applier.store.apply([_again(applier, message, "its rows keep changing")])


def _round(applier: Applier, messages: Sequence[ClaimedMessage]) -> list[ClaimedMessage]:
    """Compute all on one snapshot, apply all in one transaction; those that conflicted."""
    now = applier.clock.now()
    with applier.store.read() as snapshot:
        mapped = _mapped(applier, messages)
        _preload(applier, messages, mapped, snapshot)
        computed = [_computed(applier, message, mapped.get(message.id), snapshot, now) for message in messages]
    outcomes = applier.store.apply([one.writes for one in computed])
    conflicted, waiting = [], []
    for message, one, outcome in zip(messages, computed, outcomes, strict=True):
        if outcome.applied is Applied.CONFLICT:
            conflicted.append(message)
        else:
            applier.count(one.verdict)
            if one.waits_for:
                waiting.append((message, one.waits_for))
    _look_again(applier, waiting)
    return conflicted


def _mapped(applier: Applier, messages: Sequence[ClaimedMessage]) -> dict[str, MappedMessage]:
    """By id; those to be computed apart, and those that cannot be mapped, are not among them."""
    trusted = (message for message in messages if message.claims < applier.defaults.poison_alone_from)
    found = ((message.id, mapped_before(message, applier.connections)) for message in trusted)
    return {message_id: mapped for message_id, mapped in found if mapped is not None}


def _preload(
    applier: Applier,
    messages: Sequence[ClaimedMessage],
    mapped: Mapping[str, MappedMessage],
    snapshot: BatchSnapshot,
) -> None:
    """What the kinds' rules ask for each message, and what its handler will ask about its subject."""
    for kind in (Kind.STATE, Kind.SNAPSHOT):
        keys = [message.entity_key for message in messages if message.kind == kind]
        snapshot.prefetch("sources", "entity_key", keys)
        snapshot.prefetch("messages", "entity_key", keys, where={"state": "parked", "kind": str(kind)})
    views = [row["body_id"] for message in messages for row in _source(message, snapshot)]
    replies = [f"bd_{message.fact_key}" for message in messages if message.stream == REPLIES]
    snapshot.prefetch_bodies([*views, *replies])
    incoming = {message_id: one for message_id, (one, _) in mapped.items()}
    facts = [incoming[message.id] for message in messages if message.kind == Kind.FACT and message.id in incoming]
    keys = [full_fact_key(fact.connection, fact.stream, fact.fact_key) for fact in facts]
    snapshot.prefetch("fact_keys", "key", keys)
    applier.preload(snapshot, [_coming(message, incoming.get(message.id)) for message in messages])


def _source(message: ClaimedMessage, snapshot: Snapshot) -> list[dict[str, Any]]:
    if message.kind != Kind.STATE:
        return []
    return [row for row in snapshot.rows("sources", {"entity_key": message.entity_key}, limit=2) if row["body_id"]]


def _coming(message: ClaimedMessage, incoming: Incoming | None) -> Coming:
    if incoming is None:
        return Coming(message.stream, message.subject, message.connection, message.scope, message.external_id or "")
    return Coming(
        message.stream,
        message.subject,
        message.connection,
        incoming.scope,
        incoming.external_id,
        incoming.record,
    )


def _look_again(applier: Applier, waiting: Sequence[tuple[ClaimedMessage, str]]) -> None:
    """What they wait for may have been made after it was read and before they were committed as waiting, by somebody
    who could not wake them. Of what is committed from now on they are told."""
    if not waiting:
        return
    now, writes = applier.clock.now(), WriteSet()
    with applier.store.read() as snapshot:
        still = snapshot.rows("messages", {"id": tuple(message.id for message, _ in waiting), "state": "waiting"})
        unwoken = {row["id"] for row in still}
        for message, subject in waiting:
            if message.id in unwoken and _computed(applier, message, None, snapshot, now).waits_for != subject:
                where = {"id": message.id, "state": "waiting"}
                writes.update("messages", where, {"state": "stored", "due_at": now}, expect=None)
    if writes.operations:
        applier.store.apply([writes])


def _computed(
    applier: Applier, message: ClaimedMessage, mapped: MappedMessage | None, snapshot: Snapshot, now: dt.datetime
) -> Computed:
    """One message's rows. From the third claim in a process apart; at the fifth it is not touched any more."""
    if message.claims >= applier.defaults.poison_parks_at:
        return poison_rows(message, snapshot, now, "it was claimed five times and never finished")
    try:
        if message.claims >= applier.defaults.poison_alone_from:
            return alone(lambda remote: _plain(applier, message, None, remote, now), snapshot, applier.defaults)
        return _plain(applier, message, mapped, snapshot, now)
    except StoreUnavailable:
        raise
    except Exception as error:
        why = str(error) if isinstance(error, Crashed) else f"{type(error).__name__} while it was computed"
        log.warning("message %s: %s", message.id, why, exc_info=not isinstance(error, Crashed))
        return Computed(message.id, "retry", _again(applier, message, why))


def _plain(
    applier: Applier, message: ClaimedMessage, mapped: MappedMessage | None, snapshot: Snapshot, now: dt.datetime
) -> Computed:
    handlers = applier.handlers.messages
    return compute(message, snapshot, applier.connections, handlers, applier.renderer, applier.ids, now, mapped)


def _again(applier: Applier, message: ClaimedMessage, why: str) -> WriteSet:
    delay = backoff_seconds(message.claims, applier.random, applier.defaults)
    return again_rows(message, applier.clock.now() + dt.timedelta(seconds=delay), why)
