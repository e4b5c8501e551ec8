"""GraphQL nodes as the REST resources that webhooks carry, so that push and poll have one representation.

Names and formats follow the REST Order and Refund resources (shopify.dev/docs/api/admin-rest): ids are numbers, enums
lower case, amounts text with the currency's own digits. `total_line_items_price` has no GraphQL twin; REST defines it
as the sum of the lines' prices, and that is what it is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from connectors.shopify.gids import legacy_id
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at

_DIGITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Minor units of ISO 4217 where they are not two."""

_FULFILMENT = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial", "RESTOCKED": "restocked"}
_DISCOUNT_TYPES = {
    "DiscountCodeApplication": "discount_code",
    "ManualDiscountApplication": "manual",
    "AutomaticDiscountApplication": "automatic",
    "ScriptDiscountApplication": "script",
}
_TOTALS = {
    "total_price": "totalPriceSet",
    "subtotal_price": "subtotalPriceSet",
    "total_tax": "totalTaxSet",
    "total_discounts": "totalDiscountsSet",
    "current_total_price": "currentTotalPriceSet",
    "current_subtotal_price": "currentSubtotalPriceSet",
    "current_total_tax": "currentTotalTaxSet",
    "current_total_discounts": "currentTotalDiscountsSet",
}
_ADDRESS = {
    "first_name": "firstName",
    "last_name": "lastName",
    "name": "name",
    "company": "company",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "province": "province",
    "province_code": "provinceCode",
    "zip": "zip",
    "country": "country",
    "country_code": "countryCodeV2",
    "phone": "phone",
    "latitude": "latitude",
    "longitude": "longitude",
}


def order_from_graphql(node: Node) -> Node:
    """The REST order of a GraphQL Order node. Absent parts stay absent."""
    order_id = legacy_id(text_at(node, "id"))
    currency = text_at(node, "currencyCode")
    lines = [line_from_graphql(line) for line in nodes_at(node, "lineItems")]
    applications = [_application(entry) for entry in nodes_at(node, "discountApplications")]
    shipping = [_shipping_line(entry) for entry in nodes_at(node, "shippingLines")]
    order: Node = {
        "id": order_id,
        "admin_graphql_api_id": text_at(node, "id"),
        "name": node.get("name"),
        "created_at": node.get("createdAt"),
        "processed_at": node.get("processedAt"),
        "updated_at": node.get("updatedAt"),
        "cancelled_at": node.get("cancelledAt"),
        "cancel_reason": _lower(node.get("cancelReason")),
        "closed_at": node.get("closedAt"),
        "confirmed": node.get("confirmed"),
        "test": node.get("test"),
        "email": node.get("email"),
        "phone": node.get("phone"),
        "note": node.get("note"),
        "tags": ", ".join(tag for tag in _list(node.get("tags")) if isinstance(tag, str)),
        "po_number": node.get("poNumber"),
        "source_name": node.get("sourceName"),
        "source_identifier": node.get("sourceIdentifier"),
        "customer_locale": node.get("customerLocale"),
        "taxes_included": node.get("taxesIncluded"),
        "currency": currency,
        "presentment_currency": node.get("presentmentCurrencyCode"),
        "financial_status": _lower(node.get("displayFinancialStatus")),
        "fulfillment_status": _FULFILMENT.get(text_at(node, "displayFulfillmentStatus") or ""),
        "note_attributes": _attributes(node),
        "customer": _customer(node.get("customer")),
        "billing_address": _address(node.get("billingAddress")),
        "shipping_address": _address(node.get("shippingAddress")),
    }
    for name, source in _TOTALS.items():
        _put_money(order, name, node.get(source))
    order["total_shipping_price_set"] = money_set(node.get("totalShippingPriceSet"))
    order["total_outstanding"] = _shop_amount(node.get("totalOutstandingSet"))
    order["total_tip_received"] = _shop_amount(node.get("totalTipReceivedSet"))
    order["original_total_duties_set"] = money_set(node.get("originalTotalDutiesSet"))
    if "lineItems" in node:
        order["total_line_items_price"] = _line_total(lines, currency)
        order["line_items"] = lines
    order["discount_applications"] = applications
    order["discount_codes"] = _discount_codes(applications, [*lines, *shipping], currency)
    order["shipping_lines"] = shipping
    order["tax_lines"] = [_tax_line(tax) for tax in nodes_at(node, "taxLines")]
    paid_by = [_transaction(entry, currency) for entry in nodes_at(node, "transactions")]
    if paid_by:
        order["transactions"] = paid_by
    order["refunds"] = [refund_from_graphql(refund, order_id, currency) for refund in nodes_at(node, "refunds")]
    order["fulfillments"] = [fulfilment_from_graphql(entry, order_id) for entry in nodes_at(node, "fulfillments")]
    return order


