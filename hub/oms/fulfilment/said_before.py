"""A location tells of the same goods again under another id: resent after a crash, or from its second system.

A package is known by its tracking number and what is in it. Without a number, the same package of the same units is
taken for the same one only where nothing of them is left that it could have sent since; then a person compares.
What a person at a counter said and the store's own system reports afterwards is the same handover, once.
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


BY_HAND = "by_hand"
"""Field of a report that a person made here; and the fact of an order that keeps, by work and line, what people handed
over that no system has reported yet."""


def remember_by_hand(case: Case, work: FulfilmentOrder, stated: Sequence[Stated]) -> None:
    known = _by_hand(case, work)
    for said in stated:
        line = str(said["line"])
        known[line] = known.get(line, ZERO) + Decimal(str(said["quantity"]))
    _keep_by_hand(case, work, known)


def beyond_by_hand(
    case: Case, work: FulfilmentOrder, stated: Sequence[Stated], *, whole: bool
) -> tuple[list[Stated], bool]:
    """What of a system's handover no person has told of before, and whether a person told of some. Only what the
    location does not have any more can be that. `whole`: it names no lines and means everything."""
    known = _by_hand(case, work)
    if not known:
        return list(stated), False
    news: list[Stated] = []
    for said in stated:
        units, part = Decimal(str(said["quantity"])), work.line(str(said["line"]))
        same = units - (part.at_location if part is not None else ZERO)
        if not ZERO < same <= known.get(str(said["line"]), ZERO):
            news.append(said)
            continue
        known[str(said["line"])] -= same
        if units > same:
            news.append({**said, "quantity": decimal_text(units - same)})
    _keep_by_hand(case, work, {} if whole else known)
    return news, True


def _by_hand(case: Case, work: FulfilmentOrder) -> dict[str, Decimal]:
    kept = case.order.facts.get(BY_HAND, {}).get(work.id, {})
    return {line: Decimal(units) for line, units in kept.items()}


def _keep_by_hand(case: Case, work: FulfilmentOrder, known: Mapping[str, Decimal]) -> None:
    others = {name: lines for name, lines in case.order.facts.get(BY_HAND, {}).items() if name != work.id}
    mine = {line: decimal_text(units) for line, units in known.items() if units > 0}
    kept = {**others, work.id: mine} if mine else others
    facts = {name: value for name, value in case.order.facts.items() if name != BY_HAND}
    case.order.facts = {**facts, BY_HAND: kept} if kept else facts


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
