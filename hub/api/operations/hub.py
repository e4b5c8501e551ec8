"""The hub itself: what is in which state, what the clock does, whether its promises hold."""

from __future__ import annotations

from typing import Any

from hub import __version__
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.exchange.schedules import next_slot
from hub.runtime.hub import schedules_of
from hub.views.jobs import list_jobs, show_job
from hub.views.verify import summary
from hub.views.verify import verify as recompute
from hub.views.work import counts, deliveries_by_destination, last_slots, paused_connections, waiting_reads

JOBS = "/v1/jobs"


def status(call: Call) -> Answer:
    with call.reading() as connection:
        state: dict[str, Any] = {
            "counts": counts(connection),
            "deliveries": deliveries_by_destination(connection),
            "paused": paused_connections(connection),
            "waiting": waiting_reads(connection, call.hub.clock.now()),
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


def jobs(call: Call, limit: int = 50, cursor: str | None = None, state: str | None = None) -> Answer:
    filters = {"state": state}
    before = after(cursor, JOBS, filters, 1)
    with call.reading() as connection:
        found = list_jobs(connection, state=state, before=before[0] if before else None, limit=limit + 1)
    return Answer(page(found, limit, JOBS, filters, lambda row: [row["id"]]))


def job(call: Call, job: str) -> Answer:
    with call.reading() as connection:
        found = show_job(connection, job)
    if found is None:
        raise Problem("not-found", f"There is no job {job}")
    return Answer(found)
