"""A request that says which one it is (Idempotency-Key) is done once; its answer is kept in the same transaction.

draft-ietf-httpapi-idempotency-key-header: the same key with the same request gets the first answer again, with another
request a refusal. Answers are kept for a day.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet

KEPT_FOR = dt.timedelta(hours=24)


class Answered(Exception):
    """The request was done before. `fits`: this is the same request."""

    def __init__(self, answer: Mapping[str, Any], *, fits: bool) -> None:
        super().__init__("the request was done before")
        self.answer, self.fits = answer, fits


@dataclass(frozen=True, slots=True)
class Once:
    """`id` is of the caller and the key, `fingerprint` of the whole request."""

    id: str
    operation: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, key: str, operation: str, *parts: bytes) -> Once:
        digest = hashlib.sha256(b"\x1f".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
        return cls(derived_id("an", caller, key), operation, digest)

    def look(self, snapshot: Snapshot, now: dt.datetime) -> bool:
        """Raises Answered where the request was done; whether an answer stands that is too old to count."""
        row = snapshot.row("api_answers", {"id": self.id})
        if row is None:
            return False
        if row["created_at"] + KEPT_FOR <= now:
            return True
        raise Answered(row["answer"], fits=(row["operation"], row["fingerprint"]) == (self.operation, self.fingerprint))

    def keep(self, writes: WriteSet, answer: Mapping[str, Any], now: dt.datetime, *, old: bool) -> None:
        """The answer, beside what it tells of. Whoever comes second at the same moment conflicts and finds it."""
        values = {
            "operation": self.operation,
            "fingerprint": self.fingerprint,
            "answer": dict(answer),
            "created_at": now,
        }
        if old:
            writes.update("api_answers", {"id": self.id}, values)
        else:
            writes.insert("api_answers", {"id": self.id, **values}, claim=True)
