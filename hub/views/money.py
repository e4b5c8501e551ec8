"""Money for people: payments with what was captured and refunded of them, and payouts with what they pay for."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

_PAYMENT = """SELECT id, order_id, connection, managed_by, method, priority, currency, state, authorised, captured,
    capturing, voided, refunded, refunding, over_refunded, store_credit, expires_at, external_id,
    (SELECT COALESCE(o.number, o.external_id) FROM orders o WHERE o.id = payments.order_id) AS order_number
    FROM payments"""
_AMOUNTS = ("authorised", "captured", "capturing", "voided", "refunded", "refunding", "over_refunded", "store_credit")


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
        """SELECT id, payment_id, currency, amount, state, purpose, tender, key, external_id, document, at FROM refunds
            WHERE order_id = :id ORDER BY at, id""",
        {"id": order_id},
        amounts=("amount",),
        instants=("at",),
    )
    return _documents(found)


def list_payments(
    connection: Connection,
    *,
    order_id: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """By id; `after` is the id of the last row of the page before (keyset)."""
    conditions = ["1 = 1"]
    values: dict[str, Any] = {"limit": min(limit, 1001)}
    for column, value in (("order_id", order_id), ("state", state)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            values[column] = value
    if after is not None:
        conditions.append("id > :after")
        values["after"] = after
    sql = f"{_PAYMENT} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT :limit"
    return rows(connection, sql, values, amounts=_AMOUNTS, instants=("expires_at",))


_PAYOUT_COUNTS = """(SELECT COUNT(*) FROM payout_lines l WHERE l.payout_id = p.id) AS lines,
    (SELECT COUNT(*) FROM payout_lines l WHERE l.payout_id = p.id AND l.matched = 'nothing') AS unmatched,
    (SELECT COALESCE(SUM(l.fee), 0) FROM payout_lines l WHERE l.payout_id = p.id) AS fees,
    (SELECT COALESCE(SUM(l.gross), 0) FROM payout_lines l WHERE l.payout_id = p.id) AS gross"""
_PAYOUT_AMOUNTS = ("amount", "lines_amount", "fees", "gross")


def list_payouts(
    connection: Connection, *, before: tuple[int, str] | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Newest first, with fees and how many lines pay for nothing known. `difference`: what the lines do not explain.

    `before` is (paid_at in microseconds, id) of the last row of the page before.
    """
    where = ""
    values: dict[str, Any] = {"limit": min(limit, 1001)}
    if before is not None:
        where = "WHERE (p.paid_at, p.id) < (:paid_at, :id)"
        values |= {"paid_at": before[0], "id": before[1]}
    found = rows(
        connection,
        f"""SELECT p.id, p.connection, p.external_id, p.currency, p.amount, p.lines_amount, p.paid_at, {_PAYOUT_COUNTS}
            FROM payouts p {where} ORDER BY p.paid_at DESC, p.id DESC LIMIT :limit""",
        values,
        amounts=_PAYOUT_AMOUNTS,
        instants=("paid_at",),
    )
    return [_balanced(row) for row in found]


def show_payout(connection: Connection, reference: str) -> dict[str, Any] | None:
    """One payout by our id or its connection's, with its lines."""
    found = rows(
        connection,
        f"""SELECT p.id, p.connection, p.external_id, p.currency, p.amount, p.lines_amount, p.paid_at, {_PAYOUT_COUNTS}
            FROM payouts p WHERE p.id = :reference OR p.external_id = :reference ORDER BY p.id LIMIT 1""",
        {"reference": reference},
        amounts=_PAYOUT_AMOUNTS,
        instants=("paid_at",),
    )
    if not found:
        return None
    payout = _balanced(found[0])
    payout["items"] = rows(
        connection,
        """SELECT l.number, l.type, l.currency, l.gross, l.fee, l.net, l.reference, l.order_reference, l.matched,
                  l.order_id, l.internal_id FROM payout_lines l WHERE l.payout_id = :id ORDER BY l.number""",
        {"id": payout["id"]},
        amounts=("gross", "fee", "net"),
    )
    return payout


def unmatched_lines(connection: Connection, now: dt.datetime, *, limit: int = 100) -> list[dict[str, Any]]:
    """Lines of payouts that pay for nothing known, the oldest first, with their age in whole days."""
    found = rows(
        connection,
        """SELECT l.id, p.id AS payout_id, p.connection, p.external_id AS payout, l.number, l.type, l.currency, l.gross,
                  l.fee, l.net, l.reference, l.order_reference, l.at
             FROM payout_lines l JOIN payouts p ON p.id = l.payout_id
            WHERE l.matched = 'nothing' ORDER BY l.at, l.id LIMIT :limit""",
        {"limit": min(limit, 1000)},
        amounts=("gross", "fee", "net"),
        instants=("at",),
    )
    for row in found:
        row["age_days"] = max((now - row["at"]).days, 0) if row["at"] else None
    return found


def _balanced(row: dict[str, Any]) -> dict[str, Any]:
    row["difference"] = row["amount"] - row["lines_amount"]
    return row


def _documents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in found:
        document = row["document"]
        row["document"] = json.loads(document) if isinstance(document, str) else document
    return found
