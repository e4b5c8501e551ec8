"""Who may be asked for what of an order, and what each would cost: the rules and the stock as the solver sees them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hub.domain.order import OrderLine
from hub.domain.schedule import STANDARD
from hub.domain.sourcing import OF_TODAY, Candidate, Demand, Exclusion, Facts, Wanted, eligible
from hub.domain.sourcing.cost import Carriage, carriage_for, days_late, distance_km
from hub.domain.sourcing.packaging import shipment_steps
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant
from hub.oms.desk.waiting import leave_to_earlier
from hub.oms.intake.groups import DeliveryGroup
from hub.oms.ports import LocationRule, Strategy
from hub.oms.sourcing.capacity import capacity_left
from hub.oms.stock.reserve import soft

ZERO = Decimal(0)
SAME_DAY = "same_day"
_NEEDS = {"hazmat": "hazmat", "age_restricted": "age_check"}
"""Flag of an item -> what a location must be able to do."""
_WORDS = {"hazmat": "dangerous goods", "age_restricted": "goods with an age limit"}


@dataclass(frozen=True, slots=True)
class _Journey:
    """From a location to the buyer: when it leaves, when it arrives, over how many kilometres, in which zone."""

    leaves: dt.date
    arrives: dt.date
    days: int
    km: Decimal | None
    zone: Carriage | None


Items = Mapping[str, Mapping[str, Any]]
"""SKU -> what its item document says."""


def items_of(case: Case, lines: Sequence[OrderLine]) -> Items:
    """What is known of the lines' SKUs."""
    return case.items([line.sku for line in lines if line.sku])


def demands_of(lines: Sequence[OrderLine], pool: Mapping[str, Decimal], items: Items) -> tuple[Demand, ...]:
    """One demand a SKU, with what a unit weighs and is worth (in the order's currency)."""
    units: dict[str, Decimal] = {}
    named: dict[str, OrderLine] = {}
    for line in lines:
        assert line.sku
        units[line.sku] = units.get(line.sku, ZERO) + pool[line.id]
        named.setdefault(line.sku, line)
    return tuple(
        Demand(sku, quantity, _grams(named[sku], items), _worth(named[sku])) for sku, quantity in sorted(units.items())
    )


def _grams(line: OrderLine, items: Items) -> Decimal:
    said = line.details.get("weight_grams") or items.get(line.sku or "", {}).get("weight_grams")
    return max(Decimal(str(said)), ZERO) if said else ZERO


def _worth(line: OrderLine) -> Decimal:
    price = Decimal(str(line.details.get("unit_price", "0")))
    return max(price / Decimal(str(line.details.get("price_base_quantity", "1"))), ZERO)


def find_candidates(
    case: Case,
    strategy: Strategy,
    group: DeliveryGroup,
    lines: Sequence[OrderLine],
    demands: Sequence[Demand],
    items: Items,
    refused: Mapping[str, str],
) -> tuple[list[Candidate], list[Exclusion]]:
    """Locations with what they have free of the demands, and why the others are not asked. `refused`: location -> why
    it is not asked again for now."""
    wanted = _wanted(case, group, items, refused)
    service = SAME_DAY if group.method == SAME_DAY else str(case.order.facts.get("service_level") or STANDARD)
    exclusions: list[Exclusion] = []
    asked: dict[str, tuple[LocationRule, _Journey]] = {}
    for rule in sorted(case.rules.locations.values(), key=lambda rule: rule.id):
        if not strategy.asks(rule):
            exclusions.append(Exclusion(rule.id, "strategy", f"the strategy {strategy.id} does not ask it"))
            continue
        journey = _journey(case, rule, group, service, _flags(items))
        exclusion = eligible(_facts(case, rule, group, journey, service), wanted)
        if exclusion is None and journey is not None:
            asked[rule.id] = rule, journey
        elif exclusion is not None:
            until = rule.schedule.tomorrow(case.now) if exclusion.code in OF_TODAY else None
            exclusions.append(replace(exclusion, until=until))
    free = _free(case, group, lines, demands, asked)
    heaviest = sum((demand.grams * demand.quantity for demand in demands), ZERO)
    candidates = []
    for location, (rule, journey) in asked.items():
        available = free.get(location)
        if available:
            candidates.append(_candidate(case, strategy, rule, journey, lines, demands, available, heaviest))
        else:
            exclusions.append(Exclusion(location, "no_stock", "nothing of this order is free there"))
    return candidates, exclusions


def _flags(items: Items) -> frozenset[str]:
    return frozenset(flag for document in items.values() for flag in document.get("flags", ()))


def _wanted(case: Case, group: DeliveryGroup, items: Items, refused: Mapping[str, str]) -> Wanted:
    flags = _flags(items)
    return Wanted(
        method=group.method,
        country=str(case.contacts.get("ship_to", {}).get("country", "")),
        needs=frozenset(_NEEDS[flag] for flag in flags if flag in _NEEDS),
        special=", ".join(_WORDS[flag] for flag in sorted(flags) if flag in _WORDS),
        excluded=refused,
        store=group.store,
    )


