"""Every table of the hub. Ids are text, ours, prefixed and time-ordered; amounts are BIGINT of 10^-6; times UTC.

Personal data lives in `bodies` and `contacts` only. Numbers behind `state` columns are texts of closed sets that
semantics and model name; partial indexes keep claims cheap.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hub.store.types import Exact, Instant, Json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- what came in ---------------------------------------------------------------------------------------------------

bodies = Table(
    "bodies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_kind", Text, nullable=False),  # receipt | message | delivery | reply | source | attempt | label
    Column("owner_id", Text, nullable=False),
    Column("order_id", Text),  # set where known, so that erasure finds it
    Column("content_type", Text, nullable=False, server_default=""),
    Column("headers", Json),
    Column("body", LargeBinary),  # None: erased, or above 1 MiB and kept in `file`
    Column("file", Text),
    Column("size_bytes", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("erased_at", Instant),
    Index(  # retention asks for the oldest of a kind
        "ix_bodies_kept",
        "owner_kind",
        "created_at",
        sqlite_where=text("erased_at IS NULL"),
        postgresql_where=text("erased_at IS NULL"),
    ),
    Index(
        "ix_bodies_order",
        "order_id",
        sqlite_where=text("order_id IS NOT NULL"),
        postgresql_where=text("order_id IS NOT NULL"),
    ),
    Index("ix_bodies_file", "file", sqlite_where=text("file IS NOT NULL"), postgresql_where=text("file IS NOT NULL")),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Text, primary_key=True),  # <order id>/<role>
    Column("order_id", Text, nullable=False),
    Column("role", Text, nullable=False),  # buyer | bill_to | ship_to
    Column("data", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_contacts_order", "order_id"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("topic", Text),
    Column("delivery_id", Text),
    Column("body_hash", Text, nullable=False),
    Column("body_id", Text, nullable=False),
    Column("source", Text, nullable=False),  # webhook | poll | file | api | fetch
    Column("received_at", Instant, nullable=False),
    Column("state", Text, nullable=False),  # pending | parsed | unparsable
    Column("error", Text),
    Column("messages", Integer, nullable=False, server_default="0"),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("lease_epoch", BigInteger),
    Column("lease_until", Instant),
    UniqueConstraint("connection", "delivery_id", "body_hash"),
    Index(
        "ix_receipts_pending", "id", sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'")
    ),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("receipt_id", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("entity_key", Text, nullable=False),  # connection|family|scope|external id
    Column("external_id", Text),
    Column("scope", Text, nullable=False, server_default=""),
    Column("fact_key", Text),
    Column("source_version", Text),
    Column("body_id", Text),  # None: the receipt's whole body is the record
    Column("state", Text, nullable=False),
    # stored | claimed | waiting | retry | applied | parked | duplicate | ignored | superseded | re-driven
    Column("held", Boolean, nullable=False, server_default=text("false")),  # applied, with a hold
    Column("error_code", Text),
    Column("error_field", Text),
    Column("error", Text),
    Column("subject", Text),  # order id, fulfilment order id ... once known
    Column("waits_for", Text),  # what a waiting message waits for: a subject key or a delivery id
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("lease_epoch", BigInteger),
    Column("lease_until", Instant),
    Column("due_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("applied_at", Instant),
    Column("revision", Text),
    Column("redrive_of", Text, nullable=False, server_default=""),
    Column("lease_token", Text),
    Column("sequence", BigInteger, nullable=False),  # order of arrival, filled by the store
    UniqueConstraint("receipt_id", "position", "stream", "redrive_of"),
    Index(
        "ix_messages_open",
        "connection",
        "due_at",
        "sequence",
        sqlite_where=text("state IN ('stored', 'retry')"),
        postgresql_where=text("state IN ('stored', 'retry')"),
    ),
    Index(
        "ix_messages_entity_open",
        "entity_key",
        "sequence",
        sqlite_where=text("state IN ('stored', 'claimed', 'retry', 'waiting', 'parked')"),
        postgresql_where=text("state IN ('stored', 'claimed', 'retry', 'waiting', 'parked')"),
    ),
    Index(
        "ix_messages_claimed",
        "lease_until",
        sqlite_where=text("state = 'claimed'"),
        postgresql_where=text("state = 'claimed'"),
    ),
    Index(
        "ix_messages_parked",
        "entity_key",
        sqlite_where=text("state = 'parked'"),
        postgresql_where=text("state = 'parked'"),
    ),
    Index("ix_messages_subject", "subject"),
    Index(
        "ix_messages_waits",
        "waits_for",
        sqlite_where=text("waits_for IS NOT NULL"),
        postgresql_where=text("waits_for IS NOT NULL"),
    ),
)

sources = Table(
    "sources",
    metadata,
    # The merged view of one entity as its source stated it: per field the newest version that carried it.
    Column("entity_key", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("subject", Text),
    Column("last_hash", Text),
    Column("last_version", Text),
    Column("fingerprint", Json),
    Column("versions", Json, nullable=False),  # per field (and per line field) the source version that carried it
    Column("body_id", Text, nullable=False),  # the merged view's values, in bodies because they hold personal data
    Column("version", Integer, nullable=False),
    Column("conflicts", Integer, nullable=False, server_default="0"),
    Column("updated_at", Instant, nullable=False),
    Index("ix_sources_subject", "subject"),
)

fact_keys = Table(
    "fact_keys",
    metadata,
    Column("key", Text, primary_key=True),  # connection|stream|fact key, for ever
    Column("message_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("id", Text, primary_key=True),  # connection|stream
    Column("value", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# --- the order and its ledgers --------------------------------------------------------------------------------------

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
    Column("document", Json, nullable=False),  # header, holds, links, totals, attributes; no personal data
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("channel", "scope", "external_id"),
    Index("ix_orders_number", "number"),
    Index("ix_orders_status", "status", "id"),
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
    CheckConstraint(" + ".join(BUCKETS) + " = ordered", name="buckets_sum"),
    *(CheckConstraint(f"{bucket} >= 0", name=f"{bucket}_not_negative") for bucket in BUCKETS),
    UniqueConstraint("order_id", "external_line_id"),
    Index("ix_order_lines_sku", "sku"),
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
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_fulfilment_orders_order", "order_id"),
    Index("ix_fulfilment_orders_open", "location", "state"),
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

payments = Table(
    "payments",
    metadata,
    # Money facts per order and currency: what the channel or the provider said, and what the hub did.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # authorised | captured | refunded | voided | invoiced
    Column("currency", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("external_id", Text),
    Column("document", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_payments_order", "order_id"),
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

# --- stock ----------------------------------------------------------------------------------------------------------

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("on_hand", Exact, nullable=False, server_default="0"),
    Column("soft", Exact, nullable=False, server_default="0"),
    Column("firm", Exact, nullable=False, server_default="0"),
    Column("as_of", Instant),  # of the latest snapshot inside on_hand
    Column("sequence", Text),
    Column("updated_at", Instant),
    CheckConstraint("soft >= 0", name="soft_not_negative"),
    CheckConstraint("firm >= 0", name="firm_not_negative"),
)

stock_events = Table(
    "stock_events",
    metadata,
    Column("id", Text, primary_key=True),  # business key
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("kind", Text, nullable=False),  # snapshot | movement | shipment | adjustment
    Column("delta", Exact),  # applied to on_hand; 0 where journalled without effect
    Column("absolute", Exact),  # of a snapshot
    Column("source", Text, nullable=False),
    Column("source_time", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("sequence", Text, nullable=False),
    Index("ix_stock_events_key", "sku", "location", "sequence"),
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
    # What each channel was last told; subject = connection|sku|location on the channel.
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
    UniqueConstraint("system", "entity", "external_id", "role"),
    Index("ix_cross_references_internal", "internal_id", "system"),
)

# --- what goes out --------------------------------------------------------------------------------------------------

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("capability", Text, nullable=False),
    Column("aggregate", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("business_key", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what coalesces
    Column("order_id", Text),
    Column("state", Text, nullable=False),
    # pending | retry | in_flight | sent | acknowledged | refused | unknown | probing | conflict | overdue | withdrawn
    # | coalesced | parked | suppressed | abandoned
    Column("park_reason", Text),  # mapping | blocked | gave_up
    Column("safety", Text, nullable=False),
    Column("body_id", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("refs", Json, nullable=False),
    Column("requires", Json, nullable=False),  # business keys at any destination that must be acknowledged first
    Column("fact", Text),  # kind of inbound fact that may be its echo, with the content to match
    Column("echo_key", Text),
    Column("due_at", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Column("reply_due_at", Instant),
    Column("probe_after", Instant),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_epoch", BigInteger),
    Column("lease_token", Text),
    Column("lease_until", Instant),
    Column("external_id", Text),
    Column("error", Text),
    Column("cause", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("sequence", BigInteger, nullable=False),  # order of enqueueing, filled by the store
    UniqueConstraint("business_key"),
    Index(
        "ix_deliveries_due",
        "destination",
        "due_at",
        "sequence",
        sqlite_where=text("state IN ('pending', 'retry', 'unknown')"),
        postgresql_where=text("state IN ('pending', 'retry', 'unknown')"),
    ),
    Index(
        "ix_deliveries_lane",
        "destination",
        "aggregate",
        "lane",
        "sequence",
        sqlite_where=text("settled_at IS NULL"),
        postgresql_where=text("settled_at IS NULL"),
    ),
    Index(
        "ix_deliveries_subject",
        "subject",
        sqlite_where=text("state IN ('pending', 'retry')"),
        postgresql_where=text("state IN ('pending', 'retry')"),
    ),
    Index(
        "ix_deliveries_claimed",
        "lease_until",
        sqlite_where=text("state IN ('in_flight', 'probing')"),
        postgresql_where=text("state IN ('in_flight', 'probing')"),
    ),
    Index("ix_deliveries_order", "order_id"),
    Index("ix_deliveries_state", "state", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),  # <delivery id>/<number>
    Column("delivery_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # call | probe
    Column("token", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("resolution", Text),  # NULL while open
    Column("status", Integer),
    Column("words", Text),  # the other side's, bounded, without secrets
    Column("body_id", Text),
    Column("duration_ms", Integer),
    Column("stale", Boolean, nullable=False, server_default=text("false")),  # came after its lease was lost: evidence
    Index("ix_attempts_delivery", "delivery_id"),
)

edi_counters = Table(
    "edi_counters",
    metadata,
    # The last control numbers given out to a partner; changed only together with the delivery that carries them.
    Column("partner", Text, primary_key=True),
    Column("interchange", BigInteger, nullable=False),
    Column("functional_group", BigInteger, nullable=False),
    Column("transaction_set", BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

edi_documents = Table(
    "edi_documents",
    metadata,
    # Every control number that was given out, and to what: a gap that the partner sees is explained here.
    Column("id", Text, primary_key=True),  # <partner>/<interchange number>
    Column("partner", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("document", Text, nullable=False),  # 856, 997
    Column("interchange", BigInteger, nullable=False),
    Column("functional_group", BigInteger, nullable=False),
    Column("transaction_set", BigInteger, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("state", Text, nullable=False),  # frozen | void
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Index("ix_edi_documents_delivery", "delivery_id"),
    Index("ix_edi_documents_group", "partner", "functional_group"),
)

edi_interchanges = Table(
    "edi_interchanges",
    metadata,
    # Interchanges as they came: the same number with the same content is a transport's repetition.
    Column("id", Text, primary_key=True),  # derived from connection, sender, receiver, control number and content
    Column("connection", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("control", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("receipt_id", Text, nullable=False),  # the first that brought it
    Column("sets", Integer, nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_edi_interchanges_control", "connection", "sender", "receiver", "control"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending | claimed | done | failed
    Column("due_at", Instant, nullable=False),
    Column("payload", Json, nullable=False),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("lease_epoch", BigInteger),
    Column("lease_token", Text),
    Column("lease_until", Instant),
    Column("error", Text),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    UniqueConstraint("dedupe_key"),
    Index(
        "ix_tasks_claimed",
        "lease_until",
        sqlite_where=text("state = 'claimed'"),
        postgresql_where=text("state = 'claimed'"),
    ),
    Index(
        "ix_tasks_due",
        "due_at",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

schedule_slots = Table(
    "schedule_slots",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("slot", Instant, primary_key=True),
    Column("task_id", Text),
    Column("state", Text, nullable=False),  # queued | coalesced | skipped
    Column("created_at", Instant, nullable=False),
)

exceptions = Table(
    "exceptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("cause_key", Text, nullable=False),  # same cause, same row while open
    Column("kind", Text, nullable=False),
    Column("connection", Text),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | resolved
    Column("count", Integer, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("resolved_by", Text),
    Column("alerted_at", Instant),
    Index(
        "uq_exceptions_open",
        "cause_key",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_exceptions_state", "state", "id"),
)

exception_subjects = Table(
    "exception_subjects",
    metadata,
    Column("exception_id", Text, primary_key=True),
    Column("subject_kind", Text, primary_key=True),  # order | message | receipt | delivery | connection | task | stock
    Column("subject_id", Text, primary_key=True),
    Column("order_id", Text),
    Column("added_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    Index("ix_exception_subjects_subject", "subject_kind", "subject_id"),
    Index("ix_exception_subjects_order", "order_id"),
)

# --- the hub itself -------------------------------------------------------------------------------------------------

revisions = Table(
    "revisions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("bundle", LargeBinary, nullable=False),
    Column("versions", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    # One value a name: active revision, owner epoch, restore mark, retention marks.
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

connection_states = Table(
    "connection_states",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("paused_reason", Text),
    Column("breaker", Json),
    Column("buckets", Json),
    Column("updated_at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("ix_audit_subject", "subject"),
)

# --- who may call the API -------------------------------------------------------------------------------------------

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),  # the key's first characters, by which people and the hub know it
    Column("hash", Text, nullable=False),  # SHA-256 of the whole key, which is kept nowhere
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Instant),
    Column("used_at", Instant),  # to within some minutes
    Column("revoked_at", Instant),
    Column("revoked_by", Text),
    UniqueConstraint("prefix"),
)

api_answers = Table(
    "api_answers",
    metadata,
    # What a request with an Idempotency-Key came to, written with what it did; the same request gets it again.
    Column("id", Text, primary_key=True),  # derived from the API key and the Idempotency-Key
    Column("operation", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of method, path, query and body
    Column("answer", Json, nullable=False),  # status, headers, body; no personal data
    Column("created_at", Instant, nullable=False),
    Index("ix_api_answers_created", "created_at"),
)

# --- long work of people --------------------------------------------------------------------------------------------

jobs = Table(
    "jobs",
    metadata,
    # An import with how far it is: written with every batch, so that the same file goes on where it was stopped.
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # import.stock | import.orders | import.crossreferences
    Column("subject", Text, nullable=False),  # the file's name
    Column("fingerprint", Text, nullable=False),  # SHA-256 of its bytes and of what was asked
    Column("state", Text, nullable=False),  # running | done | cancelled
    Column("who", Text, nullable=False),
    Column("position", Integer, nullable=False),  # rows that are behind it
    Column("total", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("refused", Json, nullable=False),  # row, field, message; never what the row holds
    Column("started_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("finished_at", Instant),
    UniqueConstraint("kind", "fingerprint"),
)

# --- who is at the dashboard ----------------------------------------------------------------------------------------

web_sessions = Table(
    "web_sessions",
    metadata,
    # A browser that is logged in, or a link that logs one in once. What the browser holds is kept nowhere.
    Column("id", Text, primary_key=True),  # SHA-256 of the browser's or the link's token
    Column("kind", Text, nullable=False),  # session | link
    Column("key_id", Text),  # the API key it came from: revoking that ends it
    Column("who", Text, nullable=False),  # as the audit names it
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_web_sessions_expires", "expires_at"),
)
