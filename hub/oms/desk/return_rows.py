"""Rows of returns <-> objects of the domain. Decimals in JSON columns are text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.returns import Return, ReturnLine, ReturnMove, ReturnState, Stage

Row = dict[str, Any]
ZERO = Decimal(0)


def return_row(one: Return) -> Row:
    return {
        "id": one.id,
        "order_id": one.order_id,
        "number": one.number,
        "origin": one.origin,
        "state": one.state.value,
        "external_id": one.external_id or None,
        "location": one.location or None,
        "tracking_number": one.tracking_number or None,
        "reason": one.reason,
        "expires_at": one.expires_at,
        "document": dict(one.facts),
    }


def return_from(row: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Return:
    return Return(
        id=row["id"],
        order_id=row["order_id"],
        number=row["number"],
        origin=row["origin"],
        state=ReturnState(row["state"]),
        external_id=row["external_id"] or "",
        location=row["location"] or "",
        tracking_number=row["tracking_number"] or "",
        reason=row["reason"],
        expires_at=row["expires_at"],
        facts=dict(row["document"]),
        lines=[_line_from(line) for line in lines],
        created_at=row["created_at"],
    )


def line_row(one: Return, line: ReturnLine) -> Row:
    document: Row = {name: value for name, value in (("reason", line.reason), ("grade", line.grade)) if value}
    if line.held:
        document["held"] = {
            stage: {location: decimal_text(units) for location, units in sorted(here.items())}
            for stage, here in sorted(line.held.items())
        }
    return {
        "id": line.id,
        "return_id": one.id,
        "order_id": one.order_id,
        "line_id": line.line_id,
        "number": line.number,
        "sku": line.sku,
        "claimed": line.claimed,
        **{stage.value: line[stage] for stage in Stage},
        "over": line.over,
        "settled": line.settled,
        "document": document,
    }


def _line_from(row: Mapping[str, Any]) -> ReturnLine:
    document = row["document"]
    return ReturnLine(
        id=row["id"],
        number=row["number"],
        line_id=row["line_id"],
        sku=row["sku"],
        claimed=row["claimed"],
        stages={stage: row[stage.value] for stage in Stage if row[stage.value]},
        over=row["over"],
        settled=row["settled"],
        reason=document.get("reason", ""),
        grade=document.get("grade", ""),
        held={
            stage: {location: Decimal(units) for location, units in here.items()}
            for stage, here in document.get("held", {}).items()
        },
    )


def move_row(order_id: str, line: ReturnLine, move: ReturnMove, number: int, cause: str, now: dt.datetime) -> Row:
    return {
        "id": derived_id("rm", cause, line.id, str(number)),
        "order_id": order_id,
        "return_line_id": line.id,
        "from_stage": move.source.value if move.source else "",
        "to_stage": move.target.value,
        "quantity": move.quantity,
        "location": move.location,
        "cause": cause,
        "at": now,
    }
