"""What the ERP books beside orders and invoices: credit notes for money given back, movements of goods.

Each is posted once, under the key of the fact that made it, after the order it belongs to and in a lane of its own: one
bad document holds up no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.decision import EffectRequest
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.domain.payment import MoneyKind
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.money.whole import BEFORE, CREDITED, LESS_BEFORE, present_total, remember_total, stated_less, taken_off
from hub.oms.telling.outgoing import Record, order_key

ZERO = Decimal(0)


def post_credit_note(
    case: Case, key: str, amount: Decimal, lines: Sequence[tuple[OrderLine, Decimal]], reason: str
) -> None:
    """Book what is owed back, in the order's currency, and tell the ERPs that take it once they know the order. `lines`
    are what it is for, with the units taken back; none where it is for none in particular."""
    order = case.order
    takers = case.rules.takers.get("post_credit_note", ())
    if order.currency is None or amount <= 0 or not case.acts or not (takers or "invoiced" in order.facts):
        return
    _count(case, key, amount, order.currency, takers)
    for destination in takers:
        record: Record = {
            "key": key,
            "order": order.id,
            **({"order_number": order.number} if order.number else {}),
            "reference": f"{destination}/submit_order/{order_key(case)}",
            "currency": order.currency,
            "issued_at": instant_text(case.now),
            "amount": decimal_text(amount),
            **({"reason": reason} if reason else {}),
            "lines": [_line(line, units) for line, units in lines],
        }
        case.decision.effects.append(
            EffectRequest(
                destination=destination,
                capability="post_credit_note",
                key=key,
                aggregate=order.id,
                lane=f"credit/{key}",
                record=record,
                order_id=order.id,
                requires=_order_first(case, destination),
                suppressed=order.effects == Effects.OBSERVE,
            )
        )


def post_goods_movement(
    case: Case, key: str, kind: str, location: str, sku: str, quantity: Decimal, reason: str
) -> None:
    """Tell the ERP that goods moved; `kind` is one of GoodsMovement.kind, `quantity` is never negative."""
    order = case.order
    if quantity <= 0 or not case.acts:
        return
    for destination in case.rules.takers.get("post_goods_movement", ()):
        record: Record = {
            "key": key,
            "kind": kind,
            "location": location,
            "sku": sku,
            "quantity": decimal_text(quantity),
            "moved_at": instant_text(case.now),
            "order": order.id,
            **({"order_number": order.number} if order.number else {}),
            **({"reason": reason} if reason else {}),
        }
        case.decision.effects.append(
            EffectRequest(
                destination=destination,
                capability="post_goods_movement",
                key=key,
                aggregate=order.id,
                lane=f"goods/{key}",
                record=record,
                order_id=order.id,
                requires=_order_first(case, destination),
                suppressed=order.effects == Effects.OBSERVE,
            )
        )


def _order_first(case: Case, destination: str) -> tuple[str, ...]:
    """Where the ERP refuses the order, whatever belongs to it waits under the same exception."""
    takes_orders = destination in case.rules.takers.get("submit_order", ())
    known = takes_orders and "posted" in case.order.facts
    return (f"{destination}/submit_order/{order_key(case)}",) if known else ()


CREDITED_AS_LESS = "credited_as_less"
"""Order fact: what of the credit notes was for nothing but a lowered total."""


def credit_what_is_less(case: Case, amount: Decimal) -> None:
    """The source lowered its total below what was invoiced: a credit note over the difference puts that right."""
    order, total = case.order, present_total(case.order)
    assert total is not None
    before, cancelled = total + taken_off(order) + amount, stated_less(order)[0]
    post_credit_note(case, f"total/{case.new_id('cn', order.id)}", amount, (), "the total was lowered")
    less = Decimal(order.facts.get(CREDITED_AS_LESS, "0")) + amount
    order.facts = {
        **order.facts,
        BEFORE: decimal_text(before),
        LESS_BEFORE: decimal_text(cancelled),
        CREDITED_AS_LESS: decimal_text(less),
    }


def _count(case: Case, key: str, amount: Decimal, currency: str, told: Sequence[str]) -> None:
    order = case.order
    credited = Decimal(order.facts.get(CREDITED, "0")) + amount
    remember_total(order)
    order.facts = {**order.facts, CREDITED: decimal_text(credited)}
    case.decision.writes.insert(
        "money_moves",
        {
            "id": derived_id("mm", order.id, "credited", key),
            "order_id": order.id,
            "payment_id": None,
            "kind": MoneyKind.CREDITED.value,
            "currency": currency,
            "amount": amount,
            "external_id": None,
            "document": {"key": key, "told": list(told)},
            "at": case.now,
        },
    )


def _line(line: OrderLine, units: Decimal) -> Record:
    named: Record = {"line": line.id, "quantity": decimal_text(units)}
    return {**named, "sku": line.sku} if line.sku else named
