"""Telling channels what they may sell: the promise of a SKU, place by place as the channel knows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, DueTask, EffectRequest, Incoming, TaskRequest, Verdict
from hub.domain.money import decimal_text
from hub.domain.promise import AtLocation, Promise, available_to_promise
from hub.domain.snapshot import Snapshot
from hub.oms.ports import Channel, Rules
from hub.oms.reserve import UNASSIGNED
from hub.oms.save import push_tasks

ZERO = Decimal(0)


def handle_push_stock(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `push_stock`: subject is a SKU."""

    def push_stock(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        decision = Decision(subject=task.subject)
        for connection in rules.takers.get("push_inventory", ()):
            channel = rules.channels.get(connection)
            if channel is not None:
                _push(decision, snapshot, rules, channel, task.subject, now)
        return decision

    return push_stock


def publish_anew(incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime, key: str) -> Decision:
    """The channel's level was not the one we compared with: it has sold meanwhile. Its orders are read first, then the
    promise is published without a comparison (docs: stock)."""
    sku, _, theirs = key.removeprefix("subject/").rpartition("/")[0].rpartition("|")
    sequence = int(key.rpartition("/")[2])
    subject = f"{incoming.record['destination']}|{sku}|{theirs}"
    known = snapshot.row("pushed_stock", {"subject": subject})
    if known is None or known["sequence"] != sequence:
        return Decision(Verdict.IGNORED, message=f"a newer level of {sku} is on its way")
    decision = Decision(subject=sku)
    forgotten = {"quantity": None, "updated_at": now}
    decision.writes.update("pushed_stock", {"subject": subject, "sequence": sequence}, forgotten)
    channel = str(incoming.record["destination"])
    payload = {"connection": channel, "stream": "orders"}
    decision.tasks.append(TaskRequest("poll", f"{channel}|orders", now, f"poll-before-push/{channel}/{key}", payload))
    decision.tasks += push_tasks(rules, now, [sku])
    return decision


def promise(snapshot: Snapshot, rules: Rules, channel: Channel, sku: str, locations: Sequence[str]) -> Promise:
    """What a channel may sell of a SKU from these locations, explained."""
    where = {"sku": sku, "location": tuple(locations)}
    stock = {row["location"]: row for row in snapshot.rows("stock", where)} if locations else {}
    places = []
    for location in sorted(stock):
        row, rule = stock[location], rules.locations.get(location)
        safety = rule.safety_stock if rule else ZERO
        places.append(AtLocation(location, row["on_hand"], row["soft"], row["firm"], safety))
    waiting = snapshot.rows("reservations", {**UNASSIGNED, "sku": sku})
    unassigned = sum((row["quantity"] for row in waiting), ZERO)
    return available_to_promise(places, share=channel.share, threshold=channel.threshold, unassigned=unassigned)


def _push(decision: Decision, snapshot: Snapshot, rules: Rules, channel: Channel, sku: str, now: dt.datetime) -> None:
    places: dict[str, list[str]] = {}
    for theirs, ours in channel.location_map.items():
        places.setdefault(theirs, []).append(ours)
    if not places:
        places[""] = [rule.id for rule in rules.locations.values() if rule.can & {"ship", "pickup"}]
    for theirs in sorted(places):
        _push_place(decision, snapshot, rules, channel, sku, theirs, sorted(places[theirs]), now)


def _push_place(
    decision: Decision,
    snapshot: Snapshot,
    rules: Rules,
    channel: Channel,
    sku: str,
    theirs: str,
    ours: list[str],
    now: dt.datetime,
) -> None:
    subject = f"{channel.id}|{sku}|{theirs}"
    quantity = promise(snapshot, rules, channel, sku, ours).quantity
    known = snapshot.row("pushed_stock", {"subject": subject})
    if known is not None and known["quantity"] == quantity:
        return
    sequence = (known["sequence"] if known else 0) + 1
    values = {"quantity": quantity, "sequence": sequence, "updated_at": now}
    if known is None:
        row = {"subject": subject, "connection": channel.id, "sku": sku, **values}
        decision.writes.insert("pushed_stock", row, claim=True)
    else:
        decision.writes.update("pushed_stock", {"subject": subject, "sequence": known["sequence"]}, values)
    record: dict[str, Any] = {
        "sku": sku,
        "available": decimal_text(quantity),
        "sequence": str(sequence),
        "location": ",".join(ours),
    }
    if theirs:
        record["external_location_id"] = theirs
    if known is not None and known["quantity"] is not None:
        record["previous"] = decimal_text(known["quantity"])
    item = snapshot.rows("cross_references", {"system": channel.id, "entity": "item", "internal_id": sku}, limit=1)
    if item:
        record["external_item_id"] = item[0]["external_id"]
    decision.effects.append(
        EffectRequest(
            destination=channel.id,
            capability="push_inventory",
            key=f"subject/{sku}|{theirs}/{sequence}",
            aggregate=f"stock/{sku}",
            lane="inventory",
            record=record,
            subject=subject,
            suppressed=not channel.effects,
        )
    )
