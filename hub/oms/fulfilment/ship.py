"""Goods leave: a location has shipped them or handed them to their buyer, or a channel shipped by hand.

One write set moves the ledger, consumes the reservation and takes the goods from stock, then tells the channel and the
ERP. Skipped steps are implied; more than was asked, or what was cancelled, is kept as gone and raises an exception.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FulfilmentOrder, Method, WorkLine
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, DECREASE, Bucket
from hub.domain.shipment import Package, PackageLine, Shipment
from hub.domain.snapshot import Snapshot
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, find_case, order_key, work_key
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant
from hub.oms.fulfilment.label import drop_unneeded
from hub.oms.fulfilment.said_before import BY_HAND, beyond_by_hand, news_of, remember_by_hand, told_again
from hub.oms.fulfilment.substitute import give_back_what_was_paid, is_substitute, substitute
from hub.oms.fulfilment.tracking import carried, depart
from hub.oms.fulfilment.transfer import depart as depart_for
from hub.oms.fulfilment.work import line_meant, open_work, overtake
from hub.oms.money.invoice import invoice
from hub.oms.ports import Rules
from hub.oms.stock.goods import take_from_stock
from hub.oms.stock.reserve import consume_firm, count_unassigned, release_firm, trim
from hub.oms.telling.outgoing import push_shipment
from hub.oms.telling.tell import notify

ZERO = Decimal(0)
_AT_LOCATION_NEAREST = tuple(reversed(AT_LOCATION))
EndFirm = Callable[[Case, str, str, Decimal], None]


def handle_notice(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `shipments`."""

    def apply_notice(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        work_id = incoming.record.get("fulfilment_order")
        if work_id is None:
            return _shipped_by_hand(incoming, snapshot, rules, now)
        found = open_work(snapshot, rules, now, incoming.id, str(work_id))
        if found is None:
            waits_for = work_key(str(work_id))
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the fulfilment order is not known")
        case, work = found
        packages = news_of(case, work, incoming.record["packages"])
        if not packages and not case.decision.exceptions:
            message = "its packages are known from another notice"
            return Decision(Verdict.DUPLICATE, subject=case.order.id, message=message)
        record = {**incoming.record, "packages": packages}
        if work.method == Method.TRANSFER:
            depart_for(case, work, record)
        elif packages:
            leave(case, work, record)
        return save(case)

    return apply_notice


def hand_over(case: Case, work: FulfilmentOrder, record: dict[str, Any]) -> None:
    """The buyer has it: `record` is a FulfilmentResponse. No lines named: everything that the location still has."""
    stated = record.get("lines") or [
        {"line": part.line_id, "sku": part.sku, "quantity": decimal_text(part.at_location)}
        for part in work.lines
        if part.at_location > 0
    ]
    if record.get(BY_HAND):
        remember_by_hand(case, work, stated)
    else:
        stated, known = beyond_by_hand(case, work, stated, whole=not record.get("lines"))
        if known and not stated:
            return
    repeated = [said for said in stated if _handed_over_before(work, said)]
    if repeated or not stated:
        told_again(case, work, [(str(said.get("sku") or said["line"]), said["quantity"]) for said in repeated])
        stated = [said for said in stated if said not in repeated]
    if not stated:
        return
    notice = {
        "external_id": record["fact_key"],
        "shipped_at": record.get("occurred_at"),
        "packages": [{"package": record["fact_key"], "lines": stated}],
        "proof": case.discreet(str(record.get("proof", ""))),
        "by": case.discreet(str(record.get("by", ""))),
    }
    leave(case, work, notice, Bucket.HANDED_OVER)


def _handed_over_before(work: FulfilmentOrder, said: dict[str, Any]) -> bool:
    """The store has nothing of the line any more, and gave its buyer as much as it says."""
    part = work.line(str(said["line"]))
    if part is None or part.at_location > 0 or part[Bucket.CANCELLED] > 0 or part.returned > 0:
        return False
    return ZERO < Decimal(str(said["quantity"])) <= part[Bucket.HANDED_OVER]


def leave(case: Case, work: FulfilmentOrder, record: dict[str, Any], target: Bucket = Bucket.SHIPPED) -> None:
    """Apply what a ShipmentNotice (or a handover in its form) says has left the location for its buyer."""
    shipped_at = instant(record.get("shipped_at")) or case.now
    case.clear_exception(f"silence/{work.id}", "shipped")
    packages: list[Package] = []
    carrier, service = str(record.get("carrier", "")), str(record.get("service", ""))
    trouble: list[str] = []
    taken: dict[str, Decimal] = {}
    for stated in record["packages"]:
        parts = []
        for said in stated["lines"]:
            stated_units, counted, conceded = Decimal(str(said["quantity"])), ZERO, ZERO
            units = max(stated_units, ZERO)
            line = line_meant(case, work, said)
            sku = str(said.get("sku") or (line.sku if line else "") or "")
            if stated_units < 0:
                trouble.append(f"{decimal_text(stated_units)} of {sku or 'something'}, which is less than nothing")
            if line is None:
                trouble.append(f"{decimal_text(units)} of {sku or 'something'} that is not on the order")
            elif units > 0:
                before = line.ledger.over_shipped
                other = is_substitute(line, sku)
                trouble += _leave_line(case, work, line, units, target, release_firm if other else consume_firm)
                counted = units - (line.ledger.over_shipped - before)
                if other and counted > 0:
                    conceded = substitute(case, work, line, sku, counted, said)
            if sku and units > 0:
                taken[sku] = taken.get(sku, ZERO) + units
            parts.append(PackageLine(line.id if line else None, sku, units, counted, conceded))
        package_id, known = case.new_id("pk", work.id, str(stated["package"])), carried(case, work, stated)
        if known is not None and known.id not in {package.id for package in packages}:
            package_id = known.id
        else:
            known = None
        packages.append(
            Package(
                package_id,
                str(stated["package"]),
                str(stated.get("tracking_number", "")) or (known.tracking_number if known else ""),
                str(stated.get("tracking_url", "")) or (known.tracking_url if known else ""),
                tuple(parts),
                str(stated.get("carrier") or carrier or (known.carrier if known else "")),
                str(stated.get("service") or service or (known.service if known else "")),
            )
        )
    shipment = Shipment(
        id=case.new_id("sh", work.id),
        order_id=case.order.id,
        fulfilment_order_id=work.id,
        location=work.location,
        external_id=str(record["external_id"]),
        shipped_at=shipped_at,
        carrier=carrier or next((package.carrier for package in packages if package.carrier), ""),
        service=service or next((package.service for package in packages if package.service), ""),
        packages=tuple(packages),
    )
    take_from_stock(case, work.location, work.connection, taken, shipped_at)
    overtake(case, work)
    work.settle()
    case.decision.writes.insert("shipments", _row(case, shipment, record))
    _tell(case, work, shipment, target)
    if target is Bucket.SHIPPED:
        depart(case, shipment)
    drop_unneeded(case, work, "the location shipped without it")
    if trouble:
        _unexpected(case, work, trouble)
    for package in packages:
        push_shipment(case, shipment, package)
        if target is Bucket.SHIPPED:
            _notify(case, shipment, package)
    invoice(case, shipment)
    _concede(case, shipment)
    reconcile(case)
    count_unassigned(case)


def _concede(case: Case, shipment: Shipment) -> None:
    parts = [part for package in shipment.packages for part in package.lines if part.conceded > 0]
    lines = [(line, part.counted) for part in parts if (line := case.order.line(part.line_id or "")) is not None]
    conceded = sum((part.conceded for part in parts), ZERO)
    give_back_what_was_paid(case, f"substituted/{shipment.id}", lines, conceded)


def _notify(case: Case, shipment: Shipment, package: Package) -> None:
    """Tell the buyer what of the order is in a package and how to follow it."""
    parts = ((case.order.line(part.line_id) if part.line_id else None, part.counted) for part in package.lines)
    lines = [(line, units) for line, units in parts if line is not None and units > 0]
    if lines:
        said = {"carrier": package.carrier, "service": package.service}
        said |= {"tracking_number": package.tracking_number, "tracking_url": package.tracking_url}
        notify(case, "shipped", package.id, lines, **said)


def _tell(case: Case, work: FulfilmentOrder, shipment: Shipment, target: Bucket) -> None:
    """Who sold and who fulfilled both stand in the fact, so that both are credited."""
    fact = Fact.SHIPMENT_SHIPPED if target is Bucket.SHIPPED else Fact.WORK_HANDED_OVER
    data = {"shipment": shipment.id, "location": shipment.location, "fulfilment_order": work.id}
    sold_by = case.order.facts.get("sold_by")
    tell(case, fact, shipment.id, **data, **({"sold_by": str(sold_by)} if sold_by else {}))


def _leave_line(
    case: Case, work: FulfilmentOrder, line: OrderLine, units: Decimal, target: Bucket, end: EndFirm
) -> list[str]:
    """Move what has left to its bucket, from the nearest one; returns what was not as it should be. `end`: consumes
    what was reserved, or frees it where other goods left."""
    trouble = []
    part = work.line(line.id)
    if part is None:
        part = WorkLine(line.id, line.sku or "", ZERO)
        work.lines.append(part)
    left = units
    for bucket, moved in part.take(_AT_LOCATION_NEAREST, left):
        part.shift(bucket, target, moved)
        line.ledger.advance(bucket, target, moved)
        end(case, work.id, line.id, moved)
        left -= moved
    cancelled = min(part[Bucket.CANCELLED], line.ledger[Bucket.CANCELLED], left)
    if cancelled > 0:
        part.shift(Bucket.CANCELLED, target, cancelled)
        line.ledger.advance(Bucket.CANCELLED, target, cancelled)
        left -= cancelled
        trouble.append(f"{decimal_text(cancelled)} of {line.sku} that were cancelled")
    late = min(part.returned, left)
    for bucket, moved in line.ledger.take((*DECREASE, Bucket.CANCELLED), late):
        line.ledger.advance(bucket, target, moved)
        part.returned -= moved
        part.buckets[target] = part[target] + moved
        left -= moved
        trouble.append(f"{decimal_text(moved)} of {line.sku} that it had said it could not ship")
    trim(case, line)
    if left > 0:
        line.ledger.over_shipped += left
        part.extra += left
        trouble.append(f"{decimal_text(left)} of {line.sku} more than it was asked for")
    return trouble


def _row(case: Case, shipment: Shipment, record: dict[str, Any]) -> dict[str, Any]:
    handed = {name: record[name] for name in ("proof", "by") if record.get(name)}
    return {
        "id": shipment.id,
        "order_id": shipment.order_id,
        "fulfilment_order_id": shipment.fulfilment_order_id,
        "location": shipment.location,
        "external_id": shipment.external_id,
        "shipped_at": shipment.shipped_at,
        "document": {
            "carrier": shipment.carrier,
            "service": shipment.service,
            "packages": [
                {
                    "id": package.id,
                    "package": package.external_id,
                    "tracking_number": package.tracking_number,
                    "tracking_url": package.tracking_url,
                    "carrier": package.carrier,
                    "service": package.service,
                    "lines": [
                        {"line": part.line_id, "sku": part.sku, "quantity": decimal_text(part.quantity)}
                        for part in package.lines
                    ],
                }
                for package in shipment.packages
            ],
            **handed,
        },
        "created_at": case.now,
    }


def _unexpected(case: Case, work: FulfilmentOrder, trouble: list[str]) -> None:
    case.raise_exception(
        f"shipped-unexpected/{work.id}",
        "shipped_unexpected",
        f"{work.location} shipped what it should not have",
        f"Fulfilment order {work.id}: " + "; ".join(trouble) + ".",
        "The goods are gone and count as shipped. Agree on a return with the customer, or charge what is kept.",
        f"hub orders show {case.order.id}",
    )


def _shipped_by_hand(incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime) -> Decision:
    """The channel says that an order left without us: its lines move by observation, our work is withdrawn."""
    record = incoming.record
    scope = str(record.get("scope", incoming.scope))
    external_id = str(record.get("order_external_id", ""))
    case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
    waits_for = order_key(incoming.connection, scope, external_id)
    if case is None or not case.order.known:
        return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known")
    for package in record["packages"]:
        for said in package["lines"]:
            line = _channel_line(case, said)
            if line is None:
                return Decision(Verdict.WAITING, waits_for=waits_for, message="the order has no such line yet")
            line.channel_shipped += max(Decimal(str(said["quantity"])), ZERO)
        if not package["lines"]:
            for line in case.order.lines:
                line.channel_shipped = max(line.channel_shipped, line.live)
    reconcile(case)
    count_unassigned(case)
    tell(case, Fact.SHIPMENT_SHIPPED, incoming.fact_key, by="channel")
    return save(case)


def _channel_line(case: Case, said: dict[str, Any]) -> OrderLine | None:
    if said.get("external_line_id"):
        return case.order.external_line(str(said["external_line_id"]))
    of_sku = [line for line in case.order.lines if line.sku and line.sku == said.get("sku")]
    return of_sku[0] if len(of_sku) == 1 else None
