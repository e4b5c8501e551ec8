"""The promises about books and money together: what an order was invoiced, less what was credited, is what it comes to
and what is kept of its money.

They hold of orders that have ended, with no capture or refund under way and nobody told of trouble with their money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, select

from hub.domain.link import LinkRole
from hub.domain.money import money_text
from hub.domain.order import Effects, Order, OrderStatus
from hub.domain.payment import CallState
from hub.oms.desk.rows import line_from, order_from
from hub.oms.money.whole import whole_of
from hub.store.tables import metadata

ZERO = Decimal(0)
PAGE = 500
"""Orders, or credit notes, that are looked at together."""
ADD_UP = "An order that has ended was invoiced what it comes to, and credited no more than that"
KEPT = "Of an order that has ended, invoices less credit notes are what is kept of its money"
TOLD = "Every credit note in the books of money was asked for"

TROUBLE = frozenset(
    {
        "cancel_too_late",
        "cancelled_shipped",
        "capture_failed",
        "capture_short",
        "capture_undone",
        "collect_at_channel",
        "collect_failed",
        "credited_too_much",
        "dispute_lost",
        "invoiced_above_total",
        "less_wanted",
        "over_captured",
        "refund_at_channel",
        "refund_failed",
        "refund_not_covered",
        "refund_too_high",
        "refund_undone",
    }
)
"""Kinds of exceptions by which a person was told that goods or money of an order are not as they should be."""
AWAITED = ("settle_money", "less_wanted")
"""Kinds of tasks by which an order waits to hear what became of its money: a channel that lowered an order after it had
left has an hour to say why, before a person is told."""
_OPEN = tuple(state.value for state in CallState if state.open)
_ENDED = (OrderStatus.CLOSED.value, OrderStatus.CANCELLED.value)


@dataclass(slots=True)
class Book:
    """An order's books. `kept` is None where no payment says what was paid."""

    invoiced: Decimal = ZERO
    credited: Decimal = ZERO
    kept: Decimal | None = None
    orders: list[str] = field(default_factory=list)


def books_hold(connection: Connection) -> Iterator[tuple[str, str, str, str]]:
    """(promise, what it says, subject, detail) of each order whose books break one. Looks at a page of orders at a
    time, so it holds no more than that whatever there is."""
    yield from _credits_told(connection)
    for wanted in _pages(connection, metadata.tables["orders"], _ended()):
        page = {row["id"]: order_from(row) for row in wanted}
        troubled = _troubled(connection, set(page))
        ended = {order_id: order for order_id, order in page.items() if order_id not in troubled}
        books = _books(connection, ended)
        for order_id, order in ended.items():
            yield from _adds_up(order, books[order_id])
        yield from _money_agrees(connection, ended, books)


def _ended() -> ColumnElement[bool]:
    """Orders that have ended, and were invoiced."""
    orders, moves = metadata.tables["orders"], metadata.tables["money_moves"]
    invoiced = select(moves.c.order_id).where(moves.c.order_id == orders.c.id, moves.c.kind == "invoiced")
    return and_(orders.c.status.in_(_ENDED), orders.c.effects == Effects.ON.value, invoiced.exists())


def _pages(connection: Connection, table: Table, which: ColumnElement[bool]) -> Iterator[Sequence[Any]]:
    """Rows of a table in pages, by id."""
    after = ""
    while page := _all(connection, select(table).where(which, table.c.id > after).order_by(table.c.id).limit(PAGE)):
        yield page
        after = page[-1]["id"]


def _adds_up(order: Order, book: Book) -> Iterator[tuple[str, str, str, str]]:
    if order.facts.get("invoiced_last") is not True or not order.lines:
        return
    whole = whole_of(order).amount
    least = book.invoiced - book.credited
    if not least <= whole <= book.invoiced or (not book.credited and whole != book.invoiced):
        invoiced, credited = money_text(book.invoiced, order.currency), money_text(book.credited, order.currency)
        comes_to = money_text(whole, order.currency)
        yield "invoices_add_up", ADD_UP, order.id, f"invoiced {invoiced}, credited {credited}, comes to {comes_to}"


def _money_agrees(
    connection: Connection, ended: Mapping[str, Order], books: Mapping[str, Book]
) -> Iterator[tuple[str, str, str, str]]:
    """An order and the exchanges made of it count together: what came back pays for what went out. `ended`: a page;
    what was made of its orders is looked up, and its exchanges are looked at with the orders they were made of."""
    made_of, exchanges = _exchanges(connection, ended)
    further = sorted({one for found in made_of.values() for one in found} - set(ended))
    rows = _all(connection, select(metadata.tables["orders"]).where(_ended(), _of(further, "orders", "id")))
    troubled = _troubled(connection, set(further))
    known = dict(ended) | {row["id"]: order_from(row) for row in rows if row["id"] not in troubled}
    all_books = dict(books) | _books(connection, {one: known[one] for one in further if one in known})
    for root in sorted(set(ended) - exchanges):
        members, kept = [root, *made_of.get(root, ())], books[root].kept
        if kept is None or any(one not in known for one in members):
            continue
        net = sum((all_books[one].invoiced - all_books[one].credited for one in members), ZERO)
        if net != kept:
            currency = ended[root].currency
            detail = f"invoices less credit notes {money_text(net, currency)}, kept {money_text(kept, currency)}"
            yield "books_are_money", KEPT, root, detail


