"""What every channel may expect: its orders are known once, it hears of every package, and nobody invents orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.books import TOLD, Books, Finding


def check(books: Books, channel: str) -> Iterator[Finding]:
    yield from _captured(books, channel)
    yield from _told(books, channel)
    yield from _cancelled(books, channel)


def _captured(books: Books, channel: str) -> Iterator[Finding]:
    told = TOLD.format(kind="message", id="m.id")
    visible = {
        row.external_id
        for row in books.select(
            "SELECT external_id FROM messages m"
            f" WHERE m.connection = '{channel}' AND m.stream = 'orders' AND m.state = 'parked' AND {told}"
        )
    }
    for order in books.truth.at(channel):
        if (channel, order.id) not in books.orders and order.id not in visible:
            yield "lost", f"order {order.name} ({order.id}) of the {channel} is not in the hub and nobody is told"
    for external_id, many in Counter(order.external_id for order in books.at(channel)).items():
        if many > 1:
            yield "duplicate_effects", f"the hub has the {channel}'s order {external_id} {many} times"
        if (channel, external_id) not in books.truth.orders:
            yield "bad_accepted", f"the hub has an order {external_id} that the {channel} never had"


def _told(books: Books, channel: str) -> Iterator[Finding]:
    """Of every package that left for one of its orders, and of no other. A cancelled order takes no more news."""
    orders = {order.name: order for order in books.truth.at(channel)}
    left: dict[str, set[str]] = {}
    for parcel in books.truth.parcels:
        order = orders.get(parcel.order_number)
        if order is None:
            continue
        left.setdefault(order.name, set()).add(parcel.tracking)
        hub = books.orders.get((channel, order.id))
        excused = hub is not None and ("push_shipment", hub.id) in books.excused
        if parcel.tracking and parcel.tracking not in order.told and not order.cancelled and not excused:
            yield "lost", f"the {channel} was not told of package {parcel.tracking} of order {order.name}"
    for order in orders.values():
        for tracking in order.told - left.get(order.name, set()):
            yield "ledger_difference", f"the {channel} was told of package {tracking} of {order.name}, which never left"


def _cancelled(books: Books, channel: str) -> Iterator[Finding]:
    for order in books.truth.at(channel):
        hub = books.orders.get((channel, order.id))
        if hub and order.cancelled and hub.id in books.unfinished and hub.id not in books.told:
            yield "lost", f"order {order.name} was cancelled at the {channel}, the hub goes on with it ({hub.status})"
