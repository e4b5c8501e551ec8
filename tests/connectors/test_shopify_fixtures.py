"""The connector against bodies on file: a polled page is what the webhook said, errors are read as written."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

import connectors.shopify
from connectors.shopify.connector import Shopify
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.records import Effect, Receipt
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.connectors.shopify_shop import MAPPINGS, SHOP, START, TOKEN, Clock, context_for

FIXTURES = Path(str(connectors.shopify.__file__)).parent / "fixtures"
URL = f"https://{SHOP}/admin/api/2026-07/graphql.json"


@pytest.fixture
def connector() -> Iterator[Shopify]:
    clock = Clock()
    http = RequestsHttp(HttpPolicy(), clock)
    yield Shopify(context_for(http, clock, {"shop": SHOP, "access_token": TOKEN, "location": "1"}))
    http.close()


def receipt(name: str, stream: str) -> Receipt:
    return Receipt("shopify-us", stream, None, {}, (FIXTURES / name).read_bytes(), "application/json", START)


@pytest.mark.parametrize(
    ("stream", "webhook", "page"),
    [
        ("orders", "order_updated.webhook.json", "orders_page.graphql.json"),
        ("refunds", "refund_created.webhook.json", "refunds_page.graphql.json"),
    ],
)
def test_a_polled_page_becomes_what_the_webhook_said(connector: Shopify, stream: str, webhook: str, page: str) -> None:
    (pushed,) = connector.parse(receipt(webhook, stream))
    (polled,) = connector.parse(receipt(page, stream))
    assert polled.body == pushed.body
    mapping = MAPPINGS.get(f"shopify/{stream}.in")
    assert mapping.run(polled.body).record == mapping.run(pushed.body).record
    assert mapping.run(polled.body).holds == []


@responses.activate
def test_a_throttled_answer_waits_for_exactly_the_missing_points(connector: Shopify) -> None:
    responses.post(URL, body=(FIXTURES / "throttled.graphql.json").read_bytes())
    with pytest.raises(CallFailed) as caught:
        connector.fetch("orders", "1")
    assert (caught.value.resolution, caught.value.retry_after_seconds) == (Resolution.RATE_LIMITED, 10.0)


@responses.activate
def test_a_refused_fulfilment_is_rejected_in_the_shops_words(connector: Shopify) -> None:
    item = "gid://shopify/LineItem/3"
    line = {"id": "gid://shopify/FulfillmentOrderLineItem/9", "remainingQuantity": 1, "lineItem": {"id": item}}
    work = {"id": "gid://shopify/FulfillmentOrder/2", "status": "OPEN", "lineItems": {"nodes": [line]}}
    responses.post(
        URL, json={"data": {"order": {"id": "o", "fulfillments": [], "fulfillmentOrders": {"nodes": [work]}}}}
    )
    responses.post(URL, body=(FIXTURES / "fulfilment_refused.graphql.json").read_bytes())
    payload = {"orderId": "1", "fulfillment": {}, "lines": [{"lineItemId": "3", "quantity": 1}]}
    with pytest.raises(CallFailed) as caught:
        connector.push_shipment(Effect(payload, "k", {}, START + dt.timedelta(seconds=60)))
    assert caught.value.resolution is Resolution.REJECTED
    assert caught.value.words == "Invalid fulfillment order line item quantity requested."
    sent = json.loads(responses.calls[1].request.body or b"")["variables"]["fulfillment"]
    assert sent["lineItemsByFulfillmentOrder"] == [
        {"fulfillmentOrderId": work["id"], "fulfillmentOrderLineItems": [{"id": line["id"], "quantity": 1}]}
    ]
