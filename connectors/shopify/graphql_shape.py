"""The emulated shop's answers: REST-shaped books as GraphQL nodes. The connector turns them back on its own."""

from __future__ import annotations

from decimal import Decimal

from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

_STATUS = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED", "restocked": "RESTOCKED"}
_APPLICATIONS = {
    "discount_code": "DiscountCodeApplication",
    "manual": "ManualDiscountApplication",
    "automatic": "AutomaticDiscountApplication",
    "script": "ScriptDiscountApplication",
}


def order_node(order: Node, *, lines: int, after: int = 0) -> Node:
    """An Order with its lines from `after` on, at most `lines` of them."""
    node: Node = {
        "id": order["admin_graphql_api_id"],
        "legacyResourceId": text_at(order, "id"),
        "name": order["name"],
        "createdAt": _utc(order["created_at"]),
        "processedAt": _utc(order["processed_at"]),
        "updatedAt": _utc(order["updated_at"]),
        "cancelledAt": _utc(order["cancelled_at"]),
        "cancelReason": _upper(order["cancel_reason"]),
        "closedAt": _utc(order["closed_at"]),
        "confirmed": order["confirmed"],
        "test": order["test"],
        "email": order["email"],
        "phone": order["phone"],
        "note": order["note"],
        "tags": [tag for tag in str(order["tags"]).split(", ") if tag],
        "poNumber": order["po_number"],
        "sourceName": order["source_name"],
        "sourceIdentifier": order["source_identifier"],
        "customerLocale": order["customer_locale"],
        "taxesIncluded": order["taxes_included"],
        "currencyCode": order["currency"],
        "presentmentCurrencyCode": order["presentment_currency"],
        "displayFinancialStatus": _upper(order["financial_status"]),
        "displayFulfillmentStatus": _STATUS[text_at(order, "fulfillment_status")],
        "customAttributes": _attributes(order, "note_attributes"),
        "customer": _customer(order.get("customer")),
        "billingAddress": _address(order.get("billing_address")),
        "shippingAddress": _address(order.get("shipping_address")),
        "totalPriceSet": bag(order["total_price_set"]),
        "subtotalPriceSet": bag(order["subtotal_price_set"]),
        "totalTaxSet": bag(order["total_tax_set"]),
        "totalDiscountsSet": bag(order["total_discounts_set"]),
        "currentTotalPriceSet": bag(order["current_total_price_set"]),
        "currentSubtotalPriceSet": bag(order["current_subtotal_price_set"]),
        "currentTotalTaxSet": bag(order["current_total_tax_set"]),
        "currentTotalDiscountsSet": bag(order["current_total_discounts_set"]),
        "totalShippingPriceSet": bag(order["total_shipping_price_set"]),
        "totalOutstandingSet": _bag_of(order, "total_outstanding"),
        "totalTipReceivedSet": _bag_of(order, "total_tip_received"),
        "originalTotalDutiesSet": bag(order["original_total_duties_set"]),
        "taxLines": [_tax(entry) for entry in nodes_at(order, "tax_lines")],
        "discountApplications": {
            "nodes": [
                _application(index, entry) for index, entry in enumerate(nodes_at(order, "discount_applications"))
            ]
        },
        "shippingLines": {"nodes": [_shipping(entry) for entry in nodes_at(order, "shipping_lines")]},
        "transactions": [
            {
                "id": _gid("OrderTransaction", entry["id"]),
                "kind": _upper(entry["kind"]),
                "status": _upper(entry["status"]),
                "gateway": entry["gateway"],
                "authorizationCode": entry["authorization"],
                "authorizationExpiresAt": entry["authorization_expires_at"],
                "amountSet": _bag_of(entry, "amount"),
            }
            for entry in nodes_at(order, "transactions")
        ],
        "refunds": [refund_node(entry) for entry in nodes_at(order, "refunds")],
        "fulfillments": [fulfilment_node(entry) for entry in nodes_at(order, "fulfillments")],
    }
    node["lineItems"] = line_connection(order, lines=lines, after=after)
    return node


