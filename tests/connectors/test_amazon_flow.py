"""A marketplace's orders inside the hub: what waits, what is only captured, what a buyer's wish to cancel does."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.app import opened_hub
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from hub.store.reading import open_reading
from hub.views.orders import list_orders, show_order

FIXTURES = Path(__file__).resolve().parents[2] / "mappings" / "amazon_sp" / "fixtures"
ENVIRONMENT = {"LWA_ID": "id", "LWA_SECRET": "secret", "LWA_REFRESH": "refresh"}
HUB = """
seller: { name: Acme, default_entity: acme, base_currency: EUR, entities: { acme: { legal_name: Acme } } }
database: sqlite
"""
POLICIES = """
validation: { unknown_sku: accept, address: hold_order, payment: { require: [authorised, paid] } }
totals: { difference_up_to: 0.02, otherwise: hold_order }
"""
ROUTING = """
strategies: { cheapest: { objective: cost } }
rules: []
fallback: { use: cheapest, when_nothing: backorder }
"""
CONNECTION = """
id: amazon-eu
connector: amazon_sp
config:
  region: eu
  marketplaces: [A1PA6795UKMFR9]
  client_id: "${env:LWA_ID}"
  client_secret: "${env:LWA_SECRET}"
  refresh_token: "${env:LWA_REFRESH}"
streams:
  orders: { start_from: 2026-11-01T00:00:00Z, poll: { every: 5m, lookback: 15m } }
  cancel_requests: {}
effects_out: { push_shipment: {} }
limits:
  searchOrders: { rate: 0.0056/s, burst: 20, learn_from: x-amzn-RateLimit-Limit }
"""


class Given:
    """A hub in a folder that bodies are given to as if they had been polled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = folder / "config"
        (config / "connections").mkdir(parents=True)
        files = {"hub": HUB, "policies": POLICIES, "routing": ROUTING, "locations": "locations: []\n"}
        for name, text in {**files, "connections/amazon-eu": CONNECTION}.items():
            (config / f"{name}.yaml").write_text(text, encoding="utf-8")
        self.place = Place(config, folder / "home")
        self.loaded = load_configuration(config, ENVIRONMENT)
        self.number = 0

    def give(self, *bodies: Any) -> list[Any]:
        paths = []
        for body in bodies:
            self.number += 1
            paths.append(self.folder / f"{self.number}.json")
            paths[-1].write_text(json.dumps(body), encoding="utf-8")
        with opened_hub(self.place, self.loaded, environ=ENVIRONMENT) as hub:
            given = {"who": "test", "connection": "amazon-eu", "files": [str(path) for path in paths]}
            return [dict(item) for item in hub.act("ingest", given)["items"]]

    def order(self) -> Any:
        with open_reading("hub.db", home=self.place.home) as connection:
            (row,) = list_orders(connection, channel="amazon-eu")
            return show_order(connection, row["id"])


@pytest.fixture
def hub(tmp_path: Path) -> Given:
    return Given(tmp_path)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def open_holds(order: Any) -> list[str]:
    return sorted(hold["rule"] for hold in order["holds"] if hold["released_at"] is None)


def open_exceptions(order: Any) -> list[str]:
    return sorted(order["document"].get("raised", []))


def released(pending: Any) -> Any:
    """The pending order as the marketplace shows it once it has let it go."""
    body = copy.deepcopy(pending)
    body["lastUpdatedTime"] = "2026-11-03T08:31:00Z"
    body["fulfillment"]["fulfillmentStatus"] = "UNSHIPPED"
    body["proceeds"] = {"grandTotal": {"amount": "45.00", "currencyCode": "EUR"}}
    body["recipient"] = {"deliveryAddress": fixture("unshipped")["recipient"]["deliveryAddress"]}
    item = body["orderItems"][0]
    item["product"]["price"] = {"unitPrice": {"amount": "15.00", "currencyCode": "EUR"}}
    return body


