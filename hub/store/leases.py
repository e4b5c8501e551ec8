"""What happens to claimed work: attempts are announced under their fencing token, leases renewed, orphans given back.

A token protects our rows, not the target: a late result changes nothing here, and what the target did is found out by
the delivery's safety mode.
"""

# ruff: noqa: S608 - statements are put together from our own tables and columns only; values are always bound

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.exchange.ports import NewAttempt
from hub.store.shapes import Params
from hub.store.transaction import LEASE_MICROSECONDS, Transaction

DEDUPLICATING = ("idempotency_key", "unique_reference")
"""Safety modes whose target answers a repeated call with the first one's effect."""

PreparedAttempt = tuple[str, str, int, str, str, int, int, int]
"""id, delivery id, number, kind, token, started at, deadline, microseconds until the deadline."""


def prepare_attempt(attempt: NewAttempt, started_at: int, deadline: int) -> PreparedAttempt:
    attempt_id = f"{attempt.delivery_id}/{attempt.number}"
    return (
        attempt_id,
        attempt.delivery_id,
        attempt.number,
        attempt.kind,
        attempt.token,
        started_at,
        deadline,
        deadline - started_at,
    )


def start_attempts(tx: Transaction, attempts: Sequence[PreparedAttempt]) -> list[bool]:
    """Write `started` rows. False: the token is stale, the attempt stands already, or the lease ends too early."""
    now = tx.lease_now()
    holds = [_hold_params(attempt, now) for attempt in attempts]
    starts = [attempt[:-1] for attempt in attempts]
    # Nearly always all of them hold: then two statements do for the group, and else it is told apart one by one.
    _, held_all, begun_all = tx.steps([("SAVEPOINT together", [()]), (_HOLD, holds), (_START, starts)])
    if held_all == begun_all == len(attempts):
        if not tx.postgresql:  # there it goes with the commit, which is a round trip less
            tx.execute("RELEASE SAVEPOINT together")
        return [True] * len(attempts)
    tx.execute("ROLLBACK TO SAVEPOINT together")
    tx.execute("RELEASE SAVEPOINT together")
    held = tx.steps([(_HOLD, [params]) for params in holds])
    begun = [attempt for attempt, count in zip(attempts, held, strict=True) if count]
    added = iter(tx.steps([(_START, [attempt[:-1]]) for attempt in begun]))
    return [count > 0 and next(added) == 1 for count in held]


_HOLD = (
    "UPDATE deliveries SET attempts = CASE WHEN attempts < ? THEN ? ELSE attempts END"
    " WHERE id = ? AND lease_token = ? AND lease_until >= ? AND state IN ('in_flight', 'probing')"
)
_START = (
    "INSERT INTO attempts (id, delivery_id, number, kind, token, started_at, deadline)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def _hold_params(attempt: PreparedAttempt, now: int) -> Params:
    _, delivery_id, number, _, token, _, _, length = attempt
    return number, number, delivery_id, token, now + length


def renew(tx: Transaction, deliveries: Sequence[tuple[str, str]]) -> None:
    now = tx.lease_now()
    until = now + LEASE_MICROSECONDS
    sql = "UPDATE deliveries SET lease_until = ? WHERE id = ? AND lease_token = ? AND lease_until >= ?"
    tx.steps([(sql, [(until, delivery_id, token, now) for delivery_id, token in sorted(deliveries)])])


_HELD = "state IN ('in_flight', 'probing')"
_FREED = "lease_epoch = NULL, lease_token = NULL, lease_until = NULL"
_OPEN_ATTEMPT = "EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = deliveries.id AND a.resolution IS NULL)"
_PROBE_AFTER = (
    "COALESCE((SELECT max(a.deadline) FROM attempts a WHERE a.delivery_id = deliveries.id AND a.resolution IS NULL), ?)"
)


def recover(tx: Transaction, ended: Sequence[int] | None, now: int) -> Mapping[str, int]:
    """Give back what ended runs and expired leases held.

    `ended`: epochs known to have ended; None: every epoch but ours (SQLite, where one process owns the database).
    A delivery with an open attempt becomes `unknown`, to be probed when the call's deadline and the lease are over,
    or `retry` where the target deduplicates; one that was being probed is `unknown` again.
    """
    orphan, params = _orphans(tx, ended)
    counts = {
        "receipts": tx.execute(
            "UPDATE receipts SET lease_epoch = NULL, lease_until = NULL"
            f" WHERE state = 'pending' AND lease_until IS NOT NULL AND {orphan}",
            params,
        ),
        "messages": tx.execute(
            f"UPDATE messages SET state = 'stored', {_FREED} WHERE state = 'claimed' AND {orphan}", params
        ),
        "tasks": tx.execute(
            f"UPDATE tasks SET state = 'pending', {_FREED} WHERE state = 'claimed' AND {orphan}", params
        ),
        "deliveries_retry": tx.execute(
            f"UPDATE deliveries SET state = 'retry', {_FREED} WHERE {_HELD} AND state = 'in_flight' AND {orphan}"
            f" AND safety IN (?, ?) AND {_OPEN_ATTEMPT}",
            (*params, *DEDUPLICATING),
        ),
        "deliveries_unknown": tx.execute(
            f"UPDATE deliveries SET state = 'unknown', probe_after = {_PROBE_AFTER}, {_FREED}"
            f" WHERE {_HELD} AND (state = 'probing' OR {_OPEN_ATTEMPT}) AND {orphan}",
            (now, *params),
        ),
        "deliveries_pending": tx.execute(
            f"UPDATE deliveries SET state = 'pending', {_FREED} WHERE {_HELD} AND {orphan}", params
        ),
    }
    return {kind: count for kind, count in counts.items() if count}


def _orphans(tx: Transaction, ended: Sequence[int] | None) -> tuple[str, tuple[int, ...]]:
    now = tx.lease_now()
    if ended is None:
        return "(lease_epoch <> ? OR lease_until < ?)", (tx.epoch, now)
    if not ended:
        return "lease_until < ?", (now,)
    return f"(lease_until < ? OR lease_epoch IN ({', '.join('?' * len(ended))}))", (now, *ended)
