"""The difference between an order as it was loaded and as it was decided, as a write set under the order's version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from hub.domain.decision import Decision, EventRequest, TaskRequest
from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED, WorkState
from hub.domain.ids import derived_id
from hub.domain.order import OrderStatus, status
from hub.domain.quantity import Bucket
from hub.domain.reservation import ReservationState
from hub.domain.supply import merge_supply
from hub.domain.writeset import StockChange, Update, WriteSet
from hub.oms.desk import money_rows, package_rows, return_rows, rows, supply_rows
from hub.oms.desk.load import Case
from hub.oms.desk.rows import Row
from hub.oms.desk.waiting import next_in_queue, wake_waiting
from hub.oms.intake.kits import follow_components
from hub.oms.ports import Rules
from hub.oms.returns.claims import settle_claims
from hub.oms.sourcing.deadlines import watch_deadlines
from hub.oms.telling.order_response import decline_order
from hub.oms.telling.tell import watch_cancellations

ZERO = Decimal(0)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
COMMIT_MARGIN = dt.timedelta(seconds=2)
"""A write set may commit after the window it was computed in; the push waits so long that it sees it."""

_STATUS_FACTS = {
    OrderStatus.HELD: Fact.ORDER_HELD,
    OrderStatus.CONFIRMED: Fact.ORDER_CONFIRMED,
    OrderStatus.CANCELLED: Fact.ORDER_CANCELLED,
    OrderStatus.CLOSED: Fact.ORDER_CLOSED,
}


def save(case: Case) -> Decision:
    """Write what changed. The order's row always guards the rest, so that two decisions about it never mix."""
    for other in case.linked:
        save(other)
    follow_components(case)
    order, writes = case.order, case.decision.writes
    _forget_what_is_over(case)
    _source_what_is_less(case)
    settle_claims(case)
    watch_cancellations(case)
    decline_order(case)
    watch_deadlines(case)
    _count_returns(case)
    row = rows.order_row(order)
    before = case.loaded.get("orders", {}).get(order.id)
    body = WriteSet()
    _save_lines(case, body)
    _save(case, body, "holds", {hold.id: rows.hold_row(hold) for hold in order.holds}, stamped=False)
    _save(case, body, "fulfilment_orders", {work.id: rows.work_row(work) for work in case.touched_work})
    _save(case, body, "reservations", {r.id: rows.reservation_row(r) for r in case.touched_reservations})
    _save(case, body, "transits", {one.id: rows.transit_row(one) for one in case.touched_transits})
    _save(case, body, "packages", {one.id: package_rows.package_row(one) for one in case.touched_packages})
    _save(case, body, "labels", {one.id: package_rows.label_row(one) for one in case.touched_labels})
    _save_supply(case, body)
    _save_money(case, body)
    _save_returns(case, body)
    _save_contacts(case, body)
    _save_stock(case, body)
    if case.new:
        stamps = {"version": 1, "created_at": case.now, "updated_at": case.now}
        writes.insert("orders", {**row, **stamps}, claim=True)
    elif row != before or body.operations or case.decision.effects or writes.operations:
        changed = {name: value for name, value in row.items() if before is None or value != before[name]}
        values = {**changed, "version": order.version + 1, "updated_at": case.now}
        writes.update("orders", {"id": order.id, "version": order.version}, values)
    writes.extend(body)
    _tell_status(case, str(row["status"]), None if before is None else str(before["status"]))
    if not case.part:
        case.decision.subject = case.decision.subject or order.id
        case.decision.held = order.held
    return case.decision


def _forget_what_is_over(case: Case) -> None:
    """Nothing is left to be found a location for: that nobody had it is no trouble any more."""
    if case.raised and not any(
        not line.is_kit and (line.ledger[Bucket.OPEN] or line.ledger[Bucket.BACKORDERED]) for line in case.order.lines
    ):
        case.clear_exception("unfillable/", "nothing is left to source")
        case.clear_exception("resource-limit/", "nothing is left to source")
        case.clear_exception("shipment-limit/", "nothing is left to source")
    if any(key.startswith(("unanswered/", "late-work/")) for key in case.raised):
        for work in case.work:
            if not any(request.waiting > 0 for request in work.cancel_requests):
                case.clear_exception(f"unanswered/{work.id}", "answered")
            if work.state in (*FINISHED, WorkState.READY):
                case.clear_exception(f"late-work/{work.id}", "it has left")


