"""The quantity ledger of an order line: buckets that always sum to `ordered`, moved along a table of legal moves.

Two ways to move. A *decision* of ours takes one legal step or is refused. An *observation* from outside is never
refused: it fast-forwards along the forward path and writes the steps it skipped as implied; a quantity that was
cancelled moves straight to shipped, off the path, for the caller to raise an exception about.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)


class Bucket(enum.StrEnum):
    """Where a quantity of a line stands. Names are those of the store's columns."""

    OPEN = "open"
    ALLOCATED = "allocated"
    BACKORDERED = "backordered"
    PREORDERED = "preordered"
    RELEASED = "released"
    ACCEPTED = "accepted"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    READY_FOR_PICKUP = "ready_for_pickup"
    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    LOST = "lost"
    RETURNED_TO_SENDER = "returned_to_sender"
    CANCELLED = "cancelled"


B = Bucket

MOVES: Mapping[Bucket, frozenset[Bucket]] = {
    B.OPEN: frozenset({B.ALLOCATED, B.BACKORDERED, B.PREORDERED, B.CANCELLED}),
    B.BACKORDERED: frozenset({B.ALLOCATED, B.PREORDERED, B.CANCELLED}),
    B.PREORDERED: frozenset({B.ALLOCATED, B.BACKORDERED, B.CANCELLED}),
    B.ALLOCATED: frozenset({B.RELEASED, B.OPEN, B.CANCELLED}),
    B.RELEASED: frozenset({B.ACCEPTED, B.OPEN, B.CANCELLED}),
    B.ACCEPTED: frozenset({B.PICKED, B.OPEN, B.CANCELLED}),
    B.PICKED: frozenset({B.PACKED, B.OPEN, B.CANCELLED}),
    B.PACKED: frozenset({B.SHIPPED, B.READY_FOR_PICKUP, B.CANCELLED}),
    B.READY_FOR_PICKUP: frozenset({B.HANDED_OVER, B.OPEN, B.CANCELLED}),
    B.SHIPPED: frozenset({B.DELIVERED, B.LOST, B.RETURNED_TO_SENDER}),
    B.LOST: frozenset({B.OPEN, B.CANCELLED}),
    B.RETURNED_TO_SENDER: frozenset({B.OPEN, B.CANCELLED}),
    B.HANDED_OVER: frozenset(),
    B.DELIVERED: frozenset(),
    B.CANCELLED: frozenset({B.OPEN}),
}
"""Legal moves of decisions. Cancelled goes back to open only because a newer restate wants the quantity again; what
waits without a date gets one when supply is stated, and loses it when that supply goes."""

FORWARD: Mapping[Bucket, tuple[Bucket, ...]] = {
    B.OPEN: (B.ALLOCATED,),
    B.BACKORDERED: (B.ALLOCATED,),
    B.PREORDERED: (B.ALLOCATED,),
    B.ALLOCATED: (B.RELEASED,),
    B.RELEASED: (B.ACCEPTED,),
    B.ACCEPTED: (B.PICKED,),
    B.PICKED: (B.PACKED,),
    B.PACKED: (B.SHIPPED, B.READY_FOR_PICKUP),
    B.READY_FOR_PICKUP: (B.HANDED_OVER,),
    B.SHIPPED: (B.DELIVERED,),
}
"""The only way goods go; observations run along it."""

OBSERVED_ONLY: frozenset[tuple[Bucket, Bucket]] = frozenset(
    {
        (B.CANCELLED, B.SHIPPED),
        (B.CANCELLED, B.HANDED_OVER),
        (B.READY_FOR_PICKUP, B.SHIPPED),
        (B.LOST, B.DELIVERED),
        (B.LOST, B.RETURNED_TO_SENDER),
        (B.DELIVERED, B.RETURNED_TO_SENDER),
    }
)
"""Moves that happen in the world though no decision may make them: cancelled goods that left all the same, goods that
stood ready and were sent instead, lost ones that turned up, delivered ones that the carrier brought back."""

AT_LOCATION = (B.RELEASED, B.ACCEPTED, B.PICKED, B.PACKED, B.READY_FOR_PICKUP)
"""Quantities in a location's hands: they come back only when the location says so."""

GONE = frozenset({B.SHIPPED, B.HANDED_OVER, B.DELIVERED})
LEFT = GONE | {B.LOST, B.RETURNED_TO_SENDER}
"""Has left us, whatever became of it."""

