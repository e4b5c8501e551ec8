"""The shop: a channel that pushes its orders, and the address that forgers write to."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.books import Books, Finding
from tests.chaos.checks import channel
from tests.chaos.systems import SHOP


def check(books: Books) -> Iterator[Finding]:
    yield from channel.check(books, SHOP)
    for kind, what in (("fulfilment", "fulfilments"), ("stock_push", "stock pushes")):
        for key, many in books.truth.doubled(SHOP, kind):
            yield "duplicate_effects", f"the shop has {many} {what} of {key}"
    for row in books.select("SELECT id, delivery_id FROM receipts WHERE delivery_id LIKE 'forged-%'"):
        yield "bad_accepted", f"the forged delivery {row.delivery_id} was kept as receipt {row.id}"
    parsed = "SELECT id, delivery_id FROM receipts WHERE delivery_id LIKE 'corrupt-%' AND state = 'parsed'"
    for row in books.select(parsed):
        yield "bad_accepted", f"the corrupt delivery {row.delivery_id} passed as readable ({row.id})"
