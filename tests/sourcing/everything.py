"""Trying everything: the best score there is, found without any of the solver's ideas.

Where neither the weight nor the value of a shipment counts, every set of locations is tried and each demand is dealt
out in every way in whole units. Where they count, every way is tried in which all locations that give of a SKU give all
they have but one: that is the space the solver promises to search.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal

from hub.domain.sourcing import Candidate, Demand, Objective

ZERO = Decimal(0)
Given = dict[str, Decimal]
"""Location -> units of one demand."""


def best_score(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> tuple[Decimal, ...]:
    """The least score of any plan, in all its parts."""
    coupled = objective.least_value > 0 or any(len(c.carrier) > 1 for c in candidates)
    nothing = _score(demands, [], [{}] * len(demands), objective)
    assert nothing is not None
    plans = _together if coupled else _apart
    return min([nothing, *plans(demands, candidates, objective)])


def _apart(
    demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective
) -> Iterator[tuple[Decimal, ...]]:
    for size in range(1, len(candidates) + 1):
        for used in itertools.combinations(candidates, size):
            dealt = []
            for demand in demands:
                ways = list(_every_split(demand, used, objective))
                dealt.append(min(ways, key=lambda way: (-sum(way.values()), _handling(demand, used, way))))
            score = _score(demands, used, dealt, objective)
            if score is not None:
                yield score


def _together(
    demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective
) -> Iterator[tuple[Decimal, ...]]:
    for dealt in itertools.product(*(list(_all_but_one(demand, candidates, objective)) for demand in demands)):
        names = {location for way in dealt for location in way}
        score = _score(demands, [c for c in candidates if c.id in names], dealt, objective)
        if score is not None:
            yield score


def _every_split(demand: Demand, used: Sequence[Candidate], objective: Objective) -> Iterator[Given]:
    if objective.line_from_one_location:
        yield {}
        yield from ({c.id: demand.quantity} for c in used if c.available.get(demand.sku, ZERO) >= demand.quantity)
        return
    ranges = [range(int(min(c.available.get(demand.sku, ZERO), demand.quantity)) + 1) for c in used]
    for given in itertools.product(*ranges):
        if sum(given) <= demand.quantity:
            yield {c.id: Decimal(units) for c, units in zip(used, given, strict=True) if units}


def _all_but_one(demand: Demand, used: Sequence[Candidate], objective: Objective) -> Iterator[Given]:
    have = {c.id: min(c.available.get(demand.sku, ZERO), demand.quantity) for c in used}
    for way in _every_split(demand, used, objective):
        if sum(1 for location, units in way.items() if units < have[location]) > 1:
            continue
        if any(units < have[location] for location, units in way.items()) and sum(way.values()) < demand.quantity:
            continue
        yield way


def _handling(demand: Demand, used: Sequence[Candidate], way: Given) -> Decimal:
    return sum((c.line_cost(demand.sku) + c.unit_cost(demand.sku) * way[c.id] for c in used if c.id in way), ZERO)


def _score(
    demands: Sequence[Demand], used: Sequence[Candidate], dealt: Sequence[Given], objective: Objective
) -> tuple[Decimal, ...] | None:
    """None where the objective forbids it."""
    missing = sum((d.quantity - sum(way.values()) for d, way in zip(demands, dealt, strict=True)), ZERO)
    if objective.max_shipments is not None and len(used) > objective.max_shipments:
        return None
    if objective.ship_complete and missing and used:
        return None
    cost = objective.split_penalty * max(len(used) - 1, 0)
    for c in used:
        mine = [(d, way.get(c.id, ZERO)) for d, way in zip(demands, dealt, strict=True)]
        if len(used) > 1 and sum(d.value * units for d, units in mine) < objective.least_value:
            return None
        cost += c.fixed_cost + c.carriage(sum((d.grams * units for d, units in mine), ZERO))
    cost += sum((_handling(d, used, way) for d, way in zip(demands, dealt, strict=True)), ZERO)
    priorities, days = Decimal(sum(c.priority for c in used)), Decimal(sum(c.days for c in used))
    if objective.mode == "lexicographic":
        return (missing, priorities, Decimal(len(used)), cost, days)
    if objective.mode == "speed":
        return (missing, Decimal(max((c.days for c in used), default=0)), cost, priorities, days)
    return (missing, cost, priorities, days)
