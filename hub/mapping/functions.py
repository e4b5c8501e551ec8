"""The closed function library of mapping expressions: typed, exact, without side effects.

One table, `FUNCTIONS`; its signatures are checked when a mapping is compiled (number of arguments) and when it runs
(types). An argument that is null makes the result null unless the function says it takes null. Where a number is
wanted, its text will do ("19.90"), because that is how amounts travel.
"""

from __future__ import annotations

import hashlib
import re
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
    `optional` counts parameters at the end that may be left out. `labels` say what each parameter is."""

    name: str
    parameters: tuple[str, ...]
    returns: str
    about: str
    call: Callable[..., object]
    variadic: bool = False
    optional: int = 0
    takes_null: bool = False
    labels: tuple[str, ...] = ()

    def signature(self) -> str:
        """For messages and the printed table: `replace(text: text, old: text, new: text) -> text`."""
        names = list(self.parameters)
        for index, label in enumerate(self.labels):
            names[index] = f"{label}: {names[index]}"
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


def caller(function: Function, given: int) -> Callable[[list[object]], object]:
    """The function with its arguments checked, for that many of them.

    What it returns raises Unusable naming function, parameter and type, never the value.
    """
    last = len(function.parameters) - 1
    kinds = [function.parameters[min(index, last)] for index in range(given)]
    checks = [(index, _TYPES[kind]) for index, kind in enumerate(kinds) if kind in _TYPES]
    call = function.call

    def run(arguments: list[object]) -> object:
        for index, fits in checks:
            if not fits(arguments[index]):
                problem = f"{function.signature()}: argument {index + 1} is {kind_of(arguments[index])}"
                raise Unusable("expression", problem)
        try:
            return call(*arguments)
        except Unusable as problem:
            raise Unusable(problem.code, f"{function.name}(): {problem.message}") from problem

    return run


def _number(value: object) -> bool:
    if isinstance(value, str):
        try:
            to_decimal(value)
        except Unusable:
            return False
        return True
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
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


def _exactly(operation: Callable[..., Decimal]) -> Callable[..., Decimal]:
    return lambda *numbers: operation(*map(to_decimal, numbers))


def _compact(items: list[object]) -> list[object]:
    return [item for item in items if item is not None and item != ""]


def _sort_by(items: list[object], by: Callable[[object], object]) -> list[object]:
    return sorted(items, key=lambda item: _order(by(item)))


def _extreme_by(pick: Callable[..., object]) -> Callable[..., object]:
    return lambda items, by: pick(items, key=lambda item: _order(by(item)), default=None)


_SIGNATURE = re.compile(r"(\w+)\((.*)\) -> (.+)\Z")


def _function(signature: str, call: Callable[..., object], about: str, *, takes_null: bool = False) -> Function:
    match = _SIGNATURE.match(signature)
    assert match is not None, signature
    names = match[2].split("; ")
    variadic = names[-1] == "..."
    parameters = names[:-1] if variadic else names
    pairs = [name.strip("[]").split(": ") for name in parameters]
    return Function(
        name=match[1],
        parameters=tuple(kind for _, kind in pairs),
        returns=match[3],
        about=about,
        call=call,
        variadic=variadic,
        optional=sum(name.startswith("[") for name in parameters),
        takes_null=takes_null,
        labels=tuple(label for label, _ in pairs),
    )


_ROWS = (
    _function("decimal(value: number) -> number", to_decimal, "the exact number of a text"),
    _function("to_number(value: any) -> number", _to_number, "the number of a text, null where it is none"),
    _function("sum(amounts: list) -> number", _sum, "of numbers or their texts; nulls are skipped"),
    _function("add(one: number; other: number) -> number", _exactly(EXACT.add), "both together, exact"),
    _function(
        "subtract(from: number; what: number) -> number", _exactly(EXACT.subtract), "the first less the second, exact"
    ),
    _function("multiply(one: number; other: number) -> number", _exactly(EXACT.multiply), "one times the other, exact"),
    _function(
        "divide(dividend: number; divisor: number; digits: number) -> number", _divide, "rounded half-even to n digits"
    ),
    _function("round(value: number; digits: number) -> number", _round, "half-even to n digits"),
    _function("negate(value: number) -> number", _exactly(EXACT.minus), "with the other sign"),
    _function("abs(value: number) -> number", _exactly(EXACT.abs), "without sign"),
    _function(
        "ceil(value: number) -> number", lambda a: to_decimal(a).to_integral_value("ROUND_CEILING"), "up to a whole one"
    ),
    _function(
        "floor(value: number) -> number",
        lambda a: to_decimal(a).to_integral_value("ROUND_FLOOR"),
        "down to a whole one",
    ),
    _function("max(values: list) -> any", _extreme(max), "of numbers or of texts"),
    _function("min(values: list) -> any", _extreme(min), "of numbers or of texts"),
    _function("concat(parts: any; ...) -> text", _concat, "all scalars as one text; null if one is"),
    _function("join(separator: text; parts: list) -> text", _join, "of scalars; nulls and empty texts are skipped"),
    _function("split(text: text; separator: text) -> list", _split, "at a separator"),
    _function("replace(text: text; old: text; new: text) -> text", _replace, "every occurrence"),
    _function("trim(text: text) -> text", lambda t: t.strip(), "without white space at both ends"),
    _function("lower(text: text) -> text", lambda t: t.lower(), "lower case"),
    _function("upper(text: text) -> text", lambda t: t.upper(), "upper case"),
    _function(
        "substring(text: text; start: number; [length: number]) -> text", _substring, "from a start, of a length"
    ),
    _function(
        "before(text: text; separator: text) -> text",
        lambda t, s: t.partition(s)[0] if s else t,
        "what stands before a separator",
    ),
    _function("after(text: text; separator: text) -> text", _after, "what stands behind it, empty without"),
    _function("pad_left(value: any; width: number; fill: text) -> text", _pad_left, "to a width with a character"),
    _function("starts_with(text: text; beginning: text) -> boolean", lambda t, s: t.startswith(s), "whether it does"),
    _function("ends_with(text: text; end: text) -> boolean", lambda t, s: t.endswith(s), "whether it does"),
    _function("contains(where: text or list; what: any) -> boolean", _contains, "a part of a text, an item of a list"),
    _function("length(value: text, list or object) -> number", len, "characters, items, keys"),
    _function("to_string(value: any) -> text", text_of, "a scalar as text, digit for digit"),
    _function("sha256(text: text) -> text", _sha256, "64 hexadecimal digits of its UTF-8"),
    _function("at(items: list; index: number) -> any", _at, "the item at an index from 0, else null"),
    _function("first(items: list) -> any", lambda items: items[0] if items else None, "null if there is none"),
    _function("last(items: list) -> any", lambda items: items[-1] if items else None, "null if there is none"),
    _function("compact(items: list) -> list", _compact, "without nulls and empty texts"),
    _function("unique(items: list) -> list", _unique, "the first of each"),
    _function("reverse(value: text or list) -> any", lambda value: value[::-1], "back to front"),
    _function("sort(items: list) -> list", lambda items: sorted(items, key=_order), "numbers, then texts"),
    _function("sort_by(items: list; by: expression) -> list", _sort_by, "by the value of &expression"),
    _function("max_by(items: list; by: expression) -> any", _extreme_by(max), "the item with the greatest value"),
    _function("min_by(items: list; by: expression) -> any", _extreme_by(min), "the item with the least value"),
    _function(
        "map(each: expression; items: list) -> list", lambda each, items: [each(item) for item in items], "nulls stay"
    ),
    _function(
        "named(entries: list; name: any; [key: text]; [value: text]) -> any",
        _named,
        "the `value` of the entry with that `name`",
    ),
    _function("lookup(where: object; key: text) -> any", lambda tree, key: tree.get(key), "the value of a key"),
    _function("keys(of: object) -> list", list, "in their order"),
    _function("values(of: object) -> list", lambda tree: list(tree.values()), "in the order of their keys"),
    _function("merge(objects: object; ...) -> object", _merge, "later ones win"),
    _function(
        "to_array(value: any) -> list", lambda v: v if isinstance(v, list) else [v], "a list of one, if it is none"
    ),
    _function(
        "type(value: any) -> text", lambda v: _KIND_WORDS.get(kind_of(v), "null"), "JMESPath's word", takes_null=True
    ),
    _function(
        "not_null(values: any; ...) -> any", _first_present, "the first neither null nor empty text", takes_null=True
    ),
    _function(
        "if(condition: any; yes: any; [no: any]) -> any",
        _if,
        "the second if the first is true, else the third",
        takes_null=True,
    ),
)

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
"""Every function by name. `if` and `not_null` evaluate only the arguments they need."""
