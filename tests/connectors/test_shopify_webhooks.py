"""The shop's webhooks at our door: both header families, several secrets, no forgeries, no other error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.shopify.connector import Shopify
from hub.sdk.errors import SignatureError
from hub.sdk.records import RawRequest
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.connectors.shopify_shop import SHOP, START, TOKEN, Clock, ShopWorld, context_for, webhook

# HMAC-SHA256 of BODY under each secret, computed with OpenSSL.
BODY = b'{"id":820982911946154508,"name":"#1042","total_price":"62.41"}'
BY_HUSH = "m/PunFt87qWyaoOfwXGcj6qNG4Kz/FcOIK5mkKr5vnE="
BY_OLD = "YX3qxVQlguXN4gzTZ4Vr2gSLfM2a6tT0QHAAxI1Pm7c="


@pytest.fixture(scope="module")
def connector() -> Iterator[Shopify]:
    clock = Clock()
    http = RequestsHttp(HttpPolicy(), clock)
    secrets = ["hush", {"secret": "old", "not_after": "2026-11-02T10:00:00+00:00"}]
    yield Shopify(context_for(http, clock, {"shop": SHOP, "access_token": TOKEN, "webhook_secrets": secrets}))
    http.close()


def request(body: bytes = BODY, **headers: str) -> RawRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawRequest("POST", "/in/shopify-us/orders/create", "", named, body, START)


@pytest.mark.parametrize("signature", [BY_HUSH, BY_OLD])
@pytest.mark.parametrize("family", ["x_shopify_hmac_sha256", "shopify_hmac_sha256"])
def test_a_golden_signature_is_accepted_in_either_family(connector: Shopify, family: str, signature: str) -> None:
    headers: dict[str, Any] = {family: signature}
    connector.verify(request(**headers))


def test_a_body_that_was_read_and_written_again_is_refused(connector: Shopify) -> None:
    respaced = BODY.replace(b",", b", ")
    with pytest.raises(SignatureError):
        connector.verify(request(respaced, x_shopify_hmac_sha256=BY_HUSH))


@given(bit=st.integers(0, len(BODY) * 8 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bit_of_the_body_may_change(connector: Shopify, bit: int) -> None:
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(SignatureError):
        connector.verify(request(bytes(changed), x_shopify_hmac_sha256=BY_HUSH))


@given(signature=st.text(max_size=100), body=st.binary(max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_malformed_headers_raise_nothing_but_a_signature_error(connector: Shopify, signature: str, body: bytes) -> None:
    with pytest.raises(SignatureError):
        connector.verify(request(body, shopify_hmac_sha256=signature))


def test_an_unsigned_request_is_refused(connector: Shopify) -> None:
    with pytest.raises(SignatureError):
        connector.verify(request())


def test_a_genuine_request_about_another_shop_is_refused(connector: Shopify) -> None:
    connector.verify(request(x_shopify_hmac_sha256=BY_HUSH, x_shopify_shop_domain=SHOP.upper()))
    with pytest.raises(SignatureError):
        connector.verify(request(x_shopify_hmac_sha256=BY_HUSH, x_shopify_shop_domain="other.myshopify.example"))


def test_a_connection_without_secrets_accepts_nothing() -> None:
    clock = Clock()
    http = RequestsHttp(HttpPolicy(), clock)
    closed = Shopify(context_for(http, clock, {"shop": SHOP, "access_token": TOKEN}))
    with pytest.raises(SignatureError):
        closed.verify(request(x_shopify_hmac_sha256=BY_HUSH))
    http.close()


def test_the_receipt_takes_topic_and_delivery_from_either_family(connector: Shopify) -> None:
    receipt = connector.receipt(request(shopify_topic="refunds/create", shopify_webhook_id="w-1"), "orders/create")
    assert (receipt.stream, receipt.topic, receipt.delivery_id) == ("refunds", "refunds/create", "w-1")
    receipt = connector.receipt(request(x_shopify_event_id="e-1", cookie="c"), "orders/create")
    assert (receipt.stream, receipt.delivery_id, dict(receipt.headers)) == (
        "orders",
        "e-1",
        {"x-shopify-event-id": "e-1"},
    )


def test_a_topic_nobody_subscribed_has_no_stream(connector: Shopify) -> None:
    assert connector.receipt(request(x_shopify_topic="carts/update"), None).stream == ""


def test_any_2xx_will_do_for_the_vendor(connector: Shopify) -> None:
    assert connector.respond(request()) is None


@pytest.mark.parametrize("family", ["x", "new", "both"])
def test_what_the_emulated_shop_sends_is_accepted(family: str) -> None:
    shop = ShopWorld(header_family=family)
    try:
        order = shop.place(("A", 1, "5.00"))
        (outgoing,) = shop.emulator.webhooks.due(shop.clock.now())
        sent = webhook(outgoing, shop.clock.now())
        shop.connector.verify(sent)
        receipt = shop.connector.receipt(sent, outgoing.topic)
        assert receipt.delivery_id == outgoing.id
        assert [record.external_id for record in shop.connector.parse(receipt)] == [order]
    finally:
        shop.close()
