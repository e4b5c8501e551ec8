"""Goods that go from one location of ours to another: for a line that is collected there, or for its shelves.

The first leg is a fulfilment order of method `transfer`. When it leaves, its goods are in transit towards the other
location: nobody's to promise. When that location says that they came they are on hand there; what a line had claimed of
them becomes the second leg, a pickup of goods that are packed already.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import Answer, FulfilmentOrder, Method, WorkLine, WorkState
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.domain.stock import Mark, movement_effect
from hub.domain.transit import Transit
from hub.domain.writeset import StockChange
from hub.oms.change.reconcile import reconcile, unclaim
from hub.oms.desk.load import Case, work_key
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant
from hub.oms.fulfilment.silence import watch_work
from hub.oms.fulfilment.work import line_meant, open_work, quantities_of, unexpected
from hub.oms.money.posting import post_goods_movement
from hub.oms.ports import Rules
from hub.oms.sourcing.source import source_again
from hub.oms.stock.goods import journal, take_from_stock
from hub.oms.stock.reserve import claim_arrived, consume_firm, count_unassigned
from hub.oms.telling.outgoing import send_work

ZERO = Decimal(0)
UNWANTED = frozenset({"cancel", "no_show"})
"""Purposes of cancel requests after which nobody wants the goods."""


def for_shelves(case: Case) -> bool:
    """The goods are moved for nobody in particular: an order of type transfer."""
    return case.order.order_type == Method.TRANSFER


def on_the_way_key(work: FulfilmentOrder) -> str:
    """What a receipt that overtook the notice of its departure waits for."""
    return f"transfer|{work.id}"


def depart(case: Case, work: FulfilmentOrder, record: Mapping[str, Any]) -> None:
    """Apply what a ShipmentNotice says has left for the other location."""
    left_at = instant(record.get("shipped_at")) or case.now
    case.clear_exception(f"silence/{work.id}", "left")
    taken: dict[str, Decimal] = {}
    trouble: list[str] = []
    for stated in record["packages"]:
        for said in stated["lines"]:
            units, line = Decimal(str(said["quantity"])), line_meant(case, work, said)
            sku = str(said.get("sku") or (line.sku if line else "") or "")
            if units <= 0 or not sku:
                trouble.append(f"{decimal_text(units)} of {sku or 'something without a SKU'}")
                continue
            taken[sku] = taken.get(sku, ZERO) + units
            _leave(case, work, line if line is not None and line.sku == sku else None, sku, units, trouble)
    take_from_stock(case, work.location, work.connection, taken, left_at, "transfer_out")
    for sku, units in sorted(taken.items()):
        case.stock.append(StockChange(sku, work.destination, in_transit=units))
        reason = f"on its way from {work.location}"
        journal(case, sku, work.destination, "in_transit", "movement", units, work.connection, left_at, reason)
        key = f"transfer/{work.id}/{case.cause}/{sku}/out"
        post_goods_movement(case, key, "transfer_out", work.location, sku, units, f"to {work.destination}")
    _keep_notice(case, work, record, left_at)
    _settle_requests(case, work)
    work.settle()
    case.decision.wakes.append(on_the_way_key(work))
    tell(case, Fact.TRANSFER_SHIPPED, case.cause, fulfilment_order=work.id, destination=work.destination)
    case.task("transfer_overdue", work.id, left_at + case.rules.pickup.receive_within)
    if trouble:
        unexpected(case, work, f"it sent {'; '.join(trouble)}")
    reconcile(case)
    count_unassigned(case)


def _leave(
    case: Case, work: FulfilmentOrder, line: OrderLine | None, sku: str, units: Decimal, trouble: list[str]
) -> None:
    """Put units on their way; what was asked for of a customer's line is claimed for it and stays packed."""
    part = work.line(line.id) if line is not None else None
    asked = ZERO
    if line is not None and part is not None:
        for bucket, moved in part.take(tuple(reversed(AT_LOCATION)), units):
            part.shift(bucket, Bucket.SHIPPED, moved)
            line.ledger.advance(bucket, Bucket.SHIPPED if for_shelves(case) else Bucket.PACKED, moved)
            consume_firm(case, work.id, line.id, moved)
            asked += moved
        part.extra += units - asked
        part.buckets[Bucket.SHIPPED] = part.shipped + units - asked
    if units > asked:
        trouble.append(f"{decimal_text(units - asked)} of {sku} that nobody asked for; they are on their way too")
    case.transits.append(
        Transit(
            id=case.new_id("tr", work.id, sku),
            order_id=case.order.id,
            fulfilment_order_id=work.id,
            line_id=line.id if line is not None else None,
            sku=sku,
            source=work.location,
            destination=work.destination,
            sent=units,
            claimed=ZERO if for_shelves(case) else asked,
        )
    )


