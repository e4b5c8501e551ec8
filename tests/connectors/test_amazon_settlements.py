"""Settlement reports: found, downloaded, read in the marketplace's own way of writing, matched, and counted once."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.amazon_sp.connector import AmazonSp
from connectors.amazon_sp.settlements import settlements_of
from hub.app import opened_hub
from hub.runtime.configuration import load_configuration
from hub.sdk.errors import CallFailed, DataError, Resolution
from hub.sdk.records import Batch, Cursor
from hub.store.reading import open_reading
from hub.views.money import list_payouts, show_payout, unmatched_lines
from tests.connectors.amazon_world import MAPPINGS, START, AmazonWorld
from tests.connectors.test_amazon_flow import ENVIRONMENT, Given, fixture

D = Decimal
COLUMNS = (
    *("settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency"),
    *("transaction-type", "order-id", "amount-type", "amount-description", "amount", "posted-date-time"),
)
HEAD = "{id}\t2026-11-01 00:00:00 UTC\t2026-11-15 00:00:00 UTC\t{deposit}\t{total}\t{currency}\t\t\t\t\t\t"


@pytest.fixture
def world() -> Iterator[AmazonWorld]:
    made = AmazonWorld()
    yield made
    made.close()


def account(world: AmazonWorld, **config: Any) -> AmazonSp:
    return world.connect_with(frozenset({"orders", "payouts"}), **config)


def read(connector: AmazonSp, cursor: Cursor | None = None) -> list[Batch]:
    return list(connector.read("payouts", cursor, 100))


def canonical(body: object) -> dict[str, Any]:
    return dict(MAPPINGS.get("amazon_sp/payouts.in").run(body).record)


def report(*rows: str, total: str, settlement: str = "1", currency: str = "EUR", deposit: str = "2026-11-17") -> bytes:
    head = HEAD.format(id=settlement, total=total, currency=currency, deposit=deposit)
    told = [f"{settlement}\t\t\t\t\t\t{row}" for row in rows]
    return "\n".join(["\t".join(COLUMNS), head, *told, ""]).encode()


def test_a_report_that_the_marketplace_made_is_found_downloaded_and_read_once(world: AmazonWorld) -> None:
    connector = account(world)
    order = world.place(("MUG-BLUE", 2, "18.50"))
    world.control("settle", orders=[order], refunds=[{"order": order, "amount": "5.00"}])
    (taken, empty) = read(connector)
    (receipt,) = taken.receipts
    assert receipt.body.startswith(b"\x1f\x8b"), "it is kept as it came"
    (record,) = connector.parse(receipt)
    payout = canonical(record.body)
    assert (payout["currency"], payout["amount"]) == ("EUR", "26.45")
    told = [(line["type"], line["net"], line.get("order_reference")) for line in payout["lines"]]
    assert told == [("charge", "37.00", order), ("fee", "-5.55", order), ("refund", "-5.00", order)]
    assert read(connector, empty.next_cursor)[:-1] == [], "what was taken is not taken again"
    world.clock.pass_seconds(86_400)
    world.control("settle", orders=[], rows=[{"transaction-type": "ServiceFee", "amount": "-39.00"}], plain=True)
    (second, last) = read(connector, empty.next_cursor)
    assert not second.receipts[0].body.startswith(b"\x1f\x8b")
    assert read(connector, last.next_cursor)[0].receipts == []


def test_reports_come_in_pages_and_a_refused_download_keeps_what_was_read(world: AmazonWorld) -> None:
    connector = account(world)
    for _ in range(103):
        world.control("settle", orders=[])
    batches = read(connector)
    assert len(batches) == 104
    assert len({batch.receipts[0].delivery_id for batch in batches[:-1]}) == 103


def test_an_address_that_is_not_the_vendor_s_is_not_asked(world: AmazonWorld) -> None:
    world.control("settle", orders=[])
    connector = account(world)
    object.__setattr__(connector._settlements, "_context", world.context({"region": "eu"}, frozenset({"payouts"})))
    with pytest.raises(CallFailed) as failed:
        read(connector)
    assert failed.value.resolution is Resolution.RETRY
    assert "neither HTTPS" in failed.value.words


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("1234.56", "-4.50"), ("1234.56", "-4.50")),
        (("1234,56", "-4,50"), ("1234.56", "-4.50")),
        (("1.234,56", "0"), ("1234.56", "0")),
        (("1,234.56", "-0.10"), ("1234.56", "-0.10")),
        (("1,234", "-12"), ("1234", "-12")),
        (("1.234,5", "1.000"), ("1234.5", "1000")),
        (("12,5", "0,125"), ("12.5", "0.125")),
    ],
)
def test_amounts_are_read_as_the_report_writes_them(written: tuple[str, str], meant: tuple[str, str]) -> None:
    total, amount = written
    (record,) = settlements_of(report(f"Order\t1-1-1\tItemPrice\tPrincipal\t{amount}\t", total=total))
    payout = canonical(record.body)
    assert (payout["amount"], payout["lines"][0]["net"]) == meant


@pytest.mark.parametrize(
    ("deposit", "meant"),
    [
        ("2026-11-17 10:00:00 UTC", "2026-11-17T10:00:00.000000Z"),
        ("17.11.2026 10:00:00 UTC", "2026-11-17T10:00:00.000000Z"),
        ("2026/11/17 10:00:00 UTC", "2026-11-17T10:00:00.000000Z"),
        ("2026-11-17T10:00:00+00:00", "2026-11-17T10:00:00.000000Z"),
        ("2026-11-17", "2026-11-17T00:00:00.000000Z"),
    ],
)
def test_times_are_read_as_the_report_writes_them(deposit: str, meant: str) -> None:
    (record,) = settlements_of(report(total="0", deposit=deposit))
    assert canonical(record.body)["paid_at"] == meant


def test_text_of_any_age_is_read(world: AmazonWorld) -> None:
    row = "other-transaction\t\tother-transaction\tGebühr für Lager\t-1,00\t"
    for charset in ("utf-8", "cp1252", "utf-8-sig"):
        body = report(row, total="-1,00").decode().encode(charset)
        (record,) = settlements_of(gzip.compress(body), f"text/plain;charset={charset}")
        assert canonical(record.body)["lines"][0]["words"].endswith("Gebühr für Lager")
    (record,) = settlements_of(report(row, total="-1,00").decode().encode("cp1252"))
    assert canonical(record.body)["amount"] == "-1.00"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "settlement-id is missing"),
        (b'{"orders": []}', "settlement-id is missing"),
        (report("Order\t1-1-1\tItemPrice\tPrincipal\t1,50\t", total="1.50"), "some amounts have a decimal point"),
        (report("Order\t1\tItemPrice\tPrincipal\t1\t\tmore\tthan\tthere\tis", total="1"), "it has"),
        (gzip.compress(report(total="1"))[:-9], "ends in the middle"),
        (b"\x1f\x8b\x08broken", "broken"),
    ],
)
def test_what_is_no_report_is_kept_and_says_why(body: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(settlements_of(body))


def test_two_settlements_in_one_file_are_two_payouts() -> None:
    first = report("Order\t1-1-1\tItemPrice\tPrincipal\t5.00\t", total="5.00")
    other = report("Order\t2-2-2\tItemPrice\tPrincipal\t7.00\t", total="7.00", settlement="2").split(b"\n", 1)[1]
    assert [record.external_id for record in settlements_of(first + other)] == ["1", "2"]


class Books(Given):
    """A hub in a folder that reads settlement reports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        path = folder / "config" / "connections" / "amazon-eu.yaml"
        written = path.read_text("utf-8").replace("  cancel_requests: {}\n", "  payouts: { poll: { every: 1h } }\n")
        path.write_text(written, encoding="utf-8")
        self.loaded = load_configuration(folder / "config", ENVIRONMENT)

    def report(self, name: str, body: bytes) -> list[str]:
        path = self.folder / name
        path.write_bytes(body)
        with opened_hub(self.place, self.loaded, environ=ENVIRONMENT) as hub:
            given = {"who": "test", "connection": "amazon-eu", "files": [str(path)], "stream": "payouts"}
            return [str(item["status"]) for item in hub.act("ingest", given)["items"]]

    def read(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], list[str]]:
        """Payouts, the lines of the newest, unmatched lines, kinds of exceptions."""
        with open_reading("hub.db", home=self.place.home) as connection:
            payouts = list_payouts(connection)
            lines = (show_payout(connection, payouts[0]["id"]) or {})["items"]
            kinds = [str(kind) for (kind,) in connection.execute(text("SELECT kind FROM exceptions ORDER BY kind"))]
            return payouts, lines, unmatched_lines(connection, START + dt.timedelta(days=30)), kinds


