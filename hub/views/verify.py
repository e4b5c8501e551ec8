"""`hub verify`: recomputes the promises from the journals and names every row that breaks one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from hub.store.values import exact_from_database
from hub.views.book_promises import books_hold
from hub.views.promises import MAX_OFFENDERS, PROMISES

Finding = dict[str, Any]


def verify(connection: Connection) -> list[Finding]:
    """One row a broken promise and subject: {promise, says, subject, detail}. Empty = every promise holds."""
    return [
        *_queries(connection),
        *_bodies(connection),
        *_shipped(connection),
        *_sources(connection),
        *_books(connection),
    ]


def summary(connection: Connection) -> dict[str, int]:
    """How much was looked at."""
    tables = (
        "receipts",
        "messages",
        "orders",
        "order_lines",
        "quantity_moves",
        "reservations",
        "deliveries",
        "attempts",
    )
    return {name: int(connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar() or 0) for name in tables}


def _queries(connection: Connection) -> Iterator[Finding]:
    for promise in PROMISES:
        for row in connection.execute(text(promise.sql)).fetchmany(MAX_OFFENDERS):
            yield {"promise": promise.name, "says": promise.says, "subject": row[0], "detail": row[1]}


def _books(connection: Connection) -> Iterator[Finding]:
    for promise, says, subject, detail in islice(books_hold(connection), MAX_OFFENDERS):
        yield {"promise": promise, "says": says, "subject": subject, "detail": detail}


def _bodies(connection: Connection) -> Iterator[Finding]:
    """Bytes are what their hash says; a body that lies in a file is checked where it is read."""
    for table, owner in (("receipts", "receipt"), ("deliveries", "delivery")):
        found = connection.execute(
            text(
                f"SELECT r.id, r.body_hash, b.body FROM {table} r JOIN bodies b ON b.id = r.body_id"
                " WHERE b.body IS NOT NULL"
            )
        )
        for subject, expected, body in found:
            if hashlib.sha256(bytes(body)).hexdigest() != expected:
                yield {
                    "promise": "bytes_unchanged",
                    "says": "Bytes are kept as they came and as they will go",
                    "subject": subject,
                    "detail": f"the {owner}'s bytes differ from their hash",
                }


def _shipped(connection: Connection) -> Iterator[Finding]:
    """What shipments say left equals what the lines say left. Transfers bring goods from one place of ours to another:
    their own promise recounts them."""
    left: dict[str, Decimal] = {}
    sent = (
        "SELECT s.document FROM shipments s LEFT JOIN fulfilment_orders f ON f.id = s.fulfilment_order_id"
        " WHERE COALESCE(f.method, '') <> 'transfer'"
    )
    for (document,) in connection.execute(text(sent)):
        for package in json.loads(document).get("packages", []):
            for line in package.get("lines", []):
                line_id = str(line.get("line_id") or line.get("line"))
                left[line_id] = left.get(line_id, Decimal(0)) + Decimal(str(line["quantity"]))
    rows = connection.execute(
        text(
            "SELECT id, shipped + delivered + lost + returned_to_sender + handed_over + over_shipped, document"
            " FROM order_lines"
            " WHERE fulfilled_by = 'us' AND order_id IN (SELECT id FROM orders WHERE effects <> 'none'"
            " AND order_type <> 'transfer')"
        )
    )
    for line_id, counted, document in rows:
        if not json.loads(document).get("requires_shipping", True):
            continue  # downloads and services end without a parcel
        # What the channel shipped by hand left without a shipment of ours.
        told = left.get(line_id, Decimal(0)) + Decimal(json.loads(document).get("hand_shipped", "0"))
        if exact_from_database(int(counted)) != told:
            yield {
                "promise": "shipments_add_up",
                "says": "What shipments say left equals what the ledger says left",
                "subject": line_id,
                "detail": f"shipments {told}, ledger {exact_from_database(int(counted))}",
            }


def _sources(connection: Connection) -> Iterator[Finding]:
    """Every merged view of an order leads to an order that is there, and back."""
    found = connection.execute(
        text(
            "SELECT s.entity_key, COALESCE(s.subject, '') FROM sources s WHERE s.record = 'orders'"
            " AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = s.subject)"
        )
    )
    for key, subject in found.fetchmany(MAX_OFFENDERS):
        yield {
            "promise": "sources_lead_to_orders",
            "says": "What a source stated of an order is kept with that order",
            "subject": key,
            "detail": f"leads to the order {subject!r}, which is not there",
        }
