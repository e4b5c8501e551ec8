"""Sourcing: which locations are asked for what of an order, what the solver chose, and the decision kept.

Candidates and their exclusions come from the rules and the stock; nothing is reserved here (`allocate` does).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hub.domain.events import Fact
from hub.domain.fulfilment import WorkState
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.sourcing import EFFORT_PER_SECOND, Candidate, Demand, Exclusion, Objective, Plan, Sourced, source
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.desk.times import instant, instant_text
from hub.oms.intake.groups import DeliveryGroup
from hub.oms.ports import Strategy
from hub.oms.sourcing.candidates import demands_of, find_candidates, items_of
from hub.oms.sourcing.routing import choose_strategy

ZERO = Decimal(0)
RESOURCE_LIMIT = 5
"""Times an order is sourced again after shorts and rejections before a person must look."""
RESOURCED = "resourced"
"""Order fact: how often it was."""


@dataclass(frozen=True, slots=True)
class Sourcing:
    """A decision before it is kept: what was found, for what, and by which rule and strategy."""

    rule: str
    demands: tuple[Demand, ...]
    candidates: tuple[Candidate, ...]
    exclusions: tuple[Exclusion, ...]
    result: Sourced

    @property
    def plan(self) -> Plan:
        return self.result.chosen


def find_plan(
    case: Case,
    group: DeliveryGroup,
    lines: Sequence[OrderLine],
    pool: Mapping[str, Decimal],
    without: Mapping[str, str] | None = None,
    standing: int | None = None,
) -> Sourcing:
    """Where `pool` (line id -> units) of a group's lines should come from; lines of one SKU are one demand. `without`:
    location -> why it is not asked, beside those that could not deliver a while ago. `standing`: shipments that stay
    whatever is decided; None: those of the order's work."""
    strategy_id, rule_id = choose_strategy(case, group.method)
    strategy = case.rules.strategies[strategy_id]
    items = items_of(case, lines)
    demands = demands_of(lines, pool, items)
    found = find_candidates(case, strategy, group, lines, demands, items, {**_excluded(case), **(without or {})})
    candidates, exclusions = _at_the_store(group, demands, *found)
    objective = objective_of(strategy)
    if strategy.max_shipments is not None:
        most = strategy.max_shipments + int(case.order.facts.get(MORE_SHIPMENTS, 0))
        stands = shipments_of(case, group.method) if standing is None else standing
        objective = replace(objective, max_shipments=max(most - stands, 0))
        if stands >= most:
            exclusions = [*exclusions, *(_one_too_many(one, most) for one in candidates)]
            candidates = []
    result = source(demands, candidates, objective)
    return Sourcing(f"{rule_id}/{strategy_id}", demands, tuple(candidates), tuple(exclusions), result)


MORE_SHIPMENTS = "more_shipments"
"""Order fact: shipments that a person allowed beyond what its strategy does."""


def shipments_of(case: Case, method: str) -> int:
    """Shipments that the order has or will have by a method; work given back or cancelled as a whole is none."""
    nothing = (WorkState.REJECTED, WorkState.CANCELLED)
    return sum(1 for work in case.work if work.method == method and work.state not in nothing)


def _one_too_many(candidate: Candidate, most: int) -> Exclusion:
    return Exclusion(candidate.id, "max_shipments", f"the order has the {most} shipments that it may have")


def objective_of(strategy: Strategy) -> Objective:
    """What the solver makes small under a strategy."""
    return Objective(
        mode=strategy.objective,
        max_shipments=strategy.max_shipments,
        ship_complete=strategy.ship_complete,
        line_from_one_location=strategy.line_from_one_location,
        split_penalty=strategy.split_penalty,
        least_value=strategy.min_shipment_value,
        effort=round(strategy.time_budget.total_seconds() * EFFORT_PER_SECOND),
    )


def _at_the_store(
    group: DeliveryGroup, demands: Sequence[Demand], candidates: list[Candidate], exclusions: list[Exclusion]
) -> tuple[list[Candidate], list[Exclusion]]:
    """Nothing is brought to a store from elsewhere that the store has itself."""
    there = next((one for one in candidates if one.id == group.store), None)
    if there is None or any(there.available.get(one.sku, ZERO) < one.quantity for one in demands):
        return candidates, exclusions
    others = [Exclusion(one.id, "at_the_store", "the store has it itself") for one in candidates if one is not there]
    return [there], [*exclusions, *others]


def _excluded(case: Case) -> dict[str, str]:
    found = {}
    for exclusion in case.order.facts.get("exclusions", ()):
        until = instant(exclusion["until"])
        if until is not None and until > case.now:
            found[exclusion["location"]] = f"{exclusion['reason']}, until {exclusion['until']}"
    return found


def exclude_location(case: Case, location: str, reason: str) -> None:
    """Do not ask a location again for this order for a while: it has just said that it cannot."""
    over = case.now + dt.timedelta(hours=case.rules.silence_hours)
    until = instant_text(over)
    if int(case.order.facts.get(RESOURCED, 0)) < RESOURCE_LIMIT:  # then a person decides, and time changes nothing
        case.task("allocate", case.order.id, over, "exclusion", location)
    others = [item for item in case.order.facts.get("exclusions", ()) if item["location"] != location]
    entry = {"location": location, "reason": reason, "until": until}
    case.order.facts = {**case.order.facts, "exclusions": [*others, entry]}


