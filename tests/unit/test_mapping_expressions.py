"""JMESPath over exact numbers, and the closed function library."""

from decimal import Decimal

import pytest

from hub.mapping.errors import Unusable
from hub.mapping.expression import ExpressionError, compile_expression
from hub.mapping.functions import Function
from hub.mapping.scope import Scope

TREE: dict[str, object] = {
    "id": 820982911946154508,
    "total": "398.10",
    "rate": Decimal("0.06"),
    "name": "Kim Ode",
    "empty": "",
    "none": None,
    "zero": 0,
    "yes": True,
    "amounts": ["0.10", Decimal("0.20"), None, 3],
    "lines": [{"sku": "A", "n": 3, "price": "1.10"}, {"sku": "B", "n": 1, "price": "2.20"}, {"sku": "C"}],
    "extras": [{"name": "gift", "value": "yes"}, {"name": "gift", "value": "no"}],
    "meta": {"b": 1, "a": 2},
}


def evaluate(text: str, tree: object = TREE) -> object:
    return compile_expression(text)(tree, Scope(TREE, {"connection": "shop"}))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("id", 820982911946154508),
        ("to_string(id)", "820982911946154508"),
        ("sum(amounts)", Decimal("3.30")),
        ("sum(lines[].price)", Decimal("3.30")),
        ("add(total, rate)", Decimal("398.16")),
        ("subtract('1', '0.9')", Decimal("0.1")),
        ("multiply(total, `2`)", Decimal("796.20")),
        ("divide('10', '3', `2`)", Decimal("3.33")),
        ("divide('0.125', '1', `2`)", Decimal("0.12")),
        ("round('2.675', `2`)", Decimal("2.68")),
        ("round('2.665', `2`)", Decimal("2.66")),
        ("negate(total)", Decimal("-398.10")),
        ("abs('-1.5')", Decimal("1.5")),
        ("ceil('1.1')", Decimal(2)),
        ("floor('-1.1')", Decimal(-2)),
        ("max(amounts)", Decimal(3)),
        ("min(lines[].sku)", "A"),
        ("max(empty_list || `[]`)", None),
        ("decimal(total) > `100`", True),
        ("total > `100`", None),
        ("rate < `1`", True),
        ("to_number('x')", None),
        ("to_number('7')", 7),
        ("concat(name, ' #', id)", "Kim Ode #820982911946154508"),
        ("concat(name, none)", None),
        ("join(', ', ['a', '', none, 'b', id])", "a, b, 820982911946154508"),
        ("split('a|b', '|')", ["a", "b"]),
        ("replace(name, ' ', '_')", "Kim_Ode"),
        ("trim('  x ')", "x"),
        ("upper(name)", "KIM ODE"),
        ("substring(name, `4`)", "Ode"),
        ("substring(name, `0`, `3`)", "Kim"),
        ("before('a--b', '--')", "a"),
        ("after('a--b', '--')", "b"),
        ("after('ab', '--')", ""),
        ("pad_left(zero, `3`, '0')", "000"),
        ("starts_with(name, 'Kim')", True),
        ("ends_with(name, 'Kim')", False),
        ("contains(name, 'Ode')", True),
        ("contains(lines[].sku, 'B')", True),
        ("contains(`[1]`, `true`)", False),
        ("length(name)", 7),
        ("length(none)", None),
        ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("at(lines, `1`).sku", "B"),
        ("at(lines, `9`)", None),
        ("first(lines).sku", "A"),
        ("last(lines[].sku)", "C"),
        ("compact([empty, none, 'x'])", ["x"]),
        ('unique(`[1, 1, true, "a", "a"]`)', [1, True, "a"]),
        ("reverse('abc')", "cba"),
        ('sort(`[3, 1, "b", "a"]`)', [1, 3, "a", "b"]),
        ("sort_by(lines[:2], &n)[].sku", ["B", "A"]),
        ("max_by(lines[:2], &n).sku", "A"),
        ("min_by(lines[:2], &n).sku", "B"),
        ("map(&n, lines)", [3, 1, None]),
        ("named(extras, 'gift')", "yes"),
        ("named(extras, 'no', 'value', 'name')", "gift"),
        ("named(extras, 'wrap')", None),
        ("lookup(meta, 'a')", 2),
        ("keys(meta)", ["b", "a"]),
        ("values(meta)", [1, 2]),
        ("merge(meta, {c: id}).c", 820982911946154508),
        ("to_array(name)", ["Kim Ode"]),
        ("type(rate)", "number"),
        ("type(none)", "null"),
        ("not_null(none, empty, name)", "Kim Ode"),
        ("if(yes, 'a', 'b')", "a"),
        ("if(none, 'a', 'b')", "b"),
        ("if(none, 'a')", None),
        ("if(zero, 'zero is true in JMESPath', 'b')", "zero is true in JMESPath"),
        ("root().name", "Kim Ode"),
        ("context().connection", "shop"),
        ("parent()", None),
        ("lines[?n > `1`].sku", ["A"]),
        ("lines[*].[sku, n]", [["A", 3], ["B", 1], ["C", None]]),
        ("meta.*", [1, 2]),
        ("lines[-1].sku", "C"),
        ("lines[::-1].sku", ["C", "B", "A"]),
        ("{a: name, b: id}", {"a": "Kim Ode", "b": 820982911946154508}),
        ("name | upper(@)", "KIM ODE"),
        ("!empty && !none", True),
        ("none || name", "Kim Ode"),
        ("zero == `false`", False),
        ("yes == `1`", False),
    ],
)
def test_expressions_are_exact(expression: str, result: object) -> None:
    found = evaluate(expression)
    assert found == result
    assert type(found) is type(result)


