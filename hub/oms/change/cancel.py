"""Cancelling: whole orders and quantities, by the channel, its customer, or a person here.

A cancellation is remembered even before its order is known (a tombstone: the late create lands cancelled). What the
hub still holds is cancelled at once; a location is asked for what it has, and its answer counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal

from hub.domain.decision import Decision, DueTask, Incoming, Verdict
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.domain.quantity import AT_LOCATION, DECREASE, LEFT
from hub.domain.snapshot import Snapshot
from hub.oms.change.less_wanted import expect_a_reason
from hub.oms.change.reconcile import HEIR, reconcile
from hub.oms.desk.load import Case, find_case, new_case, open_case, order_key
from hub.oms.desk.save import save
from hub.oms.intake.doubles import same_orders
from hub.oms.intake.holds import release
from hub.oms.intake.kits import components
from hub.oms.ports import Rules
from hub.oms.stock.reserve import count_unassigned
from hub.oms.telling.outgoing import cancel_order, update_order
from hub.oms.telling.tell import CANCEL_AT_CHANNEL, cancel_at_channel, cancelled_there, tell_cancellations

ZERO = Decimal(0)


def handle_cancel_request(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `cancel_requests`."""

    def apply_cancel(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        external_id, scope = str(record["order_external_id"]), str(record.get("scope", incoming.scope))
        case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
        lines = record.get("lines") or ()
        if case is None or (lines and not case.order.known):
            if lines:
                waits_for = order_key(incoming.connection, scope, external_id)
                return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known yet")
            if incoming.connection not in rules.channels:
                return Decision(Verdict.PARKED, code="no_channel", message=f"{incoming.connection} is no channel")
            case = _tombstone(snapshot, rules, now, incoming, scope, external_id)
        reason, executed = case.discreet(str(record.get("reason", ""))), bool(record.get("executed"))
        kept = ZERO
        for said in lines:
            line = case.order.external_line(str(said["external_line_id"]))
            if line is None:
                waits_for = order_key(incoming.connection, scope, external_id)
                message = f"the order has no line {said['external_line_id']} yet"
                return Decision(Verdict.WAITING, waits_for=waits_for, message=message)
            units = max(Decimal(str(said["quantity"])), ZERO)
            if executed:
                cancelled_there(case, line, units)
            else:
                may = units if _asks(case) else min(units, unreleased(case, line))
                line.cancelled_by_facts += may
                kept += units - may
        if not lines and not executed and not _asks(case):
            kept = _cancel_unreleased(case)
        elif not lines:
            by = "channel" if executed else "customer"
            cancel_whole(case, by, reason, str(record.get("requested_at", "")))
        if kept > 0:
            _declined(case, kept)
        settle_cancel(case, reason)
        if record.get("executed") is False and not _everything_left(case):
            cancel_at_channel(case)
        return save(case)

    return apply_cancel


def handle_tell_cancellation(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `tell_cancellation`: subject is an order of which something was cancelled a moment ago."""

    def tell(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None or not tell_cancellations(case, str(task.payload.get("reason", ""))):
            return Decision(Verdict.IGNORED, subject=task.subject, message="the channel knows")
        return save(case)

    return tell


def _asks(case: Case) -> bool:
    """Whether a location is asked for what was released to it, as far as anything was."""
    return case.rules.cancel_after_release == "request" or not any(
        line.ledger.sum(AT_LOCATION) for line in case.order.lines
    )


def unreleased(case: Case, line: OrderLine) -> Decimal:
    """What of a line no location has; of a kit, the whole ones of which no component is with a location."""
    if not line.is_kit:
        return line.ledger.sum(DECREASE)
    parts = [part.ledger.sum(DECREASE) / part.per_kit for part in components(case.order, line) if part.per_kit]
    return min(parts, default=ZERO).to_integral_value(ROUND_FLOOR)


def _cancel_unreleased(case: Case) -> Decimal:
    """Cancel what no location has; returns what goes on."""
    kept = ZERO
    for line in case.order.lines:
        if line.kit is None:
            here = unreleased(case, line)
            kept += line.live - line.ledger.sum(LEFT) - here
            cancel_units(line, here)
    return kept


def _declined(case: Case, units: Decimal) -> None:
    case.raise_exception(
        f"cancel-declined/{case.order.id}",
        "cancel_declined",
        "A buyer asked to cancel what is released already",
        f"{decimal_text(units)} units are with their locations, and the policy asks for nothing back.",
        "Tell the buyer that they come, or cancel them by hand where the location can still stop them.",
        f"hub orders show {case.order.id}",
    )


def channel_has_cancelled(case: Case, stated: bool) -> None:
    """The channel's own order now wants no more than is wanted here. `stated`: it says that all of it is cancelled."""
    asked = [line for line in case.order.lines if line.cancelled_by_facts > 0]
    less = bool(asked) and all(line.wanted <= line.ledger.ordered - line.cancelled_by_facts for line in asked)
    if stated or (less and not case.order.cancelled):
        case.clear_exception(CANCEL_AT_CHANNEL, case.order.channel)


def overtaken(case: Case, units: Decimal) -> None:
    """Units were to be cancelled, and left while their location was asked."""
    too_late_to_cancel(case, units)
    if _everything_left(case):
        case.clear_exception(CANCEL_AT_CHANNEL, "everything has left")


def _everything_left(case: Case) -> bool:
    lines = case.order.lines
    return bool(lines) and all(line.ledger.sum(LEFT) >= line.ledger.ordered for line in lines)


def _tombstone(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, incoming: Incoming, scope: str, external_id: str
) -> Case:
    case = new_case(snapshot, rules, now, incoming.id, rules.channels[incoming.connection], scope, external_id)
    case.order.effects = Effects.NONE
    case.order.facts = {"tombstone": True}
    return case


def cancel_whole(case: Case, by: str, reason: str, at: str) -> None:
    """Remember that nothing of the order is wanted any more. Said twice, the first stands."""
    if not case.order.cancelled:
        for row in same_orders(case):
            case.task("recheck_holds", row["id"], case.now, case.order.id)
        case.order.facts = {**case.order.facts, "cancelled": {"by": by, "reason": reason, "at": at}}


def cancel_units(line: OrderLine, units: Decimal) -> None:
    """Units more of a line are not wanted, beside what its source has taken back so far."""
    if units > 0:
        line.cancelled_by_facts = line.cancel_target(order_cancelled=False) + units


def settle_cancel(case: Case, reason: str) -> None:
    """Take back what can be taken back, ask for the rest, and tell who was told of the order."""
    from_holds(case)
    case.cancel_reason = case.cancel_reason or reason
    too_late = reconcile(case, reason or "cancelled")
    too_late_to_cancel(case, too_late)
    expect_a_reason(case, too_late, changed=False)
    if case.order.confirmed_at is not None:
        tell_erp(case, reason)
    if case.order.known:
        count_unassigned(case)


def tell_erp(case: Case, reason: str) -> None:
    """An order of which nothing is left anywhere is cancelled there, one that shrank is updated."""
    order = case.order
    left = sum((line.ledger.sum((*AT_LOCATION, *LEFT)) for line in order.lines), ZERO)
    live = sum((line.live for line in order.lines), ZERO)
    if "posted" not in order.facts:
        return
    if order.facts.get("cancel_told"):
        if live > 0:
            _wanted_again(case)
        return
    if live == 0 and left == 0:
        cancel_order(case, reason or "cancelled")
        order.facts = {**order.facts, "cancel_told": True}
    else:
        update_order(case)


def _wanted_again(case: Case) -> None:
    case.raise_exception(
        f"wanted-again/{case.order.id}",
        "wanted_again",
        "A cancelled order is wanted again",
        "The systems that take orders were told of its cancellation; the goods are on their way to being sent.",
        "Book the order there anew: resend its submission as new, with a reason. Or cancel it here.",
        f"hub deliveries list --order {case.order.id}",
    )


def from_holds(case: Case) -> None:
    """A cancelled order is held for nothing any more."""
    if not case.order.cancelled:
        return
    for hold in case.order.holds:
        if hold.open:
            release(case, hold, "cancelled")


def too_late_to_cancel(case: Case, units: Decimal) -> None:
    if units <= 0 or HEIR in case.order.facts:
        return  # what has left of a replaced order has left of its replacement
    case.raise_exception(
        f"cancel-too-late/{case.order.id}",
        "cancel_too_late",
        "A cancellation came after the goods had left",
        f"{decimal_text(units)} units were to be cancelled but have left already.",
        "They are kept as shipped. Agree on a return with the customer: request it, and what comes back is refunded.",
        f"hub returns request {case.order.id}",
    )
