"""Schedules: which slots are due, and a task for each, slot and task in one transaction (docs: tasks and schedules).

Slots are computed here, so that every process and every restart finds the same: interval slots count from a common
epoch, cron slots are in the schedule's zone. Waking at the right moment is somebody else's work and may fail.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from hub.domain.decision import TaskRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.decisions import task_row
from hub.exchange.ports import Store

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MAX_SLOTS = 1_000
"""Slots enqueued at once; what is beyond them comes in the next round."""
ON_TIME_SECONDS = 60.0
REPEATED_HOURS = 3
"""No zone repeats more than so much of a day when it sets its clocks back."""


class Policy(enum.StrEnum):
    """What becomes of slots that passed while nobody looked: each one, only the latest, or none that is late."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either `every_seconds` or `cron` (five fields) with its `zone`. `kind`, `subject`, `payload` make the task."""

    id: str
    kind: str
    subject: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    every_seconds: float | None = None
    cron: str | None = None
    zone: str = "UTC"
    policy: Policy = Policy.LATEST


def slots(schedule: Schedule, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """The slots in (after, until], in UTC. A wall time that a zone skips has no slot, one it repeats has one slot."""
    if schedule.every_seconds is not None:
        every = dt.timedelta(seconds=schedule.every_seconds)
        slot = EPOCH + ((after - EPOCH) // every + 1) * every
        while slot <= until:
            yield slot
            slot += every
        return
    if schedule.cron is None:
        raise ValueError(f"schedule {schedule.id} has neither an interval nor a cron expression")
    yield from _cron_slots(schedule.cron, ZoneInfo(schedule.zone), after, until)


def _cron_slots(cron: str, zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    trigger = CronTrigger.from_crontab(cron, timezone=zone)
    # The hour that a zone repeats in autumn shows the same wall times twice; the first ones are meant. So that a
    # search that begins in the second hour knows of the first, every search begins earlier than it yields.
    at = after - dt.timedelta(hours=REPEATED_HOURS)
    seen: set[dt.datetime] = set()
    while at <= until:
        found = trigger.get_next_fire_time(None, at.astimezone(zone))
        if found is None:
            return
        slot = found.astimezone(dt.UTC)
        if slot > until:
            return
        wall = slot.astimezone(zone).replace(tzinfo=None, fold=0)
        if slot > after and wall not in seen:
            yield slot
        seen.add(wall)
        at = max(slot, at) + dt.timedelta(seconds=1)


def next_slot(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    """When the schedule is due next; None if never within five years."""
    return next(slots(schedule, after, after + dt.timedelta(days=5 * 366)), None)


def enqueue_due(store: Store, schedule: Schedule, now: dt.datetime) -> int:
    """Insert every slot in (last, now] by the schedule's policy; how many tasks were made.

    Somebody else who enqueued the same slots at the same moment wins, and this call makes none.
    """
    with store.read() as snapshot:
        last = snapshot.rows("schedule_slots", {"schedule": schedule.id}, order_by=("-slot",), limit=1)
        due = _due(schedule, last[0]["slot"] if last else None, now)
        if not due:
            return 0
        busy = schedule.policy is not Policy.ALL and _still_runs(snapshot, schedule)
    writes, made = _slot_rows(schedule, due, now, busy=busy)
    applied = store.apply([writes])[0].applied is Applied.APPLIED
    return made if applied else 0


def _due(schedule: Schedule, last: dt.datetime | None, now: dt.datetime) -> list[dt.datetime]:
    if last is not None:
        return list(islice(slots(schedule, last, now), MAX_SLOTS))
    # Seen for the first time: the slot that is running now, and nothing of the past.
    if schedule.every_seconds is not None:
        return list(slots(schedule, now - dt.timedelta(seconds=schedule.every_seconds), now))[-1:]
    return list(slots(schedule, now - dt.timedelta(seconds=ON_TIME_SECONDS), now))[-1:]


def _still_runs(snapshot: Snapshot, schedule: Schedule) -> bool:
    """The newest slot that made a task has not finished it."""
    queued = snapshot.rows("schedule_slots", {"schedule": schedule.id, "state": "queued"}, order_by=("-slot",), limit=1)
    if not queued or not queued[0]["task_id"]:
        return False
    task = snapshot.row("tasks", {"id": queued[0]["task_id"]})
    return task is not None and task["state"] in ("pending", "claimed")


def _slot_rows(schedule: Schedule, due: Sequence[dt.datetime], now: dt.datetime, *, busy: bool) -> tuple[WriteSet, int]:
    writes, made = WriteSet(), 0
    for slot in due:
        state, task_id = "skipped", None
        if _wanted(schedule, slot, due[-1], now):
            state = "coalesced" if busy else "queued"
        if state == "queued":
            request = TaskRequest(
                schedule.kind, schedule.subject, slot, f"schedule/{schedule.id}/{slot.isoformat()}", schedule.payload
            )
            row = task_row(request, now)
            task_id, made = row["id"], made + 1
            writes.insert("tasks", row, ignore=True)
        slot_row = {"schedule": schedule.id, "slot": slot, "task_id": task_id, "state": state, "created_at": now}
        writes.insert("schedule_slots", slot_row, claim=True)
    return writes, made


def _wanted(schedule: Schedule, slot: dt.datetime, latest: dt.datetime, now: dt.datetime) -> bool:
    if schedule.policy is Policy.ALL:
        return True
    if slot != latest:
        return False
    return schedule.policy is Policy.LATEST or (now - slot).total_seconds() <= ON_TIME_SECONDS
