"""Dealing what is to come to those who wait for it: first in the queue, first date.

Pure: the same queue and the same supply always give the same dates, so that two ways of computing them agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Arriving:
    """What of a purchase order may be promised: `quantity` at `expected_at`."""

    id: str
    reference: str
    location: str
    expected_at: dt.datetime
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """A line's place in the queue of a SKU; `rank` sorts as text."""

    line_id: str
    rank: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a line, promised from a supply."""

    supply_id: str
    quantity: Decimal
    due_at: dt.datetime


@dataclass(slots=True)
class Claim:
    """A preordered quantity of a line and what it was promised from; `supply_id` "" is the item's release alone."""

    id: str
    order_id: str
    line_id: str
    sku: str
    supply_id: str
    quantity: Decimal
    due_at: dt.datetime


@dataclass(frozen=True, slots=True)
class SupplyChange:
    """What a decision does to a supply: `version` set, it gives new claims on what that version had left."""

    supply_id: str
    promised: Decimal
    fulfilled: Decimal = ZERO
    version: int | None = None


def to_come(quantity: Decimal, received: Decimal, status: str) -> Decimal:
    """What of a supply is not there yet and will be."""
    return max(ZERO, quantity - received) if status == "open" else ZERO


def promisable(quantity: Decimal, received: Decimal, fulfilled: Decimal, status: str) -> Decimal:
    """What of a supply can stand behind promises: what is to come, and what has come and nobody has got yet (the
    receipt of a delivery and the count that shows it are two facts)."""
    return to_come(quantity, received, status) + max(ZERO, received - fulfilled)


def deal(queue: Sequence[Place], supply: Sequence[Arriving]) -> Mapping[str, tuple[Share, ...]]:
    """Line -> its shares, earliest first; a line that gets less than its quantity has no date for the rest."""
    coming = sorted((one for one in supply if one.quantity > 0), key=lambda one: (one.expected_at, one.id))
    left = [one.quantity for one in coming]
    first = 0
    dealt: dict[str, tuple[Share, ...]] = {}
    for place in sorted(queue, key=lambda place: (place.rank, place.line_id)):
        wanted, shares = place.quantity, []
        while wanted > 0 and first < len(coming):
            part = min(wanted, left[first])
            shares.append(Share(coming[first].id, part, coming[first].expected_at))
            wanted -= part
            left[first] -= part
            first += left[first] == 0
        dealt[place.line_id] = tuple(shares)
    return dealt


def merge_supply(changes: Sequence[SupplyChange]) -> list[SupplyChange]:
    """One change a supply, by id; those that come to nothing are left out."""
    merged: dict[str, SupplyChange] = {}
    for change in changes:
        known = merged.get(change.supply_id, SupplyChange(change.supply_id, ZERO))
        merged[change.supply_id] = SupplyChange(
            change.supply_id,
            known.promised + change.promised,
            known.fulfilled + change.fulfilled,
            change.version if change.version is not None else known.version,
        )
    return [merged[key] for key in sorted(merged) if merged[key].promised or merged[key].fulfilled]
