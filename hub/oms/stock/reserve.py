"""Reservations of one order, kept in step with its ledgers.

Two invariants hold after every decision: soft reservations of a line = its allocated quantity, and firm ones = what its
fulfilment orders still have in hand. Counters of `stock` change only with them.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.backorder import Turn
from hub.domain.order import OrderLine, unassigned
from hub.domain.quantity import Bucket
from hub.domain.reservation import Reservation, ReservationState
from hub.domain.validation import Rule
from hub.domain.writeset import StockChange
from hub.oms.desk.load import Case
from hub.oms.promise.place import place_of

ZERO = Decimal(0)
R = ReservationState


def reserve(case: Case, line: OrderLine, location: str, quantity: Decimal) -> None:
    """Keep a quantity at a location softly; the store refuses it if it is not free there."""
    assert line.sku, "a line without SKU is never allocated"
    expires = case.now + dt.timedelta(minutes=case.rules.reservation_minutes)
    known = next((r for r in soft(case, line) if r.location == location), None)
    if known is not None:
        known.quantity += quantity
        known.expires_at = expires
    else:
        new = Reservation(
            id=case.new_id("rs", line.id, location),
            order_id=case.order.id,
            line_id=line.id,
            sku=line.sku,
            location=location,
            quantity=quantity,
            state=R.SOFT,
            fulfilment_order_id=None,
            expires_at=expires,
            created_at=case.now,
        )
        case.reservations.append(new)
    rule = case.location(location)
    safety = rule.safety(line.sku) if rule else ZERO
    case.stock.append(StockChange(line.sku, location, soft=quantity, safety=safety))


def soft(case: Case, line: OrderLine) -> list[Reservation]:
    """The line's live soft reservations, best location first."""
    found = [r for r in case.reservations if r.line_id == line.id and r.state is R.SOFT and r.quantity > 0]
    return sorted(found, key=lambda r: (_priority(case, r.location), r.location, r.id))


def firm(case: Case, work_id: str, line_id: str) -> list[Reservation]:
    return [
        r
        for r in case.reservations
        if r.fulfilment_order_id == work_id and r.line_id == line_id and r.state is R.FIRM and r.quantity > 0
    ]


def give_back(case: Case, reservation: Reservation, quantity: Decimal, end: ReservationState = R.RELEASED) -> None:
    """Free a reserved quantity at its location."""
    if reservation.state is R.SOFT:
        case.stock.append(StockChange(reservation.sku, reservation.location, soft=-quantity))
    else:
        case.stock.append(StockChange(reservation.sku, reservation.location, firm=-quantity))
    _less(reservation, quantity, end)


def release_firm(case: Case, work_id: str, line_id: str, quantity: Decimal) -> None:
    """Free what a fulfilment order held of a line, because its location gave it back."""
    for reservation in firm(case, work_id, line_id):
        part = min(quantity, reservation.quantity)
        if part > 0:
            give_back(case, reservation, part)
            quantity -= part


def consume_firm(case: Case, work_id: str, line_id: str, quantity: Decimal) -> None:
    """The goods have left: the reservation ends with them. Stock on hand is the caller's to move."""
    for reservation in firm(case, work_id, line_id):
        part = min(quantity, reservation.quantity)
        if part > 0:
            give_back(case, reservation, part, R.CONSUMED)
            quantity -= part


def make_firm(case: Case, reservation: Reservation, work_id: str) -> None:
    """Bind a soft reservation to a fulfilment order."""
    case.stock.append(
        StockChange(reservation.sku, reservation.location, soft=-reservation.quantity, firm=reservation.quantity)
    )
    reservation.become(R.FIRM)
    reservation.fulfilment_order_id = work_id
    reservation.expires_at = None


def claim_arrived(case: Case, line: OrderLine, location: str, quantity: Decimal, work_id: str) -> None:
    """Bind goods that arrive at a location for a line to the work there. Stock on hand is the caller's to move."""
    assert line.sku, "a line without SKU is never sent to another location"
    case.stock.append(StockChange(line.sku, location, firm=quantity))
    new = Reservation(
        id=case.new_id("rs", line.id, location),
        order_id=case.order.id,
        line_id=line.id,
        sku=line.sku,
        location=location,
        quantity=quantity,
        state=R.FIRM,
        fulfilment_order_id=work_id,
        expires_at=None,
        created_at=case.now,
    )
    case.reservations.append(new)


def trim(case: Case, line: OrderLine, end: ReservationState = R.RELEASED) -> None:
    """Free soft reservations beyond what is allocated, lowest-priority location first."""
    if not line.ledger.moves:
        return
    excess = sum((r.quantity for r in soft(case, line)), ZERO) - line.ledger[Bucket.ALLOCATED]
    for reservation in reversed(soft(case, line)):
        part = min(excess, reservation.quantity)
        if part > 0:
            give_back(case, reservation, part, end)
            excess -= part


def count_unassigned(case: Case) -> None:
    """Keep one row a line of the demand that no location holds, so that promises count it once; it says where the order
    stands in the queue of the SKU."""
    for line in case.order.lines:
        wanted = unassigned(case.order, line)
        known = unassigned_row(case, line)
        if known is None and wanted > 0:
            assert line.sku, "unassigned demand names a SKU"
            known = Reservation(
                id=case.new_id("rs", line.id, "unassigned"),
                order_id=case.order.id,
                line_id=line.id,
                sku=line.sku,
                location="",
                quantity=wanted,
                state=R.UNASSIGNED,
                fulfilment_order_id=None,
                expires_at=None,
                created_at=case.now,
            )
            case.reservations.append(known)
        if known is not None and wanted == 0:
            _less(known, known.quantity, R.RELEASED)
            known.expires_at = case.now
        elif known is not None:
            known.sku, known.quantity = line.sku or known.sku, wanted
            known.place = place_of(case)
            _take_turn(case, line, known)


def unassigned_row(case: Case, line: OrderLine) -> Reservation | None:
    """The line's demand that no location holds, where there is any."""
    return next((r for r in case.reservations if r.line_id == line.id and r.state is R.UNASSIGNED), None)


def _take_turn(case: Case, line: OrderLine, row: Reservation) -> None:
    """What is held has no turn; what was and is no longer gets one again."""
    open_holds = case.order.open_holds() + case.order.open_holds(line.id)
    holds = [hold for hold in open_holds if hold.rule != Rule.NO_STOCK]  # goods are just what that one waits for
    if holds:
        row.turn, row.why = Turn.HELD, ", ".join(sorted({hold.rule for hold in holds}))
    elif row.turn in ("", Turn.HELD):
        row.turn, row.why = Turn.WAITS, ""


UNASSIGNED: dict[str, object] = {"state": R.UNASSIGNED.value, "fulfilment_order_id": None, "expires_at": None}
"""How to ask for unassigned demand so that an index answers."""


def _less(reservation: Reservation, quantity: Decimal, end: ReservationState) -> None:
    reservation.quantity -= quantity
    if reservation.quantity == 0:
        reservation.become(end)


def _priority(case: Case, location: str) -> int:
    rule = case.location(location)
    return rule.priority if rule else 1_000_000
