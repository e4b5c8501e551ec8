"""Routing: strategies that exist, conditions that can be evaluated, rules that are used and do not meet by chance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import jmespath
import jmespath.exceptions

from hub.config.conditions import Alternatives, alternatives, can_both_hold, follows
from hub.config.findings import Finding, did_you_mean
from hub.config.source import Path_
from hub.config.tree import at, get, indexes, keys
from hub.config.validate import Checked

_ZONE_ASKS = ("from", "countries", "postal_prefixes", "up_to_km", "services", "refuses")
BUILT_IN_STRATEGIES = frozenset({"chosen_store"})


def check_routing(checked: Checked, locations: Mapping[str, int] | None) -> Iterator[Finding]:
    """Findings of routing.yaml; ``locations`` None where they are not known."""
    strategies = {*keys(checked, ("strategies",)), *BUILT_IN_STRATEGIES}
    seen: set[str] = set()
    for index in indexes(checked, ("rules",)):
        path = ("rules", index)
        name = get(checked, (*path, "id"))
        if isinstance(name, str) and name in seen:
            yield at(checked, "HUB008", (*path, "id"), f'the rule "{name}" exists already')
        seen.add(str(name))
        when = get(checked, (*path, "when"))
        if isinstance(when, str):
            yield from check_condition(checked, (*path, "when"), when)
        yield from _strategy(checked, (*path, "use"), strategies)
    yield from _strategy(checked, ("fallback", "use"), strategies)
    yield from _order_of_rules(checked)
    yield from _carriage(checked, locations)
    for strategy in keys(checked, ("strategies",)):
        for index in indexes(checked, ("strategies", strategy, "locations")):
            place = ("strategies", strategy, "locations", index)
            ours = get(checked, place)
            if isinstance(ours, str) and locations is not None and ours not in locations:
                yield at(checked, "HUB016", place, f'there is no location "{ours}"', did_you_mean(ours, locations))


def _carriage(checked: Checked, locations: Mapping[str, int] | None) -> Iterator[Finding]:
    """Steps that rise, locations that exist, and no zone behind one that takes everything."""
    open_line: int | None = None
    for index in indexes(checked, ("carriage",)):
        path: Path_ = ("carriage", index)
        name = get(checked, (*path, "zone"))
        if open_line is not None:
            message = f'the zone "{name}" is never reached: the one in line {open_line} takes everything'
            yield at(checked, "HUB023", (*path, "zone"), message, "move it up or remove it")
        elif not any(get(checked, (*path, key)) is not None for key in _ZONE_ASKS):
            open_line = checked.document.mark(path).line
        for number in indexes(checked, (*path, "from")):
            ours = get(checked, (*path, "from", number))
            if isinstance(ours, str) and locations is not None and ours not in locations:
                hint = did_you_mean(ours, locations)
                yield at(checked, "HUB016", (*path, "from", number), f'there is no location "{ours}"', hint)
        yield from _steps(checked, (*path, "steps"))


def _steps(checked: Checked, path: Path_) -> Iterator[Finding]:
    before = (Decimal(0), Decimal(0))
    for index in indexes(checked, path):
        said = [get(checked, (*path, index, key)) for key in ("grams", "cost")]
        try:
            grams, cost = (Decimal(str(one)) for one in said)
        except ArithmeticError:
            continue  # told already
        if grams <= before[0] or cost < before[1]:
            message = "steps rise in weight, and what is heavier costs no less"
            yield at(checked, "HUB002", (*path, index), message, f"before it stand {before[0]} g for {before[1]}")
        before = grams, cost


def _strategy(checked: Checked, path: Path_, strategies: set[str]) -> Iterator[Finding]:
    use = get(checked, path)
    if isinstance(use, str) and use not in strategies:
        yield at(checked, "HUB012", path, f'there is no strategy "{use}"', did_you_mean(use, strategies))


def check_condition(checked: Checked, path: Path_, when: str) -> Iterator[Finding]:
    """A condition on order facts: readable, and without numbers that would be compared inexactly."""
    try:
        parsed = jmespath.compile(when).parsed
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0].rstrip(":")
        yield at(checked, "HUB017", path, f"this is no JMESPath: {reason}")
        return
    if _holds_float(parsed):
        hint = "compare with a whole number"
        yield at(checked, "HUB017", path, "a literal with a point would be compared as binary floating point", hint)


def _holds_float(node: object) -> bool:
    if isinstance(node, dict):
        if node.get("type") == "literal":
            return _holds_float_value(node.get("value"))
        return any(_holds_float(child) for child in node.get("children", ()))
    return isinstance(node, list) and any(_holds_float(child) for child in node)


def _holds_float_value(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_float_value(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_holds_float_value(inner) for inner in value)
    return isinstance(value, float)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule whose condition could be read; ``name`` as messages call it."""

    index: int
    name: str
    use: str
    when: Alternatives


def _order_of_rules(checked: Checked) -> Iterator[Finding]:
    above: list[_Rule] = []
    for index in indexes(checked, ("rules",)):
        when = _alternatives(get(checked, ("rules", index, "when")))
        if when is None:
            continue
        name, use = (str(get(checked, ("rules", index, key))) for key in ("id", "use"))
        rule = _Rule(index, name, use, when)
        yield from _unreachable(checked, rule, above) or _overlapping(checked, rule, above)
        above.append(rule)


def _alternatives(when: object) -> Alternatives | None:
    try:
        return alternatives(when) if isinstance(when, str) else None
    except jmespath.exceptions.JMESPathError:
        return None  # told already


def _unreachable(checked: Checked, rule: _Rule, above: list[_Rule]) -> list[Finding]:
    place = ("rules", rule.index)
    if not rule.when:
        message = f'the rule "{rule.name}" can never hold: its condition contradicts itself'
        return [at(checked, "HUB023", (*place, "when"), message)]
    for other in above:
        if other.when and follows(rule.when, other.when):
            line = checked.document.mark(("rules", other.index)).line
            message = f'the rule "{rule.name}" is never reached: "{other.name}" in line {line} takes all its orders'
            return [at(checked, "HUB023", (*place, "when"), message, "move it up or remove it")]
    return []


def _overlapping(checked: Checked, rule: _Rule, above: list[_Rule]) -> list[Finding]:
    """The nearest rule above that may hold too, says something else and is no mere special case of this one."""
    for other in reversed(above):
        if other.use == rule.use or not other.when or follows(other.when, rule.when):
            continue
        if can_both_hold(rule.when, other.when):
            message = (
                f'the rules "{other.name}" and "{rule.name}" can hold for the same order, then "{other.name}" wins'
            )
            hint = f"exclude {other.name} in this condition, or say that it is meant: # hub: ignore[HUB024] why"
            return [at(checked, "HUB024", ("rules", rule.index, "when"), message, hint)]
    return []
