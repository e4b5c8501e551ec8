"""What sourcing is asked and what it answers: demands, candidates, the objective, plans.

Amounts are in the base currency, quantities in the SKU's unit, weights in grams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
Score = tuple[Decimal, ...]
"""Compared from left to right; units nobody gives always come first."""
EFFORT_PER_SECOND = 2_000_000
"""Pairs of a demand and a location that a slow processor looks at in a second: the time budget is counted in them, so
that the answer is the same on every machine."""


@dataclass(frozen=True, slots=True)
class Demand:
    """`grams` and `value` are of one unit; `value` in the base currency."""

    sku: str
    quantity: Decimal
    grams: Decimal = ZERO
    value: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Step:
    """A shipment that weighs at most `grams` costs `amount`."""

    grams: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A location as the solver sees it.

    `available`: SKU -> units it could give. `fixed`: named cost terms of one shipment from there. `carrier`: what its
    weight adds, rising. `per_line` and `per_unit` are handling; `line_terms` and `unit_terms` name what a line or a
    unit of a SKU adds. `days`: until it arrives.
    """

    id: str
    available: Mapping[str, Decimal]
    fixed: Mapping[str, Decimal] = field(default_factory=dict)
    per_line: Decimal = ZERO
    per_unit: Decimal = ZERO
    priority: int = 0
    days: int = 0
    carrier: tuple[Step, ...] = ()
    line_terms: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    unit_terms: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)

    @property
    def fixed_cost(self) -> Decimal:
        return sum(self.fixed.values(), ZERO)

    def line_cost(self, sku: str) -> Decimal:
        return sum(self.line_terms.get(sku, {}).values(), self.per_line)

    def unit_cost(self, sku: str) -> Decimal:
        return sum(self.unit_terms.get(sku, {}).values(), self.per_unit)

    def carriage(self, grams: Decimal) -> Decimal:
        """What the carrier takes for a shipment of this weight; above the last step, as the last step."""
        for step in self.carrier:
            if grams <= step.grams:
                return step.amount
        return self.carrier[-1].amount if self.carrier else ZERO


@dataclass(frozen=True, slots=True)
class Objective:
    """`mode`: cost | lexicographic | speed. `split_penalty` is paid for every shipment after the first.
    `least_value`: where an order is split, each shipment is worth at least this. `effort`: see EFFORT_PER_SECOND."""

    mode: str = "cost"
    max_shipments: int | None = None
    ship_complete: bool = False
    line_from_one_location: bool = False
    split_penalty: Decimal = ZERO
    least_value: Decimal = ZERO
    effort: int = EFFORT_PER_SECOND // 4


@dataclass(frozen=True, slots=True)
class Plan:
    """`quantities`: (SKU, location) -> units. `unfilled`: SKU -> units nobody gives. `terms`: (name, amount), which add
    up to `cost`. `days`: until the last shipment arrives."""

    quantities: Mapping[tuple[str, str], Decimal]
    unfilled: Mapping[str, Decimal]
    locations: tuple[str, ...]
    cost: Decimal
    score: Score
    terms: tuple[tuple[str, Decimal], ...] = ()
    days: int = 0


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the solver chose and why. `second`: the best plan that does without one of the chosen locations. `greedy`:
    what the rule of thumb would have done. `proven`: no better plan exists; else `bound` is what no plan can beat, to
    be compared with the beginning of a plan's score. `effort`: pairs looked at."""

    chosen: Plan
    second: Plan | None
    greedy: Plan
    proven: bool
    bound: Score
    effort: int
