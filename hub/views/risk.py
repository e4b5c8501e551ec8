"""Orders that must leave by a time their channel sets, the most pressing first."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

PENDING = ("open", "backordered", "preordered", "allocated", "released", "accepted", "picked", "packed")
SECONDS_AN_HOUR = 3600
NEAREST = 5_000
"""Lines that are looked at, those with the nearest dates."""


def list_at_risk(connection: Connection, now: dt.datetime, limit: int = 50) -> list[dict[str, Any]]:
    """Lines of which something has not left, with their next date: sorted by time left over penalty; what is late by
    how late it is times its penalty, before everything else."""
    pending = " + ".join(f"l.{bucket}" for bucket in PENDING)
    found = rows(
        connection,
        f"""
        SELECT o.id AS order_id, o.number, o.channel, o.external_id, o.status, l.id AS line_id, l.number AS line, l.sku,
               {pending} AS units, l.ship_by, l.cancel_by, l.late_penalty,
               (SELECT MIN(f.location) FROM fulfilment_orders f WHERE f.order_id = o.id
                 AND f.state NOT IN ('completed', 'partially_completed', 'rejected', 'cancelled')) AS location
          FROM order_lines l JOIN orders o ON o.id = l.order_id
         WHERE l.due_by IS NOT NULL AND {pending} > 0 AND o.effects <> 'none' AND o.status <> 'cancelled'
           AND l.fulfilled_by = 'us'
         ORDER BY l.due_by, l.id LIMIT :nearest
        """,
        {"nearest": NEAREST},
        amounts=("units", "late_penalty"),
        instants=("ship_by", "cancel_by"),
    )
    for row in found:
        due = min(at for at in (row["ship_by"], row["cancel_by"]) if at is not None)
        row["due"] = "ship_by" if due == row["ship_by"] else "cancel_by"
        row["hours_left"] = round(Decimal((due - now).total_seconds()) / SECONDS_AN_HOUR, 1)
        row["late_penalty"] = row["late_penalty"] or Decimal(0)
    return sorted(found, key=_pressing)[:limit]


def _pressing(row: dict[str, Any]) -> tuple[Decimal, str]:
    hours, penalty = row["hours_left"], max(row["late_penalty"], Decimal("0.01"))
    return (hours * penalty if hours < 0 else hours / penalty), row["line_id"]
