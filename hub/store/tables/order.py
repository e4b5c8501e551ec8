"""The order and its ledgers."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant, Json

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("scope", Text, nullable=False, server_default=""),
    Column("external_id", Text, nullable=False),
    Column("number", Text),
    Column("seller_entity", Text, nullable=False),
    Column("order_type", Text, nullable=False),
    Column("currency", Text),
    Column("placed_at", Instant),
    Column("status", Text, nullable=False),  # derived: received | held | confirmed | closed | cancelled
    Column("effects", Text, nullable=False),  # on | observe | none (captured without effects)
    Column("source_version", Text),
    Column("total", Exact),
    Column("grace_until", Instant),
    Column("confirmed_at", Instant),
    Column("duplicate_key", Text),  # hash of buyer and lines; another order with the same one may be the same
    Column("document", Json, nullable=False),  # header, holds, links, totals, attributes; no personal data
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("external_id", "channel", "scope"),  # people ask by the id alone
    Index("ix_orders_number", "number"),
    Index(
        "ix_orders_duplicate",
        "duplicate_key",
        sqlite_where=text("duplicate_key IS NOT NULL"),
        postgresql_where=text("duplicate_key IS NOT NULL"),
    ),
    Index("ix_orders_status", "status", "created_at", "id"),
    Index("ix_orders_channel", "channel", "created_at", "id"),
    Index("ix_orders_created", "created_at", "id"),
)

BUCKETS = (
    "open",
    "allocated",
    "backordered",
    "preordered",
    "released",
    "accepted",
    "picked",
    "packed",
    "shipped",
    "ready_for_pickup",
    "handed_over",
    "delivered",
    "lost",
    "returned_to_sender",
    "cancelled",
)
"""Buckets of a line's quantity ledger; they always sum to `ordered` (model: quantity ledger of a line)."""

