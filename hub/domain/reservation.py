"""Reservations: what a location keeps for a line. soft > firm > consumed; soft > expired; firm > released.

A quantity that no location holds yet is kept as `unassigned`, without a location: it counts once against the promise.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


class ReservationState(enum.StrEnum):
    UNASSIGNED = "unassigned"
    SOFT = "soft"
    FIRM = "firm"
    CONSUMED = "consumed"
    RELEASED = "released"
    EXPIRED = "expired"


R = ReservationState

RESERVATION_MOVES: Mapping[ReservationState, frozenset[ReservationState]] = {
    R.UNASSIGNED: frozenset({R.RELEASED}),
    R.SOFT: frozenset({R.FIRM, R.CONSUMED, R.RELEASED, R.EXPIRED}),
    R.FIRM: frozenset({R.CONSUMED, R.RELEASED}),
    R.CONSUMED: frozenset(),
    R.RELEASED: frozenset(),
    R.EXPIRED: frozenset(),
}
"""Legal steps; a soft reservation is consumed where an observation skipped the steps between."""


@dataclass(slots=True)
class Reservation:
    """`quantity` is what is still reserved; a finished reservation has none."""

    id: str
    order_id: str
    line_id: str
    sku: str
    location: str
    quantity: Decimal
    state: ReservationState
    fulfilment_order_id: str | None
    expires_at: dt.datetime | None
    created_at: dt.datetime
    place: str = ""
    """Of demand without a location: its place in the queue of its SKU, as text that sorts."""
    turn: str = ""
    """Of demand without a location: waits | passed | held (hub.domain.backorder)."""
    why: str = ""
    """Why it was passed over or is held."""

    @property
    def live(self) -> bool:
        return self.state in (R.SOFT, R.FIRM) and self.quantity > 0

    def become(self, state: ReservationState) -> None:
        if state not in RESERVATION_MOVES[self.state]:
            raise ValueError(f"a reservation does not go from {self.state} to {state}")
        self.state = state
