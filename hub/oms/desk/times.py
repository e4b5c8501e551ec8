"""Instants between canonical records (RFC 3339 text) and the domain (aware UTC)."""

from __future__ import annotations

import datetime as dt
import re

_FRACTION = re.compile(r"\.([0-9]+)")


def instant(text: str | None) -> dt.datetime | None:
    """An RFC 3339 text as an aware UTC time, to the microsecond; None stays None."""
    if not text:
        return None
    micro = _FRACTION.sub(lambda found: "." + found.group(1)[:6].ljust(6, "0"), text)
    return dt.datetime.fromisoformat(micro).astimezone(dt.UTC)


def instant_text(at: dt.datetime) -> str:
    """RFC 3339 UTC, seconds, or microseconds where there are any: "2026-11-01T10:00:00Z"."""
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
