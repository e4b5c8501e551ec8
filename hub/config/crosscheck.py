"""What no schema of one file can see: names that must exist elsewhere, and combinations that cannot work."""

import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jmespath
import jmespath.exceptions

from hub.config.findings import Finding, did_you_mean, finding
from hub.config.model import ConnectorInfo
from hub.config.source import Path_, Plain
from hub.config.validate import Checked

BUILT_IN_STRATEGIES = frozenset({"chosen_store"})
BUILT_IN_CALENDARS = frozenset({"always", "weekdays"})
ORDER_STREAMS = frozenset({"orders"})


@dataclass(frozen=True, slots=True)
class Tree:
    """The checked files of one configuration, by kind; absent files are None."""

    hub: Checked
    connections: tuple[Checked, ...]
    locations: Checked | None
    routing: Checked | None
    policies: Checked | None


def check_tree(tree: Tree, connectors: Mapping[str, ConnectorInfo]) -> Iterator[Finding]:
    """All findings across files."""
    ids: dict[str, Checked] = {}
    for checked in tree.connections:
        yield from _connection(checked, connectors)
        name = _text(checked, "id")
        if name is None:
            continue
        if name in ids:
            yield _at(checked, "HUB008", ("id",), f'the connection "{name}" exists already', f"in {_file(ids[name])}")
        else:
            ids[name] = checked
        stem = _file(checked).rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
        if stem != name:
            yield _at(checked, "HUB016", ("id",), f'the file is called "{stem}", its id "{name}"', "rename the file")
    entities = _keys(tree.hub, ("seller", "entities"))
    if entities:
        yield from _entities(tree, entities)
    locations = _location_ids(tree.locations)
    yield from _locations(tree.locations, ids, connectors)
    yield from _location_maps(tree, locations)
    if tree.routing is not None:
        yield from _routing(tree.routing, locations)
    if tree.policies is not None:
        yield from _policies(tree.policies, ids)


def _connection(checked: Checked, connectors: Mapping[str, ConnectorInfo]) -> Iterator[Finding]:
    name = _text(checked, "connector")
    if name is None:
        return
    connector = connectors.get(name)
    if connector is None:
        message = f'there is no connector "{name}"'
        yield _at(checked, "HUB005", ("connector",), message, did_you_mean(name, connectors))
        return
    for stream in _keys(checked, ("streams",)):
        path = ("streams", stream)
        offer = connector.streams.get(stream)
        if offer is None:
            message = f'the connector {name} has no stream "{stream}"'
            yield _at(checked, "HUB006", path, message, did_you_mean(stream, connector.streams), key=True)
            continue
        push, poll = _get(checked, (*path, "push")) is True, _get(checked, (*path, "poll")) is not None
        if push and not offer.push:
            yield _at(checked, "HUB019", (*path, "push"), f"{name} sends no webhooks for {stream}")
        if poll and not offer.poll:
            yield _at(checked, "HUB019", (*path, "poll"), f"{name} cannot be polled for {stream}")
        if push and connector.push_secrets and not _get(checked, ("config", connector.push_secrets)):
            hint = f"add config.{connector.push_secrets}"
            yield _at(checked, "HUB010", (*path, "push"), f"webhooks for {stream} could not be verified", hint)
        if stream in ORDER_STREAMS and _get(checked, (*path, "start_from")) is None:
            hint = "older orders are captured without effects; write a time in RFC 3339, or always"
            yield _at(checked, "HUB009", path, f"the stream {stream} has no start_from", hint, key=True)
    for capability in _keys(checked, ("effects_out",)):
        if capability not in connector.capabilities:
            message = f'the connector {name} does not offer "{capability}"'
            hint = did_you_mean(capability, connector.capabilities)
            yield _at(checked, "HUB007", ("effects_out", capability), message, hint, key=True)