def test_a_settlement_is_matched_to_its_orders_and_a_file_twice_is_one_payout(tmp_path: Path) -> None:
    hub = Books(tmp_path)
    order = fixture("unshipped")
    hub.give(order)
    sold = [f"Order\t{order['orderId']}\tItemPrice\tPrincipal\t45.00\t2026-11-04 08:00:00 UTC"]
    sold.append(f"Order\t{order['orderId']}\tItemFees\tCommission\t-6.75\t2026-11-04 08:00:00 UTC")
    other = "Order\t303-9999999-9999999\tItemPrice\tPrincipal\t10.00\t2026-11-05 08:00:00 UTC"
    fees = "ServiceFee\t\tSubscription Fee\tSubscription\t-39.00\t2026-11-06 08:00:00 UTC"
    body = report(*sold, other, fees, total="9.25")
    assert hub.report("one.txt", body) == ["applied"]
    assert hub.report("again.txt.gz", gzip.compress(body)) == ["duplicate"]
    (payout,), lines, unmatched, kinds = hub.read()
    assert (payout["amount"], payout["difference"], payout["fees"]) == (D("9.25"), 0, D("45.75"))
    assert [line["matched"] for line in lines] == ["order", "order", "nothing", "none_needed"]
    assert [(line["order_reference"], line["age_days"]) for line in unmatched] == [("303-9999999-9999999", 27)]
    assert kinds == ["payout_unmatched"]


def test_a_deposit_that_its_rows_do_not_come_to_is_told(tmp_path: Path) -> None:
    hub = Books(tmp_path)
    hub.report("one.txt", report("ServiceFee\t\t\tSubscription\t-39,00\t", total="-38,00"))
    (payout,), _, _, kinds = hub.read()
    assert (payout["difference"], kinds) == (D(1), ["payout_difference"])


def test_what_is_no_report_is_shown_as_a_receipt_that_nobody_can_read(tmp_path: Path) -> None:
    assert Books(tmp_path).report("one.txt", b"sku\tprice\n") == ["unparsable"]
