"""What happened, counted: from the hub's read models by channel and destination, and from the systems' own ledgers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.demo.play import Outcome, Played
from hub.demo.seen import SeenOrder
from hub.demo.systems import MAIL, SYSTEMS
from hub.store.reading import open_reading
from hub.views.orders import show_order
from hub.views.query import rows
from hub.views.timeline import timeline

LEFT = ("shipped", "delivered", "ready_for_pickup", "handed_over")


def outcome_of(order: SeenOrder | None) -> str:
    """One word for a person."""
    if order is None:
        return "not arrived"
    if order.effects == "none":
        return "captured only"
    left, cancelled = order.units(*LEFT), order.units("cancelled")
    rest = sum(order.quantities.values(), Decimal(0)) - left - cancelled
    if not rest:
        return "shipped" if left else "cancelled"
    if left:
        return "partly shipped"
    if order.holds:
        return "held"
    return "backordered" if order.units("backordered") else "under way"


def order_items(outcome: Outcome) -> list[dict[str, Any]]:
    """One object an order, in the order they were placed."""
    return [_item(one) for one in sorted(outcome.played, key=lambda one: (len(one.order), one.order))]


def _item(one: Played) -> dict[str, Any]:
    order = one.seen
    item: dict[str, Any] = {
        "number": one.number,
        "external_id": one.order,
        "story": one.tale.name,
        "what": one.tale.title,
        "settled": not one.missing,
        "missing": one.missing or None,
        "outcome": outcome_of(order),
        "total_told": one.total,
    }
    if order is not None:
        item |= {
            "id": order.id,
            "channel": order.channel,
            "status": order.status,
            "currency": order.currency,
            "total": order.total,
            "quantities": dict(order.quantities),
            "holds": order.holds,
            "exceptions": list(order.exceptions),
            "shipped_from": list(order.shipped_from),
        }
    return item


def summary(outcome: Outcome, home: Path, database: str, faults: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    with open_reading(database, home=home) as connection:
        calls = rows(
            connection,
            "SELECT destination, capability, state, COUNT(*) AS n, SUM(attempts) AS attempts FROM deliveries"
            " GROUP BY destination, capability, state ORDER BY destination, capability, state",
        )
        ambiguous = rows(
            connection,
            "SELECT d.destination, d.capability, COUNT(DISTINCT d.id) AS n FROM attempts a"
            " JOIN deliveries d ON d.id = a.delivery_id WHERE a.resolution = 'ambiguous' GROUP BY 1, 2",
        )
        received = rows(
            connection,
            "SELECT connection, state, COUNT(*) AS n FROM messages WHERE stream <> 'replies'"
            " GROUP BY connection, state ORDER BY connection, state",
        )
    unsure = {(row["destination"], row["capability"]): row["n"] for row in ambiguous}
    return {
        "settled": outcome.settled,
        "seconds": round(outcome.seconds, 1),
        "orders": len(outcome.played),
        "busy": list(outcome.seen.busy),
        "channels": _channels(outcome.played),
        "destinations": _destinations(calls, unsure),
        "systems": {
            system.connection: {
                "did": _ledger(home / f"{system.connection}.ledger", system.did),
                "faults": dict(faults.get(system.connection, {})),
            }
            for system in SYSTEMS
        },
        "mail": _a_mail(home / f"{MAIL}.ledger"),
        "messages": _by_connection(received),
        "needs_you": [
            {
                "id": exception["id"],
                "kind": exception["kind"],
                "title": exception["title"],
                "detail": exception["detail"],
                "next_step": exception["next_step"],
                "hint": exception["hint"],
                "orders": sorted({subject["order_id"] for subject in exception["subjects"] if subject["order_id"]}),
            }
            for exception in outcome.seen.exceptions
        ],
    }


def _by_connection(received: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in received:
        found.setdefault(row["connection"], {})[row["state"]] = row["n"]
    return found


def _channels(played: Sequence[Played]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in played:
        order = one.seen
        channel = one.tale.channel
        row = found.setdefault(
            channel,
            dict.fromkeys(
                (
                    "orders",
                    "shipped",
                    "split",
                    "partly_shipped",
                    "held",
                    "backordered",
                    "cancelled",
                    "captured_only",
                    "under_way",
                    "exception",
                ),
                0,
            ),
        )
        row["orders"] += 1
        outcome = outcome_of(order).replace(" ", "_").replace("not_arrived", "under_way")
        row[outcome] += 1
        if order is not None:
            row["split"] += len(set(order.shipped_from)) > 1
            row["exception"] += bool(order.exceptions)
    return [{"channel": channel, **row} for channel, row in sorted(found.items())]


def _destinations(calls: Sequence[Mapping[str, Any]], unsure: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in calls:
        key = (str(row["destination"]), str(row["capability"]))
        entry = found.setdefault(
            key,
            {
                "destination": key[0],
                "capability": key[1],
                "deliveries": 0,
                "attempts": 0,
                "unknown_then_settled": 0,
                "states": {},
            },
        )
        entry["deliveries"] += row["n"]
        entry["attempts"] += int(row["attempts"] or 0)
        entry["states"][row["state"]] = row["n"]
    for key, count in unsure.items():
        if key in found:
            still = sum(n for state, n in found[key]["states"].items() if state in ("unknown", "probing", "conflict"))
            found[key]["unknown_then_settled"] = count - still
    return list(found.values())


def _ledger(path: Path, kinds: Mapping[str, str]) -> dict[str, int]:
    """Counted in the system's own file, without asking the hub."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        counts = dict(connection.execute("SELECT kind, COUNT(*) FROM entries GROUP BY kind").fetchall())
    finally:
        connection.close()
    return {words: int(counts[kind]) for kind, words in kinds.items() if counts.get(kind)}


