"""The papers of the emulated warehouse: requests, cancellations, lines, and how its people behave."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
OPEN = frozenset({"received", "acknowledged", "in_progress", "packed", "ready"})


STEPS: Mapping[str, Mapping[str, str]] = {
    "auto": {"received": "acknowledge", "acknowledged": "pack", "in_progress": "pack", "packed": "ship"},
    "hold": {"received": "acknowledge"},
    "silent": {},
    "reject": {"received": "reject", "acknowledged": "reject"},
}
"""By mode, what is done next with a request of a status."""

COUNTER = {"packed": "ready", "ready": "hand_over"}
"""The same for what its buyer collects, once it is packed."""

ANY = ("", "")
"""Where rules without a condition are kept."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the people of the warehouse treat a request.

    `mode`: auto (acknowledge, pack, ship, at so many seconds after arrival each), hold (acknowledge, then wait for a
    person's `act`), silent (say and do nothing), reject. `short` names SKUs of which that quantity ("all" = everything)
    will not be found. `cancels`: accept, before_packing (packed goods stay), refuse, later_accept and later_refuse
    (answered as events `cancel_seconds` later). `packages` splits a shipment into that many. `labels`: own, or hub:
    what was packed into which box is said, and a box leaves only with the label that somebody sends for it. `buyer`:
    comes (for what stands ready, so many seconds after arrival of the request) or stays away. A transfer reaches its
    destination `transit_seconds` after it left, less what `lost` names by SKU. `substitute` names SKUs in whose place
    another one is packed.
    """

    mode: str = "auto"
    acknowledge_seconds: float = 0.5
    pack_seconds: float = 1.0
    ship_seconds: float = 1.5
    short: Mapping[str, str] = field(default_factory=dict)
    cancels: str = "accept"
    cancel_seconds: float = 1.0
    packages: int = 1
    labels: str = "own"
    buyer: str = "comes"
    ready_seconds: float = 1.5
    collect_seconds: float = 2.0
    transit_seconds: float = 1.0
    lost: Mapping[str, str] = field(default_factory=dict)
    substitute: Mapping[str, str] = field(default_factory=dict)
    reason: str = "not possible here"


MODES = frozenset({"auto", "hold", "silent", "reject"})
LABELS = frozenset({"own", "hub"})
BUYERS = frozenset({"comes", "stays_away"})
CANCELS = frozenset({"accept", "before_packing", "refuse", "later_accept", "later_refuse"})
MATCHES = frozenset({"client_order_id", "reference", "order_number", "warehouse", "sku"})


@dataclass(frozen=True, slots=True)
class Rule:
    """`match` pairs must all hold for a request; `changes` then replace fields of the behaviour."""

    match: Mapping[str, str]
    changes: Mapping[str, object]


@dataclass(slots=True)
class Line:
    reference: str
    sku: str
    ordered: Decimal
    cancelled: Decimal = ZERO
    short: Decimal = ZERO
    packed: Decimal = ZERO
    shipped: Decimal = ZERO
    substitute: str = ""

    @property
    def goods(self) -> str:
        """The SKU that is taken for it."""
        return self.substitute or self.sku

    @property
    def waiting(self) -> Decimal:
        """Still to be packed."""
        return self.ordered - self.cancelled - self.short - self.packed

    @property
    def in_boxes(self) -> Decimal:
        """Packed and still in the building."""
        return self.packed - self.shipped


@dataclass(slots=True)
class Request:
    number: int
    body: Mapping[str, object]
    reference: str
    client_order_id: str
    order_number: str
    warehouse: str
    received_at: str
    lines: list[Line]
    status: str = "received"
    boxes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"FR-{self.number:06d}"

    @property
    def collected(self) -> bool:
        """Its buyer comes for it."""
        return self.body.get("shipping_method") == "pickup"

    @property
    def destination(self) -> str:
        """The warehouse that it goes to, "" where it goes to a buyer."""
        return str(self.body.get("ship_to_warehouse") or "")

    def names(self) -> set[tuple[str, str]]:
        """Everything a rule's `match` may name it by."""
        facts = ("client_order_id", "reference", "order_number", "warehouse")
        return {(name, str(getattr(self, name))) for name in facts} | {("sku", line.sku) for line in self.lines}

    def fits(self, match: Mapping[str, str]) -> bool:
        return self.names().issuperset(match.items())

    def document(self) -> dict[str, object]:
        return {
            "id": self.id,
            "status": self.status,
            "received_at": self.received_at,
            "request": self.body,
            "lines": [{key: plain(value) for key, value in asdict(line).items()} for line in self.lines],
        }


@dataclass(slots=True)
class Cancellation:
    number: int
    body: Mapping[str, object]
    reference: str
    cancellation_id: str
    client_order_id: str
    received_at: str
    status: str = "answered"
    answers: list[dict[str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"CX-{self.number:06d}"

    def document(self) -> dict[str, object]:
        return {
            "id": self.id,
            "status": self.status,
            "received_at": self.received_at,
            "request": self.body,
            "lines": self.answers,
        }


def names(request: Request) -> dict[str, object]:
    return {"id": request.id, "reference": request.reference, "client_order_id": request.client_order_id}


def lines_of(lines: Iterable[tuple[Line, Decimal]]) -> list[dict[str, str]]:
    return [{"line_reference": line.reference, "sku": line.goods, "quantity": plain(amount)} for line, amount in lines]


def answer(reference: str, quantity: Decimal, word: str, reason: str) -> dict[str, str]:
    told = {"line_reference": reference, "quantity": plain(quantity), "answer": word}
    return told | ({"reason": reason} if reason else {})


def plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_request(data: str) -> Request:
    kept = json.loads(data)
    names = ("ordered", "cancelled", "short", "packed", "shipped")
    lines = [
        Line(
            line["reference"],
            line["sku"],
            **{name: Decimal(line[name]) for name in names},
            substitute=line.get("substitute", ""),
        )
        for line in kept.pop("lines")
    ]
    return Request(**kept, lines=lines)


def read_cancellation(data: str) -> Cancellation:
    return Cancellation(**json.loads(data))
