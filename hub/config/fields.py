"""Reads a checked tree into values, once: after this no code asks a dict whether it has a key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from hub.config.source import Plain
from hub.config.units import Rate, UnitError, parse_duration, parse_rate, parse_size

_T = TypeVar("_T")
Report = Callable[[tuple[str | int, ...], str], None]


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of the tree. The schema has vouched for the types; what it cannot see (a thirteenth month, a rate of
    zero) goes to ``report`` with its path and reads as a neutral value."""

    tree: Mapping[str, Plain]
    path: tuple[str | int, ...]
    report: Report

    def has(self, name: str) -> bool:
        """Whether the key is there with a value."""
        return self.tree.get(name) is not None

    def text(self, name: str) -> str:
        value = self.tree.get(name)
        assert isinstance(value, str), (*self.path, name)
        return value

    def maybe_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def integer(self, name: str) -> int:
        value = self.tree.get(name)
        # 1.0 is a whole number for JSON Schema
        assert isinstance(value, int | Decimal), (*self.path, name)
        return int(value)

    def maybe_integer(self, name: str) -> int | None:
        return self.integer(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        return self.tree.get(name) is True

    def decimal(self, name: str) -> Decimal:
        return _decimal(self.tree.get(name))

    def maybe_decimal(self, name: str) -> Decimal | None:
        return self.decimal(name) if self.has(name) else None

    def duration(self, name: str) -> timedelta:
        return self._unit(name, parse_duration, timedelta(0))

    def maybe_duration(self, name: str) -> timedelta | None:
        return self.duration(name) if self.has(name) else None

    def size(self, name: str) -> int:
        return self._unit(name, parse_size, 0)

    def rate(self, name: str) -> Rate:
        return self._unit(name, parse_rate, Rate(Decimal(1), "s"))

    def instant(self, name: str) -> datetime:
        """An aware time in UTC."""
        try:
            return datetime.fromisoformat(self.text(name)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.report((*self.path, name), f"{self.text(name)!r} is no time that exists")
            return datetime(1970, 1, 1, tzinfo=UTC)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.tree.get(name)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def object(self, name: str) -> "Fields":
        value = self.tree.get(name)
        return Fields(value if isinstance(value, dict) else {}, (*self.path, name), self.report)

    def maybe_object(self, name: str) -> "Fields | None":
        return self.object(name) if self.has(name) else None

    def raw(self, name: str) -> Mapping[str, Plain]:
        """An object as it stands, read-only."""
        value = self.tree.get(name)
        return MappingProxyType(value if isinstance(value, dict) else {})

    def members(self, name: str) -> Iterator[tuple[str, "Fields"]]:
        """The objects of an object by their keys."""
        inner = self.object(name)
        for key in inner.tree:
            yield key, inner.object(key)

    def items(self, name: str) -> Iterator["Fields"]:
        """The objects of a list."""
        value = self.tree.get(name)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield Fields(item if isinstance(item, dict) else {}, (*self.path, name, index), self.report)

    def text_map(self, name: str) -> Mapping[str, str]:
        return MappingProxyType({key: str(value) for key, value in self.raw(name).items()})

    def decimal_map(self, name: str) -> Mapping[str, Decimal]:
        return MappingProxyType({key: _decimal(value) for key, value in self.raw(name).items()})

    def duration_map(self, name: str) -> Mapping[str, timedelta]:
        inner = self.object(name)
        return MappingProxyType({key: inner.duration(key) for key in inner.tree})

    def time_map(self, name: str) -> Mapping[str, time]:
        return MappingProxyType({key: time.fromisoformat(str(value)) for key, value in self.raw(name).items()})

    def _unit(self, name: str, parse: Callable[[str], _T], neutral: _T) -> _T:
        try:
            return parse(self.text(name))
        except UnitError as error:
            self.report((*self.path, name), str(error))
            return neutral


def _decimal(value: Plain) -> Decimal:
    assert isinstance(value, int | str | Decimal), value
    return Decimal(value)
