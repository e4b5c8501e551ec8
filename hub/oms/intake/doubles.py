"""Orders placed twice: the same buyer, the same lines, within a time, under another id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hub.domain.order import OrderStatus
from hub.oms.desk.load import Case

AT_MOST = 50


def duplicate_key(case: Case, record: Mapping[str, Any]) -> str | None:
    """What two orders have in common that may be the same one; None where nobody looks, or the buyer is not known.

    The key holds nothing that tells who the buyer is: a hash of what the source says.
    """
    lines = record.get("lines") or ()
    buyer: Mapping[str, Any] = record.get("buyer") or {}
    who = str(buyer.get("email") or "").strip().lower()
    if not who and buyer.get("external_id"):
        who = f"{case.order.channel}|{buyer['external_id']}"
    if not case.rules.duplicate_within or not who or not lines:
        return None
    wanted = sorted((str(line.get("sku") or line.get("title") or ""), str(line.get("quantity", ""))) for line in lines)
    text = json.dumps([who, record.get("currency"), wanted], separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def doubles(case: Case) -> list[str]:
    """Numbers of the orders that came before this one and say the same."""
    found = []
    for row in same_orders(case):
        earlier = (row["created_at"], row["id"]) < (case.order.created_at or case.now, case.order.id)
        if earlier and row["status"] != OrderStatus.CANCELLED.value:
            found.append(str(row["number"] or row["external_id"]))
    return found


def same_orders(case: Case) -> list[dict[str, Any]]:
    """Rows of the orders that say the same, whichever came first, but those that are known to belong together."""
    order, within = case.order, case.rules.duplicate_within
    if order.duplicate_key is None or not within or order.placed_at is None:
        return []
    rows = case.snapshot.rows("orders", {"duplicate_key": order.duplicate_key}, order_by=("id",), limit=AT_MOST)
    placed = order.placed_at
    near = [
        row for row in rows if row["id"] != order.id and row["placed_at"] and abs(row["placed_at"] - placed) <= within
    ]
    return [row for row in near if not _linked(case, row["id"])]


def _linked(case: Case, other: str) -> bool:
    pairs = ((case.order.id, other), (other, case.order.id))
    return any(
        case.snapshot.rows("order_links", {"order_id": one, "other_order_id": two}, limit=1) for one, two in pairs
    )
