"""`hub chaos`: kill the hub while emulated systems misbehave, then audit what was promised."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.report import table
from tests.chaos.run import Options, run, to_stderr
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import SCENARIOS, scenario_for


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every promise held and every minimum was met. 1: not so. 2: usage."""
    parser = argparse.ArgumentParser(prog="hub chaos", description=__doc__)
    parser.add_argument("experiment", nargs="?", choices=sorted(SCENARIOS), help="systems and mix of faults (usual)")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or a postgresql:// URL")
    parser.add_argument("--processes", type=int, default=1, help="processes of the hub; several need PostgreSQL")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long orders come and processes are killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="spoil the hub; the run must then fail")
    parser.add_argument(
        "--settle", type=float, help="seconds that everything may take to settle (the experiment's own)"
    )
    parser.add_argument("--keep", type=Path, help="folder for ledgers, logs and the database; else removed")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.processes > 1 and given.database == "sqlite":
        parser.error("a SQLite database has one owner; --processes needs --database postgresql")
    options = Options(
        orders=given.orders,
        seconds=given.seconds,
        seed=given.seed,
        database=given.database,
        processes=given.processes,
        sabotage=given.sabotage,
        keep=given.keep,
        settle_seconds=given.settle,
    )
    report = run(scenario_for(given.sabotage, given.experiment), options, to_stderr)
    print(json.dumps(report, indent=2) if given.json else table(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
