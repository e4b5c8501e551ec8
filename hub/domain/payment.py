"""Money beside the goods: payment states, and what one shipment is charged.

A shipment is charged its goods exactly, and shares of shipping, tax and discounts by the value of what shipped. The
last shipment takes the remainder, so that all of them add up to the source's total (docs: totals).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hub.domain.money import ZERO, apportion, round_to_minor, smallest_amount


class PaymentState(enum.StrEnum):
    CREATED = "created"
    AUTHORISED = "authorised"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"
    FAILED = "failed"
    DISPUTED = "disputed"
    WON = "won"
    LOST = "lost"


S = PaymentState

PAYMENT_MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    S.CREATED: frozenset({S.AUTHORISED, S.FAILED}),
    S.AUTHORISED: frozenset({S.PARTIALLY_CAPTURED, S.CAPTURED, S.VOIDED, S.EXPIRED}),
    S.EXPIRED: frozenset({S.AUTHORISED}),
    S.PARTIALLY_CAPTURED: frozenset({S.CAPTURED, S.DISPUTED}),
    S.CAPTURED: frozenset({S.DISPUTED}),
    S.DISPUTED: frozenset({S.WON, S.LOST}),
    S.VOIDED: frozenset(),
    S.FAILED: frozenset(),
    S.WON: frozenset(),
    S.LOST: frozenset(),
}
"""Legal steps of a payment."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one shipment is charged; `goods + shipping + tax - discounts = amount`."""

    goods: Decimal
    shipping: Decimal
    tax: Decimal
    discounts: Decimal

    @property
    def amount(self) -> Decimal:
        return self.goods + self.shipping + self.tax - self.discounts

    def __add__(self, other: Charge) -> Charge:
        return Charge(
            self.goods + other.goods,
            self.shipping + other.shipping,
            self.tax + other.tax,
            self.discounts + other.discounts,
        )

    def __sub__(self, other: Charge) -> Charge:
        return Charge(
            self.goods - other.goods,
            self.shipping - other.shipping,
            self.tax - other.tax,
            self.discounts - other.discounts,
        )


NOTHING = Charge(ZERO, ZERO, ZERO, ZERO)


def charge_for(
    whole: Charge, charged_before: Charge, shipped_value: Decimal, unshipped_value: Decimal, currency: str
) -> Charge:
    """The charge of a shipment worth `shipped_value` when goods of `unshipped_value` are still to come.

    Nothing to come: the remainder of everything. Otherwise the goods at their value, and of what is left of shipping,
    tax and discounts the share by value, in minor units.
    """
    left = whole - charged_before
    if unshipped_value <= 0:
        return left
    step = smallest_amount(currency)
    weights = [shipped_value, unshipped_value]

    def share(amount: Decimal) -> Decimal:
        return apportion(amount, weights, step)[0]

    return Charge(round_to_minor(shipped_value, currency), share(left.shipping), share(left.tax), share(left.discounts))
