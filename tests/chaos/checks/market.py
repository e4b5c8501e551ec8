"""The marketplace: a channel that is polled, whose buyers ask to cancel and get an answer by what happens."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.books import Books, Finding
from tests.chaos.checks import channel
from tests.chaos.systems import MARKET

ANSWERS = frozenset({"cancel_too_late", "cancel_refused"})
"""What a person is told where a wish to cancel came too late."""


def check(books: Books) -> Iterator[Finding]:
    yield from channel.check(books, MARKET)
    for key, many in books.truth.doubled(MARKET, "fulfilment"):
        yield "duplicate_effects", f"the marketplace has package {key} {many} times"
    for _, key, _, _ in books.truth.of(MARKET, "cancel_request"):
        order = books.truth.orders[MARKET, key]
        hub = books.orders.get((MARKET, key))
        if hub is None:
            continue  # which is lost, and said so
        told = books.told.get(hub.id, set())
        if books.shipped[order.name]:
            if not told & ANSWERS:
                words = f"order {key} was to be cancelled and has left all the same ({hub.status})"
                yield "lost", f"{words}; people are told of {', '.join(sorted(told)) or 'nothing'}"
        elif hub.status != "cancelled" and not told:
            yield "lost", f"the buyer of {key} asked to cancel, the hub has it as {hub.status}"
        elif hub.status == "cancelled" and not order.cancelled and not told:
            yield "lost", f"order {key} is cancelled here, and nobody is told that the marketplace still expects it"
