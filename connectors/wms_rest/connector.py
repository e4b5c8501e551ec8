"""The warehouse's REST API: two effects out, one event log back by webhook and by poll.

Both ways in carry the same event objects in the same envelope, so a webhook and the poll that repeats it give one
canonical record with one fact_key, the event's id.
"""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.classify import classify, load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import (
    Batch,
    CheckReport,
    Cursor,
    Effect,
    ExternalVersion,
    Found,
    HttpAnswer,
    Missing,
    NotFound,
    Probe,
    RawRecord,
    RawRequest,
    Receipt,
    Reply,
    Tree,
    Unsure,
    Window,
)
from hub.sdk.signatures import MAX_SIGNATURE_HEADER, check_age, read_secrets, read_unix_time, verify_any

TOPICS: dict[str, str] = {
    "request.acknowledged": "fulfilment_responses",
    "request.started": "fulfilment_responses",
    "request.picked": "fulfilment_responses",
    "request.packed": "fulfilment_responses",
    "request.short": "fulfilment_responses",
    "request.rejected": "fulfilment_responses",
    "request.ready": "fulfilment_responses",
    "request.handed_over": "fulfilment_responses",
    "request.not_collected": "fulfilment_responses",
    "transfer.received": "fulfilment_responses",
    "cancellation.accepted": "fulfilment_responses",
    "cancellation.refused": "fulfilment_responses",
    "shipment.created": "shipments",
    "stock.snapshot": "stock",
    "stock.moved": "stock_movements",
    "return.received": "returns",
    "return.inspected": "returns",
}
"""The event types we read, by stream; manifest.yaml says the same."""

PATHS = {
    Capability.SEND_FULFILMENT_REQUEST: "/fulfilment-requests",
    Capability.CANCEL_FULFILMENT_REQUEST: "/cancellations",
    Capability.SEND_LABEL: "/labels",
}
MAX_PAGE = 500
JSON = "application/json"
ERRORS = load_table(Path(__file__).with_name("errors.yaml"))


class WmsRest:
    """A connection to one warehouse system."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._base: str = context.config["base_url"]
        self._warehouse: str | None = context.config.get("warehouse")
        secrets = context.config.get("webhook_secrets")
        self._secrets = read_secrets(secrets) if secrets else ()
        self._tolerance = float(context.config.get("webhook_tolerance_seconds", 300))
        self._headers = {"authorization": f"Bearer {context.config['api_key']}", "accept": JSON}

    def check(self) -> CheckReport:
        try:
            answer = self._read("/ping", {}, "check")
        except (CallFailed, TransportError, DataError) as error:
            return CheckReport((Probe("the API answers to our key", ok=False, detail=str(error)),))
        return CheckReport((Probe("the API answers to our key", ok=True, detail=f"HTTP {answer.status}"),))

    # Effects.

    def send_fulfilment_request(self, effect: Effect) -> Reply:
        return self._write(Capability.SEND_FULFILMENT_REQUEST, effect)

    def cancel_fulfilment_request(self, effect: Effect) -> Reply:
        return self._write(Capability.CANCEL_FULFILMENT_REQUEST, effect)

    def send_label(self, effect: Effect) -> Reply:
        return self._write(Capability.SEND_LABEL, effect)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """The document of our reference. Never raises for what the other side answers."""
        try:
            answer = self._read(PATHS[capability], {"reference": _reference(effect)}, "lookup", effect.deadline)
            items = _list(self._tree(answer), "items")
        except (CallFailed, TransportError, DataError) as error:
            return Unsure(str(error))
        if not items:
            return NotFound()
        document = items[0]
        reply = Reply(answer.body, JSON, answer.status, _optional_text(document, "id"))
        return Found(reply, same_content=self._same(effect, document))

    def _write(self, capability: Capability, effect: Effect) -> Reply:
        """Post it. A 409 that holds our own document is a success of an earlier attempt, with the 409 as its reply."""
        response = self._context.http.request(
            "POST",
            self._base + PATHS[capability],
            headers={**self._headers, "content-type": JSON},
            body=_encode(effect.payload),
            deadline=effect.deadline,
            operation=capability.value,
        )
        failure = classify(response, SafetyMode.UNIQUE_REFERENCE, ERRORS, now=self._context.clock.now())
        if failure is None:
            document = self._tree(response)
        elif failure.resolution is Resolution.DUPLICATE:
            document = _member(self._tree(response), "existing")
            if not self._same(effect, document):
                raise failure
        else:
            raise failure
        return Reply(response.body, JSON, response.status, _optional_text(document, "id"))

    def _same(self, effect: Effect, document: Tree) -> bool:
        """Whether everything we send stands in their document as we send it."""
        return _within(self._context.loads(_encode(effect.payload)), _member(document, "request"))

    # Webhooks.

    def verify(self, request: RawRequest) -> None:
        """`webhook-signature` holds one or more `v1=<hex>` of HMAC-SHA256 over timestamp, a point and the body."""
        stamp = request.headers.get("webhook-timestamp", "")
        signed_at = read_unix_time(stamp)
        check_age(signed_at, request.received_at, past_seconds=self._tolerance, future_seconds=self._tolerance)
        header = request.headers.get("webhook-signature", "")[:MAX_SIGNATURE_HEADER]
        given = [one.removeprefix("v1=") for one in header.replace(",", " ").split() if one.startswith("v1=")]
        parts = (stamp.encode("ascii"), b".", request.body)
        verify_any(given, parts, self._secrets, now=request.received_at, encoding="hex")

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The address's topic counts, else the header's; a topic we do not read has the stream ""."""
        name = topic or request.headers.get("webhook-topic", "")
        return Receipt(
            connection=self._context.connection,
            stream=TOPICS.get(name, ""),
            delivery_id=request.headers.get("webhook-id"),
            headers=request.headers,
            body=request.body,
            content_type=request.headers.get("content-type", JSON),
            received_at=request.received_at,
            topic=name or None,
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """One record per event, of a webhook's body and a poll's page alike. Raises DataError."""
        tree = self._loads(receipt.body)
        return [_record(event, f"events.{index}") for index, event in enumerate(_list(tree, "events"))]

    def respond(self, request: RawRequest) -> HttpAnswer | None:
        del request
        return None

    # The event log.

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Pages of the log after the cursor, a sequence number. Raises CallFailed (gone: the cursor is too old)."""
        after = cursor.value if cursor is not None else "0"
        query = {"types": ",".join(topic for topic, to in TOPICS.items() if to == stream)}
        if (start := self._context.start_from.get(stream)) is not None:
            query["from"] = _instant(start)
        for response, events, reached in self._pages(query, after, min(limit, MAX_PAGE), f"read_{stream}"):
            receipts = [self._page(stream, response)] if events else []
            yield Batch(receipts, Cursor(reached))

    def settle(self, batch: Batch) -> None:
        """The log keeps no account of who has read what."""

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One event of the log again; for stock, where the id is a warehouse, a count of now."""
        name = urllib.parse.quote(external_id, safe="")
        method, path = ("POST", f"/stock/{name}/snapshots") if stream == "stock" else ("GET", f"/events/{name}")
        try:
            return self._page(stream, self._ask(method, path, {}, f"fetch_{stream}", None))
        except CallFailed as failed:
            if failed.resolution is Resolution.GONE:
                return Missing(external_id)
            raise

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        query = {
            "types": ",".join(topic for topic, to in TOPICS.items() if to == stream),
            "from": _instant(window.start),
            "to": _instant(window.end),
        }
        for _, events, _ in self._pages(query, "0", MAX_PAGE, f"list_{stream}"):
            for event in events:
                record = _record(event, "")
                yield ExternalVersion(record.external_id or "", record.version or "")

    def _pages(
        self, query: Mapping[str, str], after: str, limit: int, operation: str
    ) -> Iterator[tuple[HttpResponse, list[Tree], str]]:
        scope = {} if self._warehouse is None else {"warehouse": self._warehouse}
        more = True
        while more:
            asked = {**query, **scope, "after": after, "limit": str(limit)}
            response = self._read("/events", asked, operation)
            page = self._tree(response)
            position, more = _member(page, "next"), _member(page, "more") is True
            if not isinstance(position, int) or position < int(after) or (more and position == int(after)):
                raise DataError("the event log does not move on", position="next")
            after = str(position)
            yield response, _list(page, "events"), after

    def _page(self, stream: str, response: HttpResponse) -> Receipt:
        return Receipt(
            connection=self._context.connection,
            stream=stream,
            delivery_id=None,
            headers={},
            body=response.body,
            content_type=JSON,
            received_at=self._context.clock.now(),
        )

    # Transport.

    def _read(
        self, path: str, query: Mapping[str, str], operation: str, deadline: dt.datetime | None = None
    ) -> HttpResponse:
        return self._ask("GET", path, query, operation, deadline)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], operation: str, deadline: dt.datetime | None
    ) -> HttpResponse:
        url = f"{self._base}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        response = self._context.http.request(
            method, url, headers=self._headers, deadline=deadline, operation=operation
        )
        failure = classify(response, None, ERRORS, now=self._context.clock.now())
        if failure is not None:
            raise failure
        return response

    def _tree(self, response: HttpResponse) -> Tree:
        return self._loads(response.body)

    def _loads(self, body: bytes) -> Tree:
        return self._context.loads(body)


