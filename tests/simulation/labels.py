"""The simulated site with a carrier: the hub buys every label, the warehouse waits for them, parcels are scanned."""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from connectors.carrier_rest.emulator import CarrierEmulator
from hub.actions.table import act
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from hub.runtime.simulation import Peer, Setting, Simulation
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.ports import Clock
from tests.simulation import site

CARRIER = "carrier"
HOST = "carrier.example"
SECRETS = {**site.SECRETS, "SIM_CARRIER_KEY": "simulated-carrier", "SIM_CARRIER_SECRET": "simulated-carrier-secret"}


def connection() -> dict[str, Any]:
    return {
        "id": CARRIER,
        "connector": "carrier_rest",
        "config": {
            "base_url": f"http://{HOST}",
            "api_key": "${env:SIM_CARRIER_KEY}",
            "webhook_secrets": ["${env:SIM_CARRIER_SECRET}"],
        },
        "streams": {"tracking": {"push": True, "poll": {"every": "1m"}}},
        "effects_out": {"buy_label": {}, "void_label": {}},
    }


@functools.cache
def setting() -> Setting:
    """Read as a site's own files are: linted, checked against schemas, mappings compiled."""
    with tempfile.TemporaryDirectory(prefix="hub-labels-") as folder:
        place = Path(folder)
        files = site.site_files("0")
        files["connections/carrier.yaml"] = connection()
        files["connections/shop.yaml"]["effects_out"]["push_inventory"]["location_map"] = {site.SHOP_LOCATION: "east"}
        files["connections/wms.yaml"]["effects_out"]["send_label"] = {}
        for location in files["locations.yaml"]["locations"]:
            location["labels"] = {"by": "hub", "carrier": CARRIER, "services": {"express": "fastest"}}
        (place / "connections").mkdir()
        for name, content in files.items():
            (place / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return Setting(Place(place, place), load_configuration(place, SECRETS), SECRETS, act)


def open_peers(
    weather: site.Weather, faults: Faults, clock: Clock, source: random.Random, **config: str
) -> Sequence[Peer]:
    """The three systems of the site and the carrier."""
    own = {
        "api_key": SECRETS["SIM_CARRIER_KEY"],
        "webhook_secret": SECRETS["SIM_CARRIER_SECRET"],
        "scan_seconds": "300",
        "scan_every": "60",
        **config,
    }
    made = CarrierEmulator(
        ledger=Ledger(":memory:"),
        clock=clock,
        source=random.Random(source.getrandbits(64)),
        faults=faults,
        config=own,
    )
    return [*site.open_peers(weather, clock, source), Peer(CARRIER, HOST, made)]


def carrier(simulation: Simulation) -> CarrierEmulator:
    found = next(peer.emulator for peer in simulation.peers if peer.connection == CARRIER)
    assert isinstance(found, CarrierEmulator)
    return found


def labels_audit(simulation: Simulation) -> list[str]:
    """What of the hub's labels is not as the carrier's own ledger has it."""
    emulator, connection = carrier(simulation), simulation.database.connection
    sold = [(key, data) for _, key, _, data in emulator.ledger.entries("label")]
    found = [f"{key} was bought twice" for key in {key for key, _ in sold} if [k for k, _ in sold].count(key) > 1]
    account = yaml.safe_load(simulation.control(_peer(simulation), "account", b"{}").body)
    charged, refunded = connection.execute("SELECT COALESCE(SUM(cost), 0), SUM(refunded) FROM labels").fetchone()
    for ours, theirs, what in ((charged, account["charged"], "cost"), (refunded or 0, account["refunded"], "refund")):
        if Decimal(ours) / 1_000_000 != Decimal(theirs):
            found.append(f"labels {what} {ours} here, {theirs} there")
    lacking = "SELECT id FROM labels WHERE state = 'bought' AND (body_id IS NULL OR tracking_number IS NULL)"
    found += [f"label {row[0]} has no bytes or number" for row in connection.execute(lacking).fetchall()]
    unsent = "SELECT id FROM packages WHERE shipment_id IS NOT NULL AND tracking_number IS NULL"
    found += [f"package {row[0]} left without a number" for row in connection.execute(unsent).fetchall()]
    waiting = "SELECT detail FROM exceptions WHERE state = 'open' AND kind = 'label_missing'"
    found += [f"no label in the end: {row[0]}" for row in connection.execute(waiting).fetchall()]
    return found


def _peer(simulation: Simulation) -> Peer:
    return next(peer for peer in simulation.peers if peer.connection == CARRIER)
