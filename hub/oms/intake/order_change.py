"""Changes that a channel tells as such (an X12 860, an ORDCHG, a change request), beside or instead of restates.

They go the way of every edit: done before confirmation, asked for after it. They are the channel's own word, so a later
restate that says something else is no conflict. Where the channel takes the capability `change_response` it hears once
what became of each line, so what makes no sense is declined by itself; elsewhere nothing is done of a change of which
one part makes none.
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
    decline_change,
    keep_change,
    may_be_edited,
)
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, find_case, order_key
from hub.oms.desk.save import save
from hub.oms.intake.asked_lines import Asked, AskedLine, asked_of
from hub.oms.intake.kits import explode
from hub.oms.intake.listings import LISTING, translated
from hub.oms.ports import Rules
from hub.oms.telling.change_response import hears_of_changes

ZERO = Decimal(0)
_DETAILS = ("title", "unit", "unit_price", LISTING)
_PLACE = ("name", "company", "lines", "locality", "admin_area_code", "postal_code", "country", "phone", "email")
_ANY = Edit(as_channel=True)


def handle_order_change(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `order_changes`."""

    def apply_change(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        case = _find(incoming, snapshot, rules, now)
        if case is None or not case.order.known:
            scope = str(record.get("scope", incoming.scope))
            waits_for = order_key(incoming.connection, scope, str(record["order_external_id"]))
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known yet")
        order = case.order
        if case.channel is not None:
            record = translated(record, snapshot, case.channel, order.placed_at)
        reason = case.discreet(str(record.get("reason", "")))
        change = Change(case.new_id("ch", order.id), by=order.channel, answer=_answer(record))
        asked = asked_of(case, record)
        change.answer["lines"] = [one.answer() for one in asked.lines]
        if not (record.get("cancel") and order.cancelled):
            try:
                may_be_edited(case, _ANY)
            except NotPossible as error:
                decline_change(case, change, order.channel, reason, str(error))
                _too_late(case, [str(error)])
                return save(case)
        _apply(case, change, asked, record, reason)
        return save(case)

    return apply_change


def _find(incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime) -> Case | None:
    """The order; where the change does not say whose number it is, the only one of that number."""
    record, channel = incoming.record, incoming.connection
    external_id, scope = str(record["order_external_id"]), str(record.get("scope", incoming.scope))
    if not scope:
        rows = snapshot.rows("orders", {"channel": channel, "external_id": external_id}, limit=2)
        scope = str(rows[0]["scope"]) if len(rows) == 1 else ""
    return find_case(snapshot, rules, now, incoming.id, channel, scope, external_id)


def _answer(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"reference": record.get("reference"), "cancel": record.get("cancel")}
    return {name: value for name, value in kept.items() if value}


def _apply(case: Case, change: Change, asked: Asked, record: Mapping[str, Any], reason: str) -> None:
    channel, problems = case.order.channel, asked.problems
    in_parts = hears_of_changes(case)
    request: dict[str, Any] = {}
    address = record.get("ship_to") or {}
    if address and not _is_there(address, case.contacts.get("ship_to", {})) and (in_parts or not problems):
        try:
            request |= change_order(case, change, Edit(ship_to=address, whole_address=True))
        except NotPossible as error:
            problems.append(str(error))
    if problems and not in_parts:
        _too_late(case, problems)
        decline_change(case, change, channel, reason, "; ".join(problems))
        return
    edits = [LineEdit(line_id, quantity) for line_id, quantity in asked.changed.items()]
    if edits:
        request |= change_order(case, change, Edit(lines=edits))
    for one in asked.further:
        line = _further_line(case, one)
        change.lines[line.id] = (ZERO, line.wish)
        row = {"line": line.id, "sku": line.sku or "", "quantity": decimal_text(line.wish)}
        request.setdefault("additions", []).append(row)
    change.problems = problems
    if problems:
        _too_late(case, problems)
    if problems and not request:
        decline_change(case, change, channel, reason, "; ".join(problems))
        return
    explode(case)
    reconcile(case, reason or "changed by its channel")
    if case.contacts.get(ASKED_ADDRESS):
        change.requests = ask_for_readdress(case, reason or "another address")
    keep_change(case, change, channel, reason, request)
    if request:
        after_change(case, reason)


def _is_there(address: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """The same address as the order's, whatever was found out about that since."""
    return all(_plain(address.get(name)) == _plain(present.get(name)) for name in _PLACE if name in address)


def _plain(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return " ".join(str(part) for part in parts if part not in (None, "")).casefold()


def _further_line(case: Case, asked: AskedLine) -> OrderLine:
    """A line of the channel's own, of which no restate has told yet."""
    order, said = case.order, asked.said
    external_id, quantity = str(said["external_line_id"]), asked.quantity
    assert quantity is not None, "a further line without a quantity is declined"
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


def _too_late(case: Case, problems: list[str]) -> None:
    case.raise_exception(
        f"change-not-possible/{case.order.id}",
        "change_not_possible",
        "A channel wants a change that cannot be made here",
        f"{'; '.join(problems)}.",
        "The channel is told so. Agree with the customer: cancel, return, or leave it as it is."
        if hears_of_changes(case)
        else "Agree with the customer: cancel, return, or leave it as it is. Then tell the channel.",
        f"hub orders show {case.order.id}",
    )
