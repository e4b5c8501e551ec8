"""Pausing and resuming a connection."""

from __future__ import annotations

from typing import Any

from hub.exchange import gates
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub


def _known(hub: Hub, connection: str) -> None:
    if connection not in hub.connections.ids():
        raise Refused(f"There is no connection {connection!r}; there are {', '.join(hub.connections.ids())}")


def pause(hub: Hub, who: str, connection: str, reason: str = "") -> dict[str, Any]:
    _known(hub, connection)
    words = reason or "paused by a person"
    hub.commit(lambda writer: gates.pause_by_person(writer.snapshot, connection, words, who, writer.now), connection)
    hub.engine.gates.refresh()
    return {"connection": connection, "message": f"{connection} is paused; its work waits"}


def held(hub: Hub, who: str, connection: str) -> dict[str, Any]:
    """What a connection holds back and how old it is; changes nothing."""
    del who
    _known(hub, connection)
    now = hub.clock.now()
    with hub.store.read() as snapshot:
        found = gates.held(snapshot, connection, now)
        rows = snapshot.rows("deliveries", {"destination": connection, "state": ("pending", "retry")})
        state = snapshot.row("connection_states", {"connection": connection})
        paused = state is not None and bool(state["paused"])
        gone = {"destination": connection, "state": ("withdrawn", "coalesced")}
        since = state["updated_at"] if state is not None and paused else now
        dropped = sum(1 for row in snapshot.rows("deliveries", gone) if (row["settled_at"] or now) >= since)
    by_kind: dict[str, int] = {}
    for row in rows:
        by_kind[row["capability"]] = by_kind.get(row["capability"], 0) + 1
    waited = f"{found['deliveries']:.0f} deliveries wait, the oldest {found['oldest_seconds']:.0f} s old"
    words = f"{connection}: {waited if rows else 'nothing waits'}"
    words += f"; {dropped} became pointless while it was paused and are not sent" if dropped else ""
    return {
        "connection": connection,
        "paused": paused,
        **found,
        "by_kind": by_kind,
        "dropped": dropped,
        "message": words,
    }


def resume(hub: Hub, who: str, connection: str, reason: str = "") -> dict[str, Any]:
    """Go on with what still makes sense: what was withdrawn or replaced meanwhile has left the queue already."""
    del reason
    found = held(hub, who, connection)
    hub.commit(lambda writer: gates.resume_rows(writer.snapshot, connection, who, writer.now), connection)
    hub.engine.gates.refresh()
    if not found["deliveries"]:
        words = f"{connection} goes on; nothing waited"
    else:
        waited = f"{found['deliveries']:.0f} deliveries, the oldest {found['oldest_seconds']:.0f} s old"
        words = f"{connection} goes on with {waited}"
    words += f"; {found['dropped']} became pointless meanwhile and are not sent" if found["dropped"] else ""
    shown = {name: found[name] for name in ("deliveries", "oldest_seconds", "by_kind", "dropped")}
    return {"connection": connection, **shown, "message": words}


def check(hub: Hub, who: str, connection: str) -> dict[str, Any]:
    """Ask the system itself, without side effects; one line a probe."""
    del who
    _known(hub, connection)
    view = hub.connections.get(connection)
    assert view is not None
    report = view.connector.check()
    probes = [{"probe": probe.name, "ok": probe.ok, "detail": probe.detail} for probe in report.probes]
    words = f"{connection} answers" if report.ok else f"{connection} does not answer as it should"
    return {"connection": connection, "ok": report.ok, "probes": probes, "message": words}
