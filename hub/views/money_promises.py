"""The promises about money, as queries, and for each the corruption that it must name.

Per order and currency: what was captured less what went back is kept, in the journal, on the payments, and by the calls
that were made for it.
"""

from __future__ import annotations

from hub.domain.payment import CallState, PaymentState

_STATES = ", ".join(f"'{state.value}'" for state in PaymentState)
_CALL_STATES = ", ".join(f"'{state.value}'" for state in CallState)
_JOURNAL = (
    "(SELECT COALESCE(SUM(m.amount), 0) FROM money_moves m WHERE m.payment_id = p.id AND m.kind = '{kind}') <> {what}"
)
_CALLS = "(SELECT COALESCE(SUM(c.amount), 0) FROM {table} c WHERE c.payment_id = p.id AND c.state IN ({states}))"

MONEY_PROMISES: tuple[tuple[str, str, str], ...] = (
    (
        "money_covered",
        "Nothing is captured beyond its authorisation, nothing given back beyond its capture",
        (
            "SELECT id AS subject, 'authorised ' || authorised || ', captured ' || captured || ', being captured '"
            " || capturing || ', let go of ' || voided || ', refunded ' || refunded || ', being refunded ' || refunding"
            " || ' (millionths)'"
            " AS detail FROM payments"
            " WHERE captured + capturing + voided > authorised OR refunded + refunding + store_credit > captured"
            " OR captured < 0 OR capturing < 0 OR voided < 0 OR refunded < 0 OR refunding < 0 OR over_refunded < 0"
        ),
    ),
    (
        "money_journalled",
        "What stands on a payment is what the journal of money says of it",
        "SELECT p.id AS subject, 'the payment differs from its journal' AS detail FROM payments p WHERE "
        + " OR ".join(
            _JOURNAL.format(kind=kind, what=what)
            for kind, what in (
                ("authorised", "p.authorised"),
                ("captured", "p.captured"),
                ("voided", "p.voided"),
                ("refunded", "p.refunded + p.over_refunded"),
                ("store_credit", "p.store_credit"),
            )
        ),
    ),
    (
        "money_asked",
        "What is being captured and refunded is what was asked for and not answered",
        "SELECT p.id AS subject, 'being captured ' || p.capturing || ', being refunded ' || p.refunding"
        " || ' (millionths), asked for otherwise' AS detail FROM payments p WHERE p.capturing <> "
        + _CALLS.format(table="captures", states="'pending', 'unknown'")
        + " OR p.refunding <> "
        + _CALLS.format(table="refunds", states="'pending', 'unknown'")
        + " OR p.captured < "
        + _CALLS.format(table="captures", states="'succeeded'"),
    ),
    (
        "money_given_back",
        "Per order and currency, the refunds that succeeded are the journal's",
        (
            "SELECT o.order_id AS subject, o.currency || ': refunds and journal differ by ' || SUM(o.amount)"
            " || ' (millionths)' AS detail"
            " FROM (SELECT order_id, currency, amount FROM refunds WHERE state = 'succeeded'"
            " UNION ALL SELECT order_id, currency, -amount FROM money_moves"
            " WHERE kind IN ('refunded', 'store_credit')) o"
            " GROUP BY o.order_id, o.currency HAVING SUM(o.amount) <> 0"
        ),
    ),
    (
        "money_called",
        "Every capture and refund that the provider was asked for has its call, every such call its row",
        (
            "SELECT c.id AS subject, 'nobody was asked for this capture' AS detail FROM captures c JOIN payments p"
            " ON p.id = c.payment_id WHERE c.key <> 'observed' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE"
            " d.business_key = p.connection || '/capture/payment/' || p.id || '/' || c.id)"
            " UNION ALL SELECT r.id, 'nobody was asked for this refund' FROM refunds r"
            " JOIN payments p ON p.id = r.payment_id"
            " WHERE r.purpose <> 'observed' AND r.tender = '' AND p.managed_by = 'hub'"
            " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE"
            " d.business_key = p.connection || '/refund/payment/' || p.id || '/' || r.id)"
            " UNION ALL SELECT d.id, 'a call about money without its row' FROM deliveries d"
            " WHERE d.capability IN ('capture', 'refund')"
            " AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.id = d.subject)"
            " AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.id = d.subject)"
        ),
    ),
    (
        "money_states",
        "Payments, captures and refunds are in states that are known",
        (
            f"SELECT id AS subject, 'state ' || state AS detail FROM payments WHERE state NOT IN ({_STATES})"
            f" UNION ALL SELECT id, 'state ' || state FROM captures WHERE state NOT IN ({_CALL_STATES})"
            f" UNION ALL SELECT id, 'state ' || state FROM refunds WHERE state NOT IN ({_CALL_STATES})"
        ),
    ),
    (
        "payouts_add_up",
        "A payout comes to what its lines do, or a person was told",
        (
            "SELECT p.id AS subject, 'paid ' || p.amount || ', its lines come to ' || p.lines_amount || ' (millionths)'"
            " AS detail FROM payouts p WHERE p.lines_amount <>"
            " (SELECT COALESCE(SUM(l.net), 0) FROM payout_lines l WHERE l.payout_id = p.id)"
            " OR (p.amount <> p.lines_amount AND 'payout-difference/' || p.id NOT IN"
            " (SELECT e.cause_key FROM exceptions e))"
        ),
    ),
)
"""Name, what it says, and the query of the rows that break it."""

