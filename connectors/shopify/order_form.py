"""The form of the emulated shop's orders: money bags, tax lines, discounts, addresses."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from connectors.shopify.rest_shape import amount_text, fulfilment_status
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

_COUNTRIES = {
    "US": "United States",
    "DE": "Germany",
    "FR": "France",
    "GB": "United Kingdom",
    "JP": "Japan",
    "CA": "Canada",
}


class Refused(Exception):
    """What the shop's people or callers asked for cannot be done; the words say why."""


def stamp(at: dt.datetime) -> str:
    """Whole seconds in UTC, as this shop writes instants everywhere."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text_instant(wish: Node, key: str) -> dt.datetime | None:
    text = text_at(wish, key)
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{key} is no instant") from None
    if at.tzinfo is None:
        raise Refused(f"{key} needs an offset from UTC")
    return at


def pickup_attributes(location: str | None) -> list[Node]:
    """As pickup apps write them: the buyer comes for it to this location, which the shop itself says nowhere."""
    if location is None:
        return []
    return [{"name": "Checkout-Method", "value": "pickup"}, {"name": "Pickup-Location-Id", "value": location}]


def put_money(target: Node, name: str, amount: Decimal, currency: str) -> None:
    target[name] = amount_text(amount, currency)
    target[f"{name}_set"] = bag(amount, currency)


def bag(amount: Decimal, currency: str) -> Node:
    money = {"amount": amount_text(amount, currency), "currency_code": currency}
    return {"shop_money": dict(money), "presentment_money": dict(money)}


def restate_line(line: Node) -> None:
    line["fulfillment_status"] = fulfilment_status(
        whole_at(line, "current_quantity"), whole_at(line, "fulfillable_quantity")
    )


def rate_of(order: Node) -> Decimal:
    taxes = nodes_at(order, "tax_lines")
    return (decimal_at(taxes[0], "rate") if taxes else None) or Decimal(0)


def put_tax(line: Node, rate: Decimal, currency: str, *, included: bool) -> None:
    """The line's tax, on what is paid after discounts."""
    worth = (decimal_at(line, "price") or Decimal(0)) * (whole_at(line, "quantity") or 0) - discount_of(line)
    tax = cent(worth * rate / (1 + rate) if included else worth * rate, currency)
    line["tax_lines"] = [tax_line("VAT", rate, tax, currency)] if rate else []


def tax_line(title: str, rate: Decimal, amount: Decimal, currency: str) -> Node:
    # Rates are JSON numbers at the vendor; a float of two digits prints as it was written.
    tax: Node = {"title": title, "rate": float(rate), "channel_liable": False}
    put_money(tax, "price", amount, currency)
    return tax


def code_application(code: str, amount: Decimal) -> Node:
    return {
        "type": "discount_code",
        "value": format(amount, "f"),
        "value_type": "fixed_amount",
        "allocation_method": "across",
        "target_selection": "all",
        "target_type": "line_item",
        "code": code,
    }


def allocate(lines: list[Node], amount: Decimal, currency: str) -> None:
    """Spread a discount over the lines by worth; the last line takes the remainder."""
    worths = [(decimal_at(line, "price") or Decimal(0)) * (whole_at(line, "quantity") or 0) for line in lines]
    whole, left = sum(worths, Decimal(0)), amount
    for index, (line, worth) in enumerate(zip(lines, worths, strict=True)):
        share = left if index == len(lines) - 1 else cent(amount * worth / whole if whole else Decimal(0), currency)
        left -= share
        allocation: Node = {"discount_application_index": 0}
        put_money(allocation, "amount", share, currency)
        line["discount_allocations"] = [allocation]


def discount_of(line: Node) -> Decimal:
    return sum(
        (decimal_at(entry, "amount") or Decimal(0) for entry in nodes_at(line, "discount_allocations")), Decimal(0)
    )


def cent(amount: Decimal, currency: str) -> Decimal:
    step = Decimal(amount_text(Decimal(0), currency)).scaleb(0)
    try:
        return amount.quantize(step, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise Refused("the amount is too large") from None


def address_of(wish: Node, country: str) -> Node:
    given = node_at(wish, "shipping_address")
    first, last = text_at(given, "first_name") or "Robin", text_at(given, "last_name") or "Example"
    address: Node = {
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}",
        "company": None,
        "address1": "1 Example Street",
        "address2": None,
        "city": "Springfield",
        "province": "Illinois" if country == "US" else None,
        "province_code": "IL" if country == "US" else None,
        "zip": "62701" if country == "US" else "10115",
        "country": _COUNTRIES.get(country, country),
        "country_code": country,
        "phone": None,
        "latitude": None,
        "longitude": None,
    }
    return {**address, **{key: value for key, value in given.items() if key in address}}


def restate_totals(order: Node, rate: Decimal, *, first: bool) -> None:
    """Restate the order's totals; the original ones stay as they were when the order was placed."""
    currency = str(order["currency"])
    included = order.get("taxes_included") is True
    lines = nodes_at(order, "line_items")
    goods = discounts = tax = Decimal(0)
    for line in lines:
        quantity = whole_at(line, "quantity" if first else "current_quantity") or 0
        ordered = whole_at(line, "quantity") or 1
        worth = (decimal_at(line, "price") or Decimal(0)) * quantity
        goods += worth
        discounts += cent(discount_of(line) * quantity / ordered, currency)
        stated = sum((decimal_at(entry, "price") or Decimal(0) for entry in nodes_at(line, "tax_lines")), Decimal(0))
        tax += cent(stated * quantity / ordered, currency)
    shipping = sum((decimal_at(line, "price") or Decimal(0) for line in nodes_at(order, "shipping_lines")), Decimal(0))
    if not first and goods == 0:
        shipping = Decimal(0)
    subtotal = goods - discounts
    total = subtotal + shipping + (Decimal(0) if included else tax)
    if first:
        put_money(order, "total_price", total, currency)
        put_money(order, "subtotal_price", subtotal, currency)
        put_money(order, "total_tax", tax, currency)
        put_money(order, "total_discounts", discounts, currency)
        order["total_shipping_price_set"] = bag(shipping, currency)
        order["total_outstanding"] = amount_text(Decimal(0), currency)
        order["total_tip_received"] = amount_text(Decimal(0), currency)
        order["original_total_duties_set"] = None
        order["tax_lines"] = [tax_line("VAT", rate, tax, currency)] if rate else []
    put_money(order, "current_total_price", total, currency)
    put_money(order, "current_subtotal_price", subtotal, currency)
    put_money(order, "current_total_tax", tax, currency)
    put_money(order, "current_total_discounts", discounts, currency)
    every = sum(
        ((decimal_at(line, "price") or Decimal(0)) * (whole_at(line, "quantity") or 0) for line in lines),
        Decimal(0),
    )
    order["total_line_items_price"] = amount_text(every, currency)
