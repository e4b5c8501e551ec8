"""Every example of the reference page does what it says, and every type and function has one."""

from __future__ import annotations

import json
from decimal import Decimal

import jmespath.functions
import pytest

from hub.formats import codec
from hub.mapping import examples
from hub.mapping.conversions import OPTIONS, conversion
from hub.mapping.expression import ExpressionError, compile_expression
from hub.mapping.functions import FUNCTIONS
from hub.mapping.paths import getter, parse_path
from hub.mapping.scope import Scope

RECORD = codec("json").loads(examples.RECORD.encode())
CASES = [(name, *case) for name, cases in examples.FUNCTIONS.items() for case in cases]


def exact(text: str) -> object:
    return json.loads(text, parse_float=Decimal)


def digits(value: object) -> str:
    """JSON with numbers as they are, so that 1.50 is not 1.5."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list):
        return f"[{', '.join(map(digits, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {digits(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(("name", "expression", "gives"), CASES, ids=[case[1] for case in CASES])
def test_a_function_gives_what_its_example_says(name: str, expression: str, gives: str) -> None:
    assert f"{name}(" in expression
    found = compile_expression(expression)(RECORD, Scope(RECORD, {}))
    assert digits(found) == gives


@pytest.mark.parametrize(("name", "example"), examples.TYPES.items(), ids=list(examples.TYPES))
def test_a_type_makes_what_its_example_says(name: str, example: examples.TypeExample) -> None:
    convert = conversion(name, example.options, lambda where: getter(parse_path(str(where))))
    assert set(example.options) <= OPTIONS[name]
    assert digits(convert(exact(example.given), Scope({}, {}))) == example.gives


def test_every_function_and_type_has_an_example() -> None:
    assert examples.FUNCTIONS.keys() == FUNCTIONS.keys()
    assert examples.TYPES.keys() == OPTIONS.keys()


def test_parameters_have_names_and_types() -> None:
    for function in FUNCTIONS.values():
        assert len(function.labels) == len(function.parameters)
    assert FUNCTIONS["substring"].signature() == "substring(text: text, start: number, [length: number]) -> text"
    assert FUNCTIONS["concat"].signature() == "concat(parts: any, ...) -> text"


@pytest.mark.parametrize("name", sorted(jmespath.functions.Functions.FUNCTION_TABLE))
def test_nothing_of_jmespaths_own_functions_can_be_reached(name: str) -> None:
    if name in FUNCTIONS:
        assert FUNCTIONS[name].call.__module__ != "jmespath.functions"
        return
    with pytest.raises(ExpressionError, match="there is no function"):
        compile_expression(f"{name}(@)")


@pytest.mark.parametrize("literal", ["`1.5`", "`1e3`", '`[1, {"a": 2.0}]`', "`-0.1`"])
def test_a_literal_with_a_point_is_refused(literal: str) -> None:
    with pytest.raises(ExpressionError, match="not exact"):
        compile_expression(f"total > {literal}")


def test_an_unknown_function_is_answered_with_the_nearest() -> None:
    with pytest.raises(ExpressionError, match=r"there is no function substract\(\); did you mean `subtract`\?"):
        compile_expression("substract(a, b)")
