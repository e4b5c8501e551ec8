"""The audit of a real database: it passes on a clean one, and fails for every way of spoiling one."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hub.views.promises import PROMISES
from hub.views.self_test import CORRUPTIONS
from tests.cli.running import SKUS, Running, eventually
from tests.cli.site import SHOP, Site


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub that ran and stopped: orders that were closed, one under way, one held, a body that nobody can read."""
    with Running(tmp_path_factory.mktemp("ran")) as running:
        running.start()
        running.furnish()
        names = [running.place(sku=sku, quantity=2) for sku in SKUS[:2]]
        running.wms.control("behave", {"match": {"sku": SKUS[2]}, "mode": "silent"})
        silent = running.place(sku=SKUS[2])
        held = running.place(sku="SKU-UNKNOWN")
        for name in names:
            running.await_order(name, "closed")
        give_back(running.site, names[0])
        running.await_delivery(silent, "send_fulfilment_request", "acknowledged")
        eventually(lambda: running.order(held), "the held order is captured")
        running.site.hub("ingest", SHOP, running.site.write("bad.json", b"{"))
        running.hub.stop()
        yield running.site


def give_back(site: Site, order: str) -> None:
    """One unit comes back, is inspected and refunded; another is only asked for."""
    asked = site.good("returns", "request", order, "--line", "1=1", "--reason", "too small", "--json").items[0]
    site.good("returns", "receive", asked["return"], "--location", "dc-east", "--line", "1=1")
    site.good("returns", "inspect", asked["return"], "--line", "1=1", "--disposition", "restock", "--grade", "A")
    site.good("returns", "request", order, "--line", "1=1", "--reason", "too small, too")


@pytest.fixture
def spoiled(ran: Site, tmp_path: Path) -> Iterator[tuple[Site, sqlite3.Connection]]:
    """A copy of it that a test may change."""
    site = Site(tmp_path, ran.environ)
    shutil.copytree(ran.home, site.home, dirs_exist_ok=True)
    connection = sqlite3.connect(site.home / "hub.db", isolation_level=None)
    yield site, connection
    connection.close()


def test_a_clean_database_passes_and_says_what_was_looked_at(ran: Site) -> None:
    done = ran.good("verify", "--json")
    assert done.items == []
    assert done.data["ok"] is True
    assert done.data["checked"]["orders"] == 4
    assert done.data["checked"]["deliveries"] > 8


def test_the_self_test_names_every_corruption(ran: Site) -> None:
    done = ran.hub("verify", "--self-test", "--json")
    missed = [row for row in done.items if not row["named"]]
    assert missed == []
    assert done.code == 0
    assert {row["corruption"] for row in done.items} == {one.name for one in CORRUPTIONS}
    assert len(done.items) >= 20


def test_every_promise_can_fail() -> None:
    known = {"bytes_unchanged", "shipments_add_up", "sources_lead_to_orders"} | {promise.name for promise in PROMISES}
    known |= {"credits_posted", "invoices_add_up", "books_are_money"}
    assert {one.promise for one in CORRUPTIONS} == known
    assert max(Counter(one.name for one in CORRUPTIONS).values()) == 1


def test_the_self_test_leaves_the_database_as_it_was(ran: Site) -> None:
    before = (ran.home / "hub.db").read_bytes()
    ran.good("verify", "--self-test")
    assert (ran.home / "hub.db").read_bytes() == before


def test_a_broken_promise_ends_with_1_and_names_the_row(spoiled: tuple[Site, sqlite3.Connection]) -> None:
    site, connection = spoiled
    (message,) = connection.execute("SELECT id FROM messages WHERE state = 'applied' ORDER BY id LIMIT 1").fetchone()
    connection.execute("UPDATE messages SET state = 'parked' WHERE id = ?", (message,))
    done = site.hub("verify", "--json")
    assert done.code == 1
    assert [(row["promise"], row["subject"]) for row in done.items] == [("parked_seen", message)]
    assert message in site.hub("verify").out