def _keep_notice(case: Case, work: FulfilmentOrder, record: Mapping[str, Any], left_at: dt.datetime) -> None:
    case.decision.writes.insert(
        "shipments",
        {
            "id": case.new_id("sh", work.id),
            "order_id": case.order.id,
            "fulfilment_order_id": work.id,
            "location": work.location,
            "external_id": str(record["external_id"]),
            "shipped_at": left_at,
            "document": {
                "carrier": str(record.get("carrier", "")),
                "service": str(record.get("service", "")),
                "destination": work.destination,
                "packages": [
                    {
                        "package": str(stated["package"]),
                        "tracking_number": str(stated.get("tracking_number", "")),
                        "lines": [
                            {name: str(said[name]) for name in ("line", "sku", "quantity") if said.get(name)}
                            for said in stated["lines"]
                        ],
                    }
                    for stated in record["packages"]
                ],
            },
            "created_at": case.now,
        },
    )


def _settle_requests(case: Case, work: FulfilmentOrder) -> None:
    """What was to be cancelled and has left is ours all the same: its line lets go of it, nobody else is asked."""
    for request in work.cancel_requests:
        for asked in request.lines:
            part, line = work.line(asked.line_id), case.order.line(asked.line_id)
            gone = asked.waiting - (part.at_location if part else ZERO)
            if gone <= 0 or line is None:
                continue
            if request.purpose in UNWANTED and not for_shelves(case):
                unclaim(case, line, asked.answer(Answer.ACCEPTED, gone))
            else:
                asked.answer(Answer.OVERTAKEN, gone)


def receive(case: Case, work: FulfilmentOrder, record: Mapping[str, Any]) -> bool:
    """Apply what the other location says came; no lines named: all that is on its way. False where nothing of the
    transfer has ever left: the receipt overtook the notice."""
    here = [one for one in case.transits if one.fulfilment_order_id == work.id]
    if not here:
        return False
    stated = quantities_of(case, work, record.get("lines") or ())
    counted = stated or {part.line_id: part.shipped for part in work.lines}
    at = instant(record.get("occurred_at")) or case.now
    arrived: dict[str, Decimal] = {}
    claims: dict[str, Decimal] = {}
    for line_id, units in counted.items():
        part, line, left = work.line(line_id), case.order.line(line_id), units
        if part is None or line is None:
            unexpected(case, work, f"{work.destination} received {decimal_text(units)} of a line it was not sent")
            continue
        for transit in [one for one in here if one.line_id == line_id]:
            came = transit.arrive(left)
            left -= came
            claimed = transit.unclaim(came)
            claims[line_id] = claims.get(line_id, ZERO) + claimed
            _arrive(case, work, part, line, came)
        arrived[part.sku] = arrived.get(part.sku, ZERO) + units
        _in_transit(case, work, part.sku, left - units, at, f"came from {work.location}")
        if left > 0:
            unexpected(case, work, f"{work.destination} received {decimal_text(left)} of {part.sku} more than was sent")
    free = _put_on_hand(case, work, arrived, at)
    work.settle()
    tell(case, Fact.TRANSFER_RECEIVED, case.cause, fulfilment_order=work.id, location=work.destination)
    _second_leg(case, work, claims, free)
    _difference(case, work)
    reconcile(case)
    count_unassigned(case)
    return True


