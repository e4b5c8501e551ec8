"""Slots: the same for everybody, through daylight saving, restarts and late wake-ups."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest

from hub.domain.ids import IdSource
from hub.exchange.schedules import Policy, Schedule, enqueue_due, next_slot, slots
from hub.store.open import SimulatedDatabase
from hub.store.sql_store import SqlStore
from hub.store.writer import Hooks
from tests.conftest import SettableClock


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def nightly(hour: int, minute: int = 0, zone: str = "Europe/Berlin", policy: Policy = Policy.LATEST) -> Schedule:
    return Schedule("nightly", "report", cron=f"{minute} {hour} * * *", zone=zone, policy=policy)


def berlin(found: list[dt.datetime]) -> list[str]:
    return [slot.astimezone(ZoneInfo("Europe/Berlin")).isoformat() for slot in found]


def test_interval_slots_count_from_a_common_epoch_whenever_the_hub_started() -> None:
    schedule = Schedule("poll", "poll", every_seconds=600)
    early = list(slots(schedule, utc("2026-03-02T09:03:00"), utc("2026-03-02T09:30:00")))
    late = list(slots(schedule, utc("2026-03-02T09:09:59"), utc("2026-03-02T09:30:00")))
    assert early == late == [utc("2026-03-02T09:10:00"), utc("2026-03-02T09:20:00"), utc("2026-03-02T09:30:00")]


def test_a_slot_is_after_its_start_and_up_to_its_end() -> None:
    schedule = Schedule("poll", "poll", every_seconds=60)
    assert list(slots(schedule, utc("2026-03-02T09:00:00"), utc("2026-03-02T09:01:00"))) == [utc("2026-03-02T09:01:00")]


def test_a_cron_slot_keeps_its_wall_time_over_the_change_to_summer() -> None:
    found = list(slots(nightly(6), utc("2026-03-27T12:00:00"), utc("2026-03-30T12:00:00")))
    assert berlin(found) == [
        "2026-03-28T06:00:00+01:00",
        "2026-03-29T06:00:00+02:00",
        "2026-03-30T06:00:00+02:00",
    ]


def test_a_wall_time_that_does_not_exist_makes_at_most_one_slot_that_day() -> None:
    found = list(slots(nightly(2, 30), utc("2026-03-27T12:00:00"), utc("2026-03-30T12:00:00")))
    days = [slot.astimezone(ZoneInfo("Europe/Berlin")).date() for slot in found]
    assert len(days) == len(set(days))
    assert {dt.date(2026, 3, 28), dt.date(2026, 3, 30)} <= set(days)


def test_a_wall_time_that_comes_twice_makes_one_slot() -> None:
    found = list(slots(nightly(2, 30), utc("2026-10-24T12:00:00"), utc("2026-10-26T12:00:00")))
    assert berlin(found) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_wall_time_that_comes_twice_makes_one_slot_also_when_asked_in_between() -> None:
    """The last slot was enqueued; the hub looks again within the repeated hour, and after it."""
    first = utc("2026-10-25T00:30:00")
    assert list(slots(nightly(2, 30), first, utc("2026-10-25T01:30:00"))) == []
    assert list(slots(nightly(2, 30), first, utc("2026-10-25T02:00:00"))) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
def test_cut_into_any_pieces_a_year_has_the_same_slots(zone: str) -> None:
    schedule = nightly(2, 30, zone)
    start, end = utc("2026-01-01T00:00:00"), utc("2027-01-01T00:00:00")
    whole = list(slots(schedule, start, end))
    pieces: list[dt.datetime] = []
    at, source = start, random.Random(3)
    while at < end:
        until = min(end, at + dt.timedelta(minutes=source.choice([7, 45, 60, 1440, 10_000])))
        pieces += slots(schedule, at, until)
        at = until
    assert pieces == whole
    assert 364 <= len(whole) <= 366


def test_a_leap_day_has_its_slot_and_the_next_one_is_four_years_off() -> None:
    schedule = Schedule("leap", "report", cron="0 0 29 2 *")
    assert next_slot(schedule, utc("2026-03-01T00:00:00")) == utc("2028-02-29T00:00:00")


# --- policies, on a real store ---


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(utc("2026-03-02T09:00:00"))


@pytest.fixture
def store(clock: SettableClock) -> SqlStore:
    return SimulatedDatabase(clock=clock, ids=IdSource(random.Random(1)), hooks=Hooks()).open()


def states(store: SqlStore) -> list[str]:
    with store.read() as snapshot:
        return [row["state"] for row in snapshot.rows("schedule_slots", {}, order_by=("slot",))]


@pytest.mark.parametrize(
    ("policy", "made", "expected"),
    [
        (Policy.ALL, 5, ["queued"] * 6),
        (Policy.LATEST, 1, ["queued", *["skipped"] * 4, "queued"]),
        (Policy.NONE, 0, ["queued", *["skipped"] * 5]),
    ],
)
def test_slots_that_passed_unseen_follow_the_policy(
    store: SqlStore, clock: SettableClock, policy: Policy, made: int, expected: list[str]
) -> None:
    schedule = Schedule("hourly", "report", every_seconds=3600, policy=policy)
    assert enqueue_due(store, schedule, clock.now()) == 1
    finish_all(store)
    clock.advance(5 * 3600 + 600)
    assert enqueue_due(store, schedule, clock.now()) == made
    assert states(store) == expected


def finish_all(store: SqlStore) -> None:
    from hub.domain.writeset import WriteSet

    writes = WriteSet()
    writes.update("tasks", {"state": "pending"}, {"state": "done"}, expect=None)
    store.apply([writes])


def test_policy_none_runs_a_slot_that_is_on_time(store: SqlStore, clock: SettableClock) -> None:
    schedule = Schedule("hourly", "report", every_seconds=3600, policy=Policy.NONE)
    enqueue_due(store, schedule, clock.now())
    finish_all(store)
    clock.advance(3630)
    assert enqueue_due(store, schedule, clock.now()) == 1


def test_a_second_look_at_the_same_moment_makes_nothing(store: SqlStore, clock: SettableClock) -> None:
    schedule = Schedule("hourly", "report", every_seconds=3600)
    assert [enqueue_due(store, schedule, clock.now()) for _ in range(3)] == [1, 0, 0]


def test_a_clock_set_back_makes_no_slot_twice(store: SqlStore, clock: SettableClock) -> None:
    schedule = Schedule("hourly", "report", every_seconds=3600)
    enqueue_due(store, schedule, clock.now())
    clock.advance(-7200)
    assert enqueue_due(store, schedule, clock.now()) == 0
    clock.advance(7200)
    assert enqueue_due(store, schedule, clock.now()) == 0


def test_a_long_absence_is_caught_up_in_bounded_rounds(store: SqlStore, clock: SettableClock) -> None:
    schedule = Schedule("minutely", "report", every_seconds=60, policy=Policy.ALL)
    enqueue_due(store, schedule, clock.now())
    clock.advance(1500 * 60)
    assert [enqueue_due(store, schedule, clock.now()) for _ in range(3)] == [1000, 500, 0]
