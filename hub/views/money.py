"""Money for people: the payments of an order with what was captured and refunded of them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

_PAYMENT = """SELECT id, order_id, connection, managed_by, method, priority, currency, state, authorised, captured,
    capturing, voided, refunded, refunding, over_refunded, expires_at, external_id FROM payments"""
_AMOUNTS = ("authorised", "captured", "capturing", "voided", "refunded", "refunding", "over_refunded")


def payments_of(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """The payments of an order, in the order in which its channel ranks them."""
    sql = f"{_PAYMENT} WHERE order_id = :id ORDER BY priority, id"
    return rows(connection, sql, {"id": order_id}, amounts=_AMOUNTS, instants=("expires_at",))


def captures_of(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """What was charged on the payments of an order or asked to be, oldest first."""
    found = rows(
        connection,
        """SELECT id, payment_id, amount, state, key, external_id, document, at FROM captures WHERE order_id = :id
            ORDER BY at, id""",
        {"id": order_id},
        amounts=("amount",),
        instants=("at",),
    )
    return _documents(found)


def refunds_of(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """What was given back to the payments of an order or asked to be, oldest first."""
    found = rows(
        connection,
        """SELECT id, payment_id, currency, amount, state, purpose, key, external_id, document, at FROM refunds
            WHERE order_id = :id ORDER BY at, id""",
        {"id": order_id},
        amounts=("amount",),
        instants=("at",),
    )
    return _documents(found)


def _documents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in found:
        document = row["document"]
        row["document"] = json.loads(document) if isinstance(document, str) else document
    return found
