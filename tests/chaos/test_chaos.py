"""A hub that is killed while everything around it misbehaves keeps its promises, and a spoiled one is caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.run import Options, run
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import SCENARIOS, USUAL, scenario_for


def explain(report: dict[str, Any]) -> str:
    broken = [name for name, held in {**report["promises"], **report["minima"]}.items() if not held]
    return f"broken: {broken}; {report['findings']}"


@pytest.mark.timeout(240)
def test_a_hub_that_is_killed_among_misbehaving_systems_keeps_its_promises() -> None:
    report = run(USUAL, Options(orders=80, seconds=7, seed=11))
    assert report["ok"], explain(report)


@pytest.mark.timeout(240)
def test_a_hub_that_forgets_what_it_has_applied_is_caught() -> None:
    """One sabotage in the everyday run shows that the audit can fail; `--full` tries them all."""
    calm = replace(SCENARIOS["spine"], monkey=replace(USUAL.monkey, kills=False))
    report = run(calm, Options(orders=40, seconds=4, seed=12, sabotage="skip-dedupe", settle_seconds=15))
    assert not report["promises"]["ledger_difference"] or not report["promises"]["lost"], explain(report)


@pytest.mark.full("chaos 60 s")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["usual", "spine"])
@pytest.mark.parametrize(
    ("database", "processes"), [("sqlite", 1), ("postgresql", 1), ("postgresql", 3)], ids=lambda value: str(value)
)
def test_two_thousand_orders_survive_a_minute_of_kills(scenario: str, database: str, processes: int) -> None:
    report = run(SCENARIOS[scenario], Options(orders=2000, seconds=60, seed=1, database=database, processes=processes))
    assert report["ok"], explain(report)


@pytest.mark.full("chaos scenarios and sabotages, a minute each")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"usual", "spine"}))
def test_a_healthy_hub_passes_every_scenario(name: str) -> None:
    report = run(SCENARIOS[name], Options(orders=300, seconds=20, seed=5))
    assert report["ok"], explain(report)


@pytest.mark.full("chaos scenarios and sabotages, a minute each")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(SABOTAGES))
def test_every_sabotage_breaks_a_promise_while_orders_go_through(name: str) -> None:
    options = Options(orders=500, seconds=30, seed=5, sabotage=name, settle_seconds=60)
    report = run(scenario_for(name, None), options)
    assert not all(report["promises"].values()), explain(report)
    assert report["completed"] > 0, "the hub did not even work"
