"""Stock and the locations where it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.orders import same
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.config.model import Location
from hub.oms.desk.times import instant
from hub.oms.promise.availability import explain_availability
from hub.views.work import list_stock

PATH = "/v1/inventory"
COUNTED = ("on_hand", "soft", "firm", "free")


def list_(
    call: Call, limit: int = 50, cursor: str | None = None, sku: str | None = None, location: str | None = None
) -> Answer:
    filters = {"sku": sku, "location": location}
    last = after(cursor, PATH, filters, 2)
    with call.reading() as connection:
        found = list_stock(
            connection, sku=sku, location=location, after=(last[0], last[1]) if last else None, limit=limit + 1
        )
    return Answer(page(found, limit, PATH, filters, lambda row: [row["sku"], row["location"]]))


def get(call: Call, sku: str) -> Answer:
    with call.reading() as connection:
        found = list_stock(connection, sku=sku)
    if not found:
        raise Problem("not-found", "Nothing is known of this SKU's stock")
    sums = {name: sum((row[name] for row in found), Decimal(0)) for name in COUNTED}
    return Answer({"sku": sku, **sums, "locations": found})


def adjust(call: Call) -> Answer:
    with call.once() as once:
        try:
            return Answer(call.act("inventory.adjust", **call.body, once=once))
        except Answered as before:
            return Answer(same(before))


def reconcile(call: Call) -> Answer:
    return Answer(call.act("inventory.reconcile", **call.body))


def promises(call: Call, sku: str, channel: str | None = None, at: str | None = None) -> Answer:
    hub = call.hub
    try:
        until = instant(at)
    except ValueError as error:
        raise Problem("no-such-time", "`at` is no time that exists") from error
    if channel is not None and channel not in hub.rules.channels:
        raise Problem("not-found", f"There is no channel {channel}")
    with hub.store.read() as snapshot:
        found = explain_availability(snapshot, hub.rules, sku, hub.clock.now(), channel, until)
    if found is None:
        raise Problem("not-found", "Nothing is known of this SKU")
    return Answer(found)


def list_locations(call: Call) -> Answer:
    return Answer({"items": [_location(one) for one in call.hub.loaded.bundle.locations.values()]})


def get_location(call: Call, location: str) -> Answer:
    found = call.hub.loaded.bundle.locations.get(location)
    if found is None:
        raise Problem("not-found", f"There is no location {location}")
    return Answer(_location(found))


def _location(one: Location) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "gln": one.gln,
        "zone": one.zone,
        "wms": one.wms,
        "stock_authority": one.stock_authority,
        "priority": one.priority,
        "country": one.address.country if one.address else None,
        "capacity_per_day": one.capacity_per_day,
        "can": sorted(one.can),
    }
