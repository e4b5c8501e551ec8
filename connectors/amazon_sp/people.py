"""The people around the emulated marketplace: buyers, and the marketplace's own warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.amazon_sp.listings import Listings
from connectors.amazon_sp.orders import Orders
from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node, node_at, nodes_at, text_at, whole_at
from hub.sdk.ports import Clock

Record = Callable[[str, str, str, Node], None]
"""(kind, key, subject, data) into the ledger."""


class People:
    """Their verbs, each from a wish to what came of it. Raise Refused for what cannot be done."""

    def __init__(
        self,
        orders: Orders,
        listings: Listings,
        ledger: Ledger,
        clock: Clock,
        record: Record,
        changed: Callable[[str], None],
    ) -> None:
        self._orders = orders
        self._listings = listings
        self._ledger = ledger
        self._clock = clock
        self._record = record
        self._changed = changed
        self.verbs: Mapping[str, Callable[[Node], object]] = {
            "place": lambda wish: self._placed(wish, guarded=False),
            "sell": self._sell,
            "release": self._release,
            "request_cancel": self._request_cancel,
            "cancel": self._cancel,
            "ship": self._ship,
            "order": lambda wish: node_at(self._orders.get(text_at(wish, "id") or ""), "order"),
            "list": lambda _: {"orders": [node_at(kept, "order") for kept in self._orders]},
            "levels": self._levels,
            "stock": self._levels,
            "expire_tokens": self._expire_tokens,
            "pages": lambda wish: self._ledger.remember("pages", text_at(wish, "are") or "well"),
            "tick": lambda _: {"now": self._clock.now().isoformat()},
        }

    def _placed(self, wish: Node, *, guarded: bool) -> Node:
        order = self._orders.place(wish, self._clock.now())
        order_id = str(order["orderId"])
        self._changed(order_id)
        total = node_at(order, "proceeds", "grandTotal")
        lines: list[Node] = [
            {"id": i["orderItemId"], "sku": text_at(i["product"], "sellerSku"), "quantity": i["quantityOrdered"]}
            for i in nodes_at(order, "orderItems")
        ]
        marketplace = str(node_at(order, "salesChannel")["marketplaceId"])
        summary: Node = {"currency": total["currencyCode"], "total": total["amount"], "lines": lines}
        self._record("order_placed", order_id, marketplace, summary)
        if node_at(order, "fulfillment")["fulfilledBy"] == "MERCHANT":
            self._take_from_levels(order_id, lines, guarded=guarded)
        return {"id": order_id, "name": order_id, "total_price": total["amount"]}

    def _take_from_levels(self, order_id: str, lines: list[Node], *, guarded: bool) -> None:
        for line in lines:
            sku, quantity = str(line["sku"] or ""), int(str(line["quantity"]))
            available = self._listings.level(sku)
            if available is None:
                continue
            data: Node = {"quantity": quantity, "available": available, "guarded": guarded}
            self._record("sale", order_id, sku, data)
            self._listings.show(sku, max(0, available - quantity), self._clock.now())

    def _sell(self, wish: Node) -> object:
        """Place an order only if the level shown covers every line."""
        needed: dict[str, int] = {}
        for line in nodes_at(wish, "lines"):
            sku = text_at(line, "sku") or ""
            needed[sku] = needed.get(sku, 0) + (whole_at(line, "quantity") or 1)
        short = sorted(sku for sku, quantity in needed.items() if (self._listings.level(sku) or 0) < quantity)
        if short:
            return {"accepted": False, "sold_out": short}
        return {"accepted": True, **self._placed(wish, guarded=True)}

    def _release(self, wish: Node) -> object:
        order_id = text_at(wish, "id") or ""
        self._orders.release(order_id, self._clock.now())
        return self._done("released", order_id, "")

    def _request_cancel(self, wish: Node) -> object:
        order_id, reason = text_at(wish, "id") or "", text_at(wish, "reason") or "Changed mind"
        self._orders.request_cancel(order_id, text_at(wish, "sku"), reason, self._clock.now())
        return self._done("cancel_request", order_id, reason)

    def _cancel(self, wish: Node) -> object:
        order_id, reason = text_at(wish, "id") or "", text_at(wish, "reason") or "Payment failed"
        self._orders.cancel(order_id, text_at(wish, "by") or "AMAZON", reason, self._clock.now())
        return self._done("cancel", order_id, reason)

    def _ship(self, wish: Node) -> object:
        order_id = text_at(wish, "id") or ""
        self._orders.ship_all(order_id, self._clock.now())
        return self._done("shipped_by_channel", order_id, "")

    def _levels(self, wish: Node) -> object:
        for sku, quantity in node_at(wish, "levels").items():
            self._listings.show(sku, int(str(quantity)), self._clock.now())
        return {"levels": self._listings.levels()}

    def _expire_tokens(self, _: Node) -> object:
        for name, _until in self._ledger.recall_all("token|"):
            self._ledger.remember(name, self._clock.now().isoformat())
        return {}

    def _done(self, kind: str, order_id: str, reason: str) -> Node:
        self._changed(order_id)
        self._record(kind, order_id, order_id, {"reason": reason})
        order = node_at(self._orders.get(order_id), "order")
        return {"id": order_id, "status": node_at(order, "fulfillment")["fulfillmentStatus"]}
