"""Every command without a running hub: exit codes, the shape of --json, and words that help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest

from hub.cli import main as entry
from hub.cli.main import COMMANDS, LazyGroup, main
from tests.cli.site import ROOT, SHOP, Site, shop_order

NEEDS_DATA = (
    ("status",),
    ("orders", "list"),
    ("orders", "show", "1042"),
    ("exceptions", "list"),
    ("exceptions", "show", "ex_1"),
    ("deliveries", "list"),
    ("deliveries", "show", "dl_1"),
    ("inventory", "list"),
    ("verify",),
    ("verify", "--self-test"),
)
PRINTS_JSON = (
    ("version",),
    ("config", "check"),
    ("connectors", "list"),
    ("connections", "list"),
    ("mapping", "list"),
)
PRINTS_JSON_OF_DATA = (
    ("status",),
    ("orders", "list"),
    ("orders", "show", "#1042", "--why"),
    ("exceptions", "list"),
    ("deliveries", "list"),
    ("inventory", "list"),
    ("verify",),
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that has taken one order; tests only read it."""
    site = Site(tmp_path_factory.mktemp("sold"))
    site.good("ingest", SHOP, site.write("order.json", shop_order()))
    return site


def commands(group: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its path."""
    if not isinstance(group, click.Group):
        return [(path, group)]
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, (*path, name))
    return found


ALL = [one for one in commands(entry.hub) if not COMMANDS[one[0][0]][0].startswith("hub.cli.checkout")]
"""But for those of a checkout, which the bootstrap answers before click is reached."""


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], site: Site) -> None:
    done = site.good(*path, "--help")
    assert done.out.startswith("Usage: hub")
    assert len(done.out.split("\n\n")[1].strip()) > 20, "one sentence says what it does"


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_an_unknown_option_is_a_mistake_of_usage(path: tuple[str, ...], site: Site) -> None:
    assert site.hub(*path, "--no-such-option").code == 2


def test_help_lists_every_command_once(site: Site) -> None:
    out = site.good("--help").out
    for name in COMMANDS:
        assert len(re.findall(rf"^  {name} ", out, re.MULTILINE)) == 1


def test_help_is_fast_because_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from hub.cli.main import main; code = main(['--help']);"
        "heavy = {'sqlalchemy', 'connexion', 'zeep', 'requests', 'lxml', 'psycopg', 'alembic', 'uvicorn'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("arguments", [(), ("orders",), ("deliveries",)])
def test_a_group_alone_shows_what_it_has(arguments: tuple[str, ...], site: Site) -> None:
    done = site.hub(*arguments)
    assert done.code == 2
    assert "Usage" in done.out + done.err


@pytest.mark.parametrize(("typed", "meant"), [("order", "orders"), ("stauts", "status"), ("verfy", "verify")])
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(typed: str, meant: str, site: Site) -> None:
    done = site.hub(typed)
    assert done.code == 2
    assert f"Did you mean {meant!r}?" in done.err
    assert done.out == ""


@pytest.mark.parametrize("arguments", NEEDS_DATA, ids=" ".join)
def test_without_data_a_reader_says_how_to_get_some(arguments: tuple[str, ...], site: Site) -> None:
    done = site.hub(*arguments)
    assert done.code == 1
    assert "no hub data" in done.err
    assert "hub run" in done.err
    assert done.out == ""
    assert not (site.home / "hub.db").exists(), "looking makes nothing"


@pytest.mark.parametrize("arguments", PRINTS_JSON, ids=" ".join)
def test_json_has_one_shape(arguments: tuple[str, ...], site: Site) -> None:
    data = site.good(*arguments, "--json").data
    assert next(iter(data)) == "hub_cli"
    assert isinstance(data["items"], list)


@pytest.mark.parametrize("arguments", PRINTS_JSON_OF_DATA, ids=" ".join)
def test_json_of_data_has_the_same_shape(arguments: tuple[str, ...], sold: Site) -> None:
    assert isinstance(sold.good(*arguments, "--json").data["items"], list)
    assert sold.good(*arguments).out or sold.good(*arguments).err


def test_an_order_is_found_by_number_and_by_the_channels_id(sold: Site) -> None:
    (listed,) = sold.good("orders", "list", "--json").items
    for reference in ("1042", "#1042", listed["external_id"], listed["id"]):
        assert sold.good("orders", "show", reference, "--json").items[0]["id"] == listed["id"]


def test_amounts_and_times_in_json_are_exact_text(sold: Site) -> None:
    (listed,) = sold.good("orders", "list", "--json").items
    assert listed["total"] == "62.41"
    assert re.fullmatch(r"2026-11-03T14:15:00(\.\d+)?Z", listed["placed_at"])


def test_an_order_that_is_not_there_is_said_so(sold: Site) -> None:
    done = sold.hub("orders", "show", "no-such-order")
    assert done.code == 1
    assert "hub orders list" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"external_id": "T-1", "total": "44.50"}', 'the order: there is no field "total" here'),
        ('{"external_id": "T-1", "ship_to": {"zip": "60601"}}', 'ship_to: there is no field "zip" here'),
        ('{"external_id" "T-1"}', "this is no JSON"),
    ],
)
def test_a_mistyped_order_is_refused_as_the_api_refuses_it(site: Site, text: str, told: str) -> None:
    done = site.hub("orders", "create", site.write("order.json", text))
    assert (done.code, told in done.err) == (1, True), done.err


def test_only_a_command_that_is_near_is_proposed(site: Site) -> None:
    assert "Did you mean 'orders'?" in site.hub("order").err
    assert "Did you mean" not in site.hub("locations").err


def test_lists_can_be_paged(site: Site) -> None:
    site.good("ingest", SHOP, *(site.write(f"{n}.json", shop_order(n)) for n in range(1, 6)))
    seen: list[str] = []
    while True:
        page = site.good("orders", "list", "--limit", "2", *(("--before", seen[-1]) if seen else ()), "--json").items
        if not page:
            break
        seen += [row["id"] for row in page]
    assert len(seen) == len(set(seen)) == 5


def test_a_checkouts_commands_say_where_they_are(site: Site) -> None:
    done = site.hub("bench", "intake")
    assert done.code == 5
    assert "checkout" in done.err


def test_a_bug_is_called_one_and_ends_with_70(site: Site) -> None:
    def broken(*_: object) -> click.Command:
        raise ZeroDivisionError("a mistake of ours")

    with mock.patch.object(LazyGroup, "get_command", broken):
        done = site.hub("status")
    assert done.code == 70
    assert "bug" in done.err
    assert "HUB_TRACEBACK=1" in done.err
    assert "Traceback" not in done.err


def test_a_traceback_is_shown_to_who_asks_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> click.Command:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setenv("HUB_TRACEBACK", "1")
    with mock.patch.object(LazyGroup, "get_command", broken):
        assert "Traceback" in site.hub("status").err


def test_an_interrupt_ends_with_130(site: Site) -> None:
    def interrupted(*_: object) -> click.Command:
        raise KeyboardInterrupt

    with mock.patch.object(LazyGroup, "get_command", interrupted):
        assert site.hub("status").code == 130


def test_a_reader_that_stops_early_is_no_bug(sold: Site) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "config", "schema", "mapping"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HUB_HOME": str(sold.home), "HUB_CONFIG": str(sold.config)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) in (0, 1, 141)
    assert "bug" not in said
    assert "Traceback" not in said


def test_a_home_that_cannot_be_made_is_said_plainly(site: Site) -> None:
    file = site.write("file", "not a folder")
    done = site.hub("--home", file / "home", "ingest", SHOP, site.write("order.json", shop_order()))
    assert done.code == 1
    assert str(file) in done.err
    assert "bug" not in done.err


def test_version_names_what_the_hub_stands_on(site: Site) -> None:
    names = {item["name"] for item in site.good("version", "--json").items}
    assert {"order-hub", "python", "sqlalchemy"} <= names


def test_connectors_are_listed_with_what_they_do(site: Site) -> None:
    found = {item["name"]: item for item in site.good("connectors", "list", "--json").items}
    assert {"shopify", "wms_rest", "erp_soap"} <= set(found)
    assert "orders" in found["shopify"]["streams"]
    assert "submit_order" in found["erp_soap"]["capabilities"]


def test_the_database_can_be_made_twice(site: Site) -> None:
    for _ in range(2):
        assert "ready" in site.good("db", "upgrade").out


def test_the_programs_entry_takes_its_arguments_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hub", "--version"])
    assert main() == 0
    assert "hub" in capsys.readouterr().out


def test_nothing_that_is_printed_holds_a_secret(sold: Site) -> None:
    said: list[Any] = [
        sold.good("config", "show").out,
        sold.good("connections", "list", "--json").out,
        sold.good("status").out,
        json.dumps(sold.good("orders", "show", "1042", "--json").data),
    ]
    for secret in sold.environ.values():
        if "http" not in secret:
            assert all(secret not in text for text in said)


def test_the_end_of_a_key_is_a_number_of_days_or_a_time(site: Site) -> None:
    done = site.hub("keys", "create", "robot", "--scope", "monitor", "--expires", "5x")
    assert done.code == 1
    assert "'5x' is no end of a key: write a number of days such as 90d, or a time as in 2027-01-31T" in done.err
