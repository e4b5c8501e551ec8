"""Packaging: into how many parcels a shipment goes, as far as its cost depends on it.

By weight alone: a carrier's heaviest step is the heaviest parcel it takes; what weighs more goes in several of them and
one with the rest. How a location really packs is its own affair, and known when it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.sourcing.plan import Step

MOST_PARCELS = 200
"""Of one shipment; what is heavier costs as much as these."""


def shipment_steps(parcel_steps: Sequence[Step], heaviest: Decimal) -> tuple[Step, ...]:
    """Steps of whole shipments up to the weight `heaviest`, from the steps of one parcel."""
    if not parcel_steps:
        return ()
    full = parcel_steps[-1]
    found = list(parcel_steps)
    parcels = 1
    while found[-1].grams < heaviest and parcels < MOST_PARCELS and full.grams > 0:
        found += [Step(full.grams * parcels + step.grams, full.amount * parcels + step.amount) for step in parcel_steps]
        parcels += 1
    return tuple(found)
