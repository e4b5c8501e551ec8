"""What the ERP books beside orders and invoices: credit notes for money given back, movements of goods.

Each is posted once, under the key of the fact that made it, in a lane of its own: one bad document holds up no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.decision import EffectRequest
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.oms.load import Case
from hub.oms.outgoing import Record, order_key
from hub.oms.times import instant_text


def post_credit_note(
    case: Case, key: str, amount: Decimal, lines: Sequence[tuple[OrderLine, Decimal]], reason: str
) -> None:
    """Tell the ERP what is owed back, in the order's currency, after it knows the order. `lines` are what it is for,
    with the units taken back; none where it is for none in particular."""
    order = case.order
    if order.currency is None or amount <= 0 or not case.acts:
        return
    for destination in case.rules.takers.get("post_credit_note", ()):
        submitted = f"{destination}/submit_order/{order_key(case)}"
        takes_orders = destination in case.rules.takers.get("submit_order", ())
        known = takes_orders and "posted" in order.facts
        record: Record = {
            "key": key,
            "order": order.id,
            **({"order_number": order.number} if order.number else {}),
            "reference": submitted,
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
                requires=(submitted,) if known else (),
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
                suppressed=order.effects == Effects.OBSERVE,
            )
        )


def _line(line: OrderLine, units: Decimal) -> Record:
    named: Record = {"line": line.id, "quantity": decimal_text(units)}
    return {**named, "sku": line.sku} if line.sku else named
