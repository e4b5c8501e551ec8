"""The seller's people: they do what the hub asks them to do, where nobody else can."""

from __future__ import annotations

from sqlalchemy import Connection

from tests.chaos.database import select
from tests.chaos.systems import MARKET
from tests.chaos.world import World


class People:
    """After the storm."""

    def __init__(self, world: World) -> None:
        self._market = world.systems.get(MARKET)
        self._cancelled: set[str] = set()

    def follow(self, connection: Connection) -> None:
        """Cancel at the marketplace what its buyers asked to cancel and the hub has taken back."""
        if self._market is None:
            return
        wished = select(
            connection,
            "SELECT DISTINCT o.external_id FROM orders o JOIN exception_subjects s ON s.order_id = o.id"
            " JOIN exceptions e ON e.id = s.exception_id WHERE e.state = 'open' AND s.cleared_at IS NULL"
            f" AND e.kind = 'cancel_at_channel' AND o.channel = '{MARKET}' AND o.status = 'cancelled'",
        )
        for row in wished:
            if row.external_id not in self._cancelled:
                self._cancelled.add(row.external_id)
                self._market.control("cancel", {"id": row.external_id, "by": "SELLER", "reason": "Buyer asked"})
