"""A sourcing question in whole numbers: every objective becomes one number to be made small.

The parts of the objective are digits of that number, the most important first: units nobody gives, then cost (or, for
`lexicographic`: priorities, shipments, cost), then the tie rule: priorities, days, places in the order of ids. Whole
numbers of any length add exactly and compare fast, and a bound on the number bounds all of its digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.sourcing.plan import Candidate, Demand, Objective, Score

ZERO = Decimal(0)
MODES = ("cost", "lexicographic", "speed")


class Problem:
    """Indexes: `d` a demand, `c` a candidate. `units[d][c]` is what it could give, `wanted[d]` what can be had at all.

    `unit[d][c]`, `line[d][c]`, `open[c]` (with the penalty of a split), `steps[c]` and `missing` (one unit that nobody
    gives) are parts of the number; `never` is what the demands lack wherever one looks. For bounds, `least_open[c]` and
    `per_gram[c]` are a straight line below `open[c]` and `steps[c]`.
    """

    def __init__(self, demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> None:
        self.demands = demands
        self.candidates = candidates
        self.objective = objective
        self._quantities()
        self._amounts()
        self._weights()
        self.limit = self._limit()

    def _quantities(self) -> None:
        demands, candidates, alone = self.demands, self.candidates, self.objective.line_from_one_location
        stock = [[min(c.available.get(d.sku, ZERO), d.quantity) for c in candidates] for d in demands]
        self.scale = _places([d.quantity for d in demands] + [units for row in stock for units in row])
        self.full = [int(d.quantity * self.scale) for d in demands]
        self.units = [[max(int(units * self.scale), 0) for units in row] for row in stock]
        if alone:  # a line that comes from one location comes whole or not at all
            self.units = [
                [units if units >= full else 0 for units in row]
                for row, full in zip(self.units, self.full, strict=True)
            ]
        self.wanted = [min(sum(row), full) for row, full in zip(self.units, self.full, strict=True)]
        self.never = sum(self.full) - sum(self.wanted)

    def _amounts(self) -> None:
        demands, candidates = self.demands, self.candidates
        unit = [[c.unit_cost(d.sku) for c in candidates] for d in demands]
        line = [[c.line_cost(d.sku) for c in candidates] for d in demands]
        first = [c.carriage(ZERO) for c in candidates]
        penalty = self.objective.split_penalty
        fixed = [c.fixed_cost + weighs for c, weighs in zip(candidates, first, strict=True)]
        steps = [step.amount for c in candidates for step in c.carrier]
        places = _places([penalty, *fixed, *steps, *(cost for row in (*unit, *line) for cost in row)])
        self.money = places * self.scale  # a unit's amount is paid for each of `scale` parts
        whole_unit = [[int(cost * places) for cost in row] for row in unit]
        whole_line = [[int(cost * self.money) for cost in row] for row in line]
        opening = [int(cost * self.money) for cost in fixed]
        pay = int(penalty * self.money)
        heaviest = [int(max((step.amount for step in c.carrier), default=ZERO) * self.money) for c in candidates]
        dearest = sum(
            full * max(costs, default=0) + sum(lines)
            for full, costs, lines in zip(self.full, whole_unit, whole_line, strict=True)
        )
        self._digits(sum(opening) + sum(heaviest) + dearest + pay * len(candidates))
        place = self.digit["cost"]
        self.unit = [[cost * place for cost in row] for row in whole_unit]
        self.line = [[cost * place for cost in row] for row in whole_line]
        self.penalty = pay * place
        self.open = [
            (cost + pay) * place
            + candidate.priority * self.digit["priority"]
            + self.digit.get("shipments", 0)
            + candidate.days * self.digit["days"]
            + rank * self.digit["rank"]
            for rank, (cost, candidate) in enumerate(zip(opening, candidates, strict=True), start=1)
        ]

    def _digits(self, most: int) -> None:
        """What one of each part is worth in the number, the least important first."""
        count = len(self.candidates)
        sizes = {
            "rank": count * (count + 1) // 2,
            "days": sum(c.days for c in self.candidates),
            "priority": sum(c.priority for c in self.candidates),
            "shipments": count,
            "cost": most,
        }
        order = ["rank", "days", "priority", "cost"]
        if self.objective.mode == "lexicographic":
            order = ["rank", "days", "cost", "shipments", "priority"]
        self.digit: dict[str, int] = {}
        worth = 1
        for name in order:
            self.digit[name] = worth
            worth *= sizes[name] + 1
        self.order = list(reversed(order))
        self.missing = worth

    def _weights(self) -> None:
        """`steps[c]`: (weight, what it adds to the first step), empty where the whole order is within the first."""
        candidates = self.candidates
        weighs = [d.grams for d in self.demands]
        self.grams = [0] * len(weighs)
        self.steps: list[list[tuple[int, int]]] = [[] for _ in candidates]
        self.least_open = list(self.open)
        self.per_gram = [0] * len(candidates)
        places = _places([*weighs, *(step.grams for c in candidates for step in c.carrier)])
        self.grams = [int(grams * places) for grams in weighs]
        total = sum(grams * wanted for grams, wanted in zip(self.grams, self.wanted, strict=True))
        if total:
            for number, candidate in enumerate(candidates):
                self._steps(number, candidate, places * self.scale, total)
        least = self.objective.least_value
        worth = _places([least, *(d.value for d in self.demands)])
        self.value = [int(d.value * worth) for d in self.demands]
        self.least_value = int(least * worth * self.scale)
        self.coupled = any(self.steps) or least > 0

    def _steps(self, number: int, candidate: Candidate, scale: int, total: int) -> None:
        place = self.digit["cost"]
        first = candidate.carriage(ZERO)
        steps = [
            (int(step.grams * scale), int((step.amount - first) * self.money) * place) for step in candidate.carrier
        ]
        if not steps or steps[0][0] >= total:
            return
        self.steps[number] = steps
        # A straight line below the steps, for bounds: nothing up to the first step's end, then so much a gram.
        free = steps[0][0]
        reached = [(min(limit, total), steps[at][1]) for at, (limit, _) in enumerate(steps) if at]
        reached = [pair for at, pair in enumerate(reached) if steps[at][0] < total]
        if total > steps[-1][0]:
            reached.append((total, steps[-1][1]))
        rises = [amount // (limit - free) for limit, amount in reached]
        rise = min([*rises, self.open[number] // free if free else 0])
        self.per_gram[number] = rise
        self.least_open[number] -= rise * free

    def _limit(self) -> int:
        """Shipments that a plan can have at most."""
        limits = [len(self.candidates)]
        if self.objective.max_shipments is not None:
            limits.append(self.objective.max_shipments)
        if self.least_value > 0:
            worth = sum(value * wanted for value, wanted in zip(self.value, self.wanted, strict=True))
            limits.append(max(worth // self.least_value, 1))
        return min(limits)

    def bound_score(self, number: int) -> Score:
        """The first digits of a bound as a plan's score has them: units missing, then what the mode compares."""
        missing, rest = divmod(max(number, 0), self.missing)
        found = [Decimal(missing + self.never) / self.scale]
        for name in self.order:
            digit, rest = divmod(rest, self.digit[name])
            found.append((Decimal(digit) / self.money) if name == "cost" else Decimal(digit))
            if name == "cost":
                break
        return tuple(found)


def _places(amounts: Sequence[Decimal]) -> int:
    """The power of ten that makes all of them whole."""
    places = 1
    for amount in amounts:
        whole = amount * places
        while whole != int(whole):
            places *= 10
            whole = amount * places
    return places
