"""What came in: bytes, receipts, messages and what was read of each source."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Instant, Json

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
    Index("ix_receipts_state", "state", "id"),
    Index("ix_receipts_connection", "connection", "id"),
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
        "state",  # else SQLite takes the index by state, and walks all that is parked
        sqlite_where=text("state = 'parked'"),
        postgresql_where=text("state = 'parked'"),
    ),
    Index("ix_messages_subject", "subject"),
    Index("ix_messages_state", "state", "id"),
    Index("ix_messages_connection", "connection", "id"),
    Index(
        "ix_messages_waits",
        "waits_for",
        "state",
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
