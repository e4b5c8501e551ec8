"""JMESPath (jmespath.org/specification.html) compiled to closures over exact trees.

The grammar and parser are the jmespath library's; evaluation is ours, because ids and amounts must stay exact: numbers
are int and Decimal, a literal with a point is refused, ordering compares Decimals, and the functions are the closed
library in :mod:`hub.mapping.functions`. Three functions reach beyond the present node: `root()`, `parent()` and
`context()`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jmespath.exceptions
import jmespath.parser

from hub.mapping.functions import FUNCTIONS, Function, caller, check_arity
from hub.mapping.paths import first_of
from hub.mapping.scope import Getter, Scope
from hub.mapping.words import among

MAX_EXPRESSION_CHARACTERS = 2_000
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_SCOPE_FUNCTIONS = ("root", "parent", "context")

Node = dict[str, Any]
"""A node of the parser's syntax tree: type, value, children."""


class ExpressionError(Exception):
    """An expression that is refused; the message is for the author of the mapping."""


def compile_expression(text: str, extra: dict[str, Function] | None = None) -> Getter:
    """The expression as a closure. `extra` are functions that a connector's manifest registers.

    Raises ExpressionError for syntax, unknown functions, wrong numbers of arguments and literals with a point.
    """
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_CHARACTERS} characters")
    try:
        tree: Node = dict(jmespath.parser.Parser().parse(text).parsed)
        return _Compiler({**FUNCTIONS, **(extra or {})}).build(tree)
    except jmespath.exceptions.JMESPathError as error:
        raise ExpressionError(str(error).strip()) from error
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deeply") from error


def is_false(value: object) -> bool:
    """JMESPath's falsehood: null, false, and empty text, list or object. Zero is true."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def equal(left: object, right: object) -> bool:
    """Equality without Python's `True == 1`, in depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return left == right and (type(left) is type(right) or _both_numbers(left, right))


def _both_numbers(left: object, right: object) -> bool:
    return _is_number(left) and _is_number(right)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


