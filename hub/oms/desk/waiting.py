"""The queue of a SKU: demand that no location holds, in the declared order, and what is due to those before others.

Goods that come, or come back, are there for whoever is first: an order behind them sees less, by what they are due,
from the commit on that brought the goods. Whoever cannot use what there is gives way with a reason, until more comes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.backorder import Turn
from hub.domain.decision import Decision, TaskRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Update
from hub.oms.desk.load import Case
from hub.oms.promise.place import place_of
from hub.oms.stock.reserve import UNASSIGNED

ZERO = Decimal(0)
CHUNK = 500
PAGE = 10_000
WINDOW = 20
"""Orders that look at once when goods come; each that takes or leaves them has the next one look."""
Row = Mapping[str, Any]


def wake_waiting(decision: Decision, snapshot: Snapshot, skus: Sequence[str], now: dt.datetime, cause: str) -> None:
    """Goods of these SKUs come with this decision: everybody who gave way before is due again, and the first look."""
    queues = _queues(snapshot, skus)
    for sku in sorted(queues):
        if any(row["turn"] == Turn.PASSED for row in queues[sku]):
            where = {**UNASSIGNED, "sku": sku, "turn": Turn.PASSED.value}
            values = {"turn": Turn.WAITS.value, "why": "", "updated_at": now}
            decision.writes.operations.append(Update("reservations", where, values, expect=None))
    for sku in sorted(queues):
        eligible = [row for row in queues[sku] if row["turn"] != Turn.HELD]  # what is held looks once it is released
        decision.tasks += _looks(eligible, WINDOW, now, cause)


def leave_to_earlier(
    case: Case, stock: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of stock without what is due to orders before this one, taken from the least preferred locations first."""
    left = dict(stock)
    for sku in sorted({sku for sku, _ in stock}):
        free = [key for key in stock if key[0] == sku and free_of(case, stock[key]) > 0]
        due = due_before(case, sku) if free else ZERO
        for key in sorted(free, key=lambda key: (-_priority(case, key[1]), key[1])):
            cut = min(due, free_of(case, stock[key]))
            if cut > 0:
                left[key] = {**stock[key], "on_hand": stock[key]["on_hand"] - cut}
                due -= cut
    return left


def due_before(case: Case, sku: str) -> Decimal:
    """What orders before this one in the queue of a SKU are due, if it is there."""
    if sku not in case.due_to_others:
        mine = place_of(case)
        others = [row for row in _queues(case.snapshot, [sku]).get(sku, ()) if row["order_id"] != case.order.id]
        if others:
            ahead = (row["quantity"] for row in others if row["turn"] == Turn.WAITS and row["place"] < mine)
            case.due_to_others[sku] = sum(ahead, ZERO)
    return case.due_to_others.get(sku, ZERO)


def waiting_ahead(case: Case, sku: str) -> int:
    """How many stand before this order in the queue of a SKU, whatever became of their turn."""
    mine = place_of(case)
    queue = _queues(case.snapshot, [sku]).get(sku, ())
    return sum(1 for row in queue if row["place"] < mine and row["order_id"] != case.order.id)


def free_of(case: Case, row: Row) -> Decimal:
    """What could be reserved of a row of stock."""
    rule = case.location(row["location"])
    safety = rule.safety(row["sku"]) if rule is not None else ZERO
    free: Decimal = row["on_hand"] - row["soft"] - row["firm"] - safety
    return max(ZERO, free)


def next_in_queue(case: Case) -> list[TaskRequest]:
    """Who looks next, where this order no longer stands before others: it has taken its goods, left them or gone."""
    before = case.loaded.get("reservations", {})
    still = {r.id: r for r in case.touched_reservations}
    tasks: list[TaskRequest] = []
    for row_id, row in sorted(before.items()):
        if row["turn"] != Turn.WAITS or row["state"] != "unassigned":
            continue
        now = still[row_id]
        if now.state.value == "unassigned" and now.turn == Turn.WAITS and now.quantity >= row["quantity"]:
            continue
        if any(units > 0 for units in free_after(case, row["sku"]).values()):
            # Who gave way already has looked at what there is; the next who has not may be further behind.
            queue = _queues(case.snapshot, [row["sku"]]).get(row["sku"], [])
            behind = [one for one in queue if one["turn"] == Turn.WAITS and one["place"] > row["place"]]
            tasks += _looks([one for one in behind if one["order_id"] != case.order.id], 1, case.now, case.cause)
    return tasks


def free_after(case: Case, sku: str) -> dict[str, Decimal]:
    """Location -> what could be reserved there once this decision is committed."""
    left = {}
    for row in case.snapshot.rows("stock", {"sku": sku}, order_by=("location",)):
        changes = [one for one in case.stock if one.sku == sku and one.location == row["location"]]
        after = {
            name: row[name] + sum((getattr(one, name) for one in changes), ZERO) for name in ("on_hand", "soft", "firm")
        }
        if case.location(row["location"]) is not None:
            left[row["location"]] = free_of(case, {**row, **after})
    return left


def _looks(rows: Sequence[Row], most: int, now: dt.datetime, cause: str) -> list[TaskRequest]:
    """A task for each of the first orders of a queue."""
    first = list(dict.fromkeys(row["order_id"] for row in rows))[:most]
    return [TaskRequest("allocate", order_id, now, f"allocate/{order_id}/{cause}") for order_id in first]


def _queues(snapshot: Snapshot, skus: Sequence[str]) -> dict[str, list[Row]]:
    """SKU -> its queue, first place first."""
    found: dict[str, list[Row]] = {}
    for start in range(0, len(skus), CHUNK):
        for row in _some(snapshot, tuple(skus[start : start + CHUNK])):
            found.setdefault(row["sku"], []).append(row)
    return found


def _some(snapshot: Snapshot, skus: tuple[str, ...]) -> list[Row]:
    """The queues of some SKUs; of one SKU the first of a very long one, but never none of it."""
    rows: list[Row] = list(
        snapshot.rows("reservations", {**UNASSIGNED, "sku": skus}, order_by=("place", "id"), limit=PAGE)
    )
    if len(rows) < PAGE or len(skus) == 1:
        return rows
    half = len(skus) // 2
    return _some(snapshot, skus[:half]) + _some(snapshot, skus[half:])


def _priority(case: Case, location: str) -> int:
    rule = case.location(location)
    return rule.priority if rule is not None else 1_000_000
