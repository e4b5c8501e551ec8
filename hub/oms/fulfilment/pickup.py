"""Goods that their buyer comes for: which store, when they stand ready, and what happens when nobody comes.

Nothing of a pickup is sent to anybody silently: a store that turns its work down, or gives up waiting, leads to what
the policy says, and a person is told. Goods of a store come back only by its word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED, FulfilmentOrder, WorkState
from hub.domain.money import decimal_text, round_to_minor, units_text
from hub.domain.order import OrderLine, OrderStatus, status
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.domain.totals import line_value
from hub.oms.change.cancel import settle_cancel
from hub.oms.change.reconcile import ask
from hub.oms.desk.load import Case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.fulfilment.work import named_line, open_work
from hub.oms.intake.groups import SHIP_INSTEAD
from hub.oms.money.pay import give_back, manages_money, of_order, owed, release_authorisation
from hub.oms.ports import PickupRule, Rules
from hub.oms.stock.reserve import release_firm
from hub.oms.telling.tell import notify, push_cancellation, push_order_status, sold_as

ZERO = Decimal(0)
TURNED_DOWN = "pickup-turned-down/"


def became_ready(case: Case, work: FulfilmentOrder, before: WorkState) -> None:
    """Everything that the store still has stands ready, and did not before: the buyer is told, and the wait begins."""
    if work.state is not WorkState.READY or before is WorkState.READY:
        return
    rule = case.rules.pickup
    tell(case, Fact.WORK_READY, work.id, fulfilment_order=work.id, location=work.location)
    data = {"fulfilment_order": work.id, "location": work.location}
    until = instant_text(case.now + rule.hold_for)
    notify(case, "ready_for_pickup", work.id, sold_as(case, _held(case, work)), **data, collect_until=until)
    push_order_status(case, "ready_for_pickup", work.id, _held(case, work), **data)
    case.task("no_show", work.id, case.now + rule.hold_for)
    if rule.remind_after is not None and rule.remind_after < rule.hold_for:
        case.task("pickup_reminder", work.id, case.now + rule.remind_after)


def not_collected(case: Case, work: FulfilmentOrder, quantities: Mapping[str, Decimal], reason: str) -> None:
    """The store put goods back because nobody came: they are cancelled, free there again, and paid back."""
    given_up: list[tuple[OrderLine, Decimal]] = []
    for line_id, units in quantities.items():
        pair = named_line(case, work, line_id)
        if pair is None:
            continue
        part, line = pair
        moved = ZERO
        for source, taken in part.take(tuple(reversed(AT_LOCATION)), units):
            part.shift(source, Bucket.CANCELLED, taken)
            line.ledger.move(source, Bucket.CANCELLED, taken)
            line.cancelled_by_facts += taken
            release_firm(case, work.id, line_id, taken)
            moved += taken
        if moved > 0:
            given_up.append((line, moved))
    give_up(case, work, given_up, reason)


def give_up(case: Case, work: FulfilmentOrder, lines: Sequence[tuple[OrderLine, Decimal]], reason: str) -> None:
    """Nobody came, and the goods are free at the store again: who paid gets it back, who sold is told."""
    work.settle()
    see_collected(case, work)
    if not lines:
        return
    tell(case, Fact.WORK_NOT_COLLECTED, case.cause, fulfilment_order=work.id, units=_units(lines))
    notify(case, "not_collected", f"{work.id}/{case.cause}", fulfilment_order=work.id, location=work.location)
    push_order_status(case, "not_collected", f"{work.id}/{case.cause}", lines, location=work.location)
    _undo(case, lines, reason)


def see_collected(case: Case, work: FulfilmentOrder) -> None:
    """A person was told that nobody came, until nothing stands ready any more."""
    if not any(part[Bucket.READY_FOR_PICKUP] > 0 for part in work.lines):
        case.clear_exception(f"not-collected/{work.id}", "answered")


def tell_kept(case: Case, work: FulfilmentOrder) -> None:
    """The store was asked to put goods back and does not: only people can go on."""
    _tell_no_show(case, work, case.rules.pickup, restock=False)


def turned_down(
    case: Case, work: FulfilmentOrder, lines: Sequence[tuple[OrderLine, Decimal]], reason: str
) -> tuple[str, str]:
    """A store gave pickup goods back before they were ready; they are open. Does what the policy says; returns what was
    done and what a person should do."""
    rule, ids = case.rules.pickup, sorted(line.id for line, _ in lines)
    address = case.contacts.get("ship_to")
    if rule.on_reject == SHIP_INSTEAD and address:
        others = case.order.facts.get(SHIP_INSTEAD, ())
        case.order.facts = {**case.order.facts, SHIP_INSTEAD: sorted({*others, *ids})}
        notify(case, "pickup_sent_instead", f"{work.id}/{case.cause}", location=work.location)
        return "they are sent to the buyer's address instead", "Tell the buyer that nothing waits at the store."
    if rule.on_reject == "ask":
        return "they wait for a decision", "Ask the buyer: another store (hub work move), or cancel the order."
    for line, units in lines:
        line.cancelled_by_facts += units
    notify(case, "pickup_cancelled", f"{work.id}/{case.cause}", location=work.location)
    _undo(case, lines, reason)
    return "they were cancelled", "The buyer was told where mail is set up; offer another store."


def tell_turned_down(case: Case, work: FulfilmentOrder, units: Decimal, reason: str, done: str, next_step: str) -> None:
    case.raise_exception(
        f"{TURNED_DOWN}{work.id}",
        "pickup_turned_down",
        "A store cannot give a buyer what is to be collected there",
        f"{work.location} gave {units_text(units)} back ({reason}); {done}.",
        next_step,
        f"hub orders show {case.order.id}",
    )


def _undo(case: Case, lines: Sequence[tuple[OrderLine, Decimal]], reason: str) -> None:
    """What is not handed over after all: taken back everywhere, the channel told, the money given back."""
    settle_cancel(case, reason)
    push_cancellation(case, lines, reason, f"pickup/{case.cause}")
    over = status(case.order) is OrderStatus.CANCELLED
    if over:
        release_authorisation(case, reason)
    paid = sum((payment.refundable for payment in of_order(case)), ZERO)
    if manages_money(case):
        paid -= sum(owed(case).values(), ZERO)  # what was handed over or sent stays paid
    amount = paid if over else min(paid, _worth(case, lines))
    if amount > 0:
        give_back(case, amount, f"pickup/{case.cause}", reason, lines)


def _worth(case: Case, lines: Sequence[tuple[OrderLine, Decimal]]) -> Decimal:
    """What units of lines cost their buyer: at their price, with their own tax and less their own discounts."""
    total = ZERO
    for line, units in lines:
        ordered = line.ledger.ordered
        stated = {**line.details, "quantity": decimal_text(ordered)}
        whole = line_value(stated)
        if not case.order.facts.get("taxes_included"):
            whole += sum((Decimal(tax["amount"]) for tax in line.details.get("taxes", ())), ZERO)
        for adjustment in line.details.get("adjustments", ()):
            whole -= abs(Decimal(adjustment["amount"])) if adjustment["type"] == "discount" else ZERO
        total += whole * units / ordered
    return round_to_minor(total, case.order.currency) if case.order.currency else total


def _held(case: Case, work: FulfilmentOrder) -> list[tuple[OrderLine, Decimal]]:
    pairs = ((case.order.line(part.line_id), part.at_location) for part in work.lines)
    return [(line, units) for line, units in pairs if line is not None and units > 0]


def _units(lines: Sequence[tuple[OrderLine, Decimal]]) -> str:
    return decimal_text(sum((units for _, units in lines), ZERO))


def handle_no_show(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `no_show`: subject is a fulfilment order whose goods have stood ready for as long as the policy says."""

    def nobody_came(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_work(snapshot, rules, now, task.id, task.subject)
        if found is None:
            return Decision(Verdict.IGNORED, message="there is no such fulfilment order any more")
        case, work = found
        waiting = {part.line_id: part[Bucket.READY_FOR_PICKUP] - work.waiting(part.line_id) for part in work.lines}
        wishes = {line_id: units for line_id, units in waiting.items() if units > 0}
        if work.state in FINISHED or not wishes:
            return Decision(Verdict.IGNORED, subject=case.order.id, message=f"nothing waits any more: {work.state}")
        restock = rules.pickup.no_show == "restock_and_refund"
        _tell_no_show(case, work, rules.pickup, restock)
        if restock:
            ask(case, {work.id: wishes}, "no_show", "nobody came for it")
        return save(case)

    return nobody_came


def _tell_no_show(case: Case, work: FulfilmentOrder, rule: PickupRule, restock: bool) -> None:
    asked = "It has been asked to put them back; they are free and paid back when it says that it has."
    kept = "Ask the buyer. The store hands over (hub work hand-over) or puts back (hub work not-collected)."
    case.raise_exception(
        f"not-collected/{work.id}",
        "not_collected",
        "Nobody came for goods that stand ready",
        f"Fulfilment order {work.id} has stood ready at {work.location} for {rule.hold_for.total_seconds() / 86400:g}"
        " days.",
        asked if restock else kept,
        f"hub work show {work.id}",
    )


def handle_reminder(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `pickup_reminder`: the buyer of a fulfilment order that still stands ready is written to once more."""

    def remind(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_work(snapshot, rules, now, task.id, task.subject)
        if found is None or found[1].state is not WorkState.READY:
            return Decision(Verdict.IGNORED, message="nothing stands ready any more")
        case, work = found
        notify(case, "pickup_reminder", work.id, fulfilment_order=work.id, location=work.location)
        return save(case)

    return remind
