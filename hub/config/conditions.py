"""What routing conditions say about each other: whether one follows from another, and whether both can hold.

Only what can be proven is said. A condition is brought into alternatives of tests on paths (``total.amount < `30```);
whatever is more than that, a function or a filter, is a test about which nothing is known but that it equals itself.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import jmespath

MAX_ALTERNATIVES = 64

_NEGATED = {"eq": "ne", "ne": "eq", "true": "false", "false": "true"}
_TURNED = {"lt": "gt", "gt": "lt", "lte": "gte", "gte": "lte", "eq": "eq", "ne": "ne"}
_ORDER = frozenset({"lt", "lte", "gt", "gte"})


@dataclass(frozen=True, slots=True)
class Test:
    """``operator`` eq, ne, lt, lte, gt or gte against ``value`` (JSON text), or true/false for a path on its own."""

    subject: str
    operator: str
    value: str = ""

    @property
    def number(self) -> int | None:
        """The value where it is a whole number."""
        found = json.loads(self.value) if self.value else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None


Alternatives = tuple[frozenset[Test], ...]
"""One of these sets of tests holds whole. None of them: the condition never holds; an empty set: it always does."""


def alternatives(condition: str) -> Alternatives | None:
    """A condition as alternatives; None where it is too wide to say. Raises JMESPathError."""
    parsed = cast("dict[str, Any]", jmespath.compile(condition).parsed)
    found = _alternatives(parsed, negated=False)
    return None if found is None else tuple(one for one in found if not _contradicts(one))


def follows(narrow: Alternatives, wide: Alternatives) -> bool:
    """Whether ``wide`` holds wherever ``narrow`` does."""
    return all(any(_all_follow(one, other) for other in wide) for one in narrow)


def can_both_hold(one: Alternatives, other: Alternatives) -> bool:
    """Whether nothing rules out that both hold."""
    return any(not _contradicts(a | b) for a in one for b in other)


def _alternatives(node: dict[str, Any], *, negated: bool) -> Alternatives | None:
    kind = node["type"]
    children: list[dict[str, Any]] = node.get("children", [])
    if kind == "not_expression":
        return _alternatives(children[0], negated=not negated)
    if kind in ("and_expression", "or_expression"):
        sides = [_alternatives(child, negated=negated) for child in children]
        if None in sides:
            return None
        known = [side for side in sides if side is not None]
        return _both(known) if (kind == "and_expression") is not negated else _either(known)
    if kind == "literal":
        truth = bool(node["value"]) or (node["value"] == 0 and not isinstance(node["value"], bool))
        return (frozenset(),) if truth is not negated else ()
    return (frozenset({_test(node, children, negated=negated)}),)


def _both(sides: Sequence[Alternatives]) -> Alternatives | None:
    if len(sides[0]) * len(sides[1]) > MAX_ALTERNATIVES:
        return None
    return tuple(a | b for a, b in itertools.product(*sides))


def _either(sides: Sequence[Alternatives]) -> Alternatives | None:
    found = tuple(itertools.chain(*sides))
    return found if len(found) <= MAX_ALTERNATIVES else None


def _test(node: dict[str, Any], children: list[dict[str, Any]], *, negated: bool) -> Test:
    if node["type"] == "comparator":
        left, right = children
        operator = str(node["value"])
        if left["type"] == "literal":
            left, right, operator = right, left, _TURNED[operator]
        # not (a < 3) is no a >= 3: it also holds where a is missing, so an order stays a test of its own when negated.
        if right["type"] == "literal" and left["type"] != "literal" and not (negated and operator in _ORDER):
            value = json.dumps(right["value"], sort_keys=True)
            return Test(_text(left), _NEGATED[operator] if negated else operator, value)
    return Test(_text(node), "false" if negated else "true")


def _text(node: dict[str, Any]) -> str:
    return json.dumps(node, sort_keys=True, default=str)


def _all_follow(known: frozenset[Test], wanted: frozenset[Test]) -> bool:
    return all(test in known or any(_follows(one, test) for one in known) for test in wanted)


def _follows(known: Test, wanted: Test) -> bool:
    """Whether one test makes another true, both about the same path."""
    if known.subject != wanted.subject:
        return False
    if known == wanted:
        return True
    if wanted.operator == "ne":
        return _excludes(known, Test(wanted.subject, "eq", wanted.value))
    a, b = known.number, wanted.number
    if wanted.operator == "true":
        return known.operator == "eq" and bool(json.loads(known.value))
    if a is None or b is None:
        return False
    if wanted.operator in ("lt", "lte"):
        return (known.operator in ("lt", "lte", "eq")) and (
            a < b or (a == b and not (wanted.operator == "lt" and known.operator != "lt"))
        )
    if wanted.operator in ("gt", "gte"):
        return (known.operator in ("gt", "gte", "eq")) and (
            a > b or (a == b and not (wanted.operator == "gt" and known.operator != "gt"))
        )
    return False


def _contradicts(tests: frozenset[Test]) -> bool:
    return any(_excludes(a, b) or _excludes(b, a) for a, b in itertools.combinations(tests, 2))


def _excludes(one: Test, other: Test) -> bool:
    """Whether two tests about the same path cannot both hold."""
    if one.subject != other.subject:
        return False
    operators = (one.operator, other.operator)
    if operators == ("true", "false"):
        return True
    if operators == ("eq", "eq"):
        return bool(json.loads(one.value) != json.loads(other.value))
    if operators == ("eq", "ne"):
        return one.value == other.value
    if one.operator in _ORDER and other.operator == "false":
        return True  # what was compared as a number is there
    if other.operator == "eq" and one.operator in _ORDER and other.number is None:
        return True  # an order holds of numbers only
    a, b = one.number, other.number
    if a is None or b is None:
        return False
    low, high = one.operator in ("gt", "gte", "eq"), other.operator in ("lt", "lte", "eq")
    if low and high and operators != ("eq", "eq"):
        return a > b or (a == b and ("gt" in operators or "lt" in operators))
    return False
