"""The emulated ERP as its clients meet it: SOAP 1.1 over sales.wsdl, basic authentication, faults, acknowledgements.

Configuration (all text): `username` and `password` (default "hub", "erp-password"), `acceptance` ("booked": the answer
has the number; "queued": it says so, and an acknowledgement follows by webhook `queue_seconds` later, default "1"),
`webhook_secret` (default "erp-webhook-secret"), `customers` (codes separated by commas; empty = every code is known).

Orders, changes and cancellations take any reference again and make a second document of it, which is what the hub's
lookup is there to prevent; invoices, credit notes and goods movements refuse a reference they know. `GetDocument` does
not see what is younger than `lookup_lag_seconds`.

Controls, `POST /_control/<verb>` with JSON: `refuse` {by: sku|customer|order_reference|reference, value, code,
message}, `forgive` {}, `lock` {locked}, `tick` {}, `documents` {order_reference?}, `balances` {}.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from lxml import etree

from connectors.erp_soap.books import REFUSED_BY, Books, Document, Posting, Refusal, RefuseRule
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.misbehaviour import Misbehaviour
from hub.sdk.ports import Clock

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
SALES = "urn:erp:sales:1"
JSON = {"content-type": "application/json"}
XML = {"content-type": "text/xml; charset=utf-8"}
KINDS = {
    "SubmitOrder": "sales_order",
    "ChangeOrder": "order_change",
    "CancelOrder": "order_cancel",
    "PostInvoice": "invoice",
    "PostCreditNote": "credit_note",
    "PostGoodsMovement": "goods_movement",
}


class ErpEmulator(Emulator):
    """Ledger kinds: those of KINDS, and refused; keys are the client's references."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        user, password = config.get("username", "hub"), config.get("password", "erp-password")
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._secret = config.get("webhook_secret", "erp-webhook-secret").encode()
        self._customers = frozenset(filter(None, config.get("customers", "").split(",")))
        queued = config.get("acceptance", "booked") == "queued"
        self.books = Books(
            ledger,
            clock.now,
            queue_seconds=float(config.get("queue_seconds", "1")) if queued else None,
            tell=self._tell,
        )
        wsdl = etree.parse(str(Path(__file__).with_name("sales.wsdl")))
        self._schema = etree.XMLSchema(wsdl.findall(".//{http://www.w3.org/2001/XMLSchema}schema")[0])
        self._manners = Misbehaviour(self, lambda request: self._serve(request.body), _gateway)

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._basic.encode()):
            return EmulatedResponse(401, b"", {"www-authenticate": 'Basic realm="sales"'})
        if request.method != "POST":
            return EmulatedResponse(405, b"", {"allow": "POST"})
        return self._manners.answer(request)

    def next_due(self) -> dt.datetime | None:
        moments = (self.webhooks.next_due(), self.books.next_due(), self._manners.next_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self, now: dt.datetime) -> None:
        self._manners.catch_up(now)
        self.books.tick(now)

    def _tell(self, told: dict[str, object]) -> None:
        body = json.dumps(told, separators=(",", ":")).encode()
        self.webhooks.push(Outgoing(str(told["id"]), str(told["type"]), {}, body))

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        timestamp = str(int(now.timestamp()))
        signature = hmac.new(self._secret, timestamp.encode() + b"." + outgoing.body, hashlib.sha256).hexdigest()
        headers = {
            **JSON,
            "webhook-id": outgoing.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1={signature}",
            "webhook-topic": outgoing.topic,
        }
        return replace(outgoing, headers=headers)

    # SOAP.

    def _serve(self, body: bytes) -> EmulatedResponse:
        try:
            call = self._read(body)
            operation = etree.QName(call).localname
            if operation == "GetDocument":
                return _envelope(self._get(call))
            posting = _posting(KINDS[operation], call)
            if self._customers and posting.customer and posting.customer not in self._customers:
                raise Refusal("UNKNOWN_CUSTOMER", f"There is no customer {posting.customer}")
            return _envelope(_answer(operation, self.books.post(posting)))
        except Refusal as refusal:
            return _fault("Server" if refusal.code == "NOT_PROCESSED" else "Client", refusal.code, str(refusal))

    def _read(self, body: bytes) -> etree._Element:
        """The call inside the envelope, valid by the WSDL's schema. Raises Refusal."""
        if b"<!DOCTYPE" in body:
            raise Refusal("INVALID", "A document type declaration is not read")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(body, parser)
        except (etree.XMLSyntaxError, ValueError):
            raise Refusal("INVALID", "The body is no XML") from None
        calls = root.findall(f"{{{ENVELOPE}}}Body/*")
        if root.tag != f"{{{ENVELOPE}}}Envelope" or len(calls) != 1:
            raise Refusal("INVALID", "The body is no SOAP 1.1 envelope with one call")
        call = calls[0]
        if etree.QName(call).localname not in (*KINDS, "GetDocument") or etree.QName(call).namespace != SALES:
            raise Refusal("INVALID", "There is no such operation")
        try:
            self._schema.assertValid(call)
        except etree.DocumentInvalid as error:
            raise Refusal("INVALID", str(error)[:300]) from None
        return call

    def _get(self, call: etree._Element) -> etree._Element:
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        found = self.books.find(_text(call, "Kind"), _text(call, "Reference"))
        visible = [one for one in found if dt.datetime.fromisoformat(one.created_at) <= seen]
        if len(visible) < len(found):
            self.ledger.count_fault("lookup_lag")
        answer = _element("GetDocumentResponse")
        for document in visible:
            answer.append(_described(document))
        return answer

    # Controls.

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs: dict[str, Callable[[Mapping[str, object]], object]] = {
            "refuse": self._refuse,
            "forgive": lambda _: self.books.forgive(),
            "lock": lambda asked: self.books.lock(asked.get("locked", True) is True),
            "tick": lambda _: None,
            "balances": lambda _: self.books.balances(),
            "documents": lambda asked: [
                asdict(one)
                for one in self.books.documents
                if asked.get("order_reference", one.order_reference) == one.order_reference
            ],
        }
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            asked = json.loads(request.body or b"{}")
            if verb is None or not isinstance(asked, dict):
                raise ValueError(f"controls are {', '.join(verbs)}, each with an object")
            answer = {"items": verb(asked) or []}
        except (ValueError, RecursionError) as error:
            return EmulatedResponse(422, json.dumps({"error": str(error)}).encode(), JSON)
        return EmulatedResponse(200, json.dumps(answer).encode(), JSON)

    def _refuse(self, asked: Mapping[str, object]) -> None:
        by, value = asked.get("by"), asked.get("value")
        if by not in REFUSED_BY or not isinstance(value, str):
            raise ValueError(f"by is one of {', '.join(sorted(REFUSED_BY))}, value is text")
        code = str(asked.get("code", "UNKNOWN_ITEM" if by == "sku" else "REFUSED"))
        self.books.refuse(RefuseRule(str(by), value, code, str(asked.get("message", f"{value} is not accepted here"))))


