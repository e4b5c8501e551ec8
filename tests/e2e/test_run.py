"""`hub run` as a sender on the network meets it: what it accepts, refuses and keeps, what a stop or kill loses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hub.demo.processes import HubProcess, call, free_port
from tests.cli.site import copy_of_the_demo
from tests.e2e.running import data, until

pytestmark = pytest.mark.timeout(300)

SECRET = "a secret of this test alone"
PATH = "/in/shopify-us/orders/create"
MAX_BODY = 200_000
NOWHERE = "http://127.0.0.1:9"
ENVIRON = {
    "DEMO_SHOP_URL": NOWHERE,
    "DEMO_SHOP_TOKEN": "token-of-this-test-alone",
    "DEMO_SHOP_SECRET": SECRET,
    "DEMO_WMS_URL": NOWHERE,
    "DEMO_WMS_TOKEN": "token-of-this-test-alone",
    "DEMO_WMS_SECRET": "secret-of-this-test-alone",
    "DEMO_ERP_URL": NOWHERE,
    "DEMO_ERP_PASSWORD": "password-of-this-test",
    "DEMO_ERP_SECRET": "secret-of-this-test-alone",
}


class Served:
    """A running hub that only observes, so that nothing needs to answer its calls."""

    def __init__(self, folder: Path) -> None:
        self.config, self.home = folder / "config", folder / "home"
        copy_of_the_demo(self.config)
        hub_yaml = self.config / "hub.yaml"
        hub_yaml.write_text(
            hub_yaml.read_text(encoding="utf-8") + f"web: {{ max_body: {MAX_BODY}B }}\n", encoding="utf-8"
        )
        for file in (self.config / "connections").iterdir():
            lines = [
                line for line in file.read_text(encoding="utf-8").splitlines() if "yaml-language-server" not in line
            ]
            text = "\n".join([*lines, "effects: observe", ""]).replace(", poll: { every: 30s, lookback: 5m }", "")
            text = text.replace(", poll: { every: 15s, lookback: 5m }", "").replace(", poll: { every: 30s }", "")
            file.write_text(text, encoding="utf-8")
        self.process = HubProcess(self.config, self.home, port=free_port(), environ=ENVIRON)

    def start(self) -> Served:
        self.process.start()
        self.process.wait_ready()
        return self

    def post(
        self, body: bytes, *, path: str = PATH, secret: str = SECRET, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a webhook, signed over its bytes as the shop signs; status, headers in lower case, body."""
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        sent = {
            "content-type": "application/json",
            "x-shopify-topic": path.removeprefix("/in/shopify-us/"),
            "x-shopify-shop-domain": "acme-demo.example",
            "x-shopify-api-version": "2026-07",
            "x-shopify-webhook-id": str(uuid.uuid4()),
            "x-shopify-hmac-sha256": signature,
            **(headers or {}),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.process.port, timeout=150)
        try:
            connection.request("POST", path, body, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        return call(self.process.port, "GET", path)

    def ask(self, *arguments: str) -> dict[str, Any]:
        return data(self.home, *arguments, more={**ENVIRON, "HUB_CONFIG": str(self.config), "HUB_HOME": str(self.home)})

    def count(self, kind: str) -> dict[str, int]:
        (found,) = [item for item in self.ask("status")["items"] if item["kind"] == kind]
        return {name: count for name, count in found.items() if name != "kind"}

    def until_calm(self) -> None:
        """Everything that was received has been looked at."""

        def calm() -> bool:
            messages = self.count("messages")
            return not self.count("receipts").get("pending") and not sum(
                messages.get(state, 0) for state in ("stored", "claimed", "retry")
            )

        until(calm, "all receipts are parsed and all messages decided")


def order(number: int, **more: Any) -> dict[str, Any]:
    """A small real-shaped order of the shop."""
    price = {"amount": "12.00", "currency_code": "USD"}
    return {
        "id": 7_000_000_000_000 + number,
        "name": f"#{number}",
        "created_at": "2026-11-20T10:00:00Z",
        "processed_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:00:00Z",
        "currency": "USD",
        "presentment_currency": "USD",
        "financial_status": "paid",
        "fulfillment_status": None,
        "taxes_included": False,
        "total_price": "12.00",
        "total_price_set": {"shop_money": price, "presentment_money": price},
        "subtotal_price": "12.00",
        "total_tax": "0.00",
        "total_discounts": "0.00",
        "line_items": [
            {"id": 1, "sku": "MUG-BLUE", "title": "Mug", "quantity": 1, "price": "12.00", "requires_shipping": True}
        ],
        "shipping_lines": [],
        "shipping_address": {
            "first_name": "Robin",
            "last_name": "Example",
            "address1": "1 Example Street",
            "city": "Springfield",
            "province_code": "IL",
            "zip": "62701",
            "country_code": "US",
        },
        **more,
    }


def body(number: int, **more: Any) -> bytes:
    return json.dumps(order(number, **more)).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("run"))
    running.start()
    yield running
    running.process.stop()


