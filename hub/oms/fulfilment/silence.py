"""Locations that do not answer, or do not get on: a person is told. Silence frees nothing, however long it lasts.

The task `silence` looks at a fulfilment order three times: when its request should have been answered, when a request
not to send something should have been, and when it should have left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.fulfilment import FINISHED, FulfilmentOrder, WorkState
from hub.domain.money import decimal_text
from hub.domain.snapshot import Snapshot
from hub.oms.change.reconcile import ask
from hub.oms.desk.load import Case
from hub.oms.desk.save import save
from hub.oms.fulfilment.work import open_work
from hub.oms.ports import Rules
from hub.oms.telling.outgoing import is_suppressed

SILENT = (WorkState.PLANNED, WorkState.SENT, WorkState.UNKNOWN)
STANDS = (*FINISHED, WorkState.READY, WorkState.IN_TRANSIT)
"""It has left, or what it waits for has an alarm of its own."""
LATE = "late"
"""Of a task: the work should have left by now."""


def watch_work(case: Case, work: FulfilmentOrder) -> None:
    """It was planned this moment."""
    case.task("silence", work.id, case.now + dt.timedelta(hours=case.rules.silence_hours))
    if case.rules.ship_within:
        case.task("silence", work.id, case.now + case.rules.ship_within, LATE, payload={LATE: True})


def handle_silence(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `silence`: subject is a fulfilment order."""

    def silence_task(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_work(snapshot, rules, now, task.id, task.subject)
        if found is None:
            return Decision(Verdict.IGNORED, message="there is no such fulfilment order any more")
        case, work = found
        if work.state is WorkState.PLANNED and is_suppressed(case, work):
            return Decision(Verdict.IGNORED, message="nobody was asked: the hub observes", subject=case.order.id)
        if work.state in FINISHED or not _look(case, work, late=task.payload.get(LATE) is True):
            return Decision(Verdict.IGNORED, message=f"it has been answered: {work.state}", subject=case.order.id)
        return save(case)

    return silence_task


def _look(case: Case, work: FulfilmentOrder, *, late: bool) -> bool:
    """Whether there is something to tell."""
    if work.state in SILENT:
        _silent(case, work)
    elif any(request.waiting > 0 for request in work.cancel_requests):
        _unanswered(case, work)
    elif late and work.state not in STANDS:
        _late(case, work)
    else:
        return False
    return True


def _silent(case: Case, work: FulfilmentOrder) -> None:
    """It is asked to give the work back, once."""
    if f"silence/{work.id}" in case.raised:
        return
    case.raise_exception(
        f"silence/{work.id}",
        "silence",
        f"{work.location} does not answer",
        f"Fulfilment order {work.id} was asked for {case.rules.silence_hours:g} hours ago and is still {work.state}.",
        "Ask the location. It has been asked to give the work back; nothing is freed until it answers.",
        f"hub work show {work.id}",
    )
    if work.state is not WorkState.PLANNED:
        open_units = {line.line_id: line.at_location - work.waiting(line.line_id) for line in work.lines}
        wishes = {line_id: units for line_id, units in open_units.items() if units > 0}
        ask(case, {work.id: wishes} if wishes else {}, "resource", "no answer")


def _unanswered(case: Case, work: FulfilmentOrder) -> None:
    waiting = [request for request in work.cancel_requests if request.waiting > 0]
    units = decimal_text(sum((request.waiting for request in waiting), start=waiting[0].waiting * 0))
    case.raise_exception(
        f"unanswered/{work.id}",
        "cancel_unanswered",
        "A location does not say whether it stops",
        f"{work.location} was asked not to send {units} units of {work.id} ({waiting[0].reason}) and has not answered.",
        "Ask the location, and say what it did; until then the units count as being sent.",
        f"hub work cancel-accept {work.id} --request {waiting[0].id}, or cancel-refuse",
    )


def _late(case: Case, work: FulfilmentOrder) -> None:
    days = case.rules.ship_within.total_seconds() / 86400
    case.raise_exception(
        f"late-work/{work.id}",
        "late_work",
        f"{work.location} has work that should have left",
        f"Fulfilment order {work.id} was planned {days:g} days ago and is {work.state}.",
        "Ask the location for its shipment notice, or have it sent from elsewhere.",
        f"hub orders reroute {case.order.id} --from {work.location} --reason WHY",
    )
