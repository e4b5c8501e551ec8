"""The emulated shop as chaos runs meet it: served for real, misbehaving by script, remembering over a restart."""

from __future__ import annotations

import datetime as dt
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.shopify.connector import Shopify
from connectors.shopify.emulator import ShopifyEmulator
from hub.sdk.emulator import Emulator, Ledger
from hub.sdk.emulator_server import Server, WallClock, build, read_faults, serve
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.lenient import nodes_at
from hub.sdk.records import Effect, RawRequest
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.inprocess import InProcessHttp
from tests.connectors.shopify_shop import SECRET, SHOP, TOKEN, Clock, context_for

CONFIG = {"access_token": TOKEN, "webhook_secret": SECRET, "shop": SHOP}


class Door:
    """The hub's ingress, as far as a sender sees it: verifies and takes, or refuses what `closed` says."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.arrived = threading.Condition()
        self.verifier: Shopify | None = None
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                assert door.verifier is not None
                door.verifier.verify(RawRequest("POST", self.path, "", headers, body, WallClock().now()))
                with door.arrived:
                    door.taken.append((self.path, json.loads(body)))
                    door.arrived.notify_all()
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.taken) >= count, timeout=10), self.taken

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened.close()


class Live:
    """A served shop on the machine's clock, delivering to the door."""

    def __init__(self, door: Door, faults: dict[str, Any], ledger: str = ":memory:") -> None:
        emulator = build(ShopifyEmulator, ledger=ledger, seed=11, faults=faults, config=CONFIG)
        self.server: Server = serve(emulator, hub_url=door.url, connection="shopify-us")
        self.http = RequestsHttp(HttpPolicy(), WallClock())
        config = {"shop": SHOP, "endpoint": self.server.url, "access_token": TOKEN, "webhook_secrets": [SECRET]}
        self.connector = Shopify(context_for(self.http, WallClock(), config))
        door.verifier = self.connector

    def control(self, verb: str, **wish: Any) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(wish).encode())
        return json.loads(answer.body)

    def shipment(self, order: str) -> Effect:
        (line,) = self.control("order", id=order)["line_items"]
        payload = {
            "orderId": f"gid://shopify/Order/{order}",
            "fulfillment": {"notifyCustomer": False, "trackingInfo": {"number": "1Z1"}},
            "lines": [{"lineItemId": line["admin_graphql_api_id"], "quantity": 1}],
        }
        return Effect(payload, "p1", {}, WallClock().now() + dt.timedelta(seconds=30))

    def close(self) -> None:
        self.http.close()
        self.server.close()


TOLD = ("orders/create", "orders/updated", "fulfillments/create")
LINES = [{"sku": "A", "quantity": 1, "price": "5.00"}]


def test_the_echo_can_be_at_the_door_before_the_answer_is(door: Door) -> None:
    live = Live(door, {"echo_first": 1.0})
    try:
        order = live.control("place", lines=LINES)["id"]
        door.wait_for(1)
        live.connector.push_shipment(live.shipment(order))
        taken = dict(door.taken)
        assert set(taken) == {f"/in/shopify-us/{topic}" for topic in TOLD}
        assert taken["/in/shopify-us/fulfillments/create"]["tracking_number"] == "1Z1"
        assert taken["/in/shopify-us/orders/updated"]["fulfillments"][0]["tracking_number"] == "1Z1"
    finally:
        live.close()


def test_work_that_was_answered_504_is_done_later_without_anybody_asking(door: Door) -> None:
    live = Live(door, {"script": {"2": "late_commit"}, "late_commit_seconds": 0.3})
    try:
        order = live.control("place", lines=LINES)["id"]
        with pytest.raises(CallFailed) as caught:
            live.connector.push_shipment(live.shipment(order))
        assert caught.value.resolution is Resolution.AMBIGUOUS
        door.wait_for(3)
        assert dict(door.taken)["/in/shopify-us/orders/updated"]["fulfillment_status"] == "fulfilled"
    finally:
        live.close()


def test_a_shop_that_is_started_again_knows_its_orders_stock_and_keys(door: Door, tmp_path: Path) -> None:
    ledger = str(tmp_path / "shop.sqlite")
    live = Live(door, {}, ledger)
    order = live.control("place", lines=LINES)["id"]
    live.control("stock", levels={"A": 5, "a@b": 2})
    before = live.control("order", id=order)
    live.close()
    again = Live(door, {}, ledger)
    try:
        assert again.control("order", id=order) == before
        assert again.control("levels")["levels"] == {"A": 5, "a@b": 2}
        assert again.control("place", lines=LINES)["id"] != order
    finally:
        again.close()


