"""Retention: bytes of what is closed are erased when their time is over; rows, hashes and keys stay for ever."""

from __future__ import annotations

from hub.store.transaction import Transaction

_OPEN_MESSAGE = "('stored', 'claimed', 'retry', 'waiting', 'parked')"
_CLOSED_DELIVERY = "('acknowledged', 'refused', 'withdrawn', 'coalesced', 'suppressed', 'abandoned')"

CLOSED: dict[str, str] = {
    "receipt": "EXISTS (SELECT 1 FROM receipts r WHERE r.id = b.owner_id AND r.state <> 'pending')"
    f" AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.receipt_id = b.owner_id AND m.state IN {_OPEN_MESSAGE})",
    "message": f"NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = b.owner_id AND m.state IN {_OPEN_MESSAGE})",
    "delivery": f"EXISTS (SELECT 1 FROM deliveries d WHERE d.id = b.owner_id AND d.state IN {_CLOSED_DELIVERY})",
    "reply": "EXISTS (SELECT 1 FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE a.id = b.owner_id"
    f" AND d.state IN {_CLOSED_DELIVERY})"
    f" AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.body_id = b.id AND m.state IN {_OPEN_MESSAGE})",
}
"""Owner of a body -> when nothing needs its bytes any more. Unparsable receipts keep theirs as long as any other."""
CLOSED["attempt"] = CLOSED["reply"]
DUE = (
    "SELECT b.id, b.file FROM bodies b WHERE b.owner_kind = ? AND b.created_at < ? AND b.erased_at IS NULL"
    " AND {} LIMIT ?"
)


def erase(tx: Transaction, owner_kind: str, before: int, now: int, limit: int) -> list[str | None]:
    """Erase up to `limit` bodies made before (microseconds); the files they lay in, None where in the row itself."""
    found = tx.fetch(DUE.format(CLOSED[owner_kind]), (owner_kind, before, limit))
    if found:
        tx.many(
            "UPDATE bodies SET body = NULL, headers = NULL, file = NULL, erased_at = ? WHERE id = ?",
            [(now, row[0]) for row in found],
        )
    return [row[1] for row in found]


def erase_people(tx: Transaction, before: int, now: int, limit: int) -> int:
    """Contacts and merged views of up to `limit` orders that ended before; the orders themselves stay."""
    ended = tx.fetch(
        "SELECT o.id FROM orders o WHERE o.status IN ('closed', 'cancelled') AND o.updated_at < ?"
        " AND (EXISTS (SELECT 1 FROM contacts c WHERE c.order_id = o.id) OR EXISTS (SELECT 1 FROM bodies b"
        " WHERE b.order_id = o.id AND b.owner_kind = 'source' AND b.erased_at IS NULL)) LIMIT ?",
        (before, limit),
    )
    ids = [(row[0],) for row in ended]
    if ids:
        tx.many("DELETE FROM contacts WHERE order_id = ?", ids)
        tx.many(
            "UPDATE bodies SET body = NULL, headers = NULL, file = NULL, erased_at = ? WHERE order_id = ?"
            " AND owner_kind = 'source' AND erased_at IS NULL",
            [(now, *one) for one in ids],
        )
    return len(ids)


def forget_answers(tx: Transaction, before: int, limit: int) -> int:
    """Answers to requests that may not be asked for again; how many."""
    found = tx.fetch("SELECT id FROM api_answers WHERE created_at < ? LIMIT ?", (before, limit))
    if found:
        tx.many("DELETE FROM api_answers WHERE id = ?", [(row[0],) for row in found])
    return len(found)
