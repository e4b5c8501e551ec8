"""The accounting journal: what was invoiced, credited, captured, refunded and paid out, as debits and credits by day
and channel, each with the document it comes from.

It reads the ledgers and adds nothing: what it says is what they hold. Days are UTC days. Every document's debits equal
its credits; what is taken back stands on the other side, never as a negative number.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.store.values import instant_to_database
from hub.views.query import rows

ZERO = Decimal(0)
PAGE = 5_000
ACCOUNTS = {
    "receivables": "what customers owe",
    "sales": "goods that were invoiced",
    "shipping": "shipping that was invoiced",
    "tax": "tax that was invoiced",
    "discounts": "what was taken off invoices",
    "returns": "credit notes",
    "store_credit": "what customers may spend with us instead of having it back",
    "clearing": "what payment providers and channels took for us and have not paid out",
    "bank": "what was paid out",
    "fees": "what was kept of it",
    "reserve": "what providers hold back for later",
    "adjustments": "what providers corrected",
    "difference": "documents whose own figures do not add up",
}
"""Accounts, with what stands on them."""

Entry = dict[str, Any]
Posting = tuple[str, Decimal]
"""Account and amount: a debit above zero, a credit below."""


def journal(
    connection: Connection, start: dt.date, end: dt.date, channel: str | None = None
) -> tuple[list[Entry], list[Entry]]:
    """(entries, sums) from the first day to the last, both included.

    An entry is {date, channel, currency, account, debit, credit, kind, order, order_number, document}; a sum is
    {date, channel, currency, account, debit, credit, documents}.
    """
    entries = [
        entry
        for found in (_money(connection, start, end), _payouts(connection, start, end))
        for entry in found
        if channel is None or entry["channel"] == channel
    ]
    entries.sort(key=lambda entry: (entry["date"], entry["channel"], entry["currency"], entry["document"]))
    return entries, _summed(entries)


def _summed(entries: list[Entry]) -> list[Entry]:
    sums: dict[tuple[str, str, str, str], Entry] = {}
    documents: dict[tuple[str, str, str, str], set[str]] = {}
    names = ("date", "channel", "currency", "account")
    for entry in entries:
        key = (entry["date"], entry["channel"], entry["currency"], entry["account"])
        kept = sums.setdefault(key, {**dict(zip(names, key, strict=True)), "debit": ZERO, "credit": ZERO})
        kept["debit"] += entry["debit"]
        kept["credit"] += entry["credit"]
        documents.setdefault(key, set()).add(entry["document"])
    order = list(ACCOUNTS)
    keys = sorted(sums, key=lambda key: (*key[:3], order.index(key[3])))
    return [{**sums[key], "documents": len(documents[key])} for key in keys]


def _money(connection: Connection, start: dt.date, end: dt.date) -> Iterator[Entry]:
    sql = """SELECT m.id, m.kind, m.currency, m.amount, m.document, m.at, m.external_id, m.order_id,
                    o.number AS order_number, o.channel
               FROM money_moves m JOIN orders o ON o.id = m.order_id
              WHERE m.kind IN ('invoiced', 'credited', 'captured', 'refunded', 'store_credit')
                AND m.at >= :start AND m.at < :end AND (m.at, m.id) > (:at, :id) ORDER BY m.at, m.id LIMIT :limit"""
    for row in _pages(connection, sql, start, end, ("amount",)):
        document = json.loads(row["document"])
        yield from _entries(row, row["kind"], _of_money(row["kind"], row["amount"], document))


def _of_money(kind: str, amount: Decimal, document: dict[str, Any]) -> list[Posting]:
    if kind == "invoiced":
        parts = {name: Decimal(document.get(name, "0")) for name in ("goods", "shipping", "tax", "discounts")}
        postings = [
            ("receivables", amount),
            ("discounts", parts["discounts"]),
            ("sales", -parts["goods"]),
            ("shipping", -parts["shipping"]),
            ("tax", -parts["tax"]),
        ]
    elif kind == "credited":
        postings = [("returns", amount), ("receivables", -amount)]
    elif kind == "store_credit":
        postings = [("receivables", amount), ("store_credit", -amount)]
    elif kind == "captured":
        postings = [("clearing", amount), ("receivables", -amount)]
    else:
        postings = [("receivables", amount), ("clearing", -amount)]
    return postings


def _payouts(connection: Connection, start: dt.date, end: dt.date) -> Iterator[Entry]:
    sql = """SELECT l.id, l.type, l.currency, l.gross, l.fee, l.net, p.paid_at AS at, p.external_id, l.order_id,
                    o.number AS order_number, COALESCE(o.channel, p.connection) AS channel
               FROM payout_lines l JOIN payouts p ON p.id = l.payout_id LEFT JOIN orders o ON o.id = l.order_id
              WHERE p.paid_at >= :start AND p.paid_at < :end AND (p.paid_at, l.id) > (:at, :id)
              ORDER BY p.paid_at, l.id LIMIT :limit"""
    others = {"reserve": "reserve", "adjustment": "adjustments"}
    for row in _pages(connection, sql, start, end, ("gross", "fee", "net")):
        # What a line is about stands in clearing since it was captured or refunded; fees alone have nothing there.
        account = others.get(row["type"], "clearing")
        postings = [("bank", row["net"]), ("fees", row["fee"]), (account, -row["gross"])]
        yield from _entries(row, f"payout {row['type']}", postings)


def _pages(
    connection: Connection, sql: str, start: dt.date, end: dt.date, amounts: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Every row, however many there are."""
    bounds = {"start": _midnight(start), "end": _midnight(end + dt.timedelta(days=1)), "limit": PAGE}
    at, last = -1, ""
    while True:
        found = rows(connection, sql, {**bounds, "at": at, "id": last}, amounts=amounts, instants=("at",))
        yield from found
        if len(found) < PAGE:
            return
        at, last = instant_to_database(found[-1]["at"]), found[-1]["id"]


def _midnight(day: dt.date) -> int:
    return instant_to_database(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC))


def _entries(row: dict[str, Any], kind: str, postings: list[Posting]) -> Iterator[Entry]:
    """One entry a posting; what they lack to add up to nothing is said, not hidden."""
    missing = -sum((amount for _, amount in postings), ZERO)
    for account, amount in (*postings, ("difference", missing)):
        if amount:
            yield {
                "date": row["at"].date().isoformat(),
                "channel": row["channel"],
                "currency": row["currency"],
                "account": account,
                "debit": max(amount, ZERO),
                "credit": max(-amount, ZERO),
                "kind": kind,
                "order": row["order_id"],
                "order_number": row["order_number"],
                "document": row["id"],
            }
