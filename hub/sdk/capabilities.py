"""The closed list of capabilities: effects that leave through the outbox, and queries that do not."""

from __future__ import annotations

import enum


class Capability(enum.StrEnum):
    """Effects, named by the side they serve whatever the format."""

    PUSH_INVENTORY = "push_inventory"
    PUSH_SHIPMENT = "push_shipment"
    PUSH_REFUND = "push_refund"
    PUSH_RETURN = "push_return"
    PUSH_CANCELLATION = "push_cancellation"
    PUSH_ORDER_STATUS = "push_order_status"
    PUSH_INVOICE = "push_invoice"
    ORDER_RESPONSE = "order_response"
    CHANGE_RESPONSE = "change_response"
    ACKNOWLEDGE = "acknowledge"
    SUBMIT_ORDER = "submit_order"
    UPDATE_ORDER = "update_order"
    CANCEL_ORDER = "cancel_order"
    POST_INVOICE = "post_invoice"
    POST_CREDIT_NOTE = "post_credit_note"
    POST_GOODS_MOVEMENT = "post_goods_movement"
    SEND_FULFILMENT_REQUEST = "send_fulfilment_request"
    CANCEL_FULFILMENT_REQUEST = "cancel_fulfilment_request"
    SEND_LABEL = "send_label"
    SEND_INBOUND_NOTICE = "send_inbound_notice"
    SEND_PURCHASE_ORDER = "send_purchase_order"
    BUY_LABEL = "buy_label"
    VOID_LABEL = "void_label"
    MANIFEST = "manifest"
    BOOK_PICKUP = "book_pickup"
    AUTHORISE = "authorise"
    REAUTHORISE = "reauthorise"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    UPSERT_CUSTOMER = "upsert_customer"
    ISSUE_STORE_CREDIT = "issue_store_credit"
    RECORD_LOYALTY = "record_loyalty"
    NOTIFY = "notify"


class Query(enum.StrEnum):
    """Reads that answer at once and have no outbox row."""

    RATE = "rate"
    TRACK = "track"
    ADDRESS_CHECK = "address_check"
    TAX_QUOTE = "tax_quote"


PAYLOAD: dict[Capability, str] = {
    Capability.PUSH_INVENTORY: "StockLevel",
    Capability.PUSH_SHIPMENT: "Shipment",
    Capability.PUSH_ORDER_STATUS: "OrderStatusPush",
    Capability.PUSH_CANCELLATION: "CancellationPush",
    Capability.PUSH_REFUND: "RefundPush",
    Capability.PUSH_RETURN: "ReturnPush",
    Capability.PUSH_INVOICE: "Invoice",
    Capability.ORDER_RESPONSE: "OrderResponse",
    Capability.CHANGE_RESPONSE: "ChangeResponse",
    Capability.NOTIFY: "Notification",
    Capability.ACKNOWLEDGE: "GroupAcknowledgement",
    Capability.SUBMIT_ORDER: "PostedOrder",
    Capability.UPDATE_ORDER: "PostedOrder",
    Capability.CANCEL_ORDER: "OrderCancellation",
    Capability.POST_INVOICE: "Invoice",
    Capability.POST_CREDIT_NOTE: "CreditNote",
    Capability.POST_GOODS_MOVEMENT: "GoodsMovement",
    Capability.SEND_FULFILMENT_REQUEST: "FulfilmentOrder",
    Capability.CANCEL_FULFILMENT_REQUEST: "FulfilmentCancellation",
    Capability.UPSERT_CUSTOMER: "Customer",
    Capability.ISSUE_STORE_CREDIT: "StoreCredit",
    Capability.BUY_LABEL: "LabelRequest",
    Capability.VOID_LABEL: "LabelVoid",
    Capability.SEND_LABEL: "Label",
    Capability.AUTHORISE: "Payment",
    Capability.REAUTHORISE: "Payment",
    Capability.CAPTURE: "Payment",
    Capability.REFUND: "Payment",
    Capability.VOID: "Payment",
}
"""The canonical record (a schema in openapi/schemas) that the out-mapping of a capability starts from."""

QUESTION: dict[Query, tuple[str, str]] = {Query.RATE: ("RateQuery", "Rates")}
"""The canonical record a query starts from, and the one its answer is mapped to."""

COALESCING: frozenset[Capability] = frozenset({Capability.PUSH_INVENTORY, Capability.UPSERT_CUSTOMER})
"""Absolute pushes: a pending row of the same subject is replaced by a newer one."""


class SafetyMode(enum.StrEnum):
    """How a destination lets us repeat a call whose outcome is unknown.

    idempotency_key: it deduplicates by the key we send. unique_reference: it refuses a second document of our
    reference, which we then read back. lookup: we can ask whether it happened, `settle_seconds` after the call.
    none: only a person can say.
    """

    IDEMPOTENCY_KEY = "idempotency_key"
    UNIQUE_REFERENCE = "unique_reference"
    LOOKUP = "lookup"
    NONE = "none"
