"""Source totals, checked: goods + shipping + fees + tax - discounts - gift cards = total, or a difference.

What is inside a price (taxes included) is not added again. The channel's tax is never recomputed. Payloads disagree
with themselves in known ways (line discounts stated twice, tips outside); the difference is recorded and a policy
decides whether it holds the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TotalsCheck:
    """`difference` = stated - computed; None when the source states no total or no lines."""

    computed: Decimal
    stated: Decimal | None
    terms: tuple[tuple[str, Decimal], ...]

    @property
    def difference(self) -> Decimal | None:
        return None if self.stated is None else self.stated - self.computed


def check_totals(order: Mapping[str, Any]) -> TotalsCheck:
    """Recompute the total of a canonical Order record from its lines, charges, taxes and adjustments.

    Where the source states a component itself (totals.discounts, totals.tax ...), its own figure is used: it is what
    the source added up. Line totals are price x quantity / price base, or the line's own total where there is no price.
    """
    stated = order.get("totals") or {}
    lines: Sequence[Mapping[str, Any]] = order.get("lines") or ()
    goods = sum((line_value(line) for line in lines), ZERO)
    charges = order.get("shipping_charges") or ()
    adjustments = order.get("adjustments") or ()
    of_lines = [adjustment for line in lines for adjustment in line.get("adjustments") or ()]

    def of_type(*types: str) -> Decimal:
        return sum((_d(item["amount"]) for item in [*adjustments, *of_lines] if item["type"] in types), ZERO)

    tax_rows = [tax for line in lines for tax in line.get("taxes") or ()]
    tax_rows += [tax for charge in charges for tax in charge.get("taxes") or ()]
    tax = _stated(stated, "tax", sum((_d(row["amount"]) for row in tax_rows), ZERO))
    if order.get("taxes_included"):
        tax = ZERO
    discounts = abs(_stated(stated, "discounts", of_type("discount")))
    shipping = _stated(stated, "shipping", sum((_d(c["amount"]) for c in charges), ZERO) + of_type("shipping"))
    terms = (
        ("goods", _stated(stated, "lines", goods)),
        ("shipping", shipping),
        ("fees", _stated(stated, "fees", of_type("fee", "surcharge"))),
        ("tips", _stated(stated, "tips", of_type("tip"))),
        ("duties", _stated(stated, "duties", of_type("duty"))),
        ("tax", tax),
        ("discounts", -discounts),
        ("gift cards", -abs(_stated(stated, "gift_cards", of_type("gift_card")))),
    )
    total = _d(stated["total"]) if "total" in stated and lines else None
    return TotalsCheck(sum((amount for _, amount in terms), ZERO), total, terms)


def line_value(line: Mapping[str, Any], quantity: Decimal | None = None) -> Decimal:
    """Value of a quantity (default: the line's) at the line's price; its own total where it states no price."""
    ordered = _d(line.get("quantity", "0"))
    wanted = ordered if quantity is None else quantity
    if "unit_price" in line:
        return _d(line["unit_price"]) * wanted / (_d(line.get("price_base_quantity", "1")) or Decimal(1))
    if "total" in line and ordered:
        return _d(line["total"]) * wanted / ordered
    return ZERO


def _stated(stated: Mapping[str, Any], name: str, otherwise: Decimal) -> Decimal:
    return _d(stated[name]) if name in stated else otherwise


def _d(text: Any) -> Decimal:
    return Decimal(str(text))
