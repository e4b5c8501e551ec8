"""What goes back to the shop: shipments as fulfilments, and stock.

Payloads come from mappings/shopify and are frozen:
push_shipment   {orderId, lines: [{lineItemId, quantity, toldBefore?}],
                 fulfillment: {notifyCustomer, trackingInfo: {company, number, url}}}
push_inventory  {sku, inventoryItemId?, locationId?, quantity, changeFromQuantity?}
What only the shop knows (its fulfilment orders, an item's id) is asked for when the call is made.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from connectors.shopify import queries
from connectors.shopify.admin_api import AdminApi, Answer
from connectors.shopify.gids import gid
from hub.sdk.capabilities import SafetyMode
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at
from hub.sdk.records import Effect, Found, NotFound, Reply, Tree, Unsure

_OPEN = frozenset({"OPEN", "IN_PROGRESS"})
_NAMESPACE = uuid.UUID("6f1f9f2e-52a4-5c0f-9f34-0d6d3f0a7c11")
_MAX_ITEMS_KEPT = 100_000

Quantities = Mapping[str, int]
"""Line item gid -> how many."""


class Pushes:
    def __init__(self, context: Context, api: AdminApi) -> None:
        self._context = context
        self._api = api
        self._items: dict[str, str] = {}

    def push_shipment(self, effect: Effect) -> Reply:
        """`fulfillmentCreate` over the order's open fulfilment orders at one location (shopify.dev: FulfillmentInput).

        Raises CallFailed: rejected where the shop has not that much left to fulfil. A fulfilment with our tracking
        number and our lines is not made twice.
        """
        payload = _tree(effect.payload)
        wanted = _wanted(payload)
        state = self._state(payload, effect.deadline)
        made = self._ours(state, payload, wanted)
        if isinstance(made, Found) and made.same_content:
            return made.reply
        fulfillment = {
            **node_at(payload, "fulfillment"),
            "lineItemsByFulfillmentOrder": _by_fulfilment_order(nodes_at(state, "fulfillmentOrders"), wanted),
        }
        answer = self._api.write(
            "FulfilmentCreate",
            queries.FULFILMENT_CREATE,
            {"fulfillment": fulfillment},
            SafetyMode.LOOKUP,
            effect.deadline,
        )
        result = self._api.refuse_user_errors(answer, "fulfillmentCreate", SafetyMode.LOOKUP)
        created = text_at(node_at(result, "fulfillment"), "legacyResourceId")
        return Reply(answer.response.body, "application/json", answer.response.status, external_id=created)

    def lookup_shipment(self, effect: Effect) -> Found | NotFound | Unsure:
        """Whether the order has a fulfilment with our tracking number; without one, by how much of it is fulfilled."""
        payload = _tree(effect.payload)
        return self._ours(self._state(payload, effect.deadline), payload, _wanted(payload))

    def push_inventory(self, effect: Effect) -> Reply:
        """`inventorySetQuantities` of the quantity `available`, with our key in `@idempotent`.

        Required since version 2026-04, as is `changeFromQuantity`; null opts out of the comparison
        (shopify.dev/changelog: finalizing-compare-and-swap-redesign-for-inventory-set-quantities). A comparison that
        fails is an answer, not an error: the reply says so, and the hub reads orders again and publishes anew.
        """
        payload = _tree(effect.payload)
        quantity = _whole_units(payload, "quantity")
        if quantity is None:
            raise CallFailed(Resolution.REJECTED, "the payload has no quantity")
        item = text_at(payload, "inventoryItemId") or self._item(text_at(payload, "sku") or "", effect.deadline)
        location = text_at(payload, "locationId") or str(self._context.config.get("location") or "")
        if not location:
            raise CallFailed(Resolution.REJECTED, "neither the stock level nor the connection names a location")
        level = {
            "inventoryItemId": gid("InventoryItem", item),
            "locationId": gid("Location", location),
            "quantity": quantity,
            "changeFromQuantity": _whole_units(payload, "changeFromQuantity"),
        }
        variables = {
            "key": str(uuid.uuid5(_NAMESPACE, f"{self._context.connection}/{effect.key}")),
            "input": {"name": "available", "reason": "correction", "quantities": [level]},
        }
        mode = SafetyMode.IDEMPOTENCY_KEY
        answer = self._api.write("InventorySet", queries.INVENTORY_SET, variables, mode, effect.deadline)
        raw = answer.response.body
        if _is_stale(node_at(answer.data, "inventorySetQuantities")):
            raw = self._with_observed(answer, level, effect.deadline)
        else:
            self._api.refuse_user_errors(answer, "inventorySetQuantities", mode)
        return Reply(raw, "application/json", answer.response.status, external_id=item)

    def _with_observed(self, answer: Answer, level: Node, deadline: dt.datetime) -> bytes:
        """The answer of a missed comparison, and beside it what the shop shows now."""
        variables = {"item": level["inventoryItemId"], "location": level["locationId"]}
        found = self._api.read("InventoryLevel", queries.INVENTORY_LEVEL, variables, deadline)
        shown = nodes_at(node_at(node_at(found.data, "inventoryItem"), "inventoryLevel"), "quantities")
        available = next((whole_at(entry, "quantity") for entry in shown if entry.get("name") == "available"), None)
        body: Node = {"data": answer.data}
        if available is not None:
            body["observed"] = {"available": available}
        return json.dumps(body, default=str, ensure_ascii=False).encode("utf-8")

    def _state(self, payload: Node, deadline: dt.datetime) -> Node:
        order_id = gid("Order", text_at(payload, "orderId") or "0")
        order = node_at(
            self._api.read("FulfilmentState", queries.FULFILMENT_STATE, {"id": order_id}, deadline).data, "order"
        )
        if not order:
            raise CallFailed(Resolution.REJECTED, "the shop has no such order", code="order_not_found")
        return order

    def _ours(self, state: Node, payload: Node, wanted: Quantities) -> Found | NotFound | Unsure:
        number = text_at(node_at(node_at(payload, "fulfillment"), "trackingInfo"), "number")
        live = [entry for entry in nodes_at(state, "fulfillments") if text_at(entry, "status") != "CANCELLED"]
        if number:
            for entry in live:
                if number in {text_at(info, "number") for info in nodes_at(entry, "trackingInfo")}:
                    return Found(_reply_of(entry), same_content=_lines_of(entry) == wanted)
            return NotFound()
        twins = [entry for entry in live if _lines_of(entry) == wanted]
        return _by_quantities(state, payload, wanted, live, twins) if twins else NotFound()

    def _item(self, sku: str, deadline: dt.datetime) -> str:
        """The inventory item of a SKU, remembered for as long as this process lives."""
        known = self._items.get(sku)
        if known is not None:
            return known
        quoted = sku.replace("\\", "\\\\").replace("'", "\\'")
        found = self._api.read("InventoryItem", queries.INVENTORY_ITEM, {"query": f"sku:'{quoted}'"}, deadline)
        # The search ignores case and accents; only the very SKU will do.
        ids = [
            identifier
            for node in nodes_at(found.data, "inventoryItems")
            if text_at(node, "sku") == sku and (identifier := text_at(node, "id"))
        ]
        if len(ids) != 1:
            several = "more than one item" if ids else "no item"
            raise CallFailed(Resolution.REJECTED, f"the shop has {several} with the SKU {sku}", code="unknown_sku")
        if len(self._items) >= _MAX_ITEMS_KEPT:
            self._items.clear()
        self._items[sku] = ids[0]
        return ids[0]


def _by_quantities(
    state: Node, payload: Node, wanted: Quantities, live: list[Node], twins: list[Node]
) -> Found | NotFound | Unsure:
    """A handover has no tracking number: whether one of the fulfilments with the same lines is ours follows from how
    much of these lines is fulfilled in all, beside what was when we told it, and from what is left to fulfil."""
    before = {gid("LineItem", text_at(one, "lineItemId") or ""): whole_at(one, "toldBefore") for one in _lines(payload)}
    fulfilled: dict[str, int] = {}
    for entry in live:
        for item, units in _lines_of(entry).items():
            fulfilled[item] = fulfilled.get(item, 0) + units
    left = {
        text_at(node_at(line, "lineItem"), "id")
        for order in nodes_at(state, "fulfillmentOrders")
        for line in nodes_at(order, "lineItems")
        if text_at(order, "status") in _OPEN and (whole_at(line, "remainingQuantity") or 0) > 0
    }
    known = {item: told for item, told in before.items() if told is not None}
    if known.keys() == wanted.keys():
        if all(fulfilled.get(item, 0) >= known[item] + units for item, units in wanted.items()):
            return Found(_reply_of(twins[-1]), same_content=True)
        if all(fulfilled.get(item, 0) <= known[item] for item in wanted):
            return NotFound()  # those are what we told before
    elif not left & wanted.keys():
        return Found(_reply_of(twins[-1]), same_content=True)  # all of it is fulfilled: more could not be told anyhow
    return Unsure("a fulfilment with the same lines exists, and without a tracking number it may be another's")


def _lines(payload: Node) -> list[Node]:
    return nodes_at(payload, "lines")


def _by_fulfilment_order(orders: list[Node], wanted: Quantities) -> list[Node]:
    """Our quantities cut into the shop's fulfilment orders, all at one location, as one fulfilment needs them."""
    by_location: dict[str, list[Node]] = {}
    for order in orders:
        if text_at(order, "status") in _OPEN:
            place = text_at(node_at(node_at(order, "assignedLocation"), "location"), "id") or ""
            by_location.setdefault(place, []).append(order)
    for candidates in by_location.values():
        cut = _cut(candidates, wanted)
        if cut is not None:
            return cut
    raise CallFailed(
        Resolution.REJECTED,
        "the shop has not these quantities left to fulfil at one location",
        code="nothing_to_fulfil",
    )