def _arrive(case: Case, work: FulfilmentOrder, part: WorkLine, line: OrderLine, units: Decimal) -> None:
    part.shift(Bucket.SHIPPED, Bucket.DELIVERED, units)
    if for_shelves(case):
        line.ledger.advance(Bucket.SHIPPED, Bucket.DELIVERED, min(units, line.ledger[Bucket.SHIPPED]))


def _in_transit(case: Case, work: FulfilmentOrder, sku: str, delta: Decimal, at: dt.datetime, reason: str) -> None:
    if delta:
        case.stock.append(StockChange(sku, work.destination, in_transit=delta))
        journal(case, sku, work.destination, "in_transit", "movement", delta, work.connection, at, reason)


def _put_on_hand(
    case: Case, work: FulfilmentOrder, arrived: Mapping[str, Decimal], at: dt.datetime
) -> dict[str, Decimal]:
    """Add SKU -> units to what is on hand there, unless a newer count has them already. Returns what is free now."""
    destination, free = work.destination, {}
    where = {"sku": tuple(sorted(arrived)), "location": destination}
    known = {row["sku"]: row for row in case.snapshot.rows("stock", where)} if arrived else {}
    for sku, units in sorted(arrived.items()):
        row = known.get(sku)
        counted = Mark(row["as_of"]) if row and row["as_of"] is not None else None
        effect = movement_effect(units, Mark(at), counted)
        free[sku] = effect + (row["on_hand"] - row["soft"] - row["firm"] if row else ZERO)
        if effect:
            case.stock.append(StockChange(sku, destination, on_hand=effect))
            if row is not None:
                # A count that is applied meanwhile may hold these goods already: then it is decided anew.
                uncounted = {"sku": sku, "location": destination, "as_of": row["as_of"]}
                case.decision.writes.update("stock", uncounted, {"updated_at": case.now})
        reason = f"received from {work.location}"
        journal(case, sku, destination, "on_hand", "movement", effect, work.connection, at, reason)
        key = f"transfer/{work.id}/{case.cause}/{sku}/in"
        post_goods_movement(case, key, "transfer_in", destination, sku, units, f"from {work.location}")
    return free


def _second_leg(case: Case, work: FulfilmentOrder, claims: Mapping[str, Decimal], free: dict[str, Decimal]) -> None:
    """The pickup of what came for lines of the order; it is packed already, the store only puts it ready."""
    destination = case.location(work.destination)
    number = sum(1 for other in case.work if other.location == work.destination) + 1
    work_id = derived_id("fo", case.order.id, work.destination, str(number))
    lines = []
    nowhere: list[str] = []
    for line_id, units in claims.items():
        line = case.order.line(line_id)
        if line is None or not line.sku or units <= 0:
            continue
        kept = max(min(units, free.get(line.sku, ZERO)), ZERO)
        if kept > 0:
            free[line.sku] -= kept
            claim_arrived(case, line, work.destination, kept, work_id)
            lines.append(WorkLine(line.id, line.sku, kept, {Bucket.PACKED: kept}))
        if kept < units:
            # The store's own count says that the goods are not there, or somebody else has them by now.
            _back_to_open(case, line, units - kept)
            nowhere.append(f"{decimal_text(units - kept)} of {line.sku}")
    if nowhere:
        what = ", ".join(nowhere)
        unexpected(case, work, f"{work.destination} received {what}, but its newer count knows nothing of it")
        source_again(case, f"not to be found at {work.destination}")
    if not lines:
        return
    leg = FulfilmentOrder(
        id=work_id,
        order_id=case.order.id,
        location=work.destination,
        connection=(destination.wms or "") if destination else "",
        method=Method.PICKUP,
        state=WorkState.PLANNED,
        version=1,
        external_id=None,
        lines=lines,
        planned_on=destination.schedule.today(case.now).isoformat() if destination else "",
    )
    case.work.append(leg)
    send_work(case, leg)
    case.decision.wakes.append(work_key(leg.id))
    tell(case, Fact.WORK_PLANNED, leg.id, fulfilment_order=leg.id, location=leg.location)
    watch_work(case, leg)


