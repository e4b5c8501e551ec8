"""Change sets: what a person, or the channel, wants different about an order after it was placed.

Until an order is confirmed (its grace) a change is simply done. After that it becomes cancel requests by line quantity
and new work for what is added, and it is accepted or declined by what comes of those. What was decided here stands over
what the channel states until the channel states the same; a channel that states something else makes a conflict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.change import Addition, ChangeState, Edit, Effect, LineEdit
from hub.domain.decision import Decision, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine, OrderStatus, status
from hub.domain.quantity import Ledger
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import tell_erp
from hub.oms.change.change_answers import (
    ASKED_ADDRESS,
    STATED_ADDRESS,
    Change,
    Outcome,
    answer_change,
    drop_edit,
    keep_open,
    outcome,
    overtake,
    settle,
    take_address,
    tell_change,
)
from hub.oms.change.reconcile import ask, reconcile
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.intake.holds import recheck_holds
from hub.oms.intake.kits import explode
from hub.oms.intake.restated import conflicts
from hub.oms.ports import Rules
from hub.oms.stock.reserve import count_unassigned

ZERO = Decimal(0)
ADDED = "added/"
NOT_FOUND = "not_found"
NOT_POSSIBLE = "not_possible"


class NotPossible(ValueError):
    """The edit makes no sense for this order; words for a person."""


def edit_order(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, who: str, reason: str, edit: Edit
) -> Decision:
    """Change an order as a person wants it. The change's id derives from `cause`."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    try:
        may_be_edited(case, edit)
        change = Change(change_id_of(cause), by=who)
        request = change_order(case, change, edit)
    except NotPossible as error:
        return Decision(Verdict.IGNORED, subject=order_id, code=NOT_POSSIBLE, message=str(error))
    said = case.discreet(reason)
    explode(case)
    reconcile(case, said)
    if case.contacts.get(ASKED_ADDRESS):
        change.requests = ask_for_readdress(case, said)
    held = {hold.id for hold in case.order.holds if hold.open}
    keep_change(case, change, who, said, request)
    after_change(case, said)
    fresh = [hold for hold in case.order.holds if hold.open and hold.id not in held]
    if fresh:
        why = "; ".join(f"{hold.rule}: {hold.hint}" for hold in fresh)
        case.decision.message += f". The order is held now and nothing more of it is sent: {why}"
    return save(case)


def change_id_of(cause: str) -> str:
    """The id of the change that a person's action makes."""
    return derived_id("ch", cause)


def after_change(case: Case, reason: str) -> None:
    """Go on with an order that is not any more what it was: its holds, its demand, its sourcing, the ERP."""
    recheck_holds(case)
    count_unassigned(case)
    if case.order.confirmed_at is not None:
        tell_erp(case, reason)
    if case.acts and not case.order.cancelled:
        case.task("allocate", case.order.id, case.now)
    tell(case, Fact.ORDER_CHANGED)


def keep_change(
    case: Case, change: Change, who: str, reason: str, request: Mapping[str, Any], stated: Decimal = ZERO
) -> ChangeState:
    """Write the change with what it has come to so far. `stated`: what the channel's own total changed by."""
    found = outcome(case, change)
    effect = Effect()
    state, why = ChangeState.REQUESTED, ""
    if found is None:
        keep_open(case, change)
    else:
        effect, state, why = settle(case, change, found), found.state, found.why
    lines = [
        {"line": line.id, "sku": line.sku, "from": decimal_text(before), "to": decimal_text(line.wish)}
        for line_id, (before, _) in change.lines.items()
        if (line := case.order.line(line_id)) is not None
    ]
    row = {
        "id": change.id,
        "order_id": case.order.id,
        "version": case.order.version,
        "state": state.value,
        "asked_by": who,
        "reason": reason,
        "request": dict(request),
        "delta": {"lines": lines, "cancel_requests": change.requests},
        "currency": case.order.currency,
        "price_effect": effect.amount + stated,
        "beside_total": effect.amount,
        "why": why,
        "at": case.now,
        "settled_at": None if found is None else case.now,
    }
    case.decision.writes.insert("changes", row)
    tell_change(case, change.id, state)
    if found is not None:
        answer_change(case, change, found)
    case.decision.message = f"change {change.id} is {state}" + (f": {why}" if why else "")
    return state


def decline_change(case: Case, change: Change, who: str, reason: str, why: str) -> None:
    """Write a change of which nothing was done."""
    row = {
        "id": change.id,
        "order_id": case.order.id,
        "version": case.order.version,
        "state": ChangeState.DECLINED.value,
        "asked_by": who,
        "reason": reason,
        "request": {},
        "delta": {"lines": [], "cancel_requests": []},
        "currency": case.order.currency,
        "price_effect": ZERO,
        "beside_total": ZERO,
        "why": why,
        "at": case.now,
        "settled_at": case.now,
    }
    case.decision.writes.insert("changes", row)
    tell_change(case, change.id, ChangeState.DECLINED)
    answer_change(case, change, Outcome(ChangeState.DECLINED, why))
    case.decision.message = f"change {change.id} is declined: {why}"


def ask_for_readdress(case: Case, reason: str) -> list[str]:
    """Ask every location that still has goods to give them back, so that they go out again under the new address.
    Returns the ids of these requests."""
    wishes: dict[str, dict[str, Decimal]] = {}
    for work in case.work:
        if work.state in FINISHED:
            continue
        units = {part.line_id: part.at_location - work.waiting(part.line_id) for part in work.lines}
        wanted = {line_id: quantity for line_id, quantity in units.items() if quantity > 0}
        if wanted:
            wishes[work.id] = wanted
    before = {request.id for work in case.work for request in work.cancel_requests}
    ask(case, wishes, "readdress", reason)
    return [request.id for work in case.work for request in work.cancel_requests if request.id not in before]


