"""What no schema of one file can see: names that must exist elsewhere, and combinations that cannot work."""

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping

from hub.config.findings import Finding, did_you_mean
from hub.config.limits_check import check_limits
from hub.config.model import ConnectorInfo
from hub.config.notifications_check import check_notifications
from hub.config.payment_check import check_payment
from hub.config.promise_check import check_promise
from hub.config.routing_check import check_routing
from hub.config.source import Path_
from hub.config.tree import Tree, at, file_of, get, indexes, keys, stem_of, text
from hub.config.validate import Checked
from hub.domain.listing import Listing, clash

BUILT_IN_CALENDARS = frozenset({"always", "weekdays"})
ORDER_STREAMS = frozenset({"orders"})


def check_tree(tree: Tree, connectors: Mapping[str, ConnectorInfo]) -> Iterator[Finding]:
    """All findings across files."""
    ids: dict[str, Checked] = {}
    partners = {stem_of(file_of(checked)) for checked in tree.partners} | tree.unread_in("partners")
    stems = {stem_of(file_of(checked)) for checked in tree.connections}
    for checked in tree.connections:
        yield from _connection(checked, connectors)
        partner = text(checked, "partner")
        if partner is not None and partner not in partners:
            hint = did_you_mean(partner, partners) or f"write partners/{partner}.yaml"
            yield at(checked, "HUB016", ("partner",), f'there is no partner "{partner}"', hint)
        name = text(checked, "id")
        if name is None:
            continue
        if name in ids:
            owner = ids[name]
            copy, first = (owner, checked) if stem_of(file_of(checked)) == name else (checked, owner)
            ids[name] = first
            yield at(copy, "HUB008", ("id",), f'the connection "{name}" exists already', f"in {file_of(first)}")
        else:
            ids[name] = checked
        stem = stem_of(file_of(checked))
        if stem != name:
            hint = (
                f"change the id in the copy to {stem}" if name in stems else f"rename the file, or make the id {stem}"
            )
            yield at(checked, "HUB016", ("id",), f'the file is called "{stem}", its id "{name}"', hint)
    entities = keys(tree.hub, ("seller", "entities"))
    if entities:
        yield from _entities(tree, entities)
    known = {*ids, *tree.unread_in("connections")}
    locations = None if "locations.yaml" in tree.unread else _location_ids(tree.locations)
    yield from _locations(tree.locations, ids, known, connectors)
    if locations is not None:
        yield from _location_maps(tree, locations)
    if tree.routing is not None:
        yield from check_routing(tree.routing, locations)
    if tree.policies is not None:
        yield from _policies(tree.policies, known)
        yield from check_payment(tree.policies, tree.connections, known)
        yield from check_promise(tree.policies, known, _told_stock(tree))
    yield from check_notifications(tree, ids, known, connectors)


def _connection(checked: Checked, connectors: Mapping[str, ConnectorInfo]) -> Iterator[Finding]:
    name = text(checked, "connector")
    if name is None:
        return
    connector = connectors.get(name)
    if connector is None:
        message = f'there is no connector "{name}"'
        yield at(checked, "HUB005", ("connector",), message, did_you_mean(name, connectors))
        return
    for stream in keys(checked, ("streams",)):
        path = ("streams", stream)
        offer = connector.streams.get(stream)
        if offer is None:
            message = f'the connector {name} has no stream "{stream}"'
            yield at(checked, "HUB006", path, message, did_you_mean(stream, connector.streams), key=True)
            continue
        push, poll = get(checked, (*path, "push")) is True, get(checked, (*path, "poll")) is not None
        if push and not offer.push:
            yield at(checked, "HUB019", (*path, "push"), f"{name} sends no webhooks for {stream}")
        if poll and not offer.poll:
            yield at(checked, "HUB019", (*path, "poll"), f"{name} cannot be polled for {stream}")
        if push and connector.push_secrets and not get(checked, ("config", connector.push_secrets)):
            hint = f"add config.{connector.push_secrets}"
            yield at(checked, "HUB010", (*path, "push"), f"webhooks for {stream} could not be verified", hint)
        if stream in ORDER_STREAMS and get(checked, (*path, "start_from")) is None:
            hint = "older orders are captured without effects; write a time in RFC 3339, or always"
            yield at(checked, "HUB009", path, f"the stream {stream} has no start_from", hint, key=True)
    for capability in keys(checked, ("effects_out",)):
        if capability not in connector.capabilities:
            message = f'the connector {name} does not offer "{capability}"'
            hint = did_you_mean(capability, connector.capabilities)
            yield at(checked, "HUB007", ("effects_out", capability), message, hint, key=True)
    yield from check_limits(checked, connector)
    yield from _listings(checked)


