"""Another article leaves in place of the one that was ordered: the line keeps what it was, and costs the lower price.

The location's word is never refused: the goods are gone. Where the policy asks, a person decides with the customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.events import Fact
from hub.domain.fulfilment import FulfilmentOrder
from hub.domain.money import decimal_text, round_to_minor
from hub.domain.order import OrderLine
from hub.domain.totals import line_value
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.money.pay import give_back, manages_money, of_order
from hub.oms.money.whole import CONCEDED

ZERO = Decimal(0)


def is_substitute(line: OrderLine, sku: str) -> bool:
    """What left is another article than the line's."""
    return bool(line.sku and sku and sku != line.sku)


def substitute(
    case: Case, work: FulfilmentOrder, line: OrderLine, sku: str, units: Decimal, said: Mapping[str, Any]
) -> Decimal:
    """Keep what left of another SKU for a line; `said` may name its `unit_price`. Returns what is charged less."""
    line.substituted[sku] = line.substituted.get(sku, ZERO) + units
    ordered = line_value({**line.details, "quantity": decimal_text(line.ledger.ordered)}, units)
    price = said.get("unit_price")
    conceded = max(ordered - Decimal(str(price)) * units, ZERO) if price is not None else ZERO
    if case.order.currency:
        conceded = round_to_minor(conceded, case.order.currency)
    if conceded > 0:
        total = Decimal(case.order.facts.get(CONCEDED, "0")) + conceded
        case.order.facts = {**case.order.facts, CONCEDED: decimal_text(total)}
    data = {"fulfilment_order": work.id, "sku": line.sku or "", "substitute": sku, "units": decimal_text(units)}
    tell(case, Fact.WORK_SUBSTITUTED, f"{case.cause}/{line.id}/{sku}", **data)
    if case.rules.substitution == "ask":
        case.raise_exception(
            f"substituted/{work.id}",
            "substituted",
            "Another article left in place of the one that was ordered",
            f"{work.location} sent {decimal_text(units)} of {sku} for {line.sku} (line {line.number}).",
            "Ask the customer whether they keep it; else agree on a return. `substitution: accept` tells nobody.",
            f"hub orders show {case.order.id}",
        )
    return conceded


def give_back_what_was_paid(
    case: Case, key: str, lines: Sequence[tuple[OrderLine, Decimal]], conceded: Decimal
) -> None:
    """What was paid in advance for a dearer article; where the hub captures, it captures less instead."""
    if conceded <= 0 or manages_money(case):
        return
    paid = sum((payment.refundable for payment in of_order(case)), ZERO)
    if min(conceded, paid) > 0:
        give_back(case, min(conceded, paid), key, "another article at a lower price", lines)
