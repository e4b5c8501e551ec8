"""The payment provider's REST API: authorisations, captures, voids and refunds asked for, what happened told by webhook
and by poll, payouts listed.

Webhook and poll carry the same objects in the same envelope, so both give one canonical record with one fact_key, the
event's id. A declined card is an answer with the provider's words, not an error; only transport is added here.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hub.sdk.capabilities import Capability
from hub.sdk.classify import load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.json_api import JSON, JsonApi
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
from hub.sdk.signatures import read_secrets, verify_standard_webhook
from hub.sdk.trees import encode, instant_of, instant_text, list_of, member, optional_text, text_of, within

TOPICS = {"payment.event": "payments", "refund.event": "refunds", "payout.paid": "payouts"}
"""Webhook topic -> stream."""
ENVELOPES = {"payments": "events", "refunds": "events", "payouts": "payouts"}
SEARCHED = {Capability.CAPTURE: "captures", Capability.REFUND: "refunds"}
"""What is found by our reference, by capability; the others are payments."""
MAX_PAGE = 500
ERRORS = load_table(Path(__file__).with_name("errors.yaml"))


class PaymentRest:
    """A connection to one account at the provider."""

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

    # Effects. Each has the payment's id in its payload; where it is part of the address, it stands there too.

    def authorise(self, effect: Effect) -> Reply:
        return self._write(Capability.AUTHORISE, "/payments", effect)

    def reauthorise(self, effect: Effect) -> Reply:
        return self._write(Capability.REAUTHORISE, f"/payments/{_payment(effect)}/reauthorise", effect)

    def capture(self, effect: Effect) -> Reply:
        return self._write(Capability.CAPTURE, f"/payments/{_payment(effect)}/captures", effect)

    def void(self, effect: Effect) -> Reply:
        return self._write(Capability.VOID, f"/payments/{_payment(effect)}/void", effect)

    def refund(self, effect: Effect) -> Reply:
        return self._write(Capability.REFUND, "/refunds", effect)

    def _write(self, capability: Capability, path: str, effect: Effect) -> Reply:
        """Money moves once: the provider forgets keys after a day, so every attempt after the first looks for what the
        one before did."""
        if effect.attempt > 1:
            looked = self.lookup(capability, effect)
            if isinstance(looked, Unsure):
                raise CallFailed(Resolution.RETRY, f"not asked again before it was looked for: {looked.why}")
            if isinstance(looked, Found):
                if looked.same_content is False:
                    raise CallFailed(Resolution.REJECTED, "something of another amount has our reference")
                return looked.reply
        response = self._api.send("POST", path, effect.payload, effect.key, effect.deadline, str(capability))
        return Reply(response.body, JSON, response.status, optional_text(self._context.loads(response.body), "id"))

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """By our reference; a void, by the references of the payment's voids. Never raises for what the other side says
        of it."""
        try:
            if capability is Capability.VOID:
                return self._look_at_void(effect)
            asked = {"reference": text_of(effect.payload, "reference", "payload")}
            answer = self._api.get(f"/{SEARCHED.get(capability, 'payments')}", asked, "lookup", effect.deadline)
            items = list_of(self._context.loads(answer.body), "items")
        except (CallFailed, TransportError, DataError) as error:
            return Unsure(str(error))
        if not items:
            return NotFound()
        if len(items) > 1:
            return Unsure(f"{len(items)} answers have our reference")
        wanted = self._context.loads(encode(effect.payload))
        same = within(member(wanted, "amount"), member(items[0], "amount"))
        return Found(Reply(encode(items[0]), JSON, answer.status, optional_text(items[0], "id")), same_content=same)

    def _look_at_void(self, effect: Effect) -> Found | NotFound:
        answer = self._api.get(f"/payments/{_payment(effect)}", {}, "lookup", effect.deadline)
        payment = self._context.loads(answer.body)
        if text_of(effect.payload, "reference", "payload") not in list_of(payment, "voids"):
            return NotFound()
        return Found(Reply(answer.body, JSON, answer.status, optional_text(payment, "id")), same_content=True)

    # Webhooks.

    def verify(self, request: RawRequest) -> None:
        """Signed as Standard Webhooks are. Raises SignatureError."""
        verify_standard_webhook(request, self._secrets, tolerance_seconds=self._tolerance)

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The address's topic counts; one we do not read has the stream ""."""
        name = topic or ""
        return Receipt(
            connection=self._context.connection,
            stream=TOPICS.get(name, ""),
            delivery_id=request.headers.get("webhook-id"),
            headers=request.headers,
            body=request.body,
            content_type=request.headers.get("content-type", JSON),
            received_at=request.received_at,
            topic=name,
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """One record per event or payout, of a webhook's body and a poll's page alike. Raises DataError."""
        name = ENVELOPES[receipt.stream]
        found = list_of(self._context.loads(receipt.body), name)
        return [_record(receipt.stream, item, f"{name}.{index}") for index, item in enumerate(found)]

    def respond(self, request: RawRequest) -> HttpAnswer | None:
        del request
        return None

    # The logs.

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Pages of the log after the cursor, a sequence number. Raises CallFailed (gone: the cursor is too old)."""
        after = cursor.value if cursor is not None and cursor.value else "0"
        start = self._context.start_from.get(stream)
        query = {"from": instant_text(start)} if start is not None else {}
        for response, found, reached in self._pages(stream, query, after, min(limit, MAX_PAGE), f"read_{stream}"):
            yield Batch([self._api.page(stream, response)] if found else [], Cursor(reached))

    def settle(self, batch: Batch) -> None:
        """The logs keep no account of who has read what."""

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One event or payout again."""
        path = f"/{ENVELOPES[stream]}/{_quoted(external_id)}"
        try:
            return self._api.page(stream, self._api.get(path, {}, f"fetch_{stream}"))
        except CallFailed as failed:
            if failed.resolution is Resolution.GONE:
                return Missing(external_id)
            raise

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        query = {"from": instant_text(window.start), "to": instant_text(window.end)}
        for _, found, _ in self._pages(stream, query, "0", MAX_PAGE, f"list_{stream}"):
            for item in found:
                yield ExternalVersion(text_of(item, "id", ""), "")

    def _pages(
        self, stream: str, query: Mapping[str, str], after: str, limit: int, operation: str
    ) -> Iterator[tuple[HttpResponse, list[Tree], str]]:
        name = ENVELOPES[stream]
        family = {"family": stream} if name == "events" else {}
        return self._api.log(name, {**query, **family}, after, limit, operation)


def _record(stream: str, item: Tree, position: str) -> RawRecord:
    return RawRecord(
        stream=stream,
        external_id=text_of(item, "id", position),
        body=item,
        position=position,
        occurred_at=instant_of(item, "paid_at" if stream == "payouts" else "occurred_at", position),
    )


def _payment(effect: Effect) -> str:
    return _quoted(text_of(effect.payload, "payment", "payload"))


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
