"""A payment provider on a real socket: the connector alone, and the whole hub that takes its money there."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.payment_rest.connector import PaymentRest
from connectors.payment_rest.emulator import PaymentEmulator
from hub.domain.decision import Decision
from hub.domain.snapshot import Snapshot
from hub.exchange.connections import ConnectionView, Rendered, StreamView
from hub.exchange.mappings import MappedReply, MappedStream
from hub.exchange.polls import new_receipt
from hub.mapping.library import MappingLibrary
from hub.oms.money.payment_actions import capture_again, refund_order
from hub.oms.ports import Rules
from hub.runtime.registry import Registry
from hub.runtime.rendering import MappingRenderer
from hub.sdk.connector import Context
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.ports import Clock
from hub.sdk.records import Effect, RawRequest, Receipt
from hub.store.sql_store import SqlStore
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock
from tests.connectors.wms_rest_world import Silence, loads
from tests.exchange.whole import Whole, spine
from tests.exchange.world import Echoing

ZERO = Decimal(0)
SECRET = "payment-webhook-secret"
MAPPINGS = MappingLibrary()
MANIFEST = Registry().manifests["payment_rest"]
CAPABILITIES = ("authorise", "reauthorise", "capture", "refund", "void")
STREAMS = ("payments", "refunds", "payouts")


class Provider:
    """The emulator, served, and the connector that talks to it. `control` plays the people over there."""

    def __init__(self, clock: Clock, faults: Faults | None = None, **config: str) -> None:
        self.clock = clock
        self.faults = faults or Faults()
        self.emulator = PaymentEmulator(
            ledger=Ledger(":memory:"), clock=clock, source=random.Random(7), faults=self.faults, config=config
        )
        self.server: Server = serve(self.emulator)
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), clock)
        self.connector = self.connect()

    def connect(self, start_from: Mapping[str, dt.datetime] | None = None, **config: Any) -> PaymentRest:
        given = {"base_url": self.server.url, "api_key": "payment-key", "webhook_secrets": [SECRET]}
        return PaymentRest(
            Context(
                connection="payment",
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

    def __enter__(self) -> Provider:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def authorised(self, amount: str, **said: str) -> str:
        """A checkout authorised so much; the payment's id."""
        return str(self.control("authorise", amount=amount, **said)["id"])

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        return [
            {"key": key, "subject": subject, **json.loads(data)}
            for _, key, subject, data in self.emulator.ledger.entries(kind)
        ]

    def effect(self, payment: str, amount: str = "10.00", reference: str = "r1", *, attempt: int = 1) -> Effect:
        payload = {"reference": reference, "payment": payment, "amount": {"value": amount, "currency": "USD"}}
        return Effect(payload, reference, {}, self.clock.now() + dt.timedelta(seconds=30), attempt)

    def webhooks(self) -> list[RawRequest]:
        """The webhooks that are due, as the hub's door would see them; all of them taken."""
        now = self.clock.now()
        found = []
        for outgoing in self.emulator.due(now):
            self.emulator.settled(outgoing, 202)
            found.append(RawRequest("POST", f"/in/payment/{outgoing.topic}", "", outgoing.headers, outgoing.body, now))
        return found

    def receive(self, webhook: RawRequest) -> Receipt:
        self.connector.verify(webhook)
        return self.connector.receipt(webhook, webhook.path.rsplit("/", 1)[1])


class _Renderer(Echoing):
    """The provider's own mappings for the provider; the others of this world take records as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._mapped = MappingRenderer(lambda _: "payment_rest", MAPPINGS, {})

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        if connection == "payment":
            return self._mapped.render(connection, capability, record)
        return super().render(connection, capability, record)


class Paying(Whole):
    """The whole hub with a shop whose money it manages at a real provider. `ledgers` compares both books."""

    def __init__(
        self,
        faults: Faults | None = None,
        store: SqlStore | None = None,
        clock: SettableClock | None = None,
        **config: str,
    ) -> None:
        clock = clock or SettableClock(dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC))
        base = spine()
        shop = replace(base.channels["shop"], money="hub")
        takers = {**base.takers, **dict.fromkeys(CAPABILITIES, ("payment",))}
        given = replace(base, channels={"shop": shop}, takers=takers)
        self.provider = Provider(clock, faults, **config)
        super().__init__(given, store, clock=clock)
        self.renderer = _Renderer()
        streams = {}
        for name in STREAMS:
            mapping = MAPPINGS.inbound("payment_rest", name)
            assert mapping is not None
            streams[name] = StreamView(name, mapping=MappedStream(mapping, name, MAPPINGS, {}), can_fetch=True)
        self.views["payment"] = ConnectionView(
            "payment",
            MANIFEST,
            self.provider.connector,
            streams=streams,
            capabilities=MANIFEST.capabilities,
            replies={name: MappedReply(_run(f"{name}.reply")) for name in CAPABILITIES},
            call_deadline=10.0,
        )
        self.change_rules(given)

    def __enter__(self) -> Paying:
        return self

    def __exit__(self, *_: object) -> None:
        self.provider.server.close()

    def order_paid_by(self, amount: str, units: int = 2, **said: Any) -> str:
        """An order of TEEs at 10.00, authorised at the provider; the payment's id."""
        payment = self.provider.authorised(amount)
        stated = {"external_id": payment, "method": "card", "amount": amount, "state": "authorised"}
        self.restate(("L1", "TEE", units), payments=[stated], **said)
        self.settle()
        return payment

    def refund(self, order_id: str, amount: str) -> None:
        """Somebody gives an amount back."""
        self.person(_refund, order_id, Decimal(amount))

    def capture_again(self, order_id: str) -> None:
        self.person(capture_again, order_id)

    def told(self) -> int:
        """Webhooks that are due come in; how many."""
        webhooks = self.provider.webhooks()
        for webhook in webhooks:
            self.store.accept([new_receipt("payment", self.provider.receive(webhook), "webhook")])
        self.settle()
        return len(webhooks)

    def poll(self) -> None:
        """The safety net reads every log again."""
        for stream in STREAMS:
            for batch in self.provider.connector.read(stream, None, 100):
                self.store.accept([new_receipt("payment", receipt, "poll") for receipt in batch.receipts])
        self.settle()

    def ledgers(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """What was captured and refunded, as the hub has it and as the provider's own books have it."""
        rows, account = self.rows("payments"), self.provider.control("account")
        names = ("captured", "refunded")
        ours = {name: sum((row[name] for row in rows), ZERO) for name in names}
        return ours, {name: Decimal(account[name]) for name in names}


def _refund(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    order_id: str,
    amount: Decimal,
    who: str,
    reason: str,
) -> Decision:
    return refund_order(snapshot, rules, now, cause, order_id, who, reason, amount, {})


def _run(name: str) -> Any:
    mapping = MAPPINGS.get(f"payment_rest/{name}")
    return lambda tree: mapping.run(tree).record


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
