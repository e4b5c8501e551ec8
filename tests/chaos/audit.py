"""Holds the hub's database against what really happened; every difference is a finding with a name.

Nothing of the hub's own logic is used but `hub verify`, whose findings count as differences, and the names of states.
Amounts in the database are whole millionths.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.store.types import instant_to_database
from hub.views.verify import verify
from tests.chaos.crowd import FORGED_ID
from tests.chaos.database import count, select
from tests.chaos.ledgers import ERP_DOCUMENTS, ZERO, Truth
from tests.chaos.world import ERP, SHOP, WMS, Shelf

MILLION = Decimal(1_000_000)
UNDER_WAY = "open + allocated + released + accepted + picked + packed + ready_for_pickup"
VISIBLE = "('refused', 'conflict', 'parked', 'abandoned', 'overdue')"
TOLD = (
    "EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.subject_kind = '{kind}' AND s.subject_id = {id})"
)


@dataclass(slots=True)
class Findings:
    """What broke, by promise: one text a finding, naming the rows."""

    lost: list[str] = field(default_factory=list)
    duplicate_effects: list[str] = field(default_factory=list)
    oversold: list[str] = field(default_factory=list)
    ledger_difference: list[str] = field(default_factory=list)
    bad_accepted: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    oversold_units: Decimal = ZERO
    channel_oversold: Decimal = ZERO
    channel_oversold_bound: Decimal = ZERO
    orders: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class HubOrder:
    id: str
    external_id: str
    status: str


def audit(truth: Truth, connection: Connection, shelf: Shelf) -> Findings:
    """What stands is compared; what has not settled is the caller's to add."""
    findings = Findings(orders=len(truth.orders))
    orders = {
        row.external_id: HubOrder(row.id, row.external_id, row.status)
        for row in select(connection, f"SELECT id, external_id, status FROM orders WHERE channel = '{SHOP}'")
    }
    findings.lost += _lost_orders(truth, connection, orders)
    findings.lost += _lost_documents(truth, connection, orders)
    findings.lost += _lost_work(truth, connection)
    findings.lost += _lost_news(truth, connection, orders)
    findings.duplicate_effects += _doubled_documents(truth)
    findings.duplicate_effects += _doubled_work(truth, connection)
    findings.duplicate_effects += _doubled_at_the_shop(truth)
    _oversold(truth, connection, findings)
    _channel_oversold(truth, connection, shelf, orders, findings)
    findings.ledger_difference += _verified(connection)
    findings.ledger_difference += _stock(truth, connection)
    findings.ledger_difference += _totals(truth, connection, orders)
    findings.bad_accepted += _foreign(connection, truth, orders)
    findings.completed = sum(
        1 for order in truth.orders if order in orders and orders[order].status in ("closed", "cancelled")
    )
    return findings


# --- lost -----------------------------------------------------------------------------------------------------------


def _lost_orders(truth: Truth, connection: Connection, orders: dict[str, HubOrder]) -> Iterator[str]:
    told = TOLD.format(kind="message", id="m.id")
    visible = {
        row.external_id
        for row in select(
            connection,
            f"SELECT external_id FROM messages m WHERE m.stream = 'orders' AND m.state = 'parked' AND {told}",
        )
    }
    for order in truth.orders.values():
        if order.id not in orders and order.id not in visible:
            yield f"order {order.name} ({order.id}) of the shop is not in the hub and nobody is told"


def _visible_deliveries(connection: Connection) -> dict[tuple[str, str], set[str]]:
    """(capability, order id) -> aggregates with a delivery that a person sees or that was withdrawn."""
    told = TOLD.format(kind="delivery", id="d.id")
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in select(
        connection,
        "SELECT capability, order_id, aggregate, business_key FROM deliveries d"
        f" WHERE state = 'withdrawn' OR ((state IN {VISIBLE} OR state = 'unknown')"
        f" AND ({told} OR state = 'abandoned'))",
    ):
        found[row.capability, row.order_id or ""] |= {row.aggregate, row.business_key}
    return found


def _lost_documents(truth: Truth, connection: Connection, orders: dict[str, HubOrder]) -> Iterator[str]:
    """A confirmed order is in the ERP, a cancelled one is cancelled there too, a shipment has its invoice."""
    excused = _visible_deliveries(connection)
    posted = {subject for _, _, subject, _ in truth.of(ERP, "sales_order")}
    cancelled = {subject for _, _, subject, _ in truth.of(ERP, "order_cancel")}
    invoiced = {part for _, key, _, _ in truth.of(ERP, "invoice") for part in key.split("/")}
    for order in orders.values():
        if order.external_id not in truth.orders:
            continue
        submitted = order.id in posted or ("submit_order", order.id) in excused
        if order.status in ("confirmed", "closed") and not submitted:
            yield f"order {order.id} is {order.status} and the ERP has no document of it"
        taken_back = order.id in cancelled or ("cancel_order", order.id) in excused
        if order.status == "cancelled" and order.id in posted and not taken_back:
            yield f"order {order.id} is cancelled and the ERP was never told"
    for row in select(connection, "SELECT id, order_id FROM shipments"):
        if row.id not in invoiced and ("post_invoice", row.order_id) not in excused:
            yield f"shipment {row.id} of order {row.order_id} has no invoice in the ERP"


