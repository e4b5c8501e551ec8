"""What time does to holds: boxes that end, and a second look at what another process may not have seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from hub.domain.decision import Decision, DueTask, TaskRequest, Verdict
from hub.domain.events import Fact
from hub.domain.order import Hold
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import cancel_whole, settle_cancel
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.hold_box import CANCEL, RELEASE, still_boxed
from hub.oms.intake.holds import RECHECKED, recheck_holds, release, release_known_skus
from hub.oms.ports import Rules

TIME_BOX = "time box"
MOST = 1_000_000


def handle_hold_box(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `hold_box`: subject is the order, `hold` the hold whose time is over."""

    def end_of_box(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        placed_at = str(task.payload["placed_at"])
        held = [one for one in case.order.holds if one.id == task.payload["hold"] and still_boxed(one, placed_at, now)]
        if not held:
            return Decision(Verdict.IGNORED, subject=case.order.id, message="the hold does not stand any more")
        _end(case, held[0])
        return save(case)

    return end_of_box


def _end(case: Case, hold: Hold) -> None:
    if hold.then == RELEASE:
        release(case, hold, TIME_BOX)
        if case.acts and not case.order.open_holds():
            case.task("allocate", case.order.id, case.now)
    elif hold.then == CANCEL:
        reason = f"held for {hold.rule.replace('_', ' ')} until its time was over"
        cancel_whole(case, TIME_BOX, reason, instant_text(case.now))
        settle_cancel(case, reason)
        tell(case, Fact.ORDER_CHANGED)
    else:
        case.raise_exception(
            f"hold-overdue/{hold.id}",
            "hold_overdue",
            f"A hold stands for longer than it may: {hold.rule.replace('_', ' ')}",
            f"Placed {instant_text(hold.placed_at)}: {hold.hint}",
            "Remove the cause, release the order, or cancel it.",
            f"hub orders release {case.order.id} --reason WHY",
        )


def handle_recheck(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `recheck_holds`: subject is an order about which something else has changed."""

    def look_again(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None or not case.acts:
            return Decision(Verdict.IGNORED, message="there is nothing to do for the order")
        before = case.order.held
        release_known_skus(case)
        recheck_holds(case)
        if before and not case.order.open_holds():
            case.task("allocate", case.order.id, now)
        return save(case)

    return look_again


def handle_recheck_held(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `recheck_held`: the configuration is another one; every order that a rule holds is looked at again."""
    del rules

    def look_at_all(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        decision = Decision(subject=task.subject)
        where = {"rule": tuple(sorted(RECHECKED)), "released_at": None}
        for order in sorted({row["order_id"] for row in snapshot.rows("holds", where, limit=MOST)}):
            decision.tasks.append(TaskRequest("recheck_holds", order, now, f"recheck_holds/{order}/{task.id}"))
        return decision

    return look_at_all
