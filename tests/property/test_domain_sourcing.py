"""The solver finds what trying everything finds, and is never worse than the rule of thumb."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.sourcing import Candidate, Demand, Facts, Objective, Plan, Wanted, eligible, source

ZERO = Decimal(0)

money = st.integers(0, 40).map(lambda number: Decimal(number) / 4)


@st.composite
def instances(draw: st.DrawFn, lines: int, locations: int) -> tuple[list[Demand], list[Candidate]]:
    demands = [Demand(f"S{n}", Decimal(draw(st.integers(1, 3)))) for n in range(draw(st.integers(1, lines)))]
    candidates = []
    for number in range(draw(st.integers(1, locations))):
        available = {demand.sku: Decimal(draw(st.integers(0, 3))) for demand in demands}
        candidates.append(
            Candidate(
                f"l{number}",
                available,
                {"order": draw(money)},
                draw(money),
                draw(money),
                priority=draw(st.integers(1, 3)),
                days=draw(st.integers(0, 3)),
            )
        )
    return demands, candidates


def splits(demand: Demand, candidates: list[Candidate]) -> list[tuple[Decimal, ...]]:
    """Every way to serve a demand from the candidates, whole units, not more than is wanted."""
    ranges = [range(int(min(c.available[demand.sku], demand.quantity)) + 1) for c in candidates]
    return [
        tuple(Decimal(units) for units in given)
        for given in itertools.product(*ranges)
        if sum(given) <= demand.quantity
    ]


def by_trying_everything(
    demands: list[Demand], candidates: list[Candidate], objective: Objective
) -> tuple[Decimal, ...]:
    best: tuple[Decimal, ...] | None = None
    for dealt in itertools.product(*(splits(demand, candidates) for demand in demands)):
        used = [c for n, c in enumerate(candidates) if any(given[n] for given in dealt)]
        if objective.max_shipments is not None and len(used) > objective.max_shipments:
            continue
        unfilled = sum((d.quantity - sum(given) for d, given in zip(demands, dealt, strict=True)), ZERO)
        if objective.ship_complete and unfilled and used:
            continue
        cost = sum((c.fixed_cost for c in used), objective.split_penalty * max(len(used) - 1, 0))
        for shares in dealt:
            for units, candidate in zip(shares, candidates, strict=True):
                if units:
                    cost += candidate.per_line + candidate.per_unit * units
        score: tuple[Decimal, ...]
        if objective.mode == "lexicographic":
            score = (unfilled, Decimal(sum(c.priority for c in used)), Decimal(len(used)), cost)
        else:
            score = (unfilled, cost)
        if best is None or score < best:
            best = score
    assert best is not None
    return best


objectives = st.builds(
    Objective,
    mode=st.sampled_from(["cost", "lexicographic"]),
    max_shipments=st.sampled_from([None, 1, 2]),
    ship_complete=st.booleans(),
    split_penalty=money,
)


@given(instance=instances(3, 3), objective=objectives)
@settings(max_examples=150, deadline=None)
def test_the_solver_finds_what_trying_everything_finds(
    instance: tuple[list[Demand], list[Candidate]], objective: Objective
) -> None:
    demands, candidates = instance
    result = source(demands, candidates, objective)
    best = by_trying_everything(demands, candidates, objective)
    assert result.proven
    assert result.chosen.score[: len(best)] == best


def by_trying_every_set(demands: list[Demand], candidates: list[Candidate], objective: Objective) -> Decimal:
    """For wider networks: every set of locations, each demand served on its own by every way to split it."""
    best: tuple[Decimal, Decimal] | None = None
    for size in range(len(candidates) + 1):
        for used in itertools.combinations(candidates, size):
            unfilled, cost = ZERO, sum((c.fixed_cost for c in used), objective.split_penalty * max(size - 1, 0))
            for demand in demands:
                ways = [
                    (
                        demand.quantity - sum(given),
                        sum(
                            (c.per_line + c.per_unit * n for c, n in zip(used, given, strict=True) if n),
                            ZERO,
                        ),
                    )
                    for given in splits(demand, list(used))
                ]
                least = min(ways)
                unfilled, cost = unfilled + least[0], cost + least[1]
            if best is None or (unfilled, cost) < best:
                best = (unfilled, cost)
    assert best is not None
    return best[1]


@given(instance=instances(3, 6))
@settings(max_examples=25, deadline=None)
def test_three_lines_and_six_locations_are_solved_exactly(instance: tuple[list[Demand], list[Candidate]]) -> None:
    demands, candidates = instance
    objective = Objective(split_penalty=Decimal("1.25"))
    assert source(demands, candidates, objective).chosen.cost == by_trying_every_set(demands, candidates, objective)


@given(instance=instances(3, 6), objective=objectives, budget=st.sampled_from([0, 3, 20_000]))
@settings(max_examples=80, deadline=None)
def test_the_plan_is_never_worse_than_the_rule_of_thumb_and_the_bound_never_better_than_the_best(
    instance: tuple[list[Demand], list[Candidate]], objective: Objective, budget: int
) -> None:
    demands, candidates = instance
    limited = Objective(
        objective.mode,
        objective.max_shipments,
        objective.ship_complete,
        split_penalty=objective.split_penalty,
        node_budget=budget,
    )
    result = source(demands, candidates, limited)
    best = source(demands, candidates, objective).chosen
    assert best.score <= result.chosen.score <= result.greedy.score
    assert result.bound[: len(best.score)] <= best.score
    if result.second is not None:
        assert result.chosen.score <= result.second.score


@given(instance=instances(3, 5), objective=objectives, data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_arguments_does_not_matter(
    instance: tuple[list[Demand], list[Candidate]], objective: Objective, data: st.DataObject
) -> None:
    demands, candidates = instance
    other = source(data.draw(st.permutations(demands)), data.draw(st.permutations(candidates)), objective)
    assert other.chosen == source(demands, candidates, objective).chosen


@given(instance=instances(3, 6))
@settings(max_examples=60, deadline=None)
def test_a_plan_gives_no_more_than_is_there_and_explains_its_cost(
    instance: tuple[list[Demand], list[Candidate]],
) -> None:
    demands, candidates = instance
    plan: Plan = source(demands, candidates, Objective()).chosen
    stock = {candidate.id: candidate.available for candidate in candidates}
    for (sku, location), units in plan.quantities.items():
        assert ZERO < units <= stock[location][sku]
    for demand in demands:
        served = sum((n for (sku, _), n in plan.quantities.items() if sku == demand.sku), ZERO)
        assert served + plan.unfilled.get(demand.sku, ZERO) == demand.quantity
    assert sum((amount for _, amount in plan.terms), ZERO) == plan.cost


def test_twenty_locations_are_solved_within_the_budget() -> None:
    candidates = [
        Candidate(
            f"l{number:02}",
            {"A": Decimal(1 + number % 3), "B": Decimal(number % 2), "C": Decimal(2)},
            {"order": Decimal(number % 7) / 2 + 1},
            Decimal("0.2"),
            Decimal("0.05"),
            priority=number % 4,
        )
        for number in range(20)
    ]
    demands = [Demand("A", Decimal(2)), Demand("B", Decimal(1)), Demand("C", Decimal(3))]
    result = source(demands, candidates, Objective(split_penalty=Decimal(4)))
    assert result.proven
    assert len(result.chosen.locations) == 2


def test_a_location_is_excluded_with_the_first_reason_against_it() -> None:
    facts = Facts("store", frozenset({"pickup"}), "US", capacity_left=0)
    assert eligible(Facts("store", frozenset({"ship"}), "US", None), Wanted("ship", "US")) is None
    found = eligible(facts, Wanted("ship", "US", {"store": "it was short"}))
    assert found is not None
    assert (found.code, found.detail) == ("excluded", "it was short")
    method = eligible(facts, Wanted("ship", "US"))
    assert method is not None
    assert method.code == "method"
