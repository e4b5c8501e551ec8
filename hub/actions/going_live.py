"""Turning a connection's effects on: what that means is shown first, and the past is never sent unless it is listed.

A connection that observes writes its calls as suppressed, with their bytes. Going live changes `effects` in the
connection's file and adopts the configuration; from then on calls are sent. What was suppressed stays so, but for the
deliveries that a person lists.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.actions.deliveries import find
from hub.config.findings import ConfigErrors
from hub.config.model import EffectsMode
from hub.domain.snapshot import Snapshot
from hub.exchange import verbs
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub
from hub.runtime.lint import checked_configuration
from hub.runtime.revisions import Why

MOST_SHOWN = 1_000
_OBSERVES = re.compile(r"^(effects:[ \t]*)([\"']?)observe\2(?=[ \t]*(?:#.*)?$)", re.MULTILINE)


def plan(hub: Hub, who: str, connection: str, include: Sequence[str] = ()) -> dict[str, Any]:
    """What going live would mean; changes nothing."""
    del who
    with hub.store.read() as snapshot:
        return _plan(hub, snapshot, connection, include)


def go_live(hub: Hub, who: str, connection: str, include: Sequence[str] = (), reason: str = "") -> dict[str, Any]:
    """Effects on from now, and the listed suppressed deliveries sent. Raises Refused; then nothing was changed."""
    found = plan(hub, who, connection, include)
    if found["effects"] == EffectsMode.ON.value and not found["include"]:
        raise Refused(f"{connection} is live already; --include sends what was suppressed before")
    if found["effects"] == EffectsMode.OBSERVE.value:
        _turn_on(hub, who, connection, reason)
    listed = [row["id"] for row in found["include"]]
    if listed:
        hub.commit(lambda writer: verbs.go_live(writer, listed, who), f"go-live/{connection}")
    hub.store.wake()
    words = f"{connection} is live: calls are sent from now on"
    words += f", and {len(listed)} of the suppressed ones" if listed else ""
    left = found["suppressed"] - len(listed)
    words += f"; {left} from before stay unsent" if left else ""
    return {**found, "effects": EffectsMode.ON.value, "suppressed": left, "message": words}


def _plan(hub: Hub, snapshot: Snapshot, connection: str, include: Sequence[str]) -> dict[str, Any]:
    bundle = hub.loaded.bundle
    if connection not in bundle.connections:
        raise Refused(f"There is no connection {connection!r}; there are {', '.join(bundle.connections)}")
    now = hub.clock.now()
    waiting = snapshot.rows(
        "deliveries", {"destination": connection, "state": "suppressed"}, order_by=("created_at", "id")
    )
    observed = snapshot.rows("orders", {"channel": connection, "effects": EffectsMode.OBSERVE.value})
    for order in observed:
        rows = snapshot.rows("deliveries", {"order_id": order["id"], "state": "suppressed"})
        waiting += [row for row in rows if row["destination"] != connection]
    chosen = [_one(find(snapshot, reference), waiting, connection) for reference in include]
    listed = {str(row["id"]) for row in chosen}
    by_kind: dict[str, int] = {}
    for row in waiting:
        name = f"{row['destination']} {row['capability']}"
        by_kind[name] = by_kind.get(name, 0) + 1
    paused = snapshot.row("connection_states", {"connection": connection, "paused": True})
    return {
        "connection": connection,
        "effects": bundle.connections[connection].effects.value,
        "paused": paused is not None,
        "suppressed": len(waiting),
        "by_kind": by_kind,
        "oldest_seconds": int((now - waiting[0]["created_at"]).total_seconds()) if waiting else 0,
        "observed_orders": len(observed),
        "include": [_shown(snapshot, row, now, listed) for row in chosen],
        "not_sent": [_shown(snapshot, row, now, listed) for row in waiting[:MOST_SHOWN] if row["id"] not in listed],
        "message": f"{connection}: all new calls would be sent, and {len(chosen)} of {len(waiting)} suppressed ones",
    }


def _one(delivery: str, waiting: Sequence[dict[str, Any]], connection: str) -> dict[str, Any]:
    for row in waiting:
        if row["id"] == delivery:
            return row
    raise Refused(f"{delivery} is no suppressed delivery of {connection}")


def _shown(snapshot: Snapshot, row: dict[str, Any], now: dt.datetime, listed: set[str]) -> dict[str, Any]:
    """`needs`: calls that must have succeeded before and have not; sending this one alone would block it."""
    needs = []
    for key in row["requires"] if row["id"] in listed else ():
        other = snapshot.row("deliveries", {"business_key": key})
        if other is not None and other["state"] == "suppressed" and other["id"] not in listed:
            needs.append(str(key))
    return {
        "id": row["id"],
        "destination": row["destination"],
        "capability": row["capability"],
        "business_key": row["business_key"],
        "order_id": row["order_id"],
        "age_seconds": int((now - row["created_at"]).total_seconds()),
        "needs": needs,
    }


def _turn_on(hub: Hub, who: str, connection: str, reason: str) -> None:
    """In the file and in the running hub, or in neither."""
    path = hub.place.config / "connections" / f"{connection}.yaml"
    by_hand = f"Write `effects: on` into {path.name} yourself and run `hub config apply`"
    _no_other_changes(hub)
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}. {by_hand}") from error
    after, changed = _OBSERVES.subn(r"\g<1>on", before)
    if changed != 1:
        raise Refused(f"{path} does not say `effects: observe` on a line of its own. {by_hand}")
    try:
        _write(path, after)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}. {by_hand}") from error
    try:
        hub.adopt(Why(who, "connections.go-live", reason))
    except ConfigErrors as error:
        _write(path, before)
        raise Refused(f"the configuration with effects on has faults; nothing was changed:\n{error}") from error


def _no_other_changes(hub: Hub) -> None:
    """Going live adopts the files: they must say nothing else that is new."""
    try:
        files = checked_configuration(hub.place.config, hub.environ)
    except ConfigErrors as error:
        raise Refused(f"the configuration has faults; mend them first (`hub config check`):\n{error}") from error
    if files.bundle.revision != hub.loaded.bundle.revision:
        raise Refused("the files hold changes that are not in force; look at them and run `hub config apply` first")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, with the rights that the file has."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(path.stat().st_mode & 0o777)
    fresh.replace(path)
