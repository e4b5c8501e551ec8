"""Values as the database keeps them: exact numbers in millionths, instants in microseconds, JSON as ASCII text.

Plain functions without SQLAlchemy: the write path calls them for every value, and a restart does not wait for imports.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Context, Decimal
from typing import Any

import msgspec

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
    whole, rest = divmod(value, 1_000_000)
    if not rest:  # nearly always, and without a division
        return Decimal(whole)
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


_decode = msgspec.json.Decoder().decode


def json_from_database(value: str) -> Any:
    try:
        return _decode(value)
    except msgspec.MsgspecError:  # a lone surrogate, which only the standard library reads
        return json.loads(value)
