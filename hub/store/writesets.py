"""Applying write sets: up to fifty in one transaction, each as if in a savepoint of its own.

Values are converted and SQL is chosen in the thread that asks (`prepare`); the writer only runs statements.

Two ways, with the same outcome:
- Write sets that touch different rows are grouped by statement: one `executemany` a statement, its row count
  compared with what the preconditions expect. This is the hot path.
- If a count differs, a row is refused, or two sets touch the same row, the batch is run again one set after the
  other, each in a savepoint, so that only those that must fail do.

Locks are taken in one order everywhere: rows of `orders` by id, then rows of `stock` by key. On SQLite the one writer
makes them unnecessary.
"""

# ruff: noqa: S608 - statements are put together from our own tables and columns only; values are always bound

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.domain.writeset import Applied, Delete, Insert, Outcome, StockChange, Update, WriteSet
from hub.store.bodies import BodyShelf
from hub.store.errors import VALUE_ERRORS, Fault, driver_errors, fault_of
from hub.store.shapes import (
    STOCK_RESERVE,
    InsertShape,
    Params,
    Sequences,
    delete_statement,
    insert_shape,
    stock_statement,
    table_shape,
    update_statement,
)
from hub.store.transaction import Transaction
from hub.store.values import instant_to_database

BATCH = 50


@dataclass(frozen=True, slots=True)
class Statement:
    """A precondition: the statement and how many rows it must change (None: any number)."""

    sql: str
    params: Params
    expect: int | None
    says: str
    several: bool
    """It may change more than one row, so that only its own count can be compared."""


@dataclass(slots=True)
class PreparedSet:
    statements: list[Statement] = field(default_factory=list)
    inserts: list[tuple[InsertShape, Params]] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    stock: list[tuple[str, str]] = field(default_factory=list)
    touched: list[tuple[str, object]] = field(default_factory=list)
    """(table, key) of each row that preconditions touch; key None where it may be any row of the table."""


class Refused(Exception):
    """A precondition failed; carries what to tell the one who recomputes."""


def prepare(
    write_sets: Sequence[WriteSet], now: dt.datetime, sequences: Sequences, shelf: BodyShelf
) -> list[PreparedSet]:
    """Convert everything. KeyError for unknown tables and columns, TypeError and ValueError for impossible values."""
    instant = instant_to_database(now)
    return [_prepare_one(write_set, now, instant, sequences, shelf) for write_set in write_sets]


def _prepare_one(
    write_set: WriteSet, now: dt.datetime, instant: int, sequences: Sequences, shelf: BodyShelf
) -> PreparedSet:
    prepared = PreparedSet()
    for operation in write_set.operations:
        if operation.__class__ is Insert:
            _prepare_insert(prepared, operation, now, sequences, shelf)
        elif operation.__class__ is Update:
            _prepare_update(prepared, operation)
        elif operation.__class__ is StockChange:
            sql, params = stock_statement(operation, instant)
            prepared.stock.append((operation.sku, operation.location))
            says = f"stock of {operation.sku} at {operation.location}"
            prepared.statements.append(Statement(sql, params, 1, says, several=False))
        elif operation.__class__ is Delete:
            sql, params = delete_statement(operation)
            prepared.touched.append((operation.table, None))
            says = f"delete from {operation.table}"
            prepared.statements.append(Statement(sql, params, operation.expect, says, several=True))
        else:
            raise TypeError(f"{type(operation).__name__} is no operation of a write set")
    return prepared


def _prepare_insert(
    prepared: PreparedSet, operation: Insert, now: dt.datetime, sequences: Sequences, shelf: BodyShelf
) -> None:
    table = operation.table
    if table == "bodies":
        operation = Insert(table, shelf.place(operation.row), operation.claim, operation.ignore)
    elif table in ("messages", "deliveries") and "sequence" not in operation.row:
        row = {**operation.row, "sequence": sequences.next(now)}
        operation = Insert(table, row, operation.claim, operation.ignore)
    shape = insert_shape(operation)
    params = shape.params(operation.row)
    if not operation.claim:
        prepared.inserts.append((shape, params))
        return
    key = _key(table, operation.row)
    prepared.touched.append((table, key))
    says = f"{table} {key if key is not None else ''} stands already"
    prepared.statements.append(Statement(shape.sql, params, 1, says, several=False))


def _prepare_update(prepared: PreparedSet, operation: Update) -> None:
    sql, params = update_statement(operation)
    key = _key(operation.table, operation.where)
    prepared.touched.append((operation.table, key))
    if operation.table == "orders" and isinstance(operation.where.get("id"), str):
        prepared.orders.append(operation.where["id"])
    several = key is None or any(value.__class__ is tuple for value in key)
    says = f"{operation.table} {key if key is not None else 'by ' + ', '.join(operation.where)}"
    prepared.statements.append(Statement(sql, params, operation.expect, says, several))


