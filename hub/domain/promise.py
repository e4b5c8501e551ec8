"""Available-to-promise: what a channel may sell, and every term behind the number.

ATP = max(0, floor(share x [ sum over eligible locations of max(0, on_hand - firm - soft - safety) + dated supply up to
t - unassigned - protected pools ] + own pool - threshold)). Clamped per location before summing, else one location's
missing safety stock would eat another's goods. Floored to the item's increment, because 1.5 m exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class AtLocation:
    """Stock of one SKU at one location, in units of the item. `doubt`: why what stands there is not believed; then
    nothing of it is promised."""

    location: str
    on_hand: Decimal
    soft: Decimal
    firm: Decimal
    safety: Decimal = ZERO
    doubt: str = ""

    @property
    def free(self) -> Decimal:
        """What could still be promised from there."""
        if self.doubt:
            return ZERO
        return max(ZERO, self.on_hand - self.firm - self.soft - self.safety)


@dataclass(frozen=True, slots=True)
class DatedSupply:
    """What is still to come of a purchase order or an announced delivery; `date` is text for people."""

    reference: str
    location: str
    quantity: Decimal
    date: str


@dataclass(frozen=True, slots=True)
class Pool:
    """The last `quantity` units of a SKU are this channel's alone."""

    channel: str
    quantity: Decimal


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
    locations: Sequence[AtLocation],
    *,
    share: Decimal = ONE,
    threshold: Decimal = ZERO,
    supply: Sequence[DatedSupply] = (),
    unassigned: Decimal = ZERO,
    pools: Sequence[Pool] = (),
    channel: str = "",
    increment: Decimal = ONE,
) -> Promise:
    """The promise of one SKU to `channel`, explained. `unassigned` is demand that no location holds yet; `pools` are
    filled in the order given from what there is, before the rest is shared."""
    terms = [_at(one) for one in sorted(locations, key=lambda one: one.location)]
    terms += [
        Term(f"supply {one.reference}", one.quantity, f"expected at {one.location} {one.date}")
        for one in sorted(supply, key=lambda one: (one.date, one.reference, one.location))
        if one.quantity
    ]
    if unassigned:
        terms.append(Term("demand without a location", -unassigned))
    whole = _sum(terms)
    own, others = _fill(pools, channel, whole)
    for pool in others:
        terms.append(Term(f"kept for {pool.channel}", -pool.quantity, f"the last units are {pool.channel}'s alone"))
    common = whole - own - sum((pool.quantity for pool in others), ZERO)
    shared = common * share
    if shared != common:
        kept = f", and {own} kept for it" if own else ""
        terms.append(Term("share of the channel", shared - common, f"{share} of {common}{kept}"))
    raw = shared + own - threshold
    if threshold:
        terms.append(Term("threshold of the channel", -threshold))
    floored = max(ZERO, (raw / increment).to_integral_value(rounding=ROUND_FLOOR) * increment)
    if floored != raw:
        terms.append(Term("rounded down" if raw > 0 else "never below 0", floored - raw, f"increment {increment}"))
    return Promise(floored, tuple(terms))


def kit_promise(components: Sequence[tuple[str, Decimal, Promise]], increment: Decimal = ONE) -> Promise:
    """The promise of a kit: as many as its scarcest component makes. Each is (SKU, units in one kit, its promise)."""
    if not components:
        return Promise(ZERO, (Term("a kit without components", ZERO),))
    makes: Mapping[str, Decimal] = {
        sku: (promise.quantity / each / increment).to_integral_value(rounding=ROUND_FLOOR) * increment
        for sku, each, promise in components
    }
    least = min(sorted(makes), key=lambda sku: makes[sku])
    rest = "; ".join(f"{sku}: {promise.quantity} / {each} = {makes[sku]}" for sku, each, promise in components)
    return Promise(makes[least], (Term(f"as many as {least} makes", makes[least], rest),))


def _at(one: AtLocation) -> Term:
    counted = f"on hand {one.on_hand} - firm {one.firm} - soft {one.soft} - safety {one.safety}, not below 0"
    return Term(f"free at {one.location}", one.free, one.doubt or counted)


def _fill(pools: Sequence[Pool], channel: str, whole: Decimal) -> tuple[Decimal, list[Pool]]:
    """What the channel's own pools hold and what those of others do, filled in turn from what there is."""
    left, own, others = max(ZERO, whole), ZERO, []
    for pool in pools:
        held = min(pool.quantity, left)
        left -= held
        if pool.channel == channel:
            own += held
        elif held:
            others.append(Pool(pool.channel, held))
    return own, others


def _sum(terms: Sequence[Term]) -> Decimal:
    return sum((term.amount for term in terms), ZERO)
