"""Returns for people: the list, and one with its lines, what was given for it, its label and timeline.

Each says in words what it waits for, so that nobody has to know the states.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.domain.returns import BACK, ENDED_STATES, Return, ReturnLine, ReturnState, Stage
from hub.store.tables.returns import RETURN_STAGES
from hub.views.query import rows

OPEN = "open"
"""Asked for as a state: every return that is not ended."""


def list_returns(
    connection: Connection,
    *,
    state: str | None = None,
    order_id: str | None = None,
    reference: str | None = None,
    words: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Newest first; `after` is the id of the last row of the page before (keyset). The state OPEN is any that is not
    ended; `words`: any name of a return or its order, or a tracking number of it."""
    conditions = ["1 = 1"]
    values: dict[str, Any] = {"limit": min(limit, 1000)}
    named: dict[str, tuple[str, Any]] = {"r.order_id = :order": ("order", order_id)}
    named["r.state = :state"] = ("state", None if state == OPEN else state)
    named["r.state NOT IN :ended"] = ("ended", [one.value for one in ENDED_STATES] if state == OPEN else None)
    names = ("r.id", "r.number", "r.external_id", "r.tracking_number", "o.number", "o.external_id")
    anything = " OR ".join(f"{name} = :words" for name in names)
    named[f"({anything} OR r.number = '#' || :words OR o.number = '#' || :words)"] = ("words", words)
    named["(r.id = :ref OR r.number = :ref OR r.number = '#' || :ref OR r.external_id = :ref)"] = ("ref", reference)
    named["(r.created_at, r.id) < (SELECT b.created_at, b.id FROM returns b WHERE b.id = :after)"] = ("after", after)
    for condition, (name, value) in named.items():
        if value is not None:
            conditions.append(condition)
            values[name] = value
    found = rows(
        connection,
        f"""
        SELECT r.id, r.number, r.order_id, o.number AS order_number, o.channel, r.origin, r.state, r.external_id,
               r.location, r.tracking_number, r.reason, r.expires_at, r.created_at, r.updated_at, o.currency
          FROM returns r JOIN orders o ON o.id = r.order_id
         WHERE {" AND ".join(conditions)} ORDER BY r.created_at DESC, r.id DESC LIMIT :limit
        """,
        values,
        instants=("expires_at", "created_at", "updated_at"),
    )
    of = {"ids": [row["id"] for row in found]}
    lines = rows(
        connection,
        f"""SELECT id, return_id, line_id, number, sku, claimed, {", ".join(RETURN_STAGES)}, over, settled, document
              FROM return_lines WHERE return_id IN :ids ORDER BY return_id, number""",
        of,
        amounts=("claimed", *RETURN_STAGES, "over", "settled"),
    )
    given = rows(
        connection,
        """SELECT s.id, s.return_id, s.kind, s.currency, s.amount, s.refund_id, f.state AS refund_state, s.document,
                  s.at
             FROM return_settlements s LEFT JOIN refunds f ON f.id = s.refund_id
            WHERE s.order_id IN :orders AND s.return_id IN :ids ORDER BY s.at, s.id""",
        {**of, "orders": sorted({row["order_id"] for row in found})},
        amounts=("amount",),
        instants=("at",),
    )
    for row in found:
        row["lines"] = [_line(line) for line in lines if line["return_id"] == row["id"]]
        row["settlements"] = [_given(one) for one in given if one["return_id"] == row["id"]]
        row["given"] = sum((one["amount"] for one in row["settlements"]), start=0)
        row["waits_for"] = waits_for(row)
    return found


