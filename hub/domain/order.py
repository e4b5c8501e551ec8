"""The order and its lines: what is wanted, what the ledgers hold, what holds it, and the status that follows.

The header status is a pure function of the ledgers and holds (`status`); the store keeps it as an index for lists only.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.change import Effect
from hub.domain.quantity import AT_LOCATION, DECREASE, ENDED, LEFT, Bucket, Ledger

ZERO = Decimal(0)
MADE_HERE = "made_here"
"""The fact of an order that the hub made out of another; its channel does not know it."""


class OrderStatus(enum.StrEnum):
    RECEIVED = "received"
    HELD = "held"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Effects(enum.StrEnum):
    """`on`: calls leave. `observe`: they are written as suppressed. `none`: captured only, nothing is done."""

    ON = "on"
    OBSERVE = "observe"
    NONE = "none"


class FulfilledBy(enum.StrEnum):
    US = "us"
    CHANNEL = "channel"
    VENDOR = "vendor"
    KIT = "kit"
    """By its components, which are lines of their own."""


@dataclass(slots=True)
class Hold:
    """Why something does not go on. `line_id` None holds the whole order. Released, never deleted."""

    id: str
    order_id: str
    line_id: str | None
    kind: str
    rule: str
    path: str
    hint: str
    placed_at: dt.datetime
    until: dt.datetime | None = None
    """When its time box ends, None where it has none; then `then` (release | cancel | escalate) happens."""
    then: str = ""
    released_at: dt.datetime | None = None
    released_by: str | None = None

    @property
    def open(self) -> bool:
        return self.released_at is None


@dataclass(slots=True)
class OrderLine:
    """A line with its ledger. `wanted`: what its source still wants. `cancelled_by_facts`: what cancel requests and
    refunds took back beside restates. `refunded_beside`: what refunds took back without cancelling (returns,
    goodwill). `channel_shipped`: what the channel said it shipped by hand, as facts; `stated_shipped`: what its
    restates say has shipped in all; `hand_shipped`: what of it the ledger has seen."""

    id: str
    order_id: str
    number: int
    external_line_id: str
    sku: str | None
    ledger: Ledger
    fulfilled_by: str = FulfilledBy.US
    wanted: Decimal = ZERO
    cancelled_by_facts: Decimal = ZERO
    refunded_beside: Decimal = ZERO
    channel_shipped: Decimal = ZERO
    stated_shipped: Decimal = ZERO
    hand_shipped: Decimal = ZERO
    requires_shipping: bool = True
    edited: Decimal | None = None
    """What was decided here over what the source wants; None where nobody edited it."""
    added_here: bool = False
    """A line that the channel does not know."""
    kit: str | None = None
    """Of a component: the id of the kit's line, of which one needs `per_kit`."""
    per_kit: Decimal = ZERO
    cancelled_with_kit: Decimal = ZERO
    """Of a component: what of `cancelled_by_facts` follows from its kit's; the rest was given up by itself."""
    components: list[dict[str, str]] = field(default_factory=list)
    """Of a kit: what it was made of when it was captured (sku, quantity, share)."""
    told_kits: Decimal = ZERO
    """Of a kit: how many whole ones its channel was told have left."""
    details: dict[str, Any] = field(default_factory=dict)
    substituted: dict[str, Decimal] = field(default_factory=dict)
    """Beside the ledger: SKU -> units that left in place of the line's own, which count as what was ordered."""

    @property
    def ours(self) -> bool:
        """We find stock for it and ship it."""
        return self.fulfilled_by == FulfilledBy.US and self.requires_shipping

    @property
    def is_kit(self) -> bool:
        return self.fulfilled_by == FulfilledBy.KIT

    @property
    def as_sold(self) -> bool:
        """A line that its channel knows: neither a kit's component nor added here."""
        return self.kit is None and not self.added_here

    @property
    def wish(self) -> Decimal:
        """What is wanted of the line, beside cancellations that came as facts of their own."""
        return self.wanted if self.edited is None else self.edited

    @property
    def live(self) -> Decimal:
        """What is not cancelled."""
        return self.ledger.ordered - self.ledger[Bucket.CANCELLED]

    def cancel_target(self, order_cancelled: bool) -> Decimal:
        """How much of the line should be cancelled: a restate and a fact that say the same count once."""
        if order_cancelled:
            return self.ledger.ordered
        # A source lowers what it wants when goods come back too; those are no cancellation of what has not left.
        came_back = min(self.refunded_beside, self.ledger.sum(LEFT))
        wanted = min(self.wish + came_back, self.ledger.ordered - self.cancelled_by_facts)
        return self.ledger.ordered - max(wanted, ZERO)

    def give_back(self, units: Decimal) -> None:
        """Units that had left are given back before their source has lowered what it wants for them: what it has
        lowered so far was for others, which stay cancelled."""
        if units > 0 and self.as_sold and not self.is_kit:
            given_up = min(self.ledger[Bucket.CANCELLED], self.cancel_target(order_cancelled=False))
            self.cancelled_by_facts = max(self.cancelled_by_facts, given_up)
        self.refunded_beside += units

    def settle_wanted(self, order_cancelled: bool, asked: Decimal) -> Decimal:
        """Move quantities so that the line holds what is wanted; `asked` is what cancel requests wait or were refused
        for. Returns what must still be asked of others, because it is in their hands."""
        target = self.cancel_target(order_cancelled)
        surplus = self.ledger[Bucket.CANCELLED] - target
        if surplus > 0:
            self.ledger.move(Bucket.CANCELLED, Bucket.OPEN, surplus)
            return ZERO
        missing = -surplus - asked
        for source, part in self.ledger.take(DECREASE, max(missing, ZERO)):
            self.ledger.move(source, Bucket.CANCELLED, part)
            missing -= part
        return max(missing, ZERO)

    def unseen_hand_shipments(self) -> Decimal:
        """What the channel shipped by hand and the ledger has not seen: its facts, or what its restates count beyond
        what our own locations shipped."""
        by_us = self.ledger.sum(LEFT) + self.ledger.over_shipped - self.hand_shipped
        by_hand = max(self.channel_shipped, self.stated_shipped - by_us)
        return max(by_hand - self.hand_shipped, ZERO)


