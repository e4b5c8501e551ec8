"""What the emulated ERP keeps: its documents, who is refused, and what it still has to say about queued ones."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from hub.sdk.emulator import Ledger

PREFIXES = {
    "sales_order": "SO",
    "order_change": "OC",
    "order_cancel": "OX",
    "invoice": "IV",
    "credit_note": "CN",
    "goods_movement": "GM",
}
ONCE = {"invoice": "An invoice", "credit_note": "A credit note", "goods_movement": "A goods movement"}
"""Kinds that refuse a reference they know."""

ENTRIES = {"invoice": ("receivables", "revenue"), "credit_note": ("revenue", "receivables")}
"""Kind -> accounts that are debited and credited with its amount."""

ISSUES = frozenset({"issue", "transfer_out"})
"""Movements that take goods out; all others bring some in."""

FIRST_NUMBER = 1000
REFUSED_BY = frozenset({"sku", "customer", "order_reference", "reference"})


class Refusal(Exception):
    """A business answer that is a SOAP fault. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Document:
    """`amount` and quantities are decimals as text, as they were posted. `number` is empty while queued."""

    index: int
    kind: str
    reference: str
    order_reference: str
    created_at: str
    status: str
    number: str = ""
    currency: str = ""
    amount: str = ""
    lines: list[list[str]] = field(default_factory=list)
    movement: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """What a client posted, read from its envelope. `lines` are (line reference, SKU, quantity)."""

    kind: str
    reference: str
    order_reference: str
    customer: str
    currency: str
    amount: str
    lines: tuple[tuple[str, str, str], ...]
    movement: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class RefuseRule:
    """Postings in which `by` (sku, customer, order_reference, reference) is `value` are refused with these words."""

    by: str
    value: str
    code: str
    message: str

    def hits(self, posting: Posting) -> bool:
        facts = {
            "customer": {posting.customer},
            "order_reference": {posting.order_reference},
            "reference": {posting.reference},
            "sku": {sku for _, sku, _ in posting.lines},
        }
        return self.value in facts[self.by]


