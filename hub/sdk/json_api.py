"""Calls to an API that speaks JSON over HTTP: one account's address and headers, its error table, its logs by pages.

What a vendor's addresses and bodies are stays with its connector.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Iterator, Mapping

from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import ErrorTable, classify
from hub.sdk.connector import Context
from hub.sdk.errors import DataError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import Receipt, Tree
from hub.sdk.trees import encode, list_of, member

JSON = "application/json"


class JsonApi:
    """An API that is asked with a bearer key. Every call raises CallFailed for an answer that says no, TransportError
    for none."""

    def __init__(self, context: Context, base_url: str, key: str, errors: ErrorTable) -> None:
        self._context = context
        self._base = base_url
        self._headers = {"authorization": f"Bearer {key}", "accept": JSON}
        self._errors = errors

    def get(
        self, path: str, query: Mapping[str, str], operation: str, deadline: dt.datetime | None = None
    ) -> HttpResponse:
        url = f"{self._base}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        response = self._context.http.request("GET", url, headers=self._headers, deadline=deadline, operation=operation)
        return self._classified(response, None)

    def send(
        self, method: str, path: str, payload: Tree, key: str | None, deadline: dt.datetime, operation: str
    ) -> HttpResponse:
        """A write under its idempotency key; without one, a question that is asked with a body."""
        headers = {**self._headers, "content-type": JSON}
        response = self._context.http.request(
            method,
            self._base + path,
            headers=headers if key is None else {**headers, "idempotency-key": key},
            body=encode(payload),
            deadline=deadline,
            operation=operation,
        )
        # For a write the outbox knows whether the key still counts: what is ambiguous is told as that.
        return self._classified(response, None if key is None else SafetyMode.LOOKUP)

    def log(
        self, name: str, query: Mapping[str, str], after: str, limit: int, operation: str
    ) -> Iterator[tuple[HttpResponse, list[Tree], str]]:
        """Pages of the log `name` after a position: the answer, its items, the position it reaches.

        A page is {<name>: [...], next: whole number, more: whether there are further ones}. Raises DataError for one
        that does not move on, which would be read for ever.
        """
        more = True
        while more:
            response = self.get(f"/{name}", {**query, "after": after, "limit": str(limit)}, operation)
            page = self._context.loads(response.body)
            position, more = member(page, "next"), member(page, "more") is True
            if not isinstance(position, int) or position < int(after) or (more and position == int(after)):
                raise DataError("the log does not move on", position="next")
            after = str(position)
            yield response, list_of(page, name), after

    def page(self, stream: str, response: HttpResponse) -> Receipt:
        """An answer as a receipt of the stream."""
        return Receipt(
            connection=self._context.connection,
            stream=stream,
            delivery_id=None,
            headers={},
            body=response.body,
            content_type=JSON,
            received_at=self._context.clock.now(),
        )

    def _classified(self, response: HttpResponse, safety: SafetyMode | None) -> HttpResponse:
        failure = classify(response, safety, self._errors, now=self._context.clock.now())
        if failure is not None:
            raise failure
        return response
