"""What becomes of a webhook request, without I/O: an answer at once, or a receipt to be stored (docs: ingress)."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from hub.exchange.connections import Connections
from hub.exchange.ports import NewReceipt
from hub.sdk.errors import SignatureError
from hub.sdk.records import HttpAnswer, RawRequest
from hub.sdk.streams import STREAMS

SIGNATURE_SAMPLE = 100
"""Of refused signatures the first and then every hundredth of a connection is told; all are counted."""


class Signatures:
    """Counts refused signatures by connection; `tell` hears the first and every hundredth."""

    def __init__(self, tell: Callable[[str, str, int], None]) -> None:
        self._tell = tell
        self.refused: dict[str, int] = {}

    def count(self, connection: str, why: str) -> None:
        number = self.refused[connection] = self.refused.get(connection, 0) + 1
        if number % SIGNATURE_SAMPLE == 1:
            self._tell(connection, why, number)


def decide(
    connections: Connections, signatures: Signatures, connection: str, topic: str | None, request: RawRequest
) -> NewReceipt | HttpAnswer:
    """401 for a bad signature, 404 for an unknown connection, 405 for one that does not push, else a receipt.

    A topic that nobody subscribed is stored as evidence and never parsed. Never raises for what a sender sends.
    """
    view = connections.get(connection)
    if view is None:
        return problem(404, f"There is no connection {connection}")
    if not view.is_push:
        return problem(405, f"{connection} takes no webhooks")
    try:
        view.connector.verify(request)
    except SignatureError as error:
        signatures.count(connection, str(error))
        return problem(401, "The signature does not fit")
    except Exception as error:  # noqa: BLE001 - a verifier that fails on foreign bytes must not ask for a redelivery
        signatures.count(connection, f"the verifier failed with {type(error).__name__}")
        return problem(401, "The signature cannot be checked")
    try:
        receipt = view.connector.receipt(request, topic)
    except Exception as error:  # noqa: BLE001 - kept with all its bytes: nothing that was signed is thrown away
        return _unnamed(connection, topic, request, f"no receipt: {type(error).__name__}")
    pending = receipt.stream in STREAMS and receipt.stream in view.streams
    return NewReceipt(
        connection=connection,
        stream=receipt.stream,
        topic=receipt.topic if receipt.topic is not None else topic,
        delivery_id=receipt.delivery_id,
        headers=receipt.headers,
        body=request.body,
        content_type=receipt.content_type or request.headers.get("content-type", ""),
        source="webhook",
        received_at=request.received_at,
        pending=pending,
    )


def respond(connections: Connections, connection: str, request: RawRequest) -> HttpAnswer | None:
    """What the connector wants answered once the receipt is durable; None for the hub's own 202."""
    view = connections.get(connection)
    own = getattr(view.connector, "respond", None) if view is not None else None
    if own is None:
        return None
    try:
        answer: HttpAnswer | None = own(request)
    except Exception:  # noqa: BLE001 - the receipt is stored, so the sender gets the hub's own answer
        return None
    return answer


def _unnamed(connection: str, topic: str | None, request: RawRequest, why: str) -> NewReceipt:
    return NewReceipt(
        connection=connection,
        stream="",
        topic=topic or why,
        delivery_id=None,
        headers=request.headers,
        body=request.body,
        content_type=request.headers.get("content-type", ""),
        source="webhook",
        received_at=request.received_at,
    )


def problem(status: int, title: str) -> HttpAnswer:
    """An RFC 9457 problem."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": HTTPStatus(status).phrase}
    return HttpAnswer(status, json.dumps(body).encode(), "application/problem+json")
