"""Change sets: what somebody wants different about an order, what it costs, and what became of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.money import round_to_minor
from hub.domain.totals import line_value

ZERO = Decimal(0)


class ChangeState(enum.StrEnum):
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    DECLINED = "declined"


S = ChangeState

CHANGE_MOVES: Mapping[ChangeState, frozenset[ChangeState]] = {
    S.REQUESTED: frozenset({S.ACCEPTED, S.DECLINED}),
    S.ACCEPTED: frozenset(),
    S.DECLINED: frozenset(),
}

CHANGE_MEANINGS: Mapping[ChangeState, str] = {
    S.REQUESTED: "locations that have the goods were asked; their answer decides",
    S.ACCEPTED: "done, at least in part; `why` says what could not be",
    S.DECLINED: "nothing of it could be done; `why` says what stood in the way",
}


@dataclass(frozen=True, slots=True)
class LineEdit:
    """`line` is the line's number, its id at the channel or ours; `quantity` what is wanted of it in all."""

    line: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Addition:
    """A further line. `unit_price` is in the order's currency, tax as the order's other prices have it."""

    sku: str
    quantity: Decimal
    unit_price: Decimal
    title: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """`ship_to` are fields of a canonical Address that replace the present ones; with `whole_address` the rest is
    dropped. `as_channel`: forget what was edited here where the channel says something else by now."""

    lines: Sequence[LineEdit] = ()
    additions: Sequence[Addition] = ()
    ship_to: Mapping[str, Any] = field(default_factory=dict)
    whole_address: bool = False
    as_channel: bool = False

    @property
    def empty(self) -> bool:
        return not (self.lines or self.additions or self.ship_to or self.as_channel)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change adds to the order's total (negative: takes off it), and how much of that is tax."""

    amount: Decimal = ZERO
    tax: Decimal = ZERO

    def __add__(self, other: Effect) -> Effect:
        return Effect(self.amount + other.amount, self.tax + other.tax)


def price_effect(
    details: Mapping[str, Any], ordered: Decimal, units: Decimal, currency: str | None, taxes_included: bool
) -> Effect:
    """What `units` more (or less) of a line cost at what one of it costs now: its price, less its share of the line's
    discounts, plus its share of the line's taxes where prices are without. `ordered`: what line amounts are for."""
    if not units or not ordered:
        return Effect()
    value = line_value({**details, "quantity": str(ordered)}, units)
    if "unit_price" in details:
        value -= _share(details.get("adjustments") or (), ordered, units, "discount")
    tax = ZERO if taxes_included else _share(details.get("taxes") or (), ordered, units)
    if currency is None:
        return Effect(value + tax, tax)
    tax = round_to_minor(tax, currency)
    return Effect(round_to_minor(value, currency) + tax, tax)


def _share(rows: Sequence[Mapping[str, Any]], ordered: Decimal, units: Decimal, kind: str | None = None) -> Decimal:
    amounts = [abs(Decimal(str(row["amount"]))) for row in rows if kind is None or row.get("type") == kind]
    return sum(amounts, ZERO) * units / ordered
