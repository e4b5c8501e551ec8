"""The whole hub, stepped by seeds: it keeps its promises, repeats itself, and a broken one is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from hub.exchange import settlement
from hub.oms.fulfilment import ship
from hub.runtime.simulation import CrashPlan, SimulatedCrash
from tests.simulation import cli
from tests.simulation.run import Outcome, run_seed
from tests.simulation.site import settings

FEW = range(1, 61)
MANY = range(1, 1001)


@pytest.fixture(autouse=True)
def _silence() -> None:
    cli.quiet()


def test_a_healthy_hub_keeps_every_promise_under_sixty_seeds() -> None:
    report = cli.run(FEW, 1)
    assert report["failures"] == []
    assert report["seeds"] == len(FEW)
    assert report["crashes"] > len(FEW)
    assert report["orders"] >= 2 * len(FEW)
    assert {"drop_after", "error_after", "late_commit", "duplicate_webhook", "lose_webhook"} <= set(report["faults"])


@pytest.mark.full("simulation 1000 seeds")
@pytest.mark.timeout(1800)
def test_a_healthy_hub_keeps_every_promise_under_a_thousand_seeds() -> None:
    assert cli.run(MANY, 2)["failures"] == []


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_a_seed_repeats_itself_to_the_last_byte(seed: int) -> None:
    first, first_rows = _with_rows(seed)
    run_seed(seed + 1)  # what another seed leaves behind must not matter
    second, second_rows = _with_rows(seed)
    assert first.trace == second.trace
    assert first.trace_hash == second.trace_hash
    assert first_rows == second_rows


def test_seeds_differ() -> None:
    assert len({run_seed(seed).trace_hash for seed in range(200, 205)}) == 5


def test_a_crash_comes_before_or_after_a_commit_and_never_when_calm() -> None:
    import random

    plan = CrashPlan(random.Random(1), most=3, gap=5)
    died = 0
    for number in range(1, 100):
        try:
            plan.before_commit(number)
            plan.after_commit(number)
        except SimulatedCrash:
            died += 1
    assert died == plan.crashes == 3


def test_shipping_without_taking_from_stock_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "take_from_stock", lambda *arguments: None)
    assert cli.run(range(1, 11), 1)["failures"]


def test_forgetting_the_answers_of_calls_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "_report", lambda *arguments: None)
    problems = [problem for one in cli.run(range(1, 4), 1)["failures"] for problem in one["problems"]]
    assert any("replies_kept" in problem for problem in problems)


def test_the_command_prints_its_report_and_fails_with_the_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["--seeds", "2", "--seed", "13", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["seeds"], report["failures"]) == (2, [])
    assert {"seeds_per_minute", "commits", "crashes", "faults", "orders"} <= report.keys()

    def broken(seed: int, *, flows: bool) -> Outcome:
        return Outcome(seed, ["lost"], ["0.0 start"], "hash", 1, 1, 0, 0)

    monkeypatch.setattr(cli, "run_seed", broken)
    assert cli.main(["--seeds", "1", "--seed", "77", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["failures"] == [{"seed": 77, "problems": ["lost"], "trace_hash": "hash"}]
    assert "--seed 77" in printed.err
    assert "0.0 start" in printed.err


def _with_rows(seed: int) -> tuple[Outcome, Mapping[str, list[tuple[object, ...]]]]:
    outcome = run_seed(seed)
    return outcome, dict(_rows())


def _rows() -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """Every row of the run that ended last, without the random tokens that fence claims."""
    connection = settings()[0].connection
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for (table,) in tables:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()]
        kept = ", ".join(f'"{name}"' for name in columns if "token" not in name)
        yield table, connection.execute(f'SELECT {kept} FROM "{table}" ORDER BY 1, 2').fetchall()
