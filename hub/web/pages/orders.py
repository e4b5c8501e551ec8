"""Orders: the list with its filters and its search, one order with everything of it, and what a person does to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.order import edits_of
from hub.domain.totals import check_totals, line_value
from hub.views import dashboard
from hub.views.explain import explain
from hub.views.intake import list_messages
from hub.views.orders import list_orders, same_holds, show_order
from hub.views.states import ORDER_STATES
from hub.web.request import Answer, Go, Page, Request, Stop, get, post
from hub.web.words import number, sentence

SIZE = 50
ZERO = Decimal(0)
OF_TOTALS = ("totals", "adjustments", "shipping_charges", "taxes_included")
WITH_THE_BUYER = ("shipped", "delivered", "handed_over")
ID = "(?P<order>[^/]{1,200})"


def orders(request: Request) -> Answer:
    words, status, channel = request.asked("q"), request.asked("status"), request.asked("channel")
    before = request.asked("before")
    with request.reading() as connection:
        ids = dashboard.search(connection, words) if words else None
        if ids is not None and len(ids) == 1 and not before:
            return Go(f"/orders/{ids[0]}")
        found = list_orders(connection, status=status, channel=channel, ids=ids, before=before, limit=SIZE + 1)
    values = {
        "orders": found[:SIZE],
        "next": found[SIZE - 1]["id"] if len(found) > SIZE else None,
        "q": words or "",
        "status": status or "",
        "channel": channel or "",
        "states": ORDER_STATES,
        "channels": [one.id for one in request.hub.loaded.bundle.connections.values() if "orders" in one.streams],
    }
    return Page("orders.html", values)


def order(request: Request) -> Answer:
    order_id = request.params["order"]
    with request.reading() as connection:
        found = show_order(connection, order_id)
        if found is None:
            raise Stop(404, "There is no such order. The search finds orders by their other names.")
        messages = list_messages(connection, subject=order_id, limit=100)
        audited = dashboard.audited(connection, order_id)
    open_holds = [hold for hold in found["holds"] if not hold["released_at"]]
    ended = found["status"] in ("closed", "cancelled")
    sums = _money(found)
    found["deliveries"].sort(key=lambda row: (row["created_at"], row["id"]))
    values = {
        "order": found,
        "says": sentence(found),
        "holds": same_holds(open_holds),
        "messages": messages,
        "audited": audited,
        "sums": sums,
        "line_values": sums["values"],
        "why": [_decision(one) for one in found["sourcing"]],
        "can": {
            "hold": not ended,
            "reroute": not ended and found["effects"] != "none",
            "release": bool(open_holds),
            "cancel": not ended,
            "edit": not ended and found["effects"] != "none",
            "take_back": _left(found),
            "refund": any(one["captured"] > one["refunded"] + one["refunding"] for one in found["payments"]),
        },
    }
    return Page("order.html", values)


def _left(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines of which something is with the buyer, or on its way there, and that no return claims already."""
    claimed: dict[str, Decimal] = {}
    for one in order["returns"]:
        for part in one["lines"]:
            kept = part["claimed"] - part["quantities"].get("withdrawn", ZERO)
            claimed[part["line_id"]] = claimed.get(part["line_id"], ZERO) + kept
    found = []
    for line in order["lines"] if order["effects"] != "none" else []:
        left = sum((line["quantities"].get(bucket, ZERO) for bucket in WITH_THE_BUYER), ZERO)
        left -= claimed.get(line["id"], ZERO)
        if left > 0 and line["sku"]:
            found.append({"id": line["id"], "sku": line["sku"], "left": left})
    return found


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    document = dict(row["document"])
    rule, _, strategy = str(document.pop("rule", "fallback")).partition("/")
    return {"at": row["at"], "rule": rule, "strategy": strategy or rule, "lines": list(explain(document))}


