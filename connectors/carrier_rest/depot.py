"""What happens behind the emulated aggregator: its tariff, the labels it has sold, and parcels that are scanned.

Pure state over the emulator's ledger. A label is charged when it is sold and refunded when it is given back before the
first scan; both stand in the ledger, exact, so that an audit can add them up.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import ROUND_UP, Decimal

from hub.sdk.emulator import Ledger
from hub.sdk.trees import instant_text

ZERO = Decimal(0)
GRAMS = {"oz": Decimal("28.349523125"), "lb": Decimal("453.59237"), "g": Decimal(1), "kg": Decimal(1000)}
MILLIMETRES = {"in": Decimal("25.4"), "cm": Decimal(10), "mm": Decimal(1)}

SERVICES: dict[str, tuple[str, Decimal, Decimal, int]] = {
    "ground": ("acme-post", Decimal("4.85"), Decimal("0.0012"), 5),
    "saver": ("fast-air", Decimal("7.90"), Decimal("0.0019"), 3),
    "next-day": ("fast-air", Decimal("21.50"), Decimal("0.0045"), 1),
}
"""Service -> carrier, price of any parcel, price of a gram, days."""
FLIES = frozenset({"fast-air"})
"""Carriers that take no dangerous goods."""
ADULT_SIGNATURE = Decimal("2.95")
"""What it costs that the receiver's age is checked at the door."""

ENDS: dict[str, tuple[str, ...]] = {
    "delivered": ("in_transit", "out_for_delivery", "delivered"),
    "returned": ("in_transit", "failure", "return_to_sender"),
    "lost": ("in_transit", "lost"),
    "stuck": ("in_transit",),
    "held": ("in_transit", "failure", "in_transit", "out_for_delivery", "delivered"),
}
"""How a parcel's journey goes, scan by scan."""

MESSAGES = {
    "pre_transit": "Label created, parcel not yet received",
    "in_transit": "Departed facility ",
    "out_for_delivery": "Out for delivery",
    "delivered": "DELIVERED ",
    "failure": "Delivery attempted, address closed",
    "return_to_sender": "Returned to sender",
    "lost": "Parcel declared lost",
}
"""Some end in a blank, as carriers' texts do."""


