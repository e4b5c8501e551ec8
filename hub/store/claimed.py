"""What was claimed, loaded after the claim's commit by the thread that will work on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hub.exchange.ports import ClaimedDelivery, ClaimedMessage, ClaimedReceipt, ClaimedTask
from hub.store.bodies import BodyShelf
from hub.store.snapshot import stored_body
from hub.store.transaction import SqlRow, Transaction, among
from hub.store.values import instant_from_database, json_from_database


def _by_ids(tx: Transaction, sql: str, ids: Sequence[str]) -> list[SqlRow]:
    """Rows in the order of `ids`; the id is the first column."""
    rows = {row[0]: row for row in tx.fetch(*among(tx, sql, ids))}
    return [rows[one] for one in ids if one in rows]


def receipts(tx: Transaction, ids: Sequence[str], shelf: BodyShelf) -> list[ClaimedReceipt]:
    rows = _by_ids(
        tx,
        "SELECT r.id, r.connection, r.stream, r.topic, r.delivery_id, r.source, r.received_at, r.claims,"
        " b.headers, b.content_type, b.body, b.file"
        " FROM receipts r JOIN bodies b ON b.id = r.body_id WHERE r.id IN ({ids})",
        ids,
    )
    return [
        ClaimedReceipt(
            id=row[0],
            connection=row[1],
            stream=row[2],
            topic=row[3],
            delivery_id=row[4],
            headers=json_from_database(row[8]) if row[8] else {},
            body=stored_body(shelf, row[10], row[11]) or b"",
            content_type=row[9],
            source=row[5],
            received_at=instant_from_database(row[6]),
            claims=row[7],
        )
        for row in rows
    ]


def messages(tx: Transaction, ids: Sequence[str], token: str, shelf: BodyShelf) -> list[ClaimedMessage]:
    rows = _by_ids(
        tx,
        "SELECT m.id, m.receipt_id, m.position, m.connection, m.stream, m.kind, m.entity_key, m.external_id, m.scope,"
        " m.fact_key, m.source_version, m.claims, COALESCE(r.received_at, m.created_at), COALESCE(r.source, 'reply'),"
        " b.body, b.file, COALESCE(b.content_type, ''), COALESCE(m.subject, '')"
        " FROM messages m LEFT JOIN receipts r ON r.id = m.receipt_id"
        " LEFT JOIN bodies b ON b.id = COALESCE(m.body_id, r.body_id) WHERE m.id IN ({ids})",
        ids,
    )
    return [
        ClaimedMessage(
            id=row[0],
            receipt_id=row[1],
            position=row[2],
            connection=row[3],
            stream=row[4],
            kind=row[5],
            entity_key=row[6],
            external_id=row[7],
            scope=row[8],
            fact_key=row[9],
            source_version=row[10],
            body=stored_body(shelf, row[14], row[15]) or b"",
            received_at=instant_from_database(row[12]),
            source=row[13],
            claims=row[11],
            token=token,
            content_type=row[16],
            subject=row[17],
        )
        for row in rows
    ]


def tasks(tx: Transaction, ids: Sequence[str], token: str) -> list[ClaimedTask]:
    rows = _by_ids(tx, "SELECT id, kind, subject, payload, due_at, claims FROM tasks WHERE id IN ({ids})", ids)
    return [
        ClaimedTask(
            id=row[0],
            kind=row[1],
            subject=row[2],
            payload=json_from_database(row[3]),
            due_at=instant_from_database(row[4]),
            claims=row[5],
            token=token,
        )
        for row in rows
    ]


def deliveries(
    tx: Transaction, claimed: Sequence[SqlRow], token: str, until: dt.datetime, shelf: BodyShelf
) -> list[ClaimedDelivery]:
    """`claimed` holds (id, state it was claimed from)."""
    states = {row[0]: row[1] for row in claimed}
    rows = _by_ids(
        tx,
        "SELECT d.id, d.destination, d.capability, d.business_key, d.safety, d.refs, d.order_id, d.attempts,"
        " d.created_at, d.give_up_at, b.content_type, b.body, b.file,"
        " (SELECT min(a.started_at) FROM attempts a WHERE a.delivery_id = d.id AND a.kind = 'call'"
        " AND (a.resolution IS NULL OR a.resolution = 'ambiguous'))"
        " FROM deliveries d LEFT JOIN bodies b ON b.id = d.body_id WHERE d.id IN ({ids})",
        list(states),
    )
    return [
        ClaimedDelivery(
            id=row[0],
            destination=row[1],
            capability=row[2],
            business_key=row[3],
            safety=row[4],
            payload=stored_body(shelf, row[11], row[12]) or b"",
            content_type=row[10] or "",
            refs=json_from_database(row[5]),
            order_id=row[6],
            state=states[row[0]],
            attempts=row[7],
            token=token,
            lease_until=until,
            created_at=instant_from_database(row[8]),
            give_up_at=instant_from_database(row[9]),
            open_attempt_started_at=None if row[13] is None else instant_from_database(row[13]),
        )
        for row in rows
    ]
