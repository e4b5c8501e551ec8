"""What people at a location print: what to take from the shelves, and the slip that lies in a parcel.

A slip names goods and never prices: it may lie in a present. It has the quantities of its parcel, or where none is
named those that the fulfilment order has or sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.domain.money import decimal_text
from hub.views.fulfilment import list_work
from hub.views.query import rows

TO_PICK = ("released", "accepted")
NOT_IN_PARCEL = ("cancelled",)
MOST_AT_ONCE = 500
ZERO = Decimal(0)


def pick_list(connection: Connection, location: str, order: str | None = None) -> dict[str, Any]:
    """By SKU, what is to be picked for open work of a location (of one order: its id), less what should not leave."""
    work = list_work(connection, location=location, order=order, limit=MOST_AT_ONCE)
    items: dict[str, dict[str, Any]] = {}
    for one in work:
        if one["location"] != location:
            continue
        unwanted = _unwanted(one)
        for line in one["lines"]:
            units = sum((Decimal(line["quantities"].get(bucket, "0")) for bucket in TO_PICK), ZERO)
            units -= unwanted.get(line["line"], ZERO)
            if units > 0:
                item = items.setdefault(line["sku"], {"sku": line["sku"], "quantity": ZERO, "of": []})
                item["quantity"] += units
                told = {"fulfilment_order": one["id"], "order_number": one["order_number"] or one["order_id"]}
                item["of"].append({**told, "quantity": decimal_text(units)})
    titles = _titles(connection, items)
    made = [
        {**item, "title": titles.get(sku, ""), "quantity": decimal_text(item["quantity"])}
        for sku, item in sorted(items.items())
    ]
    named = sorted({told["fulfilment_order"] for item in made for told in item["of"]})
    return {"location": location, "fulfilment_orders": named, "items": made}


def packing_slip(connection: Connection, fulfilment_order: str, package: str | None = None) -> dict[str, Any] | None:
    """None where there is no such fulfilment order, or it has no such package (by its name, number or our id)."""
    found = rows(
        connection,
        """SELECT f.id, f.order_id, COALESCE(o.number, o.external_id) AS order_number, o.channel, o.placed_at,
                  f.location, f.method, f.document
             FROM fulfilment_orders f JOIN orders o ON o.id = f.order_id WHERE f.id = :id""",
        {"id": fulfilment_order},
        instants=("placed_at",),
    )
    if not found:
        return None
    slip = {**found[0], "package": None, "tracking_number": None}
    parts = json.loads(slip.pop("document"))["lines"]
    order, lines = slip.pop("order_id"), {part["line"]: _in_parcel(part) for part in parts}
    skus = {part["line"]: str(part["sku"]) for part in parts}
    if package is not None:
        parcel = next((one for one in _parcels(connection, order, fulfilment_order) if package in _names(one)), None)
        if parcel is None:
            return None
        lines, skus = {}, {}
        for part in parcel["lines"]:
            key = str(part.get("line") or part.get("sku"))
            lines[key] = lines.get(key, ZERO) + Decimal(str(part["quantity"]))
            skus[key] = str(part.get("sku") or "")
        slip["package"], slip["tracking_number"] = parcel["package"], parcel.get("tracking_number") or None
    contact = rows(connection, "SELECT data FROM contacts WHERE order_id = :id AND role = 'ship_to'", {"id": order})
    slip["ship_to"] = json.loads(contact[0]["data"]) if contact and slip["method"] != "transfer" else None
    titles = _titles_of_lines(connection, order)
    slip["lines"] = [
        {"sku": skus[key], "title": titles.get(key, ""), "quantity": decimal_text(units)}
        for key, units in lines.items()
        if units > 0
    ]
    return slip


def _unwanted(one: Mapping[str, Any]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for request in one["cancel_requests"]:
        for line in request["lines"]:
            found[line["line"]] = found.get(line["line"], ZERO) + Decimal(line["quantity"])
    return found


def _in_parcel(part: Mapping[str, Any]) -> Decimal:
    buckets = part["buckets"].items()
    return sum((Decimal(units) for bucket, units in buckets if bucket not in NOT_IN_PARCEL), ZERO)


def _parcels(connection: Connection, order: str, fulfilment_order: str) -> list[dict[str, Any]]:
    """What has left in parcels, and what stands packed in them."""
    left = rows(
        connection,
        "SELECT document FROM shipments WHERE order_id = :order AND fulfilment_order_id = :work ORDER BY id",
        {"order": order, "work": fulfilment_order},
    )
    packed = rows(
        connection,
        "SELECT id, external_id, tracking_number, document FROM packages"
        " WHERE order_id = :order AND fulfilment_order_id = :work ORDER BY id",
        {"order": order, "work": fulfilment_order},
    )
    parcels = [parcel for row in left for parcel in json.loads(row["document"])["packages"]]
    for row in packed:
        named = {"id": row["id"], "package": row["external_id"], "tracking_number": row["tracking_number"]}
        parcels.append({**named, "lines": json.loads(row["document"]).get("lines", [])})
    return parcels


def _names(parcel: Mapping[str, Any]) -> set[str]:
    return {str(parcel[name]) for name in ("id", "package", "tracking_number") if parcel.get(name)}


def _titles(connection: Connection, skus: Iterable[str]) -> dict[str, str]:
    wanted = sorted(skus)
    found = rows(connection, "SELECT sku, document FROM items WHERE sku IN :skus", {"skus": wanted}) if wanted else []
    return {row["sku"]: str(json.loads(row["document"]).get("title") or "") for row in found}


def _titles_of_lines(connection: Connection, order: str) -> dict[str, str]:
    found = rows(connection, "SELECT id, document FROM order_lines WHERE order_id = :id", {"id": order})
    return {row["id"]: str(json.loads(row["document"]).get("title") or "") for row in found}
