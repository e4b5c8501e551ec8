"""The timeline of an order in words: every fact about it, oldest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub.views.figures import readable, told


def timeline(of: Mapping[str, Any], without: Sequence[str] = ()) -> Iterator[tuple[dt.datetime, str, str]]:
    """(when, what, with which ids, quantities and money) of each event of an order as `show_order` gives it, or of a
    return or package as their views do. `without`: fields that the reader knows."""
    for event in of["timeline"]:
        at = event["at"]
        when = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
        fact = str(event["type"]).removeprefix("hub.").removesuffix(".v1")
        data = {name: value for name, value in (event["data"] or {}).items() if name not in without}
        words = ", ".join(f"{name} {text}" for name, text in told(data, of["currency"]))
        yield when, fact, readable(words)
