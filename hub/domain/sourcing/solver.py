"""The solver: branch and bound over which locations are used.

Whether a location is used is decided one location at a time. What the undecided rest costs at least is bounded by
raising a price for a unit of each demand as far as the locations' costs allow (dual ascent, Erlenkotter 1978, with
what each location has as its share of a demand); a location whose use would lift that bound above the best plan known
is out at once. Given the locations, hub.domain.sourcing.assign deals the demands out.

Beyond its effort the solver answers with the best plan found and the least bound of what it has not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hub.domain.sourcing.assign import Dealer, Dealt
from hub.domain.sourcing.plan import Candidate, Demand, Objective, Plan, Score, Sourced
from hub.domain.sourcing.problem import Problem

ZERO = Decimal(0)
FREE, OPEN, CLOSED = 0, 1, 2
MOST_TRIED = 8
"""Locations that are tried beside those of a good plan, those first that the prices point at."""
SECOND_BEST_SHARE = 4
"""The second best may take this part of the effort again, for each location it does without."""


def source(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> Sourced:
    """The best plan for the demands. Deterministic: the same arguments, in any order, give the same answer."""
    demands = sorted(demands, key=lambda demand: demand.sku)
    useful = sorted(
        (c for c in candidates if any(c.available.get(d.sku, ZERO) > 0 for d in demands)), key=lambda c: c.id
    )
    if objective.mode == "speed":
        return _soonest(demands, useful, objective)
    return _cheapest(demands, useful, objective)


def _cheapest(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> Sourced:
    search = _Search(Problem(demands, candidates, objective))
    thumb = search.rule_of_thumb()
    best, bound = search.run((), objective.effort, thumb)
    second: Dealt | None = None
    for without in best.used:
        found, _ = search.run((without,), objective.effort // SECOND_BEST_SHARE, second)
        second = found if second is None or found.number < second.number else second
    if second is not None and second.number < best.number:  # only where the effort ended the search
        best, second = second, best
    proven = bound >= best.number
    chosen = search.plan(best)
    other = search.plan(second) if second is not None and second.used else None
    # What people do is often one of the two.
    known = {dealt.ways: plan for dealt, plan in ((best, chosen), (second, other)) if dealt is not None and plan}
    return Sourced(
        chosen=chosen,
        second=other,
        greedy=known.get(thumb.ways) or search.plan(thumb),
        proven=proven,
        bound=chosen.score if proven else search.problem.bound_score(bound),
        effort=search.effort,
    )


def _soonest(demands: Sequence[Demand], candidates: Sequence[Candidate], objective: Objective) -> Sourced:
    """The earliest day by which as much as possible arrives, and the cheapest plan that keeps it.

    Locations that arrive later are left out, day by day from the earliest on, until as much can be given as with all.
    """
    days = sorted({c.days for c in candidates})
    by_cost = replace(objective, mode="cost", effort=objective.effort // (len(days) + 1))
    anyhow = _cheapest(demands, candidates, by_cost)
    missing, effort, early = anyhow.chosen.score[0], anyhow.effort, anyhow
    proven = True
    for day in days:
        early = _cheapest(demands, [c for c in candidates if c.days <= day], by_cost)
        effort += early.effort
        if early.chosen.score[0] <= missing:
            break
        proven &= early.proven
    proven &= anyhow.proven and early.proven
    found = [_dated(plan) for plan in (early.chosen, early.second, anyhow.chosen, anyhow.second) if plan is not None]
    greedy = min(_dated(anyhow.greedy), _dated(early.greedy), key=lambda plan: plan.score)
    chosen = min([*found, greedy], key=lambda plan: plan.score)
    others = [plan for plan in found if plan.quantities and plan.quantities != chosen.quantities]
    bound = chosen.score if proven else (anyhow.bound[0],)
    return Sourced(chosen, others[0] if others else None, greedy, proven, bound, effort)


def _dated(plan: Plan) -> Plan:
    return replace(plan, score=(plan.score[0], Decimal(plan.days), *plan.score[1:]))


class _Search:
    """One problem, searched once for the best plan and again without each location of it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._dealer = Dealer(problem)
        self._looked = 0
        self._costs = [self._prices(demand) for demand in range(len(problem.wanted))]

    @property
    def effort(self) -> int:
        return self._looked + self._dealer.effort

    def _prices(self, demand: int) -> list[tuple[int, int, int]]:
        """(least price of a unit, candidate, units it has) of a demand, the cheapest first."""
        problem = self.problem
        units, unit, line = problem.units[demand], problem.unit[demand], problem.line[demand]
        grams = problem.grams[demand]
        wanted = problem.wanted[demand]
        found = [
            (unit[c] + line[c] // min(units[c], wanted) + problem.per_gram[c] * grams, c, min(units[c], wanted))
            for c in range(len(units))
            if units[c] > 0
        ]
        return sorted(found)

    def rule_of_thumb(self) -> Dealt:
        """What people do: preferred and cheap locations first, each taken if it still adds something."""
        problem = self.problem
        missing = list(problem.wanted)
        ways: list[list[tuple[int, int]]] = [[] for _ in missing]
        used = 0
        ranked = sorted(
            range(len(problem.candidates)),
            key=lambda c: (problem.candidates[c].priority, problem.open[c], c),
        )
        for c in ranked:
            gives = [min(units[c], left) for units, left in zip(problem.units, missing, strict=True)]
            if any(gives) and used < problem.limit:
                used += 1
                missing = [left - given for left, given in zip(missing, gives, strict=True)]
                for way, given in zip(ways, gives, strict=True):
                    way += [(c, given)] if given else []
        return self._dealer.price([tuple(way) for way in ways])

    def run(self, closed: Sequence[int], effort: int, known: Dealt | None = None) -> tuple[Dealt, int]:
        """The best plan without `closed` and what no plan without them can be below. `known` is one to beat."""
        limit, complete = self.effort + effort, self.problem.objective.ship_complete
        state = [CLOSED if c in closed else FREE for c in range(len(self.problem.candidates))]
        best = self._dealer.nothing()
        for dealt in [*self._dealer.known.values(), *([known] if known else ())]:
            if dealt.number < best.number and not any(c in closed for c in dealt.used):
                best = dealt
        left: list[int] = []
        stack: list[tuple[list[int], tuple[int, ...], int]] = []
        if not (self.problem.never and self.problem.objective.ship_complete):
            best = self._improve(best, state)
            stack.append((state, (), 0))
        while stack:
            state, used, floor = stack.pop()
            if floor >= best.number:
                continue
            if self.effort >= limit:
                left.append(floor)
                continue
            priced, slack = self._bound(state, used, best.number)
            bound = max(priced, floor)
            if bound < best.number:
                bound = max(bound, self._fewest(state, used, self.problem.limit - len(used)))
            if bound >= best.number or (complete and bound >= self.problem.missing):
                continue
            dealt = self._dealer.deal(used, best.number)
            if dealt.number < best.number:
                best = dealt
            if not dealt.exact:
                left.append(bound)
            # Slack is what the prices leave of an opening: it adds to their bound, to no other.
            free = [c for c, now in enumerate(state) if now == FREE and priced + slack[c] < best.number]
            if not free or len(used) >= self.problem.limit or bound >= best.number:
                continue
            if len(free) < state.count(FREE):
                state = [FREE if c in free else (OPEN if now == OPEN else CLOSED) for c, now in enumerate(state)]
            branch = min(free, key=lambda c: (slack[c] - self.problem.least_open[c], c))
            without, using = state.copy(), state.copy()
            without[branch], using[branch] = CLOSED, OPEN
            stack.append((without, used, bound))
            stack.append((using, tuple(sorted((*used, branch))), bound))
        return best, min([*left, best.number])

    def _improve(self, best: Dealt, state: list[int]) -> Dealt:
        """A good plan to begin with: the best location alone, then more of them while that helps."""
        free = [c for c, now in enumerate(state) if now == FREE]
        used: tuple[int, ...] = ()
        while len(used) < self.problem.limit:
            tried = [self._dealer.deal(tuple(sorted((*used, c))), best.number) for c in free if c not in used]
            found = min(tried, key=lambda dealt: dealt.number, default=best)
            if found.number < best.number:
                best = found
            elif used:
                break
            else:
                found = best
            priced, slack = self._bound(state, (), best.number)
            if priced >= best.number or self._fewest(state, (), self.problem.limit) >= best.number:
                break
            if not found.used:
                break
            used = found.used
            free = sorted((c for c in free if priced + slack[c] < best.number), key=lambda c: (slack[c], c))[
                :MOST_TRIED
            ]
        return best

    def _bound(self, state: list[int], used: tuple[int, ...], enough: int) -> tuple[int, list[int]]:
        """No plan of these `used` and any of the free ones is below this; beside it, what of each location's opening
        cost the prices leave unused."""
        problem = self.problem
        slack = problem.least_open.copy()
        total = sum(slack[c] for c in used) - problem.penalty
        top = problem.missing
        rising: list[tuple[int, int, int, list[tuple[int, int, int]], list[tuple[int, int]]]] = []
        for entries, wanted in zip(self._costs, problem.wanted, strict=True):
            if not wanted:
                continue
            here = [entry for entry in entries if state[entry[1]] != CLOSED]
            self._looked += len(entries)
            price = here[0][0] if here else top
            total += wanted * price
            here.append((top, -1, 0))
            rising.append((price, wanted, 0, here, []))
        while rising:
            going = []
            for entry in rising:
                price, slope, at, here, joined = entry
                while here[at][0] <= price and here[at][1] >= 0:
                    _, c, units = here[at]
                    if state[c] == OPEN:
                        slope -= units
                    else:
                        joined.append((c, units))
                    at += 1
                if slope <= 0 or price >= top:
                    continue
                rise = here[at][0] - price
                self._looked += len(joined)
                full = rise
                for c, units in joined:
                    if slack[c] < units * rise:
                        rise = slack[c] // units
                if rise > 0:
                    for c, units in joined:
                        slack[c] -= units * rise
                    total += slope * rise
                    if total >= enough:
                        return total, slack
                if rise == full:
                    going.append((price + rise, slope, at, here, joined))
            rising = going
        return total, slack

    def _fewest(self, state: list[int], used: tuple[int, ...], more: int) -> int:
        """What must be missing with so few more locations; 0 where the number of shipments limits nothing."""
        problem = self.problem
        if more >= state.count(FREE):
            return 0
        gains = [0] * len(state)
        missing = 0
        for units, wanted in zip(problem.units, problem.wanted, strict=True):
            lacks = wanted - sum(units[c] for c in used)
            if lacks > 0:
                missing += lacks
                for c, now in enumerate(state):
                    if now == FREE:
                        gains[c] += min(units[c], lacks)
        self._looked += len(state)
        most = sum(sorted(gains, reverse=True)[:more])
        return max(missing - most, 0) * problem.missing

    def plan(self, dealt: Dealt) -> Plan:
        """In the words of the caller, with every cost term."""
        problem, objective = self.problem, self.problem.objective
        quantities: dict[tuple[str, str], Decimal] = {}
        unfilled: dict[str, Decimal] = {}
        terms: list[tuple[str, Decimal]] = []
        grams = dict.fromkeys(dealt.used, ZERO)
        handling: dict[str, Decimal] = {}
        for demand, way in zip(problem.demands, dealt.ways, strict=True):
            left = demand.quantity
            for number, part in way:
                c, units = problem.candidates[number], Decimal(part) / problem.scale
                quantities[(demand.sku, c.id)] = units
                left -= units
                grams[number] += demand.grams * units
                _add(handling, "handling", c.per_line + c.per_unit * units)
                for name, amount in c.line_terms.get(demand.sku, {}).items():
                    _add(handling, f"{c.id}: {name}", amount)
                for name, amount in c.unit_terms.get(demand.sku, {}).items():
                    _add(handling, f"{c.id}: {name}", amount * units)
            if left > 0:
                unfilled[demand.sku] = left
        used = [problem.candidates[number] for number in dealt.used]
        for number, c in zip(dealt.used, used, strict=True):
            terms += [(f"{c.id}: {name}", amount) for name, amount in c.fixed.items()]
            if c.carrier:
                terms.append((f"{c.id}: carrier", c.carriage(grams[number])))
        terms += handling.items()
        if len(used) > 1:
            terms.append(("split penalty", objective.split_penalty * (len(used) - 1)))
        cost = sum((amount for _, amount in terms), ZERO)
        return Plan(
            quantities=quantities,
            unfilled=unfilled,
            locations=tuple(c.id for c in used),
            cost=cost,
            score=self._score(sum(unfilled.values(), ZERO), used, cost),
            terms=tuple(terms),
            days=max((c.days for c in used), default=0),
        )

    def _score(self, missing: Decimal, used: Sequence[Candidate], cost: Decimal) -> Score:
        priorities, days = Decimal(sum(c.priority for c in used)), Decimal(sum(c.days for c in used))
        if self.problem.objective.mode == "lexicographic":
            return (missing, priorities, Decimal(len(used)), cost, days)
        return (missing, cost, priorities, days)


def _add(amounts: dict[str, Decimal], name: str, amount: Decimal) -> None:
    amounts[name] = amounts.get(name, ZERO) + amount
