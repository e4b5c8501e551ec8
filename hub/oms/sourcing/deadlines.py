"""What must leave by a time its channel sets: a person is told before it is missed, and no longer than it lasts.

A line's `ship_by` is when its channel counts it late, `cancel_by` when it is cancelled there if it has not left. Each
time that is still to be kept has one warning, `warn_before` it (policies: risk); what a late line costs by the policies
is kept with the line, so that the queue of orders at risk can be sorted by it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, EventRequest, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.times import instant, instant_text
from hub.oms.ports import Rules

DATES = ("ship_by", "cancel_by")
PENALTY = "late_penalty"
PENDING = (Bucket.OPEN, Bucket.BACKORDERED, Bucket.PREORDERED, Bucket.ALLOCATED, *AT_LOCATION)
"""Where units are that have not left."""
WARNED, WATCHED = "deadlines_warned", "deadline_watched"
"""Order facts: the dates a person was told of, and the one a task waits for."""


def handle_deadline(
    rules: Rules, save: Callable[[Case], Decision]
) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `deadline`: subject is an order of which something must leave soon."""

    def deadline_task(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        _warn(case)
        return save(case)

    return deadline_task


def watch_deadlines(case: Case) -> None:
    """Before saving: a task for the next date to be kept, and an end to warnings about what has left."""
    order = case.order
    if not case.acts:
        return
    dates = _dates(case)
    if not dates and WATCHED not in order.facts and WARNED not in order.facts:
        return
    _price(case)
    kept = {f"deadline/{order.id}/{key}" for key in dates}
    over = [key for key in case.raised if key.startswith("deadline/") and key not in kept]
    case.forget(over, "it has left or need not leave any more")
    warned = [key for key in order.facts.get(WARNED, ()) if key in dates]
    ahead = [(at, key) for key, (at, _) in dates.items() if key not in warned]
    facts = {name: value for name, value in order.facts.items() if name not in (WARNED, WATCHED)}
    if ahead:
        at, key = min(ahead)
        facts[WATCHED] = key
        if order.facts.get(WATCHED) != key:
            case.task("deadline", order.id, max(at - case.rules.risk.warn_before, case.now), key)
    order.facts = {**facts, **({WARNED: warned} if warned else {})}


def _dates(case: Case) -> dict[str, tuple[dt.datetime, list[OrderLine]]]:
    """ "ship_by/2026-11-02T16:00:00Z" -> (the time, lines of which something has not left)."""
    found: dict[str, tuple[dt.datetime, list[OrderLine]]] = {}
    for line in case.order.lines:
        if not line.ours or line.is_kit or not line.ledger.sum(PENDING):
            continue
        for name in DATES:
            at = instant(line.details.get(name))
            if at is not None:
                found.setdefault(f"{name}/{instant_text(at)}", (at, []))[1].append(line)
    return found


def _price(case: Case) -> None:
    """Keep with each such line what being late costs at its channel."""
    penalty = decimal_text(case.rules.risk.penalty_of(case.order.channel))
    for line in case.order.lines:
        if any(name in line.details for name in DATES) and line.details.get(PENALTY) != penalty:
            line.details = {**line.details, PENALTY: penalty}


def _warn(case: Case) -> None:
    order, soon = case.order, case.now + case.rules.risk.warn_before
    warned = list(order.facts.get(WARNED, ()))
    for key, (at, lines) in sorted(_dates(case).items()):
        if at > soon or key in warned:
            continue
        warned.append(key)
        what, _, when = key.partition("/")
        units = decimal_text(sum((line.ledger.sum(PENDING) for line in lines), Decimal(0)))
        until = "its channel counts it late" if what == "ship_by" else "its channel cancels it"
        case.raise_exception(
            f"deadline/{order.id}/{key}",
            "deadline",
            f"An order must leave soon: {what.replace('_', ' ')} {when}",
            f"{units} units of line {', '.join(str(line.number) for line in lines)} have not left; then {until}.",
            "Ask the location that has it, or find another.",
            f"hub orders reroute {order.id} --dry-run",
        )
        data = {"date": what, "at": when}
        case.decision.events.append(EventRequest(Fact.ORDER_AT_RISK.value, order.id, f"deadline/{key}", order.id, data))
    order.facts = {**order.facts, WARNED: warned}