def test_books_are_looked_at_a_page_at_a_time_and_none_is_left_out(
    spoiled: tuple[Site, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, connection = spoiled
    connection.execute("UPDATE money_moves SET amount = amount - 1000000 WHERE kind = 'invoiced'")
    connection.execute("UPDATE money_moves SET document = '{}' WHERE kind = 'credited'")
    found = []
    for page in (500, 1):
        monkeypatch.setattr("hub.views.book_promises.PAGE", page)
        found.append([(row["promise"], row["subject"]) for row in site.hub("verify", "--json").items])
    assert found[0] == found[1]
    assert {"credits_posted", "invoices_add_up"} <= {promise for promise, _ in found[0]}


def test_books_of_an_order_that_waits_for_a_reason_are_not_judged_yet(
    spoiled: tuple[Site, sqlite3.Connection],
) -> None:
    site, connection = spoiled
    connection.execute("UPDATE money_moves SET amount = amount - 1000000 WHERE kind = 'invoiced'")
    judged = {row["subject"] for row in site.hub("verify", "--json").items if row["promise"] == "invoices_add_up"}
    assert judged
    connection.execute("CREATE TEMP TABLE one AS SELECT * FROM tasks LIMIT 1")
    for order in judged:
        connection.execute(
            "UPDATE one SET id = ?, kind = 'less_wanted', subject = ?, dedupe_key = ?, state = 'pending'",
            (f"tk-{order}", order, f"less-wanted-{order}"),
        )
        connection.execute("INSERT INTO tasks SELECT * FROM one")
    assert not [row for row in site.hub("verify", "--json").items if row["promise"] == "invoices_add_up"]


def test_it_passes_after_personal_data_was_erased(spoiled: tuple[Site, sqlite3.Connection]) -> None:
    site, connection = spoiled
    connection.execute("UPDATE bodies SET body = NULL, file = NULL, erased_at = created_at")
    connection.execute("DELETE FROM contacts")
    assert site.hub("verify").code == 0, site.hub("verify").out


def test_a_body_that_is_gone_without_erasure_is_named(spoiled: tuple[Site, sqlite3.Connection]) -> None:
    site, connection = spoiled
    connection.execute("UPDATE bodies SET body = NULL, file = NULL")
    promises = {row["promise"] for row in site.hub("verify", "--json").items}
    assert promises == {"receipts_kept", "deliveries_bodies"}


def test_the_accounting_journal_balances_and_says_what_the_ledgers_hold(
    spoiled: tuple[Site, sqlite3.Connection],
) -> None:
    site, connection = spoiled
    span = ("--from", "2000-01-01", "--to", "2100-01-01")
    done = site.good("reports", "run", "journal", *span, "--format", "json", "--detail")
    by_document: dict[str, Decimal] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in done.items:
        effect = Decimal(entry["debit"]) - Decimal(entry["credit"])
        by_document[entry["document"]] = by_document.get(entry["document"], Decimal(0)) + effect
        key = (entry["kind"], entry["account"])
        sums[key] = sums.get(key, Decimal(0)) + effect
    assert by_document
    assert set(by_document.values()) == {Decimal(0)}
    held = dict(connection.execute("SELECT kind, SUM(amount) FROM money_moves GROUP BY kind").fetchall())
    assert sums["invoiced", "receivables"] == Decimal(held["invoiced"]) / 10**6
    assert sums["credited", "returns"] == Decimal(held["credited"]) / 10**6 > 0
    assert not any(account == "difference" for _, account in sums)
    summed = site.hub("reports", "run", "journal", *span).out.splitlines()
    assert summed[0] == "date,channel,currency,account,debit,credit,documents"
    total = sum(Decimal(line.split(",")[4]) - Decimal(line.split(",")[5]) for line in summed[1:])
    assert total == 0
    assert site.hub("reports", "run", "journal", *span, "--channel", "nobody").out.splitlines() == summed[:1]


def test_a_payout_stands_in_the_journal_with_what_was_kept_of_it(spoiled: tuple[Site, sqlite3.Connection]) -> None:
    site, connection = spoiled
    million, paid_at = 10**6, 1_796_000_000 * 10**6
    paid = ("po_1", "pay", "P-1", "USD", 9_400_000, 9_400_000, paid_at, "{}", paid_at)
    connection.execute("INSERT INTO payouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", paid)
    lines = [
        ("pl_1", "charge", 12 * million, 300_000, 11_700_000),
        ("pl_2", "refund", -2 * million, 0, -2 * million),
        ("pl_3", "fee", 0, 200_000, -200_000),
        ("pl_4", "reserve", -100_000, 0, -100_000),
    ]
    for number, (name, kind, gross, fee, net) in enumerate(lines):
        connection.execute(
            "INSERT INTO payout_lines (id, payout_id, number, type, currency, gross, fee, net, matched, at)"
            " VALUES (?, 'po_1', ?, ?, 'USD', ?, ?, ?, 'none_needed', ?)",
            (name, number, kind, gross, fee, net, paid_at),
        )
    day = "2026-11-30"
    done = site.good("reports", "run", "journal", "--from", day, "--to", day, "--format", "json")
    kept = {one["account"]: (one["debit"], one["credit"]) for one in done.items if one["channel"] == "pay"}
    assert kept == {
        "clearing": ("2", "12"),
        "bank": ("11.7", "2.3"),
        "fees": ("0.5", "0"),
        "reserve": ("0.1", "0"),
    }
