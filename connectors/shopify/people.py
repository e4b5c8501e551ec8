"""What the emulated shop's people do: buyers place and cancel, the merchant edits, refunds and counts.

Each verb is `POST /_control/<verb>`, a JSON object in and out; the README lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.shopify.gids import legacy_id
from connectors.shopify.shop import Shop
from hub.sdk.lenient import Node, node_at, nodes_at, text_at, whole_at
from hub.sdk.ports import Clock

Record = Callable[[str, str, str, Mapping[str, object]], None]
"""Write the ledger: kind, key, subject, data."""

Announce = Callable[[str, Node], str]
"""Send a webhook: topic and record; returns its delivery id."""


class People:
    """Raises Refused, ValueError or ArithmeticError for what cannot be done."""

    def __init__(self, shop: Shop, clock: Clock, record: Record, announce: Announce) -> None:
        self._shop = shop
        self._clock = clock
        self._record = record
        self._announce = announce
        self.verbs: Mapping[str, Callable[[Node], object]] = {
            "place": self._place,
            "sell": self._sell,
            "edit": self._edit,
            "cancel": self._cancel,
            "refund": self._refund,
            "list": self._list,
            "order": lambda wish: self._shop.order(text_at(wish, "id") or ""),
            "catalogue": self._catalogue,
            "stock": self._stock,
            "levels": self._levels,
            "resend": self._resend,
        }

    def _place(self, wish: Node) -> object:
        return self._placed(self._shop.place(wish, self._clock.now()), guarded=False)

    def _sell(self, wish: Node) -> object:
        """Place an order only if the level shown (what was last pushed, less what was sold) covers every line."""
        needed: dict[str, int] = {}
        for line in nodes_at(wish, "lines"):
            sku = text_at(line, "sku") or ""
            needed[sku] = needed.get(sku, 0) + (whole_at(line, "quantity") or 1)
        short = [sku for sku, quantity in needed.items() if self._shop.available(sku) < quantity]
        if short:
            return {"accepted": False, "sold_out": sorted(short)}
        placed = self._placed(self._shop.place(wish, self._clock.now()), guarded=True)
        return {"accepted": True, **placed}

    def _placed(self, order: Node, *, guarded: bool) -> Node:
        lines = nodes_at(order, "line_items")
        summary = {
            "currency": order["currency"],
            "total": order["total_price"],
            "lines": [{"id": line["id"], "sku": line["sku"], "quantity": line["quantity"]} for line in lines],
        }
        self._record("order_placed", str(order["id"]), str(order["name"]), summary)
        for line in lines:
            sku, quantity = text_at(line, "sku"), whole_at(line, "quantity") or 0
            if sku and self._shop.is_counted(sku):
                data = {"quantity": quantity, "available": self._shop.available(sku), "guarded": guarded}
                self._record("sale", str(order["id"]), sku, data)
                self._shop.take(sku, quantity)
        self._announce("orders/create", order)
        return {"id": str(order["id"]), "name": order["name"], "total_price": order["total_price"]}

    def _edit(self, wish: Node) -> object:
        order = self._shop.order(text_at(wish, "id") or "")
        self._shop.edit(order, wish, self._clock.now())
        self._announce("orders/updated", order)
        return {"id": str(order["id"]), "updated_at": order["updated_at"]}

    def _cancel(self, wish: Node) -> object:
        order = self._shop.order(text_at(wish, "id") or "")
        reason = text_at(wish, "reason") or "customer"
        self._shop.cancel(order, reason, self._clock.now())
        self._record("cancel", str(order["id"]), str(order["name"]), {"reason": reason})
        self._announce("orders/cancelled", order)
        self._announce("orders/updated", order)
        return {"id": str(order["id"]), "cancelled_at": order["cancelled_at"]}

    def _refund(self, wish: Node) -> object:
        order = self._shop.order(text_at(wish, "id") or "")
        refund = self._shop.refund(order, wish, self._clock.now())
        moved = nodes_at(refund, "transactions")
        amount = moved[0]["amount"] if moved else "0.00"
        lines = {str(line["line_item_id"]): line["quantity"] for line in nodes_at(refund, "refund_line_items")}
        data = {"amount": amount, "lines": lines}
        self._record("refund", str(refund["id"]), str(order["id"]), data)
        self._announce("refunds/create", refund)
        self._announce("orders/updated", order)
        return {"id": str(refund["id"]), "amount": amount}

    def _list(self, _: Node) -> object:
        return {
            "orders": [
                {
                    "id": str(order["id"]),
                    "name": order["name"],
                    "updated_at": order["updated_at"],
                    "cancelled_at": order["cancelled_at"],
                    "fulfillment_status": order["fulfillment_status"],
                    "tracking_numbers": [entry["tracking_number"] for entry in nodes_at(order, "fulfillments")],
                }
                for order in self._shop.orders.values()
            ]
        }

    def _catalogue(self, wish: Node) -> object:
        skus = wish.get("skus")
        return {"items": {sku: self._shop.add_item(sku) for sku in (skus if isinstance(skus, list) else [])}}

    def _stock(self, wish: Node) -> object:
        """Set what the shop shows, as a person in its admin would: {levels: {sku: quantity}, location?}."""
        place = str(legacy_id(text_at(wish, "location")) or self._shop.location)
        for sku, quantity in node_at(wish, "levels").items():
            self._shop.set_level(sku, place, int(str(quantity)))
        return self._levels(wish)

    def _levels(self, wish: Node) -> object:
        """{levels: {sku: sum over locations}, by_location: {location: {sku: level}}}."""
        del wish
        by_location: dict[str, dict[str, int]] = {}
        for (sku, place), level in self._shop.levels.items():
            by_location.setdefault(place, {})[sku] = level
        return {"levels": {sku: self._shop.available(sku) for sku, _ in self._shop.levels}, "by_location": by_location}

    def _resend(self, wish: Node) -> object:
        """Send an order's present state again under a new delivery id."""
        order = self._shop.order(text_at(wish, "id") or "")
        self._announce(text_at(wish, "topic") or "orders/updated", order)
        return {"id": str(order["id"])}