def _key(table: str, row: object) -> tuple[object, ...] | None:
    primary = table_shape(table).primary
    try:
        return tuple([row[column] for column in primary])  # type: ignore[index]
    except KeyError:
        return None


def apply(tx: Transaction, prepared: Sequence[PreparedSet]) -> list[Outcome]:
    """Run the batch inside the transaction that is open. Errors that are not of a row leave the caller's savepoint."""
    _lock(tx, prepared)
    if _independent(prepared):
        tx.execute("SAVEPOINT batch")
        try:
            grouped = _grouped(tx, prepared)
        except (*driver_errors(), *VALUE_ERRORS) as error:
            if fault_of(error) is not Fault.ROW:
                raise
            grouped = False
        if grouped:
            tx.execute("RELEASE SAVEPOINT batch")
            return [_APPLIED] * len(prepared)
        tx.execute("ROLLBACK TO SAVEPOINT batch")
        tx.execute("RELEASE SAVEPOINT batch")
    return [_one(tx, one) for one in prepared]


_APPLIED = Outcome(Applied.APPLIED)


def _lock(tx: Transaction, prepared: Sequence[PreparedSet]) -> None:
    if not tx.postgresql:
        return
    orders = sorted({order for one in prepared for order in one.orders})
    if orders:
        tx.fetch("SELECT id FROM orders WHERE id = ANY(?) ORDER BY id FOR UPDATE", (orders,))
    stock = sorted({key for one in prepared for key in one.stock})
    if stock:
        tx.fetch(
            "SELECT s.sku FROM stock s JOIN unnest(CAST(? AS text[]), CAST(? AS text[])) AS k(sku, location)"
            " ON s.sku = k.sku AND s.location = k.location ORDER BY s.sku, s.location FOR UPDATE OF s",
            ([sku for sku, _ in stock], [location for _, location in stock]),
        )


def _independent(prepared: Sequence[PreparedSet]) -> bool:
    """No row is touched by two sets (stock apart: its changes commute), so any order of statements is a serial one."""
    if len(prepared) == 1:
        return False
    owners: dict[tuple[str, object], int] = {}
    whole: dict[str, int] = {}
    tables: dict[str, set[int]] = {}
    for number, one in enumerate(prepared):
        for table, key in one.touched:
            if key is None:
                if whole.setdefault(table, number) != number:
                    return False
            elif owners.setdefault((table, key), number) != number:
                return False
            tables.setdefault(table, set()).add(number)
    return all(tables[table] == {number} for table, number in whole.items())


def _grouped(tx: Transaction, prepared: Sequence[PreparedSet]) -> bool:
    groups: dict[str, list[Params]] = {}
    expected: dict[str, int | None] = {}
    for one in prepared:
        for statement in one.statements:
            if statement.several and statement.expect is not None:
                if tx.execute(statement.sql, statement.params) != statement.expect:
                    return False
                continue
            groups.setdefault(statement.sql, []).append(statement.params)
            before = expected.get(statement.sql, 0)
            known = statement.expect is not None and before is not None
            expected[statement.sql] = before + statement.expect if known else None  # type: ignore[operator]
    # Conditional takings first: they see what stood before this batch gave anything back.
    for sql in sorted(groups, key=lambda sql: sql != STOCK_RESERVE):
        changed = tx.many(sql, groups[sql])
        if expected[sql] is not None and changed != expected[sql]:
            return False
    _insert_all(tx, prepared)
    return True


def _insert_all(tx: Transaction, prepared: Sequence[PreparedSet]) -> None:
    bulk: dict[int, tuple[InsertShape, list[Params]]] = {}
    for one in prepared:
        for shape, params in one.inserts:
            entry = bulk.get(id(shape))
            if entry is None:
                entry = bulk[id(shape)] = (shape, [])
            entry[1].append(params)
    for shape, rows in bulk.values():
        tx.insert(shape, rows)


def _one(tx: Transaction, one: PreparedSet) -> Outcome:
    tx.execute("SAVEPOINT one")
    try:
        for statement in one.statements:
            changed = tx.execute(statement.sql, statement.params)
            if statement.expect is not None and changed != statement.expect:
                raise Refused(f"{statement.says}: {changed} rows instead of {statement.expect}")
        _insert_all(tx, (one,))
    except Refused as refused:
        failed = str(refused)
    except (*driver_errors(), *VALUE_ERRORS) as error:
        if fault_of(error) is not Fault.ROW:
            raise
        failed = f"refused by the database: {type(error).__name__}: {str(error).splitlines()[0]}"
    else:
        tx.execute("RELEASE SAVEPOINT one")
        return _APPLIED
    tx.execute("ROLLBACK TO SAVEPOINT one")
    tx.execute("RELEASE SAVEPOINT one")
    return Outcome(Applied.CONFLICT, failed)