class _Compiler:
    """Turns a syntax tree into closures; holds only the function table."""

    def __init__(self, functions: dict[str, Function]) -> None:
        self._functions = functions

    def build(self, node: Node) -> Getter:
        builder: Callable[[Node], Getter] | None = getattr(self, f"_{node['type']}", None)
        if builder is None:
            raise ExpressionError(f"{node['type']} is not supported")
        return builder(node)

    def _children(self, node: Node) -> list[Getter]:
        return [self.build(child) for child in node["children"]]

    def _field(self, node: Node) -> Getter:
        key = node["value"]
        return lambda value, _scope: value.get(key) if isinstance(value, dict) else None

    def _identity(self, _node: Node) -> Getter:
        return lambda value, _scope: value

    _current = _identity

    def _subexpression(self, node: Node) -> Getter:
        steps = self._children(node)
        if len(steps) == 2:
            first, second = steps
            return lambda value, scope: second(first(value, scope), scope)

        def run(value: object, scope: Scope) -> object:
            for part in steps:
                value = part(value, scope)
            return value

        return run

    _index_expression = _subexpression
    _pipe = _subexpression

    def _index(self, node: Node) -> Getter:
        index: int = node["value"]

        def run(value: object, _scope: Scope) -> object:
            if isinstance(value, list) and -len(value) <= index < len(value):
                return value[index]
            return None

        return run

    def _slice(self, node: Node) -> Getter:
        if node["children"][2] == 0:
            raise ExpressionError("a slice cannot have step 0")
        part = slice(*node["children"])
        return lambda value, _scope: value[part] if isinstance(value, list) else None

    def _literal(self, node: Node) -> Getter:
        literal = node["value"]
        if _has_float(literal):
            raise ExpressionError(
                "a literal with a point or exponent is not exact; write it as text, as in decimal('1.5')"
            )
        return lambda _value, _scope: literal

    def _comparator(self, node: Node) -> Getter:
        left, right = self._children(node)
        name = node["value"]
        if name == "eq":
            return lambda value, scope: equal(left(value, scope), right(value, scope))
        if name == "ne":
            return lambda value, scope: not equal(left(value, scope), right(value, scope))
        compare = _ORDER[name]

        def run(value: object, scope: Scope) -> object:
            one, other = left(value, scope), right(value, scope)
            return compare(one, other) if _both_numbers(one, other) else None

        return run

    def _or_expression(self, node: Node) -> Getter:
        left, right = self._children(node)

        def run(value: object, scope: Scope) -> object:
            found = left(value, scope)
            return right(value, scope) if is_false(found) else found

        return run

    def _and_expression(self, node: Node) -> Getter:
        left, right = self._children(node)

        def run(value: object, scope: Scope) -> object:
            found = left(value, scope)
            return found if is_false(found) else right(value, scope)

        return run

    def _not_expression(self, node: Node) -> Getter:
        (inner,) = self._children(node)
        return lambda value, scope: is_false(inner(value, scope))

    def _multi_select_list(self, node: Node) -> Getter:
        parts = self._children(node)
        return lambda value, scope: None if value is None else [part(value, scope) for part in parts]

    def _multi_select_dict(self, node: Node) -> Getter:
        parts = [(child["value"], self.build(child["children"][0])) for child in node["children"]]
        return lambda value, scope: None if value is None else {key: part(value, scope) for key, part in parts}

    def _projection(self, node: Node) -> Getter:
        base, each = self._children(node)
        return _project(lambda value, scope: _as_list(base(value, scope)), each)

    def _value_projection(self, node: Node) -> Getter:
        base, each = self._children(node)

        def elements(value: object, scope: Scope) -> list[object] | None:
            found = base(value, scope)
            return list(found.values()) if isinstance(found, dict) else None

        return _project(elements, each)

    def _filter_projection(self, node: Node) -> Getter:
        base, each, condition = self._children(node)

        def elements(value: object, scope: Scope) -> list[object] | None:
            found = base(value, scope)
            if not isinstance(found, list):
                return None
            return [element for element in found if not is_false(condition(element, scope))]

        return _project(elements, each)

    def _flatten(self, node: Node) -> Getter:
        (base,) = self._children(node)

        def run(value: object, scope: Scope) -> object:
            found = base(value, scope)
            if not isinstance(found, list):
                return None
            pieces = (part if isinstance(part, list) else [part] for part in found)
            return list(itertools.chain.from_iterable(pieces))

        return run

    def _expref(self, node: Node) -> Getter:
        (inner,) = self._children(node)
        return lambda _value, scope: lambda element: inner(element, scope)

    def _function_expression(self, node: Node) -> Getter:
        name = node["value"]
        arguments = self._children(node)
        if name in _SCOPE_FUNCTIONS:
            if arguments:
                raise ExpressionError(f"{name}() takes no arguments")
            return _scope_function(name)
        function = self._functions.get(name)
        if function is None:
            raise ExpressionError(f"there is no function {name}(); {among(name, self._functions)}")
        wrong = check_arity(function, len(arguments))
        if wrong:
            raise ExpressionError(wrong)
        if function is FUNCTIONS["if"]:
            return _if(arguments)
        if function is FUNCTIONS["not_null"]:
            return first_of(tuple(arguments))
        return _call(function, arguments)


def _call(function: Function, arguments: list[Getter]) -> Getter:
    call = caller(function, len(arguments))
    takes_null = function.takes_null
    if len(arguments) == 1 and not takes_null:
        only = arguments[0]

        def run_one(value: object, scope: Scope) -> object:
            given = only(value, scope)
            return None if given is None else call([given])

        return run_one

    def run(value: object, scope: Scope) -> object:
        given = [argument(value, scope) for argument in arguments]
        if not takes_null:
            for one in given:
                if one is None:
                    return None
        return call(given)

    return run


def _if(arguments: list[Getter]) -> Getter:
    condition, yes = arguments[:2]
    no = arguments[2] if len(arguments) > 2 else None

    def run(value: object, scope: Scope) -> object:
        if not is_false(condition(value, scope)):
            return yes(value, scope)
        return no(value, scope) if no is not None else None

    return run


def _project(elements: Callable[[object, Scope], list[object] | None], each: Getter) -> Getter:
    def run(value: object, scope: Scope) -> object:
        found = elements(value, scope)
        if found is None:
            return None
        results = (each(element, scope) for element in found)
        return [result for result in results if result is not None]

    return run


def _scope_function(name: str) -> Getter:
    if name == "root":
        return lambda _value, scope: scope.root
    if name == "context":
        return lambda _value, scope: dict(scope.context)
    return lambda _value, scope: scope.parents[-1] if scope.parents else None


def _as_list(value: object) -> list[object] | None:
    return value if isinstance(value, list) else None


def _has_float(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_float, value))
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return isinstance(value, float)