def _exchanges(connection: Connection, orders: Collection[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Of orders: every exchange that was made of each, and of those in turn; and which of them are exchanges."""
    links = metadata.tables["order_links"]
    exchange = links.c.role == LinkRole.EXCHANGE_FOR.value
    made_so = select(links.c.order_id).where(exchange, _of(orders, "order_links", "order_id"))
    made_of: dict[str, list[str]] = defaultdict(list)
    roots = {order_id: order_id for order_id in orders}
    newest = set(orders)
    while newest:
        found = _all(connection, select(links).where(exchange, _of(newest, "order_links", "other_order_id")))
        newest = set()
        for row in found:
            root, one = roots[row["other_order_id"]], row["order_id"]
            made_of[root].append(one)
            if one not in roots:
                roots[one] = root
                newest.add(one)
    return made_of, set(connection.scalars(made_so))


def _books(connection: Connection, orders: Mapping[str, Order]) -> dict[str, Book]:
    """The books of the orders, whose lines are filled in."""
    books = {order_id: Book() for order_id in orders}
    for row in _all(connection, select(metadata.tables["order_lines"]).where(_of(orders, "order_lines"))):
        orders[row["order_id"]].lines.append(line_from(row))
    moves = metadata.tables["money_moves"]
    counted = moves.c.kind.in_(("invoiced", "credited", "refunded", "store_credit"))
    beside: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in _all(connection, select(moves).where(counted, _of(orders, "money_moves"))):
        order = orders[row["order_id"]]
        if row["currency"] != order.currency:
            continue
        if row["kind"] == "invoiced":
            books[order.id].invoiced += row["amount"]
        elif row["kind"] == "credited":
            books[order.id].credited += row["amount"]
        elif row["payment_id"] is None:
            beside[order.id] += row["amount"]
    for row in _all(connection, select(metadata.tables["payments"]).where(_of(orders, "payments"))):
        order = orders[row["order_id"]]
        if row["currency"] != order.currency or not order.facts.get("hub_payments"):
            continue
        book = books[order.id]
        kept = book.kept if book.kept is not None else -beside[order.id]
        book.kept = kept + row["captured"] - row["refunded"] - row["over_refunded"] - row["store_credit"]
    return books


def _troubled(connection: Connection, orders: Collection[str]) -> set[str]:
    """Which of the orders have money under way, or money that a person was told of."""
    found: set[str] = set()
    for name in ("captures", "refunds"):
        table = metadata.tables[name]
        found |= set(connection.scalars(select(table.c.order_id).where(table.c.state.in_(_OPEN), _of(orders, name))))
    tasks = metadata.tables["tasks"]
    waiting = select(tasks.c.subject).where(tasks.c.kind.in_(AWAITED), tasks.c.state.in_(("pending", "claimed")))
    found |= set(connection.scalars(waiting.where(_of(orders, "tasks", "subject"))))
    exceptions, subjects = metadata.tables["exceptions"], metadata.tables["exception_subjects"]
    told = select(subjects.c.order_id).join(exceptions, exceptions.c.id == subjects.c.exception_id)
    troubling = exceptions.c.kind.in_(sorted(TROUBLE))
    return found | set(connection.scalars(told.where(troubling, _of(orders, "exception_subjects"))))


def _of(orders: Collection[str], table: str, column: str = "order_id") -> ColumnElement[bool]:
    return metadata.tables[table].c[column].in_(sorted(orders))


def _credits_told(connection: Connection) -> Iterator[tuple[str, str, str, str]]:
    moves, deliveries = metadata.tables["money_moves"], metadata.tables["deliveries"]
    for page in _pages(connection, moves, moves.c.kind == "credited"):
        keys = {row["id"]: list(_told_by(row["document"])) for row in page}
        asked = sorted({key for found in keys.values() for _, key in found})
        known = set(connection.scalars(select(deliveries.c.business_key).where(deliveries.c.business_key.in_(asked))))
        for move, found in keys.items():
            for destination, key in found:
                if key not in known:
                    yield "credits_posted", TOLD, move, f"credited, and no call tells {destination}"


def _told_by(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who was to be told of a credit note, and the key of the call that tells."""
    for destination in document.get("told", ["?"]):
        yield destination, f"{destination}/post_credit_note/{document.get('key')}"


def _all(connection: Connection, wanted: Select[Any]) -> Sequence[Any]:
    return connection.execute(wanted).mappings().all()


_INVOICED = (
    "SELECT o.id FROM orders o JOIN money_moves m ON m.order_id = o.id AND m.kind = 'invoiced'"
    " WHERE o.status = 'closed' AND o.document LIKE '%\"invoiced_last\"\\:true%' ORDER BY o.id LIMIT 1"
)
_PAID = (
    "INSERT INTO payments (id, order_id, connection, managed_by, method, priority, currency, state, authorised,"
    " captured, capturing, voided, refunded, refunding, over_refunded, store_credit, document, created_at, updated_at)"
    " SELECT 'py-self-books', id, 'payment', 'hub', 'card', 0, currency, 'captured', 7, 7, 0, 0, 0, 0, 0, 0, '{}',"
    " created_at, updated_at FROM orders WHERE id = :id"
)
BOOK_CORRUPTIONS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    (
        "an invoice lost a unit of money",
        "invoices_add_up",
        _INVOICED,
        ("UPDATE money_moves SET amount = amount - 1000000 WHERE order_id = :id AND kind = 'invoiced'",),
        "{id}",
    ),
    (
        "an order's money is not what it was invoiced",
        "books_are_money",
        _INVOICED,
        ("UPDATE orders SET document = '{\"hub_payments\"\\:true,' || substr(document, 2) WHERE id = :id", _PAID),
        "{id}",
    ),
)
"""Name, the promise that must name it, what to pick, the changes, and the row it must name."""
