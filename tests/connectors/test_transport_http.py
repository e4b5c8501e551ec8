"""HTTP over real sockets: what left, how long, how much, and what is never done."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import responses

from hub.sdk.emulator_server import WallClock
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.transport.guard import Guard
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.limits import Limit, Limits

Script = Callable[[socket.socket, bytes], None]


def _is_whole(request: bytes) -> bool:
    """Head and body may come in parts."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


class Peer:
    """A socket that plays a script for each request it reads, on as many connections as come."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._closed = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._play, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            while not self._closed.is_set():
                try:
                    request = b""
                    while not _is_whole(request):
                        part = connection.recv(65536)
                        if not part:
                            return
                        request += part
                    self.requests.append(request)
                    self.script(connection, request)
                except OSError:
                    return

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)


@pytest.fixture
def peer() -> Iterator[Callable[[Script], Peer]]:
    made: list[Peer] = []

    def make(script: Script) -> Peer:
        made.append(Peer(script))
        return made[-1]

    yield make
    for one in made:
        one.close()


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    port = RequestsHttp(HttpPolicy(connect_seconds=2, read_seconds=0.4, total_seconds=1.0), WallClock())
    yield port
    port.close()


def test_the_answer_comes_whole_with_lower_case_headers(http: RequestsHttp, peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer(b'{"ok": 1}', "201 Created", "X-Request-ID: r1")))
    response = http.request("POST", f"{there.url}/orders?a=1", headers={"x-key": "k"}, body=b'{"n": 1}')
    assert (response.status, response.body, response.headers["x-request-id"]) == (201, b'{"ok": 1}', "r1")
    sent = there.requests[0].lower()
    assert sent.startswith(b"post /orders?a=1 http/1.1\r\n")
    assert b"\r\nx-key: k\r\n" in sent
    assert b"\r\ncontent-length: 8\r\n" in sent
    assert sent.endswith(b'\r\n\r\n{"n": 1}')


def test_a_connection_is_used_again(http: RequestsHttp, peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer()))
    for _ in range(3):
        http.request("GET", there.url)
    assert there.connections == 1


def test_a_connection_that_was_idle_for_long_is_not_used_where_a_reset_would_be_ambiguous(
    http: RequestsHttp, peer: Callable[[Script], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = peer(lambda sock, _: sock.sendall(answer()))
    http.request("GET", there.url)
    later = time.monotonic() + 6
    monkeypatch.setattr("hub.transport.http.time.monotonic", lambda: later)
    http.request("GET", there.url, reuse_idle=True)
    assert there.connections == 1
    later += 6
    http.request("GET", there.url, reuse_idle=False)
    assert there.connections == 2


def test_nobody_listening_is_proven_to_be_before_the_first_byte(http: RequestsHttp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        http.request("POST", f"http://127.0.0.1:{port}/x", body=b"1")
    assert caught.value.before_first_byte
    assert "127.0.0.1" in str(caught.value)


def test_a_name_that_does_not_resolve_is_before_the_first_byte(
    http: RequestsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TransportError) as caught:
        http.request("POST", "http://no-such-host.invalid/x", body=b"1")
    assert caught.value.before_first_byte


def test_a_tls_handshake_that_fails_is_before_the_first_byte(
    http: RequestsHttp, peer: Callable[[Script], Peer]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"this is no TLS\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(TransportError) as caught:
            http.request("POST", f"https://127.0.0.1:{listener.getsockname()[1]}/x", body=b"1")
        thread.join()
    assert caught.value.before_first_byte


def test_a_drop_after_the_request_is_not_before_the_first_byte(
    http: RequestsHttp, peer: Callable[[Script], Peer]
) -> None:
    there = peer(lambda sock, _: sock.shutdown(socket.SHUT_RDWR))
    with pytest.raises(TransportError) as caught:
        http.request("POST", there.url, body=b"1")
    assert not caught.value.before_first_byte


def test_silence_ends_with_the_read_timeout(http: RequestsHttp, peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: None)
    with pytest.raises(TransportError) as caught:
        http.request("GET", there.url)
    assert not caught.value.before_first_byte


def drip(data: bytes) -> Script:
    def play(sock: socket.socket, _: bytes) -> None:
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(0.05)

    return play


@pytest.mark.parametrize("data", [answer(b"x" * 200), b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200], ids=["body", "head"])
def test_an_answer_that_trickles_ends_with_the_total_deadline(
    http: RequestsHttp, peer: Callable[[Script], Peer], data: bytes
) -> None:
    there = peer(drip(data))
    started = time.monotonic()
    with pytest.raises(TransportError):
        http.request("GET", there.url)
    assert time.monotonic() - started < 2.0


def test_a_deadline_that_has_passed_makes_no_call(http: RequestsHttp, peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer()))
    with pytest.raises(TransportError) as caught:
        http.request("GET", there.url, deadline=WallClock().now() - dt.timedelta(seconds=1))
    assert caught.value.before_first_byte
    assert there.connections == 0


def test_an_answer_above_the_cap_is_refused_also_when_it_is_small_on_the_wire(
    peer: Callable[[Script], Peer],
) -> None:
    bomb = gzip.compress(b"0" * 3_000_000)
    there = peer(lambda sock, _: sock.sendall(answer(bomb, "200 OK", "Content-Encoding: gzip")))
    port = RequestsHttp(HttpPolicy(max_response_bytes=1_000_000), WallClock())
    with pytest.raises(TransportError, match="larger than 1000000 bytes"):
        port.request("GET", there.url)
    port.close()


def test_a_redirect_is_an_answer_not_a_way(http: RequestsHttp, peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer(b"", "302 Found", "Location: http://169.254.169.254/")))
    assert http.request("POST", there.url, body=b"1").status == 302
    assert there.connections == 1


def test_the_environment_sets_no_proxy(
    http: RequestsHttp, peer: Callable[[Script], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    there = peer(lambda sock, _: sock.sendall(answer()))
    assert http.request("GET", there.url).status == 200


@pytest.mark.parametrize("url", ["ftp://example.com/x", "http://", "mailto:a@example.com", "http://[::1/"])
def test_what_is_no_http_address_is_refused_before_anything_happens(http: RequestsHttp, url: str) -> None:
    with pytest.raises(TransportError) as caught:
        http.request("GET", url)
    assert caught.value.before_first_byte


def test_the_guard_looks_at_the_connected_address(peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer()))
    refused = RequestsHttp(HttpPolicy(), WallClock(), guard=Guard())
    with pytest.raises(TransportError, match="not a public address") as caught:
        refused.request("POST", there.url.replace("127.0.0.1", "localhost"), body=b"1")
    assert caught.value.before_first_byte
    refused.close()
    assert there.requests == []
    pinned = RequestsHttp(HttpPolicy(), WallClock(), guard=Guard(["localhost"]))
    assert pinned.request("POST", there.url.replace("127.0.0.1", "localhost"), body=b"1").status == 200
    pinned.close()


def test_our_own_limit_ends_a_call_before_it_is_sent(peer: Callable[[Script], Peer]) -> None:
    there = peer(lambda sock, _: sock.sendall(answer()))
    limits = Limits({"slow": Limit(rate=0.01, burst=1)}, WallClock(), start_empty=False)
    port = RequestsHttp(HttpPolicy(), WallClock(), limits=limits)
    port.request("GET", there.url, operation="slow")
    port.request("GET", there.url, operation="other")
    with pytest.raises(CallFailed) as caught:
        port.request("GET", there.url, operation="slow")
    port.close()
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert 90 < (caught.value.retry_after_seconds or 0) <= 100.1
    assert len(there.requests) == 2


@responses.activate
def test_the_usual_double_for_requests_intercepts_us(http: RequestsHttp) -> None:
    responses.post("https://api.example.com/x", json={"a": 1}, status=202)
    response = http.request("POST", "https://api.example.com/x", body=b"{}")
    assert (response.status, response.body) == (202, b'{"a": 1}')
