"""Holds the hub's database against the peers' own books after a run; every difference is one text naming its rows.

Of the hub only `hub verify` and its tables are used. Quantities in the database are whole millionths.
"""

from __future__ import annotations

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from connectors.erp_soap.emulator import ErpEmulator
from connectors.shopify.emulator import ShopifyEmulator
from connectors.wms_rest.emulator import WmsEmulator
from connectors.wms_rest.warehouse import Warehouse
from hub.runtime.simulation import Simulation
from hub.store.engine import driver
from hub.views.verify import verify
from tests.simulation.scenario import Story

MILLION = Decimal(1_000_000)
ZERO = Decimal(0)
ERP_DOCUMENTS = ("sales_order", "order_change", "order_cancel", "invoice", "credit_note", "goods_movement")
TOLD_ORDER = (
    "EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id = {order})"
)
UNDER_WAY = "l.open + l.allocated + l.released + l.accepted + l.picked + l.packed + l.ready_for_pickup"


def audit(simulation: Simulation, story: Story) -> list[str]:
    """Everything that broke; empty for a healthy hub."""
    return [*_verified(simulation), *Books(simulation, story).differences()]


@functools.lru_cache(maxsize=1)
def _engine(connection: Any) -> Engine:
    return create_engine("sqlite://", creator=lambda: connection, module=driver, poolclass=StaticPool)


def _verified(simulation: Simulation) -> Iterator[str]:
    with _engine(simulation.database.connection).connect() as connection:
        for one in verify(connection):
            yield f"verify: {one['promise']}: {one['subject']}: {one['detail']}"