def _record(event: Tree, position: str) -> RawRecord:
    kind, event_id = _text(event, "type", position), _text(event, "id", position)
    stream = TOPICS.get(kind)
    if stream is None:
        raise DataError(f"an event of the type {kind[:60]} is none we read", position=f"{position}.type")
    happened = _text(event, "occurred_at", position)
    try:
        occurred_at = dt.datetime.fromisoformat(happened)
    except ValueError:
        raise DataError("occurred_at is no instant", position=f"{position}.occurred_at") from None
    if occurred_at.tzinfo is None:
        raise DataError("occurred_at has no offset", position=f"{position}.occurred_at")
    snapshot = stream == "stock"
    return RawRecord(
        stream=stream,
        external_id=_text(event, "warehouse", position) if snapshot else event_id,
        body=event,
        position=position,
        version=_instant(occurred_at) if snapshot else None,
        occurred_at=occurred_at.astimezone(dt.UTC),
    )


def _within(ours: Tree, theirs: Tree) -> bool:
    """Whether `theirs` holds all of `ours`; it may hold more beside it."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(name in theirs and _within(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(_within, ours, theirs))
    return ours == theirs


def _encode(payload: Tree) -> bytes:
    return json.dumps(payload, default=_decimal, ensure_ascii=False, separators=(",", ":")).encode()


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a payload holds no {type(value).__name__}")


def _reference(effect: Effect) -> str:
    return _text(effect.payload, "reference", "payload")


def _member(tree: Tree, name: str) -> Tree:
    return tree.get(name) if isinstance(tree, dict) else None


def _list(tree: Tree, name: str) -> list[Tree]:
    found = _member(tree, name)
    if not isinstance(found, list):
        raise DataError(f"the body has no list {name}", position=name)
    return found


def _text(tree: Tree, name: str, position: str) -> str:
    found = _member(tree, name)
    if not isinstance(found, str) or not found:
        raise DataError(f"{name} is missing or no text", position=f"{position}.{name}")
    return found


def _optional_text(tree: Tree, name: str) -> str | None:
    found = _member(tree, name)
    return found if isinstance(found, str) else None


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
