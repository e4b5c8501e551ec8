"""Returns for people: the list, and one with its lines, what was given for it, its label and timeline."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from hub.store.tables.returns import RETURN_STAGES
from hub.views.query import rows


def list_returns(
    connection: Connection,
    *,
    state: str | None = None,
    order_id: str | None = None,
    reference: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Newest first; `after` is the id of the last row of the page before (keyset)."""
    conditions = ["1 = 1"]
    values: dict[str, Any] = {"limit": min(limit, 1000)}
    named = {"r.state = :state": ("state", state), "r.order_id = :order": ("order", order_id)}
    named["(r.id = :ref OR r.number = :ref OR r.number = '#' || :ref OR r.external_id = :ref)"] = ("ref", reference)
    named["(r.created_at, r.id) < (SELECT b.created_at, b.id FROM returns b WHERE b.id = :after)"] = ("after", after)
    for condition, (name, value) in named.items():
        if value is not None:
            conditions.append(condition)
            values[name] = value
    found = rows(
        connection,
        f"""
        SELECT r.id, r.number, r.order_id, o.number AS order_number, o.channel, r.origin, r.state, r.external_id,
               r.location, r.tracking_number, r.reason, r.expires_at, r.created_at, r.updated_at, o.currency
          FROM returns r JOIN orders o ON o.id = r.order_id
         WHERE {" AND ".join(conditions)} ORDER BY r.created_at DESC, r.id DESC LIMIT :limit
        """,
        values,
        instants=("expires_at", "created_at", "updated_at"),
    )
    of = {"ids": [row["id"] for row in found]}
    lines = rows(
        connection,
        f"""SELECT id, return_id, line_id, number, sku, claimed, {", ".join(RETURN_STAGES)}, over, settled, document
              FROM return_lines WHERE return_id IN :ids ORDER BY return_id, number""",
        of,
        amounts=("claimed", *RETURN_STAGES, "over", "settled"),
    )
    given = rows(
        connection,
        """SELECT id, return_id, kind, currency, amount, refund_id, document, at FROM return_settlements
            WHERE return_id IN :ids ORDER BY at, id""",
        of,
        amounts=("amount",),
        instants=("at",),
    )
    for row in found:
        row["lines"] = [_line(line) for line in lines if line["return_id"] == row["id"]]
        row["settlements"] = [_given(one) for one in given if one["return_id"] == row["id"]]
        row["given"] = sum((one["amount"] for one in row["settlements"]), start=0)
    return found


def show_return(connection: Connection, return_id: str) -> dict[str, Any] | None:
    found = list_returns(connection, reference=return_id, limit=1)
    if not found:
        return None
    one = found[0]
    documents = rows(connection, "SELECT document FROM returns WHERE id = :id", {"id": one["id"]})
    one["document"] = json.loads(documents[0]["document"])
    one["label"] = next(
        iter(
            rows(
                connection,
                """SELECT id, connection, state, carrier, service, tracking_number, currency, cost FROM labels
                    WHERE package_id = :id""",
                {"id": one["id"]},
                amounts=("cost",),
            )
        ),
        None,
    )
    events = rows(
        connection,
        "SELECT id, type, at, data FROM events WHERE order_id = :id AND type LIKE 'hub.return.%' ORDER BY sequence",
        {"id": one["order_id"]},
        instants=("at",),
    )
    timeline = [{**event, "data": json.loads(event["data"])} for event in events]
    one["timeline"] = [event for event in timeline if event["data"].get("return") == one["id"]]
    return one


def _line(row: dict[str, Any]) -> dict[str, Any]:
    stages = {stage: row[stage] for stage in RETURN_STAGES if row[stage]}
    said = json.loads(row["document"])
    kept = {name: value for name, value in row.items() if name not in (*RETURN_STAGES, "document", "return_id")}
    return {**kept, "quantities": stages, "document": said}


def _given(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in ("document", "return_id")}
    return {**kept, "document": json.loads(row["document"])}
