"""Money beside the goods: payments with what is authorised, captured and refunded, and what one shipment is charged.

A shipment is charged its goods exactly, and shares of shipping, tax and discounts by the value of what shipped. The
last shipment takes the remainder, so that all of them add up to the source's total (docs: totals).
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

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
    S.EXPIRED: frozenset({S.AUTHORISED, S.PARTIALLY_CAPTURED, S.VOIDED, S.CAPTURED, S.DISPUTED}),
    S.PARTIALLY_CAPTURED: frozenset({S.CAPTURED, S.EXPIRED, S.DISPUTED}),
    S.CAPTURED: frozenset({S.DISPUTED}),
    S.DISPUTED: frozenset({S.WON, S.LOST}),
    S.VOIDED: frozenset(),
    S.FAILED: frozenset(),
    S.WON: frozenset({S.DISPUTED}),
    S.LOST: frozenset({S.WON}),
}
"""Legal steps of a payment. Expired and given up: voided, or captured where part of it was."""

REACHABLE: Mapping[PaymentState, frozenset[PaymentState]]
"""State -> every state that legal steps lead to: an observation may skip steps, it never goes back."""


def _closure() -> dict[PaymentState, frozenset[PaymentState]]:
    found: dict[PaymentState, frozenset[PaymentState]] = {}
    for state in PAYMENT_MOVES:
        seen: set[PaymentState] = set()
        waiting = [state]
        while waiting:
            for onward in PAYMENT_MOVES[waiting.pop()] - seen:
                seen.add(onward)
                waiting.append(onward)
        found[state] = frozenset(seen)
    return found


REACHABLE = _closure()


class CallState(enum.StrEnum):
    """What became of a capture or refund that was asked for. UNKNOWN: the call's outcome is being looked for."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def open(self) -> bool:
        return self in (CallState.PENDING, CallState.UNKNOWN)


C = CallState

CALL_MOVES: Mapping[CallState, frozenset[CallState]] = {
    C.PENDING: frozenset({C.SUCCEEDED, C.FAILED, C.UNKNOWN}),
    C.UNKNOWN: frozenset({C.SUCCEEDED, C.FAILED}),
    C.FAILED: frozenset(),
    C.SUCCEEDED: frozenset({C.FAILED}),
}
"""Legal steps of a capture or a refund. A person who tries again makes a new one. One that had succeeded may fail yet:
banks and card schemes refuse days after a provider's yes."""


class Purpose(enum.StrEnum):
    """Why money went back. CREDIT: for goods or goodwill. OVERPAID: it was paid for what never left. OBSERVED: somebody
    else gave it back and did not say why."""

    CREDIT = "credit"
    OVERPAID = "overpaid"
    OBSERVED = "observed"


ORIGINAL, STORE_CREDIT = "", "store_credit"
"""Tenders of a refund: what the order was paid with, or credit that the customer may spend with us."""


