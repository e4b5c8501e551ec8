"""Returns from their request to their end: asked for, decided by a policy or a person, awaited, cancelled, closed.

What arrives and what becomes of it is in `receive`, what its customer gets in `settle`. Every function works on a case
and is saved with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.payment import CallState
from hub.domain.quantity import Bucket
from hub.domain.return_policy import Answer, ReturnPolicy
from hub.domain.returns import (
    BACK,
    BEFORE_RECEIPT,
    OUTSTANDING,
    IllegalReturn,
    Return,
    ReturnLine,
    ReturnState,
    Stage,
    claimed_of,
    has_left,
    returnable,
)
from hub.domain.shipment import PackageState
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.ports import Rules
from hub.oms.returns.kit_returns import parts_of, whole
from hub.oms.returns.return_label import drop_label, want_label
from hub.oms.telling.tell import push_return

ZERO = Decimal(0)
CLOSES_AFTER = dt.timedelta(minutes=1)
"""A settled return whose refund is under way is looked at again so long after."""


@dataclass(frozen=True, slots=True)
class Wish:
    line: OrderLine
    units: Decimal
    reason: str = ""


def policy_of(case: Case) -> ReturnPolicy:
    return case.rules.return_policy(case.order.channel)


def request_return(
    case: Case, origin: str, wishes: Sequence[Wish], *, reason: str = "", external_id: str = ""
) -> Return:
    """A customer, or a person for one, asks to send goods back; the channel's policy answers.

    Raises IllegalReturn, in words for a person, where more is asked for than can come back.
    """
    if not wishes:
        raise IllegalReturn("a return is about at least one line")
    _check_returnable(case, wishes)
    return observe_request(case, origin, wishes, reason=reason, external_id=external_id)


def observe_request(
    case: Case, origin: str, wishes: Sequence[Wish], *, reason: str = "", external_id: str = ""
) -> Return:
    """As `request_return`, where somebody outside has let the customer ask already: more than can come back is kept and
    a person is told."""
    made = new_return(case, origin, reason=reason, external_id=external_id)
    too_much = []
    for wish in wishes:
        part = part_of(made, wish.line)
        part.reason = wish.reason or part.reason
        part.claim(wish.units)
        over = mark_over(case, part)
        if over > 0:
            too_much.append(f"{decimal_text(over)} of {wish.line.sku}")
    _tell(case, made, Fact.RETURN_REQUESTED, origin=origin)
    if too_much:
        unexpected(case, made, [f"{what} more than had left" for what in too_much])
    answer, why = policy_of(case).judge(frozenset(line.sku for line in made.lines), goods_arrived_at(case), case.now)
    made.facts = {**made.facts, "policy": {"answer": answer.value, "why": why}}
    if answer is Answer.APPROVED:
        approve(case, made, "policy")
    elif answer is Answer.REFUSED:
        refuse(case, made, why)
    else:
        _ask_person(case, made)
    return made


def new_return(case: Case, origin: str, *, reason: str = "", external_id: str = "") -> Return:
    order = case.order
    number = 1 + len(case.returns)
    made = Return(
        id=derived_id("rt", order.id, str(number)),
        order_id=order.id,
        number=f"{order.number or order.external_id}-RT{number}",
        origin=origin,
        external_id=external_id,
        reason=case.discreet(reason),
        created_at=case.now,
    )
    case.returns.append(made)
    return made


def part_of(one: Return, line: OrderLine) -> ReturnLine:
    """The return's part about an order line; a new one where it has none."""
    found = one.line(line.id)
    if found is None:
        found = ReturnLine(f"{one.id}/{len(one.lines) + 1}", len(one.lines) + 1, line.id, line.sku or "")
        one.lines.append(found)
    return found


def mark_over(case: Case, part: ReturnLine) -> Decimal:
    """Note what all returns of the line claim beyond what had left; returns what is new of it."""
    line = case.order.line(part.line_id) if part.line_id else None
    if line is None:
        over = part.sum((*OUTSTANDING, *BACK)) - part.over
    else:
        over = claimed_of(case.returns, line.id) - has_left(line.ledger)
    over = max(over, ZERO)
    part.over += over
    return over


