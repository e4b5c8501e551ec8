"""`hub bench NAME...`: processor time an item, beside the bare floor that is run in the same call."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import flow, growth, intake, mapping, sourcing, statements

ORDERS_PER_SECOND = 60.0
"""What two processors can take beside load, sinks and the rest of the machine; --per-second says otherwise."""
USUAL = {
    "intake": 5000,
    "flow": 2000,
    "flow-four": 2000,
    "mapping": 5000,
    "sourcing": 200,
    "statements": 200,
    "growth": 100_000,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured, and everything that was promised was found. 1: something was lost. 2: usage."""
    parser = argparse.ArgumentParser(prog="hub bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(USUAL)}; all of them without a name")
    parser.add_argument("--items", type=int, help="how many orders each instead of the usual number")
    parser.add_argument("--per-second", type=float, default=ORDERS_PER_SECOND, help="orders offered to `flow`")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - set(USUAL)):
        parser.error(f"there is no {', '.join(unknown)}")
    benches: dict[str, Callable[[Path, int], dict[str, Any]]] = {
        "intake": intake.run,
        "flow": lambda folder, orders: flow.run(folder, orders, given.per_second),
        "flow-four": lambda folder, orders: flow.run(folder, orders, given.per_second * 3 / 4, 4),
        "mapping": mapping.run,
        "sourcing": sourcing.run,
        "statements": statements.run,
        "growth": growth.run,
    }
    items = []
    for name in given.names or USUAL:
        with tempfile.TemporaryDirectory(prefix=f"hub-bench-{name}-") as folder:
            try:
                items.append(benches[name](Path(folder), given.items or USUAL[name]))
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
        print(_words(items[-1]), file=sys.stderr)
    if given.json:
        print(json.dumps({"hub_cli": "1.0", "items": items}, indent=1))
    return 0


def _words(item: dict[str, Any]) -> str:
    if item["name"] == "sourcing":
        return sourcing.words(item)
    if item["name"] == "statements":
        return statements.words(item)
    if item["name"] == "growth":
        return growth.words(item)
    p99 = f", p99 {item['p99_ms']} ms" if "p99_ms" in item else ""
    return (
        f"{item['name']}: {item['cpu_us_per_item']:g} us an item, floor {item['floor_cpu_us_per_item']:g}, "
        f"{item['cpu_ratio']:g} times; {item['per_second']:g} a second{p99}"
    )


if __name__ == "__main__":
    sys.exit(main())
