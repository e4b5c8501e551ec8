"""Settling a delivery: its state, the attempt's outcome, the answer's bytes and the reply message, in one write set."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.domain.decision import ExceptionClear, ExceptionRequest, TaskRequest
from hub.domain.masking import masked, private_texts
from hub.domain.writeset import Update, WriteSet
from hub.exchange.closing import RELEASED, unblock
from hub.exchange.decisions import Writer, body_row, task_row
from hub.exchange.exceptions import clear_rows, raise_rows
from hub.exchange.ports import ClaimedDelivery
from hub.exchange.replies import Answer, reply_rows
from hub.exchange.resolution import NEVER, CallResult, Next
from hub.sdk.errors import Resolution

REPORTED = frozenset({"acknowledged", "refused", "unknown", "abandoned"})
"""States of which the OMS hears by a reply message."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt as it ended. `kind`: call | probe."""

    delivery: ClaimedDelivery
    number: int
    kind: str
    started_at: dt.datetime
    finished_at: dt.datetime
    result: CallResult
    resolution: Resolution
    next: Next

    @property
    def id(self) -> str:
        return f"{self.delivery.id}/{self.number}"


def settle_rows(ended: Attempted, writer: Writer) -> WriteSet:
    """Everything the end of an attempt changes, guarded by the delivery's fencing token."""
    writes = WriteSet()
    ended = _discreet(ended, writer)
    delivery, coming, now = ended.delivery, ended.next, writer.now
    values: dict[str, Any] = {
        **RELEASED,
        "state": coming.state,
        "park_reason": coming.park_reason,
        "probe_after": coming.probe_after,
        "reply_due_at": coming.reply_due_at,
        "error": ended.result.words or None if not coming.clears else None,
        "due_at": coming.due_at or now,
    }
    if coming.final:
        values["settled_at"] = now
    if ended.result.external_id:
        values["external_id"] = ended.result.external_id
    writes.update("deliveries", {"id": delivery.id, "lease_token": delivery.token}, values)
    body_id = attempt_rows(writes, ended, writer, stale=False)
    if coming.state in REPORTED and not (ended.kind == "probe" and coming.state == "unknown"):
        _report(writes, ended, body_id, writer)
    if coming.state == "sent" and coming.reply_due_at is not None:
        writes.insert("tasks", task_row(overdue_task(delivery.id, ended.number, coming.reply_due_at), now), ignore=True)
    if delivery.capability.startswith("push_") or coming.state == "sent":  # echoes, or an answer that came first
        writes.wake([delivery.id], now)
    exception = exception_for(delivery, coming, ended.result)
    if exception is not None:
        raised = [exception]
        if coming.state == "refused":
            raised += block_dependants(writes, writer, delivery.business_key, delivery.order_id, exception)
        raise_rows(writes, writer.snapshot, raised, ended.id, now)
    if coming.clears and delivery.attempts:
        clears = [ExceptionClear("", "delivery", delivery.id, ended.resolution)]
        if coming.state == "acknowledged":
            clears += unblock(writes, writer, delivery.business_key, delivery.order_id, ended.resolution)
        clear_rows(writes, writer.snapshot, clears, now)
    elif delivery.attempts:
        clear_rows(writes, writer.snapshot, outdated(delivery.id, coming), now)
    return writes


def _discreet(ended: Attempted, writer: Writer) -> Attempted:
    """The other side's words without what they say of people; the raw answer is kept in its body as it came."""
    words = ended.result.words
    if not words:
        return ended
    order_id = ended.delivery.order_id
    contacts = writer.snapshot.rows("contacts", {"order_id": order_id}) if order_id else []
    said = masked(words, private_texts(row["data"] for row in contacts))
    return replace(ended, result=replace(ended.result, words=said))


def outdated(delivery_id: str, coming: Next) -> list[ExceptionClear]:
    """What a person was told of an earlier state and is true no more: that it is being retried, or is unknown."""
    kinds = {"retry": "retrying", "unknown": "unknown"}
    said = [kind for state, kind in kinds.items() if state != coming.state and kind != coming.raises]
    return [ExceptionClear(f"{kind}/", "delivery", delivery_id, f"became {coming.state}") for kind in said]


def attempt_rows(writes: WriteSet, ended: Attempted, writer: Writer, *, stale: bool) -> str | None:
    """Close the attempt with what it came to; the id of the answer's body, if it had one."""
    result, delivery = ended.result, ended.delivery
    body_id = f"bd_{ended.id}" if result.raw else None
    if body_id is not None:
        row = body_row(body_id, "reply", ended.id, result.raw, result.content_type, writer.now, delivery.order_id)
        writes.insert("bodies", row, ignore=True)
    duration = ended.finished_at - ended.started_at
    writes.update(
        "attempts",
        {"id": ended.id},
        {
            "finished_at": ended.finished_at,
            "resolution": str(ended.resolution),
            "status": result.status,
            "words": result.words or None,
            "body_id": body_id,
            "duration_ms": max(0, int(duration.total_seconds() * 1000)),
            "stale": stale,
        },
        expect=None if stale else 1,
    )
    return body_id


def _report(writes: WriteSet, ended: Attempted, body_id: str | None, writer: Writer) -> None:
    delivery, result = ended.delivery, ended.result
    answer = Answer(
        business_key=delivery.business_key,
        destination=delivery.destination,
        capability=delivery.capability,
        order_id=delivery.order_id,
        origin=ended.id,
        resolution=str(ended.resolution),
        state=ended.next.state,
        external_id=result.external_id,
        words=result.words,
        status=result.status,
        body_id=body_id,
        content_type=result.content_type,
    )
    reply_rows(writes, answer, writer.ids, writer.now, writer.connections.revision)


