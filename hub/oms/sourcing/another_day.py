"""What nobody can take today although it is there: its location is full, or nothing more leaves there. It waits, and is
looked at again when the next day begins at that location; first those who are first in the queue."""

from __future__ import annotations

import datetime as dt

from hub.domain.decision import TaskRequest
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.desk.waiting import free_after, waiting_ahead
from hub.oms.sourcing.source import Sourcing

ONE_AFTER_THE_OTHER = dt.timedelta(milliseconds=10)


def opens_again(case: Case, sourcing: Sourcing) -> dt.datetime | None:
    """When a location may be asked that has what is missing and was left out for a reason of its day; None: no such."""
    until = {one.location: one.until for one in sourcing.exclusions if one.until is not None}
    if not until:
        return None
    free = [free_after(case, sku) for sku in sourcing.plan.unfilled]
    return min((at for location, at in until.items() if any(one.get(location, 0) > 0 for one in free)), default=None)


def look_when_it_opens(case: Case, sourcing: Sourcing, at: dt.datetime) -> None:
    """Allocate once more on that day."""
    ahead = max((waiting_ahead(case, sku) for sku in sourcing.plan.unfilled), default=0)
    key = f"allocate/{case.order.id}/opens/{instant_text(at)}"
    case.decision.tasks.append(TaskRequest("allocate", case.order.id, at + ahead * ONE_AFTER_THE_OTHER, key))
