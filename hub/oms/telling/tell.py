"""What channels and customers are told beside shipments: order status, cancellations, refunds, returns, and mail.

Each call is told once: its business key names the fact. Nothing is written where the order's channel does not take the
capability, where no connection sends notifications, or where the hub does not act for the order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.domain.payment import CallState
from hub.domain.quantity import LEFT, Bucket
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.intake.kits import as_sold
from hub.oms.telling.outgoing import request

Record = dict[str, Any]
Quantities = Sequence[tuple[OrderLine, Decimal]]
ZERO = Decimal(0)
ONE_DAY_SECONDS = 86_400.0
"""A notification that could not be sent for so long is no news any more."""


def writes(case: Case, template: str) -> bool:
    """Whether buyers of the order's channel are sent this letter."""
    rule = case.rules.notify.get(case.order.channel)
    return bool(case.rules.takers.get("notify")) and rule is not None and template in rule.templates and case.acts


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
    rule = case.rules.notify.get(case.order.channel)
    if rule is None or not writes(case, template):
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
    for destination in case.rules.takers["notify"][:1]:
        request(
            case,
            _effect(case, destination, "notify", business_key, "notify", record, give_up_after_seconds=ONE_DAY_SECONDS),
        )


def push_order_status(case: Case, status: str, key: str, lines: Quantities = (), **data: str) -> None:
    """Tell the channel where the order, or some of it, stands: ready_for_pickup, handed_over, not_collected,
    promise_moved, delayed. `key` names the fact; `data` may name location, fulfilment_order, promised_at, note. No
    lines: all of the order; so of lines that the channel does not know it is told nothing."""
    record: Record = {**_of_order(case), "status": status, "occurred_at": instant_text(case.now), **data}
    record["lines"] = _lines(sold_as(case, lines))
    if lines and not record["lines"]:
        return
    push(case, "push_order_status", f"status/{key}/{status}", "status", record)


def sold_as(case: Case, lines: Quantities) -> list[tuple[OrderLine, Decimal]]:
    """Lines as their buyer knows them: in place of components, the kits that they belong to."""
    kits = {line.kit: case.order.line(line.kit) for line, _ in lines if line.kit is not None}
    return [pair for pair in lines if pair[0].kit is None] + [(kit, kit.live) for kit in kits.values() if kit]


def push_cancellation(case: Case, lines: Quantities, reason: str, key: str) -> None:
    """Tell the channel that quantities of its order, cancelled in the ledger already, will not come. `whole`: that
    leaves nothing of the order at all. Where the channel manages the money it pays them back.

    What comes back of it as a refund names our key: its money is news, its cancellation is not.
    """
    lines = _as_sold(case, lines)
    whole = all(line.live <= 0 for line in case.order.lines)
    if not lines and not whole:
        return  # components of kits that are still wanted, or may still come whole
    for line, units in lines:
        _remember(case, TOLD, line, units)
    record: Record = {**_of_order(case), "whole": whole, "reason": reason, "lines": _lines(lines)}
    record["refund"] = case.channel is not None and case.channel.money == "channel"
    push(case, "push_cancellation", f"cancellation/{key}", "money", record)


def _as_sold(case: Case, lines: Quantities) -> list[tuple[OrderLine, Decimal]]:
    """Components of kits by the whole kits that this decision cancels for want of them."""
    found = [(line, units) for line, units in lines if line.kit is None]
    for kit_id in dict.fromkeys(line.kit for line, _ in lines if line.kit is not None):
        kit = case.order.line(kit_id)
        if kit is not None:
            units = sum((move.quantity for move in kit.ledger.moves if move.target is Bucket.CANCELLED), ZERO)
            found += [(kit, units)] if units > 0 else []
    return found


TOLD, BY_CHANNEL = "cancelled_told", "cancelled_there"
"""Where an order keeps, by line, what its channel was told to be cancelled, and what it said it had cancelled."""


def cancelled_there(case: Case, line: OrderLine, units: Decimal, reference: str = "") -> None:
    """The channel says, beside its restates, that it cancelled quantities of a line. `reference`: ours, where it does
    so because we told it to."""
    if not reference.startswith(f"{case.order.channel}/push_cancellation/"):
        line.cancelled_by_facts += units
        _remember(case, BY_CHANNEL, line, units)


def watch_cancellations(case: Case) -> None:
    """This decision cancels what the channel may not know of: look in a moment, when what is on its way has come."""
    if not any(move.target is Bucket.CANCELLED for line in case.order.lines for move in line.ledger.moves):
        return
    if _has_news(case):
        payload = {"reason": case.cancel_reason} if case.cancel_reason else {}
        at = case.now + dt.timedelta(seconds=case.rules.push_window_seconds)
        case.task("tell_cancellation", case.order.id, at, payload=payload)


