"""Kits of an order: exploded into component lines when it is captured, and kept in step with them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from hub.domain.ids import derived_id
from hub.domain.kit import Component, components_of, follow, share_price, spread, whole_kits, wrong_with
from hub.domain.order import FulfilledBy, Order, OrderLine
from hub.domain.quantity import Bucket, Ledger
from hub.oms.desk.load import Case

ZERO = Decimal(0)


def explode(case: Case) -> None:
    """Give each line of a kit its component lines, and their shares of what its price is now.

    What a kit is made of is asked once, before any of it was sourced; an item that changes later changes no order.
    """
    order = case.order
    if not case.acts:
        return
    fresh = [line for line in order.lines if line.ours and line.sku and not line.kit and _untouched(line)]
    items = case.items([line.sku for line in fresh if line.sku])
    for line in fresh:
        document = items.get(line.sku or "")
        components = components_of(document) if document else []
        if components and not wrong_with(components):
            line.fulfilled_by = FulfilledBy.KIT
            line.components = [
                {"sku": part.sku, "quantity": str(part.quantity)}
                | ({"share": str(part.share)} if part.share is not None else {})
                for part in components
            ]
    for line in [line for line in order.lines if line.is_kit]:
        _price(order, line)


def keep_in_step(case: Case) -> None:
    """Before the lines of an order are settled: what is wanted of its kits is wanted of their components."""
    for line, parts in kits_of(case.order):
        spread(line, parts)


def follow_components(case: Case) -> None:
    """After: a kit is where its components are."""
    for line, parts in kits_of(case.order):
        follow(line, parts)


def kits_of(order: Order) -> list[tuple[OrderLine, list[OrderLine]]]:
    """Each kit line with its component lines."""
    return [(line, components(order, line)) for line in order.lines if line.is_kit]


def components(order: Order, kit: OrderLine) -> list[OrderLine]:
    return [line for line in order.lines if line.kit == kit.id]


def as_sold(order: Order, lines: Iterable[tuple[OrderLine, Decimal]]) -> list[tuple[OrderLine, Decimal]]:
    """The lines as their channel knows them: whole kits instead of their components, nothing for what makes none."""
    given = list(lines)
    units = {line.id: amount for line, amount in given}
    found = [(line, amount) for line, amount in given if line.kit is None]
    for kit, parts in kits_of(order):
        least = min((units.get(part.id, ZERO) / part.per_kit for part in parts), default=ZERO)
        kits = least.to_integral_value(rounding=ROUND_FLOOR)
        if kits > 0:
            found.append((kit, kits))
    return found


def newly_whole(order: Order, kit: OrderLine) -> Decimal:
    """Kits that have become whole by what has left, and that the channel has not been told of; they count as told."""
    units = max(whole_kits(kit, components(order, kit)) - kit.told_kits, ZERO)
    kit.told_kits += units
    return units


def _untouched(line: OrderLine) -> bool:
    return line.ledger[Bucket.OPEN] + line.ledger[Bucket.CANCELLED] == line.ledger.ordered


def _price(order: Order, kit: OrderLine) -> None:
    parts = [Component(row["sku"], Decimal(row["quantity"]), _share(row)) for row in kit.components]
    details = share_price(kit.details, kit.ledger.ordered, parts, order.currency)
    known = {line.external_line_id: line for line in components(order, kit)}
    for number, (part, said) in enumerate(zip(parts, details, strict=True), 1):
        external_id = f"{kit.external_line_id}/kit/{number}"
        line = known.get(external_id)
        if line is None:
            line = OrderLine(
                id=derived_id("ln", order.id, external_id),
                order_id=order.id,
                number=kit.number,
                external_line_id=external_id,
                sku=part.sku,
                ledger=Ledger(),
                kit=kit.id,
                per_kit=part.quantity,
            )
            order.lines.append(line)
        line.number, line.details = kit.number, said


def _share(row: dict[str, str]) -> Decimal | None:
    return Decimal(row["share"]) if "share" in row else None
