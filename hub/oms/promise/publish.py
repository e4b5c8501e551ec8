"""Telling channels what they may sell: the promise of a SKU, for each outlet that the channel knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, DueTask, EffectRequest, ExceptionClear, Incoming, TaskRequest, Verdict
from hub.domain.money import decimal_text
from hub.domain.snapshot import BatchSnapshot, Snapshot
from hub.oms.desk.save import push_tasks
from hub.oms.ports import Channel, Rules
from hub.oms.promise.names import is_known, names_of, read_ahead
from hub.oms.promise.promise import outlets_of, promises
from hub.oms.stock.reserve import UNASSIGNED

PUSH_STOCK = "push_stock"
"""Kind of the task; its subject is a SKU."""
MOST_SKUS = 200_000
ZERO = Decimal(0)
READ_AGAIN = dt.timedelta(seconds=2)
"""How often it is looked whether the orders of a channel have been read, before a level that missed is set anew."""


def handle_push_stock(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `push_stock`: subject is a SKU; the kits that it is a component of follow it."""

    def push_stock(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        decision = Decision(subject=task.subject)
        after = str(task.payload.get("after", ""))
        if after and _still_read(snapshot, str(task.payload["channel"]), after):
            key = f"push_stock/{task.subject}/after/{task.id}"
            decision.tasks.append(TaskRequest(PUSH_STOCK, task.subject, now + READ_AGAIN, key, dict(task.payload)))
            return decision
        waits = False
        kits = sorted({row["kit"] for row in snapshot.rows("kit_parts", {"sku": task.subject})})
        # A misspelled SKU of an order waits for goods as any other; no channel is told of it.
        skus = [sku for sku in (task.subject, *kits) if is_known(snapshot, sku)]
        for connection in rules.takers.get("push_inventory", ()):
            channel = rules.channels.get(connection)
            if channel is not None:
                for sku in skus:
                    waits |= _push(decision, snapshot, rules, channel, sku, now)
        if waits:
            due, key = now + READ_AGAIN, f"push_stock/{task.subject}/after/{task.id}"
            decision.tasks.append(TaskRequest("push_stock", task.subject, due, key, {"sku": task.subject}))
        return decision

    return push_stock


def handle_stock_stale(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `stock_stale`: subject is a location whose count is now too old to be believed, unless a newer came."""

    def stock_stale(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        rule = rules.locations.get(task.subject)
        decision = Decision(subject=task.subject)
        if rule is not None and rule.stale_after:
            counted = snapshot.rows("stock", {"location": rule.id}, limit=MOST_SKUS)
            old = [row["sku"] for row in counted if row["as_of"] is not None and now - row["as_of"] > rule.stale_after]
            decision.tasks += push_tasks(rules, now, sorted(old))
        return decision

    return stock_stale


def handle_push_all(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `push_all`: the configuration is another one; what channels were told may not be what they may sell."""

    def push_all(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        decision = Decision(subject=task.subject)
        told = {row["sku"] for row in snapshot.rows("pushed_stock", {}, limit=MOST_SKUS)}
        counted = {row["sku"] for row in snapshot.rows("stock", {}, limit=MOST_SKUS)}
        decision.tasks += push_tasks(rules, now, sorted(told | counted))
        return decision

    return push_all


def preload(snapshot: BatchSnapshot, rules: Rules, skus: Sequence[str]) -> None:
    """Read what pushing these SKUs will ask for."""
    if not skus:
        return
    snapshot.prefetch("reservations", "sku", skus, where=UNASSIGNED)
    snapshot.prefetch("items", "sku", skus)
    snapshot.prefetch("kit_parts", "sku", skus)
    for connection in rules.takers.get("push_inventory", ()):
        channel = rules.channels.get(connection)
        if channel is None:
            continue
        read_ahead(snapshot, channel, skus)
        snapshot.prefetch("cross_references", "internal_id", skus, where={"system": channel.id, "entity": "item"})
        for theirs, ours in outlets_of(rules, channel).items():
            if ours:
                snapshot.prefetch("stock", "sku", skus, where={"location": tuple(sorted(ours))})
            subjects = {sku: f"{channel.id}|{sku}|{theirs}" for sku in skus}
            snapshot.prefetch("pushed_stock", "subject", list(subjects.values()))
            before = [
                f"subject/{sku}|{theirs}/{row['sequence']}"
                for sku, subject in subjects.items()
                if (row := snapshot.row("pushed_stock", {"subject": subject})) is not None
            ]
            snapshot.prefetch("tasks", "dedupe_key", [_reading_key(channel.id, one) for one in before])
            keys = [f"{channel.id}/push_inventory/{one}" for one in before]
            snapshot.prefetch("deliveries", "business_key", keys)


def publish_anew(incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime, key: str) -> Decision:
    """The channel's level was not the one we compared with: it has sold meanwhile. Its orders are read first, then the
    promise is published, compared with the level that it shows; without a comparison where it shows none (docs: stock).
    """
    subject = f"{incoming.record['destination']}|{key.removeprefix('subject/').rpartition('/')[0]}"
    sequence = int(key.rpartition("/")[2])
    known = snapshot.row("pushed_stock", {"subject": subject})
    if known is None or known["sequence"] != sequence:
        return Decision(Verdict.IGNORED, message="a newer level is on its way")
    sku = str(known["sku"])
    decision = Decision(subject=sku)
    shown = ((incoming.record.get("reply") or {}).get("attributes") or {}).get("available")
    values = {"quantity": Decimal(str(shown)) if shown is not None else None, "updated_at": now}
    decision.writes.update("pushed_stock", {"subject": subject, "sequence": sequence}, values)
    channel = str(incoming.record["destination"])
    payload = {"connection": channel, "stream": "orders"}
    decision.tasks.append(TaskRequest("poll", f"{channel}|orders", now, _reading_key(channel, key), payload))
    decision.tasks += push_tasks(rules, now, [sku])
    return decision


def _reading_key(channel: str, missed: str) -> str:
    return f"poll-before-push/{channel}/{missed}"


def _being_read(snapshot: Snapshot, channel: str, missed: str) -> bool:
    """The orders that made a level miss are not all known yet."""
    return _still_read(snapshot, channel, _reading_key(channel, missed))


def _still_read(snapshot: Snapshot, channel: str, dedupe_key: str) -> bool:
    """Orders that a task reads are still to be asked for, to be parsed or to be applied."""
    reading = snapshot.row("tasks", {"dedupe_key": dedupe_key})
    if reading is None:
        return False
    if reading["state"] in ("pending", "claimed"):
        return True
    if snapshot.rows("receipts", {"connection": channel, "state": "pending"}, limit=1):
        return True
    under_way = {"connection": channel, "stream": "orders", "state": ("stored", "retry", "claimed")}
    return bool(snapshot.rows("messages", under_way, limit=1))


def _push(decision: Decision, snapshot: Snapshot, rules: Rules, channel: Channel, sku: str, now: dt.datetime) -> bool:
    """True if something must wait until the channel's orders have been read."""
    names = names_of(snapshot, channel, sku, now)
    outlets = outlets_of(rules, channel)
    may = promises(snapshot, rules, channel, sku, now) if names.now else {}
    waits = False
    for theirs in sorted(outlets):
        ours = sorted(outlets[theirs])
        for name in names.now:
            level = Level(channel, sku, name, theirs, ours, may[theirs].quantity)
            waits |= _push_level(decision, snapshot, level, now, alone=len(names.now) == 1)
        for name in names.gone:
            waits |= _push_level(decision, snapshot, Level(channel, sku, name, theirs, ours, ZERO), now)
    decision.tasks += push_tasks(rules, now, names.taken)
    if names.changes_at is not None:
        key = f"{PUSH_STOCK}/{sku}/listed/{channel.id}/{names.changes_at.isoformat()}"
        decision.tasks.append(TaskRequest(PUSH_STOCK, sku, names.changes_at, key, {"sku": sku}))
    return waits


@dataclass(frozen=True, slots=True)
class Level:
    """What a channel may sell of a SKU, by its own names of it and of its outlet; `ours` are our locations there."""

    channel: Channel
    sku: str
    name: str
    outlet: str
    ours: Sequence[str]
    quantity: Decimal

    @property
    def subject(self) -> str:
        return f"{self.channel.id}|{self.name}|{self.outlet}"


def _push_level(decision: Decision, snapshot: Snapshot, level: Level, now: dt.datetime, *, alone: bool = False) -> bool:
    """`alone`: the SKU has no other name there, so that the channel's own id of the item names the level too."""
    channel, sku = level.channel, level.sku
    known = snapshot.row("pushed_stock", {"subject": level.subject})
    before = f"subject/{level.name}|{level.outlet}/{known['sequence']}" if known else ""
    if before and _being_read(snapshot, channel.id, before):
        return True
    if known is not None and known["quantity"] == level.quantity:
        if known["sku"] != sku:
            where = {"subject": level.subject, "sequence": known["sequence"]}
            decision.writes.update("pushed_stock", where, {"sku": sku})
        return False
    if before:
        _forget_refusal(decision, snapshot, f"{channel.id}/push_inventory/{before}")
    sequence = (known["sequence"] if known else 0) + 1
    values = {"sku": sku, "quantity": level.quantity, "sequence": sequence, "updated_at": now}
    if known is None:
        row = {"subject": level.subject, "connection": channel.id, **values}
        decision.writes.insert("pushed_stock", row, claim=True)
    else:
        decision.writes.update("pushed_stock", {"subject": level.subject, "sequence": known["sequence"]}, values)
    record: dict[str, Any] = {
        "sku": level.name,
        "available": decimal_text(level.quantity),
        "sequence": str(sequence),
        "location": ",".join(level.ours),
    }
    if level.outlet:
        record["external_location_id"] = level.outlet
    if known is not None and known["quantity"] is not None:
        record["previous"] = decimal_text(known["quantity"])
    where = {"system": channel.id, "entity": "item", "internal_id": sku}
    item = snapshot.rows("cross_references", where, limit=1) if alone else ()
    if item:
        record["external_item_id"] = item[0]["external_id"]
    decision.effects.append(
        EffectRequest(
            destination=channel.id,
            capability="push_inventory",
            key=f"subject/{level.name}|{level.outlet}/{sequence}",
            aggregate=f"stock/{sku}",
            lane="inventory",
            record=record,
            subject=level.subject,
            suppressed=not channel.effects,
        )
    )
    return False


def _forget_refusal(decision: Decision, snapshot: Snapshot, business_key: str) -> None:
    """A level that was refused is of no interest once a newer one goes out; that one tells if it is refused too."""
    row = snapshot.row("deliveries", {"business_key": business_key})
    if row is not None and row["state"] == "refused":
        decision.clears.append(ExceptionClear("", "delivery", row["id"], "a newer level"))
