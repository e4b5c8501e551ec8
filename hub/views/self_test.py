"""`hub verify --self-test`: proves that the audit can fail. A copy is corrupted in many ways; each must be named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, insert, select, text
from sqlalchemy.pool import StaticPool

from hub.store.reading import open_reading
from hub.store.tables import metadata
from hub.views.verify import verify

MAX_ROWS_COPIED = 500_000
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Corruption:
    """`pick` selects `id` (and what `change` needs beside it, by name); `subject` names the row the audit must name.

    `{subject}` may use the picked names; default `{id}`.
    """

    name: str
    promise: str
    pick: str
    change: tuple[str, ...]
    subject: str = "{id}"


ONE = "1000000"
"""One unit in millionths."""

CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "a message disappears",
        "receipts_parsed",
        "SELECT m.id AS message, r.id FROM messages m JOIN receipts r ON r.id = m.receipt_id WHERE r.state = 'parsed'"
        " AND m.redrive_of = '' AND m.stream <> 'replies' ORDER BY m.id LIMIT 1",
        ("DELETE FROM messages WHERE id = :message",),
    ),
    Corruption(
        "a receipt's bytes disappear",
        "receipts_kept",
        "SELECT id, body_id FROM receipts ORDER BY id LIMIT 1",
        ("DELETE FROM bodies WHERE id = :body_id",),
    ),
    Corruption(
        "a receipt's bytes change",
        "bytes_unchanged",
        "SELECT r.id, r.body_id FROM receipts r JOIN bodies b ON b.id = r.body_id WHERE b.body IS NOT NULL LIMIT 1",
        ("UPDATE bodies SET body = CAST(body || ' ' AS BLOB) WHERE id = :body_id",),
    ),
    Corruption(
        "frozen outgoing bytes change",
        "bytes_unchanged",
        "SELECT d.id, d.body_id FROM deliveries d JOIN bodies b ON b.id = d.body_id WHERE b.body IS NOT NULL LIMIT 1",
        ("UPDATE bodies SET body = CAST(body || ' ' AS BLOB) WHERE id = :body_id",),
    ),
    Corruption(
        "frozen outgoing bytes disappear",
        "deliveries_bodies",
        "SELECT id, body_id FROM deliveries ORDER BY id LIMIT 1",
        ("DELETE FROM bodies WHERE id = :body_id",),
    ),
    Corruption(
        "the key of an applied fact is forgotten",
        "fact_keys",
        "SELECT m.id FROM messages m JOIN fact_keys f ON f.message_id = m.id WHERE m.state = 'applied' LIMIT 1",
        ("DELETE FROM fact_keys WHERE message_id = :id",),
    ),
    Corruption(
        "a message is parked and nobody is told",
        "parked_seen",
        "SELECT id FROM messages WHERE state = 'applied' ORDER BY id LIMIT 1",
        ("UPDATE messages SET state = 'parked' WHERE id = :id",),
    ),
    Corruption(
        "a message waits for nothing",
        "waiting_named",
        "SELECT id FROM messages WHERE state = 'applied' ORDER BY id LIMIT 1",
        ("UPDATE messages SET state = 'waiting', waits_for = NULL WHERE id = :id",),
    ),
    Corruption(
        "a quantity is invented",
        "buckets_sum",
        "SELECT id FROM order_lines ORDER BY id LIMIT 1",
        (f"UPDATE order_lines SET shipped = shipped + {ONE} WHERE id = :id",),
    ),
    Corruption(
        "a quantity moves without a journal entry",
        "journal_balances",
        "SELECT id FROM order_lines WHERE shipped > 0 LIMIT 1",
        (f"UPDATE order_lines SET shipped = shipped - {ONE}, lost = lost + {ONE} WHERE id = :id",),
    ),
    Corruption(
        "a journal entry disappears",
        "journal_balances",
        "SELECT id AS move, line_id AS id FROM quantity_moves ORDER BY quantity_moves.id LIMIT 1",
        ("DELETE FROM quantity_moves WHERE id = :move",),
    ),
    Corruption(
        "a quantity jumps where it cannot",
        "legal_moves",
        "SELECT id FROM quantity_moves WHERE from_bucket = 'open' ORDER BY id LIMIT 1",
        ("UPDATE quantity_moves SET to_bucket = 'delivered' WHERE id = :id",),
    ),
    Corruption(
        "a soft counter drifts",
        "soft_reserved",
        "SELECT sku AS id, location FROM stock ORDER BY sku, location LIMIT 1",
        (f"UPDATE stock SET soft = soft + {ONE} WHERE sku = :id AND location = :location",),
        "{id} at {location}",
    ),
    Corruption(
        "a firm counter drifts",
        "firm_reserved",
        "SELECT sku AS id, location FROM stock ORDER BY sku, location LIMIT 1",
        (f"UPDATE stock SET firm = firm + {ONE} WHERE sku = :id AND location = :location",),
        "{id} at {location}",
    ),
    Corruption(
        "stock appears without a journal entry",
        "stock_journal",
        "SELECT sku AS id, location FROM stock ORDER BY sku, location LIMIT 1",
        (f"UPDATE stock SET on_hand = on_hand + {ONE} WHERE sku = :id AND location = :location",),
        "{id} at {location}",
    ),
    Corruption(
        "a live reservation is invented",
        "reserved_per_line",
        "SELECT r.id AS reservation, r.line_id AS id FROM reservations r WHERE r.state = 'consumed' LIMIT 1",
        (f"UPDATE reservations SET state = 'firm', quantity = {ONE} WHERE id = :reservation",),
    ),
    Corruption(
        "an attempt disappears",
        "attempts_counted",
        "SELECT id AS attempt, delivery_id AS id FROM attempts WHERE kind = 'call' ORDER BY attempts.id LIMIT 1",
        ("DELETE FROM attempts WHERE id = :attempt",),
    ),
    Corruption(
        "an attempt is left open",
        "attempts_closed",
        "SELECT a.id FROM attempts a JOIN deliveries d ON d.id = a.delivery_id AND d.attempts = a.number"
        " WHERE d.state = 'acknowledged' LIMIT 1",
        ("UPDATE attempts SET resolution = NULL WHERE id = :id",),
    ),
    Corruption(
        "the reply to a call is dropped",
        "replies_kept",
        "SELECT a.id FROM attempts a JOIN messages m ON m.fact_key = a.id WHERE m.stream = 'replies'"
        " AND a.resolution = 'success' AND a.kind = 'call' LIMIT 1",
        ("DELETE FROM messages WHERE stream = 'replies' AND fact_key = :id",),
    ),
    Corruption(
        "a delivery is refused and nobody is told",
        "deliveries_seen",
        "SELECT d.id FROM deliveries d WHERE d.state = 'acknowledged' AND NOT EXISTS (SELECT 1 FROM"
        " exception_subjects s WHERE s.subject_id = d.id) LIMIT 1",
        ("UPDATE deliveries SET state = 'refused' WHERE id = :id",),
    ),
    Corruption(
        "a delivery is in a state that does not exist",
        "delivery_states",
        "SELECT id FROM deliveries ORDER BY id LIMIT 1",
        ("UPDATE deliveries SET state = 'gone' WHERE id = :id",),
    ),
    Corruption(
        "an order is forgotten",
        "orders_explained",
        "SELECT o.id FROM orders o WHERE o.status = 'closed' AND o.effects = 'on' AND NOT EXISTS (SELECT 1 FROM"
        " exception_subjects s WHERE s.order_id = o.id AND s.cleared_at IS NULL) AND NOT EXISTS (SELECT 1 FROM tasks t"
        " WHERE t.subject = o.id AND t.state IN ('pending', 'claimed')) AND NOT EXISTS (SELECT 1 FROM deliveries d"
        " WHERE d.order_id = o.id AND d.state <> 'acknowledged') LIMIT 1",
        ("UPDATE orders SET status = 'confirmed' WHERE id = :id",),
    ),
    Corruption(
        "an order is closed with work left",
        "orders_closed",
        "SELECT o.id FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.effects = 'on'"
        " AND l.open + l.backordered + l.allocated + l.released + l.accepted > 0"
        " AND o.status NOT IN ('closed', 'cancelled') LIMIT 1",
        ("UPDATE orders SET status = 'closed' WHERE id = :id",),
    ),
    Corruption(
        "an order disappears",
        "sources_lead_to_orders",
        "SELECT s.entity_key AS id, s.subject FROM sources s WHERE s.record = 'Order' LIMIT 1",
        ("DELETE FROM orders WHERE id = :subject",),
    ),
    Corruption(
        "an order is invoiced above its total",
        "money_invoiced",
        "SELECT o.id, p.id AS payment FROM orders o JOIN payments p ON p.order_id = o.id AND p.kind = 'invoiced'"
        " LIMIT 1",
        (f"UPDATE payments SET amount = amount + 100000 * {ONE} WHERE id = :payment",),
    ),
    Corruption(
        "a shipment disappears",
        "shipments_add_up",
        "SELECT s.id AS shipment, l.id FROM shipments s JOIN order_lines l ON l.order_id = s.order_id AND l.shipped > 0"
        " WHERE l.fulfilled_by = 'us' AND (SELECT COUNT(*) FROM shipments t WHERE t.order_id = s.order_id) = 1 LIMIT 1",
        ("DELETE FROM shipments WHERE id = :shipment",),
    ),
    Corruption(
        "an exception loses what it holds up",
        "exceptions_owned",
        "SELECT id FROM exceptions WHERE state = 'open' LIMIT 1",
        ("DELETE FROM exception_subjects WHERE exception_id = :id",),
    ),
)


def self_test(address: str, *, home: Path) -> list[dict[str, Any]]:
    """One row a corruption: {corruption, row, promise, named}. Those that find no row to corrupt are left out.

    The database itself is only read. Raises ValueError when it is too large to copy into memory.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with open_reading(address, home=home) as source, engine.begin() as copy:
            # Corruption must reach the audit, not stop at the database's own guards.
            copy.execute(text("PRAGMA ignore_check_constraints = ON"))
            metadata.create_all(copy)
            _copy(source, copy)
        with engine.connect() as copy:
            copy.execute(text("PRAGMA ignore_check_constraints = ON"))
            before = {(finding["promise"], finding["subject"]) for finding in verify(copy)}
            copy.rollback()
            return [result for one in CORRUPTIONS if (result := _try(copy, one, before)) is not None]
    finally:
        engine.dispose()


def _copy(source: Connection, copy: Connection) -> None:
    copied = 0
    for table in metadata.sorted_tables:
        rows = source.execute(select(table)).mappings()
        while batch := rows.fetchmany(BATCH):
            copied += len(batch)
            if copied > MAX_ROWS_COPIED:
                raise ValueError(f"more than {MAX_ROWS_COPIED} rows; run the self-test on a smaller database")
            copy.execute(insert(table), [_row(table, dict(row)) for row in batch])


def _row(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.columns}


def _try(copy: Connection, corruption: Corruption, before: set[tuple[str, str]]) -> dict[str, Any] | None:
    picked = copy.execute(text(corruption.pick)).mappings().first()
    if picked is None:
        copy.rollback()
        return None
    values = dict(picked)
    for change in corruption.change:
        copy.execute(text(change), {name: value for name, value in values.items() if f":{name}" in change})
    subject = corruption.subject.format(**values)
    found = {(finding["promise"], str(finding["subject"])) for finding in verify(copy)} - before
    copy.rollback()
    return {
        "corruption": corruption.name,
        "row": subject,
        "promise": corruption.promise,
        "named": (corruption.promise, subject) in found,
    }
