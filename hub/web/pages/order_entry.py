"""An order taken by telephone or at a desk: a form that goes the way of every written order."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.exchange.written import NotTaken
from hub.oms.desk.times import instant, instant_text
from hub.runtime.control import ActionRefused
from hub.web.request import Answer, Go, Page, Request, Stop, get, post

LINES = range(1, 7)
ADDRESS = (
    ("name", "Name", True),
    ("lines", "Street and number", True),
    ("locality", "Town", True),
    ("admin_area_code", "State or province", False),
    ("postal_code", "Postal code", False),
    ("country", "Country (two letters)", True),
)
BUYER = (("buyer_name", "Buyer's name"), ("buyer_email", "E-mail"), ("buyer_phone", "Telephone"))
PAYMENT_STATES = ("paid", "authorised", "pending")


def form(request: Request) -> Answer:
    """Empty, with the id and the time that the order will have: sent twice it is one order."""
    now = request.hub.clock.now()
    said = {"id": request.hub.ids.new("co", now), "placed_at": instant_text(now), "currency": _currency(request)}
    return _page(request, said)


def take(request: Request) -> Answer:
    said = {name: value.strip() for name, value in request.form.items()}
    try:
        record = _record(request, said)
        done = request.act(
            "orders.create",
            channel=said.get("channel") or None,
            body=json.dumps(record, ensure_ascii=False).encode(),
            headers={"x-form": "/orders/new"},
        )
    except NotTaken as error:
        where = f"{error.field}: " if error.field else ""
        return _page(request, said, f"{where}{error.message}")
    except ActionRefused as error:
        return _page(request, said, str(error))
    words = "The order was taken" + ("; it is held, see why below" if done["held"] else "")
    return Go(f"/orders/{done['order']}", words)


def _page(request: Request, said: dict[str, str], wrong: str = "") -> Page:
    from hub.actions.capture import channels

    values = {
        "typed": defaultdict(str, said),
        "wrong": wrong,
        "channels": channels(request.hub),
        "line_numbers": list(LINES),
        "address": ADDRESS,
        "buyer": BUYER,
        "payment_states": PAYMENT_STATES,
    }
    return Page("order_entry.html", values, 422 if wrong else 200)


def _record(request: Request, said: dict[str, str]) -> dict[str, Any]:
    """The canonical order that the form states. Raises NotTaken with the field that is wrong."""
    assert request.visitor is not None
    try:
        placed_at = instant(said.get("placed_at"))
    except ValueError:
        placed_at = None
    if not said.get("id", "").startswith("co_") or placed_at is None:
        raise Stop(400, "This form has no id. Load the page again.")
    lines = [line for number in LINES if (line := _line(said, number)) is not None]
    if not lines:
        raise NotTaken("required", "lines", "name at least one SKU with its quantity")
    goods = sum((Decimal(line["quantity"]) * Decimal(line.get("unit_price", "0")) for line in lines), Decimal(0))
    shipping = _amount(said, "shipping", "0")
    total = goods + shipping
    address: dict[str, Any] = {name: said[name] for name, _, _ in ADDRESS if said.get(name)}
    if "lines" in address:
        address["lines"] = [address["lines"]]
    if "country" in address:
        address["country"] = address["country"].upper()
    buyer = {name.removeprefix("buyer_"): said[name] for name, _ in BUYER if said.get(name)}
    record = {
        "external_id": said["id"],
        "number": said.get("number") or said["id"],
        "placed_at": instant_text(placed_at),
        "currency": said.get("currency", "").upper(),
        "payment_state": said.get("payment_state") or "pending",
        "lines": lines,
        "totals": {"lines": str(goods), "shipping": str(shipping), "total": str(total)},
        "attributes": {"author": request.visitor.who},
    }
    record |= {"ship_to": address} if address else {}
    record |= {"buyer": buyer} if buyer else {}
    record |= {"note": said["note"]} if said.get("note") else {}
    return record


def _line(said: dict[str, str], number: int) -> dict[str, str] | None:
    sku = said.get(f"sku-{number}", "")
    if not sku:
        if said.get(f"quantity-{number}"):
            raise NotTaken("required", f"lines.{number}.sku", "is missing")
        return None
    quantity = _amount(said, f"quantity-{number}")
    if quantity <= 0:
        raise NotTaken("range", f"lines.{number}.quantity", "is not above zero")
    price = _amount(said, f"price-{number}", "0")
    return {"external_line_id": str(number), "sku": sku, "quantity": str(quantity), "unit_price": str(price)}


def _amount(said: dict[str, str], name: str, otherwise: str = "") -> Decimal:
    text = said.get(name) or otherwise
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise NotTaken("decimal", name.replace("-", " "), "is no decimal number such as 12 or 1.5") from error
    if not found.is_finite() or found < 0 or found >= Decimal(10) ** 9:
        raise NotTaken("range", name.replace("-", " "), "is not between 0 and 999999999")
    return found


def _currency(request: Request) -> str:
    return request.hub.loaded.bundle.hub.seller.base_currency


ROUTES = (get("/orders/new", form, "orders:write"), post("/orders/new", take, "orders:write"))
