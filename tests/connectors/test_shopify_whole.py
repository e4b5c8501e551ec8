"""The whole hub beside a shop on a real socket: what it is told, what comes back of it, and answers that are lost."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.shopify.connector import Shopify
from connectors.shopify.emulator import ShopifyEmulator
from hub.domain.decision import Decision
from hub.exchange.connections import ConnectionView, Rendered, StreamView
from hub.exchange.mappings import MappedReply, MappedStream
from hub.exchange.polls import new_receipt
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.desk.load import open_case
from hub.oms.desk.save import save
from hub.oms.money.pay import give_back
from hub.oms.people import cancel_order
from hub.runtime.registry import Registry
from hub.runtime.rendering import MappingRenderer
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import serve
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock
from tests.connectors.shopify_shop import MAPPINGS, SECRET, SHOP, TOKEN, _Quiet, context_for, webhook
from tests.exchange.whole import Whole, spine
from tests.exchange.world import Echoing
from tests.property.memory_store import channel

HERE = "shopify-us"
TOLD = ("push_shipment", "push_cancellation", "push_refund", "push_return", "push_order_status")
MANIFEST = Registry().manifests["shopify"]


class _Renderer(Echoing):
    def __init__(self) -> None:
        super().__init__()
        self._mapped = MappingRenderer(lambda _: "shopify", MAPPINGS, {})

    def render(self, connection: str, capability: str, record: Any) -> Rendered:
        if connection == HERE:
            return self._mapped.render(connection, capability, record)
        return super().render(connection, capability, record)


class Trading(Whole):
    """`Whole` whose channel is a real shop."""

    def __init__(self, faults: Faults | None = None) -> None:
        clock = SettableClock(dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC))
        config = {"access_token": TOKEN, "webhook_secret": SECRET, "shop": SHOP}
        self.faults = faults or Faults()
        self.emulator = ShopifyEmulator(
            ledger=Ledger(":memory:"), clock=clock, source=random.Random(7), faults=self.faults, config=config
        )
        self.server = serve(_Quiet(self.emulator))
        self.http = RequestsHttp(HttpPolicy(connect_seconds=3, read_seconds=5), clock)
        given = {"shop": SHOP, "endpoint": self.server.url, "access_token": TOKEN, "webhook_secrets": [SECRET]}
        self.connector = Shopify(context_for(self.http, clock, {**given, "location": "655441491"}))
        made = spine()
        shop = channel(id=HERE, capabilities=frozenset(TOLD))
        made = replace(made, channels={HERE: shop}, takers={**made.takers, "push_inventory": ()})
        super().__init__(made, clock=clock)
        self.renderer = _Renderer()
        streams = {}
        for name in ("orders", "refunds", "shipments"):
            mapping = MAPPINGS.inbound("shopify", name)
            assert mapping is not None
            streams[name] = StreamView(name, mapping=MappedStream(mapping, name, MAPPINGS, {}))
        self.views[HERE] = ConnectionView(
            HERE,
            MANIFEST,
            self.connector,
            streams=streams,
            capabilities={Capability(name): MANIFEST.capabilities[Capability(name)] for name in TOLD},
            replies={
                name: MappedReply(lambda tree, one=mapped: one.run(tree).record)  # type: ignore[misc]
                for name in TOLD
                if (mapped := MAPPINGS.reply("shopify", name)) is not None
            },
            call_deadline=10.0,
        )
        self.change_rules(made)

    def close(self) -> None:
        self.http.close()
        self.server.close()

    def control(self, verb: str, **wish: Any) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(wish).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def told(self) -> None:
        """Webhooks that are due come in."""
        for outgoing in self.emulator.webhooks.due(self.clock.now()):
            receipt = self.connector.receipt(webhook(outgoing, self.clock.now()), outgoing.topic)
            self.store.accept([new_receipt(HERE, receipt, "webhook")])
            self.emulator.webhooks.settled(outgoing, 202)

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def passes(self, rounds: int = 12, seconds: float = 8) -> None:
        for _ in range(rounds):
            self.later(seconds)
            self.told()
            self.settle()

    def bought(self, units: int) -> str:
        """Somebody buys mugs that no location has; the shop's id."""
        self.items("MUG")
        lines = [{"sku": "MUG", "quantity": units, "price": "10.00"}]
        order = str(self.control("place", lines=lines)["id"])
        self.told()
        self.settle()
        return order

    def in_shop(self, kind: str) -> list[Any]:
        return [json.loads(data) for *_, data in self.emulator.ledger.entries(kind)]

    def line_of(self, order: str) -> str:
        return str(self.control("order", id=order)["line_items"][0]["id"])


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Trading]:
    made = Trading(getattr(request, "param", None))
    yield made
    made.close()


