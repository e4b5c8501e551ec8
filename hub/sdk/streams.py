"""The closed list of streams: what kinds of record the hub reads, and the rule each kind follows."""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """How records of a stream supersede each other.

    state: the whole entity restated. fact: something happened once. delta: a change, in sequence.
    snapshot: a list as of a time.
    """

    STATE = "state"
    FACT = "fact"
    DELTA = "delta"
    SNAPSHOT = "snapshot"


class Record(enum.StrEnum):
    """Canonical records; each has a schema of the same name in openapi/schemas."""

    ORDER = "Order"
    ORDER_CHANGE = "OrderChange"
    CANCEL_REQUEST = "CancelRequest"
    FULFILMENT_RESPONSE = "FulfilmentResponse"
    SHIPMENT_NOTICE = "ShipmentNotice"
    STOCK_SNAPSHOT = "StockSnapshot"
    STOCK_MOVEMENT = "StockMovement"
    SUPPLY_NOTICE = "SupplyNotice"
    TRACKING_SCAN = "TrackingScan"
    PAYMENT_EVENT = "PaymentEvent"
    REFUND_EVENT = "RefundEvent"
    RETURN_NOTICE = "ReturnNotice"
    PAYOUT = "Payout"
    ITEM = "Item"
    CUSTOMER = "Customer"
    ACKNOWLEDGEMENT = "Acknowledgement"
    REPLY = "Reply"


STREAMS: dict[str, tuple[Record, Kind]] = {
    "orders": (Record.ORDER, Kind.STATE),
    "order_changes": (Record.ORDER_CHANGE, Kind.DELTA),
    "cancel_requests": (Record.CANCEL_REQUEST, Kind.FACT),
    "fulfilment_responses": (Record.FULFILMENT_RESPONSE, Kind.FACT),
    "shipments": (Record.SHIPMENT_NOTICE, Kind.FACT),
    "stock": (Record.STOCK_SNAPSHOT, Kind.SNAPSHOT),
    "stock_movements": (Record.STOCK_MOVEMENT, Kind.DELTA),
    "supply": (Record.SUPPLY_NOTICE, Kind.STATE),
    "tracking": (Record.TRACKING_SCAN, Kind.FACT),
    "payments": (Record.PAYMENT_EVENT, Kind.FACT),
    "refunds": (Record.REFUND_EVENT, Kind.FACT),
    "returns": (Record.RETURN_NOTICE, Kind.FACT),
    "payouts": (Record.PAYOUT, Kind.FACT),
    "items": (Record.ITEM, Kind.STATE),
    "customers": (Record.CUSTOMER, Kind.STATE),
    "acknowledgements": (Record.ACKNOWLEDGEMENT, Kind.FACT),
    "replies": (Record.REPLY, Kind.FACT),
}
"""Stream name -> the canonical record it carries and its kind. `replies` is fed by settling deliveries only."""

GROUP_REFERENCE = "functional_group"
"""Entity of the cross-references by which an answer names a delivery otherwise than by its key: by its group."""

FAMILIES: dict[str, str] = {"orders": "orders", "cancel_requests": "orders", "order_changes": "orders"}
"""Streams that restate or change one entity share a family, so that intake serialises them per entity."""


def family(stream: str) -> str:
    """The serialisation family of a stream: its own name unless it shares an entity with another."""
    return FAMILIES.get(stream, stream)
