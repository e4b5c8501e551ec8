"""The read side: rows of one committed state as Python values, and the bytes of bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hub.store.bodies import BodyShelf
from hub.store.shapes import condition_of, condition_params, count_sql, select_sql, table_shape
from hub.store.transaction import SqlRow, Transaction, among

T = TypeVar("T")

PREFETCHED = 1_000_000
"""Rows of one prefetch; its values are bounded by the batch."""


class SqlSnapshot:
    def __init__(self, transaction: Transaction, shelf: BodyShelf) -> None:
        self._transaction, self._shelf = transaction, shelf
        self.postgresql = transaction.postgresql
        self._ahead: dict[tuple[Any, ...], list[SqlRow]] = {}
        self._bodies: dict[str, bytes | None] = {}
        self._worked_out: dict[tuple[str, ...], Any] = {}

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
        found: dict[str, list[SqlRow]] = {value: [] for value in values}
        for value, rows in found.items():
            self._ahead[_asked(table, order, {column: value, **more})] = rows
        sql, params = self._among(table, column, tuple(found), more, order)
        position = shape.columns.index(column)
        for row in self._transaction.fetch(sql, (*params, PREFETCHED)):
            found[row[position]].append(row)

    def _among(
        self, table: str, column: str, values: tuple[str, ...], more: Mapping[str, Any], order: tuple[str, ...]
    ) -> tuple[str, list[Any]]:
        """On PostgreSQL as an array: one statement, prepared once, for any number of values."""
        shape = table_shape(table)
        if not self.postgresql:
            asked = {column: values, **more}
            return select_sql(table, condition_of(asked), order), condition_params(shape, asked)
        asked = {column: values[0], **more}
        sql = select_sql(table, condition_of(asked), order)
        params = condition_params(shape, asked)
        return sql.replace(f'"{column}" = ?', f'"{column}" = ANY(?)', 1), [list(values), *params[1:]]

    def prefetch_bodies(self, body_ids: Sequence[str]) -> None:
        if not body_ids:
            return
        asked = tuple(dict.fromkeys(body_ids))
        for body_id in asked:
            self._bodies[body_id] = None
        sql, params = among(self._transaction, "SELECT id, body, file FROM bodies WHERE id IN ({ids})", asked)
        for body_id, body, file in self._transaction.fetch(sql, params):
            self._bodies[body_id] = stored_body(self._shelf, body, file)

    def rows(
        self, table: str, where: Mapping[str, Any], *, order_by: Sequence[str] = (), limit: int = 10_000
    ) -> list[dict[str, Any]]:
        shape = table_shape(table)
        ahead = self._known(table, tuple(order_by), where) if self._ahead else None
        if ahead is not None:
            return [shape.row(values) for values in ahead[:limit]]
        sql = select_sql(table, condition_of(where), tuple(order_by))
        found = self._transaction.fetch(sql, (*condition_params(shape, where), limit))
        return [shape.row(values) for values in found]

    def _known(self, table: str, order: tuple[str, ...], where: Mapping[str, Any]) -> list[SqlRow] | None:
        """What was read ahead for this question, or for each of the values of its one list; None if not all was."""
        found = self._ahead.get(_asked(table, order, where))
        if found is not None:
            return found
        lists = [column for column, value in where.items() if value.__class__ is tuple]
        for column in lists:
            values = dict.fromkeys(where[column])
            if len(values) > 1 and order:
                continue  # the values' rows would stand one after the other
            parts = [self._ahead.get(_asked(table, order, {**where, column: value})) for value in values]
            if parts and all(part is not None for part in parts):
                return [row for part in parts for row in part or ()]
        return None

    def ahead_of(self, table: str, column: str) -> list[str]:
        """What stands in a column of text of the rows that were read ahead, each once."""
        position = table_shape(table).columns.index(column)
        asked = (rows for (name, *_), rows in self._ahead.items() if name == table)
        return list(dict.fromkeys(row[position] for rows in asked for row in rows if row[position] is not None))

    def row(self, table: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self.rows(table, where, limit=2)
        if len(found) > 1:
            raise LookupError(f"more than one row of {table} by {', '.join(where)}")
        return found[0] if found else None

    def count(self, table: str, where: Mapping[str, Any]) -> int:
        shape = table_shape(table)
        sql = count_sql(table, condition_of(where))
        ((found,),) = self._transaction.fetch(sql, condition_params(shape, where))
        return int(found)

    def body(self, body_id: str) -> bytes | None:
        if body_id in self._bodies:
            return self._bodies[body_id]
        found = self._transaction.fetch("SELECT body, file FROM bodies WHERE id = ?", (body_id,))
        if not found:
            return None
        return stored_body(self._shelf, *found[0])

    def once(self, key: tuple[str, ...], work_out: Callable[[], T]) -> T:
        if key not in self._worked_out:
            self._worked_out[key] = work_out()
        found: T = self._worked_out[key]
        return found

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[SqlRow]:
        """Plain SQL for read models: `?` placeholders, values as the database keeps them (see types)."""
        return self._transaction.fetch(sql, params)


def _asked(table: str, order_by: tuple[str, ...], where: Mapping[str, Any]) -> tuple[Any, ...]:
    return table, order_by, frozenset(where.items())


def stored_body(shelf: BodyShelf, body: bytes | None, file: str | None) -> bytes | None:
    if body is not None:
        return bytes(body)
    return None if file is None else shelf.read(file)
