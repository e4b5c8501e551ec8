"""`hub init` and `hub config`: from nothing to faults at their places, layout, plan and way back."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import jsonschema
import pytest

from hub.cli.main import main
from hub.demo.processes import HubProcess, call, free_port
from tests.cli.site import Done

HOW_DURATIONS_ARE_WRITTEN = "write a number with ms, s, m, h or d, for example 30s, 5m, 1h30m or 90d"
NOTHING: Mapping[str, str] = {}


class Place:
    """What `hub init` wrote, to be edited, and commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.home = folder / "config", folder / ".hub"
        assert self.hub("init", str(folder)).code == 0

    def hub(self, *arguments: str, environ: Mapping[str, str] = NOTHING) -> Done:
        out, err = io.StringIO(), io.StringIO()
        places = {"HUB_CONFIG": str(self.config), "HUB_HOME": str(self.home)}
        with (
            mock.patch.dict(os.environ, {**places, **environ}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(list(arguments))
        return Done(code, out.getvalue(), err.getvalue())

    def good(self, *arguments: str) -> Done:
        done = self.hub(*arguments)
        assert done.code == 0, done.err + done.out
        return done

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.config / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name} says {before!r} {text.count(before)} times"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def told(self) -> list[str]:
        """What a check prints, place and words."""
        return self.hub("config", "check").out.splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "site")


# init


def test_what_init_writes_is_good_laid_out_and_commented(place: Place) -> None:
    assert place.good("config", "check").out.startswith("configuration is good, revision r-")
    assert place.good("config", "check", "--json").items == []
    assert place.good("config", "fmt", "--check").out == ""
    for path in sorted(place.config.glob("**/*.yaml")):
        first, second, *_ = path.read_text(encoding="utf-8").splitlines()
        assert first.startswith("# yaml-language-server: $schema=")
        assert (path.parent / first.partition("=")[2]).is_file()
        assert second.startswith("# ")


