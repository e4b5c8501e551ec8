"""`hub ingest`, `hub import` and what follows from them: parked, held, kept, mended, re-driven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.bodies import UNREADABLE
from tests.cli.site import SHOP, Site, shop_order

OVERRIDE = """
mapping: shopify/orders.in
version: 1
extends: shopify/orders.in
fields:
  currency: { from: [currency, shop_currency], as: currency }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def without_currency(number: int) -> dict[str, object]:
    """An order that names its currency where no mapping looks for it."""
    order = shop_order(number)
    order["shop_currency"] = order.pop("currency")
    return order


def test_an_order_of_unknown_articles_is_captured_and_held_with_the_reason(site: Site) -> None:
    (item,) = site.ingest(site.write("order.json", shop_order()))
    assert item["status"] == "held"
    assert item["order"].startswith("or_")
    assert item["error"]["field"].startswith("lines.")
    assert item["error"]["message"]
    assert item["file"].endswith("order.json")


def test_an_order_of_known_articles_goes_through(site: Site) -> None:
    skus = [{"sku": line["sku"]} for line in shop_order()["line_items"]]
    site.good("import", "items", site.write("items.json", skus))
    (item,) = site.ingest(site.write("order.json", shop_order()))
    assert item["status"] == "applied"
    assert item["error"] is None
    assert site.hub("ingest", SHOP, site.write("order.json", shop_order(2))).code == 0


def test_articles_that_come_later_release_what_waits_for_them(site: Site) -> None:
    (item,) = site.ingest(site.write("order.json", shop_order()))
    skus = [{"sku": line["sku"]} for line in shop_order()["line_items"]]
    site.good("import", "items", site.write("items.json", skus))
    again = shop_order(updated_at="2026-11-04T09:15:02-05:00", note="the same again")
    site.ingest(site.write("again.json", again))
    (order,) = site.good("orders", "show", item["order"], "--json").items
    assert [hold for hold in order["holds"] if hold["released_at"] is None] == []


def test_the_same_file_twice_is_a_duplicate_that_needs_no_explanation(site: Site) -> None:
    file = site.write("order.json", shop_order())
    site.ingest(file)
    (again,) = site.ingest(file)
    assert again["status"] == "duplicate"
    assert again["error"] is None
    assert len(site.good("orders", "list", "--json").items) == 1


def test_an_older_version_is_superseded_and_needs_no_explanation(site: Site) -> None:
    newer = site.write("newer.json", shop_order(updated_at="2026-11-05T10:00:00-05:00"))
    older = site.write("older.json", shop_order(updated_at="2026-11-04T10:00:00-05:00"))
    site.ingest(newer)
    (item,) = site.ingest(older)
    assert item["status"] == "superseded"
    assert item["error"] is None


def test_files_are_answered_in_their_order(site: Site) -> None:
    files = [site.write(f"{n}.json", shop_order(n)) for n in (3, 1, 2)]
    items = site.ingest(*files)
    assert [item["file"] for item in items] == [str(file) for file in files]


def test_what_cannot_be_read_ends_with_1_and_stays(site: Site) -> None:
    file = site.write("bad.json", UNREADABLE["a number of 5,000 digits"])
    done = site.hub("ingest", SHOP, file, "--json")
    assert done.code == 1
    (item,) = done.items
    assert item["status"] == "unparsable"
    assert item["error"]["code"] == "unparsable"
    assert item["error"]["message"]
    (exception,) = site.good("exceptions", "list", "--json").items
    assert exception["kind"] == "unparsable"
    assert exception["subjects"] == [{"kind": "receipt", "id": item["receipt"], "order_id": None, "order_number": None}]
    assert site.good("verify").code == 0


def test_one_bad_file_stops_no_other(site: Site) -> None:
    files = [site.write("a.json", shop_order(1)), site.write("b.json", b"{"), site.write("c.json", shop_order(3))]
    assert [item["status"] for item in site.ingest(*files)] == ["held", "unparsable", "held"]


def test_what_cannot_be_identified_is_parked_with_field_and_reason(site: Site) -> None:
    (item,) = site.ingest(site.write("order.json", without_currency(1)))
    assert item["status"] == "parked"
    assert item["order"] is None
    assert item["error"] == {"code": "required", "field": "currency", "message": item["error"]["message"]}
    assert "currency" in item["error"]["message"]


