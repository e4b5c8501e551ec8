"""Reading a stream now instead of at its next slot, or once more from its beginning."""

from __future__ import annotations

from typing import Any

from hub.domain.decision import Decision, TaskRequest
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub


def sync(hub: Hub, who: str, connection: str, stream: str, again: bool = False) -> dict[str, Any]:
    """`again`: from the stream's start_from; what is known already is recognised and changes nothing."""
    view = hub.connections.get(connection)
    if view is None:
        raise Refused(f"There is no connection {connection!r}; there are {', '.join(hub.connections.ids())}")
    if stream not in view.streams:
        raise Refused(f"{connection} has no stream {stream!r}; it has {', '.join(view.streams) or 'none'}")
    if not hasattr(view.connector, "read"):
        raise Refused(f"{connection} cannot be asked for {stream}: it only tells by itself")
    now = hub.clock.now()
    cause = hub.ids.new("ac", now)
    payload = {"connection": connection, "stream": stream}
    name = f"{connection}|{stream}"
    if again:
        hub.store.accept([], cursor=(name, ""))

    def decide(*_: object) -> Decision:
        decision = Decision()
        decision.tasks.append(TaskRequest("poll", name, now, f"sync/{name}/{cause}", payload))
        audit(decision.writes, "connections.sync", connection, who, "", now, {"stream": stream, "again": again})
        return decision

    hub.commit_decision(decide, cause)
    hub.store.wake()
    how = " from its beginning" if again else ""
    words = f"{stream} of {connection} is read{how} as soon as a worker takes it up"
    return {"connection": connection, "stream": stream, "message": words}
