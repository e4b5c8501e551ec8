"""Rows of payments, captures and refunds <-> objects of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.payment import CallState, Capture, Payment, PaymentState, Purpose, Refund

Row = dict[str, Any]
_AMOUNTS = ("authorised", "captured", "capturing", "voided", "refunded", "refunding", "over_refunded", "store_credit")


def payment_row(payment: Payment) -> Row:
    document = dict(payment.facts)
    for name in ("failed", "lapsed"):
        if getattr(payment, name):
            document[name] = True
    if payment.undone:
        document["undone"] = decimal_text(payment.undone)
    if payment.dispute is not None:
        document["dispute"] = payment.dispute.value
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "connection": payment.connection,
        "managed_by": payment.managed_by,
        "method": payment.method,
        "priority": payment.priority,
        "currency": payment.currency,
        "state": payment.state.value,
        **{name: getattr(payment, name) for name in _AMOUNTS},
        "expires_at": payment.expires_at,
        "external_id": payment.external_id,
        "document": document,
    }


def payment_from(row: Mapping[str, Any]) -> Payment:
    document = dict(row["document"])
    dispute, undone = document.pop("dispute", None), document.pop("undone", "0")
    return Payment(
        id=row["id"],
        order_id=row["order_id"],
        connection=row["connection"],
        managed_by=row["managed_by"],
        method=row["method"],
        priority=row["priority"],
        currency=row["currency"],
        failed=document.pop("failed", False),
        lapsed=document.pop("lapsed", False),
        undone=Decimal(undone),
        dispute=None if dispute is None else PaymentState(dispute),
        **{name: row[name] for name in _AMOUNTS},
        expires_at=row["expires_at"],
        external_id=row["external_id"],
        facts=document,
    )


def capture_row(capture: Capture) -> Row:
    return {
        "id": capture.id,
        "order_id": capture.order_id,
        "payment_id": capture.payment_id,
        "amount": capture.amount,
        "state": capture.state.value,
        "key": capture.key,
        "external_id": capture.external_id,
        "document": dict(capture.facts),
        "at": capture.at,
    }


def capture_from(row: Mapping[str, Any]) -> Capture:
    return Capture(
        id=row["id"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        amount=row["amount"],
        key=row["key"],
        at=row["at"],
        state=CallState(row["state"]),
        external_id=row["external_id"],
        facts=dict(row["document"]),
    )


def refund_row(refund: Refund) -> Row:
    return {
        "id": refund.id,
        "order_id": refund.order_id,
        "payment_id": refund.payment_id,
        "currency": refund.currency,
        "amount": refund.amount,
        "state": refund.state.value,
        "key": refund.key,
        "purpose": refund.purpose.value,
        "tender": refund.tender,
        "external_id": refund.external_id,
        "document": dict(refund.facts),
        "at": refund.at,
    }


def refund_from(row: Mapping[str, Any]) -> Refund:
    return Refund(
        id=row["id"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        currency=row["currency"],
        amount=row["amount"],
        key=row["key"],
        purpose=Purpose(row["purpose"]),
        tender=row["tender"],
        at=row["at"],
        state=CallState(row["state"]),
        external_id=row["external_id"],
        facts=dict(row["document"]),
    )
