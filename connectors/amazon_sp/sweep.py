"""Where a poll stands: one sweep over everything that changed since a time, page by page.

The cursor is `{"since", "until", "token", "pages", "seen"}`. A sweep asks for what changed from `since` on; the first
page tells up to when it looked (`until`), and after the last page the next sweep begins the lookback before that.
So nothing depends on the order of orders inside a sweep, and what became visible late is seen by the next one.
`seen` holds the last page tokens in short: a token that comes twice would go round for ever.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from dataclasses import dataclass

from connectors.amazon_sp.bodies import instant
from hub.sdk.errors import DataError
from hub.sdk.records import Cursor

REMEMBERED_TOKENS = 2000
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Sweep:
    since: dt.datetime
    until: dt.datetime | None = None
    token: str | None = None
    pages: int = 0
    seen: tuple[str, ...] = ()

    @classmethod
    def from_cursor(cls, cursor: Cursor | None, start: dt.datetime) -> Sweep:
        """Raises DataError for a cursor that is none of ours."""
        if cursor is None:
            return cls(start)
        try:
            kept = json.loads(cursor.value)
            until = kept["until"]
            return cls(
                since=max(start, dt.datetime.fromisoformat(kept["since"])),
                until=dt.datetime.fromisoformat(until) if until else None,
                token=kept["token"],
                pages=int(kept["pages"]),
                seen=tuple(kept["seen"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("the stored cursor of this stream cannot be read; reset it") from error

    def cursor(self) -> Cursor:
        return Cursor(
            json.dumps(
                {
                    "since": self.since.isoformat(),
                    "until": self.until.isoformat() if self.until else None,
                    "token": self.token,
                    "pages": self.pages,
                    "seen": self.seen,
                }
            )
        )

    def knows(self, token: str) -> bool:
        return _short(token) in self.seen

    def looked_until(self, told: str | None, asked_at: dt.datetime) -> Sweep:
        """The first page fixes how far the sweep looks: as the vendor says, never later than we asked."""
        if self.until is not None:
            return self
        until = instant(told)
        return dataclasses.replace(self, until=min(until, asked_at) if until is not None else asked_at)

    def onward(self, token: str) -> Sweep:
        seen = (*self.seen, _short(token))[-REMEMBERED_TOKENS:]
        return dataclasses.replace(self, token=token, pages=self.pages + 1, seen=seen)

    def restarted(self) -> Sweep:
        """The same stretch of time from its first page."""
        return Sweep(self.since)

    def following(self, lookback: dt.timedelta) -> Sweep:
        """The sweep after this one, which has ended."""
        until = self.until or self.since
        return Sweep(max(self.since, until - lookback))


def _short(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
