"""The ERP's sales service: six postings out, read back by reference, acknowledgements of queued ones in by webhook.

Orders, changes and cancellations are booked again if posted again, so an unknown outcome is looked up; invoices, credit
notes and goods movements refuse a reference they know, which is then read back and compared.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.classify import classify, load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, SignatureError, TransportError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import (
    CheckReport,
    Effect,
    Found,
    HttpAnswer,
    NotFound,
    Probe,
    RawRecord,
    RawRequest,
    Receipt,
    Reply,
    Tree,
    Unsure,
)
from hub.sdk.signatures import check_age, read_secrets, read_unix_time, verify

FOLDER = Path(__file__).parent
WSDL = FOLDER / "sales.wsdl"
MAX_SIGNATURE_HEADER = 1_000
ERRORS = load_table(FOLDER / "errors.yaml")
OPERATIONS = {
    Capability.SUBMIT_ORDER: "SubmitOrder",
    Capability.UPDATE_ORDER: "ChangeOrder",
    Capability.CANCEL_ORDER: "CancelOrder",
    Capability.POST_INVOICE: "PostInvoice",
    Capability.POST_CREDIT_NOTE: "PostCreditNote",
    Capability.POST_GOODS_MOVEMENT: "PostGoodsMovement",
}
KINDS = {
    Capability.SUBMIT_ORDER: "sales_order",
    Capability.UPDATE_ORDER: "order_change",
    Capability.CANCEL_ORDER: "order_cancel",
    Capability.POST_INVOICE: "invoice",
    Capability.POST_CREDIT_NOTE: "credit_note",
    Capability.POST_GOODS_MOVEMENT: "goods_movement",
}
TOPICS = {"document.accepted": "acknowledgements", "document.refused": "acknowledgements"}
XML = "text/xml"
NO_SUCH_REFERENCE = "connection-check"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 section 2.2 cannot carry."""