def _transaction(node: Node, currency: str | None) -> Node:
    return {
        "id": legacy_id(text_at(node, "id")),
        "kind": _lower(node.get("kind")),
        "status": _lower(node.get("status")),
        "gateway": node.get("gateway"),
        "authorization": node.get("authorizationCode"),
        "authorization_expires_at": node.get("authorizationExpiresAt"),
        "amount": _shop_amount(node.get("amountSet")),
        "currency": text_at(node_at(node_at(node, "amountSet"), "shopMoney"), "currencyCode") or currency,
    }


def line_from_graphql(node: Node) -> Node:
    current = whole_at(node, "currentQuantity")
    left = whole_at(node, "unfulfilledQuantity")
    line: Node = {
        "id": legacy_id(text_at(node, "id")),
        "admin_graphql_api_id": node.get("id"),
        "sku": node.get("sku"),
        "title": node.get("title"),
        "variant_title": node.get("variantTitle"),
        "name": node.get("name"),
        "quantity": node.get("quantity"),
        "current_quantity": current,
        "fulfillable_quantity": left,
        "fulfillment_status": fulfilment_status(current, left),
        "requires_shipping": node.get("requiresShipping"),
        "gift_card": node.get("isGiftCard"),
        "taxable": node.get("taxable"),
        "vendor": node.get("vendor"),
        "variant_id": legacy_id(text_at(node_at(node, "variant"), "id")),
        "product_id": legacy_id(text_at(node_at(node, "product"), "id")),
        "properties": _attributes(node),
    }
    _put_money(line, "price", node.get("originalUnitPriceSet"))
    _put_money(line, "total_discount", node.get("totalDiscountSet"))
    line["discount_allocations"] = [_allocation(entry) for entry in nodes_at(node, "discountAllocations")]
    line["tax_lines"] = [_tax_line(tax) for tax in nodes_at(node, "taxLines")]
    return line


def refund_from_graphql(node: Node, order_id: int | None, currency: str | None) -> Node:
    """The REST refund of a GraphQL Refund node."""
    lines = []
    for entry in nodes_at(node, "refundLineItems"):
        line: Node = {
            "id": legacy_id(text_at(entry, "id")),
            "line_item_id": legacy_id(text_at(node_at(entry, "lineItem"), "id")),
            "quantity": entry.get("quantity"),
            "restock_type": _lower(entry.get("restockType")),
            "location_id": legacy_id(text_at(node_at(entry, "location"), "id")),
        }
        _put_money(line, "subtotal", entry.get("subtotalSet"))
        _put_money(line, "total_tax", entry.get("totalTaxSet"))
        lines.append(line)
    return {
        "id": legacy_id(text_at(node, "id")),
        "admin_graphql_api_id": node.get("id"),
        "order_id": order_id,
        "created_at": node.get("createdAt"),
        "note": node.get("note"),
        "refund_line_items": lines,
        "transactions": [
            {
                "id": legacy_id(text_at(entry, "id")),
                "kind": _lower(entry.get("kind")),
                "status": _lower(entry.get("status")),
                "gateway": entry.get("gateway"),
                "amount": _shop_amount(entry.get("amountSet")),
                "currency": text_at(node_at(node_at(entry, "amountSet"), "shopMoney"), "currencyCode") or currency,
            }
            for entry in nodes_at(node, "transactions")
        ],
    }


def fulfilment_from_graphql(node: Node, order_id: int | None) -> Node:
    tracking = nodes_at(node, "trackingInfo")
    numbers = [number for entry in tracking if (number := text_at(entry, "number"))]
    urls = [url for entry in tracking if (url := text_at(entry, "url"))]
    return {
        "id": legacy_id(text_at(node, "id")),
        "admin_graphql_api_id": node.get("id"),
        "order_id": order_id,
        "status": _lower(node.get("status")),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "location_id": legacy_id(text_at(node_at(node, "location"), "id")),
        "tracking_company": text_at(tracking[0], "company") if tracking else None,
        "tracking_number": numbers[0] if numbers else None,
        "tracking_numbers": numbers,
        "tracking_url": urls[0] if urls else None,
        "tracking_urls": urls,
        "line_items": [
            {"id": legacy_id(text_at(node_at(entry, "lineItem"), "id")), "quantity": entry.get("quantity")}
            for entry in nodes_at(node, "fulfillmentLineItems")
        ],
    }


def fulfilment_status(current: int | None, left: int | None) -> str | None:
    """A line's status in REST: null while nothing left, partial, fulfilled."""
    if current is None or left is None or current == 0 or left >= current:
        return None
    return "fulfilled" if left == 0 else "partial"