class MoneyKind(enum.StrEnum):
    """Kinds of facts in the journal of money."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    STORE_CREDIT = "store_credit"
    VOIDED = "voided"
    INVOICED = "invoiced"
    CREDITED = "credited"


@dataclass(frozen=True, slots=True)
class MoneyMove:
    """One fact for the journal; negative where a fact takes an earlier one back (a capture of what was voided)."""

    kind: MoneyKind
    amount: Decimal
    external_id: str | None = None


class NotCovered(ValueError):
    """A command asked for more than there is: to capture beyond the authorisation, to refund beyond the capture."""


@dataclass(slots=True)
class Payment:
    """One way in which an order is paid. `capturing` and `refunding` are asked of the provider and unanswered.

    `store_credit`: what of the capture its customer has as credit instead; the money stays with us, and is owed.

    Always: `captured + capturing + voided <= authorised`, `refunded + refunding + store_credit <= captured`. Commands
    that would break this raise NotCovered; observations raise what they prove wrong (`authorised`) or stand beside
    (`over_refunded`), in whatever order they come. `lapsed`: what was voided last had expired. `dispute` is the
    last word about a dispute.
    """

    id: str
    order_id: str
    connection: str
    managed_by: str
    currency: str
    method: str = ""
    priority: int = 0
    failed: bool = False
    authorised: Decimal = ZERO
    captured: Decimal = ZERO
    capturing: Decimal = ZERO
    voided: Decimal = ZERO
    refunded: Decimal = ZERO
    refunding: Decimal = ZERO
    over_refunded: Decimal = ZERO
    store_credit: Decimal = ZERO
    expires_at: dt.datetime | None = None
    external_id: str | None = None
    lapsed: bool = False
    dispute: PaymentState | None = None
    undone: Decimal = ZERO
    """Captures that failed after their yes, as far as refunds under way still stand on them."""
    facts: dict[str, Any] = field(default_factory=dict)
    moves: list[MoneyMove] = field(default_factory=list)

    @property
    def open(self) -> Decimal:
        """What may still be captured."""
        return self.authorised - self.captured - self.capturing - self.voided

    @property
    def refundable(self) -> Decimal:
        """What may still be given back. Nothing while its bank takes it back, or has: it would go out twice."""
        if self.dispute in (S.DISPUTED, S.LOST):
            return ZERO
        return self.captured - self.refunded - self.refunding - self.store_credit

    @property
    def kept(self) -> Decimal:
        """What we have of it; below zero where more was given back than taken."""
        return self.captured - self.refunded - self.over_refunded - self.store_credit

    @property
    def state(self) -> PaymentState:
        """The derivation table, first match.

        | a dispute was opened | disputed, won or lost |
        | something captured, something may still be, or is being | partially captured |
        | something captured, the rest expired and is not given up | expired |
        | something captured | captured |
        | something may be captured, or is being | authorised |
        | authorised once, now expired | expired |
        | authorised once | voided |
        | refused | failed |
        | else | created |
        """
        alive = self.open + self.capturing > 0
        if self.dispute is not None:
            return self.dispute
        if self.captured > 0:
            ended = S.EXPIRED if self.lapsed else S.CAPTURED
            return S.PARTIALLY_CAPTURED if alive else ended
        if alive:
            return S.AUTHORISED
        if self.authorised > 0:
            return S.EXPIRED if self.lapsed else S.VOIDED
        return S.FAILED if self.failed else S.CREATED

    # Commands of ours.

    def ask_capture(self, amount: Decimal) -> None:
        if not ZERO < amount <= self.open:
            raise NotCovered(f"{amount} {self.currency} to capture, {self.open} authorised and open")
        self.capturing += amount

    def ask_refund(self, amount: Decimal) -> None:
        if not ZERO < amount <= self.refundable:
            raise NotCovered(f"{amount} {self.currency} to refund, {self.refundable} captured and not refunded")
        self.refunding += amount

    def capture_failed(self, asked: Decimal) -> None:
        self.capturing -= asked

    def refund_failed(self, asked: Decimal) -> None:
        self.refunding -= asked
        self._settle_refunds(ZERO)

    # Facts, from wherever they come.

    def see_authorised(self, whole: Decimal, external_id: str | None = None) -> None:
        """The provider authorised so much in all; less than is known says nothing."""
        more = whole - self.authorised
        if more > 0:
            self.authorised += more
            self.failed = self.lapsed = False
            self.moves.append(MoneyMove(MoneyKind.AUTHORISED, more, external_id))

    def authorised_again(self, amount: Decimal, external_id: str | None = None) -> None:
        """A new authorisation of `amount` takes the place of what is open."""
        self._void(self.open)
        self.lapsed = False
        self.see_authorised(self.authorised + amount, external_id)

    def see_captured(self, amount: Decimal, external_id: str | None = None, *, asked: Decimal = ZERO) -> bool:
        """So much was captured, `asked` of it by us. Returns False where no authorisation that we know covers it."""
        self.capturing -= asked
        missing = amount - self.open
        covered = missing <= 0
        if missing > 0:
            back = min(self.voided, missing)
            if back:
                self._void(-back)
            self.see_authorised(self.authorised + missing - back)
        self.captured += amount
        self.moves.append(MoneyMove(MoneyKind.CAPTURED, amount, external_id))
        self._settle_refunds(ZERO)
        return covered

    def see_voided(self, amount: Decimal | None = None, *, expired: bool = False) -> Decimal:
        """So much of the authorisation is gone (None: all that is open). Returns how much that is."""
        gone = self.open if amount is None else min(amount, self.open)
        self._void(gone)
        if gone > 0:
            self.lapsed = expired
        return gone

    def give_up(self) -> None:
        """What has expired will not be asked for again."""
        self.lapsed = False

    def see_refunded(self, amount: Decimal, external_id: str | None = None, *, asked: Decimal = ZERO) -> bool:
        """So much was given back, `asked` of it by us. Returns False where that is more than was captured."""
        self.refunding -= asked
        self.moves.append(MoneyMove(MoneyKind.REFUNDED, amount, external_id))
        self._settle_refunds(amount)
        return self.over_refunded == 0

    def see_store_credit(self, amount: Decimal, external_id: str | None = None, *, asked: Decimal = ZERO) -> None:
        """So much was given as store credit, `asked` of it was reserved; below zero: taken back."""
        self.refunding -= asked
        self.store_credit += amount
        self.moves.append(MoneyMove(MoneyKind.STORE_CREDIT, amount, external_id))
        self._settle_refunds(ZERO)

    def capture_undone(self, amount: Decimal) -> None:
        """What was captured was not paid after all; it can be asked for again. Refunds under way are awaited first."""
        self.undone += amount
        self._settle_refunds(ZERO)

    def refund_undone(self, amount: Decimal, external_id: str | None = None) -> None:
        """What was given back did not arrive: we have it again."""
        self.moves.append(MoneyMove(MoneyKind.REFUNDED, -amount, external_id))
        self._settle_refunds(-amount)

    def _settle_refunds(self, more: Decimal) -> None:
        """What was given back lies within the capture as far as that goes: in whatever order both are heard of."""
        promised = self.refunding + self.store_credit
        gone = min(self.undone, self.captured - promised)
        if gone > 0:
            self.captured -= gone
            self.undone -= gone
            self.moves.append(MoneyMove(MoneyKind.CAPTURED, -gone))
        whole = self.refunded + self.over_refunded + more
        self.refunded = min(whole, self.captured - promised)
        self.over_refunded = whole - self.refunded

    def _void(self, amount: Decimal) -> None:
        if amount:
            self.voided += amount
            self.moves.append(MoneyMove(MoneyKind.VOIDED, amount))


@dataclass(slots=True)
class Capture:
    """What was asked to be charged on a payment, or was. `key`: what it is for."""

    id: str
    order_id: str
    payment_id: str
    amount: Decimal
    key: str
    at: dt.datetime
    state: CallState = CallState.PENDING
    external_id: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Refund:
    """What was asked to be given back on a payment, or was. `facts.seen`: connection -> its id of it, for each that has
    told of it."""

    id: str
    order_id: str
    payment_id: str | None
    currency: str
    amount: Decimal
    key: str
    purpose: Purpose
    at: dt.datetime
    state: CallState = CallState.PENDING
    external_id: str | None = None
    tender: str = ORIGINAL
    facts: dict[str, Any] = field(default_factory=dict)


def in_order(payments: Iterable[Payment], methods: Sequence[str]) -> list[Payment]:
    """Payments in the declared order of their methods, others after them; then by priority, then by id."""
    rank = {method: index for index, method in enumerate(methods)}
    return sorted(payments, key=lambda one: (rank.get(one.method, len(rank)), one.priority, one.id))


def spread(amount: Decimal, rooms: Sequence[Decimal]) -> list[Decimal]:
    """Fill each room before the next. What they do not hold is left out: compare the sum."""
    parts = []
    for room in rooms:
        part = min(max(room, ZERO), amount)
        parts.append(part)
        amount -= part
    return parts


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
