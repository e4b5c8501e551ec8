"""What a channel calls one of our SKUs: the names under which it is told of its stock.

A SKU that is listed at a channel is told under the names of its listings that count now; one that is not is told under
its own. A name that was told before and means nothing any more is told that there is none of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.domain.listing import Listing, meant
from hub.domain.snapshot import BatchSnapshot, Snapshot
from hub.oms.intake.listings import listing_from, listings_of
from hub.oms.ports import Channel

ORDER = ("id",)


@dataclass(frozen=True, slots=True)
class Names:
    """`now`: what the SKU is called. `gone`: what the channel was told of it under, and means nothing now. `taken`:
    SKUs that such a name means now. `changes_at`: when the next listing of it begins or ends."""

    now: tuple[str, ...]
    gone: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    changes_at: dt.datetime | None = None


def names_of(snapshot: Snapshot, channel: Channel, sku: str, now: dt.datetime) -> Names:
    """The names of a SKU at a channel, with what it was told under before."""
    listed = [*map(listing_from, snapshot.rows("listings", _of(channel, "ours", sku), order_by=ORDER))]
    listed += channel.listed.get(sku, ())
    told = {_name(row): row for row in snapshot.rows("pushed_stock", _of(channel, "sku", sku), order_by=("subject",))}
    names = {one.theirs for one in listed if one.holds(now) and means(snapshot, channel, one.theirs, now) == sku}
    if means(snapshot, channel, sku, now) == sku:
        if not names or _still_known(snapshot, channel, sku, told):
            names.add(sku)
        told.pop(sku, None)
    left = {name: means(snapshot, channel, name, now) for name in sorted(told.keys() - names)}
    taken = {name: other for name, other in left.items() if other not in (None, sku, name) or _is_item(snapshot, name)}
    return Names(
        tuple(sorted(names)),
        tuple(name for name in left if name not in taken and told[name]["quantity"] != 0),
        tuple(sorted({other for other in taken.values() if other})),
        min(
            (at for one in listed for at in (one.valid_from, one.valid_to) if at is not None and at > now), default=None
        ),
    )


def means(snapshot: Snapshot, channel: Channel, name: str, now: dt.datetime) -> str | None:
    """The SKU that a channel means by a name now: a name that nobody has listed stands for itself. None where it is
    not certain."""
    counting: Sequence[Listing] = [one for one in listings_of(snapshot, channel, name) if one.holds(now)]
    return meant(counting, now) if counting else name


def read_ahead(snapshot: BatchSnapshot, channel: Channel, skus: Sequence[str]) -> None:
    """Read what `names_of` will ask for."""
    where = {"connection": channel.id}
    snapshot.prefetch("listings", "ours", skus, where=where, order_by=ORDER)
    snapshot.prefetch("listings", "theirs", skus, where=where, order_by=ORDER)
    snapshot.prefetch("pushed_stock", "sku", skus, where=where, order_by=("subject",))


def _still_known(snapshot: Snapshot, channel: Channel, sku: str, told: dict[str, dict[str, Any]]) -> bool:
    """Told under its own name before it was listed, and not refused: the channel has it under both."""
    row = told.get(sku)
    if row is None:
        return False
    outlet = str(row["subject"]).rpartition("|")[2]
    key = f"{channel.id}/push_inventory/subject/{sku}|{outlet}/{row['sequence']}"
    sent = snapshot.row("deliveries", {"business_key": key})
    return sent is None or sent["state"] != "refused"


def _name(row: dict[str, Any]) -> str:
    """Of a row of `pushed_stock`, whose subject is connection|name|outlet."""
    return str(row["subject"]).partition("|")[2].rpartition("|")[0]


def _of(channel: Channel, column: str, value: str) -> dict[str, Any]:
    return {column: value, "connection": channel.id}


def is_known(snapshot: Snapshot, sku: str) -> bool:
    """The hub knows the SKU: it has an item of it, stock, or told somebody of it before."""
    where = {"sku": sku}
    return _is_item(snapshot, sku) or any(snapshot.rows(table, where, limit=1) for table in ("stock", "pushed_stock"))


def _is_item(snapshot: Snapshot, name: str) -> bool:
    return snapshot.row("items", {"sku": name}) is not None
