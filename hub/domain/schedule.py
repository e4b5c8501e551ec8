"""When goods leave a location: its working days, the time of day until which they still leave, its zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field

HORIZON_DAYS = 60
"""A location without a working day in so many does not work."""
STANDARD = "standard"
"""The service level whose cut-off counts where a level has none of its own."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`zone`: IANA. `days`: working days, 0 is Monday. `closed`: dates in ISO form. `cut_offs`: local times by service
    level; without one goods leave on the same day at any hour."""

    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(7))
    closed: frozenset[str] = frozenset()
    cut_offs: Mapping[str, dt.time] = field(default_factory=dict)

    def today(self, now: dt.datetime) -> dt.date:
        """The date there."""
        return self.local(now).date()

    def tomorrow(self, now: dt.datetime) -> dt.datetime:
        """The instant at which the next date begins there; where clocks skip midnight, when they do."""
        day = self.today(now) + dt.timedelta(days=1)
        return dt.datetime.combine(day, dt.time(), zoneinfo.ZoneInfo(self.zone)).astimezone(dt.UTC)

    def local(self, now: dt.datetime) -> dt.datetime:
        return now.astimezone(zoneinfo.ZoneInfo(self.zone))

    def works_on(self, day: dt.date) -> bool:
        return day.weekday() in self.days and day.isoformat() not in self.closed

    def leaves_on(self, now: dt.datetime, service: str = STANDARD) -> dt.date | None:
        """The day on which an order that is released now leaves; None if the location does not work."""
        local = self.local(now)
        cut_off = self.cut_offs.get(service, self.cut_offs.get(STANDARD))
        day = local.date()
        if cut_off is not None and local.time() > cut_off:
            day += dt.timedelta(days=1)
        for _ in range(HORIZON_DAYS):
            if self.works_on(day):
                return day
            day += dt.timedelta(days=1)
        return None
