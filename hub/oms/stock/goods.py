"""Goods that leave a location or come to one: stock on hand and its journal, in step with what was counted since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from hub.domain.stock import Mark, Means, later, movement_effect, not_yet
from hub.domain.writeset import StockChange
from hub.oms.desk.load import Case
from hub.oms.money.posting import post_goods_movement
from hub.oms.stock.stock import complete_mark, counted_at

ZERO = Decimal(0)


def take_from_stock(
    case: Case,
    location: str,
    source: str,
    taken: Mapping[str, Decimal],
    at: dt.datetime,
    movement: str = "issue",
    *,
    reserved: bool = True,
) -> None:
    """Take SKU -> units off a location's stock, unless a newer count has done so; journal it either way. `source` is
    the connection that told of it, `movement` what the ERP calls it (GoodsMovement.kind). `reserved`: they were work of
    the location, which its counts may leave out while it is in progress."""
    at = happened(case, at)
    rule = case.location(location)
    means = rule.stock_means if rule else Means.ON_HAND
    where = {"sku": tuple(sorted(taken)), "location": location}
    known = {row["sku"]: row for row in case.snapshot.rows("stock", where)} if taken else {}
    whole = complete_mark(case.snapshot, location) if taken else None
    for sku in sorted(taken):
        row = known.get(sku)
        snapshot = later(counted_at(row), whole)
        delta = -taken[sku]
        # A source that excludes work in progress does not say when goods left: on hand still holds them here.
        inside = reserved and means != Means.ON_HAND
        effect = delta if inside else movement_effect(delta, Mark(at), snapshot)
        if effect:
            case.stock.append(StockChange(sku, location, on_hand=effect))
            if row is not None:
                # A count that is applied meanwhile may hold this shipment already: then it is decided anew.
                uncounted = {"sku": sku, "location": location, "as_of": row["as_of"]}
                case.decision.writes.update("stock", uncounted, {"updated_at": case.now})
        journal(case, sku, location, "on_hand", "shipment", effect, source, at, f"shipped for {case.order.id}")
        key = f"shipped/{case.new_id('gm', sku, location)}"
        post_goods_movement(case, key, movement, location, sku, taken[sku], "shipped")


def happened(case: Case, at: dt.datetime) -> dt.datetime:
    """When goods moved: what is told with a time that is still to come has happened by now."""
    return case.now if not_yet(at, case.now) else at


def journal(
    case: Case,
    sku: str,
    location: str,
    bucket: str,
    kind: str,
    delta: Decimal,
    source: str,
    at: dt.datetime,
    reason: str,
) -> None:
    """One entry of the journal of stock. `kind`: shipment | movement | adjustment | return."""
    case.journal.append(
        {
            "id": case.new_id("se", sku, location),
            "sku": sku,
            "location": location,
            "bucket": bucket,
            "kind": kind,
            "delta": delta,
            "absolute": None,
            "source": source,
            "source_time": at,
            "reason": reason,
            "cause": case.cause,
            "sequence": f"{case.now.isoformat()}/{case.cause}",
        }
    )
