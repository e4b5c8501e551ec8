"""The rule of each kind of stream: what is a duplicate, what is superseded, what is merged (docs: kinds).

state: the whole entity restated; a duplicate equals the last applied one. fact and delta: known by their key, for ever.
snapshot: a duplicate equals the last applied one, its time included; older ones are the handler's to refuse.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.domain.decision import Decision, ExceptionClear, ExceptionRequest, Incoming, Verdict
from hub.domain.ids import derived_id
from hub.domain.restate import LINES, Merged, View, merge, view_from_json, view_to_json
from hub.domain.snapshot import Snapshot
from hub.domain.validation import Rule
from hub.domain.writeset import Insert, Operation, Update, WriteSet
from hub.exchange.connections import ConnectionView
from hub.exchange.decisions import body_row, task_row
from hub.exchange.parse import fetch_task
from hub.exchange.ports import ClaimedMessage
from hub.formats import json
from hub.sdk.streams import Kind

IDENTITY_REUSED = "identity_reused"


@dataclass(frozen=True, slots=True)
class Guarded:
    """`decision` set: the kind's rule has decided already. `incoming` set: the merged view to decide on.

    `always` is written unless the message parks or waits, `when_applied` only with what it decides.
    """

    decision: Decision | None = None
    incoming: Incoming | None = None
    fact_key: str = ""
    always: WriteSet = field(default_factory=WriteSet)
    when_applied: WriteSet = field(default_factory=WriteSet)
    clears: tuple[ExceptionClear, ...] = ()


def guard(
    message: ClaimedMessage, incoming: Incoming, view: ConnectionView, snapshot: Snapshot, now: dt.datetime
) -> Guarded:
    """Apply the rule of the message's kind."""
    if message.kind == Kind.STATE:
        return _state(message, incoming, view, snapshot, now)
    if message.kind == Kind.SNAPSHOT:
        return _snapshot(message, incoming, snapshot, now)
    return _fact(message, incoming, snapshot)


def content_hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps_canonical(dict(record))).hexdigest()


# --- facts and deltas ---


def full_fact_key(connection: str, stream: str, key: str) -> str:
    return f"{connection}|{stream}|{key}"


def _fact(message: ClaimedMessage, incoming: Incoming, snapshot: Snapshot) -> Guarded:
    if not incoming.fact_key:
        return Guarded(
            Decision(
                Verdict.PARKED,
                code="no_fact_key",
                message="the record has no key of its own",
                exceptions=[
                    ExceptionRequest(
                        cause_key=f"no_fact_key/{message.connection}/{message.stream}",
                        kind="no_fact_key",
                        title=f"{message.connection}: {message.stream} without a key",
                        detail="a fact without a key of its own cannot be told from its repetition",
                        next_step="the message is kept and not applied",
                        hint="name the fact_key in the mapping, then retry the message",
                        subject_kind="message",
                        subject_id=message.id,
                        connection=message.connection,
                    )
                ],
            )
        )
    key = full_fact_key(message.connection, message.stream, incoming.fact_key)
    known = snapshot.row("fact_keys", {"key": key})
    if known is not None:
        return Guarded(Decision(Verdict.DUPLICATE, message=f"applied by {known['message_id']}"), fact_key=key)
    return Guarded(fact_key=key)


# --- snapshots ---


