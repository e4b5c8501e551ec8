"""How facts are written for people, wherever they are shown: money, quantities and instants of their data."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text, money_text

AMOUNTS = frozenset({"amount", "cost"})
"""Fields of facts that are money: in the fact's own `currency`, or in its order's."""
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
"""An instant inside of a text."""
QUANTITIES = frozenset({"units", "quantity"})
LISTS = frozenset({"locations"})
"""Fields that hold several names, with commas."""


def readable(text: str) -> str:
    """A text with its instants as tables show them: to the second, in UTC."""
    return INSTANT.sub(_instant, text)


def _instant(found: re.Match[str]) -> str:
    return dt.datetime.fromisoformat(found[0]).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def age(since: dt.datetime | None, now: dt.datetime) -> str:
    """Roughly, as people say it."""
    if since is None:
        return "–"
    seconds = max(0.0, (now - since).total_seconds())
    for least, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= least:
            count = int(seconds // least)
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{int(seconds)} s"


def told(data: Mapping[str, Any] | None, currency: str | None) -> Iterator[tuple[str, str]]:
    """A fact's data as (name, text), without what is empty; instants stay as they are. `currency` is its order's."""
    data = data or {}
    of = str(data.get("currency") or currency or "")
    has_amount = any(name in AMOUNTS for name in data)
    for name, value in data.items():
        if value in (None, "", [], {}) or (name == "currency" and has_amount):
            continue
        if name in AMOUNTS:
            text = money_text(Decimal(str(value)), of)
        elif name in QUANTITIES:
            text = decimal_text(Decimal(str(value)))
        else:
            text = plain(value)
        yield name.replace("_", " "), text.replace(",", ", ") if name in LISTS else text


def plain(value: Any) -> str:
    """Any tree of a document on one line."""
    if isinstance(value, Mapping):
        return " ".join(f"{str(name).replace('_', ' ')} {plain(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value)
    return "–" if value is None else str(value)
