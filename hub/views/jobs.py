"""Long work of people: how far each is, and what of it was refused."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows

COLUMNS = "id, kind, subject, state, who, position, total, changed, refused, started_at, updated_at, finished_at"
INSTANTS = ("started_at", "updated_at", "finished_at")


def list_jobs(
    connection: Connection, *, state: str | None = None, before: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """By id, the last first; `refused` counts rows. `before` is the id of the last row of the page before (keyset)."""
    given = {"state": (state, "state = :state"), "before": (before, "id < :before")}
    asked = {name: (value, sql) for name, (value, sql) in given.items() if value is not None}
    found = rows(
        connection,
        f"SELECT {COLUMNS} FROM jobs WHERE {' AND '.join(['1 = 1', *(sql for _, sql in asked.values())])}"
        " ORDER BY id DESC LIMIT :limit",
        {**{name: value for name, (value, _) in asked.items()}, "limit": limit},
        instants=INSTANTS,
    )
    for row in found:
        row["refused"] = len(json.loads(row["refused"]))
    return found


def show_job(connection: Connection, job: str) -> dict[str, Any] | None:
    """One job; `problems` are the refused rows: row, field, message."""
    found = rows(connection, f"SELECT {COLUMNS} FROM jobs WHERE id = :id", {"id": job}, instants=INSTANTS)
    if not found:
        return None
    problems = json.loads(found[0]["refused"])
    return {**found[0], "refused": len(problems), "problems": problems}
