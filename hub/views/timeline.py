"""The timeline of an order in words: every fact about it, oldest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any


def timeline(order: Mapping[str, Any]) -> Iterator[tuple[dt.datetime, str, str]]:
    """(when, what, with which ids and quantities) of each event of an order as `show_order` gives it."""
    for event in order["timeline"]:
        at = event["at"]
        when = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
        fact = str(event["type"]).removeprefix("hub.").removesuffix(".v1")
        told = ", ".join(f"{name} {value}" for name, value in (event["data"] or {}).items())
        yield when, fact, told