def _lost_work(truth: Truth, connection: Connection) -> Iterator[str]:
    """What the hub says it asked of a location was asked, and what left the location is known to the hub."""
    asked = {request.fulfilment_order for request in truth.requests}
    for row in select(
        connection,
        "SELECT id, state FROM fulfilment_orders WHERE state NOT IN ('planned', 'cancelled', 'unknown', 'rejected')",
    ):
        if row.id not in asked:
            yield f"fulfilment order {row.id} is {row.state} and the location was never asked"
    known: Counter[str] = Counter()
    for row in select(connection, "SELECT document FROM shipments"):
        for package in json.loads(row.document).get("packages", []):
            for line in package.get("lines", []):
                known[str(line.get("line_id") or line.get("line"))] += Decimal(str(line["quantity"]))  # type: ignore[assignment]
    left: Counter[str] = Counter()
    for request in truth.requests:
        for line in request.lines:
            left[line["reference"]] += line["shipped"]
    for line_id in left.keys() | known.keys():
        if left[line_id] != known[line_id]:
            yield f"of line {line_id} the location shipped {left[line_id]}, the hub knows of {known[line_id]}"


def _lost_news(truth: Truth, connection: Connection, orders: dict[str, HubOrder]) -> Iterator[str]:
    """The shop hears of every package, and the hub of every cancel."""
    excused = _visible_deliveries(connection)
    by_id = {order.id: order for order in orders.values()}
    for row in select(connection, "SELECT order_id, document FROM shipments"):
        order = by_id.get(row.order_id)
        shop = truth.orders.get(order.external_id) if order else None
        if shop is None or shop.cancelled:
            continue
        for package in json.loads(row.document).get("packages", []):
            number = package.get("tracking_number") or ""
            if number and number not in shop.tracking and ("push_shipment", row.order_id) not in excused:
                yield f"the shop was not told of package {number} of order {shop.name}"
    waiting = {
        row.order_id
        for row in select(
            connection,
            f"SELECT order_id FROM order_lines GROUP BY order_id HAVING SUM({UNDER_WAY} + backordered) > 0",
        )
    }
    told = {
        row.order_id
        for row in select(
            connection,
            "SELECT DISTINCT s.order_id FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
            " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id IS NOT NULL",
        )
    }
    for shop in truth.orders.values():
        hub = orders.get(shop.id)
        if hub and shop.cancelled and hub.id in waiting and hub.id not in told:
            yield f"order {shop.name} was cancelled at the shop and the hub goes on with it ({hub.status})"


# --- done twice -----------------------------------------------------------------------------------------------------


def _doubled_documents(truth: Truth) -> Iterator[str]:
    for kind in ERP_DOCUMENTS:
        keys = Counter(key for _, key, _, _ in truth.of(ERP, kind))
        yield from (f"the ERP has {many} documents {kind} of {key}" for key, many in keys.items() if many > 1)
    subjects = Counter(subject for _, _, subject, _ in truth.of(ERP, "sales_order"))
    yield from (f"the ERP has {many} sales orders of order {one}" for one, many in subjects.items() if many > 1)


def _doubled_work(truth: Truth, connection: Connection) -> Iterator[str]:
    """A location is asked once by key; all locations together are never asked for more than was ordered."""
    for kind in ("fulfilment_request", "cancel_request"):
        keys = Counter(key for _, key, _, _ in truth.of(WMS, kind))
        yield from (f"the warehouse has {many} documents {kind} of {key}" for key, many in keys.items() if many > 1)
    wanted: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for request in truth.requests:
        for line in request.lines:
            live = (
                line["shipped"] if request.status == "rejected" else line["ordered"] - line["cancelled"] - line["short"]
            )
            wanted[line["reference"]] += live
    ordered = {
        row.id: Decimal(int(row.ordered)) / MILLION for row in select(connection, "SELECT id, ordered FROM order_lines")
    }
    for line_id, quantity in wanted.items():
        if quantity > ordered.get(line_id, ZERO):
            yield f"locations were asked for {quantity} of line {line_id}, ordered {ordered.get(line_id, ZERO)}"


