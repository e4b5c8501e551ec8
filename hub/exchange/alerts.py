"""Telling people of exceptions that nobody has taken care of (docs: alerts)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.domain.decision import DueTask
from hub.domain.writeset import WriteSet
from hub.exchange.defaults import DEFAULTS
from hub.exchange.ports import Store
from hub.exchange.tasks import Again
from hub.sdk.ports import Clock

LISTED = 50


class AlertPort(Protocol):
    """Mail or webhook. Raises where it could not be handed over; it is tried again then."""

    def send(self, subject: str, text: str, exceptions: Sequence[dict[str, Any]]) -> None: ...


@dataclass(frozen=True, slots=True)
class Alerts:
    """Tells each exception once, when it has been open for `after_seconds`.

    Sent first, marked after: a crash in between tells twice rather than never. Its task runs in one process at a time.
    """

    store: Store
    clock: Clock
    port: AlertPort | None
    after_seconds: float = DEFAULTS.alert_age

    def run(self, task: DueTask) -> Again | None:
        """Task `alerts`."""
        if self.port is None:
            return None
        now = self.clock.now()
        old = now - dt.timedelta(seconds=self.after_seconds)
        with self.store.read() as snapshot:
            rows = snapshot.rows("exceptions", {"state": "open", "alerted_at": None}, order_by=("id",), limit=1_000)
        due = [row for row in rows if row["raised_at"] <= old]
        if not due:
            return None
        self.port.send(_subject(due), _text(due, now), due)
        writes = WriteSet()
        for row in due:
            writes.update("exceptions", {"id": row["id"], "alerted_at": None}, {"alerted_at": now}, expect=None)
        self.store.apply([writes])
        return None


def _subject(rows: Sequence[dict[str, Any]]) -> str:
    return rows[0]["title"] if len(rows) == 1 else f"{len(rows)} exceptions need a person"


def _text(rows: Sequence[dict[str, Any]], now: dt.datetime) -> str:
    lines = []
    for row in rows[:LISTED]:
        minutes = int((now - row["raised_at"]).total_seconds() // 60)
        lines += [
            f"{row['title']} (open for {minutes} min, {row['count']} times)",
            f"  {row['detail']}",
            f"  next: {row['next_step']}",
            f"  you can: {row['hint']}",
            f"  hub exceptions show {row['id']}",
            "",
        ]
    if len(rows) > LISTED:
        lines.append(f"and {len(rows) - LISTED} more: hub exceptions list")
    return "\n".join(lines)
