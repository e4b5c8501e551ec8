"""What really happened, read from the emulated systems' own files: the hub is not asked."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.world import ERP, SHOP, WMS

Entry = tuple[str, str, str, dict[str, Any]]
"""(at, key, subject, data)"""

ZERO = Decimal(0)
ERP_DOCUMENTS = ("sales_order", "order_change", "order_cancel", "invoice")


@dataclass(frozen=True, slots=True)
class ShopLine:
    sku: str
    current: int
    fulfillable: int


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """The shop's last word on an order. `total` as placed, `current_total` as it is now."""

    id: str
    name: str
    total: Decimal
    current_total: Decimal
    cancelled: bool
    touched: bool
    """Edited, refunded or cancelled since it was placed."""
    lines: dict[str, ShopLine]
    tracking: frozenset[str]


@dataclass(frozen=True, slots=True)
class Request:
    """What a location was asked and what it did, by the hub's line ids."""

    reference: str
    fulfilment_order: str
    order_number: str
    warehouse: str
    status: str
    lines: list[dict[str, Any]]


@dataclass(slots=True)
class Truth:
    """The three ledgers together."""

    orders: dict[str, ShopOrder] = field(default_factory=dict)
    entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    stock: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    erp_unknown: list[str] = field(default_factory=list)

    def of(self, system: str, kind: str) -> list[Entry]:
        return self.entries.get((system, kind), [])


def read_truth(folder: Path) -> Truth:
    """Read the ledgers that lie in `folder`."""
    truth = Truth()
    for system in (SHOP, WMS, ERP):
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
        if system == SHOP:
            _read_shop(truth, state)
        elif system == WMS:
            _read_warehouse(truth, state)
    return truth


def _read_shop(truth: Truth, state: dict[str, str]) -> None:
    for name, data in state.items():
        if not name.startswith("order:"):
            continue
        order = json.loads(data)
        lines = {
            str(line["id"]): ShopLine(line["sku"], line["current_quantity"], line["fulfillable_quantity"])
            for line in order["line_items"]
        }
        current = Decimal(order["current_total_price"])
        truth.orders[str(order["id"])] = ShopOrder(
            id=str(order["id"]),
            name=order["name"],
            total=Decimal(order["total_price"]),
            current_total=current,
            cancelled=order["cancelled_at"] is not None,
            touched=bool(order["refunds"])
            or order["cancelled_at"] is not None
            or current != Decimal(order["total_price"]),
            lines=lines,
            tracking=frozenset(str(one["tracking_number"]) for one in order["fulfillments"]),
        )


def _read_warehouse(truth: Truth, state: dict[str, str]) -> None:
    for name, data in sorted(state.items()):
        if name.startswith("stock|"):
            _, warehouse, sku = name.split("|", 2)
            truth.stock[warehouse, sku] = Decimal(data)
        elif name.startswith("request|"):
            kept = json.loads(data)
            for line in kept["lines"]:
                for figure in ("ordered", "cancelled", "short", "packed", "shipped"):
                    line[figure] = Decimal(line[figure])
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
