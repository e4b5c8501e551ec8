"""A fulfilment order on the desk: finding it with its order, its lines, and the cancel requests its reports end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.fulfilment import Answer, FulfilmentOrder, Method, WorkLine
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.snapshot import Snapshot
from hub.oms.change.cancel import overtaken
from hub.oms.desk.load import Case, open_case
from hub.oms.ports import Rules

ZERO = Decimal(0)


def open_work(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, work_id: str
) -> tuple[Case, FulfilmentOrder] | None:
    """The order and its fulfilment order of that id, or None."""
    row = snapshot.row("fulfilment_orders", {"id": work_id})
    case = None if row is None else open_case(snapshot, rules, now, cause, row["order_id"])
    if case is None:
        return None
    work = next((work for work in case.work if work.id == work_id), None)
    return None if work is None else (case, work)


def named_line(case: Case, work: FulfilmentOrder, line_id: str) -> tuple[WorkLine, OrderLine] | None:
    """The line as the location has it and as the order has it; None (and a person is told) where it was not given."""
    part, line = work.line(line_id), case.order.line(line_id)
    if part is None or line is None:
        unexpected(case, work, f"it named a line ({line_id}) that it was not given")
        return None
    return part, line


def line_meant(case: Case, work: FulfilmentOrder, said: Mapping[str, Any]) -> OrderLine | None:
    """The order line a notice means: our line id, the channel's, or the only one of that SKU."""
    if said.get("line"):
        return case.order.line(str(said["line"]))
    if said.get("external_line_id"):
        return case.order.external_line(str(said["external_line_id"]))
    of_sku = [part for part in work.lines if part.sku == said.get("sku")]
    open_first = sorted(of_sku, key=lambda part: (part.at_location == 0, part.line_id))
    return case.order.line(open_first[0].line_id) if open_first else None


def quantities_of(case: Case, work: FulfilmentOrder, lines: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Line id -> units that a report names. A quantity below nothing counts as nothing, and a person is told."""
    found: dict[str, Decimal] = {}
    for said in lines:
        line_id, units = str(said["line"]), Decimal(str(said.get("quantity", "0")))
        if units < 0:
            unexpected(case, work, f"it reported {decimal_text(units)} of line {line_id}")
        found[line_id] = found.get(line_id, ZERO) + max(units, ZERO)
    return found


def all_of(work: FulfilmentOrder) -> dict[str, Decimal]:
    """Line id -> all that the location still has of it: what a report without lines means."""
    return {line.line_id: line.at_location for line in work.lines}


def is_pickup(work: FulfilmentOrder) -> bool:
    return work.method == Method.PICKUP


def end_requests(work: FulfilmentOrder, answer: Answer) -> Decimal:
    """Cancel requests for more than a location still has have their answer in what it did: what it gave back by itself
    is as good as accepted, what left has overtaken them. Returns the units that nobody wants and that were answered."""
    unwanted = ZERO
    for request in work.cancel_requests:
        for asked in request.lines:
            part = work.line(asked.line_id)
            held = part.at_location if part else ZERO
            if asked.waiting > held:
                units = asked.answer(answer, asked.waiting - held)
                unwanted += units if request.purpose == "cancel" else ZERO
    return unwanted


def overtake(case: Case, work: FulfilmentOrder) -> None:
    """After a shipment: what has left cannot be cancelled any more, and somebody counted on it."""
    overtaken(case, end_requests(work, Answer.OVERTAKEN))


def unexpected(case: Case, work: FulfilmentOrder, what: str) -> None:
    case.raise_exception(
        f"unexpected-report/{work.id}",
        "unexpected_report",
        f"{work.location} reported what cannot be",
        f"Fulfilment order {work.id}: {what}.",
        "Compare the location's record with the order's timeline.",
        f"hub orders show {case.order.id}",
    )
