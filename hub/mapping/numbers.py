"""Exact numbers: text to Decimal and back, bounded so that no input can make them expensive."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from hub.mapping.errors import Unusable

EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Enough for products of any two amounts; a result that needs more digits is refused by the range check."""

WHOLE_DIGITS = 12
FRACTION_DIGITS = 6
_STEP = Decimal(1).scaleb(-FRACTION_DIGITS)
_LIMIT = Decimal(10) ** WHOLE_DIGITS
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*\Z", re.ASCII)
_CANONICAL = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?\Z", re.ASCII)
_ZERO = re.compile(r"-0(?:\.0+)?\Z")
_MAX_CHARACTERS = 60


def is_canonical(text: str) -> bool:
    """Whether the text is already as records carry it: plain, within 12 + 6 digits, no negative zero."""
    return _CANONICAL.match(text) is not None and not (text[0] == "-" and _ZERO.match(text))


def to_decimal(value: object) -> Decimal:
    """Text, int or Decimal as a Decimal, digit for digit. Raises Unusable (`type`, `format`, `overflow`)."""
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or not isinstance(value, int | str):
        raise Unusable("type", f"a number or its text is needed, not {kind_of(value)}")
    elif isinstance(value, int):
        if abs(value) >= 10**_MAX_CHARACTERS:
            raise Unusable("overflow", "the number is too large")
        number = Decimal(value)
    else:
        if len(value) > _MAX_CHARACTERS or not _NUMBER.match(value):
            raise Unusable("format", "the text is not a number")
        number = Decimal(value.strip())
    if not number.is_finite():
        raise Unusable("format", "the number is not finite")
    if number and not -_MAX_CHARACTERS <= number.adjusted() <= _MAX_CHARACTERS:
        raise Unusable("overflow", "the number is too large or too small")
    return number


def plain(number: Decimal) -> tuple[str, bool]:
    """The canonical text and whether digits beyond the sixth were lost (rounded half-even). Zeros lost are no loss.

    Raises Unusable (`overflow`) for 10^12 and more.
    """
    lost = False
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -FRACTION_DIGITS:
        rounded = number.quantize(_STEP, context=EXACT)
        lost = rounded != number
        number = rounded
    if abs(number) >= _LIMIT:
        raise Unusable("overflow", f"more than {WHOLE_DIGITS} digits before the point")
    if not number and number.is_signed():
        number = -number
    return format(number, "f"), lost


def kind_of(value: object) -> str:
    """The JSON word for a value's type, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | Decimal):
        return "a number"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return f"a {type(value).__name__}"