@dataclass(slots=True)
class Order:
    """The aggregate's header. `facts` is what the order knows beyond columns: totals, payment state, cancellation,
    exclusions; no personal data."""

    id: str
    channel: str
    scope: str
    external_id: str
    seller_entity: str
    order_type: str = "sale"
    number: str | None = None
    currency: str | None = None
    placed_at: dt.datetime | None = None
    effects: str = Effects.ON
    source_version: str | None = None
    total: Decimal | None = None
    grace_until: dt.datetime | None = None
    confirmed_at: dt.datetime | None = None
    duplicate_key: str | None = None
    """Hash of buyer and lines, where orders placed twice are looked for."""
    facts: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    created_at: dt.datetime | None = None
    lines: list[OrderLine] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    @property
    def cancelled(self) -> bool:
        """Somebody cancelled the whole order, whatever the goods do."""
        return "cancelled" in self.facts

    @property
    def known(self) -> bool:
        """False for a tombstone: a cancellation came first, the order itself has not been seen."""
        return not self.facts.get("tombstone", False)

    @property
    def made_here(self) -> bool:
        """The hub made it out of another order: its channel does not know it."""
        return MADE_HERE in self.facts

    def line(self, line_id: str) -> OrderLine | None:
        return next((line for line in self.lines if line.id == line_id), None)

    def external_line(self, external_line_id: str) -> OrderLine | None:
        return next((line for line in self.lines if line.external_line_id == external_line_id), None)

    def open_holds(self, line_id: str | None = None) -> list[Hold]:
        """Open holds of the order as a whole, or of one line."""
        return [hold for hold in self.holds if hold.open and hold.line_id == line_id]

    @property
    def held(self) -> bool:
        return any(hold.open for hold in self.holds)

    def may_confirm(self, now: dt.datetime) -> bool:
        """No hold anywhere, the grace over, something still wanted, and not confirmed already."""
        grace_over = self.grace_until is None or now >= self.grace_until
        wanted = any(line.live > 0 for line in self.lines)
        return (
            self.known
            and self.confirmed_at is None
            and self.effects != Effects.NONE
            and not self.held
            and grace_over
            and wanted
            and not self.cancelled
        )


def edits_effect(order: Order) -> Effect:
    """What edits made here add to the source's total, as far as the source has not restated them itself."""
    return edits_of(order.facts)


def edits_of(facts: Mapping[str, Any]) -> Effect:
    """The same from the facts of an order alone."""
    found = Effect()
    for edit in facts.get("edits", {}).values():
        for amount, tax in edit.get("effects", {}).values():
            found += Effect(Decimal(amount), Decimal(tax))
    return found


def status(order: Order) -> OrderStatus:
    """The derivation table, first match.

    | all that was ordered is cancelled (or a cancelled order has nothing left at a location or beyond) | cancelled |
    | everything has left or is cancelled, and no return is open | closed |
    | any open hold | held |
    | confirmed | confirmed |
    | else | received |
    """
    ordered = sum((line.ledger.ordered for line in order.lines), ZERO)
    cancelled = sum((line.ledger[Bucket.CANCELLED] for line in order.lines), ZERO)
    ended = sum((line.ledger.sum(ENDED) for line in order.lines), ZERO)
    if cancelled == ordered and (ordered > 0 or order.cancelled):
        return OrderStatus.CANCELLED
    if ordered > 0 and ended == ordered and not order.facts.get("open_returns"):
        return OrderStatus.CLOSED
    if order.held:
        return OrderStatus.HELD
    if order.confirmed_at is not None:
        return OrderStatus.CONFIRMED
    return OrderStatus.RECEIVED


def unassigned(order: Order, line: OrderLine) -> Decimal:
    """Demand of a line that no location holds yet: it counts once against every promise of its SKU."""
    if not line.sku or not line.ours or order.effects == Effects.NONE or not order.known:
        return ZERO
    waiting = line.ledger[Bucket.BACKORDERED] + line.ledger[Bucket.PREORDERED]
    return waiting + line.ledger[Bucket.OPEN]


def at_location(line: OrderLine) -> Decimal:
    """What of a line is in a location's hands."""
    return line.ledger.sum(AT_LOCATION)
