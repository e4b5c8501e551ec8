"""Cutting answers into records: pages and single orders of both versions, and the cancel requests inside them.

A body of the present version is {orders: [...]}, {order: {...}} or a bare order; one of the deprecated reads
{payload: {Orders: [...]}}, {payload: {AmazonOrderId, ...}} or the bare inner object. Records keep the shape they came
in; it decides which mapping reads them (manifest: shapes).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from hub.sdk.errors import DataError
from hub.sdk.lenient import Node, decimal_at, is_true, node_at, nodes_at, text_at
from hub.sdk.records import RawRecord

ZERO = Decimal(0)


def records_of(tree: object, *, cancel_requests: bool) -> Iterator[RawRecord]:
    """Orders, each followed by the cancel requests it holds. Raises DataError for a body that holds neither."""
    if not isinstance(tree, dict):
        raise DataError("a JSON object is needed", position="1:1")
    if isinstance(tree.get("errors"), list) and not ({"orders", "order", "payload"} & tree.keys()):
        raise DataError("the answer tells an error, no order", position="errors")
    for order, position in _orders(tree):
        yield _order_record(order, position)
        if cancel_requests:
            yield from _requests(order, position)


def _orders(tree: Node) -> Iterator[tuple[Node, str]]:
    payload = tree.get("payload")
    if isinstance(tree.get("orders"), list):
        yield from _entries(tree["orders"], "orders")
    elif isinstance(tree.get("order"), dict):
        yield node_at(tree, "order"), "order"
    elif isinstance(payload, dict):
        yield from _old_orders(payload, "payload")
    elif "AmazonOrderId" in tree or isinstance(tree.get("Orders"), list):
        yield from _old_orders(tree, "")
    elif "orderId" in tree:
        yield tree, ""
    else:
        raise DataError("the body holds no order", position="1:1")


def _old_orders(payload: Node, position: str) -> Iterator[tuple[Node, str]]:
    before = f"{position}." if position else ""
    if isinstance(payload.get("Orders"), list):
        yield from _entries(payload["Orders"], f"{before}Orders")
        return
    if "AmazonOrderId" not in payload:
        raise DataError("the body names no order", position=position or "1:1")
    items = nodes_at(payload, "OrderItems")
    if items and not any("QuantityOrdered" in item for item in items):
        raise DataError("the body holds what buyers said of items, no items", position=f"{before}OrderItems")
    yield payload, position


def _entries(values: object, name: str) -> Iterator[tuple[Node, str]]:
    for index, value in enumerate(values if isinstance(values, list) else []):
        if not isinstance(value, dict):
            raise DataError("an object is needed", position=f"{name}.{index}")
        yield value, f"{name}.{index}"


def _order_record(order: Node, position: str) -> RawRecord:
    old = "AmazonOrderId" in order
    updated = text_at(order, "LastUpdateDate" if old else "lastUpdatedTime")
    return RawRecord(
        stream="orders",
        external_id=text_at(order, "AmazonOrderId" if old else "orderId"),
        body=order,
        position=position,
        version=version_of(updated),
        occurred_at=instant(updated),
        whole=not position,
    )


def _requests(order: Node, position: str) -> Iterator[RawRecord]:
    """One record for each item that its buyer wants cancelled and that has not left, unless the channel ships it."""
    old = "AmazonOrderId" in order
    order_id = text_at(order, "AmazonOrderId" if old else "orderId")
    fulfilment = node_at(order, "fulfillment")
    if text_at(fulfilment, "fulfilledBy") == "AMAZON" or text_at(fulfilment, "fulfillmentStatus") == "CANCELLED":
        return
    if text_at(order, "FulfillmentChannel") == "AFN" or text_at(order, "OrderStatus") == "Canceled":
        return
    updated = text_at(order, "LastUpdateDate" if old else "lastUpdatedTime")
    for index, item in enumerate(nodes_at(order, "OrderItems" if old else "orderItems")):
        quantity = _left_old(item) if old else _left(item)
        if quantity <= 0:
            continue
        yield RawRecord(
            stream="cancel_requests",
            external_id=order_id,
            body={
                "orderId": order_id,
                "lastUpdatedTime": updated,
                "quantity": format(quantity, "f"),
                "orderItem": item,
            },
            position=f"{position}#cancel.{index}",
            occurred_at=instant(updated),
        )


def _left(item: Node) -> Decimal:
    """What of an item is asked to be cancelled: all that has not left. 0 where nobody asked."""
    cancellation = node_at(item, "cancellation")
    if text_at(node_at(cancellation, "cancellationRequest"), "requester") != "BUYER":
        return ZERO
    if node_at(cancellation, "cancellationExecution"):
        return ZERO  # answered already: the order itself says what is left of the item
    fulfilment = node_at(item, "fulfillment")
    left = decimal_at(fulfilment, "quantityUnfulfilled")
    if left is not None:
        return left
    return (decimal_at(item, "quantityOrdered") or ZERO) - (decimal_at(fulfilment, "quantityFulfilled") or ZERO)


def _left_old(item: Node) -> Decimal:
    if not is_true(node_at(item, "BuyerRequestedCancel"), "IsBuyerRequestedCancel"):
        return ZERO
    return (decimal_at(item, "QuantityOrdered") or ZERO) - (decimal_at(item, "QuantityShipped") or ZERO)


def version_of(updated: str | None) -> str | None:
    """A version that sorts as text: the instant in UTC with microseconds; None where there is no readable one."""
    parsed = instant(updated)
    return None if parsed is None else parsed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(value: str | None) -> dt.datetime | None:
    if value is None or len(value) > 40:
        return None
    try:
        parsed = dt.datetime.fromisoformat(value)
        return parsed.astimezone(dt.UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None
