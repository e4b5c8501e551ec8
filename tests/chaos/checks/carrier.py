"""The carrier: one label a package, each used or given back, and every cent of it in the hub's books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import MILLION, Books, Finding
from tests.chaos.ledgers import ZERO, moment
from tests.chaos.systems import CARRIER, LABELLED


def check(books: Books) -> Iterator[Finding]:
    yield from _doubled(books)
    yield from _used(books)
    yield from _money(books)
    yield from _delivered(books)


def _voided(books: Books) -> dict[str, Decimal]:
    """Label id -> what came back."""
    return {label: Decimal(data["refunded"]) for _, _, label, data in books.truth.of(CARRIER, "void")}


def _doubled(books: Books) -> Iterator[Finding]:
    for reference, many in books.truth.doubled(CARRIER, "label"):
        yield "duplicate_effects", f"the carrier has sold {many} labels of {reference}"
    voided = _voided(books)
    sold = books.truth.of(CARRIER, "label")
    live = Counter(reference.partition("/label/")[0] for _, reference, label, _ in sold if label not in voided)
    for package, many in live.items():
        if many > 1:
            yield "duplicate_effects", f"{package} has {many} labels that were not given back"


def _used(books: Books) -> Iterator[Finding]:
    voided = _voided(books)
    left = {parcel.tracking for parcel in books.truth.parcels}
    order_of = {row.external_id: row.order_id for row in books.select("SELECT external_id, order_id FROM labels")}
    codes = set()
    for _, reference, label, data in books.truth.of(CARRIER, "label"):
        codes.add(data["tracking_code"])
        used = data["tracking_code"] in left
        if used and label in voided:
            yield "ledger_difference", f"label {label} of {reference} was given back, and its parcel has left"
        if not used and label not in voided and not books.told.get(order_of.get(label, "")):
            yield "lost", f"label {label} of {reference} was paid, is on no parcel, and nobody is told"
    for parcel in books.truth.parcels:
        if parcel.warehouse == LABELLED and parcel.tracking not in codes:
            words = f"{parcel.package} of {parcel.order_number} left with {parcel.tracking or 'no number'}"
            yield "ledger_difference", f"{words}, which the carrier never sold"


def _money(books: Books) -> Iterator[Finding]:
    """Label by label, and so in sum."""
    known = {
        row.external_id: (Decimal(int(row.cost or 0)) / MILLION, Decimal(int(row.refunded)) / MILLION)
        for row in books.select("SELECT external_id, cost, refunded FROM labels WHERE external_id IS NOT NULL")
    }
    voided = _voided(books)
    for _, reference, label, data in books.truth.of(CARRIER, "label"):
        theirs = Decimal(data["amount"]), voided.get(label, ZERO)
        ours = known.pop(label, (ZERO, ZERO))
        if ours != theirs:
            words = "label {} of {} cost {} and {} came back, the hub says {} and {}"
            yield "ledger_difference", words.format(label, reference, *theirs, *ours)
    for label in known:
        yield "ledger_difference", f"the hub has a label {label} that the carrier never sold"


def _delivered(books: Books) -> Iterator[Finding]:
    """What the carrier has delivered is delivered here too, where there was time to say so."""
    state = {
        row.tracking_number: row.state
        for row in books.select("SELECT tracking_number, state FROM packages WHERE tracking_number IS NOT NULL")
    }
    left = {parcel.tracking for parcel in books.truth.parcels}
    for at, _, tracking, data in books.truth.of(CARRIER, "scan"):
        in_time = books.quiet_since is not None and moment(at) < books.quiet_since
        if data["status"] == "delivered" and in_time and tracking in left and state.get(tracking) != "delivered":
            yield "lost", f"parcel {tracking} was delivered, the hub has it as {state.get(tracking, 'unknown')}"
