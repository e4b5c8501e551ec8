"""Giving labels back, whatever they were bought for: a package that stays, a return that does not come.

A carrier may refuse: the parcel was scanned, the time is over. Then what it charged is a cost that stays to be seen.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import Effects
from hub.domain.package import CarrierLabel, LabelState
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.telling.outgoing import never_sent, request


def void_label(case: Case, label: CarrierLabel, reason: str) -> str:
    """Ask the price back. One that nobody was asked for yet is taken back with the request; one whose purchase is under
    way is voided when its answer comes. Returns why it cannot be given back by itself, empty where it can."""
    bought = f"{label.connection}/buy_label/{label.key}"
    unsent = label.state is LabelState.REQUESTED and never_sent(case, bought)
    if label.state is not LabelState.BOUGHT and not unsent:
        return ""
    label.state = LabelState.WITHDRAWN if unsent else LabelState.VOIDING
    if label.external_id is None and not unsent:
        return f"{label.connection} sold a label without an id: it cannot be given back by itself"
    record = {
        "key": f"label/{label.id}/void",
        "label": label.id,
        "package": label.package_id,
        "order": case.order.id,
        "external_id": label.external_id or label.id,
        "reference": bought,
        "reason": reason,
    }
    record |= {"tracking_number": label.tracking_number} if label.tracking_number else {}
    request(
        case,
        EffectRequest(
            destination=label.connection,
            capability="void_label",
            key=record["key"],
            aggregate=label.package_id,
            lane="label",
            record=record,
            order_id=case.order.id,
            withdraws=(bought,) if unsent else (),
            suppressed=case.order.effects == Effects.OBSERVE,
        ),
    )
    return ""


def voided(case: Case, label: CarrierLabel, reply: dict[str, Any]) -> None:
    """The carrier took it back. Money of another currency than was charged is not taken for the price."""
    refund = reply.get("refund") or {}
    label.state = LabelState.VOIDED
    if refund.get("currency") == label.currency and refund.get("amount"):
        label.refunded = Decimal(str(refund["amount"]))
    case.clear_exception(f"refused/{label.connection}/void_label", "answered")
    _tell(case, Fact.PACKAGE_VOIDED, label, refunded=decimal_text(label.refunded))


def void_refused(case: Case, label: CarrierLabel, resolution: str) -> None:
    """The carrier keeps the price. Its words stand under the delivery's own exception."""
    if label.state is not LabelState.VOIDING:
        return
    label.state = LabelState.WITHDRAWN if resolution == "withdrawn" else LabelState.VOID_REFUSED
    if label.state is LabelState.VOID_REFUSED and label.cost is not None:
        _tell(case, Fact.PACKAGE_VOID_REFUSED, label, cost=decimal_text(label.cost))


def _tell(case: Case, fact: Fact, label: CarrierLabel, **amounts: str) -> None:
    told = {"package": label.package_id, **amounts} | ({"currency": label.currency} if label.currency else {})
    tell(case, fact, label.id, label=label.id, **told)
