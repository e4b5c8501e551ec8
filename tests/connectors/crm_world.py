"""The CRM on a real socket with its clock in the test's hand, and a whole hub beside it in simulated time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from connectors.crm_rest.emulator import CrmEmulator
from hub.actions.table import act
from hub.formats.registry import codec
from hub.runtime.configuration import load_configuration
from hub.runtime.declared import expression
from hub.runtime.place import Place
from hub.runtime.registry import Registry
from hub.runtime.simulation import Peer, Setting, Simulation
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.records import Effect, RawRequest, Tree
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock
from tests.connectors.declarative_world import Kept
from tests.simulation import site

START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
HOOK = "crm-webhook-secret"
CLIENT_SECRET = "crm-client-secret"
REGISTRY = Registry()


class World:
    """`control` plays the people at the CRM, `connector` is the hub's side."""

    def __init__(self, server: Server, emulator: CrmEmulator, clock: SettableClock) -> None:
        self.server, self.emulator, self.clock = server, emulator, clock
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), clock)
        self.connector = self.connect()

    def connect(self, **config: object) -> Any:
        given = {
            "base_url": self.server.url,
            "client_id": "order-hub",
            "client_secret": CLIENT_SECRET,
            "webhook_secrets": [HOOK],
        }
        context = Context(
            connection="crm",
            config=given | config,
            http=self.http,
            clock=self.clock,
            log=Kept(),
            loads=codec("json").loads,
            loads_xml=codec("xml").loads,
            soap=_no_soap,
            start_from={},
            expression=expression,
        )
        return REGISTRY.implementation(REGISTRY.manifests["crm_rest"])(context)

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def effect(self, payload: Tree, key: str = "customer/cu_1/or_1") -> Effect:
        return Effect(payload, key, {}, self.clock.now() + dt.timedelta(seconds=60))

    def ledger(self, kind: str) -> list[tuple[str, str]]:
        return [(key, subject) for _, key, subject, _ in self.emulator.ledger.entries(kind)]

    def webhooks(self) -> list[RawRequest]:
        now = self.clock.now()
        found = []
        for outgoing in self.emulator.due(now):
            self.emulator.settled(outgoing, 202)
            found.append(RawRequest("POST", f"/in/crm/{outgoing.topic}", "", outgoing.headers, outgoing.body, now))
        return found


@contextmanager
def crm(faults: Faults | None = None, ledger: str = ":memory:", **config: str) -> Iterator[World]:
    clock = SettableClock(START)
    emulator = CrmEmulator(
        ledger=Ledger(ledger), clock=clock, source=random.Random(3), faults=faults or Faults(), config=config
    )
    with serve(emulator) as server:
        yield World(server, emulator, clock)


# A whole hub.

CONNECTION: Mapping[str, Any] = {
    "id": "crm",
    "connector": "crm_rest",
    "config": {
        "base_url": "http://crm.example",
        "client_id": "order-hub",
        "client_secret": "${env:SIM_CRM_SECRET}",
        "webhook_secrets": ["${env:SIM_CRM_HOOK}"],
    },
    "streams": {"customers": {"push": True, "poll": {"every": "1m", "lookback": "10m"}}},
    "effects_out": {"upsert_customer": {}},
}
CALM = site.Weather({name: {} for name in site.HOSTS}, {"ship_seconds": "5"}, {})


class Whole:
    """The simulated site with a CRM."""

    def __init__(self, folder: Path, seed: int = 1, faults: Faults | None = None, crashes: int = 0, **crm: str) -> None:
        secrets = {**site.SECRETS, "SIM_CRM_SECRET": CLIENT_SECRET, "SIM_CRM_HOOK": HOOK}
        site._write_site(folder, "0")
        shop = site._files("0")["connections/shop.yaml"]
        shop["effects_out"].pop("push_inventory")  # levels are beside the point here
        (folder / "connections" / "shop.yaml").write_text(yaml.safe_dump(shop), encoding="utf-8")
        (folder / "connections" / "crm.yaml").write_text(yaml.safe_dump(dict(CONNECTION)), encoding="utf-8")
        setting = Setting(Place(folder, folder), load_configuration(folder, secrets), secrets, act)
        self.simulation = Simulation(
            setting, seed, lambda clock, source: self._peers(clock, source, faults or Faults(), crm), crashes=crashes
        )
        self.peers = {peer.connection: peer for peer in self.simulation.peers}
        rows = [{"warehouse": place, "sku": sku, "quantity": "50"} for place in site.LOCATIONS for sku in site.SKUS]
        self.ask(site.WMS, "set_stock", rows=rows)
        for place in site.LOCATIONS:
            self.ask(site.WMS, "snapshot", warehouse=place)

    def _peers(self, clock: Any, source: random.Random, faults: Faults, config: Mapping[str, str]) -> list[Peer]:
        emulator = CrmEmulator(
            ledger=Ledger(":memory:"), clock=clock, source=random.Random(5), faults=faults, config=config
        )
        return [*site.open_peers(CALM, clock, source), Peer("crm", "crm.example", emulator)]

    def ask(self, peer: str, verb: str, **asked: object) -> Any:
        answer = self.simulation.control(self.peers[peer], verb, json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def place(self, **wish: object) -> str:
        placed = self.ask(site.SHOP, "place", lines=[{"sku": "SKU-A", "quantity": 1, "price": "10.00"}], **wish)
        return str(placed["name"])

    def settle(self, hours: float = 2.0) -> None:
        self.simulation.settle(dt.timedelta(hours=hours))

    def calm(self) -> None:
        crm = self.peers["crm"].emulator.faults
        for one in dataclasses.fields(crm):
            if one.name != "script" and not one.name.endswith("_seconds"):
                setattr(crm, one.name, 0.0)
        self.simulation.plan.calm = True

    def rows(self, query: str) -> list[Any]:
        return list(self.simulation.database.connection.execute(query).fetchall())

    def puts(self) -> list[tuple[str, str]]:
        ledger = self.peers["crm"].emulator.ledger
        return [(key, subject) for _, key, subject, _ in ledger.entries("customer_put")]

    def close(self) -> None:
        self.simulation.close()


@contextmanager
def whole(folder: Path, **options: Any) -> Iterator[Whole]:
    made = Whole(folder, **options)
    try:
        yield made
    finally:
        made.close()


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
