"""The ERP: a document for every order, change and invoice, each once, with the channel's amounts to the cent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import MILLION, Books, Finding
from tests.chaos.ledgers import ZERO
from tests.chaos.systems import ERP

DOCUMENTS = ("sales_order", "order_change", "order_cancel", "invoice", "credit_note")


def check(books: Books) -> Iterator[Finding]:
    yield from _lost(books)
    yield from _doubled(books)
    yield from _totals(books)
    yield from _credited(books)


def _lost(books: Books) -> Iterator[Finding]:
    """A confirmed order is in the ERP, a cancelled one is cancelled there too, a shipment has its invoice."""
    truth = books.truth
    posted = {subject for _, _, subject, _ in truth.of(ERP, "sales_order")}
    cancelled = {subject for _, _, subject, _ in truth.of(ERP, "order_cancel")}
    invoiced = {part for _, key, _, _ in truth.of(ERP, "invoice") for part in key.split("/")}
    for (channel, external_id), order in books.orders.items():
        if (channel, external_id) not in truth.orders:
            continue
        submitted = order.id in posted or ("submit_order", order.id) in books.excused
        if order.status in ("confirmed", "closed") and not submitted:
            yield "lost", f"order {order.id} is {order.status} and the ERP has no document of it"
        taken_back = order.id in cancelled or ("cancel_order", order.id) in books.excused
        if order.status == "cancelled" and order.id in posted and not taken_back:
            yield "lost", f"order {order.id} is cancelled and the ERP was never told"
    for row in books.select(
        "SELECT s.id, s.order_id FROM shipments s JOIN orders o ON o.id = s.order_id WHERE o.order_type <> 'transfer'"
    ):
        if row.id not in invoiced and ("post_invoice", row.order_id) not in books.excused:
            yield "lost", f"shipment {row.id} of order {row.order_id} has no invoice in the ERP"


def _doubled(books: Books) -> Iterator[Finding]:
    for kind in DOCUMENTS:
        for key, many in books.truth.doubled(ERP, kind):
            yield "duplicate_effects", f"the ERP has {many} documents {kind} of {key}"
    for one, many in Counter(subject for _, _, subject, _ in books.truth.of(ERP, "sales_order")).items():
        if many > 1:
            yield "duplicate_effects", f"the ERP has {many} sales orders of order {one}"


def _totals(books: Books) -> Iterator[Finding]:
    """What the ERP was told of an order nobody touched is what its channel charged; invoices add up to it."""
    told = {subject: Decimal(str(data["amount"])) for _, _, subject, data in books.truth.of(ERP, "sales_order")}
    invoiced: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, _, subject, data in books.truth.of(ERP, "invoice"):
        invoiced[subject] += Decimal(str(data["amount"]))
    for key, sold in books.truth.orders.items():
        hub = books.orders.get(key)
        if hub is None or sold.touched or sold.id in books.truth.touched_here or hub.id not in told:
            continue
        costs = f"order {sold.name} costs {sold.total} at the {sold.channel}"
        if told[hub.id] != sold.total:
            yield "ledger_difference", f"{costs} and {told[hub.id]} in the ERP"
        if hub.status == "closed" and hub.id in invoiced and invoiced[hub.id] != sold.total:
            yield "ledger_difference", f"{costs}, its invoices add up to {invoiced[hub.id]}"


def _credited(books: Books) -> Iterator[Finding]:
    """Whatever was given for goods that came back has its credit note over the same amount, and nothing came back of
    which nobody was told and for which nothing was given."""
    notes: dict[str, Decimal] = {}
    for _, key, _, data in books.truth.of(ERP, "credit_note"):
        notes[key.rpartition("return/")[2]] = Decimal(str(data["amount"]))
    given: dict[str, int] = defaultdict(int)
    for row in books.select("SELECT id, order_id, amount FROM return_settlements"):
        given[row.order_id] += 1
        worth, told = Decimal(int(row.amount)) / MILLION, notes.get(row.id, ZERO)
        if worth != told and ("post_credit_note", row.order_id) not in books.excused:
            yield "lost", f"{worth} were given for a return of order {row.order_id}, the ERP was told of {told}"
    named = {sold.name: key for key, sold in books.truth.orders.items()}
    for name in books.truth.returned:
        hub = books.orders.get(named[name])
        if hub is not None and not given[hub.id] and not books.told.get(hub.id):
            yield "lost", f"goods of order {name} came back, nothing was given for them, and nobody is told"
