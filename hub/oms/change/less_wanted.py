"""An order that became smaller at its channel after the goods had left.

Usually a refund or a return says why, in a message of its own that often comes later. So nobody is told at once: the
task `less_wanted` looks an hour later, and what nothing has explained by then is shown to a person.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.money import units_text
from hub.domain.snapshot import Snapshot
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.ports import Rules

EXPLAINED_WITHIN = dt.timedelta(hours=1)
RAISED = "less-wanted/"


def expect_a_reason(case: Case, left: Decimal, changed: bool) -> None:
    """`left`: units that are not wanted any more and have left. `changed`: what is wanted has just changed."""
    if left <= 0:
        case.clear_exception(RAISED, "explained")
    elif changed and case.acts:
        case.task("less_wanted", case.order.id, case.now + EXPLAINED_WITHIN)


def handle_less_wanted(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `less_wanted`: subject is the order."""

    def less_wanted(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        left = reconcile(case)
        if left <= 0 or case.order.cancelled:
            return Decision(Verdict.IGNORED, subject=case.order.id, message="it was explained in the meantime")
        case.raise_exception(
            f"{RAISED}{case.order.id}",
            "less_wanted",
            "The channel wants less than has left",
            f"{units_text(left)} left before the channel lowered the order; no refund or return explains it.",
            "Agree on a return with the customer, or charge what was kept. It clears when a refund or return says why.",
            f"hub orders show {case.order.id}",
        )
        return save(case)

    return less_wanted
