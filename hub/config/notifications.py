"""What buyers are written: templates without code, the fields they may show, and how one is chosen and filled in.

A template is a notification's subject, text and optional HTML with `$field` in them; `$$` is a dollar sign. A line of
which every field is empty is left out, so that one template serves orders with and without a tracking number.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any, cast

from hub.config.model import NotificationTemplate
from hub.config.source import loads
from hub.domain.money import amount_text

GENERAL = ("name", "order_number", "channel", "brand", "placed_at", "currency", "total", "lines", "ship_to")
"""What every template may show. `lines` and `ship_to` are several lines; times are shown as dates."""

OWN: Mapping[str, tuple[str, ...]] = {
    "order_confirmed": ("promised_at",),
    "shipped": ("carrier", "service", "tracking_number", "tracking_url"),
    "ready_for_pickup": ("location", "address", "collect_until"),
    "pickup_reminder": ("location", "address"),
    "not_collected": ("location",),
    "pickup_sent_instead": ("location",),
    "pickup_cancelled": ("location",),
    "promise_moved": ("promised_at", "sku", "line", "before", "now"),
    "delayed": ("promised_at", "reason"),
    "refunded": ("amount", "reason"),
    "payment_failed": (),
    "backorder_cancelled": (),
    "return_label": ("number", "carrier", "tracking_number", "label_url", "send_by"),
    "cancelled": ("reason",),
}
"""Every template there is, and the fields that only it may show."""

AMOUNTS = ("amount", "total")
"""Fields that are money: shown with all digits of the record's currency."""

DEFAULT_LOCALE = "en"
_INSTANT = re.compile(r"\b(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")
_HOLE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|)")


def fields_of(template: str) -> tuple[str, ...]:
    """The fields that a template may show."""
    return (*GENERAL, *OWN.get(template, ()))


def holes(text: str) -> Iterator[tuple[int, int, str]]:
    """Line (from 0), column (from 0) and name of every field of a text; an empty name for a lone `$`."""
    for number, line in enumerate(text.split("\n")):
        for found in _HOLE.finditer(line):
            if found["escaped"] is None:
                yield number, found.start(), found["name"] or ""


@functools.cache
def shipped() -> tuple[NotificationTemplate, ...]:
    """The templates that come with the hub, in English, one of each name."""
    folder = resources.files("hub.config").joinpath("letters")
    found = []
    for name in OWN:
        tree = cast("dict[str, str]", loads(folder.joinpath(f"{name}.yaml").read_bytes(), name=f"{name}.yaml").plain())
        found.append(NotificationTemplate(name, tree["subject"], tree["text"], tree.get("html"), DEFAULT_LOCALE))
    return tuple(found)


def chosen(
    templates: Sequence[NotificationTemplate], name: str, channel: str, brand: str, locale: str
) -> NotificationTemplate:
    """The site's template or the shipped one: by language first, then by channel, then by brand.

    Raises KeyError for a name that there is no template of.
    """
    usable = [
        (_language(one.locale, locale), one.channel is not None, one.brand is not None, own, -index, one)
        for own, group in ((True, templates), (False, shipped()))
        for index, one in enumerate(group)
        if one.name == name and one.channel in (None, channel) and one.brand in (None, brand)
    ]
    if not usable:
        raise KeyError(name)
    return max(usable, key=lambda ranked: ranked[:5])[5]


def _language(offered: str, wanted: str) -> int:
    """3 the very locale, 2 its language, 1 the language that is understood most, 0 another."""
    given, asked = offered.replace("_", "-").lower(), wanted.replace("_", "-").lower()
    if given == asked:
        return 3
    if given == asked.partition("-")[0]:
        return 2
    return 1 if given == DEFAULT_LOCALE else 0


@dataclass(frozen=True, slots=True)
class Written:
    """A notification as it is sent."""

    subject: str
    text: str
    html: str | None


def written(template: NotificationTemplate, record: Mapping[str, Any]) -> Written:
    """A template filled in with a canonical Notification."""
    values = {name: _shown(record, name) for name in fields_of(template.name)}
    return Written(
        subject=" ".join(_filled(template.subject, values).split()),
        text=_filled(template.text, values),
        html=None
        if template.html is None
        else _filled(template.html, {name: _as_html(value) for name, value in values.items()}),
    )


def _shown(record: Mapping[str, Any], name: str) -> str:
    if name == "name":
        return str(record["to"].get("name", ""))
    if name == "lines":
        return "\n".join(
            f"{line['quantity']} x {line.get('title') or line.get('sku', '')}" for line in record.get(name, ())
        )
    if name == "ship_to":
        return _address(record.get(name, {}))
    value = str(record.get("data", {}).get(name) or record.get(name) or "")
    if name in AMOUNTS and value and record.get("currency"):
        return amount_text(Decimal(value), str(record["currency"]))
    return _INSTANT.sub(r"\1", value)


def _address(said: Mapping[str, Any]) -> str:
    place = " ".join(str(said[part]) for part in ("postal_code", "locality") if said.get(part))
    parts = [said.get("name"), said.get("company"), *said.get("lines", ()), place, said.get("country")]
    return "\n".join(str(part) for part in parts if part)


def _filled(text: str, values: Mapping[str, str]) -> str:
    kept = []
    for line in text.split("\n"):
        names = [found["name"] for found in _HOLE.finditer(line) if found["name"]]
        if names and not any(values.get(name) for name in names):
            continue
        kept.append(_HOLE.sub(lambda found: "$" if found["escaped"] else values.get(found["name"] or "", ""), line))
    return "\n".join(kept)


def _as_html(value: str) -> str:
    return html.escape(value).replace("\n", "<br>")