def may_be_edited(case: Case, edit: Edit) -> None:
    order = case.order
    if edit.empty:
        raise NotPossible("nothing is said to be different")
    if not case.acts:
        raise NotPossible("the order is only kept: the hub does nothing for it")
    if order.cancelled or status(order) in (OrderStatus.CANCELLED, OrderStatus.CLOSED):
        raise NotPossible(f"the order is {status(order)}")


def change_order(case: Case, change: Change, edit: Edit) -> dict[str, Any]:
    """Write the wishes into the order; returns what was asked for, without personal data."""
    request: dict[str, Any] = {}
    if edit.as_channel:
        request["as_channel"] = _as_channel(case, change)
    if edit.lines:
        request["lines"] = [_edit_line(case, change, one) for one in edit.lines]
    if edit.additions:
        request["additions"] = [_add_line(case, change, one) for one in edit.additions]
    if edit.ship_to:
        request["ship_to"] = _readdress(case, change, edit)
    return request


def _edit_line(case: Case, change: Change, wanted: LineEdit) -> dict[str, str]:
    line = _line(case, wanted.line)
    if wanted.quantity < 0:
        raise NotPossible(f"line {line.number} cannot be {decimal_text(wanted.quantity)}")
    waiting = overtake(case, line)
    before = line.wish if waiting is None else waiting
    change.lines[line.id] = (before, wanted.quantity)
    line.edited = wanted.quantity
    # What was cancelled by facts of its own stays cancelled: the quantity said is meant beside it.
    line.ledger.grow(wanted.quantity + line.cancelled_by_facts)
    return {"line": line.id, "from": decimal_text(before), "to": decimal_text(wanted.quantity)}


def _add_line(case: Case, change: Change, wanted: Addition) -> dict[str, str]:
    order = case.order
    if wanted.quantity <= 0 or not wanted.sku:
        raise NotPossible("a further line needs a SKU and a quantity above zero")
    if wanted.unit_price < 0:
        raise NotPossible("a price is never below zero")
    number = max((line.number for line in order.lines), default=0) + 1
    external_id = f"{ADDED}{change.id}/{number}"
    details: dict[str, Any] = {"unit_price": decimal_text(wanted.unit_price)}
    if wanted.title:
        details["title"] = wanted.title
    line = OrderLine(
        id=derived_id("ln", order.id, external_id),
        order_id=order.id,
        number=number,
        external_line_id=external_id,
        sku=wanted.sku,
        ledger=Ledger(),
        edited=wanted.quantity,
        added_here=True,
        details=details,
    )
    line.ledger.grow(wanted.quantity)
    order.lines.append(line)
    change.lines[line.id] = (ZERO, wanted.quantity)
    said = {"sku": wanted.sku, "quantity": decimal_text(wanted.quantity)}
    return {"line": line.id, **said, "unit_price": details["unit_price"]}


def _readdress(case: Case, change: Change, edit: Edit) -> list[str]:
    """Until something was released the address simply changes; after that it waits for what comes back."""
    present = case.contacts.get("ship_to", {})
    kept = {} if edit.whole_address else {name: value for name, value in present.items() if name not in _CHECKED}
    address = {name: value for name, value in {**kept, **edit.ship_to}.items() if value not in ("", None, [])}
    parts = sorted(name for name in {*present, *address} if present.get(name) != address.get(name))
    if not parts:
        raise NotPossible("the address is that one already")
    if _anything_out(case):
        if not _anything_to_come_back(case):
            raise NotPossible("everything has left; the carrier can perhaps redirect the parcel")
        case.contacts[ASKED_ADDRESS] = address
    else:
        take_address(case, address, change.by)
    return parts


_CHECKED = ("validation", "latitude", "longitude")
"""Parts of an address that say where the old one was."""


def _anything_out(case: Case) -> bool:
    return any(part.at_location or part.left for work in case.work for part in work.lines)


def _anything_to_come_back(case: Case) -> bool:
    return any(part.at_location for work in case.work for part in work.lines)


def _as_channel(case: Case, change: Change) -> list[str]:
    """Drop what was decided here where the channel states something else by now."""
    found = conflicts(case)
    if not found:
        raise NotPossible("the channel states nothing that differs from what was edited here")
    for name in found:
        line = case.order.line(name)
        if line is None and _anything_to_come_back(case):
            case.contacts[ASKED_ADDRESS] = case.contacts[STATED_ADDRESS]
            continue
        before = line.wish if line is not None else ZERO
        if line is not None:
            overtake(case, line)
        drop_edit(case, name)
        if line is not None:
            change.lines[line.id] = (before, line.wanted)
            line.ledger.grow(line.wanted + line.cancelled_by_facts)
    change.overlays = False
    case.clear_exception(f"conflicting-edit/{case.order.id}", change.by)
    return sorted(found)


def _line(case: Case, said: str) -> OrderLine:
    """The line a person means: our id, its number, the channel's id, or its SKU where only one line has it."""
    lines = case.order.lines
    found = {
        line.id: line
        for line in lines
        if said in (line.id, line.external_line_id)
        or (said == str(line.number) and not line.kit)
        or (line.sku and line.sku == said)
    }
    if not found:
        raise NotPossible(f"the order has no line {said}")
    if len(found) > 1:
        raise NotPossible(f"{said} fits several lines; use one of {', '.join(sorted(found))}")
    return next(iter(found.values()))
