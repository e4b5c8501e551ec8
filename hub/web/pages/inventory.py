"""Stock by SKU and location, what may be promised and why, and correcting it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.oms.promise.availability import explain_availability
from hub.oms.promise.promise import promises
from hub.runtime.control import ActionRefused
from hub.views import dashboard
from hub.views.work import list_stock
from hub.web.request import Answer, Go, Page, Request, Stop, get, post
from hub.web.show import with_query

SIZE = 100
SKU = "/inventory/sku"
ZERO = Decimal(0)


def inventory(request: Request) -> Answer:
    sku, location = request.asked("sku"), request.asked("location")
    last = (request.asked("after"), request.asked("at"))
    after = (last[0], last[1]) if last[0] and last[1] else None
    with request.reading() as connection:
        found = list_stock(connection, sku=sku, location=location, after=after, limit=SIZE + 1)
    values = {
        "stock": found[:SIZE],
        "next": found[SIZE - 1] if len(found) > SIZE else None,
        "sku": sku or "",
        "location": location or "",
        "locations": list(request.hub.loaded.bundle.locations),
    }
    return Page("inventory.html", values)


def one(request: Request) -> Answer:
    sku = request.asked("sku")
    if sku is None:
        raise Stop(404, "Say which SKU.")
    with request.reading() as connection:
        stock = list_stock(connection, sku=sku)
        history = dashboard.stock_history(connection, sku)
        told = dashboard.promised(connection, sku)
    values = {
        "sku": sku,
        "stock": stock,
        "promises": _promises(request, sku),
        **_to_come(request, sku),
        "history": history,
        "told": told,
        "locations": list(request.hub.loaded.bundle.locations),
    }
    return Page("sku.html", values)


def _to_come(request: Request, sku: str) -> dict[str, Any]:
    """What supply is to come, and who waits for the SKU."""
    hub = request.hub
    with hub.store.read() as snapshot:
        found = explain_availability(snapshot, hub.rules, sku, hub.clock.now())
    return (
        {"supply": found["supply"], "waiting": found["waiting"]} if found else {"supply": [], "waiting": {"lines": []}}
    )


def _promises(request: Request, sku: str) -> list[dict[str, Any]]:
    """What each channel that is told stock may sell, term by term."""
    rules = request.hub.rules
    found = []
    with request.hub.store.read() as snapshot:
        for connection in rules.takers.get("push_inventory", ()):
            channel = rules.channels.get(connection)
            if channel is None:
                continue
            for outlet, promise in promises(snapshot, rules, channel, sku, request.hub.clock.now()).items():
                found.append({"channel": connection, "outlet": outlet, "promise": promise})
    return found


def adjust(request: Request) -> Answer:
    sku, location = request.given("sku", "which SKU"), request.given("location", "which location")
    back = with_query(SKU, sku=sku)
    try:
        delta = Decimal(request.given("delta", "by how much"))
    except ArithmeticError:
        return Go(back, "The difference is no decimal number such as 5 or -2.5.", good=False)
    if not delta.is_finite():
        return Go(back, "The difference is no decimal number such as 5 or -2.5.", good=False)
    given = {"sku": sku, "location": location, "delta": format(delta, "f"), "reason": request.given("reason", "why")}
    try:
        return Go(back, str(request.act("inventory.adjust", **given)["message"]))
    except ActionRefused as error:
        return Go(back, str(error), good=False)


ROUTES = (
    get("/inventory", inventory, "inventory:read"),
    get(SKU, one, "inventory:read"),
    post("/inventory/adjust", adjust, "inventory:write"),
)
