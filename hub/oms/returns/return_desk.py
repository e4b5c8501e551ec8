"""What a person, or a system of ours by the API, does to returns. Each returns a Decision; authorising and auditing are
the caller's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.money import money_text
from hub.domain.order import OrderLine
from hub.domain.return_policy import Disposition
from hub.domain.returns import IllegalReturn, Return, ReturnLine
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.people import NOT_FOUND, NOT_POSSIBLE
from hub.oms.ports import Rules
from hub.oms.returns.exchange import Wanted, exchange, replace
from hub.oms.returns.kit_returns import named_parts, parts_of, whole
from hub.oms.returns.receive import Arrival, inspect, receive
from hub.oms.returns.returns import approve, cancel, close, find_line, refuse, request_return, wishes_of
from hub.oms.returns.settle import everything_back, settle
from hub.oms.returns.undelivered import give_up, ship_again

Line = Mapping[str, Any]
ZERO = Decimal(0)
Verb = Callable[[Case, Return], str]


def request(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    origin: str,
    lines: Sequence[Line],
    reason: str,
    wants: str = "refund",
) -> Decision:
    """Ask for goods of an order to come back. `lines` are {line | external_line_id | sku, quantity, reason}."""

    def ask(case: Case) -> str:
        made = request_return(case, origin, wishes_of(case, _texts(lines)), reason=reason)
        if wants != "refund":
            made.facts = {**made.facts, "wants": wants}
        case.decision.subject = made.id
        why = made.facts.get("policy", {}).get("why", "")
        return f"return {made.number} ({made.id}) is {made.state}: {why}"

    case = open_case(snapshot, rules, now, cause, order_id)
    return _missing("order", order_id) if case is None else _decided(case, lambda: ask(case))


def approve_return(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str) -> Decision:
    def verb(case: Case, one: Return) -> str:
        approve(case, one, "person")
        return f"{one.number} may come back, to {one.location or 'any location'}"

    return _of(snapshot, rules, now, cause, return_id, verb)


def refuse_return(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str, reason: str
) -> Decision:
    def verb(case: Case, one: Return) -> str:
        refuse(case, one, reason)
        return f"{one.number} is refused"

    return _of(snapshot, rules, now, cause, return_id, verb)


def cancel_return(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str, reason: str
) -> Decision:
    def verb(case: Case, one: Return) -> str:
        cancel(case, one, reason)
        return f"{one.number} is cancelled"

    return _of(snapshot, rules, now, cause, return_id, verb)


def close_return(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str, who: str) -> Decision:
    def verb(case: Case, one: Return) -> str:
        close(case, one, who)
        return f"{one.number} is closed; nothing more of it is waited for"

    return _of(snapshot, rules, now, cause, return_id, verb)


def receive_return(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    return_id: str,
    who: str,
    location: str,
    lines: Sequence[Line],
) -> Decision:
    """Goods of a return are at a location. `lines` are {line | sku, quantity, grade, disposition}."""

    def verb(case: Case, one: Return) -> str:
        rule = case.location(location)
        if rule is None or "receive_returns" not in rule.can:
            able = sorted(rule.id for rule in rules.locations.values() if "receive_returns" in rule.can)
            raise IllegalReturn(f"{location} does not receive returns; these do: {', '.join(able) or 'none'}")
        arrivals = []
        for said in _by_component(case, lines):
            line = find_line(case, said)
            sku = said.get("sku") or (line.sku if line else "") or ""
            if not sku:
                raise IllegalReturn(f"the order has no line {said.get('line', '?')}")
            disposition = Disposition(said["disposition"]) if said.get("disposition") else None
            arrivals.append(
                Arrival(line, sku, _units(said), said.get("grade", ""), disposition, said.get("reason", ""))
            )
        receive(case, one, location, arrivals, now, who)
        return f"{one.number} is {one.state.replace('_', ' ')}"

    return _of(snapshot, rules, now, cause, return_id, verb)


def inspect_return(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str, who: str, lines: Sequence[Line]
) -> Decision:
    """What received goods turned out to be. `lines` are {line | sku, quantity, disposition, grade, location}."""

    def verb(case: Case, one: Return) -> str:
        for said in _by_component(case, lines):
            part = _part(case, one, said)
            if not said.get("disposition"):
                raise IllegalReturn(f"{part.sku}: say what becomes of it: restock, quarantine or scrap")
            disposition = Disposition(said["disposition"])
            inspect(case, one, part, _units(said), said.get("location", ""), disposition, said.get("grade", ""), who)
        return f"{one.number} is {one.state.replace('_', ' ')}"

    return _of(snapshot, rules, now, cause, return_id, verb)


def settle_return(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    return_id: str,
    kind: str,
    reason: str,
    lines: Sequence[Line] = (),
    amount: str = "",
    reference: str = "",
) -> Decision:
    """Refund, credit or nothing, for all that arrived or for `lines` ({line | sku, quantity}, arrived or not)."""

    def verb(case: Case, one: Return) -> str:
        ready = [(_part(case, one, said), _units(said)) for said in _by_component(case, lines)] or everything_back(one)
        if not ready:
            raise IllegalReturn("nothing of it has arrived that is not settled; to settle it before, name its lines")
        given = settle(case, one, kind, ready, reason, Decimal(amount) if amount else None, reference)
        case.clear_exception(f"return-unexpected/{one.id}", "decided")
        named = money_text(given, case.order.currency) if given else "nothing"
        return f"{named} given for {one.number} ({kind.replace('_', ' ')})"

    return _of(snapshot, rules, now, cause, return_id, verb)


def exchange_return(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    return_id: str,
    wanted: Sequence[Line],
    reason: str,
    lines: Sequence[Line] = (),
) -> Decision:
    """Other goods ({sku, quantity, price}) for what arrived, or for `lines`; a difference is charged or given back."""

    def verb(case: Case, one: Return) -> str:
        ready = [(_part(case, one, said), _units(said)) for said in _by_component(case, lines)] or everything_back(one)
        goods = [Wanted(said["sku"], _units(said), _price(said)) for said in _texts(wanted) if said.get("sku")]
        other, difference = exchange(case, one, ready, goods, reason)
        case.clear_exception(f"return-unexpected/{one.id}", "decided")
        cost = f"{abs(difference)} {case.order.currency}"
        words = (
            f"{cost} more is charged" if difference > 0 else f"{cost} is given back" if difference else "no difference"
        )
        return f"order {other.order.number} ({other.order.id}) goes out for {one.number}; {words}"

    return _of(snapshot, rules, now, cause, return_id, verb)


def replace_goods(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    lines: Sequence[Line],
    reason: str,
) -> Decision:
    """Send goods of an order again for nothing (a claim)."""

    def verb(case: Case) -> str:
        other = replace(case, _quantities(case, lines), reason)
        case.decision.subject = other.order.id
        return f"order {other.order.number} ({other.order.id}) goes out as a replacement"

    return _of_order(snapshot, rules, now, cause, order_id, verb)


def ship_goods_again(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, lines: Sequence[Line]
) -> Decision:
    """Ship again what was lost or came back undelivered."""

    def verb(case: Case) -> str:
        ship_again(case, _parts(case, lines))
        return "what did not arrive is shipped again"

    return _of_order(snapshot, rules, now, cause, order_id, verb)


def give_goods_up(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, lines: Sequence[Line], reason: str
) -> Decision:
    """Cancel and pay back what was lost or came back undelivered."""

    def verb(case: Case) -> str:
        amount = give_up(case, _parts(case, lines), reason)
        return f"what did not arrive is cancelled, {money_text(amount, case.order.currency)} given back"

    return _of_order(snapshot, rules, now, cause, order_id, verb)


def _of_order(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, verb: Callable[[Case], str]
) -> Decision:
    case = open_case(snapshot, rules, now, cause, order_id)
    return _missing("order", order_id) if case is None else _decided(case, lambda: verb(case))


def _quantities(case: Case, lines: Sequence[Line]) -> list[tuple[OrderLine, Decimal]]:
    found = []
    for said in _texts(lines):
        line = find_line(case, said)
        if line is None:
            raise IllegalReturn(f"the order has no line {said.get('line') or said.get('sku') or '?'}")
        found.append((line, _units(said)))
    if not found:
        raise IllegalReturn("name at least one line")
    return found


def _parts(case: Case, lines: Sequence[Line]) -> list[tuple[OrderLine, Decimal]]:
    return [part for line, units in _quantities(case, lines) for part in parts_of(case, line, whole(line, units))]


def _price(said: Mapping[str, str]) -> Decimal | None:
    if not said.get("price"):
        return None
    try:
        price = Decimal(said["price"])
    except InvalidOperation:
        raise IllegalReturn(f"{said['price']!r} is no price") from None
    if not price.is_finite() or price < 0:
        raise IllegalReturn("a price is not below zero")
    return price


def _of(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, return_id: str, verb: Verb) -> Decision:
    row = snapshot.row("returns", {"id": return_id})
    case = open_case(snapshot, rules, now, cause, str(row["order_id"])) if row is not None else None
    one = next((one for one in case.returns if one.id == return_id), None) if case else None
    if case is None or one is None:
        return _missing("return", return_id)
    return _decided(case, lambda: verb(case, one))


def _decided(case: Case, verb: Callable[[], str]) -> Decision:
    try:
        words = verb()
    except IllegalReturn as error:
        return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=str(error))
    decision = save(case)
    decision.message = words
    return decision


def _missing(what: str, name: str) -> Decision:
    return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no {what} {name}")


def _by_component(case: Case, lines: Sequence[Line]) -> list[dict[str, str]]:
    """The lines as texts, kits by their components. Raises IllegalReturn for a part of a kit."""
    found = []
    for said in _texts(lines):
        line = find_line(case, said)
        if line is not None:
            whole(line, _units(said))
        found += named_parts(case, said, line)
    return found


def _texts(lines: Sequence[Line]) -> list[dict[str, str]]:
    return [{name: str(value) for name, value in line.items() if value not in (None, "")} for line in lines]


def _units(said: Mapping[str, str]) -> Decimal:
    try:
        units = Decimal(said.get("quantity", "1"))
    except InvalidOperation:
        raise IllegalReturn(f"{said.get('quantity')!r} is no quantity") from None
    if not units.is_finite() or units <= 0:
        raise IllegalReturn("a quantity is more than zero")
    return units


def _part(case: Case, one: Return, said: Mapping[str, str]) -> ReturnLine:
    line = find_line(case, said)
    part = one.line(line.id) if line is not None else None
    part = part or next((part for part in one.lines if part.sku == said.get("sku")), None)
    if part is None:
        raise IllegalReturn(f"{one.number} has nothing of {said.get('line') or said.get('sku') or '?'}")
    return part