def _save_lines(case: Case, writes: WriteSet) -> None:
    _save(case, writes, "order_lines", {line.id: rows.line_row(line) for line in case.order.lines}, stamped=False)
    for line in case.order.lines:
        for number, move in enumerate(line.ledger.moves):
            writes.insert(
                "quantity_moves",
                {
                    "id": derived_id("qm", case.cause, line.id, str(number)),
                    "order_id": case.order.id,
                    "line_id": line.id,
                    "from_bucket": move.source.value if move.source else "",
                    "to_bucket": move.target.value,
                    "quantity": move.quantity,
                    "cause": case.cause,
                    "implied": move.implied,
                    "at": case.now,
                },
            )


def _count_returns(case: Case) -> None:
    """How many there are, and how many keep the order from being closed."""
    kept = case.touched_returns
    if not kept:
        return
    open_ones = sum(1 for one in kept if one.open)
    facts = {name: value for name, value in case.order.facts.items() if name != "open_returns"}
    case.order.facts = {**facts, "returns": len(kept)} | ({"open_returns": open_ones} if open_ones else {})


def _save_returns(case: Case, writes: WriteSet) -> None:
    kept = case.touched_returns
    _save(case, writes, "returns", {one.id: return_rows.return_row(one) for one in kept})
    lines = {line.id: return_rows.line_row(one, line) for one in kept for line in one.lines}
    _save(case, writes, "return_lines", lines, stamped=False)
    for line in (line for one in kept for line in one.lines):
        for number, move in enumerate(line.moves):
            writes.insert("return_moves", return_rows.move_row(case.order.id, line, move, number, case.cause, case.now))


def _save(case: Case, writes: WriteSet, table: str, wanted: Mapping[str, Row], stamped: bool = True) -> None:
    loaded = case.loaded.get(table, {})
    for row_id, row in wanted.items():
        before = loaded.get(row_id)
        if before is None:
            stamps = {"created_at": case.now, "updated_at": case.now} if stamped else {}
            writes.insert(table, {**row, **stamps})
        elif row != before:
            values = {name: value for name, value in row.items() if value != before[name]}
            if stamped:
                values["updated_at"] = case.now
            writes.update(table, {"id": row_id}, values)


def _save_supply(case: Case, writes: WriteSet) -> None:
    """Claims, and what they do to their supply. New ones are given on what one version of a supply had left."""
    _save(case, writes, "supply_claims", {claim.id: supply_rows.claim_row(claim) for claim in case.touched_claims})
    for change in merge_supply(case.supply):
        where: dict[str, object] = {"id": change.supply_id}
        values: dict[str, object] = {"updated_at": case.now}
        if change.version is not None:
            where["version"], values["version"] = change.version, change.version + 1
        add = {"promised": change.promised, "fulfilled": change.fulfilled}
        writes.operations.append(Update("supply", where, values, add))


def _save_money(case: Case, writes: WriteSet) -> None:
    """Payments with what was captured and refunded of them, and each money fact in the journal beside."""
    _save(case, writes, "payments", {one.id: money_rows.payment_row(one) for one in case.touched_payments})
    captures = {one.id: money_rows.capture_row(one) for one in case.touched_captures}
    _save(case, writes, "captures", captures, stamped=False)
    _save(case, writes, "refunds", {one.id: money_rows.refund_row(one) for one in case.touched_refunds}, stamped=False)
    for payment in case.touched_payments:
        for number, move in enumerate(payment.moves):
            writes.insert(
                "money_moves",
                {
                    "id": derived_id("mm", case.cause, payment.id, str(number)),
                    "order_id": case.order.id,
                    "payment_id": payment.id,
                    "kind": move.kind.value,
                    "currency": payment.currency,
                    "amount": move.amount,
                    "external_id": move.external_id,
                    "document": {},
                    "at": case.now,
                },
            )


def _save_contacts(case: Case, writes: WriteSet) -> None:
    loaded = case.loaded.get("contacts", {})
    for role, data in case.touched_contacts.items():
        row_id = f"{case.order.id}/{role}"
        if row_id not in loaded:
            row = {"id": row_id, "order_id": case.order.id, "role": role, "data": data, "created_at": case.now}
            writes.insert("contacts", row)
        elif loaded[row_id]["data"] != data:
            writes.update("contacts", {"id": row_id}, {"data": data})


def _save_stock(case: Case, writes: WriteSet) -> None:
    changes = merge_changes(case.stock)
    for change in changes:
        writes.stock(change)
    for entry in case.journal:
        writes.insert("stock_events", entry)
    skus = {change.sku for change in changes} | _wanted_otherwise(case)
    case.decision.tasks += push_tasks(case.rules, case.now, sorted(skus))
    freed = freed_skus(changes)
    if freed:
        others = Decision()
        wake_waiting(others, case.snapshot, freed, case.now, case.cause)
        case.decision.tasks += [task for task in others.tasks if task.subject != case.order.id]
        writes.extend(others.writes)
    case.decision.tasks += next_in_queue(case)


