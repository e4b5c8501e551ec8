"""Who we are: what authentication adds to a request."""

from __future__ import annotations

import base64
import datetime as dt
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from connectors.declarative.definition import AuthSpec
from connectors.declarative.request import FORM, JSON, Compile
from hub.sdk.classify import ErrorTable, classify
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, ConfigurationError, DataError, Resolution, TransportError
from hub.sdk.records import Tree

TOKEN_SECONDS = 300.0
"""How long a token is kept that does not say how long it lasts (RFC 6749 section 5.1 only recommends to say it)."""
EARLY_SECONDS = 60.0
SHORTEST_HIDDEN = 6
"""Shorter secrets are words that appear by themselves; hiding them would garble what the other side says."""


@dataclass(frozen=True, slots=True)
class Credentials:
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()


class Auth(Protocol):
    def credentials(self, deadline: dt.datetime | None) -> Credentials:
        """May call; raises CallFailed whose resolution is right for a call that was not begun."""
        ...

    def renew(self) -> None:
        """What we showed was refused: get another before the next call."""
        ...

    def hide(self, words: str) -> str:
        """Words of the other side without our secrets."""
        ...


class Fixed:
    """The same in every request."""

    def __init__(self, credentials: Credentials, *secrets: str) -> None:
        self._credentials = credentials
        self._secrets = secrets

    def credentials(self, deadline: dt.datetime | None) -> Credentials:
        del deadline
        return self._credentials

    def renew(self) -> None:
        """There is nothing newer."""

    def hide(self, words: str) -> str:
        return hidden(words, self._secrets)


class ClientCredentials:
    """A token of RFC 6749 section 4.4, shared by the connection's threads."""

    def __init__(self, context: Context, url: str, client: str, secret: str, scope: str, in_body: bool) -> None:
        self._context = context
        self._url = url
        self._client = client
        self._secret = secret
        self._scope = scope
        self._in_body = in_body
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def credentials(self, deadline: dt.datetime | None) -> Credentials:
        with self._lock:
            if not self._token or self._context.clock.monotonic() >= self._until:
                self._fetch(deadline)
            return Credentials({"authorization": f"Bearer {self._token}"})

    def renew(self) -> None:
        with self._lock:
            self._token = ""

    def hide(self, words: str) -> str:
        return hidden(words, (self._secret, self._token))

    def _fetch(self, deadline: dt.datetime | None) -> None:
        """Whatever goes wrong here, the call that needs the token has not begun: nothing is ambiguous."""
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        headers = {"content-type": FORM, "accept": JSON}
        if self._in_body:
            form |= {"client_id": self._client, "client_secret": self._secret}
        else:
            # RFC 6749 section 2.3.1: both are form-encoded before they become a basic authentication.
            pair = (urllib.parse.quote_plus(self._client), urllib.parse.quote_plus(self._secret))
            headers["authorization"] = basic(*pair)
        try:
            response = self._context.http.request(
                "POST",
                self._url,
                headers=headers,
                body=urllib.parse.urlencode(form).encode(),
                deadline=deadline,
                operation="token",
            )
        except TransportError as error:
            raise CallFailed(Resolution.RETRY, f"no token could be had: {self.hide(str(error))}") from error
        failure = classify(response, None, ErrorTable(), now=self._context.clock.now())
        if failure is not None:
            # invalid_client is a 400 or a 401 (section 5.2).
            refused = response.status in (400, 401, 403)
            raise CallFailed(
                Resolution.AUTH_FAILED if refused else failure.resolution,
                f"no token was given: {self.hide(failure.words)}",
                status=response.status,
                retry_after_seconds=failure.retry_after_seconds,
                code=failure.code,
            )
        self._take(self._read(response.body))

    def _read(self, body: bytes) -> Tree:
        try:
            return self._context.loads(body)
        except DataError as error:
            raise CallFailed(Resolution.RETRY, "the token's answer cannot be read") from error

    def _take(self, answer: Tree) -> None:
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise CallFailed(Resolution.RETRY, "the token's answer holds no access_token")
        lasts = answer.get("expires_in") if isinstance(answer, dict) else None
        seconds = _seconds(lasts)
        self._token = token
        self._until = self._context.clock.monotonic() + seconds - min(EARLY_SECONDS, seconds / 10)


def _seconds(lasts: Tree) -> float:
    """Some write the number as a text. What cannot be a duration counts as not said."""
    text = str(lasts) if isinstance(lasts, int | Decimal | str) and not isinstance(lasts, bool) else ""
    seconds = float(text) if text.replace(".", "", 1).isdigit() and len(text) <= 12 else 0.0
    return seconds or TOKEN_SECONDS


def hidden(words: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        if len(secret) >= SHORTEST_HIDDEN:
            words = words.replace(secret, "***").replace(urllib.parse.quote(secret, safe=""), "***")
    return words


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def open_auth(spec: AuthSpec | None, compile_: Compile, context: Context) -> Auth:
    """Raises ConfigurationError where the connection's config lacks what the authentication needs."""
    if spec is None or spec["kind"] == "none":
        return Fixed(Credentials())
    scope: Tree = {"config": dict(context.config)}

    def said(name: str, expression: str | None) -> str:
        value = None if expression is None else compile_(expression)(scope)
        if not isinstance(value, str) or not value or "\n" in value or "\r" in value:
            raise ConfigurationError(f"the connection's config holds no usable {name}, which {expression} names")
        return value

    match spec["kind"]:
        case "basic":
            user, password = said("username", spec.get("username")), said("password", spec.get("password"))
            header = basic(user, password)
            return Fixed(Credentials({"authorization": header}), password, header.partition(" ")[2])
        case "bearer":
            token = said("token", spec.get("token"))
            return Fixed(Credentials({"authorization": f"Bearer {token}"}), token)
        case "header":
            key = said("key", spec.get("key"))
            return Fixed(Credentials({spec.get("name", "").lower(): key}), key)
        case "query":
            key = said("key", spec.get("key"))
            return Fixed(Credentials(query=((spec.get("name", ""), key),)), key)
        case _:
            return ClientCredentials(
                context,
                said("token_url", spec.get("token_url")),
                said("client_id", spec.get("client_id")),
                said("client_secret", spec.get("client_secret")),
                said("scope", spec["scope"]) if "scope" in spec else "",
                spec["credentials_in"] == "body",
            )
