"""What the demo sees of the hub: its read models, read-only, one consistent picture at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.store.reading import NoDatabase, open_reading
from hub.views.orders import list_orders
from hub.views.query import rows, scalar
from hub.views.work import OPEN_DELIVERIES, list_exceptions

UNFINISHED_MESSAGES = ("stored", "claimed", "waiting", "retry")
OWN_WORK = ("allocate", "resource", "confirm", "release_holds", "push_stock")
"""Tasks of which a settled hub has none due; polls and sweeps come round for ever."""
SOON_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Work:
    """A fulfilment order."""

    id: str
    location: str
    state: str


@dataclass(frozen=True, slots=True)
class SeenOrder:
    id: str
    number: str
    external_id: str
    channel: str
    status: str
    effects: str
    currency: str
    total: Decimal
    quantities: Mapping[str, Decimal]
    holds: int
    work: tuple[Work, ...]
    deliveries: tuple[Mapping[str, Any], ...]
    exceptions: tuple[str, ...]
    """Kinds of the open ones."""
    shipped_from: tuple[str, ...]
    """Locations, one for each shipment."""
    returns: tuple[str, ...] = ()
    """States of its returns, oldest first."""
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    version: int = 0
    links: tuple[str, ...] = ()
    """Status of each order that was made out of it."""

    def works_in(self, *states: str) -> bool:
        """Whether it has fulfilment orders and all of them are in these states."""
        return bool(self.work) and all(work.state in states for work in self.work)

    def units(self, *buckets: str) -> Decimal:
        return sum((self.quantities.get(bucket, Decimal(0)) for bucket in buckets), Decimal(0))

    def open_calls(self) -> list[str]:
        """Calls that still have to be made or answered; a parked one waits for a person and is not among them."""
        return [
            f"{row['destination']} {row['capability']} {row['state']}"
            for row in self.deliveries
            if row["state"] in OPEN_DELIVERIES and row["state"] not in ("parked", "conflict")
        ]


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture of the hub. `orders` by channel and the channel's id."""

    orders: Mapping[tuple[str, str], SeenOrder] = field(default_factory=dict)
    exceptions: tuple[Mapping[str, Any], ...] = ()
    busy: tuple[str, ...] = ()
    """What is under way beside orders, in words."""
    counted_locations: int = 0
    """Locations that have told their stock."""
    stock_receipts: int = 0


def look(home: Path, database: str) -> Seen:
    """Empty before the hub has made its database."""
    try:
        with open_reading(database, home=home) as connection:
            listed = list_orders(connection, limit=1000)
            exceptions = tuple(list_exceptions(connection, limit=1000))
            work = rows(
                connection, "SELECT id, order_id, location, state FROM fulfilment_orders ORDER BY created_at, id"
            )
            returns = rows(connection, "SELECT order_id, state FROM returns ORDER BY created_at, id")
            money = rows(
                connection,
                "SELECT order_id, kind, SUM(amount) AS amount FROM money_moves GROUP BY order_id, kind",
                amounts=("amount",),
            )
            versions = rows(connection, "SELECT id, version FROM orders")
            linked = rows(
                connection,
                "SELECT l.other_order_id AS id, o.status FROM order_links l JOIN orders o ON o.id = l.order_id"
                " ORDER BY l.at, l.id",
            )
            shipments = rows(connection, "SELECT order_id, location FROM shipments ORDER BY shipped_at, id")
            deliveries = rows(
                connection,
                "SELECT id, order_id, destination, capability, state, attempts, external_id, error FROM deliveries"
                " ORDER BY sequence",
            )
            busy = _busy(connection)
            locations = scalar(connection, "SELECT COUNT(DISTINCT location) FROM stock WHERE as_of IS NOT NULL")
            counts = scalar(connection, "SELECT COUNT(*) FROM receipts WHERE stream = 'stock' AND source = 'webhook'")
    except NoDatabase:
        return Seen()
    kinds: dict[str, set[str]] = {}
    for exception in exceptions:
        for subject in exception["subjects"]:
            kinds.setdefault(subject["order_id"] or subject["id"], set()).add(str(exception["kind"]))
    found = {
        (row["channel"], row["external_id"]): SeenOrder(
            id=row["id"],
            number=row["number"] or row["external_id"],
            external_id=row["external_id"],
            channel=row["channel"],
            status=row["status"],
            effects=row["effects"],
            currency=row["currency"],
            total=row["total"] if row["total"] is not None else Decimal(0),
            quantities=row["quantities"],
            holds=row["holds"],
            work=tuple(Work(w["id"], w["location"], w["state"]) for w in work if w["order_id"] == row["id"]),
            deliveries=tuple(delivery for delivery in deliveries if delivery["order_id"] == row["id"]),
            exceptions=tuple(sorted(kinds.get(row["id"], ()))),
            shipped_from=tuple(s["location"] for s in shipments if s["order_id"] == row["id"]),
            returns=tuple(one["state"] for one in returns if one["order_id"] == row["id"]),
            captured=_moved(money, row["id"], "captured"),
            refunded=_moved(money, row["id"], "refunded"),
            version=next((one["version"] for one in versions if one["id"] == row["id"]), 0),
            links=tuple(one["status"] for one in linked if one["id"] == row["id"]),
        )
        for row in listed
    }
    stock_calls = [row for row in deliveries if not row["order_id"] and row["state"] in OPEN_DELIVERIES]
    if stock_calls:
        busy = (*busy, f"{len(stock_calls)} calls that belong to no order")
    return Seen(found, exceptions, busy, int(locations), int(counts))


def _moved(money: Sequence[Mapping[str, Any]], order: str, kind: str) -> Decimal:
    return sum((one["amount"] for one in money if (one["order_id"], one["kind"]) == (order, kind)), Decimal(0))


def _busy(connection: Any) -> tuple[str, ...]:
    receipts = rows(connection, "SELECT COUNT(*) AS n FROM receipts WHERE state = 'pending'")[0]["n"]
    messages = rows(
        connection,
        "SELECT COUNT(*) AS n FROM messages WHERE state IN :states",
        {"states": list(UNFINISHED_MESSAGES)},
    )[0]["n"]
    tasks = rows(
        connection,
        "SELECT COUNT(*) AS n FROM tasks WHERE state IN ('pending', 'claimed') AND kind IN :kinds AND due_at <= :soon",
        {"kinds": list(OWN_WORK), "soon": int((time.time() + SOON_SECONDS) * 1_000_000)},
    )[0]["n"]
    counted = {"receipts": receipts, "messages": messages, "tasks": tasks}
    return tuple(f"{count} {name}" for name, count in counted.items() if count)
