"""`hub import stock|orders|crossreferences`: looked at first, refused row by row, gone on with after a stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.actions import imports as actions
from hub.app import opened_hub
from hub.demo.processes import HubProcess, free_port
from hub.exchange.verbs import Refused
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from tests.cli.running import eventually
from tests.cli.site import SHOP, Site

STOCK = "sku,location,quantity\nA-1,dc-east,12\nA-2,dc-east,1.5\nA-1,dc-west,0\n"
BAD = (
    STOCK.splitlines()[0]
    + "\nA-1,dc-east,12\n,dc-east,1\nA-3,nowhere,1\nA-4,dc-west,many\nA-1,dc-east,13\nA-5,dc-west,7\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def hub(site: Site) -> Iterator[Hub]:
    loaded = load_configuration(site.config, site.environ)
    with opened_hub(Place(site.config, site.home), loaded, environ=site.environ) as opened:
        yield opened


def on_hand(site: Site) -> dict[tuple[str, str], str]:
    found = site.good("inventory", "list", "--json").items
    return {(row["sku"], row["location"]): row["on_hand"] for row in found}


def an_order(number: int, **changes: Any) -> dict[str, Any]:
    lines = [{"external_line_id": "1", "sku": "A-1", "quantity": "2", "unit_price": 9.95}]
    order = {
        "external_id": f"OLD-{number}",
        "number": f"#{number}",
        "placed_at": "2025-03-01T10:00:00Z",
        "currency": "USD",
        "payment_state": "paid",
        "lines": lines,
        "totals": {"total": "19.90"},
    }
    return {**order, **changes}


# --- stock ---


def test_counts_are_imported_and_the_same_file_again_does_nothing(site: Site) -> None:
    file = site.write("stock.csv", STOCK)
    done = site.good("import", "stock", file, "--json").items[0]
    assert (done["state"], done["total"], done["changed"], done["refused"]) == ("done", 3, 2, [])
    assert on_hand(site) == {("A-1", "dc-east"): "12", ("A-2", "dc-east"): "1.5"}
    site.good("inventory", "adjust", "A-1", "dc-east", "-2", "--reason", "sold by hand")
    again = site.good("import", "stock", file)
    assert "was imported already" in again.out
    assert on_hand(site)["A-1", "dc-east"] == "10"


def test_rows_that_cannot_be_taken_are_said_by_line_and_stand_in_a_file_to_mend(site: Site) -> None:
    file = site.write("stock.csv", BAD)
    done = site.hub("import", "stock", file)
    assert done.code == 1
    assert "line 3: sku is missing" in done.err
    assert "line 4: location there is no location of this name" in done.err
    assert "line 5: quantity is no decimal number" in done.err
    assert "line 6: sku, location stands twice, first on line 2" in done.err
    assert on_hand(site) == {("A-1", "dc-east"): "12", ("A-5", "dc-west"): "7"}
    refused = file.with_name("stock.refused.csv")
    assert refused.read_text("utf-8").splitlines()[1:] == [
        ",dc-east,1",
        "A-3,nowhere,1",
        "A-4,dc-west,many",
        "A-1,dc-east,13",
    ]
    refused.write_text("sku,location,quantity\nA-4,dc-west,9\n", "utf-8")
    site.good("import", "stock", refused)
    assert on_hand(site)["A-4", "dc-west"] == "9"


def test_a_dry_run_says_the_same_and_writes_nothing(site: Site) -> None:
    done = site.hub("import", "stock", site.write("stock.csv", BAD), "--dry-run", "--json")
    assert done.code == 1
    assert [row["row"] for row in done.items[0]["refused"]] == [3, 4, 5, 6]
    assert done.items[0]["changed"] == 2
    assert on_hand(site) == {}
    assert site.good("jobs", "list", "--json").items == []
    assert not (site.home.parent / "stock.refused.csv").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds nothing to import|no header"),
        ("sku,sku\nA,B\n", "column"),
        ('sku,location\n"A', "quot"),
        (b"\xff\xfe\xfa", "."),
        ("[1, 2", "."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(site: Site, content: str | bytes, says: str) -> None:
    done = site.hub("import", "stock", site.write("broken.csv", content))
    assert done.code == 1
    assert "Traceback" not in done.err
    assert any(word in done.err for word in says.split("|"))


# --- orders ---


def test_imported_orders_are_history_and_nothing_is_done_for_them(site: Site, tmp_path: Path) -> None:
    text = "".join(json.dumps(an_order(number)) + "\n" for number in (1, 2))
    text += "{broken\n" + json.dumps(an_order(3, placed_at=None)) + "\n" + json.dumps({"number": "4"}) + "\n"
    file = site.write("orders.jsonl", text)
    done = site.hub("import", "orders", file, "--channel", SHOP)
    assert done.code == 1
    assert "line 3:" in done.err
    assert "line 4: placed_at" in done.err
    assert "line 5: external_id is missing" in done.err
    orders = site.good("orders", "list", "--json").items
    assert sorted((row["number"], row["effects"], row["total"]) for row in orders) == [
        ("#1", "none", "19.9"),
        ("#2", "none", "19.9"),
    ]
    assert site.good("deliveries", "list", "--state", "all", "--json").items == []
    assert len(file.with_name("orders.refused.jsonl").read_text("utf-8").splitlines()) == 3


def test_orders_may_come_as_csv_with_a_row_a_line(site: Site) -> None:
    header = "external_id,number,placed_at,currency,total,payment_state,sku,quantity,unit_price\n"
    rows = "X-1,#1,2025-01-01T00:00:00Z,EUR,30.00,paid,A-1,1,10.00\nX-1,#1,,,,,A-2,2,10.00\n"
    rows += "X-2,#2,2025-01-02T00:00:00Z,EUR,5.00,paid,A-1,1,5.00\n"
    site.good("import", "orders", site.write("orders.csv", header + rows), "--channel", SHOP)
    shown = site.good("orders", "show", "X-1", "--json").items[0]
    assert [(line["sku"], line["ordered"]) for line in shown["lines"]] == [("A-1", "1"), ("A-2", "2")]
    assert shown["total"] == "30"


def test_orders_that_are_live_are_acted_for(site: Site) -> None:
    file = site.write("orders.json", [an_order(1)])
    site.good("import", "orders", file, "--channel", SHOP, "--live")
    assert [row["effects"] for row in site.good("orders", "list", "--json").items] == ["on"]


def test_an_unknown_channel_is_refused_before_anything_is_written(site: Site) -> None:
    done = site.hub("import", "orders", site.write("orders.json", [an_order(1)]), "--channel", "nowhere")
    assert done.code == 1
    assert "no channel that orders come from" in done.err


# --- cross-references ---


def test_names_of_other_systems_are_imported_once_and_never_stand_for_two(site: Site) -> None:
    site.good("import", "items", site.write("items.json", [{"sku": "A-1"}, {"sku": "A-2"}]))
    header = "system,entity,external_id,internal_id\n"
    site.good("import", "crossreferences", site.write("x.csv", header + f"{SHOP},item,gid-1,A-1\n"))
    other = site.write("y.csv", header + f"{SHOP},item,gid-1,A-2\n{SHOP},item,gid-2,A-9\nnowhere,item,g,A-1\n")
    done = site.hub("import", "crossreferences", other)
    assert done.code == 1
    assert "line 2: external_id stands for something else already" in done.err
    assert "line 3: internal_id the hub has no item of this id" in done.err
    assert "line 4: system is none of the configured connections" in done.err


# --- jobs ---


def test_a_stopped_import_goes_on_where_it_was(hub: Hub) -> None:
    rows = [
        {"index": number, "row": number + 1, "values": {"sku": f"A-{number}", "location": "dc-east", "quantity": "1"}}
        for number in range(1, 251)
    ]
    job = actions.begin(hub, "test", "stock", "stock.csv", "f" * 64, len(rows))
    assert actions.take(hub, "test", job["job"], rows[:120])["position"] == 120
    again = actions.begin(hub, "test", "stock", "stock.csv", "f" * 64, len(rows))
    assert (again["job"], again["position"]) == (job["job"], 120)
    done = actions.take(hub, "test", job["job"], rows)
    assert (done["position"], done["changed"]) == (250, 250)
    assert actions.finish(hub, "test", job["job"])["state"] == "done"
    with hub.store.read() as snapshot:
        assert len(snapshot.rows("stock_events", {"location": "dc-east"})) == 250


def test_a_cancelled_import_takes_nothing_more_until_it_is_begun_again(hub: Hub, site: Site) -> None:
    rows = [{"index": 1, "row": 2, "values": {"sku": "A", "location": "dc-east", "quantity": "1"}}]
    job = actions.begin(hub, "test", "stock", "stock.csv", "e" * 64, 2)["job"]
    actions.cancel(hub, "test", job, "wrong file")
    with pytest.raises(Refused, match="cancelled"):
        actions.take(hub, "test", job, rows)
    assert actions.begin(hub, "test", "stock", "stock.csv", "e" * 64, 2)["state"] == "running"
    actions.take(hub, "test", job, rows)
    with pytest.raises(Refused, match="rows are left"):
        actions.finish(hub, "test", job)


def test_jobs_are_listed_and_shown_with_what_was_refused(site: Site) -> None:
    site.hub("import", "stock", site.write("stock.csv", BAD))
    (job,) = site.good("jobs", "list", "--json").items
    assert (job["kind"], job["subject"], job["state"], job["position"]) == ("import.stock", "stock.csv", "done", 5)
    shown = site.good("jobs", "show", job["id"]).out
    assert "line 3: sku is missing" in shown
    assert site.hub("jobs", "cancel", job["id"]).code == 1
    assert site.hub("jobs", "show", "jb_none").code == 1


@pytest.mark.timeout(180)
def test_an_import_that_is_killed_goes_on_through_the_running_hub(site: Site) -> None:
    header = "sku,location,quantity\n"
    file = site.write("many.csv", header + "".join(f"S-{number:05},dc-east,3\n" for number in range(8_000)))
    process = HubProcess(site.config, site.home, port=free_port(), environ=site.environ)
    process.start()
    try:
        process.wait_ready()
        words = [sys.executable, "-m", "hub", "import", "stock", str(file)]
        environ = {**os.environ, **site.environ, "HUB_CONFIG": str(site.config), "HUB_HOME": str(site.home)}
        first = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: [job for job in site.hub("jobs", "list", "--json").items if job["position"]], "some are in")
        first.kill()
        first.wait(20)
        (job,) = site.good("jobs", "list", "--json").items
        assert 0 < job["position"] < job["total"]
        done = site.good("import", "stock", file)
        assert f"Going on with {job['id']} after row" in done.err
        (job,) = site.good("jobs", "list", "--json").items
        assert (job["state"], job["changed"]) == ("done", 8_000)
        assert "was imported already" in site.good("import", "stock", file).out
    finally:
        process.stop()
    assert site.good("verify", "--json").code == 0


def test_supply_is_imported_shown_and_replaced_by_its_next_statement(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "supply.csv"
    header = "reference,sku,location,expected_at,quantity,received\n"
    file.write_text(
        f"{header}PO-7,A-1,dc-east,2099-05-01,40,\nPO-8,A-1,nowhere,2099-05-01,1,\nPO-9,A-1,dc-east,soon,1,\n"
    )
    found = site.hub("import", "supply", str(file), "--json")
    assert [(row["row"], row["field"]) for row in found.items[0]["refused"]] == [(3, "location"), (4, "expected_at")]
    file.write_text(f"{header}PO-7,A-1,dc-east,2099-06-01,40,15\n")
    site.good("import", "supply", str(file))
    (shown,) = site.good("inventory", "show", "A-1", "--json").items
    (supply,) = shown["supply"]
    assert (supply["expected_at"], supply["to_come"], supply["promised"]) == ("2099-06-01T00:00:00Z", "25", "0")
    ahead = site.good("inventory", "show", "A-1", "--why", "--at", "2099-06-02").out
    assert "supply PO-7" in ahead
    assert "may sell 25" in ahead
    assert "neither an item nor stock" in site.hub("inventory", "show", "A-404").err


def test_a_channel_that_does_not_answer_is_not_compared_and_says_so(site: Site) -> None:
    silent = site.hub("inventory", "reconcile", SHOP)
    assert (silent.code, "did not tell what it shows" in silent.err) == (1, True)
    assert "is no channel" in site.hub("inventory", "reconcile", "nobody").err


def test_a_channels_name_for_an_item_is_taken_for_its_time_and_never_for_two(site: Site) -> None:
    site.good("import", "items", site.write("items.json", [{"sku": "MUG-RED"}, {"sku": "MUG-BLUE"}]))
    base = {"system": SHOP, "entity": "listing", "external_id": "MUG"}
    rows = [
        {**base, "internal_id": "MUG-RED", "valid_to": "2026-11-01T00:00:00Z"},
        {**base, "internal_id": "MUG-BLUE", "valid_from": "2026-11-01T00:00:00Z"},
    ]
    assert site.good("import", "crossreferences", site.write("good.json", rows), "--json").items[0]["changed"] == 2
    wrong = [{**base, "internal_id": "MUG-RED", "valid_from": "2026-12-01T00:00:00Z"}]
    done = site.hub("import", "crossreferences", site.write("wrong.json", wrong))
    assert done.code == 1
    assert "means MUG-BLUE at a time when this row says MUG-RED" in done.err
