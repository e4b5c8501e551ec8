"""The CRM on a real socket with its clock in the test's hand, and a whole hub beside it in simulated time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from connectors.crm_rest.emulator import CrmEmulator
from connectors.erp_soap.emulator import ErpEmulator
from connectors.shopify.emulator import ShopifyEmulator
from connectors.wms_rest.emulator import WmsEmulator
from hub.actions.table import act
from hub.formats.registry import codec
from hub.runtime.configuration import load_configuration
from hub.runtime.declared import expression
from hub.runtime.place import Place
from hub.runtime.registry import Registry
from hub.runtime.simulation import Peer, Setting, Simulation
from hub.sdk.connector import Context
from hub.sdk.emulator import Emulator, Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.ports import Clock
from hub.sdk.records import Effect, RawRequest, Tree
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock
from tests.connectors.declarative_world import Kept

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

SECRETS: Mapping[str, str] = {
    "SHOP_TOKEN": "shop-token",
    "SHOP_HOOK": "shop-hook",
    "WMS_KEY": "wms-key",
    "WMS_HOOK": "wms-hook",
    "ERP_PASSWORD": "erp-password",
    "ERP_HOOK": "erp-hook",
    "CRM_SECRET": CLIENT_SECRET,
    "CRM_HOOK": HOOK,
}
SITE: Mapping[str, str] = {
    "hub.yaml": "seller: { name: Acme, default_entity: acme-us, base_currency: USD }\ndatabase: sqlite\n",
    "connections/shop.yaml": """
        id: shop
        connector: shopify
        config:
          shop: acme.example
          endpoint: http://shop.example
          access_token: "${env:SHOP_TOKEN}"
          webhook_secrets: ["${env:SHOP_HOOK}"]
          location: "655441491"
        streams: { orders: { start_from: always, push: true, poll: { every: 1m, lookback: 10m } } }
        effects_out: { push_shipment: {} }
        """,
    "connections/wms.yaml": """
        id: wms
        connector: wms_rest
        config:
          base_url: http://wms.example
          api_key: "${env:WMS_KEY}"
          webhook_secrets: ["${env:WMS_HOOK}"]
        streams:
          fulfilment_responses: { push: true, poll: { every: 1m, lookback: 10m } }
          shipments: { push: true, poll: { every: 1m, lookback: 10m } }
          stock: { means: on_hand, push: true, poll: { every: 1m } }
        effects_out: { send_fulfilment_request: {}, cancel_fulfilment_request: {} }
        """,
    "connections/erp.yaml": """
        id: erp
        connector: erp_soap
        config:
          endpoint: http://erp.example/soap
          username: hub
          password: "${env:ERP_PASSWORD}"
          webhook_secrets: ["${env:ERP_HOOK}"]
        streams: { acknowledgements: { push: true } }
        effects_out: { submit_order: {}, update_order: {}, cancel_order: {}, post_invoice: {} }
        """,
    "connections/crm.yaml": """
        id: crm
        connector: crm_rest
        config:
          base_url: http://crm.example
          client_id: order-hub
          client_secret: "${env:CRM_SECRET}"
          webhook_secrets: ["${env:CRM_HOOK}"]
        streams: { customers: { push: true, poll: { every: 1m, lookback: 10m } } }
        effects_out: { upsert_customer: {} }
        """,
    "locations.yaml": """
        locations:
          - id: east
            type: dc
            address: { lines: [1 Depot Road], locality: Anytown, admin_area: US-NJ, postal_code: "07001", country: US }
            zone: America/New_York
            wms: wms
            stock_authority: wms
            can: [ship]
        """,
    "routing.yaml": """
        strategies: { cheapest: { objective: cost } }
        rules: []
        fallback: { use: cheapest, when_nothing: backorder }
        """,
    "policies.yaml": "grace: { default: 0m }\nvalidation: { unknown_sku: accept }\n",
}


def write_site(folder: Path) -> None:
    """A configuration with a shop, a warehouse, an ERP and a CRM."""
    for name, text in SITE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip(), encoding="utf-8")


class Whole:
    """The whole hub of SITE; only the CRM misbehaves."""

    def __init__(self, folder: Path, seed: int = 1, faults: Faults | None = None, crashes: int = 0, **crm: str) -> None:
        write_site(folder)
        setting = Setting(Place(folder, folder), load_configuration(folder, SECRETS), SECRETS, act)
        given = faults or Faults()
        self.simulation = Simulation(setting, seed, lambda clock, _: _peers(clock, given, crm), crashes=crashes)
        self.peers = {peer.connection: peer for peer in self.simulation.peers}
        self.ask("wms", "set_stock", warehouse="east", sku="SKU-A", quantity="50")
        self.ask("wms", "snapshot", warehouse="east")

    def ask(self, peer: str, verb: str, **asked: object) -> Any:
        answer = self.simulation.control(self.peers[peer], verb, json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def place(self, **wish: object) -> str:
        placed = self.ask("shop", "place", lines=[{"sku": "SKU-A", "quantity": 1, "price": "10.00"}], **wish)
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


def _peers(clock: Clock, faults: Faults, crm: Mapping[str, str]) -> list[Peer]:
    shop = {"access_token": "shop-token", "webhook_secret": "shop-hook", "shop": "acme.example"}
    wms = {"api_key": "wms-key", "webhook_secret": "wms-hook", "warehouses": "east", "ship_seconds": "5"}
    erp = {"username": "hub", "password": "erp-password", "webhook_secret": "erp-hook"}
    made: list[tuple[str, Callable[..., Emulator], Faults, Mapping[str, str]]] = [
        ("shop", ShopifyEmulator, Faults(), {**shop, "location": "655441491", "skus": "SKU-A"}),
        ("wms", WmsEmulator, Faults(), wms),
        ("erp", ErpEmulator, Faults(), erp),
        ("crm", CrmEmulator, faults, crm),
    ]
    return [
        Peer(
            name,
            f"{name}.example",
            kind(ledger=Ledger(":memory:"), clock=clock, source=random.Random(number), faults=bad, config=config),
        )
        for number, (name, kind, bad, config) in enumerate(made)
    ]


@contextmanager
def whole(folder: Path, **options: Any) -> Iterator[Whole]:
    made = Whole(folder, **options)
    try:
        yield made
    finally:
        made.close()


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
