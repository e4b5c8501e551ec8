"""Deliveries whose requirement can no longer be acknowledged park as blocked, under the exception of what they needed.

A refusal parks what waits for it at once (settlement); this finds what was enqueued afterwards or at the same moment.
"""

from __future__ import annotations

from typing import Any

from hub.domain.decision import ExceptionRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.exceptions import raise_rows
from hub.exchange.ports import Store
from hub.exchange.resolution import NEVER
from hub.sdk.ports import Clock

BATCH = 50


def park_blocked(store: Store, clock: Clock) -> int:
    """Park up to BATCH of them; how many were found."""
    found = {delivery_id: (required, state) for delivery_id, required, state in store.blocked_deliveries(BATCH)}
    for delivery_id, (required, state) in found.items():
        with store.read() as snapshot:
            writes = _parked(snapshot, delivery_id, required, state, clock)
        # A conflict means that somebody changed it meanwhile: the next sweep looks again.
        store.apply([writes])
    return len(found)


def _parked(snapshot: Snapshot, delivery_id: str, required: str, state: str, clock: Clock) -> WriteSet:
    writes, now = WriteSet(), clock.now()
    row = snapshot.row("deliveries", {"id": delivery_id})
    if row is None or row["state"] not in ("pending", "retry"):
        return writes
    writes.update(
        "deliveries",
        {"id": delivery_id, "state": row["state"]},
        {"state": "parked", "park_reason": "blocked", "error": f"waits for {required}", "due_at": NEVER},
    )
    raise_rows(writes, snapshot, [_cause(snapshot, row, required, state)], delivery_id, now)
    return writes


def _cause(snapshot: Snapshot, row: dict[str, Any], required: str, state: str) -> ExceptionRequest:
    """The open exception of the delivery it needs, if there is one; else one of its own."""
    needed = snapshot.row("deliveries", {"business_key": required})
    standing: dict[str, Any] | None = None
    if needed is not None:
        for subject in snapshot.rows("exception_subjects", {"subject_kind": "delivery", "subject_id": needed["id"]}):
            exception = snapshot.row("exceptions", {"id": subject["exception_id"]})
            if exception is not None and exception["state"] == "open" and subject["cleared_at"] is None:
                standing = exception
    if standing is not None:
        names = ("cause_key", "kind", "connection", "title", "detail", "next_step", "hint", "owner")
        return ExceptionRequest(
            **{name: standing[name] for name in names},
            subject_kind="delivery",
            subject_id=row["id"],
            order_id=row["order_id"],
        )
    return ExceptionRequest(
        cause_key=f"blocked/{required}",
        kind="blocked",
        title=f"{row['destination']}: {row['capability']} needs a call that was {state}",
        detail=f"It may only follow {required}, which was {state}.",
        next_step="nothing is sent for it",
        hint="mark it done elsewhere with its id, or abandon it with a reason",
        subject_kind="delivery",
        subject_id=row["id"],
        order_id=row["order_id"],
        connection=row["destination"],
    )
