"""Allocating: reserve what is open softly where hub.oms.sourcing.source found it, and count what waits.

Until an order is confirmed its allocation is recomputed as a whole from what is wanted now, its own soft reservations
counting as free: the result depends on the order and the stock, not on the way they came about. After confirmation
only what is open is allocated, and its work is planned at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.snapshot import Snapshot
from hub.domain.sourcing import Plan
from hub.domain.validation import Rule
from hub.oms.change.cancel import tell_erp
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, new_hold, open_case
from hub.oms.desk.save import save
from hub.oms.fulfilment.confirm import confirm_when_due, plan_work
from hub.oms.fulfilment.pickup import TURNED_DOWN
from hub.oms.intake.groups import COLLECTED, DeliveryGroup, group_of, groups, no_store
from hub.oms.intake.holds import HUB, place, release
from hub.oms.ports import Rules
from hub.oms.promise.backorders import take_turns
from hub.oms.promise.preorders import not_before, promise_dates
from hub.oms.sourcing.another_day import look_when_it_opens, opens_again
from hub.oms.sourcing.source import Sourcing, find_plan, keep, waits_for_a_person
from hub.oms.stock.expire import ask_for_expiry
from hub.oms.stock.reserve import count_unassigned, give_back, reserve, soft, trim

ZERO = Decimal(0)
LOOK_AGAIN = dt.timedelta(seconds=15)
"""Stock that another process counted at this very moment did not see that this order waits: it looks once more."""


def handle_allocate(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `allocate` (and `resource`): subject is the order."""

    def allocate_task(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        if task.payload.get("look_again") and not _anything_free(case):
            return Decision(Verdict.IGNORED, subject=case.order.id, message="there is still nothing free")
        reconcile(case)
        allocate(case)
        if not confirm_when_due(case):
            ask_for_expiry(case)
            _ask_for_the_end_of_grace(case)
        return save(case)

    return allocate_task


def _ask_for_the_end_of_grace(case: Case) -> None:
    """What was held when it was captured is waited for from here: by now only its grace may be in the way."""
    order = case.order
    waits = case.acts and order.confirmed_at is None and not order.held and not order.cancelled
    if waits and order.grace_until is not None and order.grace_until > case.now:
        case.task("confirm", order.id, order.grace_until)


def allocate(case: Case) -> None:
    """Reserve what can be reserved; what cannot is backordered with the demand counted."""
    order = case.order
    for hold in order.open_holds():
        if hold.rule == Rule.NO_STOCK:
            release(case, hold, HUB)  # placed again below if there is still nothing
    if not case.acts or order.cancelled or order.open_holds() or waits_for_a_person(case):
        count_unassigned(case)
        return
    homeless = no_store(case)
    if homeless:
        numbers = ", ".join(str(line.number) for line in homeless)
        hint = f"line {numbers} is collected at a store, but at none that we know; map its location (location_map)"
        place(case, new_hold(case, "validation", Rule.NO_STORE, "pickup_location", hint, None, "pickup_location"))
        count_unassigned(case)
        return
    lines = [line for line in order.lines if line.ours and line.sku and not order.open_holds(line.id)]
    lines = [line for line in lines if not _asked_about(case, line)]
    pool = {line.id: _pool(case, line) for line in lines}
    fresh = any(line.ledger.sum((Bucket.OPEN, Bucket.BACKORDERED, Bucket.PREORDERED)) for line in lines)
    stands = not fresh and _sourced_for(case) == _inputs(lines, pool)
    if stands and not order.may_confirm(case.now):
        return
    wanted = [line for line in lines if pool[line.id] > 0]
    released = _wait_for_release(case, wanted)
    found = [
        _source(case, group, of_group, pool, stands=stands)
        for group, of_group in groups(case, [line for line in wanted if line.id not in released]).items()
    ]
    promise_dates(case, wanted, released)
    for sourcing in found:
        if sourcing is None:
            continue
        opens = opens_again(case, sourcing)
        if opens is not None:
            look_when_it_opens(case, sourcing, opens)
        else:
            _when_nothing(case, wanted, sourcing.plan)
        keep(case, sourcing)
    order.facts = {**order.facts, "sourced_for": _inputs(lines, pool)}
    count_unassigned(case)
    take_turns(case, wanted, [sourcing for sourcing in found if sourcing is not None], released)
    if order.confirmed_at is not None:
        plan_work(case)


def _asked_about(case: Case, line: OrderLine) -> bool:
    """A store turned it down, and where its buyer gets it now is for a person to say."""
    turned_down = any(key.startswith(TURNED_DOWN) for key in case.raised)
    return turned_down and case.rules.pickup.on_reject == "ask" and group_of(case, line).method in COLLECTED


def _anything_free(case: Case) -> bool:
    """Something that waits for stock could be reserved somewhere now."""
    skus = tuple(sorted({line.sku for line in case.order.lines if line.sku and _waits(line)}))
    for row in case.snapshot.rows("stock", {"sku": skus}) if skus else ():
        rule = case.location(row["location"])
        if rule is not None and row["on_hand"] - row["soft"] - row["firm"] - rule.safety(row["sku"]) > 0:
            return True
    return False


def _waits(line: OrderLine) -> Decimal:
    return line.ledger.sum((Bucket.BACKORDERED, Bucket.PREORDERED))


def _pool(case: Case, line: OrderLine) -> Decimal:
    """What of a line is to be sourced: everything not yet in a location's hands."""
    again = line.ledger[Bucket.ALLOCATED] if case.order.confirmed_at is None else ZERO
    return line.ledger[Bucket.OPEN] + line.ledger[Bucket.BACKORDERED] + line.ledger[Bucket.PREORDERED] + again


def _inputs(lines: list[OrderLine], pool: dict[str, Decimal]) -> str:
    text = ";".join(f"{line.id}={decimal_text(pool[line.id])}" for line in sorted(lines, key=lambda line: line.id))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sourced_for(case: Case) -> str | None:
    found = case.order.facts.get("sourced_for")
    return str(found) if found is not None else None


def _source(
    case: Case, group: DeliveryGroup, lines: list[OrderLine], pool: dict[str, Decimal], *, stands: bool
) -> Sourcing | None:
    """`stands`: the order wants what it was sourced for. Its grace is over, so the stock of now decides; the decision
    that was kept stays, if that comes to the same (then None)."""
    sourcing = find_plan(case, group, lines, pool)
    if stands and sourcing.plan.quantities == _reserved(case, lines):
        return None
    _reserve_plan(case, lines, pool, sourcing.plan)
    if any(move.target is Bucket.BACKORDERED for line in lines for move in line.ledger.moves):
        payload = {"look_again": True}
        case.task("allocate", case.order.id, case.now + LOOK_AGAIN, "look-again", payload=payload)
    return sourcing


def _wait_for_release(case: Case, lines: list[OrderLine]) -> dict[str, dt.datetime]:
    """Line -> the day before which its item is not sent: it waits, whatever is there."""
    released = not_before(case, lines)
    for line in lines:
        if line.id in released:
            line.ledger.move(Bucket.OPEN, Bucket.BACKORDERED, line.ledger[Bucket.OPEN])
            case.task("allocate", case.order.id, released[line.id], "release", line.id)
    return released


def _reserved(case: Case, lines: list[OrderLine]) -> dict[tuple[str, str], Decimal]:
    """(SKU, location) -> what is kept softly there for these lines."""
    held: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        for reservation in soft(case, line):
            key = (reservation.sku, reservation.location)
            held[key] = held.get(key, ZERO) + reservation.quantity
    return held


def _when_nothing(case: Case, lines: list[OrderLine], plan: Plan) -> None:
    """What nobody can give and nothing is to come for waits as backordered; the fallback of the routing may hold or
    cancel instead."""
    if not plan.unfilled or not any(line.ledger[Bucket.BACKORDERED] for line in lines if line.sku in plan.unfilled):
        return
    if case.rules.when_nothing == "hold":
        hint = f"no location has {', '.join(sorted(plan.unfilled))}; released when stock comes"
        place(case, new_hold(case, "stock", Rule.NO_STOCK, "lines", hint, None, "lines"))
    elif case.rules.when_nothing == "cancel":
        for line in lines:
            line.cancelled_by_facts += line.ledger[Bucket.BACKORDERED]
        reconcile(case, "out of stock")
        tell_erp(case, "out of stock")


def _reserve_plan(case: Case, lines: list[OrderLine], pool: dict[str, Decimal], plan: Plan) -> None:
    """Deal the plan out to lines by number, and move reservations and ledgers by the difference only."""
    left = dict(plan.quantities)
    for line in sorted(lines, key=lambda line: (line.number, line.id)):
        missing = pool[line.id]
        dealt: dict[str, Decimal] = {}
        for sku, location in sorted(left):
            part = min(missing, left[(sku, location)]) if sku == line.sku else ZERO
            if part > 0:
                dealt[location] = part
                left[(sku, location)] -= part
                missing -= part
        _apply(case, line, dealt, missing)


def _apply(case: Case, line: OrderLine, dealt: dict[str, Decimal], missing: Decimal) -> None:
    ledger = line.ledger
    held = soft(case, line) if case.order.confirmed_at is None else []
    target = sum(dealt.values(), ZERO)
    before = ledger[Bucket.ALLOCATED] if case.order.confirmed_at is None else ZERO
    if before > target:
        ledger.move(Bucket.ALLOCATED, Bucket.OPEN, before - target)
    wanted = max(target - before, ZERO)
    for bucket, part in ledger.take((Bucket.PREORDERED, Bucket.BACKORDERED, Bucket.OPEN), wanted):
        ledger.move(bucket, Bucket.ALLOCATED, part)
    if missing > 0 and ledger[Bucket.OPEN] > 0:
        ledger.move(Bucket.OPEN, Bucket.BACKORDERED, ledger[Bucket.OPEN])
    for reservation in held:
        surplus = reservation.quantity - dealt.pop(reservation.location, ZERO)
        if surplus > 0:
            give_back(case, reservation, surplus)
        elif surplus < 0:
            reserve(case, line, reservation.location, -surplus)
    for location, quantity in sorted(dealt.items()):
        reserve(case, line, location, quantity)
    trim(case, line)