def _has_news(case: Case) -> bool:
    """Somebody is to be told of cancellations, and there are some that the channel did not make itself."""
    if not case.acts or case.channel is None or case.order.facts.get("cancelled", {}).get("by") == "channel":
        return False
    rule = case.rules.notify.get(case.order.channel)
    listens = "push_cancellation" in case.channel.capabilities or (rule is not None and "cancelled" in rule.templates)
    return listens and any(untold(case, line) > 0 for line in case.order.lines)


def tell_cancellations(case: Case, reason: str) -> bool:
    """Tell the channel, and the buyer, of what is cancelled in the ledger and the channel does not know of: once,
    whoever cancelled it and whenever the location that had it answered. False where there is nothing to tell."""
    if not _has_news(case):
        return False
    news = [(line, units) for line in case.order.lines if (units := untold(case, line)) > 0]
    reason = reason or str(case.order.facts.get("cancelled", {}).get("reason", ""))
    push_cancellation(case, news, reason, case.cause)
    notify(case, "cancelled", case.cause, news, reason=reason)
    return True


CANCEL_AT_CHANNEL = "cancel-at-channel/"


def cancel_at_channel(case: Case) -> None:
    """A channel that is told of shipments but takes no cancellations goes on expecting the goods until somebody cancels
    there."""
    takes = case.channel.capabilities if case.channel is not None and case.acts else frozenset[str]()
    if "push_cancellation" in takes or not any(name.startswith("push_") for name in takes):
        return
    case.raise_exception(
        f"{CANCEL_AT_CHANNEL}{case.order.id}",
        "cancel_at_channel",
        "An order is cancelled here, and its channel has not cancelled it yet",
        "The hub sends nothing more of what was cancelled, as far as it had not left; the channel still expects it.",
        "Cancel it at the channel; this clears when the channel says so.",
        f"hub orders show {case.order.id}",
    )


def untold(case: Case, line: OrderLine) -> Decimal:
    """What of a line is cancelled and neither wanted less by the channel, nor cancelled by it, nor told to it."""
    cancelled, facts = line.ledger[Bucket.CANCELLED], case.order.facts
    if cancelled <= 0 or "kit_parent" in line.details or not line.as_sold:
        return ZERO
    came_back = min(line.refunded_beside, line.ledger.sum(LEFT))
    by_channel = facts.get("edits", {}).get(line.id, {}).get("by") == case.order.channel
    wanted = min(line.wanted, line.wish) if by_channel else line.wanted
    lowered = line.ledger.ordered - min(wanted + came_back, line.ledger.ordered)
    stated = sum((Decimal(facts.get(name, {}).get(line.id, "0")) for name in (TOLD, BY_CHANNEL)), ZERO)
    return cancelled - max(lowered, stated)


def _remember(case: Case, name: str, line: OrderLine, units: Decimal) -> None:
    known = case.order.facts.get(name, {})
    total = Decimal(known.get(line.id, "0")) + units
    case.order.facts = {**case.order.facts, name: {**known, line.id: decimal_text(total)}}


def push_refund(case: Case, refund_id: str, amount: Decimal, lines: Quantities, reason: str) -> None:
    """Have the channel pay back an amount in the order's currency, or tell it that we have. `lines` say what for."""
    order = case.order
    record: Record = {**_of_order(case), "refund": refund_id, "amount": decimal_text(amount), "reason": reason}
    record["lines"] = _lines(as_sold(order, lines))
    record["paid"] = any(one.id == refund_id and one.state is CallState.SUCCEEDED for one in case.refunds)
    if order.currency:
        record["currency"] = order.currency
    push(case, "push_refund", f"refund/{refund_id}", "money", record, echo="RefundEvent", refs={"refund": refund_id})


def push_return(case: Case, return_id: str, status: str, lines: Quantities) -> None:
    """Tell the channel how a return stands: requested, approved, refused, received, settled, closed, cancelled."""
    record: Record = {**_of_order(case), "return": return_id, "status": status}
    record["lines"] = _lines(as_sold(case.order, lines))
    push(
        case,
        "push_return",
        f"return/{return_id}/{status}",
        f"return/{return_id}",
        record,
        echo="ReturnNotice",
        refs={"return": return_id},
    )


def push(
    case: Case,
    capability: str,
    key: str,
    lane: str,
    record: Record,
    *,
    echo: str = "",
    refs: dict[str, str] | None = None,
) -> None:
    """Ask the order's channel for a capability, where it takes it and the hub acts for the order."""
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
            sku=line.details.get("listing", line.sku),
            quantity=decimal_text(units),
            unit=line.details.get("unit"),
        )
        for line, units in lines
        if units > 0 and line.as_sold
    ]


def _said(case: Case, data: Mapping[str, str]) -> dict[str, str]:
    """Locations as people know them."""
    there = case.location(data.get("location", ""))
    if there is None or not there.address:
        return dict(data)
    said = there.address
    town = " ".join(str(said[part]) for part in ("postal_code", "locality") if said.get(part))
    address = "\n".join((*(str(line) for line in said.get("lines", ())), town))
    return {**data, "location": str(said.get("company") or there.id), "address": address}


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
