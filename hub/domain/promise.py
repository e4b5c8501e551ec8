"""Available-to-promise: what a channel may sell, and every term behind the number.

ATP = max(0, floor(share x [sum over eligible locations of max(0, on_hand - firm - soft - safety) + supply - unassigned]
- threshold)). Clamped per location before summing, else one location's missing safety stock would eat another's
goods. Floored to the item's increment, because 1.5 m exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class AtLocation:
    """Stock of one SKU at one location, in units of the item."""

    location: str
    on_hand: Decimal
    soft: Decimal
    firm: Decimal
    safety: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        """What could still be reserved there."""
        return max(ZERO, self.on_hand - self.firm - self.soft - self.safety)


@dataclass(frozen=True, slots=True)
class Term:
    """One addend of the explanation; the amounts of all terms sum to the promise."""

    name: str
    amount: Decimal
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """`quantity` may be sold; `terms` add up to it exactly."""

    quantity: Decimal
    terms: tuple[Term, ...]


def available_to_promise(
    places: Sequence[AtLocation],
    *,
    share: Decimal = ONE,
    threshold: Decimal = ZERO,
    supply: Decimal = ZERO,
    unassigned: Decimal = ZERO,
    increment: Decimal = ONE,
) -> Promise:
    """The promise of one SKU to one channel, explained. `unassigned` is demand that no location holds yet."""
    terms = [
        Term(
            f"free at {place.location}",
            place.free,
            f"on hand {place.on_hand} - firm {place.firm} - soft {place.soft} - safety {place.safety}, not below 0",
        )
        for place in sorted(places, key=lambda place: place.location)
    ]
    if supply:
        terms.append(Term("dated supply", supply))
    if unassigned:
        terms.append(Term("demand without a location", -unassigned))
    pool = sum((term.amount for term in terms), ZERO)
    shared = pool * share
    if shared != pool:
        terms.append(Term("share of the channel", shared - pool, f"{share} of {pool}"))
    raw = shared - threshold
    if threshold:
        terms.append(Term("threshold of the channel", -threshold))
    floored = max(ZERO, (raw / increment).to_integral_value(rounding=ROUND_FLOOR) * increment)
    if floored != raw:
        terms.append(Term("rounded down" if raw > 0 else "never below 0", floored - raw, f"increment {increment}"))
    return Promise(floored, tuple(terms))
