"""Whether something may come back, until when, and what its customer gets for it."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hub.domain.money import round_to_minor

ZERO = Decimal(0)
ONE = Decimal(1)


class Answer(enum.StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"
    PERSON = "person"


class Disposition(enum.StrEnum):
    """What becomes of goods that came back."""

    RESTOCK = "restock"
    QUARANTINE = "quarantine"
    SCRAP = "scrap"


@dataclass(frozen=True, slots=True)
class ReturnPolicy:
    """One channel's rules. `window` counts from when the goods arrived, or left where nobody said. Fractions are of
    what was paid: `restocking_fee` and `deductions` (by grade) are kept back unless the reason is one of `our_fault`.
    `refund_on`: receipt | inspection. `refund_shipping`: never | when_all_returned."""

    window: dt.timedelta = dt.timedelta(days=30)
    approve: str = "auto"
    expires_after: dt.timedelta = dt.timedelta(days=30)
    not_returnable: frozenset[str] = frozenset()
    our_fault: frozenset[str] = frozenset({"damaged", "defective", "wrong_item", "not_as_described", "late"})
    restocking_fee: Decimal = ZERO
    deductions: Mapping[str, Decimal] = field(default_factory=dict)
    dispositions: Mapping[str, str] = field(default_factory=lambda: {"A": "restock", "B": "quarantine", "C": "scrap"})
    refund_on: str = "inspection"
    refund_shipping: str = "when_all_returned"
    settle: str = "refund"
    location: str = ""
    carrier: str = ""
    service: str = "standard"
    label_format: str = "pdf"
    parcel_grams: int = 1000

    def judge(self, skus: frozenset[str], since: dt.datetime | None, now: dt.datetime) -> tuple[Answer, str]:
        """The answer and why."""
        never = sorted(skus & self.not_returnable)
        if never:
            return Answer.REFUSED, f"{', '.join(never)} cannot be returned"
        if since is not None and now > since + self.window:
            days = (now - since).days
            return (
                Answer.REFUSED,
                f"it is {days} days since the goods arrived; returns are taken for {self.window.days}",
            )
        if self.approve != "auto":
            return Answer.PERSON, "a person approves returns of this channel"
        return Answer.APPROVED, f"within {self.window.days} days"

    def disposition(self, grade: str) -> Disposition | None:
        """What a grade means for the goods; None where the policy does not know it."""
        said = self.dispositions.get(grade)
        return Disposition(said) if said else None

    def kept_back(self, value: Decimal, grade: str, reason: str, currency: str) -> Decimal:
        """What is not given back of a value: fee and deduction together, never more than it."""
        if reason in self.our_fault:
            return ZERO
        fraction = min(self.restocking_fee + self.deductions.get(grade, ZERO), ONE)
        return round_to_minor(value * fraction, currency)


def value_of(amount: Decimal, of_units: Decimal, before: Decimal, units: Decimal, currency: str) -> Decimal:
    """The share of `units` in what was paid for `of_units`, after `before` of them: in minor units, so that all shares
    add up to the amount exactly, however they are cut."""
    if of_units <= 0:
        return ZERO
    first, last = min(before, of_units), min(before + units, of_units)
    return round_to_minor(amount * last / of_units, currency) - round_to_minor(amount * first / of_units, currency)
