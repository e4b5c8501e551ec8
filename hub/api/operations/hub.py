"""The hub itself: what is in which state, what the clock does, whether its promises hold."""

from __future__ import annotations

from typing import Any

from hub import __version__
from hub.api.answers import Answer
from hub.api.call import Call
from hub.exchange.schedules import next_slot
from hub.runtime.hub import schedules_of
from hub.views.verify import summary
from hub.views.verify import verify as recompute
from hub.views.work import counts, deliveries_by_destination, last_slots, paused_connections


def status(call: Call) -> Answer:
    with call.reading() as connection:
        state: dict[str, Any] = {
            "counts": counts(connection),
            "deliveries": deliveries_by_destination(connection),
            "paused": paused_connections(connection),
        }
    return Answer({"version": __version__, "revision": call.hub.loaded.bundle.revision, **state})


def verify(call: Call) -> Answer:
    with call.reading() as connection:
        found = recompute(connection)
        looked_at = summary(connection)
    return Answer({"ok": not found, "items": found, "checked": looked_at})


def schedules(call: Call) -> Answer:
    now = call.hub.clock.now()
    with call.reading() as connection:
        last = last_slots(connection)
    rows = [
        {
            "id": one.id,
            "kind": one.kind,
            "subject": one.subject,
            "every_seconds": None if one.every_seconds is None else f"{one.every_seconds:g}",
            "cron": one.cron,
            "zone": one.zone,
            "policy": one.policy.value,
            "last_slot": last.get(one.id),
            "next_slot": next_slot(one, now),
        }
        for one in schedules_of(call.hub.loaded.bundle)
    ]
    return Answer({"items": rows})
