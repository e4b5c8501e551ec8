"""Alerts leave by real SMTP and real HTTP on loopback."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hub.config.model import Alerts, Mail
from hub.config.secrets import Secrets
from hub.transport.alerts import AlertError, AlertSender

OLD = {
    "id": "ex_1",
    "kind": "refused",
    "title": "The ERP refuses an order",
    "detail": "unknown customer",
    "next_step": "nothing more is sent for it",
    "owner": "operations",
    "raised_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
}


class MailServer(socketserver.ThreadingTCPServer):
    """Takes what is handed over, speaks as much SMTP as a client needs."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.taken: list[str] = []
        super().__init__(("127.0.0.1", 0), MailHandler)


class MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.taken.append(text.decode())
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Hook(http.server.BaseHTTPRequestHandler):
    taken: list[dict[str, Any]]
    status = 204

    def do_POST(self) -> None:
        self.taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden signature
        return None


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    handler = type("Handler", (Hook,), {"taken": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/alerts", handler
        server.shutdown()


def sender(to: tuple[str, ...], port: int = 1) -> AlertSender:
    server = Mail(host="127.0.0.1", port=port, security="none", sender="hub@acme.example", username=None, password=None)
    alerts = Alerts(after=dt.timedelta(minutes=5), to=to, mail=server)
    return AlertSender(alerts, Secrets({}), name="Acme")


def test_people_get_one_mail_that_says_what_is_wrong(mail: MailServer) -> None:
    to = ("mailto:ops@acme.example", "mailto:it@acme.example")
    sender(to, mail.server_address[1]).send("The ERP refuses an order", "unknown customer, 3 orders", [OLD])
    (text,) = mail.taken
    assert "To: ops@acme.example, it@acme.example" in text
    assert "Subject: [Acme] The ERP refuses an order" in text
    assert "unknown customer, 3 orders" in text


def test_an_address_of_a_system_gets_the_exceptions_as_json(hook: tuple[str, type[Hook]]) -> None:
    url, handler = hook
    sender((url,)).send("1 exception", "text", [OLD])
    (document,) = handler.taken
    assert document["subject"] == "1 exception"
    assert document["exceptions"][0]["id"] == "ex_1"
    assert document["exceptions"][0]["next_step"] == "nothing more is sent for it"


def test_what_cannot_be_handed_over_is_said_so_that_it_is_tried_again(hook: tuple[str, type[Hook]]) -> None:
    with pytest.raises(AlertError, match="did not take the mail"):
        sender(("mailto:ops@acme.example",), port=1).send("s", "t", [OLD])
    url, handler = hook
    handler.status = 500
    with pytest.raises(AlertError, match="answered 500"):
        sender((url,)).send("s", "t", [OLD])
