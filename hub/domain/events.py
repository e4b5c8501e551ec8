"""Names of the facts that the hub tells others: CloudEvents types `hub.<entity>.<fact>.v1`."""

from __future__ import annotations

import enum


class Fact(enum.StrEnum):
    ORDER_CAPTURED = "hub.order.captured.v1"
    ORDER_CHANGED = "hub.order.changed.v1"
    ORDER_HELD = "hub.order.held.v1"
    ORDER_RELEASED = "hub.order.released.v1"
    ORDER_ALLOCATED = "hub.order.allocated.v1"
    ORDER_BACKORDERED = "hub.order.backordered.v1"
    ORDER_CONFIRMED = "hub.order.confirmed.v1"
    ORDER_CANCELLED = "hub.order.cancelled.v1"
    ORDER_CLOSED = "hub.order.closed.v1"
    ORDER_POSTED = "hub.order.posted.v1"
    ORDER_REFUNDED = "hub.order.refunded.v1"
    ORDER_LINKED = "hub.order.linked.v1"
    WORK_PLANNED = "hub.fulfilment_order.planned.v1"
    WORK_SENT = "hub.fulfilment_order.sent.v1"
    WORK_REPORTED = "hub.fulfilment_order.reported.v1"
    WORK_SHORT = "hub.fulfilment_order.short.v1"
    WORK_REJECTED = "hub.fulfilment_order.rejected.v1"
    WORK_CANCEL_ASKED = "hub.fulfilment_order.cancel_asked.v1"
    WORK_CANCEL_ANSWERED = "hub.fulfilment_order.cancel_answered.v1"
    SHIPMENT_SHIPPED = "hub.shipment.shipped.v1"
    PACKAGE_LABELLED = "hub.package.labelled.v1"
    PACKAGE_VOIDED = "hub.package.voided.v1"
    PACKAGE_SCANNED = "hub.package.scanned.v1"
    PACKAGE_DELIVERED = "hub.package.delivered.v1"
    STOCK_COUNTED = "hub.stock.counted.v1"
    STOCK_ADJUSTED = "hub.stock.adjusted.v1"
