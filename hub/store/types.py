"""Column types of SQLAlchemy Core: exact numbers as BIGINT of 10^-6, aware UTC instants, JSON that keeps numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

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

__all__ = [
    "EPOCH",
    "MICROSECOND",
    "Exact",
    "Instant",
    "Json",
    "exact_from_database",
    "exact_to_database",
    "instant_from_database",
    "instant_to_database",
    "json_from_database",
    "json_to_database",
]


class Exact(TypeDecorator[Decimal]):
    """Decimal <-> BIGINT of 10^-6. More than six digits must have been rounded at the mapping; overflow is an error."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        return None if value is None else exact_to_database(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else exact_from_database(value)


class Instant(TypeDecorator[dt.datetime]):
    """Aware datetime <-> BIGINT of microseconds since 1970 UTC. Naive values are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else instant_to_database(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else instant_from_database(value)


class Json(TypeDecorator[Any]):
    """A tree <-> compact JSON text. Decimals become text: domain records carry numbers as decimal text anyway."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json_to_database(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json_from_database(value)
