"""Holds the hub's database against what really happened; every difference is a finding with a name.

Nothing of the hub's own logic is used but `hub verify`, whose findings count as differences, and the names of states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.views.verify import verify
from tests.chaos.books import TOLD, Books
from tests.chaos.checks import CHECKS
from tests.chaos.checks.stock import Excess, oversold, oversold_by_channel
from tests.chaos.database import count, select
from tests.chaos.ledgers import ZERO

DONE = ("closed", "cancelled")


@dataclass(slots=True)
class Findings:
    """What broke, by promise: one text a finding, naming the rows."""

    lost: list[str] = field(default_factory=list)
    duplicate_effects: list[str] = field(default_factory=list)
    oversold: list[str] = field(default_factory=list)
    ledger_difference: list[str] = field(default_factory=list)
    bad_accepted: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    oversold_units: Decimal = ZERO
    channel_oversold: dict[str, Excess] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    """By channel, as those that follow."""
    completed: dict[str, int] = field(default_factory=dict)


def audit(books: Books, systems: Iterable[str]) -> Findings:
    """What stands is compared; what has not settled is the caller's to add."""
    findings = Findings()
    for system in systems:
        for promise, words in CHECKS[system](books):
            getattr(findings, promise).append(words)
    for units, words in oversold(books):
        findings.oversold_units += units
        findings.oversold.append(words)
    findings.channel_oversold = oversold_by_channel(books)
    for finding in verify(books.connection):
        words = f"verify: {finding['promise']}: {finding['subject']}: {finding['detail']}"
        findings.ledger_difference.append(words)
    for channel, order in books.truth.orders:
        hub = books.orders.get((channel, order))
        findings.orders[channel] = findings.orders.get(channel, 0) + 1
        done = hub is not None and hub.status in DONE
        findings.completed[channel] = findings.completed.get(channel, 0) + done
    return findings


# --- what is still under way ----------------------------------------------------------------------------------------


def open_work(connection: Connection) -> list[str]:
    """Everything that is neither done nor in front of a person."""
    counted = ((what, count(connection, f"SELECT COUNT(*) FROM {sql}")) for what, sql in _OPEN.items())
    return [f"{number} {what}" for what, number in counted if number]


_ORDER_TOLD = (
    "EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id = o.id)"
)
_OPEN: dict[str, str] = {
    "receipts are not parsed": "receipts WHERE state = 'pending'",
    "messages are not applied": "messages WHERE state IN ('stored', 'claimed', 'retry')",
    "messages wait": "messages WHERE state = 'waiting'",
    "deliveries are not done": (
        "deliveries d WHERE state IN ('pending', 'retry', 'in_flight', 'probing', 'sent')"
        " OR (state = 'unknown' AND NOT " + TOLD.format(kind="delivery", id="d.id") + ")"
    ),
    "order tasks are not done": (
        "tasks WHERE state IN ('pending', 'claimed') AND kind IN ('allocate', 'confirm', 'resource')"
    ),
    "orders are under way": (
        "orders o WHERE o.status NOT IN ('closed', 'cancelled') AND o.effects = 'on' AND NOT " + _ORDER_TOLD
    ),
}


def outgoing(connection: Connection) -> dict[str, Any]:
    """How many deliveries are in which state, for the report."""
    rows = select(
        connection,
        "SELECT destination, capability, state, COUNT(*) AS many FROM deliveries"
        " GROUP BY destination, capability, state",
    )
    ordered = sorted(rows, key=lambda row: tuple(row[:3]))
    return {f"{row.destination} {row.capability} {row.state}": int(row.many) for row in ordered}
