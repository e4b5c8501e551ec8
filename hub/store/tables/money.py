"""Money: the journal of its facts, the payments of an order with what was captured and refunded of them, and payouts.

Amounts are in the payment's own currency. The journal and the aggregates say the same: `hub verify` adds both up.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text

from hub.store.tables.naming import metadata
from hub.store.types import Exact, Instant, Json

money_moves = Table(
    "money_moves",
    metadata,
    # Money facts per order and currency: what the channel or the provider said, and what the hub did.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("payment_id", Text),  # absent: invoiced, or refunded in money that no payment of the order was made in
    Column("kind", Text, nullable=False),
    # authorised | captured | refunded | store_credit | voided | invoiced | credited
    Column("currency", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("external_id", Text),
    Column("document", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_money_moves_order", "order_id"),
    Index("ix_money_moves_payment", "payment_id"),
    Index("ix_money_moves_at", "at", "id"),
)

payments = Table(
    "payments",
    metadata,
    # One way in which an order is paid: a card, a gift card. `capturing` and `refunding` are asked for and unanswered.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("connection", Text, nullable=False),  # the provider's, or the channel's where it manages the money
    Column("managed_by", Text, nullable=False),  # hub | channel
    Column("method", Text, nullable=False),  # card, gift_card ...: the source's word; "" where it says nothing
    Column("priority", Integer, nullable=False),  # the lower is charged first
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    # created | authorised | partially_captured | captured | voided | expired | failed | disputed | won | lost
    Column("authorised", Exact, nullable=False, server_default="0"),
    Column("captured", Exact, nullable=False, server_default="0"),
    Column("capturing", Exact, nullable=False, server_default="0"),
    Column("voided", Exact, nullable=False, server_default="0"),  # given up, or expired
    Column("refunded", Exact, nullable=False, server_default="0"),
    Column("refunding", Exact, nullable=False, server_default="0"),
    Column("over_refunded", Exact, nullable=False, server_default="0"),  # observed beyond what was captured
    Column("store_credit", Exact, nullable=False, server_default="0"),  # of the capture, owed to the customer as credit
    Column("expires_at", Instant),
    Column("external_id", Text),
    Column("document", Json, nullable=False),  # gateway, what was asked of the provider, its words; no personal data
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("captured + capturing + voided <= authorised", name="never_over_captured"),
    CheckConstraint("refunded + refunding + store_credit <= captured", name="never_over_refunded"),
    *(
        CheckConstraint(f"{name} >= 0", name=f"{name}_not_negative")
        for name in ("captured", "capturing", "voided", "refunded", "refunding", "over_refunded", "store_credit")
    ),
    Index("ix_payments_order", "order_id"),
    Index(
        "ix_payments_external",
        "external_id",
        "connection",
        sqlite_where=text("external_id IS NOT NULL"),
        postgresql_where=text("external_id IS NOT NULL"),
    ),
)

captures = Table(
    "captures",
    metadata,
    # What was charged on a payment, or asked to be. The id is the business key's.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("state", Text, nullable=False),  # pending | succeeded | failed | unknown
    Column("key", Text, nullable=False),  # what it is for: a shipment, a difference
    Column("external_id", Text),
    Column("document", Json, nullable=False),
    Column("at", Instant, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    Index("ix_captures_order", "order_id"),
    Index("ix_captures_payment", "payment_id"),
    Index("ix_captures_external", "external_id"),
)

refunds = Table(
    "refunds",
    metadata,
    # What was paid back on a payment, or asked to be. One refund over several payments has a row for each, of one key.
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("payment_id", Text),  # absent: observed in money that no payment of the order was made in
    Column("currency", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("state", Text, nullable=False),  # pending | succeeded | failed | unknown
    Column("key", Text, nullable=False),  # the return, the person's action, the observation it stands for
    Column(
        "purpose", Text, nullable=False
    ),  # credit (goods, goodwill) | overpaid (money for what never left) | observed
    Column("tender", Text, nullable=False, server_default=""),  # store_credit; "" is what the order was paid with
    Column("external_id", Text),
    Column("document", Json, nullable=False),  # reason, lines, who has told of it already
    Column("at", Instant, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    Index("ix_refunds_order", "order_id"),
    Index("ix_refunds_payment", "payment_id"),
    Index("ix_refunds_external", "external_id"),
)

payouts = Table(
    "payouts",
    metadata,
    # What a provider or a channel paid to us, with what it kept. `amount` is what arrived at the bank.
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("lines_amount", Exact, nullable=False),  # what its lines come to; another sum raises an exception
    Column("paid_at", Instant, nullable=False),
    Column("document", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("connection", "external_id"),
    Index("ix_payouts_paid", "paid_at", "id"),
)

payout_lines = Table(
    "payout_lines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("payout_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("type", Text, nullable=False),  # charge | refund | fee | adjustment | reserve | dispute
    Column("currency", Text, nullable=False),
    Column("gross", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("net", Exact, nullable=False),
    Column("reference", Text),  # the provider's id of what it pays for
    Column("order_reference", Text),
    Column("matched", Text, nullable=False),  # nothing | payment | capture | refund | order | none_needed
    Column("order_id", Text),
    Column("internal_id", Text),
    Column("at", Instant, nullable=False),
    Index("ix_payout_lines_payout", "payout_id", "number"),
    Index("ix_payout_lines_order", "order_id"),
    Index(
        "ix_payout_lines_unmatched",
        "at",
        sqlite_where=text("matched = 'nothing'"),
        postgresql_where=text("matched = 'nothing'"),
    ),
)
