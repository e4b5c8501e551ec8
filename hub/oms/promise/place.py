"""An order's place in the queue of those who wait for goods."""

from __future__ import annotations

import functools
from typing import Any

import jmespath

from hub.domain.backorder import LAST_RANK, Fairness, place_in_queue
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant
from hub.oms.sourcing.routing import facts_of

_DUE = ("promised_by", "requested_by", "ship_by", "cancel_by")


def place_of(case: Case) -> str:
    """The order's place in every queue, by the declared fairness."""
    order, policy = case.order, case.rules.backorders
    fairness = Fairness(policy.fairness)
    captured_at = order.created_at or case.now
    due, rank = None, LAST_RANK
    if fairness is Fairness.PROMISED_DATE:
        dates = [instant(line.details.get(name)) for line in order.lines for name in _DUE]
        due = min((date for date in dates if date is not None), default=None)
    elif fairness is Fairness.PRIORITY:
        facts = facts_of(case)
        rank = next((rank for when, rank in policy.priority if _compiled(when).search(facts)), LAST_RANK)
    return place_in_queue(
        fairness, order.placed_at or captured_at, captured_at, order.id, due=due, value=order.total, rank=rank
    )


@functools.lru_cache(maxsize=256)
def _compiled(when: str) -> Any:
    return jmespath.compile(when)
