"""What became of a change: at once where nobody outside had the goods, else as soon as the locations have answered.

A change that waits for answers stands in the order's facts, so that settling it reads nothing more. Every fact that may
bring an answer ends in `reconcile`, which calls `settle_changes`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.change import ChangeState, Effect, price_effect
from hub.domain.events import Fact
from hub.domain.fulfilment import CancelRequest
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine, edits_effect
from hub.domain.writeset import Update
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.money.collect_there import collect_less
from hub.oms.money.exchanged import settle_exchanged
from hub.oms.money.pay import collect, give_back, manages_money, of_order, payer_of
from hub.oms.telling.change_response import Decided, change_response
from hub.oms.telling.outgoing import update_order
from hub.oms.telling.tell import push_cancellation

ZERO = Decimal(0)
ASKED_ADDRESS = "ship_to_asked"
"""Contact: the address that goods still to be given back will go to."""
STATED_ADDRESS = "ship_to_stated"
"""Contact: the address as the channel states it, where another was decided here."""
OPEN = "changes_open"


@dataclass(slots=True)
class Change:
    """A change that is being decided. `lines`: line id -> (quantity wanted before, wanted by it). `requests`: cancel
    requests by which goods come back for another address. `overlays`: decided here, over what the channel states.
    `answer`: what the channel asked, where it is to hear what became of it (hub.oms.telling.change_response);
    `problems`: what of that was declined at once. `overtaken`: a line was changed again before this was answered.
    `stated`: line id -> what its channel wanted of it when the change was asked for, of one that waits."""

    id: str
    lines: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    by: str = ""
    overlays: bool = True
    answer: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    overtaken: bool = False
    stated: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """`kept`: line id -> what of it should have gone and stays."""

    state: ChangeState
    why: str = ""
    kept: dict[str, Decimal] = field(default_factory=dict)
    readdressed: bool = False


def outcome(case: Case, change: Change) -> Outcome | None:
    """What a change has come to; None while a location has not answered."""
    requests = {one.id: one for work in case.work for one in work.cancel_requests if one.id in change.requests}
    if any(request.waiting > 0 for request in requests.values()) or _waits(case, change):
        return None
    if case.order.cancelled and not change.answer.get("cancel"):
        return Outcome(ChangeState.DECLINED, "the order was cancelled meanwhile")
    kept, why = {}, list(change.problems)
    done = not change.lines and not change.requests and not change.overtaken
    for line_id, (before, _) in change.lines.items():
        line = case.order.line(line_id)
        if line is None:
            continue
        stays = _above_wish(case, line)
        done = done or stays == 0 or line.live != before
        if stays > 0:
            kept[line_id] = stays
            why.append(f"{decimal_text(stays)} of line {line.number} cannot be taken back any more")
    back = _back(requests)
    left = [decimal_text(back[1])] if back[1] > 0 else []
    why += [f"{units} units go to the address as it was" for units in left]
    readdressed = bool(change.requests) and back[0] > 0
    done = done or readdressed
    return Outcome(ChangeState.ACCEPTED if done else ChangeState.DECLINED, "; ".join(why), kept, readdressed)


def settle_changes(case: Case) -> None:
    """Settle what waited for answers that have come."""
    waiting: Mapping[str, Any] = case.order.facts.get(OPEN, {})
    for change_id, kept in waiting.items():
        change = _from_json(change_id, kept)
        found = outcome(case, change)
        if found is None:
            continue
        _forget(case, change_id)
        effect = settle(case, change, found)
        values = {
            "state": found.state.value,
            "price_effect": effect.amount,
            "beside_total": effect.amount,
            "why": found.why,
            "settled_at": case.now,
        }
        case.decision.writes.update("changes", {"id": change_id}, values)
        tell_change(case, change_id, found.state)
        answer_change(case, change, found)
        if found.readdressed:
            update_order(case)


def settle(case: Case, change: Change, found: Outcome) -> Effect:
    """Bring the order in line with what a change has come to; returns what it adds to the order's total."""
    order = case.order
    edits: dict[str, Any] = {name: dict(edit) for name, edit in order.facts.get("edits", {}).items()}
    whole, beyond, less = Effect(), Effect(), []
    for line_id, (before, wanted) in change.lines.items():
        line = order.line(line_id)
        if line is None or not change.overlays:
            continue
        edit = edits.setdefault(line_id, {})
        said = change.stated.get(line_id, line.wanted)
        if said != line.wanted and not edit.get("effects"):
            before = line.wanted  # the channel has moved meanwhile, and its total with it
        final = wanted + found.kept.get(line_id, ZERO)
        if found.state is ChangeState.DECLINED:
            final = before
        line.edited = final
        known = ZERO if line.added_here else line.wanted
        if final < min(before, known):
            less.append((line, min(before, known) - final))
        effect = _effect(case, line, final - before)
        whole += effect
        beyond += _effect(case, line, max(final, known) - max(before, known))
        edit |= {"was": "" if line.added_here else decimal_text(said), "by": change.by}
        if effect.amount:
            edit["effects"] = {**edit.get("effects", {}), change.id: [str(effect.amount), str(effect.tax)]}
        if not line.added_here and final == line.wanted:
            line.edited = None
            del edits[line_id]
    if edits or "edits" in order.facts:
        order.facts = {**order.facts, "edits": edits}
    if change.requests and case.contacts.get(ASKED_ADDRESS):
        if found.readdressed and change.overlays:
            take_address(case, dict(case.contacts[ASKED_ADDRESS]), change.by)
        elif found.readdressed:
            drop_edit(case, "ship_to")
        case.contacts[ASKED_ADDRESS] = {}
    if found.readdressed or change.requests:
        case.clear_exception(f"address-changed/{order.id}", "the locations have answered")
    if change.by != order.channel:
        _settle_money(case, change.id, whole.amount, beyond.amount, less)
    return whole


