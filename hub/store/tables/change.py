"""Change sets of orders."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant, Json

changes = Table(
    "changes",
    metadata,
    # What somebody wanted different about an order after it was placed, and what became of it. No personal data: of an
    # address only the names of its changed parts.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the order it was decided on
    Column("state", Text, nullable=False),  # requested | accepted | declined
    Column("asked_by", Text, nullable=False),  # a person, or the channel's connection
    Column("reason", Text, nullable=False),
    Column("request", Json, nullable=False),  # lines, additions and address parts as asked for
    Column("delta", Json, nullable=False),  # what it came to: quantities by line, calls asked for
    Column("currency", Text),
    Column("price_effect", Exact, nullable=False),  # on the order's total
    Column("beside_total", Exact, nullable=False),  # of that, what the channel's own total does not hold
    Column("why", Text, nullable=False),  # why it was declined, or done in part
    Column("at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index("ix_changes_order", "order_id", "at"),
)
