"""A Decision becomes rows: deliveries rendered and frozen, tasks, events, exceptions and wakes (docs: outbox)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.domain.decision import (
    Decision,
    EffectRequest,
    EventRequest,
    ExceptionClear,
    ExceptionRequest,
    TaskRequest,
)
from hub.domain.ids import IdSource, derived_id
from hub.domain.snapshot import BatchSnapshot, Snapshot
from hub.domain.writeset import Update, WriteSet
from hub.exchange.connections import Connections, Rendered, Renderer
from hub.exchange.exceptions import clear_rows, raise_rows
from hub.exchange.resolution import NEVER
from hub.formats import FormatError
from hub.formats.json import dumps_canonical
from hub.mapping.errors import MappingError
from hub.sdk.capabilities import COALESCING

WITHDRAWABLE = ("pending", "retry", "in_flight", "parked", "suppressed")


@dataclass(frozen=True, slots=True)
class Writer:
    """What turning decisions into rows needs. `cause` is the id of the message or task that decided."""

    snapshot: Snapshot
    connections: Connections
    renderer: Renderer
    ids: IdSource
    now: dt.datetime
    cause: str


def read_ahead(snapshot: BatchSnapshot, decisions: Sequence[Decision]) -> None:
    """What `decision_rows` will ask for these, at once."""
    keys = dict.fromkeys(business_key(request) for decision in decisions for request in decision.effects)
    snapshot.prefetch("deliveries", "business_key", list(keys))


def decision_rows(decision: Decision, writer: Writer) -> WriteSet:
    """Everything the decision wants committed together, in the order: its own rows, effects, then the rest."""
    writes = WriteSet(list(decision.writes.operations))
    raised = list(decision.exceptions)
    clears = [*decision.clears, *effect_rows(writes, decision.effects, writer, raised)]
    for task in decision.tasks:
        writes.insert("tasks", task_row(task, writer.now), ignore=True)
    for event in decision.events:
        writes.insert("events", event_row(event, writer.ids, writer.now), ignore=True)
    raise_rows(writes, writer.snapshot, raised, writer.cause, writer.now)
    clear_rows(writes, writer.snapshot, clears, writer.now, raised)
    writes.wake(decision.wakes, writer.now)
    return writes


def task_row(task: TaskRequest, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": derived_id("tk", task.dedupe_key),
        "kind": task.kind,
        "subject": task.subject,
        "dedupe_key": task.dedupe_key,
        "state": "pending",
        "due_at": task.due_at,
        "payload": dict(task.payload),
        "created_at": now,
    }


def event_row(event: EventRequest, ids: IdSource, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": derived_id("ev", event.type, event.key),
        "type": event.type,
        "subject": event.subject,
        "order_id": event.order_id,
        "at": now,
        "sequence": ids.new("sq", now),
        "data": dict(event.data),
    }


def business_key(request: EffectRequest) -> str:
    """The key of the delivery: one effect for ever."""
    return f"{request.destination}/{request.capability}/{request.key}"


def effect_rows(
    writes: WriteSet, effects: Sequence[EffectRequest], writer: Writer, raised: list[ExceptionRequest]
) -> list[ExceptionClear]:
    """Deliveries for the effects that have none yet. Mapping failures are appended to `raised`; what was told of
    deliveries that are taken back or replaced is to be cleared."""
    if not effects:
        return []
    clears: list[ExceptionClear] = []
    wanted: dict[str, EffectRequest] = {}
    for request in effects:
        wanted.setdefault(business_key(request), request)
    standing = {
        row["business_key"] for row in writer.snapshot.rows("deliveries", {"business_key": tuple(sorted(wanted))})
    }
    fresh = {key: request for key, request in wanted.items() if key not in standing}
    withdrawn, pointless = _withdrawals(writes, fresh, writer, clears)
    for key, request in fresh.items():
        if key not in withdrawn:
            _one_delivery(writes, key, request, writer, raised, clears, withdrawn=key in pointless)
    return clears


def _was_withdrawn(request: EffectRequest, withdrawn: set[str]) -> bool:
    return any(key.startswith(prefix) for prefix in request.withdraws for key in withdrawn)


def _withdrawals(
    writes: WriteSet, fresh: Mapping[str, EffectRequest], writer: Writer, clears: list[ExceptionClear]
) -> tuple[set[str], set[str]]:
    """Take back what has no started attempt and is now pointless.

    The keys that were taken back, and those of the effects that are pointless with them: nobody over there has heard
    of anything they would take back. An effect of the same decision that another of it takes back never becomes a row.
    """
    withdrawn: set[str] = set()
    pointless: set[str] = set()
    for own_key, request in fresh.items():
        for prefix in request.withdraws:
            withdrawn.update(key for key in fresh if key.startswith(prefix))
            for row in _unheard(request, prefix, writer):
                withdrawn.add(row["business_key"])
                _withdraw(writes, row["id"], writer.now)
                clears += _told_of(row, "withdrawn")
        if _was_withdrawn(request, withdrawn) and not _was_heard(request, writer):
            pointless.add(own_key)
    return withdrawn, pointless


def _told_of(row: Mapping[str, Any], by: str) -> list[ExceptionClear]:
    """What may have been raised about a delivery that is not sent any more."""
    return [ExceptionClear("", "delivery", row["id"], by)] if row["state"] in ("parked", "retry") else []


def _unheard(request: EffectRequest, prefix: str, writer: Writer) -> list[dict[str, Any]]:
    destination = prefix.split("/", 1)[0]
    where: dict[str, Any] = {"destination": destination, "aggregate": request.aggregate, "state": WITHDRAWABLE}
    view = writer.connections.get(destination)
    if view is not None and view.effects:
        where["settled_at"] = None  # lets the lane's index serve; only suppressed rows stand settled
    rows = writer.snapshot.rows("deliveries", where)
    return [row for row in rows if row["business_key"].startswith(prefix) and row["attempts"] == 0]


def _was_heard(request: EffectRequest, writer: Writer) -> bool:
    """Something that the effect would take back was sent, or done elsewhere: then it must go out itself."""
    if request.order_id is None:
        return False
    rows = writer.snapshot.rows("deliveries", {"order_id": request.order_id, "destination": request.destination})
    return any(
        (row["attempts"] > 0 or row["state"] == "acknowledged") and row["state"] != "refused"
        for row in rows
        if row["business_key"].startswith(request.withdraws)
    )


def _withdraw(writes: WriteSet, delivery_id: str, now: dt.datetime) -> None:
    # attempts = 0 is the precondition: an attempt that starts in between makes this recompute and send the cancel.
    writes.update(
        "deliveries",
        {"id": delivery_id, "state": WITHDRAWABLE, "attempts": 0},
        {"state": "withdrawn", "settled_at": now, "lease_token": None, "lease_until": None, "lease_epoch": None},
    )


def _one_delivery(
    writes: WriteSet,
    key: str,
    request: EffectRequest,
    writer: Writer,
    raised: list[ExceptionRequest],
    clears: list[ExceptionClear],
    *,
    withdrawn: bool,
) -> None:
    now = writer.now
    delivery_id = derived_id("dl", key)
    view = writer.connections.get(request.destination)
    state, park_reason, error = "pending", None, None
    body, content_type = b"", ""
    try:
        if view is None:
            raise MappingError("", "no_connection", f"there is no connection {request.destination}")
        rendered = writer.renderer.render(request.destination, request.capability, request.record)
        tree = rendered.tree if withdrawn else frozen(writes, rendered, writer, delivery_id)
        body, content_type = dumps_canonical(tree), rendered.content_type
    except (MappingError, FormatError) as problem:
        # The canonical record stays as the body, so that a corrected mapping can render it again.
        state, park_reason, error = "parked", "mapping", str(problem)
        body, content_type = dumps_canonical(request.record), CANONICAL
        if not withdrawn:
            raised.append(_mapping_exception(request, delivery_id, problem))
    if withdrawn:
        state, park_reason = "withdrawn", None
    elif state == "pending" and (request.suppressed or view is None or not view.effects):
        state = "suppressed"
    elif state == "pending" and request.capability in COALESCING and request.subject:
        clears += _coalesce(writes, request, writer)
    horizon = request.give_up_after_seconds
    if horizon is None:
        horizon = view.horizon_seconds(request.capability) if view else 0.0
    writes.insert(
        "bodies", body_row(f"bd_{delivery_id}", "delivery", delivery_id, body, content_type, now, request.order_id)
    )
    info = view.capability(request.capability) if view else None
    writes.insert(
        "deliveries",
        {
            "id": delivery_id,
            "destination": request.destination,
            "capability": request.capability,
            "aggregate": request.aggregate,
            "lane": request.lane,
            "business_key": key,
            "subject": request.subject,
            "order_id": request.order_id,
            "state": state,
            "park_reason": park_reason,
            "safety": str(info.safety) if info else "none",
            "body_id": f"bd_{delivery_id}",
            "body_hash": hashlib.sha256(body).hexdigest(),
            "refs": dict(request.refs),
            "requires": list(request.requires),
            "fact": echo_fact(request),
            "echo_key": key if info and info.echo_field else None,
            "due_at": NEVER if state == "parked" else now,
            "give_up_at": now + dt.timedelta(seconds=horizon),
            "error": error,
            "cause": writer.cause,
            "created_at": now,
            "settled_at": now if state in ("withdrawn", "suppressed") else None,
        },
        claim=True,
    )


def frozen(writes: WriteSet, rendered: Rendered, writer: Writer, delivery_id: str) -> Any:
    """The payload as it will be sent; where its bytes hold control numbers, they are taken in these rows. Raises
    FormatError."""
    if rendered.freeze is None:
        return rendered.tree
    tree, rows = rendered.freeze(rendered.tree, writer.snapshot, delivery_id, writer.now)
    writes.extend(rows)
    return tree


CANONICAL = "application/vnd.order-hub.canonical+json"
"""Content type of a delivery's body that is still the canonical record, because it could not be rendered."""


