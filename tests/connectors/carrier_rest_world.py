"""A carrier aggregator on a real socket: the connector alone, and the whole hub that buys its labels there."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.carrier_rest.connector import CarrierRest
from connectors.carrier_rest.emulator import CarrierEmulator
from hub.exchange.connections import ConnectionView, Rendered, StreamView
from hub.exchange.mappings import MappedReply, MappedStream
from hub.exchange.polls import new_receipt
from hub.mapping.library import MappingLibrary
from hub.oms.ports import LabelRule
from hub.runtime.registry import Registry
from hub.runtime.rendering import MappingRenderer
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.ports import Clock
from hub.sdk.records import Ask, Effect, RawRequest, Receipt, Tree
from hub.store.sql_store import SqlStore
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock
from tests.connectors.wms_rest_world import Silence, loads
from tests.exchange.whole import Whole, spine
from tests.exchange.world import Echoing
from tests.property.memory_store import location, rules

ZERO = Decimal(0)
SECRET = "carrier-webhook-secret"
MAPPINGS = MappingLibrary()
MANIFEST = Registry().manifests["carrier_rest"]
ADDRESS = {
    "company": "Newark",
    "lines": ["1 Depot Road"],
    "locality": "Newark",
    "postal_code": "07114",
    "country": "US",
}


class Aggregator:
    """The emulator, served, and the connector that talks to it. `control` plays the people over there."""

    def __init__(self, clock: Clock, faults: Faults | None = None, ledger: str = ":memory:", **config: str) -> None:
        self.clock = clock
        self.faults = faults or Faults()
        self.emulator = CarrierEmulator(
            ledger=Ledger(ledger), clock=clock, source=random.Random(7), faults=self.faults, config=config
        )
        self.server: Server = serve(self.emulator)
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), clock)
        self.connector = self.connect()

    def connect(self, start_from: Mapping[str, dt.datetime] | None = None, **config: Any) -> CarrierRest:
        given = {"base_url": self.server.url, "api_key": "carrier-key", "webhook_secrets": [SECRET]}
        return CarrierRest(
            Context(
                connection="carrier",
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

    def __enter__(self) -> Aggregator:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        return [
            {"key": key, "subject": subject, **json.loads(data)}
            for _, key, subject, data in self.emulator.ledger.entries(kind)
        ]

    def later(self) -> dt.datetime:
        return self.clock.now() + dt.timedelta(seconds=30)

    def rates(self, **changes: Any) -> Any:
        reply = self.connector.rate(Ask({**question(), **changes}, self.later()))
        return mapped("rate.reply", json.loads(reply.raw))

    def buy(self, reference: str = "p1/label/1", *, attempt: int = 1, **changes: Any) -> Any:
        effect = Effect({**purchase(reference), **changes}, reference, {}, self.later(), attempt)
        return json.loads(self.connector.buy_label(effect).raw)

    def webhooks(self) -> list[RawRequest]:
        """The webhooks that are due, as the hub's door would see them; all of them taken."""
        now = self.clock.now()
        found = []
        for outgoing in self.emulator.due(now):
            self.emulator.settled(outgoing, 202)
            path = f"/in/carrier/{outgoing.topic}"
            found.append(RawRequest("POST", path, "", outgoing.headers, outgoing.body, now))
        return found

    def receive(self, webhook: RawRequest) -> Receipt:
        self.connector.verify(webhook)
        return self.connector.receipt(webhook, webhook.path.rsplit("/", 1)[1])


def mapped(name: str, tree: Tree) -> dict[str, Any]:
    return dict(MAPPINGS.get(f"carrier_rest/{name}").run(tree).record)


def place(**changes: Any) -> dict[str, Any]:
    return {"street": ["1 Example Street"], "city": "Albany", "postal_code": "12207", "country": "US", **changes}


def question(ounces: str = "30") -> dict[str, Any]:
    parcel = {"weight": {"value": ounces, "unit": "oz"}}
    return {"ship_from": place(), "ship_to": place(), "parcel": parcel}


def purchase(reference: str) -> dict[str, Any]:
    return {"reference": reference, "service": "saver", "label_format": "pdf", **question()}


