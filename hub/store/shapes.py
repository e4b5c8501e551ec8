"""SQL text and value conversion, compiled once per shape: (table, columns) of an insert, an update, a select.

The hot paths hand positional values straight to the driver; the layout, frozen from SQLAlchemy's tables, says which
columns exist and what each holds. Placeholders are `?` here; PostgreSQL's transaction rewrites them. Unknown tables
and columns are programming errors and raise KeyError in the thread that asked.
"""

# ruff: noqa: S608 - statements are put together from our own tables and columns only; values are always bound

from __future__ import annotations

import datetime as dt
import enum
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from hub.domain.writeset import Delete, Insert, StockChange, Update
from hub.store.values import (
    EPOCH,
    MICROSECOND,
    exact_from_database,
    exact_to_database,
    instant_from_database,
    instant_to_database,
    json_from_database,
    json_to_database,
)

Convert = Callable[[Any], Any]
Params = tuple[Any, ...]


def _text(value: Any) -> Any:
    if value.__class__ is str or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is no text")


def _number(value: Any) -> Any:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"{type(value).__name__} is no whole number")


def _flag(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{type(value).__name__} is not true or false")


def _bytes(value: Any) -> Any:
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"{type(value).__name__} is not bytes")


def _exact(value: Any) -> Any:
    return None if value is None else exact_to_database(value)


def _instant(value: Any) -> Any:
    return None if value is None else instant_to_database(value)


def _json(value: Any) -> Any:
    if not value and value.__class__ in _EMPTY:
        return _EMPTY[value.__class__]
    return None if value is None else json_to_database(value)


_EMPTY: dict[type, str] = {dict: "{}", list: "[]"}
"""Most JSON columns of most rows; the encoder takes longer than everything else about such a value."""


class Kind(enum.StrEnum):
    """What a column holds."""

    EXACT = "exact"
    INSTANT = "instant"
    JSON = "json"
    FLAG = "flag"
    BYTES = "bytes"
    LONG = "long"
    WHOLE = "whole"
    TEXT = "text"


_INCOMING: dict[Kind, tuple[Convert, str]] = {
    Kind.EXACT: (_exact, "bigint"),
    Kind.INSTANT: (_instant, "bigint"),
    Kind.JSON: (_json, "text"),
    Kind.FLAG: (_flag, "boolean"),
    Kind.BYTES: (_bytes, "bytea"),
    Kind.LONG: (_number, "bigint"),
    Kind.WHOLE: (_number, "integer"),
    Kind.TEXT: (_text, "text"),
}
"""How a value is bound, and PostgreSQL's type of an array of them."""

_OUTGOING: dict[Kind, Convert] = {
    Kind.EXACT: exact_from_database,
    Kind.INSTANT: instant_from_database,
    Kind.JSON: json_from_database,
    Kind.FLAG: bool,
    Kind.BYTES: bytes,
}


@dataclass(frozen=True, slots=True)
class TableShape:
    name: str
    columns: tuple[str, ...]
    primary: tuple[str, ...]
    incoming: Mapping[str, Convert]
    arrays: Mapping[str, str]
    outgoing: tuple[tuple[str, Convert], ...]
    """Columns whose values come out of the database in another form than they are used in."""

    def row(self, values: Iterable[Any]) -> dict[str, Any]:
        row = dict(zip(self.columns, values, strict=True))
        for name, convert in self.outgoing:
            value = row[name]
            if value is not None:
                row[name] = convert(value)
        return row


LAYOUT = Path(__file__).parent / "migrations" / "layout.json"
"""Tables, keys and kinds of columns, written from `tables` by migrations.freeze: reading it takes a thousandth of
importing SQLAlchemy, and a restart counts."""


@cache
def layout() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(LAYOUT.read_text("utf-8"))
    return found


@cache
def table_shape(name: str) -> TableShape:
    table = layout()[name]
    kinds = {column: Kind(kind) for column, kind in table["columns"].items()}
    return TableShape(
        name,
        tuple(kinds),
        tuple(table["key"]),
        {column: _INCOMING[kind][0] for column, kind in kinds.items()},
        {column: _INCOMING[kind][1] for column, kind in kinds.items()},
        tuple((column, _OUTGOING[kind]) for column, kind in kinds.items() if kind in _OUTGOING),
    )


