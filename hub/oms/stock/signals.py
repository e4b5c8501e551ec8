"""Low stock and too much of it: one event a crossing of a location's thresholds, not one a change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, EventRequest, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.promise import AtLocation
from hub.domain.snapshot import Snapshot
from hub.oms.ports import LocationRule, Rules
from hub.oms.promise.promise import at_location

NORMAL, LOW, HIGH = "normal", "low", "high"
_FACTS = {LOW: Fact.STOCK_LOW, HIGH: Fact.STOCK_HIGH}


def handle_watch_stock(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `watch_stock`: subject is a SKU whose stock has changed."""

    def watch_stock(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        sku = task.subject
        decision = Decision(Verdict.APPLIED, subject=sku)
        before = {row["location"]: row for row in snapshot.rows("stock_signals", {"sku": sku})}
        for row in snapshot.rows("stock", {"sku": sku}, order_by=("location",)):
            rule = rules.locations.get(row["location"])
            if rule is None or (rule.low(sku) is None and rule.high(sku) is None):
                continue
            here = at_location(row, rule, now)
            level, units, threshold = _level(rule, sku, here)
            known = before.get(rule.id)
            if level == (known["level"] if known is not None else NORMAL):
                continue
            if known is None:
                signal = {"sku": sku, "location": rule.id, "level": level, "updated_at": now}
                decision.writes.insert("stock_signals", signal, claim=True)
            else:
                where = {"sku": sku, "location": rule.id, "level": known["level"]}
                decision.writes.update("stock_signals", where, {"level": level, "updated_at": now})
            if level in _FACTS:
                data = {"sku": sku, "location": rule.id, "units": units, "threshold": threshold}
                key = f"{level}/{sku}/{rule.id}/{task.id}"
                decision.events.append(EventRequest(_FACTS[level].value, sku, key, None, data))
        return decision

    return watch_stock


def _level(rule: LocationRule, sku: str, here: AtLocation) -> tuple[str, str, str]:
    """The level, what it was measured by, and the threshold: free for sale against low, on hand against high."""
    free = max(Decimal(0), here.on_hand - here.firm - here.soft - here.safety)
    low, high = rule.low(sku), rule.high(sku)
    if low is not None and free < low:
        return LOW, decimal_text(free), decimal_text(low)
    if high is not None and here.on_hand > high:
        return HIGH, decimal_text(here.on_hand), decimal_text(high)
    return NORMAL, "", ""
