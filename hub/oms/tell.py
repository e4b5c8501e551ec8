"""What channels and customers are told beside shipments: order status, cancellations, refunds, returns, and mail.

Each call is told once: its business key names the fact. Nothing is written where the order's channel does not take the
capability, where no connection sends notifications, or where the hub does not act for the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.oms.load import Case
from hub.oms.outgoing import request
from hub.oms.times import instant_text

Record = dict[str, Any]
Quantities = Sequence[tuple[OrderLine, Decimal]]
ONE_DAY_SECONDS = 86_400.0
"""A notification that could not be sent for so long is no news any more."""


def notify(
    case: Case,
    template: str,
    key: str,
    lines: Quantities | None = None,
    attach: Sequence[Mapping[str, str]] = (),
    /,
    **data: str,
) -> None:
    """Write to the buyer, once a fact (`key`), template and recipient; where the channel's policy has the template.

    The templates and the fields that each may show are a closed list (`OWN` in hub.config.notifications). `data` are
    their own fields, never personal: what is, the delivery's body takes from the order's contacts. A `location` among
    them is one of ours, shown by its name and address. `lines` are what it is about, None for all that is not
    cancelled; `attach` are files of name, content_type and content in base64.
    """
    takers = case.rules.takers.get("notify", ())
    rule = case.rules.notify.get(case.order.channel)
    if not takers or rule is None or template not in rule.templates or not case.acts:
        return
    buyer = case.contacts.get("buyer", {})
    address = buyer.get("email")
    if not address:
        return
    order = case.order
    about = [(line, line.live) for line in order.lines] if lines is None else lines
    business_key = f"notify/{key}/{template}/buyer"
    record = _present(
        key=business_key,
        template=template,
        channel=order.channel,
        brand=rule.brand or None,
        locale=buyer.get("locale") or rule.locale,
        to=_present(email=address, name=buyer.get("name") or None),
        order=order.id,
        order_number=order.number or order.external_id,
        placed_at=instant_text(order.placed_at) if order.placed_at else None,
        currency=order.currency,
        total=decimal_text(order.total) if order.total is not None else None,
        ship_to=case.contacts.get("ship_to"),
        lines=[_shown(line, units) for line, units in about if units > 0],
        attachments=[dict(one) for one in attach] or None,
        data={name: value for name, value in sorted(_said(case, data).items()) if value},
    )
    for destination in takers[:1]:
        request(
            case,
            _effect(case, destination, "notify", business_key, "notify", record, give_up_after_seconds=ONE_DAY_SECONDS),
        )


def push_order_status(case: Case, status: str, key: str, lines: Quantities = (), **data: str) -> None:
    """Tell the channel where the order, or some of it, stands: ready_for_pickup, handed_over, not_collected,
    promise_moved, delayed. `key` names the fact; `data` may name location, fulfilment_order, promised_at, note."""
    record: Record = {**_of_order(case), "status": status, "occurred_at": instant_text(case.now), **data}
    record["lines"] = _lines(lines)
    _push(case, "push_order_status", f"status/{key}/{status}", "status", record)


def push_cancellation(case: Case, lines: Quantities, reason: str, key: str) -> None:
    """Tell the channel that quantities of its order, cancelled in the ledger already, will not come. `whole`: that
    leaves nothing of the order at all."""
    whole = all(line.live <= 0 for line in case.order.lines)
    record: Record = {**_of_order(case), "whole": whole, "reason": reason, "lines": _lines(lines)}
    _push(case, "push_cancellation", f"cancellation/{key}", "money", record, echo="RefundEvent")


def push_refund(case: Case, refund_id: str, amount: Decimal, lines: Quantities, reason: str) -> None:
    """Have the channel pay back an amount in the order's currency, or tell it that we have. `lines` say what for."""
    order = case.order
    record: Record = {**_of_order(case), "refund": refund_id, "amount": decimal_text(amount), "reason": reason}
    record["lines"] = _lines(lines)
    if order.currency:
        record["currency"] = order.currency
    _push(case, "push_refund", f"refund/{refund_id}", "money", record, echo="RefundEvent", refs={"refund": refund_id})


def push_return(case: Case, return_id: str, status: str, lines: Quantities) -> None:
    """Tell the channel how a return stands: requested, approved, refused, received, settled, closed, cancelled."""
    record: Record = {**_of_order(case), "return": return_id, "status": status, "lines": _lines(lines)}
    _push(
        case,
        "push_return",
        f"return/{return_id}/{status}",
        f"return/{return_id}",
        record,
        echo="ReturnNotice",
        refs={"return": return_id},
    )


def _push(
    case: Case,
    capability: str,
    key: str,
    lane: str,
    record: Record,
    *,
    echo: str = "",
    refs: dict[str, str] | None = None,
) -> None:
    channel = case.channel
    if channel is None or capability not in channel.capabilities or not case.acts or case.order.made_here:
        return
    record = {"key": key, **{name: value for name, value in record.items() if value not in (None, "")}}
    request(case, _effect(case, channel.id, capability, key, lane, record, echo=echo, refs=refs or {}))


def _effect(
    case: Case, destination: str, capability: str, key: str, lane: str, record: Record, **more: Any
) -> EffectRequest:
    return EffectRequest(
        destination=destination,
        capability=capability,
        key=key,
        aggregate=case.order.id,
        lane=lane,
        record=record,
        order_id=case.order.id,
        suppressed=case.order.effects == Effects.OBSERVE,
        **more,
    )


def _of_order(case: Case) -> Record:
    order = case.order
    return _present(order=order.id, order_external_id=order.external_id, order_number=order.number)


def _lines(lines: Quantities) -> list[Record]:
    return [
        _present(
            external_line_id=line.external_line_id,
            sku=line.sku,
            quantity=decimal_text(units),
            unit=line.details.get("unit"),
        )
        for line, units in lines
        if units > 0
    ]


def _said(case: Case, data: Mapping[str, str]) -> dict[str, str]:
    """Locations as people know them."""
    place = case.location(data.get("location", ""))
    if place is None or not place.address:
        return dict(data)
    said = place.address
    town = " ".join(str(said[part]) for part in ("postal_code", "locality") if said.get(part))
    address = "\n".join((*(str(line) for line in said.get("lines", ())), town))
    return {**data, "location": str(said.get("company") or place.id), "address": address}


def _shown(line: OrderLine, units: Decimal) -> Record:
    details = line.details
    return _present(
        title=details.get("title") or line.sku,
        sku=line.sku,
        quantity=decimal_text(units),
        unit_price=details.get("unit_price"),
    )


def _present(**fields: Any) -> Record:
    return {name: value for name, value in fields.items() if value is not None}
