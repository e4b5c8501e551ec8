"""The emulated marketplace's orders, kept in the words of the Orders API 2026-01-01.

An order goes PENDING -> UNSHIPPED -> PARTIALLY_SHIPPED -> SHIPPED, or to CANCELLED from where nothing has left. While
it is pending it shows neither amounts nor buyer nor address.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

CURRENCIES = {
    "ATVPDKIKX0DER": "USD",
    "A2EUQ1WTGCTBG2": "CAD",
    "A1PA6795UKMFR9": "EUR",
    "A13V1IB3VIYZZH": "EUR",
    "A1F83G8C2ARO7P": "GBP",
    "A1VC38T7YXB528": "JPY",
}
COUNTRIES = {"USD": "US", "CAD": "CA", "EUR": "DE", "GBP": "GB", "JPY": "JP"}
NO_CENTS = frozenset({"JPY"})
OPEN = ("UNSHIPPED", "PARTIALLY_SHIPPED")
ZERO = Decimal(0)


class Refused(Exception):
    """What the API answers instead of doing it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Orders:
    """Every order of the seller. Each is stored as {order, hidden: {visible_at, packages_at, amounts...}}."""

    def __init__(self, ledger: Ledger, marketplace: str) -> None:
        self._ledger = ledger
        self._marketplace = marketplace
        self._kept: dict[str, Node] = {
            name.removeprefix("order|"): json.loads(data) for name, data in ledger.recall_all("order|")
        }
        self._number = len(self._kept)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, order_id: str) -> Node:
        """{order, hidden}. Raises Refused."""
        if order_id not in self._kept:
            raise Refused(404, "NotFound", f"There is no order {order_id[:40]}")
        return self._kept[order_id]

    def place(self, wish: Node, now: dt.datetime) -> Node:
        """A new order. Amounts are those of its lines; `pending` hides them until it is let go."""
        self._number += 1
        order_id = f"{300 + self._number % 700:03d}-{self._number:07d}-{1000003 * self._number % 10_000_000:07d}"
        marketplace = text_at(wish, "marketplace") or self._marketplace
        currency = text_at(wish, "currency") or CURRENCIES.get(marketplace, "EUR")
        lines = nodes_at(wish, "lines")
        if not lines:
            raise Refused(400, "InvalidInput", "an order has lines")
        items = [_item(order_id, index, line, wish, currency) for index, line in enumerate(lines)]
        by_channel = wish.get("by_channel") is True
        pending = wish.get("pending") is True or "release_after_seconds" in wish
        order: Node = {
            "orderId": order_id,
            "createdTime": text_at(wish, "placed_at") or stamp(now),
            "lastUpdatedTime": stamp(now),
            "programs": wish.get("programs") if isinstance(wish.get("programs"), list) else [],
            "salesChannel": {"channelName": "AMAZON", "marketplaceId": marketplace},
            "buyer": _buyer(wish, self._number),
            "recipient": {"deliveryAddress": _address(wish, currency)},
            "proceeds": _proceeds(items, wish, currency),
            "fulfillment": {
                "fulfillmentStatus": "PENDING" if pending else "UNSHIPPED",
                "fulfilledBy": "AMAZON" if by_channel else "MERCHANT",
                "fulfillmentServiceLevel": text_at(wish, "service") or "STANDARD",
                "shipByWindow": {"earliestDateTime": stamp(now), "latestDateTime": stamp(now + dt.timedelta(days=1))},
                "deliverByWindow": {
                    "earliestDateTime": stamp(now + dt.timedelta(days=2)),
                    "latestDateTime": stamp(now + dt.timedelta(days=4)),
                },
            },
            "orderItems": items,
            "packages": [],
        }
        hidden: Node = {"withheld": wish.get("withheld") is True, "visible_at": now.isoformat()}
        if "release_after_seconds" in wish:
            seconds = float(decimal_at(wish, "release_after_seconds") or 0)
            hidden["release_at"] = (now + dt.timedelta(seconds=seconds)).isoformat()
        self._kept[order_id] = {"order": order, "hidden": hidden}
        self._keep(order_id)
        return order

    def release(self, order_id: str, now: dt.datetime) -> None:
        """The payment is authorised: the seller may ship."""
        fulfilment = node_at(self.get(order_id), "order", "fulfillment")
        if text_at(fulfilment, "fulfillmentStatus") != "PENDING":
            raise Refused(400, "InvalidInput", "the order is not pending")
        fulfilment["fulfillmentStatus"] = "UNSHIPPED"
        node_at(self.get(order_id), "hidden").pop("release_at", None)
        self.touch(order_id, now)

    def release_due(self, now: dt.datetime) -> None:
        for order_id, kept in list(self._kept.items()):
            at = text_at(node_at(kept, "hidden"), "release_at")
            if at is not None and dt.datetime.fromisoformat(at) <= now:
                self.release(order_id, now)

    def next_release(self) -> dt.datetime | None:
        moments = (text_at(node_at(kept, "hidden"), "release_at") for kept in self._kept.values())
        return min((dt.datetime.fromisoformat(at) for at in moments if at is not None), default=None)

    def cancel(self, order_id: str, by: str, reason: str, now: dt.datetime) -> None:
        order = node_at(self.get(order_id), "order")
        fulfilment = node_at(order, "fulfillment")
        if text_at(fulfilment, "fulfillmentStatus") not in ("PENDING", "UNSHIPPED"):
            raise Refused(400, "InvalidInput", "what has left cannot be cancelled")
        fulfilment["fulfillmentStatus"] = "CANCELLED"
        for item in nodes_at(order, "orderItems"):
            execution = {"cancelledBy": by, "cancelReason": reason}
            item["cancellation"] = {**node_at(item, "cancellation"), "cancellationExecution": execution}
            node_at(item, "fulfillment")["quantityUnfulfilled"] = 0
        node_at(self.get(order_id), "hidden").pop("release_at", None)
        self.touch(order_id, now)

    def request_cancel(self, order_id: str, sku: str | None, reason: str, now: dt.datetime) -> None:
        """The buyer asks; the order stays as it is."""
        order = node_at(self.get(order_id), "order")
        asked = [item for item in nodes_at(order, "orderItems") if sku in (None, text_at(item["product"], "sellerSku"))]
        if not asked:
            raise Refused(400, "InvalidInput", "the order has no such item")
        for item in asked:
            request = {"requester": "BUYER", "cancelReason": reason}
            item["cancellation"] = {**node_at(item, "cancellation"), "cancellationRequest": request}
        self.touch(order_id, now)

    def ship(self, order_id: str, package: Node, now: dt.datetime) -> bool:
        """Take a package over: a new one, or the one of that reference anew. False if it is there just like that."""
        order = node_at(self.get(order_id), "order")
        status = text_at(node_at(order, "fulfillment"), "fulfillmentStatus")
        reference = text_at(package, "packageReferenceId")
        packages = [one for one in nodes_at(order, "packages") if text_at(one, "packageReferenceId") != reference]
        known = [one for one in nodes_at(order, "packages") if text_at(one, "packageReferenceId") == reference]
        if known and all(known[0].get(name) == value for name, value in package.items()):
            return False
        if status not in OPEN and not known:
            raise Refused(400, "InvalidInput", "Unable to find package to update; the order is not open for shipment")
        shipped: dict[str, int] = {}
        for one in [*packages, package]:
            for entry in nodes_at(one, "packageItems"):
                item_id = text_at(entry, "orderItemId") or ""
                shipped[item_id] = shipped.get(item_id, 0) + (whole_at(entry, "quantity") or 0)
        items = {text_at(item, "orderItemId"): item for item in nodes_at(order, "orderItems")}
        for item_id, quantity in shipped.items():
            if item_id not in items:
                raise Refused(400, "InvalidInput", f"The order has no item {item_id[:40]}")
            if quantity > (whole_at(items[item_id], "quantityOrdered") or 0):
                raise Refused(400, "InvalidInput", f"More of {item_id[:40]} than was ordered")
        order["packages"] = [*packages, {"createdTime": stamp(now), "packageStatus": {"status": "SHIPPED"}, **package}]
        self._settle(order, shipped)
        node_at(self.get(order_id), "hidden")["packages_at"] = now.isoformat()
        self.touch(order_id, now)
        return True

    def ship_all(self, order_id: str, now: dt.datetime) -> None:
        """The channel's own warehouse sends everything; no packages are shown of that."""
        order = node_at(self.get(order_id), "order")
        if text_at(node_at(order, "fulfillment"), "fulfillmentStatus") not in OPEN:
            raise Refused(400, "InvalidInput", "the order is not open for shipment")
        every = nodes_at(order, "orderItems")
        self._settle(order, {text_at(i, "orderItemId") or "": whole_at(i, "quantityOrdered") or 0 for i in every})
        self.touch(order_id, now)

    def touch(self, order_id: str, now: dt.datetime, lag_seconds: float = 0.0) -> None:
        """A change: `lastUpdatedTime` never is the same twice."""
        kept = self.get(order_id)
        order, hidden = node_at(kept, "order"), node_at(kept, "hidden")
        last = dt.datetime.fromisoformat(str(order["lastUpdatedTime"]))
        order["lastUpdatedTime"] = stamp(max(now, last + dt.timedelta(milliseconds=1)))
        hidden["visible_at"] = (now + dt.timedelta(seconds=lag_seconds)).isoformat()
        self._keep(order_id)

    def hide(self, order_id: str, until: dt.datetime) -> None:
        """Searches find the order's present state from `until` on."""
        node_at(self.get(order_id), "hidden")["visible_at"] = until.isoformat()
        self._keep(order_id)

    def _settle(self, order: Node, shipped: dict[str, int]) -> None:
        open_units = 0
        for item in nodes_at(order, "orderItems"):
            fulfilment, ordered = node_at(item, "fulfillment"), whole_at(item, "quantityOrdered") or 0
            left = shipped.get(text_at(item, "orderItemId") or "", 0)
            fulfilment["quantityFulfilled"], fulfilment["quantityUnfulfilled"] = left, ordered - left
            open_units += ordered - left
        node_at(order, "fulfillment")["fulfillmentStatus"] = "PARTIALLY_SHIPPED" if open_units else "SHIPPED"

    def _keep(self, order_id: str) -> None:
        self._ledger.remember(f"order|{order_id}", json.dumps(self._kept[order_id], default=str))


