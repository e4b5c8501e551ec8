"""The hub itself: revisions, settings, keys, jobs, sessions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Instant, Json

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
