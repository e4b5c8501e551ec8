"""Changes that a channel tells as such (an X12 860, a change request), beside or instead of restates.

They go the way of every edit: done before confirmation, asked for after it. They are the channel's own word, so a later
restate that says something else is no conflict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.change import Edit, LineEdit
from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Ledger
from hub.domain.snapshot import Snapshot
from hub.oms.change.change_answers import ASKED_ADDRESS, Change
from hub.oms.change.changes import (
    NotPossible,
    after_change,
    ask_for_readdress,
    change_order,
    keep_change,
    may_be_edited,
)
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, find_case, order_key
from hub.oms.desk.save import save
from hub.oms.intake.kits import explode
from hub.oms.intake.listings import LISTING, translated
from hub.oms.ports import Rules

ZERO = Decimal(0)
_DETAILS = ("title", "unit", "unit_price", LISTING)


def handle_order_change(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `order_changes`."""

    def apply_change(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        external_id, scope = str(record["order_external_id"]), str(record.get("scope", incoming.scope))
        case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
        if case is None or not case.order.known:
            waits_for = order_key(incoming.connection, scope, external_id)
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known yet")
        if case.channel is not None:
            record = translated(record, snapshot, case.channel, case.order.placed_at)
        reason = case.discreet(str(record.get("reason", "")))
        change = Change(case.new_id("ch", case.order.id), by=case.order.channel)
        try:
            request = _take(case, change, record)
        except NotPossible as error:
            untouched = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
            assert untouched is not None, "it was found a moment ago, in the same snapshot"
            _too_late(untouched, str(error))
            return save(untouched)
        explode(case)
        reconcile(case, reason or "changed by its channel")
        if case.contacts.get(ASKED_ADDRESS):
            change.requests = ask_for_readdress(case, reason or "another address")
        keep_change(case, change, case.order.channel, reason, request)
        after_change(case, reason)
        return save(case)

    return apply_change


def _take(case: Case, change: Change, record: Mapping[str, Any]) -> dict[str, Any]:
    order = case.order
    known: list[tuple[OrderLine, Mapping[str, Any]]] = []
    added: list[Mapping[str, Any]] = []
    for said in record.get("lines") or ():
        line = order.external_line(str(said["external_line_id"]))
        if line is None:
            added.append(said)
        else:
            known.append((line, said))
    address = record.get("ship_to") or {}
    edit = Edit(
        lines=[LineEdit(line.id, Decimal(str(said["quantity"]))) for line, said in known],
        ship_to={} if address == case.contacts.get("ship_to") else address,
        whole_address=True,
    )
    if not added or not edit.empty:
        may_be_edited(case, edit)
    else:
        may_be_edited(case, Edit(as_channel=True))
    request = change_order(case, change, edit)
    for said in added:
        line = _new_line(case, said)
        change.lines[line.id] = (ZERO, line.wish)
        row = {"line": line.id, "sku": line.sku or "", "quantity": decimal_text(line.wish)}
        request.setdefault("additions", []).append(row)
    return request


def _new_line(case: Case, said: Mapping[str, Any]) -> OrderLine:
    """A line of the channel's own, of which no restate has told yet."""
    order, external_id = case.order, str(said["external_line_id"])
    quantity = Decimal(str(said["quantity"]))
    if not said.get("sku") or quantity <= 0:
        raise NotPossible(f"the further line {external_id} needs a SKU and a quantity above zero")
    line = OrderLine(
        id=derived_id("ln", order.id, external_id),
        order_id=order.id,
        number=max((line.number for line in order.lines), default=0) + 1,
        external_line_id=external_id,
        sku=str(said["sku"]),
        ledger=Ledger(),
        edited=quantity,
        details={name: said[name] for name in _DETAILS if name in said},
    )
    line.ledger.grow(quantity)
    order.lines.append(line)
    return line


def _too_late(case: Case, why: str) -> None:
    case.raise_exception(
        f"change-not-possible/{case.order.id}",
        "change_not_possible",
        "A channel wants a change that cannot be made any more",
        f"{why}.",
        "Agree with the customer: cancel, return, or leave it as it is. Then tell the channel.",
        f"hub orders show {case.order.id}",
    )
