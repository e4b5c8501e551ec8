"""Goods on their way between two locations of ours: no longer at the one, not yet at the other, nobody's to promise.

What is `claimed` of them is for an order's line: it was reserved where it came from and is reserved again where it
arrives. A line that no longer wants them gives up its claim; the goods arrive all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Transit:
    """Goods of one SKU that one notice said had left. `quantity` = sent - received - lost is still on its way."""

    id: str
    order_id: str
    fulfilment_order_id: str
    line_id: str | None
    sku: str
    source: str
    destination: str
    sent: Decimal
    received: Decimal = ZERO
    lost: Decimal = ZERO
    claimed: Decimal = ZERO

    @property
    def quantity(self) -> Decimal:
        return self.sent - self.received - self.lost

    def arrive(self, units: Decimal) -> Decimal:
        """As much as was on its way; returns it. Its claim is the caller's to move."""
        arrived = min(units, self.quantity)
        self.received += arrived
        return arrived

    def lose(self, units: Decimal) -> tuple[Decimal, Decimal]:
        """Give up as much as was on its way; returns it, and what of it somebody had claimed. What nobody claims is
        taken to be lost first."""
        lost = min(units, self.quantity)
        self.lost += lost
        return lost, self.unclaim(max(self.claimed - self.quantity, ZERO))

    def unclaim(self, units: Decimal) -> Decimal:
        """Let go of a claim; returns how much there was of it."""
        given = min(units, self.claimed)
        self.claimed -= given
        return given
