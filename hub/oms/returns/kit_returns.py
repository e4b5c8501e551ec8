"""A kit that comes back comes back as its components: what names the kit's line is meant of each of them.

Whatever keeps returns (claims, stages, stock, money) knows components only. Each is worth its part of the kit's price
by the weights of the sale, so that all of a kit is worth what was paid for it, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.returns import IllegalReturn, claimed_of, has_left, settled_of
from hub.oms.desk.load import Case
from hub.oms.intake.kits import components, kits_of

ZERO = Decimal(0)


def parts_of(case: Case, line: OrderLine, units: Decimal) -> list[tuple[OrderLine, Decimal]]:
    """The line itself; of a kit its components with their units. A component that was cancelled out of some kits comes
    back no more often than it left."""
    if not line.is_kit:
        return [(line, units)]
    found = []
    for part in components(case.order, line):
        wanted = units * part.per_kit
        if part.ledger[Bucket.CANCELLED]:
            wanted = min(wanted, max(has_left(part.ledger) - claimed_of(case.returns, part.id), ZERO))
        if wanted > 0:
            found.append((part, wanted))
    return found


def whole(line: OrderLine, units: Decimal) -> Decimal:
    """The units, where a person may name so many. Raises IllegalReturn for a part of a kit."""
    sold_whole = line.ledger.ordered == line.ledger.ordered.to_integral_value()
    if line.is_kit and sold_whole and units != units.to_integral_value():
        raise IllegalReturn(f"{line.sku} is a kit: name whole ones, or the component that comes back alone")
    return units


def named_parts(case: Case, said: Mapping[str, str], line: OrderLine | None) -> list[dict[str, str]]:
    """What somebody said of a line, said of each component where the line is a kit's."""
    if line is None or not line.is_kit:
        return [dict(said)]
    kept = {name: text for name, text in said.items() if name not in ("line", "external_line_id", "sku", "quantity")}
    units = max(Decimal(str(said.get("quantity", "1"))), ZERO)
    return [
        {**kept, "line": part.id, "sku": part.sku or "", "quantity": decimal_text(wanted)}
        for part, wanted in parts_of(case, line, units)
    ]


def count_settled_kits(case: Case, lines: Sequence[OrderLine]) -> None:
    """Whole kits of which every component was settled: a channel that wants less of the kit for it cancels nothing."""
    named = {line.kit for line in lines if line.kit}
    for kit, parts in kits_of(case.order):
        if kit.id in named:
            least = min(settled_of(case.returns, part.id) / part.per_kit for part in parts)
            kit.refunded_beside = max(kit.refunded_beside, least.to_integral_value(rounding=ROUND_FLOOR))