def _doubled_at_the_shop(truth: Truth) -> Iterator[str]:
    for kind, what in (("fulfilment", "fulfilments"), ("stock_push", "stock pushes")):
        keys = Counter(key for _, key, _, _ in truth.of(SHOP, kind))
        yield from (f"the shop has {many} {what} of {key}" for key, many in keys.items() if many > 1)


# --- more than there is ---------------------------------------------------------------------------------------------


def _oversold(truth: Truth, connection: Connection, findings: Findings) -> None:
    """Units that were released to a location which did not have them, or are reserved there and do not exist."""
    for kind in ("short", "impossible_ship"):
        for _, key, _, data in truth.of(WMS, kind):
            units = sum((Decimal(str(line["quantity"])) for line in data["lines"]), ZERO)
            findings.oversold_units += units
            findings.oversold.append(f"{units} units of {key} were not there ({kind})")
    reserved: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    on_its_way = _left_unheard(truth, connection)
    rows = select(
        connection,
        "SELECT sku, location, fulfilment_order_id, line_id, quantity FROM reservations"
        " WHERE state IN ('soft', 'firm')",
    )
    for row in rows:
        quantity, part = Decimal(int(row.quantity)) / MILLION, (row.fulfilment_order_id, row.line_id)
        gone = min(quantity, on_its_way[part])
        on_its_way[part] -= gone
        reserved[row.location, row.sku] += quantity - gone
    for (location, sku), units in reserved.items():
        there = truth.stock.get((location, sku), ZERO)
        if units > there:
            findings.oversold_units += units - there
            findings.oversold.append(f"{units} of {sku} are reserved at {location}, {there} lie there")


def _left_unheard(truth: Truth, connection: Connection) -> dict[tuple[str | None, str], Decimal]:
    """(fulfilment order, line) -> units that have left the location and whose notice the hub has not applied: they do
    not lie there any more, and are rightly reserved for their own line until the notice is applied."""
    left: dict[tuple[str | None, str], Decimal] = defaultdict(lambda: ZERO)
    for request in truth.requests:
        for line in request.lines:
            left[request.fulfilment_order, line["reference"]] += line["shipped"]
    for row in select(connection, "SELECT fulfilment_order_id, document FROM shipments"):
        for package in json.loads(row.document).get("packages", []):
            for line in package.get("lines", []):
                part = (row.fulfilment_order_id, str(line.get("line_id") or line.get("line")))
                left[part] = max(ZERO, left[part] - Decimal(str(line["quantity"])))
    return left


def _channel_oversold(
    truth: Truth, connection: Connection, shelf: Shelf, orders: dict[str, HubOrder], findings: Findings
) -> None:
    """Guarded sales above physical stock, and how many the push latency allows.

    A push sets the shop's level to what the hub knew when it made the push: what was sold at the shop before the push
    arrived, and captured by the hub after it was made, is offered once more. Besides, a shop that takes back what has
    already left (a cancel that was overtaken) offers those units until the next push.
    """
    sold: dict[str, Decimal] = defaultdict(lambda: ZERO)
    overtaken: dict[str, Decimal] = defaultdict(lambda: ZERO)
    by_name = {order.name: order for order in truth.orders.values()}
    for order in truth.orders.values():
        for bought in order.lines.values():
            sold[bought.sku] += bought.current
    for request in truth.requests:
        shop = by_name.get(request.order_number)
        if shop is not None and shop.touched:
            for line in request.lines:
                overtaken[line["sku"]] += line["shipped"]
    captured = {
        row.external_id: int(row.created_at)
        for row in select(connection, f"SELECT external_id, created_at FROM orders WHERE channel = '{SHOP}'")
    }
    made = _made_pushes(connection)
    sales: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for at, key, sku, data in truth.of(SHOP, "sale"):
        sales[sku].append((_micros(at), captured.get(key, 2**62), int(data["quantity"])))
    pushes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, _, sku, data in truth.of(SHOP, "stock_push"):
        arrived = _micros(at)
        known = max(
            (one for one, quantity in made.get(sku, ()) if one <= arrived and quantity == data["quantity"]), default=0
        )
        pushes[sku].append((arrived, known))
    for sku in shelf.guarded:
        worst = 0
        for arrived, known in pushes.get(sku, ()):
            worst = max(worst, sum(units for at, seen, units in sales[sku] if at <= arrived and seen > known))
        findings.channel_oversold_bound += worst + overtaken[sku]
        findings.channel_oversold += max(ZERO, sold[sku] - shelf.total(sku))