def _listings(checked: Checked) -> Iterator[Finding]:
    """Of one name, what means another item at a time when an earlier row counts too."""
    seen: list[Listing] = []
    for index in indexes(checked, ("listings",)):
        path = ("listings", index)
        theirs, ours = get(checked, (*path, "theirs")), get(checked, (*path, "ours"))
        times = [get(checked, (*path, name)) for name in ("from", "to")]
        try:
            begins, ends = (None if said is None else dt.datetime.fromisoformat(str(said)) for said in times)
        except ValueError:
            continue
        if not isinstance(theirs, str) or not isinstance(ours, str):
            continue
        if any(time is not None and time.tzinfo is None for time in (begins, ends)):
            continue
        listing = Listing(theirs, ours, begins, ends)
        other = clash(listing, seen)
        if other is not None:
            message = f'"{theirs}" means {other.ours} at a time when it means {ours}'
            yield at(checked, "HUB036", path, message, "end one where the other begins")
        seen.append(listing)


def _entities(tree: Tree, entities: list[str]) -> Iterator[Finding]:
    places: list[tuple[Checked, Path_]] = [] if tree.hub is None else [(tree.hub, ("seller", "default_entity"))]
    places += [(checked, ("seller_entity",)) for checked in tree.connections]
    for checked, path in places:
        entity = get(checked, path)
        if isinstance(entity, str) and entity not in entities:
            yield at(checked, "HUB016", path, f'there is no entity "{entity}"', did_you_mean(entity, entities))


