"""What is still to come, and who was promised something of it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant

supply = Table(
    "supply",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),  # who states it; "import" for a file
    Column("external_id", Text, nullable=False),
    Column("reference", Text, nullable=False),  # purchase order or announced delivery, as people call it
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("expected_at", Instant, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("received", Exact, nullable=False),
    Column("promised", Exact, nullable=False),  # the claims on it; changed with them
    Column("fulfilled", Exact, nullable=False),  # of what was promised from it, what orders have got since
    Column("status", Text, nullable=False),  # open | closed | cancelled
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("quantity >= 0 AND received >= 0 AND fulfilled >= 0", name="not_negative"),
    Index("ix_supply_all", "sku", "expected_at"),
)

supply_claims = Table(
    "supply_claims",
    metadata,
    # A preordered quantity of a line and what it was promised from; the claims of a line sum to its preordered bucket.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("supply_id", Text, nullable=False),  # "": promised from the day of the item's release
    Column("quantity", Exact, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    Index("ix_supply_claims_order", "order_id"),
    Index("ix_supply_claims_supply", "supply_id"),
)

backorder_releases = Table(
    "backorder_releases",
    metadata,
    # The journal of the queue: who got goods that others waited for, and who was passed over and why.
    Column("id", Text, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # released | passed
    Column("quantity", Exact, nullable=False),
    Column("free", Exact, nullable=False),  # what could be had before
    Column("ahead", Exact, nullable=False),  # of it, what those before it in the queue were due
    Column("reason", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_backorder_releases_sku", "sku", "at"),
    Index("ix_backorder_releases_line", "line_id", "at"),
)