def test_init_helps_editors_and_keeps_secrets_out_of_version_control(place: Place) -> None:
    settings = json.loads((place.folder / ".vscode" / "settings.json").read_text())
    assert all((place.folder / schema).is_file() for schema in settings["yaml.schemas"])
    assert "indent_size = 2" in (place.folder / ".editorconfig").read_text()
    assert "/.env\n" in (place.folder / ".gitignore").read_text()
    assert stat.S_IMODE((place.folder / ".env").stat().st_mode) == 0o600
    secret = (place.folder / ".env").read_text().split("SHOP_WEBHOOK_SECRET=")[1].strip()
    assert len(secret) > 30
    assert secret not in "".join(path.read_text() for path in place.config.glob("**/*.yaml"))


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    first = Place(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    first.edit("hub.yaml", "My company", "Acme")
    again = first.hub("init", str(tmp_path))
    assert again.code == 5
    assert "nothing was written" in again.err
    assert "Acme" in (tmp_path / "config" / "hub.yaml").read_text()


def test_init_says_what_to_do_next(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["init", str(tmp_path / "new")]) == 0
    for words in ("config check", "connections check shop", " run", ".env"):
        assert words in err.getvalue()


def test_the_environment_goes_before_the_file_beside_the_configuration(place: Place) -> None:
    place.edit("hub.yaml", "port: 8770", 'port: "${env:HUB_PORT}"')
    assert place.told()[0] == "hub.yaml:14:9: HUB004 the variable HUB_PORT is not set"
    with (place.folder / ".env").open("a") as stream:
        stream.write("# a comment\nexport HUB_PORT = '9000'\n")
    assert place.told()[0].startswith("configuration is good")
    done = place.hub("config", "show", "--origin", "--json", environ={"HUB_PORT": "9001"})
    (port,) = [one for one in done.items if one["key"] == "web.port"]
    assert (port["value"], port["through"], port["origin"]) == ("9001", "${env:HUB_PORT}", "hub.yaml:14:9")


# check


def test_each_fault_is_one_line_that_an_editor_can_follow(place: Place) -> None:
    place.edit("connections/shop.yaml", "every: 10m", "every: ten")
    place.edit("routing.yaml", "use: cheapest, when", "use: cheepest, when")
    done = place.hub("config", "check")
    assert done.code == 1
    assert done.out.splitlines() == [
        "connections/shop.yaml:16:20: HUB002 streams.orders.poll.every: 'ten' is no duration; "
        + HOW_DURATIONS_ARE_WRITTEN,
        'routing.yaml:8:18: HUB012 there is no strategy "cheepest"; did you mean "cheapest"?',
    ]
    assert done.err == "2 faults in 2 files. `hub config explain HUB002` says why and what to do.\n"


def test_the_first_fault_is_explained_not_a_warning_before_it(place: Place) -> None:
    (place.config / "mappings" / "shop").mkdir(parents=True)
    (place.config / "mappings" / "shop" / "nothing.in.yaml").write_text("extends: shopify/orders.in\n")
    place.edit("routing.yaml", "use: cheapest, when", "use: cheepest, when")
    done = place.hub("config", "check")
    assert [line.split()[1] for line in done.out.splitlines()] == ["HUB031", "HUB012"]
    assert "`hub config explain HUB012`" in done.err


def test_a_copied_connection_is_told_to_change_its_id(place: Place) -> None:
    first = place.config / "connections" / "shop.yaml"
    (place.config / "connections" / "a-copy.yaml").write_text(first.read_text(encoding="utf-8"))
    done = place.hub("config", "check", "--json")
    found = {one["rule"]: (one["file"], one["hint"]) for one in done.items}
    assert found == {
        "HUB008": ("connections/a-copy.yaml", "in connections/shop.yaml"),
        "HUB016": ("connections/a-copy.yaml", "change the id in the copy to a-copy"),
    }


def test_an_unset_variable_does_not_bury_what_else_is_wrong(place: Place) -> None:
    (place.folder / ".env").write_text("SHOP_TOKEN=a-token\n")
    place.edit("connections/shop.yaml", "orders:", "order:")
    place.edit("connections/shop.yaml", "push_shipment", "push_shipmnt")
    assert [line.split()[1] for line in place.told()] == ["HUB004", "HUB006", "HUB007"]
    skipped = place.hub("config", "check", "--skip-env", "--json")
    assert [one["rule"] for one in skipped.items] == ["HUB006", "HUB007"]


def test_a_machine_without_secrets_can_check_the_rest(place: Place) -> None:
    (place.folder / ".env").unlink()
    assert place.hub("config", "check").code == 1
    assert "secrets were not looked at" in place.good("config", "check", "--skip-env").out


def test_github_gets_annotations_with_the_path_from_the_repository(place: Place) -> None:
    place.edit("policies.yaml", "hold_line", "hold:line, 100%")
    with contextlib.chdir(place.folder):
        done = place.hub("config", "check", "--format", "github")
    assert done.code == 1
    assert done.out == (
        "::error file=config/policies.yaml,line=6,col=16,title=HUB002::validation.unknown_sku must be one of "
        "hold_line, hold_order, accept, not 'hold:line, 100%25'; did you mean \"hold_line\"?\n"
    )


def test_warnings_end_with_0_unless_strict(place: Place) -> None:
    place.edit("routing.yaml", "fallback:", '  - { id: big, when: "total.amount > `500`", use: cheapest }\nfallback:')
    assert " HUB024 warning: " in place.good("config", "check").out
    assert place.hub("config", "check", "--strict").code == 1
    (one,) = place.hub("config", "check", "--json").items
    assert (one["severity"], one["docs"]) == ("warning", "docs/reference/lint.md#hub024")


def test_a_secret_written_out_is_shown_nowhere(place: Place) -> None:
    place.edit("connections/shop.yaml", '"${env:SHOP_TOKEN}"', "shpat_0123456789abcdef")
    for arguments in (
        ("config", "check"),
        ("config", "check", "--format", "github"),
        ("config", "check", "--json"),
        ("config", "show", "--origin"),
        ("config", "explain", "access_token"),
        ("config", "plan"),
    ):
        done = place.hub(*arguments)
        assert "shpat_0123456789abcdef" not in done.out + done.err
    assert any(line.startswith("connections/shop.yaml:10:17: HUB003 ") for line in place.told())


# YAML as people write it

TRAPS = {
    "NO is no boolean": ("country: DE", "country: NO", []),
    "on is text": ("zone: Europe/Berlin", "zone: Europe/Berlin\n    name2: on", ["10:5: HUB001"]),
    "0123 is text": ('postal_code: "10115"', "postal_code: 0123", []),
    "a number is no text": ('postal_code: "10115"', "postal_code: 10115", ["8:74: HUB002"]),
    "12:30:00 is text": ("name: Main warehouse", "name: 12:30:00", []),
    "a key given twice": ("    type: dc\n", "    type: dc\n    type: store\n", ["7:5: HUB000"]),
    "a tab": ("    type: dc\n", "\ttype: dc\n", ["6:1: HUB000"]),
    "a tag": ("type: dc", "type: !!str dc", ["6:11: HUB000"]),
    "a merge key": ("    type: dc\n", "    <<: { type: dc }\n    type: dc\n", ["6:5: HUB000"]),
    "a second document": ("locations:\n", "---\nlocations: []\n---\nlocations:\n", ["6:1: HUB000"]),
    "an alias of nothing": ("type: dc", "type: *dc", ["6:11: HUB000"]),
    "an open quote": ("name: Main warehouse", 'name: "Main', ["8:75: HUB000"]),
    "a control character": ("name: Main", "name: \x07Main", ["7:11: HUB000"]),
}


@pytest.mark.parametrize("name", TRAPS)
def test_yaml_means_what_it_says_or_is_refused_at_its_place(place: Place, name: str) -> None:
    before, after, expected = TRAPS[name]
    place.edit("locations.yaml", before, after)
    told = [line for line in place.told() if line.startswith("locations.yaml:")]
    assert [" ".join(line.removeprefix("locations.yaml:").split(" ")[:2]) for line in told] == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff\xfel\x00o\x00", "1:1: HUB000 byte 0xff is no UTF-8"),
        ("grace: {}\n# Grüße ".encode() + b"\xe9\n", "2:9: HUB000 byte 0xe9 is no UTF-8"),
        (b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 10)) for c in range(98, 106)),
         "6:8: HUB000 more than 200000 values"),
        (b"[" * 200, "1:62: HUB000 nested deeper than 60 levels"),
        (b"# " + b"x" * (4 * 1024 * 1024), "1:1: HUB000 the file is larger than 4194304 bytes"),
        (b"- a list\n", "1:1: HUB002 the file must be keys with values, not a list"),
    ],
    ids=["UTF-16", "Latin-1", "a bomb of aliases", "too deep", "too large", "a list"],
)  # fmt: skip
def test_bytes_that_are_no_configuration_are_refused_at_their_place(place: Place, raw: bytes, words: str) -> None:
    (place.config / "policies.yaml").write_bytes(raw)
    done = place.hub("config", "check")
    assert done.code == 1
    assert any(line.startswith(f"policies.yaml:{words}") for line in done.out.splitlines()), done.out[:500]


