"""The solver finds what trying everything finds, and is never worse than the rule of thumb."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.sourcing import Candidate, Demand, Facts, Objective, Step, Wanted, eligible, source
from tests.sourcing.cli import compare, main
from tests.sourcing.everything import best_score
from tests.sourcing.instances import question

ZERO = Decimal(0)


@pytest.mark.parametrize("seed", range(12))
def test_the_solver_finds_what_trying_everything_finds(seed: int) -> None:
    random = Random(seed)
    for _ in range(10):
        _, wrong = compare(random, lines=4, locations=6)
        assert not wrong


def test_a_bound_on_shipments_rules_no_location_out_by_its_opening() -> None:
    """Two shipments at most. What so few must leave missing, and what the prices leave of an opening, are two bounds:
    added up they ruled out the location that the best plan needs."""
    demands = [Demand("A", Decimal(3)), Demand("B", Decimal(2)), Demand("C", Decimal(3))]
    near = Candidate(
        "near",
        {"A": Decimal(2), "B": Decimal(1), "C": Decimal(1)},
        {"order": Decimal(4)},
        per_unit=Decimal("0.5"),
        priority=1,
        line_terms={"B": {"lateness": Decimal("1.75")}},
    )
    cheap = Candidate(
        "cheap", {"A": Decimal(2), "B": Decimal(1), "C": Decimal(2)}, {"order": Decimal("0.75")}, priority=2
    )
    other = Candidate(
        "other",
        {"A": Decimal(2), "B": Decimal(3)},
        {"order": Decimal(2)},
        per_line=Decimal(2),
        priority=2,
        line_terms={"B": {"lateness": Decimal("2.5")}},
    )
    objective = Objective(mode="lexicographic", max_shipments=2, split_penalty=Decimal("0.5"))
    found = source(demands, [near, cheap, other], objective)
    assert found.chosen.score == best_score(demands, [near, cheap, other], objective)
    assert found.chosen.quantities["A", "cheap"] == 2


def test_the_comparison_says_how_much_it_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--instances", "5", "--lines", "2", "--locations", "3"]) == 0
    assert "5 questions of up to 2 lines and 3 locations (seed 1): 5 equal" in capsys.readouterr().out


@given(seed=st.integers(0, 10_000), effort=st.sampled_from([0, 20, 200]))
@settings(max_examples=60, deadline=None)
def test_with_little_effort_the_plan_beats_the_rule_of_thumb_and_the_bound_is_true(seed: int, effort: int) -> None:
    demands, candidates, objective = question(Random(seed), 4, 7)
    best = source(demands, candidates, objective).chosen
    result = source(demands, candidates, replace(objective, effort=effort))
    assert best.score <= result.chosen.score <= result.greedy.score
    assert result.bound <= best.score
    if result.second is not None:
        assert result.chosen.score <= result.second.score
        assert set(result.second.locations) != set(result.chosen.locations)


@given(seed=st.integers(0, 10_000), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_arguments_does_not_matter(seed: int, data: st.DataObject) -> None:
    demands, candidates, objective = question(Random(seed), 3, 5)
    other = source(data.draw(st.permutations(demands)), data.draw(st.permutations(candidates)), objective)
    assert other == source(demands, candidates, objective)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_plan_gives_no_more_than_is_there_and_explains_its_cost(seed: int) -> None:
    demands, candidates, objective = question(Random(seed), 4, 6)
    result = source(demands, candidates, objective)
    stock = {candidate.id: candidate.available for candidate in candidates}
    for plan in (result.chosen, result.second, result.greedy):
        if plan is None:
            continue
        for (sku, location), units in plan.quantities.items():
            assert ZERO < units <= stock[location][sku]
        for demand in demands:
            served = sum((n for (sku, _), n in plan.quantities.items() if sku == demand.sku), ZERO)
            assert served + plan.unfilled.get(demand.sku, ZERO) == demand.quantity
        assert sum((amount for _, amount in plan.terms), ZERO) == plan.cost


def test_twenty_locations_are_solved_to_the_end() -> None:
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


def test_what_lies_in_fifty_places_in_ones_is_collected_without_trying_every_set() -> None:
    candidates = [Candidate(f"l{n:02}", {"A": Decimal(1)}, {"order": Decimal(1 + n % 5)}) for n in range(50)]
    result = source([Demand("A", Decimal(25))], candidates, Objective())
    assert not result.chosen.unfilled
    assert len(result.chosen.locations) == 25
    assert result.chosen.cost == 10 * (1 + 2) + 5 * 3
    assert result.bound <= result.chosen.score


def test_a_measure_in_parts_is_dealt_out_exactly() -> None:
    candidates = [
        Candidate("a", {"ROPE": Decimal("1.25")}, {"order": Decimal(1)}),
        Candidate("b", {"ROPE": Decimal("0.5")}, {"order": Decimal(2)}),
    ]
    plan = source([Demand("ROPE", Decimal("1.5"))], candidates, Objective()).chosen
    assert sum(plan.quantities.values()) == Decimal("1.5")
    assert plan.cost == 3


def test_weight_decides_where_a_second_parcel_costs_less_than_a_heavy_one() -> None:
    steps = (Step(Decimal(1000), Decimal(5)), Step(Decimal(5000), Decimal(20)))
    near = Candidate("near", {"A": Decimal(1), "B": Decimal(1)}, carrier=steps)
    far = Candidate("far", {"A": Decimal(1), "B": Decimal(1)}, carrier=steps)
    demands = [Demand("A", Decimal(1), grams=Decimal(900)), Demand("B", Decimal(1), grams=Decimal(900))]
    apart = source(demands, [near, far], Objective(split_penalty=Decimal(4)))
    assert apart.chosen.cost == 14  # 5 + 5 and the penalty of the split, instead of one parcel at 20
    together = source(demands, [near, far], Objective(split_penalty=Decimal(11)))
    assert together.chosen.cost == 20
    assert together.proven


def test_no_half_of_a_split_is_worth_too_little() -> None:
    demands = [
        Demand("LAMP", Decimal(1), value=Decimal(80)),
        Demand("BULB", Decimal(1), value=Decimal(3)),
    ]
    candidates = [Candidate("dc", {"LAMP": Decimal(1)}), Candidate("store", {"BULB": Decimal(1)})]
    split = source(demands, candidates, Objective())
    assert split.chosen.locations == ("dc", "store")
    whole = source(demands, candidates, Objective(least_value=Decimal(10)))
    assert whole.chosen.unfilled  # a parcel with a bulb alone is not sent
    assert len(whole.chosen.locations) == 1


def test_the_earliest_plan_is_taken_where_speed_counts_and_the_cheapest_of_the_earliest() -> None:
    candidates = [
        Candidate("slow", {"A": Decimal(1)}, {"order": Decimal(1)}, days=3),
        Candidate("fast", {"A": Decimal(1)}, {"order": Decimal(9)}, days=1),
        Candidate("also-fast", {"A": Decimal(1)}, {"order": Decimal(7)}, days=1),
    ]
    result = source([Demand("A", Decimal(1))], candidates, Objective("speed"))
    assert result.chosen.locations == ("also-fast",)
    assert result.chosen.days == 1
    assert result.second is not None


def test_a_location_is_excluded_with_the_first_reason_against_it() -> None:
    facts = Facts("store", frozenset({"pickup"}), "US", capacity_left=0)
    assert eligible(Facts("store", frozenset({"ship"}), "US", None), Wanted("ship", "US")) is None
    found = eligible(facts, Wanted("ship", "US", excluded={"store": "it was short"}))
    assert found is not None
    assert (found.code, found.detail) == ("excluded", "it was short")


@pytest.mark.parametrize(
    ("facts", "wanted", "code"),
    [
        (Facts("l", frozenset({"pickup"}), "US", None), Wanted("ship", "US"), "method"),
        (Facts("l", frozenset({"ship"}), "US", None), Wanted("pickup", "US"), "method"),
        (Facts("l", frozenset({"ship"}), "US", 0), Wanted("ship", "US"), "capacity"),
        (Facts("l", frozenset({"ship"}), "US", None), Wanted("ship", "US", frozenset({"hazmat"})), "hazmat"),
        (Facts("l", frozenset({"ship"}), "US", None), Wanted("ship", "US", frozenset({"age_check"})), "age_check"),
        (Facts("l", frozenset({"ship"}), "US", None, leaves_in_time=False), Wanted("same_day", "US"), "cut_off"),
        (Facts("l", frozenset({"ship"}), "US", None, open_days=False), Wanted("ship", "US"), "calendar"),
        (Facts("l", frozenset({"ship"}), "US", None, carried=False), Wanted("ship", "CA"), "country"),
        (Facts("l", frozenset({"pickup"}), "US", None), Wanted("pickup", "US", store="other"), "other_store"),
    ],
)
def test_every_predicate_names_itself(facts: Facts, wanted: Wanted, code: str) -> None:
    found = eligible(facts, wanted)
    assert found is not None
    assert (found.location, found.code) == ("l", code)
    assert found.detail