def source_again(case: Case, why: str) -> None:
    """Ask for the remainder to be sourced again, a bounded number of times."""
    count = int(case.order.facts.get(RESOURCED, 0)) + 1
    case.order.facts = {**case.order.facts, RESOURCED: count}
    if count > RESOURCE_LIMIT:
        case.raise_exception(
            f"resource-limit/{case.order.id}",
            "resource_limit",
            "An order was sourced again too often",
            f"{count} locations in a row could not deliver ({why}).",
            "Ask the locations and check the stock of its SKUs; then have it sourced anew, or cancel what is left.",
            f"hub orders reroute {case.order.id} --reason WHY",
        )
        return
    case.task("resource", case.order.id, case.now, str(count))


def waits_for_a_person(case: Case) -> bool:
    """It was turned down so often that neither time nor stock has it sourced again."""
    return f"resource-limit/{case.order.id}" in case.raised


def keep(case: Case, sourcing: Sourcing) -> None:
    """Store the decision with everything that explains it."""
    chosen = sourcing.result.chosen
    row = {
        "id": case.new_id("sd", case.order.id),
        "order_id": case.order.id,
        "cause": case.cause,
        "document": document_of(case, sourcing),
        "at": case.now,
    }
    case.decision.writes.insert("sourcing_decisions", row)
    if not chosen.unfilled:
        case.clear_exception(f"unfillable/{case.order.id}", "allocated")
        case.clear_exception(f"shipment-limit/{case.order.id}", "allocated")
    elif any(exclusion.code == "max_shipments" for exclusion in sourcing.exclusions):
        _too_many_shipments(case, sourcing)
    elif case.order.facts.get(RESOURCED):
        _nothing_left(case, chosen)
    fact = Fact.ORDER_BACKORDERED if chosen.unfilled else Fact.ORDER_ALLOCATED
    tell(case, fact, locations=",".join(chosen.locations))


def document_of(case: Case, sourcing: Sourcing) -> dict[str, Any]:
    """A decision as it is stored; hub.views.explain says it in words."""
    result = sourcing.result
    chosen = result.chosen
    return {
        "rule": sourcing.rule,
        "revision": case.rules.revision,
        "demands": {demand.sku: decimal_text(demand.quantity) for demand in sourcing.demands},
        "candidates": [
            {
                "location": candidate.id,
                "available": {sku: decimal_text(units) for sku, units in sorted(candidate.available.items())},
                "cost": {name: decimal_text(amount) for name, amount in candidate.fixed.items()},
                "per_line": decimal_text(candidate.per_line),
                "per_unit": decimal_text(candidate.per_unit),
                "priority": candidate.priority,
                "days": candidate.days,
                **({"carrier": _steps(candidate)} if candidate.carrier else {}),
                **_terms("line_terms", candidate.line_terms),
                **_terms("unit_terms", candidate.unit_terms),
            }
            for candidate in sourcing.candidates
        ],
        "exclusions": [_excluded_as(exclusion) for exclusion in sourcing.exclusions],
        "plan": _plan(chosen),
        "second_best": _plan(result.second) if result.second else None,
        "greedy": {"cost": decimal_text(result.greedy.cost), "locations": list(result.greedy.locations)},
        "proven": result.proven,
        "bound": [decimal_text(part) for part in result.bound],
        "effort": result.effort,
    }


def _excluded_as(exclusion: Exclusion) -> dict[str, str]:
    said = {"location": exclusion.location, "code": exclusion.code, "detail": exclusion.detail}
    return said | ({"until": instant_text(exclusion.until)} if exclusion.until else {})


def _nothing_left(case: Case, plan: Plan) -> None:
    missing = ", ".join(f"{decimal_text(units)} of {sku}" for sku, units in sorted(plan.unfilled.items()))
    case.raise_exception(
        f"unfillable/{case.order.id}",
        "unfillable",
        "No location can deliver what another gave back",
        f"{missing} wait for stock.",
        "They are allocated when stock comes. Or tell the customer and cancel them.",
        f"hub orders show {case.order.id} --why",
    )


def _too_many_shipments(case: Case, sourcing: Sourcing) -> None:
    missing = ", ".join(f"{decimal_text(units)} of {sku}" for sku, units in sorted(sourcing.plan.unfilled.items()))
    have = ", ".join(one.location for one in sourcing.exclusions if one.code == "max_shipments")
    case.raise_exception(
        f"shipment-limit/{case.order.id}",
        "shipment_limit",
        "The rest of an order would need more shipments than it may have",
        f"{missing} are left; {have} could send some, but {sourcing.rule.partition('/')[2]} allows no more shipments.",
        "Allow one more, or cancel what is left.",
        f"hub orders reroute {case.order.id} --more-shipments 1 --reason WHY",
    )


def _steps(candidate: Candidate) -> list[list[str]]:
    return [[decimal_text(step.grams), decimal_text(step.amount)] for step in candidate.carrier]


def _terms(name: str, terms: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Any]:
    """By SKU; nothing where there are none."""
    said = {sku: {term: decimal_text(amount) for term, amount in of.items()} for sku, of in sorted(terms.items())}
    return {name: said} if said else {}


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "quantities": [
            {"sku": sku, "location": location, "quantity": decimal_text(units)}
            for (sku, location), units in sorted(plan.quantities.items())
        ],
        "unfilled": {sku: decimal_text(units) for sku, units in sorted(plan.unfilled.items())},
        "cost": decimal_text(plan.cost),
        "terms": [[name, decimal_text(amount)] for name, amount in plan.terms],
        "locations": list(plan.locations),
        "days": plan.days,
    }