class NotSold(Exception):
    """A refusal in the aggregator's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Label:
    number: int
    request: Mapping[str, object]
    reference: str
    carrier: str
    service: str
    amount: str
    currency: str
    format: str
    sold_at: str
    status: str = "purchased"
    refund: str = ""
    ends: str = "delivered"
    scans: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"LBL-{self.number:08d}"

    @property
    def tracking_code(self) -> str:
        return f"EZ{self.number:010d}US"

    @property
    def picked_up(self) -> bool:
        return any(status != "pre_transit" for status in self.scans)

    def document(self) -> dict[str, object]:
        found: dict[str, object] = {
            "id": self.id,
            "status": self.status,
            "reference": self.reference,
            "carrier": self.carrier,
            "service": self.service,
            "tracking_code": self.tracking_code,
            "tracking_url": f"https://track.example.com/{self.tracking_code}",
            "charge": {"amount": self.amount, "currency": self.currency},
            "label": {"format": self.format, "content": _printed(self)},
            "created_at": self.sold_at,
            "request": self.request,
        }
        if self.refund:
            found["refund"] = {"amount": self.refund, "currency": self.currency}
        return found


class Depot:
    """`tell` is called with every new event. `pace` are the seconds between sale, first scan and further scans;
    0 for the first means that nothing is scanned by itself."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], dt.datetime],
        currency: str,
        pace: tuple[float, float],
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._currency = currency
        self._pace = pace
        self._tell = tell
        self._due: list[tuple[dt.datetime, int, int]] = []
        self.labels = [Label(**json.loads(data)) for _, data in ledger.recall_all("label|")]
        self.events: list[dict[str, object]] = [json.loads(data) for _, data in ledger.recall_all("event|")]
        self.rules = [json.loads(data) for _, data in ledger.recall_all("rule|")]
        self._by_reference: dict[str, list[Label]] = {}
        for label in self.labels:
            self._by_reference.setdefault(label.reference, []).append(label)
            self._plan(label)

    # What people may ask.

    def by_reference(self, reference: str) -> list[Label]:
        return list(self._by_reference.get(reference, ()))

    def label(self, label_id: str) -> Label | None:
        return next((label for label in self.labels if label.id == label_id), None)

    def tracked(self, tracking_code: str) -> Label | None:
        return next((label for label in self.labels if label.tracking_code == tracking_code), None)

    def account(self) -> dict[str, str]:
        charged = sum((Decimal(label.amount) for label in self.labels), ZERO)
        refunded = sum((Decimal(label.refund) for label in self.labels if label.refund), ZERO)
        return {"charged": str(charged), "refunded": str(refunded), "currency": self._currency}

    def rates(self, body: Mapping[str, object]) -> tuple[list[dict[str, object]], list[str]]:
        """Every service that carries it, and why the others do not. Raises NotSold for what makes no sense."""
        grams = _check(body)
        rates: list[dict[str, object]] = []
        messages: list[str] = []
        for number, (service, (carrier, _, _, days)) in enumerate(SERVICES.items()):
            if service == "next-day" and grams > 30_000:
                messages.append(f"{carrier} {service}: parcels above 30 kg are not carried")
                continue
            if carrier in FLIES and _asks(body, "dangerous_goods"):
                messages.append(f"{carrier} {service}: dangerous goods are not carried")
                continue
            amount = {"amount": str(self._price(service, grams, body)), "currency": self._currency}
            rate = {"id": f"rate_{number}", "carrier": carrier, "service": service, **amount, "delivery_days": days}
            rates.append(rate)
        return rates, messages

    # What the API does.

    def sell(self, body: Mapping[str, object]) -> Label:
        """Raises NotSold."""
        grams = _check(body)
        reference, service = str(body.get("reference", "")), str(body.get("service", ""))
        if not reference:
            raise NotSold(422, "invalid", "reference is missing")
        if service not in SERVICES:
            raise NotSold(422, "unknown_service", f"There is no service {service[:60]}")
        if SERVICES[service][0] in FLIES and _asks(body, "dangerous_goods"):
            raise NotSold(422, "not_carried", f"{service} carries no dangerous goods")
        price = self._price(service, grams, body)
        quoted = body.get("quoted")
        if isinstance(quoted, dict) and _amount(quoted.get("amount", price)) < price:
            raise NotSold(422, "price_changed", f"The price is {price} {self._currency} now")
        label = Label(
            number=len(self.labels) + 1,
            request=body,
            reference=reference,
            carrier=SERVICES[service][0],
            service=service,
            amount=str(price),
            currency=self._currency,
            format=str(body.get("label_format", "pdf")),
            sold_at=instant_text(self._now()),
            ends=self._ends(body),
        )
        self.labels.append(label)
        self._by_reference.setdefault(reference, []).append(label)
        self._keep(label)
        data = {"id": label.id, "tracking_code": label.tracking_code, "service": service}
        data["direction"] = "return" if body.get("is_return") is True else "outbound"
        self._record("label", reference, label.id, {**data, "amount": label.amount, "currency": self._currency})
        self.scan(label, "pre_transit")
        self._plan(label)
        return label

    def void(self, label: Label, reference: str) -> Label:
        """The price comes back, once. Raises NotSold for a parcel that is on its way."""
        if label.status == "voided":
            return label
        if label.picked_up:
            raise NotSold(409, "label_in_use", f"{label.tracking_code} has been scanned and cannot be voided")
        label.status, label.refund = "voided", label.amount
        self._keep(label)
        self._record("void", reference, label.id, {"refunded": label.refund, "currency": label.currency})
        return label

    def scan(self, label: Label, status: str, message: str = "") -> dict[str, object]:
        number = len(self.events) + 1
        at = max(self._now(), self._last() + dt.timedelta(microseconds=1))
        label.scans.append(status)
        self._keep(label)
        event: dict[str, object] = {
            "id": f"evt_{number:010d}",
            "sequence": number,
            "type": "tracking.scan",
            "occurred_at": instant_text(at),
            "data": {
                "label": label.id,
                "tracking_code": label.tracking_code,
                "carrier": label.carrier,
                "status": status,
                "message": message or MESSAGES.get(status, status),
                "location": {"city": "Springfield", "state": "IL", "country": "US"} if status != "pre_transit" else {},
            },
        }
        self.events.append(event)
        self._ledger.remember(f"event|{number:010d}", json.dumps(event))
        self._record("scan", label.reference, label.tracking_code, {"event": event["id"], "status": status})
        self._tell(event)
        return event

    def behave(self, match: Mapping[str, str], ends: str) -> None:
        """From now on parcels to such a place (postal_code) or of such an order (order_number) end so."""
        rule = {"match": dict(match), "ends": ends}
        self._ledger.remember(f"rule|{len(self.rules):06d}", json.dumps(rule))
        self.rules.append(rule)

    # Time.

    def tick(self, now: dt.datetime) -> None:
        while self._due and self._due[0][0] <= now:
            when, _, number = heapq.heappop(self._due)
            label = self.labels[number - 1]
            planned = self._next_scan(label)
            if planned is not None and planned[0] == when:
                self.scan(label, planned[1])
                self._plan(label)

    def next_due(self) -> dt.datetime | None:
        return self._due[0][0] if self._due else None

    def _plan(self, label: Label) -> None:
        planned = self._next_scan(label)
        if planned is not None:
            heapq.heappush(self._due, (planned[0], len(label.scans), label.number))

    def _next_scan(self, label: Label) -> tuple[dt.datetime, str] | None:
        first, further = self._pace
        steps = ENDS[label.ends]
        done = sum(1 for status in label.scans if status != "pre_transit")
        if first <= 0 or label.status == "voided" or done >= len(steps):
            return None
        return dt.datetime.fromisoformat(label.sold_at) + dt.timedelta(seconds=first + further * done), steps[done]

    def _last(self) -> dt.datetime:
        if not self.events:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return dt.datetime.fromisoformat(str(self.events[-1]["occurred_at"]))

    def _ends(self, body: Mapping[str, object]) -> str:
        to = body.get("ship_to")
        facts = {"order_number": str(body.get("order_number", ""))}
        facts["postal_code"] = str(to.get("postal_code", "")) if isinstance(to, dict) else ""
        ends = "delivered"
        for rule in self.rules:
            if rule["match"].items() <= facts.items():
                ends = str(rule["ends"])
        return ends

    def _price(self, service: str, grams: Decimal, body: Mapping[str, object]) -> Decimal:
        _, fixed, gram, _ = SERVICES[service]
        fixed += ADULT_SIGNATURE if _asks(body, "adult_signature") else ZERO
        return (fixed + gram * grams).quantize(Decimal("0.01"), ROUND_UP)

    def _keep(self, label: Label) -> None:
        self._ledger.remember(f"label|{label.number:010d}", json.dumps(asdict(label)))

    def _record(self, kind: str, key: str, subject: str, data: Mapping[str, object]) -> None:
        self._ledger.add(self._now(), kind, key, subject, json.dumps(data))


