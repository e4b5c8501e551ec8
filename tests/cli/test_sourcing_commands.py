"""`hub orders reroute` and `hub orders list --at-risk` without a running hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.site import SHOP, Site, shop_order


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.good("ingest", SHOP, site.write("order.json", shop_order()))
    return site


def test_a_dry_run_says_who_was_not_asked_and_leaves_the_order_alone(site: Site) -> None:
    before = site.good("orders", "show", "#1042", "--json").items[0]["version"]
    done = site.good("orders", "reroute", "#1042", "--dry-run")
    assert "would be decided by strategy cheapest" in done.out
    assert "dc-east: nothing of this order is free there (no_stock)" in done.out
    (found,) = site.good("orders", "reroute", "#1042", "--dry-run", "--json").items
    assert found["decisions"][0]["plan"]["unfilled"] == {"00123": "1", "MUG-BLUE": "2"}
    assert site.good("orders", "show", "#1042", "--json").items[0]["version"] == before


def test_rerouting_asks_for_a_reason_and_refuses_what_is_held(site: Site) -> None:
    usage = site.hub("orders", "reroute", "#1042")
    assert usage.code == 2
    assert "--dry-run" in usage.err
    refused = site.hub("orders", "reroute", "#1042", "--reason", "closed by snow")
    assert refused.code == 1
    assert "release it first" in refused.err


def test_the_queue_of_what_must_leave_soon_takes_no_other_filter(site: Site) -> None:
    assert site.good("orders", "list", "--at-risk", "--json").items == []
    assert site.hub("orders", "list", "--at-risk", "--status", "held").code == 2