def _wanted_otherwise(case: Case) -> set[str]:
    """SKUs of which more or less is waited for than before: no stock has moved, but channels may sell another number
    of them."""
    loaded = case.loaded.get("reservations", {})
    return {
        one.sku
        for one in case.touched_reservations
        if ReservationState.UNASSIGNED in (one.state, loaded.get(one.id, {}).get("state"))
        and (one.id not in loaded or loaded[one.id]["quantity"] != one.quantity)
    }


def freed_skus(changes: Sequence[StockChange]) -> list[str]:
    """What of this order's goods others may have now; moving them from one location to another frees nothing."""
    more: dict[str, Decimal] = {}
    for change in changes:
        more[change.sku] = more.get(change.sku, ZERO) + change.on_hand - change.soft - change.firm
    return sorted(sku for sku, units in more.items() if units > 0)


def _source_what_is_less(case: Case) -> None:
    """Less is waited for than before: what was too much for any location, or for one parcel, may be there now."""
    lines = case.order.lines
    lowered = any(
        move.source is Bucket.BACKORDERED and move.target is Bucket.CANCELLED
        for line in lines
        for move in line.ledger.moves
    )
    if lowered and case.acts and any(line.ledger[Bucket.BACKORDERED] > 0 for line in lines):
        case.task("allocate", case.order.id, case.now)


def merge_changes(changes: Sequence[StockChange]) -> list[StockChange]:
    """One change a (sku, location), sorted: what is reserved more on balance must be there, the rest always applies.
    Goods beside on hand are a change of their own."""
    merged: dict[tuple[str, str], StockChange] = {}
    for change in changes:
        key = (change.sku, change.location)
        known = merged.get(key, StockChange(change.sku, change.location))
        merged[key] = StockChange(
            change.sku,
            change.location,
            soft=known.soft + change.soft,
            firm=known.firm + change.firm,
            on_hand=known.on_hand + change.on_hand,
            quarantine=known.quarantine + change.quarantine,
            damaged=known.damaged + change.damaged,
            in_transit=known.in_transit + change.in_transit,
            safety=max(known.safety, change.safety),
        )
    result = []
    for key in sorted(merged):
        change = merged[key]
        if change.soft or change.firm or change.on_hand:
            # What comes with the goods for it needs nothing that was free before.
            reserve = change.soft + change.firm > max(change.on_hand, ZERO)
            safety = change.safety if reserve else ZERO
            result.append(StockChange(*key, change.soft, change.firm, change.on_hand, safety=safety, reserve=reserve))
        if change.quarantine or change.damaged or change.in_transit:
            beside = {name: getattr(change, name) for name in ("quarantine", "damaged", "in_transit")}
            result.append(StockChange(*key, **beside))
    return result


def push_tasks(rules: Rules, now: dt.datetime, skus: Sequence[str]) -> list[TaskRequest]:
    """What follows a change of stock: one push of a SKU in a window of time, for every change inside it asks for the
    task of that window, and one look at the thresholds of its locations."""
    kinds = ["push_stock"] if rules.takers.get("push_inventory") else []
    kinds += ["watch_stock"] if rules.watches_stock else []
    length = dt.timedelta(seconds=rules.push_window_seconds)
    window = (now - EPOCH) // length
    due_at = EPOCH + length * (window + 1) + COMMIT_MARGIN
    return [TaskRequest(kind, sku, due_at, f"{kind}/{sku}/{window}", {"sku": sku}) for kind in kinds for sku in skus]


def _tell_status(case: Case, now: str, before: str | None) -> None:
    fact = _STATUS_FACTS.get(OrderStatus(now))
    if fact is not None and now != before:
        tell(case, fact)
        facts = case.order.facts
        # False: goods were invoiced, and not as the last of the order.
        rest = now == OrderStatus.CLOSED and facts.get("invoiced_last") is False
        paid = facts.get("hub_payments") or case.order.made_here
        if rest or (now in (OrderStatus.CLOSED, OrderStatus.CANCELLED) and paid):
            case.task("settle_money", case.order.id, case.now)


def tell(case: Case, fact: Fact, key: str = "", **data: str) -> None:
    """Record an event; data hold ids and quantities as text, never personal data. Its subject is what it happened to,
    where the data name that, else the order."""
    order = case.order
    subject = data.get(fact.value.split(".")[1], order.id)
    case.decision.events.append(
        EventRequest(fact.value, subject, f"{fact}/{order.id}/{key or case.cause}", order.id, data)
    )


def current_status(case: Case) -> OrderStatus:
    return status(case.order)
