"""What comes back from the warehouse: signed webhooks, the poll of its event log, and that both say the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.wms_rest.connector import TOPICS
from hub.sdk.errors import CallFailed, DataError, Resolution, SignatureError
from hub.sdk.records import Cursor, ExternalVersion, Missing, RawRequest, Receipt, Window
from tests.connectors.wms_rest_world import MAPPINGS, START, World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        world.stock(MUG="5", CLOTH="5")
        yield world


def shipped(world: World, reference: str = "ful_1@1") -> None:
    world.send(reference, MUG="1")
    world.pass_seconds(2)


def one_webhook(world: World) -> RawRequest:
    world.control("snapshot", warehouse="EAST")
    return world.webhooks()[-1]


def test_a_webhook_and_the_poll_give_one_and_the_same_record(world: World) -> None:
    shipped(world)
    world.control("snapshot", warehouse="EAST")
    pushed = {stream: [] for stream in ("fulfilment_responses", "shipments", "stock")}  # type: dict[str, list[object]]
    for webhook in world.webhooks():
        receipt = world.receive(webhook)
        pushed[receipt.stream] += [record.body for record in world.connector.parse(receipt)]
    for stream, bodies in pushed.items():
        assert bodies == world.events(stream)
        mapping = MAPPINGS.get(f"wms_rest/{stream}.in")
        assert all(mapping.run(body).record for body in bodies)
    assert [len(bodies) for bodies in pushed.values()] == [2, 1, 1]


def test_goods_that_moved_without_us_are_told_with_what_they_changed(world: World) -> None:
    world.control("move", warehouse="EAST", sku="MUG", quantity="-2", reason="scrap")
    world.control("move", warehouse="EAST", sku="MUG", quantity="7.5", reason="receipt")
    mapping = MAPPINGS.get("wms_rest/stock_movements.in")
    found = [mapping.run(body).record for body in world.events("stock_movements")]
    assert [(one["kind"], one["quantity"]) for one in found] == [("scrap", "-2"), ("receipt", "7.5")]
    assert world.control("stock")["rows"][-1] == {"warehouse": "EAST", "sku": "MUG", "quantity": "10.5"}


def test_lost_doubled_and_reordered_webhooks_tell_in_the_end_what_the_poll_tells(world: World) -> None:
    world.faults.lose_webhook = world.faults.reorder_webhook = world.faults.duplicate_webhook = 0.4
    for number in range(4):
        world.send(f"ful_{number}@1", MUG="1")
    world.pass_seconds(2)
    arrived: list[object] = []
    while world.emulator.waiting():
        for webhook in world.webhooks():
            arrived += [record.external_id for record in world.connector.parse(world.receive(webhook))]
        world.clock.pass_seconds(0.1)
    faults = world.emulator.ledger.faults()
    assert min(faults[kind] for kind in ("lose_webhook", "reorder_webhook", "duplicate_webhook")) > 0
    polled = [event for stream in ("fulfilment_responses", "shipments") for event in world.events(stream)]
    assert len(arrived) == len(polled) + faults["duplicate_webhook"]
    assert {*arrived} == {event["id"] for event in polled if isinstance(event, dict)}
    assert arrived != sorted(arrived, key=str)


def test_a_receipt_is_named_by_its_headers_alone(world: World) -> None:
    webhook = one_webhook(world)
    receipt = world.connector.receipt(replace(webhook, body=b"not json"), None)
    assert (receipt.stream, receipt.topic, receipt.delivery_id) == ("stock", "stock.snapshot", "evt_0000000001")
    assert world.connector.receipt(webhook, "dock.opened").stream == ""


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_webhook_within_the_tolerance_is_taken(world: World, seconds: int) -> None:
    webhook = one_webhook(world)
    world.connector.verify(replace(webhook, received_at=webhook.received_at + dt.timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-302, 302])
def test_a_webhook_too_old_or_from_the_future_is_refused(world: World, seconds: int) -> None:
    webhook = one_webhook(world)
    with pytest.raises(SignatureError):
        world.connector.verify(replace(webhook, received_at=webhook.received_at + dt.timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1="},
        {"webhook-signature": "v1=zz"},
        {"webhook-signature": "v1=\u0101"},
        {"webhook-signature": "v2=" + "0" * 64},
        {"webhook-signature": "v1=" + "0" * 64},
        {"webhook-signature": ",".join(["v1=" + "0" * 64] * 1000)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "1793610001"},
    ],
)
def test_a_forged_or_broken_signature_is_refused(world: World, headers: dict[str, str]) -> None:
    webhook = one_webhook(world)
    with pytest.raises(SignatureError):
        world.connector.verify(replace(webhook, headers={**webhook.headers, **headers}))


def test_a_changed_body_is_refused(world: World) -> None:
    webhook = one_webhook(world)
    with pytest.raises(SignatureError):
        world.connector.verify(replace(webhook, body=webhook.body.replace(b'"5"', b'"6"')))


def test_any_of_several_secrets_counts_until_its_time_is_over(world: World) -> None:
    webhook = one_webhook(world)
    soon = (START + dt.timedelta(minutes=1)).isoformat()
    both = world.connect(webhook_secrets=["the-new-one-of-them", {"secret": "wms-webhook-secret", "not_after": soon}])
    both.verify(webhook)
    with pytest.raises(SignatureError):
        both.verify(replace(webhook, received_at=START + dt.timedelta(minutes=2)))
    with pytest.raises(SignatureError):
        world.connect(webhook_secrets=["the-new-one-of-them"]).verify(webhook)


def test_several_signatures_may_stand_in_one_header(world: World) -> None:
    webhook = one_webhook(world)
    signatures = f"v1={'0' * 64}, {webhook.headers['webhook-signature']}"
    world.connector.verify(replace(webhook, headers={**webhook.headers, "webhook-signature": signatures}))


def test_without_a_secret_nothing_is_believed(world: World) -> None:
    webhook = one_webhook(world)
    connector = world.connect(webhook_secrets=[])
    with pytest.raises(SignatureError):
        connector.verify(webhook)


def test_a_webhook_that_was_not_taken_comes_again_newly_signed(world: World) -> None:
    world.control("snapshot", warehouse="EAST")
    first = world.emulator.due(world.clock.now())
    world.emulator.settled(first[0], 503)
    world.clock.pass_seconds(3600)
    again = world.emulator.due(world.clock.now())
    assert [one.id for one in again] == [first[0].id]
    assert again[0].body == first[0].body
    webhook = RawRequest("POST", "/in/wms-east", "", again[0].headers, again[0].body, world.clock.now())
    world.connector.verify(webhook)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"events": 1}',
        b'{"events": [1]}',
        b'{"events": [{"id": "e", "type": "dock.opened"}]}',
        b'{"events": [{"id": "e", "type": "request.packed", "occurred_at": "soon"}]}',
        b'{"events": [{"id": "e", "type": "request.packed", "occurred_at": "2026-11-02T09:00:00"}]}',
    ],
)
def test_a_body_that_is_none_of_ours_is_named_so(world: World, body: bytes) -> None:
    receipt = Receipt("wms-east", "shipments", None, {}, body, "application/json", START)
    with pytest.raises(DataError):
        world.connector.parse(receipt)


def test_the_poll_pages_and_resumes_at_its_cursor(world: World) -> None:
    for number in range(5):
        world.send(f"ful_{number}@1", MUG="0.5")
    world.pass_seconds(0.5)
    batches = list(world.connector.read("fulfilment_responses", None, 2))
    pages = [[r.external_id for receipt in b.receipts for r in world.connector.parse(receipt)] for b in batches]
    assert pages == [["evt_0000000001", "evt_0000000002"], ["evt_0000000003", "evt_0000000004"], ["evt_0000000005"]]
    resumed = list(world.connector.read("fulfilment_responses", batches[0].next_cursor, 100))
    assert [r.external_id for b in resumed for rc in b.receipts for r in world.connector.parse(rc)] == [
        "evt_0000000003",
        "evt_0000000004",
        "evt_0000000005",
    ]
    idle = list(world.connector.read("fulfilment_responses", batches[-1].next_cursor, 100))
    assert [(list(batch.receipts), batch.next_cursor) for batch in idle] == [([], Cursor("5"))]


def test_the_cursor_moves_over_events_of_other_streams(world: World) -> None:
    shipped(world)
    batches = list(world.connector.read("stock", None, 100))
    assert [(list(batch.receipts), batch.next_cursor) for batch in batches] == [([], Cursor("3"))]


def test_the_poll_never_skips_an_event_that_becomes_visible_late(world: World) -> None:
    world.faults.lookup_lag_seconds = 5
    shipped(world)
    hidden = list(world.connector.read("shipments", None, 100))
    assert [(list(batch.receipts), batch.next_cursor) for batch in hidden] == [([], Cursor("0"))]
    world.clock.pass_seconds(6)
    later = [batch for batch in world.connector.read("shipments", hidden[0].next_cursor, 100) if batch.receipts]
    assert len(later) == 1


def test_a_cursor_older_than_the_log_is_gone_and_a_new_one_starts_at_what_is_kept(world: World) -> None:
    shipped(world)
    shipped(world, "ful_2@1")
    world.control("forget", up_to=4)
    with pytest.raises(CallFailed) as failed:
        list(world.connector.read("shipments", Cursor("3"), 100))
    assert failed.value.resolution is Resolution.GONE
    receipts = [receipt for batch in world.connector.read("shipments", None, 100) for receipt in batch.receipts]
    assert [record.external_id for receipt in receipts for record in world.connector.parse(receipt)] == [
        "evt_0000000006"
    ]


def test_only_events_since_the_start_are_polled(world: World) -> None:
    shipped(world)
    world.clock.pass_seconds(3600)
    shipped(world, "ful_2@1")
    connector = world.connect(start_from={"shipments": START + dt.timedelta(minutes=30)})
    receipts = [receipt for batch in connector.read("shipments", None, 100) for receipt in batch.receipts]
    assert [record.external_id for receipt in receipts for record in connector.parse(receipt)] == ["evt_0000000006"]


def test_one_warehouse_of_many_can_be_read(world: World) -> None:
    world.control("set_stock", warehouse="WEST", sku="MUG", quantity="1")
    world.control("snapshot", warehouse="EAST")
    world.control("snapshot", warehouse="WEST")
    connector = world.connect(warehouse="WEST")
    receipts = [receipt for batch in connector.read("stock", None, 100) for receipt in batch.receipts]
    assert [record.external_id for receipt in receipts for record in connector.parse(receipt)] == ["WEST"]


def test_a_failing_poll_is_to_be_repeated(world: World) -> None:
    world.faults.script = {1: "error_before"}
    with pytest.raises(CallFailed) as failed:
        list(world.connector.read("stock", None, 100))
    assert failed.value.resolution is Resolution.RETRY


def test_one_event_or_a_count_of_now_can_be_fetched(world: World) -> None:
    shipped(world)
    event = world.connector.fetch("shipments", "evt_0000000003")
    assert isinstance(event, Receipt)
    assert [record.stream for record in world.connector.parse(event)] == ["shipments"]
    assert world.connector.fetch("shipments", "evt_0000000999") == Missing("evt_0000000999")
    count = world.connector.fetch("stock", "EAST")
    assert isinstance(count, Receipt)
    counted = MAPPINGS.get("wms_rest/stock.in").run(world.connector.parse(count)[0].body).record
    assert counted["rows"] == [
        {"sku": "CLOTH", "quantity": "5", "bucket": "on_hand"},
        {"sku": "MUG", "quantity": "4", "bucket": "on_hand"},
    ]
    assert world.connector.fetch("stock", "NOWHERE") == Missing("NOWHERE")


def test_a_window_of_the_log_can_be_listed(world: World) -> None:
    shipped(world)
    world.clock.pass_seconds(3600)
    shipped(world, "ful_2@1")
    hour = Window(START, START + dt.timedelta(hours=1))
    assert list(world.connector.list_ids("shipments", hour)) == [ExternalVersion("evt_0000000003", "")]


def test_a_truncated_count_says_how_many_rows_it_should_have(world: World) -> None:
    world.control("snapshot", warehouse="EAST", claimed_rows=3)
    record = MAPPINGS.get("wms_rest/stock.in").run(world.events("stock")[0]).record
    assert record["row_count"] == 3
    assert isinstance(record["rows"], list)
    assert len(record["rows"]) == 2


def test_every_event_type_has_a_stream_and_a_mapping_that_knows_it() -> None:
    statuses = MAPPINGS.get("wms_rest/fulfilment_responses.in").definition.content["tables"]
    assert isinstance(statuses, dict)
    known = statuses["event_types"]
    assert isinstance(known, dict)
    assert set(known) == {topic for topic, stream in TOPICS.items() if stream == "fulfilment_responses"}