def lose(case: Case, work: FulfilmentOrder, quantities: Mapping[str, Decimal], reason: str) -> Decimal:
    """Goods that will not come any more leave the books; lines that had claimed them are sourced again. Returns the
    units that were on their way."""
    gone, wanted = ZERO, False
    for line_id, units in quantities.items():
        part, line, left = work.line(line_id), case.order.line(line_id), units
        if part is None or line is None:
            continue
        for transit in [one for one in case.transits if (one.fulfilment_order_id, one.line_id) == (work.id, line_id)]:
            lost, unclaimed = transit.lose(left)
            left -= lost
            part.shift(Bucket.SHIPPED, Bucket.LOST, lost)
            if for_shelves(case):
                _written_off(line, min(lost, line.ledger[Bucket.SHIPPED]))
            elif unclaimed > 0:
                _back_to_open(case, line, unclaimed)
                wanted = True
        _in_transit(case, work, part.sku, left - units, case.now, reason)
        gone += units - left
    work.settle()
    if gone > 0:
        tell(case, Fact.TRANSFER_LOST, case.cause, fulfilment_order=work.id, units=decimal_text(gone))
    _difference(case, work)
    reconcile(case)
    count_unassigned(case)
    if wanted:
        source_again(case, reason)
    return gone


def _written_off(line: OrderLine, units: Decimal) -> None:
    """Nobody sends them again: goods for shelves were wanted by nobody in particular."""
    line.ledger.move(Bucket.SHIPPED, Bucket.LOST, units)
    line.ledger.move(Bucket.LOST, Bucket.CANCELLED, units)
    line.cancelled_by_facts += units


def _back_to_open(case: Case, line: OrderLine, units: Decimal) -> None:
    line.ledger.move(Bucket.PACKED, Bucket.CANCELLED, units)
    line.ledger.move(Bucket.CANCELLED, Bucket.OPEN, units)


def under_way(case: Case, work: FulfilmentOrder) -> dict[str, Decimal]:
    """Line id -> units of a transfer that have left and not come."""
    found: dict[str, Decimal] = {}
    for transit in case.transits:
        if transit.fulfilment_order_id == work.id and transit.line_id is not None and transit.quantity > 0:
            found[transit.line_id] = found.get(transit.line_id, ZERO) + transit.quantity
    return found


def _difference(case: Case, work: FulfilmentOrder) -> None:
    """Less came than was sent: a person is told until the rest has come or is given up."""
    missing = under_way(case, work)
    if not missing:
        case.clear_exception(f"transfer-short/{work.id}", "nothing is on its way any more")
        case.clear_exception(f"transfer-overdue/{work.id}", "nothing is on its way any more")
        return
    skus = {line.id: line.sku for line in case.order.lines}
    what = ", ".join(f"{decimal_text(units)} of {skus.get(line_id)}" for line_id, units in sorted(missing.items()))
    _short(case, work, f"{what} left {work.location} and did not come with the rest")


def _short(case: Case, work: FulfilmentOrder, what: str) -> None:
    case.raise_exception(
        f"transfer-short/{work.id}",
        "transfer_short",
        "Less came than another location sent",
        f"Transfer {work.id} to {work.destination}: {what}.",
        "Count again at both ends. Report the rest as received when it comes, or give it up: hub work lost.",
        f"hub work show {work.id}",
    )


def handle_overdue(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `transfer_overdue`: subject is a transfer that left so long ago that it should have come."""

    def overdue(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_work(snapshot, rules, now, task.id, task.subject)
        if found is None or not under_way(*found):
            return Decision(Verdict.IGNORED, message="nothing of it is on its way any more")
        case, work = found
        days = rules.pickup.receive_within.total_seconds() / 86400
        case.raise_exception(
            f"transfer-overdue/{work.id}",
            "transfer_overdue",
            "A transfer has not come",
            f"{work.id} left {work.location} for {work.destination} more than {days:g} days ago.",
            "Ask the carrier and the store. Report it as received, or give it up: hub work lost.",
            f"hub work show {work.id}",
        )
        return save(case)

    return overdue