def _a_mail(path: Path) -> dict[str, str] | None:
    """The newest mail that the mail server took, as it keeps it."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        found = connection.execute("SELECT data FROM entries WHERE kind = 'mail' ORDER BY id DESC LIMIT 1").fetchone()
    finally:
        connection.close()
    if found is None:
        return None
    mail = json.loads(found[0])
    return {name: str(mail[name]) for name in ("to", "sender", "subject", "text")}


def stories_told(outcome: Outcome, home: Path, database: str) -> list[dict[str, Any]]:
    """Each order with every fact about it, oldest first, in the order the scenarios are listed."""
    told = []
    with open_reading(database, home=home) as connection:
        for one in outcome.played:
            order = show_order(connection, one.seen.id) if one.seen is not None else None
            facts = [] if order is None else list(timeline(order))
            told.append(
                {
                    "story": one.tale.name,
                    "what": one.tale.title,
                    "number": one.number,
                    "outcome": outcome_of(one.seen),
                    "missing": one.missing or None,
                    "timeline": [{"at": at, "fact": fact, "told": words} for at, fact, words in facts],
                }
            )
    return told


# For people.


def story_text(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """One block an order: what it shows, and its timeline in seconds since it was captured."""
    lines: list[str] = []
    for story in told:
        lines.append(f"{story['story']}: {story['what']}  ({story['number']}, {story['outcome']})")
        first = story["timeline"][0]["at"] if story["timeline"] else None
        for entry in story["timeline"]:
            seconds = (entry["at"] - first).total_seconds()
            lines.append(f"  {seconds:7.2f} s  {entry['fact']:<32} {entry['told']}".rstrip())
        if story["missing"]:
            lines.append(f"  NOT SETTLED: {story['missing']}")
        lines.append("")
    return lines


def text(outcome: Outcome, found: Mapping[str, Any], command: str = "hub") -> list[str]:
    """The summary as lines. `command` is how this hub is called here."""
    lines = _table(
        ("CHANNEL", "ORDERS", "SHIPPED", "SPLIT", "PARTLY", "HELD", "BACKORDER", "CANCELLED", "KEPT ONLY", "EXCEPTION"),
        [
            (
                row["channel"],
                *(
                    row[name] or "-"
                    for name in (
                        "orders",
                        "shipped",
                        "split",
                        "partly_shipped",
                        "held",
                        "backordered",
                        "cancelled",
                        "captured_only",
                        "exception",
                    )
                ),
            )
            for row in found["channels"]
        ],
    )
    lines += [""]
    lines += _table(
        ("DESTINATION", "CALL", "DELIVERIES", "ATTEMPTS", "UNSURE, THEN SETTLED", "ENDED"),
        [
            (
                row["destination"],
                row["capability"],
                row["deliveries"],
                row["attempts"],
                row["unknown_then_settled"] or "-",
                ", ".join(f"{count} {state}" for state, count in row["states"].items()),
            )
            for row in found["destinations"]
        ],
        left=(0, 1, 5),
    )
    lines += ["", "What the systems' own ledgers say"]
    for name, system in found["systems"].items():
        did = ", ".join(f"{count} {what}" for what, count in system["did"].items())
        lines.append(f"  {name:<11} {did or 'nothing'}")
        if system["faults"]:
            misdeeds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in system["faults"].items())
            lines.append(f"  {'':<11} misbehaved: {misdeeds}")
    mail = found["mail"]
    if mail is not None:
        lines += ["", f"The newest mail, to {mail['to']}", f"  {mail['subject']}"]
        lines += [f"  | {line}".rstrip() for line in mail["text"].strip().splitlines()]
    lines += ["", f"Needs a person: {len(found['needs_you'])}" + ("" if found["needs_you"] else ", nothing does")]
    numbers = {one.seen.id: one.number for one in outcome.played if one.seen is not None}
    for exception in found["needs_you"]:
        orders = ", ".join(numbers.get(order, order) for order in exception["orders"])
        lines.append(f"  {orders or '-'}: {exception['title']}: {exception['detail']}")
        lines.append(f"      next: {exception['next_step']}")
    lines += ["", "Worth typing"]
    for one in outcome.played:
        if one.tale.worth_typing and one.seen is not None:
            words = f"{command} --demo orders show {one.number.removeprefix('#')} --why"
            lines.append(f"  {words:<{len(command) + 36}} # {one.tale.title}")
    for rest, what in (
        ("orders list", "all of them"),
        ("exceptions list", "what needs you"),
        ("verify", "recompute the promises from the journals"),
    ):
        lines.append(f"  {f'{command} --demo {rest}':<{len(command) + 36}} # {what}")
    return lines


def _table(heads: Sequence[str], body: Sequence[Sequence[object]], left: Sequence[int] = (0,)) -> list[str]:
    cells = [[str(cell) for cell in row] for row in (heads, *body)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
