"""What is under way and what needs a person: exceptions, deliveries with attempts, counts by state, stock."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from sqlalchemy import Connection

from hub.store.values import instant_to_database
from hub.views.query import rows

OPEN_DELIVERIES = ("pending", "retry", "in_flight", "sent", "unknown", "probing", "conflict", "overdue", "parked")


_RELEASE = re.compile(r"hub orders release \S+ --reason WHY")


def hint_for(hint: str, order_id: str) -> str:
    """What can be done, for one order of those that an exception stands for."""
    return _RELEASE.sub(f"hub orders release {order_id} --reason WHY", hint)


def list_exceptions(
    connection: Connection,
    *,
    state: str = "open",
    kind: str | None = None,
    exception_id: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Oldest first; `after` is the id of the last row of the page before (keyset). An `exception_id` has any state."""
    given = {"kind": kind, "id": exception_id, "after": after, "state": None if exception_id else state}
    conditions = {"kind": "kind = :kind", "id": "id = :id", "after": "id > :after", "state": "state = :state"}
    values = {name: value for name, value in given.items() if value is not None}
    found = rows(
        connection,
        f"""
        SELECT id, kind, connection, title, detail, next_step, hint, owner, state, count, raised_at, updated_at,
               resolved_at, resolved_by
          FROM exceptions WHERE {" AND ".join(conditions[name] for name in values)} ORDER BY id LIMIT :limit
        """,
        {**values, "limit": limit},
        instants=("raised_at", "updated_at", "resolved_at"),
    )
    subjects = rows(
        connection,
        """SELECT s.exception_id, s.subject_kind, s.subject_id, s.order_id,
                  COALESCE(o.number, o.external_id) AS order_number
             FROM exception_subjects s LEFT JOIN orders o ON o.id = s.order_id
            WHERE s.exception_id IN :ids AND s.cleared_at IS NULL ORDER BY s.added_at, s.subject_id""",
        {"ids": [row["id"] for row in found]},
    )
    for row in found:
        row["subjects"] = [
            {
                "kind": entry["subject_kind"],
                "id": entry["subject_id"],
                "order_id": entry["order_id"],
                "order_number": entry["order_number"],
            }
            for entry in subjects
            if entry["exception_id"] == row["id"]
        ]
        of = {subject["order_id"] for subject in row["subjects"]}
        row["hint"] = hint_for(row["hint"], of.pop() if len(of) == 1 and None not in of else "ORDER")
    return found


def show_exception(connection: Connection, exception_id: str) -> dict[str, Any] | None:
    found = list_exceptions(connection, exception_id=exception_id, limit=1)
    return found[0] if found else None