def _made_pushes(connection: Connection) -> dict[str, list[tuple[int, int]]]:
    """SKU -> (when the hub made it, quantity) of every stock push."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = select(
        connection,
        "SELECT d.created_at, b.body FROM deliveries d JOIN bodies b ON b.id = d.body_id"
        " WHERE d.capability = 'push_inventory' AND b.body IS NOT NULL",
    )
    for row in rows:
        payload = json.loads(bytes(row.body))
        found[str(payload.get("sku"))].append((int(row.created_at), int(Decimal(str(payload.get("quantity", "0"))))))
    return found


def _micros(at: str) -> int:
    return instant_to_database(dt.datetime.fromisoformat(at))


# --- sums that differ -----------------------------------------------------------------------------------------------


def _verified(connection: Connection) -> Iterator[str]:
    for finding in verify(connection):
        yield f"verify: {finding['promise']}: {finding['subject']}: {finding['detail']}"


def _stock(truth: Truth, connection: Connection) -> Iterator[str]:
    known = {
        (row.location, row.sku): Decimal(int(row.on_hand)) / MILLION
        for row in select(connection, "SELECT location, sku, on_hand FROM stock")
    }
    for spot, units in truth.stock.items():
        if known.get(spot, ZERO) != units:
            yield f"{units} of {spot[1]} lie at {spot[0]}, the hub says {known.get(spot, ZERO)}"


def _totals(truth: Truth, connection: Connection, orders: dict[str, HubOrder]) -> Iterator[str]:
    """What the ERP was told of an order nobody touched is what the shop charged, to the cent; invoices add up to it."""
    told = {subject: Decimal(str(data["amount"])) for _, _, subject, data in truth.of(ERP, "sales_order")}
    invoiced: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, _, subject, data in truth.of(ERP, "invoice"):
        invoiced[subject] += Decimal(str(data["amount"]))
    for shop in truth.orders.values():
        hub = orders.get(shop.id)
        if hub is None or shop.touched or hub.id not in told:
            continue
        if told[hub.id] != shop.total:
            yield f"order {shop.name} costs {shop.total} at the shop and {told[hub.id]} in the ERP"
        if hub.status == "closed" and hub.id in invoiced and invoiced[hub.id] != shop.total:
            yield f"order {shop.name} costs {shop.total} at the shop, its invoices add up to {invoiced[hub.id]}"


# --- what should never have come in ---------------------------------------------------------------------------------


def _foreign(connection: Connection, truth: Truth, orders: dict[str, HubOrder]) -> Iterator[str]:
    for external_id in orders:
        if external_id not in truth.orders:
            forged = external_id.isdigit() and int(external_id) >= FORGED_ID
            yield f"the hub has an order {external_id} that {'somebody forged' if forged else 'the shop never had'}"
    for row in select(connection, "SELECT id, delivery_id FROM receipts WHERE delivery_id LIKE 'forged-%'"):
        yield f"the forged delivery {row.delivery_id} was kept as receipt {row.id}"
    parsed = "SELECT id, delivery_id FROM receipts WHERE delivery_id LIKE 'corrupt-%' AND state = 'parsed'"
    for row in select(connection, parsed):
        yield f"the corrupt delivery {row.delivery_id} passed as readable ({row.id})"


# --- what is still under way ----------------------------------------------------------------------------------------


def open_work(connection: Connection) -> list[str]:
    """Everything that is neither done nor in front of a person."""
    counted = ((what, count(connection, f"SELECT COUNT(*) FROM {sql}")) for what, sql in _OPEN.items())
    return [f"{number} {what}" for what, number in counted if number]


_ORDER_TOLD = (
    "EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id = o.id)"
)
_OPEN: dict[str, str] = {
    "receipts are not parsed": "receipts WHERE state = 'pending'",
    "messages are not applied": "messages WHERE state IN ('stored', 'claimed', 'retry')",
    "messages wait": "messages WHERE state = 'waiting'",
    "deliveries are not done": (
        "deliveries d WHERE state IN ('pending', 'retry', 'in_flight', 'probing', 'sent')"
        " OR (state = 'unknown' AND NOT " + TOLD.format(kind="delivery", id="d.id") + ")"
    ),
    "order tasks are not done": (
        "tasks WHERE state IN ('pending', 'claimed') AND kind IN ('allocate', 'confirm', 'resource')"
    ),
    "orders are under way": (
        "orders o WHERE o.status NOT IN ('closed', 'cancelled') AND o.effects = 'on' AND NOT " + _ORDER_TOLD
    ),
}


def outgoing(connection: Connection) -> dict[str, Any]:
    """How many deliveries are in which state, for the report."""
    rows = select(connection, "SELECT capability, state, COUNT(*) AS many FROM deliveries GROUP BY capability, state")
    return {f"{row.capability} {row.state}": int(row.many) for row in sorted(rows, key=lambda row: tuple(row[:2]))}
