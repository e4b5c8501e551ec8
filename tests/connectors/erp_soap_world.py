"""An ERP on a real socket, its clock in the test's hand, and the connector that talks SOAP to it through zeep."""

from __future__ import annotations

import datetime as dt
import functools
import json
import random
from pathlib import Path
from typing import Any

from connectors.erp_soap.connector import ErpSoap
from connectors.erp_soap.emulator import ErpEmulator
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping.library import MappingLibrary
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.errors import DataError
from hub.sdk.ports import HttpPort
from hub.sdk.records import Effect, RawRequest, Reply, Tree
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.soap import open_soap

SECRET = "erp-webhook-secret"
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
MAPPINGS = MappingLibrary()
FOLDER = Path(__file__).parents[2] / "connectors" / "erp_soap"


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


class Notebook:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, dict[str, object]]] = []

    def info(self, message: str, **fields: object) -> None:
        del message, fields

    def warning(self, message: str, **fields: object) -> None:
        self.warnings.append((message, fields))


def loads(name: str, body: bytes) -> Tree:
    try:
        return codec(name).loads(body)
    except FormatError as error:
        raise DataError(str(error)) from error


def connector_at(url: str, http: HttpPort, clock: Clock, log: Notebook, **config: Any) -> ErpSoap:
    given = {"endpoint": f"{url}/sales", "username": "hub", "password": "erp-password", "webhook_secrets": [SECRET]}
    return ErpSoap(
        Context(
            connection="erp-soap",
            config=given | config,
            http=http,
            clock=clock,
            log=log,
            loads=lambda body: loads("json", body),
            loads_xml=lambda body: loads("xml", body),
            soap=functools.partial(open_soap, http),
            start_from={},
        )
    )


class World:
    """One ERP. `control` plays the people in it, `connector` is the hub's side."""

    def __init__(
        self, ledger: str = ":memory:", faults: Faults | None = None, clock: Clock | None = None, **config: str
    ) -> None:
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.log = Notebook()
        self.emulator = ErpEmulator(
            ledger=Ledger(ledger), clock=self.clock, source=random.Random(7), faults=self.faults, config=config
        )
        self.server: Server = serve(self.emulator)
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), self.clock)
        self.connector = self.connect()

    def connect(self, **config: Any) -> ErpSoap:
        return connector_at(self.server.url, self.http, self.clock, self.log, **config)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["items"]

    def effect(self, payload: Tree) -> Effect:
        key = payload["Reference"] if isinstance(payload, dict) else ""
        return Effect(payload, str(key), {}, self.clock.now() + dt.timedelta(seconds=60))

    def submit(self, reference: str = "ord_1", /, **changes: Tree) -> Reply:
        return self.connector.submit_order(self.effect(order(reference, **changes)))

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        return [
            {"key": key, "subject": subject, **json.loads(data)}
            for _, key, subject, data in self.emulator.ledger.entries(kind)
        ]

    def webhooks(self) -> list[RawRequest]:
        """The acknowledgements that are due, as the hub's door would see them; all of them taken."""
        now = self.clock.now()
        found = []
        for outgoing in self.emulator.due(now):
            self.emulator.settled(outgoing, 202)
            path = f"/in/erp-soap/{outgoing.topic}"
            found.append(RawRequest("POST", path, "", outgoing.headers, outgoing.body, now))
        return found


def order(reference: str = "ord_1", /, **changes: Tree) -> dict[str, Tree]:
    """An order as the mapping makes it."""
    return {
        "Reference": reference,
        "OrderReference": reference.partition("@")[0],
        "CustomerCode": "shopify-us",
        "Currency": "USD",
        "Totals": {"Total": "51.15"},
        "Lines": {"Line": [{"LineReference": "lin_1", "Sku": "MUG", "Quantity": "2"}]},
        **changes,
    }


def invoice(reference: str = "shp_1", /, **changes: Tree) -> dict[str, Tree]:
    return {
        "Reference": reference,
        "OrderReference": "ord_1",
        "Currency": "USD",
        "Amount": "28.65",
        "Lines": {"Line": [{"LineReference": "lin_1", "Quantity": "2"}]},
        **changes,
    }


def answer_of(reply: Reply, capability: str) -> dict[str, object]:
    """What the reply mapping makes of an answer's bytes."""
    return MAPPINGS.get(f"erp_soap/{capability}.reply").run(loads("xml", reply.raw)).record


def canonical(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "fixtures" / "canonical" / f"{name}.json").read_bytes())
    return found
