"""The promises about books and money together: what an order was invoiced, less what was credited, is what it comes to
and what is kept of its money.

They hold of orders that have ended, with no capture or refund under way and nobody told of trouble with their money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, select

from hub.domain.link import LinkRole
from hub.domain.money import money_text
from hub.domain.order import Effects, Order, OrderStatus
from hub.domain.payment import CallState
from hub.oms.desk.rows import line_from, order_from
from hub.oms.money.whole import whole_of
from hub.store.tables import metadata

ZERO = Decimal(0)
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
    """(promise, what it says, subject, detail) of each order whose books break one."""
    yield from _credits_told(connection)
    table = metadata.tables["orders"]
    wanted = select(table).where(
        table.c.status.in_(_ENDED), table.c.effects == Effects.ON.value, table.c.id.in_(_invoiced_orders())
    )
    troubled = _troubled(connection)
    ended = {row["id"]: order_from(row) for row in _all(connection, wanted) if row["id"] not in troubled}
    books = _books(connection, ended)
    for order_id, order in ended.items():
        yield from _adds_up(order, books[order_id])
    yield from _money_agrees(connection, ended, books, troubled)


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
    connection: Connection, ended: dict[str, Order], books: dict[str, Book], troubled: set[str]
) -> Iterator[tuple[str, str, str, str]]:
    """An order and the exchanges made of it count together: what came back pays for what went out."""
    links = metadata.tables["order_links"]
    exchanges = _all(connection, select(links).where(links.c.role == LinkRole.EXCHANGE_FOR.value))
    of: dict[str, str] = {row["order_id"]: row["other_order_id"] for row in exchanges}
    families: dict[str, list[str]] = defaultdict(list)
    for order_id in {*books, *of}:
        root = order_id
        while root in of:
            root = of[root]
        families[root].append(order_id)
    for root, members in sorted(families.items()):
        if root not in ended or any(one in troubled or one not in ended for one in members):
            continue
        kept = books[root].kept
        if kept is None:
            continue
        net = sum((books[one].invoiced - books[one].credited for one in members), ZERO)
        if net != kept:
            currency = ended[root].currency
            detail = f"invoices less credit notes {money_text(net, currency)}, kept {money_text(kept, currency)}"
            yield "books_are_money", KEPT, root, detail


def _books(connection: Connection, orders: dict[str, Order]) -> dict[str, Book]:
    """The books of the orders, whose lines are filled in."""
    books = {order_id: Book() for order_id in orders}
    lines = metadata.tables["order_lines"]
    for row in _all(connection, select(lines).where(lines.c.order_id.in_(_invoiced_orders()))):
        if row["order_id"] in orders:
            orders[row["order_id"]].lines.append(line_from(row))
    moves = metadata.tables["money_moves"]
    beside: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in _all(
        connection, select(moves).where(moves.c.kind.in_(("invoiced", "credited", "refunded", "store_credit")))
    ):
        order = orders.get(row["order_id"])
        if order is None or row["currency"] != order.currency:
            continue
        if row["kind"] == "invoiced":
            books[order.id].invoiced += row["amount"]
        elif row["kind"] == "credited":
            books[order.id].credited += row["amount"]
        elif row["payment_id"] is None:
            beside[order.id] += row["amount"]
    payments = metadata.tables["payments"]
    for row in _all(connection, select(payments).where(payments.c.order_id.in_(_invoiced_orders()))):
        order = orders.get(row["order_id"])
        if order is None or row["currency"] != order.currency or not order.facts.get("hub_payments"):
            continue
        book = books[order.id]
        kept = book.kept if book.kept is not None else -beside[order.id]
        book.kept = kept + row["captured"] - row["refunded"] - row["over_refunded"] - row["store_credit"]
    return books


def _troubled(connection: Connection) -> set[str]:
    """Orders with money under way, or whose money a person was told of."""
    found: set[str] = set()
    for name in ("captures", "refunds"):
        table = metadata.tables[name]
        found |= set(connection.scalars(select(table.c.order_id).where(table.c.state.in_(_OPEN))))
    tasks = metadata.tables["tasks"]
    waiting = select(tasks.c.subject).where(tasks.c.kind == "settle_money", tasks.c.state.in_(("pending", "claimed")))
    found |= set(connection.scalars(waiting))
    exceptions, subjects = metadata.tables["exceptions"], metadata.tables["exception_subjects"]
    told = select(subjects.c.order_id).join(exceptions, exceptions.c.id == subjects.c.exception_id)
    found |= set(connection.scalars(told.where(exceptions.c.kind.in_(sorted(TROUBLE)))))
    return found


def _credits_told(connection: Connection) -> Iterator[tuple[str, str, str, str]]:
    moves = metadata.tables["money_moves"]
    deliveries = metadata.tables["deliveries"]
    asked = select(deliveries.c.business_key).where(deliveries.c.capability == "post_credit_note")
    known = set(connection.scalars(asked))
    for row in _all(connection, select(moves).where(moves.c.kind == "credited")):
        document = row["document"]
        for destination in document.get("told", ["?"]):
            if f"{destination}/post_credit_note/{document.get('key')}" not in known:
                yield "credits_posted", TOLD, row["id"], f"credited, and no call tells {destination}"


def _invoiced_orders() -> Select[Any]:
    moves = metadata.tables["money_moves"]
    return select(moves.c.order_id).where(moves.c.kind == "invoiced")


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