def test_a_byte_order_mark_and_dos_line_ends_mean_nothing(place: Place) -> None:
    revision = place.good("config", "check", "--json").data["revision"]
    path = place.config / "policies.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert place.good("config", "check", "--json").data["revision"] == revision
    assert place.hub("config", "fmt", "--check").code == 1
    place.good("config", "fmt")
    assert b"\r" not in path.read_bytes()


def test_an_empty_file_has_its_defaults_or_says_what_it_lacks(place: Place) -> None:
    (place.config / "policies.yaml").write_text("")
    assert place.hub("config", "check").code == 0
    (place.config / "routing.yaml").write_text("")
    assert place.told()[0].startswith('routing.yaml:1:1: HUB011 the file has no "fallback"')


# show, explain, schema


def test_every_value_has_its_origin(place: Place) -> None:
    rows = {(one["file"], one["key"]): one for one in place.good("config", "show", "--origin", "--json").items}
    assert rows["policies.yaml", "grace.default"]["origin"] == "policies.yaml:4:19"
    assert rows["policies.yaml", "waiting.correlate_within"] | {"value": "24h"} == {
        "file": "policies.yaml", "key": "waiting.correlate_within", "value": "24h", "origin": "default", "through": "",
    }  # fmt: skip
    token = rows["connections/shop.yaml", "config.access_token"]
    assert (token["value"], token["origin"]) == ("${env:SHOP_TOKEN}", "connections/shop.yaml:10:17")
    assert ("connections/shop.yaml", "streams.shipments.push") not in rows


def test_a_key_is_explained_with_type_default_and_where_it_stands(place: Place) -> None:
    said = place.good("config", "explain", "poll.every").out
    for words in ("streams.NAME.poll.every", "Time between two reads.", "required", "5m", "connections/shop.yaml:16"):
        assert words in said
    (grace,) = place.good("config", "explain", "policies.grace.default", "--json").items
    assert (grace["default"], grace["used"]) == ("0", ["policies.yaml:4"])
    own = place.good("config", "explain", "api_version").out
    assert "connector shopify" in own
    wrong = place.hub("config", "explain", "pol.every")
    assert wrong.code == 1
    assert "Did you mean" in wrong.err
    assert "poll.every" in wrong.err


def test_a_rule_is_explained_with_both_forms(place: Place) -> None:
    said = place.good("config", "explain", "hub012").out
    assert "- use: togehter" in said
    assert "+ use: together" in said