def list_deliveries(
    connection: Connection,
    *,
    state: str | None = None,
    destination: str | None = None,
    order_id: str | None = None,
    business_key: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """By id; `after` is the id of the last row of the page before (keyset).

    Where no state is asked for: those that are open, and of one order or business key all. The state `all` is any.
    """
    states = list(OPEN_DELIVERIES) if state is None and not (order_id or business_key) else state
    given = {
        "states": None if states == "all" else states if isinstance(states, list) else states and [states],
        "destination": destination,
        "order_id": order_id,
        "business_key": business_key,
        "after": after,
    }
    conditions = {
        "states": "state IN :states",
        "destination": "destination = :destination",
        "order_id": "order_id = :order_id",
        "business_key": "business_key = :business_key",
        "after": "id > :after",
    }
    values = {name: value for name, value in given.items() if value is not None}
    where = " AND ".join(["1 = 1", *(conditions[name] for name in values)])
    return rows(
        connection,
        f"""SELECT id, destination, capability, business_key, order_id, state, park_reason, safety, attempts,
                   external_id, error, due_at, created_at, settled_at
              FROM deliveries WHERE {where} ORDER BY id LIMIT :limit""",
        {**values, "limit": limit},
        instants=("due_at", "created_at", "settled_at"),
    )


def show_delivery(connection: Connection, delivery_id: str) -> dict[str, Any] | None:
    """One delivery with its attempts; the frozen payload is read apart, it may hold personal data."""
    found = rows(
        connection,
        """SELECT id, destination, capability, aggregate, lane, business_key, subject, order_id, state, park_reason,
                  safety, body_id, body_hash, refs, requires, due_at, give_up_at, reply_due_at, probe_after, attempts,
                  external_id, error, cause, created_at, settled_at
             FROM deliveries WHERE id = :id OR business_key = :id""",
        {"id": delivery_id},
        instants=("due_at", "give_up_at", "reply_due_at", "probe_after", "created_at", "settled_at"),
    )
    if not found:
        return None
    delivery = found[0]
    for name in ("refs", "requires"):
        delivery[name] = json.loads(delivery[name])
    delivery["history"] = rows(
        connection,
        """SELECT id, number, kind, started_at, deadline, finished_at, resolution, status, words, duration_ms, stale
             FROM attempts WHERE delivery_id = :id ORDER BY number, id""",
        {"id": delivery["id"]},
        instants=("started_at", "deadline", "finished_at"),
    )
    return delivery


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """How many of everything by state; for `hub status`, metrics and the demo's summary."""
    result: dict[str, dict[str, int]] = {}
    for name, sql in {
        "receipts": "SELECT state AS k, COUNT(*) AS n FROM receipts GROUP BY state",
        "messages": "SELECT state AS k, COUNT(*) AS n FROM messages GROUP BY state",
        "orders": "SELECT status AS k, COUNT(*) AS n FROM orders GROUP BY status",
        "deliveries": "SELECT state AS k, COUNT(*) AS n FROM deliveries GROUP BY state",
        "tasks": "SELECT state AS k, COUNT(*) AS n FROM tasks GROUP BY state",
        "exceptions": "SELECT kind AS k, COUNT(*) AS n FROM exceptions WHERE state = 'open' GROUP BY kind",
    }.items():
        result[name] = {row["k"]: row["n"] for row in rows(connection, sql)}
    return result


def paused_connections(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        "SELECT connection, paused_reason, updated_at FROM connection_states WHERE paused ORDER BY connection",
        instants=("updated_at",),
    )


READING = ("poll", "fetch")
LOOKS_AHEAD = dt.timedelta(days=1)
"""Nothing that reads waits longer."""


def waiting_reads(connection: Connection, now: dt.datetime) -> list[dict[str, Any]]:
    """What is to be read and waits: until when and why, as after an error or where the other side asked us to."""
    found = rows(
        connection,
        """SELECT due_at AS until, payload, error AS why FROM tasks
            WHERE state = 'pending' AND due_at > :now AND due_at < :end AND kind IN :kinds AND error IS NOT NULL
            ORDER BY due_at, id""",
        {"now": instant_to_database(now), "end": instant_to_database(now + LOOKS_AHEAD), "kinds": list(READING)},
        instants=("until",),
    )
    said: dict[tuple[str, str], dict[str, Any]] = {}
    for row in found:
        what = json.loads(row.pop("payload"))
        key = (str(what["connection"]), str(what["stream"]))
        said.setdefault(key, {"connection": key[0], "stream": key[1], **row})
    return [said[key] for key in sorted(said)]


def connection_states(connection: Connection) -> list[dict[str, Any]]:
    """Whether each connection is paused and what its breaker does, for those of which anything is known."""
    found = rows(connection, "SELECT connection, paused, paused_reason, breaker FROM connection_states")
    for row in found:
        row["paused"] = bool(row["paused"])
        row["breaker"] = json.loads(row["breaker"])["state"] if row["breaker"] else None
    return found


def last_slots(connection: Connection) -> dict[str, Any]:
    """By schedule, its newest slot."""
    found = rows(
        connection, "SELECT schedule, MAX(slot) AS slot FROM schedule_slots GROUP BY schedule", instants=("slot",)
    )
    return {row["schedule"]: row["slot"] for row in found}


def deliveries_by_destination(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        """SELECT destination, capability, state, COUNT(*) AS count, MIN(created_at) AS oldest FROM deliveries
            GROUP BY destination, capability, state ORDER BY destination, capability, state""",
        instants=("oldest",),
    )


def list_stock(
    connection: Connection,
    *,
    sku: str | None = None,
    location: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int = 1000,
) -> list[dict[str, Any]]:
    """By SKU and location; `after` is that pair of the last row of the page before (keyset)."""
    values: dict[str, Any] = {"limit": limit}
    conditions = ["1 = 1"]
    for name, value in (("sku", sku), ("location", location)):
        if value is not None:
            conditions.append(f"{name} = :{name}")
            values[name] = value
    if after is not None:
        conditions.append("(sku, location) > (:after_sku, :after_location)")
        values["after_sku"], values["after_location"] = after
    found = rows(
        connection,
        f"""SELECT sku, location, on_hand, soft, firm, as_of FROM stock WHERE {" AND ".join(conditions)}
             ORDER BY sku, location LIMIT :limit""",
        values,
        amounts=("on_hand", "soft", "firm"),
        instants=("as_of",),
    )
    for row in found:
        row["free"] = row["on_hand"] - row["soft"] - row["firm"]
    return found
