"""Sourcing: which locations ship what. Eligibility, cost model and solver are separate; the trace explains the choice.

Demands of one order for the same SKU are one demand here (they share the stock); the caller deals the result out to
lines by line number. The solver is exact: branch and bound over the set of locations used. Given the set, each
demand is solved on its own by enumerating which of them serve it. Beyond `node_budget` sets it answers with the best
plan found and a stated bound.

Objectives compare from left to right: units nobody can serve always count first. `cost` then minimises the sum of cost
terms; `lexicographic` minimises location priorities, shipments, cost, days. Ties: priority, earliest delivery,
location ids.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
Score = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    sku: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A location as the solver sees it. `available`: SKU -> units it could give. `fixed`: named cost terms of one
    shipment from there; `per_line` and `per_unit` are handling. `days`: until delivery, for ties and lateness."""

    id: str
    available: Mapping[str, Decimal]
    fixed: Mapping[str, Decimal] = field(default_factory=dict)
    per_line: Decimal = ZERO
    per_unit: Decimal = ZERO
    priority: int = 0
    days: int = 0

    @property
    def fixed_cost(self) -> Decimal:
        return sum(self.fixed.values(), ZERO)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A location that was not asked, and the closed code of the predicate that excluded it."""

    location: str
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Objective:
    """`mode`: cost | lexicographic. `split_penalty` is paid for every shipment after the first."""

    mode: str = "cost"
    max_shipments: int | None = None
    ship_complete: bool = False
    line_from_one_location: bool = False
    split_penalty: Decimal = ZERO
    node_budget: int = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`quantities`: (SKU, location) -> units. `unfilled`: SKU -> units nobody gives. `terms`: (name, amount)."""

    quantities: Mapping[tuple[str, str], Decimal]
    unfilled: Mapping[str, Decimal]
    locations: tuple[str, ...]
    cost: Decimal
    score: Score
    terms: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the solver chose and why. `proven`: no better plan exists; else `bound` is a cost no plan can beat."""

    chosen: Plan
    second: Plan | None
    greedy: Plan
    proven: bool
    bound: Score
    nodes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What eligibility may ask about a location and this order."""

    location: str
    can: frozenset[str]
    country: str
    capacity_left: int | None
    calendar_open: bool = True
    sends: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the order wants of a location. `excluded`: location -> why it must not be asked again for now. `store`:
    where its buyer collects it."""

    method: str
    country: str
    excluded: Mapping[str, str] = field(default_factory=dict)
    store: str = ""


Predicate = Callable[[Facts, Wanted], str | None]


def _refused_before(facts: Facts, wanted: Wanted) -> str | None:
    return wanted.excluded.get(facts.location)


def _method(facts: Facts, wanted: Wanted) -> str | None:
    collected_here = wanted.method in ("pickup", "ship_to_store") and facts.location == wanted.store
    needed = "pickup" if wanted.method == "pickup" or collected_here else "ship"
    return None if needed in facts.can else f"the location does not {needed}"


def _store(facts: Facts, wanted: Wanted) -> str | None:
    elsewhere = wanted.method == "pickup" and facts.location != wanted.store
    return f"it is collected at {wanted.store or 'a store that is not known'}" if elsewhere else None


def _capacity(facts: Facts, wanted: Wanted) -> str | None:
    return "its capacity for today is used up" if facts.capacity_left is not None and facts.capacity_left <= 0 else None


def _calendar(facts: Facts, wanted: Wanted) -> str | None:
    return None if facts.calendar_open else "closed"


ELIGIBILITY: tuple[tuple[str, Predicate], ...] = (
    ("excluded", _refused_before),
    ("method", _method),
    ("other_store", _store),
    ("capacity", _capacity),
    ("calendar", _calendar),
)
"""(reason code, predicate) in the order they are asked; a predicate answers why not, or None."""


def eligible(facts: Facts, wanted: Wanted) -> Exclusion | None:
    """None if the location may be asked, else the first reason against it."""
    for code, predicate in ELIGIBILITY:
        detail = predicate(facts, wanted)
        if detail is not None:
            return Exclusion(facts.location, code, detail)
    return None


def source(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> Sourced:
    """The best plan for the demands. Deterministic: the same arguments, in any order, give the same answer."""
    demands = sorted(demands, key=lambda demand: demand.sku)
    useful = [
        candidate
        for candidate in sorted(candidates, key=lambda candidate: candidate.id)
        if any(candidate.available.get(demand.sku, ZERO) > 0 for demand in demands)
    ]
    search = _Search(demands, useful, objective)
    greedy = search.plan(_greedy(demands, useful, objective))
    search.offer(greedy)
    search.offer(search.plan(()))
    proven = search.run()
    chosen = search.best[0]
    second = search.best[1] if len(search.best) > 1 else None
    return Sourced(chosen, second, greedy, proven, chosen.score if proven else search.bound, search.nodes)


def _greedy(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> tuple[Candidate, ...]:
    """The rule people use: preferred and cheap locations first, each taken if it still adds something."""
    missing = {demand.sku: demand.quantity for demand in demands}
    used: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.priority, c.fixed_cost, c.days, c.id)):
        if objective.max_shipments is not None and len(used) >= objective.max_shipments:
            break
        gives = {sku: min(units, candidate.available.get(sku, ZERO)) for sku, units in missing.items()}
        if any(units > 0 for units in gives.values()):
            used.append(candidate)
            missing = {sku: units - max(gives[sku], ZERO) for sku, units in missing.items()}
    return tuple(used)


class _Search:
    """Branch and bound over the set of locations; keeps the best plan and the best other one."""

    def __init__(self, demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> None:
        self._demands = demands
        self._objective = objective
        # Locations that matter most first: good plans early, and bounds that bite.
        self._candidates = sorted(candidates, key=lambda c: (c.fixed_cost, c.priority, c.days, c.id))
        self._served: dict[tuple[str, frozenset[str]], _Served] = {}
        self.best: list[Plan] = []
        self.nodes = 0
        self.bound: Score = ()

    def run(self) -> bool:
        """Search; False when the budget ended it, then `bound` holds for everything not looked at."""
        stack: list[tuple[tuple[Candidate, ...], int]] = [((), 0)]
        open_bounds: list[Score] = []
        while stack:
            used, position = stack.pop()
            bound = self._bound(used, position)
            if self._hopeless(bound):
                continue
            if self.nodes >= self._objective.node_budget:
                open_bounds.append(bound)
                continue
            self.nodes += 1
            if position == len(self._candidates):
                self.offer(self.plan(used))
                continue
            stack.append((used, position + 1))
            limit = self._objective.max_shipments
            if limit is None or len(used) < limit:
                stack.append(((*used, self._candidates[position]), position + 1))
        self.bound = min([*open_bounds, self.best[0].score])
        return not open_bounds

    def offer(self, plan: Plan) -> None:
        """Keep the plan if it is the best, or the best other than it."""
        if any(dict(plan.quantities) == dict(known.quantities) for known in self.best):
            return
        self.best = sorted([*self.best, plan], key=_rank)[:2]

    def _hopeless(self, bound: Score) -> bool:
        return len(self.best) > 1 and bound > self.best[1].score

    def _bound(self, used: tuple[Candidate, ...], position: int) -> Score:
        """No plan that uses `used` and any of the candidates from `position` on scores less."""
        reachable = (*used, *self._candidates[position:])
        unfilled = ZERO
        variable = ZERO
        for demand in self._demands:
            served = self._cheapest(demand, reachable)
            unfilled += served.unfilled
            variable += served.cost
        if self._objective.ship_complete and unfilled:
            return self.plan(()).score
        return self._score(unfilled, used, variable)

    def plan(self, used: Sequence[Candidate]) -> Plan:
        """The best plan that may use these locations; those that serve nothing are not paid for."""
        while True:
            served = {demand.sku: self._cheapest(demand, used) for demand in self._demands}
            if self._objective.ship_complete and any(part.unfilled for part in served.values()):
                served = {demand.sku: _Served((), demand.quantity, ZERO) for demand in self._demands}
            names = {location for part in served.values() for location, _ in part.units}
            serving = tuple(sorted((c for c in used if c.id in names), key=lambda c: c.id))
            if len(serving) == len(used):
                break
            used = serving
        unfilled = {sku: part.unfilled for sku, part in served.items() if part.unfilled}
        variable = sum((part.cost for part in served.values()), ZERO)
        terms = [(f"{c.id}: {name}", amount) for c in serving for name, amount in c.fixed.items()]
        terms.append(("handling", variable))
        if len(serving) > 1:
            terms.append(("split penalty", self._objective.split_penalty * (len(serving) - 1)))
        quantities = {(sku, location): units for sku, part in served.items() for location, units in part.units}
        score = self._score(sum(unfilled.values(), ZERO), serving, variable)
        cost = sum((amount for _, amount in terms), ZERO)
        days = Decimal(sum(c.days for c in serving))
        priorities = Decimal(sum(c.priority for c in serving))
        ties = (priorities, days)
        locations = tuple(c.id for c in serving)
        return Plan(quantities, unfilled, locations, cost, (*score, *ties), tuple(terms))

    def _score(self, unfilled: Decimal, used: Sequence[Candidate], variable: Decimal) -> Score:
        penalty = self._objective.split_penalty * max(len(used) - 1, 0)
        cost = sum((c.fixed_cost for c in used), variable + penalty)
        if self._objective.mode == "lexicographic":
            return (unfilled, Decimal(sum(c.priority for c in used)), Decimal(len(used)), cost)
        return (unfilled, cost)

    def _cheapest(self, demand: Demand, used: Sequence[Candidate]) -> _Served:
        holding = [c for c in used if c.available.get(demand.sku, ZERO) > 0]
        key = (demand.sku, frozenset(c.id for c in holding))
        if key not in self._served:
            self._served[key] = _serve(demand, holding, self._objective.line_from_one_location)
        return self._served[key]


@dataclass(frozen=True, slots=True)
class _Served:
    units: tuple[tuple[str, Decimal], ...]
    unfilled: Decimal
    cost: Decimal


def _serve(demand: Demand, holding: Sequence[Candidate], one_location: bool) -> _Served:
    """Serve one demand from the given locations: most units first, then least handling, then the tie rule.

    Within a set of locations the cheapest unit goes first, so at most one gives less than it has. Sets are tried
    by size; a set is only tried while a smaller one might be dearer, which handling per line makes rare.
    """
    stock = {c.id: min(c.available[demand.sku], demand.quantity) for c in holding}
    reachable = min(sum(stock.values(), ZERO), demand.quantity)
    if one_location:
        reachable = max((units for units in stock.values()), default=ZERO)
        if reachable < demand.quantity:
            reachable = ZERO  # a line that must come from one location comes whole or not at all
    if reachable <= 0:
        return _Served((), demand.quantity, ZERO)
    cheap = sorted(holding, key=lambda c: (c.per_unit, c.per_line, c.priority, c.days, c.id))
    floor_unit = cheap[0].per_unit
    floor_line = min(c.per_line for c in cheap)
    best: tuple[Decimal, tuple[int, int, tuple[str, ...]]] | None = None
    units: tuple[tuple[str, Decimal], ...] = ()
    for size in range(1, (1 if one_location else len(cheap)) + 1):
        if best is not None and floor_unit * reachable + floor_line * size > best[0]:
            break
        for chosen in _sets(cheap, size):
            if sum((stock[c.id] for c in chosen), ZERO) < reachable:
                continue
            given = _fill(chosen, stock, reachable)
            names = {location for location, _ in given}
            paid = [c for c in chosen if c.id in names]
            by_id = dict(given)
            cost = sum((c.per_line + c.per_unit * by_id[c.id] for c in paid), ZERO)
            tie = (sum(c.priority for c in paid), sum(c.days for c in paid), tuple(sorted(names)))
            if best is None or (cost, tie) < best:
                best, units = (cost, tie), given
    assert best is not None, "all locations together reach what is reachable"
    return _Served(units, demand.quantity - reachable, best[0])


def _sets(cheap: Sequence[Candidate], size: int) -> Iterable[tuple[Candidate, ...]]:
    return itertools.combinations(cheap, size)


def _fill(
    chosen: Sequence[Candidate], stock: Mapping[str, Decimal], quantity: Decimal
) -> tuple[tuple[str, Decimal], ...]:
    given: list[tuple[str, Decimal]] = []
    for candidate in chosen:
        part = min(stock[candidate.id], quantity)
        if part > 0:
            given.append((candidate.id, part))
            quantity -= part
    return tuple(given)


def _rank(plan: Plan) -> tuple[Score, tuple[str, ...], tuple[tuple[tuple[str, str], Decimal], ...]]:
    return plan.score, plan.locations, tuple(sorted(plan.quantities.items()))
