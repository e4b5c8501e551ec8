"""What happened, as CloudEvents 1.0, in the order in which it was decided: for whoever follows the hub.

An event's `id` follows from the fact, so that reading twice harms nobody; `sequence` (an extension attribute) orders
all events. Processes that decide at once commit in any order: what is younger than `SETTLED` is not shown to those who
read on from a sequence, so that nothing appears behind them.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from sqlalchemy import Connection

from hub.store.values import instant_to_database
from hub.views.query import rows

SOURCE = "/order-hub"
SETTLED = dt.timedelta(seconds=10)
"""Longer than a decision takes from its clock's time to its commit."""


def list_events(
    connection: Connection,
    *,
    after: str | None = None,
    fact: str | None = None,
    order: str | None = None,
    subject: str | None = None,
    until: dt.datetime | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Oldest first. `after`: a sequence; `fact`: a whole type, or the beginning of one that ends in a point; `until`:
    only what was decided by then."""
    where = ["1 = 1"]
    if after is not None:
        where.append("e.sequence > :after")
    if fact is not None:
        where.append("e.type LIKE :pattern ESCAPE '!'" if fact.endswith(".") else "e.type = :fact")
    where += [f"e.{column} = :{name}" for column, name, value in _equal(order, subject) if value is not None]
    if until is not None:
        where.append("e.at <= :until")
    found = rows(
        connection,
        f"""SELECT e.id, e.type, e.subject, e.order_id, e.at, e.sequence, e.data, o.seller_entity
              FROM events e LEFT JOIN orders o ON o.id = e.order_id
             WHERE {" AND ".join(where)} ORDER BY e.sequence LIMIT :limit""",
        {
            "after": after,
            "fact": fact,
            "pattern": _beginning(fact),
            "order": order,
            "subject": subject,
            "until": instant_to_database(until) if until is not None else None,
            "limit": limit,
        },
        instants=("at",),
    )
    return [_cloud_event(row) for row in found]


def settled(now: dt.datetime) -> dt.datetime:
    """Until when events are complete."""
    return now - SETTLED


def _equal(order: str | None, subject: str | None) -> tuple[tuple[str, str, str | None], ...]:
    return ("order_id", "order", order), ("subject", "subject", subject)


def _beginning(fact: str | None) -> str:
    text = fact or ""
    for special in ("!", "%", "_"):
        text = text.replace(special, f"!{special}")
    return f"{text}%"


def _cloud_event(row: dict[str, Any]) -> dict[str, Any]:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its sequence extension."""
    event = {
        "specversion": "1.0",
        "id": row["id"],
        "source": f"{SOURCE}/{row['seller_entity']}" if row["seller_entity"] else SOURCE,
        "type": row["type"],
        "subject": row["subject"],
        "time": row["at"],
        "sequence": row["sequence"],
        "datacontenttype": "application/json",
        "data": json.loads(row["data"]),
    }
    return event | ({"orderid": row["order_id"]} if row["order_id"] else {})