_ORDER = "SELECT '{id}' AS id, id AS order_id FROM orders ORDER BY id LIMIT 1"
_PAYMENT = (
    "INSERT INTO payments (id, order_id, connection, managed_by, method, priority, currency, state, authorised,"
    " captured, capturing, voided, refunded, refunding, over_refunded, store_credit, document, created_at, updated_at)"
    " SELECT :id, id, 'payment', 'hub', 'card', 0, 'USD', '{state}', {authorised}, {captured}, {capturing}, 0, 0, 0,"
    " 0, 0, '{{}}', created_at, updated_at FROM orders WHERE id = :order_id"
)
_REFUND = (
    "INSERT INTO refunds (id, order_id, currency, amount, state, key, purpose, document, at) SELECT :id, id, 'USD', 5,"
    " 'succeeded', 'k', 'observed', '{}', created_at FROM orders WHERE id = :order_id"
)
_CAPTURE = (
    "INSERT INTO captures (id, order_id, payment_id, amount, state, key, document, at)"
    " SELECT :id, id, 'py-self-called', 5, 'failed', 'k', '{}', created_at FROM orders WHERE id = :order_id"
)
_PAYOUT = (
    "INSERT INTO payouts (id, connection, external_id, currency, amount, lines_amount, paid_at, document, created_at)"
    " SELECT :id, 'payment', 'po', 'USD', 5, 5, created_at, '{}', created_at FROM orders WHERE id = :order_id"
)


def _payment(state: str = "created", authorised: int = 0, captured: int = 0, capturing: int = 0) -> str:
    return _PAYMENT.format(state=state, authorised=authorised, captured=captured, capturing=capturing)


MONEY_CORRUPTIONS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    (
        "more is captured than was authorised",
        "money_covered",
        _ORDER.format(id="py-self-covered"),
        (_payment("captured", 1, 2),),
        "{id}",
    ),
    (
        "a payment knows of money that the journal does not",
        "money_journalled",
        _ORDER.format(id="py-self-journalled"),
        (_payment("authorised", 5),),
        "{id}",
    ),
    (
        "a capture is under way that nobody asked for",
        "money_asked",
        _ORDER.format(id="py-self-asked"),
        (_payment("authorised", 5, 0, 5),),
        "{id}",
    ),
    (
        "a refund is not in the journal",
        "money_given_back",
        "SELECT 'rf-self-back' AS id, id AS order_id FROM orders ORDER BY id LIMIT 1",
        (_REFUND,),
        "{order_id}",
    ),
    (
        "a capture has no call",
        "money_called",
        _ORDER.format(id="cp-self-called"),
        (_payment().replace(":id,", "'py-self-called',"), _CAPTURE),
        "{id}",
    ),
    (
        "a payment is in a state that nobody knows",
        "money_states",
        _ORDER.format(id="py-self-state"),
        (_payment("teleported"),),
        "{id}",
    ),
    ("a payout loses its lines", "payouts_add_up", _ORDER.format(id="po-self-lines"), (_PAYOUT,), "{id}"),
)
"""Name, the promise that must name it, what to pick, and the changes; the row it must name."""
