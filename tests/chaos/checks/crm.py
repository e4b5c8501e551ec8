"""The CRM: who bought is told, once for each order or by a later order of the same buyer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos.books import Books, Finding
from tests.chaos.systems import CRM


def check(books: Books) -> Iterator[Finding]:
    told: dict[tuple[str, str], list[str]] = {}
    orders: Counter[str] = Counter()
    for _, _, _, data in books.truth.of(CRM, "customer_put"):
        body: dict[str, Any] = data["body"]
        order = str((body.get("last_order") or {}).get("order", ""))
        orders[order] += 1
        told.setdefault((str(body.get("source")), _buyer(body)), []).append(order)
    for written, many in books.truth.doubled(CRM, "customer_put"):
        yield "duplicate_effects", f"the CRM has {many} writes of {written}"
    for order, many in orders.items():
        if order and many > 1:
            yield "duplicate_effects", f"the CRM was told {many} times of order {order}"
    for key, sold in books.truth.orders.items():
        hub = books.orders.get(key)
        if hub is None or hub.status not in ("confirmed", "closed") or ("upsert_customer", hub.id) in books.excused:
            continue
        if not _heard(books, told.get((sold.channel, sold.buyer), []), hub.id):
            yield "lost", f"the CRM was never told who bought {sold.name} at the {sold.channel}"


def _buyer(body: dict[str, Any]) -> str:
    """The channel's own id of them, else their address for mail."""
    return str(body.get("source_customer") or body.get("email") or "")


def _heard(books: Books, told: list[str], order_id: str) -> bool:
    """Of this order, or of one that was confirmed after it: two that wait together are told as one."""
    confirmed = books.by_id[order_id].confirmed_at
    return any(one in books.by_id and books.by_id[one].confirmed_at >= confirmed for one in told)