def _entities(tree: Tree, entities: list[str]) -> Iterator[Finding]:
    places: list[tuple[Checked, Path_]] = [(tree.hub, ("seller", "default_entity"))]
    places += [(checked, ("seller_entity",)) for checked in tree.connections]
    for checked, path in places:
        entity = _get(checked, path)
        if isinstance(entity, str) and entity not in entities:
            yield _at(checked, "HUB016", path, f'there is no entity "{entity}"', did_you_mean(entity, entities))


def _location_ids(checked: Checked | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for index in _indexes(checked, ("locations",)):
        name = _get(checked, ("locations", index, "id"))
        if isinstance(name, str):
            found.setdefault(name, index)
    return found


def _locations(
    checked: Checked | None, ids: Mapping[str, Checked], connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Finding]:
    if checked is None:
        return
    first = _location_ids(checked)
    calendars = {*_keys(checked, ("calendars",)), *BUILT_IN_CALENDARS}
    for index in _indexes(checked, ("locations",)):
        path = ("locations", index)
        name = _get(checked, (*path, "id"))
        if isinstance(name, str) and first[name] != index:
            yield _at(checked, "HUB008", (*path, "id"), f'the location "{name}" exists already')
        for role in ("wms", "stock_authority"):
            connection = _get(checked, (*path, role))
            if isinstance(connection, str) and connection not in ids:
                message = f'the {role} of {name} is no connection: "{connection}"'
                yield _at(checked, "HUB013", (*path, role), message, did_you_mean(connection, ids))
        wms = _get(checked, (*path, "wms"))
        if isinstance(wms, str) and wms in ids:
            yield from _can_fulfil(checked, (*path, "wms"), wms, ids[wms], connectors)
        carrier = _get(checked, (*path, "labels", "carrier"))
        if isinstance(carrier, str):
            yield from _can_label(checked, (*path, "labels", "carrier"), carrier, ids)
        calendar = _get(checked, (*path, "calendar"))
        if isinstance(calendar, str) and calendar not in calendars:
            hint = did_you_mean(calendar, calendars)
            yield _at(checked, "HUB016", (*path, "calendar"), f'there is no calendar "{calendar}"', hint)
        zone = _get(checked, (*path, "zone"))
        if isinstance(zone, str) and zone not in zoneinfo.available_timezones():
            hint = did_you_mean(zone, zoneinfo.available_timezones())
            yield _at(checked, "HUB002", (*path, "zone"), f'"{zone}" is no time zone', hint)


def _can_fulfil(
    checked: Checked, path: Path_, wms: str, connection: Checked, connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Finding]:
    connector = connectors.get(_text(connection, "connector") or "")
    if connector is not None and "send_fulfilment_request" not in connector.capabilities:
        message = f'the connection "{wms}" takes no fulfilment requests: {connector.name} does not offer them'
        yield _at(checked, "HUB013", path, message)


def _can_label(checked: Checked, path: Path_, carrier: str, ids: Mapping[str, Checked]) -> Iterator[Finding]:
    if carrier not in ids:
        message = f'the carrier of the labels is no connection: "{carrier}"'
        yield _at(checked, "HUB013", path, message, did_you_mean(carrier, ids))
    elif "buy_label" not in _keys(ids[carrier], ("effects_out",)):
        yield _at(checked, "HUB013", path, f'the connection "{carrier}" buys no labels: effects_out has no buy_label')


def _location_maps(tree: Tree, locations: Mapping[str, int]) -> Iterator[Finding]:
    for checked in tree.connections:
        for capability in _keys(checked, ("effects_out",)):
            path = ("effects_out", capability, "location_map")
            for theirs in _keys(checked, path):
                ours = _get(checked, (*path, theirs))
                if isinstance(ours, str) and ours not in locations:
                    hint = did_you_mean(ours, locations)
                    yield _at(checked, "HUB016", (*path, theirs), f'there is no location "{ours}"', hint)


def _routing(checked: Checked, locations: Mapping[str, int]) -> Iterator[Finding]:
    strategies = {*_keys(checked, ("strategies",)), *BUILT_IN_STRATEGIES}
    seen: set[str] = set()
    for index in _indexes(checked, ("rules",)):
        path = ("rules", index)
        name = _get(checked, (*path, "id"))
        if isinstance(name, str) and name in seen:
            yield _at(checked, "HUB008", (*path, "id"), f'the rule "{name}" exists already')
        seen.add(str(name))
        when = _get(checked, (*path, "when"))
        if isinstance(when, str):
            yield from _condition(checked, (*path, "when"), when)
        yield from _strategy(checked, (*path, "use"), strategies)
    yield from _strategy(checked, ("fallback", "use"), strategies)
    for strategy in _keys(checked, ("strategies",)):
        for index in _indexes(checked, ("strategies", strategy, "locations")):
            place = ("strategies", strategy, "locations", index)
            ours = _get(checked, place)
            if isinstance(ours, str) and ours not in locations:
                yield _at(checked, "HUB016", place, f'there is no location "{ours}"', did_you_mean(ours, locations))


def _strategy(checked: Checked, path: Path_, strategies: set[str]) -> Iterator[Finding]:
    use = _get(checked, path)
    if isinstance(use, str) and use not in strategies:
        yield _at(checked, "HUB012", path, f'there is no strategy "{use}"', did_you_mean(use, strategies))


def _condition(checked: Checked, path: Path_, when: str) -> Iterator[Finding]:
    try:
        parsed = jmespath.compile(when).parsed
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0].rstrip(":")
        yield _at(checked, "HUB017", path, f"this is no JMESPath: {reason}")
        return
    if _holds_float(parsed):
        hint = "compare with a whole number"
        yield _at(checked, "HUB017", path, "a literal with a point would be compared as binary floating point", hint)


