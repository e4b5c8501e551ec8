"""The number of this run of the hub, and where the numbering of rows goes on."""

from __future__ import annotations

from hub.store.shapes import Sequences
from hub.store.transaction import Transaction


def last_sequences(tx: Transaction) -> Sequences:
    """Numbering goes on after the highest there is, also when the clock was set back."""
    rows = tx.fetch("SELECT (SELECT max(sequence) FROM messages), (SELECT max(sequence) FROM deliveries)")
    return Sequences(max(rows[0][0] or 0, rows[0][1] or 0))


def count_epoch(tx: Transaction, now: int) -> int:
    rows = tx.fetch(
        "INSERT INTO settings (name, \"value\", updated_at) VALUES ('owner_epoch', '1', ?)"
        ' ON CONFLICT (name) DO UPDATE SET "value" = CAST(CAST(settings."value" AS bigint) + 1 AS text),'
        ' updated_at = excluded.updated_at RETURNING "value"',
        (now,),
    )
    return int(rows[0][0])
