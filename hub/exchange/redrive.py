"""Trying again what a person has made possible: messages, receipts, deliveries, tasks, whole exceptions.

Pressed twice at once each has one effect: the state that was read is the precondition.
"""

from __future__ import annotations

from hub.domain.decision import ExceptionClear
from hub.domain.ids import derived_id
from hub.domain.writeset import WriteSet
from hub.exchange import verbs
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit, clear_rows
from hub.exchange.verbs import Refused

REDRIVABLE = ("parked", "ignored", "superseded")
COPIED = (
    "receipt_id",
    "position",
    "connection",
    "stream",
    "kind",
    "entity_key",
    "external_id",
    "scope",
    "fact_key",
    "source_version",
    "body_id",
)


def redrive_message(writer: Writer, message_id: str, who: str) -> WriteSet:
    """A new message of the same bytes, linked to the old one, under the present revision."""
    row = writer.snapshot.row("messages", {"id": message_id})
    if row is None:
        raise Refused(f"there is no message {message_id}")
    if row["state"] not in REDRIVABLE:
        raise Refused(f"{message_id} is {row['state']}; what can be re-driven is {', '.join(REDRIVABLE)}")
    writes = WriteSet()
    new_id = derived_id("ms", "redrive", message_id)
    writes.update("messages", {"id": message_id, "state": row["state"]}, {"state": "re-driven"})
    writes.insert(
        "messages",
        {
            **{name: row[name] for name in COPIED},
            "id": new_id,
            "state": "stored",
            "due_at": writer.now,
            "created_at": writer.now,
            "revision": writer.connections.revision,
            "redrive_of": message_id,
        },
        claim=True,
    )
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "message", message_id, who)], writer.now)
    audit(writes, "messages.retry", message_id, who, "", writer.now, {"new": new_id})
    return writes


def reparse_receipt(writer: Writer, receipt_id: str, who: str) -> WriteSet:
    """An unparsable receipt is read again."""
    row = writer.snapshot.row("receipts", {"id": receipt_id})
    if row is None or row["state"] != "unparsable":
        raise Refused(f"{receipt_id} is no unparsable receipt")
    writes = WriteSet()
    where = {"id": receipt_id, "state": "unparsable"}
    writes.update("receipts", where, {"state": "pending", "claims": 0, "error": None, "lease_until": None})
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "receipt", receipt_id, who)], writer.now)
    audit(writes, "receipts.retry", receipt_id, who, "", writer.now)
    return writes


def retry_task(writer: Writer, task_id: str, who: str) -> WriteSet:
    """A failed task is due again."""
    row = writer.snapshot.row("tasks", {"id": task_id})
    if row is None or row["state"] != "failed":
        raise Refused(f"{task_id} is no failed task")
    writes = WriteSet()
    values = {"state": "pending", "claims": 0, "due_at": writer.now, "error": None, "finished_at": None}
    writes.update("tasks", {"id": task_id, "state": "failed"}, values)
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "task", task_id, who)], writer.now)
    audit(writes, "tasks.retry", task_id, who, "", writer.now)
    return writes


def subjects(writer: Writer, exception_id: str) -> list[tuple[str, str]]:
    """(kind, id) of what an open exception still holds, in order."""
    rows = writer.snapshot.rows(
        "exception_subjects", {"exception_id": exception_id, "cleared_at": None}, order_by=("added_at", "subject_id")
    )
    return [(row["subject_kind"], row["subject_id"]) for row in rows]


def retry_subject(writer: Writer, kind: str, subject_id: str, who: str) -> WriteSet:
    """Whatever trying again means for this kind of subject. Raises Refused where it means nothing."""
    if kind == "message":
        return redrive_message(writer, subject_id, who)
    if kind == "receipt":
        return reparse_receipt(writer, subject_id, who)
    if kind == "delivery":
        return verbs.retry(writer, subject_id, who)
    if kind == "task":
        return retry_task(writer, subject_id, who)
    raise Refused(f"a {kind} cannot be tried again by itself")
