"""What came in: receipts and the messages in them, without their bytes; and where the bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

RECEIPT = """SELECT r.id, r.connection, r.stream, r.topic, r.delivery_id, r.source, r.received_at, r.state, r.error,
                    r.messages, r.body_hash, b.size_bytes, b.content_type, b.erased_at
               FROM receipts r LEFT JOIN bodies b ON b.id = r.body_id"""
MESSAGE = """SELECT id, receipt_id, position, connection, stream, kind, external_id, scope, fact_key, source_version,
                    state, held, error_code, error_field, error, subject, waits_for, claims, due_at, created_at,
                    applied_at, revision, redrive_of
               FROM messages"""
RECEIPT_INSTANTS = ("received_at", "erased_at")
MESSAGE_INSTANTS = ("due_at", "created_at", "applied_at")


def list_receipts(
    connection: Connection,
    *,
    state: str | None = None,
    of: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Newest first; `of` is a connection, `before` the id of the last row of the page before (keyset)."""
    where, values = _conditions(
        {
            "state": (state, "r.state = :state"),
            "of": (of, "r.connection = :of"),
            "before": (before, "r.id < :before"),
        }
    )
    sql = f"{RECEIPT} WHERE {where} ORDER BY r.id DESC LIMIT :limit"
    return rows(connection, sql, {**values, "limit": limit}, instants=RECEIPT_INSTANTS)


def show_receipt(connection: Connection, receipt_id: str) -> dict[str, Any] | None:
    """One receipt with its messages."""
    found = rows(connection, f"{RECEIPT} WHERE r.id = :id", {"id": receipt_id}, instants=RECEIPT_INSTANTS)
    if not found:
        return None
    sql = f"{MESSAGE} WHERE receipt_id = :id ORDER BY sequence LIMIT 1000"
    found[0]["records"] = _plain(rows(connection, sql, {"id": receipt_id}, instants=MESSAGE_INSTANTS))
    return found[0]


def list_messages(
    connection: Connection,
    *,
    state: str | None = None,
    of: str | None = None,
    stream: str | None = None,
    subject: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Newest first; `of` is a connection, `subject` an order's id, `before` as for receipts."""
    where, values = _conditions(
        {
            "state": (state, "state = :state"),
            "of": (of, "connection = :of"),
            "stream": (stream, "stream = :stream"),
            "subject": (subject, "subject = :subject"),
            "before": (before, "id < :before"),
        }
    )
    sql = f"{MESSAGE} WHERE {where} ORDER BY id DESC LIMIT :limit"
    return _plain(rows(connection, sql, {**values, "limit": limit}, instants=MESSAGE_INSTANTS))


def show_message(connection: Connection, message_id: str) -> dict[str, Any] | None:
    """One message; `redriven_as` names the newer one of the same bytes, if there is one."""
    found = _plain(rows(connection, f"{MESSAGE} WHERE id = :id", {"id": message_id}, instants=MESSAGE_INSTANTS))
    if not found:
        return None
    newer = rows(connection, "SELECT id FROM messages WHERE redrive_of = :id", {"id": message_id})
    found[0]["redriven_as"] = newer[0]["id"] if newer else None
    return found[0]


def body_of(connection: Connection, kind: str, owner: str) -> dict[str, Any] | None:
    """Where the bytes of a receipt, a message or a delivery lie: id, content type, size, when they were erased.

    A message that is its receipt's whole body has the receipt's.
    """
    sql = {
        "receipt": "SELECT body_id FROM receipts WHERE id = :id",
        "message": "SELECT COALESCE(m.body_id, r.body_id) AS body_id FROM messages m"
        " LEFT JOIN receipts r ON r.id = m.receipt_id WHERE m.id = :id",
        "delivery": "SELECT body_id FROM deliveries WHERE id = :id",
    }[kind]
    found = rows(connection, sql, {"id": owner})
    if not found or found[0]["body_id"] is None:
        return None
    body = rows(
        connection,
        "SELECT id, content_type, size_bytes, erased_at FROM bodies WHERE id = :id",
        {"id": found[0]["body_id"]},
        instants=("erased_at",),
    )
    return body[0] if body else None


def _conditions(given: Mapping[str, tuple[str | None, str]]) -> tuple[str, dict[str, Any]]:
    asked = {name: (value, sql) for name, (value, sql) in given.items() if value is not None}
    return " AND ".join(["1 = 1", *(sql for _, sql in asked.values())]), {name: one[0] for name, one in asked.items()}


def _plain(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in found:
        row["held"] = bool(row["held"])
        row["redrive_of"] = row["redrive_of"] or None
    return found