order_lines = Table(
    "order_lines",
    metadata,
    Column("id", Text, primary_key=True),  # <order id>/<number>
    Column("order_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("external_line_id", Text, nullable=False),
    Column("sku", Text),
    Column("ordered", Exact, nullable=False),
    *(Column(bucket, Exact, nullable=False, server_default="0") for bucket in BUCKETS),
    Column("over_shipped", Exact, nullable=False, server_default="0"),
    Column("fulfilled_by", Text, nullable=False),
    Column("document", Json, nullable=False),
    Column("ship_by", Instant),  # as its channel sets it
    Column("cancel_by", Instant),
    Column("due_by", Instant),  # the earlier of the two
    Column("late_penalty", Exact),  # what being late costs, in the base currency
    CheckConstraint(" + ".join(BUCKETS) + " = ordered", name="buckets_sum"),
    *(CheckConstraint(f"{bucket} >= 0", name=f"{bucket}_not_negative") for bucket in BUCKETS),
    UniqueConstraint("order_id", "external_line_id"),
    Index("ix_order_lines_sku", "sku", "order_id"),
    Index(
        "ix_order_lines_due",
        "due_by",
        sqlite_where=text("due_by IS NOT NULL"),
        postgresql_where=text("due_by IS NOT NULL"),
    ),
)

quantity_moves = Table(
    "quantity_moves",
    metadata,
    Column("id", Text, primary_key=True),  # derived from cause and line, so that recomputing mints the same
    Column("order_id", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("from_bucket", Text, nullable=False),  # "" where ordered grows
    Column("to_bucket", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("cause", Text, nullable=False),  # message, task or action id
    Column("implied", Boolean, nullable=False, server_default=text("false")),
    Column("at", Instant, nullable=False),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    Index("ix_quantity_moves_order", "order_id"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),  # <order id>/<rule>/<path>
    Column("order_id", Text, nullable=False),
    Column("line_id", Text),
    Column("kind", Text, nullable=False),  # validation | fraud | address | payment | manual
    Column("rule", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("until", Instant),  # its time box ends; then `then`
    Column("then", Text, nullable=False, server_default=""),  # release | cancel | escalate
    Column("released_at", Instant),
    Column("released_by", Text),
    Index("ix_holds_order", "order_id"),
    Index(
        "ix_holds_open",
        "rule",
        sqlite_where=text("released_at IS NULL"),
        postgresql_where=text("released_at IS NULL"),
    ),
)

order_links = Table(
    "order_links",
    metadata,
    # Orders that belong together; one row a pair, written by the later one (hub.domain.link).
    Column("id", Text, primary_key=True),  # <order id>/<role>/<other order id>
    Column("order_id", Text, nullable=False),
    Column("other_order_id", Text, nullable=False),
    Column("role", Text, nullable=False),  # replaces | replacement_for | exchange_for | transfer_for | split_of
    Column("at", Instant, nullable=False),
    Index("ix_order_links_order", "order_id"),
    Index("ix_order_links_other", "other_order_id"),
)

fulfilment_orders = Table(
    "fulfilment_orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("state", Text, nullable=False),
    # planned | sent | acknowledged | rejected | unknown | in_progress | packed | completed | partially_completed
    # | cancelled
    Column("version", Integer, nullable=False),
    Column("external_id", Text),
    Column("document", Json, nullable=False),  # lines with quantities and what became of them; cancel requests
    Column("planned_on", Text, nullable=False, server_default=""),  # the location's date; its capacity is a day's
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_fulfilment_orders_order", "order_id"),
    Index("ix_fulfilment_orders_open", "location", "state"),
    Index(
        "ix_fulfilment_orders_unfinished",
        "created_at",
        "id",
        sqlite_where=text("state NOT IN ('completed', 'partially_completed', 'rejected', 'cancelled')"),
        postgresql_where=text("state NOT IN ('completed', 'partially_completed', 'rejected', 'cancelled')"),
    ),
    Index(
        "ix_fulfilment_orders_external",
        "external_id",
        sqlite_where=text("external_id IS NOT NULL"),
        postgresql_where=text("external_id IS NOT NULL"),
    ),
    Index("ix_fulfilment_orders_day", "location", "planned_on", "state"),
)

location_days = Table(
    "location_days",
    metadata,
    # Whoever plans work where little of a day is left claims the next version: of two decisions at once one is made
    # anew. Nothing is counted here; what a day holds is counted from the fulfilment orders.
    Column("location", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # the location's date
    Column("version", Integer, nullable=False),
)

shipments = Table(
    "shipments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("fulfilment_order_id", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("shipped_at", Instant, nullable=False),
    Column("document", Json, nullable=False),  # packages: tracking, line quantities
    Column("created_at", Instant, nullable=False),
    Index("ix_shipments_order", "order_id"),
)

packages = Table(
    "packages",
    metadata,
    # A package of a location with what became of it on its way; written only where somebody follows packages.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("fulfilment_order_id", Text, nullable=False),
    Column("shipment_id", Text),
    Column("location", Text, nullable=False),
    Column("external_id", Text, nullable=False),  # as the location calls it
    Column("carrier", Text),
    Column("service", Text),
    Column("tracking_number", Text),
    Column("state", Text, nullable=False),
    # label_pending | labelled | voided | in_transit | out_for_delivery | exception | delivered | returned_to_sender
    # | lost
    Column("document", Json, nullable=False),  # lines, measures, the scan that counts, why it is not wanted any more
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_packages_order", "order_id"),
    Index(
        "ix_packages_tracking_number",
        "tracking_number",
        sqlite_where=text("tracking_number IS NOT NULL"),
        postgresql_where=text("tracking_number IS NOT NULL"),
    ),
)

labels = Table(
    "labels",
    metadata,
    # A label the hub asked a carrier for, what it cost and what came back of that. Its bytes are a body of owner label.
    Column("id", Text, primary_key=True),
    Column("package_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("number", Integer, nullable=False),  # which label of the package
    Column("state", Text, nullable=False),
    # requested | bought | refused | withdrawn | voiding | voided | void_refused
    Column("external_id", Text),
    Column("tracking_number", Text),
    Column("carrier", Text),
    Column("service", Text),
    Column("currency", Text),
    Column("cost", Exact),
    Column("refunded", Exact, nullable=False, server_default="0"),
    Column("body_id", Text),
    Column("document", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_labels_order", "order_id"),
    Index(
        "ix_labels_tracking_number",
        "tracking_number",
        sqlite_where=text("tracking_number IS NOT NULL"),
        postgresql_where=text("tracking_number IS NOT NULL"),
    ),
)

sourcing_decisions = Table(
    "sourcing_decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column(
        "document", Json, nullable=False
    ),  # inputs hash, candidates, exclusions, cost terms, plan, second best, bound
    Column("at", Instant, nullable=False),
    Index("ix_sourcing_decisions_order", "order_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),  # derived from the business fact
    Column("type", Text, nullable=False),  # hub.<entity>.<fact>.v1
    Column("subject", Text, nullable=False),
    Column("order_id", Text),
    Column("at", Instant, nullable=False),
    Column("sequence", Text, nullable=False),  # time-ordered, for timelines
    Column("data", Json, nullable=False),  # ids and masked values only
    Index("ix_events_order", "order_id", "sequence"),
    Index("ix_events_sequence", "sequence"),
)