def state(hub: Trading, capability: str) -> list[str]:
    return [row["state"] for row in hub.rows("deliveries") if row["capability"] == capability]


def refunded(hub: Trading) -> list[Decimal]:
    return [row["amount"] for row in hub.rows("money_moves") if row["kind"] == "refunded"]


def test_a_cancellation_here_takes_the_order_off_the_shop_which_pays_back_once(hub: Trading) -> None:
    hub.bought(2)
    hub.person(cancel_order)
    hub.passes()
    assert state(hub, "push_cancellation") == ["acknowledged"]
    assert hub.in_shop("cancel") == [{"by": "hub", "reason": "other"}]
    assert [one["amount"] for one in hub.in_shop("refund")] == ["20.00"]
    assert hub.the_order()["status"] == "cancelled"
    assert refunded(hub) == [20]
    assert hub.findings() == []


@pytest.mark.parametrize(
    "hub",
    [
        Faults(echo_first=1.0),
        Faults(script={3: "error_after"}),
        Faults(script={3: "drop_after"}),
        Faults(script={3: "late_commit"}, late_commit_seconds=3),
        Faults(script={3: "error_before"}),
        Faults(script={1: "throttle"}),
    ],
    indirect=True,
    ids=["echo first", "error after", "answer lost", "late", "error before", "throttled"],
)
def test_quantities_are_cancelled_and_paid_back_once_whatever_becomes_of_the_answer(hub: Trading) -> None:
    order = hub.bought(3)

    def verb(snapshot: Any, rules: Any, now: Any, cause: str, order: str, who: str, reason: str) -> Decision:
        return cancel_lines(snapshot, rules, now, cause, order, who, reason, [("1", Decimal(1))])[0]

    hub.person(verb)
    hub.passes()
    assert state(hub, "push_cancellation") == ["acknowledged"]
    assert [(one["amount"], one["lines"]) for one in hub.in_shop("refund")] == [("10.00", {hub.line_of(order): 1})]
    assert hub.the_order()["status"] != "cancelled"
    (line,) = hub.rows("order_lines")
    assert (line["cancelled"], line["ordered"]) == (1, 3)
    assert refunded(hub) == [10]
    assert hub.findings() == []
    assert not hub.faults.script or hub.emulator.ledger.faults()


def _goodwill(snapshot: Any, rules: Any, now: dt.datetime, cause: str, order: str, who: str, reason: str) -> Decision:
    case = open_case(snapshot, rules, now, cause, order)
    assert case is not None
    give_back(case, Decimal("4.00"), "goodwill", reason)
    return save(case)


@pytest.mark.parametrize(
    "hub",
    [Faults(echo_first=1.0), Faults(script={2: "error_after"}), Faults(script={2: "drop_after"}, echo_first=1.0)],
    indirect=True,
    ids=["echo first", "error after", "echo first and answer lost"],
)
def test_a_refund_that_the_shop_makes_for_us_is_paid_and_booked_once(hub: Trading) -> None:
    hub.bought(2)
    hub.person(_goodwill)
    hub.told()
    hub.settle()
    hub.passes()
    assert state(hub, "push_refund") == ["acknowledged"]
    assert [one["amount"] for one in hub.in_shop("refund")] == ["4.00"]
    assert refunded(hub) == [4]
    assert [(row["amount"], row["state"]) for row in hub.rows("refunds")] == [(4, "succeeded")]
    assert hub.findings() == []
    assert not hub.faults.script or hub.emulator.ledger.faults()
