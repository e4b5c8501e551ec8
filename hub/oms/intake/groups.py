"""Delivery groups: which lines of an order reach their buyer in which way, and at which store they are collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.fulfilment import Method
from hub.domain.order import OrderLine
from hub.oms.desk.load import Case

COLLECTED = frozenset({"pickup", "ship_to_store"})
"""Delivery methods whose goods are collected at a store."""

TRANSFER_TO = "transfer_to"
"""Order fact of an order of type transfer: the location its goods go to."""

COLLECTED_AT = "collected_at"
"""Order fact: line id -> another store that its buyer agreed to."""

SHIP_INSTEAD = "ship_instead"
"""Order fact: ids of lines that a store could not serve and that are sent instead, because the policy says so."""


@dataclass(frozen=True, slots=True, order=True)
class DeliveryGroup:
    """Lines that reach their buyer in one way. `store`: where they are collected, "" where they are sent."""

    method: str
    store: str = ""


def group_of(case: Case, line: OrderLine) -> DeliveryGroup:
    """How a line reaches its buyer: what it says itself, else what its order says."""
    facts, sold = case.order.facts, line
    if line.kit:  # a component goes the way of its kit
        sold = case.order.line(line.kit) or line
    details = sold.details
    if case.order.order_type == Method.TRANSFER:
        return DeliveryGroup(Method.TRANSFER, str(facts.get(TRANSFER_TO, "")))
    method = str(details.get("method") or facts.get("method") or Method.SHIP)
    if method not in COLLECTED or line.id in facts.get(SHIP_INSTEAD, ()):
        return DeliveryGroup(Method.SHIP if method in COLLECTED else method)
    return DeliveryGroup(method, _store_of(case, line, sold))


def _store_of(case: Case, line: OrderLine, sold: OrderLine) -> str:
    """Our id of the location a line is collected at, "" where its channel named none that we know."""
    facts, moved = case.order.facts, case.order.facts.get(COLLECTED_AT, {})
    named = str(moved.get(line.id) or sold.details.get("pickup_location") or facts.get("pickup_location") or "")
    ours = _ours(case, named)
    rule = case.location(ours)
    return ours if rule is not None and "pickup" in rule.can else ""


def _ours(case: Case, named: str) -> str:
    """The channel's name of a location as ours; an order may say only the end of an id such as gid://shop/Location/14."""
    known = case.channel.location_map if case.channel else {}
    ends = (ours for theirs, ours in known.items() if named and theirs.rpartition("/")[2] == named)
    return known.get(named) or next(ends, named)


def groups(case: Case, lines: Sequence[OrderLine]) -> Mapping[DeliveryGroup, list[OrderLine]]:
    """Lines by how they reach their buyer, in a fixed order."""
    found: dict[DeliveryGroup, list[OrderLine]] = {}
    for line in lines:
        found.setdefault(group_of(case, line), []).append(line)
    return {group: found[group] for group in sorted(found)}


def no_store(case: Case) -> list[OrderLine]:
    """Lines that somebody wants to collect at a location where nothing can be collected."""
    return [
        line
        for line in case.order.lines
        if line.ours and (group := group_of(case, line)).method in COLLECTED and not group.store
    ]
