"""`hub config`, `hub mapping`, `hub connections list` and how `hub run` starts, or says why not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.demo.processes import HubProcess, call, free_port
from tests.cli.site import ROOT, SHOP, Site, edited, shop_order

MINE = """mapping: mine
version: 1
target: Item
kind: state
fields: { external_id: { from: id, as: text }, sku: { from: id } }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_good_configuration_is_called_good_with_its_revision(site: Site) -> None:
    done = site.good("config", "check")
    assert "good" in done.out
    data = site.good("config", "check", "--json").data
    assert data["items"] == []
    assert data["revision"].startswith("r-")


def test_a_fault_is_named_with_file_line_column_and_a_hint(site: Site) -> None:
    site.edit("policies.yaml", "unknown_sku: hold_line", "unknown_sku: hold_lines")
    done = site.hub("config", "check")
    assert done.code == 1
    assert "policies.yaml:3:" in done.out
    (finding,) = site.hub("config", "check", "--json").items
    assert finding["file"] == "policies.yaml"
    assert finding["line"] == 3
    assert finding["column"] > 1
    assert finding["rule"] == "HUB002"


def test_every_fault_is_named_at_once(site: Site) -> None:
    site.edit("policies.yaml", "unknown_sku: hold_line", "unknown_sku: hold_lines")
    site.edit("connections/erp-soap.yaml", "connector: erp_soap", "connector: erp_sap")
    site.edit("connections/wms-east.yaml", '"${env:DEMO_WMS_TOKEN}"', "a-token-written-out")
    rules = {item["rule"] for item in site.hub("config", "check", "--json").items}
    assert {"HUB002", "HUB003", "HUB005"} <= rules


def test_a_secret_written_out_is_not_repeated(site: Site) -> None:
    site.edit("connections/shopify-us.yaml", '"${env:DEMO_SHOP_TOKEN}"', "shpat_0123456789")
    done = site.hub("config", "check")
    assert done.code == 1
    assert "HUB003" in done.out
    assert "shpat_0123456789" not in done.out + done.err


def test_a_variable_that_is_not_set_is_named(site: Site) -> None:
    del site.environ["DEMO_ERP_PASSWORD"]
    done = site.hub("config", "check")
    assert done.code == 1
    assert "DEMO_ERP_PASSWORD" in done.out


def test_a_folder_that_is_not_there_is_said_so(site: Site) -> None:
    done = site.hub("--config", site.home / "nothing", "config", "check")
    assert done.code == 1
    assert "no such directory" in done.out


def test_a_broken_mapping_of_the_site_is_found_by_the_check(site: Site) -> None:
    folder = site.config / "mappings" / "shopify"
    folder.mkdir(parents=True)
    (folder / "orders.in.yaml").write_text("extends: shopify/orders.in\nfields: { email: { as: nothing } }\n")
    done = site.hub("config", "check", "--json")
    assert done.code == 1
    (finding,) = [item for item in done.items if "email says no source" in item["message"]]
    assert finding["rule"] == "HUB021"
    assert finding["file"].endswith("orders.in.yaml")
    assert finding["line"] == 2


def test_what_is_shown_keeps_secrets_as_references(site: Site) -> None:
    shown = site.good("config", "show").out
    json.loads(shown)
    assert "${env:DEMO_SHOP_TOKEN}" in shown


@pytest.mark.parametrize("kind", ["hub", "connection", "locations", "routing", "policies", "mapping"])
def test_every_kind_of_file_has_a_schema(site: Site, kind: str) -> None:
    assert json.loads(site.good("config", "schema", kind).out)["type"] == "object"


def test_a_bad_configuration_on_an_empty_home_starts_nothing(site: Site) -> None:
    site.edit("policies.yaml", "unknown_sku: hold_line", "unknown_sku: hold_lines")
    done = site.hub("run", "--port", "0")
    assert done.code == 1
    assert "policies.yaml:3:" in done.err
    assert "Nothing was started" in done.err
    assert not (site.home / "hub.db").exists()


