"""Rows for tests of the store: what every such row needs, with what the test is about on top."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hub.domain.writeset import Outcome, StockChange, WriteSet
from hub.exchange.ports import NewReceipt
from hub.store.sql_store import SqlStore
from tests.conftest import START


def receipt(delivery_id: str | None = "d-1", body: bytes = b'{"id":1}', **other: Any) -> NewReceipt:
    values: dict[str, Any] = {
        "connection": "shop",
        "stream": "orders",
        "topic": "orders/create",
        "delivery_id": delivery_id,
        "headers": {"content-type": "application/json"},
        "body": body,
        "content_type": "application/json",
        "source": "webhook",
        "received_at": START,
    }
    return NewReceipt(**{**values, **other})


def message(message_id: str, **other: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "receipt_id": f"rc-{message_id}",
        "position": "0",
        "connection": "shop",
        "stream": "orders",
        "kind": "state",
        "entity_key": f"shop|orders||{message_id}",
        "external_id": message_id,
        "state": "stored",
        "due_at": START,
        "created_at": START,
        **other,
    }


def task(task_id: str, **other: Any) -> dict[str, Any]:
    return {
        "id": task_id,
        "kind": "allocate",
        "subject": "or-1",
        "dedupe_key": task_id,
        "state": "pending",
        "due_at": START,
        "payload": {"order": "or-1"},
        "created_at": START,
        **other,
    }


def order(order_id: str, **other: Any) -> dict[str, Any]:
    return {
        "id": order_id,
        "channel": "shop",
        "external_id": order_id,
        "seller_entity": "acme",
        "order_type": "sale",
        "currency": "EUR",
        "status": "received",
        "effects": "on",
        "total": Decimal("12.34"),
        "document": {"links": []},
        "version": 1,
        "created_at": START,
        "updated_at": START,
        **other,
    }


def line(order_id: str, number: int, **other: Any) -> dict[str, Any]:
    return {
        "id": f"{order_id}/{number}",
        "order_id": order_id,
        "number": number,
        "external_line_id": str(number),
        "sku": "SKU-1",
        "ordered": Decimal(2),
        "open": Decimal(2),
        "fulfilled_by": "hub",
        "document": {},
        **other,
    }


def event(event_id: str, **other: Any) -> dict[str, Any]:
    return {
        "id": event_id,
        "type": "hub.order.received.v1",
        "subject": "or-1",
        "at": START,
        "sequence": event_id,
        "data": {},
        **other,
    }


def delivery(delivery_id: str, **other: Any) -> dict[str, Any]:
    return {
        "id": delivery_id,
        "destination": "erp",
        "capability": "submit_order",
        "aggregate": f"or-{delivery_id}",
        "lane": "order",
        "business_key": f"erp/submit_order/{delivery_id}",
        "subject": "",
        "state": "pending",
        "safety": "lookup",
        "body_id": f"bd-{delivery_id}",
        "body_hash": "0",
        "refs": {"order": delivery_id},
        "requires": [],
        "due_at": START,
        "give_up_at": START + dt.timedelta(days=7),
        "cause": "ms-1",
        "created_at": START,
        **other,
    }


def body(body_id: str, content: bytes = b"{}", **other: Any) -> dict[str, Any]:
    return {
        "id": body_id,
        "owner_kind": "delivery",
        "owner_id": "d",
        "content_type": "application/json",
        "body": content,
        "size_bytes": len(content),
        "created_at": START,
        **other,
    }


def inserts(table: str, *rows: dict[str, Any]) -> WriteSet:
    writes = WriteSet()
    for row in rows:
        writes.insert(table, row)
    return writes


def change(table: str, where: dict[str, Any], values: dict[str, Any], *, expect: int | None = 1) -> WriteSet:
    writes = WriteSet()
    writes.update(table, where, values, expect=expect)
    return writes


def stock(sku: str = "SKU-1", location: str = "east", **counters: Any) -> WriteSet:
    writes = WriteSet()
    writes.stock(StockChange(sku, location, **counters))
    return writes


def apply_one(store: SqlStore, writes: WriteSet) -> Outcome:
    return store.apply([writes])[0]


def must_apply(store: SqlStore, *write_sets: WriteSet) -> None:
    outcomes = store.apply(write_sets)
    assert [outcome.failed for outcome in outcomes] == [""] * len(write_sets)


def state_of(store: SqlStore, table: str, row_id: str) -> str:
    with store.read() as snapshot:
        row = snapshot.row(table, {"id": row_id})
    assert row is not None
    state: str = row["state"]
    return state
