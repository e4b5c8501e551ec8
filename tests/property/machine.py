"""A state machine over the whole order management: whatever is done next, nothing is lost, doubled or forgotten.

    python -m tests.property.machine --steps 20000 [--seed N] [--json]

Orders are placed, edited, held, cancelled, sourced, packed, shipped, short, sent as something else, brought to stores,
collected or not, refunded, returned and told back by those who were told; kits and preorders are among them; calls are
refused, or lost before or after they were done, and refunds come back to the provider. After every step the ledgers of
the hub are held against each other and against those of the town around it (tests.property.invariants); in the end
everything that can still be done is done, and nothing may be left open that nobody knows of.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.property.acts_of_buyers import Buyers
from tests.property.acts_of_people import People
from tests.property.acts_of_places import Places
from tests.property.invariants import after_a_step, when_all_is_done
from tests.property.scene import COUNTS
from tests.property.town import Job

STORIES_A_SEED = 50


class Oms(Buyers, People, Places):
    """All rules, what holds after each, and the end of every story."""

    @invariant()
    def everything_holds(self) -> None:
        after_a_step(self.bench, self.town)

    def teardown(self) -> None:
        if self.town.goods:
            self.settle()

    def settle(self) -> None:
        """Everybody does what is still to be done; then nothing is open that nobody knows of."""
        town, bench = self.town, self.bench
        for _ in range(40):
            before = len(bench.decisions)
            for key in town.unknown():
                town.look_up(key)
            for key in town.waiting():
                town.send(key, "done")
            for job in list(town.jobs.values()):
                for request in list(job.asked):
                    town.answer(job, request, accepts=True)
            while town.echoes:
                connection, stream, record = town.echoes.pop(0)
                bench.fact(stream, record, connection=connection)
            self._work()
            town.rate(refused=False)
            for job in self._jobs():
                self._finish(job)
            for job in town.under_way():
                bench.later(seconds=1)
                town.come_in(job, {line: units for line, units in job.going.items() if units > 0})
            self._work()
            if len(bench.decisions) == before:
                break
        bench.later(days=3)
        self._work()
        when_all_is_done(bench, town)

    def _finish(self, job: Job) -> None:
        if job.asked:
            return
        self.bench.later(seconds=1)
        if job.method == "pickup":
            self.town.tell(job, "ready_for_pickup")
            self.town.hand_over(job, job.held)
        else:
            self.town.ship(job, {line: held for line, held in job.held.items() if held > 0})
        if job.open:
            self.town.give_back(job, "short", {line: held for line, held in job.held.items() if held > 0})


class Plain(HypothesisProvider):
    """Every choice by chance. Hypothesis itself varies what it has drawn before, a story of the simplest steps first:
    most of what it then runs is the same few rules again."""


AVAILABLE_PROVIDERS["plain"] = f"{Plain.__module__}.{Plain.__qualname__}"


def machine_settings(examples: int, steps: int, phases: Sequence[Phase]) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=tuple(phases),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        backend="plain",
    )


def run(steps: int, seed: int, *, shrink: bool = False) -> dict[str, Any]:
    """Stories of up to a hundred steps until so many were taken. Raises what the first broken one broke."""
    COUNTS.clear()
    started, stories = time.monotonic(), 0
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    while sum(COUNTS.values()) < steps:
        machine = hypothesis.seed(seed + stories)(Oms)
        run_state_machine_as_test(machine, settings=machine_settings(STORIES_A_SEED, 100, phases))
        stories += STORIES_A_SEED
    return {
        "steps": sum(COUNTS.values()),
        "stories": stories,
        "rules": dict(sorted(COUNTS.items())),
        "seconds": round(time.monotonic() - started, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing broke. 1: something did, and the story is told. 2: usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.property.machine", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink", action="store_true", help="make a story that breaks something as short as possible")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        report = run(given.steps, given.seed, shrink=given.shrink)
    except Exception as error:  # noqa: BLE001 - whatever broke is the finding
        print(f"after {sum(COUNTS.values())} steps: {type(error).__name__}: {error}", file=sys.stderr)
        steps = (line for note in getattr(error, "__notes__", ()) for line in note.split("\n"))
        for line in steps:
            if "everything_holds" not in line:
                print(line, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1) if given.json else f"{report['steps']} steps: nothing broke")
    return 0


if __name__ == "__main__":
    sys.exit(main())
