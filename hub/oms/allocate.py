"""Allocating: find locations for what is open and reserve it there softly, with the decision kept.

Until an order is confirmed its allocation is recomputed as a whole from what is wanted now, its own soft reservations
counting as free: the result depends on the order and the stock, not on the way they came about. After confirmation
only what is open is allocated, and its work is planned at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain import sourcing
from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.snapshot import Snapshot
from hub.domain.sourcing import Candidate, Demand, Exclusion, Facts, Objective, Plan, Sourced, Wanted
from hub.domain.validation import Rule
from hub.oms.cancel import tell_erp
from hub.oms.confirm import confirm_when_due, plan_work
from hub.oms.expire import ask_for_expiry
from hub.oms.holds import HUB, place, release
from hub.oms.load import Case, new_hold, open_case
from hub.oms.ports import LocationRule, Rules, Strategy
from hub.oms.reconcile import reconcile
from hub.oms.reserve import count_unassigned, give_back, reserve, soft, trim
from hub.oms.routing import choose_strategy
from hub.oms.save import save, tell
from hub.oms.times import instant, instant_text

ZERO = Decimal(0)
LOOK_AGAIN = dt.timedelta(seconds=15)
"""Stock that another process counted at this very moment did not see that this order waits: it looks once more."""
RESOURCE_LIMIT = 5
"""Times an order is sourced again after shorts and rejections before a person must look."""


def handle_allocate(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `allocate` (and `resource`): subject is the order."""

    def allocate_task(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        if task.payload.get("look_again") and not _anything_free(case):
            return Decision(Verdict.IGNORED, subject=case.order.id, message="there is still nothing free")
        reconcile(case)
        allocate(case)
        if not confirm_when_due(case):
            ask_for_expiry(case)
            _ask_for_the_end_of_grace(case)
        return save(case)

    return allocate_task


def _ask_for_the_end_of_grace(case: Case) -> None:
    """What was held when it was captured is waited for from here: by now only its grace may be in the way."""
    order = case.order
    waits = case.acts and order.confirmed_at is None and not order.held and not order.cancelled
    if waits and order.grace_until is not None and order.grace_until > case.now:
        case.task("confirm", order.id, order.grace_until)


def allocate(case: Case) -> None:
    """Reserve what can be reserved; what cannot is backordered with the demand counted."""
    order = case.order
    for hold in order.open_holds():
        if hold.rule == Rule.NO_STOCK:
            release(case, hold, HUB)  # placed again below if there is still nothing
    if not case.acts or order.cancelled or order.open_holds():
        count_unassigned(case)
        return
    lines = [line for line in order.lines if line.ours and line.sku and not order.open_holds(line.id)]
    pool = {line.id: _pool(case, line) for line in lines}
    fresh = any(line.ledger[Bucket.OPEN] or line.ledger[Bucket.BACKORDERED] for line in lines)
    if not fresh and _sourced_for(case) == _inputs(lines, pool):
        return
    wanted = [line for line in lines if pool[line.id] > 0]
    if wanted:
        _source(case, wanted, pool)
    order.facts = {**order.facts, "sourced_for": _inputs(lines, pool)}
    count_unassigned(case)
    if order.confirmed_at is not None:
        plan_work(case)


def _anything_free(case: Case) -> bool:
    """Something that waits for stock could be reserved somewhere now."""
    skus = tuple(sorted({line.sku for line in case.order.lines if line.sku and line.ledger[Bucket.BACKORDERED]}))
    for row in case.snapshot.rows("stock", {"sku": skus}) if skus else ():
        rule = case.location(row["location"])
        if rule is not None and row["on_hand"] - row["soft"] - row["firm"] - rule.safety(row["sku"]) > 0:
            return True
    return False


def _pool(case: Case, line: OrderLine) -> Decimal:
    """What of a line is to be sourced: everything not yet in a location's hands."""
    again = line.ledger[Bucket.ALLOCATED] if case.order.confirmed_at is None else ZERO
    return line.ledger[Bucket.OPEN] + line.ledger[Bucket.BACKORDERED] + line.ledger[Bucket.PREORDERED] + again


def _inputs(lines: list[OrderLine], pool: dict[str, Decimal]) -> str:
    text = ";".join(f"{line.id}={decimal_text(pool[line.id])}" for line in sorted(lines, key=lambda line: line.id))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sourced_for(case: Case) -> str | None:
    found = case.order.facts.get("sourced_for")
    return str(found) if found is not None else None


def _source(case: Case, lines: list[OrderLine], pool: dict[str, Decimal]) -> None:
    demands: dict[str, Decimal] = {}
    for line in lines:
        assert line.sku
        demands[line.sku] = demands.get(line.sku, ZERO) + pool[line.id]
    strategy_id, rule_id = choose_strategy(case)
    strategy = case.rules.strategies[strategy_id]
    objective = Objective(
        mode=strategy.objective,
        max_shipments=strategy.max_shipments,
        ship_complete=strategy.ship_complete,
        line_from_one_location=strategy.line_from_one_location,
        split_penalty=strategy.split_penalty,
    )
    candidates, exclusions = _candidates(case, strategy, lines, demands)
    wanted = [Demand(sku, quantity) for sku, quantity in sorted(demands.items())]
    result = sourcing.source(wanted, candidates, objective)
    _reserve_plan(case, lines, pool, result.chosen)
    if any(move.target is Bucket.BACKORDERED for line in lines for move in line.ledger.moves):
        payload = {"look_again": True}
        case.task("allocate", case.order.id, case.now + LOOK_AGAIN, "look-again", payload=payload)
    _when_nothing(case, lines, result.chosen)
    _keep(case, wanted, candidates, exclusions, result, f"{rule_id}/{strategy_id}")


def _when_nothing(case: Case, lines: list[OrderLine], plan: Plan) -> None:
    """What nobody can give waits as backordered; the fallback of the routing may hold or cancel instead."""
    if not plan.unfilled:
        return
    if case.rules.when_nothing == "hold":
        hint = f"no location has {', '.join(sorted(plan.unfilled))}; released when stock comes"
        place(case, new_hold(case, "stock", Rule.NO_STOCK, "lines", hint, None, "lines"))
    elif case.rules.when_nothing == "cancel":
        for line in lines:
            line.cancelled_by_facts += line.ledger[Bucket.BACKORDERED]
        reconcile(case, "out of stock")
        tell_erp(case, "out of stock")


def _candidates(
    case: Case, strategy: Strategy, lines: list[OrderLine], demands: dict[str, Decimal]
) -> tuple[list[Candidate], list[Exclusion]]:
    wanted = Wanted(
        method=str(case.order.facts.get("method", "ship")),
        country=str(case.contacts.get("ship_to", {}).get("country", "")),
        excluded=_excluded(case),
    )
    exclusions: list[Exclusion] = []
    asked: list[LocationRule] = []
    for rule in sorted(case.rules.locations.values(), key=lambda rule: rule.id):
        if not strategy.asks(rule):
            exclusions.append(Exclusion(rule.id, "strategy", f"the strategy {strategy.id} does not ask it"))
            continue
        exclusion = sourcing.eligible(Facts(rule.id, rule.can, rule.country, rule.capacity_per_day), wanted)
        if exclusion is None:
            asked.append(rule)
        else:
            exclusions.append(exclusion)
    own: dict[tuple[str, str], Decimal] = {}
    if case.order.confirmed_at is None:
        for line in lines:
            for reservation in soft(case, line):
                key = (reservation.sku, reservation.location)
                own[key] = own.get(key, ZERO) + reservation.quantity
    where = {"sku": tuple(demands), "location": tuple(rule.id for rule in asked)}
    stock = {(row["sku"], row["location"]): row for row in case.snapshot.rows("stock", where)} if asked else {}
    candidates = []
    for rule in asked:
        available = {}
        for sku in demands:
            row = stock.get((sku, rule.id))
            free = row["on_hand"] - row["soft"] - row["firm"] - rule.safety(sku) if row else ZERO
            units = free + own.get((sku, rule.id), ZERO)
            if units > 0:
                available[sku] = units
        if available:
            candidates.append(_candidate(case, rule, available))
        else:
            exclusions.append(Exclusion(rule.id, "no_stock", "nothing of this order is free there"))
    return candidates, exclusions


def _candidate(case: Case, rule: LocationRule, available: dict[str, Decimal]) -> Candidate:
    fixed = {"order": rule.cost_order}
    distance = distance_km(rule, case.contacts.get("ship_to", {}))
    if distance is not None:
        fixed["distance"] = distance * case.rules.cost_per_km
    return Candidate(rule.id, available, fixed, rule.cost_line, rule.cost_unit, rule.priority)


def distance_km(rule: LocationRule, address: dict[str, Any]) -> Decimal | None:
    """Great-circle kilometres, whole; None where either place is unknown."""
    if rule.latitude is None or rule.longitude is None or "latitude" not in address or "longitude" not in address:
        return None
    here = math.radians(rule.latitude), math.radians(rule.longitude)
    there = math.radians(Decimal(address["latitude"])), math.radians(Decimal(address["longitude"]))
    half = (
        math.sin((there[0] - here[0]) / 2) ** 2
        + math.cos(here[0]) * math.cos(there[0]) * math.sin((there[1] - here[1]) / 2) ** 2
    )
    return Decimal(round(2 * 6371 * math.asin(math.sqrt(min(1.0, half)))))


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
    if int(case.order.facts.get("resourced", 0)) < RESOURCE_LIMIT:  # then a person decides, and time changes nothing
        case.task("allocate", case.order.id, over, "exclusion", location)
    others = [item for item in case.order.facts.get("exclusions", ()) if item["location"] != location]
    entry = {"location": location, "reason": reason, "until": until}
    case.order.facts = {**case.order.facts, "exclusions": [*others, entry]}


def source_again(case: Case, why: str) -> None:
    """Ask for the remainder to be sourced again, a bounded number of times."""
    count = int(case.order.facts.get("resourced", 0)) + 1
    case.order.facts = {**case.order.facts, "resourced": count}
    if count > RESOURCE_LIMIT:
        case.raise_exception(
            f"resource-limit/{case.order.id}",
            "resource_limit",
            "An order was sourced again too often",
            f"{count} locations in a row could not deliver ({why}).",
            "Check the stock of its SKUs, then release or cancel the order.",
            f"hub orders show {case.order.id} --why",
        )
        return
    case.task("resource", case.order.id, case.now, str(count))


def _reserve_plan(case: Case, lines: list[OrderLine], pool: dict[str, Decimal], plan: Plan) -> None:
    """Deal the plan out to lines by number, and move reservations and ledgers by the difference only."""
    left = dict(plan.quantities)
    for line in sorted(lines, key=lambda line: (line.number, line.id)):
        missing = pool[line.id]
        dealt: dict[str, Decimal] = {}
        for sku, location in sorted(left):
            part = min(missing, left[(sku, location)]) if sku == line.sku else ZERO
            if part > 0:
                dealt[location] = part
                left[(sku, location)] -= part
                missing -= part
        _apply(case, line, dealt, missing)


def _apply(case: Case, line: OrderLine, dealt: dict[str, Decimal], missing: Decimal) -> None:
    ledger = line.ledger
    keep = soft(case, line) if case.order.confirmed_at is None else []
    target = sum(dealt.values(), ZERO)
    before = ledger[Bucket.ALLOCATED] if case.order.confirmed_at is None else ZERO
    if before > target:
        ledger.move(Bucket.ALLOCATED, Bucket.OPEN, before - target)
    wanted = max(target - before, ZERO)
    for bucket, part in ledger.take((Bucket.BACKORDERED, Bucket.PREORDERED, Bucket.OPEN), wanted):
        ledger.move(bucket, Bucket.ALLOCATED, part)
    if missing > 0 and ledger[Bucket.OPEN] > 0:
        ledger.move(Bucket.OPEN, Bucket.BACKORDERED, ledger[Bucket.OPEN])
    for reservation in keep:
        surplus = reservation.quantity - dealt.pop(reservation.location, ZERO)
        if surplus > 0:
            give_back(case, reservation, surplus)
        elif surplus < 0:
            reserve(case, line, reservation.location, -surplus)
    for location, quantity in sorted(dealt.items()):
        reserve(case, line, location, quantity)
    trim(case, line)


def _keep(
    case: Case,
    demands: list[Demand],
    candidates: list[Candidate],
    exclusions: list[Exclusion],
    result: Sourced,
    rule: str,
) -> None:
    """Store the decision with everything that explains it."""
    chosen = result.chosen
    document = {
        "rule": rule,
        "revision": case.rules.revision,
        "demands": {demand.sku: decimal_text(demand.quantity) for demand in demands},
        "candidates": [
            {
                "location": candidate.id,
                "available": {sku: decimal_text(units) for sku, units in sorted(candidate.available.items())},
                "cost": {name: decimal_text(amount) for name, amount in candidate.fixed.items()},
                "per_line": decimal_text(candidate.per_line),
                "per_unit": decimal_text(candidate.per_unit),
                "priority": candidate.priority,
            }
            for candidate in candidates
        ],
        "exclusions": [{"location": e.location, "code": e.code, "detail": e.detail} for e in exclusions],
        "plan": _plan(chosen),
        "second_best": _plan(result.second) if result.second else None,
        "greedy": {"cost": decimal_text(result.greedy.cost), "locations": list(result.greedy.locations)},
        "proven": result.proven,
        "bound": [decimal_text(part) for part in result.bound],
        "nodes": result.nodes,
    }
    row = {
        "id": case.new_id("sd", case.order.id),
        "order_id": case.order.id,
        "cause": case.cause,
        "document": document,
        "at": case.now,
    }
    case.decision.writes.insert("sourcing_decisions", row)
    if not chosen.unfilled:
        case.clear_exception(f"unfillable/{case.order.id}", "allocated")
    elif case.order.facts.get("resourced"):
        _nothing_left(case, chosen)
    fact = Fact.ORDER_BACKORDERED if chosen.unfilled else Fact.ORDER_ALLOCATED
    tell(case, fact, locations=",".join(chosen.locations))


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


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "quantities": [
            {"sku": sku, "location": location, "quantity": decimal_text(units)}
            for (sku, location), units in sorted(plan.quantities.items())
        ],
        "unfilled": {sku: decimal_text(units) for sku, units in sorted(plan.unfilled.items())},
        "cost": decimal_text(plan.cost),
        "terms": [[name, decimal_text(amount)] for name, amount in plan.terms],
    }