def goods_arrived_at(case: Case) -> dt.datetime | None:
    """When the last of the goods was delivered, or left where nobody said more. None: nothing has left."""
    delivered = [
        package.scan.at
        for package in case.packages
        if package.scan is not None and package.state is PackageState.DELIVERED
    ]
    if delivered:
        return max(delivered)
    shipped = case.snapshot.rows("shipments", {"order_id": case.order.id})
    return max((row["shipped_at"] for row in shipped), default=None)


def _check_returnable(case: Case, wishes: Sequence[Wish]) -> None:
    wanted: dict[str, Decimal] = {}
    for wish in wishes:
        if wish.units <= 0:
            raise IllegalReturn("a quantity to return is more than zero")
        wanted[wish.line.id] = wanted.get(wish.line.id, ZERO) + wish.units
    for line_id, units in wanted.items():
        line = case.order.line(line_id)
        assert line is not None, "a wish names a line of the order"
        free = returnable(line.ledger, _under_way(case, line)) - claimed_of(case.returns, line_id)
        if units > free:
            raise IllegalReturn(
                f"{decimal_text(units)} of {line.sku} asked for, {decimal_text(max(free, ZERO))} can come back"
                " (what was delivered or handed over, less what returns claim already)"
            )


def _under_way(case: Case, line: OrderLine) -> Decimal:
    """Units that a carrier has scanned and not brought to an end."""
    return sum(
        (
            part.counted
            for package in case.packages
            if package.scan is not None
            for part in package.lines
            if part.line_id == line.id and part.bucket is Bucket.SHIPPED
        ),
        ZERO,
    )


# Deciding.


def approve(case: Case, one: Return, by: str) -> None:
    """It may come back, to the policy's location or the nearest by priority. Raises IllegalReturn."""
    if one.state in (ReturnState.REFUSED, ReturnState.EXPIRED):
        _claim_again(case, one)
    one.reach(ReturnState.APPROVED)
    policy = policy_of(case)
    one.location = one.location or _where_to(case, policy)
    one.expires_at = case.now + policy.expires_after
    case.task("return_expiry", one.id, one.expires_at, payload={"order": case.order.id})
    case.clear_exception(f"return-requested/{one.id}", by)
    _tell(case, one, Fact.RETURN_APPROVED, by=by, location=one.location)
    told(case, one, "approved")
    want_label(case, one, policy)


def refuse(case: Case, one: Return, why: str) -> None:
    """It may not come back. Raises IllegalReturn."""
    one.reach(ReturnState.REFUSED)
    _withdraw(one)
    one.facts = {**one.facts, "refused": case.discreet(why)}
    case.clear_exception(f"return-requested/{one.id}", "refused")
    _tell(case, one, Fact.RETURN_REFUSED, why=case.discreet(why))
    told(case, one, "refused")


def cancel(case: Case, one: Return, why: str) -> None:
    """It does not come back after all; only before anything arrived. Raises IllegalReturn."""
    if one.sum(BACK):
        raise IllegalReturn(f"{one.number} has arrived in part: inspect and settle it, or close it")
    one.reach(ReturnState.CANCELLED)
    _withdraw(one)
    case.clear_exception(f"return-requested/{one.id}", "cancelled")
    case.clear_exception(f"return-late/{one.id}", "cancelled")
    drop_label(case, one, "the return was cancelled")
    _tell(case, one, Fact.RETURN_CANCELLED, why=case.discreet(why))
    told(case, one, "cancelled")


def close(case: Case, one: Return, by: str) -> None:
    """Nothing more is waited for. Raises IllegalReturn where goods wait for an inspection, or a customer for money."""
    if one.sum((Stage.RECEIVED,)):
        raise IllegalReturn(f"{one.number} has goods that nobody has inspected")
    if any(line.settleable for line in one.lines):
        raise IllegalReturn(f"{one.number} is not settled: give a refund, an exchange, credit, or say nothing is given")
    _withdraw(one)
    case.clear_exception(f"return-late/{one.id}", by)
    follow(case, one)
    if one.state is not ReturnState.CLOSED:
        end(case, one)


