"""The calls an order causes: canonical payloads (openapi/schemas) and their business keys."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest
from hub.domain.fulfilment import CancelRequest, FulfilmentOrder, Method
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine, edits_effect
from hub.domain.payment import Charge
from hub.domain.quantity import LEFT
from hub.domain.shipment import Package, Shipment
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.intake.kits import newly_whole

Record = dict[str, Any]


def order_key(case: Case) -> str:
    return f"order/{case.order.id}"


def request(case: Case, effect: EffectRequest) -> None:
    case.decision.effects.append(effect)


def submit_order(case: Case) -> None:
    """Tell every system that takes orders (the ERP) about this one, once."""
    for destination in case.rules.takers.get("submit_order", ()):
        _posted(case, destination, "submit_order", order_key(case))
    case.order.facts = {**case.order.facts, "posted": posted_hash(case)}


_UPDATE = "update_order"


def update_order(case: Case) -> None:
    """Tell them what changed since; nothing when nothing they see has changed."""
    posted = posted_hash(case)
    if "posted" not in case.order.facts or case.order.facts["posted"] == posted:
        return
    key = f"{order_key(case)}@{case.order.version + 1}"
    # One decision has one last word: what it said before is part of it.
    case.decision.effects = [one for one in case.decision.effects if (one.capability, one.key) != (_UPDATE, key)]
    for destination in case.rules.takers.get(_UPDATE, ()):
        submitters = case.rules.takers.get("submit_order", ())
        # A change of an order that was refused there would only be refused again, as a cause of its own.
        requires = (f"{destination}/submit_order/{order_key(case)}",) if destination in submitters else ()
        _posted(case, destination, _UPDATE, key, requires)
    case.order.facts = {**case.order.facts, "posted": posted}


def cancel_order(case: Case, reason: str) -> None:
    """Tell them that the whole order is no longer wanted; withdraws what was not sent yet."""
    order = case.order
    for destination in case.rules.takers.get("cancel_order", ()):
        key = f"{order_key(case)}/cancel"
        record = _present(
            key=key,
            order=order.id,
            order_external_id=order.external_id,
            order_number=order.number,
            reference=f"{destination}/submit_order/{order_key(case)}",
            reason=reason,
        )
        submitted = f"{destination}/submit_order/{order_key(case)}"
        # Only with the submission: an update alone that is taken back would take this cancellation with it.
        updates = f"{destination}/update_order/{order_key(case)}@"
        withdraws = (submitted, updates) if never_sent(case, submitted) else ()
        request(case, _effect(case, destination, "cancel_order", key, order.id, "order", record, withdraws=withdraws))


WITHDRAWABLE = ("pending", "retry", "in_flight", "parked", "suppressed")
"""States of a delivery of which, while it has no attempt, nobody outside has heard."""


def never_sent(case: Case, business_key: str) -> bool:
    """Nobody outside has heard of a delivery: the outbox takes it back under the same condition, in the same write set.

    If an attempt starts in between, the write set conflicts and everything is decided anew.
    """
    sent = case.snapshot.row("deliveries", {"business_key": business_key})
    return sent is not None and sent["attempts"] == 0 and sent["state"] in WITHDRAWABLE


def send_work(case: Case, work: FulfilmentOrder) -> None:
    """Ask a location to do its work."""
    if not work.connection:
        return
    key = f"fulfilment-order/{work.id}@{work.version}"
    record = work_record(case, work, key)
    request(case, _effect(case, work.connection, "send_fulfilment_request", key, work.id, "work", record))


def work_record(case: Case, work: FulfilmentOrder, key: str) -> Record:
    """What a location is asked, by the order as it stands."""
    order, rule = case.order, case.location(work.location)
    lines = []
    for part in work.lines:
        line = order.line(part.line_id)
        details = line.details if line else {}
        lines.append(
            _present(
                line=part.line_id,
                sku=part.sku,
                title=details.get("title"),
                quantity=decimal_text(part.quantity),
                unit=details.get("unit"),
            )
        )
    return _present(
        key=key,
        fulfilment_order=work.id,
        order=order.id,
        order_number=order.number or order.external_id,
        channel=order.channel,
        location=work.location,
        external_location_id=rule.wms_code if rule else None,
        method=work.method,
        destination=work.destination or None,
        external_destination_id=goes_to.wms_code if (goes_to := case.location(work.destination)) else None,
        service_level=order.facts.get("service_level"),
        ship_to=_address_for(case, work),
        currency=order.currency,
        lines=lines,
    )


def _address_for(case: Case, work: FulfilmentOrder) -> Record | None:
    """Where a parcel goes: to the buyer, for a transfer to the other location; what is collected goes nowhere."""
    if work.method == Method.TRANSFER:
        destination = case.location(work.destination)
        return dict(destination.address) if destination and destination.address else None
    return case.contacts.get("ship_to")


def is_suppressed(case: Case, work: FulfilmentOrder) -> bool:
    """The location's connection (or the order's channel) observes: it was never asked."""
    key = f"{work.connection}/send_fulfilment_request/fulfilment-order/{work.id}@{work.version}"
    sent = case.snapshot.row("deliveries", {"business_key": key})
    return sent is not None and sent["state"] == "suppressed"


def cancel_work(case: Case, work: FulfilmentOrder, asked: CancelRequest) -> None:
    """Ask a location not to ship quantities; a request for everything withdraws work that was not sent yet."""
    if not work.connection:
        return
    key = f"cancel/{asked.id}"
    skus = {line.line_id: line.sku for line in work.lines}
    lines = [
        _present(line=line.line_id, sku=skus.get(line.line_id), quantity=decimal_text(line.quantity))
        for line in asked.lines
    ]
    record = _present(
        key=key,
        fulfilment_order=work.id,
        fulfilment_order_external_id=work.external_id,
        cancel_request=asked.id,
        location=work.location,
        reason=asked.reason,
        lines=lines,
    )
    whole = all(work.waiting(line.line_id) == line.at_location for line in work.lines)
    sent = f"{work.connection}/send_fulfilment_request/fulfilment-order/{work.id}@"
    withdraws = (sent,) if whole else ()
    refs = {"cancel_request": asked.id, "fulfilment_order": work.id}
    effect = _effect(
        case, work.connection, "cancel_fulfilment_request", key, work.id, "work", record, withdraws=withdraws, refs=refs
    )
    request(case, effect)


def push_shipment(case: Case, shipment: Shipment, package: Package) -> None:
    """Tell the channel what left in a package and how to follow it."""
    order, channel = case.order, case.channel
    if channel is None or "push_shipment" not in channel.capabilities or order.made_here:
        return
    lines: list[Record] = []
    for part in package.lines:
        line = order.line(part.line_id) if part.line_id else None
        if line is not None and part.counted > 0 and line.as_sold:
            # Without a tracking number only quantities tell later whether the channel has heard of it.
            before = None if package.tracking_number else _told_before(line, shipment, package)
            lines.append(_pushed_line(line, part.sku, part.counted, before))
        kit = order.line(line.kit) if line is not None and line.kit else None
        if kit is not None and (whole := newly_whole(order, kit)) > 0:
            # The channel sold kits: each is told with the package that makes it whole.
            lines.append(_pushed_line(kit, kit.sku, whole))
    if not lines:
        return
    key = f"package/{package.id}/{channel.id}"
    record = _present(
        key=key,
        order_external_id=order.external_id,
        order_number=order.number,
        order_placed_at=instant_text(order.placed_at) if order.placed_at else None,
        shipment=shipment.id,
        package=package.external_id,
        carrier=package.carrier or None,
        service=package.service or None,
        tracking_number=package.tracking_number or None,
        tracking_url=package.tracking_url or None,
        shipped_at=instant_text(shipment.shipped_at),
        location=shipment.location,
        notify_customer=True,
        lines=lines,
    )
    match = {"order_external_id": order.external_id}
    if package.tracking_number:
        match["tracking_number"] = package.tracking_number
    else:  # handed over, or sent without a number: the same units of the same line are the same fact
        match |= {name: str(lines[0][name]) for name in ("external_line_id", "quantity")}
    effect = _effect(
        case, channel.id, "push_shipment", key, order.id, "shipment", record, echo="ShipmentNotice", echo_match=match
    )
    request(case, effect)


def _told_before(line: OrderLine, shipment: Shipment, package: Package) -> Decimal:
    """Of what has left of a line, what neither this package nor those after it in its shipment hold."""
    packages = shipment.packages[shipment.packages.index(package) :]
    later = (part.counted for one in packages for part in one.lines if part.line_id == line.id)
    return max(line.ledger.sum(LEFT) - sum(later, Decimal(0)), Decimal(0))


def _pushed_line(line: OrderLine, sku: str | None, units: Decimal, before: Decimal | None = None) -> Record:
    return _present(
        external_line_id=line.external_line_id,
        sku=line.details.get("listing") or line.sku or sku,
        substitute=sku if line.sku and sku != line.sku else None,
        quantity=decimal_text(units),
        told_before=None if before is None else decimal_text(before),
        unit=line.details.get("unit"),
    )


def post_invoice(
    case: Case, key: str, shipment_id: str, issued_at: dt.datetime, charge: Charge, lines: list[Record], last: bool
) -> None:
    """Tell the ERP what a shipment is charged, after it knows the order. Without `lines`: the rest of its total."""
    order = case.order
    for destination in case.rules.takers.get("post_invoice", ()):
        submitted = f"{destination}/submit_order/{order_key(case)}"
        record = _present(
            key=key,
            order=order.id,
            order_number=order.number,
            reference=submitted,
            shipment=shipment_id,
            currency=order.currency,
            issued_at=instant_text(issued_at),
            goods=decimal_text(charge.goods),
            shipping=decimal_text(charge.shipping),
            tax=decimal_text(charge.tax),
            discounts=decimal_text(charge.discounts),
            amount=decimal_text(charge.amount),
            last=last,
            lines=lines,
        )
        takes_orders = destination in case.rules.takers.get("submit_order", ())
        requires = (submitted,) if takes_orders and "posted" in order.facts else ()
        request(case, _effect(case, destination, "post_invoice", key, order.id, "order", record, requires=requires))


def posted_hash(case: Case) -> str:
    """Hash of what an ERP sees of the order; equal content is not posted twice."""
    content = json.dumps(_content(case), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _posted(case: Case, destination: str, capability: str, key: str, requires: tuple[str, ...] = ()) -> None:
    record = posted_record(case, key)
    request(case, _effect(case, destination, capability, key, case.order.id, "order", record, requires=requires))


def posted_record(case: Case, key: str) -> Record:
    """What an ERP is told of the order, as it stands."""
    return {"key": key, "version": str(case.order.version + 1), **_content(case)}


def _content(case: Case) -> Record:
    order = case.order
    buyer = case.contacts.get("buyer", {})
    return _present(
        order=order.id,
        order_external_id=order.external_id,
        order_number=order.number,
        channel=order.channel,
        seller_entity=order.seller_entity,
        placed_at=instant_text(order.placed_at) if order.placed_at else None,
        currency=order.currency,
        buyer_name=buyer.get("name"),
        buyer_email=buyer.get("email"),
        bill_to=case.contacts.get("bill_to"),
        ship_to=case.contacts.get("ship_to"),
        totals=_posted_totals(order.facts.get("totals"), edits_effect(order).amount),
        lines=[_posted_line(line) for line in order.lines if line.live > 0 and not line.kit],
    )


def _posted_totals(totals: Record | None, edited: Decimal) -> Record | None:
    """Totals that fit the lines beside them, which are what is still wanted: where the order has changed since it was
    placed, the parts of its first total add up to nothing that is sold, and only the present total is told."""
    if totals is None or "total" not in totals:
        return totals
    present = decimal_text(Decimal(str(totals.get("current_total", totals["total"]))) + edited)
    if Decimal(present) == Decimal(totals["total"]):
        return totals
    return {"total": present, "current_total": present}


def _posted_line(line: OrderLine) -> Record:
    details = line.details
    discounts = [item for item in details.get("adjustments", ()) if item["type"] == "discount"]
    taxes = details.get("taxes", ())
    return _present(
        line=line.id,
        external_line_id=line.external_line_id,
        sku=line.sku,
        title=details.get("title"),
        quantity=decimal_text(line.live),
        unit=details.get("unit"),
        unit_price=details.get("unit_price"),
        discount=_sum(discounts),
        tax=_sum(taxes),
    )


def _sum(rows: Any) -> str | None:
    amounts = [Decimal(row["amount"]) for row in rows]
    return decimal_text(sum(amounts, Decimal(0))) if amounts else None


def _effect(
    case: Case,
    destination: str,
    capability: str,
    key: str,
    aggregate: str,
    lane: str,
    record: Record,
    *,
    requires: tuple[str, ...] = (),
    withdraws: tuple[str, ...] = (),
    echo: str = "",
    echo_match: dict[str, str] | None = None,
    refs: dict[str, str] | None = None,
) -> EffectRequest:
    return EffectRequest(
        destination=destination,
        capability=capability,
        key=key,
        aggregate=aggregate,
        lane=lane,
        record=record,
        order_id=case.order.id,
        requires=requires,
        withdraws=withdraws,
        echo=echo,
        echo_match=echo_match or {},
        refs=refs or {},
        suppressed=case.order.effects == Effects.OBSERVE,
    )


def _present(**fields: Any) -> Record:
    return {name: value for name, value in fields.items() if value is not None}
