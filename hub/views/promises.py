"""The promises as queries: each finds the rows that break it. A clean database gives none.

Amounts are compared as stored, whole millionths, so nothing is rounded. Every query names its offenders by id, with a
detail a person can act on, and is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hub.domain.link import INVERSE
from hub.domain.quantity import MOVES, OBSERVED_ONLY, Bucket
from hub.store.tables import BUCKETS
from hub.views.money_promises import MONEY_PROMISES
from hub.views.return_promises import RETURNS
from hub.views.states import DELIVERY_STATES, MESSAGE_STATES, ORDER_STATES, RECEIPT_STATES, WORK_STATES

MAX_OFFENDERS = 1000
AT_ONCE = 15_000_000
"""Microseconds within which two processes may decide without having seen each other."""


@dataclass(frozen=True, slots=True)
class Promise:
    """`sql` selects `subject` and `detail` of each row that breaks it."""

    name: str
    says: str
    sql: str


def _listed(known: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in known)


def _states(table: str, column: str, known: Iterable[str]) -> str:
    shown = _listed(known)
    return f"SELECT id AS subject, 'state ' || {column} AS detail FROM {table} WHERE {column} NOT IN ({shown})"


OPEN_DELIVERY = "('pending', 'retry', 'in_flight', 'sent', 'unknown', 'probing')"
NEEDS_PERSON = "('refused', 'conflict', 'overdue', 'parked')"
OPEN_EXCEPTION = (
    "SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
    " WHERE e.state = 'open' AND s.cleared_at IS NULL"
)


def _journal() -> str:
    """Each bucket equals what the journal moved in less what it moved out."""
    cases = ", ".join(
        f"SUM(CASE WHEN to_bucket = '{bucket}' THEN quantity WHEN from_bucket = '{bucket}' THEN -quantity ELSE 0 END)"
        f" AS {bucket}"
        for bucket in BUCKETS
    )
    differs = " OR ".join(f"l.{bucket} <> COALESCE(j.{bucket}, 0)" for bucket in BUCKETS)
    return (
        "SELECT l.id AS subject, 'the buckets differ from the journal of moves' AS detail FROM order_lines l LEFT JOIN"
        f" (SELECT line_id, SUM(CASE WHEN from_bucket = '' THEN quantity ELSE 0 END) AS grown, {cases}"
        f" FROM quantity_moves GROUP BY line_id) j ON j.line_id = l.id"
        f" WHERE l.ordered <> COALESCE(j.grown, 0) OR {differs}"
    )


def _legal_moves() -> str:
    legal = [f"('', '{Bucket.OPEN}')"]
    legal += [f"('{source}', '{target}')" for source, targets in MOVES.items() for target in sorted(targets)]
    legal += [f"('{source}', '{target}')" for source, target in sorted(OBSERVED_ONLY)]
    return (
        "SELECT id AS subject, from_bucket || ' to ' || to_bucket || ' is no legal move' AS detail FROM quantity_moves"
        f" WHERE (from_bucket, to_bucket) NOT IN (VALUES {', '.join(sorted(legal))})"
    )


def _reserved(state: str) -> str:
    return (
        f"SELECT s.sku || ' at ' || s.location AS subject, '{state} counter ' || s.{state} || ', live reservations '"
        f" || COALESCE(r.total, 0) || ' (millionths)' AS detail FROM stock s LEFT JOIN (SELECT sku, location,"
        f" SUM(quantity) AS total FROM reservations WHERE state = '{state}' GROUP BY sku, location) r"
        f" ON r.sku = s.sku AND r.location = s.location WHERE s.{state} <> COALESCE(r.total, 0)"
        f" UNION ALL SELECT r.sku || ' at ' || r.location, '{state} reservation without a stock row'"
        f" FROM reservations r"
        f" WHERE r.state = '{state}' AND r.quantity > 0 AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.sku = r.sku AND"
        " s.location = r.location)"
    )


def _beside_journal(bucket: str) -> Promise:
    """Goods beside on hand have no counts, so every one of them stands in the journal."""
    words = bucket.replace("_", " ")
    return Promise(
        f"stock_{bucket}",
        f"Stock in {words} equals its journal" if bucket != "damaged" else "Damaged stock equals its journal",
        f"SELECT s.sku || ' at ' || s.location AS subject, '{words} ' || s.{bucket} || ', journal ' ||"
        " COALESCE(e.total, 0) AS detail FROM stock s LEFT JOIN (SELECT sku, location, SUM(COALESCE(delta, 0)) AS total"
        f" FROM stock_events WHERE bucket = '{bucket}' GROUP BY sku, location) e ON e.sku = s.sku AND"
        f" e.location = s.location WHERE s.{bucket} <> COALESCE(e.total, 0)",
    )


PROMISES: tuple[Promise, ...] = (
    *(Promise(*one) for one in MONEY_PROMISES),
    Promise(
        "receipt_states",
        "A receipt is pending, parsed or unparsable",
        _states("receipts", "state", RECEIPT_STATES),
    ),
    Promise(
        "receipts_parsed",
        "A parsed receipt has exactly the messages it says",
        "SELECT r.id AS subject, 'says ' || r.messages || ' messages, has ' || COUNT(m.id) AS detail FROM receipts r"
        " LEFT JOIN messages m ON m.receipt_id = r.id AND m.redrive_of = '' WHERE r.state = 'parsed'"
        " GROUP BY r.id, r.messages HAVING COUNT(m.id) <> r.messages",
    ),
    Promise(
        "receipts_kept",
        "Every receipt's bytes are kept until retention erases them",
        "SELECT r.id AS subject, 'its body is gone' AS detail FROM receipts r LEFT JOIN bodies b ON b.id = r.body_id"
        " WHERE b.id IS NULL OR (b.body IS NULL AND b.file IS NULL AND b.erased_at IS NULL)",
    ),
    Promise(
        "unparsable_seen",
        "Every unparsable receipt is shown to a person",
        "SELECT r.id AS subject, 'unparsable and no exception tells of it' AS detail FROM receipts r"
        " WHERE r.state = 'unparsable' AND NOT EXISTS (SELECT 1 FROM exception_subjects s"
        " WHERE s.subject_kind = 'receipt' AND s.subject_id = r.id)",
    ),
    Promise(
        "message_states",
        "A message is in one of its states",
        _states("messages", "state", MESSAGE_STATES),
    ),
    Promise(
        "message_receipts",
        "Every message comes from a receipt that is there, or answers one of our calls",
        "SELECT m.id AS subject, 'its receipt ' || m.receipt_id || ' is not there' AS detail FROM messages m"
        " WHERE m.stream <> 'replies' AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.id = m.receipt_id)",
    ),
    Promise(
        "fact_keys",
        "An applied fact's key is remembered for ever, so that it cannot be applied twice",
        "SELECT m.id AS subject, 'applied, but its key is not remembered' AS detail FROM messages m"
        " WHERE m.kind = 'fact' AND m.state = 'applied' AND m.fact_key IS NOT NULL"
        " AND m.stream <> 'replies' AND m.id NOT IN (SELECT f.message_id FROM fact_keys f)",
    ),
    Promise(
        "facts_once",
        "A fact is applied once",
        "SELECT MIN(id) AS subject, connection || ' ' || stream || ' ' || fact_key || ' was applied ' || COUNT(*) ||"
        " ' times' AS detail FROM messages WHERE kind = 'fact' AND state = 'applied' AND fact_key IS NOT NULL"
        " GROUP BY connection, stream, fact_key HAVING COUNT(*) > 1",
    ),
    Promise(
        "parked_seen",
        "Every parked message is shown to a person",
        "SELECT m.id AS subject, 'parked (' || COALESCE(m.error_code, '') || ') and no open exception tells of it'"
        f" AS detail FROM messages m WHERE m.state = 'parked' AND NOT EXISTS ({OPEN_EXCEPTION}"
        " AND s.subject_kind = 'message' AND s.subject_id = m.id)",
    ),
    Promise(
        "waiting_named",
        "A waiting message says what it waits for",
        "SELECT id AS subject, 'waits for nothing that is named' AS detail FROM messages WHERE state = 'waiting'"
        " AND (waits_for IS NULL OR waits_for = '')",
    ),
    Promise(
        "buckets_sum",
        "The buckets of a line sum to what was ordered, none below zero",
        f"SELECT id AS subject, 'buckets sum to ' || ({' + '.join(BUCKETS)}) || ', ordered ' || ordered AS detail"
        f" FROM order_lines WHERE {' + '.join(BUCKETS)} <> ordered OR {' OR '.join(f'{b} < 0' for b in BUCKETS)}",
    ),
    Promise("journal_balances", "The buckets equal their journal of moves", _journal()),
    Promise("legal_moves", "Every move of a quantity is one that the table has", _legal_moves()),
    Promise("soft_reserved", "Soft counters equal live soft reservations", _reserved("soft")),
    Promise("firm_reserved", "Firm counters equal live firm reservations", _reserved("firm")),
    Promise(
        "reserved_per_line",
        "A line's live reservations equal what it has between allocation and shipment",
        "SELECT l.id AS subject, 'reserved ' || COALESCE(r.total, 0) || ', allocated to packed ' || (l.allocated +"
        " l.released + l.accepted + l.picked + l.packed + l.ready_for_pickup) AS detail FROM order_lines l"
        " JOIN orders o ON o.id = l.order_id LEFT JOIN (SELECT line_id, SUM(quantity) AS total FROM reservations"
        " WHERE state IN ('soft', 'firm') GROUP BY line_id) r ON r.line_id = l.id"
        " LEFT JOIN (SELECT line_id, SUM(claimed) AS claimed FROM transits GROUP BY line_id) t ON t.line_id = l.id"
        " WHERE l.fulfilled_by = 'us'"
        " AND o.effects <> 'none' AND l.sku IS NOT NULL AND COALESCE(r.total, 0) + COALESCE(t.claimed, 0)"
        " <> l.allocated + l.released + l.accepted + l.picked + l.packed + l.ready_for_pickup",
    ),
    Promise(
        "stock_journal",
        "Stock on hand equals its journal",
        "SELECT s.sku || ' at ' || s.location AS subject, 'on hand ' || s.on_hand || ', journal ' ||"
        " COALESCE(e.total, 0) AS detail FROM stock s LEFT JOIN (SELECT sku, location, SUM(COALESCE(delta, 0)) AS total"
        " FROM stock_events WHERE bucket = 'on_hand' GROUP BY sku, location) e ON e.sku = s.sku AND"
        " e.location = s.location WHERE s.on_hand <> COALESCE(e.total, 0)",
    ),
    *(_beside_journal(bucket) for bucket in ("quarantine", "damaged", "in_transit")),
    Promise(
        "goods_in_transit",
        "Goods in transit to a location are what was sent there and neither came nor was given up",
        "SELECT s.sku || ' at ' || s.location AS subject, 'in transit ' || s.in_transit || ', on the way ' ||"
        " COALESCE(t.total, 0) || ' (millionths)' AS detail FROM stock s LEFT JOIN (SELECT sku, destination,"
        " SUM(sent - received - lost) AS total FROM transits GROUP BY sku, destination) t ON t.sku = s.sku"
        " AND t.destination = s.location WHERE s.in_transit <> COALESCE(t.total, 0)"
        " UNION ALL SELECT t.sku || ' at ' || t.destination, 'on the way to a place without a stock row'"
        " FROM transits t WHERE t.quantity > 0 AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.sku = t.sku"
        " AND s.location = t.destination)",
    ),
    Promise(
        "preorders_promised",
        "What is preordered of a line is what it was promised from supply or from the day of release",
        "SELECT l.id AS subject, 'preordered ' || l.preordered || ', promised ' || COALESCE(c.total, 0) ||"
        " ' (millionths)' AS detail FROM order_lines l LEFT JOIN (SELECT line_id, SUM(quantity) AS total"
        " FROM supply_claims GROUP BY line_id) c ON c.line_id = l.id WHERE l.preordered <> COALESCE(c.total, 0)",
    ),
    Promise(
        "supply_promised",
        "A supply counts exactly the claims on it",
        "SELECT s.id AS subject, s.reference || ' counts ' || s.promised || ', claims ' || COALESCE(c.total, 0) ||"
        " ' (millionths)' AS detail FROM supply s LEFT JOIN (SELECT supply_id, SUM(quantity) AS total"
        " FROM supply_claims GROUP BY supply_id) c ON c.supply_id = s.id WHERE s.promised <> COALESCE(c.total, 0)",
    ),
    Promise(
        "queue_respected",
        "Nobody is given what those before in the queue are due",
        "SELECT id AS subject, 'got ' || quantity || ' where ' || free || ' was free and ' || ahead ||"
        " ' due to others before (millionths)' AS detail FROM backorder_releases"
        " WHERE outcome = 'released' AND quantity > free - ahead",
    ),
    Promise(
        "queue_seen",
        "Whoever got goods had everybody before in the queue in view; one who was passed over had a reason",
        "SELECT r.id AS subject, 'took into account ' || r.ahead || ' before it, there was ' || SUM(w.quantity) ||"
        " ' (millionths)' AS detail FROM backorder_releases r JOIN reservations w ON w.sku = r.sku"
        " AND w.state = 'unassigned' AND w.turn = 'waits' AND w.place < r.place AND w.order_id <> r.order_id"
        f" AND w.updated_at < r.at - {AT_ONCE} WHERE r.outcome = 'released' GROUP BY r.id, r.ahead"
        " HAVING SUM(w.quantity) > r.ahead"
        " UNION ALL SELECT id, 'passed over without a reason' FROM backorder_releases"
        " WHERE outcome = 'passed' AND reason = ''",
    ),
    Promise(
        "delivery_states",
        "A delivery is in one of its states",
        _states("deliveries", "state", DELIVERY_STATES),
    ),
    Promise(
        "deliveries_once",
        "One delivery per business key",
        "SELECT MIN(id) AS subject, business_key || ' has ' || COUNT(*) || ' rows' AS detail FROM deliveries"
        " GROUP BY business_key HAVING COUNT(*) > 1",
    ),
    Promise(
        "attempts_counted",
        "Every call that was made, lookups included, has its attempt",
        "SELECT d.id AS subject, 'counts ' || d.attempts || ' attempts, has ' || COUNT(a.id) AS detail"
        " FROM deliveries d"
        " LEFT JOIN attempts a ON a.delivery_id = d.id GROUP BY d.id, d.attempts"
        " HAVING COUNT(a.id) <> d.attempts",
    ),
    Promise(
        "acknowledged_by_attempt",
        "An acknowledged delivery had an attempt, or a person or an echo said so",
        "SELECT d.id AS subject, 'acknowledged without an attempt' AS detail FROM deliveries d"
        " WHERE d.state = 'acknowledged' AND d.attempts = 0 AND NOT EXISTS (SELECT 1 FROM audit a"
        " WHERE a.subject = d.id) AND NOT EXISTS (SELECT 1 FROM events e WHERE e.subject = d.id)",
    ),
    Promise(
        "attempts_closed",
        "The last attempt of a delivery is open only while nobody knows how it ended; an earlier one may stay open"
        " where its process ended before the answer came",
        "SELECT a.id AS subject, 'open, but its delivery is ' || d.state AS detail FROM attempts a"
        " JOIN deliveries d ON d.id = a.delivery_id WHERE a.resolution IS NULL"
        " AND d.state NOT IN ('in_flight', 'probing', 'unknown', 'retry', 'coalesced')"
        " AND NOT EXISTS (SELECT 1 FROM attempts b WHERE b.delivery_id = a.delivery_id AND b.number > a.number)"
        " AND NOT EXISTS (SELECT 1 FROM audit u WHERE u.subject = d.id)"
        " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.stream = 'replies' AND m.receipt_id = d.id || '/echo')"
        # A late acceptance settles a call whose own answer nobody lived to hear.
        " AND NOT EXISTS (SELECT 1 FROM messages m JOIN messages k ON k.id = m.receipt_id WHERE m.stream = 'replies'"
        " AND m.connection = d.destination AND m.external_id = d.business_key AND k.stream = 'acknowledgements')",
    ),
    Promise(
        "replies_kept",
        "Every answered call has its reply as a message; of what was only taken at first, the late answer is the reply",
        "SELECT a.id AS subject, 'answered ' || a.resolution || ', but there is no reply message' AS detail"
        " FROM attempts a JOIN deliveries d ON d.id = a.delivery_id"
        " WHERE a.resolution IN ('success', 'duplicate', 'rejected') AND a.kind = 'call'"
        " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.receipt_id = a.id AND m.stream = 'replies'"
        " AND m.fact_key = a.id)"
        " AND NOT (d.reply_due_at IS NOT NULL AND (d.state IN ('sent', 'overdue') OR EXISTS (SELECT 1 FROM messages m"
        " WHERE m.stream = 'replies' AND m.connection = d.destination AND m.external_id = d.business_key)))",
    ),
    Promise(
        "deliveries_seen",
        "A delivery that cannot go on is shown to a person",
        "SELECT d.id AS subject, d.state || ' and no open exception tells of it' AS detail FROM deliveries d"
        f" WHERE d.state IN {NEEDS_PERSON} AND NOT EXISTS ({OPEN_EXCEPTION} AND s.subject_kind = 'delivery'"
        " AND s.subject_id = d.id)"
        " AND NOT EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
        " WHERE s.subject_kind = 'delivery' AND s.subject_id = d.id"
        " AND (e.state = 'resolved' OR s.cleared_at IS NOT NULL))",
    ),
    Promise(
        "deliveries_bodies",
        "Every delivery's frozen bytes are kept",
        "SELECT d.id AS subject, 'its body is gone' AS detail FROM deliveries d LEFT JOIN bodies b ON b.id = d.body_id"
        " WHERE b.id IS NULL OR (b.body IS NULL AND b.file IS NULL AND b.erased_at IS NULL)",
    ),
    Promise(
        "tasks_failed_seen",
        "A failed task is shown to a person",
        "SELECT t.id AS subject, t.kind || ' failed and no exception tells of it' AS detail FROM tasks t"
        " WHERE t.state = 'failed' AND NOT EXISTS (SELECT 1 FROM exception_subjects s WHERE s.subject_kind = 'task'"
        " AND s.subject_id = t.id)",
    ),
    Promise(
        "exceptions_owned",
        "An open exception has an owner, a next step and something that it holds up",
        "SELECT e.id AS subject, 'open without owner, next step or subject' AS detail FROM exceptions e"
        " WHERE e.state = 'open' AND (e.owner = '' OR e.next_step = '' OR NOT EXISTS (SELECT 1 FROM"
        " exception_subjects s WHERE s.exception_id = e.id AND s.cleared_at IS NULL))",
    ),
    Promise(
        "order_states",
        "An order is in one of its states",
        _states("orders", "status", ORDER_STATES),
    ),
    Promise(
        "work_states",
        "A fulfilment order is in one of its states",
        _states("fulfilment_orders", "state", WORK_STATES),
    ),
    Promise(
        "orders_closed",
        "A closed or cancelled order has nothing left to do",
        "SELECT o.id AS subject, 'is ' || o.status || ' with quantity still under way' AS detail FROM orders o"
        " JOIN order_lines l ON l.order_id = o.id WHERE o.effects <> 'none' AND ((o.status = 'cancelled'"
        " AND l.cancelled"
        " <> l.ordered) OR (o.status = 'closed' AND l.open + l.allocated + l.backordered + l.preordered + l.released +"
        " l.accepted + l.picked + l.packed + l.ready_for_pickup > 0)) GROUP BY o.id, o.status",
    ),
    Promise(
        "orders_explained",
        "Every open order has something that moves it: a task, a call, a hold, work at a location or an exception",
        "SELECT o.id AS subject, 'is ' || o.status || ' and nothing moves it' AS detail FROM orders o"
        " WHERE o.status IN ('received', 'held', 'confirmed') AND o.effects <> 'none'"
        " AND o.id NOT IN (SELECT t.subject FROM tasks t WHERE t.state IN ('pending', 'claimed'))"
        f" AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.order_id = o.id AND d.state IN {OPEN_DELIVERY})"
        " AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.id AND h.released_at IS NULL)"
        " AND NOT EXISTS (SELECT 1 FROM fulfilment_orders f WHERE f.order_id = o.id"
        " AND f.state NOT IN ('completed', 'cancelled', 'rejected', 'partially_completed'))"
        f" AND NOT EXISTS ({OPEN_EXCEPTION} AND s.order_id = o.id)"
        " AND NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = o.id AND l.backordered + l.preordered > 0)"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.order_id = o.id AND d.state = 'suppressed')"
        # What moves an open return is a promise of its own.
        " AND NOT EXISTS (SELECT 1 FROM returns r WHERE r.order_id = o.id AND r.state NOT IN"
        " ('refused', 'expired', 'cancelled', 'closed'))",
    ),
    *(Promise(one.name, one.says, one.sql) for one in RETURNS),
    Promise(
        "orders_captured",
        "Every order's timeline begins with its capture",
        "SELECT o.id AS subject, 'has no capture on its timeline' AS detail FROM orders o"
        " WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.order_id = o.id AND e.type LIKE 'hub.order.%')",
    ),
    Promise(
        "links_whole",
        "A link between two orders has both, and is of a kind that is known",
        "SELECT k.id AS subject, k.role || ' between orders of which one is not there' AS detail FROM order_links k"
        f" WHERE k.role NOT IN ({_listed(INVERSE)}) OR (SELECT COUNT(*) FROM orders o"
        " WHERE o.id IN (k.order_id, k.other_order_id)) <> 2",
    ),
    Promise(
        "money_invoiced",
        "An order is not invoiced above its total, unless its source lowered that later and a person was told",
        "SELECT o.id AS subject, 'invoiced ' || SUM(CASE p.kind WHEN 'invoiced' THEN p.amount ELSE -p.amount END)"
        " || ' of ' || o.total || ' (millionths)' AS detail FROM orders o"
        " JOIN money_moves p ON p.order_id = o.id AND p.kind IN ('invoiced', 'credited') AND p.currency = o.currency"
        " WHERE NOT EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
        " WHERE s.order_id = o.id AND e.kind = 'invoiced_above_total')"
        " GROUP BY o.id, o.total HAVING SUM(CASE p.kind WHEN 'invoiced' THEN p.amount ELSE -p.amount END) > o.total"
        " + (SELECT COALESCE(SUM(c.beside_total), 0) FROM changes c WHERE c.order_id = o.id)",
    ),
    Promise(
        "labels_money",
        "A label that was bought says what it cost, and no more comes back than that",
        "SELECT id AS subject, 'state ' || state || ', cost ' || COALESCE(cost, 0) || ', refunded ' || refunded"
        " || ' (millionths)' AS detail FROM labels WHERE refunded > COALESCE(cost, 0) OR refunded < 0"
        " OR (cost IS NOT NULL AND currency IS NULL)",
    ),
    Promise(
        "labels_kept",
        "The bytes of every label are kept until its order's personal data are erased",
        "SELECT l.id AS subject, 'its bytes are gone' AS detail FROM labels l LEFT JOIN bodies b ON b.id = l.body_id"
        " WHERE l.body_id IS NOT NULL"
        " AND (b.id IS NULL OR (b.body IS NULL AND b.file IS NULL AND b.erased_at IS NULL))",
    ),
    Promise(
        "packages_labelled",
        "A package that waits for a label has a question, a purchase or an exception that moves it",
        "SELECT p.id AS subject, 'waits for a label and nothing moves it' AS detail FROM packages p"
        " WHERE p.state = 'label_pending'"
        " AND p.id NOT IN (SELECT t.subject FROM tasks t WHERE t.kind = 'rate'"
        " AND t.state IN ('pending', 'claimed', 'failed'))"
        " AND p.id NOT IN (SELECT l.package_id FROM labels l WHERE l.state <> 'withdrawn')"
        f" AND NOT EXISTS ({OPEN_EXCEPTION} AND s.order_id = p.order_id)",
    ),
    Promise(
        "primary_references",
        "An external id of a system means one thing of ours",
        "SELECT MIN(id) AS subject, system || ' ' || entity || ' ' || external_id || ' means ' || COUNT(*) || ' things'"
        " AS"
        " detail FROM cross_references WHERE role = 'primary' AND valid_to IS NULL"
        " GROUP BY system, entity, external_id HAVING COUNT(*) > 1",
    ),
)