def _effect(case: Case, line: OrderLine, units: Decimal) -> Effect:
    taxes_included = bool(case.order.facts.get("taxes_included"))
    return price_effect(line.details, priced_quantity(line), units, case.order.currency, taxes_included)


def _settle_money(
    case: Case, change_id: str, amount: Decimal, beyond: Decimal, less: Sequence[tuple[OrderLine, Decimal]]
) -> None:
    """Charge or give back what an edit made here comes to. Where the hub manages the money, shipments charge the
    order's total as it is then, so only what was taken in advance is given back; a channel gives back itself what it
    cancels, and is asked for the rest. `beyond`: what of the amount is for goods that the channel does not know to be
    wanted; as long as nobody has charged them, nothing is given back for them."""
    key, reason = f"change/{change_id}", "an edit of the order"
    if payer_of(case) is not case:
        settle_exchanged(case, change_id, amount, reason)
    elif manages_money(case):
        taken = sum((one.captured + one.capturing - one.refunded - one.refunding for one in of_order(case)), ZERO)
        present = (case.order.total or ZERO) + edits_effect(case.order).amount
        if amount < 0 and taken > present:
            give_back(case, min(-amount, taken - present), key, reason, less)
    elif amount > 0:
        collect(case, amount, key, reason)
    elif beyond < 0:
        amount += collect_less(case, -beyond, key, reason)
    if less and case.channel is not None and "push_cancellation" in case.channel.capabilities:
        push_cancellation(case, less, reason, key)
    elif amount < 0 and not manages_money(case) and payer_of(case) is case:
        refundable = sum((one.refundable for one in of_order(case)), ZERO)
        if refundable > 0:
            give_back(case, min(-amount, refundable), key, reason, less)


def take_address(case: Case, address: dict[str, Any], by: str) -> None:
    """From here on the order's goods go to this address; what the channel states is kept beside it."""
    contacts, order = case.contacts, case.order
    stated = contacts.get(STATED_ADDRESS) or contacts.get("ship_to", {})
    contacts[STATED_ADDRESS] = stated
    contacts["ship_to"] = address
    edits = {**order.facts.get("edits", {}), "ship_to": {"was": fingerprint_of(stated), "by": by}}
    facts = {name: value for name, value in order.facts.items() if name != "sourced_for"}
    order.facts = {**facts, "edits": edits}


def drop_edit(case: Case, name: str) -> None:
    """Forget what was decided here about a line (its id) or the address ("ship_to"): the channel's word counts again,
    and its total holds it."""
    order = case.order
    edits = dict(order.facts.get("edits", {}))
    edit = edits.pop(name, {})
    facts = {fact: value for fact, value in order.facts.items() if fact not in ("edits", "sourced_for")}
    order.facts = {**facts, "edits": edits} if edits else facts
    for change_id, (amount, _) in edit.get("effects", {}).items():
        held = Update("changes", {"id": change_id}, {}, {"beside_total": -Decimal(amount)}, None)
        case.decision.writes.operations.append(held)
    line = order.line(name)
    if line is not None:
        line.edited = None
    elif case.contacts.get(STATED_ADDRESS):
        case.contacts["ship_to"] = case.contacts[STATED_ADDRESS]
        case.contacts[STATED_ADDRESS] = {}


def rebase_edit(case: Case, line: OrderLine) -> None:
    """The channel states another quantity or price of a line that was edited here: what the edit adds to the order's
    total is counted from that, for the total is the channel's."""
    edits: Mapping[str, Any] = case.order.facts.get("edits", {})
    effects: Mapping[str, Any] = edits.get(line.id, {}).get("effects", {})
    waits = any(line.id in kept["lines"] for kept in case.order.facts.get(OPEN, {}).values())
    if not effects or waits or line.added_here:
        return
    booked = [Effect(Decimal(amount), Decimal(tax)) for amount, tax in effects.values()]
    right = _effect(case, line, line.wish - line.wanted)
    amount = right.amount - sum((one.amount for one in booked), ZERO)
    tax = right.tax - sum((one.tax for one in booked), ZERO)
    if not amount and not tax:
        return
    change_id, last = list(effects)[-1], booked[-1]
    moved = {**effects, change_id: [str(last.amount + amount), str(last.tax + tax)]}
    case.order.facts = {**case.order.facts, "edits": {**edits, line.id: {**edits[line.id], "effects": moved}}}
    case.decision.writes.operations.append(Update("changes", {"id": change_id}, {}, {"beside_total": amount}, None))


