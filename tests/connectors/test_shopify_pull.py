"""Orders and refunds out of the shop: by webhook, by poll, one by one, and always in one representation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from hub.mapping.cases import run_tests
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, DataError, Resolution
from hub.sdk.records import Batch, Missing, Receipt, Window
from tests.connectors.shopify_shop import MAPPINGS, START, ShopWorld

Open = Callable[..., ShopWorld]


@pytest.fixture
def open_shop() -> Iterator[Open]:
    opened: list[ShopWorld] = []

    def make(*arguments: Any, **options: Any) -> ShopWorld:
        opened.append(ShopWorld(*arguments, **options))
        return opened[-1]

    yield make
    for world in opened:
        world.close()


@pytest.fixture
def shop(open_shop: Open) -> ShopWorld:
    return open_shop()


def canonical(body: object) -> Any:
    mapped = MAPPINGS.get("shopify/orders.in").run(body)
    return mapped.record


def busy_order(shop: ShopWorld) -> str:
    """An order with discount, tax, shipping, an edit, a partial fulfilment and a refund."""
    order = shop.place(
        ("MUG-BLUE", 3, "18.50"),
        ("MUG-RED", 2, "7.05"),
        discount_code="AUTUMN",
        discount="4.10",
        tax_rate="0.055",
        shipping="6.50",
        note="Leave at the door",
        tags="VIP, Gift",
        phone="+12175550100",
    )
    shop.clock.pass_seconds(60)
    shop.control("edit", id=order, lines={"MUG-RED": 1}, add=[{"sku": "TEA", "quantity": 1, "price": "4.00"}])
    shop.clock.pass_seconds(60)
    shop.connector.push_shipment(shop.shipment(order, {"MUG-BLUE": 1, "TEA": 1}))
    shop.clock.pass_seconds(60)
    shop.control("refund", id=order, lines={"MUG-BLUE": 1}, restock="cancel", note="chipped")
    shop.clock.pass_seconds(60)
    return order


def test_webhook_poll_and_fetch_say_the_same_of_an_order(shop: ShopWorld) -> None:
    order = busy_order(shop)
    pushed = [record for receipt in shop.delivered() for record in shop.connector.parse(receipt)]
    newest = max((record for record in pushed if record.stream == "orders"), key=lambda record: record.version or "")
    (polled,) = shop.polled()
    fetched_receipt = shop.connector.fetch("orders", order)
    assert isinstance(fetched_receipt, Receipt)
    (fetched,) = shop.connector.parse(fetched_receipt)
    assert newest.body == polled.body == fetched.body
    assert newest.version == polled.version == fetched.version
    record = canonical(polled.body)
    assert record["external_id"] == order
    assert record["totals"]["total"] == "79.60"  # what was added counts, what was taken out is not taken off
    assert [line["quantity"] for line in record["lines"]] == ["3", "2", "1"]
    assert [line["current_quantity"] for line in record["lines"]] == ["2", "1", "1"]
    assert [line.get("fulfilled_quantity") for line in record["lines"]] == ["1", None, "1"]


def test_refunds_say_the_same_by_webhook_and_poll(shop: ShopWorld) -> None:
    order = busy_order(shop)
    (pushed,) = [
        record
        for receipt in shop.delivered()
        if receipt.stream == "refunds"
        for record in shop.connector.parse(receipt)
    ]
    (polled,) = shop.polled("refunds")
    receipt = shop.connector.fetch("refunds", str(pushed.external_id))
    assert isinstance(receipt, Receipt)
    (fetched,) = shop.connector.parse(receipt)
    assert pushed.body == polled.body == fetched.body
    mapped = MAPPINGS.get("shopify/refunds.in").run(polled.body)
    record: Any = mapped.record
    assert record["order_external_id"] == order
    ((key, subject, data),) = shop.ledger("refund")
    assert (key, subject) == (record["external_id"], order)
    assert Decimal(record["amount"]) == Decimal(data["amount"])


@pytest.mark.parametrize(
    ("currency", "price", "total"), [("JPY", "1980", "5940"), ("KWD", "3.005", "9.015"), ("EUR", "10", "30.00")]
)
def test_amounts_keep_their_currencys_digits_on_both_ways(
    shop: ShopWorld, currency: str, price: str, total: str
) -> None:
    shop.place(("A", 3, price), currency=currency)
    (pushed,) = shop.connector.parse(shop.delivered()[0])
    (polled,) = shop.polled()
    assert pushed.body == polled.body
    assert canonical(polled.body)["totals"]["total"] == total


def test_a_poll_pages_through_everything_oldest_change_first(shop: ShopWorld) -> None:
    orders = []
    for number in range(25):
        orders.append(shop.place((f"SKU-{number}", 1, "5.00")))
        shop.clock.pass_seconds(1)
    assert [record.external_id for record in shop.polled()] == orders


def test_a_poll_that_is_cut_short_goes_on_where_it_stood(shop: ShopWorld) -> None:
    orders = [shop.place((f"SKU-{number}", 1, "5.00")) for number in range(25)]
    first = next(iter(shop.connector.read("orders", None, 10)))
    rest = list(shop.connector.read("orders", first.next_cursor, 1000))
    seen = [
        record.external_id
        for batch in [first, *rest]
        for receipt in batch.receipts
        for record in shop.connector.parse(receipt)
    ]
    assert seen == orders


def test_the_next_sweep_reaches_back_behind_the_newest_change_and_sees_a_late_row(open_shop: Open) -> None:
    shop = open_shop(Faults(lookup_lag_seconds=30))
    shop.place(("EARLY", 1, "5.00"))
    shop.clock.pass_seconds(60)
    late = shop.place(("LATE", 1, "5.00"))
    *_, last = shop.connector.read("orders", None, 1000)
    shop.clock.pass_seconds(60)
    again = [
        record.external_id
        for batch in shop.connector.read("orders", last.next_cursor, 1000)
        for receipt in batch.receipts
        for record in shop.connector.parse(receipt)
    ]
    assert late in again


def test_an_idle_poll_brings_no_receipt_and_moves_no_cursor_backwards(shop: ShopWorld) -> None:
    (empty,) = shop.connector.read("orders", None, 1000)
    assert list(empty.receipts) == []
    (again,) = shop.connector.read("orders", empty.next_cursor, 1000)
    assert again.next_cursor == empty.next_cursor


def test_an_order_with_more_lines_than_a_page_shows_comes_whole_and_once(shop: ShopWorld) -> None:
    order = shop.place(*[(f"SKU-{number}", 1, "1.00") for number in range(600)])
    small = shop.place(("SMALL", 1, "1.00"))
    records = shop.polled()
    assert sorted(str(record.external_id) for record in records) == sorted([order, small])
    (big,) = [record for record in records if record.external_id == order]
    assert isinstance(big.body, dict)
    lines: Any = big.body["line_items"]
    assert [line["sku"] for line in lines] == [f"SKU-{number}" for number in range(600)]
    (pushed, _) = [record for receipt in shop.delivered() for record in shop.connector.parse(receipt)]
    assert pushed.body == big.body


def test_an_empty_bucket_ends_a_poll_after_the_pages_it_paid_for(open_shop: Open) -> None:
    shop = open_shop(bucket="900", restore_rate="50")
    for number in range(30):
        shop.place((f"SKU-{number}", 1, "5.00"))
    batches: list[Batch] = []
    with pytest.raises(CallFailed) as caught:
        batches.extend(shop.connector.read("orders", None, 1000))
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert len(batches) == 2
    shop.clock.pass_seconds(caught.value.retry_after_seconds or 0)
    (last,) = list(shop.connector.read("orders", batches[-1].next_cursor, 1000))
    assert len(list(shop.connector.parse(last.receipts[0]))) == 10


def test_a_throttled_query_says_when_the_bucket_will_hold_its_cost(open_shop: Open) -> None:
    shop = open_shop(bucket="100", restore_rate="10")
    with pytest.raises(CallFailed) as caught:
        shop.polled()
    assert caught.value.resolution is Resolution.RATE_LIMITED
    assert caught.value.words == "Throttled"
    assert caught.value.retry_after_seconds == pytest.approx((412 - 100) / 10, abs=0.1)


def test_an_order_the_shop_does_not_have_is_missing(shop: ShopWorld) -> None:
    assert shop.connector.fetch("orders", "123") == Missing("123")
    assert shop.connector.fetch("refunds", "123") == Missing("123")


def test_ids_of_a_window_are_listed_with_versions_that_sort(shop: ShopWorld) -> None:
    before = shop.place(("A", 1, "5.00"))
    shop.clock.pass_seconds(3600)
    inside = shop.place(("A", 1, "5.00"))
    window = Window(START + dt.timedelta(minutes=30), START + dt.timedelta(hours=2))
    (found,) = shop.connector.list_ids("orders", window)
    assert found.external_id == inside != before
    assert found.version == "2026-11-02T10:00:00.000000Z"


def test_a_wrong_token_is_an_authorisation_failure_in_the_vendors_words(shop: ShopWorld) -> None:
    stranger = shop.connect(access_token="wrong")
    with pytest.raises(CallFailed) as caught:
        list(stranger.read("orders", None, 10))
    assert caught.value.resolution is Resolution.AUTH_FAILED
    assert "Invalid API key" in caught.value.words
    assert not stranger.check().ok


def test_the_check_names_each_probe(shop: ShopWorld) -> None:
    report = shop.connector.check()
    assert report.ok
    assert [probe.name for probe in report.probes] == ["reach the Admin API", "access scopes", "webhook secrets"]


@pytest.mark.parametrize("script", ["error_before", "error_after", "drop_after", "late_commit"])
def test_a_read_that_fails_is_simply_retried(open_shop: Open, script: str) -> None:
    shop = open_shop(Faults(script={1: script}))
    with pytest.raises(CallFailed) as caught:
        shop.polled()
    assert caught.value.resolution is Resolution.RETRY
    assert shop.polled() == []


def receipt_of(body: bytes, stream: str = "orders") -> Receipt:
    return Receipt("shopify-us", stream, None, {}, body, "application/json", START)


def test_rest_answers_fed_by_hand_are_cut_into_their_records(shop: ShopWorld) -> None:
    parse = shop.connector.parse
    assert [record.external_id for record in parse(receipt_of(b'{"order": {"id": 820982911946154508}}'))] == [
        "820982911946154508"
    ]
    two = parse(receipt_of(b'{"orders": [{"id": 1, "updated_at": "2026-11-03T09:15:02-05:00"}, {"id": 2}]}'))
    assert [(record.external_id, record.version, record.position) for record in two] == [
        ("1", "2026-11-03T14:15:02.000000Z", "orders.0"),
        ("2", None, "orders.1"),
    ]
    assert [record.external_id for record in parse(receipt_of(b'{"id": 9, "refunds": [{"id": 3}]}'))] == ["9"]
    assert [record.external_id for record in parse(receipt_of(b'{"id": 3, "order_id": 9}', "refunds"))] == ["3"]


@pytest.mark.parametrize("body", [b"[]", b"\xff", b'"x"', b"{", b'{"orders": [1]}', b"NaN", b"[" * 100_000])
def test_what_holds_no_records_is_a_data_error(shop: ShopWorld, body: bytes) -> None:
    with pytest.raises(DataError):
        shop.connector.parse(receipt_of(body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": {"a": 1}, "updated_at": 5}',
        b'{"data": {"orders": {"nodes": [{}]}}}',
        b'{"data": {"order": {"id": 5, "lineItems": {"nodes": [null, 1, {"id": []}]}, "tags": 3}}}',
        b'{"id": 1, "updated_at": "9999-99-99T99:99:99Z"}',
    ],
)
def test_odd_records_are_handed_on_for_the_mapping_to_judge(shop: ShopWorld, body: bytes) -> None:
    (record,) = shop.connector.parse(receipt_of(body))
    assert record.version is None


@pytest.mark.parametrize(
    "name", ["push_shipment.out", "push_shipment.reply", "push_inventory.out", "push_inventory.reply"]
)
def test_the_mappings_own_tests_pass(name: str) -> None:
    results = run_tests(MAPPINGS.get(f"shopify/{name}"))
    assert results
    assert [result for result in results if result.problems] == []