# --- what is refused ---


def test_a_bad_signature_is_401_and_says_neither_secret_nor_expected_value(served: Served) -> None:
    sent = body(1)
    status, _, answer = served.post(sent, secret="another secret")
    expected = base64.b64encode(hmac.new(SECRET.encode(), sent, hashlib.sha256).digest())
    assert status == 401
    assert SECRET.encode() not in answer
    assert expected not in answer


def test_no_signature_at_all_is_401(served: Served) -> None:
    assert served.post(body(1), headers={"x-shopify-hmac-sha256": ""})[0] == 401


def test_a_body_above_the_configured_limit_is_413(served: Served) -> None:
    assert served.post(b"{" + b" " * MAX_BODY + b"}")[0] == 413


def test_a_declared_length_above_the_limit_is_413_before_the_body_comes(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.process.port, timeout=20)
    try:
        connection.putrequest("POST", PATH)
        connection.putheader("content-length", str(10**12))
        connection.endheaders()
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_a_connection_that_does_not_exist_is_404(served: Served) -> None:
    assert served.post(body(1), path="/in/nobody/orders/create")[0] == 404


# --- what is kept whatever it is ---

ODD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"<html>hello</html>",
    "cut off": body(2)[:-40],
    "byte 0xff": b'{"id": 1, "name": "\xff\xfe"}',
    "not a number": b'{"id": 2, "total_price": NaN}',
    "infinity": b'{"id": 3, "total_price": -Infinity}',
    "a key twice": b'{"id": 4, "id": 5}',
    "nested a hundred thousand deep": b"[" * 90_000 + b"]" * 90_000,
    "objects nested deep": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "an integer of five thousand digits": b'{"id": ' + b"9" * 5000 + b"}",
    "an exponent that fills the memory": b'{"id": 6, "currency": "USD", "total_price": 1e999999999}',
    "half a surrogate pair": b'{"id": 7, "name": "\\ud800"}',
    "a zero character": b'{"id": 8, "name": "a\\u0000b"}',
    "a list": b"[1, 2, 3]",
    "a text": b'"hello"',
    "null": b"null",
    "another utf": json.dumps(order(9)).encode("utf-16"),
    "two documents": body(10) + body(11),
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_a_signed_body_is_kept_and_never_answered_with_a_5xx(served: Served, name: str) -> None:
    status, _, answer = served.post(ODD_BODIES[name])
    assert status == 202, answer
    assert json.loads(answer)["duplicate"] is False
    assert served.get("/healthz")[0] == 200


def test_what_cannot_be_read_is_an_unparsable_receipt_and_one_exception(served: Served) -> None:
    before = served.count("receipts").get("unparsable", 0)
    served.post(b"this is no order")
    served.post(b"neither is this")
    served.until_calm()
    assert served.count("receipts")["unparsable"] == before + 2
    kinds = [item["kind"] for item in served.ask("exceptions", "list", "--kind", "unparsable")["items"]]
    assert kinds == ["unparsable"]


def test_the_same_delivery_again_says_duplicate(served: Served) -> None:
    sent, headers = body(20), {"x-shopify-webhook-id": str(uuid.uuid4())}
    first, second = (served.post(sent, headers=headers) for _ in range(2))
    assert (first[0], second[0]) == (202, 202)
    assert json.loads(second[2]) == {"id": json.loads(first[2])["id"], "duplicate": True}


