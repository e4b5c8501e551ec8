"""Orders out of the marketplace: pages, late ones, pending ones, buyers who change their mind, tokens, quotas."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.mapping.cases import run_tests
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, DataError, Resolution
from hub.sdk.records import Batch, Missing, Receipt, Window
from hub.transport.limits import Limit, Limits
from tests.connectors.amazon_world import BRITAIN, GERMANY, MAPPINGS, START, AmazonWorld, Clock

Open = Callable[..., AmazonWorld]


@pytest.fixture
def open_world() -> Iterator[Open]:
    opened: list[AmazonWorld] = []

    def make(*arguments: Any, **options: Any) -> AmazonWorld:
        opened.append(AmazonWorld(*arguments, **options))
        return opened[-1]

    yield make
    for world in opened:
        world.close()


@pytest.fixture
def world(open_world: Open) -> AmazonWorld:
    return open_world()


def canonical(body: object) -> Any:
    return MAPPINGS.get("amazon_sp/orders.in").run(body).record


def ids(world: AmazonWorld, batches: list[Batch]) -> list[str | None]:
    return [record.external_id for record in world.records(batches)]


@pytest.mark.parametrize("name", [name for name in MAPPINGS.names() if name.startswith("amazon_sp/")])
def test_the_tests_inside_the_mappings_pass(name: str) -> None:
    results = run_tests(MAPPINGS.get(name))
    assert results
    assert [str(result.problems) for result in results if result.problems] == []


def test_an_order_is_read_as_it_was_placed(world: AmazonWorld) -> None:
    order = world.place(
        ("MUG-BLUE", 2, "18.50"), ("00123", 1, "12.00"), tax_rate="0.19", shipping="4.90", taxes_included=True
    )
    record = world.records(world.batches())[0]
    told = canonical(record.body)
    assert (told["external_id"], told["currency"], told["totals"]["total"]) == (order, "EUR", "53.90")
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in told["lines"]] == [
        ("MUG-BLUE", "2", "18.50"),
        ("00123", "1", "12.00"),
    ]
    assert told["taxes_included"] is True
    assert {tax["liable_party"] for line in told["lines"] for tax in line["taxes"]} == {"channel"}
    assert told["ship_to"]["country"] == "DE"
    assert all(line["external_line_id"].startswith("0") for line in told["lines"])


def test_a_sweep_reads_every_page_and_the_next_one_begins_the_lookback_before_it(world: AmazonWorld) -> None:
    placed = []
    for _ in range(5):
        placed.append(world.place(("A", 1, "5.00")))
        world.clock.pass_seconds(10)
    world.connector = world.connect(page_size=2, lookback_seconds=15)
    batches = world.batches()
    assert ids(world, batches) == placed
    assert len(batches) == 3
    world.clock.pass_seconds(5)
    last = batches[-1].next_cursor
    again = world.batches(last)
    assert ids(world, again) == placed[-1:]
    assert json.loads(str(last.value if last else ""))["token"] is None


def test_a_sweep_goes_on_at_its_page_after_an_interruption(world: AmazonWorld) -> None:
    placed = []
    for _ in range(4):
        placed.append(world.place(("A", 1, "5.00")))
        world.clock.pass_seconds(1)
    world.connector = world.connect(page_size=2)
    first = next(iter(world.connector.read("orders", None, 250)))
    world.connector = world.connect(page_size=2)
    assert ids(world, [first]) == placed[:2]
    assert ids(world, world.batches(first.next_cursor)) == placed[2:]


def test_an_order_that_becomes_visible_late_is_not_missed(open_world: Open) -> None:
    world = open_world(Faults(lookup_lag_seconds=300))
    placed = [world.place(("A", 1, "5.00")) for _ in range(6)]
    cursor, seen = None, set()
    for _ in range(8):
        batches = world.batches(cursor)
        seen |= set(ids(world, batches))
        cursor = batches[-1].next_cursor
        world.clock.pass_seconds(60)
    assert seen == set(placed)


def test_a_page_token_that_expired_starts_the_sweep_over(world: AmazonWorld) -> None:
    placed = []
    for _ in range(3):
        placed.append(world.place(("A", 1, "5.00")))
        world.clock.pass_seconds(1)
    world.connector = world.connect(page_size=2)
    first = next(iter(world.connector.read("orders", None, 250)))
    world.clock.pass_seconds(25 * 3600)
    reading = world.connector.read("orders", first.next_cursor, 250)
    back = next(reading)
    with pytest.raises(CallFailed) as caught:
        next(reading)
    assert caught.value.resolution is Resolution.RETRY
    assert ids(world, world.batches(back.next_cursor)) == placed


def test_a_repeated_page_token_ends_the_sweep_instead_of_going_round(world: AmazonWorld) -> None:
    for _ in range(3):
        world.place(("A", 1, "5.00"))
        world.clock.pass_seconds(1)
    world.control("pages", are="stuck")
    world.connector = world.connect(page_size=2)
    pages: list[Batch] = []
    with pytest.raises(CallFailed, match="repeats its page tokens") as caught:
        pages.extend(world.connector.read("orders", None, 250))
    assert caught.value.resolution is Resolution.RETRY
    assert len(pages) == 2
    assert json.loads(str(pages[-1].next_cursor.value if pages[-1].next_cursor else ""))["token"] is None


def test_a_sweep_has_a_cap_of_pages(world: AmazonWorld) -> None:
    for _ in range(6):
        world.place(("A", 1, "5.00"))
        world.clock.pass_seconds(1)
    world.connector = world.connect(page_size=1, max_pages=3)
    with pytest.raises(CallFailed, match="starts over"):
        list(world.connector.read("orders", None, 250))


def test_a_pending_order_tells_no_amounts_until_it_is_let_go(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"), release_after_seconds="30")
    mapped = MAPPINGS.get("amazon_sp/orders.in").run(world.records(world.batches())[0].body)
    assert [(hold.field, hold.rule) for hold in mapped.holds] == [("fulfilment_state", "pending")]
    assert mapped.record["currency"] == "EUR"
    assert not {"totals", "ship_to", "buyer"} & mapped.record.keys()
    world.clock.pass_seconds(60)
    released = world.records(world.batches())[0]
    assert MAPPINGS.get("amazon_sp/orders.in").run(released.body).holds == []
    later = canonical(released.body)
    assert later["external_id"] == order
    assert later["totals"]["total"] == "10.00"
    assert later["source_version"] > str(mapped.record["source_version"])


def test_a_buyer_who_withholds_everything_is_normal(world: AmazonWorld) -> None:
    world.place(("A", 1, "5.00"), withheld=True)
    mapped = MAPPINGS.get("amazon_sp/orders.in").run(world.records(world.batches())[0].body)
    assert mapped.holds == []
    assert not {"ship_to", "buyer"} & mapped.record.keys()


def test_what_the_channel_fulfils_is_said_on_every_line(world: AmazonWorld) -> None:
    world.place(("A", 1, "5.00"), ("B", 1, "5.00"), by_channel=True)
    record = world.records(world.batches())[0]
    assert [line["fulfilled_by"] for line in canonical(record.body)["lines"]] == ["channel", "channel"]


def test_a_buyers_wish_to_cancel_is_a_request_beside_the_order(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"), ("B", 1, "7.00"))
    world.control("request_cancel", id=order, sku="A", reason="Found cheaper")
    world.clock.pass_seconds(1)
    batches = world.batches()
    (request,) = world.records(batches, "cancel_requests")
    asked = MAPPINGS.get("amazon_sp/cancel_requests.in").run(request.body).record
    item = world.order(order)["orderItems"][0]["orderItemId"]
    assert asked["fact_key"] == f"{order}/{item}/cancel"
    assert asked["lines"] == [{"external_line_id": item, "quantity": "2"}]
    assert asked["reason"] == "Found cheaper"
    told = canonical(world.records(batches)[0].body)
    assert "cancelled_at" not in told
    assert told["fulfilment_state"] == "unfulfilled"


def test_nobody_is_asked_to_cancel_what_the_channel_ships_or_what_has_left(world: AmazonWorld) -> None:
    theirs = world.place(("A", 1, "5.00"), by_channel=True)
    gone = world.place(("A", 1, "5.00"))
    world.connector.push_shipment(world.shipment(gone, {"A": 1}))
    for order in (theirs, gone):
        world.control("request_cancel", id=order)
    world.clock.pass_seconds(1)
    batches = world.batches()
    assert set(ids(world, batches)) == {theirs, gone}
    assert world.records(batches, "cancel_requests") == []


def test_requests_stay_inside_the_order_where_the_connection_has_no_stream_for_them(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"))
    world.control("request_cancel", id=order)
    receipt = world.connector.fetch("orders", order)
    assert isinstance(receipt, Receipt)
    assert [record.stream for record in world.connector.parse(receipt)] == ["orders", "cancel_requests"]
    bare = world.connect_with(frozenset({"orders"}))
    assert [record.stream for record in bare.parse(receipt)] == ["orders"]


def test_a_page_and_a_fetch_give_one_representation(world: AmazonWorld) -> None:
    order = world.place(("A", 2, "5.00"), shipping="3.00")
    page = world.records(world.batches())[0]
    receipt = world.connector.fetch("orders", order)
    assert isinstance(receipt, Receipt)
    (fetched,) = world.connector.parse(receipt)
    assert canonical(fetched.body) == canonical(page.body)
    assert (fetched.external_id, fetched.version) == (page.external_id, page.version)
    assert world.connector.fetch("orders", "000-0000000-0000000") == Missing("000-0000000-0000000")


def test_ids_are_listed_by_window(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"))
    world.clock.pass_seconds(600)
    world.place(("A", 1, "5.00"))
    window = Window(START - dt.timedelta(minutes=1), START + dt.timedelta(minutes=1))
    assert [found.external_id for found in world.connector.list_ids("orders", window)] == [order]


def test_a_stream_that_starts_later_is_not_asked_for(world: AmazonWorld) -> None:
    world.place(("A", 1, "5.00"))
    world.clock.at = START - dt.timedelta(days=2)
    assert world.batches() == []
    assert world.emulator.calls == 0


def test_orders_of_other_marketplaces_are_left_alone(world: AmazonWorld) -> None:
    world.place(("A", 1, "5.00"), marketplace=BRITAIN)
    ours = world.place(("A", 1, "5.00"))
    assert ids(world, world.batches()) == [ours]
    world.connector = world.connect(marketplaces=[GERMANY, BRITAIN])
    assert len(ids(world, world.batches())) == 2


# -- tokens and quotas ---------------------------------------------------------------------------------------------


def test_an_access_token_is_kept_and_renewed_before_it_expires(world: AmazonWorld) -> None:
    world.batches()
    world.batches()
    assert world.emulator.ledger.recall("tokens") == "1"
    world.clock.pass_seconds(3600 - 59)
    world.batches()
    assert world.emulator.ledger.recall("tokens") == "2"


def test_a_token_that_was_revoked_is_renewed_once_and_the_call_goes_on(world: AmazonWorld) -> None:
    order = world.place(("A", 1, "5.00"))
    world.batches()
    world.control("expire_tokens")
    assert ids(world, world.batches()) == [order]
    assert world.emulator.ledger.recall("tokens") == "2"


def test_wrong_credentials_are_told_as_such(world: AmazonWorld) -> None:
    world.connector = world.connect(refresh_token="Atzr|revoked")
    with pytest.raises(CallFailed, match="invalid refresh_token") as caught:
        world.batches()
    assert caught.value.resolution is Resolution.AUTH_FAILED
    report = world.connector.check()
    assert not report.ok
    assert "invalid refresh_token" in report.probes[0].detail


def test_roles_that_are_missing_are_told_after_one_more_token(open_world: Open) -> None:
    world = open_world(roles="basic")
    with pytest.raises(CallFailed) as caught:
        world.batches()
    assert caught.value.resolution is Resolution.AUTH_FAILED
    assert world.emulator.ledger.recall("tokens") == "2"
    world.connector = world.connect(datasets=["PROCEEDS", "FULFILLMENT"])
    order = world.place(("A", 1, "5.00"))
    assert ids(world, world.batches()) == [order]


def test_a_quota_used_up_waits_as_long_as_a_call_takes_to_come_back(open_world: Open) -> None:
    world = open_world(rates='{"searchOrders": 0.0056}', bursts='{"searchOrders": 2}')
    world.batches()
    world.batches()
    with pytest.raises(CallFailed) as caught:
        world.batches()
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert caught.value.retry_after_seconds == pytest.approx(1 / 0.0056)
    world.clock.pass_seconds(180)
    assert world.batches()


@pytest.mark.parametrize(("answered_before", "wait_seconds"), [(False, 1 / 0.0056), (True, 2.0)])
def test_a_refusal_without_a_rate_waits_by_the_rate_an_earlier_answer_told(
    open_world: Open, *, answered_before: bool, wait_seconds: float
) -> None:
    world = open_world(Faults(script={2 if answered_before else 1: "throttle"}), rates='{"searchOrders": 0.5}')
    if answered_before:
        world.batches()
    with pytest.raises(CallFailed) as caught:
        world.batches()
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert caught.value.retry_after_seconds == pytest.approx(wait_seconds)


def test_the_rate_in_the_answer_becomes_the_connections_own_and_survives_a_restart(open_world: Open) -> None:
    clock = Clock()
    learning = {"searchOrders": "x-amzn-RateLimit-Limit"}
    limits = Limits({"searchOrders": Limit(0.0056, 20)}, clock, start_empty=False, learn_from=learning)
    world = open_world(limits=limits, rates='{"searchOrders": 0.5}')
    world.batches()
    saved = limits.save()
    assert saved == {"searchOrders": {"tokens": 19.0, "rate": 0.5}}
    again = Limits({"searchOrders": Limit(0.0056, 20)}, clock, learn_from=learning)
    again.restore(json.loads(json.dumps(saved)))
    clock.pass_seconds(2)
    assert again.save() == {"searchOrders": {"tokens": 20.0, "rate": 0.5}}
    forgetting = Limits({"searchOrders": Limit(0.0056, 20)}, clock)
    forgetting.restore(saved)
    assert forgetting.save() == {"searchOrders": 19.0}


@pytest.mark.parametrize("told", ["", "0", "-1", "fast", "1e9", "99999999", "nan"])
def test_a_rate_that_makes_no_sense_is_not_adopted(told: str) -> None:
    limits = Limits({"default": Limit(2, 5)}, Clock(), learn_from={"default": "X-Rate"})
    limits.learn("anything", {"x-rate": told})
    assert limits.save() == {"default": 0.0}


def test_a_server_error_while_reading_is_tried_again(open_world: Open) -> None:
    world = open_world(Faults(script={1: "error_before", 2: "drop_after", 3: "throttle"}))
    for resolution in (Resolution.RETRY, Resolution.RETRY, Resolution.RATE_LIMITED):
        with pytest.raises(CallFailed) as caught:
            world.batches()
        assert caught.value.resolution is resolution


# -- bodies --------------------------------------------------------------------------------------------------------


def receipt_of(world: AmazonWorld, tree: object) -> Receipt:
    return Receipt("amazon-eu", "orders", None, {}, json.dumps(tree).encode(), "application/json", world.clock.now())


OLD = {"AmazonOrderId": "1-1-1", "LastUpdateDate": "2026-11-01T10:00:00Z", "OrderStatus": "Pending"}


@pytest.mark.parametrize(
    ("tree", "positions"),
    [
        ({"orders": [{"orderId": "1"}, {"orderId": "2"}], "pagination": {"nextToken": "x"}}, ["orders.0", "orders.1"]),
        ({"order": {"orderId": "1"}}, ["order"]),
        ({"orderId": "1"}, [""]),
        ({"payload": {"Orders": [OLD], "CreatedBefore": "1.569521782042E9"}}, ["payload.Orders.0"]),
        ({"payload": OLD}, ["payload"]),
        (OLD, [""]),
        ({"orders": []}, []),
    ],
)
def test_bodies_of_both_versions_are_cut_into_their_orders(
    tree: object, positions: list[str], world: AmazonWorld
) -> None:
    assert [record.position for record in world.connector.parse(receipt_of(world, tree))] == positions


@pytest.mark.parametrize(
    "tree",
    [
        {"errors": [{"code": "InvalidInput", "message": "Invalid Input"}]},
        {"orders": ["none"]},
        {"payload": {"Orders": [1]}},
        {"payload": {"RegulatedInformation": {}}},
        {"payload": {"AmazonOrderId": "1-1-1", "OrderItems": [{"OrderItemId": "1", "GiftMessageText": "Et toi!"}]}},
        {"something": "else"},
        [],
        {},
    ],
)
def test_a_body_without_orders_is_told_as_such(tree: object, world: AmazonWorld) -> None:
    with pytest.raises(DataError):
        world.connector.parse(receipt_of(world, tree))


def test_the_old_shape_asks_to_cancel_with_text_for_true(world: AmazonWorld) -> None:
    asked = {"IsBuyerRequestedCancel": "true", "BuyerCancelReason": "Found cheaper"}
    refused = {"IsBuyerRequestedCancel": "false"}
    items = [
        {"OrderItemId": "0501", "QuantityOrdered": "3", "QuantityShipped": 1, "BuyerRequestedCancel": asked},
        {"OrderItemId": "0502", "QuantityOrdered": 1, "BuyerRequestedCancel": refused},
    ]
    records = world.connector.parse(receipt_of(world, {"payload": {"AmazonOrderId": "1-1-1", "OrderItems": items}}))
    (request,) = [record for record in records if record.stream == "cancel_requests"]
    told = MAPPINGS.get("amazon_sp/cancel_requests.in").run(request.body).record
    assert told["lines"] == [{"external_line_id": "0501", "quantity": "2"}]
