"""Stock counts: a snapshot replaces what was on hand as of its time, and movements after it stay on top.

A feed that is empty, shorter than it says, or complete with far less than there was is a broken feed, not an empty
warehouse: it is refused as a whole. One location has one authority; counts of others are kept as drift observations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, EventRequest, ExceptionClear, ExceptionRequest, Incoming, TaskRequest, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import WorkState
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.reservation import ReservationState
from hub.domain.snapshot import Snapshot
from hub.domain.stock import Mark, Means, Order, later, not_yet, on_hand_from_snapshot, relation
from hub.domain.writeset import StockChange
from hub.oms.desk.save import push_tasks
from hub.oms.desk.times import instant
from hub.oms.desk.waiting import wake_waiting
from hub.oms.ports import LocationRule, Rules
from hub.oms.promise.supply import location_called

ZERO = Decimal(0)
CHUNK = 500
PAGE = 10_000
USUAL_SHRINK = Decimal("0.5")
MANY_SKUS = 20
"""So many SKUs in stock are never gone by half between two counts: what is sold and moved is known already."""
MOST = 1_000_000
"""SKUs of a location: those that a complete count does not list have none, however many they are."""
A_MOMENT = dt.timedelta(seconds=1)
MOVES = ("shipment", "movement", "adjustment", "return")
"""Kinds of entries in the journal of stock that are no counts."""
EXCLUDED_BY_MEANS: dict[str, tuple[str, ...]] = {
    Means.ON_HAND: (),
    Means.NET_OF_ACKNOWLEDGED: (WorkState.ACKNOWLEDGED, WorkState.IN_PROGRESS, WorkState.PACKED, WorkState.READY),
    Means.NET_OF_PICKED: (WorkState.IN_PROGRESS, WorkState.PACKED, WorkState.READY),
}
"""States of work whose reservations a snapshot of that meaning already excludes."""


def handle_stock(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `stock`."""

    def apply_snapshot(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        rule = location_called(rules, incoming.connection, str(record["location"]))
        if rule is None:
            message = f"no location is called {record['location']} at {incoming.connection}"
            return Decision(Verdict.PARKED, code="unknown_location", error_field="location", message=message)
        rows = _on_hand_rows(record)
        broken = _broken(record) or _not_yet(incoming) or _shrunken(snapshot, rule, record, rows)
        if broken is not None:
            return _refuse(incoming, rule, broken)
        if rule.stock_authority not in (None, incoming.connection):
            return Decision(
                Verdict.IGNORED,
                subject=rule.id,
                code="drift",
                message=f"{rule.stock_authority} is the authority for {rule.id}; this count is an observation only",
            )
        return _apply(incoming, snapshot, rules, rule, rows, now)

    return apply_snapshot


def _broken(record: dict[str, Any]) -> str | None:
    rows = record["rows"]
    if not rows:
        return "the feed has no rows"
    if "row_count" in record and record["row_count"] != len(rows):
        return f"the feed says {record['row_count']} rows and has {len(rows)}"
    return None


def _not_yet(incoming: Incoming) -> str | None:
    said = incoming.record.get("as_of")
    at = instant(said)
    if at is None or not not_yet(at, incoming.received_at):
        return None
    return f"the feed is as of {said}, long after it came: the sender's clock or zone is wrong"


def _shrunken(snapshot: Snapshot, rule: LocationRule, record: dict[str, Any], rows: dict[str, Decimal]) -> str | None:
    """A complete count of far less than what is known was cut off, whatever it says of itself."""
    if not record.get("complete") or rule.shrink_limit == 1:
        return None
    there = [row["on_hand"] for row in snapshot.rows("stock", {"location": rule.id}, limit=MOST) if row["on_hand"] > 0]
    limit = rule.shrink_limit
    if limit is None:
        limit = USUAL_SHRINK if len(there) >= MANY_SKUS else Decimal(1)
    known = sum(there, ZERO)
    counted = sum((max(units, ZERO) for units in rows.values()), ZERO)
    if counted >= known * (1 - limit):
        return None
    allowed = f"by more than {decimal_text(limit)} of it"
    return (
        f"the feed counts {decimal_text(counted)} units where {decimal_text(known)} are known: it shrinks {allowed}; "
        f"where that is true, raise shrink_limit of {rule.id} and retry this exception"
    )


def _refuse(incoming: Incoming, rule: LocationRule, why: str) -> Decision:
    decision = Decision(Verdict.PARKED, subject=rule.id, code="stock_feed_refused", error_field="rows", message=why)
    decision.hint = "the last good count stays in force; the next one supersedes this"
    decision.exceptions.append(
        ExceptionRequest(
            f"stock-feed/{incoming.connection}/{rule.id}",
            "stock_feed",
            f"A stock feed of {rule.id} was refused",
            why,
            "Ask the sender for a right and complete feed; nothing was changed.",
            "hub inventory list",
            "message",
            incoming.id,
            connection=incoming.connection,
        )
    )
    return decision


def _on_hand_rows(record: dict[str, Any]) -> dict[str, Decimal]:
    """SKU -> units on hand. A SKU that stands in several rows (bins) is their sum."""
    rows: dict[str, Decimal] = {}
    for row in record["rows"]:
        if row.get("bucket", "on_hand") == "on_hand":
            sku = str(row["sku"])
            rows[sku] = rows.get(sku, ZERO) + Decimal(str(row["quantity"]))
    return rows


def _apply(
    incoming: Incoming,
    snapshot: Snapshot,
    rules: Rules,
    rule: LocationRule,
    rows: dict[str, Decimal],
    now: dt.datetime,
) -> Decision:
    record = incoming.record
    mark = Mark(instant(record.get("as_of")) or incoming.received_at, record.get("sequence"))
    decision = Decision(subject=rule.id)
    outside = _held_outside(snapshot, rule)
    changed: list[str] = []
    late = 0
    listed, marks = dict(rows), False
    whole = complete_mark(snapshot, rule.id)
    if record.get("complete"):
        for held in snapshot.rows("stock", {"location": rule.id}, limit=MOST):
            listed.setdefault(held["sku"], ZERO)
        marks = _remember(decision, rule, mark, whole, now)
    skus = sorted(listed)
    for start in range(0, len(skus), CHUNK):
        chunk = tuple(skus[start : start + CHUNK])
        known = {row["sku"]: row for row in snapshot.rows("stock", {"sku": chunk, "location": rule.id})}
        since, unclear = _moved_since(snapshot, rule, chunk, mark)
        for sku in chunk:
            row = known.get(sku)
            before = later(counted_at(row), whole)
            if relation(mark, before) is not Order.AFTER:
                late += 1
                continue
            if sku in unclear:
                _unclear(decision, incoming, rule, sku)
                continue
            if rule.clock_skew:
                decision.clears.append(ExceptionClear(unclear_key(rule), "stock", f"{sku}@{rule.id}", "counted"))
            target = on_hand_from_snapshot(max(listed[sku], ZERO), outside.get(sku, ZERO)) + since.get(sku, ZERO)
            delta = target - (row["on_hand"] if row else ZERO)
            if listed[sku] < 0:
                _negative(decision, incoming, rule, sku, listed[sku])
            values = {"as_of": mark.at, "sequence": mark.sequence, "updated_at": now}
            if row is None:
                decision.writes.insert(
                    "stock", {"sku": sku, "location": rule.id, "on_hand": target, **values}, claim=True
                )
            else:
                # Never two counts at once, nor a shipment between: it may be inside this count or come on top of it.
                where = {"sku": sku, "location": rule.id, "as_of": row["as_of"], "on_hand": row["on_hand"]}
                decision.writes.update("stock", where, values)
                decision.writes.stock(StockChange(sku, rule.id, on_hand=delta))
            if sku in rows or delta:  # else none were known and none were listed
                decision.writes.insert("stock_events", _event(incoming, rule, sku, delta, listed[sku], mark, now))
            # A first count is news even where it says none: what a channel shows may be older than we are.
            if delta or before is None:
                changed.append(sku)
    if late and late == len(skus) and not marks:
        return Decision(
            Verdict.SUPERSEDED, subject=rule.id, code="older", message="a newer count of these SKUs was applied"
        )
    _forget_negative(decision, snapshot, rule, listed)
    _after(decision, incoming, snapshot, rules, rule, changed, now)
    return decision


def _moved_since(
    snapshot: Snapshot, rule: LocationRule, skus: tuple[str, ...], mark: Mark
) -> tuple[dict[str, Decimal], set[str]]:
    """Movements after the snapshot's time: those stay on top of it. (What it counts itself is inside.) And the SKUs of
    which, within the location's clock skew, nobody can say which came first."""
    moved: dict[str, Decimal] = {}
    unclear: set[str] = set()
    skew = rule.clock_skew if mark.sequence is None else dt.timedelta(0)
    for event in _movements(snapshot, rule, skus, mark):
        when = relation(Mark(event["source_time"], event.get("source_sequence")), mark, skew)
        if when is Order.UNCLEAR:
            unclear.add(event["sku"])
        elif when is Order.AFTER:
            moved[event["sku"]] = moved.get(event["sku"], ZERO) + event["delta"]
    return moved, unclear


def _movements(snapshot: Snapshot, rule: LocationRule, skus: tuple[str, ...], mark: Mark) -> list[dict[str, Any]]:
    """The newest movements by arrival, at least all that arrived after the mark: nothing older happened after it."""
    where = {"sku": skus, "location": rule.id, "bucket": "on_hand", "kind": MOVES}
    limit = PAGE if len(skus) > 1 else MOST
    found = snapshot.rows("stock_events", where, order_by=("-sequence",), limit=limit)
    if len(found) < limit or str(found[-1]["sequence"]) < mark.at.isoformat():
        return found
    half = len(skus) // 2
    return _movements(snapshot, rule, skus[:half], mark) + _movements(snapshot, rule, skus[half:], mark)


def counted_at(row: Mapping[str, Any] | None) -> Mark | None:
    """When a row of stock was last counted; None where it never was."""
    return Mark(row["as_of"], row["sequence"]) if row is not None and row["as_of"] is not None else None


def complete_mark(snapshot: Snapshot, location: str) -> Mark | None:
    """The latest complete count of a location: SKUs that it did not list had none then."""
    row = snapshot.row("stock_marks", {"location": location})
    return None if row is None else Mark(row["as_of"], row["sequence"])


def _remember(decision: Decision, rule: LocationRule, mark: Mark, before: Mark | None, now: dt.datetime) -> bool:
    """True if it is the latest complete count, though every SKU on it may have been counted since."""
    values = {"as_of": mark.at, "sequence": mark.sequence, "updated_at": now}
    if before is None:
        decision.writes.insert("stock_marks", {"location": rule.id, **values}, claim=True)
        return True
    if relation(mark, before) is not Order.AFTER:
        return False
    decision.writes.update("stock_marks", {"location": rule.id, "as_of": before.at}, values)
    return True


def unclear_key(rule: LocationRule) -> str:
    return f"stock-unclear/{rule.id}"


def _unclear(decision: Decision, incoming: Incoming, rule: LocationRule, sku: str) -> None:
    decision.exceptions.append(
        ExceptionRequest(
            unclear_key(rule),
            "stock_unclear",
            f"{rule.id}: a count and a movement came too close to tell which was first",
            f"{sku}: within {rule.clock_skew.total_seconds():g} s, the location's clock skew.",
            "The count of this SKU was not applied; the next one settles it.",
            "hub inventory list",
            "stock",
            f"{sku}@{rule.id}",
            connection=incoming.connection,
        )
    )


def _held_outside(snapshot: Snapshot, rule: LocationRule) -> dict[str, Decimal]:
    """Live reservations of the stages that the location's count already excludes, by SKU."""
    states = tuple(str(state) for state in EXCLUDED_BY_MEANS[rule.stock_means])
    if not states:
        return {}
    work = snapshot.rows("fulfilment_orders", {"location": rule.id, "state": states})
    held: dict[str, Decimal] = {}
    orders = tuple(sorted({row["order_id"] for row in work}))
    ids = {row["id"] for row in work}
    for start in range(0, len(orders), CHUNK):
        where = {"order_id": orders[start : start + CHUNK], "state": ReservationState.FIRM.value}
        for row in snapshot.rows("reservations", where):
            if row["fulfilment_order_id"] in ids:
                held[row["sku"]] = held.get(row["sku"], ZERO) + row["quantity"]
    return held


def _event(
    incoming: Incoming,
    rule: LocationRule,
    sku: str,
    delta: Decimal,
    stated: Decimal,
    mark: Mark,
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "id": derived_id("se", incoming.id, sku, rule.id),
        "sku": sku,
        "location": rule.id,
        "bucket": "on_hand",
        "kind": "snapshot",
        "delta": delta,
        "absolute": stated,
        "source_sequence": mark.sequence,
        "source": incoming.connection,
        "source_time": mark.at,
        "reason": "counted",
        "cause": incoming.id,
        "sequence": f"{now.isoformat()}/{incoming.id}",
    }


def _negative(decision: Decision, incoming: Incoming, rule: LocationRule, sku: str, stated: Decimal) -> None:
    decision.exceptions.append(
        ExceptionRequest(
            f"stock-negative/{rule.id}",
            "stock_negative",
            f"{rule.id} reports negative stock",
            f"{sku}: {decimal_text(stated)}. It counts as nothing until it is corrected.",
            "Correct the count at the location.",
            f"hub inventory list --sku {sku}",
            "stock",
            f"{sku}@{rule.id}",
            connection=incoming.connection,
        )
    )


def _forget_negative(decision: Decision, snapshot: Snapshot, rule: LocationRule, counted: dict[str, Decimal]) -> None:
    """What was counted below nothing before and is right now."""
    cause_key = f"stock-negative/{rule.id}"
    standing = snapshot.rows("exceptions", {"cause_key": cause_key, "state": "open"}, limit=1)
    for subject in snapshot.rows("exception_subjects", {"exception_id": standing[0]["id"]}) if standing else ():
        sku = subject["subject_id"].rpartition("@")[0]
        if counted.get(sku, Decimal(-1)) >= 0:
            decision.clears.append(ExceptionClear(cause_key, "stock", subject["subject_id"], "counted"))


def _after(
    decision: Decision,
    incoming: Incoming,
    snapshot: Snapshot,
    rules: Rules,
    rule: LocationRule,
    changed: list[str],
    now: dt.datetime,
) -> None:
    """Tell the channels, and give orders that wait for these SKUs another chance, oldest first."""
    decision.tasks += push_tasks(rules, now, changed)
    wake_waiting(decision, snapshot, changed, now, incoming.id)
    if rule.stale_after:
        old = (instant(incoming.record.get("as_of")) or incoming.received_at) + rule.stale_after + A_MOMENT
        decision.tasks.append(TaskRequest("stock_stale", rule.id, old, f"stock_stale/{rule.id}/{old.isoformat()}"))
    data = {"location": rule.id, "skus": str(len(changed))}
    decision.events.append(EventRequest(Fact.STOCK_COUNTED.value, rule.id, f"stock/{incoming.id}", None, data))
