"""The simulated site: one shop, one warehouse system with two locations, one ERP; compiled once for all seeds."""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.erp_soap.emulator import ErpEmulator
from connectors.shopify.emulator import ShopifyEmulator
from connectors.wms_rest.emulator import WmsEmulator
from hub.actions.table import act
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.place import Place
from hub.runtime.simulation import Peer, Setting
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.ports import Clock

SHOP, WMS, ERP = "shop", "wms", "erp"
HOSTS: Mapping[str, str] = {name: f"{name}.example" for name in (SHOP, WMS, ERP)}
LOCATIONS = ("east", "west")
SKUS = ("SKU-A", "SKU-B", "SKU-C")
SHOP_LOCATION = "655441491"
SECRETS: Mapping[str, str] = {
    "SIM_SHOP_TOKEN": "simulated-token",
    "SIM_SHOP_SECRET": "simulated-shop-secret",
    "SIM_WMS_KEY": "simulated-wms-key",
    "SIM_WMS_SECRET": "simulated-wms-secret",
    "SIM_ERP_PASSWORD": "simulated-erp",
    "SIM_ERP_SECRET": "simulated-erp-secret",
}
SETTLE_SECONDS = 8
"""What the connections declare for lookups: above the longest late commit plus the longest lookup lag of any seed."""
LATE_SECONDS = 3.0
LAG_SECONDS = 2.0
SILENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Weather:
    """How the peers of one seed behave: rates for calls and webhooks, and the emulators' own settings."""

    faults: Mapping[str, Mapping[str, float]]
    warehouse: Mapping[str, str]
    books: Mapping[str, str]

    @classmethod
    def draw(cls, source: random.Random) -> Weather:
        def rate(most: float) -> float:
            return round(source.random() * most, 3) if source.random() < 0.6 else 0.0

        faults = {
            name: {
                "error_before": rate(0.1),
                "error_after": rate(0.1),
                "throttle": rate(0.1),
                "retry_after_seconds": source.choice((1.0, 20.0)),
                "drop_after": rate(0.1),
                "late_commit": rate(0.08),
                "late_commit_seconds": LATE_SECONDS,
                "delay": rate(0.2),
                "delay_seconds": source.choice((0.1, 5.0, 40.0)),
                "lookup_lag_seconds": source.choice((0.0, LAG_SECONDS)),
                "duplicate_webhook": rate(0.4),
                "reorder_webhook": rate(0.6),
                "lose_webhook": rate(0.3),
                "redeliver_seconds": source.choice((1.0, 10.0)),
                "echo_first": rate(1.0),
            }
            for name in HOSTS
        }
        warehouse = {
            "acknowledge_seconds": source.choice(("0.1", "2", "30")),
            "pack_seconds": source.choice(("0.5", "5", "90")),
            "ship_seconds": source.choice(("1", "8", "200")),
            "cancels": source.choice(("accept", "accept", "before_packing", "refuse", "later_accept", "later_refuse")),
            "cancel_seconds": source.choice(("1", "15")),
            "packages": source.choice(("1", "1", "2")),
        }
        books = {
            "acceptance": source.choice(("booked", "booked", "queued")),
            "queue_seconds": source.choice(("1", "60")),
        }
        return cls(faults, warehouse, books)


def open_peers(
    weather: Weather, clock: Clock, source: random.Random, further: Mapping[str, Mapping[str, str]] | None = None
) -> Sequence[Peer]:
    """The three systems with ledgers in memory; `further` settings of theirs by name."""
    own = {
        SHOP: {
            "access_token": SECRETS["SIM_SHOP_TOKEN"],
            "webhook_secret": SECRETS["SIM_SHOP_SECRET"],
            "shop": "simulated.example",
            "location": SHOP_LOCATION,
            "skus": ",".join(SKUS),
            "bucket": "1000000",
            "restore_rate": "100000",
        },
        WMS: {
            "api_key": SECRETS["SIM_WMS_KEY"],
            "webhook_secret": SECRETS["SIM_WMS_SECRET"],
            "warehouses": ",".join(LOCATIONS),
            **weather.warehouse,
        },
        ERP: {
            "username": "hub",
            "password": SECRETS["SIM_ERP_PASSWORD"],
            "webhook_secret": SECRETS["SIM_ERP_SECRET"],
            **weather.books,
        },
    }
    kinds = {SHOP: ShopifyEmulator, WMS: WmsEmulator, ERP: ErpEmulator}
    return [
        Peer(
            name,
            HOSTS[name],
            kind(  # type: ignore[abstract]
                ledger=Ledger(":memory:"),
                clock=clock,
                source=random.Random(source.getrandbits(64)),
                faults=_faults(weather.faults[name]),
                config={**own[name], **(further or {}).get(name, {})},
            ),
        )
        for name, kind in kinds.items()
    ]