class Books:
    """`tell` is called with each acknowledgement of a queued document."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], dt.datetime],
        *,
        queue_seconds: float | None,
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._queue_seconds = queue_seconds
        self._tell = tell
        self.documents = [Document(**json.loads(data)) for _, data in ledger.recall_all("document|")]
        self.rules = [RefuseRule(**rule) for rule in json.loads(ledger.recall("rules") or "[]")]
        self.locked = ledger.recall("locked") == "yes"
        self._counts = {kind: sum(bool(d.number) for d in self.documents if d.kind == kind) for kind in PREFIXES}
        self._by_reference: dict[tuple[str, str], list[Document]] = {}
        self._orders: dict[str, list[Document]] = {}
        self._queued: list[Document] = []
        for document in self.documents:
            self._index(document)

    def find(self, kind: str, reference: str) -> list[Document]:
        return list(self._by_reference.get((kind, reference), ()))

    def post(self, posting: Posting) -> Document:
        """Book or queue it. Raises Refusal. Kinds of ONCE refuse a second posting of a reference."""
        if self.locked:
            raise Refusal("NOT_PROCESSED", "The books are locked. The request was not processed.")
        if posting.kind in ONCE and self.find(posting.kind, posting.reference):
            raise Refusal("DUPLICATE_REFERENCE", f"{ONCE[posting.kind]} has the reference {posting.reference}")
        orders = self._orders.get(posting.order_reference, [])
        if posting.kind not in ("sales_order", "goods_movement"):
            if not orders:
                raise Refusal("UNKNOWN_ORDER", f"There is no order {posting.order_reference}")
            if posting.kind != "credit_note" and all(order.status == "cancelled" for order in orders):
                raise Refusal("ORDER_CANCELLED", f"The order {posting.order_reference} is cancelled")
        refused = next((rule for rule in self.rules if rule.hits(posting)), None)
        if refused is not None and self._queue_seconds is None:
            self._record("refused", posting.reference, posting.order_reference, {"code": refused.code})
            raise Refusal(refused.code, refused.message)
        document = Document(
            index=len(self.documents) + 1,
            kind=posting.kind,
            reference=posting.reference,
            order_reference=posting.order_reference,
            created_at=self._now().isoformat(),
            status="booked" if self._queue_seconds is None else "queued",
            currency=posting.currency,
            amount=posting.amount,
            lines=[list(line) for line in posting.lines],
            movement=posting.movement,
            location=posting.location,
        )
        if document.status == "booked":
            self._book(document)
        self.documents.append(document)
        self._index(document)
        self._keep(document)
        self._record(document.kind, document.reference, document.order_reference, asdict(document))
        return document

    def balances(self) -> dict[str, dict[str, str]]:
        """Account and currency, or location and SKU -> what was debited, credited and is left of booked documents.

        Debits and credits come from single documents here, so that a client's sums can be compared with them.
        """
        sums: dict[str, list[Decimal]] = {}
        for document in self.documents:
            if document.status != "booked":
                continue
            for side, account in enumerate(ENTRIES.get(document.kind, ())):
                sums.setdefault(f"{account} {document.currency}", [Decimal(0), Decimal(0)])[side] += Decimal(
                    document.amount
                )
            for _, sku, quantity in document.lines if document.kind == "goods_movement" else ():
                side = 1 if document.movement in ISSUES else 0
                sums.setdefault(f"{document.location} {sku}", [Decimal(0), Decimal(0)])[side] += Decimal(quantity)
        return {
            name: {"debit": str(debit), "credit": str(credit), "balance": str(debit - credit)}
            for name, (debit, credit) in sorted(sums.items())
        }

    def refuse(self, rule: RefuseRule) -> None:
        self.rules.append(rule)
        self._ledger.remember("rules", json.dumps([asdict(one) for one in self.rules]))

    def forgive(self) -> None:
        """Drop all refusals (the people over there have fixed their master data)."""
        self.rules.clear()
        self._ledger.remember("rules", "[]")

    def lock(self, locked: bool) -> None:
        self.locked = locked
        self._ledger.remember("locked", "yes" if locked else "no")

    def tick(self, now: dt.datetime) -> None:
        """Answer the queued documents whose time has come."""
        while self._queued and self._due_at(self._queued[0]) <= now:
            document = self._queued.pop(0)
            posting = Posting(
                document.kind,
                document.reference,
                document.order_reference,
                "",
                document.currency,
                document.amount,
                tuple((line, sku, quantity) for line, sku, quantity in document.lines),
            )
            refused = next((rule for rule in self.rules if rule.hits(posting)), None)
            if refused is None:
                document.status = "booked"
                self._book(document)
            else:
                document.status = "refused"
                self._record("refused", document.reference, document.order_reference, {"code": refused.code})
            self._keep(document)
            told: dict[str, object] = {
                "id": f"ack-{document.index:08d}",
                "type": f"document.{'accepted' if refused is None else 'refused'}",
                "occurred_at": now.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "reference": document.reference,
                "kind": document.kind,
            }
            told |= {"document_number": document.number} if refused is None else {"reason": refused.message}
            self._tell(told)

    def next_due(self) -> dt.datetime | None:
        return self._due_at(self._queued[0]) if self._queued else None

    def _due_at(self, document: Document) -> dt.datetime:
        return dt.datetime.fromisoformat(document.created_at) + dt.timedelta(seconds=self._queue_seconds or 0.0)

    def _book(self, document: Document) -> None:
        document.number = f"{PREFIXES[document.kind]}-{FIRST_NUMBER + self._counts[document.kind]}"
        self._counts[document.kind] += 1
        if document.kind == "order_cancel":
            for order in self._orders.get(document.order_reference, []):
                order.status = "cancelled"
                self._keep(order)

    def _index(self, document: Document) -> None:
        self._by_reference.setdefault((document.kind, document.reference), []).append(document)
        if document.kind == "sales_order":
            self._orders.setdefault(document.order_reference, []).append(document)
        if document.status == "queued":
            self._queued.append(document)

    def _keep(self, document: Document) -> None:
        self._ledger.remember(f"document|{document.index:010d}", json.dumps(asdict(document)))

    def _record(self, kind: str, key: str, subject: str, data: Mapping[str, object]) -> None:
        self._ledger.add(self._now(), kind, key, subject, json.dumps(data))
