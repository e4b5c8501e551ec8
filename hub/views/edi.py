"""Interchanges that were sent to partners and came from them: numbers, and what became of each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

_ANSWERS = {
    "acknowledged": "accepted",
    "sent": "awaited",
    "overdue": "overdue",
    "refused": "refused",
}


def list_interchanges(
    connection: Connection,
    *,
    direction: str | None = None,
    of: str | None = None,
    control: str | None = None,
    answer: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """The newest first. `direction`: sent | received; `of`: a connection; `control`: an interchange number, with or
    without its zeros; `answer`: accepted | awaited | overdue | refused, of what was sent."""
    found: list[dict[str, Any]] = []
    if direction != "received":
        found += _sent(connection, of, control, limit)
    if direction != "sent" and answer is None:
        found += _received(connection, of, control, limit)
    if answer is not None:
        found = [one for one in found if one["answer"] == answer]
    found.sort(key=lambda one: (one["at"], one["control"]), reverse=True)
    return found[:limit]


def _sent(connection: Connection, of: str | None, control: str | None, limit: int) -> list[dict[str, Any]]:
    number = (control or "").lstrip("0")
    if control is not None and not number.isdigit():
        return []
    conditions = [
        *(["e.connection = :of"] if of else []),
        *(["e.interchange = :number"] if control is not None else []),
    ]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    given: dict[str, Any] = {"limit": limit, "of": of, "number": int(number or 0)}
    used = {name: value for name, value in given.items() if f":{name}" in where or name == "limit"}
    read = rows(
        connection,
        f"""SELECT e.connection, e.partner, e.document, e.interchange, e.functional_group, e.state AS numbered,
                   e.reason, e.delivery_id, e.created_at, d.state, d.capability, d.order_id, d.error, d.settled_at
              FROM edi_documents e LEFT JOIN deliveries d ON d.id = e.delivery_id {where}
             ORDER BY e.created_at DESC, e.id DESC LIMIT :limit""",
        used,
        instants=("created_at", "settled_at"),
    )
    return [_sent_one(row) for row in read]


def _sent_one(row: dict[str, Any]) -> dict[str, Any]:
    state = "void" if row["numbered"] == "void" else str(row["state"] or "gone")
    answered = _ANSWERS.get(state, "") if row["capability"] != "acknowledge" else ""
    return {
        "direction": "sent",
        "connection": row["connection"],
        "partner": row["partner"],
        "control": f"{row['interchange']:09d}",
        "group": row["functional_group"],
        "documents": row["document"],
        "state": state,
        "answer": answered,
        "at": row["created_at"],
        "settled_at": row["settled_at"],
        "order": row["order_id"],
        "id": row["delivery_id"] or None,
        "error": row["reason"] or row["error"],
    }


def _received(connection: Connection, of: str | None, control: str | None, limit: int) -> list[dict[str, Any]]:
    conditions = [*(["connection = :of"] if of else []), *(["control IN :controls"] if control is not None else [])]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    used: dict[str, Any] = {"limit": limit}
    if of:
        used["of"] = of
    if control is not None:
        used["controls"] = sorted({control, control.lstrip("0"), control.zfill(9)})
    read = rows(
        connection,
        f"""SELECT connection, sender, receiver, control, receipt_id, sets, received_at
              FROM edi_interchanges {where} ORDER BY received_at DESC, id DESC LIMIT :limit""",
        used,
        instants=("received_at",),
    )
    return [_received_one(connection, row) for row in read]


def _received_one(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    acknowledged: list[str] = []
    for kind in ("group", "interchange"):
        begin = f"{row['connection']}/acknowledge/{kind}/{row['sender']}/{row['control']}/"
        told = rows(
            connection,
            "SELECT state FROM deliveries WHERE business_key >= :begin AND business_key < :end ORDER BY business_key",
            {"begin": begin, "end": f"{begin[:-1]}0"},
        )
        acknowledged += [str(one["state"]) for one in told]
    return {
        "direction": "received",
        "connection": row["connection"],
        "partner": row["sender"],
        "control": row["control"],
        "group": None,
        "documents": f"{row['sets']} set{'' if row['sets'] == 1 else 's'}",
        "state": "acknowledged" if acknowledged and set(acknowledged) == {"acknowledged"} else "",
        "answer": "",
        "at": row["received_at"],
        "settled_at": None,
        "order": None,
        "id": row["receipt_id"],
        "error": None,
    }
