"""What a location can still take today, by its own date, and that decisions made at the same moment do not pass it.

Counted are the fulfilment orders themselves. Near the end of a day's capacity each decision claims the day: of two that
saw the same count one is applied, the other is computed anew.
"""

from __future__ import annotations

from hub.domain.fulfilment import WorkState
from hub.domain.writeset import Insert, Update
from hub.oms.desk.load import Case
from hub.oms.ports import LocationRule

COUNTED = tuple(state.value for state in WorkState if state not in (WorkState.REJECTED, WorkState.CANCELLED))
"""States of work that uses its location's day: what was given back or cancelled as a whole uses nothing."""
CLAIMED_BELOW = 200
"""More than are decided at one moment (processes by the size of a batch). Above it nobody has to claim the day, which
costs a decision that meets another one to be made again."""


def capacity_left(case: Case, rule: LocationRule) -> int | None:
    """Fulfilment orders that the location can still take today; None where it takes any number."""
    if rule.capacity_per_day is None:
        return None
    where = {"location": rule.id, "planned_on": rule.schedule.today(case.now).isoformat(), "state": COUNTED}
    return rule.capacity_per_day - case.snapshot.count("fulfilment_orders", where)


def claim_day(case: Case, rule: LocationRule) -> None:
    """Work is planned there now: nobody else's decision may have used up the day since this one looked."""
    left = capacity_left(case, rule)
    if left is None or left >= CLAIMED_BELOW:
        return
    where = {"location": rule.id, "day": rule.schedule.today(case.now).isoformat()}
    known = case.snapshot.row("location_days", where)
    claim = (
        Insert("location_days", {**where, "version": 1}, claim=True)
        if known is None
        else Update("location_days", {**where, "version": known["version"]}, {"version": known["version"] + 1})
    )
    if claim not in case.decision.writes.operations:  # once, however much of it this decision plans there
        case.decision.writes.operations.append(claim)
