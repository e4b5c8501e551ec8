"""Soft reservations do not last for ever: an order that is held too long gives its stock back to those that are not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.quantity import Bucket
from hub.domain.reservation import ReservationState
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.ports import Rules
from hub.oms.stock.reserve import count_unassigned, soft, trim


def handle_reservation_expiry(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `reservation_expiry`: subject is the order."""

    def expire(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        reservations = [r for line in case.order.lines for r in soft(case, line)]
        if not reservations:
            return Decision(Verdict.IGNORED, subject=case.order.id, message="nothing is reserved softly")
        ends = [r.expires_at for r in reservations if r.expires_at is not None]
        if ends and min(ends) > now:
            ask_for_expiry(case)
        elif case.order.held:
            _expire(case)
        else:
            # Nothing but time is in the way (its grace): it keeps what it has.
            for reservation in reservations:
                reservation.expires_at = now + dt.timedelta(minutes=rules.reservation_minutes)
            ask_for_expiry(case)
        return save(case)

    return expire


def _expire(case: Case) -> None:
    for line in case.order.lines:
        line.ledger.move(Bucket.ALLOCATED, Bucket.OPEN, line.ledger[Bucket.ALLOCATED])
        trim(case, line, ReservationState.EXPIRED)
    case.order.facts = {name: value for name, value in case.order.facts.items() if name != "sourced_for"}
    count_unassigned(case)


def ask_for_expiry(case: Case) -> None:
    """Ask to be woken when the first soft reservation of the order ends."""
    ends = [r.expires_at for line in case.order.lines for r in soft(case, line) if r.expires_at is not None]
    if ends:
        case.task("reservation_expiry", case.order.id, min(ends))
