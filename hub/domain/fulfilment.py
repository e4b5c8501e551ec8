"""A fulfilment order: the work of one location with one method, and the cancel requests beside it.

planned > sent > acknowledged | rejected | unknown; acknowledged > in_progress > packed > completed |
partially_completed; cancelled. What is picked up stands ready before it is completed, a transfer is in transit.
Commands of ours obey the table; what a location reports fast-forwards (most report only "shipped").
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hub.domain.quantity import AT_LOCATION, Bucket

ZERO = Decimal(0)


class WorkState(enum.StrEnum):
    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    IN_PROGRESS = "in_progress"
    PACKED = "packed"
    READY = "ready"
    IN_TRANSIT = "in_transit"
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially_completed"
    CANCELLED = "cancelled"


W = WorkState

WORK_MOVES: Mapping[WorkState, frozenset[WorkState]] = {
    W.PLANNED: frozenset({W.SENT, W.UNKNOWN, W.REJECTED, W.CANCELLED}),
    W.SENT: frozenset({W.ACKNOWLEDGED, W.REJECTED, W.UNKNOWN, W.CANCELLED}),
    W.UNKNOWN: frozenset({W.SENT, W.ACKNOWLEDGED, W.REJECTED, W.CANCELLED}),
    W.ACKNOWLEDGED: frozenset({W.IN_PROGRESS, W.REJECTED, W.CANCELLED}),
    W.IN_PROGRESS: frozenset({W.PACKED, W.REJECTED, W.CANCELLED}),
    W.PACKED: frozenset({W.READY, W.IN_TRANSIT, W.COMPLETED, W.PARTIALLY_COMPLETED, W.CANCELLED}),
    W.READY: frozenset({W.COMPLETED, W.PARTIALLY_COMPLETED, W.CANCELLED}),
    W.IN_TRANSIT: frozenset({W.COMPLETED, W.PARTIALLY_COMPLETED}),
    W.COMPLETED: frozenset(),
    W.PARTIALLY_COMPLETED: frozenset(),
    W.REJECTED: frozenset(),
    W.CANCELLED: frozenset(),
}
"""Legal steps of a fulfilment order."""

WORK_MEANINGS: Mapping[WorkState, str] = {
    W.PLANNED: "decided; its location has not been asked yet, or works without a system",
    W.SENT: "its location has been asked",
    W.UNKNOWN: "nobody knows whether its location was asked",
    W.ACKNOWLEDGED: "its location has seen it",
    W.REJECTED: "its location gave all of it back",
    W.IN_PROGRESS: "some of it is picked, or has left",
    W.PACKED: "everything that is left of it is packed",
    W.READY: "everything that is left of it stands ready for its buyer",
    W.IN_TRANSIT: "a transfer that has left and not come in full",
    W.COMPLETED: "all of it left, or of a transfer came",
    W.PARTIALLY_COMPLETED: "some of it left or came, the rest was given back, cancelled or lost",
    W.CANCELLED: "nothing of it left",
}

PROGRESS = (
    W.PLANNED,
    W.UNKNOWN,
    W.SENT,
    W.ACKNOWLEDGED,
    W.IN_PROGRESS,
    W.PACKED,
    W.READY,
    W.IN_TRANSIT,
)
"""The forward order of open states; an observation never takes one back."""

FINISHED = frozenset({W.COMPLETED, W.PARTIALLY_COMPLETED, W.REJECTED, W.CANCELLED})


class Method(enum.StrEnum):
    """How goods get from a location to whoever gets them. `transfer`: to another location of ours."""

    SHIP = "ship"
    PICKUP = "pickup"
    TRANSFER = "transfer"


@dataclass(slots=True)
class WorkLine:
    """One line of a fulfilment order. `buckets`: where its quantity stands, in the order line's own words.

    `returned` is what the location gave back (short, rejected), `extra` what it shipped beyond what was asked. Of a
    transfer, shipped is what is on its way, delivered what its destination received.
    """

    line_id: str
    sku: str
    quantity: Decimal
    buckets: dict[Bucket, Decimal] = field(default_factory=dict)
    returned: Decimal = ZERO
    extra: Decimal = ZERO

    def __getitem__(self, bucket: Bucket) -> Decimal:
        return self.buckets.get(bucket, ZERO)

    @property
    def at_location(self) -> Decimal:
        return sum((self[bucket] for bucket in AT_LOCATION), ZERO)

    @property
    def shipped(self) -> Decimal:
        return self[Bucket.SHIPPED]

    @property
    def left(self) -> Decimal:
        """What has left the location, whatever became of it."""
        return sum((self[bucket] for bucket in (Bucket.SHIPPED, *_ARRIVED)), ZERO)

    def shift(self, source: Bucket, target: Bucket | None, quantity: Decimal) -> None:
        """Move a quantity; `target` None: the location gave it back."""
        if quantity < 0 or self[source] < quantity:
            raise ValueError(f"the work has {self[source]} {source} of line {self.line_id}, not {quantity}")
        self.buckets[source] = self[source] - quantity
        if target is None:
            self.returned += quantity
        else:
            self.buckets[target] = self[target] + quantity

    def take(self, sources: Iterable[Bucket], quantity: Decimal) -> list[tuple[Bucket, Decimal]]:
        """How much each bucket would give, in order; moves nothing."""
        taken = []
        for source in sources:
            part = min(quantity, self[source])
            if part > 0:
                taken.append((source, part))
                quantity -= part
        return taken


_ARRIVED = (Bucket.HANDED_OVER, Bucket.DELIVERED, Bucket.LOST)

COMES_BACK = frozenset({"resource", "readdress"})
"""Purposes of a cancel request whose quantity is wanted all the same: once given back it is open again."""


class Answer(enum.StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"


@dataclass(slots=True)
class Asked:
    """One line of a cancel request with its answers, which add up to at most what was asked."""

    line_id: str
    quantity: Decimal
    accepted: Decimal = ZERO
    refused: Decimal = ZERO
    overtaken: Decimal = ZERO

    @property
    def waiting(self) -> Decimal:
        return self.quantity - self.accepted - self.refused - self.overtaken

    def answer(self, answer: Answer, quantity: Decimal) -> Decimal:
        """Record an answer; returns how much of it was still waiting for one."""
        part = min(max(quantity, ZERO), self.waiting)
        setattr(self, answer.value, getattr(self, answer.value) + part)
        return part


@dataclass(slots=True)
class CancelRequest:
    """Quantities that should not leave a location. Quantity comes back only when the location accepts.

    `purpose`: cancel (not wanted) | resource (wanted from elsewhere) | readdress (wanted at another address) | by_hand
    (the channel has shipped it already) | no_show (nobody came for it).
    """

    id: str
    purpose: str
    reason: str
    lines: list[Asked]

    @property
    def waiting(self) -> Decimal:
        return sum((line.waiting for line in self.lines), ZERO)

    def line(self, line_id: str) -> Asked | None:
        return next((line for line in self.lines if line.line_id == line_id), None)


@dataclass(slots=True)
class FulfilmentOrder:
    id: str
    order_id: str
    location: str
    connection: str
    method: str
    state: WorkState
    version: int
    external_id: str | None
    lines: list[WorkLine]
    cancel_requests: list[CancelRequest] = field(default_factory=list)
    destination: str = ""
    """The location a transfer goes to."""
    planned_on: str = ""
    """The date on which it was planned, as its location has it: what the location can do in a day is counted by it."""

    def line(self, line_id: str) -> WorkLine | None:
        return next((line for line in self.lines if line.line_id == line_id), None)

    def cancel_request(self, request_id: str) -> CancelRequest | None:
        return next((request for request in self.cancel_requests if request.id == request_id), None)

    def asked(self, line_id: str) -> Decimal:
        """What of a line cancel requests of purpose cancel wait for, or were refused: not to be asked again."""
        lines = [
            line
            for request in self.cancel_requests
            if request.purpose == "cancel"
            for line in request.lines
            if line.line_id == line_id
        ]
        return sum((line.waiting + line.refused + line.overtaken for line in lines), ZERO)

    def coming_back(self, line_id: str) -> Decimal:
        """What of a line the location was asked to give back so that it can be planned anew."""
        requests = [request for request in self.cancel_requests if request.purpose in COMES_BACK]
        return sum((line.waiting for one in requests for line in one.lines if line.line_id == line_id), ZERO)

    def asked_back(self, line_id: str) -> Decimal:
        """What of a line the location still has although the channel shipped it by hand: asked for, or refused."""
        part = self.line(line_id)
        requests = [request for request in self.cancel_requests if request.purpose == "by_hand"]
        lines = [line for request in requests for line in request.lines if line.line_id == line_id]
        kept = min(sum((line.refused for line in lines), ZERO), part.at_location if part else ZERO)
        return sum((line.waiting for line in lines), kept)

    def waiting(self, line_id: str) -> Decimal:
        """What of a line any cancel request waits for."""
        lines = [line for request in self.cancel_requests for line in request.lines if line.line_id == line_id]
        return sum((line.waiting for line in lines), ZERO)

    def reach(self, state: WorkState) -> None:
        """Apply what was observed: forward only; a finished one stays as it is."""
        if self.state not in FINISHED and PROGRESS.index(state) > PROGRESS.index(self.state):
            self.state = state

    def settle(self, rejected: bool = False) -> None:
        """Derive the state from the lines: finished when nothing is left at the location."""
        ready = Bucket.READY_FOR_PICKUP
        if any(line.at_location for line in self.lines):
            if any(line.left for line in self.lines):
                self.reach(W.IN_PROGRESS)
            if all(line[Bucket.PACKED] + line[ready] == line.at_location for line in self.lines):
                self.reach(W.PACKED)
            if all(line[ready] == line.at_location for line in self.lines):
                self.reach(W.READY)
            return
        if self.method == Method.TRANSFER and any(line.shipped for line in self.lines):
            self.reach(W.IN_TRANSIT)
        elif any(line.left for line in self.lines):
            whole = all(line.left - line[Bucket.LOST] >= line.quantity for line in self.lines)
            self.state = W.COMPLETED if whole else W.PARTIALLY_COMPLETED
        elif rejected or self.state is W.REJECTED:
            self.state = W.REJECTED
        else:
            self.state = W.CANCELLED