def echo_fact(request: EffectRequest) -> str | None:
    """What an inbound record must show to be this effect's echo, as text: kind and content."""
    if not request.echo:
        return None
    return dumps_canonical({"kind": request.echo, "match": dict(request.echo_match)}).decode()


def body_row(
    body_id: str,
    owner_kind: str,
    owner_id: str,
    body: bytes,
    content_type: str,
    now: dt.datetime,
    order_id: str | None = None,
) -> dict[str, Any]:
    return {
        "id": body_id,
        "owner_kind": owner_kind,
        "owner_id": owner_id,
        "order_id": order_id,
        "content_type": content_type,
        "body": body,
        "size_bytes": len(body),
        "created_at": now,
    }


def _coalesce(writes: WriteSet, request: EffectRequest, writer: Writer) -> list[ExceptionClear]:
    """Older pushes of the same subject that have not left yet are pointless now, and what was told of them too."""
    clears: list[ExceptionClear] = []
    queued = {"subject": request.subject, "destination": request.destination, "state": ("pending", "retry")}
    for row in writer.snapshot.rows("deliveries", queued):
        writes.operations.append(
            Update(
                "deliveries",
                {"id": row["id"], "state": ("pending", "retry")},
                {"state": "coalesced", "settled_at": writer.now},
                expect=None,
            )
        )
        clears += _told_of(row, "coalesced")
    return clears


def _mapping_exception(
    request: EffectRequest, delivery_id: str, problem: MappingError | FormatError
) -> ExceptionRequest:
    where = problem.field if isinstance(problem, MappingError) else ""
    return ExceptionRequest(
        cause_key=f"mapping/{request.destination}/{request.capability}/{where}/{problem.code}",
        kind="mapping",
        title=f"{request.destination}: {request.capability} cannot be written",
        detail=str(problem),
        next_step="nothing is sent until the mapping or the data is corrected",
        hint="correct the mapping, then retry these deliveries",
        subject_kind="delivery",
        subject_id=delivery_id,
        order_id=request.order_id,
        connection=request.destination,
    )
