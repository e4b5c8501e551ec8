"""Orders, goods, holds, cancellations and supply in any order, looked at in any order: nobody is served past the queue.

`python -m tests.property.waiting_queue [--runs N] [--seed K] [--steps S]` plays N seeded runs and prints what it saw as
JSON. After every single decision the rows before and after are compared, without asking the code that decided: who got
goods left those before in the queue what they were due. At the end nobody waits beside goods without a reason.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.decision import DueTask
from hub.oms import people
from hub.oms.handlers import build
from hub.oms.ports import Backorders, Rules, Strategy
from tests.property.memory_store import Bench, MemoryStore, channel, location, order_record, rules

ZERO = Decimal(0)
SKUS = ("TEE", "CAP")
FAIRNESS = (
    Backorders(),
    Backorders("value"),
    Backorders("promised_date"),
    Backorders("priority", (("contains(tags, 'vip')", 1),)),
)
Row = dict[str, Any]


def run(seed: str, steps: int) -> dict[str, int]:
    """One run; AssertionError where somebody was skipped, left without a reason, or counted twice."""
    source = random.Random(seed)
    bench = Bench(_rules(source))
    for sku in SKUS:
        for place in ("east", "west"):
            bench.stock(sku, place, source.choice([0, 0, 1]))
    seen = {"served": 0, "passed": 0, "decisions": 0}
    orders: list[Row] = []
    for step in range(steps):
        _act(source, bench, orders, step)
        bench.later(seconds=source.choice([0.5, 20]))
        for _ in range(source.randint(0, 4)):
            _one_task(source, bench, seen)
    while _one_task(source, bench, seen) or _sooner(bench):
        assert seen["decisions"] < 40 * steps + 400, f"{seed}: the queue never comes to rest"
    _at_rest(bench, seed)
    return seen


def _rules(source: random.Random) -> Rules:
    strategies = {"cheapest": Strategy("cheapest"), "whole": Strategy("whole", ship_complete=True)}
    made = rules(location("east"), location("west", priority=2), strategies=strategies)
    whole = source.random() < 0.3
    return replace(
        made,
        channels={"shop": channel()},
        backorders=source.choice(FAIRNESS),
        fallback="whole" if whole else "cheapest",
    )


def _act(source: random.Random, bench: Bench, orders: list[Row], step: int) -> None:
    chance = source.random()
    if chance < 0.45:
        lines = [
            (f"L{number}", sku, source.randint(1, 3))
            for number, sku in enumerate(source.sample(SKUS, source.choice([1, 1, 2])), start=1)
        ]
        record = order_record(*lines, external_id=str(step), tags=source.choice([[], ["vip"]]))
        record["source_version"] = f"{step:05}a"
        record["placed_at"] = f"2026-11-02T08:{source.randint(10, 59)}:00Z"
        if source.random() < 0.2:
            record["payment_state"] = "pending"
        if source.random() < 0.3:
            record["lines"][0]["promised_by"] = f"2026-11-{source.randint(10, 28)}T00:00:00Z"
        orders.append(record)
        bench.order(record)
    elif chance < 0.55 and orders:
        record = source.choice(orders)
        record = {**record, "payment_state": "paid", "source_version": f"{step:05}b"}
        bench.order(record)
    elif chance < 0.63 and orders:
        record = source.choice(orders)
        bench.order({**record, "cancelled_at": "2026-11-02T10:00:00Z", "source_version": f"{step:05}c"})
    elif chance < 0.75:
        sku, units = source.choice(SKUS), source.randint(0, 4)
        said = {"external_id": f"PO-{source.randint(1, 3)}", "sku": sku, "location": "EAST", "quantity": str(units)}
        bench.restate(
            "supply", {**said, "expected_at": f"2026-12-{source.randint(10, 28)}T00:00:00Z"}, connection="wms-east"
        )
    else:
        sku, place, came = source.choice(SKUS), source.choice(("east", "west")), Decimal(source.randint(1, 4))
        bench._commit(
            people.adjust_stock(bench.store, bench.rules, bench.now, f"ac{step}", sku, place, came, "clerk", "came")
        )


def _one_task(source: random.Random, bench: Bench, seen: dict[str, int]) -> bool:
    """Any task that is due, not the one that is due first; True if there was one."""
    due = sorted((task for task in bench.tasks.values() if task.due_at <= bench.now), key=lambda task: task.id)
    if not due:
        return False
    task: DueTask = source.choice(due)
    del bench.tasks[task.id]
    before = _rows(bench)
    bench._commit(build(bench.rules).tasks[task.kind](task, bench.store, bench.now))
    seen["decisions"] += 1
    _check(bench, task.subject, before, _rows(bench), seen)
    return True


def _sooner(bench: Bench) -> bool:
    """Wait for what is due within the hour; True if there is any."""
    due = [task.due_at for task in bench.tasks.values() if (task.due_at - bench.now).total_seconds() < 3600]
    if not due:
        return False
    bench.now = max(bench.now, min(due))
    return True


def _rows(bench: Bench) -> dict[str, list[Row]]:
    assert isinstance(bench.store, MemoryStore)
    return {name: bench.store.rows(name, {}) for name in ("stock", "reservations")}


def _free(rows: dict[str, list[Row]], sku: str) -> Decimal:
    stock = [row for row in rows["stock"] if row["sku"] == sku]
    return sum((max(ZERO, row["on_hand"] - row["soft"] - row["firm"]) for row in stock), ZERO)


def _held(rows: dict[str, list[Row]], sku: str, order_id: str) -> Decimal:
    states = ("soft", "firm")
    found = [r for r in rows["reservations"] if r["sku"] == sku and r["order_id"] == order_id and r["state"] in states]
    return sum((row["quantity"] for row in found), ZERO)


def _check(
    bench: Bench, order_id: str, before: dict[str, list[Row]], after: dict[str, list[Row]], seen: dict[str, int]
) -> None:
    """What an order got is beyond what those before it were due."""
    for sku in SKUS:
        got = _held(after, sku, order_id) - _held(before, sku, order_id)
        if got <= 0:
            continue
        seen["served"] += 1
        queue = [
            r for r in before["reservations"] if r["sku"] == sku and r["state"] == "unassigned" and r["quantity"] > 0
        ]
        own = [row["place"] for row in queue if row["order_id"] == order_id]
        ahead = [r for r in queue if r["order_id"] != order_id and r["turn"] == "waits" and own and r["place"] < own[0]]
        due = sum((row["quantity"] for row in ahead), ZERO)
        assert got <= _free(before, sku) - due, f"{order_id} got {got} of {sku}, {due} were due to others before"


def _at_rest(bench: Bench, seed: str) -> None:
    rows = _rows(bench)
    claims = bench.store.rows("supply_claims", {})
    for row in rows["reservations"]:
        if row["state"] != "unassigned" or row["quantity"] <= 0:
            continue
        if row["turn"] == "waits":
            assert _free(rows, row["sku"]) == 0, f"{seed}: {row['order_id']} waits beside free {row['sku']}"
        else:
            assert row["why"], f"{seed}: {row['order_id']} was passed over without a reason"
    for line in bench.store.rows("order_lines", {}):
        promised = sum((one["quantity"] for one in claims if one["line_id"] == line["id"]), ZERO)
        assert promised == line["preordered"], f"{seed}: {line['id']}"
    for supply in bench.store.rows("supply", {}):
        on_it = sum((one["quantity"] for one in claims if one["supply_id"] == supply["id"]), ZERO)
        assert supply["promised"] == on_it, f"{seed}: {supply['external_id']}"
        to_come = max(ZERO, supply["quantity"] - supply["received"])
        assert on_it <= to_come, f"{seed}: {on_it} promised of {to_come}"
    for entry in bench.store.rows("backorder_releases", {"outcome": "released"}):
        assert entry["quantity"] <= entry["free"] - entry["ahead"], f"{seed}: {entry}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.property.waiting_queue", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=30)
    given = parser.parse_args()
    whole = {"runs": given.runs, "decisions": 0, "served": 0, "failed": 0}
    for number in range(given.runs):
        try:
            seen = run(f"{given.seed}/{number}", given.steps)
        except AssertionError as error:
            whole["failed"] += 1
            print(f"{given.seed}/{number}: {error}", file=sys.stderr)
            continue
        whole["decisions"] += seen["decisions"]
        whole["served"] += seen["served"]
    print(json.dumps(whole))
    return 1 if whole["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