def evidence_rows(ended: Attempted, row: Mapping[str, Any], writer: Writer) -> WriteSet:
    """A result that came after its lease was lost: it moves nothing, is kept, and a success settles an UNKNOWN.

    `row` is the delivery as it stands now.
    """
    writes = WriteSet()
    ended = _discreet(ended, writer)
    body_id = attempt_rows(writes, ended, writer, stale=True)
    if ended.next.clears and row["state"] in ("unknown", "probing"):
        values: dict[str, Any] = {
            **RELEASED,
            "state": ended.next.state,
            "external_id": ended.result.external_id,
            "error": None,
            "reply_due_at": ended.next.reply_due_at,
            "due_at": ended.next.due_at or writer.now,
        }
        if ended.next.final:
            values["settled_at"] = writer.now
        writes.update(
            "deliveries", {"id": ended.delivery.id, "state": row["state"], "lease_token": row["lease_token"]}, values
        )
        if ended.next.state in REPORTED:
            _report(writes, ended, body_id, writer)
        writes.wake([ended.delivery.id], writer.now)
        clears = [ExceptionClear("", "delivery", ended.delivery.id, "late answer")]
        clear_rows(writes, writer.snapshot, clears, writer.now)
    return writes


def overdue_task(delivery_id: str, attempt: int, due_at: dt.datetime) -> TaskRequest:
    """Looks, when the acknowledgement is due, whether it came."""
    return TaskRequest("acknowledgement_overdue", delivery_id, due_at, f"overdue/{delivery_id}/{attempt}")


_TEXTS: dict[str, tuple[str, str, str]] = {
    "refused": (
        "{destination} refused {capability}",
        "The call is not repeated. Correct the data there or here and resend it; or say that it was done by hand.",
        "hub deliveries resend {delivery} --as-new --reason WHY",
    ),
    "retrying": (
        "{destination} does not take {capability}",
        "See whether the other system is up. The hub keeps trying, ever more slowly; nothing is lost meanwhile.",
        "hub connections check {destination}",
    ),
    "gave_up": (
        "{destination}: {capability} was given up",
        "Nothing more is sent for these deliveries. Retry them once the other system works, or abandon them.",
        "hub deliveries retry {delivery}",
    ),
    "unknown": (
        "{destination}: nobody knows whether {capability} happened",
        "Look in the other system, then say so; the hub does not repeat a call that may have happened.",
        "hub deliveries happened {delivery} --external-id ID, or did-not-happen, or abandon --reason WHY",
    ),
    "conflict": (
        "{destination} has another document under our reference",
        "Compare both, then say which counts; nothing more is sent for this delivery.",
        "hub deliveries happened {delivery} --external-id ID, or did-not-happen, or abandon --reason WHY",
    ),
    "overdue": (
        "{destination} took {capability} but has not answered",
        "Ask the other side, or mark it done elsewhere with its id; a late answer settles it.",
        "hub deliveries happened {delivery} --external-id ID --reason WHY",
    ),
}
"""Kind -> title, what a person does next, the command for it."""


def exception_for(delivery: ClaimedDelivery, coming: Next, result: CallResult) -> ExceptionRequest | None:
    if not coming.raises:
        return None
    return delivery_exception(
        coming.raises,
        delivery.id,
        delivery.destination,
        delivery.capability,
        delivery.order_id,
        result.words,
        result.code,
    )


def delivery_exception(
    kind: str, delivery_id: str, destination: str, capability: str, order_id: str | None, words: str, code: str = ""
) -> ExceptionRequest:
    """The exception of one delivery, grouped by what is wrong: the same words of a refusal are one cause."""
    title, next_step, hint = _TEXTS[kind]
    named = {"destination": destination, "capability": capability, "delivery": delivery_id}
    grouped = code or hashlib.sha256(words.encode()).hexdigest()[:16]
    cause = {"refused": f"/{grouped}", "conflict": f"/{delivery_id}"}.get(kind, "")
    return ExceptionRequest(
        cause_key=f"{kind}/{destination}/{capability}{cause}",
        kind=kind,
        title=title.format(**named),
        detail=words or "the other side said nothing",
        next_step=next_step,
        hint=hint.format(**named),
        subject_kind="delivery",
        subject_id=delivery_id,
        order_id=order_id,
        connection=destination,
    )


def block_dependants(
    writes: WriteSet, writer: Writer, business_key: str, order_id: str | None, exception: ExceptionRequest
) -> list[ExceptionRequest]:
    """Park as blocked what required this delivery, and what requires that; the exception for each of them."""
    if order_id is None:
        return []
    waiting = writer.snapshot.rows("deliveries", {"order_id": order_id, "state": ("pending", "retry")})
    lost = {business_key}
    blocked: list[str] = []
    grew = True
    while grew:
        grew = False
        for row in waiting:
            if row["business_key"] not in lost and lost.intersection(row["requires"]):
                lost.add(row["business_key"])
                blocked.append(row["id"])
                grew = True
    for delivery_id in blocked:
        writes.operations.append(
            Update(
                "deliveries",
                {"id": delivery_id, "state": ("pending", "retry")},
                {"state": "parked", "park_reason": "blocked", "error": f"waits for {business_key}", "due_at": NEVER},
                expect=None,
            )
        )
    return [replace(exception, subject_id=delivery_id) for delivery_id in blocked]
