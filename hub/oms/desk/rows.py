"""Rows of the store <-> objects of the domain, one pair of functions a table. Decimals in JSON columns are text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.fulfilment import Asked, CancelRequest, FulfilmentOrder, WorkLine, WorkState
from hub.domain.money import decimal_text
from hub.domain.order import Hold, Order, OrderLine, status
from hub.domain.quantity import Bucket, Ledger
from hub.domain.reservation import Reservation, ReservationState
from hub.domain.transit import Transit
from hub.oms.desk.times import instant

Row = dict[str, Any]
_BUCKETS = tuple((bucket.value, bucket) for bucket in Bucket)
ZERO = Decimal(0)


def order_row(order: Order) -> Row:
    return {
        "id": order.id,
        "channel": order.channel,
        "scope": order.scope,
        "external_id": order.external_id,
        "number": order.number,
        "seller_entity": order.seller_entity,
        "order_type": order.order_type,
        "currency": order.currency,
        "placed_at": order.placed_at,
        "status": status(order).value,
        "effects": str(order.effects),
        "source_version": order.source_version,
        "total": order.total,
        "grace_until": order.grace_until,
        "confirmed_at": order.confirmed_at,
        "duplicate_key": order.duplicate_key,
        "document": dict(order.facts),
    }


def order_from(row: Mapping[str, Any]) -> Order:
    return Order(
        id=row["id"],
        channel=row["channel"],
        scope=row["scope"],
        external_id=row["external_id"],
        seller_entity=row["seller_entity"],
        order_type=row["order_type"],
        number=row["number"],
        currency=row["currency"],
        placed_at=row["placed_at"],
        effects=row["effects"],
        source_version=row["source_version"],
        total=row["total"],
        grace_until=row["grace_until"],
        confirmed_at=row["confirmed_at"],
        duplicate_key=row["duplicate_key"],
        facts=dict(row["document"]),
        version=row["version"],
        created_at=row["created_at"],
    )


_LINE_DECIMALS = (
    "wanted",
    "cancelled_by_facts",
    "refunded_beside",
    "channel_shipped",
    "stated_shipped",
    "hand_shipped",
    "per_kit",
    "cancelled_with_kit",
    "told_kits",
)


def line_row(line: OrderLine) -> Row:
    document: Row = {name: decimal_text(getattr(line, name)) for name in _LINE_DECIMALS if getattr(line, name)}
    document["details"] = line.details
    if line.substituted:
        document["substituted"] = {sku: decimal_text(units) for sku, units in sorted(line.substituted.items())}
    buckets = line.ledger.buckets
    if not line.requires_shipping:
        document["requires_shipping"] = False
    if line.edited is not None:
        document["edited"] = decimal_text(line.edited)
    if line.added_here:
        document["added_here"] = True
    if line.kit is not None:
        document["kit"] = line.kit
    if line.components:
        document["components"] = line.components
    return {
        "id": line.id,
        "order_id": line.order_id,
        "number": line.number,
        "external_line_id": line.external_line_id,
        "sku": line.sku,
        "ordered": line.ledger.ordered,
        **{column: buckets.get(bucket, ZERO) for column, bucket in _BUCKETS},
        "over_shipped": line.ledger.over_shipped,
        "fulfilled_by": str(line.fulfilled_by),
        "document": document,
        **_due(line.details),
    }


def _due(details: Mapping[str, Any]) -> Row:
    """When it must have left, in columns: the queue of what is at risk is sorted by them."""
    ship_by, cancel_by = instant(details.get("ship_by")), instant(details.get("cancel_by"))
    penalty = details.get("late_penalty")
    return {
        "ship_by": ship_by,
        "cancel_by": cancel_by,
        "due_by": min((at for at in (ship_by, cancel_by) if at is not None), default=None),
        "late_penalty": Decimal(penalty) if penalty is not None else None,
    }


def line_from(row: Mapping[str, Any]) -> OrderLine:
    document = row["document"]
    ledger = Ledger(
        ordered=row["ordered"],
        buckets={bucket: row[column] for column, bucket in _BUCKETS if row[column]},
        over_shipped=row["over_shipped"],
    )
    return OrderLine(
        id=row["id"],
        order_id=row["order_id"],
        number=row["number"],
        external_line_id=row["external_line_id"],
        sku=row["sku"],
        ledger=ledger,
        fulfilled_by=row["fulfilled_by"],
        requires_shipping=document.get("requires_shipping", True),
        edited=Decimal(document["edited"]) if "edited" in document else None,
        added_here=document.get("added_here", False),
        kit=document.get("kit"),
        components=document.get("components", []),
        details=document["details"],
        substituted={sku: Decimal(units) for sku, units in document.get("substituted", {}).items()},
        **{name: Decimal(document[name]) if name in document else ZERO for name in _LINE_DECIMALS},
    )


def hold_row(hold: Hold) -> Row:
    return {
        "id": hold.id,
        "order_id": hold.order_id,
        "line_id": hold.line_id,
        "kind": hold.kind,
        "rule": str(hold.rule),
        "path": hold.path,
        "hint": hold.hint,
        "placed_at": hold.placed_at,
        "until": hold.until,
        "then": hold.then,
        "released_at": hold.released_at,
        "released_by": hold.released_by,
    }


def hold_from(row: Mapping[str, Any]) -> Hold:
    return Hold(**{name: row[name] for name in Hold.__dataclass_fields__})


def work_row(work: FulfilmentOrder) -> Row:
    return {
        "id": work.id,
        "order_id": work.order_id,
        "location": work.location,
        "connection": work.connection,
        "method": work.method,
        "state": work.state.value,
        "version": work.version,
        "external_id": work.external_id,
        "document": {
            "lines": [_work_line(line) for line in work.lines],
            **({"destination": work.destination} if work.destination else {}),
            "cancel_requests": [
                {
                    "id": request.id,
                    "purpose": request.purpose,
                    "reason": request.reason,
                    "lines": [_asked(line) for line in request.lines],
                }
                for request in work.cancel_requests
            ],
        },
        "planned_on": work.planned_on,
    }


def work_from(row: Mapping[str, Any]) -> FulfilmentOrder:
    document = row["document"]
    return FulfilmentOrder(
        id=row["id"],
        order_id=row["order_id"],
        location=row["location"],
        connection=row["connection"],
        method=row["method"],
        state=WorkState(row["state"]),
        version=row["version"],
        external_id=row["external_id"],
        lines=[_work_line_from(line) for line in document["lines"]],
        cancel_requests=[
            CancelRequest(
                request["id"],
                request["purpose"],
                request["reason"],
                [_asked_from(line) for line in request["lines"]],
            )
            for request in document["cancel_requests"]
        ],
        destination=document.get("destination", ""),
        planned_on=row["planned_on"],
    )


def reservation_row(reservation: Reservation) -> Row:
    return {
        "id": reservation.id,
        "order_id": reservation.order_id,
        "line_id": reservation.line_id,
        "sku": reservation.sku,
        "location": reservation.location,
        "quantity": reservation.quantity,
        "state": reservation.state.value,
        "fulfilment_order_id": reservation.fulfilment_order_id,
        "expires_at": reservation.expires_at,
        "place": reservation.place,
        "turn": reservation.turn,
        "why": reservation.why,
    }


def reservation_from(row: Mapping[str, Any]) -> Reservation:
    return Reservation(
        id=row["id"],
        order_id=row["order_id"],
        line_id=row["line_id"],
        sku=row["sku"],
        location=row["location"],
        quantity=row["quantity"],
        state=ReservationState(row["state"]),
        fulfilment_order_id=row["fulfilment_order_id"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        place=row["place"],
        turn=row["turn"],
        why=row["why"],
    )


def transit_row(transit: Transit) -> Row:
    return {
        **{name: getattr(transit, name) for name in Transit.__dataclass_fields__},
        "quantity": transit.quantity,
    }


def transit_from(row: Mapping[str, Any]) -> Transit:
    return Transit(**{name: row[name] for name in Transit.__dataclass_fields__})


def _work_line(line: WorkLine) -> Row:
    buckets = {bucket.value: decimal_text(units) for bucket, units in line.buckets.items() if units}
    beside = {"returned": line.returned, "extra": line.extra}
    return {
        "line": line.line_id,
        "sku": line.sku,
        "quantity": decimal_text(line.quantity),
        "buckets": buckets,
        **{name: decimal_text(units) for name, units in beside.items() if units},
    }


def _work_line_from(row: Mapping[str, Any]) -> WorkLine:
    return WorkLine(
        line_id=row["line"],
        sku=row["sku"],
        quantity=Decimal(row["quantity"]),
        buckets={Bucket(name): Decimal(units) for name, units in row["buckets"].items()},
        returned=Decimal(row.get("returned", "0")),
        extra=Decimal(row.get("extra", "0")),
    )


def _asked(line: Asked) -> Row:
    answers = {"accepted": line.accepted, "refused": line.refused, "overtaken": line.overtaken}
    return {
        "line": line.line_id,
        "quantity": decimal_text(line.quantity),
        **{name: decimal_text(units) for name, units in answers.items() if units},
    }


def _asked_from(row: Mapping[str, Any]) -> Asked:
    return Asked(
        row["line"],
        Decimal(row["quantity"]),
        Decimal(row.get("accepted", "0")),
        Decimal(row.get("refused", "0")),
        Decimal(row.get("overtaken", "0")),
    )
