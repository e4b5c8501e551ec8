"""The emulator server: real sockets, drops and delays carried out, webhooks delivered until the hub takes them."""

from __future__ import annotations

import datetime as dt
import http.client
import http.server
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.sdk import emulator_server
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing, WebhookQueue
from hub.sdk.emulator_server import Server, WallClock, build, read_faults, serve


class Parrot(Emulator):
    """Answers what it was sent; /drop closes, /hook sends a webhook, /echo sends one that overtakes the answer."""

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.calls += 1
        if request.path == "/drop":
            return EmulatedResponse(200, drop=True)
        if request.path in ("/hook", "/echo"):
            self.webhooks.push(Outgoing(f"w{self.calls}", "things/made", {"x-kind": "test"}, request.body))
            return EmulatedResponse(200, after=(f"w{self.calls}",) if request.path == "/echo" else ())
        return EmulatedResponse(
            200, request.body, {"x-method": request.method, "x-query": json.dumps(dict(request.query))}
        )


class Hub:
    """A listener that answers with the next status it was given, 202 afterwards."""

    def __init__(self, statuses: list[int]) -> None:
        self.seen: list[tuple[str, bytes, str | None]] = []
        self.arrived = threading.Condition()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(statuses.pop(0) if statuses else 202)
                self.send_header("content-length", "0")
                self.end_headers()
                with hub.arrived:
                    hub.seen.append((self.path, body, self.headers["x-kind"]))
                    hub.arrived.notify_all()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def await_arrivals(self, count: int) -> list[tuple[str, bytes, str | None]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.seen) >= count, timeout=10)
        return list(self.seen)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def parrot() -> Iterator[Server]:
    with serve(build(Parrot, ledger=":memory:", seed=1, faults={"redeliver_seconds": 0.05}, config={})) as server:
        yield server


def ask(server: Server, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_a_request_reaches_the_emulator_whole_whatever_its_method(parrot: Server) -> None:
    status, body, headers = ask(parrot, "PURGE", "/things?page=2&empty=", b'{"a": 1}')
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["x-method"] == "PURGE"
    assert json.loads(headers["x-query"]) == {"page": "2", "empty": ""}


def test_a_drop_closes_the_connection_without_an_answer(parrot: Server) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(parrot, "POST", "/drop")


def test_a_body_above_the_limit_is_refused_without_being_read(parrot: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", parrot.port, timeout=10)
    connection.putrequest("POST", "/things")
    connection.putheader("content-length", str(10**9))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_webhook_waits_for_the_hub_and_is_sent_again_until_it_is_taken(parrot: Server) -> None:
    ask(parrot, "POST", "/hook", b"first")
    hub = Hub([503, 500])
    try:
        status, _, _ = ask(parrot, "POST", "/_server/hub", json.dumps({"url": hub.url, "connection": "shop"}).encode())
        assert status == 200
        assert hub.await_arrivals(3) == [("/in/shop/things/made", b"first", "test")] * 3
    finally:
        hub.close()


def test_an_echo_arrives_before_the_answer_leaves(parrot: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_server, "ECHO_WAIT_SECONDS", 8.0)  # a busy machine takes its time
    hub = Hub([])
    try:
        parrot.connect_hub(hub.url, "shop")
        ask(parrot, "POST", "/echo", b"echo")
        assert hub.seen == [("/in/shop/things/made", b"echo", "test")]
    finally:
        hub.close()


def test_an_unknown_fault_is_refused_by_name(parrot: Server) -> None:
    with pytest.raises(ValueError, match="no such fault: explode"):
        read_faults({"explode": 1})
    status, body, _ = ask(parrot, "POST", "/_server/faults", b'{"explode": 1}')
    assert (status, json.loads(body)) == (400, {"error": "no such fault: explode"})


def test_the_process_says_its_port_and_ends_with_its_parent(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "hub.sdk.emulator_server"),
            *(
                "--emulator",
                "tests.connectors.test_transport_emulator_server:Parrot",
            ),
            *("--ledger", str(tmp_path / "parrot.sqlite"), "--faults", '{"delay": 0.5}', "--exit-on-stdin-eof"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    port = json.loads(process.stdout.readline())["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/_server/status")
    assert json.loads(connection.getresponse().read())["waiting_webhooks"] == 0
    connection.close()
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    process.stdout.close()


class Steps:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def queue_with(faults: Faults, ledger: Ledger | None = None) -> tuple[WebhookQueue, Steps, Ledger]:
    clock, ledger = Steps(), ledger or Ledger(":memory:")
    return WebhookQueue(ledger=ledger, clock=clock, source=random.Random(7), faults=faults), clock, ledger


def test_what_was_handed_out_is_not_handed_out_again_until_it_settles() -> None:
    webhooks, clock, ledger = queue_with(Faults())
    webhooks.push(Outgoing("a", "t", {}, b"1"))
    (first,) = webhooks.due(clock.now())
    assert webhooks.due(clock.now()) == []
    webhooks.settled(first, None)
    assert webhooks.due(clock.now()) == []
    clock.at += dt.timedelta(seconds=2)
    (again,) = webhooks.due(clock.now())
    assert again == first
    webhooks.settled(again, 202)
    assert len(webhooks) == 0
    ledger.close()


def test_a_duplicate_has_the_same_id_and_body_and_settles_by_itself() -> None:
    webhooks, clock, ledger = queue_with(Faults(duplicate_webhook=1.0))
    webhooks.push(Outgoing("a", "t", {"h": "v"}, b"1"))
    clock.at += dt.timedelta(seconds=10)
    one, two = webhooks.due(clock.now())
    assert one == two
    webhooks.settled(one, 202)
    assert len(webhooks) == 1
    assert ledger.faults() == {"duplicate_webhook": 1}
    ledger.close()


def test_pending_webhooks_survive_a_restart_with_what_was_handed_out(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    webhooks, clock, _ = queue_with(Faults(), ledger)
    webhooks.push(Outgoing("a", "t", {"h": "v"}, b"1"))
    webhooks.push(Outgoing("b", "t", {}, b"2"))
    webhooks.due(clock.now())
    ledger.close()
    reopened = Ledger(str(tmp_path / "ledger"))
    again, clock, _ = queue_with(Faults(), reopened)
    assert [entry.id for entry in again.due(clock.now())] == ["a", "b"]
    reopened.close()


def test_the_same_seed_delivers_in_the_same_order() -> None:
    def order() -> list[str]:
        webhooks, clock, ledger = queue_with(Faults(reorder_webhook=0.5, duplicate_webhook=0.3, lose_webhook=0.2))
        for number in range(40):
            webhooks.push(Outgoing(str(number), "t", {}, b""))
        seen: list[str] = []
        while (due := webhooks.next_due()) is not None:
            clock.at = max(clock.at, due)
            for outgoing in webhooks.due(clock.now()):
                seen.append(outgoing.id)
                webhooks.settled(outgoing, 202)
        ledger.close()
        return seen

    first = order()
    assert first == order()
    assert set(first) == {str(number) for number in range(40)}
    assert first[:40] != [str(number) for number in range(40)]


def test_the_wall_clock_is_aware() -> None:
    assert WallClock().now().utcoffset() == dt.timedelta(0)
