"""Goods that come back: they arrive at a location, are inspected, and go for sale, into quarantine or to scrap.

Any location may receive what any other sent. What arrives is never refused: what nobody asked back, what the order
never had and what is more than had left is kept, lies where it lies, and a person is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.return_policy import Disposition
from hub.domain.returns import IllegalReturn, Return, ReturnLine, ReturnState, Stage
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case
from hub.oms.desk.save import save, tell
from hub.oms.money.posting import post_goods_movement
from hub.oms.ports import Rules
from hub.oms.returns.returns import follow, mark_over, open_return, part_of, policy_of, unexpected
from hub.oms.returns.settle import settle_by_policy
from hub.oms.stock.restock import DAMAGED, ON_HAND, QUARANTINE, put_into_stock

ZERO = Decimal(0)
INSPECT_WITHIN = dt.timedelta(days=3)

STAGES: dict[Disposition, tuple[Stage, str, str]] = {
    Disposition.RESTOCK: (Stage.RESTOCKED, ON_HAND, "return"),
    Disposition.QUARANTINE: (Stage.QUARANTINED, QUARANTINE, "quarantine"),
    Disposition.SCRAP: (Stage.SCRAPPED, DAMAGED, "scrap"),
}
"""Disposition -> stage of the return, bucket of the stock, kind of goods movement."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Units of a line, or of a SKU that is on none. `disposition` None: not inspected yet, unless the policy knows what
    `grade` means."""

    line: OrderLine | None
    sku: str
    units: Decimal
    grade: str = ""
    disposition: Disposition | None = None
    reason: str = ""


def receive(case: Case, one: Return, location: str, arrivals: Sequence[Arrival], at: dt.datetime, source: str) -> None:
    """Take in what has arrived, and at once what its inspection said where that is known too."""
    trouble = []
    rule = case.location(location)
    if rule is not None and "receive_returns" not in rule.can:
        trouble.append(f"{location} is not configured to receive returns")
    if one.state in (ReturnState.REFUSED, ReturnState.CANCELLED, ReturnState.EXPIRED):
        trouble.append(f"it was {one.state} and came all the same")
        one.facts = {**one.facts, "settled_by": "person"}
    inspected: list[tuple[ReturnLine, Arrival]] = []
    for arrival in arrivals:
        if arrival.units <= 0:
            continue
        part = part_of(one, arrival.line) if arrival.line is not None else _stray(one, arrival.sku)
        rest = part.arrive(arrival.units, location)
        if rest > 0:
            part.claim(rest)
            part.arrive(rest, location)
        part.reason = arrival.reason or part.reason
        over = mark_over(case, part)
        if arrival.line is None:
            trouble.append(f"{decimal_text(arrival.units)} of {arrival.sku or 'something'} that is not on the order")
        elif over > 0:
            trouble.append(f"{decimal_text(over)} of {arrival.sku} more than had left")
        inspected.append((part, arrival))
    units = sum((arrival.units for arrival in arrivals), ZERO)
    told = {"return": one.id, "number": one.number, "location": location, "units": decimal_text(units)}
    tell(case, Fact.RETURN_RECEIVED, f"{one.id}/{case.cause}", **told)
    if trouble:
        unexpected(case, one, trouble)
    follow(case, one)
    for part, arrival in inspected:
        disposition = arrival.disposition or policy_of(case).disposition(arrival.grade)
        if disposition is not None:
            dispose(case, one, part, arrival.units, location, disposition, arrival.grade, at, source)
    settle_by_policy(case, one)
    _ask_for_inspection(case, one)


def inspect(
    case: Case,
    one: Return,
    part: ReturnLine,
    units: Decimal,
    location: str,
    disposition: Disposition,
    grade: str,
    source: str,
) -> None:
    """What received goods turned out to be. `location` may be "" where all of them lie at one. Raises IllegalReturn."""
    source_stage = Stage.RECEIVED if part[Stage.RECEIVED] else Stage.QUARANTINED
    here = part.held.get(source_stage.value, {})
    if not location and len(here) == 1:
        location = next(iter(here))
    if units <= 0 or part.here(source_stage, location) < units:
        lying = ", ".join(f"{decimal_text(there)} at {name}" for name, there in sorted(here.items())) or "nothing"
        raise IllegalReturn(f"{part.sku}: {decimal_text(units)} named, there is {lying} to be inspected")
    dispose(case, one, part, units, location, disposition, grade, case.now, source, source_stage)
    settle_by_policy(case, one)
    _ask_for_inspection(case, one)


def dispose(
    case: Case,
    one: Return,
    part: ReturnLine,
    units: Decimal,
    location: str,
    disposition: Disposition,
    grade: str,
    at: dt.datetime,
    source: str,
    source_stage: Stage = Stage.RECEIVED,
) -> None:
    """Move inspected goods to where they belong: ledger, stock and the ERP's books together."""
    stage, bucket, kind = STAGES[disposition]
    if source_stage is stage:
        raise IllegalReturn(f"{part.sku} is in quarantine already")
    part.move(source_stage, stage, units, location)
    part.grade = grade or part.grade
    reason = f"returned with {one.number}"
    key = f"{part.id}/{len(part.moves)}"
    if source_stage is Stage.QUARANTINED:
        put_into_stock(case, location, part.sku, QUARANTINE, -units, at, source, reason)
    put_into_stock(case, location, part.sku, bucket, units, at, source, reason)
    movement = case.new_id("gm", part.id)
    post_goods_movement(case, f"return/{movement}", kind, location, part.sku, units, reason)
    told = {"return": one.id, "number": one.number, "sku": part.sku, "units": decimal_text(units)}
    told |= {"location": location, "disposition": disposition.value} | ({"grade": grade} if grade else {})
    tell(case, Fact.RETURN_INSPECTED, f"{key}/{case.cause}", **told)
    follow(case, one)


def _stray(one: Return, sku: str) -> ReturnLine:
    """The return's part about goods that the order never had."""
    found = next((part for part in one.lines if part.line_id is None and part.sku == sku), None)
    if found is None:
        found = ReturnLine(f"{one.id}/{len(one.lines) + 1}", len(one.lines) + 1, None, sku)
        one.lines.append(found)
    return found


def _ask_for_inspection(case: Case, one: Return) -> None:
    if one.sum((Stage.RECEIVED,)):
        due = case.now + INSPECT_WITHIN
        case.task("return_inspection", one.id, due, payload={"order": case.order.id})
    else:
        case.clear_exception(f"return-uninspected/{one.id}", "inspected")


def handle_return_inspection(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `return_inspection`: subject is a return of which goods should have been inspected by now."""

    def remind(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = open_return(snapshot, rules, now, task.id, str(task.payload["order"]), task.subject)
        if found is None or not found[1].sum((Stage.RECEIVED,)):
            return Decision(Verdict.IGNORED, message="nothing of it waits to be inspected any more")
        case, one = found
        lying = [
            f"{decimal_text(units)} of {part.sku} at {location}"
            for part in one.lines
            for location, units in sorted(part.held.get(Stage.RECEIVED.value, {}).items())
        ]
        case.raise_exception(
            f"return-uninspected/{one.id}",
            "return_uninspected",
            "Returned goods were not inspected",
            f"Return {one.number}: " + ", ".join(lying) + ".",
            "Inspect them: restock, quarantine or scrap. The refund waits for it.",
            f"hub returns inspect {one.id}",
        )
        return save(case)

    return remind
