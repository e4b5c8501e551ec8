"""What the dashboard shows beside the other read models: hours, health of connections, search, causes, promises."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection

from hub.store.values import instant_to_database
from hub.views.orders import find_order
from hub.views.query import rows

HOUR = 3_600_000_000
"""Microseconds."""
MOST_FOUND = 200
RECENT_SHIPMENTS = 5_000
NEEDS_A_PERSON = ("unknown", "conflict", "overdue", "parked")


def search(connection: Connection, words: str) -> list[str]:
    """Ids of orders by any of their names, by a SKU of theirs or by a tracking number; at most MOST_FOUND.

    Tracking numbers in shipments of locations that nobody follows packages of are found among the newest shipments.
    """
    found = find_order(connection, words)
    if not found:
        found = [
            row["order_id"]
            for row in rows(
                connection,
                """
                SELECT order_id FROM packages WHERE tracking_number = :words
                UNION SELECT order_id FROM labels WHERE tracking_number = :words
                UNION SELECT order_id FROM (SELECT DISTINCT order_id FROM order_lines WHERE sku = :words
                                             ORDER BY order_id DESC LIMIT :limit) AS by_sku
                """,
                {"words": words, "limit": MOST_FOUND},
            )
        ]
    if not found and len(words) >= 6:
        found = [
            row["order_id"]
            for row in rows(
                connection,
                """SELECT DISTINCT order_id
                     FROM (SELECT order_id, document FROM shipments ORDER BY id DESC LIMIT :recent) AS newest
                    WHERE document LIKE :pattern ESCAPE '!' LIMIT :limit""",
                {"recent": RECENT_SHIPMENTS, "pattern": f'%"{_literal(words)}"%', "limit": MOST_FOUND},
            )
        ]
    return found[:MOST_FOUND]


def _literal(words: str) -> str:
    return words.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def hours(connection: Connection, now: dt.datetime, number: int) -> list[dict[str, Any]]:
    """What came in and what was done in each of the last hours, oldest first, quiet ones included."""
    this = instant_to_database(now) // HOUR
    since = (this - number + 1) * HOUR
    counted: dict[str, dict[int, int]] = {}
    for name, sql in {
        "orders": "SELECT created_at / :hour AS h, COUNT(*) AS n FROM orders WHERE created_at >= :since GROUP BY 1",
        # Not chosen by state: nearly all of them, of all times, have that one.
        "sent": "SELECT settled_at / :hour AS h, SUM(CASE WHEN state = 'acknowledged' THEN 1 ELSE 0 END) AS n"
        " FROM deliveries WHERE settled_at >= :since GROUP BY 1",
    }.items():
        counted[name] = {int(row["h"]): int(row["n"]) for row in rows(connection, sql, {"hour": HOUR, "since": since})}
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return [
        {"at": epoch + dt.timedelta(hours=hour), **{name: by.get(hour, 0) for name, by in counted.items()}}
        for hour in range(this - number + 1, this + 1)
    ]


WAIT_FOR_A_PERSON = ("requested", "partially_received", "received", "inspected")
"""States of returns in which somebody decides, inspects or settles."""


def needs(connection: Connection, now: dt.datetime) -> dict[str, dict[str, Any]]:
    """What waits for people, by name: how many (`n`), since when (`oldest`), how many for longer than a day (`old`)."""
    day = {"day": instant_to_database(now - dt.timedelta(days=1))}
    asked = {
        "held": ("COUNT(DISTINCT order_id)", "placed_at", "holds WHERE released_at IS NULL", {}),
        "exceptions": ("COUNT(*)", "raised_at", "exceptions WHERE state = 'open'", {}),
        "returns": ("COUNT(*)", "updated_at", "returns WHERE state IN :states", {"states": list(WAIT_FOR_A_PERSON)}),
        "unmatched": ("COUNT(*)", "at", "payout_lines WHERE matched = 'nothing'", {}),
        "deliveries": ("COUNT(*)", "created_at", "deliveries WHERE state IN :states", {"states": list(NEEDS_A_PERSON)}),
    }
    found = {}
    for name, (number, since, of, values) in asked.items():
        (row,) = rows(
            connection,
            f"SELECT {number} AS n, MIN({since}) AS oldest, SUM(CASE WHEN {since} < :day THEN 1 ELSE 0 END) AS old"
            f" FROM {of}",
            {**day, **values},
            instants=("oldest",),
        )
        found[name] = {**row, "old": int(row["old"] or 0)}
    return found


def causes(connection: Connection, state: str = "open") -> list[dict[str, Any]]:
    """Exceptions grouped by kind and connection: how many, how much they hold up, since when."""
    return rows(
        connection,
        """SELECT e.kind, e.connection, COUNT(*) AS exceptions, MIN(e.raised_at) AS oldest,
                  MIN(e.title) AS title, COUNT(DISTINCT e.title) AS titles, MIN(e.next_step) AS next_step,
                  SUM((SELECT COUNT(*) FROM exception_subjects s
                        WHERE s.exception_id = e.id AND s.cleared_at IS NULL)) AS subjects
             FROM exceptions e WHERE e.state = :state GROUP BY e.kind, e.connection ORDER BY MIN(e.raised_at)""",
        {"state": state},
        instants=("oldest",),
    )


def of_cause(connection: Connection, kind: str, of: str | None, limit: int = 100) -> list[str]:
    """Ids of the open exceptions of one group, oldest first."""
    same = "connection IS NULL" if of is None else "connection = :of"
    values: dict[str, Any] = {"kind": kind, "limit": limit} | ({} if of is None else {"of": of})
    sql = f"SELECT id FROM exceptions WHERE state = 'open' AND kind = :kind AND {same} ORDER BY id LIMIT :limit"
    return [row["id"] for row in rows(connection, sql, values)]


def waits_for_a_person(connection: Connection) -> dict[str, int]:
    """Deliveries by state that only go on when somebody says something."""
    found = rows(
        connection,
        "SELECT state, COUNT(*) AS n FROM deliveries WHERE state IN :states GROUP BY state",
        {"states": list(NEEDS_A_PERSON)},
    )
    return {row["state"]: row["n"] for row in found}


def last_read(connection: Connection) -> dict[str, dt.datetime]:
    """By connection, when something of it last came in: its newest receipt, or an empty poll's cursor."""
    found = rows(
        connection,
        """WITH RECURSIVE c(connection) AS (
                SELECT MIN(connection) FROM receipts
                UNION ALL SELECT (SELECT MIN(r.connection) FROM receipts r WHERE r.connection > c.connection)
                            FROM c WHERE c.connection IS NOT NULL)
           SELECT c.connection, (SELECT r.received_at FROM receipts r WHERE r.connection = c.connection
                                  ORDER BY r.id DESC LIMIT 1) AS at
             FROM c WHERE c.connection IS NOT NULL""",
        instants=("at",),
    )
    result: dict[str, dt.datetime] = {row["connection"]: row["at"] for row in found}
    for row in rows(connection, "SELECT id, updated_at FROM cursors", instants=("updated_at",)):
        name = row["id"].partition("|")[0]
        result[name] = max(result.get(name, row["updated_at"]), row["updated_at"])
    return result


