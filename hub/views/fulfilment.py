"""The work of locations: fulfilment orders with what is left to do, what nobody wants any more, who waits outside."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

FINISHED = ("completed", "partially_completed", "rejected", "cancelled")
UNFINISHED = "f.state NOT IN ('completed', 'partially_completed', 'rejected', 'cancelled')"
"""As the index of them says it: to be found by it, the words must be the same."""


def list_work(
    connection: Connection,
    *,
    location: str | None = None,
    state: str | None = None,
    method: str | None = None,
    order: str | None = None,
    fulfilment_order: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Oldest first; a location sees what it does and what is on its way to it. No state asked for: what is not
    finished; `all` is any. `after` is the id of the last row of the page before (keyset)."""
    conditions = ["1 = 1"]
    values: dict[str, Any] = {"limit": limit}
    given = {"f.method": method, "f.order_id": order, "f.id": fulfilment_order}
    for number, (column, value) in enumerate(given.items()):
        if value is not None:
            conditions.append(f"{column} = :v{number}")
            values[f"v{number}"] = value
    if location is not None:
        comes = "EXISTS (SELECT 1 FROM transits t WHERE t.fulfilment_order_id = f.id AND t.destination = :location"
        conditions.append(f"(f.location = :location OR {comes} AND t.quantity > 0))")
        values["location"] = location
    if state is None and fulfilment_order is None and order is None:
        conditions.append(UNFINISHED)
    elif state not in (None, "all"):
        conditions.append("f.state = :state" + ("" if state in FINISHED else f" AND {UNFINISHED}"))
        values["state"] = state
    if after is not None:
        conditions.append(
            "(f.created_at, f.id) > (SELECT b.created_at, b.id FROM fulfilment_orders b WHERE b.id = :after)"
        )
        values["after"] = after
    found = rows(
        connection,
        f"""SELECT f.id, f.order_id, COALESCE(o.number, o.external_id) AS order_number, o.channel, f.location, f.method,
                   f.state, f.external_id, f.document, f.created_at, f.updated_at
              FROM fulfilment_orders f JOIN orders o ON o.id = f.order_id
             WHERE {" AND ".join(conditions)} ORDER BY f.created_at, f.id LIMIT :limit""",
        values,
        instants=("created_at", "updated_at"),
    )
    for row in found:
        document = json.loads(row.pop("document"))
        row["destination"] = document.get("destination")
        row["lines"] = [_line(one) for one in document["lines"]]
        row["cancel_requests"] = [asked for one in document["cancel_requests"] if (asked := _asked(one))["lines"]]
    arrived = _arrivals(connection, [row["order_id"] for row in found])
    for row in found:
        row["buyer_arrived_at"] = arrived.get(row["order_id"]) if row["method"] == "pickup" else None
    return found


def show_work(connection: Connection, fulfilment_order: str) -> dict[str, Any] | None:
    found = list_work(connection, fulfilment_order=fulfilment_order, limit=1)
    return found[0] if found else None


def arrival_note(connection: Connection, order: str) -> str:
    """What the buyer who waits outside wrote; personal, for the store's own page only."""
    found = rows(connection, "SELECT data FROM contacts WHERE order_id = :order AND role = 'arrival'", {"order": order})
    return str(json.loads(found[0]["data"]).get("note", "")) if found else ""


def _line(said: dict[str, Any]) -> dict[str, Any]:
    return {"line": said["line"], "sku": said["sku"], "quantity": said["quantity"], "quantities": said["buckets"]}


def _asked(said: dict[str, Any]) -> dict[str, Any]:
    """A cancel request with what still waits for an answer."""
    lines = []
    for one in said["lines"]:
        answered = sum(Decimal(one.get(name, "0")) for name in ("accepted", "refused", "overtaken"))
        if answered < Decimal(one["quantity"]):
            lines.append({"line": one["line"], "quantity": one["quantity"]})
    return {"id": said["id"], "purpose": said["purpose"], "reason": said["reason"], "lines": lines}


def _arrivals(connection: Connection, orders: list[str]) -> dict[str, Any]:
    found = rows(
        connection,
        """SELECT order_id, MAX(at) AS at FROM events WHERE order_id IN :orders
            AND type = 'hub.fulfilment_order.buyer_arrived.v1' GROUP BY order_id""",
        {"orders": orders},
        instants=("at",),
    )
    return {row["order_id"]: row["at"] for row in found}
