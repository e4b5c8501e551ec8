"""The SKUs of an order as its channel calls them, read as ours: by what counted when the order was placed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hub.domain.decision import Incoming
from hub.domain.listing import Listing, meant
from hub.domain.order import OrderLine
from hub.domain.snapshot import Snapshot
from hub.oms.desk.times import instant
from hub.oms.ports import Channel

LISTING = "listing"
"""Detail of a line: what the channel calls what it sold, where that is not our SKU."""


def in_our_words(incoming: Incoming, snapshot: Snapshot, channel: Channel) -> Incoming:
    """The message with our SKUs in its lines; what nothing is known of stays as it is."""
    record = translated(incoming.record, snapshot, channel, instant(incoming.record.get("placed_at")))
    previous = incoming.previous
    if record is incoming.record and previous is None:
        return incoming
    if previous is not None:
        previous = translated(previous, snapshot, channel, instant(previous.get("placed_at")))
    return replace(incoming, record=record, previous=previous)


def translated(record: dict[str, Any], snapshot: Snapshot, channel: Channel, at: dt.datetime | None) -> dict[str, Any]:
    """A record whose `lines` name SKUs, with ours by what counted `at` a time; the same one where nothing is known."""
    found: dict[str, str] = {}
    for said in {str(line["sku"]) for line in record.get("lines") or () if line.get("sku")}:
        ours = meant(listings_of(snapshot, channel, said), at)
        if ours is not None and ours != said:
            found[said] = ours
    if not found:
        return record
    lines = [
        {**line, "sku": found[line["sku"]], LISTING: line["sku"]} if line.get("sku") in found else line
        for line in record["lines"]
    ]
    return {**record, "lines": lines}


def take_our_name(line: OrderLine, snapshot: Snapshot, channel: Channel, at: dt.datetime | None) -> None:
    """A line that was captured under a name that nobody knew then, and that is listed since."""
    if not line.sku or line.details.get(LISTING):
        return
    ours = meant(listings_of(snapshot, channel, line.sku), at)
    if ours is not None and ours != line.sku:
        line.details = {**line.details, LISTING: line.sku}
        line.sku = ours


def listings_of(snapshot: Snapshot, channel: Channel, theirs: str) -> list[Listing]:
    """What was imported, and what the configuration says, of one name."""
    rows = snapshot.rows("listings", {"theirs": theirs, "connection": channel.id}, order_by=("id",))
    return [*map(listing_from, rows), *channel.listings.get(theirs, ())]


def listing_from(row: Mapping[str, Any]) -> Listing:
    return Listing(row["theirs"], row["ours"], row["valid_from"], row["valid_to"])
