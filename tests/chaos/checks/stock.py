"""More than there is: sold by channels, or reserved and released by the hub."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from hub.store.types import instant_to_database
from tests.chaos.books import MILLION, Books
from tests.chaos.ledgers import ZERO
from tests.chaos.systems import SYSTEMS, WMS

NEVER = 2**62


def oversold(books: Books) -> Iterator[tuple[Decimal, str]]:
    """Units that were released to a location which did not have them, or are reserved there and do not exist."""
    for kind in ("short", "impossible_ship"):
        for _, key, _, data in books.truth.of(WMS, kind):
            units = sum((Decimal(str(line["quantity"])) for line in data["lines"]), ZERO)
            yield units, f"{units} units of {key} were not there ({kind})"
    reserved: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    on_its_way = _left_unheard(books)
    rows = books.select(
        "SELECT sku, location, fulfilment_order_id, line_id, quantity FROM reservations WHERE state IN ('soft', 'firm')"
    )
    for row in rows:
        quantity, part = Decimal(int(row.quantity)) / MILLION, (row.fulfilment_order_id, row.line_id)
        gone = min(quantity, on_its_way[part])
        on_its_way[part] -= gone
        reserved[row.location, row.sku] += quantity - gone
    for (location, sku), units in reserved.items():
        there = books.truth.stock.get((location, sku), ZERO)
        if units > there:
            yield units - there, f"{units} of {sku} are reserved at {location}, {there} lie there"


def _left_unheard(books: Books) -> dict[tuple[str | None, str], Decimal]:
    """(fulfilment order, line) -> units that have left the location and whose notice the hub has not applied: they do
    not lie there any more, and are rightly reserved for their own line until the notice is applied."""
    left: dict[tuple[str | None, str], Decimal] = defaultdict(lambda: ZERO)
    for request in books.truth.requests:
        for line in request.lines:
            left[request.fulfilment_order, line["reference"]] += line["shipped"]
    for row in books.select("SELECT fulfilment_order_id, document FROM shipments"):
        for package in json.loads(row.document).get("packages", []):
            for line in package.get("lines", []):
                part = (row.fulfilment_order_id, str(line.get("line_id") or line.get("line")))
                left[part] = max(ZERO, left[part] - Decimal(str(line["quantity"])))
    return left


@dataclass(slots=True)
class Excess:
    """Units that a channel sold above physical stock, and how many its latency allows."""

    units: int = 0
    bound: int = 0


@dataclass(frozen=True, slots=True)
class _Sale:
    """`kept` of the `units` were not taken back later; the hub knew of them from `captured` on."""

    at: int
    captured: int
    channel: str
    units: int
    kept: int


@dataclass(slots=True)
class _Article:
    sales: list[_Sale] = field(default_factory=list)
    pushes: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Channel -> (arrived, when the hub made it)."""
    overtaken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Channel -> units that left although the channel had taken them back, and offered them again."""


def oversold_by_channel(books: Books) -> dict[str, Excess]:
    """Sales of guarded articles above physical stock, in the order they were made, by the channel that made them.

    A push sets a channel's level to what the hub knew when it made the push. What was sold at this channel before the
    push arrived, and captured by the hub after it was made, is offered there once more; so is everything that others
    have sold and the hub did not know of, until the next push arrives. Besides, a channel that takes back what has
    already left (a cancel that was overtaken) offers those units until the next push. A channel that is shown no levels
    may sell whatever it likes.
    """
    articles = _articles(books)
    channels = {channel for channel, _ in books.truth.orders}
    found = {channel: Excess() for channel in sorted(channels)}
    for sku, article in articles.items():
        left = books.shelf.total(sku)
        article.sales.sort(key=lambda sale: sale.at)
        for sale in article.sales:
            found[sale.channel].units += max(0, sale.kept - max(0, left))
            left -= sale.kept
        for channel in channels:
            found[channel].bound += _bound(article, channel)
    return found


def _bound(article: _Article, channel: str) -> int:
    everything = sum(sale.kept for sale in article.sales if sale.channel == channel)
    if not SYSTEMS[channel].shows_stock:
        return everything
    worst, pushes = 0, sorted(article.pushes[channel])
    for number, (arrived, made) in enumerate(pushes):
        until = pushes[number + 1][0] if number + 1 < len(pushes) else NEVER
        unknown = (
            sale.units
            for sale in article.sales
            if sale.captured > made and sale.at <= (arrived if sale.channel == channel else until)
        )
        worst = max(worst, sum(unknown))
    return min(everything, worst + article.overtaken[channel])


def _articles(books: Books) -> dict[str, _Article]:
    found = {sku: _Article() for sku in books.shelf.guarded}
    named, truth = books.truth.named(), books.truth
    for request in truth.requests:
        order = named.get(request.order_number)
        if order is not None and order.touched:
            for line in request.lines:
                if line["sku"] in found:
                    found[line["sku"]].overtaken[order.channel] += int(line["shipped"])
    placed: dict[tuple[str, str], int] = {}
    for channel in sorted({channel for channel, _ in truth.orders}):
        for at, key, _, _ in truth.of(channel, "order_placed"):
            placed[channel, key] = _micros(at)
        sold = {(key, sku): int(data["quantity"]) for _, key, sku, data in truth.of(channel, "sale")}
        for order in truth.at(channel):
            hub = books.orders.get((channel, order.id))
            for sku in {sku for sku, _ in order.lines}:
                if sku in found:
                    kept = order.units(sku)
                    units = max(kept, sold.get((order.id, sku), kept))
                    captured = hub.created_at if hub else NEVER
                    sale = _Sale(placed[channel, order.id], captured, channel, units, kept)
                    found[sku].sales.append(sale)
        made = _made_pushes(books, channel)
        for at, _, sku, data in truth.of(channel, "stock_push"):
            if sku in found:
                arrived = _micros(at)
                known = (one for one, quantity in made.get(sku, ()) if one <= arrived and quantity == data["quantity"])
                found[sku].pushes[channel].append((arrived, max(known, default=0)))
    return found


def _made_pushes(books: Books, channel: str) -> dict[str, list[tuple[int, int]]]:
    """SKU -> (when the hub made it, quantity) of every stock push to a channel."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = books.select(
        "SELECT d.created_at, b.body FROM deliveries d JOIN bodies b ON b.id = d.body_id"
        f" WHERE d.capability = 'push_inventory' AND d.destination = '{channel}' AND b.body IS NOT NULL"
    )
    for row in rows:
        payload = json.loads(bytes(row.body))
        found[str(payload.get("sku"))].append((int(row.created_at), int(Decimal(str(payload.get("quantity", "0"))))))
    return found


def _micros(at: str) -> int:
    return instant_to_database(dt.datetime.fromisoformat(at))
