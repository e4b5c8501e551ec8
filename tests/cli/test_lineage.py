"""`hub orders show --lineage`: where each field of an order came from, as far as what is kept can still tell."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.site import Site, shop_order

LINE = "lines[866550311766439020]"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def take(site: Site, **changes: object) -> str:
    (item,) = site.ingest(site.write("order.json", shop_order(**changes)))  # type: ignore[arg-type]
    return str(item["order"])


def origins(site: Site, order: str) -> dict[str, dict[str, Any]]:
    (found,) = site.good("orders", "show", order, "--lineage", "--json").items
    return {origin["field"]: origin for origin in found["lineage"]}


def execute(site: Site, sql: str) -> None:
    with sqlite3.connect(next(site.home.glob("*.db"), site.home / "hub.db")) as database:
        database.execute(sql)
    database.close()


def test_each_field_names_its_path_message_mapping_and_revision(site: Site) -> None:
    order = take(site)
    found = origins(site, order)
    assert found["external_id"]["path"] == "id"
    assert found["buyer.email"]["path"] == "email | contact_email | customer.email"
    assert found["totals.total"]["path"] == "total_price"
    assert found[f"{LINE}.sku"]["path"] == "sku"
    assert found["attributes"]["path"] == "what no field read"
    external = found["external_id"]
    assert external["mapping"] == "shopify/orders.in 1"
    assert external["file"] == "shopify/orders.in.yaml"
    assert external["line"] > 1
    assert external["revision"].startswith("r-")
    assert {origin["message"] for origin in found.values()} == {external["message"]}
    assert [origin for origin in found.values() if origin["note"]] == []


def test_values_are_not_shown(site: Site) -> None:
    order = take(site)
    told = site.good("orders", "show", order, "--lineage").out
    assert "buyer.email" in told
    assert "kim.ode@example.com" not in told
    assert "Orchard" not in told


def test_a_field_that_a_newer_message_restated_comes_from_that_one(site: Site) -> None:
    order = take(site)
    first = origins(site, order)["note"]["message"]
    partial = {"id": shop_order()["id"], "updated_at": "2026-11-05T10:00:00-05:00", "note": "leave it inside"}
    site.ingest(site.write("later.json", partial))
    found = origins(site, order)
    assert found["note"]["message"] != first
    assert found["source_version"]["message"] == found["note"]["message"]
    assert found["totals.total"]["message"] == first


def test_the_mapping_is_the_one_of_that_time(site: Site) -> None:
    mine = site.config / "mappings" / "shopify" / "orders.in.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text(
        "mapping: shopify/orders.in\nextends: shopify/orders.in\nversion: 4\nfields: { note: { from: po_number } }\n"
    )
    order = take(site, po_number="PO-1")
    mine.unlink()
    found = origins(site, order)
    assert found["note"]["path"] == "po_number"
    assert (found["note"]["file"], found["note"]["line"]) == ("shopify/orders.in.yaml", 4)
    assert found["note"]["mapping"] == "shopify/orders.in 4 over 1"
    assert found["currency"]["path"] == "currency"
    assert found["currency"]["file"] == "_shipped/shopify/orders.in.yaml"


def test_erased_bytes_leave_the_message_known_and_the_path_unknown(site: Site) -> None:
    order = take(site)
    execute(site, "UPDATE bodies SET body = NULL, erased_at = 1 WHERE owner_kind IN ('receipt', 'message')")
    found = origins(site, order)
    assert found["note"]["path"] == ""
    assert found["note"]["note"] == "its bytes were erased; it was read by shopify/orders.in 1"
    assert found["note"]["message"]


def test_an_erased_order_still_names_its_messages(site: Site) -> None:
    order = take(site)
    execute(site, "UPDATE bodies SET body = NULL, erased_at = 1")
    found = origins(site, order)
    assert list(found) == ["(erased)"]
    assert found["(erased)"]["receipt"]


def test_a_revision_that_is_gone_is_said_to_be(site: Site) -> None:
    order = take(site)
    execute(site, "UPDATE messages SET revision = 'r-gone'")
    assert origins(site, order)["note"]["note"] == "the revision it ran under is gone"
