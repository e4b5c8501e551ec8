"""What a channel may sell of a SKU now or by a date, from what is known: the numbers behind hub.domain.promise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.kit import components_of
from hub.domain.money import apportion
from hub.domain.promise import ONE, AtLocation, DatedSupply, Pool, Promise, available_to_promise, kit_promise
from hub.domain.snapshot import Snapshot
from hub.domain.supply import to_come
from hub.oms.desk.times import instant_text
from hub.oms.ports import Channel, LocationRule, Rules
from hub.oms.stock.reserve import UNASSIGNED

ZERO = Decimal(0)
MOST = 1_000_000
"""Lines that may wait for one SKU: a demand that is not counted is sold twice."""
Row = Mapping[str, Any]


def promises(
    snapshot: Snapshot, rules: Rules, channel: Channel, sku: str, now: dt.datetime, at: dt.datetime | None = None
) -> dict[str, Promise]:
    """What a channel may sell of a SKU, explained, by each outlet of its; "" where it knows none apart. A kit is as
    many as its components make.

    `at`: supply that is expected until then counts; None: as far ahead as the channel sells by its policy.
    """
    until = at if at is not None else now + channel.supply_within
    item = _item(snapshot, sku)
    parts = components_of(item)
    if not parts:
        return _promises(snapshot, rules, channel, sku, now, until, _increment(item))
    made = {
        part.sku: _promises(snapshot, rules, channel, part.sku, now, until, _increment(_item(snapshot, part.sku)))
        for part in parts
    }
    return {
        outlet: kit_promise([(part.sku, part.quantity, made[part.sku][outlet]) for part in parts], _increment(item))
        for outlet in sorted(outlets_of(rules, channel))
    }


def outlets_of(rules: Rules, channel: Channel) -> dict[str, list[str]]:
    """Our locations by the channel's name for them; under no name where it knows none apart."""
    outlets: dict[str, list[str]] = {}
    for theirs, ours in channel.location_map.items():
        outlets.setdefault(theirs, []).append(ours)
    if not outlets:
        outlets[""] = [rule.id for rule in rules.locations.values() if rule.can & {"ship", "pickup"}]
    return outlets


def _item(snapshot: Snapshot, sku: str) -> Row:
    row = snapshot.row("items", {"sku": sku})
    document: Row = row["document"] if row is not None else {}
    return document


def _increment(item: Row) -> Decimal:
    """What quantities of an item are multiples of: 1, or what its data say (0.5 m)."""
    return Decimal(str(item["increment"])) if item.get("increment") else ONE


def _promises(
    snapshot: Snapshot,
    rules: Rules,
    channel: Channel,
    sku: str,
    now: dt.datetime,
    until: dt.datetime,
    increment: Decimal,
) -> dict[str, Promise]:
    """Demand without a location and pools count once: they are taken from the outlets by what each has."""
    there = {
        outlet: _there(snapshot, rules, sku, sorted(ours), now, until)
        for outlet, ours in sorted(outlets_of(rules, channel).items())
    }
    waiting = snapshot.rows("reservations", {**UNASSIGNED, "sku": sku}, limit=MOST)
    unassigned = sum((row["quantity"] for row in waiting), ZERO)
    has = [
        sum((one.free for one in stock), ZERO) + sum((one.quantity for one in supply), ZERO)
        for stock, supply in there.values()
    ]
    waits = _divided(unassigned, has, increment)
    left = [max(ZERO, units - part) for units, part in zip(has, waits, strict=True)]
    pools = [(one.pool, _divided(one.pool.quantity, left, increment)) for one in rules.pools if one.sku == sku]
    return {
        outlet: available_to_promise(
            stock,
            share=channel.share,
            threshold=channel.threshold,
            supply=supply,
            unassigned=waits[number],
            pools=[Pool(pool.channel, parts[number]) for pool, parts in pools],
            channel=channel.id,
            increment=increment,
        )
        for number, (outlet, (stock, supply)) in enumerate(there.items())
    }


def _divided(units: Decimal, by: Sequence[Decimal], increment: Decimal) -> list[Decimal]:
    return [units] if len(by) == 1 else apportion(units, by, increment)


def _there(
    snapshot: Snapshot, rules: Rules, sku: str, locations: Sequence[str], now: dt.datetime, until: dt.datetime
) -> tuple[list[AtLocation], Sequence[DatedSupply]]:
    """What is at an outlet's locations, and what is to come to them until then."""
    where = {"sku": sku, "location": tuple(locations)}
    stock = {row["location"]: row for row in snapshot.rows("stock", where)} if locations else {}
    found = [at_location(stock[location], rules.locations.get(location), now) for location in sorted(stock)]
    return found, _dated(snapshot, sku, locations, until) if until > now else ()


def at_location(row: Row, rule: LocationRule | None, now: dt.datetime) -> AtLocation:
    """A row of `stock` as a promise counts it. What was counted too long ago is believed no more: better nothing than
    a stale high."""
    doubt = ""
    if rule is not None and rule.stale_after:
        counted: dt.datetime | None = row["as_of"]
        if counted is None:
            doubt = "never counted: nothing of it is promised"
        elif now - counted > rule.stale_after:
            doubt = f"counted {instant_text(counted)}, too long ago: nothing of it is promised"
    safety = rule.safety(str(row["sku"])) if rule is not None else ZERO
    return AtLocation(row["location"], row["on_hand"], row["soft"], row["firm"], safety, doubt)


def _dated(snapshot: Snapshot, sku: str, locations: Sequence[str], until: dt.datetime) -> list[DatedSupply]:
    where = {"sku": sku, "location": tuple(locations), "status": "open"}
    return [
        DatedSupply(
            row["reference"],
            row["location"],
            to_come(row["quantity"], row["received"], row["status"]),
            instant_text(row["expected_at"]),
        )
        for row in (snapshot.rows("supply", where) if locations else ())
        if row["expected_at"] <= until
    ]
