"""Column types: exact numbers as BIGINT of 10^-6, aware UTC instants, JSON that keeps exact numbers.

The conversions are plain functions, because the store's write path calls them without SQLAlchemy's machinery; the
TypeDecorators give the same to statements built with SQLAlchemy Core.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Context, Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

SCALE = Decimal(1_000_000)
LARGEST = 2**63 - 1
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)

_EXACT = Context(prec=80)
"""Wide enough for every number that is looked at: the process's own decimal context never rounds an amount."""


def exact_to_database(value: Decimal | int) -> int:
    """Millionths. TypeError for a float, ValueError for more than six digits, OverflowError beyond 64 bits."""
    if isinstance(value, float):
        raise TypeError("a float is no amount or quantity")
    number = value if isinstance(value, Decimal) else Decimal(value)
    if number.adjusted() > 18:
        raise OverflowError(f"{value} does not fit 64 bits of millionths")
    scaled = number.scaleb(6, _EXACT)
    try:
        whole = int(scaled)
    except (ValueError, OverflowError):  # NaN, infinity
        raise ValueError(f"{value} is no amount or quantity") from None
    if whole != scaled:
        raise ValueError(f"{value} has more than six digits after the point")
    if abs(whole) > LARGEST:
        raise OverflowError(f"{value} does not fit 64 bits of millionths")
    return whole


def exact_from_database(value: int) -> Decimal:
    return _EXACT.divide(Decimal(value), SCALE)


def instant_to_database(value: dt.datetime) -> int:
    """Microseconds since 1970 UTC. ValueError for a time without zone: it could be any of 38 hours."""
    if value.tzinfo is None:
        raise ValueError("a time without zone cannot be stored")
    since = value - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_from_database(value: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=value)


def _default(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode = json.JSONEncoder(default=_default, separators=(",", ":"), allow_nan=False).encode
"""ASCII only: lone surrogates and NUL, which no database takes as text, travel as escapes. NaN is refused."""


def json_to_database(value: Any) -> str:
    return _encode(value)


def json_from_database(value: str) -> Any:
    return json.loads(value)


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
