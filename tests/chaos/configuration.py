"""The site's files: no grace, short settle times, three locations of one warehouse system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.scenario import LOCATIONS, STORE, Scenario
from tests.chaos.systems import CALL_DEADLINE, CARRIER, LABELLED, MAIL, PAYMENT, SHOP, SYSTEMS, WMS, channels_of
from tests.chaos.world import World

LETTERS = ("order_confirmed", "shipped", "ready_for_pickup")
"""What the shop's buyers are written."""


def write_configuration(folder: Path, world: World, database: str) -> None:
    """One connection for each system of the world; the rest is the same for all."""
    scenario = world.scenario
    (folder / "connections").mkdir(parents=True)
    (folder / "partners").mkdir()
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
    for row in world.rows:
        content = {
            "id": row.name,
            **row.connection(scenario, world.systems[row.name]),
            "limits": {"default": {"rate": "2000/s", "burst": 2000}},
            "call_deadline": CALL_DEADLINE,
        }
        _write(folder / "connections" / f"{row.name}.yaml", content)
        if row.partner is not None:
            _write(folder / "partners" / f"{row.partner['id']}.yaml", row.partner)
    locations = [_location(number, scenario) for number in range(len(LOCATIONS))]
    _write(folder / "locations.yaml", {"locations": locations})
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
    waiting = {"waiting": {"acknowledge_within": "3s"}} if world.shelf.silent else {}
    letters = {"notify": {"channels": {SHOP: {"templates": list(LETTERS)}}}} if MAIL in scenario.systems else {}
    _write(
        folder / "policies.yaml",
        {
            "grace": {"default": "0", "channels": {SHOP: "1s"}} if PAYMENT in scenario.systems else {"default": "0"},
            "validation": {"unknown_sku": "accept", "address": "hold_order"},
            "totals": {"difference_up_to": 0.02, "otherwise": "hold_order"},
            "payment": {"managed_by": {row.name: _who(row.name, scenario) for row in channels_of(scenario)}},
            "promise": {"coalesce": "500ms"},
            "pickup": {"hold_for": "6s", "remind_after": "0"},
            **waiting,
            **letters,
        },
    )


def environment() -> dict[str, str]:
    """The secrets that the configuration refers to."""
    return {name: value for row in SYSTEMS.values() for name, value in row.secrets.items()}


def _who(channel: str, scenario: Scenario) -> str:
    """The shop's money is the hub's to take, where there is a provider."""
    return "hub" if channel == SHOP and PAYMENT in scenario.systems else "channel"


def _location(number: int, scenario: Scenario) -> dict[str, Any]:
    region, latitude, longitude = (("US-NJ", 40.7, -74.1), ("US-NV", 39.6, -119.8), ("US-IL", 41.8, -87.6))[number]
    name = LOCATIONS[number]
    labels = {"labels": {"by": "hub", "carrier": CARRIER, "service": "cheapest"}}
    return {
        "id": name,
        "type": "store" if name == STORE else "dc",
        "name": name.title(),
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
        "can": ["ship", "receive_returns", *(("pickup",) if name == STORE else ())],
        **(labels if name == LABELLED and CARRIER in scenario.systems else {}),
    }


def _write(path: Path, content: object) -> None:
    # JSON in, YAML out: tuples and other Python shapes never reach the file.
    path.write_text(yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False), encoding="utf-8")
