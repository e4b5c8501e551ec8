"""What goes back to the marketplace: shipments by confirmShipment, stock by a patch of the listing.

Payloads come from mappings/amazon_sp and are frozen:
push_shipment   {orderId, packageDetail: {packageReferenceId, carrierCode, carrierName, shippingMethod, trackingNumber,
                 shipDate, orderItems: [{orderItemId, quantity}]}}
push_inventory  {sku, quantity, channel}
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import ROUND_FLOOR

from connectors.amazon_sp.spapi import ERRORS, SellingPartnerApi, segment
from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import classify
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at
from hub.sdk.records import Effect, Found, NotFound, Reply, Tree, Unsure

ORDERS = "/orders/2026-01-01/orders"
CONFIRMATIONS = "/orders/v0/orders"
LISTINGS = "/listings/2021-08-01/items"
PRODUCT_TYPE = "PRODUCT"
"""Any type will do where only availability is patched, as the vendor's guide for it says."""

_MAX_REFERENCE = 10**9


class Pushes:
    def __init__(self, context: Context, api: SellingPartnerApi) -> None:
        self._context = context
        self._api = api
        self._marketplaces = tuple(str(one) for one in context.config["marketplaces"])
        self._seller = str(context.config.get("seller_id") or "")

    def push_shipment(self, effect: Effect) -> Reply:
        """confirmShipment, POST /orders/v0/orders/{orderId}/shipmentConfirmation; 204 without a body.

        The reply says what was confirmed as the order's packages would.
        """
        payload = _tree(effect.payload)
        order = _required(payload, "orderId")
        body: Node = {
            "marketplaceId": self._marketplace(order, effect.deadline),
            "packageDetail": _package_detail(payload),
        }
        path = f"{CONFIRMATIONS}/{segment(order)}/shipmentConfirmation"
        self._api.write("confirmShipment", "POST", path, {}, body, effect.deadline)
        return _confirmed(_as_package(body["packageDetail"]))

    def lookup_shipment(self, effect: Effect) -> Found | NotFound | Unsure:
        """Whether one of the order's packages has our reference or our tracking number."""
        payload = _tree(effect.payload)
        order = self._order(_required(payload, "orderId"), ("PACKAGES",), effect.deadline)
        if not order:
            return Unsure("the marketplace does not show the order")
        ours = _as_package(_package_detail(payload))
        for package in nodes_at(order, "packages"):
            same_reference = text_at(package, "packageReferenceId") == ours["packageReferenceId"]
            same_number = _folded(text_at(package, "trackingNumber")) == _folded(text_at(ours, "trackingNumber"))
            if same_reference or same_number:
                same = same_number and _quantities(package, "packageItems") == _quantities(ours, "packageItems")
                return Found(_confirmed(package), same_content=same)
        return NotFound()

    def push_inventory(self, effect: Effect) -> Reply:
        """patchListingsItem of `fulfillment_availability`; the answer ACCEPTED means taken for processing.

        Raises CallFailed: rejected with the vendor's words where the listing takes no such patch.
        """
        payload = _tree(effect.payload)
        sku, quantity, channel = self._level(payload)
        value = {"fulfillment_channel_code": channel, "quantity": quantity}
        patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": [value]}
        body: Node = {"productType": PRODUCT_TYPE, "patches": [patch]}
        query = {"marketplaceIds": self._marketplaces, "includedData": ("issues",)}
        path = f"{LISTINGS}/{segment(self._seller)}/{segment(sku)}"
        response = self._api.write("patchListingsItem", "PATCH", path, query, body, effect.deadline)
        try:
            tree = self._context.loads(response.body)
        except DataError:
            tree = None
        if text_at(tree, "status") not in ("ACCEPTED", "VALID"):
            issues = "; ".join(
                text_at(issue, "message") or "an issue without words" for issue in nodes_at(tree, "issues")
            )
            failed = classify(
                response,
                SafetyMode.LOOKUP,
                ERRORS,
                now=self._context.clock.now(),
                code=text_at(tree, "status") or "",
                words=issues or "the listing was not accepted",
            )
            assert failed is not None  # a code was given
            raise failed
        return Reply(response.body, "application/json", response.status, external_id=text_at(tree, "submissionId"))

    def lookup_inventory(self, effect: Effect) -> Found | NotFound | Unsure:
        """Whether the listing shows our quantity. Another one says that ours did not arrive, or not yet: it is set
        again, which does no harm, because the quantity is absolute and calls for one SKU do not overtake each other."""
        sku, quantity, channel = self._level(_tree(effect.payload))
        query = {"marketplaceIds": self._marketplaces, "includedData": ("fulfillmentAvailability",)}
        path = f"{LISTINGS}/{segment(self._seller)}/{segment(sku)}"
        tree, response = self._api.read_answer("getListingsItem", path, query, effect.deadline)
        for entry in nodes_at(tree, "fulfillmentAvailability"):
            if text_at(entry, "fulfillmentChannelCode") == channel and whole_at(entry, "quantity") == quantity:
                body = json.dumps({"sku": sku, "status": "ACCEPTED", "issues": []}).encode()
                return Found(Reply(body, "application/json", response.status), same_content=True)
        return NotFound()

    def _level(self, payload: Node) -> tuple[str, int, str]:
        quantity = decimal_at(payload, "quantity")
        if not self._seller:
            raise CallFailed(Resolution.REJECTED, "the connection has no seller_id, which listings are found by")
        if quantity is None:
            raise CallFailed(Resolution.REJECTED, "the payload has no quantity")
        whole = max(0, int(quantity.to_integral_value(rounding=ROUND_FLOOR)))
        return _required(payload, "sku"), whole, text_at(payload, "channel") or "DEFAULT"

    def _marketplace(self, order_id: str, deadline: dt.datetime) -> str:
        """The order's marketplace: the only one of the connection, else the order is asked."""
        if len(self._marketplaces) == 1:
            return self._marketplaces[0]
        order = self._order(order_id, (), deadline)
        marketplace = text_at(node_at(order, "salesChannel"), "marketplaceId")
        if marketplace is None:
            raise CallFailed(Resolution.REJECTED, "the order does not say which marketplace it is from")
        return marketplace

    def _order(self, order_id: str, datasets: tuple[str, ...], deadline: dt.datetime) -> Node:
        query = {"includedData": datasets} if datasets else {}
        return node_at(self._api.read("getOrder", f"{ORDERS}/{segment(order_id)}", query, deadline), "order")


