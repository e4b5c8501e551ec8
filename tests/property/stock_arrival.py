"""Every order in which counts and movements of stock can arrive gives one balance, the one that their own times give.

`python -m tests.property.stock_arrival [--scenarios N] [--seed K] [--most M]` plays N scenarios of up to M statements
in all their permutations and prints what it found as JSON; exit 1 where two arrivals disagree with the times.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import random
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.property.memory_store import START, Bench, location, rules

ZERO = Decimal(0)
SKUS = ("TEE", "CAP")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """A count (`rows`) or a movement (`sku`, `units`). `order` is the source's own: its sequence, else its time."""

    order: int
    at: dt.datetime
    sequence: str | None
    rows: dict[str, Decimal] | None = None
    complete: bool = False
    sku: str = ""
    units: Decimal = ZERO

    @property
    def stream(self) -> str:
        return "stock" if self.rows is not None else "stock_movements"

    def record(self, number: int) -> Row:
        at = self.at.isoformat().replace("+00:00", "Z")
        beside = {"sequence": self.sequence} if self.sequence is not None else {}
        if self.rows is None:
            said = {"fact_key": f"m{number}", "location": "EAST", "sku": self.sku, "quantity": str(self.units)}
            return {**said, "occurred_at": at, "kind": "sale", **beside}
        rows = [{"sku": sku, "quantity": str(units)} for sku, units in self.rows.items()]
        return {"location": "EAST", "as_of": at, "rows": rows, "complete": self.complete, **beside}


def scenario(random_: random.Random, most: int) -> list[Statement]:
    """Statements with times, or sequence numbers, of their own; with sequences the clocks may be wrong."""
    numbered = random_.random() < 0.4
    found = []
    for order in range(random_.randint(2, most)):
        minutes = random_.randint(0, 600) if numbered else order
        at = START + dt.timedelta(minutes=minutes, microseconds=order)
        sequence = str(order + 8) if numbered else None
        if random_.random() < 0.45:
            chosen = random_.sample(SKUS, random_.randint(1, len(SKUS)))
            rows = {sku: Decimal(random_.randint(-1, 9)) for sku in chosen}
            found.append(Statement(order, at, sequence, rows, random_.random() < 0.4))
        else:
            units = Decimal(random_.choice([-3, -2, -1, 1, 2, 5]))
            found.append(Statement(order, at, sequence, sku=random_.choice(SKUS), units=units))
    return found


def expected(statements: list[Statement]) -> dict[str, Decimal]:
    """The balance by the rule alone: the latest count, none below zero, and the movements after it."""
    balance = dict.fromkeys(SKUS, ZERO)
    for one in sorted(statements, key=lambda one: one.order):
        if one.rows is None:
            balance[one.sku] += one.units
            continue
        for sku in SKUS:
            if sku in one.rows or one.complete:
                balance[sku] = max(one.rows.get(sku, ZERO), ZERO)
    return balance


def played(statements: list[Statement], arrival: tuple[int, ...]) -> dict[str, Decimal]:
    """The balance after they arrived so; the journal must say the same."""
    bench = Bench(rules(location("east")))
    for number in arrival:
        one = statements[number]
        if one.stream == "stock":
            bench.restate("stock", one.record(number), connection="wms-east")
        else:
            bench.fact("stock_movements", one.record(number), connection="wms-east")
        bench.later(seconds=1)
    balance = dict.fromkeys(SKUS, ZERO)
    for row in bench.store.rows("stock", {}):
        journal = [event["delta"] for event in bench.store.rows("stock_events", {"sku": row["sku"]})]
        assert sum(journal, ZERO) == row["on_hand"], f"the journal of {row['sku']} says {sum(journal, ZERO)}"
        balance[row["sku"]] = row["on_hand"]
    return balance


def run(scenarios: int, seed: int, most: int) -> dict[str, Any]:
    """Play them; `divergences` says which scenario and arrival came to what."""
    runs, divergences = 0, []
    for number in range(scenarios):
        statements = scenario(random.Random(f"{seed}/{number}"), most)
        wanted = expected(statements)
        for arrival in itertools.permutations(range(len(statements))):
            runs += 1
            found = played(statements, arrival)
            if found != wanted:
                shown = {sku: [str(found[sku]), str(wanted[sku])] for sku in SKUS}
                divergences.append({"scenario": number, "arrival": list(arrival), "found, wanted": shown})
                break
    return {
        "seed": seed,
        "scenarios": scenarios,
        "runs": runs,
        "divergences": len(divergences),
        "first": divergences[:3],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.property.stock_arrival", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=6)
    given = parser.parse_args()
    report = run(given.scenarios, given.seed, given.most)
    print(json.dumps(report))
    return 1 if report["divergences"] else 0


if __name__ == "__main__":
    sys.exit(main())
