"""The queue of a SKU: demand that no location holds, in the declared order, and what is due to those before others.

Goods that come, or come back, are there for whoever is first: an order behind them sees less, by what they are due,
from the commit on that brought the goods. Whoever cannot use what there is gives way with a reason, until more comes.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
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


class _Queue:
    """The queue of one SKU as one snapshot has it, sorted once for all the orders that are decided on it: each asks by
    bisection, or a long queue would be gone through for everyone who stands in it."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = sorted(rows, key=lambda row: (row["place"], row["id"]))
        self._places: list[str] = [row["place"] for row in self._rows]
        self._of: dict[str, list[Row]] = {}
        self._due = [ZERO]
        """Units that are due to the first so many."""
        for row in self._rows:
            self._of.setdefault(row["order_id"], []).append(row)
            self._due.append(self._due[-1] + _due(row))

    def others_than(self, order: str) -> bool:
        return len(self._of) > (order in self._of)

    def ahead_of(self, place: str, order: str) -> int:
        """Rows of other orders before a place."""
        return bisect_left(self._places, place) - len(self._own(place, order))

    def due_before(self, place: str, order: str) -> Decimal:
        """Units that other orders before a place are due."""
        own = sum((_due(row) for row in self._own(place, order)), ZERO)
        return self._due[bisect_left(self._places, place)] - own

    def next_behind(self, place: str, order: str) -> list[Row]:
        """Who looks next, of those after a place who have not given way: the first, and whoever then completes a window
        of those who look at once. In the middle of a release the first has been asked already, and without the other
        the window would close to one order at a time."""
        behind: dict[str, Row] = {}
        for row in islice(self._rows, bisect_right(self._places, place), None):
            if row["turn"] == Turn.WAITS and row["order_id"] != order:
                behind.setdefault(row["order_id"], row)
                if len(behind) == WINDOW:
                    break
        found = list(behind.values())
        return [*found[:1], *found[WINDOW - 1 :]]

    def _own(self, place: str, order: str) -> list[Row]:
        return [row for row in self._of.get(order, ()) if row["place"] < place]


def _due(row: Row) -> Decimal:
    units: Decimal = row["quantity"] if row["turn"] == Turn.WAITS else ZERO
    return units


def _queue(snapshot: Snapshot, sku: str) -> _Queue:
    return snapshot.once(("queue", sku), lambda: _Queue(_queues(snapshot, [sku]).get(sku, ())))


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
        queue = _queue(case.snapshot, sku)
        if queue.others_than(case.order.id):
            case.due_to_others[sku] = queue.due_before(place_of(case), case.order.id)
    return case.due_to_others.get(sku, ZERO)


def waiting_ahead(case: Case, sku: str) -> int:
    """How many stand before this order in the queue of a SKU, whatever became of their turn."""
    return _queue(case.snapshot, sku).ahead_of(place_of(case), case.order.id)


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
            behind = _queue(case.snapshot, row["sku"]).next_behind(row["place"], case.order.id)
            tasks += _looks(behind, len(behind), case.now, case.cause)
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
