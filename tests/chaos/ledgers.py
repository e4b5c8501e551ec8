"""What really happened, read from the emulated systems' own files: the hub is not asked."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.desk import PaidBack
from tests.chaos.systems import CARRIER, CRM, EDI, ERP, MAIL, MARKET, PAYMENT, SHOP, WMS

Entry = tuple[str, str, str, dict[str, Any]]
"""(at, key, subject, data)"""

ZERO = Decimal(0)
TRANSFER = "T-"
"""How the numbers of the hub's own orders begin that move goods between locations: no buyer, no carrier."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A channel's last word on an order.

    `lines` are (SKU, units that the channel still counts as sold); `told` the tracking numbers it knows of; `buyer`
    the channel's own mark of who bought.
    """

    channel: str
    id: str
    name: str
    total: Decimal
    lines: tuple[tuple[str, int], ...]
    told: frozenset[str]
    buyer: str
    cancelled: bool = False
    touched: bool = False
    """Edited, refunded, cancelled or asked to be cancelled since it was placed."""

    def units(self, sku: str) -> int:
        return sum(units for one, units in self.lines if one == sku)


@dataclass(frozen=True, slots=True)
class Request:
    """What a location was asked and what it did, by the hub's line ids."""

    reference: str
    fulfilment_order: str
    order_number: str
    warehouse: str
    status: str
    lines: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What left a location in one box. `tracking` is empty where it left without a number."""

    order_number: str
    warehouse: str
    package: str
    tracking: str


@dataclass(slots=True)
class Truth:
    """All ledgers together."""

    orders: dict[tuple[str, str], Sold] = field(default_factory=dict)
    """By channel and its id."""
    entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    returned: Counter[str] = field(default_factory=Counter)
    """Order number -> units that came back to a location."""
    stock: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    touched_here: set[str] = field(default_factory=set)
    """Ids of orders of the shop that people here changed, or tried to."""
    paid_back: list[PaidBack] = field(default_factory=list)
    """What people here were told to be given back."""

    def of(self, system: str, kind: str) -> list[Entry]:
        return self.entries.get((system, kind), [])

    def at(self, channel: str) -> list[Sold]:
        return [order for (one, _), order in self.orders.items() if one == channel]

    def named(self) -> dict[str, Sold]:
        """Orders by the number that is written on them, which no two channels share."""
        return {order.name: order for order in self.orders.values()}

    def doubled(self, system: str, kind: str) -> Iterable[tuple[str, int]]:
        """(key, how often) of what a ledger holds more than once."""
        keys = Counter(key for _, key, _, _ in self.of(system, kind))
        return [(key, many) for key, many in keys.items() if many > 1]


def read_truth(folder: Path, systems: Iterable[str]) -> Truth:
    """Read the ledgers that lie in `folder`."""
    truth = Truth()
    for system in systems:
        connection = sqlite3.connect(f"file:{folder / f'{system}.ledger'}?mode=ro", uri=True, timeout=10)
        try:
            for at, kind, key, subject, data in connection.execute(
                "SELECT at, kind, key, subject, data FROM entries ORDER BY id"
            ):
                truth.entries.setdefault((system, kind), []).append((at, key, subject, json.loads(data)))
            for kind, count in connection.execute("SELECT kind, count FROM faults"):
                truth.faults[kind] += count
            state = dict(connection.execute("SELECT name, data FROM state").fetchall())
        finally:
            connection.close()
        _READERS[system](truth, state)
    return truth


def moment(at: str) -> dt.datetime:
    return dt.datetime.fromisoformat(at)


def _states(state: Mapping[str, str], prefix: str) -> Iterable[dict[str, Any]]:
    return (json.loads(data) for name, data in sorted(state.items()) if name.startswith(prefix))


def _read_shop(truth: Truth, state: Mapping[str, str]) -> None:
    for order in _states(state, "order:"):
        total, current = Decimal(order["total_price"]), Decimal(order["current_total_price"])
        cancelled = order["cancelled_at"] is not None
        _sold(
            truth,
            Sold(
                SHOP,
                str(order["id"]),
                order["name"],
                total,
                tuple((line["sku"], line["current_quantity"]) for line in order["line_items"]),
                frozenset(str(one["tracking_number"]) for one in order["fulfillments"] if one["tracking_number"]),
                str(order["customer"]["id"]),
                cancelled=cancelled,
                touched=bool(order["refunds"]) or cancelled or current != total,
            ),
        )


def _read_market(truth: Truth, state: Mapping[str, str]) -> None:
    """Buyers who only ask take nothing back by themselves: what counts as sold of their orders is what has left."""
    asked = {key for _, key, _, _ in truth.of(MARKET, "cancel_request")}
    for kept in _states(state, "order|"):
        order = kept["order"]
        left: Counter[str] = Counter()
        for package in order["packages"]:
            for item in package["packageItems"]:
                left[item["orderItemId"]] += item["quantity"]
        touched = order["orderId"] in asked
        _sold(
            truth,
            Sold(
                MARKET,
                order["orderId"],
                order["orderId"],
                Decimal(order["proceeds"]["grandTotal"]["amount"]),
                tuple(
                    (
                        item["product"]["sellerSku"],
                        left[item["orderItemId"]] if touched else item["quantityOrdered"],
                    )
                    for item in order["orderItems"]
                ),
                frozenset(str(package["trackingNumber"]) for package in order["packages"]),
                order["buyer"]["buyerEmail"],
                cancelled=order["fulfillment"]["fulfillmentStatus"] == "CANCELLED",
                touched=touched,
            ),
        )


def _read_partner(truth: Truth, state: Mapping[str, str]) -> None:
    del state
    told: dict[str, set[str]] = {}
    for _, _, _, data in truth.of(EDI, "shipment_notice"):
        told.setdefault(data["po"], set()).add(data["tracking"])
    for _, po, _, data in truth.of(EDI, "order_placed"):
        lines = tuple((line["sku"], int(line["quantity"])) for line in data["lines"])
        _sold(truth, Sold(EDI, po, po, Decimal(data["total_price"]), lines, frozenset(told.get(po, ())), "HQ"))


def _sold(truth: Truth, order: Sold) -> None:
    truth.orders[order.channel, order.id] = order


def _read_warehouse(truth: Truth, state: Mapping[str, str]) -> None:
    for name, data in sorted(state.items()):
        if name.startswith("stock|"):
            _, warehouse, sku = name.split("|", 2)
            truth.stock[warehouse, sku] = Decimal(data)
    numbers: dict[str, str] = {}
    for kept in _states(state, "request|"):
        for line in kept["lines"]:
            for figure in ("ordered", "cancelled", "short", "packed", "shipped"):
                line[figure] = Decimal(line[figure])
        numbers[kept["reference"]] = kept["order_number"]
        truth.requests.append(
            Request(
                kept["reference"],
                kept["client_order_id"],
                kept["order_number"],
                kept["warehouse"],
                kept["status"],
                kept["lines"],
            )
        )
    for event in _states(state, "event|"):
        if event["type"] == "return.inspected":
            said = event["data"]
            named = said.get("order") or str(said["return"]).rpartition("-RT")[0]  # our numbers begin with the order's
            truth.returned[named] += sum(int(line["quantity"]) for line in said["lines"])
        if event["type"] == "shipment.created":
            said = event["data"]
            truth.parcels += [
                Parcel(
                    numbers[said["reference"]],
                    event["warehouse"],
                    package["package"],
                    str(package.get("tracking_number", "")),
                )
                for package in said["packages"]
                if not numbers[said["reference"]].startswith(TRANSFER)
            ]


def _entries_alone(truth: Truth, state: Mapping[str, str]) -> None:
    """Everything stands in its entries."""


_READERS: Mapping[str, Callable[[Truth, Mapping[str, str]], None]] = {
    SHOP: _read_shop,
    MARKET: _read_market,
    EDI: _read_partner,
    WMS: _read_warehouse,
    ERP: _entries_alone,
    CRM: _entries_alone,
    CARRIER: _entries_alone,
    PAYMENT: _entries_alone,
    MAIL: _entries_alone,
}
