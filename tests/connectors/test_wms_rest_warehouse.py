"""The emulated warehouse itself: what it promises to audits that read its ledger without asking the hub."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.wms_rest.connector import TOPICS
from connectors.wms_rest.emulator import WmsEmulator
from hub.mapping.cases import run_tests
from hub.runtime.registry import Registry
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Faults, Ledger
from hub.sdk.emulator_server import serve
from tests.connectors.wms_rest_world import MAPPINGS, Clock, World, cancellation, request


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        world.stock(MUG="5")
        yield world


def test_left_alone_it_acknowledges_packs_and_ships(world: World) -> None:
    world.send(MUG="2")
    assert world.statuses() == []
    world.pass_seconds(0.5)
    assert world.statuses() == ["acknowledged"]
    world.pass_seconds(0.5)
    assert world.statuses() == ["acknowledged", "packed"]
    assert world.on_hand() == {"MUG": "5"}
    world.pass_seconds(0.5)
    assert len(world.events("shipments")) == 1
    assert world.on_hand() == {"MUG": "3"}
    assert [(entry["key"], entry["subject"]) for entry in world.ledger("shipment")] == [("ful_1@1", "ful_1")]


def test_what_is_not_there_is_short_and_never_shipped(world: World) -> None:
    world.send(MUG="7")
    world.pass_seconds(5)
    assert world.statuses() == ["acknowledged", "short", "packed"]
    assert world.on_hand() == {"MUG": "0"}
    assert [entry["lines"] for entry in world.ledger("short")] == [
        [{"line_reference": "lin_MUG", "sku": "MUG", "quantity": "2"}]
    ]


def test_what_stands_packed_for_one_is_not_packed_for_another(world: World) -> None:
    world.control("behave", mode="hold")
    world.send("ful_1@1", MUG="4")
    world.send("ful_2@1", MUG="4")
    world.control("act", client_order_id="ful_1", do="pack")
    world.control("act", client_order_id="ful_2", do="ship")
    world.control("act", client_order_id="ful_1", do="ship")
    assert world.on_hand() == {"MUG": "0"}
    assert [entry["subject"] for entry in world.ledger("short")] == ["ful_2"]
    assert world.ledger("impossible_ship") == []


def test_goods_that_vanish_after_packing_are_not_shipped(world: World) -> None:
    world.control("behave", mode="hold")
    world.send(MUG="4")
    world.control("act", client_order_id="ful_1", do="pack")
    world.stock(MUG="1")
    world.control("act", client_order_id="ful_1", do="ship")
    assert world.on_hand() == {"MUG": "0"}
    assert [entry["lines"][0]["quantity"] for entry in world.ledger("impossible_ship")] == ["3"]
    assert world.statuses()[-1] == "short"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"mode": "reject", "reason": "closed"}, ["rejected"]),
        ({"mode": "silent"}, []),
        ({"mode": "hold"}, ["acknowledged"]),
        ({"short": {"MUG": "all"}}, ["acknowledged", "short"]),
        ({"short": {"MUG": "1"}}, ["acknowledged", "short", "packed"]),
    ],
)
def test_people_can_be_told_how_to_treat_an_order(
    world: World, behaviour: dict[str, object], expected: list[str]
) -> None:
    world.control("behave", match={"client_order_id": "ful_1"}, **behaviour)
    world.send("ful_1@1", MUG="2")
    world.pass_seconds(10)
    assert world.statuses() == expected


def test_who_was_told_to_be_silent_can_be_told_to_work_again(world: World) -> None:
    world.control("behave", match={"sku": "MUG"}, mode="silent")
    world.send(MUG="2")
    world.pass_seconds(60)
    world.control("behave", match={"sku": "MUG"}, mode="auto")
    world.pass_seconds(0)
    assert len(world.events("shipments")) == 1


def test_what_was_cancelled_can_leave_all_the_same(world: World) -> None:
    world.control("behave", mode="hold")
    world.send(MUG="2")
    world.connector.cancel_fulfilment_request(world.effect(cancellation("can_1", "ful_1", MUG="2")))
    world.pass_seconds(10)
    assert world.events("shipments") == []
    world.control("act", client_order_id="ful_1", do="ship_anyway")
    assert len(world.events("shipments")) == 1
    assert world.on_hand() == {"MUG": "3"}


def test_what_people_do_by_hand_does_not_stop_the_rest(world: World) -> None:
    world.send(MUG="2")
    world.control("act", client_order_id="ful_1", do="acknowledge")
    world.pass_seconds(10)
    assert world.statuses() == ["acknowledged", "packed"]
    assert len(world.events("shipments")) == 1


def test_a_shipment_can_be_split_into_packages(world: World) -> None:
    world.stock(CLOTH="5")
    world.control("behave", packages=2)
    world.send(MUG="1", CLOTH="2")
    world.pass_seconds(5)
    record = MAPPINGS.get("wms_rest/shipments.in").run(world.events("shipments")[0]).record
    assert isinstance(record["packages"], list)
    assert len({package["tracking_number"] for package in record["packages"]}) == 2


def test_counts_are_told_at_their_interval() -> None:
    with World(snapshot_seconds="60") as world:
        world.stock(MUG="5")
        for _ in range(3):
            world.pass_seconds(60)
        assert len(world.events("stock")) == 3


def test_no_two_events_share_an_instant_even_when_the_clock_stands(world: World) -> None:
    world.control("behave", acknowledge_seconds=0, pack_seconds=0, ship_seconds=0)
    for number in range(5):
        world.send(f"ful_{number}@1", MUG="1")
    world.pass_seconds(0)
    world.control("snapshot", warehouse="EAST")
    events = world.emulator._warehouse.events
    instants = [str(event["occurred_at"]) for event in events]
    assert len(events) == 16
    assert instants == sorted(set(instants))


def test_without_unique_references_an_audit_sees_the_duplicate() -> None:
    with World(unique_reference="off") as world:
        assert world.send() != world.send()
        assert [entry["key"] for entry in world.ledger("fulfilment_request")] == ["ful_1@1", "ful_1@1"]


def test_an_echo_can_overtake_the_answer() -> None:
    with World(faults=Faults(echo_first=1.0)) as world:
        answer = posted(world.emulator, "/fulfilment-requests", request())
        assert answer.status == 201
        assert answer.after == tuple(outgoing.id for outgoing in world.emulator.due(world.clock.now()))


def test_it_goes_on_where_it_stood_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    path = str(tmp_path / "wms.db")
    with World(path, clock=clock) as world:
        world.stock(MUG="5")
        world.send("ful_1@1", MUG="1")
        world.pass_seconds(0.6)
        world.faults.script = {world.emulator.calls + 1: "late_commit"}
        assert posted(world.emulator, "/fulfilment-requests", request("ful_2@1", MUG="1")).status == 504
    with World(path, clock=clock) as world:
        assert world.emulator.waiting() == 1
        assert world.connector.send_fulfilment_request(world.effect(request("ful_1@1", MUG="1"))).status == 409
        world.pass_seconds(10)
        world.pass_seconds(10)
        assert [entry["subject"] for entry in world.ledger("shipment")] == ["ful_1", "ful_2"]
        assert world.on_hand() == {"MUG": "3"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fulfilment-requests", b""),
        ("/fulfilment-requests", b"\xff\x00"),
        ("/fulfilment-requests", b"[1]"),
        ("/fulfilment-requests", b"[" * 100_000),
        ("/fulfilment-requests", b'{"reference": {"a": 1}}'),
        ("/fulfilment-requests", b'{"reference": "\\ud800"}'),
        ("/fulfilment-requests", b'{"reference":"r","client_order_id":"f","warehouse":"E","lines":[{}]}'),
        ("/cancellations", b'{"reference":"r","cancellation_id":"c","client_order_id":"f","lines":[]}'),
        ("/stock/%00/snapshots", b""),
        ("/_control/behave", b'{"mode": "dance"}'),
        ("/_control/behave", b'{"short": {"MUG": "many"}}'),
        ("/_control/act", b'{"client_order_id": "nobody", "do": "ship"}'),
        ("/_control/set_stock", b'{"warehouse": "E", "sku": "S", "quantity": "-1"}'),
        ("/_control/dance", b"{}"),
    ],
)
def test_nonsense_is_answered_not_obeyed(world: World, path: str, body: bytes) -> None:
    headers = {"authorization": "Bearer wms-key"}
    answer = world.emulator.handle(EmulatedRequest("POST", path, {}, headers, body))
    assert 400 <= answer.status < 500


def test_it_is_served_from_its_manifest() -> None:
    manifest = Registry().manifests["wms_rest"]
    assert {info.safety for info in manifest.capabilities.values()} == {SafetyMode.UNIQUE_REFERENCE}
    assert set(manifest.capabilities) == {
        Capability.SEND_FULFILMENT_REQUEST,
        Capability.CANCEL_FULFILMENT_REQUEST,
        Capability.SEND_LABEL,
    }
    assert manifest.emulator == "connectors.wms_rest.emulator:WmsEmulator"
    assert all(hasattr(Registry().implementation(manifest), name.value) for name in manifest.capabilities)


@pytest.mark.parametrize(
    ("config", "good"),
    [
        ({"base_url": "https://wms.example/api", "api_key": "k", "webhook_secrets": ["s"]}, True),
        ({"base_url": "http://127.0.0.1:8080", "api_key": "k", "warehouse": "EAST"}, True),
        (
            {
                "base_url": "https://wms.example",
                "api_key": "k",
                "webhook_secrets": [{"secret": "s", "not_after": "2026-12-01T00:00:00Z"}],
            },
            True,
        ),
        ({"base_url": "https://wms.example/", "api_key": "k"}, False),
        ({"base_url": "https://wms.example"}, False),
        ({"base_url": "https://wms.example", "api_key": "k", "webhook_secrets": []}, False),
        ({"base_url": "https://wms.example", "api_key": "k", "webhook_tolerance_seconds": 0}, False),
    ],
)
def test_the_configuration_is_checked(config: dict[str, object], good: bool) -> None:
    folder = Path(Registry().manifests["wms_rest"].folder)
    schema = yaml.safe_load((folder / "config.schema.yaml").read_bytes())
    assert jsonschema.Draft7Validator(schema).is_valid(config) is good


def test_the_manifest_and_the_connector_agree_on_topics() -> None:
    streams = Registry().manifests["wms_rest"].streams
    assert {topic: name for name, info in streams.items() for topic in info.topics} == TOPICS


@pytest.mark.parametrize("name", [name for name in MAPPINGS.names() if name.startswith("wms_rest/")])
def test_the_mappings_own_tests_pass(name: str) -> None:
    results = run_tests(MAPPINGS.get(name))
    assert results
    assert [result for result in results if not result.passed] == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 6), st.integers(0, 9)),
        st.tuples(st.just("cancel"), st.integers(1, 6), st.integers(0, 9)),
        st.tuples(st.just("stock"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(
            st.sampled_from(["pack", "ship", "ship_anyway", "short", "reject"]), st.integers(1, 6), st.integers(0, 9)
        ),
        st.tuples(st.just("wait"), st.integers(0, 2), st.integers(0, 9)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps)
def test_whatever_happens_goods_are_neither_made_nor_lost(steps: list[tuple[str, int, int]]) -> None:
    """Stock never falls below zero, every line adds up, and what left is what the ledger says was shipped."""
    clock = Clock()
    emulator = WmsEmulator(
        ledger=Ledger(":memory:"), clock=clock, source=random.Random(1), faults=Faults(), config={"mode": "hold"}
    )
    warehouse = emulator._warehouse
    removed = Decimal(0)
    for number, (verb, one, other) in enumerate(steps):
        target = warehouse.requests[other % len(warehouse.requests)] if warehouse.requests else None
        if verb == "send":
            taken = posted(emulator, "/fulfilment-requests", request(f"ful_{number}@1", MUG=str(one)))
            assert taken.status == 201
        elif verb == "stock":
            removed += warehouse.stock.get(("EAST", "MUG"), Decimal(0)) - one
            warehouse.set_stock("EAST", "MUG", Decimal(one))
        elif verb == "wait":
            clock.pass_seconds(one)
            emulator.due(clock.now())
        elif target is not None and verb == "cancel":
            asked_for = cancellation(f"can_{number}", target.client_order_id, MUG=str(one))
            assert posted(emulator, "/cancellations", asked_for).status == 201
        elif target is not None:
            warehouse.act(target, verb, {"lin_MUG": Decimal(one)} if verb != "reject" else None)
        assert all(amount >= 0 for amount in warehouse.stock.values())
    for asked in warehouse.requests:
        for line in asked.lines:
            assert line.waiting >= 0
            assert line.in_boxes >= 0
            assert line.ordered == line.waiting + line.in_boxes + line.shipped + line.short + line.cancelled
    shipped = sum((line.shipped for asked in warehouse.requests for line in asked.lines), Decimal(0))
    assert shipped + removed + warehouse.stock.get(("EAST", "MUG"), Decimal(0)) == 0
    told = [row for event in warehouse.events if event["type"] == "shipment.created" for row in told_lines(event)]
    assert sum(told, Decimal(0)) == shipped


def posted(emulator: WmsEmulator, path: str, body: object) -> EmulatedResponse:
    headers = {"authorization": "Bearer wms-key"}
    return emulator.handle(EmulatedRequest("POST", path, {}, headers, json.dumps(body).encode()))


def told_lines(event: dict[str, object]) -> list[Decimal]:
    data = event["data"]
    assert isinstance(data, dict)
    return [Decimal(line["quantity"]) for package in data["packages"] for line in package["lines"]]


def test_webhooks_travel_over_real_sockets() -> None:
    """The emulator as a process would be served: its webhooks reach a listener at the hub's address."""
    taken: list[tuple[str, bytes]] = []
    arrived = threading.Event()

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append((self.path, body))
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden signature
            del format, args

    hub = http.server.HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        emulator = WmsEmulator(
            ledger=Ledger(":memory:"), clock=Clock(), source=random.Random(1), faults=Faults(), config={}
        )
        server = serve(emulator, hub_url=f"http://127.0.0.1:{hub.server_port}", connection="wms-east")
        with server:
            body = b'{"warehouse": "EAST", "sku": "MUG", "quantity": "1"}'
            emulator.handle(EmulatedRequest("POST", "/_control/set_stock", {}, {}, body))
            emulator.handle(EmulatedRequest("POST", "/_control/snapshot", {}, {}, b'{"warehouse": "EAST"}'))
            assert arrived.wait(10)
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join(5)
    assert taken[0][0] == "/in/wms-east/stock.snapshot"
    assert b'"quantity":"1"' in taken[0][1]
    assert emulator.clock.now() == dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
