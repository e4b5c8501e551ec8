"""Goods that come back: a ledger of their own over what has left, and the states of a return.

A return claims quantities of order lines; its stages always sum to what it claims and move along a table, every move
journalled. Decisions of ours take one legal step or are refused. What is observed is never refused: it fast-forwards,
and what comes back beyond what had left is kept and counted as `over`.

Of a line can be asked back what was handed over or delivered, and what has shipped unless its carrier says that it is
still under way; what turns up at a location has arrived, whatever a carrier said.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.quantity import Bucket, Ledger

ZERO = Decimal(0)


class Stage(enum.StrEnum):
    """Where a quantity of a return stands. Names are those of the store's columns."""

    REQUESTED = "requested"
    IN_TRANSIT = "in_transit"
    RECEIVED = "received"
    RESTOCKED = "restocked"
    QUARANTINED = "quarantined"
    SCRAPPED = "scrapped"
    WITHDRAWN = "withdrawn"


G = Stage

STAGE_MEANINGS: Mapping[Stage, str] = {
    G.REQUESTED: "asked for, not on its way that we know of",
    G.IN_TRANSIT: "on its way back",
    G.RECEIVED: "arrived at a location, not inspected",
    G.RESTOCKED: "inspected and for sale again",
    G.QUARANTINED: "inspected and set aside until somebody decides",
    G.SCRAPPED: "inspected and not for sale any more",
    G.WITHDRAWN: "does not come back: refused, cancelled, expired or lost on its way",
}

STAGE_MOVES: Mapping[Stage, frozenset[Stage]] = {
    G.REQUESTED: frozenset({G.IN_TRANSIT, G.RECEIVED, G.WITHDRAWN}),
    G.IN_TRANSIT: frozenset({G.RECEIVED, G.WITHDRAWN}),
    G.RECEIVED: frozenset({G.RESTOCKED, G.QUARANTINED, G.SCRAPPED}),
    G.QUARANTINED: frozenset({G.RESTOCKED, G.SCRAPPED}),
    G.RESTOCKED: frozenset(),
    G.SCRAPPED: frozenset(),
    G.WITHDRAWN: frozenset({G.RECEIVED}),
}
"""Legal moves. What was withdrawn and arrives all the same is received."""

OUTSTANDING = (G.REQUESTED, G.IN_TRANSIT)
BACK = (G.RECEIVED, G.RESTOCKED, G.QUARANTINED, G.SCRAPPED)
DISPOSED = (G.RESTOCKED, G.QUARANTINED, G.SCRAPPED)
CLAIMING = (*OUTSTANDING, *BACK)
"""Stages that count against what had left."""

_ARRIVES_FROM = (G.IN_TRANSIT, G.REQUESTED, G.WITHDRAWN)


