"""Every page and every form, by address."""

from __future__ import annotations

from hub.web.pages import (
    connections,
    deliveries,
    exceptions,
    intake,
    inventory,
    money,
    order_entry,
    orders,
    returns,
    start,
    work,
)
from hub.web.request import Route

ROUTES: tuple[Route, ...] = (
    *start.ROUTES,
    *order_entry.ROUTES,
    *orders.ROUTES,
    *returns.ROUTES,
    *money.ROUTES,
    *exceptions.ROUTES,
    *deliveries.ROUTES,
    *inventory.ROUTES,
    *work.ROUTES,
    *connections.ROUTES,
    *intake.ROUTES,
)
