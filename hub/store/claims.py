"""Claiming work: a transaction of its own that counts, and takes nothing that must wait for something earlier.

Order of arrival is the column `sequence`, which the store fills, not the id. On PostgreSQL rows that another process
is claiming are skipped; on SQLite the one writer serialises claims.
"""

# ruff: noqa: S608 - statements are put together from our own tables and columns only; values are always bound

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from hub.store.transaction import LEASE_MICROSECONDS, SqlRow, Transaction, among


@dataclass(frozen=True, slots=True)
class Lease:
    """What a claim put on its rows. `until` by the clock of leases."""

    token: str
    until: int


def _lease(tx: Transaction) -> Lease:
    return Lease(secrets.token_hex(8), tx.lease_now() + LEASE_MICROSECONDS)


def _skip_locked(tx: Transaction, alias: str) -> str:
    return f" FOR UPDATE OF {alias} SKIP LOCKED" if tx.postgresql else ""


def _marks(count: int) -> str:
    return ", ".join("?" * count)


# --- receipts ---


def claim_receipts(tx: Transaction, limit: int) -> list[str]:
    """Ids of pending receipts that nobody holds, oldest first, leased and counted."""
    now = tx.lease_now()
    rows = tx.fetch(
        "SELECT r.id FROM receipts r WHERE r.state = 'pending' AND (r.lease_until IS NULL OR r.lease_until < ?)"
        f" ORDER BY r.id LIMIT ?{_skip_locked(tx, 'r')}",
        (now, limit),
    )
    ids = [row[0] for row in rows]
    if ids:
        lease = _lease(tx)
        sql, chosen = among(
            tx, "UPDATE receipts SET claims = claims + 1, lease_epoch = ?, lease_until = ? WHERE id IN ({ids})", ids
        )
        tx.execute(sql, (tx.epoch, lease.until, *chosen))
    return ids


# --- messages ---

# A change that waits or is parked holds back later changes, which build on it, and not the restate it may wait for.
_FIRST_OF_ENTITY = (
    "NOT EXISTS (SELECT 1 FROM messages e WHERE e.entity_key = m.entity_key AND e.sequence < m.sequence"
    " AND e.state IN ('stored', 'claimed', 'retry', 'waiting', 'parked')"
    " AND (e.state IN ('stored', 'claimed', 'retry') OR (e.kind = 'delta' AND m.kind = 'delta')))"
)
_OPEN_CONNECTIONS = (
    "WITH RECURSIVE c(connection) AS ("
    " SELECT min(connection) FROM messages WHERE state IN ('stored', 'retry')"
    " UNION ALL SELECT (SELECT min(m.connection) FROM messages m WHERE m.state IN ('stored', 'retry')"
    " AND m.connection > c.connection) FROM c WHERE c.connection IS NOT NULL)"
    " SELECT connection FROM c WHERE connection IS NOT NULL"
)


def claim_messages(tx: Transaction, limit: int, now: int, turn: int) -> tuple[str, list[str]]:
    """Token and ids of due messages: an equal share to every connection, what one leaves goes to the others.

    `turn` rotates who is first, for limits smaller than the number of connections.
    """
    connections = sorted(row[0] for row in tx.fetch(_OPEN_CONNECTIONS))
    if not connections:
        return "", []
    turn %= len(connections)
    connections = connections[turn:] + connections[:turn]
    chosen = fair_share([_due_messages(tx, connection, limit, now) for connection in connections], limit)
    if not chosen:
        return "", []
    lease = _lease(tx)
    sql, params = among(
        tx,
        "UPDATE messages SET state = 'claimed', claims = claims + 1, lease_epoch = ?, lease_token = ?, lease_until = ?"
        " WHERE id IN ({ids})",
        chosen,
    )
    tx.execute(sql, (tx.epoch, lease.token, lease.until, *params))
    return lease.token, chosen


def _due_messages(tx: Transaction, connection: str, limit: int, now: int) -> list[str]:
    rows = tx.fetch(
        "SELECT m.id FROM messages m WHERE m.state IN ('stored', 'retry') AND m.connection = ? AND m.due_at <= ?"
        f" AND {_FIRST_OF_ENTITY} ORDER BY m.due_at, m.sequence LIMIT ?{_skip_locked(tx, 'm')}",
        (connection, now, limit),
    )
    return [row[0] for row in rows]


def fair_share(queues: Sequence[Sequence[str]], limit: int) -> list[str]:
    """One from each queue in turn until `limit` are taken."""
    rounds = itertools.zip_longest(*queues)
    return list(itertools.islice((item for turn in rounds for item in turn if item is not None), limit))


# --- tasks ---


