"""The emulated shop's side of what the hub tells it: refunds, cancellations, returns, readiness, tags.

What it does lands in the shop's books and in the ledger: refund (key the refund's id), cancel (key the order's), return
(key its id, data {status, mark, lines}), ready (key the fulfilment order's), tag (key order and tag).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal

from connectors.shopify.gids import legacy_id
from connectors.shopify.graphql_shape import fulfilment_node, refund_node
from connectors.shopify.order_form import Refused, cent
from connectors.shopify.shop import Shop
from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

_RESTOCK = {"NO_RESTOCK": "none", "CANCEL": "cancel", "RETURN": "return"}
_PAID = frozenset({"paid", "partially_refunded", "refunded", "partially_paid"})
Record = Callable[[str, str, str, Mapping[str, object]], None]
Echo = Callable[[str, Node], None]


class Desk:
    """Operations by name. `record` writes the ledger, `echo` announces a webhook about the hub's own write; `state` is
    the shop's answer to FulfilmentState, which shows what a lookup may see already."""

    def __init__(
        self,
        shop: Shop,
        ledger: Ledger,
        now: Callable[[], dt.datetime],
        record: Record,
        echo: Echo,
        state: Callable[[Node], Node],
        lag_seconds: Callable[[], float],
    ) -> None:
        self._shop, self._ledger, self._now = shop, ledger, now
        self._record, self._echo, self._state, self._lag = record, echo, state, lag_seconds
        self.operations: dict[str, Callable[[Node], Node]] = {
            "OrderDesk": self._order_desk,
            "SuggestedRefund": self._suggested_refund,
            "RefundCreate": self._refund_create,
            "OrderCancel": self._order_cancel,
            "PreparedForPickup": self._prepared,
            "TagsAdd": self._tags_add,
            "ReturnCreate": self._return_create,
            "ReturnClose": lambda wish: self._return_end("returnClose", wish, "CLOSED"),
            "ReturnCancel": lambda wish: self._return_end("returnCancel", wish, "CANCELED"),
        }

    def _order(self, wish: Node, key: str = "id") -> Node | None:
        return self._shop.orders.get(legacy_id(text_at(wish, key)) or 0)

    def _visible(self, made_at: object) -> bool:
        lag = self._lag()
        return lag <= 0 or dt.datetime.fromisoformat(str(made_at)) <= self._now() - dt.timedelta(seconds=lag)

    def _order_desk(self, wish: Node) -> Node:
        order = self._order(wish)
        if order is None:
            return {"order": None}
        state = node_at(self._state(wish), "order")
        ready = self._kept(order, "ready")
        orders = [
            {**one, "status": "IN_PROGRESS" if one["id"] in ready and one["status"] == "OPEN" else one["status"]}
            for one in nodes_at(state, "fulfillmentOrders")
        ]
        return {
            "order": {
                "id": order["admin_graphql_api_id"],
                "legacyResourceId": text_at(order, "id"),
                "cancelledAt": order["cancelled_at"]
                if self._visible(order["cancelled_at"] or "1970-01-01T00:00:00+00:00")
                else None,
                "currencyCode": order["currency"],
                "tags": [tag.strip() for tag in str(order["tags"] or "").split(",") if tag.strip()],
                "lineItems": {
                    "nodes": [
                        {
                            "id": line["admin_graphql_api_id"],
                            "currentQuantity": line["current_quantity"],
                            "refundableQuantity": line["current_quantity"],
                        }
                        for line in nodes_at(order, "line_items")
                    ]
                },
                "refunds": [
                    refund_node(refund) for refund in nodes_at(order, "refunds") if self._visible(refund["created_at"])
                ],
                "suggestedRefund": {"suggestedTransactions": self._refundable(order)},
                "fulfillmentOrders": {"nodes": orders},
                "fulfillments": [fulfilment_node(one) for one in nodes_at(order, "fulfillments")],
                "returns": {"nodes": [entry["node"] for entry in self._kept(order, "returns").values()]},
            }
        }

    def _refundable(self, order: Node) -> list[Node]:
        """One payment at the shop, less what was given back of it."""
        if order["financial_status"] not in _PAID:
            return []
        shown = {**order, "refunds": [one for one in nodes_at(order, "refunds") if self._visible(one["created_at"])]}
        room = (decimal_at(order, "total_price") or Decimal(0)) - _given_back(shown)
        money = {"amount": str(room), "currencyCode": order["currency"]}
        return [
            {
                "gateway": "bogus",
                "parentTransaction": {"id": f"gid://shopify/OrderTransaction/{order['id']}"},
                "maximumRefundableSet": {"shopMoney": money, "presentmentMoney": money},
            }
        ]

    def _suggested_refund(self, wish: Node) -> Node:
        order = self._order(wish)
        if order is None:
            return {"order": None}
        amount = Decimal(0)
        by_id = {text_at(line, "admin_graphql_api_id"): line for line in nodes_at(order, "line_items")}
        for entry in nodes_at(wish, "lines"):
            line = by_id.get(text_at(entry, "lineItemId"), {})
            amount += self._shop.worth(line, whole_at(entry, "quantity") or 0, str(order["currency"]))
        amount = min(amount, (decimal_at(order, "total_price") or Decimal(0)) - _given_back(order))
        money = {"amount": str(amount), "currencyCode": order["currency"]}
        return {"order": {"suggestedRefund": {"amountSet": {"shopMoney": money, "presentmentMoney": money}}}}

    def _refund_create(self, wish: Node) -> Node:
        key, given = text_at(wish, "key") or "", node_at(wish, "input")
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        kept = self._ledger.recall(f"idempotency:{key}")
        if kept is not None:
            before = json.loads(kept)
            if before["digest"] != digest:
                return _refusal(
                    "refundCreate", "The key was used with other parameters.", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
                )
            return dict(before["data"])
        order = self._order(given, "orderId")
        if order is None:
            return _refusal("refundCreate", "Order does not exist")
        amount = sum((decimal_at(one, "amount") or Decimal(0) for one in nodes_at(given, "transactions")), Decimal(0))
        if amount > (decimal_at(order, "total_price") or Decimal(0)) - _given_back(order):
            return _refusal("refundCreate", "Refund amount is greater than net payment received")
        kinds = {str(one.get("restockType")) for one in nodes_at(given, "refundLineItems")}
        asked = {
            "lines": {
                str(legacy_id(text_at(one, "lineItemId"))): one["quantity"]
                for one in nodes_at(given, "refundLineItems")
            },
            "amount": str(cent(amount, str(order["currency"]))),
            "restock": _RESTOCK.get(next(iter(kinds), "NO_RESTOCK"), "none"),
            "note": given.get("note"),
        }
        try:
            refund = self._shop.refund(order, asked, self._now())
        except Refused as error:
            return _refusal("refundCreate", str(error))
        if not nodes_at(given, "transactions"):
            refund["transactions"] = []
            self._shop.save(order)
        data: Node = {"refundCreate": {"refund": refund_node(refund), "userErrors": []}}
        self._ledger.remember(f"idempotency:{key}", json.dumps({"digest": digest, "data": data}))
        lines = {str(one["line_item_id"]): one["quantity"] for one in nodes_at(refund, "refund_line_items")}
        self._record(
            "refund", str(refund["id"]), str(order["id"]), {"amount": asked["amount"], "lines": lines, "by": "hub"}
        )
        self._echo("refunds/create", refund)
        self._echo("orders/updated", order)
        return data

    def _order_cancel(self, wish: Node) -> Node:
        order = self._order(wish, "orderId")
        if order is None or order["cancelled_at"] is not None:
            message = "Order does not exist" if order is None else "Cannot cancel an order that is cancelled"
            error = {"code": "INVALID", "field": ["orderId"], "message": message}
            return {"orderCancel": {"job": None, "orderCancelUserErrors": [error]}}
        if nodes_at(order, "fulfillments"):
            error = {"code": "INVALID", "field": ["orderId"], "message": "Cannot cancel an order that is fulfilled"}
            return {"orderCancel": {"job": None, "orderCancelUserErrors": [error]}}
        reason = str(wish.get("reason") or "OTHER").lower()
        left = (decimal_at(order, "total_price") or Decimal(0)) - _given_back(order)
        pays = node_at(wish, "refundMethod").get("originalPaymentMethodsRefund") is True
        if pays and left > 0 and order["financial_status"] in _PAID:
            lines = {
                str(line["id"]): line["current_quantity"]
                for line in nodes_at(order, "line_items")
                if (whole_at(line, "current_quantity") or 0) > 0
            }
            refund = self._shop.refund(order, {"lines": lines, "amount": str(left), "restock": "cancel"}, self._now())
            self._record(
                "refund", str(refund["id"]), str(order["id"]), {"amount": str(left), "lines": lines, "by": "hub"}
            )
            self._echo("refunds/create", refund)
        self._shop.cancel(order, reason, self._now())
        self._record("cancel", str(order["id"]), str(order["name"]), {"reason": reason, "by": "hub"})
        self._echo("orders/cancelled", order)
        self._echo("orders/updated", order)
        job = {"id": f"gid://shopify/Job/{order['id']}", "done": False}
        return {"orderCancel": {"job": job, "orderCancelUserErrors": []}}

    def _prepared(self, wish: Node) -> Node:
        mutation = "fulfillmentOrderLineItemsPreparedForPickup"
        for part in nodes_at(node_at(wish, "input"), "lineItemsByFulfillmentOrder"):
            identifier = text_at(part, "fulfillmentOrderId") or ""
            order = self._shop.orders.get(legacy_id(identifier) or 0)
            if order is None or order["cancelled_at"] is not None:
                return _refusal(mutation, "Fulfillment order is not in a state to be prepared.")
            kept = self._kept(order, "ready")
            self._record("ready", identifier, str(order["id"]), {"again": identifier in kept})
            self._keep(order, "ready", {**kept, identifier: True})
        return {mutation: {"userErrors": []}}

    def _tags_add(self, wish: Node) -> Node:
        order = self._order(wish)
        if order is None:
            return _refusal("tagsAdd", "Order does not exist")
        standing = [tag.strip() for tag in str(order["tags"] or "").split(",") if tag.strip()]
        tags = wish.get("tags")
        for tag in tags if isinstance(tags, list) else []:
            if tag not in standing:
                standing.append(str(tag))
                self._record("tag", f"{order['id']}/{tag}", str(order["id"]), {})
        order["tags"] = ", ".join(standing)
        self._shop.touch(order, self._now())
        self._shop.save(order)
        self._echo("orders/updated", order)
        return {"tagsAdd": {"node": {"id": order["admin_graphql_api_id"]}, "userErrors": []}}

    def _return_create(self, wish: Node) -> Node:
        given = node_at(wish, "returnInput")
        order = self._order(given, "orderId")
        lines = nodes_at(given, "returnLineItems")
        if order is None or not lines:
            return _refusal("returnCreate", "Order does not exist")
        fulfilled = {
            text_at(line, "id"): whole_at(line, "quantity") or 0
            for one in nodes_at(order, "fulfillments")
            for line in nodes_at(fulfilment_node(one), "fulfillmentLineItems")
        }
        if any(
            (whole_at(line, "quantity") or 0) > fulfilled.get(text_at(line, "fulfillmentLineItemId"), 0)
            for line in lines
        ):
            return _refusal("returnCreate", "Return line item has an invalid quantity.", "INVALID")
        identifier = f"gid://shopify/Return/{self._shop.new_id()}"
        mark = text_at(lines[0], "returnReasonNote")
        node = {
            "id": identifier,
            "status": "OPEN",
            "returnLineItems": {
                "nodes": [{"id": f"{identifier}-{n}", "returnReasonNote": mark} for n, _ in enumerate(lines)]
            },
        }
        self._keep(order, "returns", {**self._kept(order, "returns"), identifier: {"node": node}})
        said = {"status": "OPEN", "mark": mark, "lines": [line["quantity"] for line in lines]}
        self._record("return", identifier, str(order["id"]), said)
        return {"returnCreate": {"return": {"id": identifier, "status": "OPEN"}, "userErrors": []}}

    def _return_end(self, mutation: str, wish: Node, status: str) -> Node:
        identifier = text_at(wish, "id") or ""
        for order in self._shop.orders.values():
            kept = self._kept(order, "returns")
            if identifier in kept:
                node = node_at(kept[identifier], "node")
                if node["status"] != "OPEN":
                    return _refusal(mutation, "The return is not open.", "INVALID_STATE")
                node["status"] = status
                self._keep(order, "returns", kept)
                self._record("return", identifier, str(order["id"]), {"status": status})
                return {mutation: {"return": {"id": identifier, "status": status}, "userErrors": []}}
        return _refusal(mutation, "Return does not exist.", "NOT_FOUND")

    def _kept(self, order: Node, what: str) -> dict[str, Node]:
        return dict(json.loads(self._ledger.recall(f"{what}:{order['id']}") or "{}"))

    def _keep(self, order: Node, what: str, content: Mapping[str, object]) -> None:
        self._ledger.remember(f"{what}:{order['id']}", json.dumps(content))


def _given_back(order: Node) -> Decimal:
    return sum(
        (
            decimal_at(one, "amount") or Decimal(0)
            for refund in nodes_at(order, "refunds")
            for one in nodes_at(refund, "transactions")
        ),
        Decimal(0),
    )


def _refusal(mutation: str, message: str, code: str | None = None) -> Node:
    error: Node = {"field": ["input"], "message": message}
    if code is not None:
        error["code"] = code
    return {mutation: {"refund": None, "return": None, "userErrors": [error]}}