def _cut(orders: list[Node], wanted: Quantities) -> list[Node] | None:
    left = dict(wanted)
    result: list[Node] = []
    for order in orders:
        taken: list[Node] = []
        for line in nodes_at(order, "lineItems"):
            item = text_at(node_at(line, "lineItem"), "id") or ""
            quantity = min(left.get(item, 0), whole_at(line, "remainingQuantity") or 0)
            if quantity > 0:
                left[item] -= quantity
                taken.append({"id": line.get("id"), "quantity": quantity})
        if taken:
            result.append({"fulfillmentOrderId": order.get("id"), "fulfillmentOrderLineItems": taken})
    return result if result and not any(left.values()) else None


def _reply_of(fulfilment: Node) -> Reply:
    """What `fulfillmentCreate` would have answered, from what the order shows."""
    body = {"data": {"fulfillmentCreate": {"fulfillment": fulfilment, "userErrors": []}}}
    return Reply(
        json.dumps(body, default=str, ensure_ascii=False, sort_keys=True).encode("utf-8"),
        "application/json",
        200,
        external_id=text_at(fulfilment, "legacyResourceId"),
    )


def _lines_of(fulfilment: Node) -> dict[str, int]:
    lines: dict[str, int] = {}
    for entry in nodes_at(fulfilment, "fulfillmentLineItems"):
        item = text_at(node_at(entry, "lineItem"), "id") or ""
        lines[item] = lines.get(item, 0) + (whole_at(entry, "quantity") or 0)
    return lines


def _wanted(payload: Node) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in nodes_at(payload, "lines"):
        item = gid("LineItem", text_at(line, "lineItemId") or "")
        quantity = whole_at(line, "quantity")
        if quantity is None or quantity <= 0:
            raise CallFailed(Resolution.REJECTED, "the shop takes whole quantities above zero only", code="quantity")
        wanted[item] = wanted.get(item, 0) + quantity
    if not wanted:
        raise CallFailed(Resolution.REJECTED, "the shipment has no lines that the shop knows", code="no_lines")
    return wanted


def _is_stale(payload: Node) -> bool:
    codes = {text_at(error, "code") for error in nodes_at(payload, "userErrors")}
    return bool(codes) and codes <= {"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"}


def _whole_units(payload: Node, key: str) -> int | None:
    """The shop counts in whole units: half a metre more than nine is nine."""
    value = decimal_at(payload, key)
    return None if value is None else int(value.to_integral_value(rounding=ROUND_FLOOR).max(Decimal(-(10**9))))


def _tree(payload: Tree) -> Node:
    if not isinstance(payload, dict):
        raise CallFailed(Resolution.REJECTED, "the payload is no object")
    return dict(payload)
