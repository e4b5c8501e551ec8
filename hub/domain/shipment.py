"""A shipment: what one notice said left a location, in packages with their tracking and line quantities."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


class PackageState(enum.StrEnum):
    LABEL_PENDING = "label_pending"
    LABELLED = "labelled"
    VOIDED = "voided"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    RETURNED_TO_SENDER = "returned_to_sender"
    LOST = "lost"


P = PackageState

PACKAGE_MOVES: Mapping[PackageState, frozenset[PackageState]] = {
    P.LABEL_PENDING: frozenset({P.LABELLED}),
    P.LABELLED: frozenset({P.VOIDED, P.IN_TRANSIT}),
    P.VOIDED: frozenset(),
    P.IN_TRANSIT: frozenset({P.OUT_FOR_DELIVERY, P.EXCEPTION, P.RETURNED_TO_SENDER, P.LOST}),
    P.OUT_FOR_DELIVERY: frozenset({P.DELIVERED, P.EXCEPTION}),
    P.DELIVERED: frozenset(),
    P.EXCEPTION: frozenset({P.IN_TRANSIT}),
    P.RETURNED_TO_SENDER: frozenset(),
    P.LOST: frozenset(),
}
"""Legal steps of a package; scans are observations and fast-forward."""


@dataclass(frozen=True, slots=True)
class PackageLine:
    """`line_id` is our order line; None where the notice named something the order does not have. `counted` is what of
    the quantity the order asked for: only that is told to the channel and charged. `sku` is what left, which may be in
    place of the line's own; `conceded` is what it is charged less for that."""

    line_id: str | None
    sku: str
    quantity: Decimal
    counted: Decimal
    conceded: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Package:
    """`carrier` and `service` are its own; packages of one shipment may go by several."""

    id: str
    external_id: str
    tracking_number: str
    tracking_url: str
    lines: tuple[PackageLine, ...]
    carrier: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Shipment:
    id: str
    order_id: str
    fulfilment_order_id: str
    location: str
    external_id: str
    shipped_at: dt.datetime
    carrier: str
    service: str
    packages: tuple[Package, ...]
