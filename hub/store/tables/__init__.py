"""Every table of the hub. Ids are text, ours, prefixed and time-ordered; amounts are BIGINT of 10^-6; times UTC.

Personal data lives in `bodies` and `contacts` only. Numbers behind `state` columns are texts of closed sets that
semantics and model name; partial indexes keep claims cheap.
"""

from __future__ import annotations

from hub.store.tables import change, inbox, money, operation, order, outbox, returns, stock, supply
from hub.store.tables.naming import metadata
from hub.store.tables.order import BUCKETS

__all__ = [
    "BUCKETS",
    "change",
    "inbox",
    "metadata",
    "money",
    "operation",
    "order",
    "outbox",
    "returns",
    "stock",
    "supply",
]
