"""A sourcing question in whole numbers: every objective becomes one number to be made small.

The parts of the objective are digits of that number, the most important first: units nobody gives, then cost (or, for
`lexicographic`: priorities, shipments, cost), then the tie rule: priorities, days, places in the order of ids. Whole
numbers of any length add exactly and compare fast, and a bound on the number bounds all of its digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
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
        self.scale, whole = _whole({d.quantity for d in demands}.union(*stock))
        self.full = [whole[d.quantity] for d in demands]
        self.units = [[max(whole[units], 0) for units in row] for row in stock]
        if alone:  # a line that comes from one location comes whole or not at all
            self.units = [
                [units if units >= full else 0 for units in row]
                for row, full in zip(self.units, self.full, strict=True)
            ]
        self.wanted = [min(sum(row), full) for row, full in zip(self.units, self.full, strict=True)]
        self.never = sum(self.full) - sum(self.wanted)

    def _amounts(self) -> None:
        candidates = self.candidates
        unit = self._rows([c.per_unit for c in candidates], "unit_terms")
        line = self._rows([c.per_line for c in candidates], "line_terms")
        penalty = self.objective.split_penalty
        fixed = [c.fixed_cost for c in candidates]
        steps = {step.amount for c in candidates for step in c.carrier}
        places, whole = _whole(steps.union((penalty, ZERO), fixed, *unit, *line))
        self.money = places * self.scale  # a unit's amount is paid for each of `scale` parts
        # What is paid for a shipment, beside what is paid for a part of it.
        self._once = once = {amount: number * self.scale for amount, number in whole.items()}
        whole_unit, whole_line = _each(unit, whole), _each(line, once)
        opening = [once[cost] + once[_first(c)] for cost, c in zip(fixed, candidates, strict=True)]
        pay = once[penalty]
        heaviest = [max((once[step.amount] for step in c.carrier), default=0) for c in candidates]
        dearest = sum(
            full * max(costs, default=0) + sum(lines)
            for full, costs, lines in zip(self.full, whole_unit, whole_line, strict=True)
        )
        self._digits(sum(opening) + sum(heaviest) + dearest + pay * len(candidates))
        place = self.digit["cost"]
        self.unit = _each(unit, {amount: number * place for amount, number in whole.items()})
        self.line = _each(line, {amount: number * place for amount, number in once.items()})
        self.penalty = pay * place
        self.open = [
            (cost + pay) * place
            + candidate.priority * self.digit["priority"]
            + self.digit.get("shipments", 0)
            + candidate.days * self.digit["days"]
            + rank * self.digit["rank"]
            for rank, (cost, candidate) in enumerate(zip(opening, candidates, strict=True), start=1)
        ]

    def _rows(self, plain: list[Decimal], terms: str) -> list[list[Decimal]]:
        """What a unit or a line of each demand costs at each candidate: the same row for all where no SKU differs."""
        by_sku: list[Mapping[str, Mapping[str, Decimal]]] = [getattr(c, terms) for c in self.candidates]
        if not any(by_sku):
            return [plain] * len(self.demands)
        return [
            [sum(of[d.sku].values(), base) if d.sku in of else base for of, base in zip(by_sku, plain, strict=True)]
            for d in self.demands
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
        _, whole = _whole({step.grams for c in candidates for step in c.carrier}.union(weighs))
        self.grams = [whole[grams] for grams in weighs]
        total = sum(grams * wanted for grams, wanted in zip(self.grams, self.wanted, strict=True))
        if total:
            for number, candidate in enumerate(candidates):
                self._steps(number, candidate, whole, total)
        least = self.objective.least_value
        _, worth = _whole({least, *(d.value for d in self.demands)})
        self.value = [worth[d.value] for d in self.demands]
        self.least_value = worth[least] * self.scale
        self.coupled = any(self.steps) or least > 0

    def _steps(self, number: int, candidate: Candidate, grams: Mapping[Decimal, int], total: int) -> None:
        carrier, scale = candidate.carrier, self.scale
        if not carrier or grams[carrier[0].grams] * scale >= total:
            return
        place, once = self.digit["cost"], self._once
        first = once[carrier[0].amount]
        steps = [(grams[step.grams] * scale, (once[step.amount] - first) * place) for step in carrier]
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


def _first(candidate: Candidate) -> Decimal:
    """What the carrier takes for the lightest shipment."""
    return candidate.carriage(ZERO) if candidate.carrier else ZERO


def _each(rows: list[list[Decimal]], whole: Mapping[Decimal, int]) -> list[list[int]]:
    """The rows in whole numbers; those that are one stay one."""
    known: dict[int, list[int]] = {}
    for row in rows:
        if id(row) not in known:
            known[id(row)] = [whole[amount] for amount in row]
    return [known[id(row)] for row in rows]


def _whole(amounts: Set[Decimal]) -> tuple[int, dict[Decimal, int]]:
    """The power of ten that makes all of them whole, and each times it."""
    ratios = {amount: amount.as_integer_ratio() for amount in amounts}
    places = 1
    for denominator in {denominator for _, denominator in ratios.values()}:
        while places % denominator:
            places *= 10
    return places, {amount: number * (places // below) for amount, (number, below) in ratios.items()}
