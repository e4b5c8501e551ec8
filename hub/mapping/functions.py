"""The closed function library of mapping expressions: typed, exact, without side effects.

One table, `FUNCTIONS`; its signatures are checked when a mapping is compiled (number of arguments) and when it runs
(types). An argument that is null makes the result null unless the function says it takes null. Where a number is
wanted, its text will do ("19.90"), because that is how amounts travel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.mapping.errors import Unusable
from hub.mapping.numbers import EXACT, kind_of, to_decimal

MAX_TEXT = 1_000_000
"""Characters a function may produce."""


@dataclass(frozen=True, slots=True)
class Function:
    """`parameters` are type names: any, text, number, list, object, expression. `variadic`: the last one repeats.
    `optional` counts parameters at the end that may be left out."""

    name: str
    parameters: tuple[str, ...]
    returns: str
    about: str
    call: Callable[..., object]
    variadic: bool = False
    optional: int = 0
    takes_null: bool = False

    def signature(self) -> str:
        """For messages and the printed table: `replace(text, text, text) -> text`."""
        names = list(self.parameters)
        for index in range(len(names) - self.optional, len(names)):
            names[index] = f"[{names[index]}]"
        if self.variadic:
            names.append("...")
        return f"{self.name}({', '.join(names)}) -> {self.returns}"


def check_arity(function: Function, given: int) -> str | None:
    """A sentence when the number of arguments is wrong."""
    least = len(function.parameters) - function.optional
    if given < least or (given > len(function.parameters) and not function.variadic):
        return f"{function.signature()} was given {given} argument(s)"
    return None


def check_types(function: Function, given: list[object]) -> None:
    """Raises Unusable (`expression`) naming function, parameter and type, never the value."""
    last = len(function.parameters) - 1
    for index, value in enumerate(given):
        kind = function.parameters[min(index, last)]
        if value is None and function.takes_null:
            continue
        if not _TYPES[kind](value):
            raise Unusable("expression", f"{function.signature()}: argument {index + 1} is {kind_of(value)}")


def _number(value: object) -> bool:
    if isinstance(value, str):
        try:
            to_decimal(value)
        except Unusable:
            return False
        return True
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "any": lambda _value: True,
    "text": lambda value: isinstance(value, str),
    "number": _number,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "text or list": lambda value: isinstance(value, str | list),
    "text, list or object": lambda value: isinstance(value, str | list | dict),
    "expression": callable,
}


def text_of(value: object) -> str:
    """A scalar as text, digit for digit. Raises Unusable for lists, objects and null."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**400:
        return str(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 400:
        return format(value, "f")
    raise Unusable("type", f"text is needed, not {kind_of(value)}")


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise Unusable("overflow", f"the text has more than {MAX_TEXT} characters")
    return text


def _sum(values: list[object]) -> Decimal:
    total = Decimal(0)
    for value in values:
        if value is not None:
            total = EXACT.add(total, to_decimal(value))
    return total


def _divide(one: object, other: object, digits: object) -> Decimal:
    divisor = to_decimal(other)
    if not divisor:
        raise Unusable("expression", "division by zero")
    return _round(EXACT.divide(to_decimal(one), divisor), digits)


def _round(value: object, digits: object) -> Decimal:
    places = _whole(digits)
    if not 0 <= places <= 12:
        raise Unusable("expression", "round to 0 to 12 digits")
    return to_decimal(value).quantize(Decimal(1).scaleb(-places), context=EXACT)


def _whole(value: object) -> int:
    number = to_decimal(value)
    if number != number.to_integral_value():
        raise Unusable("expression", "a whole number is needed")
    return int(number)


def _to_number(value: object) -> object:
    try:
        number = to_decimal(value)
    except Unusable:
        return None
    return int(number) if number == number.to_integral_value() else number


def _extreme(pick: Callable[[Iterable[Any]], Any]) -> Callable[[list[object]], object]:
    def run(values: list[object]) -> object:
        present = [value for value in values if value is not None]
        if not present:
            return None
        if all(isinstance(value, str) and not _number(value) for value in present):
            return pick(present)
        return pick(map(to_decimal, present))

    return run


def _order(value: object) -> tuple[int, Any]:
    """A total order over scalars: numbers by value, then text."""
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return (0, value)
    raise Unusable("expression", f"only numbers and text have an order, not {kind_of(value)}")


def _split(text: str, separator: str) -> list[str]:
    if not separator:
        raise Unusable("expression", "split needs a separator")
    return text.split(separator)


def _pad_left(text: object, width: object, fill: str) -> str:
    if len(fill) != 1 or not 0 <= _whole(width) <= 1_000:
        raise Unusable("expression", "pad_left takes one fill character and a width up to 1000")
    return text_of(text).rjust(_whole(width), fill)


def _substring(text: str, start: object, length: object = None) -> str:
    begin = _whole(start)
    if length is None:
        return text[begin:]
    if begin < 0 or _whole(length) < 0:
        raise Unusable("expression", "substring with a length starts at 0 or later")
    return text[begin : begin + _whole(length)]


def _at(values: list[object], index: object) -> object:
    place = _whole(index)
    return values[place] if 0 <= place < len(values) else None


def _contains(where: object, what: object) -> bool:
    if isinstance(where, str):
        return isinstance(what, str) and what in where
    return isinstance(where, list) and any(type(item) is type(what) and item == what for item in where)


def _named(entries: list[object], name: object, key: str = "name", value: str = "value") -> object:
    for entry in entries:
        if isinstance(entry, dict) and entry.get(key) == name:
            return entry.get(value)
    return None


def _unique(values: list[object]) -> list[object]:
    kept: list[object] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in kept):
            kept.append(value)
    return kept