def _posting(kind: str, call: etree._Element) -> Posting:
    if kind == "goods_movement":
        sku = _text(call, "Sku")
        return Posting(
            kind=kind,
            reference=_text(call, "Reference"),
            order_reference=_text(call, "OrderReference"),
            customer="",
            currency="",
            amount="",
            lines=((sku, sku, _text(call, "Quantity")),),
            movement=_text(call, "Movement"),
            location=_text(call, "Location"),
        )
    total = "Totals/Total" if kind in ("sales_order", "order_change") else "Amount"
    return Posting(
        kind=kind,
        reference=_text(call, "Reference"),
        order_reference=_text(call, "OrderReference"),
        customer=_text(call, "CustomerCode"),
        currency=_text(call, "Currency"),
        amount=_text(call, total),
        lines=tuple(
            (_text(line, "LineReference"), _text(line, "Sku"), _text(line, "Quantity")) for line in _lines(call)
        ),
    )


def _lines(call: etree._Element) -> Iterator[etree._Element]:
    yield from call.findall(f"{{{SALES}}}Lines/{{{SALES}}}Line")


def _text(element: etree._Element, path: str) -> str:
    steps = "/".join(f"{{{SALES}}}{step}" for step in path.split("/"))
    return (element.findtext(steps) or "").strip()


def _element(name: str, text: str | None = None) -> etree._Element:
    element = etree.Element(f"{{{SALES}}}{name}", nsmap={"sales": SALES})
    element.text = text
    return element


def _answer(operation: str, document: Document) -> etree._Element:
    answer = _element(f"{operation}Response")
    answer.append(_element("Status", document.status))
    if document.number:
        answer.append(_element("DocumentNumber", document.number))
    answer.append(_element("Reference", document.reference))
    return answer


def _described(document: Document) -> etree._Element:
    described = _element("Document")
    parts = {
        "Kind": document.kind,
        "Status": document.status,
        "DocumentNumber": document.number,
        "Reference": document.reference,
        "OrderReference": document.order_reference,
        "Currency": document.currency,
        "Amount": document.amount,
        "Movement": document.movement,
        "Location": document.location,
    }
    for name, value in parts.items():
        if value:
            described.append(_element(name, value))
    lines = _element("Lines")
    for reference, _, quantity in document.lines:
        line = _element("Line")
        line.append(_element("LineReference", reference))
        line.append(_element("Quantity", quantity))
        lines.append(line)
    described.append(lines)
    return described


def _envelope(content: etree._Element, status: int = 200) -> EmulatedResponse:
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE})
    etree.SubElement(root, f"{{{ENVELOPE}}}Body").append(content)
    return EmulatedResponse(status, etree.tostring(root, xml_declaration=True, encoding="utf-8"), XML)


def _fault(side: str, code: str, message: str) -> EmulatedResponse:
    """SOAP 1.1 section 4.4: faultcode, faultstring, detail; on HTTP status 500 (section 6.2)."""
    fault = etree.Element(f"{{{ENVELOPE}}}Fault", nsmap={"soap": ENVELOPE})
    etree.SubElement(fault, "faultcode").text = f"soap:{side}"
    etree.SubElement(fault, "faultstring").text = message
    failure = _element("Failure")
    failure.append(_element("Code", code))
    failure.append(_element("Message", message))
    etree.SubElement(fault, "detail").append(failure)
    return _envelope(fault, 500)


def _gateway(status: int, code: str, message: str) -> EmulatedResponse:
    """What stands before the service answers for it: no SOAP, and not in its words."""
    del code
    if status == 429:
        return EmulatedResponse(status, message.encode(), {"content-type": "text/plain"})
    return EmulatedResponse(status, _PAGES[status], {"content-type": "text/html"})


_PAGES = {500: b"<html>Internal Server Error</html>", 504: b"<html>Gateway Timeout</html>"}
