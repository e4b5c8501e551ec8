"""Names of the facts that the hub tells others: CloudEvents types `hub.<entity>.<fact>.v1`."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Fact(enum.StrEnum):
    MESSAGE_NOTED = "hub.message.noted.v1"
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
    ORDER_SOLD = "hub.order.sold.v1"
    ORDER_AT_RISK = "hub.order.at_risk.v1"
    ORDER_LINKED = "hub.order.linked.v1"
    PAYMENT_AUTHORISED = "hub.payment.authorised.v1"
    PAYMENT_CAPTURE_ASKED = "hub.payment.capture_asked.v1"
    PAYMENT_CAPTURED = "hub.payment.captured.v1"
    PAYMENT_CAPTURE_FAILED = "hub.payment.capture_failed.v1"
    PAYMENT_VOIDED = "hub.payment.voided.v1"
    PAYMENT_EXPIRED = "hub.payment.expired.v1"
    PAYMENT_FAILED = "hub.payment.failed.v1"
    PAYMENT_DISPUTED = "hub.payment.disputed.v1"
    PAYMENT_DISPUTE_ENDED = "hub.payment.dispute_ended.v1"
    REFUND_ASKED = "hub.refund.asked.v1"
    REFUND_SUCCEEDED = "hub.refund.succeeded.v1"
    REFUND_FAILED = "hub.refund.failed.v1"
    PAYOUT_RECEIVED = "hub.payout.received.v1"
    CHANGE_REQUESTED = "hub.change.requested.v1"
    CHANGE_ACCEPTED = "hub.change.accepted.v1"
    CHANGE_DECLINED = "hub.change.declined.v1"
    WORK_PLANNED = "hub.fulfilment_order.planned.v1"
    WORK_SENT = "hub.fulfilment_order.sent.v1"
    WORK_REPORTED = "hub.fulfilment_order.reported.v1"
    WORK_SHORT = "hub.fulfilment_order.short.v1"
    WORK_REJECTED = "hub.fulfilment_order.rejected.v1"
    WORK_READY = "hub.fulfilment_order.ready.v1"
    WORK_BUYER_ARRIVED = "hub.fulfilment_order.buyer_arrived.v1"
    WORK_HANDED_OVER = "hub.fulfilment_order.handed_over.v1"
    WORK_NOT_COLLECTED = "hub.fulfilment_order.not_collected.v1"
    WORK_SUBSTITUTED = "hub.fulfilment_order.substituted.v1"
    WORK_CANCEL_ASKED = "hub.fulfilment_order.cancel_asked.v1"
    WORK_CANCEL_ANSWERED = "hub.fulfilment_order.cancel_answered.v1"
    SHIPMENT_SHIPPED = "hub.shipment.shipped.v1"
    PACKAGE_LABELLED = "hub.package.labelled.v1"
    PACKAGE_VOIDED = "hub.package.voided.v1"
    PACKAGE_VOID_REFUSED = "hub.package.void_refused.v1"
    PACKAGE_SCANNED = "hub.package.scanned.v1"
    PACKAGE_DELIVERED = "hub.package.delivered.v1"
    PACKAGE_LOST = "hub.package.lost.v1"
    PACKAGE_RETURNED = "hub.package.returned.v1"
    TRANSFER_SHIPPED = "hub.transfer.shipped.v1"
    TRANSFER_RECEIVED = "hub.transfer.received.v1"
    TRANSFER_LOST = "hub.transfer.lost.v1"
    RETURN_REQUESTED = "hub.return.requested.v1"
    RETURN_APPROVED = "hub.return.approved.v1"
    RETURN_REFUSED = "hub.return.refused.v1"
    RETURN_EXPIRED = "hub.return.expired.v1"
    RETURN_CANCELLED = "hub.return.cancelled.v1"
    RETURN_LABELLED = "hub.return.labelled.v1"
    RETURN_MOVED = "hub.return.moved.v1"
    RETURN_RECEIVED = "hub.return.received.v1"
    RETURN_INSPECTED = "hub.return.inspected.v1"
    RETURN_SETTLED = "hub.return.settled.v1"
    RETURN_CLOSED = "hub.return.closed.v1"
    STOCK_COUNTED = "hub.stock.counted.v1"
    STOCK_ADJUSTED = "hub.stock.adjusted.v1"
    STOCK_MOVED = "hub.stock.moved.v1"
    STOCK_LOW = "hub.stock.low.v1"
    STOCK_HIGH = "hub.stock.high.v1"
    SUPPLY_STATED = "hub.supply.stated.v1"
    LINE_PROMISED = "hub.order.promised.v1"
    PROMISE_CHANGED = "hub.order.promise_changed.v1"


FACT_MEANINGS: Mapping[Fact, str] = {
    Fact.MESSAGE_NOTED: "a mapping noticed something and went on; `notes`",
    Fact.ORDER_CAPTURED: "the hub has the order",
    Fact.ORDER_CHANGED: "what is wanted of it, or how, is another",
    Fact.ORDER_HELD: "something must be settled before it goes on",
    Fact.ORDER_RELEASED: "a hold ended",
    Fact.ORDER_ALLOCATED: "all of what was sourced has a location; `locations`",
    Fact.ORDER_BACKORDERED: "some of what was sourced has none and waits",
    Fact.ORDER_CONFIRMED: "nothing is in its way any more; locations and the ERP are told",
    Fact.ORDER_CANCELLED: "nothing of it is wanted any more",
    Fact.ORDER_CLOSED: "all of it has left, was handed over or was cancelled",
    Fact.ORDER_POSTED: "the ERP has it",
    Fact.ORDER_REFUNDED: "money was given back, as others told",
    Fact.ORDER_SOLD: "it was sold over a counter",
    Fact.ORDER_AT_RISK: "it must leave soon",
    Fact.ORDER_LINKED: "another order replaces it, or came of it",
    Fact.PAYMENT_AUTHORISED: "an amount may be charged",
    Fact.PAYMENT_CAPTURE_ASKED: "the provider was asked to charge",
    Fact.PAYMENT_CAPTURED: "an amount was charged",
    Fact.PAYMENT_CAPTURE_FAILED: "the provider refused to charge",
    Fact.PAYMENT_VOIDED: "what was authorised is let go",
    Fact.PAYMENT_EXPIRED: "what was authorised has lapsed",
    Fact.PAYMENT_FAILED: "the provider refused to authorise",
    Fact.PAYMENT_DISPUTED: "the buyer disputes a charge",
    Fact.PAYMENT_DISPUTE_ENDED: "a dispute was won or lost",
    Fact.REFUND_ASKED: "provider or channel was asked to give back",
    Fact.REFUND_SUCCEEDED: "an amount was given back",
    Fact.REFUND_FAILED: "giving back was refused",
    Fact.PAYOUT_RECEIVED: "a payout file was read",
    Fact.CHANGE_REQUESTED: "somebody wants an order changed",
    Fact.CHANGE_ACCEPTED: "the change stands",
    Fact.CHANGE_DECLINED: "the change does not stand",
    Fact.WORK_PLANNED: "a location is to do it",
    Fact.WORK_SENT: "its location was asked",
    Fact.WORK_REPORTED: "its location said how it stands; `status`",
    Fact.WORK_SHORT: "its location has less than it was asked for",
    Fact.WORK_REJECTED: "its location gave it back",
    Fact.WORK_READY: "it stands ready for its buyer",
    Fact.WORK_BUYER_ARRIVED: "the buyer waits outside",
    Fact.WORK_HANDED_OVER: "its buyer has it",
    Fact.WORK_NOT_COLLECTED: "nobody came, and the goods are put back",
    Fact.WORK_SUBSTITUTED: "another article left in place of the one that was ordered",
    Fact.WORK_CANCEL_ASKED: "its location was asked not to send something",
    Fact.WORK_CANCEL_ANSWERED: "its location answered that",
    Fact.SHIPMENT_SHIPPED: "goods have left a location for their buyer",
    Fact.PACKAGE_LABELLED: "a label was bought; `cost`",
    Fact.PACKAGE_VOIDED: "a label was given back; `refunded`",
    Fact.PACKAGE_VOID_REFUSED: "its carrier keeps the price; `cost`",
    Fact.PACKAGE_SCANNED: "its carrier scanned it; `status`",
    Fact.PACKAGE_DELIVERED: "it was delivered",
    Fact.PACKAGE_LOST: "its carrier has lost it",
    Fact.PACKAGE_RETURNED: "it comes back undelivered",
    Fact.TRANSFER_SHIPPED: "goods left for another location of ours",
    Fact.TRANSFER_RECEIVED: "they came there",
    Fact.TRANSFER_LOST: "they will not come",
    Fact.RETURN_REQUESTED: "a buyer wants to send something back",
    Fact.RETURN_APPROVED: "it may come back",
    Fact.RETURN_REFUSED: "it may not",
    Fact.RETURN_EXPIRED: "it did not come in time",
    Fact.RETURN_CANCELLED: "it will not come",
    Fact.RETURN_LABELLED: "its label was bought",
    Fact.RETURN_MOVED: "its carrier scanned it",
    Fact.RETURN_RECEIVED: "it came to a location",
    Fact.RETURN_INSPECTED: "it was graded",
    Fact.RETURN_SETTLED: "what the buyer gets for it is decided",
    Fact.RETURN_CLOSED: "nothing is left to do for it",
    Fact.STOCK_COUNTED: "a location counted",
    Fact.STOCK_ADJUSTED: "a person changed what is on hand",
    Fact.STOCK_MOVED: "goods came or went",
    Fact.STOCK_LOW: "less is there than the threshold",
    Fact.STOCK_HIGH: "more is there than the threshold",
    Fact.SUPPLY_STATED: "goods are to come, or not any more",
    Fact.LINE_PROMISED: "a date was promised",
    Fact.PROMISE_CHANGED: "the promised date moved",
}
"""What each says has happened; names in backticks are fields of its data."""
