"""The store side of the emulated warehouse: what stands ready, who comes for it, and goods that go to another one."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.wms_rest import boxes
from connectors.wms_rest.documents import ZERO, Line, Request, lines_of, names, plain
from hub.sdk.emulator import Ledger

if TYPE_CHECKING:
    from connectors.wms_rest.warehouse import Warehouse

Quantities = Mapping[str, Decimal] | None


def put_ready(warehouse: Warehouse, request: Request) -> None:
    """What is packed stands at the counter."""
    if not any(line.in_boxes for line in request.lines):
        warehouse.pack(request)
    packed = [(line, line.in_boxes) for line in request.lines if line.in_boxes > 0]
    if packed:
        warehouse.say(request, "request.ready", "ready", packed)


def hand_over(warehouse: Warehouse, request: Request, quantities: Quantities) -> None:
    """The buyer takes it: it leaves the building."""
    if not any(line.in_boxes for line in request.lines):
        warehouse.pack(request)
    taken: list[tuple[Line, Decimal]] = []
    for line in request.lines:
        wanted = line.in_boxes if quantities is None else min(line.in_boxes, quantities.get(line.reference, ZERO))
        units = min(wanted, warehouse.stock.get((request.warehouse, line.goods), ZERO))
        if units > 0:
            line.shipped += units
            warehouse.box(request.warehouse, line.goods, -units)
            warehouse.take_from_stock(request.warehouse, line.goods, units)
            boxes.take_out(request, line.reference, units)
            taken.append((line, units))
    if not taken:
        return
    proof = f"PIN-{request.number:04d}"
    data = {**names(request), "lines": lines_of(taken), "proof": proof, "by": "counter"}
    warehouse.happened("request.handed_over", request.warehouse, data)
    told = {"id": request.id, "warehouse": request.warehouse, "lines": lines_of(taken), "proof": proof}
    warehouse.record("handover", request.reference, request.client_order_id, told)
    if not any(line.waiting or line.in_boxes for line in request.lines):
        request.status = "handed_over"


def put_back(warehouse: Warehouse, request: Request) -> None:
    """Nobody came: what stood ready goes back to the shelf."""
    back = [(line, line.in_boxes) for line in request.lines if line.in_boxes > 0]
    for line, units in back:
        line.packed -= units
        line.cancelled += units
        warehouse.box(request.warehouse, line.goods, -units)
        boxes.take_out(request, line.reference, units)
    if back:
        data = {**names(request), "lines": lines_of(back), "reason": "nobody came for it"}
        warehouse.happened("request.not_collected", request.warehouse, data)
        warehouse.record("not_collected", request.reference, request.client_order_id, {"lines": lines_of(back)})
    warehouse.close_if_empty(request)


def ship_anyway(warehouse: Warehouse, request: Request, quantities: Quantities) -> None:
    """Somebody loaded what had been cancelled; as far as it is there, it is gone."""
    sent: list[tuple[Line, Decimal]] = []
    for line in request.lines:
        spot = request.warehouse, line.goods
        wanted = line.cancelled if quantities is None else quantities.get(line.reference, ZERO)
        taken = min(
            line.cancelled, wanted, max(ZERO, warehouse.stock.get(spot, ZERO) - warehouse.boxed.get(spot, ZERO))
        )
        if taken > 0:
            line.cancelled -= taken
            line.packed += taken
            line.shipped += taken
            warehouse.take_from_stock(request.warehouse, line.goods, taken)
            sent.append((line, taken))
    if sent:
        warehouse.send(request, sent)


def begin_transfer(warehouse: Warehouse, request: Request, sent: Sequence[tuple[Line, Decimal]]) -> None:
    """Goods are on their way to another warehouse, some of them perhaps never to come."""
    behaviour = warehouse.behaviour(request)
    number = int(warehouse.ledger.recall("transfers") or "0") + 1
    warehouse.ledger.remember("transfers", str(number))
    arriving = []
    for line, units in sent:
        lost = behaviour.lost.get(line.sku)
        arrives = ZERO if lost == "all" else max(units - Decimal(lost or "0"), ZERO)
        arriving.append((line, arrives))
    due = warehouse.now() + dt.timedelta(seconds=behaviour.transit_seconds)
    data = {"due": due.isoformat(), "request": request.number, "lines": lines_of(arriving)}
    warehouse.ledger.remember(f"transfer|{number:010d}", json.dumps(data))
    warehouse.at(due, "receive", number)


def on_their_way(ledger: Ledger) -> Iterator[tuple[int, dt.datetime]]:
    """Transfers that have left and not come, with when they will."""
    for name, kept in ledger.recall_all("transfer|"):
        if kept:
            yield int(name.rpartition("|")[2]), dt.datetime.fromisoformat(json.loads(kept)["due"])


def receive(warehouse: Warehouse, number: int) -> None:
    """A transfer has come: what is in it lies on the shelves of its destination."""
    name = f"transfer|{number:010d}"
    kept = warehouse.ledger.recall(name)
    if not kept:
        return
    warehouse.ledger.remember(name, "")
    data = json.loads(kept)
    request = warehouse.requests[data["request"] - 1]
    came = [line for line in data["lines"] if Decimal(line["quantity"]) > 0]
    for line in came:
        place = request.destination, line["sku"]
        amount = warehouse.stock.get(place, ZERO) + Decimal(line["quantity"])
        warehouse.stock[place] = amount
        warehouse.ledger.remember(f"stock|{request.destination}|{line['sku']}", plain(amount))
    if came:
        warehouse.happened("transfer.received", request.destination, {**names(request), "lines": came})
    told = {"id": request.id, "warehouse": request.destination, "lines": came}
    warehouse.record("receipt", request.reference, request.client_order_id, told)
