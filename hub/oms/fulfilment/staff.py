"""What the people of a location say of their work, by hand: the same facts that a warehouse system reports.

A person who asks for what cannot be is told so and nothing changes; that is the one difference to a report from
outside, which is never refused. Each function returns a Decision; authorising and auditing are the caller's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED, FulfilmentOrder, Method, WorkLine, WorkState
from hub.domain.money import decimal_text
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.fulfilment.fulfil import RETURNABLE, report
from hub.oms.fulfilment.pickup import TURNED_DOWN
from hub.oms.fulfilment.said_before import BY_HAND
from hub.oms.fulfilment.ship import leave
from hub.oms.fulfilment.transfer import depart, lose, receive, under_way
from hub.oms.fulfilment.work import is_pickup, open_work
from hub.oms.intake.groups import COLLECTED, COLLECTED_AT, group_of
from hub.oms.ports import Rules

ZERO = Decimal(0)
NOT_FOUND = "not_found"
NOT_POSSIBLE = "not_possible"

_BEFORE = {
    "acknowledged": AT_LOCATION[:1],
    "in_progress": AT_LOCATION[:1],
    "picked": AT_LOCATION[:2],
    "packed": AT_LOCATION[:3],
    "ready_for_pickup": AT_LOCATION[:4],
    "handed_over": AT_LOCATION,
    "not_collected": AT_LOCATION,
    "shipped": AT_LOCATION,
    "short": RETURNABLE,
    "rejected": RETURNABLE,
}
"""From which buckets a report takes its units."""

_METHODS = {
    "ready_for_pickup": (Method.PICKUP,),
    "handed_over": (Method.PICKUP,),
    "not_collected": (Method.PICKUP,),
    "received": (Method.TRANSFER,),
    "lost": (Method.TRANSFER,),
}
"""Reports that make sense of some work only."""

REPORTS = (*_BEFORE, "received", "lost", "cancel_accepted", "cancel_refused")


def report_work(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, work_id: str, said: str, record: Mapping[str, Any]
) -> Decision:
    """Apply what a person at the location says. `record` has the fields of a FulfilmentResponse (and, of `shipped`,
    carrier, service and tracking_number); `lines` left out: everything that is left. A line is named by its id, or by
    its SKU where that is clear."""
    found = open_work(snapshot, rules, now, cause, work_id)
    if found is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no fulfilment order {work_id}")
    case, work = found
    record = _by_line(work, record)
    wrong = _wrong(case, work, said, record)
    if wrong:
        return Decision(Verdict.IGNORED, subject=case.order.id, code=NOT_POSSIBLE, message=wrong)
    full = {"fact_key": cause, "occurred_at": instant_text(now), **record, BY_HAND: True}
    if said == "shipped":
        _send(case, work, full)
    elif said == "received":
        receive(case, work, full)
    elif said == "lost":
        lose(case, work, _named(full) or under_way(case, work), case.discreet(str(record.get("reason", "lost"))))
    else:
        report(case, work, said, full)
    return save(case)


def _send(case: Case, work: FulfilmentOrder, record: Mapping[str, Any]) -> None:
    package = {
        "package": str(record.get("package") or record["fact_key"]),
        "tracking_number": str(record.get("tracking_number") or ""),
        "lines": record.get("lines")
        or [
            {"line": part.line_id, "sku": part.sku, "quantity": decimal_text(part.at_location)}
            for part in work.lines
            if part.at_location > 0
        ],
    }
    notice = {
        "external_id": record["fact_key"],
        "shipped_at": record["occurred_at"],
        "carrier": str(record.get("carrier") or ""),
        "service": str(record.get("service") or ""),
        "packages": [package],
    }
    if work.method == Method.TRANSFER:
        depart(case, work, notice)
    else:
        leave(case, work, notice)


def _wrong(case: Case, work: FulfilmentOrder, said: str, record: Mapping[str, Any]) -> str:
    """Why this cannot be said of this work, "" where it can."""
    if said not in REPORTS:
        return f"{said} is no report; there are {', '.join(REPORTS)}"
    if work.state in FINISHED:
        return f"the work is finished: {work.state}"
    if said in _METHODS and work.method not in _METHODS[said]:
        return f"{said.replace('_', ' ')} is said of work by {' or '.join(_METHODS[said])}; this one is {work.method}"
    if said == "shipped" and is_pickup(work):
        return "its buyer comes for it: hand it over, or have the order sent instead"
    if said.startswith("cancel_"):
        request = work.cancel_request(str(record.get("cancel_request", "")))
        return "" if request is not None and request.waiting > 0 else "no such cancel request waits for an answer"
    named = _named(record)
    if any(units <= 0 for units in named.values()):
        return "a quantity is above zero"
    if said in ("received", "lost"):
        on_its_way = under_way(case, work)
        if not on_its_way:
            return "nothing of it is on its way"
        beyond = {line: units for line, units in named.items() if units > on_its_way.get(line, ZERO)}
        unknown = [line for line in named if work.line(line) is None]
        if unknown or (said == "lost" and beyond):
            return f"there is not so much of line {(unknown or list(beyond))[0]} on its way"
        return ""
    for line_id, units in named.items():
        part = work.line(line_id)
        there = _there(part, said) if part is not None else ZERO
        if units > there:
            known = next((f"{one.number} ({one.sku})" for one in case.order.lines if one.id == line_id), line_id)
            return f"line {known} has {decimal_text(there)} that can be {said.replace('_', ' ')}, not {units}"
    if not any(_there(part, said) for part in work.lines):
        return f"nothing is left that can be {said.replace('_', ' ')}"
    return ""


def _there(part: WorkLine, said: str) -> Decimal:
    return sum((part[bucket] for bucket in _BEFORE[said]), ZERO)


def _by_line(work: FulfilmentOrder, record: Mapping[str, Any]) -> Mapping[str, Any]:
    ids = {part.line_id for part in work.lines}
    of_sku: dict[str, list[str]] = {}
    for part in work.lines:
        of_sku.setdefault(part.sku, []).append(part.line_id)
    lines = []
    for said in record.get("lines") or ():
        named = str(said["line"])
        candidates = [] if named in ids else of_sku.get(named, [])
        lines.append({**said, "line": candidates[0] if len(candidates) == 1 else named})
    return {**record, "lines": lines} if lines else record


def _named(record: Mapping[str, Any]) -> dict[str, Decimal]:
    named: dict[str, Decimal] = {}
    for said in record.get("lines") or ():
        line = str(said["line"])
        named[line] = named.get(line, ZERO) + Decimal(str(said["quantity"]))
    return named


def buyer_arrived(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, note: str) -> Decision:
    """The buyer waits outside (curbside). The note is theirs: kept beside the order's people, shown to the store."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    waiting = [work for work in case.work if is_pickup(work) and work.state not in FINISHED]
    if not waiting:
        message = "nothing of the order waits to be collected"
        return Decision(Verdict.IGNORED, subject=order_id, code=NOT_POSSIBLE, message=message)
    case.contacts["arrival"] = {"note": note, "at": instant_text(now)}
    for work in waiting:
        ready = "yes" if work.state is WorkState.READY else "no"
        told = {"fulfilment_order": work.id, "location": work.location, "ready": ready}
        tell(case, Fact.WORK_BUYER_ARRIVED, f"{work.id}/{cause}", **told)
    return save(case)


