"""The carrier aggregator's REST API: rates asked, labels bought and given back, scans by webhook and by poll.

Webhook and poll carry the same event objects in the same envelope, so both give one canonical record with one fact_key,
the event's id. The address and every other field of a label request is mapped by the hub; only transport is added here.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub.sdk.capabilities import Capability
from hub.sdk.classify import load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.json_api import JSON, JsonApi
from hub.sdk.records import (
    Ask,
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
from hub.sdk.signatures import read_secrets, verify_standard_webhook
from hub.sdk.trees import encode, instant_of, instant_text, list_of, member, optional_text, text_of, within

STREAM = "tracking"
TOPIC = "tracking.scan"
MAX_PAGE = 500
ERRORS = load_table(Path(__file__).with_name("errors.yaml"))


class CarrierRest:
    """A connection to one aggregator account."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._api = JsonApi(context, context.config["base_url"], context.config["api_key"], ERRORS)
        secrets = context.config.get("webhook_secrets")
        self._secrets = read_secrets(secrets) if secrets else ()
        self._tolerance = float(context.config.get("webhook_tolerance_seconds", 300))

    def check(self) -> CheckReport:
        try:
            account = self._context.loads(self._api.get("/account", {}, "check").body)
        except (CallFailed, TransportError, DataError) as error:
            return CheckReport((Probe("the API answers to our key", ok=False, detail=str(error)),))
        mode = optional_text(account, "mode") or "unknown"
        return CheckReport((Probe("the API answers to our key", ok=True, detail=f"the account is in {mode} mode"),))

    # The query.

    def rate(self, ask: Ask) -> Reply:
        """What carrying it would cost. Changes nothing over there, so it may be asked again at any time."""
        response = self._api.send("POST", "/rates", ask.payload, None, ask.deadline, "rate")
        return Reply(response.body, JSON, response.status)

    # Effects.

    def buy_label(self, effect: Effect) -> Reply:
        """A label costs money and the vendor forgets keys: every attempt after the first looks for its label before it
        asks for one."""
        if effect.attempt > 1:
            looked = self.lookup(Capability.BUY_LABEL, effect)
            if isinstance(looked, Unsure):
                raise CallFailed(Resolution.RETRY, f"not asked again before the label was looked for: {looked.why}")
            if isinstance(looked, Found):
                if looked.same_content is False:
                    raise CallFailed(Resolution.REJECTED, "a label of other content has our reference")
                return looked.reply
        return self._write("/labels", effect, "buy_label")

    def void_label(self, effect: Effect) -> Reply:
        """The label's id is part of the address, the rest of the payload its body."""
        return self._write(f"/labels/{_quoted(_label_id(effect))}/void", effect, "void_label")

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """A label by our reference; for a void, whether its label is void. Never raises for what the other side says
        of it."""
        try:
            if capability is Capability.VOID_LABEL:
                return self._look_at_void(effect)
            asked = {"reference": text_of(effect.payload, "reference", "payload")}
            answer = self._api.get("/labels", asked, "lookup", effect.deadline)
            items = list_of(self._context.loads(answer.body), "items")
        except (CallFailed, TransportError, DataError) as error:
            return Unsure(str(error))
        if not items:
            return NotFound()
        if len(items) > 1:
            return Unsure(f"{len(items)} labels have our reference")
        label = items[0]
        same = within(self._context.loads(encode(effect.payload)), member(label, "request"))
        return Found(Reply(encode(label), JSON, answer.status, optional_text(label, "id")), same_content=same)

    def _look_at_void(self, effect: Effect) -> Found | NotFound:
        answer = self._api.get(f"/labels/{_quoted(_label_id(effect))}", {}, "lookup", effect.deadline)
        label = self._context.loads(answer.body)
        if member(label, "status") != "voided":
            return NotFound()
        return Found(Reply(answer.body, JSON, answer.status, optional_text(label, "id")), same_content=True)

    def _write(self, path: str, effect: Effect, operation: str) -> Reply:
        response = self._api.send("POST", path, effect.payload, effect.key, effect.deadline, operation)
        return Reply(response.body, JSON, response.status, optional_text(self._context.loads(response.body), "id"))

    # Webhooks.

    def verify(self, request: RawRequest) -> None:
        """Signed as Standard Webhooks are. Raises SignatureError."""
        verify_standard_webhook(request, self._secrets, tolerance_seconds=self._tolerance)

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The address's topic counts; one we do not read has the stream ""."""
        name = topic or TOPIC
        return Receipt(
            connection=self._context.connection,
            stream=STREAM if name == TOPIC else "",
            delivery_id=request.headers.get("webhook-id"),
            headers=request.headers,
            body=request.body,
            content_type=request.headers.get("content-type", JSON),
            received_at=request.received_at,
            topic=name,
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """One record per event, of a webhook's body and a poll's page alike. Raises DataError."""
        events = list_of(self._context.loads(receipt.body), "events")
        return [_record(event, f"events.{index}") for index, event in enumerate(events)]

    def respond(self, request: RawRequest) -> HttpAnswer | None:
        del request
        return None

    # The event log.

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Pages of the log after the cursor, a sequence number. Raises CallFailed (gone: the cursor is too old)."""
        after = cursor.value if cursor is not None and cursor.value else "0"
        start = self._context.start_from.get(stream)
        query = {"from": instant_text(start)} if start is not None else {}
        for response, events, reached in self._api.log("events", query, after, min(limit, MAX_PAGE), f"read_{stream}"):
            yield Batch([self._api.page(STREAM, response)] if events else [], Cursor(reached))

    def settle(self, batch: Batch) -> None:
        """The log keeps no account of who has read what."""

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One event of the log again."""
        del stream
        try:
            return self._api.page(STREAM, self._api.get(f"/events/{_quoted(external_id)}", {}, "fetch_tracking"))
        except CallFailed as failed:
            if failed.resolution is Resolution.GONE:
                return Missing(external_id)
            raise

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        query = {"from": instant_text(window.start), "to": instant_text(window.end)}
        for _, events, _ in self._api.log("events", query, "0", MAX_PAGE, f"list_{stream}"):
            for event in events:
                yield ExternalVersion(_record(event, "").external_id or "", "")


def _record(event: Tree, position: str) -> RawRecord:
    kind, event_id = text_of(event, "type", position), text_of(event, "id", position)
    if kind != TOPIC:
        raise DataError(f"an event of the type {kind[:60]} is none we read", position=f"{position}.type")
    return RawRecord(
        stream=STREAM,
        external_id=event_id,
        body=event,
        position=position,
        occurred_at=instant_of(event, "occurred_at", position),
    )


def _label_id(effect: Effect) -> str:
    return text_of(effect.payload, "label", "payload")


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