def follow(case: Case, one: Return) -> None:
    """Bring the state in step with the goods; tell of what was reached."""
    for state in one.follow():
        if state in (ReturnState.PARTIALLY_RECEIVED, ReturnState.RECEIVED):
            told(case, one, "received")
        elif state is ReturnState.IN_TRANSIT:
            _tell(case, one, Fact.RETURN_MOVED, tracking_number=one.tracking_number)
        elif state is ReturnState.SETTLED:
            case.clear_exception(f"return-late/{one.id}", "all of it has come")
            case.clear_exception(f"return-unsettled/{one.id}", "settled")
            case.clear_exception(f"return-uninspected/{one.id}", "inspected")
            if _refund_pending(case, one):
                case.task("close_return", one.id, case.now + CLOSES_AFTER, payload={"order": case.order.id})
            else:
                end(case, one)


def end(case: Case, one: Return) -> None:
    one.reach(ReturnState.CLOSED)
    _tell(case, one, Fact.RETURN_CLOSED)
    told(case, one, "closed")


def _refund_pending(case: Case, one: Return) -> bool:
    refunds = tuple(one.facts.get("refunds", ()))
    if not refunds:
        return False
    rows = {row["id"]: row["state"] for row in case.snapshot.rows("refunds", {"id": refunds})}
    # One that was asked for in this very decision is not in the snapshot: it is under way.
    return any(rows.get(refund) != CallState.SUCCEEDED for refund in refunds)


def _claim_again(case: Case, one: Return) -> None:
    """A person approves what was refused or came too late: it is asked for anew, if nobody else has been meanwhile."""
    for part in one.lines:
        line = case.order.line(part.line_id) if part.line_id else None
        units = part[Stage.WITHDRAWN]
        if line is None or not units:
            continue
        _check_returnable(case, [Wish(line, units)])
        part.claim(units)


def _withdraw(one: Return) -> None:
    for part in one.lines:
        part.withdraw()


def _where_to(case: Case, policy: ReturnPolicy) -> str:
    if policy.location in case.rules.locations:
        return policy.location
    able = [rule for rule in case.rules.locations.values() if "receive_returns" in rule.can]
    order = {"dc": 0, "3pl": 1, "vendor": 2, "store": 3}
    best = min(able, key=lambda rule: (order.get(rule.type, 4), rule.priority, rule.id), default=None)
    return best.id if best is not None else ""


def told(case: Case, one: Return, status: str) -> None:
    """Tell the channel, once a status."""
    said = one.facts.get("told", [])
    if status in said:
        return
    one.facts = {**one.facts, "told": [*said, status]}
    lines = [
        (line, part.claimed - (part[Stage.WITHDRAWN] if status not in ("refused", "cancelled") else ZERO))
        for part in one.lines
        if part.line_id and (line := case.order.line(part.line_id)) is not None
    ]
    push_return(case, one.id, status, lines)


def _tell(case: Case, one: Return, fact: Fact, **data: str) -> None:
    named = {"return": one.id, "number": one.number, **{name: text for name, text in data.items() if text}}
    tell(case, fact, f"{one.id}/{case.cause}", **named)


def unexpected(case: Case, one: Return, trouble: Sequence[str]) -> None:
    """What came back is not as it should be: it is kept, and a person decides what its customer gets."""
    cause_key = f"return-unexpected/{one.id}"
    if cause_key in case.raised:
        case.forget([cause_key], "said anew")
    case.raise_exception(
        cause_key,
        "return_unexpected",
        "Something came back that should not have",
        f"Return {one.number}: " + "; ".join(trouble) + ".",
        "It is counted where it lies. Decide with the customer; only what had left is refunded by itself.",
        f"hub returns show {one.id}",
    )


def _ask_person(case: Case, one: Return) -> None:
    case.raise_exception(
        f"return-requested/{one.id}",
        "return_requested",
        "A return waits for a decision",
        f"Return {one.number}: " + ", ".join(f"{decimal_text(part.claimed)} of {part.sku}" for part in one.lines) + ".",
        "Approve or refuse it.",
        f"hub returns approve {one.id}",
    )


