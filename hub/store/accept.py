"""The intake: receipts and their bytes, once for each (connection, delivery id, body hash).

A receipt without a delivery id is always new: a body alone never shows that nothing happened in between.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from hub.domain.ids import IdSource
from hub.domain.writeset import Insert
from hub.exchange.ports import Accepted, NewReceipt
from hub.store.bodies import BodyShelf
from hub.store.shapes import Params, insert_shape
from hub.store.transaction import Transaction
from hub.store.values import instant_to_database, json_to_database

_RECEIPT = insert_shape(
    Insert(
        "receipts",
        dict.fromkeys(
            (
                "id",
                "connection",
                "stream",
                "topic",
                "delivery_id",
                "body_hash",
                "body_id",
                "source",
                "received_at",
                "state",
            )
        ),
        ignore=True,
    )
)
_BODY = insert_shape(
    Insert(
        "bodies",
        dict.fromkeys(
            ("id", "owner_kind", "owner_id", "content_type", "headers", "body", "file", "size_bytes", "created_at")
        ),
    )
)


_encode = msgspec.json.Encoder().encode


class PreparedReceipt(NamedTuple):
    id: str
    receipt: Params
    body: Params


def prepare_receipt(new: NewReceipt, ids: IdSource, now: dt.datetime, shelf: BodyShelf) -> PreparedReceipt:
    """Ids, hash and headers, made in the thread that asks. ValueError for times without zone."""
    receipt_id = ids.new("rc", now)
    body_id = "bd" + receipt_id[2:]
    received_at = instant_to_database(new.received_at)
    placed = shelf.place({"id": body_id, "body": new.body})
    return PreparedReceipt(
        receipt_id,
        (
            receipt_id,
            new.connection,
            new.stream,
            new.topic,
            new.delivery_id,
            hashlib.sha256(new.body).hexdigest(),
            body_id,
            new.source,
            received_at,
            "pending" if new.pending else "parsed",
        ),
        (
            body_id,
            "receipt",
            receipt_id,
            new.content_type,
            _headers(new.headers),
            placed["body"],
            placed.get("file"),
            len(new.body),
            received_at,
        ),
    )


def _headers(headers: Mapping[str, str]) -> str:
    """JSON, by the quick encoder where it can: it refuses a lone surrogate, which travels as an escape."""
    try:
        return _encode(dict(headers)).decode("utf-8")
    except UnicodeEncodeError:
        return json_to_database(dict(headers))


def accept(tx: Transaction, prepared: Sequence[PreparedReceipt]) -> list[Accepted]:
    """Add those that are new; for the others say which receipt stands."""
    if tx.insert(_RECEIPT, [one.receipt for one in prepared]) == len(prepared):
        tx.insert(_BODY, [one.body for one in prepared])
        return [Accepted(one.id, duplicate=False) for one in prepared]
    accepted = []
    bodies = []
    for one in prepared:
        standing = _standing(tx, one)
        accepted.append(Accepted(standing, duplicate=standing != one.id))
        if standing == one.id:
            bodies.append(one.body)
    if bodies:
        tx.insert(_BODY, bodies)
    return accepted


def _standing(tx: Transaction, one: PreparedReceipt) -> str:
    _, connection, _, _, delivery_id, body_hash, *_ = one.receipt
    if delivery_id is None:
        return one.id
    rows = tx.fetch(
        "SELECT id FROM receipts WHERE connection = ? AND delivery_id = ? AND body_hash = ?",
        (connection, delivery_id, body_hash),
    )
    standing: str = rows[0][0]
    return standing


def set_cursor(tx: Transaction, cursor: tuple[str, str], now: int) -> None:
    """A pull's cursor, in the transaction that holds what was pulled."""
    tx.execute(
        'INSERT INTO cursors (id, "value", updated_at) VALUES (?, ?, ?)'
        ' ON CONFLICT (id) DO UPDATE SET "value" = excluded."value", updated_at = excluded.updated_at',
        (*cursor, now),
    )