def amount_text(amount: Decimal, currency: str | None) -> str:
    """An amount as REST writes it: the currency's digits, more only where the amount has them."""
    digits = _DIGITS.get(currency or "", 2)
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > digits and amount == round(amount, digits):
        amount = round(amount, digits)
    return format(amount, "f") if -_exponent(amount) >= digits else format(amount, f".{digits}f")


def money_set(value: object) -> Node | None:
    """A money bag as REST's `_set`, None where there is none."""
    if not isinstance(value, dict):
        return None
    return {
        "shop_money": _money(node_at(value, "shopMoney")),
        "presentment_money": _money(node_at(value, "presentmentMoney")),
    }


def _money(money: Node) -> Node:
    currency = text_at(money, "currencyCode")
    amount = decimal_at(money, "amount")
    return {"amount": None if amount is None else amount_text(amount, currency), "currency_code": currency}


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _shop_amount(value: object) -> str | None:
    money = node_at(value, "shopMoney")
    amount = decimal_at(money, "amount")
    return None if amount is None else amount_text(amount, text_at(money, "currencyCode"))


def _put_money(target: Node, name: str, value: object) -> None:
    target[name] = _shop_amount(value)
    target[f"{name}_set"] = money_set(value)


def _line_total(lines: Iterable[Node], currency: str | None) -> str:
    total = sum(
        ((decimal_at(line, "price") or Decimal(0)) * (decimal_at(line, "quantity") or Decimal(0)) for line in lines),
        Decimal(0),
    )
    return amount_text(total, currency)


def _tax_line(node: Node) -> Node:
    tax: Node = {
        "title": node.get("title"),
        "rate": node.get("rate"),
        "channel_liable": node.get("channelLiable"),
    }
    _put_money(tax, "price", node.get("priceSet"))
    return tax


def _allocation(node: Node) -> Node:
    allocation: Node = {"discount_application_index": node_at(node, "discountApplication").get("index")}
    _put_money(allocation, "amount", node.get("allocatedAmountSet"))
    return allocation


def _application(node: Node) -> Node:
    value = node_at(node, "value")
    percentage = decimal_at(value, "percentage")
    amount = percentage if percentage is not None else decimal_at(value, "amount")
    application: Node = {
        "type": _DISCOUNT_TYPES.get(text_at(node, "__typename") or ""),
        "value": None if amount is None else format(amount.normalize() if amount == 0 else amount, "f"),
        "value_type": "percentage" if percentage is not None else "fixed_amount",
        "allocation_method": _lower(node.get("allocationMethod")),
        "target_selection": _lower(node.get("targetSelection")),
        "target_type": _lower(node.get("targetType")),
    }
    for name in ("code", "title"):
        if text_at(node, name):
            application[name] = node[name]
    return application


def _discount_codes(applications: list[Node], carriers: list[Node], currency: str | None) -> list[Node]:
    """Each code with what it took off, which REST states and GraphQL leaves to be added up."""
    codes: list[Node] = []
    for index, application in enumerate(applications):
        if application.get("type") != "discount_code":
            continue
        allocated = [
            decimal_at(allocation, "amount") or Decimal(0)
            for carrier in carriers
            for allocation in nodes_at(carrier, "discount_allocations")
            if allocation.get("discount_application_index") == index
        ]
        shipping = application.get("target_type") == "shipping_line"
        codes.append(
            {
                "code": application.get("code"),
                "amount": amount_text(sum(allocated, Decimal(0)), currency),
                "type": "shipping" if shipping else application.get("value_type"),
            }
        )
    return codes


def _shipping_line(node: Node) -> Node:
    line: Node = {
        "id": legacy_id(text_at(node, "id")),
        "title": node.get("title"),
        "code": node.get("code"),
        "source": node.get("source"),
        "carrier_identifier": node.get("carrierIdentifier"),
    }
    _put_money(line, "price", node.get("originalPriceSet"))
    _put_money(line, "discounted_price", node.get("discountedPriceSet"))
    line["discount_allocations"] = [_allocation(entry) for entry in nodes_at(node, "discountAllocations")]
    line["tax_lines"] = [_tax_line(tax) for tax in nodes_at(node, "taxLines")]
    return line


def _customer(value: object) -> Node | None:
    if not isinstance(value, dict):
        return None
    return {
        "id": legacy_id(text_at(value, "id")),
        "email": value.get("email"),
        "phone": value.get("phone"),
        "first_name": value.get("firstName"),
        "last_name": value.get("lastName"),
    }


def _address(value: object) -> Node | None:
    if not isinstance(value, dict):
        return None
    return {name: value.get(source) for name, source in _ADDRESS.items()}


def _attributes(node: Node) -> list[Node]:
    return [{"name": entry.get("key"), "value": entry.get("value")} for entry in nodes_at(node, "customAttributes")]


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