def fingerprint_of(address: Mapping[str, Any]) -> str:
    """Tells two addresses apart without holding either."""
    text = json.dumps(dict(address), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def keep_open(case: Case, change: Change) -> None:
    """Remember a change until the locations have answered; what its channel states meanwhile is held against it."""
    edits = dict(case.order.facts.get("edits", {}))
    for line_id in change.lines if change.overlays else ():
        line = case.order.line(line_id)
        if line is not None and not line.added_here and line_id not in change.stated:
            change.stated[line_id] = line.wanted
            edits[line_id] = {**edits.get(line_id, {}), "was": decimal_text(line.wanted), "by": change.by}
    waiting = case.order.facts.get(OPEN, {})
    facts = {**case.order.facts, OPEN: {**waiting, change.id: _to_json(change)}}
    case.order.facts = {**facts, "edits": edits} if edits else facts


def overtake(case: Case, line: OrderLine) -> Decimal | None:
    """A line is changed again while a change of it still waits for answers: that one has no say in it any more. Returns
    what was wanted before that one; None where none waits."""
    for change_id, kept in case.order.facts.get(OPEN, {}).items():
        change = _from_json(change_id, kept)
        if change.overlays and line.id in change.lines:
            before, _ = change.lines.pop(line.id)
            change.overtaken = True
            change.problems.append(f"line {line.number} was changed again before it was answered")
            keep_open(case, change)
            return before
    return None


def priced_quantity(line: OrderLine) -> Decimal:
    """The quantity that a line's own amounts (discounts, taxes, total) are for."""
    stated = line.details.get("quantity")
    return Decimal(str(stated)) if stated is not None else line.ledger.ordered


def answer_change(case: Case, change: Change, found: Outcome) -> None:
    """The channel asked for the change: it hears what became of it."""
    if "lines" in change.answer:
        change_response(case, change.id, change.answer, Decided(found.state, found.why, change.lines, found.kept))


def tell_change(case: Case, change_id: str, state: ChangeState) -> None:
    fact = {
        ChangeState.REQUESTED: Fact.CHANGE_REQUESTED,
        ChangeState.ACCEPTED: Fact.CHANGE_ACCEPTED,
        ChangeState.DECLINED: Fact.CHANGE_DECLINED,
    }[state]
    tell(case, fact, change_id, change=change_id)


def _above_wish(case: Case, line: OrderLine) -> Decimal:
    """What of a line is neither cancelled nor wanted."""
    return max(line.cancel_target(case.order.cancelled) - (line.ledger.ordered - line.live), ZERO)


def _waits(case: Case, change: Change) -> bool:
    """What was asked of a location may still come back: to be cancelled, or to be planned anew and cancelled then."""
    lines = {line.id for line in case.order.lines if line.id in change.lines or line.kit in change.lines}
    return any(work.waiting(line_id) > 0 for work in case.work for line_id in lines)


def _back(requests: Mapping[str, CancelRequest]) -> tuple[Decimal, Decimal]:
    """(given back, not given back) of what was asked for another address."""
    lines = [line for request in requests.values() for line in request.lines]
    return (
        sum((line.accepted for line in lines), ZERO),
        sum((line.refused + line.overtaken for line in lines), ZERO),
    )


def _forget(case: Case, change_id: str) -> None:
    facts = dict(case.order.facts)
    waiting = {name: kept for name, kept in facts.pop(OPEN).items() if name != change_id}
    case.order.facts = {**facts, OPEN: waiting} if waiting else facts


def _to_json(change: Change) -> dict[str, Any]:
    lines = {line: [decimal_text(before), decimal_text(to)] for line, (before, to) in change.lines.items()}
    kept = {"lines": lines, "requests": change.requests, "by": change.by, "overlays": change.overlays}
    beside = {"answer": change.answer, "problems": change.problems, "overtaken": change.overtaken}
    beside["stated"] = {line: decimal_text(units) for line, units in change.stated.items()}
    return {**kept, **{name: value for name, value in beside.items() if value}}


def _from_json(change_id: str, kept: Mapping[str, Any]) -> Change:
    lines = {line: (Decimal(before), Decimal(to)) for line, (before, to) in kept["lines"].items()}
    answer, problems = dict(kept.get("answer", {})), list(kept.get("problems", ()))
    stated = {line: Decimal(units) for line, units in kept.get("stated", {}).items()}
    beside = (answer, problems, bool(kept.get("overtaken")), stated)
    return Change(change_id, lines, list(kept["requests"]), kept["by"], kept["overlays"], *beside)