class _Renderer(Echoing):
    """The carrier's own mappings for the carrier; the others of this world take records as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._mapped = MappingRenderer(lambda _: "carrier_rest", MAPPINGS, {})

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        if connection == "carrier":
            return self._mapped.render(connection, capability, record)
        return super().render(connection, capability, record)


class Labelling(Whole):
    """The whole hub with one location whose labels it buys at a real aggregator."""

    def __init__(
        self,
        faults: Faults | None = None,
        labels: LabelRule | None = None,
        store: SqlStore | None = None,
        clock: SettableClock | None = None,
        **config: str,
    ) -> None:
        east = location("east", labels=labels or LabelRule("carrier"), address=ADDRESS)
        given = rules(east, takers=spine().takers, follows_packages=True)
        clock = clock or SettableClock(dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC))
        self.carrier = Aggregator(clock, faults, **config)
        super().__init__(given, store, clock=clock)
        self.renderer = _Renderer()
        stream = MAPPINGS.inbound("carrier_rest", "tracking")
        assert stream is not None
        self.views["carrier"] = ConnectionView(
            "carrier",
            MANIFEST,
            self.carrier.connector,
            streams={
                "tracking": StreamView(
                    "tracking", mapping=MappedStream(stream, "tracking", MAPPINGS, {}), can_fetch=True
                )
            },
            capabilities=MANIFEST.capabilities,
            replies={name: MappedReply(_run(f"{name}.reply")) for name in ("rate", "buy_label", "void_label")},
            call_deadline=10.0,
        )
        self.change_rules(given)

    def __enter__(self) -> Labelling:
        return self

    def __exit__(self, *_: object) -> None:
        self.carrier.server.close()

    def order(self, external_id: str = "4507", version: str = "", **fields: Any) -> None:
        """An order of two TEE that the location has accepted."""
        del version
        self.restate(("L1", "TEE", 2), external_id=external_id, **fields)
        self.settle()

    def pack(self, *boxes: str, weight: str = "850") -> None:
        row = self.work("east")
        (line,) = self.rows("order_lines", order_id=row["order_id"])
        share = 2 // len(boxes or ("BOX-1",))
        packages = [
            {"package": box, "weight_grams": weight, "lines": [{"line": line["id"], "quantity": str(share)}]}
            for box in boxes or ("BOX-1",)
        ]
        self.fact(
            "fulfilment_responses", row["connection"], fulfilment_order=row["id"], status="packed", packages=packages
        )
        self.settle()

    def cancel(self, external_id: str = "4507") -> None:
        """The channel cancels and the location gives the goods up."""
        self.fact("cancel_requests", order_external_id=external_id)
        self.settle()
        row = self.work("east")
        asked = row["document"].get("cancel_requests") or []
        for request in asked:
            self.fact(
                "fulfilment_responses",
                row["connection"],
                fulfilment_order=row["id"],
                status="cancel_accepted",
                cancel_request=request["id"],
            )
        self.settle()

    def told(self) -> int:
        """Webhooks that are due come in; how many."""
        webhooks = self.carrier.webhooks()
        for webhook in webhooks:
            self.store.accept([new_receipt("carrier", self.carrier.receive(webhook), "webhook")])
        self.settle()
        return len(webhooks)

    def poll(self) -> None:
        """The safety net reads the whole log again."""
        for batch in self.carrier.connector.read("tracking", None, 100):
            self.store.accept([new_receipt("carrier", receipt, "poll") for receipt in batch.receipts])
        self.settle()

    def scan(self, number: str, status: str) -> None:
        self.carrier.control("scan", tracking_code=number, status=status)

    def labels(self) -> list[dict[str, Any]]:
        return self.rows("labels")

    def packages(self) -> list[dict[str, Any]]:
        return self.rows("packages")

    def money(self) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
        """(charged, refunded) as the hub has it and as the carrier's own ledger has it."""
        rows, account = self.labels(), self.carrier.control("account")
        ours = sum((row["cost"] or ZERO for row in rows), ZERO), sum((row["refunded"] for row in rows), ZERO)
        return ours, (Decimal(account["charged"]), Decimal(account["refunded"]))


def _run(name: str) -> Any:
    mapping = MAPPINGS.get(f"carrier_rest/{name}")
    return lambda tree: mapping.run(tree).record


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
