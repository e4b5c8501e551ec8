"""A package on its way: its label, and where its scans say that it stands.

Scans come late, twice and in any order, so what a package's state is must not depend on their arrival. Of all scans one
counts, the greatest by a total order: an end (back at the sender, delivered, lost) outweighs everything on the way, a
return outweighs a delivery (the last scan of a returned parcel is often "delivered", to its sender), a delivery a loss;
of scans on the way the latest counts. Taking the greatest is commutative, associative and idempotent.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.quantity import Bucket
from hub.domain.shipment import PackageState

ZERO = Decimal(0)
P = PackageState

_ENDS: Mapping[PackageState, int] = {P.LOST: 1, P.DELIVERED: 2, P.RETURNED_TO_SENDER: 3}
_ON_THE_WAY = (P.IN_TRANSIT, P.EXCEPTION, P.OUT_FOR_DELIVERY)
"""Scans of one instant: the one further along counts."""

BUCKETS: Mapping[PackageState, Bucket] = {
    P.DELIVERED: Bucket.DELIVERED,
    P.RETURNED_TO_SENDER: Bucket.RETURNED_TO_SENDER,
    P.LOST: Bucket.LOST,
}
"""Where the quantities of a package that has left stand once it has come to an end."""


@dataclass(frozen=True, slots=True)
class Scan:
    """`key` is the fact's own; it only breaks ties."""

    state: PackageState
    at: dt.datetime
    key: str

    @property
    def weight(self) -> tuple[int, dt.datetime, int, str]:
        along = _ON_THE_WAY.index(self.state) if self.state in _ON_THE_WAY else 0
        return _ENDS.get(self.state, 0), self.at, along, self.key


def greater(one: Scan | None, other: Scan) -> Scan:
    """The scan of the two that counts."""
    return other if one is None or other.weight > one.weight else one


@dataclass(slots=True)
class CarriedLine:
    """`counted` is what of the quantity the order asked for; `bucket` where the order line's ledger has that now."""

    line_id: str | None
    sku: str
    quantity: Decimal
    counted: Decimal
    bucket: Bucket = Bucket.SHIPPED


@dataclass(slots=True)
class CarriedPackage:
    """`base` is what we and the location did with it (label_pending, labelled, voided; in_transit once it has left),
    `scan` the carrier's scan that counts. `measures` are grams and millimetres as the location stated them. `unwanted`
    says why it will not be sent, empty while it will."""

    id: str
    order_id: str
    fulfilment_order_id: str
    location: str
    external_id: str
    base: PackageState
    lines: list[CarriedLine] = field(default_factory=list)
    shipment_id: str | None = None
    carrier: str = ""
    service: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    measures: dict[str, str] = field(default_factory=dict)
    unwanted: str = ""
    scan: Scan | None = None

    @property
    def state(self) -> PackageState:
        return self.base if self.scan is None else self.scan.state

    @property
    def moving(self) -> bool:
        """The carrier has it, or had it."""
        return self.scan is not None or self.shipment_id is not None

    def see(self, scan: Scan) -> bool:
        """Take a scan in; whether the state changed."""
        before = self.state
        self.scan = greater(self.scan, scan)
        return self.state is not before


class LabelState(enum.StrEnum):
    REQUESTED = "requested"
    BOUGHT = "bought"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    VOIDING = "voiding"
    VOIDED = "voided"
    VOID_REFUSED = "void_refused"


L = LabelState

LABEL_MOVES: Mapping[LabelState, frozenset[LabelState]] = {
    L.REQUESTED: frozenset({L.BOUGHT, L.REFUSED, L.WITHDRAWN}),
    L.BOUGHT: frozenset({L.VOIDING}),
    L.REFUSED: frozenset({L.BOUGHT}),
    L.WITHDRAWN: frozenset(),
    L.VOIDING: frozenset({L.VOIDED, L.VOID_REFUSED}),
    L.VOIDED: frozenset(),
    L.VOID_REFUSED: frozenset({L.VOIDED}),
}
"""Legal steps of a label. Refused ones can be sent again as new by a person."""


@dataclass(slots=True)
class CarrierLabel:
    """One label of a package, and its money: `cost` is what the carrier charged, `refunded` what came back, both in
    `currency`, never converted. None: not known (yet)."""

    id: str
    package_id: str
    order_id: str
    connection: str
    number: int
    state: LabelState
    external_id: str | None = None
    tracking_number: str | None = None
    carrier: str | None = None
    service: str | None = None
    currency: str | None = None
    cost: Decimal | None = None
    refunded: Decimal = ZERO
    body_id: str | None = None
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What it is bought under, whatever happens on the way: package and label number."""
        return f"package/{self.package_id}/label/{self.number}"


@dataclass(frozen=True, slots=True)
class Rate:
    """What a carrier would carry a package for. `days` None: it does not say."""

    service: str
    amount: Decimal
    currency: str
    carrier: str = ""
    days: int | None = None
    external_id: str = ""


CHEAPEST, FASTEST = "cheapest", "fastest"


def choose(rates: Sequence[Rate], wanted: str, currency: str) -> Rate | None:
    """The rate for `wanted`: cheapest, fastest (one that states no days is slowest), or a service's code.

    Nothing is converted: only rates of one currency are compared, the order's if any rate has it, else that of most
    rates. Ties go to the cheaper, the faster, then by name, so that the same answer gives the same choice.
    """
    usable = [rate for rate in rates if rate.currency == _currency(rates, currency)]
    if wanted not in (CHEAPEST, FASTEST):
        usable = [rate for rate in usable if wanted in (rate.service, f"{rate.carrier}/{rate.service}")]
    if not usable:
        return None
    if wanted == FASTEST:
        return min(usable, key=lambda rate: (_days(rate), rate.amount, rate.carrier, rate.service, rate.external_id))
    return min(usable, key=lambda rate: (rate.amount, _days(rate), rate.carrier, rate.service, rate.external_id))


def _days(rate: Rate) -> int:
    return 10_000 if rate.days is None else rate.days


def _currency(rates: Sequence[Rate], wanted: str) -> str:
    named = [rate.currency for rate in rates]
    if wanted in named or not named:
        return wanted
    return min(named, key=lambda one: (-named.count(one), one))