def test_an_order_arrives_whole_among_odd_ones(served: Served) -> None:
    served.post(body(21))
    served.until_calm()
    (shown,) = served.ask("orders", "show", "21")["items"]
    assert (shown["external_id"], shown["total"], shown["currency"]) == ("7000000000021", "12", "USD")


# --- health ---


def test_health_readiness_and_metrics_answer(served: Served) -> None:
    assert served.get("/healthz") == (200, {"status": "alive"})
    status, ready = served.get("/readyz")
    assert (status, ready["ready"]) == (200, True)
    served.post(body(30))
    status, text = served.get("/metrics")
    assert status == 200
    accepted = [line for line in text.splitlines() if line.startswith('hub_ingress_requests_total{answer="202"}')]
    assert len(accepted) == 1
    assert float(accepted[0].rpartition(" ")[2]) >= 1


def test_an_unknown_page_is_404(served: Served) -> None:
    assert served.get("/nothing/here")[0] == 404


# --- when storing fails ---


def test_while_the_database_cannot_be_written_a_sender_is_told_to_come_again(tmp_path: Path) -> None:
    served = Served(tmp_path).start()
    try:
        (database,) = served.home.glob("*.db")
        blocker = sqlite3.connect(database, isolation_level=None, timeout=30)
        try:
            blocker.execute("BEGIN IMMEDIATE")
            status, headers, _ = served.post(body(40))
            assert status == 503
            assert int(headers["retry-after"]) > 0
        finally:
            blocker.close()
        until(lambda: served.post(body(40))[0] == 202, "the hub takes webhooks again once it can write")
    finally:
        assert served.process.stop() == 0


# --- stopping and being killed ---


def flood(served: Served, first: int, stop: threading.Event) -> dict[str, int]:
    """Send orders from four threads until `stop`; receipt id -> order number of those that got their 202."""
    accepted: dict[str, int] = {}

    def send(start: int) -> None:
        number = start
        while not stop.is_set():
            try:
                status, _, answer = served.post(body(number))
            except (OSError, http.client.HTTPException):
                return
            if status == 202:
                accepted[json.loads(answer)["id"]] = number
            number += 4

    with ThreadPoolExecutor(4) as pool:
        for thread in range(4):
            pool.submit(send, first + thread)
    return accepted


def numbers(served: Served) -> set[str]:
    return {item["number"] for item in served.ask("orders", "list", "--limit", "1000")["items"]}


def test_sigterm_lets_what_is_under_way_finish_and_ends_with_0(tmp_path: Path) -> None:
    served, stop = Served(tmp_path).start(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood, served, 1000, stop)
        until(lambda: int(served.get("/readyz")[0]) == 200 and _accepted(served) >= 20, "twenty webhooks are in")
        code = served.process.stop()
        stop.set()
        accepted = flooding.result(60)
    assert code == 0
    assert len(accepted) >= 20
    served.start()
    try:
        served.until_calm()
        assert {f"#{number}" for number in accepted.values()} <= numbers(served)
    finally:
        served.process.stop()


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    served, stop = Served(tmp_path).start(), threading.Event()
    accepted: dict[str, int] = {}
    for round_ in range(2):
        with ThreadPoolExecutor(1) as pool:
            flooding = pool.submit(flood, served, 2000 + 1000 * round_, stop)
            until(lambda: _accepted(served) >= 25, "twenty-five webhooks are in")
            served.process.kill()
            stop.set()
            accepted |= flooding.result(60)
        stop.clear()
        served.start()
    try:
        served.until_calm()
        assert len(accepted) >= 50
        assert {f"#{number}" for number in accepted.values()} <= numbers(served)
        assert served.ask("verify")["items"] == []
    finally:
        assert served.process.stop() == 0


def _accepted(served: Served) -> float:
    """How many webhooks this process has answered with 202, by its own metrics."""
    for line in str(served.get("/metrics")[1]).splitlines():
        if line.startswith('hub_ingress_requests_total{answer="202"}'):
            return float(line.rpartition(" ")[2])
    return 0.0
