"""Times as vendors write them, to RFC 3339 UTC with microseconds, so that they sort as text.

Formats: `iso` (any offset, Z, a space for the T, an offset without colon, a bare date with offset), `epoch`, `epoch_ms`
(numbers or their texts, scientific notation too), `rfc2822`, or a pattern of strptime (`%d.%m.%Y %H:%M:%S`). A time
without offset needs `zone`; where the clock runs twice the earlier one is taken and noted (`ambiguous_time`), where it
jumps the time is moved by the jump and noted.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
import zoneinfo
from collections.abc import Callable
from decimal import Decimal

from hub.mapping.errors import Unusable
from hub.mapping.numbers import kind_of, to_decimal
from hub.mapping.scope import Scope

UTC = dt.UTC
WORDS = ("iso", "epoch", "epoch_ms", "rfc2822")
_LEAP = re.compile(r"(?<=:[0-5][0-9]):60(?=\D|\Z)")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_WITH_OFFSET = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:?[0-9]{2})\Z")
_SPACE_BEFORE_OFFSET = re.compile(r"(?<=[0-9]) (?=Z\Z|[+-][0-9]{2}:?[0-9]{2}\Z)")
_PLAUSIBLE = (1990, 2100)
_EPOCH_LIMIT = Decimal(10) ** 12

Parser = Callable[[object], dt.datetime]


def written(moment: dt.datetime) -> str:
    """Canonical text of an aware time: `2026-11-01T10:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def instant_reader(formats: tuple[str, ...], zone: str | None) -> Callable[[object, Scope], str]:
    """A conversion to canonical text. Raises zoneinfo.ZoneInfoNotFoundError or ValueError for a zone that is none."""
    parsers = [parser_for(one) for one in formats]
    place = zoneinfo.ZoneInfo(zone) if zone else None

    def read(value: object, scope: Scope) -> str:
        moment = _aware(_first(parsers, value), place, scope)
        try:
            text = written(moment)
        except OverflowError as error:
            raise Unusable("format", "the time is outside the calendar") from error
        if not _PLAUSIBLE[0] <= moment.year <= _PLAUSIBLE[1]:
            scope.note("implausible_time", text)
        return text

    return read


def date_reader(formats: tuple[str, ...]) -> Callable[[object, Scope], str]:
    """A conversion to `YYYY-MM-DD`: the day as written, whatever its offset."""
    parsers = [parser_for(one) for one in formats]
    return lambda value, _scope: _first(parsers, value).date().isoformat()


def parser_for(form: str) -> Parser:
    """The reader of one format; naive where the text has no offset."""
    if form == "iso":
        return _iso
    if form in ("epoch", "epoch_ms"):
        scale = Decimal(1) if form == "epoch" else Decimal("0.001")
        return lambda value: _epoch(to_decimal(value) * scale)
    if form == "rfc2822":
        return _rfc2822
    if "%" not in form:
        raise ValueError(f"{form!r} is none of {', '.join(WORDS)} and no pattern with %")
    return lambda value: _pattern(value, form)


def _first(parsers: list[Parser], value: object) -> dt.datetime:
    problem: Unusable | None = None
    for parse in parsers:
        try:
            return parse(value)
        except Unusable as error:
            problem = problem or error
    assert problem is not None  # there is at least one parser
    raise problem


def _aware(moment: dt.datetime, zone: zoneinfo.ZoneInfo | None, scope: Scope) -> dt.datetime:
    if moment.tzinfo is not None:
        return moment
    if zone is None:
        raise Unusable("format", "the time has no offset and the mapping names no zone")
    placed = moment.replace(tzinfo=zone)
    if placed.utcoffset() != placed.replace(fold=1).utcoffset():
        scope.note("ambiguous_time", moment.isoformat(sep=" "))
    return placed


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unusable("type", f"a time as text is needed, not {kind_of(value)}")
    text = value.strip()
    if len(text) > 80:
        raise Unusable("format", "the text is not a time")
    return text


def _iso(value: object) -> dt.datetime:
    if not isinstance(value, str):
        raise Unusable("type", f"a time as text is needed, not {kind_of(value)}")
    try:
        if len(value) >= 19 and value[4] == "-":
            return dt.datetime.fromisoformat(value)
    except ValueError:
        pass  # the rarer spellings below
    text = _text(value)
    if not _ISO.match(text):
        raise Unusable("format", "the text is not an ISO 8601 time")
    only_date = _DATE_WITH_OFFSET.match(text)
    if only_date:
        text = f"{only_date[1]}T00:00:00{only_date[2]}"
    leap = _LEAP.search(text)
    text = _SPACE_BEFORE_OFFSET.sub("", _LEAP.sub(":59", text))
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusable("format", "the text is not an ISO 8601 time") from error
    return moment + dt.timedelta(seconds=1) if leap else moment


def _epoch(seconds: Decimal) -> dt.datetime:
    if abs(seconds) >= _EPOCH_LIMIT:
        raise Unusable("format", "the number of seconds is outside the calendar")
    micros = int((seconds * 1_000_000).to_integral_value())
    try:
        return dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(microseconds=micros)
    except OverflowError as error:
        raise Unusable("format", "the number of seconds is outside the calendar") from error


def _rfc2822(value: object) -> dt.datetime:
    try:
        return email.utils.parsedate_to_datetime(_text(value))
    except (ValueError, TypeError, IndexError) as error:
        raise Unusable("format", "the text is not an RFC 2822 time") from error


def _pattern(value: object, pattern: str) -> dt.datetime:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    try:
        return dt.datetime.strptime(text, pattern)  # noqa: DTZ007 - a zone is added where the pattern has none
    except ValueError as error:
        raise Unusable("format", f"the text is not a time of the pattern {pattern}") from error