class ReturnState(enum.StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LABEL_ISSUED = "label_issued"
    IN_TRANSIT = "in_transit"
    PARTIALLY_RECEIVED = "partially_received"
    RECEIVED = "received"
    INSPECTED = "inspected"
    SETTLED = "settled"
    CLOSED = "closed"


R = ReturnState

RETURN_MEANINGS: Mapping[ReturnState, str] = {
    R.REQUESTED: "asked for; a person decides",
    R.APPROVED: "may come back",
    R.REFUSED: "may not come back; the reason is kept",
    R.EXPIRED: "did not come back in time",
    R.CANCELLED: "called off before anything arrived",
    R.LABEL_ISSUED: "its label is bought",
    R.IN_TRANSIT: "a carrier has it",
    R.PARTIALLY_RECEIVED: "some of it has arrived",
    R.RECEIVED: "all of it has arrived; some is not inspected yet",
    R.INSPECTED: "all that arrived is restocked, in quarantine or scrapped",
    R.SETTLED: "its customer has refund, exchange or credit for all that arrived, or a person decided otherwise",
    R.CLOSED: "nothing is left to do",
}

RETURN_MOVES: Mapping[ReturnState, frozenset[ReturnState]] = {
    R.REQUESTED: frozenset({R.APPROVED, R.REFUSED, R.EXPIRED, R.CANCELLED}),
    R.APPROVED: frozenset(
        {R.LABEL_ISSUED, R.IN_TRANSIT, R.PARTIALLY_RECEIVED, R.RECEIVED, R.EXPIRED, R.CANCELLED, R.REFUSED}
    ),
    R.LABEL_ISSUED: frozenset({R.IN_TRANSIT, R.PARTIALLY_RECEIVED, R.RECEIVED, R.EXPIRED, R.CANCELLED}),
    R.IN_TRANSIT: frozenset({R.PARTIALLY_RECEIVED, R.RECEIVED, R.EXPIRED, R.CANCELLED}),
    R.PARTIALLY_RECEIVED: frozenset({R.RECEIVED, R.INSPECTED}),
    R.RECEIVED: frozenset({R.PARTIALLY_RECEIVED, R.INSPECTED}),
    R.INSPECTED: frozenset({R.PARTIALLY_RECEIVED, R.RECEIVED, R.SETTLED}),
    R.SETTLED: frozenset({R.PARTIALLY_RECEIVED, R.RECEIVED, R.CLOSED}),
    R.REFUSED: frozenset({R.APPROVED, R.PARTIALLY_RECEIVED, R.RECEIVED}),
    R.EXPIRED: frozenset({R.APPROVED, R.PARTIALLY_RECEIVED, R.RECEIVED}),
    R.CANCELLED: frozenset({R.PARTIALLY_RECEIVED, R.RECEIVED}),
    R.CLOSED: frozenset({R.PARTIALLY_RECEIVED, R.RECEIVED}),
}
"""Legal moves. More goods may arrive in every state: that is observed, not decided. A person may approve what a policy
refused or what came too late."""

ENDED_STATES = frozenset({R.REFUSED, R.EXPIRED, R.CANCELLED, R.CLOSED})
BEFORE_RECEIPT = frozenset({R.REQUESTED, R.APPROVED, R.LABEL_ISSUED, R.IN_TRANSIT})
AWAITED = frozenset({R.APPROVED, R.LABEL_ISSUED, R.IN_TRANSIT})


class IllegalReturn(ValueError):
    """A decision asked for a move that the table does not have, or for more than there is."""


@dataclass(frozen=True, slots=True)
class ReturnMove:
    """`source` None: the claim grew. `location` where the goods are, "" while they are nowhere of ours."""

    source: Stage | None
    target: Stage
    quantity: Decimal
    location: str = ""


@dataclass(slots=True)
class ReturnLine:
    """What comes back of one order line, or of something that the order never had (`line_id` None).

    `over`: what of it is more than had left. `settled`: what its customer has been given something for. `held` is what
    lies where: stage (received, quarantined) -> location -> quantity.
    """

    id: str
    number: int
    line_id: str | None
    sku: str
    claimed: Decimal = ZERO
    stages: dict[Stage, Decimal] = field(default_factory=dict)
    over: Decimal = ZERO
    settled: Decimal = ZERO
    reason: str = ""
    grade: str = ""
    held: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    moves: list[ReturnMove] = field(default_factory=list)

    def __getitem__(self, stage: Stage) -> Decimal:
        return self.stages.get(stage, ZERO)

    def sum(self, stages: Sequence[Stage]) -> Decimal:
        return sum((self[stage] for stage in stages), ZERO)

    @property
    def balanced(self) -> bool:
        return self.sum(tuple(Stage)) == self.claimed and all(units >= 0 for units in self.stages.values())

    @property
    def settleable(self) -> Decimal:
        """What arrived, belongs to the order, and was not settled."""
        back = self.sum(BACK)
        too_much = max(back - (self.sum(CLAIMING) - self.over), ZERO)
        return max(back - too_much - self.settled, ZERO)

    def claim(self, units: Decimal) -> None:
        """The return is about so much more."""
        if units > 0:
            self.claimed += units
            self._put(None, G.REQUESTED, units, "")

    def move(self, source: Stage, target: Stage, units: Decimal, location: str = "") -> None:
        """Take one legal step. Raises IllegalReturn; a quantity of zero is no move."""
        if units == 0:
            return
        if target not in STAGE_MOVES[source]:
            raise IllegalReturn(f"a quantity does not go from {source} to {target}")
        if units < 0 or self[source] < units:
            raise IllegalReturn(f"{source} holds {self[source]}, not {units}")
        if source in (G.RECEIVED, G.QUARANTINED):
            self._take(source, units, location)
        self._put(source, target, units, location)
        if target in (G.RECEIVED, G.QUARANTINED):
            here = self.held.setdefault(target.value, {})
            here[location] = here.get(location, ZERO) + units

    def arrive(self, units: Decimal, location: str) -> Decimal:
        """So much turned up at a location. Returns what of it the return was not about; the caller claims it first if
        it is to be counted."""
        for stage in _ARRIVES_FROM:
            part = min(units, self[stage])
            self.move(stage, G.RECEIVED, part, location)
            units -= part
        return units

    def withdraw(self) -> None:
        """What has not come does not come."""
        rightful = self.sum(CLAIMING) - self.over
        for stage in OUTSTANDING:
            self.move(stage, G.WITHDRAWN, self[stage])
        # What was too much and does not come is too much no more.
        self.over = max(self.sum(BACK) - rightful, ZERO)

    def here(self, stage: Stage, location: str) -> Decimal:
        return self.held.get(stage.value, {}).get(location, ZERO)

    def _take(self, stage: Stage, units: Decimal, location: str) -> None:
        if self.here(stage, location) < units:
            raise IllegalReturn(f"{location} has {self.here(stage, location)} {stage}, not {units}")
        here = self.held[stage.value]
        here[location] -= units
        if not here[location]:
            del here[location]
        if not here:
            del self.held[stage.value]

    def _put(self, source: Stage | None, target: Stage, units: Decimal, location: str) -> None:
        if source is not None:
            self.stages[source] = self[source] - units
        self.stages[target] = self[target] + units
        self.moves.append(ReturnMove(source, target, units, location))


@dataclass(slots=True)
class Return:
    """Goods of one order on their way back. `origin`: who began it: channel, api, person, carrier, blind (nobody: it
    turned up). `facts`: policy result, label, deadline and what else there is to know; no personal data."""

    id: str
    order_id: str
    number: str
    origin: str
    state: ReturnState = R.REQUESTED
    external_id: str = ""
    location: str = ""
    tracking_number: str = ""
    reason: str = ""
    expires_at: dt.datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[ReturnLine] = field(default_factory=list)
    created_at: dt.datetime | None = None

    @property
    def open(self) -> bool:
        return self.state not in ENDED_STATES

    def sum(self, stages: Sequence[Stage]) -> Decimal:
        return sum((line.sum(stages) for line in self.lines), ZERO)

    def line(self, line_id: str) -> ReturnLine | None:
        """The part about an order line, or the one of that id."""
        return next((line for line in self.lines if line_id in (line.line_id, line.id)), None)

    def reach(self, state: ReturnState) -> bool:
        """Take one legal step; whether the state changed. Raises IllegalReturn."""
        if state is self.state:
            return False
        if state not in RETURN_MOVES[self.state]:
            raise IllegalReturn(f"a return does not go from {self.state} to {state}")
        self.state = state
        return True

    def follow(self) -> list[ReturnState]:
        """Bring the state in step with the stages; the states that were reached, in order."""
        reached = []
        for state in self._due():
            if state is not self.state and state in RETURN_MOVES[self.state]:
                self.state = state
                reached.append(state)
        return reached

    def _due(self) -> tuple[ReturnState, ...]:
        if not self.sum(BACK):
            return (R.IN_TRANSIT,) if self.sum((G.IN_TRANSIT,)) and self.state in AWAITED else ()
        if self.sum(OUTSTANDING):
            return (R.PARTIALLY_RECEIVED,)
        if self.sum((G.RECEIVED,)):
            return (R.RECEIVED,)
        if self.state in (R.SETTLED, R.CLOSED):
            return ()
        settled = not any(line.settleable for line in self.lines)
        passing = () if self.state in (R.PARTIALLY_RECEIVED, R.RECEIVED, R.INSPECTED) else (R.RECEIVED,)
        return (*passing, R.INSPECTED, R.SETTLED) if settled else (*passing, R.INSPECTED)


def returnable(ledger: Ledger, under_way: Decimal) -> Decimal:
    """What of a line may be asked back: handed over or delivered, and shipped but for what is `under_way`, of which a
    carrier tells that it has not arrived."""
    shipped = max(ledger[Bucket.SHIPPED] - under_way, ZERO)
    return ledger.sum((Bucket.HANDED_OVER, Bucket.DELIVERED)) + shipped


def has_left(ledger: Ledger) -> Decimal:
    """What of a line may turn up: whatever left and was not already brought back undelivered, more than ordered too."""
    there = (Bucket.HANDED_OVER, Bucket.DELIVERED, Bucket.SHIPPED, Bucket.LOST, Bucket.RETURNED_TO_SENDER)
    return ledger.sum(there) + ledger.over_shipped


def claimed_of(returns: Sequence[Return], line_id: str) -> Decimal:
    """What returns claim of an order line, without what was more than had left."""
    of_line = [line for one in returns for line in one.lines if line.line_id == line_id]
    return sum((line.sum(CLAIMING) - line.over for line in of_line), ZERO)


def settled_of(returns: Sequence[Return], line_id: str) -> Decimal:
    return sum((line.settled for one in returns for line in one.lines if line.line_id == line_id), ZERO)
