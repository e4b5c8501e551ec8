"""The emulated shop's books: orders in REST's shape, stock by item and location, and what changes them.

Pure but for the ledger: times and random numbers are given. Amounts are Decimal; an order's totals add up as the
vendor's do: subtotal after discounts, total = subtotal + shipping + tax (tax inside where included).
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

from connectors.shopify.order_form import (
    Refused,
    address_of,
    allocate,
    cent,
    code_application,
    discount_of,
    pickup_attributes,
    put_money,
    put_tax,
    rate_of,
    restate_line,
    restate_totals,
    stamp,
    text_instant,
)
from connectors.shopify.rest_shape import amount_text
from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

DEFAULT_LOCATION = "655441491"
_FIRST_ORDER = 6_001_000_000_001


class Shop:
    """State lies in the ledger's `state` table, one row an order, so a restarted emulator goes on."""

    def __init__(self, ledger: Ledger, *, currency: str, location: str, checkout: str = "") -> None:
        """`checkout`: the gateway that authorises; "" where buyers pay at once and nothing is said of how."""
        self._ledger = ledger
        self.checkout = checkout
        self.currency = currency
        self.location = location
        self.orders: dict[int, Node] = {}
        self.levels: dict[tuple[str, str], int] = {}
        self.items: dict[str, int] = {}
        for name, data in ledger.recall_all("order:"):
            self.orders[int(name.partition(":")[2])] = json.loads(data)
        for name, data in ledger.recall_all("level:"):
            sku, place = name.partition(":")[2].rsplit("@", 1)
            self.levels[sku, place] = int(data)
        for name, data in ledger.recall_all("item:"):
            self.items[name.partition(":")[2]] = int(data)
        self._next = int(ledger.recall("next_id") or 1)

    # -- ids and times -------------------------------------------------------------------------------------------

    def new_id(self) -> int:
        self._next += 1
        self._ledger.remember("next_id", str(self._next))
        return _FIRST_ORDER + self._next

    def touch(self, order: Node, now: dt.datetime) -> None:
        """A new `updated_at`: whole seconds as the vendor gives, and never the same twice for one order."""
        at = now.replace(microsecond=0)
        before = text_at(order, "updated_at")
        if before is not None:
            at = max(at, dt.datetime.fromisoformat(before) + dt.timedelta(seconds=1))
        order["updated_at"] = stamp(at)

    def save(self, order: Node) -> None:
        number = whole_at(order, "id") or 0
        self.orders[number] = order
        self._ledger.remember(f"order:{number}", json.dumps(order))

    def order(self, identifier: str) -> Node:
        found = self.orders.get(int(identifier)) if identifier.isdigit() else None
        if found is None:
            raise Refused(f"there is no order {identifier}")
        return found

    # -- stock ---------------------------------------------------------------------------------------------------

    def add_item(self, sku: str) -> int:
        if sku not in self.items:
            self.items[sku] = self.new_id()
            self._ledger.remember(f"item:{sku}", str(self.items[sku]))
        return self.items[sku]

    def sku_of(self, item: int) -> str | None:
        return next((sku for sku, identifier in self.items.items() if identifier == item), None)

    def level(self, sku: str, location: str) -> int:
        return self.levels.get((sku, location), 0)

    def available(self, sku: str) -> int:
        """What the shop front shows: the sum over its locations, none counted below zero."""
        return sum(max(0, level) for (name, _), level in self.levels.items() if name == sku)

    def is_counted(self, sku: str) -> bool:
        """Whether anybody ever said how many there are."""
        return any(name == sku for name, _ in self.levels)

    def take(self, sku: str, quantity: int) -> None:
        """Take sold units off the fullest locations; what no location has goes below zero at the last."""
        places = sorted(((level, place) for (name, place), level in self.levels.items() if name == sku), reverse=True)
        for index, (level, place) in enumerate(places):
            taken = quantity if index == len(places) - 1 else min(quantity, max(0, level))
            if taken:
                self.set_level(sku, place, level - taken)
            quantity -= taken

    def set_level(self, sku: str, location: str, quantity: int) -> None:
        self.add_item(sku)
        self.levels[sku, location] = quantity
        self._ledger.remember(f"level:{sku}@{location}", str(quantity))

    # -- what people do ------------------------------------------------------------------------------------------

    def place(self, wish: Node, now: dt.datetime) -> Node:
        """A new order from a short wish: {lines: [{sku, quantity, price}], ...}; see the README for its keys."""
        currency = text_at(wish, "currency") or self.currency
        rate = decimal_at(wish, "tax_rate") or Decimal(0)
        included = wish.get("taxes_included") is True
        identifier = self.new_id()
        lines = [self._line(entry, currency, rate, included) for entry in nodes_at(wish, "lines")]
        if not lines:
            raise Refused("an order needs at least one line")
        number = 1000 + len(self.orders) + 1
        country = text_at(wish, "country") or "US"
        address = address_of(wish, country)
        created = stamp(text_instant(wish, "created_at") or now)
        order: Node = {
            "id": identifier,
            "admin_graphql_api_id": f"gid://shopify/Order/{identifier}",
            "name": f"#{number}",
            "created_at": created,
            "processed_at": created,
            "updated_at": created,
            "cancelled_at": None,
            "cancel_reason": None,
            "closed_at": None,
            "confirmed": True,
            "test": wish.get("test") is True,
            "email": text_at(wish, "email") or "buyer@example.com",
            "phone": text_at(wish, "phone"),
            "note": text_at(wish, "note"),
            "tags": text_at(wish, "tags") or "",
            "po_number": text_at(wish, "po_number"),
            "source_name": text_at(wish, "source_name") or "web",
            "source_identifier": None,
            "customer_locale": text_at(wish, "locale") or "en",
            "taxes_included": included,
            "currency": currency,
            "presentment_currency": currency,
            "financial_status": text_at(wish, "financial_status") or "paid",
            "fulfillment_status": None,
            "note_attributes": pickup_attributes(text_at(wish, "pickup")),
            "customer": {
                "id": self.new_id(),
                "email": text_at(wish, "email") or "buyer@example.com",
                "phone": None,
                "first_name": address["first_name"],
                "last_name": address["last_name"],
            },
            "billing_address": dict(address),
            "shipping_address": None if wish.get("digital") is True else dict(address),
        }
        code = text_at(wish, "discount_code")
        off = decimal_at(wish, "discount")
        order["discount_applications"] = []
        if code and off:
            order["discount_applications"] = [code_application(code, off)]
            allocate(lines, off, currency)
            for line in lines:
                put_tax(line, rate, currency, included=included)
        order["discount_codes"] = (
            [{"code": code, "amount": amount_text(off, currency), "type": "fixed_amount"}] if code and off else []
        )
        shipping = decimal_at(wish, "shipping")
        order["shipping_lines"] = [] if shipping is None else [self._shipping_line(shipping, currency)]
        order["line_items"] = lines
        order["refunds"] = []
        order["fulfillments"] = []
        restate_totals(order, rate, first=True)
        if self.checkout and order["financial_status"] == "paid":
            self._authorise(order)
        self.save(order)
        return order

    def _authorise(self, order: Node) -> None:
        """What no authorisation covers yet is authorised at a provider that captures when it is told to."""
        standing, currency = nodes_at(order, "transactions"), str(order["currency"])
        covered = sum((decimal_at(one, "amount") or Decimal(0) for one in standing), Decimal(0))
        missing = (decimal_at(order, "total_price") or Decimal(0)) - covered
        if missing <= 0:
            return
        if not standing:
            order["financial_status"] = "authorized"
        amount = amount_text(missing, currency)
        authorisation: Node = {
            "id": self.new_id(),
            "kind": "authorization",
            "status": "success",
            "gateway": self.checkout,
            "authorization": f"chk-{currency}-{amount}-{order['id']}.{len(standing) + 1}",
            "authorization_expires_at": None,
            "amount": amount,
            "currency": currency,
        }
        order["transactions"] = [*standing, authorisation]

    def edit(self, order: Node, wish: Node, now: dt.datetime) -> None:
        """{lines: {sku or line id: new quantity}, add: [...], note, email}."""
        rate = rate_of(order)
        for key, wanted in node_at(wish, "lines").items():
            for line in nodes_at(order, "line_items"):
                if key in (text_at(line, "sku"), text_at(line, "id")):
                    self._requantify(line, int(str(wanted)))
        currency = str(order["currency"])
        added = [
            self._line(entry, currency, rate, order.get("taxes_included") is True) for entry in nodes_at(wish, "add")
        ]
        order["line_items"] = [*nodes_at(order, "line_items"), *added]
        for key in ("note", "email", "tags"):
            if key in wish:
                order[key] = wish[key]
        if node_at(wish, "shipping_address"):
            order["shipping_address"] = {**node_at(order, "shipping_address"), **node_at(wish, "shipping_address")}
        # The vendor's total_price is "before returns": what an edit adds is in it, what it takes away is only in the
        # current_ totals.
        restate_totals(order, rate, first=True)
        restate_totals(order, rate, first=False)
        restate_fulfilment(order)
        if nodes_at(order, "transactions"):
            self._authorise(order)
        self.touch(order, now)
        self.save(order)

    def cancel(self, order: Node, reason: str, now: dt.datetime) -> None:
        """Cancels what has not been fulfilled. Refused for an order that is cancelled or left completely."""
        if order.get("cancelled_at"):
            raise Refused("the order is cancelled already")
        for line in nodes_at(order, "line_items"):
            left = whole_at(line, "fulfillable_quantity") or 0
            line["current_quantity"] = (whole_at(line, "current_quantity") or 0) - left
            line["fulfillable_quantity"] = 0
            restate_line(line)
            self._restock(line, left)
        self.touch(order, now)
        order["cancelled_at"] = order["updated_at"]
        order["cancel_reason"] = reason
        order["financial_status"] = "voided" if order["financial_status"] == "authorized" else "refunded"
        restate_totals(order, rate_of(order), first=False)
        self.save(order)

    def refund(self, order: Node, wish: Node, now: dt.datetime) -> Node:
        """{lines: {sku or line id: quantity}, amount?, restock: none | cancel | return, note}. Returns the refund."""
        currency = str(order["currency"])
        restock = text_at(wish, "restock") or "cancel"
        lines: list[object] = []
        total = Decimal(0)
        for key, wanted in node_at(wish, "lines").items():
            for line in nodes_at(order, "line_items"):
                if key in (text_at(line, "sku"), text_at(line, "id")):
                    entry, worth = self._refund_line(line, int(str(wanted)), restock, currency)
                    lines.append(entry)
                    total += worth
        amount = decimal_at(wish, "amount")
        total = total if amount is None else amount
        self.touch(order, now)
        identifier = self.new_id()
        refund: Node = {
            "id": identifier,
            "admin_graphql_api_id": f"gid://shopify/Refund/{identifier}",
            "order_id": order["id"],
            "created_at": order["updated_at"],
            "note": text_at(wish, "note"),
            "refund_line_items": lines,
            "transactions": [
                {
                    "id": self.new_id(),
                    "kind": "refund",
                    "status": "success",
                    "gateway": "bogus",
                    "amount": amount_text(total, currency),
                    "currency": currency,
                }
            ],
        }
        if nodes_at(order, "transactions"):
            refund["transactions"] = []  # who holds the money pays it back; the shop only writes down what for
        order["refunds"] = [*nodes_at(order, "refunds"), refund]
        order["financial_status"] = "partially_refunded"
        restate_totals(order, rate_of(order), first=False)
        if decimal_at(order, "current_total_price") == 0:
            order["financial_status"] = "refunded"
        self.save(order)
        return refund

    def fulfil(self, order: Node, lines: dict[int, int], tracking: Node, now: dt.datetime) -> Node:
        """Make a fulfilment of line id -> quantity. Raises Refused for more than is left."""
        by_id = {whole_at(line, "id"): line for line in nodes_at(order, "line_items")}
        for identifier, quantity in lines.items():
            left = whole_at(by_id.get(identifier, {}), "fulfillable_quantity") or 0
            if quantity < 1 or quantity > left:
                raise Refused("Invalid fulfillment order line item quantity requested.")
        for identifier, quantity in lines.items():
            line = by_id[identifier]
            line["fulfillable_quantity"] = (whole_at(line, "fulfillable_quantity") or 0) - quantity
            restate_line(line)
        self.touch(order, now)
        identifier = self.new_id()
        number, url = text_at(tracking, "number"), text_at(tracking, "url")
        fulfilment: Node = {
            "id": identifier,
            "admin_graphql_api_id": f"gid://shopify/Fulfillment/{identifier}",
            "order_id": order["id"],
            "status": "success",
            "created_at": order["updated_at"],
            "updated_at": order["updated_at"],
            "location_id": int(self.location),
            "tracking_company": text_at(tracking, "company") if number or url else None,
            "tracking_number": number,
            "tracking_numbers": [number] if number else [],
            "tracking_url": url,
            "tracking_urls": [url] if url else [],
            "line_items": [{"id": line, "quantity": quantity} for line, quantity in lines.items()],
        }
        order["fulfillments"] = [*nodes_at(order, "fulfillments"), fulfilment]
        restate_fulfilment(order)
        self.save(order)
        return fulfilment

    # -- arithmetic ----------------------------------------------------------------------------------------------

    def _line(self, entry: Node, currency: str, rate: Decimal, included: bool) -> Node:
        sku, quantity = text_at(entry, "sku"), whole_at(entry, "quantity") or 1
        price = decimal_at(entry, "price") or Decimal("10.00")
        if sku:
            self.add_item(sku)
        identifier = self.new_id()
        title = text_at(entry, "title") or f"Article {sku or 'without number'}"
        line: Node = {
            "id": identifier,
            "admin_graphql_api_id": f"gid://shopify/LineItem/{identifier}",
            "sku": sku,
            "title": title,
            "variant_title": None,
            "name": title,
            "quantity": quantity,
            "current_quantity": quantity,
            "fulfillable_quantity": quantity,
            "fulfillment_status": None,
            "requires_shipping": entry.get("requires_shipping") is not False,
            "gift_card": entry.get("gift_card") is True,
            "taxable": True,
            "vendor": None,
            "variant_id": self.items.get(sku or ""),
            "product_id": None,
            "properties": [],
        }
        put_money(line, "price", price, currency)
        put_money(line, "total_discount", Decimal(0), currency)
        line["discount_allocations"] = []
        put_tax(line, rate, currency, included=included)
        return line

    def _shipping_line(self, price: Decimal, currency: str) -> Node:
        line: Node = {
            "id": self.new_id(),
            "title": "Standard",
            "code": "standard",
            "source": "shopify",
            "carrier_identifier": None,
        }
        put_money(line, "price", price, currency)
        put_money(line, "discounted_price", price, currency)
        line["discount_allocations"] = []
        line["tax_lines"] = []
        return line

    def _requantify(self, line: Node, wanted: int) -> None:
        shipped = (whole_at(line, "current_quantity") or 0) - (whole_at(line, "fulfillable_quantity") or 0)
        if wanted < shipped:
            raise Refused(f"{shipped} of the line have been fulfilled")
        change = wanted - (whole_at(line, "current_quantity") or 0)
        line["current_quantity"] = wanted
        line["quantity"] = max(whole_at(line, "quantity") or 0, wanted)
        line["fulfillable_quantity"] = wanted - shipped
        restate_line(line)
        self._restock(line, -change)

    def _refund_line(self, line: Node, quantity: int, restock: str, currency: str) -> tuple[Node, Decimal]:
        current = whole_at(line, "current_quantity") or 0
        if not 0 < quantity <= current:
            raise Refused(f"{current} of the line can be refunded")
        subtotal, share = self._subtotal_and_tax(line, quantity, currency)
        line["current_quantity"] = current - quantity
        if restock == "cancel":
            left = whole_at(line, "fulfillable_quantity") or 0
            line["fulfillable_quantity"] = max(0, left - quantity)
            self._restock(line, quantity)
        restate_line(line)
        entry: Node = {
            "id": self.new_id(),
            "line_item_id": line["id"],
            "quantity": quantity,
            "restock_type": {"none": "no_restock"}.get(restock, restock),
            "location_id": None if restock == "none" else int(self.location),
        }
        put_money(entry, "subtotal", subtotal, currency)
        put_money(entry, "total_tax", share, currency)
        return entry, subtotal + share

    def worth(self, line: Node, quantity: int, currency: str) -> Decimal:
        """What units of a line cost their buyer, tax included."""
        return sum(self._subtotal_and_tax(line, quantity, currency), Decimal(0))

    def _subtotal_and_tax(self, line: Node, quantity: int, currency: str) -> tuple[Decimal, Decimal]:
        ordered = whole_at(line, "quantity") or 1
        each = decimal_at(line, "price") or Decimal(0)
        tax = sum((decimal_at(entry, "price") or Decimal(0) for entry in nodes_at(line, "tax_lines")), Decimal(0))
        share = cent(tax * quantity / ordered, currency)
        return cent((each * ordered - discount_of(line)) * quantity / ordered, currency), share

    def _restock(self, line: Node, quantity: int) -> None:
        sku = text_at(line, "sku")
        if sku and self.is_counted(sku):
            place = next(place for name, place in self.levels if name == sku)
            self.set_level(sku, place, self.level(sku, place) + quantity)


def restate_fulfilment(order: Node) -> None:
    """The order's own word after something left or its lines were edited: what is added to a fulfilled order makes it
    partial again. Cancels and refunds leave it as it was."""
    if nodes_at(order, "fulfillments"):
        left = sum(whole_at(line, "fulfillable_quantity") or 0 for line in nodes_at(order, "line_items"))
        order["fulfillment_status"] = "partial" if left else "fulfilled"
