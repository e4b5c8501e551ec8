"""Store credit: a refund that the customer may spend with us instead of having the money back.

It is taken from what was captured, like any refund, and is owed from then on. The system that keeps customers' credit
is told where one takes it and knows the customer; else a person gives it there and says so.
"""

from __future__ import annotations

from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.money import decimal_text, money_text
from hub.domain.order import Effects
from hub.domain.payment import Refund
from hub.oms.desk.load import Case

CAPABILITY = "issue_store_credit"
ISSUED = "issued"
"""Of a refund: the number of credit that a person gave before they said so."""
CUSTOMER = "customer"
"""Fact: our id of the order's customer (hub.oms.intake.customer)."""


def issue(case: Case, refund: Refund) -> None:
    """Have the credit given, once a refund."""
    order = case.order
    if refund.facts.get(ISSUED):
        return
    takers = case.rules.takers.get(CAPABILITY, ())
    customer = order.facts.get(CUSTOMER)
    if not takers or not customer:
        _by_hand(case, refund)
        return
    record: dict[str, Any] = {
        "key": f"store-credit/{refund.id}",
        "credit": refund.id,
        "customer": customer,
        "order": order.id,
        "order_number": order.number or order.external_id,
        "currency": refund.currency,
        "amount": decimal_text(refund.amount),
        "reason": str(refund.facts.get("reason", "")),
    }
    destination = takers[0]  # one keeps the credit of a customer, not several
    case.decision.effects.append(
        EffectRequest(
            destination=destination,
            capability=CAPABILITY,
            key=record["key"],
            aggregate=str(customer),
            lane="credit",
            record=record,
            order_id=order.id,
            subject=refund.id,
            requires=_customer_first(case, destination, str(customer)),
            suppressed=order.effects == Effects.OBSERVE,
        )
    )


def _by_hand(case: Case, refund: Refund) -> None:
    case.raise_exception(
        f"store-credit/{refund.id}",
        "store_credit_by_hand",
        "A customer has store credit that nobody was told of",
        f"{money_text(refund.amount, refund.currency)} for {refund.facts.get('reason', 'a refund')}.",
        "Give the credit where it is kept, then say so with its number.",
        f"hub payments refunded {case.order.id} --refund {refund.id} --external-id NUMBER --reason WHY",
    )


def _customer_first(case: Case, destination: str, customer: str) -> tuple[str, ...]:
    """The call that makes the customer known there, where there was one."""
    key = f"{destination}/upsert_customer/customer/{customer}/{case.order.id}"
    row = case.snapshot.row("deliveries", {"business_key": key})
    return (key,) if row is not None else ()
