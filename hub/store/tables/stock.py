"""Stock, reservations, items and what others call things."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant, Json

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("on_hand", Exact, nullable=False, server_default="0"),
    Column("soft", Exact, nullable=False, server_default="0"),
    Column("firm", Exact, nullable=False, server_default="0"),
    Column("quarantine", Exact, nullable=False, server_default="0"),  # came back, not decided what becomes of it
    Column("damaged", Exact, nullable=False, server_default="0"),  # there, and not to be sold
    Column("in_transit", Exact, nullable=False, server_default="0"),  # on its way here from another location
    Column("as_of", Instant),  # of the latest snapshot inside on_hand
    Column("sequence", Text),
    Column("updated_at", Instant),
    CheckConstraint("soft >= 0", name="soft_not_negative"),
    CheckConstraint("firm >= 0", name="firm_not_negative"),
    CheckConstraint("quarantine >= 0", name="quarantine_not_negative"),
    CheckConstraint("damaged >= 0", name="damaged_not_negative"),
    CheckConstraint("in_transit >= 0", name="in_transit_not_negative"),
)

stock_events = Table(
    "stock_events",
    metadata,
    Column("id", Text, primary_key=True),  # business key
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("bucket", Text, nullable=False),  # on_hand | quarantine | damaged | in_transit
    Column("kind", Text, nullable=False),  # snapshot | movement | shipment | adjustment | return
    Column("delta", Exact),  # applied to the bucket; 0 where journalled without effect
    Column("absolute", Exact),  # of a snapshot
    Column("stated", Exact),  # of a movement: what its source said, whatever it changed
    Column("source_sequence", Text),  # the source's own counter, where it has one
    Column("source", Text, nullable=False),
    Column("source_time", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("sequence", Text, nullable=False),
    Index("ix_stock_events_key", "sku", "location", "sequence"),
)

transits = Table(
    "transits",
    metadata,
    # Goods on their way between two locations: what one notice said had left, and what became of it.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("fulfilment_order_id", Text, nullable=False),  # the transfer
    Column("line_id", Text),
    Column("sku", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("sent", Exact, nullable=False),
    Column("received", Exact, nullable=False, server_default="0"),
    Column("lost", Exact, nullable=False, server_default="0"),
    Column("quantity", Exact, nullable=False),  # still on its way
    Column("claimed", Exact, nullable=False, server_default="0"),  # of that, what is for its order's line
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("quantity = sent - received - lost", name="quantity_is_the_rest"),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    CheckConstraint("claimed >= 0 AND claimed <= quantity", name="claimed_is_there"),
    Index("ix_transits_order", "order_id"),
    Index("ix_transits_destination", "destination", "sku"),
)

stock_marks = Table(
    "stock_marks",
    metadata,
    # The latest complete count of a location: what it did not list was counted as none.
    Column("location", Text, primary_key=True),
    Column("as_of", Instant, nullable=False),
    Column("sequence", Text),
    Column("updated_at", Instant, nullable=False),
)

stock_signals = Table(
    "stock_signals",
    metadata,
    # Where a SKU was low or too high when it was last looked at; a row only once it was.
    Column("sku", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("level", Text, nullable=False),  # normal | low | high
    Column("updated_at", Instant, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("quantity", Exact, nullable=False),  # what is still reserved
    Column("state", Text, nullable=False),  # unassigned | soft | firm | consumed | released | expired
    Column("place", Text, nullable=False, server_default=""),  # of unassigned demand: its place in the queue
    Column("turn", Text, nullable=False, server_default=""),  # of unassigned demand: waits | passed | held
    Column("why", Text, nullable=False, server_default=""),  # why it was passed over or is held
    Column("fulfilment_order_id", Text),
    Column("expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    Index("ix_reservations_order", "order_id"),
    Index(
        "ix_reservations_live",
        "sku",
        "location",
        sqlite_where=text("state IN ('soft', 'firm')"),
        postgresql_where=text("state IN ('soft', 'firm')"),
    ),
    Index(
        # Unassigned demand has neither work nor an end. (A state given as a parameter would not match an index on it.)
        "ix_reservations_unassigned",
        "sku",
        sqlite_where=text("fulfilment_order_id IS NULL AND expires_at IS NULL"),
        postgresql_where=text("fulfilment_order_id IS NULL AND expires_at IS NULL"),
    ),
)

pushed_stock = Table(
    "pushed_stock",
    metadata,
    # What each channel was last told; subject = connection|its name of the SKU|its name of the location.
    Column("subject", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("quantity", Exact),
    Column("sequence", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_pushed_stock_sku", "sku"),
)

items = Table(
    "items",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("document", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

kit_parts = Table(
    "kit_parts",
    metadata,
    # Which kits a SKU is a component of: what a kit may be sold follows from its components' stock.
    Column("id", Text, primary_key=True),
    Column("kit", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Index("ix_kit_parts_sku", "sku"),
    Index("ix_kit_parts_kit", "kit"),
)

cross_references = Table(
    "cross_references",
    metadata,
    Column("id", Text, primary_key=True),
    Column("system", Text, nullable=False),  # connection
    Column("entity", Text, nullable=False),  # order | fulfilment_order | item | location | shipment ...
    Column("external_id", Text, nullable=False),
    Column("role", Text, nullable=False),  # primary | alias | split_of | merged_into
    Column("internal_id", Text, nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant),
    UniqueConstraint("external_id", "entity", "system", "role"),  # people ask by the id alone
    Index("ix_cross_references_internal", "internal_id", "system"),
)

listings = Table(
    "listings",
    metadata,
    # What a channel calls an item, and from when to when. Two items never have one name at one time.
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("theirs", Text, nullable=False),
    Column("ours", Text, nullable=False),
    Column("valid_from", Instant),
    Column("valid_to", Instant),
    Column("at", Instant, nullable=False),
    Index("ix_listings_theirs", "theirs", "connection"),
    Index("ix_listings_ours", "ours", "connection"),
)
