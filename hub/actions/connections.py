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


def resume(hub: Hub, who: str, connection: str, reason: str = "") -> dict[str, Any]:
    del reason
    _known(hub, connection)
    with hub.store.read() as snapshot:
        held = gates.held(snapshot, connection, hub.clock.now())
    hub.commit(lambda writer: gates.resume_rows(writer.snapshot, connection, who, writer.now), connection)
    hub.engine.gates.refresh()
    waited = f" with {held['deliveries']:.0f} deliveries, the oldest {held['oldest_seconds']:.0f} s old"
    words = f"{connection} goes on" + (waited if held["deliveries"] else "; nothing waited")
    return {"connection": connection, **held, "message": words}


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
