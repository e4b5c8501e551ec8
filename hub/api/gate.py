"""In front of connexion, pure ASGI: which operation is meant, how much is read and how long, and what every answer has.

connexion 3.3 would buffer a body before it knows its size, answers 500 to bytes it cannot read, takes a chunked body
for none, and builds its own idea of errors; what comes past this gate is a known operation with a bounded body.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.api.document import Operation, operations
from hub.api.ingress import Application, ClientGone, Receive, Scope, Send
from hub.api.problems import PROBLEM_TYPE, Problem
from hub.domain.ids import IdSource
from hub.exchange.ports import StoreUnavailable
from hub.sdk.ports import Clock
from hub.store.errors import Fault, driver_errors, fault_of
from hub.store.reading import NoDatabase

log = logging.getLogger("hub.api")

BODY_SECONDS = 20.0
LONGEST_ADDRESS = 16_000
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARAMETER = re.compile(r"\\?\{([a-z_]+)\\?\}")


class Gate:
    """`inner` gets scopes with `hub.request_id`; whatever it raises becomes a problem document."""

    def __init__(self, inner: Application, clock: Clock, ids: IdSource, *, max_body_bytes: int) -> None:
        self._inner, self._clock, self._ids, self._max_body_bytes = inner, clock, ids, max_body_bytes
        self._routes = _routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._ids.new("rq", self._clock.now())
        out = Out(send, request_id, head=scope["method"] == "HEAD")
        try:
            operation = self._operation(scope)
            if operation is None:
                allowed = ", ".join(self._methods(scope["path"]))
                await out.answer(204, b"", {"Allow": allowed})
                return
            await self._inner(
                self._scope(scope, operation, request_id), self._body(scope, receive, operation), out.send
            )
        except ClientGone:
            log.info("%s: the client went away", request_id)
        except Problem as problem:
            await out.problem(problem)
        except Exception as error:
            if database_is_away(error):
                log.warning("%s: the database cannot be used: %s", request_id, error)
                words = "The database cannot be used, or took too long"
                await out.problem(Problem("unavailable", words, headers={"Retry-After": "5"}))
                return
            log.exception("%s: %s %s failed", request_id, scope["method"], scope["path"])
            await out.problem(Problem("bug", "The hub's log has the reason beside this request id"))

    def _operation(self, scope: Scope) -> Operation | None:
        """None for OPTIONS. Raises Problem where nothing is there."""
        path, method = scope["path"], scope["method"]
        if len(path) + len(scope["query_string"]) > LONGEST_ADDRESS:
            raise Problem("address-too-long", f"At most {LONGEST_ADDRESS} characters")
        methods = self._methods(path)
        if not methods:
            raise Problem("not-found", "There is no such path; /docs shows what there is")
        if method == "OPTIONS":
            return None
        if method not in methods:
            raise Problem("method-not-allowed", f"It takes {', '.join(methods)}", headers={"Allow": ", ".join(methods)})
        return self._at(path)["GET" if method == "HEAD" else method]

    def _methods(self, path: str) -> list[str]:
        found = self._at(path)
        return sorted({*found, "OPTIONS", *(("HEAD",) if "GET" in found else ())}) if found else []

    def _at(self, path: str) -> Mapping[str, Operation]:
        """What a path takes, by method. The path of the document that says most decides; controls fit none."""
        if _CONTROL.search(path):
            return {}
        return next((methods for pattern, methods in self._routes if pattern.fullmatch(path)), {})

    def _scope(self, scope: Scope, operation: Operation, request_id: str) -> Scope:
        """As connexion should see it: HEAD is GET, and a content type only where there may be a body."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        if operation.body is not None:
            headers.append((b"content-type", b"application/json"))
            _only_json(scope["headers"])
        wanted = {**scope, "method": operation.method, "headers": headers, "hub.request_id": request_id}
        return {**wanted, "extensions": {}, "path_params": {}}

    def _body(self, scope: Scope, receive: Receive, operation: Operation) -> Receive:
        """The body as it comes, within its size and time; nothing for operations that take none."""
        if operation.body is None:
            return _no_body
        deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        limit = self._max_body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"")
        size = 0

        async def bounded() -> Any:
            nonlocal size
            if declared.isdigit() and len(declared) < 19 and int(declared) > limit:
                raise _too_large(limit)
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                words = f"The body did not come within {BODY_SECONDS:g} seconds"
                raise Problem("timeout", words, headers={"Connection": "close"}) from error
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(limit)
            return message

        return bounded


def database_is_away(error: BaseException) -> bool:
    """Whether it is nobody's mistake: no connection, no room, a statement that took too long, no free reader."""
    if isinstance(error, StoreUnavailable | NoDatabase | PoolTimeout):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, driver_errors()) and fault_of(cause) not in (Fault.ROW, Fault.PROGRAM)


def _too_large(limit: int) -> Problem:
    return Problem("too-large", f"At most {limit} bytes are taken", headers={"Connection": "close"})


def _only_json(headers: list[tuple[bytes, bytes]]) -> None:
    """Raises Problem unless the content type is JSON in UTF-8, or not said."""
    for name, value in headers:
        if name != b"content-type":
            continue
        kind, *options = (part.strip().lower() for part in value.decode("latin-1").split(";"))
        charset = next((one.partition("=")[2].strip('"') for one in options if one.startswith("charset=")), "utf-8")
        if kind != "application/json" or charset not in ("utf-8", "utf8", "us-ascii"):
            raise Problem("media-type", "Send application/json in UTF-8")


async def _no_body() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


class Out:
    """The way back: headers that every answer has, no body for HEAD, at most one answer."""

    def __init__(self, send: Send, request_id: str, *, head: bool) -> None:
        self._send, self._request_id, self._head = send, request_id, head
        self._started = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            own = [(name, value) for name, value in message["headers"] if name.lower() != b"x-request-id"]
            headers = [*own, *ALWAYS, (b"x-request-id", self._request_id.encode())]
            await self._send({**message, "headers": headers})
        elif self._head and message["type"] == "http.response.body":
            await self._send({**message, "body": b""})
        else:
            await self._send(message)

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        if self._started:
            return  # half an answer is out already: the connection ends, and the log says why
        pairs = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        if status != 204:
            pairs.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})

    async def problem(self, problem: Problem) -> None:
        headers = {"Content-Type": PROBLEM_TYPE, **problem.headers}
        await self.answer(problem.status, problem.body(self._request_id), headers)


def _routes() -> list[tuple[re.Pattern[str], Mapping[str, Operation]]]:
    """Paths with fewer parameters first."""
    paths: dict[str, dict[str, Operation]] = {}
    for one in operations().values():
        paths.setdefault(one.path, {})[one.method] = one
    ordered = sorted(paths.items(), key=lambda item: (item[0].count("{"), item[0]))
    return [(_pattern(next(iter(methods.values()))), methods) for _, methods in ordered]


def _pattern(operation: Operation) -> re.Pattern[str]:
    rest = {one["name"] for one in operation.parameters if one["schema"].get("format") == "path"}

    def place(found: re.Match[str]) -> str:
        return ".+" if found[1] in rest else "[^/]+"

    return re.compile(_PARAMETER.sub(place, re.escape(operation.path)), re.DOTALL)
