"""Other goods for what came back, and the same goods again for what never arrived or arrived broken.

Both are orders of their own, linked to the first. What an exchange costs more than what came back is worth is charged
once, what it costs less is given back once; a replacement costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.domain.link import LinkRole
from hub.domain.money import decimal_text, round_to_minor
from hub.domain.order import OrderLine
from hub.domain.returns import IllegalReturn, Return, ReturnLine, has_left
from hub.oms.desk.load import Case
from hub.oms.intake.linked import NewLine, linked_order, same_goods
from hub.oms.money.credit import EXCHANGE, EXCHANGED
from hub.oms.money.pay import collect, give_back
from hub.oms.returns.settle import settle, worth_of

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Goods that a customer wants instead. `price` of one unit, all in; None: what came back is worth as much."""

    sku: str
    units: Decimal
    price: Decimal | None = None


def exchange(
    case: Case, one: Return, ready: Sequence[tuple[ReturnLine, Decimal]], wanted: Sequence[Wanted], reason: str
) -> tuple[Case, Decimal]:
    """Settle units of a return with other goods; returns the new order and what it costs more (less: negative).

    Raises IllegalReturn.
    """
    worth = worth_of(case, one, ready)
    if not wanted:
        raise IllegalReturn("an exchange gives goods for goods: say what the customer wants")
    if not worth.shares:
        raise IllegalReturn("an exchange gives goods for goods: nothing that came back is left to settle")
    lines = [NewLine(one.sku, one.units, _details(case, one, worth.amount, wanted)) for one in wanted]
    other = linked_order(case, "exchange", LinkRole.EXCHANGE_FOR, lines, exchange_of=one.id)
    assert other.order.total is not None
    settle(case, one, "exchange", ready, reason, reference=other.order.id)
    before = Decimal(case.order.facts.get(EXCHANGED, "0"))
    case.order.facts = {**case.order.facts, EXCHANGED: decimal_text(before + worth.amount)}
    difference = other.order.total - worth.amount
    key, words = f"{EXCHANGE}{other.order.id}", f"exchange {other.order.number}"
    if difference > 0:
        collect(case, difference, key, words)
    elif difference < 0:
        refund = give_back(case, -difference, key, words)
        if refund:
            one.facts = {**one.facts, "refunds": [*one.facts.get("refunds", []), refund]}
    return other, difference


def replace(case: Case, lines: Sequence[tuple[OrderLine, Decimal]], reason: str) -> Case:
    """Send the same goods again for nothing; the first ones stay where the ledger has them. Raises IllegalReturn."""
    made: dict[str, Any] = case.order.facts.get("replaced", {})
    again = []
    for line, units in lines:
        before = Decimal(made.get(line.id, "0"))
        if not line.sku or units > has_left(line.ledger) - before:
            left = decimal_text(max(has_left(line.ledger) - before, ZERO))
            raise IllegalReturn(
                f"{decimal_text(units)} of {line.sku} named, {left} have left and were not replaced yet"
            )
        made = {**made, line.id: decimal_text(before + units)}
        again.append(same_goods(line, units, unit_price="0"))
    case.order.facts = {**case.order.facts, "replaced": made}
    return linked_order(case, "replacement", LinkRole.REPLACEMENT_FOR, again, replaced_for=case.discreet(reason))


def _details(case: Case, one: Wanted, worth: Decimal, wanted: Sequence[Wanted]) -> dict[str, Any]:
    price = one.price
    if price is None:
        price = worth / sum((each.units for each in wanted), ZERO)
        if round_to_minor(price, case.order.currency or "") != price:
            raise IllegalReturn("say what each of the goods costs: what came back is worth no whole amount for each")
    return {"title": one.sku, "unit_price": decimal_text(price)}
