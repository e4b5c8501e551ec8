"""What it costs to send from a location to an address: carriage by zone and weight, and how late it arrives."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.domain.sourcing.plan import Step

EARTH_RADIUS_KM = 6371


@dataclass(frozen=True, slots=True)
class Carriage:
    """A carrier's zone: where from, where to, for which service levels, in how many days, for what by weight.

    None asks nothing. `postal_prefixes` are beginnings of the destination's postal code. `steps` are of one parcel.
    `refuses`: flags of items that it does not carry, such as dangerous goods by air.
    """

    zone: str
    days: int
    steps: tuple[Step, ...]
    origins: frozenset[str] | None = None
    countries: frozenset[str] | None = None
    postal_prefixes: tuple[str, ...] | None = None
    up_to_km: Decimal | None = None
    services: frozenset[str] | None = None
    refuses: frozenset[str] = frozenset()

    def takes(
        self,
        origin: str,
        country: str,
        postal_code: str,
        km: Decimal | None,
        service: str,
        flags: frozenset[str] = frozenset(),
    ) -> bool:
        """A distance that is not known is in no band. `flags`: of the items in the order."""
        return not (self.refuses & flags) and (
            (self.origins is None or origin in self.origins)
            and (self.countries is None or country in self.countries)
            and (self.postal_prefixes is None or postal_code.startswith(self.postal_prefixes))
            and (self.up_to_km is None or (km is not None and km <= self.up_to_km))
            and (self.services is None or service in self.services)
        )


def carriage_for(
    table: Sequence[Carriage],
    origin: str,
    country: str,
    postal_code: str,
    km: Decimal | None,
    service: str,
    flags: frozenset[str] = frozenset(),
) -> Carriage | None:
    """The first zone that takes it, or None."""
    return next((zone for zone in table if zone.takes(origin, country, postal_code, km, service, flags)), None)


def days_late(leaves: dt.date, arrives: dt.date, ship_by: dt.date | None, promised_by: dt.date | None) -> int:
    """Whole days beyond what was promised, of leaving or of arriving, whichever is more."""
    late = [(leaves - ship_by).days if ship_by else 0, (arrives - promised_by).days if promised_by else 0]
    return max(0, *late)


def distance_km(here: tuple[Decimal, Decimal], there: tuple[Decimal, Decimal]) -> Decimal:
    """Great-circle kilometres between two (latitude, longitude) in degrees, whole."""
    (here_lat, here_lon), (there_lat, there_lon) = (
        (math.radians(latitude), math.radians(longitude)) for latitude, longitude in (here, there)
    )
    half = (
        math.sin((there_lat - here_lat) / 2) ** 2
        + math.cos(here_lat) * math.cos(there_lat) * math.sin((there_lon - here_lon) / 2) ** 2
    )
    return Decimal(round(2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))))