def work_by_connection(connection: Connection) -> dict[str, dict[str, Any]]:
    """By destination: how many deliveries in each state, and since when the oldest waits."""
    found = rows(
        connection,
        """SELECT destination, state, CAST(SUM(n) AS bigint) AS n, MIN(oldest) AS oldest FROM
                  (SELECT destination, capability, state, COUNT(*) AS n, MIN(created_at) AS oldest FROM deliveries
                    GROUP BY destination, capability, state) AS by_capability
            GROUP BY destination, state ORDER BY destination, state""",
        instants=("oldest",),
    )
    result: dict[str, dict[str, Any]] = {}
    for row in found:
        entry = result.setdefault(row["destination"], {"states": {}, "oldest": None})
        entry["states"][row["state"]] = row["n"]
        if row["state"] in ("pending", "retry"):
            entry["oldest"] = min(entry["oldest"] or row["oldest"], row["oldest"])
    return result


def suppressed(connection: Connection, destination: str, limit: int = 1_000) -> list[dict[str, Any]]:
    """What an observing connection would have sent, oldest first."""
    return rows(
        connection,
        """SELECT id, capability, business_key, order_id, created_at FROM deliveries
            WHERE state = 'suppressed' AND destination = :destination ORDER BY created_at, id LIMIT :limit""",
        {"destination": destination, "limit": limit},
        instants=("created_at",),
    )


def stock_history(connection: Connection, sku: str, limit: int = 50) -> list[dict[str, Any]]:
    """What changed a SKU's stock, newest first."""
    return rows(
        connection,
        """SELECT id, location, kind, delta, absolute, source, source_time, reason, cause FROM stock_events
            WHERE sku = :sku ORDER BY location, sequence DESC LIMIT :limit""",
        {"sku": sku, "limit": limit},
        amounts=("delta", "absolute"),
        instants=("source_time",),
    )


def promised(connection: Connection, sku: str) -> list[dict[str, Any]]:
    """What each channel was last told of a SKU, for each `outlet` of its own that it was told of."""
    found = rows(
        connection,
        "SELECT connection, subject, quantity, updated_at FROM pushed_stock WHERE sku = :sku ORDER BY subject",
        {"sku": sku},
        amounts=("quantity",),
        instants=("updated_at",),
    )
    return [{**row, "outlet": str(row["subject"]).rsplit("|", 1)[-1]} for row in found]


def audited(connection: Connection, subject: str, limit: int = 50) -> list[dict[str, Any]]:
    """What people did with it, newest first."""
    return rows(
        connection,
        "SELECT at, who, action, reason FROM audit WHERE subject = :subject ORDER BY at DESC, id LIMIT :limit",
        {"subject": subject, "limit": limit},
        instants=("at",),
    )
