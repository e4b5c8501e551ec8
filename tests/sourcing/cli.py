"""`python -m tests.sourcing.cli`: the solver against trying everything, on as many random questions as wanted."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from random import Random

from hub.domain.sourcing import source
from tests.sourcing.everything import best_score
from tests.sourcing.instances import question


def compare(random: Random, lines: int, locations: int) -> tuple[str, str]:
    """(what kind of question it was, what was wrong with the answer or nothing)."""
    demands, candidates, objective = question(random, lines, locations)
    found = source(demands, candidates, objective)
    best = best_score(demands, candidates, objective)
    kind = f"{objective.mode}{', weights or least value' if objective.least_value or candidates[0].carrier else ''}"
    wrong = ""
    if found.chosen.score != best:
        wrong = f"found {found.chosen.score}, best is {best}: {demands} {candidates} {objective}"
    elif not found.proven:
        wrong = f"not proven: {demands} {candidates} {objective}"
    elif found.chosen.score > found.greedy.score:
        wrong = f"worse than the rule of thumb: {demands} {candidates} {objective}"
    return kind, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all equal. 1: one was not, and it is printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sourcing.cli", description=__doc__)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=4)
    parser.add_argument("--locations", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    random, kinds, wrong = Random(given.seed), Counter[str](), 0
    for number in range(given.instances):
        kind, trouble = compare(random, given.lines, given.locations)
        kinds[kind] += 1
        if trouble:
            wrong += 1
            print(f"{number}: {trouble}")
    told = "; ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(
        f"{given.instances} questions of up to {given.lines} lines and {given.locations} locations "
        f"(seed {given.seed}): {given.instances - wrong} equal to trying everything, {wrong} not. {told}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
