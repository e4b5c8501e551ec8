"""A store over HTTP: an order that its buyer collects there, and one whose goods come to the store from a warehouse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.service import Service, a_service, an_order, configured
from tests.cli.site import ERP, SECRETS, WMS
from tests.connectors.wms_rest_world import SECRET, START, Clock, World

EAST, STORE = "dc-east", "store-14"


class Now(Clock):
    """The real time, and what a test adds to it: signatures and counts must be of now."""

    def __init__(self) -> None:
        super().__init__()
        self.began = dt.datetime.now(dt.UTC)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + (self.at - START)


class Floor:
    """The hub and the system of its warehouses and stores, which talk to each other until nothing is left to say."""

    def __init__(self, service: Service, world: World) -> None:
        self.service, self.world = service, world

    def stock(self, **places: str) -> None:
        rows = [
            {"warehouse": place.replace("_", "-"), "sku": "SKU-001", "quantity": units}
            for place, units in places.items()
        ]
        self.world.control("set_stock", rows=rows)
        for row in rows:
            self.world.control("snapshot", warehouse=row["warehouse"])
        self.go_on()

    def go_on(self, seconds: float = 0.0) -> None:
        engine = self.service.hub.engine
        self.world.pass_seconds(seconds)
        for _ in range(12):
            for webhook in self.world.webhooks():
                headers = {**webhook.headers, "content-length": str(len(webhook.body))}
                answer = self.service.asking("POST", webhook.path, webhook.body, key=None, headers=headers)
                assert answer.status == 202, answer.body
            engine.parse()
            engine.apply()
            engine.decide()
            engine.drain(WMS)

    def ordered(self, **said: Any) -> str:
        order = self.service.write(an_order(**said))["order"]
        self.go_on()
        return str(order)

    def order(self, order: str) -> dict[str, Any]:
        return dict(self.service.get(f"/v1/orders/{order}"))

    def work(self, order: str) -> list[tuple[str, str, str]]:
        found = self.service.get("/v1/fulfilment-orders", order=order, state="all")["items"]
        return [(one["location"], one["method"], one["state"]) for one in found]

    def shelves(self) -> dict[str, str]:
        found = self.service.get("/v1/inventory/SKU-001")["locations"]
        return {one["location"]: one["on_hand"] for one in found}

    def broken(self) -> list[dict[str, Any]]:
        """Promises that do not hold."""
        return list(self.service.get("/v1/verify")["items"])

    def physical(self) -> dict[str, str]:
        return {row["warehouse"]: row["quantity"] for row in self.world.control("stock")["rows"]}


@contextmanager
def a_floor(folder: Path, template: Path | None, database: str = "") -> Iterator[Floor]:
    environ = {**SECRETS, "DEMO_WMS_SECRET": SECRET, "DEMO_WMS_TOKEN": "wms-key"}
    with World(clock=Now()) as world:
        environ["DEMO_WMS_URL"] = world.server.url
        loaded = configured(folder / "read", environ)
        with a_service(folder / "hub", loaded, template, environ, database) as service:
            items = service.site.write("items.json", [{"sku": "SKU-001"}])
            service.hub.act("import.items", {"who": "test", "file": str(items)})
            service.post(f"/v1/connections/{ERP}/pause", {"reason": "not part of this"})
            yield Floor(service, world)


@pytest.fixture
def floor(tmp_path: Path, sqlite_template: Path) -> Iterator[Floor]:
    with a_floor(tmp_path, sqlite_template) as floor:
        yield floor


@pytest.mark.postgresql
def test_on_postgresql_goods_come_to_the_store_and_are_collected_there(tmp_path: Path, postgresql_url: str) -> None:
    with a_floor(tmp_path, None, postgresql_url) as floor:
        floor.stock(dc_east="9", store_14="0")
        order = floor.ordered(method="ship_to_store", pickup_location=STORE)
        floor.go_on(1.6)
        assert floor.broken() == []
        assert floor.service.post(f"/v1/orders/{order}/arrival", {"note": "row 3"}).status == 409
        floor.go_on(1.5)
        floor.go_on(3.0)
        assert floor.order(order)["lines"][0]["quantities"] == {"handed_over": "2"}
        assert floor.shelves() == floor.physical() == {EAST: "7", STORE: "0"}
        assert floor.broken() == []


def test_a_buyer_collects_what_the_store_put_ready(floor: Floor) -> None:
    floor.stock(dc_east="9", store_14="9")
    order = floor.ordered(method="pickup", pickup_location=STORE)
    assert floor.work(order) == [(STORE, "pickup", "sent")]
    floor.go_on(1.6)
    assert floor.work(order) == [(STORE, "pickup", "ready")]
    assert floor.order(order)["status"] == "confirmed"
    assert floor.shelves()[STORE] == "9"
    floor.go_on(1.0)
    found = floor.order(order)
    assert (found["status"], found["lines"][0]["quantities"]) == ("closed", {"handed_over": "2"})
    assert found["shipments"][0]["document"]["proof"] == "PIN-0001"
    assert floor.shelves() == floor.physical() == {EAST: "9", STORE: "7"}
    assert [entry["warehouse"] for entry in floor.world.ledger("handover")] == [STORE]
    assert floor.world.ledger("shipment") == []
    assert floor.broken() == []


def test_goods_come_to_the_store_and_are_collected_there(floor: Floor) -> None:
    floor.stock(dc_east="9", store_14="0")
    order = floor.ordered(method="ship_to_store", pickup_location=STORE)
    assert floor.work(order) == [(EAST, "transfer", "sent")]
    floor.world.control("behave", transit_seconds=60)
    floor.go_on(1.6)
    assert floor.work(order) == [(EAST, "transfer", "in_transit")]
    assert floor.broken() == []
    assert (floor.shelves(), floor.order(order)["status"]) == ({EAST: "7", STORE: "0"}, "confirmed")
    floor.go_on(60)
    assert floor.work(order) == [(EAST, "transfer", "completed"), (STORE, "pickup", "sent")]
    floor.go_on(2.5)
    found = floor.order(order)
    assert (found["status"], found["lines"][0]["quantities"]) == ("closed", {"handed_over": "2"})
    assert floor.shelves() == floor.physical() == {EAST: "7", STORE: "0"}
    assert floor.broken() == []


def test_what_is_lost_on_its_way_is_shown_and_given_up_by_a_person(floor: Floor) -> None:
    floor.stock(dc_east="9", store_14="0")
    floor.world.control("behave", lost={"SKU-001": "1"})
    order = floor.ordered(method="ship_to_store", pickup_location=STORE)
    floor.go_on(1.6)
    floor.go_on(1.5)
    (transfer,) = floor.service.get("/v1/fulfilment-orders", method="transfer")["items"]
    kinds = {one["kind"] for one in floor.service.get("/v1/exceptions")["items"]}
    assert "transfer_short" in kinds
    path = f"/v1/fulfilment-orders/{transfer['id']}/reports"
    floor.world.control("behave", lost={})
    assert floor.service.post(path, {"status": "lost", "reason": "the box was open"}).status == 200
    floor.go_on()
    assert [state for _, method, state in floor.work(order) if method == "transfer"] == ["partially_completed", "sent"]
    for _ in range(4):
        floor.go_on(2.5)
    assert floor.order(order)["lines"][0]["quantities"] == {"handed_over": "2"}
    assert floor.shelves()[STORE] == floor.physical()[STORE]
    assert floor.broken() == []


def test_shelves_are_filled_from_another_place_and_what_is_lost_is_written_off(floor: Floor) -> None:
    floor.stock(dc_east="9", store_14="0")
    floor.world.control("behave", lost={"SKU-001": "1"})
    body = {"sku": "SKU-001", "from": EAST, "to": STORE, "quantity": "4", "reason": "refill"}
    order = floor.service.post("/v1/inventory/transfers", body).data["order"]
    for _ in range(3):
        floor.go_on(1.5)
    assert floor.shelves() == floor.physical() == {EAST: "5", STORE: "3"}
    (transfer,) = floor.service.get("/v1/fulfilment-orders", method="transfer")["items"]
    path = f"/v1/fulfilment-orders/{transfer['id']}/reports"
    assert floor.service.post(path, {"status": "lost", "reason": "broken"}).status == 200
    assert floor.order(order)["status"] == "closed"
    assert floor.broken() == []
