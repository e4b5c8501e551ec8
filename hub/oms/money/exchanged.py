"""An order made for an exchange that comes to less, or more, than it was made for.

Its customer gave goods for what never left, and so gets back what that was worth. The order that the first goods were
of pays it, as it was paid itself.
"""

from __future__ import annotations

from decimal import Decimal

from hub.domain.link import LinkRole
from hub.domain.money import decimal_text
from hub.domain.order import MADE_HERE
from hub.oms.desk.load import Case
from hub.oms.money.collect_there import collect_less
from hub.oms.money.credit import EXCHANGE
from hub.oms.money.pay import collect, give_back, manages_money, payer_of
from hub.oms.money.whole import cancelled_here

ZERO = Decimal(0)
GIVEN_BACK = "unsent_given_back"
"""Order fact: what was given back so far for goods that were cancelled."""


def give_back_unsent(case: Case) -> None:
    """An order that has ended and was made for an exchange: what was cancelled of it is given back, once. What its
    customer should have paid more at a channel and has not is no longer asked for."""
    order = case.order
    if order.facts.get(MADE_HERE) != LinkRole.EXCHANGE_FOR or not case.acts:
        return
    before = Decimal(order.facts.get(GIVEN_BACK, "0"))
    amount = cancelled_here(order) - before
    payer = payer_of(case)
    if amount <= 0 or payer is case:
        return
    order.facts = {**order.facts, GIVEN_BACK: decimal_text(before + amount)}
    settle_exchanged(case, case.cause, -amount, f"exchange {order.number} was not sent")


def settle_exchanged(case: Case, what: str, amount: Decimal, reason: str) -> None:
    """An order made for an exchange comes to so much more (less: negative) than it was made for: charged or given back
    on the first order, once a `what`, and no part of what that one was invoiced for."""
    key, payer = f"{EXCHANGE}{case.order.id}/{what}", payer_of(case)
    if amount > 0:
        collect(case, amount, key, reason)
    elif amount < 0:
        less = ZERO if manages_money(payer) else collect_less(payer, -amount, key, reason)
        if less < -amount:
            give_back(case, -amount - less, key, reason)
