"""Kits: goods that are sold as one and kept as several.

A kit's line stays as it was sold and is never sourced itself. Its components are lines of their own (`kit` names the
line they belong to, `per_kit` how many one kit needs), and share its price to the cent. The kit's ledger says how many
whole kits are cancelled and how many have left: it follows from its components'.

A kit of which one component was cancelled and the rest has left counts as left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from hub.domain.money import apportion, decimal_text, smallest_amount
from hub.domain.order import OrderLine
from hub.domain.quantity import LEFT, Bucket
from hub.domain.totals import line_value

ZERO = Decimal(0)
SHARED = ("adjustments", "taxes")
_ARRIVED = (Bucket.DELIVERED, Bucket.HANDED_OVER)


@dataclass(frozen=True, slots=True)
class Component:
    """`share` weighs its part of the price; None: by the quantity, as nothing says what it is worth."""

    sku: str
    quantity: Decimal
    share: Decimal | None = None


def components_of(item: Mapping[str, Any]) -> list[Component]:
    """What an item's document says it is made of; nothing for an item that is no kit."""
    return [
        Component(
            str(part["sku"]),
            Decimal(str(part.get("quantity", "1"))),
            Decimal(str(part["share"])) if "share" in part else None,
        )
        for part in item.get("components") or ()
    ]


def wrong_with(components: Sequence[Component]) -> str:
    """What makes no kit of these components; "" where nothing does."""
    if any(part.quantity <= 0 for part in components):
        return "a kit needs more than nothing of each component"
    if len({part.sku for part in components}) != len(components):
        return "a component is named twice; say its quantity once"
    shares = [part.share for part in components]
    if any(share is not None for share in shares) and (None in shares or not any(shares)):
        return "either every component has a share of the price above zero in sum, or none has"
    if any(share is not None and share < 0 for share in shares):
        return "a share of the price is never below zero"
    return ""


def weights(components: Sequence[Component]) -> list[Decimal]:
    return [part.quantity if part.share is None else part.share for part in components]


def share_price(
    details: Mapping[str, Any], ordered: Decimal, components: Sequence[Component], currency: str | None
) -> list[dict[str, Any]]:
    """The details of each component's line: its part of the kit's value, discounts and taxes, in minor units. All parts
    of an amount add up to it."""
    step = smallest_amount(currency or "")
    by = weights(components)
    totals = apportion(line_value({**details, "quantity": str(ordered)}), by, step)
    found: list[dict[str, Any]] = [{"total": decimal_text(total), "quantity": ""} for total in totals]
    for name in SHARED:
        for row in details.get(name) or ():
            for part, amount in zip(found, apportion(Decimal(str(row["amount"])), by, step), strict=True):
                part.setdefault(name, []).append({**row, "amount": decimal_text(amount)})
    for part, component in zip(found, components, strict=True):
        part["quantity"] = decimal_text(component.quantity * ordered)
        part |= {
            name: details[name] for name in ("method", "pickup_location", "ship_by", "cancel_by") if name in details
        }
    return found


def spread(kit: OrderLine, parts: Sequence[OrderLine]) -> None:
    """What is wanted of a kit, what was taken back of it and what its channel shipped by hand, by component."""
    for part in parts:
        part.ledger.grow(kit.ledger.ordered * part.per_kit)
        part.wanted = kit.wish * part.per_kit
        with_kit = kit.cancelled_by_facts * part.per_kit
        part.cancelled_by_facts += with_kit - part.cancelled_with_kit
        part.cancelled_with_kit = with_kit
        # A component that came back alone was paid back alone.
        part.refunded_beside = max(part.refunded_beside, kit.refunded_beside * part.per_kit)
        part.channel_shipped = kit.channel_shipped * part.per_kit
        part.stated_shipped = kit.stated_shipped * part.per_kit


def follow(kit: OrderLine, parts: Sequence[OrderLine]) -> None:
    """Move the kit's ledger to where its components' say that it is."""
    if not parts:
        return
    ledger = kit.ledger
    cancelled = _whole(kit, parts, (Bucket.CANCELLED,))
    surplus = ledger[Bucket.CANCELLED] - cancelled
    left = max(_whole(kit, parts, (*LEFT, Bucket.CANCELLED)) - cancelled, ZERO)
    more = left - ledger.sum(LEFT)
    if surplus > 0:
        shipped = min(surplus, max(more - ledger[Bucket.OPEN], ZERO))
        ledger.advance(Bucket.CANCELLED, Bucket.SHIPPED, shipped)
        ledger.move(Bucket.CANCELLED, Bucket.OPEN, surplus - shipped)
        more -= shipped
    elif surplus < 0:
        ledger.move(Bucket.OPEN, Bucket.CANCELLED, min(-surplus, ledger[Bucket.OPEN]))
    by_post = any(part.ledger.sum(LEFT) > part.ledger[Bucket.HANDED_OVER] for part in parts)
    target = Bucket.SHIPPED if by_post else Bucket.HANDED_OVER
    ledger.advance(Bucket.OPEN, target, min(max(more, ZERO), ledger[Bucket.OPEN]))
    arrived = _whole(kit, parts, (*_ARRIVED, Bucket.CANCELLED)) - cancelled - ledger.sum(_ARRIVED)
    ledger.advance(Bucket.SHIPPED, Bucket.DELIVERED, min(max(arrived, ZERO), ledger[Bucket.SHIPPED]))


def whole_kits(kit: OrderLine, parts: Sequence[OrderLine]) -> Decimal:
    """Kits that have left, as its channel counts them."""
    return max(_whole(kit, parts, (*LEFT, Bucket.CANCELLED)) - _whole(kit, parts, (Bucket.CANCELLED,)), ZERO)


def _whole(kit: OrderLine, parts: Sequence[OrderLine], buckets: Sequence[Bucket]) -> Decimal:
    """Kits of which every component is in these buckets: whole ones, unless kits were ordered by fractions."""
    least = min(part.ledger.sum(buckets) / part.per_kit for part in parts)
    step = Decimal(1) if kit.ledger.ordered == kit.ledger.ordered.to_integral_value() else Decimal("0.000001")
    return min((least / step).to_integral_value(rounding=ROUND_FLOOR) * step, kit.ledger.ordered)
