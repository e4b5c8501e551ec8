"""The audit of a real database: it passes on a clean one, and fails for every way of spoiling one."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
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