# Timers.


def handle_return_expiry(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `return_expiry`: subject is a return that should have come back by now."""

    def expire(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_return(snapshot, rules, now, task.id, str(task.payload["order"]), task.subject)
        if found is None:
            return Decision(Verdict.IGNORED, message="there is no such return any more")
        case, one = found
        if not one.sum(OUTSTANDING) or not one.open or (one.expires_at is not None and one.expires_at > now):
            return Decision(Verdict.IGNORED, subject=case.order.id, message="nothing of it is waited for any more")
        if one.sum((Stage.IN_TRANSIT,)):
            _late(case, one)
        elif one.state in BEFORE_RECEIPT:
            one.reach(ReturnState.EXPIRED)
            _withdraw(one)
            drop_label(case, one, "nothing came back in time")
            _tell(case, one, Fact.RETURN_EXPIRED)
            told(case, one, "cancelled")
        else:
            # Some of it came; the rest will not.
            _withdraw(one)
            _tell(case, one, Fact.RETURN_EXPIRED)
            follow(case, one)
        return save(case)

    return expire


def _late(case: Case, one: Return) -> None:
    case.raise_exception(
        f"return-late/{one.id}",
        "return_late",
        "A return is on its way for too long",
        f"Return {one.number} ({one.tracking_number or 'no tracking number'}) should have arrived by"
        f" {instant_text(one.expires_at) if one.expires_at else 'now'}.",
        "Ask the carrier; then close it, or refund it without the goods.",
        f"hub returns show {one.id}",
    )


def handle_close_return(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `close_return`: subject is a settled return whose refund was under way."""

    def close_when_paid(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_return(snapshot, rules, now, task.id, str(task.payload["order"]), task.subject)
        if found is None:
            return Decision(Verdict.IGNORED, message="there is no such return any more")
        case, one = found
        if one.state is not ReturnState.SETTLED:
            return Decision(Verdict.IGNORED, subject=case.order.id, message=f"it is {one.state}")
        if _refund_pending(case, one):
            waited = int(task.payload.get("waited", 0)) + 1
            again = now + min(CLOSES_AFTER * 4**waited, dt.timedelta(days=1))
            case.task("close_return", one.id, again, payload={"order": case.order.id, "waited": waited})
        else:
            end(case, one)
        return save(case)

    return close_when_paid


def open_return(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, return_id: str
) -> tuple[Case, Return] | None:
    case = open_case(snapshot, rules, now, cause, order_id)
    one = next((one for one in case.returns if one.id == return_id), None) if case else None
    return None if case is None or one is None else (case, one)


def wishes_of(case: Case, lines: Sequence[Mapping[str, str]]) -> list[Wish]:
    """From {line | external_line_id | sku, quantity, reason}. Raises IllegalReturn for a line the order has not."""
    wishes = []
    for said in lines:
        line = find_line(case, said)
        if line is None:
            raise IllegalReturn(f"the order has no line {said.get('line') or said.get('sku') or '?'}")
        units = whole(line, Decimal(str(said.get("quantity", "1"))))
        reason = str(said.get("reason", ""))
        wishes += [Wish(part, wanted, reason) for part, wanted in parts_of(case, line, units)]
    return wishes


def find_line(case: Case, said: Mapping[str, str]) -> OrderLine | None:
    """By our line id, its number (of a kit and its components: the kit's), the channel's line id, or else the SKU: of
    several the one most can come back of."""
    order = case.order
    named = str(said.get("line") or said.get("external_line_id") or "")
    if named:
        by_number = [line for line in order.lines if str(line.number) == named and not line.kit]
        found = order.line(named) or order.external_line(named) or (by_number[0] if by_number else None)
        if found is not None:
            return found
    of_sku = [line for line in order.lines if line.sku and line.sku == said.get("sku")]
    return max(of_sku, key=lambda line: has_left(line.ledger) - claimed_of(case.returns, line.id), default=None)
