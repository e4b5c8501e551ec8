"""Going live: what it means is shown first, and nothing of the past is sent unless it is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.actions.going_live import go_live
from hub.app import opened_hub
from hub.exchange.verbs import Refused
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from tests.cli.site import ERP, SHOP, WMS, Site, shop_order

FILE = f"connections/{ERP}.yaml"


@pytest.fixture
def observing(tmp_path: Path) -> Site:
    """The ERP is observed, and one order has gone its way."""
    site = Site(tmp_path)
    site.edit(FILE, "connector: erp_soap", "connector: erp_soap\neffects: observe   # until the first of May")
    skus = sorted({line["sku"] for line in shop_order()["line_items"]})
    site.good("import", "items", site.write("items.json", [{"sku": sku} for sku in skus]))
    for sku in skus:
        site.good("inventory", "adjust", sku, "dc-east", "--to", "50", "--reason", "first count")
    site.ingest(site.write("order.json", shop_order()))
    work(site)
    return site


def work(site: Site) -> None:
    """Everything that is due, once."""
    loaded = load_configuration(site.config, site.environ)
    with opened_hub(Place(site.config, site.home), loaded, environ=site.environ) as hub:
        hub.engine.run_until_idle(50)


def calls(site: Site, state: str = "all") -> list[dict[str, Any]]:
    found = site.good("deliveries", "list", "--state", state, "--json").items
    return [row for row in found if row["destination"] == ERP]


def test_a_plan_shows_what_is_suppressed_and_changes_nothing(observing: Site) -> None:
    waiting = calls(observing, "suppressed")
    assert [row["capability"] for row in waiting] == ["submit_order"]
    before = (observing.config / FILE).read_text("utf-8")
    plan = observing.good("connections", "go-live", ERP, "--dry-run", "--json").items[0]
    assert (plan["effects"], plan["suppressed"], plan["include"]) == ("observe", 1, [])
    assert plan["by_kind"] == {f"{ERP} submit_order": 1}
    shown = observing.good("connections", "go-live", ERP, "--dry-run").out
    assert f"stays unsent: {waiting[0]['id']}  {ERP} submit_order" in shown
    assert (observing.config / FILE).read_text("utf-8") == before
    assert [row["state"] for row in calls(observing)] == ["suppressed"]


def test_going_live_turns_effects_on_and_sends_nothing_of_the_past(observing: Site) -> None:
    done = observing.good("connections", "go-live", ERP, "--yes", "--reason", "the first of May")
    assert "1 from before stay unsent" in done.out
    text = (observing.config / FILE).read_text("utf-8")
    assert "effects: on   # until the first of May" in text
    work(observing)
    assert [row["state"] for row in calls(observing)] == ["suppressed"]
    observing.ingest(observing.write("next.json", shop_order(1043)))
    work(observing)
    assert sorted(row["state"] for row in calls(observing)) == ["retry", "suppressed"]


def test_what_is_listed_is_sent(observing: Site) -> None:
    listed = calls(observing, "suppressed")[0]["id"]
    plan = observing.good("connections", "go-live", ERP, "--include", listed, "--dry-run").out
    assert f"would be sent now: {listed}" in plan
    observing.good("connections", "go-live", ERP, "--include", listed, "--yes")
    work(observing)
    assert [row["state"] for row in calls(observing)] == ["retry"]


def test_a_listed_delivery_of_another_connection_is_refused_before_anything_changes(observing: Site) -> None:
    other = [row["id"] for row in observing.good("deliveries", "list", "--state", "all", "--json").items]
    strange = next(one for one in other if one not in {row["id"] for row in calls(observing)})
    done = observing.hub("connections", "go-live", ERP, "--include", strange, "--yes")
    assert done.code == 1
    assert f"{strange} is no suppressed delivery of {ERP}" in done.err
    assert "effects: observe" in (observing.config / FILE).read_text("utf-8")


def test_who_says_no_changes_nothing(observing: Site) -> None:
    done = observing.hub("connections", "go-live", ERP)
    assert done.code != 0
    assert "effects: observe" in (observing.config / FILE).read_text("utf-8")


def test_a_connection_that_is_live_says_so(observing: Site) -> None:
    done = observing.hub("connections", "go-live", SHOP, "--yes")
    assert (done.code, f"{SHOP} is live already" in done.err) == (1, True)
    assert observing.hub("connections", "go-live", "nowhere", "--yes").code == 1


def test_resuming_shows_what_is_held_and_how_old_it_is(observing: Site) -> None:
    observing.good("connections", "pause", WMS, "--reason", "the warehouse is being moved")
    shown = observing.good("connections", "resume", WMS, "--dry-run", "--json").items[0]
    assert shown["paused"] is True
    assert sum(shown["by_kind"].values()) == shown["deliveries"] > 0
    again = observing.good("connections", "resume", WMS, "--dry-run")
    assert "deliveries wait, the oldest" in again.out
    done = observing.good("connections", "resume", WMS)
    assert f"{WMS} goes on with" in done.out
    assert observing.good("connections", "resume", WMS, "--dry-run", "--json").items[0]["paused"] is False


def test_a_stream_is_read_now_or_once_more_from_its_beginning(observing: Site) -> None:
    assert "is read as soon as" in observing.good("connections", "sync", SHOP, "orders").out
    assert "from its beginning" in observing.good("connections", "sync", SHOP, "orders", "--again").out
    done = observing.hub("connections", "sync", SHOP, "nothing")
    assert done.code == 1
    assert "it has orders" in done.err


def test_stock_is_corrected_by_a_difference_or_to_a_number(observing: Site) -> None:
    observing.good("inventory", "adjust", "SKU-9", "dc-west", "--by", "5", "--reason", "found")
    observing.good("inventory", "adjust", "SKU-9", "dc-west", "--to", "3", "--reason", "counted")
    observing.good("inventory", "adjust", "SKU-9", "dc-west", "-0.5", "--reason", "broken")
    stock = observing.good("inventory", "list", "--sku", "SKU-9", "--json").items
    assert [row["on_hand"] for row in stock] == ["2.5"]
    assert observing.hub("inventory", "adjust", "SKU-9", "dc-west", "--to", "2.5", "--reason", "same").code == 1
    assert observing.hub("inventory", "adjust", "SKU-9", "dc-west", "1", "--to", "2", "--reason", "both").code == 2
    assert observing.hub("inventory", "adjust", "SKU-9", "dc-west", "--reason", "none").code == 2


def test_a_running_hub_does_not_adopt_other_changes_of_the_files_along(observing: Site) -> None:
    loaded = load_configuration(observing.config, observing.environ)
    with opened_hub(Place(observing.config, observing.home), loaded, environ=observing.environ) as hub:
        observing.edit(f"connections/{SHOP}.yaml", "title: ", "title: Another ")
        with pytest.raises(Refused, match="changes that are not in force"):
            go_live(hub, "test", ERP)
        assert "effects: observe" in (observing.config / FILE).read_text("utf-8")
        observing.edit(f"connections/{SHOP}.yaml", "title: Another ", "title: ")
        assert go_live(hub, "test", ERP)["effects"] == "on"
        view = hub.connections.get(ERP)
        assert view is not None
        assert view.effects
