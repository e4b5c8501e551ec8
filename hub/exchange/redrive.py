"""Trying again what a person has made possible: messages, receipts, deliveries, tasks, whole exceptions.

Pressed twice at once each has one effect: the state that was read is the precondition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.domain.decision import ExceptionClear
from hub.domain.ids import derived_id
from hub.domain.validation import Rule
from hub.domain.writeset import WriteSet
from hub.exchange import verbs
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit, clear_rows
from hub.exchange.verbs import Refused

REDRIVABLE = ("parked", "ignored", "superseded")
ORDERS = "orders"
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
    return _read_again(writer, row, who)


def _read_again(writer: Writer, row: Mapping[str, Any], who: str) -> WriteSet:
    message_id = str(row["id"])
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


def redrive_order(writer: Writer, order_id: str, who: str) -> WriteSet:
    """Of an order that a mapping holds: the newest restate of its channel is read again as a new message.

    It counts even where it says what the old one said: a mapping that only holds no more says nothing else.
    Raises Refused where no mapping holds it or nothing can be read again.
    """
    held = writer.snapshot.rows("holds", {"order_id": order_id, "released_at": None})
    if not held:
        raise Refused("nothing holds this order, so there is nothing to read again; do what its next step says")
    if not any(hold["rule"] == Rule.MAPPING for hold in held):
        raise Refused(
            "no mapping holds this order, so reading it again changes nothing; remove the cause, and the hold goes by"
            f" itself, or: hub orders release {order_id} --reason WHY"
        )
    by_hand = f"have the channel send the order again, or: hub orders release {order_id} --reason WHY"
    source = next(iter(writer.snapshot.rows("sources", {"subject": order_id, "record": ORDERS})), None)
    said = writer.snapshot.rows("messages", {"subject": order_id, "stream": ORDERS, "state": ("applied", "duplicate")})
    said = [row for row in said if source is not None and row["entity_key"] == source["entity_key"]]
    if source is None or not said:
        raise Refused(f"no message of this order is there that could be read again, or one is being read; {by_hand}")
    newest = max(said, key=lambda row: (row["source_version"] or "", row["sequence"]))
    if not _readable(writer, newest):
        raise Refused(f"what its channel sent is not kept any more; {by_hand}")
    writes = _read_again(writer, newest, who)
    version = source["version"]
    where = {"entity_key": source["entity_key"], "version": version}
    writes.update("sources", where, {"last_hash": None, "version": version + 1})
    return writes


def _readable(writer: Writer, message: Mapping[str, Any]) -> bool:
    body_id = message["body_id"]
    if body_id is None:
        receipt = writer.snapshot.row("receipts", {"id": message["receipt_id"]})
        body_id = receipt["body_id"] if receipt is not None else None
    return body_id is not None and writer.snapshot.body(body_id) is not None


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
    if kind == "order":
        return redrive_order(writer, subject_id, who)
    raise Refused("there is nothing in it to read or send again; do what its next step says")
