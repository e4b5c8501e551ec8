"""Confirming an order and planning its work: reservations become firm, locations and the ERP are told."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.events import Fact
from hub.domain.fulfilment import FulfilmentOrder, Method, WorkLine, WorkState
from hub.domain.ids import derived_id
from hub.domain.quantity import Bucket
from hub.domain.reservation import Reservation
from hub.oms.desk.load import Case, work_key
from hub.oms.desk.save import tell
from hub.oms.fulfilment.silence import watch_work
from hub.oms.intake.counter import charge_counter_sale
from hub.oms.intake.customer import upsert_customer
from hub.oms.intake.groups import COLLECTED, DeliveryGroup, group_of
from hub.oms.sourcing.capacity import claim_day
from hub.oms.stock.reserve import make_firm, soft
from hub.oms.telling.order_response import order_response
from hub.oms.telling.outgoing import send_work, submit_order
from hub.oms.telling.tell import notify

ZERO = Decimal(0)


def confirm_when_due(case: Case) -> bool:
    """Confirm if nothing is in the way: no hold anywhere, the grace over, something still wanted."""
    if not case.order.may_confirm(case.now):
        return False
    _ = case.work  # read while the order is unconfirmed: there is none yet
    case.order.confirmed_at = case.now
    hand_over_what_needs_no_shipping(case)
    upsert_customer(case)
    submit_order(case)
    charge_counter_sale(case)
    plan_work(case)
    order_response(case)
    notify(case, "order_confirmed", case.order.id)
    return True


def hand_over_what_needs_no_shipping(case: Case) -> None:
    """Digital goods and services end where they begin; the channel delivers them itself."""
    for line in case.order.lines:
        if not line.requires_shipping and line.ledger[Bucket.OPEN]:
            line.ledger.advance(Bucket.OPEN, Bucket.DELIVERED, line.ledger[Bucket.OPEN])


def plan_work(case: Case) -> None:
    """One fulfilment order a location and method for everything allocated; its request leaves with this write set."""
    order = case.order
    by_way: dict[tuple[str, str, str], list[Reservation]] = {}
    for line in order.lines:
        if not order.open_holds(line.id):
            for reservation in soft(case, line):
                way = (reservation.location, *_way(group_of(case, line), reservation.location))
                by_way.setdefault(way, []).append(reservation)
    for location, method, destination in sorted(by_way):
        _plan_at(case, location, method, destination, by_way[(location, method, destination)])


def _way(group: DeliveryGroup, location: str) -> tuple[str, str]:
    """How goods of a group leave a location, and for which other location of ours, if any."""
    if group.method == Method.TRANSFER:
        return Method.TRANSFER, group.store
    if group.method not in COLLECTED:
        return group.method, ""
    return (Method.PICKUP, "") if location == group.store else (Method.TRANSFER, group.store)


def _plan_at(case: Case, location: str, method: str, destination: str, reservations: list[Reservation]) -> None:
    order, rule = case.order, case.location(location)
    number = sum(1 for work in case.work if work.location == location) + 1
    work_id = derived_id("fo", order.id, location, str(number))
    quantities: dict[str, Decimal] = {}
    for reservation in reservations:
        quantities[reservation.line_id] = quantities.get(reservation.line_id, ZERO) + reservation.quantity
        make_firm(case, reservation, work_id)
    lines = []
    for line in order.lines:
        units = quantities.get(line.id, ZERO)
        if units > 0:
            line.ledger.move(Bucket.ALLOCATED, Bucket.RELEASED, units)
            lines.append(WorkLine(line.id, line.sku or "", units, {Bucket.RELEASED: units}))
    work = FulfilmentOrder(
        id=work_id,
        order_id=order.id,
        location=location,
        connection=(rule.wms or "") if rule else "",
        method=method,
        state=WorkState.PLANNED,
        version=1,
        external_id=None,
        lines=lines,
        destination=destination,
        planned_on=rule.schedule.today(case.now).isoformat() if rule else "",
    )
    case.work.append(work)
    if rule is not None:
        claim_day(case, rule)
    send_work(case, work)
    case.decision.wakes.append(work_key(work.id))
    tell(case, Fact.WORK_PLANNED, work.id, fulfilment_order=work.id, location=location)
    watch_work(case, work)