@pytest.mark.parametrize(
    ("verb", "wish", "status"),
    [
        ("place", {}, 409),
        ("place", {"lines": [{"sku": "A", "quantity": 1}], "created_at": "soon"}, 409),
        ("cancel", {"id": "5"}, 409),
        ("edit", {"id": "../5"}, 409),
        ("stock", {"levels": {"A": "many"}}, 400),
        ("nothing", {}, 404),
    ],
)
def test_what_people_cannot_do_is_refused_in_words(verb: str, wish: dict[str, Any], status: int) -> None:
    shop, clock = emulator()
    http = InProcessHttp({"shop": shop}, clock)
    answer = http.request("POST", f"http://shop/_control/{verb}", body=json.dumps(wish).encode())
    assert answer.status == status
    assert json.loads(answer.body)["error"]


def emulator(faults: dict[str, Any] | None = None) -> tuple[ShopifyEmulator, Clock]:
    clock, read = Clock(), read_faults(faults or {})
    ledger = Ledger(":memory:")
    return ShopifyEmulator(ledger=ledger, clock=clock, source=random.Random(3), faults=read, config=CONFIG), clock


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"operationName": 1}', b'{"operationName":"X","query":"query X"}']
)
def test_no_request_breaks_the_graphql_endpoint(body: bytes) -> None:
    shop, clock = emulator()
    http = InProcessHttp({"shop": shop}, clock)
    headers = {"X-Shopify-Access-Token": TOKEN}
    answer = http.request("POST", "http://shop/admin/api/2026-07/graphql.json", headers=headers, body=body)
    assert answer.status in (200, 400)
    assert "errors" in json.loads(answer.body)


# -- the port that the simulation uses -------------------------------------------------------------------------------


def test_the_connector_works_in_process_as_it_does_over_a_socket() -> None:
    shop, clock = emulator()
    http = InProcessHttp({"shop": shop}, clock)
    config = {"shop": SHOP, "endpoint": "http://shop", "access_token": TOKEN}
    connector = Shopify(context_for(http, clock, config))
    http.request("POST", "http://shop/_control/place", body=json.dumps({"lines": LINES}).encode())
    (batch,) = connector.read("orders", None, 10)
    (record,) = connector.parse(batch.receipts[0])
    assert isinstance(record.body, dict)
    assert record.body["total_price"] == "5.00"


def test_in_process_a_drop_a_delay_and_an_unknown_host_end_as_over_a_socket() -> None:
    shop, clock = emulator({"script": {"1": "drop_after", "2": "delay"}, "delay_seconds": 5000})
    waited: list[float] = []
    http = InProcessHttp({"shop": shop}, clock, delay=waited.append)

    def call(host: str) -> TransportError:
        headers = {"X-Shopify-Access-Token": TOKEN}
        with pytest.raises(TransportError) as caught:
            http.request("POST", f"http://{host}/admin/api/2026-07/graphql.json", headers=headers, body=b"{}")
        return caught.value

    assert not call("shop").before_first_byte
    assert not call("shop").before_first_byte
    assert waited == [30.0]
    assert call("elsewhere").before_first_byte


def test_in_process_the_echo_is_announced_before_the_answer() -> None:
    shop, clock = emulator({"echo_first": 1.0})
    announced: list[tuple[str, ...]] = []

    def before(_: Emulator, ids: tuple[str, ...]) -> None:
        announced.append(ids)

    http = InProcessHttp({"shop": shop}, clock, before_answer=before)
    config = {"shop": SHOP, "endpoint": "http://shop", "access_token": TOKEN}
    connector = Shopify(context_for(http, clock, config))
    placed = http.request("POST", "http://shop/_control/place", body=json.dumps({"lines": LINES}).encode())
    order = json.loads(placed.body)["id"]
    (line,) = nodes_at(shop.shop.order(order), "line_items")
    payload = {"orderId": order, "fulfillment": {}, "lines": [{"lineItemId": str(line["id"]), "quantity": 1}]}
    connector.push_shipment(Effect(payload, "k", {}, clock.now() + dt.timedelta(seconds=60)))
    (echoes,) = announced
    waiting = {outgoing.id: outgoing.topic for outgoing in shop.due(clock.now())}
    assert [waiting[echo] for echo in echoes] == ["fulfillments/create", "orders/updated"]


def test_the_same_seed_and_calls_make_the_same_shop() -> None:
    def run() -> list[tuple[str, bytes]]:
        rates = {"error_after": 0.2, "duplicate_webhook": 0.3, "reorder_webhook": 0.3, "throttle": 0.1}
        clock = Clock()
        faults = read_faults(rates)
        shop = ShopifyEmulator(
            ledger=Ledger(":memory:"), clock=clock, source=random.Random(5), faults=faults, config=CONFIG
        )
        http = InProcessHttp({"shop": shop}, clock)
        sent = []
        for number in range(20):
            wish = {"lines": [{"sku": f"S{number}", "quantity": 1, "price": "1.00"}]}
            http.request("POST", "http://shop/_control/place", body=json.dumps(wish).encode())
            clock.pass_seconds(0.5)
            for outgoing in shop.due(clock.now()):
                sent.append((outgoing.id, outgoing.body))
                shop.settled(outgoing, 202)
        shop.ledger.close()
        return sent

    first = run()
    assert len(first) >= 15
    assert first == run()