def test_a_pending_order_is_held_quietly_and_goes_on_when_the_channel_lets_it_go(hub: Given) -> None:
    pending = fixture("pending")
    (item,) = hub.give(pending)
    assert (item["status"], item["error"]["code"]) == ("held", "pending")
    order = hub.order()
    assert open_holds(order) == ["pending"]
    assert open_exceptions(order) == []
    assert (order["currency"], order["total"]) == ("EUR", None)
    (item,) = hub.give(released(pending))
    assert item["status"] == "applied"
    order = hub.order()
    assert (open_holds(order), order["total"], order["effects"]) == ([], Decimal(45), "on")


def test_a_pending_restate_that_comes_late_holds_nothing_any_more(hub: Given) -> None:
    pending = fixture("pending")
    hub.give(released(pending), pending)
    assert open_holds(hub.order()) == []


def test_an_order_let_go_in_another_currency_than_expected_is_the_same_order(hub: Given) -> None:
    pending = fixture("pending")
    body = released(pending)
    body["proceeds"]["grandTotal"]["currencyCode"] = "PLN"
    assert [item["status"] for item in hub.give(pending, body)] == ["held", "applied"]
    assert hub.order()["currency"] == "PLN"
    body["proceeds"]["grandTotal"]["currencyCode"] = "USD"
    body["lastUpdatedTime"] = "2026-11-03T09:00:00Z"
    (item,) = hub.give(body)
    assert (item["status"], item["error"]["code"]) == ("parked", "identity_reused")


def test_a_pending_order_may_be_cancelled(hub: Given) -> None:
    pending = fixture("pending")
    gone = copy.deepcopy(pending)
    gone["lastUpdatedTime"] = "2026-11-03T09:00:00Z"
    gone["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
    hub.give(pending, gone)
    order = hub.order()
    assert (order["status"], open_holds(order)) == ("cancelled", [])


def test_orders_that_the_channel_fulfils_are_captured_without_effects(hub: Given) -> None:
    (item,) = hub.give(fixture("by_the_channel"))
    assert item["status"] == "applied"
    order = hub.order()
    assert (order["effects"], open_holds(order), order["currency"]) == ("none", [], "JPY")
    assert order["document"]["no_effects"] == "fulfilled by the channel"
    assert order["fulfilment_orders"] == []


def asked_to_cancel() -> Any:
    body = fixture("unshipped")
    request = {"requester": "BUYER", "cancelReason": "Changed mind"}
    body["orderItems"][0]["cancellation"] = {"cancellationRequest": request}
    body["lastUpdatedTime"] = "2026-11-03T15:00:00Z"
    return body


def test_a_buyers_wish_takes_the_item_back_and_leaves_the_channel_to_a_person(hub: Given) -> None:
    statuses = [item["status"] for item in hub.give(fixture("unshipped"), asked_to_cancel(), asked_to_cancel())]
    assert statuses == ["applied", "applied", "applied", "duplicate", "duplicate"]
    order = hub.order()
    assert [line["quantities"].get("cancelled", 0) for line in order["lines"]] == [2, 0]
    assert open_exceptions(order) == [f"cancel-at-channel/{order['id']}"]
    done = asked_to_cancel()
    done["lastUpdatedTime"] = "2026-11-03T16:00:00Z"
    done["orderItems"][0]["cancellation"]["cancellationExecution"] = {"cancelledBy": "MERCHANT"}
    hub.give(done)
    order = hub.order()
    assert [line["quantities"].get("cancelled", 0) for line in order["lines"]] == [2, 0]
    assert open_exceptions(order) == []


def test_the_old_shape_makes_one_order_of_its_parts(hub: Given) -> None:
    order_body, items = {"payload": fixture("order_v0")}, {"payload": fixture("items_v0")}
    del items["payload"]["OrderItems"][0]["BuyerRequestedCancel"]
    hub.give(order_body, items)
    order = hub.order()
    assert (order["total"], order["currency"]) == (Decimal("11.01"), "USD")
    assert [(line["sku"], line["ordered"]) for line in order["lines"]] == [("MUG-BLUE", 1)]
    assert order["effects"] == "none", "it was placed in 1970, before start_from"