def line_connection(order: Node, *, lines: int, after: int) -> Node:
    every = nodes_at(order, "line_items")
    shown = every[after : after + lines]
    end = after + len(shown)
    return {
        "pageInfo": {"hasNextPage": end < len(every), "endCursor": str(end) if shown else None},
        "nodes": [_line(entry) for entry in shown],
    }


def refund_node(refund: Node) -> Node:
    return {
        "id": refund["admin_graphql_api_id"],
        "legacyResourceId": text_at(refund, "id"),
        "createdAt": _utc(refund["created_at"]),
        "updatedAt": _utc(refund["created_at"]),
        "note": refund["note"],
        "totalRefundedSet": None,
        "refundLineItems": {
            "nodes": [
                {
                    "id": _gid("RefundLineItem", entry["id"]),
                    "quantity": entry["quantity"],
                    "restockType": _upper(entry["restock_type"]),
                    "lineItem": {"id": _gid("LineItem", entry["line_item_id"])},
                    "location": None
                    if entry["location_id"] is None
                    else {"id": _gid("Location", entry["location_id"])},
                    "subtotalSet": bag(entry["subtotal_set"]),
                    "totalTaxSet": bag(entry["total_tax_set"]),
                }
                for entry in nodes_at(refund, "refund_line_items")
            ]
        },
        "transactions": {
            "nodes": [
                {
                    "id": _gid("OrderTransaction", entry["id"]),
                    "kind": _upper(entry["kind"]),
                    "status": _upper(entry["status"]),
                    "gateway": entry["gateway"],
                    "amountSet": _bag_of(entry, "amount"),
                }
                for entry in nodes_at(refund, "transactions")
            ]
        },
    }


def fulfilment_node(fulfilment: Node) -> Node:
    number, url = text_at(fulfilment, "tracking_number"), text_at(fulfilment, "tracking_url")
    tracking: list[object] = []
    if number or url:
        tracking = [{"company": fulfilment["tracking_company"], "number": number, "url": url}]
    return {
        "id": fulfilment["admin_graphql_api_id"],
        "legacyResourceId": text_at(fulfilment, "id"),
        "status": _upper(fulfilment["status"]),
        "createdAt": _utc(fulfilment["created_at"]),
        "updatedAt": _utc(fulfilment["updated_at"]),
        "location": {"id": _gid("Location", fulfilment["location_id"])},
        "trackingInfo": tracking,
        "fulfillmentLineItems": {
            "nodes": [
                {
                    "id": _gid("FulfillmentLineItem", whole_at(entry, "id")),
                    "quantity": entry["quantity"],
                    "lineItem": {"id": _gid("LineItem", entry["id"])},
                }
                for entry in nodes_at(fulfilment, "line_items")
            ]
        },
    }


def bag(value: object) -> Node | None:
    """A REST `_set` as a money bag. GraphQL writes an amount with the digits it needs, at least one: 19.9, 10.0."""
    if not isinstance(value, dict):
        return None
    return {
        "shopMoney": _money(node_at(value, "shop_money")),
        "presentmentMoney": _money(node_at(value, "presentment_money")),
    }


def _money(money: Node) -> Node:
    return {"amount": _short(decimal_at(money, "amount") or Decimal(0)), "currencyCode": money.get("currency_code")}


def _bag_of(node: Node, name: str) -> Node:
    money = {"amount": _short(decimal_at(node, name) or Decimal(0)), "currencyCode": node["currency"]}
    return {"shopMoney": dict(money), "presentmentMoney": dict(money)}


