"""A warehouse on a real socket, its clock in the test's hand, and the connector that talks to it."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.wms_rest.connector import WmsRest
from connectors.wms_rest.emulator import WmsEmulator
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping.library import MappingLibrary
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.errors import DataError
from hub.sdk.records import Cursor, Effect, RawRequest, Receipt, Tree
from hub.transport.http import HttpPolicy, RequestsHttp

SECRET = "wms-webhook-secret"
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


class World:
    """One warehouse. `control` plays the people in it, `connector` is the hub's side."""

    def __init__(
        self, ledger: str = ":memory:", faults: Faults | None = None, clock: Clock | None = None, **config: str
    ) -> None:
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.emulator = WmsEmulator(
            ledger=Ledger(ledger), clock=self.clock, source=random.Random(7), faults=self.faults, config=config
        )
        self.server: Server = serve(self.emulator)
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), self.clock)
        self.connector = self.connect()

    def connect(self, start_from: Mapping[str, dt.datetime] | None = None, **config: Any) -> WmsRest:
        given = {"base_url": self.server.url, "api_key": "wms-key", "webhook_secrets": [SECRET]}
        return WmsRest(
            Context(
                connection="wms-east",
                config=given | config,
                http=self.http,
                clock=self.clock,
                log=Silence(),
                loads=lambda body: loads("json", body),
                loads_xml=lambda body: loads("xml", body),
                soap=_no_soap,
                start_from=start_from or {},
            )
        )

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def stock(self, **quantities: str) -> None:
        rows = [{"warehouse": "EAST", "sku": sku, "quantity": amount} for sku, amount in quantities.items()]
        self.control("set_stock", rows=rows)

    def on_hand(self) -> dict[str, str]:
        return {row["sku"]: row["quantity"] for row in self.control("stock")["rows"]}

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pass_seconds(seconds)
        self.control("tick")

    def effect(self, payload: Tree) -> Effect:
        key = payload["reference"] if isinstance(payload, dict) else ""
        return Effect(payload, str(key), {}, self.clock.now() + dt.timedelta(seconds=60))

    def send(self, reference: str = "ful_1@1", **quantities: str) -> str | None:
        return self.connector.send_fulfilment_request(self.effect(request(reference, **quantities))).external_id

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        return [
            {"key": key, "subject": subject, **json.loads(data)}
            for _, key, subject, data in self.emulator.ledger.entries(kind)
        ]

    def events(self, stream: str) -> list[Tree]:
        """Everything the poll of a stream gives, as trees."""
        batches = self.connector.read(stream, Cursor("0"), 100)
        receipts = [receipt for batch in batches for receipt in batch.receipts]
        return [record.body for receipt in receipts for record in self.connector.parse(receipt)]

    def statuses(self) -> list[str]:
        mapping = MAPPINGS.get("wms_rest/fulfilment_responses.in")
        return [str(mapping.run(event).record["status"]) for event in self.events("fulfilment_responses")]

    def webhooks(self) -> list[RawRequest]:
        """The webhooks that are due, as the hub's door would see them; all of them taken."""
        now = self.clock.now()
        found = []
        for outgoing in self.emulator.due(now):
            self.emulator.settled(outgoing, 202)
            path = f"/in/wms-east/{outgoing.topic}"
            found.append(RawRequest("POST", path, "", outgoing.headers, outgoing.body, now))
        return found

    def receive(self, webhook: RawRequest) -> Receipt:
        self.connector.verify(webhook)
        return self.connector.receipt(webhook, webhook.path.rsplit("/", 1)[1])


def request(reference: str = "ful_1@1", /, **quantities: str) -> dict[str, Tree]:
    """A fulfilment request as the mapping makes it; lines are named after their SKU."""
    lines = [
        {"line_reference": f"lin_{sku}", "sku": sku, "quantity": amount}
        for sku, amount in (quantities or {"MUG": "2"}).items()
    ]
    return {
        "reference": reference,
        "client_order_id": reference.partition("@")[0],
        "order_number": "#1042",
        "warehouse": "EAST",
        "lines": list(lines),
    }


def cancellation(reference: str, client_order_id: str, **quantities: str) -> dict[str, Tree]:
    lines = [{"line_reference": f"lin_{sku}", "quantity": amount} for sku, amount in quantities.items()]
    return {
        "reference": reference,
        "cancellation_id": reference,
        "client_order_id": client_order_id,
        "lines": list(lines),
    }


def fixture(name: str) -> bytes:
    return (Path(__file__).parents[2] / "connectors" / "wms_rest" / "fixtures" / name).read_bytes()


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
