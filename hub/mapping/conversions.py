"""The types a field can have (`as:`), each exact, each a function from a foreign value to a canonical one.

text       as written; numbers and booleans become their text, digit for digit (ids never pass through a float)
trimmed    text without white space at both ends            lower, upper    trimmed, in that case
decimal    canonical decimal text, at most 12 + 6 digits; options decimal_point, grouping
number     the same as a number, for systems that want one
integer    a whole number ("2.0000" is 2)
money      {amount, currency}; option currency: a path, or {const: EUR}
boolean    true, "true", "1", "yes", "y", 1 and their opposites, in any case
instant    RFC 3339 UTC with microseconds; options format (one or several), zone, write
date       YYYY-MM-DD; option format
country    ISO 3166-1 alpha-2 from codes and names; unknown ones are kept and noted
currency   three letters
texts      a list of texts, or one text cut at the option separator
tree       whatever it is, verbatim
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from hub.domain.countries import alpha_2
from hub.mapping.errors import Unusable
from hub.mapping.functions import text_of
from hub.mapping.instants import date_reader, instant_reader
from hub.mapping.numbers import is_canonical, kind_of, plain, to_decimal
from hub.mapping.scope import Convert, Getter, Scope

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})
MAX_TEXT = 100_000
MAX_TEXTS = 1_000


class OptionError(Exception):
    """An option that does not fit its type; the message is for the author of the mapping."""


def text(value: object, scope: Scope) -> object:
    if type(value) is not str:
        value = text_of(value)
    if len(value) > MAX_TEXT:
        raise Unusable("overflow", f"the text has more than {MAX_TEXT} characters")
    if "\x00" in value:
        scope.note("control_character", value)
        return value.replace("\x00", "\ufffd")
    return value


def trimmed(value: object, scope: Scope) -> object:
    return str(text(value, scope)).strip() or None


def lower(value: object, scope: Scope) -> object:
    return str(text(value, scope)).strip().lower() or None


def upper(value: object, scope: Scope) -> object:
    return str(text(value, scope)).strip().upper() or None


def decimal(value: object, scope: Scope) -> object:
    if type(value) is str and is_canonical(value):
        return value
    canonical, lost = plain(to_decimal(value))
    if lost:
        scope.note("precision_lost", value if isinstance(value, str) else text_of(value))
    return canonical


def number(value: object, scope: Scope) -> object:
    exact = Decimal(str(decimal(value, scope)))
    return int(exact) if exact == exact.to_integral_value() else exact


def integer(value: object, _scope: Scope) -> object:
    exact = to_decimal(value)
    if exact != exact.to_integral_value():
        raise Unusable("format", "a whole number is needed")
    return int(exact)


def boolean(value: object, _scope: Scope) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal) and value in (0, 1):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Unusable("format" if isinstance(value, str) else "type", "neither true nor false")


def country(value: object, scope: Scope) -> object:
    name = str(text(value, scope)).strip()
    code = alpha_2(name)
    if code is None and name:
        scope.note("unknown_country", name)
    return code or name or None


def currency(value: object, scope: Scope) -> object:
    code = str(text(value, scope)).strip().upper()
    if not _CURRENCY.match(code):
        raise Unusable("format", "the text is not an ISO 4217 code")
    return code


def tree(value: object, _scope: Scope) -> object:
    return value


_PLAIN: dict[str, Convert] = {
    "text": text,
    "trimmed": trimmed,
    "lower": lower,
    "upper": upper,
    "decimal": decimal,
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "country": country,
    "currency": currency,
    "tree": tree,
}
OPTIONS: dict[str, frozenset[str]] = {
    **{name: frozenset() for name in _PLAIN},
    "decimal": frozenset({"decimal_point", "grouping"}),
    "number": frozenset({"decimal_point", "grouping"}),
    "money": frozenset({"currency"}),
    "instant": frozenset({"format", "zone", "write"}),
    "date": frozenset({"format"}),
    "texts": frozenset({"separator"}),
}
"""Type -> the options it takes."""


GIVES: dict[str, str] = {
    **dict.fromkeys(
        ("text", "trimmed", "lower", "upper", "decimal", "instant", "date", "country", "currency"), "string"
    ),
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "money": "object",
    "texts": "array",
}
"""Type -> the word of JSON Schema for what it makes; `tree` makes anything."""


def conversion(kind: str, options: Mapping[str, object], path: Callable[[object], Getter]) -> Convert:
    """The conversion of a type with its options; `path` compiles a path option. Raises OptionError."""
    if kind in ("decimal", "number") and options:
        return _separated(_PLAIN[kind], _character(options, "decimal_point"), _character(options, "grouping"))
    if kind == "money":
        return _money(options, path)
    if kind == "instant":
        return _instant(options)
    if kind == "date":
        return _guarded(lambda: date_reader(_formats(options)))
    if kind == "texts":
        return _texts(_word(options, "separator"))
    return _PLAIN[kind]


def _separated(convert: Convert, point: str, group: str) -> Convert:
    if point and point == group:
        raise OptionError("decimal_point and grouping are the same character")

    def run(value: object, scope: Scope) -> object:
        if isinstance(value, str):
            value = value.replace(group, "") if group else value
            if point:
                if point != "." and "." in value:
                    raise Unusable("format", "the text has a point where it should have none")
                value = value.replace(point, ".")
        return convert(value, scope)

    return run


def _money(options: Mapping[str, object], path: Callable[[object], Getter]) -> Convert:
    where = options.get("currency")
    if where is None:
        raise OptionError("money needs `currency`: a path, or {const: EUR}")
    if isinstance(where, dict):
        fixed = where.get("const")
        if not isinstance(fixed, str) or not _CURRENCY.match(fixed):
            raise OptionError("currency: {const: EUR} needs three letters")
        return lambda value, scope: {"amount": decimal(value, scope), "currency": fixed}
    get = path(where)

    def run(value: object, scope: Scope) -> object:
        code = get(scope.node, scope)
        if code is None or code == "":
            raise Unusable("missing", "the amount has no currency")
        return {"amount": decimal(value, scope), "currency": currency(code, scope)}

    return run


def _instant(options: Mapping[str, object]) -> Convert:
    zone = _word(options, "zone") or None
    read = _guarded(lambda: instant_reader(_formats(options), zone))
    form = _word(options, "write")
    if not form:
        return read

    def run(value: object, scope: Scope) -> object:
        moment = dt.datetime.fromisoformat(str(read(value, scope)))
        return (
            moment.isoformat(timespec="seconds").replace("+00:00", "Z")
            if form == "iso_seconds"
            else moment.strftime(form)
        )

    return run


def _texts(separator: str) -> Convert:
    def run(value: object, scope: Scope) -> object:
        if isinstance(value, str) and separator:
            parts: list[object] = [part.strip() for part in value.split(separator)]
        elif isinstance(value, list):
            parts = value
        else:
            raise Unusable("type", f"a list of texts is needed, not {kind_of(value)}")
        if len(parts) > MAX_TEXTS:
            raise Unusable("overflow", f"more than {MAX_TEXTS} texts")
        return [text(part, scope) for part in parts if part is not None and part != ""]

    return run


def _formats(options: Mapping[str, object]) -> tuple[str, ...]:
    given = options.get("format", "iso")
    formats = given if isinstance(given, list) else [given]
    if not formats or not all(isinstance(one, str) for one in formats):
        raise OptionError("format is a word or pattern, or a list of them")
    return tuple(map(str, formats))


def _guarded(make: Callable[[], Convert]) -> Convert:
    try:
        return make()
    except (ValueError, KeyError) as error:
        raise OptionError(str(error)) from error


def _word(options: Mapping[str, object], name: str) -> str:
    value = options.get(name, "")
    if not isinstance(value, str):
        raise OptionError(f"{name} is a text")
    return value


def _character(options: Mapping[str, object], name: str) -> str:
    value = _word(options, name)
    if len(value) > 1:
        raise OptionError(f"{name} is one character")
    return value