def _holds_float(node: object) -> bool:
    if isinstance(node, dict):
        if node.get("type") == "literal":
            return _holds_float_value(node.get("value"))
        return any(_holds_float(child) for child in node.get("children", ()))
    return isinstance(node, list) and any(_holds_float(child) for child in node)


def _holds_float_value(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_float_value(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_holds_float_value(inner) for inner in value)
    return isinstance(value, float)


def _policies(checked: Checked, ids: Mapping[str, Checked]) -> Iterator[Finding]:
    for path, also in (
        (("grace", "channels"), ()),
        (("payment", "managed_by"), ()),
        (("promise", "threshold"), ("default",)),
        (("promise", "share"), ("default",)),
    ):
        for name in _keys(checked, path):
            if name not in ids and name not in also:
                message = f'there is no connection "{name}"'
                yield _at(checked, "HUB016", (*path, name), message, did_you_mean(name, ids), key=True)
    erp = _get(checked, ("erp", "submit_to"))
    if isinstance(erp, str) and erp not in ids:
        yield _at(checked, "HUB016", ("erp", "submit_to"), f'there is no connection "{erp}"', did_you_mean(erp, ids))


def _at(checked: Checked, rule: str, path: Path_, message: str, hint: str = "", *, key: bool = False) -> Finding:
    return finding(rule, _file(checked), checked.document.mark(path, key=key), message, hint)


def _file(checked: Checked) -> str:
    return checked.document.file


def _get(checked: Checked | None, path: Path_) -> Plain:
    """The value as written (a schema finding may have been made about it), or None."""
    node: Plain = None if checked is None else checked.written
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _text(checked: Checked, name: str) -> str | None:
    value = _get(checked, (name,))
    return value if isinstance(value, str) else None


def _keys(checked: Checked, path: Path_) -> list[str]:
    value = _get(checked, path)
    return list(value) if isinstance(value, dict) else []


def _indexes(checked: Checked | None, path: Path_) -> range:
    value = _get(checked, path)
    return range(len(value)) if isinstance(value, list) else range(0)
