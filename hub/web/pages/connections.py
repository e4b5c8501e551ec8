"""Connections: whether each is well, what it reads and gets, pausing, resuming, and asking the system itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.runtime.control import ActionRefused
from hub.views import dashboard
from hub.views.work import connection_states, waiting_reads
from hub.web.request import Answer, Go, Page, Request, Stop, get, post

if TYPE_CHECKING:
    from sqlalchemy import Connection

ID = "(?P<connection>[^/]{1,200})"


def health(request: Request, reading: Connection) -> list[dict[str, Any]]:
    """Every configured connection with what is known of it."""
    states = {row["connection"]: row for row in connection_states(reading)}
    work = dashboard.work_by_connection(reading)
    read = dashboard.last_read(reading)
    waiting = waiting_reads(reading, request.hub.clock.now())
    return [
        {
            "id": one.id,
            "title": one.title,
            "connector": one.connector,
            "effects": one.effects.value,
            "streams": list(one.streams),
            "effects_out": list(one.effects_out),
            "paused": bool(states.get(one.id, {}).get("paused")),
            "paused_reason": states.get(one.id, {}).get("paused_reason"),
            "breaker": states.get(one.id, {}).get("breaker"),
            "states": work.get(one.id, {}).get("states", {}),
            "oldest": work.get(one.id, {}).get("oldest"),
            "last_read": read.get(one.id),
            "waiting": [row for row in waiting if row["connection"] == one.id],
        }
        for one in request.hub.loaded.bundle.connections.values()
    ]


def connections(request: Request) -> Answer:
    with request.reading() as reading:
        return Page("connections.html", {"connections": health(request, reading)})


def connection(request: Request) -> Answer:
    name = _known(request)
    with request.reading() as reading:
        found = next(row for row in health(request, reading) if row["id"] == name)
        suppressed = dashboard.suppressed(reading, name, 100)
        audited = dashboard.audited(reading, name)
    values = {"connection": found, "suppressed": suppressed, "audited": audited, "probes": None}
    return Page("connection.html", values)


def check(request: Request) -> Answer:
    """The answer is a page of its own, so that what each probe said can be read."""
    name = _known(request)
    try:
        done = request.act("connections.check", connection=name)
    except ActionRefused as error:
        return Go(f"/connections/{name}", str(error), good=False)
    with request.reading() as reading:
        found = next(row for row in health(request, reading) if row["id"] == name)
        suppressed = dashboard.suppressed(reading, name, 100)
        audited = dashboard.audited(reading, name)
    values = {"connection": found, "suppressed": suppressed, "audited": audited, "probes": done}
    return Page("connection.html", values)


def checked(request: Request) -> Answer:
    """Somebody came back to the address of a check: the page itself."""
    return Go(f"/connections/{_known(request)}")


def pause(request: Request) -> Answer:
    name = _known(request)
    return request.do(
        f"/connections/{name}", "connections.pause", connection=name, reason=request.given("reason", "why")
    )


def resume(request: Request) -> Answer:
    name = _known(request)
    return request.do(f"/connections/{name}", "connections.resume", connection=name)


def _known(request: Request) -> str:
    name = request.params["connection"]
    if name not in request.hub.loaded.bundle.connections:
        raise Stop(404, "There is no such connection.")
    return name


ROUTES = (
    get("/connections", connections, "monitor"),
    get(f"/connections/{ID}", connection, "monitor"),
    get(f"/connections/{ID}/check", checked, "monitor"),
    post(f"/connections/{ID}/check", check, "operate"),
    post(f"/connections/{ID}/pause", pause, "operate"),
    post(f"/connections/{ID}/resume", resume, "operate"),
)