def test_a_mapping_mended_by_the_site_lets_the_parked_go_on(site: Site) -> None:
    items = site.ingest(site.write("1.json", without_currency(1)), site.write("2.json", without_currency(2)))
    assert {item["status"] for item in items} == {"parked"}
    (exception,) = site.good("exceptions", "list", "--json").items
    assert len(exception["subjects"]) == 2, "one cause, one exception"

    still = site.hub("exceptions", "retry", exception["id"])
    assert still.code == 0
    assert len(site.good("exceptions", "list", "--json").items) == 1, "nothing was mended yet"

    (site.config / "mappings" / "shopify").mkdir(parents=True)
    (site.config / "mappings" / "shopify" / "orders.in.yaml").write_text(OVERRIDE, encoding="utf-8")
    assert "adopted" in site.good("config", "apply").out
    (exception,) = site.good("exceptions", "list", "--json").items
    site.good("exceptions", "retry", exception["id"])
    site.ingest(site.write("3.json", without_currency(3)))
    assert {order["external_id"] for order in site.good("orders", "list", "--json").items} == {
        str(shop_order(number)["id"]) for number in (1, 2, 3)
    }
    assert "mapping" not in {row["kind"] for row in site.good("exceptions", "list", "--json").items}
    assert site.good("verify").code == 0


def test_digits_that_were_lost_are_kept_on_the_timeline(site: Site) -> None:
    order = shop_order()
    order["line_items"][0]["price"] = "12.00000049"
    (item,) = site.ingest(site.write("order.json", order))
    (shown,) = site.good("orders", "show", item["order"], "--json").items
    (noted,) = [event for event in shown["timeline"] if event["type"] == "hub.message.noted.v1"]
    assert noted["data"]["notes"] == [
        {"code": "precision_lost", "field": noted["data"]["notes"][0]["field"], "text": "12.00000049"}
    ]
    assert noted["data"]["notes"][0]["field"].startswith("lines.0.")


@pytest.mark.parametrize(
    ("connection", "words"), [("nobody", "There is no connection"), ("shopify-eu", "There is no connection")]
)
def test_a_connection_that_is_not_there_is_named_with_those_that_are(site: Site, connection: str, words: str) -> None:
    done = site.hub("ingest", connection, site.write("order.json", shop_order()))
    assert done.code == 1
    assert words in done.err
    assert SHOP in done.err


def test_a_stream_that_is_not_there_is_named_with_those_that_are(site: Site) -> None:
    done = site.hub("ingest", SHOP, site.write("order.json", shop_order()), "--stream", "returns")
    assert done.code == 1
    assert "orders" in done.err


def test_a_file_that_is_not_there_is_a_mistake_of_usage(site: Site) -> None:
    assert site.hub("ingest", SHOP, site.home / "nothing.json").code == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("items.json", json.dumps([{"sku": "A-1", "title": "One"}, {"sku": "A-2", "weight_grams": 12.5}])),
        ("items.json", json.dumps({"items": [{"sku": "A-1"}, {"sku": "A-2"}]})),
        ("items.csv", "sku,title,gtin\nA-1,One,04006381333931\nA-2,Two,\n"),
        ("items.csv", "\ufeffsku,title\r\nA-1,One\r\nA-2,Two\r\n"),
    ],
    ids=["a list", "a list in an object", "CSV", "CSV from a spreadsheet"],
)
def test_items_come_from_json_and_csv_and_again_without_change(site: Site, name: str, content: str) -> None:
    file = site.write(name, content)
    for _ in range(2):
        done = site.good("import", "items", file, "--json")
        assert done.items[0]["refused"] == []
        assert done.items[0]["imported"] == 2
    assert site.good("verify").code == 0


def test_a_row_that_makes_no_item_is_named_and_stops_no_other(site: Site) -> None:
    done = site.hub("import", "items", site.write("items.csv", "sku,title\nA-1,One\n,Nameless\nA-3,Three\n"))
    assert done.code == 1
    assert "2 items" in done.out
    assert "row 2" in done.out + done.err


@pytest.mark.parametrize("content", ["", "{", "\xff\xfe", '{"items": 3}', "[1, 2]"])
def test_a_file_that_holds_no_items_is_refused_plainly(site: Site, content: str) -> None:
    done = site.hub("import", "items", site.write("items.csv", content.encode("latin-1")))
    assert done.code == 1, done
    assert "bug" not in done.err
    assert done.err
