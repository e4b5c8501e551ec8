"""The world of a run: emulated systems with ledgers of their own, as processes of their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import IO

from hub.demo.processes import EmulatorProcess
from tests.chaos.scenario import LOCATIONS, LOOKUP_LAG_SECONDS, STORE, Scenario
from tests.chaos.shelf import Shelf
from tests.chaos.systems import CARRIER, LABELLED, SHOP, WMS, System, systems_of


class World:
    """The systems of a scenario. Their faults begin with `unleash`, so that the start is quiet."""

    def __init__(self, folder: Path, *, seed: int, scenario: Scenario, shelf: Shelf, log: IO[bytes]) -> None:
        self.folder = folder
        self.scenario = scenario
        self.shelf = shelf
        self.rows: list[System] = systems_of(scenario)
        self.systems: dict[str, EmulatorProcess] = {}
        try:
            for number, row in enumerate(self.rows):
                self.systems[row.name] = EmulatorProcess(
                    row.emulator,
                    folder / f"{row.name}.ledger",
                    seed=seed * 10 + number,
                    config=row.emulated(scenario, shelf),
                    log=log,
                )
        except BaseException:
            self.close()
            raise

    @property
    def wms(self) -> EmulatorProcess:
        return self.systems[WMS]

    def stock_up(self) -> None:
        """Put the goods on their shelves, and tell the warehouse whom to ignore and where labels come from outside."""
        rows = [
            {"warehouse": location, "sku": sku, "quantity": str(units)}
            for (location, sku), units in sorted(self.shelf.units.items())
        ]
        self.wms.control("set_stock", {"rows": rows})
        for sku in self.shelf.silent:
            self.wms.control("behave", {"match": {"sku": sku}, "mode": "silent", "cancels": "refuse"})
        if CARRIER in self.systems:
            self.wms.control("behave", {"match": {"warehouse": LABELLED}, "labels": "hub"})

    def count_stock(self) -> None:
        """Every location counts and tells."""
        for location in LOCATIONS:
            self.wms.control("snapshot", {"warehouse": location})

    def unshown(self) -> dict[str, list[str]]:
        """Channel -> guarded articles of which it does not show what lies there."""
        wanted = {sku: self.shelf.total(sku) for sku in self.shelf.guarded}
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.shows_stock:
                levels = self.systems[row.name].control("levels")["levels"]
                missing = [sku for sku, units in wanted.items() if levels.get(sku) != units]
                found |= {row.name: missing} if missing else {}
        return found

    def point_at(self, hub_url: str) -> None:
        """Say where webhooks go; a deaf run's shop talks to nobody."""
        for name, system in self._heard().items():
            system.connect_hub(hub_url, name)

    def unleash(self) -> None:
        for name, system in self.systems.items():
            faults = {**self.scenario.calls, **self.scenario.webhooks, **self.scenario.slow.get(name, {})}
            system.set_faults(**faults)

    def calm(self) -> None:
        """No new faults; searches go on to lag, and what was put off still comes."""
        quiet = dict.fromkeys((*self.scenario.calls, *self.scenario.webhooks), 0.0)
        keep = {"lookup_lag_seconds": LOOKUP_LAG_SECONDS, "redeliver_seconds": 0.5, "late_commit_seconds": 1.0}
        for system in self.systems.values():
            system.set_faults(**{**quiet, **keep})

    def release_silent(self) -> None:
        for sku in self.shelf.silent:
            self.wms.control("behave", {"match": {"sku": sku}, "mode": "auto"})

    def bring_goods(self, units: int) -> None:
        """What waits for goods gets them: `units` more of every article at the first location and, for what is to be
        collected, at the store; and a new count."""
        there = {(row["warehouse"], row["sku"]): int(row["quantity"]) for row in self.wms.control("stock")["rows"]}
        rows = [
            {"warehouse": place, "sku": sku, "quantity": str(there.get((place, sku), 0) + units)}
            for place in (LOCATIONS[0], STORE)
            for sku in (*self.shelf.guarded, *self.shelf.late)
        ]
        self.wms.control("set_stock", {"rows": rows})
        self.count_stock()

    def untaken(self) -> dict[str, int]:
        """System -> webhooks and files that the hub has not taken; those of a deaf run's shop it never will."""
        found: dict[str, int] = {}
        heard = self._heard()
        for row in self.rows:
            system = self.systems[row.name]
            waiting = int(system.status()["waiting_webhooks"]) if row.name in heard else 0
            waiting += row.untaken(system)
            found |= {row.name: waiting} if waiting else {}
        return found

    def faults(self) -> dict[str, int]:
        """Delivered so far, by kind, all systems together."""
        found: Counter[str] = Counter()
        for system in self.systems.values():
            found.update(system.status()["faults"])
        return dict(found)

    def calls(self) -> dict[str, int]:
        """How often the hub has called each."""
        return {name: int(system.status()["calls"]) for name, system in self.systems.items()}

    def close(self) -> None:
        for system in self.systems.values():
            system.stop()

    def _heard(self) -> dict[str, EmulatorProcess]:
        """Whose webhooks arrive."""
        return {name: system for name, system in self.systems.items() if name != SHOP or not self.scenario.deaf}