def _faults(rates: Mapping[str, float]) -> Faults:
    found = Faults()
    for name, rate in rates.items():
        setattr(found, name, rate)
    return found


def calm(peers: Sequence[Peer]) -> None:
    """No new faults; searches go on to lag, and what was put off still comes."""
    calls = ("error_before", "error_after", "throttle", "drop_after", "late_commit", "delay")
    quiet = (*calls, "duplicate_webhook", "reorder_webhook", "lose_webhook", "echo_first")
    for peer in peers:
        for name in quiet:
            setattr(peer.emulator.faults, name, 0.0)


@functools.cache
def settings() -> tuple[Setting, ...]:
    """The site without grace and with one of a minute; both share a database."""
    with tempfile.TemporaryDirectory(prefix="hub-simulation-") as folder:
        found = []
        for grace in ("0", "1m"):
            place = Path(folder) / f"grace-{grace}"
            _write_site(place, grace)
            loaded: Loaded = load_configuration(place, SECRETS)
            found.append(Setting(Place(place, place), loaded, SECRETS, act))
    return tuple(found)


def _write_site(folder: Path, grace: str) -> None:
    (folder / "connections").mkdir(parents=True)
    for name, content in site_files(grace).items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def site_files(grace: str) -> dict[str, Any]:
    """The site's configuration, by file."""

    def lookup() -> dict[str, Any]:
        return {"safety": {"mode": "lookup", "settle": f"{SETTLE_SECONDS}s"}}

    def polled() -> dict[str, Any]:
        return {"push": True, "poll": {"every": "1m", "lookback": "10m"}}

    return {
        "hub.yaml": {
            "seller": {
                "name": "Simulated",
                "default_entity": "sim-us",
                "base_currency": "USD",
                "entities": {"sim-us": {"erp_company": "1000", "base_currency": "USD"}},
            },
            "database": "sqlite",
            "alerts": {"after": "5m"},
        },
        "connections/shop.yaml": {
            "id": SHOP,
            "connector": "shopify",
            "config": {
                "shop": "simulated.example",
                "endpoint": f"http://{HOSTS[SHOP]}",
                "access_token": "${env:SIM_SHOP_TOKEN}",
                "webhook_secrets": ["${env:SIM_SHOP_SECRET}"],
                "location": SHOP_LOCATION,
            },
            "streams": {"orders": {"start_from": "always", **polled()}, "refunds": polled()},
            "effects_out": {"push_shipment": lookup(), "push_inventory": {}},
        },
        "connections/wms.yaml": {
            "id": WMS,
            "connector": "wms_rest",
            "config": {
                "base_url": f"http://{HOSTS[WMS]}",
                "api_key": "${env:SIM_WMS_KEY}",
                "webhook_secrets": ["${env:SIM_WMS_SECRET}"],
            },
            "streams": {
                "fulfilment_responses": polled(),
                "shipments": polled(),
                "stock": {"means": "on_hand", "push": True, "poll": {"every": "1m"}},
            },
            "effects_out": {"send_fulfilment_request": {}, "cancel_fulfilment_request": {}},
        },
        "connections/erp.yaml": {
            "id": ERP,
            "connector": "erp_soap",
            "config": {
                "endpoint": f"http://{HOSTS[ERP]}/soap",
                "username": "hub",
                "password": "${env:SIM_ERP_PASSWORD}",
                "webhook_secrets": ["${env:SIM_ERP_SECRET}"],
            },
            "streams": {"acknowledgements": {"push": True}},
            "effects_out": {
                "submit_order": lookup(),
                "update_order": lookup(),
                "cancel_order": lookup(),
                "post_invoice": {},
            },
        },
        "locations.yaml": {"locations": [_location(number) for number in range(len(LOCATIONS))]},
        "routing.yaml": {
            "strategies": {
                "cheapest": {"objective": "cost", "max_shipments": 3},
                "together": {"objective": "cost", "max_shipments": 3, "ship_complete": True},
            },
            "rules": [{"id": "low-value", "when": "total.amount < `30`", "use": "together"}],
            "fallback": {"use": "cheapest", "when_nothing": "backorder"},
        },
        "policies.yaml": {
            "grace": {"default": grace},
            "validation": {"unknown_sku": "accept", "address": "hold_order"},
            "totals": {"difference_up_to": 0.02, "otherwise": "hold_order"},
            "payment": {"managed_by": {SHOP: "channel"}},
            "promise": {"coalesce": "2s"},
            "waiting": {"acknowledge_within": f"{SILENCE_SECONDS}s"},
        },
    }


def _location(number: int) -> dict[str, Any]:
    region, latitude, longitude = (("US-NJ", 40.7, -74.1), ("US-NV", 39.6, -119.8))[number]
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
