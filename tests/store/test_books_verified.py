"""`hub verify` holds an order's books against its total and its money, on both databases."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hub.domain.writeset import Update, WriteSet
from hub.oms.money.payment_actions import refund_order
from hub.store.reading import open_reading
from hub.views.verify import verify
from tests.conftest import Database, SettableClock
from tests.property.memory_store import Row
from tests.store.build import must_apply
from tests.unit.test_oms_credit import answered, leave, sold

TABLES = ("orders", "order_lines", "money_moves", "payments", "captures", "refunds")
BOOKS = {"invoices_add_up", "books_are_money", "credits_posted"}


@pytest.fixture
def books(database: Database, clock: SettableClock) -> Database:
    """An order that was charged 35, of which 7 went back as goodwill, in a real database."""
    bench = sold()
    leave(bench, 3)
    answered(bench)
    bench.act(refund_order, "op", "late", Decimal(7), {})
    answered(bench)
    store = database.open(clock)
    writes = WriteSet()
    for table in TABLES:
        for row in bench.store.rows(table, {}):
            # Nobody stands behind the bench to be told: what was told whom has a test of its own.
            told = {"document": {**row["document"], "told": []}} if row.get("kind") == "credited" else {}
            writes.insert(table, {**row, **told})
    must_apply(store, writes)
    database.close(store)
    return database


def broken(database: Database) -> set[str]:
    with open_reading(database.address, home=database.home) as connection:
        return {one["promise"] for one in verify(connection)} & BOOKS


def change(database: Database, clock: SettableClock, table: str, where: Row, values: Row) -> None:
    store = database.open(clock)
    must_apply(store, WriteSet([Update(table, where, values, {}, None)]))
    database.close(store)


def test_what_was_invoiced_credited_and_kept_agrees(books: Database) -> None:
    assert broken(books) == set()


@pytest.mark.parametrize(
    ("table", "where", "values", "named"),
    [
        ("money_moves", {"kind": "invoiced"}, {"amount": Decimal(34)}, {"invoices_add_up", "books_are_money"}),
        ("money_moves", {"kind": "credited"}, {"amount": Decimal(8)}, {"books_are_money"}),
        ("money_moves", {"kind": "credited"}, {"amount": Decimal(0)}, {"books_are_money"}),
        ("payments", {}, {"refunded": Decimal(6)}, {"books_are_money"}),
        ("money_moves", {"kind": "credited"}, {"document": {"key": "k", "told": ["erp"]}}, {"credits_posted"}),
    ],
)
def test_what_does_not_agree_is_named(
    books: Database, clock: SettableClock, table: str, where: Row, values: Row, named: set[str]
) -> None:
    change(books, clock, table, where, values)
    assert broken(books) == named