def show_return(connection: Connection, return_id: str) -> dict[str, Any] | None:
    found = list_returns(connection, reference=return_id, limit=1)
    if not found:
        return None
    one = found[0]
    documents = rows(connection, "SELECT document FROM returns WHERE id = :id", {"id": one["id"]})
    one["document"] = json.loads(documents[0]["document"])
    one["label"] = next(
        iter(
            rows(
                connection,
                """SELECT id, connection, state, carrier, service, tracking_number, currency, cost FROM labels
                    WHERE package_id = :id""",
                {"id": one["id"]},
                amounts=("cost",),
            )
        ),
        None,
    )
    one["exceptions"] = rows(
        connection,
        """SELECT DISTINCT e.id, e.title, e.detail, e.next_step, e.state FROM exceptions e
             JOIN exception_subjects s ON s.exception_id = e.id
            WHERE s.order_id = :order AND e.state = 'open' AND e.cause_key LIKE :about ORDER BY e.id""",
        {"order": one["order_id"], "about": f"%/{one['id']}"},
    )
    one["moves"] = rows(
        connection,
        """SELECT return_line_id, from_stage, to_stage, quantity, location, at FROM return_moves
            WHERE order_id = :order AND return_line_id IN :lines AND from_stage <> '' ORDER BY at, id""",
        {"order": one["order_id"], "lines": [line["id"] for line in one["lines"]]},
        amounts=("quantity",),
        instants=("at",),
    )
    skus = {line["id"]: line["sku"] for line in one["lines"]}
    for move in one["moves"]:
        move["sku"] = skus[move.pop("return_line_id")]
    events = rows(
        connection,
        "SELECT id, type, at, data FROM events WHERE order_id = :id AND type LIKE 'hub.return.%' ORDER BY sequence",
        {"id": one["order_id"]},
        instants=("at",),
    )
    timeline = [{**event, "data": json.loads(event["data"])} for event in events]
    one["timeline"] = [event for event in timeline if event["data"].get("return") == one["id"]]
    return one


def _line(row: dict[str, Any]) -> dict[str, Any]:
    stages = {stage: row[stage] for stage in RETURN_STAGES if row[stage]}
    said = json.loads(row["document"])
    kept = {name: value for name, value in row.items() if name not in (*RETURN_STAGES, "document", "return_id")}
    return {**kept, "quantities": stages, "document": said}


def _given(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in ("document", "return_id")}
    return {**kept, "document": json.loads(row["document"])}


def waits_for(row: dict[str, Any]) -> str:
    """What a return waits for, "" where for nothing. `row` as list_returns gives it."""
    one = as_return(row)
    if not one.open:
        return ""
    if one.state is ReturnState.REQUESTED:
        return "a person: approve or refuse it"
    waits = []
    received, quarantined = one.sum((Stage.RECEIVED,)), one.sum((Stage.QUARANTINED,))
    if received:
        waits.append(f"inspection at {_where(one, Stage.RECEIVED)}")
    elif any(line.settleable for line in one.lines):
        waits.append("what its customer gets for it")
    if one.sum((Stage.IN_TRANSIT,)):
        waits.append("the carrier")
    elif one.sum((Stage.REQUESTED,)):
        waits.append("the rest of the goods" if one.sum(BACK) else "the goods")
    if quarantined:
        waits.append(f"a decision on what is in quarantine at {_where(one, Stage.QUARANTINED)}")
    if any(given["refund_id"] and given["refund_state"] != "succeeded" for given in row["settlements"]):
        waits.append("its refund")
    return "; ".join(waits)


def as_return(row: dict[str, Any]) -> Return:
    """The return of the domain that a row of list_returns shows, for what it can tell of itself."""
    lines = [
        ReturnLine(
            line["id"],
            line["number"],
            line["line_id"],
            line["sku"],
            claimed=line["claimed"],
            stages={Stage(name): units for name, units in line["quantities"].items()},
            over=line["over"],
            settled=line["settled"],
            held={
                stage: {name: Decimal(units) for name, units in here.items()}
                for stage, here in line["document"].get("held", {}).items()
            },
        )
        for line in row["lines"]
    ]
    return Return(row["id"], row["order_id"], row["number"], row["origin"], ReturnState(row["state"]), lines=lines)


def _where(one: Return, stage: Stage) -> str:
    return ", ".join(sorted({name for line in one.lines for name in line.held.get(stage.value, {})})) or "its location"
