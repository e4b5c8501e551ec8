"""The world of a run: three emulated systems with ledgers of their own, and a configuration that knows them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from hub.demo.processes import EmulatorProcess
from tests.chaos.scenario import LOOKUP_LAG_SECONDS, SETTLE_SECONDS, Scenario

SHOP, WMS, ERP = "shop", "wms", "erp"
CONNECTIONS = (SHOP, WMS, ERP)
DOMAIN = "chaos.example"
SHOP_SECRET, WMS_SECRET, ERP_SECRET = ("chaos-shop-secret-0001", "chaos-wms-secret-00001", "chaos-erp-secret-00001")
SHOP_LOCATION = "655441491"
CALL_DEADLINE = "3s"
POLL_EVERY = "15s"
LOOKBACK_SECONDS = 5
"""How far a poll reaches back: above the lag of the shop's searches."""
LOCATIONS = ("east", "west", "north")

EMULATORS: Mapping[str, str] = {
    SHOP: "connectors.shopify.emulator:ShopifyEmulator",
    WMS: "connectors.wms_rest.emulator:WmsEmulator",
    ERP: "connectors.erp_soap.emulator:ErpEmulator",
}


@dataclass(frozen=True, slots=True)
class Shelf:
    """What lies where at the start. `guarded` SKUs are sold only while the shop shows enough; `late` ones arrive when
    everything has been ordered."""

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


class World:
    """The emulated systems. Their faults begin with `unleash`, so that the start is quiet."""

    def __init__(self, folder: Path, *, seed: int, scenario: Scenario, shelf: Shelf, log: IO[bytes]) -> None:
        self.folder = folder
        self.scenario = scenario
        self.shelf = shelf
        skus = ",".join((*shelf.guarded, *shelf.late))
        configs: dict[str, dict[str, str]] = {
            SHOP: {
                "access_token": "chaos-token",
                "webhook_secret": SHOP_SECRET,
                "shop": DOMAIN,
                "location": SHOP_LOCATION,
                "skus": skus,
                "header_family": "both",
                "bucket": "1000000",
                "restore_rate": "100000",
            },
            WMS: {
                "api_key": "chaos-wms-key",
                "webhook_secret": WMS_SECRET,
                "warehouses": ",".join(LOCATIONS),
                "acknowledge_seconds": "0.3",
                "pack_seconds": "0.8",
                "ship_seconds": "1.4",
                "cancel_seconds": "0.5",
                **scenario.warehouse,
            },
            ERP: {"username": "hub", "password": "chaos-erp", "webhook_secret": ERP_SECRET},
        }
        self.systems: dict[str, EmulatorProcess] = {}
        try:
            for number, (name, emulator) in enumerate(EMULATORS.items()):
                self.systems[name] = EmulatorProcess(
                    emulator, folder / f"{name}.ledger", seed=seed * 10 + number, config=configs[name], log=log
                )
        except BaseException:
            self.close()
            raise

    @property
    def shop(self) -> EmulatorProcess:
        return self.systems[SHOP]

    @property
    def wms(self) -> EmulatorProcess:
        return self.systems[WMS]

    def ledger(self, name: str) -> Path:
        return self.folder / f"{name}.ledger"

    def stock_up(self) -> None:
        """Put the goods on their shelves, and tell the warehouse whom to ignore."""
        rows = [
            {"warehouse": location, "sku": sku, "quantity": str(units)}
            for (location, sku), units in sorted(self.shelf.units.items())
        ]
        self.wms.control("set_stock", {"rows": rows})
        for sku in self.shelf.silent:
            self.wms.control("behave", {"match": {"sku": sku}, "mode": "silent", "cancels": "refuse"})

    def count_stock(self) -> None:
        """Every location counts and tells."""
        for location in LOCATIONS:
            self.wms.control("snapshot", {"warehouse": location})

    def point_at(self, hub_url: str) -> None:
        """Say where webhooks go; a deaf run's shop talks to nobody."""
        for name, system in self.systems.items():
            if name != SHOP or not self.scenario.deaf:
                system.connect_hub(hub_url, name)

    def unleash(self) -> None:
        for system in self.systems.values():
            system.set_faults(**self.scenario.calls, **self.scenario.webhooks)
        self.systems[ERP].set_faults(**self.scenario.slow)

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
        """What waits for goods gets them: `units` more of every article at the first location, and a new count."""
        there = {(row["warehouse"], row["sku"]): int(row["quantity"]) for row in self.wms.control("stock")["rows"]}
        rows = [
            {"warehouse": LOCATIONS[0], "sku": sku, "quantity": str(there.get((LOCATIONS[0], sku), 0) + units)}
            for sku in (*self.shelf.guarded, *self.shelf.late)
        ]
        self.wms.control("set_stock", {"rows": rows})
        self.count_stock()

    def waiting_webhooks(self) -> int:
        """How many have not arrived; those of a deaf run's shop never do."""
        heard = [system for name, system in self.systems.items() if name != SHOP or not self.scenario.deaf]
        return sum(int(system.status()["waiting_webhooks"]) for system in heard)

    def faults(self) -> dict[str, int]:
        """Delivered so far, by kind, all systems together."""
        found: Counter[str] = Counter()
        for system in self.systems.values():
            found.update(system.status()["faults"])
        return dict(found)

    def calls(self) -> int:
        return sum(int(system.status()["calls"]) for system in self.systems.values())

    def close(self) -> None:
        for system in self.systems.values():
            system.stop()


