"""Real-shaped shop orders for loads: about 7 kB of JSON each, unique ids, signed as the shop signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from typing import Any

EAST, WEST, NORTH = (tuple(f"SKU-{number:03d}" for number in range(first, first + 20)) for first in (0, 20, 40))
ASSORTMENTS = (WEST, EAST, NORTH)
"""Each is kept by one warehouse. An order takes its lines from as many as it is told, in turn."""


def shop_order(number: int, source: random.Random, *, lines: int = 3, assortments: int = 2) -> dict[str, Any]:
    """An order as the shop's orders/create webhook carries it; totals add up."""
    order_id = 5_000_000_000_000 + number
    items = [_line(order_id, position, source, ASSORTMENTS[position % assortments]) for position in range(1, lines + 1)]
    cents = sum(round(float(item["price"]) * 100) * item["quantity"] for item in items)
    tax = sum(round(float(item["tax_lines"][0]["price"]) * 100) for item in items)
    total = cents + tax + 500
    address = _address(number)
    return {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "name": f"#{10_000 + number}",
        "order_number": 10_000 + number,
        "confirmation_number": f"C{number:09d}",
        "created_at": "2026-11-21T10:00:00-05:00",
        "processed_at": "2026-11-21T10:00:00-05:00",
        "updated_at": "2026-11-21T10:00:01-05:00",
        "cancelled_at": None,
        "cancel_reason": None,
        "closed_at": None,
        "currency": "USD",
        "presentment_currency": "USD",
        "financial_status": "paid",
        "fulfillment_status": None,
        "test": False,
        "taxes_included": False,
        "email": f"buyer{number}@example.com",
        "contact_email": f"buyer{number}@example.com",
        "phone": None,
        "note": None,
        "note_attributes": [],
        "tags": "web, bench",
        "source_name": "web",
        "gateway": "test",
        "payment_gateway_names": ["test"],
        "subtotal_price": _money(cents),
        "total_line_items_price": _money(cents),
        "total_discounts": "0.00",
        "total_tax": _money(tax),
        "total_price": _money(total),
        "current_total_price": _money(total),
        "current_subtotal_price": _money(cents),
        "current_total_tax": _money(tax),
        "total_outstanding": "0.00",
        "total_tip_received": "0.00",
        "total_shipping_price_set": _both(_money(500)),
        "total_price_set": _both(_money(total)),
        "total_tax_set": _both(_money(tax)),
        "subtotal_price_set": _both(_money(cents)),
        "total_discounts_set": _both("0.00"),
        "discount_codes": [],
        "discount_applications": [],
        "tax_lines": [{"price": _money(tax), "rate": 0.08, "title": "State Tax", "price_set": _both(_money(tax))}],
        "customer": {
            "id": 7_000_000_000_000 + number,
            "email": f"buyer{number}@example.com",
            "first_name": "Pat",
            "last_name": f"Example{number}",
            "state": "enabled",
            "verified_email": True,
            "tags": "",
            "currency": "USD",
        },
        "billing_address": address,
        "shipping_address": address,
        "line_items": items,
        "shipping_lines": [
            {
                "id": order_id * 10,
                "title": "Standard",
                "code": "Standard",
                "source": "shopify",
                "price": "5.00",
                "discounted_price": "5.00",
                "price_set": _both("5.00"),
                "tax_lines": [],
                "discount_allocations": [],
            }
        ],
        "fulfillments": [],
        "refunds": [],
    }


def _line(order_id: int, position: int, source: random.Random, assortment: tuple[str, ...]) -> dict[str, Any]:
    quantity = source.randint(1, 3)
    cents = source.randint(500, 9_900)
    tax = cents * quantity * 8 // 100
    sku = source.choice(assortment)
    return {
        "id": order_id * 10 + position,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{order_id * 10 + position}",
        "product_id": 8_000_000_000 + position,
        "variant_id": 9_000_000_000 + position,
        "sku": sku,
        "title": f"Article {sku}",
        "name": f"Article {sku} - Standard",
        "variant_title": "Standard",
        "vendor": "Example",
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": 300,
        "requires_shipping": True,
        "taxable": True,
        "price": _money(cents),
        "price_set": _both(_money(cents)),
        "total_discount": "0.00",
        "total_discount_set": _both("0.00"),
        "discount_allocations": [],
        "duties": [],
        "properties": [],
        "tax_lines": [{"price": _money(tax), "rate": 0.08, "title": "State Tax", "price_set": _both(_money(tax))}],
    }


def _address(number: int) -> dict[str, Any]:
    return {
        "first_name": "Pat",
        "last_name": f"Example{number}",
        "name": f"Pat Example{number}",
        "company": None,
        "address1": f"{number % 900 + 1} Main Street",
        "address2": "",
        "city": "Columbus",
        "province": "Ohio",
        "province_code": "OH",
        "zip": "43085",
        "country": "United States",
        "country_code": "US",
        "phone": "+1 614 555 0100",
        "latitude": 40.1,
        "longitude": -83.0,
    }


def _both(amount: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": amount, "currency_code": "USD"},
        "presentment_money": {"amount": amount, "currency_code": "USD"},
    }


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def webhook(order: dict[str, Any], secret: str, *, topic: str = "orders/create") -> tuple[dict[str, str], bytes]:
    """Headers and body of the shop's webhook for an order."""
    body = json.dumps(order, separators=(",", ":")).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "x-shopify-topic": topic,
        "x-shopify-shop-domain": "bench.example",
        "x-shopify-hmac-sha256": signature,
        "x-shopify-webhook-id": f"w-{order['id']}",
        "x-shopify-event-id": f"e-{order['id']}",
        "x-shopify-triggered-at": "2026-11-21T15:00:01.000000Z",
        "x-shopify-api-version": "2026-07",
    }, body