def _snapshot(message: ClaimedMessage, incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Guarded:
    digest = content_hash(incoming.record)
    row = snapshot.row("sources", {"entity_key": message.entity_key})
    if row is not None and row["last_hash"] == digest:
        return Guarded(Decision(Verdict.DUPLICATE, message="equal to the last applied one"))
    writes = WriteSet()
    _upsert(
        writes,
        message,
        row,
        {"last_hash": digest, "last_version": incoming.source_version, "versions": {}, "body_id": ""},
        now,
    )
    cleared, clears = _parked_before(message, incoming, snapshot, now)
    return Guarded(when_applied=_joined(writes, cleared), clears=clears)


# --- states ---


def _state(
    message: ClaimedMessage, incoming: Incoming, view: ConnectionView, snapshot: Snapshot, now: dt.datetime
) -> Guarded:
    restate = incoming.restate
    digest = content_hash(restate)
    row = snapshot.row("sources", {"entity_key": message.entity_key})
    if row is not None and row["last_hash"] == digest:
        cleared, clears = _parked_before(message, incoming, snapshot, now)
        return Guarded(
            Decision(Verdict.DUPLICATE, subject=row["subject"] or "", message="equal to the last applied one"),
            always=cleared,
            clears=clears,
        )
    contradiction = _contradiction(row, restate)
    if contradiction:
        return Guarded(_identity_reused(message, contradiction))
    previous = _view(row, snapshot)
    partial = any(hold.field == LINES and hold.rule == Rule.MAPPING for hold in incoming.holds)
    merged = merge(previous, restate, incoming.source_version, received_order(message), partial=partial)
    if previous is not None and not merged.newest and not merged.changed:
        return Guarded(
            Decision(Verdict.SUPERSEDED, subject=_subject(row), message="every field was stated by a newer one")
        )
    writes = WriteSet()
    _save_view(writes, message, incoming, row, merged, digest, now)
    if merged.conflict:
        _ask_again(writes, message, view, digest, now)
    parked, clears = _parked_before(message, incoming, snapshot, now)
    coming = replace(
        incoming,
        record=merged.view.record(),
        previous=previous.record() if previous is not None else None,
        highest=merged.view.highest,
        newest=merged.newest,
    )
    return Guarded(incoming=coming, when_applied=_joined(writes, parked), clears=clears)


def received_order(message: ClaimedMessage) -> str:
    """Sorts as text by the time of receipt, then by receipt and place in it; the same for a re-driven copy."""
    receipt, digits, place = _arrival(message.receipt_id, message.position)
    return f"{message.received_at.isoformat(timespec='microseconds')}|{receipt}|{digits:03d}{place}"


def _arrival(receipt_id: str, position: str) -> tuple[str, int, str]:
    """Receipt ids are in order of arrival; within one, `orders.9` comes before `orders.10`."""
    return receipt_id, len(position), position


def _subject(row: Mapping[str, Any] | None) -> str:
    return str(row["subject"] or "") if row is not None else ""


def _view(row: Mapping[str, Any] | None, snapshot: Snapshot) -> View | None:
    if row is None:
        return None
    body = snapshot.body(row["body_id"])
    if body is None:
        return None  # erased: the next restate is a first sight
    values = json.loads(body)
    assert isinstance(values, dict)
    return view_from_json(values, row["versions"])


def _save_view(
    writes: WriteSet,
    message: ClaimedMessage,
    incoming: Incoming,
    row: Mapping[str, Any] | None,
    merged: Merged,
    digest: str,
    now: dt.datetime,
) -> None:
    values, versions = view_to_json(merged.view)
    body = json.dumps_canonical(values)
    body_id = derived_id("bd", "source", message.entity_key)
    if row is None:
        # A body of an erased entity may still stand under this id; its row is filled again.
        writes.insert(
            "bodies", body_row(body_id, "source", message.entity_key, body, "application/json", now), ignore=True
        )
    else:
        filled = {"body": body, "size_bytes": len(body), "erased_at": None}
        writes.operations.append(Update("bodies", {"id": body_id}, filled))
    columns: dict[str, Any] = {
        "versions": versions,
        "body_id": body_id,
        "fingerprint": {**(row["fingerprint"] or {} if row is not None else {}), **fingerprint(incoming.restate)},
    }
    if merged.newest:
        # An older one that fills gaps does not become "the last applied": the newest may come again unchanged.
        columns |= {"last_hash": digest, "last_version": incoming.source_version}
    if merged.conflict:
        columns["conflicts"] = (row["conflicts"] if row is not None else 0) + 1
    _upsert(writes, message, row, columns, now)


def _upsert(
    writes: WriteSet,
    message: ClaimedMessage,
    row: Mapping[str, Any] | None,
    columns: Mapping[str, Any],
    now: dt.datetime,
) -> None:
    if row is None:
        writes.insert(
            "sources",
            {
                "entity_key": message.entity_key,
                "record": message.stream,
                "last_hash": None,
                "last_version": None,
                "fingerprint": None,
                **columns,
                "version": 1,
                "updated_at": now,
            },
            claim=True,
        )
        return
    where = {"entity_key": message.entity_key, "version": row["version"]}
    writes.update("sources", where, {**columns, "version": row["version"] + 1, "updated_at": now})


def _ask_again(writes: WriteSet, message: ClaimedMessage, view: ConnectionView, digest: str, now: dt.datetime) -> None:
    """Two contents of one version: where the source can be asked, it says which one counts."""
    stream = view.streams.get(message.stream)
    if stream is None or not stream.can_fetch or message.source == "fetch" or not message.external_id:
        return
    task = fetch_task(
        message.connection, message.stream, message.external_id, f"{message.source_version}/{digest}", now
    )
    writes.insert("tasks", task_row(task, now), ignore=True)


# --- identity ---


def fingerprint(record: Mapping[str, Any]) -> dict[str, str]:
    """What never changes about one entity, as far as it was said."""
    buyer = record.get("buyer")
    found = {
        "placed_at": record.get("placed_at"),
        "currency": record.get("currency"),
        "buyer": buyer.get("external_id") if isinstance(buyer, dict) else None,
    }
    return {name: str(value) for name, value in found.items() if value}


def _contradiction(row: Mapping[str, Any] | None, restate: Mapping[str, Any]) -> str:
    """An id under which two different orders came: told by what never changes. Several must differ: one alone is a
    source's correction."""
    if row is None or not row["fingerprint"]:
        return ""
    known, said = row["fingerprint"], fingerprint(restate)
    differing = sorted(name for name in known if name in said and known[name] != said[name])
    return ", ".join(differing) if "placed_at" in differing or len(differing) > 1 else ""


def _identity_reused(message: ClaimedMessage, differing: str) -> Decision:
    request = ExceptionRequest(
        cause_key=f"{IDENTITY_REUSED}/{message.entity_key}",
        kind=IDENTITY_REUSED,
        title=f"{message.connection}: the id {message.external_id} came again for another {message.stream}",
        detail=f"these never change for one entity, but differ: {differing}",
        next_step="the message is kept and not applied",
        hint="either it is a new one: declare a scope for the stream and retry; or it is the same: ignore this message",
        subject_kind="message",
        subject_id=message.id,
        connection=message.connection,
    )
    return Decision(
        Verdict.PARKED, code=IDENTITY_REUSED, error_field=differing, message=request.detail, exceptions=[request]
    )


# --- parked ones of the same entity ---


def _parked_before(
    message: ClaimedMessage, incoming: Incoming, snapshot: Snapshot, now: dt.datetime
) -> tuple[WriteSet, tuple[ExceptionClear, ...]]:
    """A newer one supersedes the parked and clears its exception; after an older one the parked is tried again."""
    writes = WriteSet()
    clears: list[ExceptionClear] = []
    parked = snapshot.rows("messages", {"entity_key": message.entity_key, "state": "parked", "kind": message.kind})
    for row in parked:
        if row["id"] == message.id or row["stream"] != message.stream:
            continue
        if row["error_code"] == IDENTITY_REUSED:
            continue  # another entity under the same id, perhaps: only a person knows
        versions = (row["source_version"], incoming.source_version)
        theirs, mine = versions if all(versions) else ("", "")
        if (theirs, *_arrival(row["receipt_id"], row["position"])) < (
            mine,
            *_arrival(message.receipt_id, message.position),
        ):
            values: dict[str, Any] = {"state": "superseded", "error": f"superseded by {message.id}"}
            clears.append(ExceptionClear("", "message", row["id"], "superseded"))
        else:
            values = {"state": "stored", "claims": 0, "due_at": now}
            clears.append(ExceptionClear("", "message", row["id"], "tried again"))
        writes.operations.append(Update("messages", {"id": row["id"], "state": "parked"}, values, expect=None))
    return writes, tuple(clears)


def _joined(first: WriteSet, second: WriteSet) -> WriteSet:
    return WriteSet([*first.operations, *second.operations])


def with_subject(writes: WriteSet, subject: str) -> WriteSet:
    """The rows of a source with what the decision says it is (an order's id), its body findable for erasure."""
    if not subject:
        return writes
    operations: list[Operation] = []
    for operation in writes.operations:
        column = {"sources": "subject", "bodies": "order_id"}.get(getattr(operation, "table", ""))
        if column and isinstance(operation, Insert):
            operation = replace(operation, row={**operation.row, column: subject})
        elif column and isinstance(operation, Update):
            operation = replace(operation, values={**operation.values, column: subject})
        operations.append(operation)
    return WriteSet(operations)