def _short(amount: Decimal) -> str:
    text = format(amount, "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _line(line: Node) -> Node:
    return {
        "id": line["admin_graphql_api_id"],
        "sku": line["sku"],
        "title": line["title"],
        "variantTitle": line["variant_title"],
        "name": line["name"],
        "quantity": line["quantity"],
        "currentQuantity": line["current_quantity"],
        "unfulfilledQuantity": line["fulfillable_quantity"],
        "requiresShipping": line["requires_shipping"],
        "isGiftCard": line["gift_card"],
        "taxable": line["taxable"],
        "vendor": line["vendor"],
        "variant": None if line["variant_id"] is None else {"id": _gid("ProductVariant", line["variant_id"])},
        "product": None if line["product_id"] is None else {"id": _gid("Product", line["product_id"])},
        "customAttributes": _attributes(line, "properties"),
        "originalUnitPriceSet": bag(line["price_set"]),
        "totalDiscountSet": bag(line["total_discount_set"]),
        "discountAllocations": [_allocation(entry) for entry in nodes_at(line, "discount_allocations")],
        "taxLines": [_tax(entry) for entry in nodes_at(line, "tax_lines")],
    }


def _shipping(line: Node) -> Node:
    return {
        "id": _gid("ShippingLine", line["id"]),
        "title": line["title"],
        "code": line["code"],
        "source": line["source"],
        "carrierIdentifier": line["carrier_identifier"],
        "originalPriceSet": bag(line["price_set"]),
        "discountedPriceSet": bag(line["discounted_price_set"]),
        "discountAllocations": [_allocation(entry) for entry in nodes_at(line, "discount_allocations")],
        "taxLines": [_tax(entry) for entry in nodes_at(line, "tax_lines")],
    }


def _allocation(entry: Node) -> Node:
    return {
        "allocatedAmountSet": bag(entry["amount_set"]),
        "discountApplication": {"index": entry["discount_application_index"]},
    }


def _application(index: int, entry: Node) -> Node:
    percentage = entry["value_type"] == "percentage"
    value: Node = (
        {"__typename": "PricingPercentageValue", "percentage": float(str(entry["value"]))}
        if percentage
        else {"__typename": "MoneyV2", "amount": entry["value"]}
    )
    return {
        "__typename": _APPLICATIONS[str(entry["type"])],
        "index": index,
        "allocationMethod": _upper(entry["allocation_method"]),
        "targetSelection": _upper(entry["target_selection"]),
        "targetType": _upper(entry["target_type"]),
        "value": value,
        **{name: entry[name] for name in ("code", "title") if name in entry},
    }


def _tax(entry: Node) -> Node:
    return {
        "title": entry["title"],
        "rate": entry["rate"],
        "channelLiable": entry["channel_liable"],
        "priceSet": bag(entry["price_set"]),
    }


def _customer(value: object) -> Node | None:
    if not isinstance(value, dict):
        return None
    return {
        "id": _gid("Customer", value["id"]),
        "email": value["email"],
        "phone": value["phone"],
        "firstName": value["first_name"],
        "lastName": value["last_name"],
        "locale": "en",
    }


def _address(value: object) -> Node | None:
    if not isinstance(value, dict):
        return None
    return {
        "firstName": value["first_name"],
        "lastName": value["last_name"],
        "name": value["name"],
        "company": value["company"],
        "address1": value["address1"],
        "address2": value["address2"],
        "city": value["city"],
        "province": value["province"],
        "provinceCode": value["province_code"],
        "zip": value["zip"],
        "country": value["country"],
        "countryCodeV2": value["country_code"],
        "phone": value["phone"],
        "latitude": value["latitude"],
        "longitude": value["longitude"],
    }


def _attributes(node: Node, name: str) -> list[Node]:
    return [{"key": entry.get("name"), "value": entry.get("value")} for entry in nodes_at(node, name)]


def _gid(kind: str, identifier: object) -> str:
    return f"gid://shopify/{kind}/{identifier}"


def _upper(value: object) -> str | None:
    return value.upper() if isinstance(value, str) else None


def _utc(value: object) -> str | None:
    return value if isinstance(value, str) else None
