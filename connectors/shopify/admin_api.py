"""One call of the GraphQL Admin API: envelope, cost, and what its errors mean.

The API answers 200 for nearly everything; errors stand in the body. Each query has a cost in points, and each answer
says what is left of the shop's bucket (shopify.dev/docs/api/usage/limits): `extensions.cost.throttleStatus`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import classify, load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at
from hub.sdk.ports import HttpResponse

DEFAULT_VERSION = "2026-07"
ERRORS = load_table(Path(__file__).with_name("errors.yaml"))


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` of a GraphQL answer that has no errors, with its bytes as they came.

    `wait_seconds` says how long the next query of the same cost has to wait for the bucket to refill; 0 = none.
    """

    data: Node
    response: HttpResponse
    wait_seconds: float


class AdminApi:
    """Calls of one shop. Raises CallFailed as errors.yaml says, TransportError where nothing came back."""

    def __init__(self, context: Context) -> None:
        self._http = context.http
        self._clock = context.clock
        self._loads = context.loads
        config = context.config
        root = str(config.get("endpoint") or f"https://{config['shop']}")
        self._url = f"{root}/admin/api/{config.get('api_version', DEFAULT_VERSION)}/graphql.json"
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "x-shopify-access-token": str(config["access_token"]),
        }

    def read(self, operation: str, query: str, variables: Mapping[str, object], deadline: dt.datetime | None) -> Answer:
        """A query: repeating it does no harm, so a failed one is retry and never ambiguous."""
        try:
            return self._call(operation, query, variables, None, deadline)
        except TransportError as error:
            raise CallFailed(Resolution.RETRY, f"{operation} could not be read: {error}") from error

    def write(
        self,
        operation: str,
        query: str,
        variables: Mapping[str, object],
        safety: SafetyMode,
        deadline: dt.datetime | None,
    ) -> Answer:
        """A mutation. Its `userErrors` are the caller's to judge (`refuse_user_errors`)."""
        return self._call(operation, query, variables, safety, deadline)

    def refuse_user_errors(self, answer: Answer, mutation: str, safety: SafetyMode) -> Node:
        """The mutation's payload. Raises CallFailed with the vendor's words where it has userErrors."""
        payload = node_at(answer.data, mutation)
        errors = nodes_at(payload, "userErrors")
        if not errors:
            return payload
        words = "; ".join(text_at(error, "message") or "refused without a word" for error in errors)
        failed = classify(
            answer.response,
            safety,
            ERRORS,
            now=self._clock.now(),
            code=text_at(errors[0], "code") or "",
            words=words,
        )
        assert failed is not None  # a code was given
        raise failed

    def _call(
        self,
        operation: str,
        query: str,
        variables: Mapping[str, object],
        safety: SafetyMode | None,
        deadline: dt.datetime | None,
    ) -> Answer:
        body = json.dumps(
            {"operationName": operation, "query": query, "variables": variables}, separators=(",", ":")
        ).encode("utf-8")
        response = self._http.request(
            "POST",
            self._url,
            headers=self._headers,
            body=body,
            deadline=deadline,
            operation=operation,
            reuse_idle=safety is not SafetyMode.LOOKUP,
        )
        failed = classify(response, safety, ERRORS, now=self._clock.now())
        if failed is not None:
            raise failed
        try:
            tree = self._loads(response.body)
        except DataError as error:
            raise self._unreadable(response, safety) from error
        return self._judge(tree, response, safety)

    def _judge(self, tree: object, response: HttpResponse, safety: SafetyMode | None) -> Answer:
        if not isinstance(tree, dict):
            raise self._unreadable(response, safety)
        errors = tree.get("errors")
        wait = _wait_seconds(tree)
        if errors:
            first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
            failed = classify(
                response,
                safety,
                ERRORS,
                now=self._clock.now(),
                code=text_at(node_at(first, "extensions"), "code") or "",
                words=text_at(first, "message") or str(errors)[:200],
            )
            assert failed is not None  # a code was given
            if failed.resolution is Resolution.RATE_LIMITED:
                failed.retry_after_seconds = max(1.0, wait)
            raise failed
        data = tree.get("data")
        if not isinstance(data, dict):
            raise self._unreadable(response, safety)
        return Answer(data, response, wait)

    def _unreadable(self, response: HttpResponse, safety: SafetyMode | None) -> CallFailed:
        """A 200 that is no GraphQL answer (a proxy's page): for a mutation, nobody knows."""
        return CallFailed(
            Resolution.RETRY if safety in (None, SafetyMode.IDEMPOTENCY_KEY) else Resolution.AMBIGUOUS,
            "the answer is not a GraphQL answer",
            status=response.status,
            raw=response.body,
            content_type=response.headers.get("content-type", ""),
        )


def _wait_seconds(tree: Node) -> float:
    """Seconds until the bucket holds the requested cost again; 0 where it does or the answer does not say."""
    cost = node_at(node_at(tree, "extensions"), "cost")
    status = node_at(cost, "throttleStatus")
    requested = decimal_at(cost, "requestedQueryCost")
    available = decimal_at(status, "currentlyAvailable")
    rate = decimal_at(status, "restoreRate")
    if requested is None or available is None or not rate or rate < 0 or requested <= available:
        return 0.0
    return min(3600.0, math.ceil((requested - available) / rate * 10) / 10)