def test_only_the_branch_that_is_needed_is_evaluated() -> None:
    assert evaluate("if(none, decimal(name), 'unharmed')") == "unharmed"
    assert evaluate("not_null(id, decimal(name))") == 820982911946154508


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("`1.5`", "literal with a point"),
        ("`[1e3]`", "literal with a point"),
        ("nonsense(a)", "no function nonsense"),
        ("avg(amounts)", "no function avg"),
        ("replace(a)", "replace(text: text, old: text, new: text)"),
        ("substring(a, b, c, d)", "substring(text: text, start: number, [length: number])"),
        ("root(a)", "takes no arguments"),
        ("a.", "Parse error at column 2"),
        ("lines[?", ""),
        ("a[::0]", "step 0"),
        ("a" * 3000, "at most"),
        ("(" * 1500, ""),
        ("!" * 1900 + "a", "nested too deeply"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_compiling(expression: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(expression)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "sum(name)",
        "sum(lines)",
        "decimal(name)",
        "upper(id)",
        "join(name, name)",
        "divide(total, zero, `2`)",
        "round(total, `99`)",
        "round(total, '1.5')",
        "sort([lines[0], name])",
        "split(name, '')",
        "replace(name, '', 'x')",
        "pad_left(name, `5000`, '0')",
        "pad_left(name, `5`, 'ab')",
        "substring(name, `-1`, `2`)",
        "concat(meta)",
        "keys(lines)",
        "length(rate)",
        "max(lines)",
    ],
)
def test_a_wrong_type_names_the_function_and_never_the_value(expression: str) -> None:
    with pytest.raises(Unusable) as caught:
        evaluate(expression)
    assert expression.partition("(")[0] in caught.value.message
    assert "Kim" not in caught.value.message


def test_no_function_can_make_text_without_bound() -> None:
    assert evaluate("concat(@, @)", "x" * 500_000) == "x" * 1_000_000
    for expression in ("concat(@, @, @)", "replace(@, 'x', 'xxxx')"):
        with pytest.raises(Unusable, match="more than 1000000"):
            evaluate(expression, "x" * 500_000)


def test_a_connector_may_add_functions_of_its_own() -> None:
    own = Function("shout", ("text",), "text", "louder", lambda text: f"{text}!")
    assert compile_expression("shout(name)", {"shout": own})(TREE, Scope(TREE, {})) == "Kim Ode!"
