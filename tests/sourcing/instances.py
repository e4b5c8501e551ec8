"""Random sourcing questions from a seed."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hub.domain.sourcing import Candidate, Demand, Objective, Step

MODES = ("cost", "lexicographic", "speed")


def question(random: Random, lines: int, locations: int) -> tuple[list[Demand], list[Candidate], Objective]:
    """Up to `lines` lines and `locations` locations; half of them with weights and a least value of a shipment."""
    coupled = random.random() < 0.5
    most = 2 if coupled else 3
    demands = [
        Demand(
            f"S{n}",
            Decimal(random.randint(1, most)),
            grams=Decimal(random.choice([0, 200, 500, 900])) if coupled else Decimal(0),
            value=Decimal(random.randint(2, 30)),
        )
        for n in range(random.randint(1, lines))
    ]
    candidates = [_candidate(random, n, demands, coupled) for n in range(random.randint(1, locations))]
    objective = Objective(
        mode=random.choice(MODES),
        max_shipments=random.choice([None, None, 1, 2, 3]),
        ship_complete=random.random() < 0.3,
        line_from_one_location=random.random() < 0.3,
        split_penalty=_money(random, 16),
        least_value=Decimal(random.choice([0, 10, 25])) if coupled else Decimal(0),
    )
    return demands, candidates, objective


def _candidate(random: Random, number: int, demands: list[Demand], coupled: bool) -> Candidate:
    holding = 0.45 if coupled else 0.7
    return Candidate(
        f"l{number}",
        {d.sku: Decimal(random.randint(1, 3)) for d in demands if random.random() < holding},
        {"order": _money(random, 40)},
        _money(random, 8),
        _money(random, 4),
        priority=random.randint(1, 3),
        days=random.randint(0, 3),
        carrier=_carrier(random) if coupled else (),
        line_terms={d.sku: {"lateness": _money(random, 12)} for d in demands if random.random() < 0.2},
        unit_terms={d.sku: {"last units": _money(random, 4)} for d in demands if random.random() < 0.2},
    )


def _carrier(random: Random) -> tuple[Step, ...]:
    amounts = sorted(_money(random, 60) for _ in range(random.randint(1, 3)))
    return tuple(Step(Decimal(500 * 2**n), amount) for n, amount in enumerate(amounts))


def _money(random: Random, most: int) -> Decimal:
    """Quarters, so that ties happen."""
    return Decimal(random.randint(0, most)) / 4
