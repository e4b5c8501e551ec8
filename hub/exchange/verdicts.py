"""What one message comes to: mapped, guarded by its kind, decided by the OMS, and written with its verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.domain.decision import (
    Decision,
    ExceptionClear,
    ExceptionRequest,
    Incoming,
    MessageHandler,
    TaskRequest,
    Verdict,
)
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Await, WriteSet
from hub.exchange.acknowledge import acknowledge
from hub.exchange.connections import Connections, ConnectionView, Mapped, Renderer, StreamView
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.defaults import DEFAULTS
from hub.exchange.echo import match_echo
from hub.exchange.exceptions import raise_rows
from hub.exchange.kinds import Guarded, guard, with_subject
from hub.exchange.notes import noted
from hub.exchange.parse import WHOLE
from hub.exchange.ports import ClaimedMessage
from hub.exchange.replies import STREAM as REPLIES
from hub.exchange.replies import reply_incoming
from hub.formats import FormatError, codec, json
from hub.mapping.errors import MappingError, Note
from hub.sdk.streams import Kind

RECHECK_SECONDS = 2.0
"""A message that begins to wait is looked at again by itself so soon, then after half its age each: the process that
was to wake it may have ended before it did."""


MappedMessage = tuple[Incoming, Sequence[Note]]


@dataclass(frozen=True, slots=True)
class Computed:
    """The rows of one message and what they mean."""

    message_id: str
    verdict: str
    writes: WriteSet
    waits_for: str = ""


def compute(
    message: ClaimedMessage,
    snapshot: Snapshot,
    connections: Connections,
    handlers: Mapping[str, MessageHandler],
    renderer: Renderer,
    ids: IdSource,
    now: dt.datetime,
    mapped: MappedMessage | None = None,
) -> Computed:
    """Pure given the snapshot (ids of new rows apart). Raises only for defects. `mapped` where that was done before."""
    writer = Writer(snapshot, connections, renderer, ids, now, message.id)
    view = connections.get(message.connection)
    guarded = Guarded()
    notes: Sequence[Note] = ()
    try:
        if message.stream == REPLIES:
            incoming = reply_incoming(message, snapshot, connections, now)
        else:
            if view is None:
                raise MappingError("", "no_connection", f"there is no connection {message.connection}")
            incoming, notes = mapped or _mapped(message, view)
            guarded = guard(message, incoming, view, snapshot, now)
            incoming = guarded.incoming or incoming
        decision = guarded.decision or _decide(incoming, handlers, writer)
        if decision.verdict is Verdict.APPLIED:
            decision.events = [*decision.events, *noted(notes, message.id, message.stream, decision.subject)]
    except (MappingError, FormatError) as problem:
        decision = _unmappable(message, problem)
    if decision.verdict is Verdict.WAITING:
        decision = _waiting(message, decision, view, snapshot, now)
    return _rows(message, decision, guarded, writer)


def mapped_before(message: ClaimedMessage, connections: Connections) -> MappedMessage | None:
    """What `compute` would map, to read ahead by; None where it cannot be: `compute` meets and tells the problem."""
    view = connections.get(message.connection)
    if view is None or message.stream == REPLIES:
        return None
    try:
        return _mapped(message, view)
    except Exception:  # noqa: BLE001 - whatever it is, it comes again where it is dealt with
        return None


def _mapped(message: ClaimedMessage, view: ConnectionView) -> MappedMessage:
    stream = view.streams.get(message.stream)
    if stream is None or stream.mapping is None:
        raise MappingError("", "no_mapping", f"{message.connection} has no mapping for {message.stream}")
    mapped = stream.mapping.run(_tree(message, stream))
    return _incoming(message, mapped, stream, view), mapped.notes


def _tree(message: ClaimedMessage, stream: StreamView) -> Any:
    if message.position != WHOLE:
        return json.loads(message.body)
    options = {name: value for name, value in stream.codec_options.items() if name != "items"}
    return codec(stream.codec).loads(message.body, message.content_type or None, options)


def _incoming(message: ClaimedMessage, mapped: Mapped, stream: StreamView, view: ConnectionView) -> Incoming:
    record = mapped.record
    return Incoming(
        id=message.id,
        connection=message.connection,
        stream=message.stream,
        record=record,
        restate=record,
        previous=None,
        highest={},
        newest=True,
        scope=message.scope or str(record.get("scope", "")),
        external_id=message.external_id or str(record.get("external_id", "")),
        fact_key=str(record.get("fact_key") or message.fact_key or ""),
        holds=mapped.holds,
        source_version=message.source_version or str(record.get("source_version", "")),
        received_at=message.received_at,
        source=message.source,
        effects=view.effects and not _before_start(record, stream),
    )


def _before_start(record: Mapping[str, Any], stream: StreamView) -> bool:
    """Older than start_from: captured without effects."""
    placed = record.get("placed_at")
    if stream.start_from is None or not isinstance(placed, str):
        return False
    return dt.datetime.fromisoformat(placed) < stream.start_from


def _decide(incoming: Incoming, handlers: Mapping[str, MessageHandler], writer: Writer) -> Decision:
    echo = match_echo(incoming, writer)
    if echo is not None:
        return echo
    if incoming.stream == "acknowledgements":
        return acknowledge(incoming, writer)
    handler = handlers.get(incoming.stream)
    if handler is None:
        return Decision(Verdict.IGNORED, code="no_handler", message=f"nothing here takes {incoming.stream}")
    return handler(incoming, writer.snapshot, writer.now)


def _unmappable(message: ClaimedMessage, problem: MappingError | FormatError) -> Decision:
    where = problem.field if isinstance(problem, MappingError) else ""
    named = f" ({where})" if where else ""
    request = ExceptionRequest(
        cause_key=f"mapping/{message.connection}/{message.stream}/{where}/{problem.code}",
        kind="mapping",
        title=f"{message.connection}: {message.stream} cannot be mapped{named}",
        detail=problem.message,
        next_step="the message is kept and not applied; a newer complete one replaces it",
        hint="correct the mapping or the source, then retry these messages",
        subject_kind="message",
        subject_id=message.id,
        connection=message.connection,
    )
    return Decision(Verdict.PARKED, code=problem.code, error_field=where, message=problem.message, exceptions=[request])


def _parked(message: ClaimedMessage, decision: Decision) -> ExceptionRequest:
    """Nothing parks in silence: for a handler that parked and raised nothing of its own."""
    named = f" ({decision.error_field})" if decision.error_field else ""
    return ExceptionRequest(
        cause_key=f"{decision.code or 'parked'}/{message.connection}/{message.stream}/{decision.error_field}",
        kind="unidentified",
        title=f"{message.connection}: {message.stream} cannot be taken{named}",
        detail=decision.message,
        next_step="the message is kept and not applied; a newer complete one replaces it",
        hint=decision.hint or "correct the mapping, the configuration or the source, then retry these messages",
        subject_kind="message",
        subject_id=message.id,
        connection=message.connection,
    )


def _waiting(
    message: ClaimedMessage, decision: Decision, view: ConnectionView | None, snapshot: Snapshot, now: dt.datetime
) -> Decision:
    """Wait, with a timer to look again, a couple of dozen times a day; after correlate_within it parks as unmatched.

    Whoever makes what it waits for wakes it; the timer is for those that end between a commit and what they do next.
    """
    stream = view.streams.get(message.stream) if view else None
    patience = stream.correlate_within_seconds if stream else DEFAULTS.correlate_within
    age = max(0.0, (now - message.received_at).total_seconds())
    if age >= patience:
        request = ExceptionRequest(
            cause_key=f"unmatched/{message.connection}/{message.stream}",
            kind="unmatched",
            title=f"{message.connection}: {message.stream} about something unknown here",
            detail=f"nothing came that this could belong to ({decision.waits_for})",
            next_step="the message is kept and not applied",
            hint="import or create what it is about, then retry the message",
            subject_kind="message",
            subject_id=message.id,
            connection=message.connection,
        )
        return Decision(
            Verdict.PARKED, code="unmatched", message=request.detail, waits_for=decision.waits_for, exceptions=[request]
        )
    standing = snapshot.row("messages", {"id": message.id})
    waited = standing is not None and standing["waits_for"] == decision.waits_for
    later = min(max(RECHECK_SECONDS, age / 2), max(RECHECK_SECONDS, patience - age))
    due = now + dt.timedelta(seconds=later if waited else RECHECK_SECONDS)
    recheck = TaskRequest("recheck_message", message.id, due, f"recheck/{message.id}/{due.isoformat()}")
    # What a decision that waits would write is not committed: it is decided anew when it is woken.
    return replace(Decision(Verdict.WAITING), waits_for=decision.waits_for, message=decision.message, tasks=[recheck])


def _rows(message: ClaimedMessage, decision: Decision, guarded: Guarded, writer: Writer) -> Computed:
    verdict = decision.verdict
    if verdict not in (Verdict.APPLIED, Verdict.IGNORED):
        decision = replace(
            decision,
            writes=WriteSet(),
            effects=[],
            events=[],
            wakes=[] if verdict is Verdict.WAITING else decision.wakes,
        )
    if verdict is Verdict.PARKED and not decision.exceptions:
        decision.exceptions = [_parked(message, decision)]
    decision.clears = list(decision.clears)
    if verdict is not Verdict.PARKED and (message.claims > 1 or guarded.clears):
        decision.clears.append(ExceptionClear("", "message", message.id, str(verdict)))
    if verdict not in (Verdict.PARKED, Verdict.WAITING):
        decision.clears += guarded.clears  # the rows that they belong to are written below, under the same verdicts
    writes = decision_rows(decision, writer)
    if verdict in (Verdict.APPLIED, Verdict.IGNORED, Verdict.SUPERSEDED, Verdict.DUPLICATE):
        writes.extend(guarded.always)
    if verdict in (Verdict.APPLIED, Verdict.IGNORED):
        writes.extend(with_subject(guarded.when_applied, decision.subject))
        if message.kind in (Kind.FACT, Kind.DELTA) and guarded.fact_key:
            row = {"key": guarded.fact_key, "message_id": message.id, "created_at": writer.now}
            writes.insert("fact_keys", row, claim=True)
    waiting = verdict is Verdict.WAITING
    values: dict[str, Any] = {
        "state": str(verdict),
        "held": decision.held,
        "error_code": decision.code or None,
        "error_field": decision.error_field or None,
        "error": decision.message or None,
        "subject": decision.subject or None,
        "waits_for": decision.waits_for or None,
        "revision": writer.connections.revision,
        **RELEASED,
    }
    if guarded.fact_key:
        values["fact_key"] = guarded.fact_key.split("|", 2)[2]
    if verdict is Verdict.APPLIED:
        values["applied_at"] = writer.now
    if waiting:
        values["claims"] = 0  # it was computed to its end: nothing of a crash loop
        writes.operations.append(Await(decision.waits_for))
    # The token is the guard: a claim that was lost to a crash or a slow process changes nothing.
    writes.update("messages", {"id": message.id, "state": "claimed", "lease_token": message.token}, values)
    return Computed(
        message.id,
        str(verdict),
        writes,
        waits_for=decision.waits_for if waiting else "",
    )


RELEASED: Mapping[str, Any] = {"lease_token": None, "lease_until": None, "lease_epoch": None}


def again_rows(message: ClaimedMessage, due_at: dt.datetime, why: str) -> WriteSet:
    """Back to the queue, the claim counted."""
    writes = WriteSet()
    values = {"state": "retry", "due_at": due_at, "error_code": "failed", "error": why, **RELEASED}
    writes.update("messages", {"id": message.id, "state": "claimed", "lease_token": message.token}, values, expect=None)
    return writes


def poison_rows(message: ClaimedMessage, snapshot: Snapshot, now: dt.datetime, why: str) -> Computed:
    """Parked for good: computing it ends its process, so it is not computed any more."""
    writes = WriteSet()
    request = ExceptionRequest(
        cause_key=f"poison/{message.connection}/{message.stream}",
        kind="poison",
        title=f"{message.connection}: a message of {message.stream} breaks its computation",
        detail=why,
        next_step="the message is kept and not touched again; others go on",
        hint="look at the message with the log of that time; after a correction, retry it",
        subject_kind="message",
        subject_id=message.id,
        connection=message.connection,
    )
    raise_rows(writes, snapshot, [request], message.id, now)
    values = {"state": "parked", "error_code": "poison", "error": why, **RELEASED}
    writes.update("messages", {"id": message.id, "state": "claimed", "lease_token": message.token}, values)
    return Computed(message.id, "parked", writes)