def write_configuration(folder: Path, world: World, database: str) -> None:
    """The site's files: no grace, short settle times, three locations of one warehouse system."""
    (folder / "connections").mkdir(parents=True)
    shop, wms, erp = (world.systems[name].url for name in CONNECTIONS)
    lookup = {"safety": {"mode": "lookup", "settle": f"{SETTLE_SECONDS}s"}}
    poll = {"every": "1s" if world.scenario.deaf else POLL_EVERY}
    limits = {"default": {"rate": "2000/s", "burst": 2000}}
    _write(
        folder / "hub.yaml",
        {
            "seller": {
                "name": "Chaos",
                "default_entity": "chaos-us",
                "base_currency": "USD",
                "entities": {"chaos-us": {"erp_company": "1000", "base_currency": "USD"}},
            },
            "database": database,
            "alerts": {"after": "5m"},
        },
    )
    _write(
        folder / "connections" / "shop.yaml",
        {
            "id": SHOP,
            "connector": "shopify",
            "config": {
                "shop": DOMAIN,
                "endpoint": shop,
                "access_token": "${env:CHAOS_SHOP_TOKEN}",
                "webhook_secrets": ["${env:CHAOS_SHOP_SECRET}"],
                "location": SHOP_LOCATION,
                "lookback_seconds": 0 if world.scenario.deaf else LOOKBACK_SECONDS,
                "page_size": 50,
            },
            "streams": {
                "orders": {"start_from": "always", "push": True, "poll": poll},
                "refunds": {"push": True, "poll": poll},
            },
            "effects_out": {
                "push_shipment": lookup,
                "push_inventory": {},
            },
            "limits": limits,
            "call_deadline": CALL_DEADLINE,
        },
    )
    polled = {"push": True, "poll": {"every": POLL_EVERY}}
    _write(
        folder / "connections" / "wms.yaml",
        {
            "id": WMS,
            "connector": "wms_rest",
            "config": {
                "base_url": wms,
                "api_key": "${env:CHAOS_WMS_KEY}",
                "webhook_secrets": ["${env:CHAOS_WMS_SECRET}"],
            },
            "streams": {
                "fulfilment_responses": polled,
                "shipments": polled,
                "stock": {"means": "on_hand", "push": True, "poll": {"every": POLL_EVERY}},
            },
            "effects_out": {"send_fulfilment_request": {}, "cancel_fulfilment_request": {}},
            "limits": limits,
            "call_deadline": CALL_DEADLINE,
        },
    )
    _write(
        folder / "connections" / "erp.yaml",
        {
            "id": ERP,
            "connector": "erp_soap",
            "config": {
                "endpoint": erp,
                "username": "hub",
                "password": "${env:CHAOS_ERP_PASSWORD}",
                "webhook_secrets": ["${env:CHAOS_ERP_SECRET}"],
            },
            "streams": {"acknowledgements": {"push": True}},
            "effects_out": {"submit_order": lookup, "update_order": lookup, "cancel_order": lookup, "post_invoice": {}},
            "limits": limits,
            "call_deadline": CALL_DEADLINE,
        },
    )
    _write(folder / "locations.yaml", {"locations": [_location(number) for number in range(len(LOCATIONS))]})
    _write(
        folder / "routing.yaml",
        {
            "strategies": {
                "cheapest": {"objective": "cost", "max_shipments": 3},
                "together": {"objective": "cost", "max_shipments": 3, "ship_complete": True},
            },
            "rules": [{"id": "low-value", "when": "total.amount < `30`", "use": "together"}],
            "fallback": {"use": "cheapest", "when_nothing": "backorder"},
        },
    )
    waiting = {"acknowledge_within": "3s"} if world.shelf.silent else {}
    _write(
        folder / "policies.yaml",
        {
            "grace": {"default": "0"},
            "validation": {"unknown_sku": "accept", "address": "hold_order"},
            "totals": {"difference_up_to": 0.02, "otherwise": "hold_order"},
            "payment": {"managed_by": {SHOP: "channel"}},
            "promise": {"coalesce": "500ms"},
            **({"waiting": waiting} if waiting else {}),
        },
    )


def environment() -> dict[str, str]:
    """The secrets the configuration refers to."""
    return {
        "CHAOS_SHOP_TOKEN": "chaos-token",
        "CHAOS_SHOP_SECRET": SHOP_SECRET,
        "CHAOS_WMS_KEY": "chaos-wms-key",
        "CHAOS_WMS_SECRET": WMS_SECRET,
        "CHAOS_ERP_PASSWORD": "chaos-erp",
        "CHAOS_ERP_SECRET": ERP_SECRET,
    }


def _location(number: int) -> dict[str, Any]:
    region, latitude, longitude = (("US-NJ", 40.7, -74.1), ("US-NV", 39.6, -119.8), ("US-IL", 41.8, -87.6))[number]
    return {
        "id": LOCATIONS[number],
        "type": "dc",
        "name": LOCATIONS[number].title(),
        "address": {
            "lines": ["1 Depot Road"],
            "locality": "Anytown",
            "admin_area": region,
            "postal_code": "10001",
            "country": "US",
            "latitude": latitude,
            "longitude": longitude,
        },
        "zone": "America/New_York",
        "priority": number + 1,
        "wms": WMS,
        "stock_authority": WMS,
        "costs": {"order": 1.0 + number / 10, "line": 0.2},
        "can": ["ship", "receive_returns"],
    }


def _write(path: Path, content: object) -> None:
    # JSON in, YAML out: tuples and other Python shapes never reach the file.
    path.write_text(yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False), encoding="utf-8")
