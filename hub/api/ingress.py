"""The door for webhooks: a small pure ASGI application in front of everything else.

`POST /in/<connection>[/<topic>]`: size guard before buffering, raw bytes, signature, receipt through the group commit,
then 202 `{"id", "duplicate"}` or what the connector answers. Nothing is parsed here, and nothing a sender sends makes a
5xx; 503 with Retry-After means that storing failed and the sender should come again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from hub.api.landings import Landings, Told
from hub.api.metrics import Metrics
from hub.api.patience import Patient
from hub.exchange.ports import Accepted, NewReceipt, StoreUnavailable
from hub.sdk.ports import Clock
from hub.sdk.records import HttpAnswer, RawRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("hub.ingress")

RETRY_AFTER_SECONDS = 5
BODY_TIMEOUT_SECONDS = 20.0
"""A body must be there whole within this; senders of webhooks themselves give up earlier."""
JSON_TYPE = b"application/json"
PROBLEM_TYPE = b"application/problem+json"


class Intake(Protocol):
    """What the ingress hands a request to; wired by the runtime."""

    def decide(self, connection: str, topic: str | None, request: RawRequest) -> NewReceipt | HttpAnswer: ...

    def respond(self, connection: str, request: RawRequest) -> HttpAnswer | None: ...

    def hand_in(self, receipt: NewReceipt, told: Told[Accepted]) -> None:
        """`told` hears, in another thread, of the commit that holds the receipt, or why there was none."""
        ...


class Ingress:
    """`intake()` returns None until the hub is ready; requests then get 503 with Retry-After."""

    def __init__(
        self,
        intake: Callable[[], Intake | None],
        clock: Clock,
        metrics: Metrics,
        *,
        max_body_bytes: int = 10_000_000,
        body_timeout_seconds: float = BODY_TIMEOUT_SECONDS,
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._body_timeout_seconds = body_timeout_seconds
        self._stored = metrics.counter("hub_ingress_requests_total", answer="202")
        self._landed: Landings[Accepted] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._refuse(send, 405, "Webhooks are sent by POST", (b"allow", b"POST"))
            return
        intake = self._intake()
        if intake is None:
            await self._come_again(send, "The hub is starting or stopping")
            return
        headers = _headers(scope)
        too_large = _declared_length(headers) > self._max_body_bytes
        try:
            body = None
            if not too_large:
                body = await Patient(_read(receive, self._max_body_bytes), self._body_timeout_seconds)
        except TimeoutError:
            words = f"The body did not come within {self._body_timeout_seconds:g} seconds"
            await self._refuse(send, 408, words, (b"connection", b"close"))
            return
        if body is None:
            words = f"The body is larger than {self._max_body_bytes} bytes"
            await self._refuse(send, 413, words, (b"connection", b"close"))
            return
        connection, topic = _target(scope["path"])
        request = RawRequest(
            method="POST",
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            body=body,
            received_at=self._clock.now(),
        )
        started = self._clock.monotonic()
        try:
            decided = intake.decide(connection, topic, request)
            if isinstance(decided, HttpAnswer):
                self._metrics.count("hub_ingress_requests_total", answer=str(decided.status))
                await answer(send, decided.status, decided.body, decided.content_type.encode("latin-1"))
                return
            landing, told = self._landings().expect()
            intake.hand_in(decided, told)
            accepted = await landing
        except StoreUnavailable as error:
            log.warning("a webhook could not be stored: %s", error)
            await self._come_again(send, "The request could not be stored")
            return
        except Exception:
            # A connection that cannot be opened (a secret that is gone, a mapping that broke) is nobody's at the other
            # end: the sender keeps the request and comes again.
            log.exception("a webhook for %s could not be taken", connection)
            await self._come_again(send, "The connection cannot be used at present")
            return
        self._metrics.observe("hub_ingress_seconds", self._clock.monotonic() - started)
        self._stored.add()
        own = intake.respond(connection, request)
        if own is not None:
            await answer(send, own.status, own.body, own.content_type.encode("latin-1"))
            return
        text = b'{"id":"%s","duplicate":%s}' % (accepted.id.encode(), b"true" if accepted.duplicate else b"false")
        await answer(send, 202, text)

    def _landings(self) -> Landings[Accepted]:
        loop = asyncio.get_running_loop()
        if self._landed is None or self._landed.loop is not loop:
            self._landed = Landings(loop)
        return self._landed

    async def _refuse(self, send: Send, status: int, why: str, *extra: tuple[bytes, bytes]) -> None:
        self._metrics.count("hub_ingress_requests_total", answer=str(status))
        await problem(send, status, why, extra=extra)

    async def _come_again(self, send: Send, why: str) -> None:
        await self._refuse(send, 503, why, (b"retry-after", str(RETRY_AFTER_SECONDS).encode()))


def _headers(scope: Scope) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        if "\x00" in text:
            text = _text(text)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isdecimal() and len(declared) < 19 else 0


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body, or None when it is larger than `limit`, of which no more than that is ever kept."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


class ClientGone(Exception):
    """The sender went away before its body had come; there is nobody to answer."""


def _target(path: str) -> tuple[str, str | None]:
    """Connection and topic of a path, which the server has decoded."""
    parts = _text(path).split("/", 3)
    connection = parts[2] if len(parts) > 2 else ""
    topic = parts[3] if len(parts) > 3 and parts[3] else None
    return connection, topic


def _text(given: str) -> str:
    """Without what no database takes as text: a sender's slip must not stop the commit that others wait for."""
    return given.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


async def answer(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = JSON_TYPE,
    *,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def problem(send: Send, status: int, detail: str, *, extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """An RFC 9457 problem document."""
    document = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    await answer(send, status, json.dumps(document).encode(), PROBLEM_TYPE, extra=extra)


_TITLES = {
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    503: "Service Unavailable",
}
