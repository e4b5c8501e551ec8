"""What commands look at, by name: on this machine a view of the database, with --url the same from its API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from hub.views.edi import list_interchanges
from hub.views.events import list_events, settled
from hub.views.fulfilment import list_work, show_work
from hub.views.keys import list_keys
from hub.views.money import list_payments, list_payouts, show_payout, unmatched_lines
from hub.views.orders import find_order, list_orders, show_order
from hub.views.papers import packing_slip, pick_list
from hub.views.returns import list_returns, show_return
from hub.views.risk import list_at_risk
from hub.views.verify import summary, verify
from hub.views.work import (
    counts,
    deliveries_by_destination,
    list_deliveries,
    list_exceptions,
    list_stock,
    paused_connections,
    show_delivery,
    show_exception,
    waiting_reads,
)


def _status(connection: Connection) -> dict[str, Any]:
    return {
        "counts": counts(connection),
        "deliveries": deliveries_by_destination(connection),
        **_waiting(connection),
    }


def _waiting(connection: Connection) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    return {"paused": paused_connections(connection), "waiting": waiting_reads(connection, now)}


def _verify(connection: Connection) -> dict[str, Any]:
    return {"items": verify(connection), "checked": summary(connection)}


def _at_risk(connection: Connection, limit: int) -> list[dict[str, Any]]:
    return list_at_risk(connection, dt.datetime.now(dt.UTC), limit)


def _events(connection: Connection, order: str | None, **filters: Any) -> list[dict[str, Any]]:
    until = None if order else settled(dt.datetime.now(dt.UTC))
    return list_events(connection, order=order, until=until, **filters)


QUERIES: Mapping[str, Callable[..., Any]] = {
    "orders.list": list_orders,
    "orders.find": find_order,
    "orders.get": show_order,
    "orders.at_risk": _at_risk,
    "deliveries.list": list_deliveries,
    "deliveries.get": show_delivery,
    "edi.interchanges": list_interchanges,
    "events.list": _events,
    "exceptions.list": list_exceptions,
    "exceptions.get": show_exception,
    "inventory.list": list_stock,
    "returns.list": list_returns,
    "returns.get": show_return,
    "payments.list": list_payments,
    "payouts.list": list_payouts,
    "payouts.get": show_payout,
    "payouts.unmatched": unmatched_lines,
    "status": _status,
    "connections.waiting": _waiting,
    "verify": _verify,
    "work.list": list_work,
    "work.pick_list": pick_list,
    "work.packing_slip": packing_slip,
    "work.get": show_work,
    "keys.list": list_keys,
}
