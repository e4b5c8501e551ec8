"""The warehouse: asked once, never for more than was ordered; what leaves and what lies there is known to the hub."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import MILLION, Books, Finding
from tests.chaos.ledgers import ZERO
from tests.chaos.systems import WMS

LEFT = ("shipped", "delivered", "lost", "returned_to_sender", "handed_over", "over_shipped")
"""Where the hub counts what has left, by a location or by a channel's hand; here nobody ships by hand."""


def check(books: Books) -> Iterator[Finding]:
    yield from _asked(books)
    yield from _left(books)
    yield from _doubled(books)
    yield from _stock(books)


def _asked(books: Books) -> Iterator[Finding]:
    """What the hub says it asked of a location was asked."""
    asked = {request.fulfilment_order for request in books.truth.requests}
    for row in books.select(
        "SELECT id, state FROM fulfilment_orders WHERE state NOT IN ('planned', 'cancelled', 'unknown', 'rejected')"
    ):
        if row.id not in asked:
            yield "lost", f"fulfilment order {row.id} is {row.state} and the location was never asked"


def _left(books: Books) -> Iterator[Finding]:
    """What left the location is known to the hub."""
    known: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in books.select("SELECT document FROM shipments"):
        for package in json.loads(row.document).get("packages", []):
            for line in package.get("lines", []):
                known[str(line.get("line_id") or line.get("line"))] += Decimal(str(line["quantity"]))
    left: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for request in books.truth.requests:
        for line in request.lines:
            left[line["reference"]] += line["shipped"]
    for line_id in left.keys() | known.keys():
        if left[line_id] != known[line_id]:
            yield "lost", f"of line {line_id} the location shipped {left[line_id]}, the hub knows of {known[line_id]}"
    for row in books.select(f"SELECT id, {' + '.join(sorted(LEFT))} AS units FROM order_lines"):
        counted = Decimal(int(row.units)) / MILLION
        if counted != left[row.id]:
            words = f"of line {row.id} {left[row.id]} left the locations, the hub counts {counted}"
            yield "ledger_difference", words


def _doubled(books: Books) -> Iterator[Finding]:
    """A location is asked once by key; all locations together are never asked for more than was ordered."""
    for kind in ("fulfilment_request", "cancel_request", "label"):
        for key, many in books.truth.doubled(WMS, kind):
            yield "duplicate_effects", f"the warehouse has {many} documents {kind} of {key}"
    wanted: Counter[str] = Counter()
    for request in books.truth.requests:
        for line in request.lines:
            live = line["ordered"] - line["cancelled"] - line["short"]
            wanted[line["reference"]] += line["shipped"] if request.status == "rejected" else live
    ordered = {
        row.id: Decimal(int(row.ordered)) / MILLION for row in books.select("SELECT id, ordered FROM order_lines")
    }
    for line_id, quantity in wanted.items():
        if quantity > ordered.get(line_id, ZERO):
            words = f"locations were asked for {quantity} of line {line_id}, ordered {ordered.get(line_id, ZERO)}"
            yield "duplicate_effects", words


def _stock(books: Books) -> Iterator[Finding]:
    known = {
        (row.location, row.sku): Decimal(int(row.on_hand)) / MILLION
        for row in books.select("SELECT location, sku, on_hand FROM stock")
    }
    for spot, units in books.truth.stock.items():
        if known.get(spot, ZERO) != units:
            yield "ledger_difference", f"{units} of {spot[1]} lie at {spot[0]}, the hub says {known.get(spot, ZERO)}"
