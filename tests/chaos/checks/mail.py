"""The mail server: each buyer of the shop is written once of each fact, the order and every package that left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.books import Books, Finding
from tests.chaos.systems import MAIL, SHOP


def check(books: Books) -> Iterator[Finding]:
    letters = [data for _, _, _, data in books.truth.of(MAIL, "mail")]
    yield from _doubled(books, [f"{one['to']}: {one['subject']}: {one['text']}" for one in letters])
    confirmed = " ".join(one["subject"] for one in letters if "on its way" not in one["subject"]).split()
    texts = "\n".join(one["text"] for one in letters)
    for order in books.truth.at(SHOP):
        hub = books.orders.get((SHOP, order.id))
        if hub is None or not hub.confirmed_at or ("notify", hub.id) in books.excused:
            continue
        if order.name not in confirmed:
            yield "lost", f"the buyer of {order.name} was never written that the order is taken"
    orders = {order.name: order for order in books.truth.at(SHOP)}
    for parcel in books.truth.parcels:
        sold = orders.get(parcel.order_number)
        hub = books.orders.get((SHOP, sold.id)) if sold else None
        if hub is None or not parcel.tracking or ("notify", hub.id) in books.excused:
            continue
        if parcel.tracking not in texts:
            yield "lost", f"the buyer of {parcel.order_number} was never written of package {parcel.tracking}"


def _doubled(books: Books, written: list[str]) -> Iterator[Finding]:
    """The same words to the same person under two Message-IDs; a mailbox shows those of one id once."""
    for key, many in books.truth.doubled(MAIL, "mail"):
        yield "duplicate_effects", f"the mail server took {many} mails of the id {key}"
    for words, many in Counter(written).items():
        if many > 1:
            yield "duplicate_effects", f"{many} mails say the same: {words[:120]}"
