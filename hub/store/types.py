"""Column types: exact numbers as BIGINT of 10^-6, aware UTC instants, JSON that keeps exact numbers."""

from __future__ import annotations

import datetime as dt
import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

SCALE = Decimal(1_000_000)
LARGEST = 2**63 - 1
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


class Exact(TypeDecorator[Decimal]):
    """Decimal <-> BIGINT of 10^-6. More than six digits must have been rounded at the mapping; overflow is an error."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError("a float is no amount or quantity")
        scaled = (Decimal(value) * SCALE).to_integral_value(rounding=ROUND_HALF_EVEN)
        if scaled != Decimal(value) * SCALE:
            raise ValueError(f"{value} has more than six digits after the point")
        number = int(scaled)
        if abs(number) > LARGEST:
            raise OverflowError(f"{value} does not fit 64 bits of millionths")
        return number

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / SCALE


class Instant(TypeDecorator[dt.datetime]):
    """Aware datetime <-> BIGINT of microseconds since 1970 UTC. Naive values are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        return (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else EPOCH + dt.timedelta(microseconds=value)


def _exact_default(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Json(TypeDecorator[Any]):
    """A tree <-> compact JSON text. Decimals become text: domain records carry numbers as decimal text anyway."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps(value, default=_exact_default, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
