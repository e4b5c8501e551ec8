"""Serves an emulator on loopback with real sockets, as a process of its own or inside a test.

    python -m hub.sdk.emulator_server --emulator connectors.shopify.emulator:ShopifyEmulator --port 0 --ledger FILE
        [--seed N] [--faults JSON] [--config JSON] [--hub URL --connection ID] [--exit-on-stdin-eof]

prints one line of JSON, `{"port": ...}`, when it listens. The emulator decides, the server carries out: delays, dropped
connections, and the delivery of webhooks to `<hub>/in/<connection>/<topic>`. Beside the emulator's own paths it answers
`POST /_server/hub` ({"url", "connection"}), `POST /_server/faults` (fields of Faults) and `GET /_server/status`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import http.client
import http.server
import importlib
import json
import queue
import random
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing

MAX_BODY_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 30.0
WEBHOOK_TIMEOUT_SECONDS = 5.0
SENDERS = 4
MAX_DELAY_SECONDS = 120.0
ECHO_WAIT_SECONDS = 2.0


class WallClock:
    """The machine's clock, aware UTC."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def read_faults(values: Mapping[str, Any]) -> Faults:
    """Faults from JSON. Raises ValueError for a name that is none or a value that is no number."""
    known = {entry.name for entry in fields(Faults)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    faults = Faults()
    set_faults(faults, values)
    return faults


def set_faults(faults: Faults, values: Mapping[str, Any]) -> None:
    """Change the faults that `values` names, in place. Raises ValueError as `read_faults` does."""
    for name, value in values.items():
        if name == "script":
            faults.script = {int(call): str(kind) for call, kind in dict(value).items()}
        elif hasattr(faults, name):
            setattr(faults, name, float(value))
        else:
            raise ValueError(f"no such fault: {name}")


class Server:
    """A running emulator. Every call of the emulator is made under one lock, so emulators need none of their own."""

    def __init__(self, emulator: Emulator, host: str, port: int, hub_url: str | None, connection: str | None) -> None:
        self._emulator = emulator
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._delivered = threading.Condition()
        self._delivered_ids: dict[str, None] = {}
        self._hub_url = hub_url
        self._connection = connection
        self._outgoing: queue.SimpleQueue[Outgoing | None] = queue.SimpleQueue()
        emulator.open()
        try:
            self._http = _HttpServer((host, port), self._answer)
        except OSError:
            emulator.close()
            raise
        self.host, self.port = host, self._http.server_address[1]
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.1,), name="emulator-http", daemon=True),
            threading.Thread(target=self._pace, name="emulator-webhooks", daemon=True),
            *(threading.Thread(target=self._send, name=f"emulator-send-{n}", daemon=True) for n in range(SENDERS)),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def emulator(self) -> Emulator:
        """For tests in the same process that only read; requests may run at the same time."""
        return self._emulator

    def connect_hub(self, url: str, connection: str) -> None:
        """Say where webhooks go; until then they wait."""
        self._hub_url, self._connection = url, connection
        self._wake.set()

    def close(self) -> None:
        """Stop listening and delivering; undelivered webhooks stay in the ledger's file."""
        self._closed.set()
        self._wake.set()
        for _ in range(SENDERS):
            self._outgoing.put(None)
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join(timeout=WEBHOOK_TIMEOUT_SECONDS + 1)
        self._emulator.close()
        with self._lock:
            self._emulator.ledger.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: EmulatedRequest) -> EmulatedResponse:
        if request.path.startswith("/_server/"):
            return self._own(request)
        with self._lock:
            response = self._emulator.handle(request)
        self._wake.set()
        if response.after and self._hub_url:
            self._await_delivery(response.after)
        if response.delay_seconds > 0:
            self._closed.wait(min(response.delay_seconds, MAX_DELAY_SECONDS))
            # Work that a late commit put off may have become due while we slept.
            self._wake.set()
        return response

    def _await_delivery(self, ids: tuple[str, ...]) -> None:
        deadline = time.monotonic() + ECHO_WAIT_SECONDS
        with self._delivered:
            while not all(one in self._delivered_ids for one in ids):
                left = deadline - time.monotonic()
                if left <= 0 or self._closed.is_set():
                    return
                self._delivered.wait(left)

    def _own(self, request: EmulatedRequest) -> EmulatedResponse:
        try:
            given = json.loads(request.body) if request.body else {}
            if request.path == "/_server/hub":
                self.connect_hub(str(given["url"]), str(given["connection"]))
            elif request.path == "/_server/faults":
                with self._lock:
                    set_faults(self._emulator.faults, given)
            elif request.path != "/_server/status":
                return EmulatedResponse(404, b'{"error": "there are hub, faults and status"}')
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return EmulatedResponse(400, json.dumps({"error": str(error)}).encode())
        with self._lock:
            status = {
                "waiting_webhooks": self._emulator.waiting(),
                "calls": self._emulator.calls,
                "faults": self._emulator.ledger.faults(),
                **self._emulator.details(),
            }
        return EmulatedResponse(200, json.dumps(status).encode(), {"content-type": "application/json"})

    def _pace(self) -> None:
        """Hand due webhooks to the senders; sleeps until the next is due or a request may have made one."""
        while not self._closed.is_set():
            self._wake.clear()
            wait = 1.0
            if self._hub_url:
                with self._lock:
                    now = self._emulator.clock.now()
                    for outgoing in self._emulator.due(now):
                        self._outgoing.put(outgoing)
                    upcoming = self._emulator.next_due()
                if upcoming is not None:
                    wait = min(wait, max(0.002, (upcoming - now).total_seconds()))
            self._wake.wait(wait)

    def _send(self) -> None:
        connection: http.client.HTTPConnection | None = None
        target = ""
        while not self._closed.is_set():
            outgoing = self._outgoing.get()
            if outgoing is None:
                break
            if connection is None or target != self._hub_url:
                target = self._hub_url or ""
                connection = _open(target)
            status = _post(connection, f"/in/{self._connection}/{outgoing.topic}", outgoing)
            if status is None:
                connection.close()
                connection = None
            if self._closed.is_set():
                break
            with self._lock:
                self._emulator.settled(outgoing, status)
            with self._delivered:
                if status is not None and 200 <= status < 300:
                    self._delivered_ids[outgoing.id] = None
                    while len(self._delivered_ids) > 1000:
                        del self._delivered_ids[next(iter(self._delivered_ids))]
                self._delivered.notify_all()
            self._wake.set()
        if connection is not None:
            connection.close()


