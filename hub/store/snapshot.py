"""The read side: rows of one committed state as Python values, and the bytes of bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.store.bodies import BodyShelf
from hub.store.shapes import condition_of, condition_params, select_sql, table_shape
from hub.store.transaction import SqlRow, Transaction

PREFETCHED = 1_000_000
"""Rows of one prefetch; its values are bounded by the batch."""


class SqlSnapshot:
    def __init__(self, transaction: Transaction, shelf: BodyShelf) -> None:
        self._transaction, self._shelf = transaction, shelf
        self.postgresql = transaction.postgresql
        self._ahead: dict[tuple[Any, ...], list[SqlRow]] = {}

    def prefetch(
        self,
        table: str,
        column: str,
        values: Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
    ) -> None:
        """One query for what `rows` will be asked value by value; what it finds nothing for is known to be empty."""
        if not values:
            return
        shape, more, order = table_shape(table), dict(where or {}), tuple(order_by)
        for value in values:
            self._ahead[(table, order, *{column: value, **more}.items())] = []
        asked = {column: tuple(values), **more}
        sql = select_sql(table, condition_of(asked), order)
        position = shape.columns.index(column)
        for row in self._transaction.fetch(sql, (*condition_params(shape, asked), PREFETCHED)):
            self._ahead[(table, order, *{column: row[position], **more}.items())].append(row)

    def rows(
        self, table: str, where: Mapping[str, Any], *, order_by: Sequence[str] = (), limit: int = 10_000
    ) -> list[dict[str, Any]]:
        shape = table_shape(table)
        ahead = self._ahead.get((table, tuple(order_by), *where.items())) if self._ahead else None
        if ahead is not None:
            return [shape.row(values) for values in ahead[:limit]]
        sql = select_sql(table, condition_of(where), tuple(order_by))
        found = self._transaction.fetch(sql, (*condition_params(shape, where), limit))
        return [shape.row(values) for values in found]

    def row(self, table: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self.rows(table, where, limit=2)
        if len(found) > 1:
            raise LookupError(f"more than one row of {table} by {', '.join(where)}")
        return found[0] if found else None

    def body(self, body_id: str) -> bytes | None:
        found = self._transaction.fetch("SELECT body, file FROM bodies WHERE id = ?", (body_id,))
        if not found:
            return None
        return stored_body(self._shelf, *found[0])

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        """Plain SQL for read models: `?` placeholders, values as the database keeps them (see types)."""
        return self._transaction.fetch(sql, params)


def stored_body(shelf: BodyShelf, body: bytes | None, file: str | None) -> bytes | None:
    if body is not None:
        return bytes(body)
    return None if file is None else shelf.read(file)