def _location_ids(checked: Checked | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for index in indexes(checked, ("locations",)):
        name = get(checked, ("locations", index, "id"))
        if isinstance(name, str):
            found.setdefault(name, index)
    return found


def _locations(
    checked: Checked | None, ids: Mapping[str, Checked], known: set[str], connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Finding]:
    if checked is None:
        return
    first = _location_ids(checked)
    calendars = {*keys(checked, ("calendars",)), *BUILT_IN_CALENDARS}
    for index in indexes(checked, ("locations",)):
        path = ("locations", index)
        name = get(checked, (*path, "id"))
        if isinstance(name, str) and first[name] != index:
            yield at(checked, "HUB008", (*path, "id"), f'the location "{name}" exists already')
        for role in ("wms", "stock_authority"):
            connection = get(checked, (*path, role))
            if isinstance(connection, str) and connection not in known:
                message = f'the {role} of {name} is no connection: "{connection}"'
                yield at(checked, "HUB013", (*path, role), message, did_you_mean(connection, known))
        for number in indexes(checked, (*path, "movements_from")):
            teller = get(checked, (*path, "movements_from", number))
            if isinstance(teller, str) and teller not in known:
                place, message = (*path, "movements_from", number), f'there is no connection "{teller}"'
                yield at(checked, "HUB013", place, message, did_you_mean(teller, known))
        wms = get(checked, (*path, "wms"))
        if isinstance(wms, str) and wms in ids:
            yield from _can_fulfil(checked, (*path, "wms"), wms, ids[wms], connectors)
        authority = get(checked, (*path, "stock_authority"))
        if isinstance(authority, str) and authority in ids and "stock" not in keys(ids[authority], ("streams",)):
            message = f'the stock authority of {name} reads no stock: "{authority}" has no stream "stock"'
            yield at(checked, "HUB029", (*path, "stock_authority"), message, "add it there")
        carrier = get(checked, (*path, "labels", "carrier"))
        if isinstance(carrier, str):
            yield from _can_label(checked, (*path, "labels", "carrier"), carrier, ids)
        calendar = get(checked, (*path, "calendar"))
        if isinstance(calendar, str) and calendar not in calendars:
            hint = did_you_mean(calendar, calendars)
            yield at(checked, "HUB016", (*path, "calendar"), f'there is no calendar "{calendar}"', hint)
        zone = get(checked, (*path, "zone"))
        if isinstance(zone, str) and zone not in zoneinfo.available_timezones():
            hint = did_you_mean(zone, zoneinfo.available_timezones())
            yield at(checked, "HUB002", (*path, "zone"), f'"{zone}" is no time zone', hint)


def _can_fulfil(
    checked: Checked, path: Path_, wms: str, connection: Checked, connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Finding]:
    connector = connectors.get(text(connection, "connector") or "")
    if connector is not None and "send_fulfilment_request" not in connector.capabilities:
        message = f'the connection "{wms}" takes no fulfilment requests: {connector.name} does not offer them'
        yield at(checked, "HUB013", path, message)


def _can_label(checked: Checked, path: Path_, carrier: str, ids: Mapping[str, Checked]) -> Iterator[Finding]:
    if carrier not in ids:
        message = f'the carrier of the labels is no connection: "{carrier}"'
        yield at(checked, "HUB013", path, message, did_you_mean(carrier, ids))
    elif "buy_label" not in keys(ids[carrier], ("effects_out",)):
        yield at(checked, "HUB013", path, f'the connection "{carrier}" buys no labels: effects_out has no buy_label')


def _location_maps(tree: Tree, locations: Mapping[str, int]) -> Iterator[Finding]:
    for checked in tree.connections:
        for capability in keys(checked, ("effects_out",)):
            path = ("effects_out", capability, "location_map")
            mapped = [get(checked, (*path, theirs)) for theirs in keys(checked, path)]
            for theirs, ours in zip(keys(checked, path), mapped, strict=True):
                if isinstance(ours, str) and ours not in locations:
                    hint = did_you_mean(ours, locations)
                    yield at(checked, "HUB016", (*path, theirs), f'there is no location "{ours}"', hint)
            for ours in locations if mapped and capability == "push_inventory" else ():
                if ours not in mapped:
                    message = f'the location "{ours}" is not in this location_map: its stock is never told here'
                    hint = "add it, or say that it is meant: # hub: ignore[HUB027] why"
                    yield at(checked, "HUB027", path, message, hint, key=True)


def _told_stock(tree: Tree) -> set[str]:
    """The channels that are told what they may sell."""
    told = (checked for checked in tree.connections if "push_inventory" in keys(checked, ("effects_out",)))
    return {name for checked in told if (name := text(checked, "id")) is not None}


def _policies(checked: Checked, ids: set[str]) -> Iterator[Finding]:
    for path, also in (
        (("grace", "channels"), ()),
        (("payment", "managed_by"), ()),
        (("promise", "threshold"), ("default",)),
        (("promise", "share"), ("default",)),
        (("promise", "supply_within"), ("default",)),
        (("validation", "value_limits"), ("default",)),
        (("returns", "channels"), ()),
    ):
        for name in keys(checked, path):
            if name not in ids and name not in also:
                message = f'there is no connection "{name}"'
                yield at(checked, "HUB016", (*path, name), message, did_you_mean(name, ids), key=True)
    erp = get(checked, ("erp", "submit_to"))
    if isinstance(erp, str) and erp not in ids:
        yield at(checked, "HUB016", ("erp", "submit_to"), f'there is no connection "{erp}"', did_you_mean(erp, ids))
