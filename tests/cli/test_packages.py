"""`hub packages` on both databases: the list, one package with its money and scans, and the label's very bytes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.site import Done, Site
from tests.conftest import Database, SettableClock
from tests.connectors.carrier_rest_world import Labelling


@pytest.fixture
def site(tmp_path: Path, database: Database, clock: SettableClock) -> Iterator[Site]:
    """One package on its way, one whose label was given back, one that waits for a label."""
    with Labelling(store=database.open(clock), clock=clock) as world:
        world.stock(TEE=50)
        world.items("TEE")
        for number, box, weight in (("1", "BOX-1", "850"), ("2", "BOX-2", "850"), ("3", "BOX-3", "80000")):
            clock.advance(1)
            world.order(number)
            world.pack(box, weight=weight)
            if number == "2":
                world.cancel("2")
        first = next(row for row in world.packages() if row["external_id"] == "BOX-1")
        world.scan(first["tracking_number"], "in_transit")
        world.told()
        assert world.findings(database) == []
        made = Site(tmp_path / "site")
        if database.kind == "postgresql":
            made.edit("hub.yaml", "database: sqlite", f"database: {database.address}")
        made.home = database.home
        yield made


def by_box(done: Done) -> dict[str, str]:
    return {row["external_id"]: row["id"] for row in done.items}


def test_the_list_says_where_each_package_is_and_what_its_labels_cost(site: Site) -> None:
    listed = site.good("packages", "list", "--json").items
    assert [(row["external_id"], row["state"], Decimal(row["cost"])) for row in listed] == [
        ("BOX-3", "label_pending", 0),
        ("BOX-2", "voided", 0),
        ("BOX-1", "in_transit", Decimal("5.88")),
    ]
    assert "5.88 USD" in site.good("packages", "list").out


def test_a_list_can_be_narrowed_and_paged(site: Site) -> None:
    (moving,) = site.good("packages", "list", "--state", "in_transit", "--json").items
    assert moving["external_id"] == "BOX-1"
    first = site.good("packages", "list", "--limit", "1", "--json").items
    rest = site.good("packages", "list", "--before", first[0]["id"], "--json").items
    assert [row["external_id"] for row in (*first, *rest)] == ["BOX-3", "BOX-2", "BOX-1"]


def test_a_package_is_found_by_its_tracking_number_with_its_money_and_its_scans(site: Site) -> None:
    (moving,) = site.good("packages", "list", "--state", "in_transit", "--json").items
    shown = site.good("packages", "show", moving["tracking_number"]).out
    assert "label 1     bought at carrier: 5.88 USD" in shown
    assert "scanned  in_transit" in shown
    given_back = site.good("packages", "show", "BOX-2").out
    assert "5.88 USD came back" in given_back


def test_the_label_is_written_as_the_carrier_sold_it(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "label.pdf"
    told = site.good("packages", "label", "BOX-1", "--out", target).out
    assert target.read_bytes().startswith(b"%PDF-1.4")
    assert "application/pdf" in told


def test_without_a_name_the_file_is_named_as_the_package(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = by_box(site.good("packages", "list", "--json"))["BOX-1"]
    site.good("packages", "label", package)
    assert (tmp_path / f"{package}.pdf").is_file()


def test_a_package_without_a_label_or_none_at_all_is_told_with_what_to_do(site: Site) -> None:
    waiting = site.hub("packages", "label", "BOX-3")
    assert (waiting.code, "hub packages show" in waiting.err) == (1, True)
    nothing = site.hub("packages", "show", "BOX-9")
    assert (nothing.code, "hub packages list" in nothing.err) == (1, True)


def test_the_labels_say_what_each_was_good_for_and_what_stays_paid(site: Site) -> None:
    listed = {row["use"]: row for row in site.good("packages", "labels", "--json").items}
    assert set(listed) == {"waiting", "given_back"}
    assert Decimal(listed["given_back"]["kept"]) == Decimal(0)
    assert listed["given_back"]["direction"] == "outbound"
    shown = site.good("packages", "labels")
    assert "given_back" in shown.out
    assert "waiting: 5.88 USD" in shown.err
    assert "No labels were bought" in site.good("packages", "labels", "--use", "wasted").err
    (order,) = site.good("orders", "show", "1", "--json").items
    assert [label["use"] for label in order["labels"]] == ["waiting"]
    assert "label outbound" in site.good("orders", "show", "1").out
