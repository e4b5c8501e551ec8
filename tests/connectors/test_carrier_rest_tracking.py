"""Scans over real HTTP, signed webhooks and a poll of the same log: duplicates, disorder, gaps, one end."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, DataError, Resolution, SignatureError
from hub.sdk.records import Cursor, Missing, RawRequest, Receipt, Window
from tests.conftest import SettableClock
from tests.connectors.carrier_rest_world import SECRET, Aggregator, Labelling, mapped

D = Decimal


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def shipped(faults: Faults | None = None) -> Labelling:
    """Two TEE that have left with a label of the hub's, and the carrier not heard of yet."""
    world = Labelling(faults)
    world.stock(TEE=5)
    world.items("TEE")
    world.order()
    world.pack()
    world.ships("east", "2", packages=[{"package": "BOX-1", "lines": [{"line": world.line()["id"], "quantity": "2"}]}])
    return world


def number(world: Labelling) -> str:
    return str(world.labels()[0]["tracking_number"])


def test_scans_by_webhook_take_the_order_to_the_door() -> None:
    with shipped() as world:
        for status in ("in_transit", "out_for_delivery", "delivered"):
            world.scan(number(world), status)
        assert world.told() == 4  # the label's own event is one, too
        assert (world.packages()[0]["state"], world.line()["delivered"]) == ("delivered", D(2))
        assert world.the_order()["status"] == "closed"
        assert world.findings() == []


def test_webhooks_doubled_and_out_of_order_and_a_poll_of_the_same_log_are_one_story() -> None:
    with shipped(Faults(duplicate_webhook=1.0, reorder_webhook=0.5)) as world:
        for status in ("in_transit", "failure", "in_transit", "delivered"):
            world.scan(number(world), status)
        while world.carrier.emulator.waiting():
            world.clock.advance(3)
            world.told()
        world.poll()
        world.poll()
        applied = [row for row in world.rows("messages", stream="tracking") if row["state"] == "applied"]
        assert len(applied) == 5
        assert (world.packages()[0]["state"], world.exceptions()) == ("delivered", [])
        assert world.findings() == []


def test_webhooks_that_never_came_are_made_up_for_by_the_poll() -> None:
    with shipped() as world:
        world.scan(number(world), "delivered")
        world.carrier.webhooks()  # taken by nobody
        assert world.packages()[0]["state"] == "in_transit"
        world.poll()
        assert world.packages()[0]["state"] == "delivered"


def test_a_scan_of_a_parcel_that_is_not_ours_ends_as_unmatched() -> None:
    with shipped() as world:
        other = world.carrier.buy("somebody-elses")
        world.scan(other["tracking_code"], "delivered")
        world.told()
        assert "waiting" in world.states("tracking")
        world.run_for(25 * 3600, every=1800)
        assert "unmatched" in world.exceptions()


def test_a_scan_that_overtakes_the_answer_to_the_purchase_waits_for_it() -> None:
    with Labelling(Faults(script={2: "drop_after"})) as world:
        world.stock(TEE=5)
        world.items("TEE")
        world.order()
        world.pack()
        assert world.labels()[0]["state"] == "requested"
        (sold,) = world.carrier.ledger("label")
        world.scan(sold["tracking_code"], "in_transit")
        world.told()
        assert set(world.states("tracking")) == {"waiting"}
        world.run_for(120, every=10)
        assert set(world.states("tracking")) == {"applied"}
        assert world.packages()[0]["state"] == "in_transit"


# The connector alone.


def webhook(api: Aggregator) -> RawRequest:
    api.buy()
    (request,) = api.webhooks()
    return request


def test_a_signed_webhook_is_read_as_the_poll_reads_it(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        receipt = api.receive(webhook(api))
        assert (receipt.stream, receipt.topic, receipt.delivery_id) == (
            "tracking",
            "tracking.scan",
            "msg_evt_0000000001",
        )
        (record,) = api.connector.parse(receipt)
        (batch,) = api.connector.read("tracking", None, 100)
        (polled,) = api.connector.parse(batch.receipts[0])
        assert polled.body == record.body
        assert mapped("tracking.in", record.body)["status"] == "note"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2,abc"},
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "yesterday"},
    ],
)
def test_a_webhook_that_is_not_what_it_says_is_refused(clock: SettableClock, change: dict[str, str]) -> None:
    with Aggregator(clock) as api:
        request = webhook(api)
        forged = dataclasses.replace(request, headers={**request.headers, **change})
        with pytest.raises(SignatureError):
            api.connector.verify(forged)
        with pytest.raises(SignatureError):
            api.connector.verify(dataclasses.replace(request, body=request.body + b" "))


def test_an_old_secret_counts_until_its_time_is_over(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        request = webhook(api)
        before, after = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
        api.connect(webhook_secrets=["new", {"secret": SECRET, "not_after": after}]).verify(request)
        with pytest.raises(SignatureError):
            api.connect(webhook_secrets=["new", {"secret": SECRET, "not_after": before}]).verify(request)


def test_a_topic_that_nobody_reads_is_kept_without_a_stream(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        assert api.connector.receipt(webhook(api), "batch.updated").stream == ""


def test_the_log_is_read_in_pages_from_the_cursor(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        for index in range(5):
            api.buy(f"r{index}")
        batches = list(api.connector.read("tracking", None, 2))
        assert [batch.next_cursor for batch in batches] == [Cursor("2"), Cursor("4"), Cursor("5")]
        assert next(iter(api.connector.read("tracking", Cursor("5"), 2))).receipts == []


def test_a_cursor_that_is_too_old_is_gone(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        for index in range(3):
            api.buy(f"r{index}")
        api.control("forget", up_to=2)
        with pytest.raises(CallFailed) as failed:
            list(api.connector.read("tracking", Cursor("1"), 10))
        assert failed.value.resolution is Resolution.GONE


def test_one_event_can_be_fetched_again_or_is_missing(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        api.buy()
        found = api.connector.fetch("tracking", "evt_0000000001")
        assert isinstance(found, Receipt)
        assert api.connector.parse(found)[0].external_id == "evt_0000000001"
        assert api.connector.fetch("tracking", "evt_9") == Missing("evt_9")


def test_the_ids_of_a_window_are_listed(clock: SettableClock) -> None:
    with Aggregator(clock) as api:
        api.buy()
        clock.advance(3600)
        api.buy("second")
        window = Window(clock.now(), api.later())
        assert [one.external_id for one in api.connector.list_ids("tracking", window)] == ["evt_0000000002"]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"events": 1}',
        b'{"events": [{}]}',
        b'{"events": [{"id": "e", "type": "x", "occurred_at": "now"}]}',
    ],
)
def test_a_body_that_is_no_log_is_a_data_error(clock: SettableClock, body: bytes) -> None:
    with Aggregator(clock) as api:
        receipt = Receipt("carrier", "tracking", None, {}, body, "application/json", clock.now())
        with pytest.raises(DataError):
            api.connector.parse(receipt)
