"""The dashboard as a small ASGI application: who is asked for what, within which size, and what every answer has."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from hub.actions import sessions
from hub.exchange.ports import StoreUnavailable
from hub.runtime.control import ActionRefused
from hub.runtime.hub import Hub
from hub.store.reading import NoDatabase, ReadingPool
from hub.web.pages import ROUTES
from hub.web.request import COOKIE, Answer, Download, Go, Page, Request, Route, Stop, csrf_of
from hub.web.show import render

log = logging.getLogger("hub.web")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SAID = "hub_said"
LARGEST_FORM = 64 * 1024
MOST_FIELDS = 500
LONGEST_ADDRESS = 8_000
FORM_SECONDS = 20.0
LONGEST_WORDS = 900
STATIC = Path(__file__).resolve().parent / "static"
FILES = {
    "hub.css": "text/css; charset=utf-8",
    "hub.js": "text/javascript; charset=utf-8",
    "hub.svg": "image/svg+xml",
}
HTML = "text/html; charset=utf-8"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OUR_SITE = ("same-origin", "none")


class ClientGone(Exception):
    """The browser went away before its form was complete."""


def build(hub: Callable[[], Hub | None], pool: Callable[[], ReadingPool]) -> Application:
    """`hub` gives None while it starts or stops."""
    return Site(hub, pool)


class Site:
    """Every answer is a page: whatever goes wrong gets one that says so."""

    def __init__(self, hub: Callable[[], Hub | None], pool: Callable[[], ReadingPool]) -> None:
        self._hub, self._pool = hub, pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/static/"):
            await _static(path.removeprefix("/static/"), scope["method"], send)
            return
        secure = scope.get("scheme") == "https"
        request: Request | None = None
        try:
            route, params = _route(path, scope)
            hub = self._hub()
            if hub is None:
                raise Stop(503, "The hub is starting or stopping. Load this page again in a moment.")
            cookies = _cookies(scope)
            form = await _form(scope, receive) if scope["method"] == "POST" else {}
            request = Request(
                hub=hub,
                pool=self._pool,
                method=scope["method"],
                path=path,
                query=_pairs(scope["query_string"]),
                form=form,
                token=cookies.get(COOKIE, ""),
                said=_said(cookies.get(SAID, "")),
                params=params,
            )
            _same_site(scope, request)
            answer = await asyncio.to_thread(_answer, route, request)
        except ClientGone:
            return
        except Stop as stop:
            answer = _stopped(stop.status, stop.words)
        except ActionRefused as error:
            answer = _stopped(409, str(error))
        except (StoreUnavailable, NoDatabase) as error:
            log.warning("%s: %s", path, error)
            answer = _stopped(503, "The database cannot be used at present. Nothing was done; try again.")
        except Exception:
            log.exception("the page %s failed", path)
            answer = _stopped(500, "This page failed; that is a bug. The hub's log has the reason.")
        await _send(answer, request, send, head=scope["method"] == "HEAD", secure=secure)


def _answer(route: Route, request: Request) -> Answer:
    """Who it is, what they may do, and the page. Runs in a thread of its own."""
    with request.hub.store.read() as snapshot:
        request.visitor = sessions.visitor(snapshot, request.token, request.hub.clock.now())
    if route.open:
        return route.run(request)
    if request.visitor is None:
        if request.method == "POST":
            raise Stop(403, "You are not logged in any more. Log in and try again.")
        return Go("/login")
    if request.method == "POST" and not hmac.compare_digest(
        csrf_of(request.token), request.form.get("csrf", "").encode("ascii", "replace").decode()
    ):
        raise Stop(403, "This form is not one of your session. Load the page again and repeat it.")
    if route.scope and not request.may(route.scope):
        raise Stop(403, f"This needs the scope {route.scope}, which you do not have.")
    return route.run(request)


def _route(path: str, scope: Scope) -> tuple[Route, Mapping[str, str]]:
    """Raises Stop where there is no such page, or it is not for this method."""
    if len(path) + len(scope["query_string"]) > LONGEST_ADDRESS:
        raise Stop(414, "The address is too long.")
    if _CONTROL.search(path):
        raise Stop(404, "There is no such page.")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    found = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(path))]
    if not found:
        raise Stop(404, "There is no such page.")
    for route, match in found:
        if route.method == method:
            return route, match.groupdict()
    raise Stop(405, "This page does not take that method.")


def _cookies(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, content = part.strip().partition("=")
                found.setdefault(key, content)
    return found


def _said(cookie: str) -> tuple[bool, str] | None:
    good, mark, words = cookie.partition(".")
    return (good == "1", unquote(words)) if mark else None


def _pairs(raw: bytes) -> dict[str, str]:
    """Raises Stop."""
    try:
        return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise Stop(400, "That is too much at once.") from error


async def _form(scope: Scope, receive: Receive) -> dict[str, str]:
    """The fields of a form as browsers send it. Raises Stop, ClientGone."""
    headers = dict(scope["headers"])
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
        raise Stop(415, "This takes the fields of a form.")
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(FORM_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > LARGEST_FORM:
                    raise Stop(413, "The form is too large.")
                if not message.get("more_body", False):
                    return _pairs(b"".join(pieces))
    except TimeoutError as error:
        raise Stop(408, "The form did not come in time.") from error


def _same_site(scope: Scope, request: Request) -> None:
    """Browsers say where a form stood; one of another site is refused, that of the login too. Raises Stop."""
    site = dict(scope["headers"]).get(b"sec-fetch-site", b"none").decode("latin-1")
    if request.method == "POST" and site not in _OUR_SITE:
        raise Stop(403, "This form stood on another site.")


def _stopped(status: int, words: str) -> Page:
    return Page("stopped.html", {"title": HTTPStatus(status).phrase, "words": words}, status)


async def _send(answer: Answer, request: Request | None, send: Send, *, head: bool, secure: bool) -> None:
    headers = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ]
    body, status = b"", 303
    if isinstance(answer, Go):
        headers.append(("location", answer.path))
        headers += [("set-cookie", cookie + _attributes(secure)) for cookie in answer.cookies]
        if answer.words:
            said = f"{SAID}={int(answer.good)}.{quote(answer.words[:LONGEST_WORDS], safe='')}; Max-Age=60"
            headers.append(("set-cookie", said + _attributes(secure)))
    elif isinstance(answer, Download):
        status, body = 200, answer.body
        headers.append(("content-type", "application/octet-stream"))
        headers.append(("content-disposition", f'attachment; filename="{answer.name}"'))
    else:
        status, body = answer.status, render(answer, request).encode("utf-8", "replace")
        headers.append(("content-type", HTML))
        cookie = answer.values.get("cookie")
        if cookie:
            headers.append(("set-cookie", str(cookie) + _attributes(secure)))
        if request is not None and request.said is not None:
            headers.append(("set-cookie", f"{SAID}=; Max-Age=0" + _attributes(secure)))
        if status == 503:
            headers.append(("retry-after", "2"))
    headers.append(("content-length", str(len(body))))
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]})
    await send({"type": "http.response.body", "body": b"" if head else body})


def _attributes(secure: bool) -> str:
    return "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


async def _static(name: str, method: str, send: Send) -> None:
    kind = FILES.get(name) if method in ("GET", "HEAD") else None
    body = b"There is no such file" if kind is None else _file(name)
    headers = [
        (b"content-type", (kind or "text/plain").encode()),
        (b"content-security-policy", b"default-src 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-cache"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 404 if kind is None else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


@cache
def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()
