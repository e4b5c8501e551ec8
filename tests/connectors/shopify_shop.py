"""A shop on a real socket, its clock in the test's hand, and the connector that talks to it."""

from __future__ import annotations

import datetime as dt
import json
import random
import threading
from collections.abc import Mapping
from typing import Any

from connectors.shopify.connector import Shopify
from connectors.shopify.emulator import ShopifyEmulator
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping.library import MappingLibrary
from hub.sdk import ports
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context
from hub.sdk.emulator import EmulatedRequest, Emulator, Faults, Ledger, Outgoing
from hub.sdk.emulator_server import Server, serve
from hub.sdk.errors import DataError
from hub.sdk.records import Effect, RawRecord, RawRequest, Receipt, Tree
from hub.transport.http import HttpPolicy, RequestsHttp

TOKEN = "shpat_0000000000000000"
SECRET = "shop-webhook-secret"
SHOP = "acme.myshopify.example"
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
MAPPINGS = MappingLibrary()


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> dt.datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    def pass_seconds(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)


class Silence:
    def info(self, message: str, **fields: object) -> None:
        del message, fields

    warning = info


def loads(name: str, body: bytes) -> Tree:
    try:
        return codec(name).loads(body)
    except FormatError as error:
        raise DataError(str(error)) from error


def context_for(http: Any, clock: ports.Clock, config: Mapping[str, Any]) -> Context:
    return Context(
        connection="shopify-us",
        config=config,
        http=http,
        clock=clock,
        log=Silence(),
        loads=lambda body: loads("json", body),
        loads_xml=lambda body: loads("xml", body),
        soap=lambda *_, **__: None,  # type: ignore[arg-type]
        start_from={},
    )


class ShopWorld:
    """One shop. `control` plays the people in it, `connector` is the hub's side; webhooks wait until `delivered`."""

    def __init__(self, faults: Faults | None = None, ledger: str = ":memory:", **config: str) -> None:
        self.clock = Clock()
        self.faults = faults or Faults()
        given = {"access_token": TOKEN, "webhook_secret": SECRET, "shop": SHOP}
        self.emulator = ShopifyEmulator(
            ledger=Ledger(ledger), clock=self.clock, source=random.Random(7), faults=self.faults, config=given | config
        )
        self.server: Server = serve(_Quiet(self.emulator))
        self.http = RequestsHttp(HttpPolicy(connect_seconds=3, read_seconds=5), self.clock)
        self.connector = self.connect()

    def connect(self, **config: Any) -> Shopify:
        given = {
            "shop": SHOP,
            "endpoint": self.server.url,
            "access_token": TOKEN,
            "webhook_secrets": [SECRET],
            "location": "655441491",
        }
        return Shopify(context_for(self.http, self.clock, given | config))

    def control(self, verb: str, **wish: Any) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(wish).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def place(self, *lines: tuple[str, int, str], **wish: Any) -> str:
        """Lines are (sku, quantity, price)."""
        entries = [{"sku": sku, "quantity": quantity, "price": price} for sku, quantity, price in lines]
        return str(self.control("place", lines=entries, **wish)["id"])

    def order(self, identifier: str) -> Any:
        return self.control("order", id=identifier)

    def delivered(self) -> list[Receipt]:
        """Every webhook that is due, verified and taken as the hub would."""
        receipts = []
        for outgoing in self.emulator.webhooks.due(self.clock.now()):
            request = webhook(outgoing, self.clock.now())
            self.connector.verify(request)
            receipts.append(self.connector.receipt(request, outgoing.topic))
            self.emulator.webhooks.settled(outgoing, 202)
        return receipts

    def polled(self, stream: str = "orders") -> list[RawRecord]:
        batches = list(self.connector.read(stream, None, 1000))
        return [record for batch in batches for receipt in batch.receipts for record in self.connector.parse(receipt)]

    def shipment(
        self, order: str, lines: Mapping[str, int], tracking: str | None = "1Z999", before: int | None = None
    ) -> Effect:
        """The frozen payload of push_shipment, made by the mapping. `lines` is SKU -> quantity, `before` what of each
        had left before."""
        ids = {line["sku"]: str(line["id"]) for line in self.order(order)["line_items"]}
        shipment: dict[str, Any] = {
            "key": f"pkg_{tracking}/shopify-us",
            "order_external_id": order,
            "carrier": "UPS",
            "lines": [{"external_line_id": ids[sku], "sku": sku, "quantity": str(n)} for sku, n in lines.items()],
        }
        if before is not None:
            shipment["lines"] = [{**line, "told_before": str(before)} for line in shipment["lines"]]
        if tracking is not None:
            shipment["tracking_number"] = tracking
        return self.effect(Capability.PUSH_SHIPMENT, shipment)

    def level(self, sku: str, available: str, sequence: str, previous: str | None = None) -> Effect:
        level = {"sku": sku, "available": available, "sequence": sequence}
        return self.effect(Capability.PUSH_INVENTORY, level if previous is None else level | {"previous": previous})

    def effect(self, capability: Capability, record: Mapping[str, Any]) -> Effect:
        options = {"config": {"push_inventory": {"compare": True}}}
        mapped = MAPPINGS.get(f"shopify/{capability}.out").run(dict(record), context=options)
        key = str(record.get("key") or f"{record['sku']}/{record['sequence']}")
        deadline = self.clock.now() + dt.timedelta(seconds=60)
        return Effect(payload=mapped.record, key=key, refs={}, deadline=deadline)

    def ledger(self, kind: str) -> list[tuple[str, str, Any]]:
        """(key, subject, data) of a kind."""
        return [(key, subject, json.loads(data)) for _, key, subject, data in self.emulator.ledger.entries(kind)]

    def close(self) -> None:
        self.http.close()
        self.server.close()


class _Quiet(Emulator):
    """Keeps the server's own deliverer away from the webhooks, which the test delivers by hand."""

    def __init__(self, inner: ShopifyEmulator) -> None:
        self.inner = inner
        self.ledger, self.clock, self.faults = inner.ledger, inner.clock, inner.faults
        self.calls = 0
        self.lock = threading.Lock()

    def handle(self, request: EmulatedRequest) -> Any:
        with self.lock:
            return self.inner.handle(request)

    def due(self, now: dt.datetime) -> list[Outgoing]:
        del now
        return []

    def next_due(self) -> dt.datetime | None:
        return None


def webhook(outgoing: Outgoing, at: dt.datetime) -> RawRequest:
    return RawRequest(
        method="POST",
        path=f"/in/shopify-us/{outgoing.topic}",
        query="",
        headers={name.lower(): value for name, value in outgoing.headers.items()},
        body=outgoing.body,
        received_at=at,
    )
