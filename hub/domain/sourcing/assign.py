"""Given the locations that may be used: who gives how much of what.

A SKU is dealt out so that every location that gives of it gives all it has, but one: nobody splits a SKU that one of
them has whole, unless another has it cheaper in part. Without weight steps and a least value every demand is dealt out
on its own, and that is the best there is; with them the demands are dealt out together.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from hub.domain.sourcing.problem import Problem

Way = tuple[tuple[int, int], ...]
"""((candidate, units), ...) of one demand."""
MOST_SETS = 4_000
"""Sets of locations looked at for one demand before the rule of thumb deals it out."""
MOST_STEPS = 20_000
"""Ways looked at together before the best one found counts."""
STEP_EFFORT = 3
"""Pairs that looking at one way counts as."""
MOST_TOGETHER = 40
"""Demands beyond which each is dealt out on its own, whatever their weight together costs."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """`number` is the objective (see problem); `exact` False: there may be a better way to use these locations."""

    number: int
    used: tuple[int, ...]
    ways: tuple[Way, ...]
    exact: bool = True


class Dealer:
    """Deals out; remembers what it has dealt. `effort` counts the pairs it looked at."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._alone: dict[tuple[int, tuple[int, ...]], tuple[int, Way, bool]] = {}
        self._listed: dict[tuple[int, tuple[int, ...]], list[tuple[int, Way]]] = {}
        self._single: dict[int, Dealt] = {}
        self._coupled: dict[tuple[int, ...], tuple[Dealt, int]] = {}
        self.known: dict[tuple[int, ...], Dealt] = {}
        self.effort = 0

    def deal(self, allowed: tuple[int, ...], beat: int | None = None) -> Dealt:
        """The best use of these candidates, given in rising order; nothing where none is below `beat`.

        Alone, those that give nothing are not paid for; together, a use that leaves one out is left to the call
        without it.
        """
        if len(allowed) == 1:
            found = self._single.get(allowed[0])
            if found is None:
                found = self._single[allowed[0]] = self._fitting(self._by_one(allowed[0]))
                if found.used or not self._problem.coupled:
                    self.known[allowed] = found
            return found
        if not self._problem.coupled:
            found = self.known.get(allowed)
            if found is None:
                found = self.known[allowed] = self._fitting(self._apart(allowed))
            return found
        nothing = self.nothing()
        beat = nothing.number if beat is None else beat
        found, below = self._coupled.get(allowed, (nothing, -1))
        if below < beat and (below < 0 or found.number >= below):
            found = self._fitting(self._together(allowed, beat))
            self._coupled[allowed] = (found, beat)
            if found.used:
                self.known[allowed] = found
        return found

    def price(self, ways: list[Way]) -> Dealt:
        """What dealing out like this is worth; nothing where the objective forbids it."""
        problem = self._problem
        used = tuple(sorted({c for way in ways for c, _ in way}))
        number = sum(problem.open[c] for c in used) - (problem.penalty if used else 0)
        for demand, way in enumerate(ways):
            unit, line = problem.unit[demand], problem.line[demand]
            number += (problem.wanted[demand] - sum(units for _, units in way)) * problem.missing
            number += sum(line[c] + unit[c] * units for c, units in way)
        if problem.coupled:
            grams, worth = dict.fromkeys(used, 0), dict.fromkeys(used, 0)
            for demand, way in enumerate(ways):
                for c, units in way:
                    grams[c] += units * problem.grams[demand]
                    worth[c] += units * problem.value[demand]
            number += sum(_step(problem.steps[c], grams[c]) for c in used)
            if len(used) > 1 and min(worth.values()) < problem.least_value:
                return self.nothing()
        return self._fitting(Dealt(number, used, tuple(ways)))

    def nothing(self) -> Dealt:
        """The plan that uses nobody."""
        problem = self._problem
        return Dealt(sum(problem.wanted) * problem.missing, (), ((),) * len(problem.wanted))

    def _fitting(self, dealt: Dealt) -> Dealt:
        """Where all of an order is wanted at once, less of it is nothing."""
        problem = self._problem
        whole = not problem.never and dealt.number < problem.missing
        too_many = len(dealt.used) > problem.limit
        return self.nothing() if too_many or (problem.objective.ship_complete and not whole) else dealt

    def _apart(self, allowed: tuple[int, ...]) -> Dealt:
        problem = self._problem
        number, used, ways, exact = 0, set[int](), [], True
        for demand, units in enumerate(problem.units):
            holding = tuple(c for c in allowed if units[c] > 0)
            self.effort += len(allowed)
            key = (demand, holding)
            found = self._alone.get(key)
            if found is None:
                found = self._alone[key] = self._one(demand, holding)
            cost, way, best = found
            number += cost
            exact &= best
            ways.append(way)
            used.update(c for c, _ in way)
        number += sum(problem.open[c] for c in used) - (problem.penalty if used else 0)
        return Dealt(number, tuple(sorted(used)), tuple(ways), exact)

    def _by_one(self, c: int) -> Dealt:
        """Everything that one location has; nothing where it may give of nothing."""
        problem = self._problem
        number, grams = problem.open[c] - problem.penalty, 0
        ways: list[Way] = []
        self.effort += len(problem.wanted)
        for demand, wanted in enumerate(problem.wanted):
            given = min(problem.units[demand][c], wanted)
            number += (wanted - given) * problem.missing
            if given:
                number += problem.line[demand][c] + problem.unit[demand][c] * given
                grams += given * problem.grams[demand]
            ways.append(((c, given),) if given else ())
        if not any(ways):
            return self.nothing()
        return Dealt(number + _step(problem.steps[c], grams), (c,), tuple(ways))

    def _one(self, demand: int, holding: tuple[int, ...]) -> tuple[int, Way, bool]:
        """The cheapest handling of as much as these have together: (part of the number, way, whether it is exact)."""
        problem = self._problem
        units, unit, line = problem.units[demand], problem.unit[demand], problem.line[demand]
        wanted = problem.wanted[demand]
        reach = min(sum(units[c] for c in holding), wanted)
        missing = (wanted - reach) * problem.missing
        if reach <= 0:
            return missing, (), True
        tie = problem.open  # where handling is the same, what is cheaper, preferred and earlier gives first
        cheap = sorted(holding, key=lambda c: (unit[c], line[c], tie[c]))
        if units[cheap[0]] >= reach and line[cheap[0]] == min(line[c] for c in cheap):
            return missing + line[cheap[0]] + unit[cheap[0]] * reach, ((cheap[0], reach),), True
        floor_line = min(line[c] for c in cheap)
        fewest, have = 0, 0
        for size in sorted((units[c] for c in cheap), reverse=True):
            if have >= reach:
                break
            fewest, have = fewest + 1, have + size
        best: tuple[int, Way] | None = None
        looked = 0
        for size in range(fewest, len(cheap) + 1):
            if best is not None and unit[cheap[0]] * reach + floor_line * size >= best[0]:
                break
            for chosen in itertools.combinations(cheap, size):
                looked += 1
                if looked > MOST_SETS:
                    break
                way = _fill(chosen, units, reach)
                if way is None:
                    continue
                cost = sum(line[c] + unit[c] * given for c, given in way)
                if best is None or cost < best[0]:
                    best = cost, way
        self.effort += looked
        if best is None:
            largest = sorted(cheap, key=lambda c: (-units[c], unit[c], line[c], tie[c]))
            way = _fill(tuple(largest), units, reach) or ()
            best = sum(line[c] + unit[c] * given for c, given in way), way
        return missing + best[0], best[1], looked <= MOST_SETS

    def _together(self, allowed: tuple[int, ...], beat: int) -> Dealt:
        """Deal out all demands at once, because the weight or the value of a shipment counts as a whole."""
        problem = self._problem
        opening = sum(problem.open[c] for c in allowed) - (problem.penalty if allowed else 0)
        if opening >= beat or not allowed:
            return self.nothing()
        if opening + sum(self._at_least(demand, allowed) for demand in range(len(problem.wanted))) >= beat:
            return self.nothing()
        if len(problem.wanted) > MOST_TOGETHER:
            return replace(self.price(list(self._apart(allowed).ways)), exact=False)
        listed = [self._ways(demand, allowed) for demand in range(len(problem.wanted))]
        order = sorted(range(len(listed)), key=lambda d: (-problem.grams[d] * problem.wanted[d], len(listed[d]), d))
        ranked = [listed[demand] for demand in order]
        behind = [sum(ways[0][0] for ways in ranked[at:]) for at in range(len(order) + 1)]
        grams, worth = [0] * len(problem.open), [0] * len(problem.open)
        chosen: list[Way] = [()] * len(order)
        best: list[Way] | None = None
        steps = 0

        def descend(at: int, number: int) -> None:
            nonlocal best, beat, steps
            if at == len(order):
                least = problem.least_value if len(allowed) > 1 else 0
                if all(worth[c] >= least for c in allowed) and {c for way in chosen for c, _ in way} == all_of_them:
                    best, beat = chosen.copy(), number
                return
            demand = order[at]
            each, value = problem.grams[demand], problem.value[demand]
            for cost, way in ranked[at]:
                steps += 1
                more = number + cost
                if more + behind[at + 1] >= beat or steps > MOST_STEPS:
                    return  # the ways after this one cost more
                for c, units in way:
                    before = grams[c]
                    grams[c] = before + units * each
                    worth[c] += units * value
                    if problem.steps[c]:
                        more += _step(problem.steps[c], grams[c]) - _step(problem.steps[c], before)
                if more + behind[at + 1] < beat:
                    chosen[demand] = way
                    descend(at + 1, more)
                for c, units in way:
                    grams[c] -= units * each
                    worth[c] -= units * value

        all_of_them = set(allowed)
        descend(0, opening)
        self.effort += steps * STEP_EFFORT
        found = self.nothing() if best is None else Dealt(beat, allowed, tuple(best))
        return found if steps <= MOST_STEPS else replace(found, exact=False)

    def _at_least(self, demand: int, allowed: tuple[int, ...]) -> int:
        """What serving a demand from these costs at least."""
        problem = self._problem
        units, unit, line = problem.units[demand], problem.unit[demand], problem.line[demand]
        self.effort += len(allowed)
        left = problem.wanted[demand]
        least = lines = -1
        for c in allowed:
            if units[c]:
                left -= units[c]
                least = unit[c] if least < 0 else min(least, unit[c])
                lines = line[c] if lines < 0 else min(lines, line[c])
        missing = max(left, 0)
        served = problem.wanted[demand] - missing
        return missing * problem.missing + (served * least + lines if served else 0)

    def _ways(self, demand: int, allowed: tuple[int, ...]) -> list[tuple[int, Way]]:
        """Every way to serve a demand, the cheapest first; less than can be had only where value counts."""
        problem = self._problem
        units, unit, line = problem.units[demand], problem.unit[demand], problem.line[demand]
        wanted = problem.wanted[demand]
        holding = tuple(c for c in allowed if units[c] > 0)
        self.effort += len(allowed)
        found = self._listed.get((demand, holding))
        if found is not None:
            return found
        reach = min(sum(units[c] for c in holding), wanted)
        ways: set[Way] = set()
        for size in range(len(holding) + 1):
            for chosen in itertools.combinations(holding, size):
                have = sum(units[c] for c in chosen)
                if have < reach and problem.objective.least_value <= 0:
                    continue
                if len(ways) > MOST_STEPS:
                    break
                ways.update(_deal_out(chosen, units, min(have, wanted)))
        priced = [
            ((wanted - sum(n for _, n in way)) * problem.missing + sum(line[c] + unit[c] * n for c, n in way), way)
            for way in ways
        ]
        found = self._listed[(demand, holding)] = sorted(priced)
        return found


def _fill(chosen: tuple[int, ...], units: list[int], reach: int) -> Way | None:
    """Each in turn gives all it has; None where they do not have enough."""
    way = []
    for c in chosen:
        given = min(units[c], reach)
        if given > 0:
            way.append((c, given))
            reach -= given
    return tuple(way) if not reach else None


def _deal_out(chosen: tuple[int, ...], units: list[int], reach: int) -> list[Way]:
    """Every way in which all of them give something and all but one all they have."""
    have = sum(units[c] for c in chosen)
    if have == reach:
        return [tuple((c, units[c]) for c in chosen)]
    over = have - reach
    return [tuple((c, units[c] - (over if c == one else 0)) for c in chosen) for one in chosen if units[one] > over]


def _step(steps: list[tuple[int, int]], grams: int) -> int:
    for limit, amount in steps:
        if grams <= limit:
            return amount
    return steps[-1][1] if steps else 0
