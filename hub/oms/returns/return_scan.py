"""Parcels that come back, as their carrier scans them: what was asked for is on its way. What has arrived says the
location, not the carrier."""

from __future__ import annotations

from hub.domain.returns import AWAITED, Stage
from hub.oms.desk.load import Case
from hub.oms.returns.returns import follow

MOVING = frozenset({"in_transit", "out_for_delivery", "delivered"})


def returns_scanned(case: Case, number: str, status: str) -> None:
    """Move the returns whose parcel has this tracking number."""
    for one in case.returns:
        if one.tracking_number == number and one.state in AWAITED and status in MOVING:
            for part in one.lines:
                part.move(Stage.REQUESTED, Stage.IN_TRANSIT, part[Stage.REQUESTED])
            follow(case, one)