def shown(kept: Node, datasets: frozenset[str], now: dt.datetime, lag_seconds: float) -> Node:
    """An order as the API shows it: the datasets asked for, nothing of a pending one's amounts and people."""
    order: Node = json.loads(json.dumps(node_at(kept, "order")))
    hidden = node_at(kept, "hidden")
    pending = text_at(node_at(order, "fulfillment"), "fulfillmentStatus") == "PENDING"
    for name, dataset in (("buyer", "BUYER"), ("recipient", "RECIPIENT"), ("proceeds", "PROCEEDS")):
        withheld = hidden.get("withheld") is True and name != "proceeds"
        if dataset not in datasets or pending or withheld:
            order.pop(name, None)
    packages_at = text_at(hidden, "packages_at")
    young = packages_at is not None and now - dt.datetime.fromisoformat(packages_at) < dt.timedelta(seconds=lag_seconds)
    if "PACKAGES" not in datasets or young or not order["packages"]:
        order.pop("packages", None)
    if "FULFILLMENT" not in datasets:
        order.pop("fulfillment", None)
    for item in nodes_at(order, "orderItems"):
        for name, dataset in (("cancellation", "CANCELLATION"), ("fulfillment", "FULFILLMENT"), ("tax", "TAX")):
            if dataset not in datasets:
                item.pop(name, None)
        if "PROCEEDS" not in datasets or pending:
            item.pop("proceeds", None)
            node_at(item, "product").pop("price", None)
    return order


def stamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(amount: Decimal, currency: str) -> Node:
    step = Decimal(1) if currency in NO_CENTS else Decimal("0.01")
    try:
        text = format(amount.quantize(step, rounding=ROUND_HALF_UP), "f")
    except InvalidOperation:
        raise Refused(400, "InvalidInput", "the amount is too large") from None
    return {"amount": text, "currencyCode": currency}


def _item(order_id: str, index: int, line: Node, wish: Node, currency: str) -> Node:
    quantity, price = whole_at(line, "quantity") or 1, decimal_at(line, "price") or ZERO
    if quantity < 1 or price < 0:
        raise Refused(400, "InvalidInput", "a line has a quantity above zero and a price")
    rate, worth = decimal_at(wish, "tax_rate") or ZERO, price * quantity
    included = wish.get("taxes_included") is True
    tax = worth * rate / (1 + rate) if included else worth * rate
    breakdowns: list[Node] = [{"type": "ITEM", "subtotal": money(worth, currency)}]
    for kind, name in (("GIFT_WRAP", "gift_wrap"), ("DISCOUNT", "discount")):
        amount = decimal_at(line, name)
        if amount:
            breakdowns.append({"type": kind, "subtotal": money(-amount if kind == "DISCOUNT" else amount, currency)})
    if tax:
        breakdowns.append({"type": "TAX", "subtotal": money(tax, currency)})
    collected = {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR", "responsibleParty": "Example Marketplace"}]}
    return {
        # Ids with a leading zero, as the vendor's have: they are text.
        "orderItemId": f"0{order_id.replace('-', '')[-9:]}{index + 1:03d}",
        "quantityOrdered": quantity,
        "product": {
            "asin": f"B0{index + 1:08d}",
            "title": text_at(line, "title") or text_at(line, "sku") or "An article",
            **({"sellerSku": line["sku"]} if text_at(line, "sku") else {}),
            "price": {"unitPrice": money(price, currency)},
        },
        "proceeds": {"breakdowns": breakdowns},
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": quantity},
        **({"tax": collected} if tax else {}),
    }


def _proceeds(items: list[Node], wish: Node, currency: str) -> Node:
    sums: dict[str, Decimal] = {}
    for item in items:
        for entry in nodes_at(node_at(item, "proceeds"), "breakdowns"):
            kind = text_at(entry, "type") or ""
            sums[kind] = sums.get(kind, ZERO) + (decimal_at(node_at(entry, "subtotal"), "amount") or ZERO)
    for kind, name in (("SHIPPING", "shipping"), ("DISCOUNT", "discount")):
        amount = decimal_at(wish, name)
        if amount:
            sums[kind] = sums.get(kind, ZERO) + (-amount if kind == "DISCOUNT" else amount)
    included = wish.get("taxes_included") is True
    total = sum((amount for kind, amount in sums.items() if not (included and kind == "TAX")), ZERO)
    return {
        "grandTotal": money(total, currency),
        "breakdowns": [{"type": kind, "subtotal": money(amount, currency)} for kind, amount in sums.items()],
    }


def _buyer(wish: Node, number: int) -> Node:
    return {
        "buyerName": text_at(wish, "buyer_name") or "Robin Example",
        "buyerEmail": text_at(wish, "email") or f"buyer{number:05d}@marketplace.example.com",
    }


def _address(wish: Node, currency: str) -> Node:
    given = node_at(wish, "shipping_address")
    country = text_at(wish, "country") or COUNTRIES.get(currency, "DE")
    address: Node = {
        "name": text_at(wish, "buyer_name") or "Robin Example",
        "addressLine1": "1 Example Street",
        "addressLine2": "",
        "addressLine3": "",
        "city": text_at(given, "city") or "Springfield",
        "stateOrRegion": text_at(given, "province") or ("IL" if country == "US" else ""),
        "postalCode": text_at(given, "zip") or ("62701" if country == "US" else "10115"),
        "countryCode": country,
        "addressType": "RESIDENTIAL",
    }
    return {**address, **{name: value for name, value in given.items() if name in address}}
