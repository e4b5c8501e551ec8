"""What channels, carriers and locations tell of goods that come back: the stream `returns`.

Nothing they tell is refused. A notice that belongs to nothing known waits, and is shown to a person when it has waited
too long; goods that nobody asked back make a return of their own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.return_policy import Answer, Disposition
from hub.domain.returns import AWAITED, BEFORE_RECEIPT, OUTSTANDING, Return, ReturnState, Stage
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, find_case, open_case, order_key, tracking_key
from hub.oms.desk.save import save
from hub.oms.desk.times import instant
from hub.oms.ports import Rules
from hub.oms.returns.kit_returns import named_parts, parts_of
from hub.oms.returns.receive import Arrival, inspect, receive
from hub.oms.returns.returns import (
    Wish,
    approve,
    cancel,
    find_line,
    follow,
    goods_arrived_at,
    new_return,
    observe_request,
    policy_of,
    refuse,
)
from hub.oms.returns.undelivered import received_back

ZERO = Decimal(0)
ARRIVED = frozenset({"received", "inspected"})


def handle_return_notice(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `returns`."""

    def apply_notice(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        found = _find(snapshot, rules, now, incoming)
        if found is None:
            message = "no return and no order is known by what it names"
            return Decision(Verdict.WAITING, waits_for=_waits_for(incoming), message=message)
        case, one = found
        status, location = str(record["status"]), ""
        if status in ARRIVED:
            known = location_of(rules, incoming.connection, str(record.get("location", "")))
            if known is None:
                message = f"no location is called {record.get('location', '')!r} at {incoming.connection}"
                return Decision(Verdict.PARKED, code="unknown_location", error_field="location", message=message)
            location = known
        elif one is None:
            named = list(record.get("lines") or ())
            if any(find_line(case, said) is None for said in named) or not named:
                channel, scope = case.order.channel, case.order.scope
                waits_for = order_key(channel, scope, case.order.external_id)
                return Decision(Verdict.WAITING, waits_for=waits_for, message="the order has no such line yet")
            one = observe_request(
                case,
                "channel",
                _wishes(case, named),
                reason=str(record.get("reason", "")),
                external_id=str(record.get("external_id", "")),
            )
            if one.external_id:
                case.decision.wakes.append(return_key(incoming.connection, one.external_id))
        if location:
            _arrived(case, one, incoming, location)
        elif one is not None:
            _told(case, one, status, incoming)
        return save(case)

    return apply_notice


def return_key(connection: str, external_id: str) -> str:
    """What a notice waits for that only knows the sender's own id of a return."""
    return f"return|{connection}|{external_id}"


def location_of(rules: Rules, connection: str, code: str) -> str | None:
    """Our location by its id, by its system's name for it, or by the channel's."""
    if code in rules.locations:
        return code
    for rule in sorted(rules.locations.values(), key=lambda rule: rule.id):
        if connection in (rule.wms, rule.stock_authority) and code == rule.wms_code:
            return rule.id
    channel = rules.channels.get(connection)
    mapped = channel.location_map.get(code) if channel else None
    return mapped if mapped in rules.locations else None


def _find(snapshot: Snapshot, rules: Rules, now: dt.datetime, incoming: Incoming) -> tuple[Case, Return | None] | None:
    """The order, and the return where one is named; None where nothing is known by any of the names."""
    record = incoming.record
    row = _return_row(snapshot, rules, incoming)
    if row is not None:
        case = open_case(snapshot, rules, now, incoming.id, str(row["order_id"]))
        one = next((one for one in case.returns if one.id == row["id"]), None) if case else None
        return None if case is None else (case, one)
    case = None
    if record.get("order_external_id"):
        scope = str(record.get("scope", incoming.scope))
        external_id = str(record["order_external_id"])
        case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
    elif record.get("order"):
        case = _by_name(snapshot, rules, now, incoming.id, str(record["order"]))
    elif record.get("tracking_number"):
        where = {"tracking_number": str(record["tracking_number"])}
        sent = snapshot.rows("packages", where, order_by=("-created_at", "-id"), limit=1)
        case = open_case(snapshot, rules, now, incoming.id, str(sent[0]["order_id"])) if sent else None
    if case is None or not case.order.known:
        return None
    return case, _awaited(case, record.get("lines") or ()) if str(record["status"]) in ARRIVED else None


def _return_row(snapshot: Snapshot, rules: Rules, incoming: Incoming) -> dict[str, Any] | None:
    record = incoming.record
    named = str(record.get("return", ""))
    for where in ({"id": named}, {"number": named}) if named else ():
        if found := snapshot.rows("returns", where, limit=1):
            return found[0]
    external_id = str(record.get("external_id", ""))
    if external_id and incoming.connection in rules.channels:
        for row in snapshot.rows("returns", {"external_id": external_id}, limit=100):
            order = snapshot.row("orders", {"id": row["order_id"]})
            if order is not None and order["channel"] == incoming.connection:
                return row
    number = record.get("tracking_number")
    found = snapshot.rows("returns", {"tracking_number": str(number)}, order_by=("-created_at",)) if number else []
    return found[0] if found else None


def _by_name(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, name: str) -> Case | None:
    case = open_case(snapshot, rules, now, cause, name)
    if case is None:
        rows = snapshot.rows("orders", {"number": (name, f"#{name}")}, limit=2)
        case = open_case(snapshot, rules, now, cause, str(rows[0]["id"])) if len(rows) == 1 else None
    return case


def _awaited(case: Case, lines: Sequence[Mapping[str, Any]]) -> Return | None:
    """The return that waits for such goods, oldest first."""
    named = {line.id for said in _by_component(case, lines) if (line := find_line(case, said)) is not None}
    for one in case.returns:
        waiting = {part.line_id for part in one.lines if part.sum(OUTSTANDING) > 0}
        if one.open and waiting & named:
            return one
    return None


def _waits_for(incoming: Incoming) -> str:
    record = incoming.record
    if record.get("order_external_id"):
        return order_key(
            incoming.connection, str(record.get("scope", incoming.scope)), str(record["order_external_id"])
        )
    if record.get("tracking_number"):
        return tracking_key(str(record["tracking_number"]))
    return return_key(incoming.connection, str(record.get("external_id") or record.get("return") or ""))


def _wishes(case: Case, lines: Sequence[Mapping[str, Any]]) -> list[Wish]:
    wishes = []
    for said in lines:
        line = find_line(case, said)
        assert line is not None, "every line was found before"
        units, reason = max(Decimal(str(said["quantity"])), ZERO), str(said.get("reason", ""))
        wishes += [Wish(part, wanted, reason) for part, wanted in parts_of(case, line, units)]
    return wishes


def _told(case: Case, one: Return, status: str, incoming: Incoming) -> None:
    """What somebody outside decided, or saw on the way."""
    record = incoming.record
    _note(one, record)
    if status == "approved" and one.state in (ReturnState.REQUESTED, ReturnState.REFUSED):
        approve(case, one, incoming.connection)
    elif status == "refused" and one.state in (ReturnState.REQUESTED, ReturnState.APPROVED):
        refuse(case, one, str(record.get("reason", "")) or f"{incoming.connection} refused it")
    elif status == "cancelled" and one.state in BEFORE_RECEIPT:
        cancel(case, one, str(record.get("reason", "")) or f"{incoming.connection} cancelled it")
    elif status == "in_transit" and one.state in AWAITED:
        for part in one.lines:
            part.move(Stage.REQUESTED, Stage.IN_TRANSIT, part[Stage.REQUESTED])
        follow(case, one)


def _arrived(case: Case, one: Return | None, incoming: Incoming, location: str) -> None:
    record = incoming.record
    at = instant(record.get("occurred_at")) or case.now
    lines = _by_component(case, record.get("lines") or ())
    if one is None:
        lines = _undelivered(case, incoming, lines, location, at)
        if not lines and record.get("lines"):
            return
        one = _blind(case, incoming)
    _note(one, record)
    arrivals = []
    for said in lines:
        line, units = find_line(case, said), max(Decimal(str(said["quantity"])), ZERO)
        disposition = Disposition(said["disposition"]) if said.get("disposition") else None
        grade, reason = str(said.get("grade", "")), case.discreet(str(said.get("reason", "")))
        sku = str(said.get("sku") or (line.sku if line else "") or "")
        part = one.line(line.id) if line else None
        if record["status"] == "inspected" and part is not None:
            decided = disposition or policy_of(case).disposition(grade)
            known = min(units, part.here(Stage.RECEIVED, location))
            if decided is not None and known > 0:
                inspect(case, one, part, known, location, decided, grade, incoming.connection)
                units -= known
        if units > 0:
            arrivals.append(Arrival(line, sku, units, grade, disposition, reason))
    if not (record.get("lines") or ()):
        # It came as it was asked for: the location has counted nothing.
        for part in one.lines:
            line = case.order.line(part.line_id) if part.line_id else None
            if part.sum(OUTSTANDING):
                arrivals.append(Arrival(line, part.sku, part.sum(OUTSTANDING)))
    if arrivals:
        receive(case, one, location, arrivals, at, incoming.connection)


def _by_component(case: Case, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [part for said in lines for part in named_parts(case, said, find_line(case, said))]


def _undelivered(
    case: Case, incoming: Incoming, lines: list[dict[str, Any]], location: str, at: dt.datetime
) -> list[dict[str, Any]]:
    """Take in what its carrier brought back; returns what else has arrived."""
    rest = []
    for said in lines:
        line, units = find_line(case, said), max(Decimal(str(said["quantity"])), ZERO)
        if line is not None and units > 0:
            meant = Disposition(said["disposition"]) if said.get("disposition") else None
            meant = meant or policy_of(case).disposition(str(said.get("grade", ""))) or Disposition.RESTOCK
            units -= received_back(case, line, units, location, meant, at, incoming.connection)
        if units > 0:
            rest.append({**said, "quantity": str(units)})
    return rest


def _blind(case: Case, incoming: Incoming) -> Return:
    """Nobody asked for it to come back. Within the policy it is settled as if somebody had; else a person decides."""
    record = incoming.record
    made = new_return(case, "blind", reason=str(record.get("reason", "")))
    named = [find_line(case, said) for said in record.get("lines") or ()]
    skus = frozenset(line.sku for line in named if line is not None and line.sku)
    answer, why = policy_of(case).judge(skus, goods_arrived_at(case), case.now)
    made.state = ReturnState.APPROVED
    made.facts = {"policy": {"answer": answer.value, "why": why}}
    if answer is not Answer.APPROVED:
        made.facts["settled_by"] = "person"
    return made


def _note(one: Return, record: Mapping[str, Any]) -> None:
    one.tracking_number = str(record.get("tracking_number") or one.tracking_number)
    one.external_id = one.external_id or str(record.get("external_id", ""))
    said = {name: str(record[name]) for name in ("wants", "settled_by") if record.get(name)}
    one.facts = {**one.facts, **said}
