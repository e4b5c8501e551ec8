"""Goods that come into a location beside counts and shipments: into the bucket that they belong to, and the journal."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.stock import Mark, later, movement_effect
from hub.domain.writeset import StockChange
from hub.oms.desk.load import Case
from hub.oms.stock.goods import happened, journal
from hub.oms.stock.stock import complete_mark, counted_at

ON_HAND, QUARANTINE, DAMAGED = "on_hand", "quarantine", "damaged"


def put_into_stock(
    case: Case,
    location: str,
    sku: str,
    bucket: str,
    units: Decimal,
    at: dt.datetime,
    source: str,
    reason: str,
) -> None:
    """Add units (negative: take them out) as of `at`. On hand, a count that is newer has them already: then the journal
    has an entry without effect."""
    at = happened(case, at)
    row = case.snapshot.row("stock", {"sku": sku, "location": location})
    effect = units
    if bucket == ON_HAND:
        counted = later(counted_at(row), complete_mark(case.snapshot, location))
        effect = movement_effect(units, Mark(at), counted)
        if effect and row is not None:
            # A count that is applied meanwhile may hold these goods already: then it is decided anew.
            uncounted = {"sku": sku, "location": location, "as_of": row["as_of"]}
            case.decision.writes.update("stock", uncounted, {"updated_at": case.now})
    if effect:
        case.stock.append(_change(sku, location, bucket, effect))
    journal(case, sku, location, bucket, "return", effect, source, at, reason)


def _change(sku: str, location: str, bucket: str, units: Decimal) -> StockChange:
    match bucket:
        case "quarantine":
            return StockChange(sku, location, quarantine=units)
        case "damaged":
            return StockChange(sku, location, damaged=units)
        case _:
            return StockChange(sku, location, on_hand=units)
