"""The neutral tree every codec reads into, and the one error every codec raises.

A tree holds no binary floating point: a number with a point or an exponent is a ``Decimal`` with the digits that were
written, so an amount is never rounded before somebody decides how.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Tree = dict[str, "Tree"] | list["Tree"] | str | int | Decimal | bool | None
"""What a codec returns: plain dict, list, str, int, Decimal, bool or None, nothing else."""

ReadTree = Mapping[str, "ReadTree"] | Sequence["ReadTree"] | str | int | Decimal | bool | None
"""What a codec accepts for writing: the same, without the promise to be allowed to change it."""

MAX_NUMBER_DIGITS = 400
"""Digits that a number may have when written out plainly. Longer ones are no amounts, ids or quantities, and turning
them into text costs quadratic time."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a body: byte ``offset`` from 0, ``line`` and ``column`` from 1 (column in characters)."""

    offset: int
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class FormatError(Exception):
    """A body that cannot be read, or a tree that cannot be written.

    ``code`` is stable and machine-readable (``syntax``, ``encoding``, ``duplicate_key``, ``too_deep``, ``too_large``,
    ``number``, ``dtd``, ``control_character``, ``items``, ``option``, ``unwritable``); ``message`` is for people and
    holds no content of the body beyond a key's or element's name; ``position`` is absent where there is none, as in
    writing.
    """

    def __init__(self, code: str, message: str, position: Position | None = None) -> None:
        super().__init__(f"{message} ({position})" if position else message)
        self.code = code
        self.message = message
        self.position = position


def position_at(data: bytes, offset: int) -> Position:
    """The line and column of a byte offset; bytes that are no UTF-8 count as one character each."""
    offset = min(max(offset, 0), len(data))
    start = data.rfind(b"\n", 0, offset) + 1
    column = len(data[start:offset].decode("utf-8", "replace")) + 1
    return Position(offset, data.count(b"\n", 0, offset) + 1, column)


def plain_number(value: Decimal) -> str:
    """A decimal as JSON number text without an exponent, digit for digit (``1E+2`` becomes ``100``).

    Raises :class:`FormatError` (``number``) for NaN, infinities and anything longer than ``MAX_NUMBER_DIGITS``.
    """
    if not value.is_finite():
        raise FormatError("number", "NaN and infinities cannot be written")
    if plain_digits(value) > MAX_NUMBER_DIGITS:
        raise FormatError("number", f"a number of more than {MAX_NUMBER_DIGITS} digits cannot be written")
    return format(value, "f")


def plain_digits(value: Decimal) -> int:
    """How many digits a finite decimal has when it is written without an exponent."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # not finite otherwise
    return max(len(digits) + exponent, 1) + max(-exponent, 0)
