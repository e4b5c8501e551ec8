"""`hub verify --self-test`: proves that the audit can fail. A copy is corrupted in many ways; each must be named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    create_engine,
    insert,
    select,
    text,
)
from sqlalchemy.pool import StaticPool

from hub.store.reading import open_reading
from hub.store.tables import metadata
from hub.views.book_promises import BOOK_CORRUPTIONS
from hub.views.money_promises import MONEY_CORRUPTIONS
from hub.views.return_promises import CORRUPTIONS as OF_RETURNS
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


def _same(table: str, column: str) -> str:
    """Gives the row `other` what the row `id` has."""
    return f"UPDATE {table} SET {column} = (SELECT {column} FROM {table} WHERE id = :id) WHERE id = :other"


_LABEL = (
    "INSERT INTO labels (id, package_id, order_id, connection, number, state, currency, cost, refunded, body_id,"
    " document, created_at, updated_at) SELECT :id, 'pk', :order_id, 'carrier', 1, 'bought', 'USD', 1, {refunded},"
    " {body}, '{{}}', created_at, updated_at FROM orders WHERE id = :order_id"
)
_PACKAGE = (
    "INSERT INTO packages (id, order_id, fulfilment_order_id, location, external_id, state, document, created_at,"
    " updated_at) SELECT :id, :order_id, 'fo', 'dc', 'BOX', 'label_pending', '{}', created_at, updated_at"
    " FROM orders WHERE id = :order_id"
)
_LINK = (
    "INSERT INTO order_links (id, order_id, other_order_id, role, at)"
    " SELECT :id, id, 'or-gone', 'replaces', created_at FROM orders WHERE id = :order_id"
)
_SOME_ORDER = "SELECT '{name}' AS id, id AS order_id FROM orders WHERE status = 'closed' ORDER BY id LIMIT 1"

_TRANSIT = (
    "INSERT INTO transits (id, order_id, fulfilment_order_id, sku, source, destination, sent, received, lost, quantity,"
    " claimed, created_at, updated_at) SELECT 'tr-self-test', 'or', 'fo', :id, 'dc', :location,"
    f" {ONE}, 0, 0, {ONE}, 0, created_at, updated_at FROM orders ORDER BY id LIMIT 1"
)
_CLAIM = (
    "INSERT INTO supply_claims (id, order_id, line_id, sku, supply_id, quantity, due_at, created_at, updated_at) SELECT"
    " 'sc-self-test', id, :id, 'SKU', '', 1000000, created_at, created_at, updated_at FROM orders WHERE id = :order_id"
)
_SUPPLY = (
    "INSERT INTO supply (id, connection, external_id, reference, sku, location, expected_at, quantity, received,"
    " promised, fulfilled, status, version, created_at, updated_at) SELECT :id, 'erp', 'PO/1', 'PO', 'SKU', 'dc',"
    " created_at, 9000000, 0, 1000000, 0, 'open', 1, created_at, updated_at FROM orders WHERE id = :order_id"
)
_RELEASE = (
    "INSERT INTO backorder_releases (id, sku, order_id, line_id, place, outcome, quantity, free, ahead, reason, cause,"
    " at) SELECT :id, 'SKU', id, 'ln', '|9', '{outcome}', {quantity}, 1000000, 0, '', 'tk', updated_at + 60000000"
    " FROM orders WHERE id = :order_id"
)
_WAITS = (
    "INSERT INTO reservations (id, order_id, line_id, sku, location, quantity, state, place, turn, why, created_at,"
    " updated_at) SELECT 'rs-self-test', 'or-other', 'ln', 'SKU', '', 1000000, 'unassigned', '|1', 'waits', '',"
    " created_at, updated_at FROM orders WHERE id = :order_id"
)

CORRUPTIONS: tuple[Corruption, ...] = (
    *(Corruption(*one) for one in (*MONEY_CORRUPTIONS, *BOOK_CORRUPTIONS)),
    Corruption(
        "an order is linked to one that does not exist",
        "links_whole",
        _SOME_ORDER.format(name="link-self-test"),
        (_LINK,),
    ),
    Corruption(
        "a preordered line loses what it was promised from",
        "preorders_promised",
        "SELECT id, order_id FROM order_lines WHERE preordered = 0 ORDER BY id LIMIT 1",
        (_CLAIM,),
    ),
    Corruption(
        "a supply counts a promise that nobody has",
        "supply_promised",
        _SOME_ORDER.format(name="sp-self-test"),
        (_SUPPLY,),
    ),
    Corruption(
        "an order gets what another before it is due",
        "queue_respected",
        _SOME_ORDER.format(name="br-self-test-due"),
        (_RELEASE.format(outcome="released", quantity="2000000"),),
    ),
    Corruption(
        "an order gets goods past one that nobody saw waiting",
        "queue_seen",
        _SOME_ORDER.format(name="br-self-test-seen"),
        (_RELEASE.format(outcome="released", quantity="1000000"), _WAITS),
    ),
    Corruption(
        "an order is passed over for no reason",
        "queue_seen",
        _SOME_ORDER.format(name="br-self-test-why"),
        (_RELEASE.format(outcome="passed", quantity="0"),),
    ),
    Corruption(
        "more comes back for a label than it cost",
        "labels_money",
        _SOME_ORDER.format(name="lb-self-test-money"),
        (_LABEL.format(refunded="2", body="NULL"),),
    ),
    Corruption(
        "a label's bytes disappear",
        "labels_kept",
        _SOME_ORDER.format(name="lb-self-test-bytes"),
        (_LABEL.format(refunded="0", body="'bd-gone'"),),
    ),
    Corruption(
        "a package waits for a label that nobody asks for",
        "packages_labelled",
        _SOME_ORDER.format(name="pk-self-test"),
        (_PACKAGE,),
    ),
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
        "a receipt is in a state that does not exist",
        "receipt_states",
        "SELECT id FROM receipts ORDER BY id LIMIT 1",
        ("UPDATE receipts SET state = 'gone' WHERE id = :id",),
    ),
    Corruption(
        "a receipt is unparsable and nobody is told",
        "unparsable_seen",
        "SELECT id FROM receipts WHERE state = 'parsed' ORDER BY id LIMIT 1",
        ("UPDATE receipts SET state = 'unparsable' WHERE id = :id",),
    ),
    Corruption(
        "a receipt disappears",
        "message_receipts",
        "SELECT m.id, m.receipt_id AS receipt FROM messages m WHERE m.stream <> 'replies' ORDER BY m.id LIMIT 1",
        ("DELETE FROM receipts WHERE id = :receipt",),
    ),
    Corruption(
        "a message is in a state that does not exist",
        "message_states",
        "SELECT id FROM messages ORDER BY id LIMIT 1",
        ("UPDATE messages SET state = 'gone' WHERE id = :id",),
    ),
    Corruption(
        "a fact is applied twice",
        "facts_once",
        "SELECT MIN(a.id) AS id, MAX(a.id) AS other FROM messages a WHERE a.kind = 'fact'"
        " AND a.state = 'applied' AND a.fact_key IS NOT NULL GROUP BY a.connection, a.stream HAVING COUNT(*) > 1"
        " LIMIT 1",
        ("UPDATE messages SET fact_key = 'the same' WHERE id = :id OR id = :other",),
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
    *(
        Corruption(
            f"stock in {bucket} appears without a journal entry",
            f"stock_{bucket}",
            "SELECT sku AS id, location FROM stock ORDER BY sku, location LIMIT 1",
            (f"UPDATE stock SET {bucket} = {bucket} + {ONE} WHERE sku = :id AND location = :location",),
            subject="{id} at {location}",
        )
        for bucket in ("quarantine", "damaged", "in_transit")
    ),
    Corruption(
        "a fulfilment order is in a state that does not exist",
        "work_states",
        "SELECT id FROM fulfilment_orders ORDER BY id LIMIT 1",
        ("UPDATE fulfilment_orders SET state = 'somewhere' WHERE id = :id",),
    ),
    Corruption(
        "goods on their way disappear from the books",
        "goods_in_transit",
        "SELECT sku AS id, location FROM stock ORDER BY sku, location LIMIT 1",
        (_TRANSIT,),
        subject="{id} at {location}",
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
        "a call is made twice under one key",
        "deliveries_once",
        "SELECT MIN(id) AS id, MAX(id) AS other FROM deliveries HAVING COUNT(*) > 1",
        (_same("deliveries", "business_key"),),
    ),
    Corruption(
        "a call counts as done that nobody made",
        "acknowledged_by_attempt",
        "SELECT id FROM deliveries WHERE state = 'acknowledged' AND attempts > 0 ORDER BY id LIMIT 1",
        (
            "UPDATE deliveries SET attempts = 0 WHERE id = :id",
            "DELETE FROM attempts WHERE delivery_id = :id",
            "DELETE FROM audit WHERE subject = :id",
            "DELETE FROM events WHERE subject = :id",
        ),
    ),
    Corruption(
        "a task fails and nobody is told",
        "tasks_failed_seen",
        "SELECT id FROM tasks WHERE state = 'done' ORDER BY id LIMIT 1",
        ("UPDATE tasks SET state = 'failed' WHERE id = :id",),
    ),
    Corruption(
        "an order is in a state that does not exist",
        "order_states",
        "SELECT id FROM orders ORDER BY id LIMIT 1",
        ("UPDATE orders SET status = 'gone' WHERE id = :id",),
    ),
    Corruption(
        "an order's history disappears",
        "orders_captured",
        "SELECT id FROM orders ORDER BY id LIMIT 1",
        ("DELETE FROM events WHERE order_id = :id",),
    ),
    Corruption(
        "an external id comes to mean two things",
        "primary_references",
        "SELECT MIN(id) AS id, MAX(id) AS other FROM cross_references WHERE role = 'primary' AND valid_to IS NULL"
        " GROUP BY system, entity HAVING COUNT(*) > 1 LIMIT 1",
        (_same("cross_references", "external_id"),),
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
        "SELECT s.entity_key AS id, s.subject FROM sources s WHERE s.record = 'orders' LIMIT 1",
        ("DELETE FROM orders WHERE id = :subject",),
    ),
    Corruption(
        "an order is invoiced above its total",
        "money_invoiced",
        "SELECT o.id, p.id AS move FROM orders o JOIN money_moves p ON p.order_id = o.id AND p.kind = 'invoiced'"
        " LIMIT 1",
        (f"UPDATE money_moves SET amount = amount + 100000 * {ONE} WHERE id = :move",),
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
    *(Corruption(one.name, one.promise, one.pick, one.change) for one in OF_RETURNS),
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
            _unguarded().create_all(copy)
            _copy(source, copy)
        with engine.connect() as copy:
            copy.execute(text("PRAGMA ignore_check_constraints = ON"))
            before = {(finding["promise"], finding["subject"]) for finding in verify(copy)}
            copy.rollback()
            return [result for one in CORRUPTIONS if (result := _try(copy, one, before)) is not None]
    finally:
        engine.dispose()


def _unguarded() -> MetaData:
    """The tables with their columns and, for speed, their keys as plain indexes, but nothing that forbids anything."""
    bare = MetaData()
    for table in metadata.sorted_tables:
        columns = [Column(column.name, column.type) for column in table.columns]
        keys = [[column.name for column in table.primary_key]]
        keys += [
            [column.name for column in constraint.columns]
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        keys += [[column.name for column in index.columns] for index in table.indexes]
        indexes = [Index(f"{table.name}_{number}", *names) for number, names in enumerate(keys)]
        Table(table.name, bare, *columns, *indexes)
    return bare


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
