"""Reading ahead: what the handlers of a batch will ask, a table at a time instead of an order at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.domain.snapshot import BatchSnapshot, Coming
from hub.oms.desk.load import preload
from hub.oms.ports import Rules
from hub.oms.promise import publish
from hub.oms.stock.reserve import UNASSIGNED

BY_ORDER = ("orders", "cancel_requests", "refunds")
"""Streams whose records name the order as its channel does."""
SOURCING = ("allocate", "resource")
"""Tasks that ask where the goods of their orders are."""


def reading_ahead(rules: Rules) -> Callable[[BatchSnapshot, Sequence[Coming]], None]:
    """Only saves time: what is not foreseen here is read when it is asked for."""

    def read(snapshot: BatchSnapshot, coming: Sequence[Coming]) -> None:
        orders = {one.subject: None for one in coming if one.subject and one.kind != publish.PUSH_STOCK}
        stated = _by_channel(snapshot, coming)
        snapshot.prefetch("contacts", "order_id", stated, order_by=("id",))
        orders |= dict.fromkeys(stated)
        orders |= dict.fromkeys(_by_work(snapshot, coming))
        preload(snapshot, list(orders))
        named: dict[str, dict[str, None]] = {}
        for one in coming:
            if one.kind == "orders":
                said = [str(line["sku"]) for line in one.record.get("lines") or () if line.get("sku")]
                named.setdefault(one.connection, {}).update(dict.fromkeys(said))
        for connection, theirs in named.items():
            snapshot.prefetch("listings", "theirs", list(theirs), where={"connection": connection}, order_by=("id",))
        skus = [sku for theirs in named.values() for sku in theirs]
        snapshot.prefetch("items", "sku", list(dict.fromkeys([*skus, *snapshot.ahead_of("listings", "ours")])))
        _for_sourcing(snapshot, [one.subject for one in coming if one.kind in SOURCING])
        pushed = dict.fromkeys(one.subject for one in coming if one.kind == publish.PUSH_STOCK)
        publish.preload(snapshot, rules, list(pushed))

    return read


def _for_sourcing(snapshot: BatchSnapshot, orders: Sequence[str]) -> None:
    """What is asked of the SKUs of orders that are about to be sourced, and where the goods are to go."""
    if not orders:
        return
    snapshot.prefetch("contacts", "order_id", orders, order_by=("id",))
    skus = snapshot.ahead_of("order_lines", "sku")
    snapshot.prefetch("items", "sku", skus)
    snapshot.prefetch("stock", "sku", skus)
    snapshot.prefetch("reservations", "sku", skus, where=UNASSIGNED, order_by=("place", "id"))


def _by_channel(snapshot: BatchSnapshot, coming: Sequence[Coming]) -> list[str]:
    named: dict[tuple[str, str], list[str]] = {}
    for one in coming:
        if one.kind in BY_ORDER and one.external_id:
            named.setdefault((one.connection, one.scope), []).append(one.external_id)
    found = []
    for (channel, scope), external_ids in named.items():
        where = {"channel": channel, "scope": scope}
        snapshot.prefetch("orders", "external_id", external_ids, where=where)
        for external_id in external_ids:
            rows = snapshot.rows("orders", {**where, "external_id": external_id}, limit=1)
            found += [row["id"] for row in rows]
    return found


def _by_work(snapshot: BatchSnapshot, coming: Sequence[Coming]) -> list[str]:
    named = dict.fromkeys(str(one.record["fulfilment_order"]) for one in coming if one.record.get("fulfilment_order"))
    snapshot.prefetch("fulfilment_orders", "id", list(named))
    rows = (snapshot.row("fulfilment_orders", {"id": work_id}) for work_id in named)
    return [row["order_id"] for row in rows if row is not None]