def _package_detail(payload: Node) -> Node:
    detail = node_at(payload, "packageDetail")
    return {**detail, "packageReferenceId": package_reference(_required(detail, "packageReferenceId"))}


def package_reference(ours: str) -> str:
    """A positive number as text, which is all that the vendor takes; the same one for the same package always."""
    if ours.isascii() and ours.isdigit() and 0 < int(ours) < _MAX_REFERENCE:
        return str(int(ours))
    return str(int.from_bytes(hashlib.sha256(ours.encode("utf-8")).digest()[:8], "big") % (_MAX_REFERENCE - 1) + 1)


def _as_package(detail: object) -> Node:
    """What was sent, in the words of an order's packages."""
    return {
        "packageReferenceId": text_at(detail, "packageReferenceId"),
        "trackingNumber": text_at(detail, "trackingNumber"),
        "carrier": text_at(detail, "carrierName"),
        "packageItems": nodes_at(detail, "orderItems"),
    }


def _confirmed(package: Node) -> Reply:
    body = json.dumps({"package": package}, default=str, ensure_ascii=False, sort_keys=True).encode("utf-8")
    return Reply(body, "application/json", 204, external_id=text_at(package, "packageReferenceId"))


def _quantities(package: Node, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in nodes_at(package, name):
        item = text_at(entry, "orderItemId") or ""
        found[item] = found.get(item, 0) + (whole_at(entry, "quantity") or 0)
    return found


def _folded(text: str | None) -> str:
    return (text or "").replace(" ", "").upper()


def _required(node: Node, key: str) -> str:
    text = text_at(node, key)
    if text is None:
        raise CallFailed(Resolution.REJECTED, f"the payload has no {key}")
    return text


def _tree(payload: Tree) -> Node:
    if not isinstance(payload, dict):
        raise CallFailed(Resolution.REJECTED, "the payload is no object")
    return dict(payload)
