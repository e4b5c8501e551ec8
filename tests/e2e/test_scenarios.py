"""`hub demo --scenario all`: each story by its timeline, and by what the other systems' own ledgers say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import data, entries, hub, memory

pytestmark = pytest.mark.timeout(400)


class Told:
    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "demo"
        done = hub(home, "demo", "--scenario", "all", "--exit", "--json")
        self.said: dict[str, Any] = json.loads(done.stdout)
        self.stories: dict[str, dict[str, Any]] = {one["story"]: one for one in self.said["stories"]}

    def facts(self, story: str) -> list[str]:
        return [entry["fact"] for entry in self.stories[story]["timeline"]]

    def system(self, name: str, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
        return entries(self.folder / f"{name}.ledger", kind)

    def order(self, story: str) -> dict[str, Any]:
        number = self.stories[story]["number"].removeprefix("#")
        (found,) = data(self.home, "--demo", "orders", "show", number)["items"]
        return dict(found)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("stories"))


def test_every_story_settles_and_is_told_from_its_beginning(told: Told) -> None:
    assert {story: one["missing"] for story, one in told.stories.items() if one["missing"]} == {}
    assert {facts[0] for story in told.stories if (facts := told.facts(story))} == {"order.captured"}
    found = data(told.home, "--demo", "verify")
    assert (found["ok"], found["items"]) == (True, [])


def test_what_is_collected_leaves_the_store_when_it_is_handed_over_and_not_before(told: Told) -> None:
    facts = told.facts("bopis")
    assert facts.index("fulfilment_order.ready") < facts.index("fulfilment_order.handed_over")
    (work,) = told.order("bopis")["fulfilment_orders"]
    assert work["location"] == "store-14"
    assert [subject for _, subject, _ in told.system("wms-east", "handover")] == [work["id"]]
    assert work["id"] not in {subject for _, subject, _ in told.system("wms-east", "shipment")}


def test_what_is_sold_before_it_is_there_has_a_date_and_leaves_when_it_comes(told: Told) -> None:
    facts = told.facts("preorder")
    assert facts.index("order.promised") < facts.index("order.allocated") < facts.index("shipment.shipped")


def test_an_edit_within_its_grace_is_what_the_warehouse_was_first_asked(told: Told) -> None:
    facts = told.facts("edit-in-grace")
    assert facts.index("change.accepted") < facts.index("order.confirmed")
    (work,) = told.order("edit-in-grace")["fulfilment_orders"]
    (asked,) = [entry for _, subject, entry in told.system("wms-east", "fulfilment_request") if subject == work["id"]]
    assert [line["quantity"] for line in asked["lines"]] == ["3"]
    assert asked["ship_to"]["street"] == ["9 Station Road"]


def test_a_kit_leaves_as_its_components_and_is_told_as_sold(told: Told) -> None:
    (work,) = told.order("kit")["fulfilment_orders"]
    (asked,) = [entry for _, subject, entry in told.system("wms-east", "fulfilment_request") if subject == work["id"]]
    assert {line["sku"]: line["quantity"] for line in asked["lines"]} == {"BASKET": "2", "CUP-TIN": "8"}
    number = told.stories["kit"]["number"]
    orders = memory(told.folder / "shopify-us.ledger", "order:").values()
    (at_shop,) = [order for order in orders if order["name"] == number]
    assert [(line["sku"], line["fulfillable_quantity"]) for line in at_shop["line_items"]] == [("PICNIC-SET", 0)]


def test_goods_brought_back_to_a_store_lie_on_its_shelf_again(told: Told) -> None:
    facts = told.facts("boris")
    for earlier, later in zip(
        ("return.requested", "return.received", "return.inspected"),
        ("return.received", "return.inspected", "return.settled"),
        strict=True,
    ):
        assert facts.index(earlier) < facts.index(later)
    (found,) = data(told.home, "--demo", "inventory", "show", "JUMPER-M", "--why")["items"]
    assert {one["location"]: one["on_hand"] for one in found["locations"]}["store-14"] == "1"


def test_money_goes_back_once_and_a_difference_is_charged_once(told: Told) -> None:
    assert sorted(entry["amount"] for _, _, entry in told.system("payment", "refund")) == ["5", "79"]
    given = {story: told.order(story)["payments"] for story in ("boris", "partial-refund", "exchange")}
    assert {story: [one["refunded"] for one in rows if one["refunded"] != "0"] for story, rows in given.items()} == {
        "boris": ["79"],
        "partial-refund": ["5"],
        "exchange": [],
    }
    assert [one["captured"] for one in given["exchange"]] == ["83.9", "0.1"]
    (link,) = told.order("exchange")["links"]
    assert (link["role"], link["status"]) == ("exchange", "closed")


def test_scenarios_are_listed_and_an_unknown_one_is_a_usage_error(told: Told) -> None:
    names = [one["scenario"] for one in data(told.home, "demo", "--scenario", "list")["items"]]
    assert len(names) >= 12
    refused = hub(told.home, "demo", "--scenario", "nothing", check=2)
    assert names[0] in refused.stderr
