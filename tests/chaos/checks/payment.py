"""The payment provider: money is taken and given back once a key, never more than was authorised or taken, and what it
holds of each payment is what the hub's books say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import MILLION, Books, Finding
from tests.chaos.ledgers import ZERO
from tests.chaos.systems import ERP, PAYMENT, SHOP

MONEY = ("capture", "refund", "void")


def check(books: Books) -> Iterator[Finding]:
    for kind in MONEY:
        for key, many in books.truth.doubled(PAYMENT, kind):
            yield "duplicate_effects", f"the provider has {many} entries {kind} of {key}"
    taken, back = _sums(books, "capture"), _sums(books, "refund")
    yield from _ledgers(books, taken, back)
    yield from _charged(books, taken, back)
    yield from _booked(books, taken, back)
    yield from _paid_back(books)


def _sums(books: Books, kind: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, _, payment, data in books.truth.of(PAYMENT, kind):
        found[payment] += Decimal(str(data["amount"]))
    return found


def _ledgers(books: Books, taken: dict[str, Decimal], back: dict[str, Decimal]) -> Iterator[Finding]:
    """Payment by payment, except of orders whose calls a person looks at."""
    known: set[str] = set()
    rows = books.select(
        "SELECT external_id, order_id, authorised, captured, refunded FROM payments WHERE managed_by = 'hub'"
    )
    for row in rows:
        known.add(row.external_id)
        if any((kind, row.order_id) in books.excused for kind in ("capture", "refund")):
            continue
        for what, there, here in (
            ("captured", taken[row.external_id], row.captured),
            ("refunded", back[row.external_id], row.refunded),
        ):
            if there != Decimal(int(here)) / MILLION:
                counted = Decimal(int(here)) / MILLION
                yield "ledger_difference", f"of {row.external_id} {there} were {what}, the hub counts {counted}"
        if taken[row.external_id] > Decimal(int(row.authorised)) / MILLION:
            yield "ledger_difference", f"of {row.external_id} more was captured than authorised"
        if back[row.external_id] > taken[row.external_id]:
            yield "ledger_difference", f"of {row.external_id} more was given back than captured"
    for payment in set(taken) - known:
        yield "ledger_difference", f"{taken[payment]} were captured of {payment}, which the hub does not know"


def _charged(books: Books, taken: dict[str, Decimal], back: dict[str, Decimal]) -> Iterator[Finding]:
    """An order of the shop that nobody touched and that has left whole costs its buyer its total, less what the ERP
    was told that is owed back for goods that came back; a cancelled one costs nothing."""
    owed: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, _, order_id, data in books.truth.of(ERP, "credit_note"):
        owed[order_id] += Decimal(str(data["amount"]))
    kept: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in books.select("SELECT external_id, order_id FROM payments WHERE managed_by = 'hub'"):
        kept[row.order_id] += taken[row.external_id] - back[row.external_id]
    for order in books.truth.at(SHOP):
        hub = books.orders.get((SHOP, order.id))
        if hub is None or books.told.get(hub.id) or ("capture", hub.id) in books.excused:
            continue
        if ("refund", hub.id) in books.excused or ("post_credit_note", hub.id) in books.excused:
            continue
        untouched = not order.touched and order.id not in books.truth.touched_here
        if hub.status == "closed" and untouched and kept[hub.id] != order.total - owed[hub.id]:
            yield (
                "ledger_difference",
                f"order {order.name} costs {order.total} less {owed[hub.id]} owed back, {kept[hub.id]} are kept",
            )
        if hub.status == "cancelled" and kept[hub.id]:
            yield "ledger_difference", f"{kept[hub.id]} are kept for {order.name}, which was cancelled"


def _booked(books: Books, taken: dict[str, Decimal], back: dict[str, Decimal]) -> Iterator[Finding]:
    """Whoever changed what: of an order of the shop that is over and that nobody has to look at, the provider keeps
    what the ERP's invoices say, less its credit notes."""
    booked: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for kind, sign in (("invoice", 1), ("credit_note", -1)):
        for _, _, order_id, data in books.truth.of(ERP, kind):
            booked[order_id] += sign * Decimal(str(data["amount"]))
    kept: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in books.select("SELECT external_id, order_id FROM payments WHERE managed_by = 'hub'"):
        kept[row.order_id] += taken[row.external_id] - back[row.external_id]
    for order in books.at(SHOP):
        waits = any((call, order.id) in books.excused for call in (*MONEY, "post_invoice", "post_credit_note"))
        if order.status not in ("closed", "cancelled") or waits or books.told.get(order.id):
            continue
        if kept[order.id] != booked[order.id]:
            words = f"{kept[order.id]} are kept for {order.external_id}, {booked[order.id]} invoiced and not credited"
            yield "ledger_difference", words


def _paid_back(books: Books) -> Iterator[Finding]:
    """What people here were told to be given back was given back once; no two of these amounts are the same."""
    for asked in books.truth.paid_back:
        hub = books.orders.get((SHOP, asked.order))
        if hub is None or ("refund", hub.id) in books.excused or books.told.get(hub.id):
            continue
        payments = {row.external_id for row in books.select(_PAYMENTS_OF.format(id=hub.id))}
        times = sum(
            1
            for _, _, payment, data in books.truth.of(PAYMENT, "refund")
            if payment in payments and Decimal(str(data["amount"])) == asked.amount
        )
        if times != 1:
            yield "lost" if not times else "duplicate_effects", f"{asked} was given back {times} times"


_PAYMENTS_OF = "SELECT external_id FROM payments WHERE order_id = '{id}'"