def test_schemas_are_written_for_editors_with_what_they_show(place: Place) -> None:
    out = place.folder / "schemas"
    written = place.good("config", "schema", "--all", "--out", str(out)).out.splitlines()
    assert {Path(line).name for line in written} >= {"hub.json", "connection.json", "partner.json", "manifest.json"}
    for path in out.iterdir():
        schema = json.loads(path.read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        assert "x-" not in "".join(schema) + json.dumps(schema.get("properties", {})).replace("x-amzn", "").replace(
            "x-api", ""
        )
    every = json.loads((out / "policies.json").read_text())["properties"]["grace"]["properties"]["default"]
    assert "Default: `0`" in every["markdownDescription"]
    assert place.hub("config", "schema").code == 2
    assert place.hub("config", "schema", "--all").code == 2


def test_the_schema_of_connections_knows_each_connectors_settings(place: Place) -> None:
    validator = jsonschema.Draft7Validator(json.loads(place.good("config", "schema", "connection").out))
    shop = {"id": "shop", "connector": "shopify", "config": {"shop": "a.example", "access_token": "${env:A}"}}
    assert validator.is_valid(shop)
    assert not validator.is_valid({**shop, "config": {**shop["config"], "page_sze": 3}})  # type: ignore[dict-item]
    assert not validator.is_valid({**shop, "connector": "shopfy"})
    assert not validator.is_valid({**shop, "effects_out": {"push_inventory": {}}})
    assert validator.is_valid({**shop, "effects_out": {"push_inventory": {"location_map": {"1": "main"}}}})
    assert not validator.is_valid({**shop, "streams": {"order": {}}})


# fmt


def test_a_file_is_laid_out_with_its_comments(place: Place) -> None:
    path = place.config / "policies.yaml"
    path.write_text(
        "# the header\n\n"
        "validation:   # what a fault leads to\n"
        "      # about addresses\n"
        "      address:    accept\n"
        "      unknown_sku: hold_line\n"
        "# so long it can be changed\n"
        "grace: {channels: {shop: 5m},default: 1m}   # in minutes\n\n\n\n"
        "promise:\n  share: {default: 0.5}\n# the end\n"
    )
    assert place.hub("config", "fmt", "--check").code == 1
    place.good("config", "fmt")
    assert path.read_text() == (
        "# the header\n\n"
        "# so long it can be changed\n"
        "grace: { default: 1m, channels: { shop: 5m } }   # in minutes\n"
        "validation: # what a fault leads to\n"
        "  unknown_sku: hold_line\n"
        "  # about addresses\n"
        "  address: accept\n\n"
        "promise:\n  share: { default: 0.5 }\n# the end\n"
    )
    place.good("config", "fmt", "--check")


def test_a_file_that_is_no_yaml_is_left_alone(place: Place) -> None:
    path = place.config / "policies.yaml"
    path.write_text("grace: {\n")
    done = place.hub("config", "fmt")
    assert done.code == 1
    assert "policies.yaml:2:1: no YAML" in done.err
    assert path.read_text() == "grace: {\n"


# plan, apply, rollback


def test_a_plan_says_what_would_change_and_changes_nothing(place: Place) -> None:
    first = place.good("config", "plan").out
    assert "+ connection shop: connector shopify; reads orders, refunds; sends push_shipment, push_inventory" in first
    place.good("config", "apply")
    assert "nothing would change" in place.good("config", "plan").out
    place.edit("connections/shop.yaml", "every: 10m", "every: 5m")
    place.edit("connections/shop.yaml", "  refunds: { push: true }\n", "")
    place.edit("locations.yaml", "    can:", "    priority: 2\n    can:")
    own = place.config / "mappings" / "shopify" / "orders.in.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("extends: shopify/orders.in\nfields: { note: { from: note, as: text } }\n")
    assert [line.strip() for line in place.good("config", "plan").out.splitlines()[1:]] == [
        "~ connection shop  streams.orders.poll.every: 10m -> 5m",
        "- connection shop  streams.refunds",
        "+ locations  locations.main.priority: 2",
        "~ mapping shopify/orders.in",
        "1 to add, 2 to change, 1 to remove. `hub config apply` does it.",
    ]
    assert len(place.good("config", "revisions", "--json").items) == 1


def test_going_back_survives_a_restart_until_the_files_are_applied(place: Place) -> None:
    hub = HubProcess(place.config, place.home, port=free_port(), environ={})

    def running() -> str:
        return str(call(hub.port, "GET", "/readyz")[1]["revision"])

    try:
        hub.start()
        hub.wait_ready()
        first = running()
        place.edit("policies.yaml", "default: 10m", "default: 20m")
        assert "adopted" in place.good("config", "apply", "--reason", "longer").out
        second = running()
        assert second != first
        done = place.good("config", "rollback", "--reason", "too long")
        assert "the files still say otherwise" in done.out
        assert running() == first
        assert hub.stop() == 0
        hub.start()
        hub.wait_ready()
        assert running() == first
        states = {row["revision"][:12]: row["state"] for row in place.good("config", "revisions", "--json").items}
        assert states == {first: "active", second: "rolled back"}
        place.good("config", "apply")
        assert running() == second
        refused = place.hub("config", "rollback", second)
        assert refused.code == 1
        assert "in force already" in refused.out
        assert place.hub("config", "rollback", "r-nothing").code == 1
        assert running() == second
    finally:
        hub.stop()
