"""What a channel shows, compared with what it was told and what it may sell; what differs is told again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hub.domain.decision import Decision, TaskRequest
from hub.domain.money import decimal_text
from hub.domain.promise import Promise
from hub.domain.snapshot import Snapshot
from hub.oms.ports import Channel, Rules
from hub.oms.promise.names import is_known, means
from hub.oms.promise.promise import outlets_of, promises

OPEN = ("pending", "retry", "in_flight", "sent", "unknown", "probing")
"""States of a push that may still change what the channel shows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the channel shows of a SKU, as it calls it, at an outlet; `outlets` are its names for that."""

    sku: str
    outlets: tuple[str, ...]
    available: Decimal


@dataclass(slots=True)
class Compared:
    """`differing` names SKU, outlet, what is shown, what was told and what may be sold, as text."""

    looked_at: int = 0
    equal: int = 0
    under_way: int = 0
    unknown: int = 0
    differing: list[dict[str, str]] = field(default_factory=list)


def compare_levels(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    channel: Channel,
    shown: Sequence[Shown],
    read_at: dt.datetime,
    reading: str,
) -> tuple[Decision, Compared]:
    """A decision that has what differs pushed anew, once the task `reading` has read the channel's orders: what it
    shows less of it may have sold. Levels told since `read_at` and calls under way are left alone."""
    decision, found = Decision(subject=channel.id), Compared()
    outlets = outlets_of(rules, channel)
    known: dict[str, dict[str, Promise]] = {}
    for level in shown:
        found.looked_at += 1
        theirs = next((name for name in level.outlets if name in outlets), None)
        subject = f"{channel.id}|{level.sku}|{theirs}"
        told = snapshot.row("pushed_stock", {"subject": subject}) if theirs is not None else None
        sku = means(snapshot, channel, level.sku, now)
        if theirs is None or sku is None or (told is None and not is_known(snapshot, sku)):
            found.unknown += 1
            continue
        if told is not None and (told["updated_at"] >= read_at or _under_way(snapshot, channel, subject)):
            found.under_way += 1
            continue
        if sku not in known:
            known[sku] = promises(snapshot, rules, channel, sku, now)
        may = known[sku][theirs].quantity
        if level.available == may and told is not None and told["quantity"] == level.available:
            found.equal += 1
            continue
        if level.available != may:
            said = decimal_text(told["quantity"]) if told is not None and told["quantity"] is not None else ""
            numbers = {"shown": decimal_text(level.available), "told": said, "may_sell": decimal_text(may)}
            found.differing.append({"sku": level.sku, "outlet": theirs, **numbers})
        else:
            found.equal += 1
        values = {"quantity": level.available, "updated_at": now}
        if told is None:
            row = {"subject": subject, "connection": channel.id, "sku": sku, "sequence": 0, **values}
            decision.writes.insert("pushed_stock", row, claim=True)
        else:
            decision.writes.update("pushed_stock", {"subject": subject, "sequence": told["sequence"]}, values)
        key = f"push_stock/{sku}/compare/{reading}"
        payload = {"sku": sku, "after": reading, "channel": channel.id}
        decision.tasks.append(TaskRequest("push_stock", sku, now, key, payload))
    return decision, found


def _under_way(snapshot: Snapshot, channel: Channel, subject: str) -> bool:
    return bool(snapshot.rows("deliveries", {"subject": subject, "destination": channel.id, "state": OPEN}, limit=1))
