"""Movements of stock that a location or its till tells of: goods received, sold over the counter, written off.

A movement changes on hand only if no count holds it already; it is journalled either way, so that counts and movements
give one balance in whatever order they arrive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, EventRequest, ExceptionRequest, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.snapshot import Snapshot
from hub.domain.stock import Mark, Order, later, not_yet, relation
from hub.domain.writeset import StockChange
from hub.oms.desk.save import push_tasks
from hub.oms.desk.times import instant
from hub.oms.desk.waiting import wake_waiting
from hub.oms.ports import LocationRule, Rules
from hub.oms.promise.supply import location_called
from hub.oms.stock.stock import complete_mark, counted_at, unclear_key

ZERO = Decimal(0)
ON_HAND = "on_hand"
BESIDE = ("quarantine", "damaged")
"""Buckets beside on hand that a location may tell of; what is in transit follows from transfers."""


def handle_movement(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `stock_movements`."""

    def apply_movement(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        rule = location_called(rules, incoming.connection, str(record["location"]))
        if rule is None:
            message = f"no location is called {record['location']} at {incoming.connection}"
            return Decision(Verdict.PARKED, code="unknown_location", error_field="location", message=message)
        at = instant(str(record["occurred_at"]))
        if at is not None and not_yet(at, incoming.received_at):
            message = f"it happened at {record['occurred_at']}, long after it came: the sender's clock or zone is wrong"
            return Decision(Verdict.PARKED, subject=rule.id, code="not_yet", error_field="occurred_at", message=message)
        why_not = _not_counted(rule, incoming)
        if why_not:
            return Decision(Verdict.IGNORED, subject=rule.id, code="drift", message=why_not)
        return _apply(incoming, snapshot, rules, rule, now)

    return apply_movement


def _not_counted(rule: LocationRule, incoming: Incoming) -> str:
    """Why a movement is an observation only."""
    record = incoming.record
    if record.get("kind") == "shipment":
        return "its shipment notice takes the goods from stock"
    if record.get("bucket", ON_HAND) not in (ON_HAND, *BESIDE):
        return f"what is {record['bucket']} follows from transfers"
    if rule.stock_authority not in (None, incoming.connection) and incoming.connection not in rule.movements_from:
        return f"{rule.stock_authority} is the authority for {rule.id}, which takes no movements from others"
    return ""


def _apply(incoming: Incoming, snapshot: Snapshot, rules: Rules, rule: LocationRule, now: dt.datetime) -> Decision:
    record = incoming.record
    sku, stated = str(record["sku"]), Decimal(str(record["quantity"]))
    bucket = str(record.get("bucket", ON_HAND))
    at = instant(str(record["occurred_at"])) or incoming.received_at
    mark = Mark(at, record.get("sequence"))
    decision = Decision(subject=sku)
    row = snapshot.row("stock", {"sku": sku, "location": rule.id})
    effect = stated
    if bucket == ON_HAND:
        when = relation(mark, later(counted_at(row), complete_mark(snapshot, rule.id)), rule.clock_skew)
        effect = stated if when is Order.AFTER else ZERO
        if when is Order.UNCLEAR:
            _unclear(decision, incoming, rule, sku)
    else:
        effect = max(stated, -row[bucket] if row is not None else ZERO)
        if effect != stated:
            _more_than_there(decision, incoming, rule, sku, bucket, stated)
    if effect:
        if row is not None:
            # A count that is applied meanwhile may hold this movement already: then it is decided anew.
            where: dict[str, Any] = {"sku": sku, "location": rule.id, "as_of": row["as_of"]}
            if bucket != ON_HAND:
                where[bucket] = row[bucket]
            decision.writes.update("stock", where, {"updated_at": now})
        decision.writes.stock(_change(sku, rule.id, bucket, effect))
    decision.writes.insert("stock_events", _event(incoming, rule, bucket, effect, stated, mark, now))
    if effect and bucket == ON_HAND:
        decision.tasks += push_tasks(rules, now, [sku])
        if effect > 0:
            wake_waiting(decision, snapshot, [sku], now, incoming.id)
    data = {"sku": sku, "location": rule.id, "quantity": decimal_text(stated), "kind": str(record.get("kind", ""))}
    decision.events.append(EventRequest(Fact.STOCK_MOVED.value, sku, f"moved/{incoming.id}", None, data))
    return decision


def _change(sku: str, location: str, bucket: str, units: Decimal) -> StockChange:
    match bucket:
        case "quarantine":
            return StockChange(sku, location, quarantine=units)
        case "damaged":
            return StockChange(sku, location, damaged=units)
        case _:
            return StockChange(sku, location, on_hand=units)


def _event(
    incoming: Incoming,
    rule: LocationRule,
    bucket: str,
    effect: Decimal,
    stated: Decimal,
    mark: Mark,
    now: dt.datetime,
) -> dict[str, Any]:
    record = incoming.record
    return {
        "id": derived_id("se", incoming.id, str(record["sku"]), rule.id),
        "sku": str(record["sku"]),
        "location": rule.id,
        "bucket": bucket,
        "kind": "movement",
        "delta": effect,
        "absolute": None,
        "stated": stated,
        "source_sequence": mark.sequence,
        "source": incoming.connection,
        "source_time": mark.at,
        "reason": str(record.get("reason") or record.get("kind") or "moved"),
        "cause": incoming.id,
        "sequence": f"{now.isoformat()}/{incoming.id}",
    }


def _unclear(decision: Decision, incoming: Incoming, rule: LocationRule, sku: str) -> None:
    decision.exceptions.append(
        ExceptionRequest(
            unclear_key(rule),
            "stock_unclear",
            f"{rule.id}: a count and a movement came too close to tell which was first",
            f"{sku}: within {rule.clock_skew.total_seconds():g} s, the location's clock skew.",
            "The movement was kept and not applied; the next count settles it.",
            "hub inventory list",
            "stock",
            f"{sku}@{rule.id}",
            connection=incoming.connection,
        )
    )


def _more_than_there(
    decision: Decision, incoming: Incoming, rule: LocationRule, sku: str, bucket: str, stated: Decimal
) -> None:
    decision.exceptions.append(
        ExceptionRequest(
            f"stock-bucket/{rule.id}/{bucket}",
            "stock_bucket",
            f"{rule.id} takes more out of {bucket} than is there",
            f"{sku}: {decimal_text(-stated)} left it. What was there counts as gone.",
            "Correct what is known of it, or ask the location.",
            f"hub inventory show {sku}",
            "stock",
            f"{sku}@{rule.id}",
            connection=incoming.connection,
        )
    )
