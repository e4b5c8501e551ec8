"""Goods that come back: the second ledger of an order line, and what customers were given for them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant, Json

RETURN_STAGES = ("requested", "in_transit", "received", "restocked", "quarantined", "scrapped", "withdrawn")
"""Stages of a return line's ledger; they always sum to `claimed`."""

returns = Table(
    "returns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("number", Text, nullable=False),  # shown to people
    Column("origin", Text, nullable=False),  # channel | api | person | carrier | blind
    Column("state", Text, nullable=False),
    # requested | approved | refused | expired | cancelled | label_issued | in_transit | partially_received | received
    # | inspected | settled | closed
    Column("external_id", Text),  # as whoever began it calls it
    Column("location", Text),  # where it should arrive
    Column("tracking_number", Text),
    Column("reason", Text, nullable=False),
    Column("expires_at", Instant),
    Column("document", Json, nullable=False),  # policy result, label
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_returns_order", "order_id"),
    Index("ix_returns_state", "state", "id"),
    Index("ix_returns_number", "number"),
    Index("ix_returns_external", "external_id"),
    Index(
        "ix_returns_tracking_number",
        "tracking_number",
        sqlite_where=text("tracking_number IS NOT NULL"),
        postgresql_where=text("tracking_number IS NOT NULL"),
    ),
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("id", Text, primary_key=True),  # <return id>/<number>
    Column("return_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("line_id", Text),  # of the order; none for what the order never had
    Column("number", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("claimed", Exact, nullable=False),
    *(Column(stage, Exact, nullable=False, server_default="0") for stage in RETURN_STAGES),
    Column("over", Exact, nullable=False, server_default="0"),  # of it more than had left
    Column("settled", Exact, nullable=False, server_default="0"),
    Column("document", Json, nullable=False),  # reason, grade, what lies where
    CheckConstraint(" + ".join(RETURN_STAGES) + " = claimed", name="stages_sum"),
    *(CheckConstraint(f"{stage} >= 0", name=f"{stage}_not_negative") for stage in RETURN_STAGES),
    CheckConstraint("over >= 0", name="over_not_negative"),
    Index("ix_return_lines_order", "order_id"),
    Index("ix_return_lines_return", "return_id"),
)

return_moves = Table(
    "return_moves",
    metadata,
    Column("id", Text, primary_key=True),  # derived from cause and line, so that recomputing mints the same
    Column("order_id", Text, nullable=False),
    Column("return_line_id", Text, nullable=False),
    Column("from_stage", Text, nullable=False),  # "" where the claim grows
    Column("to_stage", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("location", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Instant, nullable=False),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    Index("ix_return_moves_order", "order_id"),
)

return_settlements = Table(
    "return_settlements",
    metadata,
    # What a customer was given for goods of a return: once for each unit.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("return_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # refund | exchange | store_credit | nothing
    Column("currency", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("refund_id", Text),  # the refund that pays it
    Column("document", Json, nullable=False),  # lines with units, value and what was kept back; shipping; words
    Column("at", Instant, nullable=False),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    Index("ix_return_settlements_order", "order_id"),
)