def _check(body: Mapping[str, object]) -> Decimal:
    """The parcel's weight in grams. Raises NotSold for addresses and parcels that nobody could carry."""
    for role in ("ship_from", "ship_to"):
        place = body.get(role)
        missing = [name for name in ("street", "city", "postal_code", "country") if not _has(place, name)]
        if missing:
            raise NotSold(422, "address_incomplete", f"{role} has no {', '.join(missing)}")
    parcel = body.get("parcel")
    grams = next(_measure(parcel, "weight", GRAMS), None)
    if grams is None or grams <= 0:
        raise NotSold(422, "parcel_invalid", "The parcel's weight is missing or not above zero")
    if grams > 70_000:
        raise NotSold(422, "parcel_too_heavy", "Parcels above 70 kg are not carried")
    for edge in ("length", "width", "height"):
        found = next(_measure(parcel, edge, MILLIMETRES), None)
        if found is not None and not 0 < found <= 3_000:
            raise NotSold(422, "parcel_invalid", f"The parcel's {edge} is not between 0 and 3 m")
    return grams


def _asks(body: Mapping[str, object], name: str) -> bool:
    parcel = body.get("parcel")
    return isinstance(parcel, dict) and parcel.get(name) is True


def _amount(said: object) -> Decimal:
    try:
        return Decimal(str(said))
    except ArithmeticError:
        raise NotSold(422, "invalid", "An amount is a decimal, as text") from None


def _has(place: object, name: str) -> bool:
    return isinstance(place, dict) and bool(place.get(name))


def _measure(parcel: object, name: str, units: Mapping[str, Decimal]) -> Iterator[Decimal]:
    said = parcel.get(name) if isinstance(parcel, dict) else None
    if isinstance(said, dict) and str(said.get("unit")) in units:
        try:
            yield Decimal(str(said.get("value"))) * units[str(said["unit"])]
        except ArithmeticError:
            raise NotSold(422, "parcel_invalid", f"The parcel's {name} is no number") from None


def _printed(label: Label) -> str:
    """A label's bytes in base64: not a picture, but the same bytes each time, and others for every label."""
    head = {"pdf": "%PDF-1.4\n", "png": "\x89PNG\r\n", "zpl": "^XA^FO50,50^FD"}.get(label.format, "")
    mark = hashlib.sha256(label.id.encode()).hexdigest()
    return base64.b64encode(f"{head}{label.carrier} {label.tracking_code} {mark}".encode("latin-1")).decode()