def _money(order: dict[str, Any]) -> dict[str, Any]:
    """What the channel's total is made of, and the difference where its own figures do not add up."""
    document = order["document"]
    lines = [{"quantity": str(line["ordered"]), **line["document"]["details"]} for line in order["lines"]]
    record = {name: document[name] for name in OF_TOTALS if name in document}
    # What is in a kit costs what the kit costs; its components' parts are no goods beside it.
    sold = [stated for line, stated in zip(order["lines"], lines, strict=True) if not line["document"].get("kit")]
    found = check_totals({**record, "lines": sold})
    by_kind: dict[tuple[str, str], Decimal] = {}
    for move in order["money_moves"]:
        key = (move["kind"], move["currency"])
        by_kind[key] = by_kind.get(key, ZERO) + move["amount"]
    return {
        "terms": [(name, amount) for name, amount in found.terms if amount or name == "goods"],
        "difference": found.difference,
        "total": order["total"],
        "edits": edits_of(document).amount,
        "values": [
            line_value({**stated, "quantity": str(line["ordered"])})
            for line, stated in zip(order["lines"], lines, strict=True)
        ],
        "payments": by_kind,
    }


def _do(action: str) -> Any:
    def run(request: Request) -> Answer:
        order_id = request.params["order"]
        back = f"/orders/{order_id}"
        return request.do(back, f"orders.{action}", reference=order_id, reason=request.given("reason", "why"))

    return run


def _hold(request: Request) -> Answer:
    order_id = request.params["order"]
    until = request.form.get("until", "").strip() or None
    back, reason = f"/orders/{order_id}", request.given("reason", "why")
    return request.do(back, "orders.hold", reference=order_id, reason=reason, until=until)


def _refund(request: Request) -> Answer:
    order_id = request.params["order"]
    amount, reason = request.given("amount", "how much"), request.given("reason", "why")
    given = {"reference": order_id, "amount": amount, "reason": reason, "version": _version(request)}
    return request.do(f"/orders/{order_id}", "orders.refund", **given)


def _version(request: Request) -> int:
    """Of the order on the page that the form was on: what has changed since, a second press among it, is refused."""
    version = request.form.get("version", "")
    return int(version) if version.isdecimal() and len(version) < 10 else 0


ADDRESS_PARTS = ("lines", "locality", "admin_area_code", "postal_code", "country")


def _edit(request: Request) -> Answer:
    """Only what differs from the page that the form was on: its version says which one that was."""
    order_id, form = request.params["order"], request.form
    with request.reading() as connection:
        found = show_order(connection, order_id)
    if found is None:
        raise Stop(404, "There is no such order. The search finds orders by their other names.")
    lines = []
    for line in found["lines"]:
        said = form.get(f"quantity-{line['number']}", "").strip()
        if said and said != number(line["wish"]):
            lines.append({"line": line["id"], "quantity": said})
    told: dict[str, Any] = {"lines": lines}
    if form.get("sku", "").strip():
        quantity, price = request.given("add_quantity", "how many to add"), request.given("unit_price", "the price")
        told["add"] = [{"sku": form["sku"].strip(), "quantity": quantity, "unit_price": price}]
    address = {part: form[part].strip() for part in ADDRESS_PARTS if form.get(part, "").strip()}
    if address:
        told["ship_to"] = {**address, **({"lines": [address["lines"]]} if "lines" in address else {})}
    return request.do(
        f"/orders/{order_id}",
        "orders.edit",
        reference=order_id,
        reason=request.given("reason", "why"),
        version=_version(request),
        **told,
    )


ROUTES = (
    get("/orders", orders, "orders:read"),
    get(f"/orders/{ID}", order, "orders:read"),
    post(f"/orders/{ID}/hold", _hold, "orders:write"),
    post(f"/orders/{ID}/reroute", _do("reroute"), "orders:write"),
    post(f"/orders/{ID}/edit", _edit, "orders:write"),
    post(f"/orders/{ID}/refund", _refund, "money:write"),
    *(post(f"/orders/{ID}/{action}", _do(action), "orders:write") for action in ("release", "cancel")),
)
