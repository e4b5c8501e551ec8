"""What a channel says an order is paid with.

Of money that the hub manages the channel knows how it began; what becomes of it, its provider tells. Of its own money
the channel knows all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.ids import derived_id
from hub.domain.payment import Payment
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant
from hub.oms.money.authorisation import ask_first, payment_found
from hub.oms.money.pay import CHANNEL, HUB, manages_money, payment_key, watch_expiry


def state_payments(case: Case, stated: Sequence[Mapping[str, Any]]) -> None:
    """What the channel says the order is paid with. Of money that the hub manages the channel knows how it began; what
    becomes of it, its provider tells."""
    order = case.order
    known = {one.id: one for one in case.payments}
    for position, said in enumerate(stated):
        external_id = str(said["external_id"])
        payment_id = derived_id("py", order.id, external_id)
        payment = known.get(payment_id)
        first = payment is None
        if payment is None:
            connection = _provider(case, str(said.get("gateway", "")))
            payment = Payment(
                payment_id,
                order.id,
                connection or order.channel,
                HUB if connection else CHANNEL,
                str(said.get("currency") or order.currency),
                method=str(said.get("method", "")),
                priority=int(said.get("priority", position)),
                external_id=external_id,
                facts={"gateway": said["gateway"]} if said.get("gateway") else {},
            )
            known[payment_id] = payment
            case.payments.append(payment)
            case.decision.wakes.append(payment_key(payment.connection, external_id))
        _state_payment(payment, said, first)
        if first and not case.new and payment.managed_by == HUB and payment.open > 0:
            payment_found(case, payment)
        if first and said.get("state") == "created" and payment.managed_by == HUB:
            ask_first(case, payment, Decimal(str(said["amount"])))
        if payment.managed_by == HUB and not order.facts.get("hub_payments"):
            order.facts = {**order.facts, "hub_payments": True}
        if payment.expires_at is not None and payment.managed_by == HUB:
            watch_expiry(case, payment)


def _state_payment(payment: Payment, said: Mapping[str, Any], first: bool) -> None:
    amount, state = Decimal(str(said["amount"])), str(said.get("state", "authorised"))
    if state == "failed":
        payment.failed = payment.authorised == 0
        return
    if state == "created":
        return
    payment.see_authorised(amount, payment.external_id)
    if state == "captured" and (first or payment.managed_by == CHANNEL):
        more = Decimal(str(said.get("captured", amount))) - payment.captured
        if more > 0:
            payment.see_captured(more, payment.external_id)
    if state in ("voided", "expired") and (first or payment.managed_by == CHANNEL):
        payment.see_voided(expired=state == "expired")
    ends = instant(said.get("expires_at"))
    if ends is not None and (payment.expires_at is None or ends > payment.expires_at):
        payment.expires_at = ends


def _provider(case: Case, gateway: str) -> str | None:
    """The connection that handles payments of a gateway; None: the channel does."""
    if not manages_money(case):
        return None
    named = case.rules.gateways.get(gateway)
    if named is not None:
        return None if named == CHANNEL else named
    return next(iter(case.rules.takers.get("capture", ())), None)
