"""Everything behind the number a channel is told of a SKU, term by term, as text for people and machines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hub.domain.kit import components_of
from hub.domain.money import decimal_text
from hub.domain.promise import Promise
from hub.domain.snapshot import Snapshot
from hub.domain.supply import to_come
from hub.oms.desk.times import instant_text
from hub.oms.ports import Channel, Rules
from hub.oms.promise.names import names_of
from hub.oms.promise.promise import MOST, at_location, outlets_of, promises
from hub.oms.stock.reserve import UNASSIGNED

ZERO = Decimal(0)
SHOWN = 50
"""Lines that wait, and supplies, shown one by one; their sums count all."""
Tree = dict[str, Any]


def explain_availability(
    snapshot: Snapshot,
    rules: Rules,
    sku: str,
    now: dt.datetime,
    channel: str | None = None,
    at: dt.datetime | None = None,
) -> Tree | None:
    """Amounts are decimal texts. `at`: what could be sold if supply until then counted. None where nothing is known of
    the SKU. Raises LookupError for a channel that is none."""
    if channel is not None and channel not in rules.channels:
        raise LookupError(f"there is no channel {channel!r}; there are {', '.join(sorted(rules.channels))}")
    item = snapshot.row("items", {"sku": sku})
    stock = snapshot.rows("stock", {"sku": sku}, order_by=("location",))
    supply = snapshot.rows("supply", {"sku": sku}, order_by=("expected_at", "id"))
    waiting = snapshot.rows("reservations", {**UNASSIGNED, "sku": sku}, order_by=("place", "id"), limit=MOST)
    if item is None and not stock and not supply and not waiting:
        return None
    asked = [channel] if channel is not None else _told(rules)
    found: Tree = {
        "sku": sku,
        "locations": [_location(rules, row, now) for row in stock],
        "supply": [_supply(snapshot, row) for row in supply if row["status"] == "open"][:SHOWN],
        "waiting": {
            "quantity": decimal_text(sum((row["quantity"] for row in waiting), ZERO)),
            "lines": [_waiting(row) for row in waiting[:SHOWN]],
        },
        "promises": [one for name in asked for one in _promises(snapshot, rules, rules.channels[name], sku, now, at)],
    }
    parts = components_of(item["document"]) if item is not None else []
    if parts:
        found["components"] = [{"sku": part.sku, "quantity": decimal_text(part.quantity)} for part in parts]
    if at is not None:
        found["at"] = instant_text(at)
    return found


def _told(rules: Rules) -> Sequence[str]:
    """The channels that are told stock; where none is, every channel."""
    told = [name for name in rules.takers.get("push_inventory", ()) if name in rules.channels]
    return told or sorted(rules.channels)


def _location(rules: Rules, row: Tree, now: dt.datetime) -> Tree:
    here = at_location(row, rules.locations.get(row["location"]), now)
    shown: Tree = {"location": here.location}
    for name in ("on_hand", "soft", "firm", "safety", "free"):
        shown[name] = decimal_text(getattr(here, name))
    if row["as_of"] is not None:
        shown["as_of"] = instant_text(row["as_of"])
    if here.doubt:
        shown["doubt"] = here.doubt
    return shown


def _supply(snapshot: Snapshot, row: Tree) -> Tree:
    claims = snapshot.rows("supply_claims", {"supply_id": row["id"]})
    return {
        "reference": row["reference"],
        "location": row["location"],
        "expected_at": instant_text(row["expected_at"]),
        "quantity": decimal_text(row["quantity"]),
        "received": decimal_text(row["received"]),
        "to_come": decimal_text(to_come(row["quantity"], row["received"], row["status"])),
        "promised": decimal_text(sum((claim["quantity"] for claim in claims), ZERO)),
    }


def _waiting(row: Tree) -> Tree:
    return {
        "order": row["order_id"],
        "line": row["line_id"],
        "quantity": decimal_text(row["quantity"]),
        "since": instant_text(row["created_at"]),
        "turn": row["turn"],
        "why": row["why"],
    }


def _promises(
    snapshot: Snapshot, rules: Rules, channel: Channel, sku: str, now: dt.datetime, at: dt.datetime | None
) -> list[Tree]:
    shown = []
    for theirs, promise in promises(snapshot, rules, channel, sku, now, at).items():
        one: Tree = {"channel": channel.id, **_of(promise)}
        if theirs:
            one["outlet"] = theirs
        one["locations"] = sorted(outlets_of(rules, channel)[theirs])
        names = names_of(snapshot, channel, sku, now).now
        if names != (sku,):
            one["called"] = list(names)
        told = snapshot.row("pushed_stock", {"subject": f"{channel.id}|{names[0]}|{theirs}"}) if names else None
        if told is not None and told["quantity"] is not None:
            one |= {"told": decimal_text(told["quantity"]), "told_at": instant_text(told["updated_at"])}
        shown.append(one)
    return shown


def _of(promise: Promise) -> Tree:
    terms = [_term(term.name, term.amount, term.detail) for term in promise.terms]
    return {"quantity": decimal_text(promise.quantity), "terms": terms}


def _term(name: str, amount: Decimal, detail: str) -> Tree:
    term: Tree = {"name": name, "amount": decimal_text(amount)}
    return {**term, "detail": detail} if detail else term