ENDED = GONE | {B.CANCELLED}
"""Nothing is left to do for these."""

SHIPPABLE = (
    B.PACKED,
    B.PICKED,
    B.ACCEPTED,
    B.RELEASED,
    B.ALLOCATED,
    B.OPEN,
    B.BACKORDERED,
    B.PREORDERED,
)
"""Where a shipment that names no fulfilment order takes its quantity from, nearest first."""

DECREASE = (B.OPEN, B.BACKORDERED, B.PREORDERED, B.ALLOCATED)
"""Where a smaller order takes its quantity from before anybody outside must be asked."""


class IllegalMove(ValueError):
    """A decision asked for a move that the table does not have, or for more than the bucket holds."""


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of the journal. `source` None: the ordered quantity grew. `implied`: skipped by an observation."""

    source: Bucket | None
    target: Bucket
    quantity: Decimal
    implied: bool = False


@dataclass(slots=True)
class Ledger:
    """The buckets of one line. `moves` collects what was done since it was loaded, oldest first."""

    ordered: Decimal = ZERO
    buckets: dict[Bucket, Decimal] = field(default_factory=dict)
    over_shipped: Decimal = ZERO
    moves: list[Move] = field(default_factory=list)

    def __getitem__(self, bucket: Bucket) -> Decimal:
        return self.buckets.get(bucket, ZERO)

    def sum(self, buckets: Iterable[Bucket]) -> Decimal:
        return sum((self[bucket] for bucket in buckets), ZERO)

    @property
    def balanced(self) -> bool:
        return self.sum(Bucket) == self.ordered and all(value >= 0 for value in self.buckets.values())

    def grow(self, ordered: Decimal) -> Decimal:
        """Raise `ordered` to the given quantity; what is new is open. Returns the growth (zero: it never shrinks)."""
        growth = ordered - self.ordered
        if growth <= 0:
            return ZERO
        self.ordered = ordered
        self._put(None, Bucket.OPEN, growth, implied=False)
        return growth

    def move(self, source: Bucket, target: Bucket, quantity: Decimal, implied: bool = False) -> None:
        """Take one legal step. Raises IllegalMove; a quantity of zero is no move."""
        if quantity == 0:
            return
        if target not in MOVES[source]:
            raise IllegalMove(f"a quantity does not go from {source} to {target}")
        self._check(source, quantity)
        self._put(source, target, quantity, implied)

    def advance(self, source: Bucket, target: Bucket, quantity: Decimal) -> None:
        """Apply an observation: from `source` along the forward path to `target`, skipped steps implied.

        Raises IllegalMove when there is no way forward or the bucket holds less; callers clamp what they observe.
        """
        if quantity == 0 or source == target:
            return
        self._check(source, quantity)
        if (source, target) in OBSERVED_ONLY:
            self._put(source, target, quantity, implied=False)
            return
        steps = path(source, target)
        for here, there in itertools.pairwise(steps):
            self._put(here, there, quantity, implied=there != target)

    def take(self, sources: Iterable[Bucket], quantity: Decimal) -> list[tuple[Bucket, Decimal]]:
        """How much of `quantity` each bucket would give, in the order given; may sum to less. Moves nothing."""
        taken = []
        for source in sources:
            part = min(quantity, self[source])
            if part > 0:
                taken.append((source, part))
                quantity -= part
        return taken

    def _check(self, source: Bucket, quantity: Decimal) -> None:
        if quantity < 0 or self[source] < quantity:
            raise IllegalMove(f"{source} holds {self[source]}, not {quantity}")

    def _put(self, source: Bucket | None, target: Bucket, quantity: Decimal, implied: bool) -> None:
        if source is not None:
            self.buckets[source] = self[source] - quantity
        self.buckets[target] = self[target] + quantity
        self.moves.append(Move(source, target, quantity, implied))


def path(source: Bucket, target: Bucket) -> list[Bucket]:
    """The buckets from `source` to `target` along the forward path, both included. Raises IllegalMove: no way."""
    queue = deque([[source]])
    while queue:
        steps = queue.popleft()
        if steps[-1] == target:
            return steps
        queue.extend([*steps, following] for following in FORWARD.get(steps[-1], ()))
    raise IllegalMove(f"there is no way forward from {source} to {target}")
