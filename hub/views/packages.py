"""Packages and labels for people: where a package is, what its labels cost, and the bytes to print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hub.store.bodies import FolderShelf
from hub.views.query import rows


def list_packages(
    connection: Connection,
    *,
    order_id: str | None = None,
    state: str | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Newest first, with what their labels cost; `before` is the id of the last row of the page before (keyset)."""
    conditions, values = ["1 = 1"], {"limit": min(limit, 1000)}
    named: dict[str, Any] = {"order_id": order_id, "state": state}
    for name, value in named.items():
        if value:
            conditions.append(f"p.{name} = :{name}")
            values[name] = value
    if before:
        conditions.append("(p.created_at, p.id) < (SELECT b.created_at, b.id FROM packages b WHERE b.id = :before)")
        values["before"] = before  # type: ignore[assignment]
    return rows(
        connection,
        f"""
        SELECT p.id, p.order_id, o.number AS order_number, p.location, p.external_id, p.carrier, p.service,
               p.tracking_number, p.state, p.created_at,
               (SELECT MIN(l.currency) FROM labels l WHERE l.package_id = p.id) AS currency,
               (SELECT COALESCE(SUM(l.cost), 0) - COALESCE(SUM(l.refunded), 0) FROM labels l WHERE l.package_id = p.id)
                   AS cost
          FROM packages p JOIN orders o ON o.id = p.order_id
         WHERE {" AND ".join(conditions)} ORDER BY p.created_at DESC, p.id DESC LIMIT :limit
        """,
        values,
        instants=("created_at",),
        amounts=("cost",),
    )


def find_package(connection: Connection, reference: str) -> list[str]:
    """Ids of packages that people may mean: our id, a tracking number, or the location's name for it."""
    found = rows(
        connection,
        """
        SELECT id FROM packages WHERE id = :ref
        UNION SELECT id FROM packages WHERE tracking_number = :ref
        UNION SELECT package_id FROM labels WHERE tracking_number = :ref
        UNION SELECT id FROM packages WHERE external_id = :ref
        ORDER BY id LIMIT 20
        """,
        {"ref": reference},
    )
    return [row["id"] for row in found]


def show_package(connection: Connection, package_id: str) -> dict[str, Any] | None:
    """One package with its labels and its scans."""
    found = rows(
        connection,
        """SELECT id, order_id, fulfilment_order_id, shipment_id, location, external_id, carrier, service,
                  tracking_number, state, document, created_at, updated_at FROM packages WHERE id = :id""",
        {"id": package_id},
        instants=("created_at", "updated_at"),
    )
    if not found:
        return None
    package = {**found[0], "document": json.loads(found[0]["document"])}
    package["labels"] = rows(
        connection,
        """SELECT id, connection, number, state, external_id, carrier, service, tracking_number, currency, cost,
                  refunded, body_id, created_at FROM labels WHERE package_id = :id ORDER BY number, id""",
        {"id": package_id},
        instants=("created_at",),
        amounts=("cost", "refunded"),
    )
    told = rows(
        connection,
        "SELECT type, at, data FROM events WHERE order_id = :order AND type LIKE 'hub.package.%' ORDER BY sequence",
        {"order": package["order_id"]},
        instants=("at",),
    )
    events = [{**event, "data": json.loads(event["data"])} for event in told]
    package["timeline"] = [event for event in events if event["data"].get("package") == package_id]
    return package


LABEL_USES = ("used", "waiting", "asked_back", "given_back", "wasted", "none")
"""What a label came to. wasted: it was paid for and carried nothing. none: nothing was bought."""


def list_labels(
    connection: Connection, *, order_id: str | None = None, use: str | None = None, limit: int = 1000
) -> list[dict[str, Any]]:
    """Labels, newest first, those of returns too: what each cost, what came back of it, and what it was good for."""
    found = rows(
        connection,
        f"""
        SELECT l.id, l.order_id, o.number AS order_number, l.package_id, l.connection, l.carrier, l.service, l.state,
               l.tracking_number, l.currency, l.cost, l.refunded, COALESCE(l.cost, 0) - l.refunded AS kept,
               CASE WHEN l.state IN ('requested', 'refused', 'withdrawn') THEN 'none'
                    WHEN l.state = 'voiding' THEN 'asked_back'
                    WHEN l.state = 'voided' AND l.refunded >= COALESCE(l.cost, 0) THEN 'given_back'
                    WHEN l.state IN ('voided', 'void_refused') THEN 'wasted'
                    WHEN p.id IS NULL THEN CASE WHEN r.state IN ('cancelled', 'expired') THEN 'wasted' ELSE 'used' END
                    WHEN p.shipment_id IS NULL THEN 'waiting'
                    WHEN p.tracking_number = l.tracking_number THEN 'used'
                    ELSE 'wasted' END AS use,
               CASE WHEN p.id IS NULL THEN 'return' ELSE 'outbound' END AS direction, l.created_at
          FROM labels l JOIN orders o ON o.id = l.order_id
          LEFT JOIN packages p ON p.id = l.package_id LEFT JOIN returns r ON r.id = l.package_id
         WHERE {"l.order_id = :order_id" if order_id else "1 = 1"} ORDER BY l.created_at DESC, l.id DESC
        """,
        {"order_id": order_id} if order_id else {},
        instants=("created_at",),
        amounts=("cost", "refunded", "kept"),
    )
    return [row for row in found if use in (None, row["use"])][:limit]


def label_body(connection: Connection, package_id: str) -> str | None:
    """Id of the body of the package's newest label that was bought; None where it has none."""
    found = rows(
        connection,
        """SELECT body_id FROM labels WHERE package_id = :id AND body_id IS NOT NULL
            ORDER BY CASE state WHEN 'bought' THEN 0 ELSE 1 END, number DESC LIMIT 1""",
        {"id": package_id},
    )
    return str(found[0]["body_id"]) if found else None


def label_bytes(connection: Connection, body_id: str, folder: Path) -> tuple[str, bytes | None]:
    """Content type and bytes of a label, None once erased. `folder` is where large bodies lie beside an SQLite file."""
    found = rows(connection, "SELECT content_type, body, file FROM bodies WHERE id = :id", {"id": body_id})
    if not found:
        return "", None
    content = found[0]["body"]
    if content is None and found[0]["file"]:
        content = FolderShelf(folder).read(str(found[0]["file"]))
    return str(found[0]["content_type"]), None if content is None else bytes(content)
