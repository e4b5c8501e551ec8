"""A location tells of the same goods again under another id: resent after a crash, or from its second system.

A package is known by its tracking number and what is in it. Without a number, the same package of the same units is
taken for the same one only where nothing of them is left that it could have sent since; then a person compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.fulfilment import FulfilmentOrder
from hub.domain.money import decimal_text
from hub.oms.desk.load import Case
from hub.oms.fulfilment.work import line_meant, unexpected

Stated = Mapping[str, Any]
Content = tuple[tuple[str, Decimal], ...]
ZERO = Decimal(0)


def news_of(case: Case, work: FulfilmentOrder, packages: Sequence[Stated]) -> list[Stated]:
    """The packages of a notice that no earlier one told of. A person is told of those that are only likely the same."""
    if not any(part.left or part.extra for part in work.lines):
        return list(packages)
    shipments = case.snapshot.rows("shipments", {"order_id": case.order.id}, order_by=("id",))
    known = [
        package
        for shipment in shipments
        if shipment["fulfilment_order_id"] == work.id
        for package in shipment["document"]["packages"]
    ]
    news = []
    for stated in packages:
        content = _content(case, work, stated["lines"])
        twins = [package for package in known if content and _content(case, work, package["lines"]) == content]
        number = stated.get("tracking_number")
        if number and any(package.get("tracking_number") == number for package in twins):
            continue
        unnamed = [one for one in twins if not number and not one.get("tracking_number")]
        same_name = any(str(one["package"]) == str(stated["package"]) for one in unnamed)
        if same_name and _nothing_left(case, work, stated["lines"]):
            told_again(case, work, [(sku, decimal_text(quantity)) for sku, quantity in content])
            continue
        news.append(stated)
    return news


def told_again(case: Case, work: FulfilmentOrder, content: Sequence[tuple[str, str]]) -> None:
    """Nothing moves; whether more has left than the books say only people can see."""
    units = ", ".join(f"{quantity} of {name}" for name, quantity in content) or "everything"
    unexpected(case, work, f"it told once more, under another id and without a number, that {units} left; counted once")


def _content(case: Case, work: FulfilmentOrder, lines: Sequence[Stated]) -> Content:
    """What is in it by SKU."""
    units: dict[str, Decimal] = {}
    for said in lines:
        line = line_meant(case, work, said)
        sku = str(said.get("sku") or (line.sku if line else "") or "")
        units[sku] = units.get(sku, ZERO) + Decimal(str(said["quantity"]))
    return tuple(sorted(units.items()))


def _nothing_left(case: Case, work: FulfilmentOrder, lines: Sequence[Stated]) -> bool:
    meant = {line.id for said in lines if (line := line_meant(case, work, said)) is not None}
    return not any(part.at_location for part in work.lines if part.line_id in meant)
