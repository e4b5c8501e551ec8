"""What lies where when a run begins."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.scenario import LOCATIONS, Scenario


@dataclass(frozen=True, slots=True)
class Shelf:
    """`guarded` SKUs are sold only while the channel shows enough; `late` ones arrive when everything has been
    ordered."""

    guarded: tuple[str, ...]
    late: tuple[str, ...]
    silent: tuple[str, ...]
    units: Mapping[tuple[str, str], int]
    """(location, SKU) -> units."""

    def total(self, sku: str) -> int:
        return sum(units for (_, one), units in self.units.items() if one == sku)


def fill_shelf(orders: int, scenario: Scenario, source: random.Random) -> Shelf:
    """Enough for nearly all orders in total, split over the locations by chance; every eighth SKU sells out."""
    count = max(12, min(60, orders // 30))
    guarded = tuple(f"SKU-{number:03d}" for number in range(count))
    demand = orders * 2.2 / count
    units: dict[tuple[str, str], int] = {}
    for number, sku in enumerate(guarded):
        left = max(8, round(demand * (0.5 if number % 8 == 7 else 1.5)))
        for location in LOCATIONS[:-1]:
            part = source.randint(0, left)
            units[location, sku] = part
            left -= part
        units[LOCATIONS[-1], sku] = left
    late = tuple(f"LATE-{number:03d}" for number in range(max(1, count // 10)))
    for sku in late:
        units[LOCATIONS[0], sku] = 0
    silent = guarded[: round(count * scenario.silent_share)]
    return Shelf(guarded, late, silent, units)
