"""Who waits for goods: orders whose demand no location holds get another chance when goods come or come back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hub.domain.decision import TaskRequest
from hub.domain.snapshot import Snapshot
from hub.oms.reserve import UNASSIGNED

CHUNK = 500


def waiting_orders(snapshot: Snapshot, skus: Sequence[str], now: dt.datetime, cause: str) -> list[TaskRequest]:
    """A task for each order with demand of these SKUs that no location holds; the order that waited longest first."""
    found: dict[str, dt.datetime] = {}
    for start in range(0, len(skus), CHUNK):
        where = {**UNASSIGNED, "sku": tuple(skus[start : start + CHUNK])}
        for row in snapshot.rows("reservations", where, order_by=("created_at",)):
            found.setdefault(row["order_id"], row["created_at"])
    oldest_first = sorted(found, key=lambda order_id: (found[order_id], order_id))
    return [TaskRequest("allocate", order_id, now, f"allocate/{order_id}/{cause}") for order_id in oldest_first]
