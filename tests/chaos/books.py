"""The hub's side of an audit: its rows beside the truth, read once, and what it has put before a person."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from tests.chaos.database import select
from tests.chaos.ledgers import Truth
from tests.chaos.shelf import Shelf

MILLION = Decimal(1_000_000)
"""Amounts and quantities in the database are whole millionths."""

UNDER_WAY = "open + allocated + released + accepted + picked + packed + ready_for_pickup"
VISIBLE = "('refused', 'conflict', 'parked', 'abandoned', 'overdue')"
TOLD = (
    "EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.subject_kind = '{kind}' AND s.subject_id = {id})"
)
Finding = tuple[str, str]
"""(promise that is broken, what is wrong)"""


@dataclass(frozen=True, slots=True)
class HubOrder:
    id: str
    channel: str
    external_id: str
    status: str
    created_at: int
    confirmed_at: int
    """0 before it was."""


class Books:
    """`quiet_since`: from then on nothing was under way; what happened later may not have arrived."""

    def __init__(self, truth: Truth, connection: Connection, shelf: Shelf, quiet_since: dt.datetime | None = None):
        self.truth = truth
        self.connection = connection
        self.shelf = shelf
        self.quiet_since = quiet_since
        self.rows = [
            HubOrder(row.id, row.channel, row.external_id, row.status, int(row.created_at), int(row.confirmed_at or 0))
            for row in self.select("SELECT id, channel, external_id, status, created_at, confirmed_at FROM orders")
        ]
        self.orders = {(order.channel, order.external_id): order for order in self.rows}

    def select(self, sql: str) -> Any:
        return select(self.connection, sql)

    def at(self, channel: str) -> list[HubOrder]:
        return [order for order in self.rows if order.channel == channel]

    @cached_property
    def by_id(self) -> dict[str, HubOrder]:
        return {order.id: order for order in self.rows}

    @cached_property
    def excused(self) -> dict[tuple[str, str], set[str]]:
        """(capability, order id) -> aggregates with a delivery that a person sees or that was withdrawn."""
        told = TOLD.format(kind="delivery", id="d.id")
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self.select(
            "SELECT capability, order_id, aggregate, business_key FROM deliveries d"
            f" WHERE state = 'withdrawn' OR ((state IN {VISIBLE} OR state = 'unknown')"
            f" AND ({told} OR state = 'abandoned'))"
        ):
            found[row.capability, row.order_id or ""] |= {row.aggregate, row.business_key}
        return found

    @cached_property
    def told(self) -> dict[str, set[str]]:
        """Order id -> kinds of the open exceptions about it."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.select(
            "SELECT DISTINCT s.order_id, e.kind FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
            " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id IS NOT NULL"
        ):
            found[row.order_id].add(row.kind)
        return found

    @cached_property
    def unfinished(self) -> set[str]:
        """Orders with units that are still to leave."""
        return {
            row.order_id
            for row in self.select(
                f"SELECT order_id FROM order_lines GROUP BY order_id HAVING SUM({UNDER_WAY} + backordered) > 0"
            )
        }

    @cached_property
    def shipped(self) -> dict[str, Decimal]:
        """Order number -> units that have left, as the locations say."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for request in self.truth.requests:
            found[request.order_number] += sum(line["shipped"] for line in request.lines)
        return found


Check = Callable[[Books], Iterator[Finding]]
