"""What goes out, what is to be done, and what needs a person."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Instant, Json

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
    Index("ix_deliveries_order", "order_id", "state"),
    Index("ix_deliveries_state", "state", "id"),
    # How many there are of each, and since when, without reading a row; capability first, by which no list asks.
    Index("ix_deliveries_counted", "capability", "destination", "state", "created_at"),
    Index(
        "ix_deliveries_settled",
        "settled_at",
        "state",
        sqlite_where=text("settled_at IS NOT NULL"),
        postgresql_where=text("settled_at IS NOT NULL"),
    ),
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
    # For counting; not led by the state, or claims would go by it instead of by what is due.
    Index("ix_tasks_finished", "finished_at", "state"),
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
