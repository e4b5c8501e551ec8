"""Labels for parcels that come back: bought once a return, from the customer's address to the location that receives.

The carrier charges for it as for any label, and what it charged is kept with the label.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import Effects
from hub.domain.package import CarrierLabel, LabelState
from hub.domain.return_policy import ReturnPolicy
from hub.domain.returns import OUTSTANDING, Return, ReturnState
from hub.oms.desk.load import Case, tracking_key
from hub.oms.desk.save import tell
from hub.oms.desk.times import instant_text
from hub.oms.fulfilment.label import CONTENT_TYPES, DONE, ENDED, keep_bytes
from hub.oms.fulfilment.void_label import void_label, void_refused, voided
from hub.oms.telling.outgoing import request
from hub.oms.telling.tell import notify


def want_label(case: Case, one: Return, policy: ReturnPolicy) -> None:
    """Buy the label, where the channel's policy names a carrier and nobody has bought one."""
    if not policy.carrier or not case.acts or _label(case, one) is not None:
        return
    location, buyer = case.location(one.location), case.contacts.get("ship_to")
    if location is None or not location.address.get("lines") or not buyer:
        why = "the order has no address" if location is not None and not buyer else f"{one.location} has no address"
        _trouble(case, one, why)
        return
    label = CarrierLabel(
        id=derived_id("lb", one.id, "1"),
        package_id=one.id,
        order_id=case.order.id,
        connection=policy.carrier,
        number=1,
        state=LabelState.REQUESTED,
        service=policy.service,
        document={"direction": "return"},
    )
    case.labels.append(label)
    record: dict[str, Any] = {
        "key": label.key,
        "package": one.id,
        "number": label.number,
        "order": case.order.id,
        "order_number": one.number,
        "direction": "return",
        "service": policy.service,
        "format": policy.label_format,
        "ship_from": buyer,
        "ship_to": dict(location.address),
        "parcel": {
            "weight_grams": str(policy.parcel_grams),
            "contents": [{"sku": part.sku, "quantity": decimal_text(part.sum(OUTSTANDING))} for part in one.lines],
        },
    }
    request(
        case,
        EffectRequest(
            destination=label.connection,
            capability="buy_label",
            key=label.key,
            aggregate=one.id,
            lane="label",
            record=record,
            order_id=case.order.id,
            refs={"return": one.id},
            suppressed=case.order.effects == Effects.OBSERVE,
        ),
    )


def drop_label(case: Case, one: Return, reason: str) -> None:
    """The parcel will not come: its label is given back, one whose purchase is under way when its answer comes."""
    label = _label(case, one)
    why_not = "" if label is None else void_label(case, label, reason)
    if why_not:
        _trouble(case, one, why_not)


def answered(case: Case, key: str, record: dict[str, Any]) -> None:
    """What a carrier answered to the purchase, or the voiding, of a return's label."""
    ours = key.removeprefix("label/").removesuffix("/void")
    label = next((one for one in case.labels if ours in (one.key, one.id)), None)
    found = next((one for one in case.returns if label is not None and one.id == label.package_id), None)
    if label is None or found is None:
        return
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    if key.endswith("/void"):
        if resolution in DONE and reply.get("accepted") is not False:
            voided(case, label, reply)
        elif resolution in ENDED or reply.get("accepted") is False:
            void_refused(case, label, resolution)
        return
    if label.state not in (LabelState.REQUESTED, LabelState.REFUSED):
        return
    if resolution in ENDED or reply.get("accepted") is False:
        label.state = LabelState.WITHDRAWN if resolution == "withdrawn" else LabelState.REFUSED
        words = reply.get("reason") or record.get("words") or "no reason given"
        _trouble(case, found, f"{label.connection} refused: {case.discreet(str(words))}")
    elif resolution in DONE:
        _bought(case, found, label, reply.get("label") or {}, record)


def _bought(case: Case, one: Return, label: CarrierLabel, said: dict[str, Any], record: dict[str, Any]) -> None:
    label.state = LabelState.BOUGHT
    label.external_id = str(said.get("external_id") or record.get("external_id") or "") or None
    label.tracking_number = said.get("tracking_number") or None
    label.carrier, label.service = said.get("carrier") or label.carrier, said.get("service") or label.service
    if said.get("amount") and said.get("currency"):
        label.cost, label.currency = Decimal(str(said["amount"])), str(said["currency"])
    keep_bytes(case, label, said)
    one.tracking_number = label.tracking_number or one.tracking_number
    if one.tracking_number:
        case.decision.wakes.append(tracking_key(one.tracking_number))
    case.clear_exception(f"return-label/{one.id}", "a label was bought")
    if one.state is ReturnState.APPROVED:
        one.reach(ReturnState.LABEL_ISSUED)
    told = {"return": one.id, "number": one.number, "label": label.id, "tracking_number": one.tracking_number}
    if label.cost is not None and label.currency:
        told |= {"cost": decimal_text(label.cost), "currency": label.currency}
    tell(case, Fact.RETURN_LABELLED, label.id, **{name: text for name, text in told.items() if text})
    if one.state in (ReturnState.CANCELLED, ReturnState.EXPIRED):
        drop_label(case, one, "the return was cancelled")
        return
    fields = {"return_number": one.number, "tracking_number": one.tracking_number, "carrier": label.carrier or ""}
    fields |= {"send_by": instant_text(one.expires_at)} if one.expires_at else {}
    notify(case, "return_label", one.id, None, _attached(one, said), **fields)


def _attached(one: Return, said: dict[str, Any]) -> tuple[dict[str, str], ...]:
    """The label itself, where the carrier sold its bytes in a form that people can print."""
    kind = CONTENT_TYPES.get(str(said.get("format", "")))
    if kind is None or not said.get("content"):
        return ()
    name = f"return-label-{one.number}.{said['format']}"
    return ({"name": name, "content_type": kind, "content": str(said["content"])},)


def _label(case: Case, one: Return) -> CarrierLabel | None:
    return next((label for label in case.labels if label.package_id == one.id), None)


def _trouble(case: Case, one: Return, why: str) -> None:
    cause_key = f"return-label/{one.id}"
    if cause_key in case.raised:
        case.forget([cause_key], "said anew")
    case.raise_exception(
        cause_key,
        "return_label_missing",
        "A return has no label",
        f"Return {one.number}: {why}.",
        "Correct it and send the purchase again as new, or give the customer a label of your own.",
        f"hub returns show {one.id}",
    )
