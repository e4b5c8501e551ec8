"""Runs one SQL text and gives rows as dicts; names the columns that hold amounts and instants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, Connection, Text, bindparam, text

from hub.store.values import exact_from_database, instant_from_database

MAX_ROWS = 10_000
NEVER_YEAR = 9999


def rows(
    connection: Connection,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    instants: Iterable[str] = (),
    amounts: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """At most MAX_ROWS rows. A list or tuple parameter expands to IN (...)."""
    statement = text(sql)
    values = dict(parameters or {})
    expanding: list[BindParameter[Any]] = [
        bindparam(name, expanding=True, type_=Text())
        for name, value in values.items()
        if isinstance(value, list | tuple)
    ]
    if expanding:
        statement = statement.bindparams(*expanding)
    found = [dict(row) for row in connection.execute(statement, values).mappings().fetchmany(MAX_ROWS)]
    for row in found:
        for name in instants:
            if row[name] is not None:
                row[name] = instant(row[name])
        for name in amounts:
            if row[name] is not None:
                row[name] = amount(row[name])
    return found


def scalar(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> Any:
    return connection.execute(text(sql), dict(parameters or {})).scalar()


def instant(microseconds: int) -> dt.datetime | None:
    """None for the far future that stands for never."""
    found = instant_from_database(int(microseconds))
    return None if found.year >= NEVER_YEAR else found


def amount(millionths: int | Decimal) -> Decimal:
    """Also takes what SUM gives on PostgreSQL (numeric)."""
    return exact_from_database(int(millionths))