def collect_elsewhere(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str, store: str
) -> Decision:
    """The buyer agreed to another store for what no store has in hands: it is sourced there."""
    case = open_case(snapshot, rules, now, cause, order_id)
    if case is None:
        return Decision(Verdict.IGNORED, code=NOT_FOUND, message=f"there is no order {order_id}")
    rule = rules.locations.get(store)
    if rule is None or "pickup" not in rule.can:
        message = f"nothing can be collected at {store}"
        return Decision(Verdict.IGNORED, subject=order_id, code=NOT_POSSIBLE, message=message)
    loose = (Bucket.OPEN, Bucket.BACKORDERED, Bucket.ALLOCATED)
    lines = [
        line.id for line in case.order.lines if group_of(case, line).method in COLLECTED and line.ledger.sum(loose) > 0
    ]
    if not lines:
        message = "nothing to collect is left that no store has in hands"
        return Decision(Verdict.IGNORED, subject=order_id, code=NOT_POSSIBLE, message=message)
    moved = case.order.facts.get(COLLECTED_AT, {})
    facts = {name: value for name, value in case.order.facts.items() if name != "sourced_for"}
    case.order.facts = {**facts, COLLECTED_AT: {**moved, **dict.fromkeys(lines, store)}}
    case.clear_exception(TURNED_DOWN, "collected elsewhere")
    case.task("allocate", order_id, now, "elsewhere")
    tell(case, Fact.ORDER_CHANGED, cause, collected_at=store)
    return save(case)
