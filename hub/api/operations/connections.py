"""The configured connections: look, check, pause, resume."""

from __future__ import annotations

from typing import Any

from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.problems import Problem
from hub.views.work import connection_states, waiting_reads


def list_(call: Call) -> Answer:
    return Answer({"items": _rows(call)})


def get(call: Call, connection: str) -> Answer:
    _there(call, connection)
    return Answer(next(row for row in _rows(call) if row["id"] == connection))


def check(call: Call, connection: str) -> Answer:
    _there(call, connection)
    return Answer(call.act("connections.check", connection=connection))


def pause(call: Call, connection: str) -> Answer:
    _there(call, connection)
    return Answer(call.act("connections.pause", connection=connection, reason=call.body["reason"]))


def resume(call: Call, connection: str) -> Answer:
    _there(call, connection)
    done = call.act("connections.resume", connection=connection)
    return Answer({**done, "deliveries": int(done["deliveries"]), "oldest_seconds": int(done["oldest_seconds"])})


def _there(call: Call, connection: str) -> None:
    if connection not in call.hub.loaded.bundle.connections:
        raise Problem("not-found", f"There is no connection {connection}")


def _rows(call: Call) -> list[dict[str, Any]]:
    with call.reading() as reading:
        states = {row["connection"]: row for row in connection_states(reading)}
        waiting = waiting_reads(reading, call.hub.clock.now())
    return [
        {
            "id": one.id,
            "connector": one.connector,
            "title": one.title,
            "effects": one.effects.value,
            "streams": list(one.streams),
            "effects_out": list(one.effects_out),
            "paused": one.id in states and states[one.id]["paused"],
            "paused_reason": states[one.id]["paused_reason"] if one.id in states else None,
            "breaker": states[one.id]["breaker"] if one.id in states else None,
            "waiting": [row for row in waiting if row["connection"] == one.id],
        }
        for one in call.hub.loaded.bundle.connections.values()
    ]
