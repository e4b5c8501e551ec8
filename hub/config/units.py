"""Durations, sizes and rates as configuration writes them: ``5m``, ``10MB``, ``2/s``."""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

DURATION_PATTERN = r"^(0|([0-9]{1,6}(ms|s|m|h|d))+)$"
SIZE_PATTERN = r"^[0-9]{1,9}(B|kB|MB|GB|KiB|MiB|GiB)$"
RATE_PATTERN = r"^[0-9]{1,6}(\.[0-9]{1,6})?/(s|m|h|d)$"

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_BYTES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")


class UnitError(ValueError):
    """A text that is no duration, size or rate; the message says what it should look like."""


def parse_duration(text: str) -> timedelta:
    """``90d``, ``1h30m``, ``500ms``, ``0``; at most 100 years. Raises :class:`UnitError`."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise UnitError(f"{text!r} is no duration; write for example 30s, 5m, 1h30m or 90d")
    seconds = sum((int(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text)), Decimal(0))
    if seconds > 100 * 366 * 86400:
        raise UnitError(f"{text!r} is longer than a hundred years")
    return timedelta(microseconds=int(seconds * 1_000_000))


def format_duration(value: timedelta) -> str:
    """The shortest text that :func:`parse_duration` reads back as this (whole milliseconds, not negative)."""
    milliseconds = value // timedelta(milliseconds=1)
    if milliseconds < 0:
        raise UnitError("a duration cannot be negative")
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def parse_size(text: str) -> int:
    """Bytes of ``10MB`` (10^7), ``512KiB`` (2^19). Raises :class:`UnitError`."""
    if not re.fullmatch(SIZE_PATTERN, text):
        raise UnitError(f"{text!r} is no size; write for example 512kB, 10MB or 4MiB")
    number = text.rstrip("kKMGiB")
    return int(number) * _BYTES[text[len(number) :]]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many per how long: ``Rate(Decimal("0.5"), "s")``."""

    count: Decimal
    unit: str

    @property
    def per_second(self) -> Decimal:
        """Events per second, exact as far as 28 digits go."""
        return self.count / _SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.count:f}/{self.unit}"


def parse_rate(text: str) -> Rate:
    """``2/s``, ``0.0056/s``, ``40/m``; above zero. Raises :class:`UnitError`."""
    if not re.fullmatch(RATE_PATTERN, text):
        raise UnitError(f"{text!r} is no rate; write for example 2/s, 0.5/s or 40/m")
    count, _, unit = text.partition("/")
    if Decimal(count) == 0:
        raise UnitError(f"{text!r} would never send anything; leave the limit out or pause the connection")
    return Rate(Decimal(count), unit)