def claim_tasks(
    tx: Transaction, limit: int, kinds: Sequence[str] | None, but: Sequence[str], now: int
) -> tuple[str, list[str]]:
    if kinds is not None and not kinds:
        return "", []
    only = f" AND t.kind IN ({_marks(len(kinds))})" if kinds is not None else ""
    only += f" AND t.kind NOT IN ({_marks(len(but))})" if but else ""
    rows = tx.fetch(
        f"SELECT t.id FROM tasks t WHERE t.state = 'pending' AND t.due_at <= ?{only}"
        f" ORDER BY t.due_at, t.id LIMIT ?{_skip_locked(tx, 't')}",
        (now, *(kinds or ()), *but, limit),
    )
    ids = [row[0] for row in rows]
    if not ids:
        return "", []
    lease = _lease(tx)
    sql, params = among(
        tx,
        "UPDATE tasks SET state = 'claimed', claims = claims + 1, lease_epoch = ?, lease_token = ?, lease_until = ?"
        " WHERE id IN ({ids})",
        ids,
    )
    tx.execute(sql, (tx.epoch, lease.token, lease.until, *params))
    return lease.token, ids


# --- deliveries ---

_DUE = (
    "((d.state IN ('pending', 'retry') AND d.due_at <= ?)"
    " OR (d.state = 'unknown' AND COALESCE(d.probe_after, d.due_at) <= ?"
    " AND (d.safety <> 'none' OR d.probe_after IS NOT NULL)))"
)
_FIRST_OF_LANE = (
    "NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.settled_at IS NULL AND e.destination = d.destination"
    " AND e.aggregate = d.aggregate AND e.lane = d.lane AND e.sequence < d.sequence)"
)
_NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM connection_states s WHERE s.connection = d.destination AND s.paused)"


def _requirements_met(tx: Transaction) -> str:
    each = (
        "json_array_elements_text(CAST(d.requires AS json)) AS r(value)" if tx.postgresql else "json_each(d.requires) r"
    )
    return (
        f"(d.requires = '[]' OR NOT EXISTS (SELECT 1 FROM {each} LEFT JOIN deliveries x ON x.business_key = r.value"
        " WHERE x.state IS NULL OR x.state <> 'acknowledged'))"
    )


def _claimable(tx: Transaction) -> str:
    return (
        f"d.state IN ('pending', 'retry', 'unknown') AND {_DUE} AND {_NOT_PAUSED} AND {_FIRST_OF_LANE}"
        f" AND {_requirements_met(tx)}"
    )


def claim_deliveries(tx: Transaction, destination: str, limit: int, now: int) -> tuple[Lease, list[SqlRow]]:
    """(id, state it was claimed from) of due deliveries; each the first unsettled of its lane."""
    rows = tx.fetch(
        f"SELECT d.id, d.state FROM deliveries d WHERE d.destination = ? AND {_claimable(tx)}"
        f" ORDER BY d.due_at, d.sequence LIMIT ?{_skip_locked(tx, 'd')}",
        (destination, now, now, limit),
    )
    lease = _lease(tx)
    if rows:
        sql, params = among(
            tx,
            "UPDATE deliveries SET state = CASE WHEN state = 'unknown' THEN 'probing' ELSE 'in_flight' END,"
            " claims = claims + 1, lease_epoch = ?, lease_token = ?, lease_until = ? WHERE id IN ({ids})",
            [row[0] for row in rows],
        )
        tx.execute(sql, (tx.epoch, lease.token, lease.until, *params))
    return lease, rows


_OPEN_DESTINATIONS = (
    "WITH RECURSIVE c(destination) AS ("
    " SELECT min(destination) FROM deliveries WHERE state IN ('pending', 'retry', 'unknown')"
    " UNION ALL SELECT (SELECT min(o.destination) FROM deliveries o WHERE o.state IN ('pending', 'retry', 'unknown')"
    " AND o.destination > c.destination) FROM c WHERE c.destination IS NOT NULL)"
    " SELECT destination FROM c WHERE destination IS NOT NULL"
)


def destinations_due(tx: Transaction, now: int) -> list[str]:
    """Destinations of which a claim would take something now."""
    sql = f"SELECT 1 FROM deliveries d WHERE d.destination = ? AND {_claimable(tx)} LIMIT 1"
    found = sorted(row[0] for row in tx.fetch(_OPEN_DESTINATIONS))
    return [destination for destination in found if tx.fetch(sql, (destination, now, now))]


def blocked_deliveries(tx: Transaction, limit: int) -> list[tuple[str, str, str]]:
    """(delivery, requirement, its state) of waiting deliveries whose requirement can no longer be acknowledged."""
    each = (
        "json_array_elements_text(CAST(d.requires AS json)) AS r(value)"
        if tx.postgresql
        else "json_each(d.requires) AS r"
    )
    rows = tx.fetch(
        f"SELECT d.id, x.business_key, x.state FROM deliveries d, {each}, deliveries x"
        " WHERE d.state IN ('pending', 'retry') AND d.requires <> '[]' AND x.business_key = r.value"
        " AND x.state IN ('refused', 'abandoned', 'withdrawn', 'coalesced', 'suppressed')"
        " ORDER BY d.sequence, x.business_key LIMIT ?",
        (limit,),
    )
    return [(row[0], row[1], row[2]) for row in rows]