class Sequences:
    """Strictly increasing numbers close to the microseconds of the clock: order of arrival in one database."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._lock = threading.Lock()

    def next(self, now: dt.datetime) -> int:
        with self._lock:
            self._last = max(self._last + 1, (now - EPOCH) // MICROSECOND)
            return self._last


@dataclass(frozen=True, slots=True)
class InsertShape:
    table: str
    sql: str
    unnest: str
    converts: tuple[Convert, ...]

    def params(self, row: Mapping[str, Any]) -> Params:
        return tuple([convert(value) for convert, value in zip(self.converts, row.values(), strict=True)])


@lru_cache(maxsize=4096)
def _insert_shape(table: str, columns: tuple[str, ...], ignore: bool) -> InsertShape:
    shape = table_shape(table)
    names = ", ".join(f'"{column}"' for column in columns)
    end = " ON CONFLICT DO NOTHING" if ignore else ""
    arrays = ", ".join(f"CAST(? AS {shape.arrays[column]}[])" for column in columns)
    return InsertShape(
        table,
        f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))}){end}',
        f'INSERT INTO "{table}" ({names}) SELECT * FROM unnest({arrays}){end}',
        tuple(shape.incoming[column] for column in columns),
    )


def insert_shape(operation: Insert) -> InsertShape:
    """Claims and ignoring inserts leave a standing row alone; the caller counts the rows that were added."""
    return _insert_shape(operation.table, tuple(operation.row), operation.claim or operation.ignore)


Condition = tuple[tuple[str, int | str], ...]
"""Column and how many values it is compared with: -1 for IS NULL, -2 for one value, else the length of a tuple; for
`state` the comparison itself."""

_STATE = re.compile(r"[a-z_-]+")


@lru_cache(maxsize=512)
def _state_comparison(value: object) -> str | None:
    """States are compared with literals: SQLite uses a partial index only where its very condition is written out."""
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(isinstance(one, str) and _STATE.fullmatch(one) for one in values):
        return None
    if isinstance(value, tuple):
        return "IN (" + ", ".join(f"'{one}'" for one in values) + ")"
    return f"= '{value}'"


def condition_of(where: Mapping[str, Any]) -> Condition:
    parts: list[tuple[str, int | str]] = []
    for column, value in where.items():
        if value is None:
            parts.append((column, -1))
        elif column == "state" and (comparison := _state_comparison(value)) is not None:
            parts.append((column, comparison))
        else:
            parts.append((column, len(value) if value.__class__ is tuple else -2))
    return tuple(parts)


def _condition_sql(condition: Condition) -> str:
    parts = []
    for column, count in condition:
        if isinstance(count, str):
            parts.append(f'"{column}" {count}')
        elif count == -1:
            parts.append(f'"{column}" IS NULL')
        elif count == -2:
            parts.append(f'"{column}" = ?')
        elif count == 0:
            parts.append("1 = 0")
        else:
            parts.append(f'"{column}" IN ({", ".join("?" * count)})')
    return " AND ".join(parts) if parts else "1 = 1"


def condition_params(shape: TableShape, where: Mapping[str, Any]) -> list[Any]:
    params: list[Any] = []
    for column, value in where.items():
        convert = shape.incoming[column]
        if value is None or (column == "state" and _state_comparison(value) is not None):
            continue
        if value.__class__ is tuple:
            params.extend([convert(item) for item in value])
        else:
            params.append(convert(value))
    return params


@lru_cache(maxsize=4096)
def _update_sql(table: str, condition: Condition, values: tuple[str, ...], add: tuple[str, ...]) -> str:
    shape = table_shape(table)
    for column, _ in condition:
        shape.incoming[column]
    sets = [f'"{column}" = ?' for column in values] + [f'"{column}" = "{column}" + ?' for column in add]
    if not sets:  # nothing to change: the row is only required to be so
        sets = [f'"{shape.primary[0]}" = "{shape.primary[0]}"']
    return f'UPDATE "{table}" SET {", ".join(sets)} WHERE {_condition_sql(condition)}'


def update_statement(operation: Update) -> tuple[str, Params]:
    shape = table_shape(operation.table)
    incoming = shape.incoming
    sql = _update_sql(operation.table, condition_of(operation.where), tuple(operation.values), tuple(operation.add))
    params = [incoming[column](value) for column, value in operation.values.items()]
    params += [incoming[column](value) for column, value in operation.add.items()]
    params += condition_params(shape, operation.where)
    return sql, tuple(params)


@lru_cache(maxsize=1024)
def _delete_sql(table: str, condition: Condition) -> str:
    return f'DELETE FROM "{table}" WHERE {_condition_sql(condition)}'


def delete_statement(operation: Delete) -> tuple[str, Params]:
    shape = table_shape(operation.table)
    params = tuple(condition_params(shape, operation.where))
    return _delete_sql(operation.table, condition_of(operation.where)), params


STOCK_RESERVE = (
    "UPDATE stock SET soft = soft + ?, firm = firm + ?, on_hand = on_hand + ?, updated_at = ?"
    " WHERE sku = ? AND location = ? AND on_hand - soft - firm - ? >= ?"
)
STOCK_CHANGE = (
    "INSERT INTO stock (soft, firm, on_hand, updated_at, sku, location) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (sku, location) DO UPDATE SET soft = stock.soft + excluded.soft, firm = stock.firm + excluded.firm,"
    " on_hand = stock.on_hand + excluded.on_hand, updated_at = excluded.updated_at"
)
STOCK_CHANGE_KNOWN = (
    "UPDATE stock SET soft = soft + ?, firm = firm + ?, on_hand = on_hand + ?, updated_at = ?"
    " WHERE sku = ? AND location = ?"
)
"""Counters that shrink need a standing row: an insert of a negative counter is refused before the conflict is seen."""

STOCK_BESIDE = (
    "INSERT INTO stock (quarantine, damaged, in_transit, updated_at, sku, location) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (sku, location) DO UPDATE SET quarantine = stock.quarantine + excluded.quarantine,"
    " damaged = stock.damaged + excluded.damaged, in_transit = stock.in_transit + excluded.in_transit,"
    " updated_at = excluded.updated_at"
)
STOCK_BESIDE_KNOWN = (
    "UPDATE stock SET quarantine = quarantine + ?, damaged = damaged + ?, in_transit = in_transit + ?, updated_at = ?"
    " WHERE sku = ? AND location = ?"
)
"""Goods beside on hand change seldom: statements of their own leave the others as short as they were."""


def stock_statements(change: StockChange, now: int) -> list[tuple[str, Params]]:
    """One statement, or two where goods on hand and beside it change together. Raises ValueError for a reserve that
    changes more than it may."""
    beside = (change.quarantine, change.damaged, change.in_transit)
    if not any(beside):
        return [_counters_statement(change, now)]
    if change.reserve:
        raise ValueError("a reserve changes no goods beside those on hand")
    params = (*map(exact_to_database, beside), now, _text(change.sku), _text(change.location))
    statement = (STOCK_BESIDE if min(beside) >= 0 else STOCK_BESIDE_KNOWN), params
    counted = change.soft or change.firm or change.on_hand
    return [_counters_statement(change, now), statement] if counted else [statement]


def _counters_statement(change: StockChange, now: int) -> tuple[str, Params]:
    soft, firm = exact_to_database(change.soft), exact_to_database(change.firm)
    params: Params = (soft, firm, exact_to_database(change.on_hand), now, _text(change.sku), _text(change.location))
    if change.reserve:
        return STOCK_RESERVE, (*params, exact_to_database(change.safety), soft + firm)
    return (STOCK_CHANGE if soft >= 0 and firm >= 0 else STOCK_CHANGE_KNOWN), params


@lru_cache(maxsize=4096)
def count_sql(table: str, condition: Condition) -> str:
    return f'SELECT count(*) FROM "{table}" WHERE {_condition_sql(condition)}'


def select_sql(table: str, condition: Condition, order_by: tuple[str, ...]) -> str:
    shape = table_shape(table)
    order = []
    for name in order_by:
        column = name.removeprefix("-")
        shape.incoming[column]
        order.append(f'"{column}" DESC' if name.startswith("-") else f'"{column}"')
    columns = ", ".join(f'"{column}"' for column in shape.columns)
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    return f'SELECT {columns} FROM "{table}" WHERE {_condition_sql(condition)}{ordered} LIMIT ?'
