"""One call of the Selling Partner API: access token, user agent, and what its answers mean.

Access tokens come from Login with Amazon by the seller's refresh token and live for an hour; requests are not signed
any more. Personal data needs no restricted data token with the Orders API 2026-01-01: the application's roles decide
what `includedData` may ask for (developer-docs.amazon.com/sp-api, Orders API migration guide).
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import classify, load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.lenient import Node, decimal_at, text_at
from hub.sdk.ports import HttpResponse

ENDPOINTS = {
    "na": "https://sellingpartnerapi-na.amazon.com",
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}
TOKENS = "https://api.amazon.com/auth/o2/token"
ERRORS = load_table(Path(__file__).with_name("errors.yaml"))
RATE_HEADER = "x-amzn-ratelimit-limit"
PLANS = {
    "searchOrders": 0.0056,
    "getOrder": 0.5,
    "confirmShipment": 2.0,
    "patchListingsItem": 5.0,
    "getListingsItem": 5.0,
    "getReports": 0.0222,
    "getReportDocument": 0.0167,
    "token": 1.0,
}
"""Default usage plans, calls a second; what the header of this answer or of an earlier one tells goes before."""
SLOWEST_RATE = Decimal("0.0001")
"""Calls a second; a header that tells less is taken for broken."""

RENEW_BEFORE_SECONDS = 60.0
MAX_LIFETIME_SECONDS = 24 * 3600.0
_VERSION = "1"

Query = Mapping[str, str | Sequence[str]]


class SellingPartnerApi:
    """Calls of one seller account. Raises CallFailed as errors.yaml says, TransportError where nothing came back."""

    def __init__(self, context: Context) -> None:
        self._http = context.http
        self._clock = context.clock
        self._loads = context.loads
        config = context.config
        self._root = str(config.get("endpoint") or ENDPOINTS[str(config["region"])])
        self._tokens = str(config.get("token_endpoint") or TOKENS)
        self._credentials = {
            "grant_type": "refresh_token",
            "refresh_token": str(config["refresh_token"]),
            "client_id": str(config["client_id"]),
            "client_secret": str(config["client_secret"]),
        }
        language = f"Language=Python/{platform.python_version()}; Platform={platform.system()}"
        self._agent = f"{config.get('application', 'order-hub')}/{_VERSION} ({language})"
        self._lock = threading.Lock()
        self._token = ""
        self._valid_until = 0.0
        self._rates: dict[str, float] = {}

    def read(self, operation: str, path: str, query: Query, deadline: dt.datetime | None = None) -> Node:
        """A GET: repeating it does no harm, so a failed one is retry and never ambiguous."""
        return self.read_answer(operation, path, query, deadline)[0]

    def read_answer(
        self, operation: str, path: str, query: Query, deadline: dt.datetime | None = None
    ) -> tuple[Node, HttpResponse]:
        try:
            response = self._call(operation, "GET", path, query, None, None, deadline)
        except TransportError as error:
            raise CallFailed(Resolution.RETRY, f"{operation} could not be read: {error}") from error
        try:
            tree = self._loads(response.body)
        except DataError as error:
            raise _unreadable(operation, response) from error
        if not isinstance(tree, dict):
            raise _unreadable(operation, response)
        return dict(tree), response

    def write(
        self, operation: str, method: str, path: str, query: Query, body: Node, deadline: dt.datetime | None
    ) -> HttpResponse:
        return self._call(operation, method, path, query, body, SafetyMode.LOOKUP, deadline)

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        query: Query,
        body: Node | None,
        safety: SafetyMode | None,
        deadline: dt.datetime | None,
    ) -> HttpResponse:
        """One call, and one more with a new token where the first was refused for its token: it did nothing."""
        token = self._access_token(None, deadline)
        response = self._send(operation, method, path, query, body, token, safety, deadline)
        if response.status in (401, 403):
            token = self._access_token(token, deadline)
            response = self._send(operation, method, path, query, body, token, safety, deadline)
        self._refuse(operation, response, safety)
        return response

    def _send(
        self,
        operation: str,
        method: str,
        path: str,
        query: Query,
        body: Node | None,
        token: str,
        safety: SafetyMode | None,
        deadline: dt.datetime | None,
    ) -> HttpResponse:
        headers = {"accept": "application/json", "user-agent": self._agent, "x-amz-access-token": token}
        content = b""
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body, default=str, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        listed = {name: value if isinstance(value, str) else ",".join(value) for name, value in query.items()}
        parameters = urllib.parse.urlencode(listed, quote_via=urllib.parse.quote)
        return self._http.request(
            method,
            f"{self._root}{path}{'?' if parameters else ''}{parameters}",
            headers=headers,
            body=content,
            deadline=deadline,
            operation=operation,
            reuse_idle=safety is None,
        )

    def _refuse(self, operation: str, response: HttpResponse, safety: SafetyMode | None) -> None:
        rate = decimal_at(response.headers, RATE_HEADER)
        if rate is not None and rate >= SLOWEST_RATE:
            self._rates[operation] = float(rate)
        failed = classify(response, safety, ERRORS, now=self._clock.now())
        if failed is None:
            return
        if failed.resolution is Resolution.RATE_LIMITED and failed.retry_after_seconds is None:
            # The vendor names no time; a token of the bucket comes back at the rate of the plan. A refusal often comes
            # without the header, so the rate of an earlier answer is kept: the defaults are far slower than many plans.
            failed.retry_after_seconds = max(1.0, 1 / self._rates.get(operation, PLANS.get(operation, 1.0)))
        raise failed

    def _access_token(self, refused: str | None, deadline: dt.datetime | None) -> str:
        """A valid token; a new one if the last is `refused` or about to expire. Nothing was sent when this fails."""
        with self._lock:
            if self._token and self._token != refused and self._clock.monotonic() < self._valid_until:
                return self._token
            try:
                response = self._http.request(
                    "POST",
                    self._tokens,
                    headers={
                        "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
                        "accept": "application/json",
                        "user-agent": self._agent,
                    },
                    body=urllib.parse.urlencode(self._credentials).encode("ascii"),
                    deadline=deadline,
                    operation="token",
                )
            except TransportError as error:
                raise CallFailed(Resolution.RETRY, f"no access token could be got: {error}") from error
            self._refuse("token", response, None)
            self._take(response)
            return self._token

    def _take(self, response: HttpResponse) -> None:
        try:
            tree = self._loads(response.body)
        except DataError:
            tree = None
        token, lifetime = text_at(tree, "access_token"), decimal_at(tree, "expires_in")
        if token is None:
            raise CallFailed(Resolution.RETRY, "the token service gave no access token", status=response.status)
        seconds = min(float(lifetime or 0), MAX_LIFETIME_SECONDS)
        self._token = token
        self._valid_until = self._clock.monotonic() + max(seconds - RENEW_BEFORE_SECONDS, seconds / 2)


def segment(text: str) -> str:
    """An id or SKU as one segment of a path."""
    return urllib.parse.quote(text, safe="")


def _unreadable(operation: str, response: HttpResponse) -> CallFailed:
    return CallFailed(
        Resolution.RETRY,
        f"the answer to {operation} is no JSON object",
        status=response.status,
        raw=response.body,
        content_type=response.headers.get("content-type", ""),
    )