def test_a_bad_configuration_does_not_keep_a_hub_down_that_ran_before(site: Site) -> None:
    hub = HubProcess(site.config, site.home, port=free_port(), environ=site.environ)
    try:
        hub.start()
        hub.wait_ready()
        revision = call(hub.port, "GET", "/readyz")[1]["revision"]
        assert hub.stop() == 0
        path = site.config / "policies.yaml"
        with edited(path, path.read_text(encoding="utf-8").replace("hold_line", "hold_lines")):
            hub.start()
            hub.wait_ready()
            assert call(hub.port, "GET", "/readyz")[1]["revision"] == revision
            (told,) = site.good("exceptions", "list", "--json").items
            assert told["kind"] == "configuration"
            assert "policies.yaml:3:" in told["detail"]
        assert "nothing changed" in site.good("config", "apply").out
        assert site.good("exceptions", "list", "--json").items == []
    finally:
        hub.stop()


def test_a_command_works_with_the_last_good_configuration_and_says_so(site: Site) -> None:
    hub = HubProcess(site.config, site.home, port=free_port(), environ=site.environ)
    hub.start()
    hub.wait_ready()
    assert hub.stop() == 0
    site.edit("policies.yaml", "unknown_sku: hold_line", "unknown_sku: hold_lines")
    done = site.good("ingest", SHOP, site.write("order.json", shop_order()))
    assert "last good" in done.err


def test_a_part_of_a_hub_on_sqlite_is_refused(site: Site) -> None:
    done = site.hub("run", "--only", "web")
    assert done.code == 5
    assert "PostgreSQL" in done.err


def test_a_port_that_is_taken_is_refused(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "hub", "run", "--port", port],
            cwd=ROOT,
            env={**os.environ, **site.environ, "HUB_CONFIG": str(site.config), "HUB_HOME": str(site.home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 5
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_connections_are_listed_as_configured(site: Site) -> None:
    found = {item["id"]: item for item in site.good("connections", "list", "--json").items}
    assert set(found) == {"shopify-us", "wms-east", "erp-soap"}
    assert "orders" in found[SHOP]["streams"]


def test_systems_that_do_not_answer_fail_their_check_by_name(site: Site) -> None:
    done = site.hub("connections", "check", "--json")
    assert done.code == 1
    assert {row["connection"] for row in done.items if not row["ok"]} == {"shopify-us", "wms-east", "erp-soap"}
    assert site.hub("connections", "check", "nobody").code == 1


def test_a_mapping_is_tried_on_a_file_with_the_origin_of_every_field(site: Site) -> None:
    order = site.write("order.json", shop_order())
    (record,) = site.good("mapping", "try", "shopify/orders.in", order, "--json").items
    assert record["record"]["external_id"] == str(shop_order()["id"])
    traced = site.good("mapping", "try", "shopify/orders.in", order, "--trace").out
    (line,) = [line for line in traced.splitlines() if line.startswith("currency ")]
    assert "USD" in line


def test_a_record_that_cannot_be_mapped_says_which_field_and_why(site: Site) -> None:
    done = site.hub("mapping", "try", "shopify/orders.in", site.write("order.json", {"name": "#1"}))
    assert done.code == 1
    assert "external_id" in done.err
    assert "{" not in done.err


def test_an_input_that_cannot_be_read_is_said_so(site: Site) -> None:
    done = site.hub("mapping", "try", "shopify/orders.in", site.write("order.json", b"{"))
    assert done.code == 1
    assert "order.json" in done.err


def test_a_mapping_that_is_not_there_is_said_so(site: Site) -> None:
    done = site.hub("mapping", "try", "shopify/nothing.in", site.write("order.json", b"{}"))
    assert done.code == 1
    assert "there is no mapping shopify/nothing.in" in done.err


def test_every_mapping_passes_its_own_tests(site: Site) -> None:
    data = site.good("mapping", "test", "--json").data
    assert data["failed"] == 0
    assert data["passed"] > 50
    assert "erp_soap/submit_order.reply" in {item["mapping"] for item in data["items"]}


def test_a_mapping_whose_test_fails_ends_with_1(site: Site) -> None:
    file = site.write(
        "mine.yaml",
        MINE + "tests: [ { name: wrong, input: { id: A }, expect: { sku: B } } ]\n",
    )
    done = site.hub("mapping", "test", file)
    assert done.code == 1
    assert "wrong" in done.out


def test_a_mapping_whose_test_is_badly_written_is_named_with_its_line(site: Site) -> None:
    file = site.write(
        "mine.yaml",
        MINE + "tests:\n  - { name: wrong, inputs: { id: A } }\n",
    )
    done = site.hub("mapping", "test", file)
    assert done.code == 1
    assert "mine.yaml:7:" in done.err
