"""A marketplace on a real socket, its clock in the test's hand, and the connector that talks to it."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping
from typing import Any

from connectors.amazon_sp.connector import AmazonSp
from connectors.amazon_sp.emulator import AmazonEmulator
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping.library import MappingLibrary
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.errors import DataError
from hub.sdk.records import Batch, Cursor, Effect, RawRecord, Receipt, Tree
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.limits import Limits

START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
GERMANY, BRITAIN = "A1PA6795UKMFR9", "A1F83G8C2ARO7P"
SELLER = "A2EXAMPLESELLER"
CREDENTIALS = {"client_id": "amzn1.client", "client_secret": "lwa-secret", "refresh_token": "Atzr|refresh"}
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


class AmazonWorld:
    """One seller's marketplaces. `control` plays the people in them, `connector` is the hub's side."""

    def __init__(self, faults: Faults | None = None, limits: Limits | None = None, **config: str) -> None:
        self.clock = Clock()
        self.faults = faults or Faults()
        given = {**CREDENTIALS, "seller_id": SELLER, "marketplace": GERMANY}
        self.emulator = AmazonEmulator(
            ledger=Ledger(":memory:"),
            clock=self.clock,
            source=random.Random(7),
            faults=self.faults,
            config=given | config,
        )
        self.server: Server = serve(self.emulator)
        self.http = RequestsHttp(HttpPolicy(connect_seconds=3, read_seconds=5), self.clock, limits=limits)
        self.connector = self.connect()

    def connect(self, **config: Any) -> AmazonSp:
        return self.connect_with(frozenset({"orders", "cancel_requests"}), **config)

    def connect_with(self, streams: frozenset[str], **config: Any) -> AmazonSp:
        given = {
            "region": "eu",
            "marketplaces": [GERMANY],
            "endpoint": self.server.url,
            "token_endpoint": f"{self.server.url}/auth/o2/token",
            "seller_id": SELLER,
            **CREDENTIALS,
        }
        return AmazonSp(self.context(given | config, streams))

    def context(self, config: Mapping[str, Any], streams: frozenset[str]) -> Context:
        return Context(
            connection="amazon-eu",
            config=config,
            http=self.http,
            clock=self.clock,
            log=Silence(),
            loads=lambda body: loads("json", body),
            loads_xml=lambda body: loads("xml", body),
            soap=lambda *_, **__: None,  # type: ignore[arg-type]
            start_from={"orders": START - dt.timedelta(days=1)},
            streams=streams,
        )

    def control(self, verb: str, **wish: Any) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(wish).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def place(self, *lines: tuple[str, int, str], **wish: Any) -> str:
        """Lines are (sku, quantity, price)."""
        entries = [{"sku": sku, "quantity": quantity, "price": price} for sku, quantity, price in lines]
        return str(self.control("place", lines=entries, **wish)["id"])

    def order(self, order_id: str) -> Any:
        return self.control("order", id=order_id)

    def batches(self, cursor: Cursor | None = None) -> list[Batch]:
        return list(self.connector.read("orders", cursor, 250))

    def records(self, batches: list[Batch], stream: str = "orders") -> list[RawRecord]:
        receipts: list[Receipt] = [receipt for batch in batches for receipt in batch.receipts]
        return [one for receipt in receipts for one in self.connector.parse(receipt) if one.stream == stream]

    def shipment(self, order_id: str, lines: Mapping[str, int], tracking: str = "1Z999", **more: str) -> Effect:
        """The frozen payload of push_shipment, made by the mapping. `lines` is SKU -> quantity."""
        ids = {item["product"]["sellerSku"]: item["orderItemId"] for item in self.order(order_id)["orderItems"]}
        shipment: dict[str, Any] = {
            "key": f"pkg_{tracking}/amazon-eu",
            "package": f"pkg_{tracking}",
            "order_external_id": order_id,
            "carrier": "UPS",
            "tracking_number": tracking,
            "shipped_at": "2026-11-02T08:00:00.000000Z",
            "lines": [{"external_line_id": ids[sku], "sku": sku, "quantity": str(n)} for sku, n in lines.items()],
            **more,
        }
        return self.effect(Capability.PUSH_SHIPMENT, shipment)

    def level(self, sku: str, available: str, sequence: str = "1") -> Effect:
        return self.effect(Capability.PUSH_INVENTORY, {"sku": sku, "available": available, "sequence": sequence})

    def effect(self, capability: Capability, record: Mapping[str, Any]) -> Effect:
        mapped = MAPPINGS.get(f"amazon_sp/{capability}.out").run(dict(record))
        key = str(record.get("key") or f"{record['sku']}/{record['sequence']}")
        return Effect(payload=mapped.record, key=key, refs={}, deadline=self.clock.now() + dt.timedelta(seconds=60))

    def ledger(self, kind: str) -> list[tuple[str, str, Any]]:
        """(key, subject, data) of a kind."""
        return [(key, subject, json.loads(data)) for _, key, subject, data in self.emulator.ledger.entries(kind)]

    def close(self) -> None:
        self.http.close()
        self.server.close()
