"""`hub bench sourcing`: how long the solver takes, and what it saves against two rules of thumb.

The network is synthetic, and so are its costs. Locations lie at random on a square of 2,000 km: every fifth is a
warehouse (handling 1.10 a shipment, nine SKUs of ten in stock), the others stores (2.40 a shipment, one of two). A
parcel costs 4.00 and 0.30 for each 100 km up to 500 g, and 1.2, 1.5, 2 and 3 times that up to 1, 2, 5 and 10 kg; a line
costs 0.20, a unit 0.05, a shipment after the first 1.50. Orders go to random places, with one to three units a line of
100 to 1,500 g. Saved is what orders cost less than by "nearest first" (each location gives what it has, the nearest
first) and by "fewest splits" (as few shipments as can be, the nearest of those); all three give the same units.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from hub.domain.sourcing import Candidate, Demand, Objective, Sourced, Step, source

SIZES = ((1, 5), (3, 20), (5, 50), (10, 50))
"""(lines, locations)."""
PENALTY = Decimal("1.50")
WEIGHTS = ((500, "1"), (1000, "1.2"), (2000, "1.5"), (5000, "2"), (10000, "3"))
SQUARE_KM = 2000
ZERO = Decimal(0)


def run(folder: Path, orders: int) -> dict[str, Any]:
    """`orders` questions of each size; nothing is written to `folder`."""
    sizes = [_size(lines, locations, orders) for lines, locations in SIZES]
    return {
        "name": "sourcing",
        "costs": "synthetic",
        "network": " ".join(str(__doc__).split("\n\n")[1].split()),
        "time": "milliseconds of processor time for a question, its second best included",
        "sizes": sizes,
    }


def words(item: Mapping[str, Any]) -> str:
    told = [
        f"{one['lines']}x{one['locations']}: median {one['median_ms']:g} ms, p99 {one['p99_ms']:g} ms, "
        f"{one['proven']:.1%} proven{', largest gap ' + format(one['largest_gap'], '.1%') if one['unproven'] else ''}, "
        f"saves {one['saved_against_nearest_first']:.1%} against nearest first, "
        f"{one['saved_against_fewest_splits']:.1%} against fewest splits"
        for one in item["sizes"]
    ]
    return "sourcing (synthetic costs)\n  " + "\n  ".join(told)


def question(random: Random, lines: int, locations: int) -> tuple[list[Demand], list[Candidate]]:
    """An order and the network as the solver sees it from there; `days` are hundreds of kilometres."""
    demands = [
        Demand(f"S{n}", Decimal(random.randint(1, 3)), Decimal(random.choice((100, 300, 600, 1500))))
        for n in range(lines)
    ]
    here = random.random(), random.random()
    return demands, [_location(random, n, here, demands) for n in range(locations)]


def _location(random: Random, number: int, here: tuple[float, float], demands: Sequence[Demand]) -> Candidate:
    warehouse = number % 5 == 0
    there = random.random(), random.random()
    km = SQUARE_KM * ((here[0] - there[0]) ** 2 + (here[1] - there[1]) ** 2) ** 0.5
    parcel = Decimal("4.00") + Decimal("0.30") * round(km / 100)
    stocked = 0.9 if warehouse else 0.5
    return Candidate(
        f"l{number:02}",
        {d.sku: Decimal(random.randint(1, 40 if warehouse else 4)) for d in demands if random.random() < stocked},
        {"order": Decimal("1.10" if warehouse else "2.40")},
        Decimal("0.20"),
        Decimal("0.05"),
        days=round(km / 100),
        carrier=tuple(Step(Decimal(grams), parcel * Decimal(times)) for grams, times in WEIGHTS),
    )


def _size(lines: int, locations: int, orders: int) -> dict[str, Any]:
    random = Random(lines * 1000 + locations)
    taken, gaps, costs = [], [], {"found": ZERO, "nearest": ZERO, "fewest": ZERO}
    proven = 0
    for _ in range(orders):
        demands, candidates = question(random, lines, locations)
        begin = time.process_time()
        found = source(demands, candidates, Objective(split_penalty=PENALTY))
        taken.append((time.process_time() - begin) * 1000)
        proven += found.proven
        if not found.proven:
            gaps.append(_gap(found))
        costs["found"] += found.chosen.cost
        costs["nearest"] += cost_of(_nearest_first(demands, candidates), demands, candidates)
        costs["fewest"] += cost_of(_fewest_splits(demands, candidates), demands, candidates)
    taken.sort()
    return {
        "lines": lines,
        "locations": locations,
        "orders": orders,
        "median_ms": round(statistics.median(taken), 2),
        "p99_ms": round(taken[min(len(taken) - 1, len(taken) * 99 // 100)], 2),
        "proven": proven / orders,
        "unproven": len(gaps),
        "largest_gap": max(gaps, default=0.0),
        "saved_against_nearest_first": round(float(1 - costs["found"] / costs["nearest"]), 4),
        "saved_against_fewest_splits": round(float(1 - costs["found"] / costs["fewest"]), 4),
    }


def _gap(found: Sourced) -> float:
    """How far above the bound the plan's cost is, as a part of it; whole where more units might be had."""
    if found.bound[0] != found.chosen.score[0] or not found.bound[1]:
        return 1.0
    return float(found.chosen.cost / found.bound[1] - 1)


Given = dict[tuple[str, str], Decimal]


def _nearest_first(demands: Sequence[Demand], candidates: Sequence[Candidate]) -> Given:
    missing = {d.sku: d.quantity for d in demands}
    given: Given = {}
    for c in sorted(candidates, key=lambda c: (c.days, c.id)):
        for sku in missing:
            units = min(missing[sku], c.available.get(sku, ZERO))
            if units:
                given[(sku, c.id)] = units
                missing[sku] -= units
    return given


def _fewest_splits(demands: Sequence[Demand], candidates: Sequence[Candidate]) -> Given:
    """As few locations as can be, and of those the nearest together."""
    plain = [Candidate(c.id, c.available, {"distance": Decimal(c.days)}) for c in candidates]
    return dict(source(demands, plain, Objective("lexicographic")).chosen.quantities)


def cost_of(given: Given, demands: Sequence[Demand], candidates: Sequence[Candidate]) -> Decimal:
    """What a plan costs by the network's own prices."""
    used = [c for c in candidates if any(location == c.id for _, location in given)]
    cost = PENALTY * max(len(used) - 1, 0)
    for c in used:
        units = {d: given[(d.sku, c.id)] for d in demands if (d.sku, c.id) in given}
        cost += c.fixed_cost + c.carriage(sum((d.grams * n for d, n in units.items()), ZERO))
        cost += sum((c.per_line + c.per_unit * n for n in units.values()), ZERO)
    return cost
