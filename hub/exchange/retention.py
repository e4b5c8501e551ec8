"""Erasing bodies when their time is over; hashes and keys stay, so nothing is ever applied twice (docs: storage)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hub.domain.decision import DueTask
from hub.exchange.tasks import Again
from hub.sdk.ports import Clock

CHUNK = 500
DAYS: Mapping[str, float] = {"receipt": 90.0, "message": 90.0, "reply": 90.0, "attempt": 90.0, "delivery": 90.0}
"""Days by owner of a body. A source's merged view has no age of its own: it goes with its order's personal data."""


class Eraser(Protocol):
    """Implemented by the store: only what belongs to nothing open may be erased."""

    def erase_bodies(self, owner_kind: str, before: dt.datetime, limit: int) -> int:
        """Erase up to `limit` bodies created before; their rows stay with `erased_at`. How many were erased."""
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    eraser: Eraser
    clock: Clock
    days: Mapping[str, float] = field(default_factory=lambda: DAYS)

    def run(self, task: DueTask) -> Again | None:
        """Task `retention`: a chunk of each kind, again at once while there is more."""
        now = self.clock.now()
        more = False
        for owner_kind, days in sorted(self.days.items()):
            erased = self.eraser.erase_bodies(owner_kind, now - dt.timedelta(days=days), CHUNK)
            more = more or erased == CHUNK
        return Again(0.0) if more else None