class Books:
    """The peers' books beside the hub's."""

    def __init__(self, simulation: Simulation, story: Story) -> None:
        self._database = simulation.database.connection
        self._story = story
        peers = {peer.connection: peer.emulator for peer in simulation.peers}
        self._shop = cast(ShopifyEmulator, peers["shop"])
        self._wms = cast(WmsEmulator, peers["wms"])
        self._erp = cast(ErpEmulator, peers["erp"])

    def _sold(self, external_id: str) -> dict[str, Any] | None:
        """The shop's order; it knows nothing of those that were made here."""
        return cast(
            "dict[str, Any] | None", self._shop.shop.orders.get(int(external_id) if external_id.isdigit() else 0)
        )

    @property
    def _warehouse(self) -> Warehouse:
        return self._wms._warehouse

    def _select(self, sql: str) -> Sequence[Any]:
        return cast("Sequence[Any]", self._database.execute(sql).fetchall())

    def differences(self) -> Iterator[str]:
        yield from self._orders()
        yield from self._doubles()
        yield from self._shipped()
        yield from self._stock()
        yield from self._oversold()
        yield from self._totals()
        yield from self._documents()
        yield from self._news()

    def _orders(self) -> Iterator[str]:
        """Every order placed is here, once, and done or in front of a person or short of goods that are nowhere."""
        told = TOLD_ORDER.format(order="o.id")
        found = self._select(
            f"SELECT o.id, o.external_id, o.status, {told}, EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = o.id"
            f" AND {UNDER_WAY} > 0), EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.id AND h.released_at IS NULL)"
            " FROM orders o"
        )
        known = Counter(str(row[1]) for row in found)
        for number, order in self._shop.shop.orders.items():
            if known[str(number)] != 1:
                yield f"the shop's order {order['name']} is {known[str(number)]} times in the hub"
        for order_id, _, status, is_told, moving, held in found:
            if status not in ("closed", "cancelled") and moving and not is_told and not held:
                yield f"order {order_id} is {status}, not done, and nobody is told"
        free = {
            (sku, location): on_hand - soft - firm
            for sku, location, on_hand, soft, firm in self._select(
                "SELECT sku, location, on_hand, soft, firm FROM stock"
            )
        }
        waiting = self._select(
            "SELECT l.id, l.sku, l.backordered, l.order_id FROM order_lines l JOIN orders o ON o.id = l.order_id"
            f" WHERE l.backordered > 0 AND o.status NOT IN ('closed', 'cancelled') AND NOT {told}"
            " AND COALESCE(json_extract(l.document, '$.method'), json_extract(o.document, '$.method'), '') <> 'pickup'"
        )
        lines: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for line, sku, units, order_id in waiting:
            lines[order_id].append((line, sku, units))
        for missing in lines.values():
            # Some orders are only shipped whole: then one missing line holds the others.
            if all(sum(left for (one, _), left in free.items() if one == sku) >= units for _, sku, units in missing):
                yield f"line {missing[0][0]} waits for {missing[0][2] / 10**6:g} of {missing[0][1]}, which are there"

    def _doubles(self) -> Iterator[str]:
        """One document a reference; a shipment is told once."""
        ledgers = (
            (self._erp, ERP_DOCUMENTS),
            (self._wms, ("fulfilment_request", "cancel_request")),
            (self._shop, ("fulfilment",)),
        )
        for peer, kinds in ledgers:
            for kind in kinds:
                for key, many in Counter(key for _, key, _, _ in peer.ledger.entries(kind)).items():
                    if many > 1:
                        yield f"{type(peer).__name__} has {many} documents {kind} of {key}"
        subjects = Counter(subject for _, _, subject, _ in self._erp.ledger.entries("sales_order"))
        yield from (f"the ERP has {many} orders of {one}" for one, many in subjects.items() if many > 1)

    def _shipped(self) -> Iterator[str]:
        """What left the warehouse is what the hub counts as shipped, line by line, and never more than was ordered."""
        left: dict[str, Decimal] = defaultdict(lambda: ZERO)
        asked: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for request in self._warehouse.requests:
            for line in request.lines:
                left[line.reference] += line.shipped
                dead = request.status == "rejected"
                asked[line.reference] += line.shipped if dead else line.ordered - line.cancelled - line.short
        rows = self._select(
            "SELECT id, ordered, shipped + delivered + lost + returned_to_sender + handed_over + over_shipped"
            " FROM order_lines"
        )
        known = {row[0]: (Decimal(row[1]) / MILLION, Decimal(row[2]) / MILLION) for row in rows}
        for line_id in left.keys() | known.keys():
            ordered, counted = known.get(line_id, (ZERO, ZERO))
            if left[line_id] != counted:
                yield f"of line {line_id} {left[line_id]} left the warehouse, the hub counts {counted}"
            if asked[line_id] > ordered:
                yield f"of line {line_id} {asked[line_id]} were asked for, {ordered} ordered"

    def _stock(self) -> Iterator[str]:
        known = {(location, sku): Decimal(units) / MILLION for location, sku, units in self._select(
            "SELECT location, sku, on_hand FROM stock"
        )}  # fmt: skip
        for spot, units in self._warehouse.stock.items():
            if known.get(spot, ZERO) != units:
                yield f"{units} of {spot[1]} lie in {spot[0]}, the hub says {known.get(spot, ZERO)}"

    def _oversold(self) -> Iterator[str]:
        """No location is asked for what it does not have, nothing is reserved that is nowhere."""
        for kind in ("short", "impossible_ship"):
            for _, key, order, data in self._wms.ledger.entries(kind):
                request = self._warehouse.request_of(key)
                number = request.order_number if request else ""
                if kind == "short" and number in self._story.scripted_short:
                    continue
                yield f"oversold: {kind} at the warehouse for {key} ({order}): {data}"
        rows = self._select(
            "SELECT sku, location, SUM(quantity) FROM reservations WHERE state IN ('soft', 'firm')"
            " GROUP BY sku, location"
        )
        for sku, location, units in rows:
            there = self._warehouse.stock.get((location, sku), ZERO)
            if Decimal(units) / MILLION > there:
                yield f"oversold: {Decimal(units) / MILLION} of {sku} are reserved in {location}, {there} lie there"

    def _totals(self) -> Iterator[str]:
        """The ERP's last word on an order is the shop's present total; invoices of what nobody touched add up to it."""
        posted: dict[str, Decimal] = {}
        for kind in ("sales_order", "order_change"):
            for _, _, subject, data in self._erp.ledger.entries(kind):
                posted[subject] = Decimal(json.loads(data)["amount"])
        invoiced: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for _, _, subject, data in self._erp.ledger.entries("invoice"):
            invoiced[subject] += Decimal(json.loads(data)["amount"])
        told = self._told()
        for order_id, external_id, status in self._select("SELECT id, external_id, status FROM orders"):
            order = self._sold(external_id)
            if order is None or order_id in self._story.by_hand:
                continue
            total = Decimal(str(order["current_total_price"]))
            untouched = not order["cancelled_at"] and not order["refunds"] and status != "cancelled"
            if not untouched or order_id not in posted or order_id in told:
                continue
            if posted[order_id] != total:
                yield f"order {order['name']} costs {total} at the shop and {posted[order_id]} in the ERP"
            edited = posted[order_id] != Decimal(str(order["total_price"]))
            if status == "closed" and not edited and order_id in invoiced and invoiced[order_id] != total:
                yield f"order {order['name']} costs {total}, its invoices add up to {invoiced[order_id]}"

    def _told(self) -> set[str]:
        """Orders that are in front of a person."""
        return {row[0] for row in self._select(f"SELECT o.id FROM orders o WHERE {TOLD_ORDER.format(order='o.id')}")}

    def _documents(self) -> Iterator[str]:
        """What is confirmed is in the ERP, what is cancelled is cancelled there, what was shipped is invoiced; or a
        person is told of the delivery that did not make it."""
        posted = {subject for _, _, subject, _ in self._erp.ledger.entries("sales_order")}
        cancelled = {subject for _, _, subject, _ in self._erp.ledger.entries("order_cancel")}
        invoiced = {key for _, key, _, _ in self._erp.ledger.entries("invoice")}
        told = self._told()
        # What goods are moved by between our own locations is no sale.
        moves = {row[0] for row in self._select("SELECT id FROM orders WHERE order_type = 'transfer'")}
        for order_id, status in self._select("SELECT id, status FROM orders"):
            if order_id in told | moves:
                continue
            if status in ("confirmed", "closed") and order_id not in posted:
                yield f"order {order_id} is {status} and the ERP has no document of it"
            if status == "cancelled" and order_id in posted and order_id not in cancelled:
                yield f"order {order_id} is cancelled and the ERP was not told"
        for shipment, order_id in self._select("SELECT id, order_id FROM shipments"):
            if order_id not in told | moves and not any(f"shipment/{shipment}/" in key for key in invoiced):
                yield f"shipment {shipment} of order {order_id} has no invoice in the ERP"

    def _news(self) -> Iterator[str]:
        """The shop knows every package of an order that it has not cancelled; the hub every quantity it wants."""
        tracking = {key for _, key, _, _ in self._shop.ledger.entries("fulfilment")}
        told = self._told()
        orders = {row[0]: row[1:] for row in self._select("SELECT id, external_id, status FROM orders")}
        # Of lines that were added here the shop knows nothing.
        added = {row[0] for row in self._select("SELECT id FROM order_lines WHERE external_line_id LIKE 'added/%'")}
        for order_id, document in self._select("SELECT order_id, document FROM shipments"):
            order = self._sold(orders[order_id][0])
            if order is None or order["cancelled_at"] or order_id in told:
                continue
            for package in json.loads(document).get("packages", []):
                number = package.get("tracking_number")
                unknown = all(line.get("line") in added for line in package["lines"])
                if number and number not in tracking and not unknown:
                    yield f"the shop was not told of package {number} of order {order['name']}"
        live = {
            (row[0], row[1]): Decimal(row[2]) / MILLION
            for row in self._select("SELECT order_id, external_line_id, ordered - cancelled FROM order_lines")
        }
        for order_id, (external_id, _) in orders.items():
            order = self._sold(external_id)
            if order is None or order_id in told | self._story.by_hand or order["refunds"]:
                continue
            for line in cast("list[dict[str, Any]]", order["line_items"]):
                wanted, counted = Decimal(str(line["current_quantity"])), live.get((order_id, str(line["id"])), ZERO)
                if order["cancelled_at"]:
                    continue
                if wanted != counted:
                    yield f"order {order['name']} line {line['id']}: {wanted} wanted at the shop, {counted} in the hub"