def _open(url: str) -> http.client.HTTPConnection:
    parts = urllib.parse.urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=WEBHOOK_TIMEOUT_SECONDS)


def _post(connection: http.client.HTTPConnection, path: str, outgoing: Outgoing) -> int | None:
    """The hub's status, or None where there was no answer."""
    try:
        connection.request("POST", path, outgoing.body, dict(outgoing.headers))
        answer = connection.getresponse()
        answer.read(1_000_000)
        if not answer.isclosed():
            connection.close()
    except (OSError, http.client.HTTPException):
        return None
    return answer.status


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Callable[[EmulatedRequest], EmulatedResponse]) -> None:
        self.answer = answer
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is normal here (timeouts and kills are what these servers are for)."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: _HttpServer
    # One segment per answer: unbuffered writes of head and body meet Nagle and delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if self.headers.get("transfer-encoding") or not length.isdigit():
            return self._write(EmulatedResponse(411), close=True)
        if int(length) > MAX_BODY_BYTES:
            return self._write(EmulatedResponse(413), close=True)
        body = self.rfile.read(int(length)) if int(length) else b""
        parts = urllib.parse.urlsplit(self.path)
        request = EmulatedRequest(
            method=self.command,
            path=urllib.parse.unquote(parts.path),
            query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        response = self.server.answer(request)
        if response.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self._write(response, close=False)

    def _write(self, response: EmulatedResponse, *, close: bool) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        if close:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def __getattr__(self, name: str) -> Callable[[], None]:
        # Every method is the emulator's to judge, not only those the standard library knows.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden signature
        """Silent: the ledger is the record."""


def serve(
    emulator: Emulator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    hub_url: str | None = None,
    connection: str | None = None,
) -> Server:
    """Start serving and return at once. Port 0 takes a free one; `Server.port` says which. Raises OSError if taken."""
    return Server(emulator, host, port, hub_url, connection)


def load(path: str) -> type[Emulator]:
    """The emulator class of an import string `package.module:Class`."""
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Emulator)):
        raise SystemExit(f"{path} names no emulator; write it as package.module:Class")
    return found


def build(
    kind: type[Emulator], *, ledger: str, seed: int, faults: Mapping[str, Any], config: Mapping[str, Any]
) -> Emulator:
    """An emulator on the machine's clock with a seeded random source. `ledger` is a file's path or ":memory:"."""
    return kind(
        ledger=Ledger(ledger),
        clock=WallClock(),
        source=random.Random(seed),
        faults=read_faults(faults),
        config={name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()},
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hub.sdk.emulator_server", description="Serve one emulator.")
    parser.add_argument("--emulator", required=True, help="import string package.module:Class")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", required=True, help="file of the emulator's own ledger")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=json.loads, default={}, help="JSON object of rates")
    parser.add_argument("--config", type=json.loads, default={}, help="JSON object of strings")
    parser.add_argument("--hub", default=None, help="the hub's address, http://host:port")
    parser.add_argument("--connection", default=None, help="the connection id that webhooks go to")
    parser.add_argument("--exit-on-stdin-eof", action="store_true", help="end with the process that holds our stdin")
    options = parser.parse_args(arguments)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    emulator = build(
        load(options.emulator),
        ledger=options.ledger,
        seed=options.seed,
        faults=options.faults,
        config=options.config,
    )
    server = serve(emulator, options.host, options.port, hub_url=options.hub, connection=options.connection)
    print(json.dumps({"port": server.port}), flush=True)
    if options.exit_on_stdin_eof:
        threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
    stop.wait()
    server.close()
    return 0


def _watch_stdin(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
