"""`hub simulation`: the whole hub in one thread under seeds: any order of arrival, faults, crashes at any commit."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from tests.simulation.run import Outcome, run_seed

CHUNK = 25
SHOWN = 5
"""Of failing seeds, how many are told with all their events."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every seed held what is promised. 1: one did not. 2: usage."""
    parser = argparse.ArgumentParser(prog="hub simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--seed", type=int, default=1, help="the first of them; a failing one names itself")
    parser.add_argument("--processes", type=int, help="how many processes share the seeds (one a processor)")
    parser.add_argument("--trace", action="store_true", help="print the events of every seed to stderr")
    parser.add_argument(
        "--flows", action="store_true", help="with money, pickups, returns, and people who edit and refund"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    processes = (os.cpu_count() or 1) if given.processes is None else given.processes
    if given.seeds < 1 or processes < 1:
        parser.error("--seeds and --processes are at least 1")
    report = run(range(given.seed, given.seed + given.seeds), processes, trace=given.trace, flows=given.flows)
    print(json.dumps(report, indent=2) if given.json else table(report))
    return 1 if report["failures"] else 0


def run(seeds: Sequence[int], processes: int, *, trace: bool = False, flows: bool = False) -> dict[str, Any]:
    """All seeds; the report that `--json` prints."""
    level = logging.getLogger("hub").level
    quiet()
    try:
        return _report(seeds, processes, trace, flows)
    finally:
        logging.getLogger("hub").setLevel(level)


def _report(seeds: Sequence[int], processes: int, trace: bool, flows: bool) -> dict[str, Any]:
    processes = min(processes, -(-len(seeds) // CHUNK))
    started, cpu = time.monotonic(), _cpu_seconds()
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    done: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    for outcome in outcomes(seeds, processes, flows=flows):
        totals.update(
            seeds=1,
            orders=outcome.orders,
            commits=outcome.commits,
            crashes=outcome.crashes,
            webhooks=outcome.webhooks,
        )
        faults.update(outcome.faults)
        done.update(outcome.done)
        if outcome.problems:
            failures.append({"seed": outcome.seed, "problems": outcome.problems, "trace_hash": outcome.trace_hash})
        if trace or (outcome.problems and len(failures) <= SHOWN):
            tell(outcome, flows=flows)
    seconds = max(time.monotonic() - started, 0.001)
    return {
        "first_seed": seeds[0],
        **totals,
        "failures": failures,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_cpu_seconds() - cpu, 1),
        "processes": processes,
        "seeds_per_minute": round(totals["seeds"] * 60 / seconds),
        "faults": dict(sorted(faults.items())),
        **({"done": dict(sorted(done.items()))} if flows else {}),
    }


def _cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def outcomes(seeds: Sequence[int], processes: int, *, flows: bool = False) -> Iterator[Outcome]:
    """In the order of the seeds, whoever runs them."""
    if processes == 1:
        yield from _chunk(seeds, flows=flows)
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes, initializer=quiet) as pool:
        for found in pool.map(partial(_listed, flows=flows), chunks):
            yield from found


def _listed(seeds: Sequence[int], *, flows: bool) -> list[Outcome]:
    return list(_chunk(seeds, flows=flows))


def _chunk(seeds: Iterable[int], *, flows: bool) -> Iterator[Outcome]:
    """Collecting garbage between seeds, not in them: a seed leaves nothing behind, and looking costs a tenth."""
    gc.disable()
    try:
        for number, seed in enumerate(seeds):
            if number % CHUNK == 0:
                gc.collect()
            yield run_seed(seed, flows=flows)
    finally:
        gc.enable()


def quiet() -> None:
    """The hub warns of what the peers do to it, thousands of times a minute."""
    logging.getLogger("hub").setLevel(logging.CRITICAL)


def tell(outcome: Outcome, *, flows: bool = False) -> None:
    """What happened in a seed, to stderr: with the seed, enough to see it again."""
    site = " --flows" if flows else ""
    again = f"hub simulation{site} --seeds 1 --seed {outcome.seed} --trace"
    print(f"--- seed {outcome.seed}: `{again}` ---", file=sys.stderr)
    for line in (*outcome.trace, *outcome.problems):
        print(line, file=sys.stderr)


def table(report: dict[str, Any]) -> str:
    lines = [f"{name:18} {report[name]}" for name in ("seeds", "orders", "webhooks", "commits", "crashes")]
    lines.append(f"{'seeds a minute':18} {report['seeds_per_minute']}")
    lines.append(f"{'faults':18} " + ", ".join(f"{name} {count}" for name, count in report["faults"].items()))
    if "done" in report:
        lines.append(f"{'people here':18} " + ", ".join(f"{name} {count}" for name, count in report["done"].items()))
    lines += [f"FAILED seed {one['seed']}: {'; '.join(one['problems'])}" for one in report["failures"]]
    lines.append("every promise held" if not report["failures"] else f"{len(report['failures'])} seeds failed")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