class ErpSoap:
    """A connection to one ERP."""

    def __init__(self, context: Context) -> None:
        self._context = context
        secrets = context.config.get("webhook_secrets")
        self._secrets = read_secrets(secrets) if secrets else ()
        self._tolerance = float(context.config.get("webhook_tolerance_seconds", 300))
        user, password = context.config["username"], context.config["password"]
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._soap = context.soap(WSDL, context.config["endpoint"], headers={"authorization": f"Basic {basic}"})

    def check(self) -> CheckReport:
        """Ask for a document that nobody has posted: endpoint, password and WSDL are right if the answer says so."""
        name = "the service answers to our password"
        try:
            self._documents("sales_order", NO_SUCH_REFERENCE, None)
        except (CallFailed, TransportError, DataError) as error:
            return CheckReport((Probe(name, ok=False, detail=str(error)),))
        return CheckReport((Probe(name, ok=True, detail=f"GetDocument at {self._context.config['endpoint']}"),))

    # Effects.

    def submit_order(self, effect: Effect) -> Reply:
        return self._post(Capability.SUBMIT_ORDER, effect, SafetyMode.LOOKUP)

    def update_order(self, effect: Effect) -> Reply:
        return self._post(Capability.UPDATE_ORDER, effect, SafetyMode.LOOKUP)

    def cancel_order(self, effect: Effect) -> Reply:
        return self._post(Capability.CANCEL_ORDER, effect, SafetyMode.LOOKUP)

    def post_invoice(self, effect: Effect) -> Reply:
        return self._post_once(Capability.POST_INVOICE, effect)

    def post_credit_note(self, effect: Effect) -> Reply:
        return self._post_once(Capability.POST_CREDIT_NOTE, effect)

    def post_goods_movement(self, effect: Effect) -> Reply:
        return self._post_once(Capability.POST_GOODS_MOVEMENT, effect)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """The document of our reference. Never raises for what the other side answers."""
        try:
            reference = _text(effect.payload, "Reference")
            response, documents = self._documents(KINDS[capability], reference, effect.deadline)
        except (CallFailed, TransportError, DataError) as error:
            return Unsure(str(error))
        if not documents:
            return NotFound()
        if len(documents) > 1:
            self._context.log.warning(
                "the reference was booked more than once", reference=reference, documents=len(documents)
            )
        return Found(_reply(response, documents[0]), same_content=_same(capability, effect.payload, documents[0]))

    def _post_once(self, capability: Capability, effect: Effect) -> Reply:
        """A document that stands already with our content is a success, with what was read back as its reply."""
        try:
            return self._post(capability, effect, SafetyMode.UNIQUE_REFERENCE)
        except CallFailed as failed:
            if failed.resolution is not Resolution.DUPLICATE:
                raise
            found = self.lookup(capability, effect)
            if isinstance(found, Found) and found.same_content:
                return found.reply
            raise

    def _post(self, capability: Capability, effect: Effect, safety: SafetyMode) -> Reply:
        operation = OPERATIONS[capability]
        try:
            response = self._soap.call(operation, _writable(effect.payload), deadline=effect.deadline)
        except DataError as error:
            raise CallFailed(Resolution.REJECTED, f"not sent: {error}", code="unsendable") from error
        return _reply(response, self._answer(response, f"{operation}Response", safety))

    def _documents(self, kind: str, reference: str, deadline: dt.datetime | None) -> tuple[HttpResponse, list[Tree]]:
        asked: Tree = {"Kind": kind, "Reference": reference}
        response = self._soap.call("GetDocument", asked, deadline=deadline)
        answer = self._answer(response, "GetDocumentResponse", None)
        found = _member(answer, "Document")
        documents = found if isinstance(found, list) else [] if found is None else [found]
        return response, documents

    def _answer(self, response: HttpResponse, name: str, safety: SafetyMode | None) -> Tree:
        """The element `name` of the answer's body. Raises CallFailed for faults, and for a 200 that is no answer."""
        body = self._body(response)
        fault = _member(body, "Fault")
        now = self._context.clock.now()
        if fault is not None:
            code = _optional(_member(_member(_member(fault, "detail"), "Failure"), "Code"))
            code = code or _optional(_member(fault, "faultcode"))
            words = _optional(_member(fault, "faultstring"))
            failure = classify(response, safety, ERRORS, now=now, code=code, words=words)
        else:
            failure = classify(response, safety, ERRORS, now=now)
            if failure is None and not isinstance(body, dict):
                failure = classify(response, safety, ERRORS, now=now, code="", words="the answer is no SOAP envelope")
        if failure is not None:
            raise failure
        answer = _member(body, name)
        if answer is None:
            failed = classify(response, safety, ERRORS, now=now, code="", words=f"the answer holds no {name}")
            raise failed or DataError(f"the answer holds no {name}")
        return answer

    def _body(self, response: HttpResponse) -> Tree:
        """What stands in the envelope's body; None where the bytes are no envelope (a proxy's page, say)."""
        if "xml" not in response.headers.get("content-type", ""):
            return None
        return _member(_member(self._context.loads_xml(response.body), "Envelope"), "Body")

    # Webhooks.

    def verify(self, request: RawRequest) -> None:
        """`webhook-signature` holds one or more `v1=<hex>` of HMAC-SHA256 over timestamp, a point and the body."""
        stamp = request.headers.get("webhook-timestamp", "")
        signed_at = read_unix_time(stamp)
        check_age(signed_at, request.received_at, past_seconds=self._tolerance, future_seconds=self._tolerance)
        header = request.headers.get("webhook-signature", "")[:MAX_SIGNATURE_HEADER]
        given = [one.removeprefix("v1=") for one in header.replace(",", " ").split() if one.startswith("v1=")]
        parts = (stamp.encode("ascii"), b".", request.body)
        for index, one in enumerate(given or [""]):
            try:
                verify(one, parts, self._secrets, now=request.received_at, encoding="hex")
            except SignatureError:
                if index + 1 >= len(given):
                    raise
            else:
                return

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The address's topic counts, else the header's; a topic we do not read has the stream ""."""
        name = topic or request.headers.get("webhook-topic", "")
        return Receipt(
            connection=self._context.connection,
            stream=TOPICS.get(name, ""),
            delivery_id=request.headers.get("webhook-id"),
            headers=request.headers,
            body=request.body,
            content_type=request.headers.get("content-type", "application/json"),
            received_at=request.received_at,
            topic=name or None,
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """The body is one acknowledgement. Raises DataError."""
        tree = self._context.loads(receipt.body)
        try:
            occurred_at = dt.datetime.fromisoformat(_text(tree, "occurred_at"))
        except ValueError:
            raise DataError("occurred_at is no instant", position="occurred_at") from None
        if occurred_at.tzinfo is None:
            raise DataError("occurred_at has no offset", position="occurred_at")
        record = RawRecord(
            stream="acknowledgements",
            external_id=_text(tree, "id"),
            body=tree,
            position="",
            occurred_at=occurred_at.astimezone(dt.UTC),
        )
        return [record]

    def respond(self, request: RawRequest) -> HttpAnswer | None:
        del request
        return None


def _reply(response: HttpResponse, answer: Tree) -> Reply:
    number = _optional(_member(answer, "DocumentNumber")) or None
    queued = _optional(_member(answer, "Status")) == "queued"
    return Reply(response.body, XML, response.status, number, asynchronous=queued)


_WITH_AMOUNT = frozenset({Capability.POST_INVOICE, Capability.POST_CREDIT_NOTE})


def _same(capability: Capability, payload: Tree, document: Tree) -> bool:
    """Whether what was booked is ours: currency, amount and quantities by line; what moved where, of goods; a
    cancellation has its order alone to compare."""
    if _optional(_member(document, "OrderReference")) != _optional(_member(payload, "OrderReference")):
        return False
    if capability is Capability.CANCEL_ORDER:
        return True
    if capability is Capability.POST_GOODS_MOVEMENT:
        moved = {_optional(_member(payload, "Sku")): _number(_member(payload, "Quantity"))}
        names = ("Movement", "Location")
        there = [_optional(_member(document, name)) for name in names]
        return there == [_optional(_member(payload, name)) for name in names] and _quantities(document) == moved
    whole = capability in _WITH_AMOUNT
    amount = _member(payload, "Amount") if whole else _member(_member(payload, "Totals"), "Total")
    return (
        _member(document, "Currency") == _member(payload, "Currency")
        and _number(_member(document, "Amount")) == _number(amount)
        and _quantities(document) == _quantities(payload)
    )


def _quantities(tree: Tree) -> dict[str, Decimal | None]:
    lines = _member(_member(tree, "Lines"), "Line")
    rows = lines if isinstance(lines, list) else [] if lines is None else [lines]
    return {_optional(_member(row, "LineReference")): _number(_member(row, "Quantity")) for row in rows}


def _number(value: Tree) -> Decimal | None:
    try:
        return Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None


def _writable(payload: Tree) -> Tree:
    """The payload with what XML cannot carry replaced by U+FFFD: a stray control character must not hold an order."""
    if isinstance(payload, dict):
        return {name: _writable(value) for name, value in payload.items()}
    if isinstance(payload, list):
        return [_writable(value) for value in payload]
    return _FORBIDDEN.sub("\ufffd", payload) if isinstance(payload, str) else payload


def _member(tree: Tree, name: str) -> Tree:
    return tree.get(name) if isinstance(tree, dict) else None


def _optional(value: Tree) -> str:
    """Text of an element, with or without attributes."""
    if isinstance(value, dict):
        value = value.get("#text")
    return value if isinstance(value, str) else ""


def _text(tree: Tree, name: str) -> str:
    found = _member(tree, name)
    if not isinstance(found, str) or not found:
        raise DataError(f"{name} is missing or no text", position=name)
    return found
