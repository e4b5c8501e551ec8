"""What is said of two routing conditions holds for every order."""

from __future__ import annotations

from typing import Any

import jmespath
from hypothesis import given
from hypothesis import strategies as st

from hub.config.conditions import alternatives, can_both_hold, follows

NUMBERS = st.integers(0, 4)
WORDS = st.sampled_from(["x", "y", ""])
TESTS = st.one_of(
    st.builds("a {} `{}`".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
    st.builds("`{1}` {0} a".format, st.sampled_from(["<", "<=", ">", ">=", "=="]), NUMBERS),
    st.builds("b {} '{}'".format, st.sampled_from(["==", "!="]), WORDS),
    st.sampled_from(["b", "c", "!c", "contains(b, 'x')", "`true`", "`false`", "c == `true`", "a == b", "d.e == 'x'"]),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=5,
)
ORDERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"b": WORDS},
    optional={"a": NUMBERS, "c": st.sampled_from([True, False, None, []]), "d": st.just({"e": "x"})},
)


def holds(condition: str, order: dict[str, Any]) -> bool:
    """As routing asks."""
    return bool(jmespath.search(condition, order))


@given(CONDITIONS, CONDITIONS, st.lists(ORDERS, min_size=1, max_size=30))
def test_what_follows_and_what_excludes_is_true_of_every_order(one: str, other: str, orders: list[Any]) -> None:
    first, second = alternatives(one), alternatives(other)
    if first is None or second is None:
        return
    for order in orders:
        holds_first, holds_second = holds(one, order), holds(other, order)
        if not first:
            assert not holds_first, one
        if follows(first, second) and holds_first:
            assert holds_second, (one, other)
        if not can_both_hold(first, second):
            assert not (holds_first and holds_second), (one, other)


def test_what_a_person_would_see_at_once_is_seen() -> None:
    def said(one: str, other: str) -> tuple[bool, bool]:
        first, second = alternatives(one), alternatives(other)
        assert first is not None
        assert second is not None
        return follows(first, second), can_both_hold(first, second)

    assert said("a < `10`", "a < `30`") == (True, True)
    assert said("a < `30`", "a < `10`") == (False, True)
    assert said("a < `10` && b == 'x'", "b == 'x'") == (True, True)
    assert said("b == 'x'", "b != 'x'") == (False, False)
    assert said("b == 'x'", "b == 'y' || b == 'z'") == (False, False)
    assert said("a > `10`", "a < `10`") == (False, False)
    assert said("a >= `10`", "a <= `10`") == (False, True)
    assert said("b == 'x' && a < `3`", "contains(b, 'x')") == (False, True)
    assert alternatives("a < `3` && a > `5`") == ()
