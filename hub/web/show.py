"""Pages as HTML: templates that escape everything, and the few ways in which values are shown."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hub.views.figures import INSTANT, age, plain, told
from hub.views.states import (
    CALL_STATES,
    DELIVERY_STATES,
    MESSAGE_STATES,
    ORDER_STATES,
    PAYMENT_STATES,
    RECEIPT_STATES,
    RETURN_STATES,
)
from hub.web import words
from hub.web.request import Page, Request, csrf_of

TEMPLATES = Path(__file__).resolve().parent / "templates"
MEANS = {
    **CALL_STATES,
    **PAYMENT_STATES,
    **RETURN_STATES,
    **RECEIPT_STATES,
    **MESSAGE_STATES,
    **ORDER_STATES,
    **DELIVERY_STATES,
}
GOOD = {
    "acknowledged",
    "applied",
    "parsed",
    "closed",
    "completed",
    "delivered",
    "resolved",
    "done",
    "success",
    "bought",
}
BAD = {
    *("unknown", "conflict", "overdue", "parked", "refused", "unparsable", "abandoned", "held", "rejected", "open"),
    *("exception", "lost", "rejected", "ambiguous", "auth_failed", "paused"),
}
MENU = (
    ("/", "Start", "monitor"),
    ("/orders", "Orders", "orders:read"),
    ("/returns", "Returns", "orders:read"),
    ("/payments", "Money", "money:read"),
    ("/exceptions", "Exceptions", "monitor"),
    ("/deliveries", "Deliveries", "monitor"),
    ("/inventory", "Inventory", "inventory:read"),
    ("/work", "Work", "fulfilment:read"),
    ("/connections", "Connections", "monitor"),
)
UNDER = {"/payouts": "/payments", "/messages": "/orders", "/receipts": "/orders"}
"""Pages that stand under another's name in the menu."""
LARGEST_SHOWN = 60_000


def when(instant: dt.datetime | None) -> Markup | str:
    """UTC in the page; the browser turns it into its own time and keeps UTC as what hovering shows."""
    if instant is None:
        return "–"
    utc = instant.astimezone(dt.UTC)
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M:%S"), utc.strftime("%Y-%m-%d %H:%M")
    )


def state(name: str | None, means: str = "") -> Markup | str:
    """A state by its word; colour only repeats it."""
    if not name:
        return "–"
    tone = "good" if name in GOOD else "bad" if name in BAD else "plain"
    said = means or MEANS.get(name, "")
    return Markup('<span class="state {}" title="{}">{}</span>').format(tone, said, name.replace("_", " "))


def told_of(data: Mapping[str, Any] | None, currency: str | None) -> Markup:
    """A fact's data on one line: ids, quantities and money, its instants as the reader's own time."""
    line = " · ".join(f"{name} {text}" for name, text in told(data, currency))
    return with_times(line)


def with_times(text: str) -> Markup:
    """A text, its instants as the reader's own time."""
    pieces, at = Markup(""), 0
    for found in INSTANT.finditer(text):
        pieces += escape(text[at : found.start()]) + when(dt.datetime.fromisoformat(found[0]))
        at = found.end()
    return pieces + escape(text[at:])


def without(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What the reader of a page knows already is not told again."""
    return {name: value for name, value in data.items() if name not in names}


def part(text: object) -> str:
    """As one step of a path."""
    return quote(str(text), safe="")


def text_of(body: bytes) -> str:
    """Bytes for eyes: JSON indented, other text as it is, the beginning of what is large."""
    shown = body[:LARGEST_SHOWN].decode("utf-8", "replace")
    if len(body) <= LARGEST_SHOWN and shown.lstrip()[:1] in ("{", "["):
        try:
            tree = json.loads(shown, parse_float=_kept, parse_int=_kept)
            shown = _KEPT.sub(r"\1", json.dumps(tree, indent=2, ensure_ascii=False))
        except (ValueError, RecursionError):
            return shown
    return shown if len(body) <= LARGEST_SHOWN else f"{shown}\n… {len(body) - LARGEST_SHOWN} bytes more"


def _kept(digits: str) -> str:
    """A number as it was written: `1.10` is not `1.1` to whom looks for a difference."""
    return f"\ue000{digits}\ue000"


_KEPT = re.compile('"\ue000([-+.0-9eE]+)\ue000"')


def with_query(path: str, **given: object) -> str:
    wanted = {name: str(value) for name, value in given.items() if value not in (None, "")}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def render(page: Page, request: Request | None) -> str:
    """The page; `request` None where there was none that could be read."""
    visitor = request.visitor if request else None
    menu = [(path, name) for path, name, scope in MENU if visitor and scope in visitor.scopes]
    now = request.hub.clock.now() if request else dt.datetime.now(dt.UTC)
    first = "/" + (request.path.split("/")[1] if request else "")
    here = UNDER.get(first, first)
    return _environment.get_template(page.template).render(
        {
            "menu": menu,
            "here": here,
            "visitor": visitor,
            "csrf": csrf_of(request.token) if request and visitor else "",
            "said": request.said if request else None,
            "now": now,
            "may": request.may if request else lambda scope: False,
            **page.values,
        }
    )


_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    when=when,
    state=state,
    part=part,
    text_of=text_of,
    num=words.number,
    age=age,
    fact=words.fact,
    details=plain,
    told=told_of,
    times=with_times,
    without=without,
)
_environment.globals.update(money=words.money, link=with_query, escape=escape)