def _merge(*objects: dict[str, object]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for one in objects:
        merged.update(one)
    return merged


def _first_present(*values: object) -> object:
    return next((value for value in values if value is not None and value != ""), None)


def _if(condition: object, yes: object, no: object = None) -> object:
    false = condition is None or condition is False or (isinstance(condition, str | list | dict) and not condition)
    return no if false else yes


_KIND_WORDS = {
    "null": "null",
    "a boolean": "boolean",
    "text": "string",
    "a number": "number",
    "an object": "object",
    "a list": "array",
}


def _table() -> dict[str, Function]:
    rows = [
        Function("decimal", ("number",), "number", "the exact number of a text", to_decimal),
        Function("to_number", ("any",), "number", "the number of a text, null where it is none", _to_number),
        Function("sum", ("list",), "number", "of numbers or their texts; nulls are skipped", _sum),
        Function("add", ("number", "number"), "number", "exact", lambda a, b: EXACT.add(to_decimal(a), to_decimal(b))),
        Function(
            "subtract",
            ("number", "number"),
            "number",
            "exact",
            lambda a, b: EXACT.subtract(to_decimal(a), to_decimal(b)),
        ),
        Function(
            "multiply",
            ("number", "number"),
            "number",
            "exact",
            lambda a, b: EXACT.multiply(to_decimal(a), to_decimal(b)),
        ),
        Function("divide", ("number", "number", "number"), "number", "rounded half-even to n digits", _divide),
        Function("round", ("number", "number"), "number", "half-even to n digits", _round),
        Function("negate", ("number",), "number", "with the other sign", lambda a: EXACT.minus(to_decimal(a))),
        Function("abs", ("number",), "number", "without sign", lambda a: abs(to_decimal(a))),
        Function(
            "ceil",
            ("number",),
            "number",
            "next whole number above",
            lambda a: to_decimal(a).to_integral_value("ROUND_CEILING"),
        ),
        Function(
            "floor",
            ("number",),
            "number",
            "next whole number below",
            lambda a: to_decimal(a).to_integral_value("ROUND_FLOOR"),
        ),
        Function("max", ("list",), "any", "of numbers or texts", _extreme(max)),
        Function("min", ("list",), "any", "of numbers or texts", _extreme(min)),
        Function("concat", ("any",), "text", "all scalars as one text; null if one is", _concat, variadic=True),
        Function("join", ("text", "list"), "text", "of scalars; nulls and empty texts are skipped", _join),
        Function("split", ("text", "text"), "list", "of texts at a separator", _split),
        Function("replace", ("text", "text", "text"), "text", "every occurrence", _replace),
        Function("trim", ("text",), "text", "without white space at both ends", lambda t: t.strip()),
        Function("lower", ("text",), "text", "lower case", lambda t: t.lower()),
        Function("upper", ("text",), "text", "upper case", lambda t: t.upper()),
        Function(
            "substring", ("text", "number", "number"), "text", "from a start, of a length", _substring, optional=1
        ),
        Function(
            "before",
            ("text", "text"),
            "text",
            "what stands before a separator",
            lambda t, s: t.partition(s)[0] if s else t,
        ),
        Function("after", ("text", "text"), "text", "what stands behind it, empty without", _after),
        Function("pad_left", ("any", "number", "text"), "text", "to a width with a character", _pad_left),
        Function("starts_with", ("text", "text"), "boolean", "", lambda t, s: t.startswith(s)),
        Function("ends_with", ("text", "text"), "boolean", "", lambda t, s: t.endswith(s)),
        Function("contains", ("text or list", "any"), "boolean", "a part of a text, an item of a list", _contains),
        Function("length", ("text, list or object",), "number", "", len),
        Function("to_string", ("any",), "text", "a scalar as text, digit for digit", text_of),
        Function("sha256", ("text",), "text", "64 hexadecimal digits of its UTF-8", _sha256),
        Function("at", ("list", "number"), "any", "the item at an index from 0, else null", _at),
        Function("first", ("list",), "any", "", lambda items: items[0] if items else None),
        Function("last", ("list",), "any", "", lambda items: items[-1] if items else None),
        Function(
            "compact",
            ("list",),
            "list",
            "without nulls and empty texts",
            lambda v: [i for i in v if i not in (None, "")],
        ),
        Function("unique", ("list",), "list", "first of each", _unique),
        Function("reverse", ("text or list",), "any", "", lambda value: value[::-1]),
        Function("sort", ("list",), "list", "numbers, then texts", lambda items: sorted(items, key=_order)),
        Function(
            "sort_by", ("list", "expression"), "list", "", lambda items, by: sorted(items, key=lambda i: _order(by(i)))
        ),
        Function(
            "max_by", ("list", "expression"), "any", "", lambda v, by: max(v, key=lambda i: _order(by(i)), default=None)
        ),
        Function(
            "min_by", ("list", "expression"), "any", "", lambda v, by: min(v, key=lambda i: _order(by(i)), default=None)
        ),
        Function("map", ("expression", "list"), "list", "", lambda each, items: [each(item) for item in items]),
        Function(
            "named", ("list", "any", "text", "text"), "any", "value of the entry with that name", _named, optional=2
        ),
        Function("lookup", ("object", "text"), "any", "the value of a key", lambda tree, key: tree.get(key)),
        Function("keys", ("object",), "list", "", list),
        Function("values", ("object",), "list", "", lambda tree: list(tree.values())),
        Function("merge", ("object",), "object", "later ones win", _merge, variadic=True),
        Function(
            "to_array",
            ("any",),
            "list",
            "a list as it is, else a list of one",
            lambda v: v if isinstance(v, list) else [v],
        ),
        Function(
            "type", ("any",), "text", "JMESPath's word", lambda v: _KIND_WORDS.get(kind_of(v), "null"), takes_null=True
        ),
        Function(
            "not_null",
            ("any",),
            "any",
            "the first neither null nor empty",
            _first_present,
            variadic=True,
            takes_null=True,
        ),
        Function(
            "if",
            ("any", "any", "any"),
            "any",
            "second if the first is true, else third",
            _if,
            optional=1,
            takes_null=True,
        ),
    ]
    return {row.name: row for row in rows}


def _concat(*parts: object) -> str:
    return _bounded("".join(map(text_of, parts)))


def _join(separator: str, items: list[object]) -> str:
    return _bounded(separator.join(text_of(item) for item in items if item is not None and item != ""))


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        raise Unusable("expression", "replace needs something to replace")
    if len(new) > 1_000:
        raise Unusable("overflow", "replace takes at most 1000 characters")
    return _bounded(text.replace(old, new))


def _after(text: str, separator: str) -> str:
    return text.partition(separator)[2] if separator else text


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


FUNCTIONS: dict[str, Function] = _table()
"""Every function by name."""


def describe() -> list[str]:
    """One line per function, for `hub mapping functions` and the documentation."""
    return [f"{row.signature()}{': ' + row.about if row.about else ''}" for row in FUNCTIONS.values()]