def _journey(
    case: Case, rule: LocationRule, group: DeliveryGroup, service: str, flags: frozenset[str]
) -> _Journey | None:
    """None where the location does not work at all in the time to come."""
    leaves = rule.schedule.leaves_on(case.now, service)
    if leaves is None:
        return None
    to = case.contacts.get("ship_to", {})
    km = _distance(rule, to)
    zone = None
    if group.method != "pickup":
        postal_code = str(to.get("postal_code", ""))
        country = str(to.get("country", ""))
        zone = carriage_for(case.rules.carriage, rule.id, country, postal_code, km, service, flags)
    arrives = leaves + dt.timedelta(days=zone.days if zone else 0)
    return _Journey(leaves, arrives, (arrives - rule.schedule.today(case.now)).days, km, zone)


def _facts(case: Case, rule: LocationRule, group: DeliveryGroup, journey: _Journey | None, service: str) -> Facts:
    today = rule.schedule.today(case.now)
    sends = group.method not in ("pickup", "ship_to_store", "transfer")
    return Facts(
        rule.id,
        rule.can,
        rule.country,
        capacity_left=capacity_left(case, rule),
        open_days=journey is not None,
        leaves_in_time=service != SAME_DAY or (journey is not None and journey.leaves == today),
        carried=not sends or not case.rules.carriage or (journey is not None and journey.zone is not None),
    )


def _free(
    case: Case, group: DeliveryGroup, lines: Sequence[OrderLine], demands: Sequence[Demand], asked: Mapping[str, Any]
) -> dict[str, dict[str, Decimal]]:
    """Location -> SKU -> units that could be reserved; the order's own soft reservations count as free. What a store
    keeps for buyers in the shop is not sourced for others; who collects there is a buyer in the shop."""
    own: dict[tuple[str, str], Decimal] = {}
    if case.order.confirmed_at is None:
        for line in lines:
            for reservation in soft(case, line):
                key = (reservation.sku, reservation.location)
                own[key] = own.get(key, ZERO) + reservation.quantity
    for change in case.stock:  # decided a moment ago, such as for another group of lines: no row knows it yet
        key = (change.sku, change.location)
        own[key] = own.get(key, ZERO) + change.on_hand - change.soft - change.firm
    where = {"sku": tuple(demand.sku for demand in demands)}
    rows = case.snapshot.rows("stock", where) if asked else []
    stock = {(row["sku"], row["location"]): row for row in rows if row["location"] in asked}
    stock = leave_to_earlier(case, stock)
    found: dict[str, dict[str, Decimal]] = {}
    for location in asked:
        rule = case.rules.locations[location]
        for demand in demands:
            row = stock.get((demand.sku, location))
            free = row["on_hand"] - row["soft"] - row["firm"] - rule.safety(demand.sku) if row else ZERO
            kept = ZERO if location == group.store else rule.walk_in(demand.sku)
            units = free - kept + own.get((demand.sku, location), ZERO)
            if units > 0:
                found.setdefault(location, {})[demand.sku] = units
    return found


def _candidate(
    case: Case,
    strategy: Strategy,
    rule: LocationRule,
    journey: _Journey,
    lines: Sequence[OrderLine],
    demands: Sequence[Demand],
    available: Mapping[str, Decimal],
    heaviest: Decimal,
) -> Candidate:
    fixed = {"order": rule.cost_order}
    if journey.zone is None and journey.km is not None:
        fixed["distance"] = journey.km * case.rules.cost_per_km
    scarce = {
        demand.sku: {"last units": rule.last_unit_cost}
        for demand in demands
        if demand.sku in available and available[demand.sku] - demand.quantity < rule.last_units_below
    }
    return Candidate(
        rule.id,
        available,
        fixed,
        rule.cost_line,
        rule.cost_unit,
        rule.priority,
        journey.days,
        carrier=shipment_steps(journey.zone.steps, heaviest) if journey.zone else (),
        line_terms=_late(strategy, rule, journey, lines),
        unit_terms=scarce,
    )


def _late(
    strategy: Strategy, rule: LocationRule, journey: _Journey, lines: Sequence[OrderLine]
) -> dict[str, dict[str, Decimal]]:
    """SKU -> what its lines cost for arriving later than was promised, days as the location counts them."""
    found: dict[str, dict[str, Decimal]] = {}
    for line in lines if strategy.late_per_day else ():
        ship_by, promised_by = (
            rule.schedule.today(at) if at is not None else None
            for at in (instant(line.details.get(name)) for name in ("ship_by", "promised_by"))
        )
        days = days_late(journey.leaves, journey.arrives, ship_by, promised_by)
        if days:
            terms = found.setdefault(line.sku or "", {"lateness": ZERO})
            terms["lateness"] += strategy.late_per_day * days
    return found


def _distance(rule: LocationRule, address: Mapping[str, Any]) -> Decimal | None:
    """Kilometres; None where either point is unknown."""
    if rule.latitude is None or rule.longitude is None or "latitude" not in address or "longitude" not in address:
        return None
    return distance_km(
        (rule.latitude, rule.longitude), (Decimal(str(address["latitude"])), Decimal(str(address["longitude"])))
    )
