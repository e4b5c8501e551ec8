"""The same commands on a hub elsewhere: what they print, what they do, and how they fail."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from hub.cli.main import main
from hub.runtime.configuration import Loaded
from tests.api.service import Service, a_service, an_order, configured
from tests.cli.site import ERP, SECRETS, SHOP, Done, signed

SCOPES = "orders:read"


@dataclass
class Both:
    """One hub, asked here and through its API."""

    service: Service
    url: str

    def here(self, *arguments: str) -> Done:
        return run(arguments, self.service.site.environ | self._place())

    def there(self, *arguments: str, token: str | None = None) -> Done:
        """Nothing of this machine is known to it."""
        key = self.service.key("admin") if token is None else token
        nowhere = {"HUB_CONFIG": "/nonexistent", "HUB_HOME": "/nonexistent"}
        return run(("--url", self.url, "--token", key, *arguments), nowhere)

    def _place(self) -> dict[str, str]:
        return {"HUB_CONFIG": str(self.service.site.config), "HUB_HOME": str(self.service.site.home)}


def run(arguments: tuple[str, ...], environ: Mapping[str, str]) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main(list(arguments))
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def with_api(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return configured(tmp_path_factory.mktemp("with-api"), SECRETS)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, with_api: Loaded, sqlite_template: Path) -> Iterator[Both]:
    with a_service(tmp_path_factory.mktemp("remote"), with_api, sqlite_template, SECRETS) as service:
        items = service.site.write("items.json", [{"sku": "SKU-001"}])
        service.hub.act("import.items", {"who": "test", "file": str(items)})
        stock = {"sku": "SKU-001", "location": "dc-east", "delta": "50.5", "reason": "counted"}
        service.post("/v1/inventory/adjustments", stock)
        for number in range(3):
            service.write(an_order(f"PHONE-{number}", number=f"#{number}"))
        service.asking("POST", f"/in/{SHOP}", b"no order", key=None, headers=signed(b"no order"))
        service.hub.engine.parse(10)
        for _ in range(10):
            service.hub.engine.decide(50)
        service.post(f"/v1/connections/{ERP}/pause", {"reason": "month end"})
        with service.served() as url:
            yield Both(service, url)


LOOKS = [
    ("orders", "list"),
    ("orders", "list", "--limit", "2"),
    ("orders", "list", "--status", "confirmed", "--channel", "phone-desk"),
    ("orders", "show", "PHONE-1"),
    ("orders", "show", "#2", "--why"),
    ("deliveries", "list"),
    ("deliveries", "list", "--state", "pending", "--destination", ERP),
    ("exceptions", "list"),
    ("exceptions", "list", "--state", "resolved"),
    ("inventory", "list"),
    ("inventory", "list", "--sku", "SKU-404"),
    ("connections", "list"),
    ("verify",),
    ("keys", "list"),
]


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_a_command_prints_there_what_it_prints_here(
    both: Both, command: tuple[str, ...], form: tuple[str, ...]
) -> None:
    here, there = both.here(*command, *form), both.there(*command, *form)
    assert here.code == 0, here.err
    assert (there.code, there.out, there.err) == (here.code, here.out, here.err)


@pytest.mark.parametrize("noun", ["deliveries", "exceptions"])
def test_one_of_a_list_is_shown_alike(both: Both, noun: str) -> None:
    first = both.here(noun, "list", "--json").items[0]
    for name in {first["id"], first.get("business_key", first["id"])}:
        here, there = both.here(noun, "show", name), both.there(noun, "show", name)
        assert here.code == 0
        assert there.out == here.out


def test_pages_are_followed_until_there_is_enough(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.cli.remote.PAGE", 2)
    assert both.there("orders", "list", "--json").out == both.here("orders", "list", "--json").out


def test_a_list_goes_on_where_it_stopped(both: Both) -> None:
    first = both.here("orders", "list", "--json").items[0]["id"]
    command = ("orders", "list", "--before", first, "--json")
    assert both.there(*command).out == both.here(*command).out


def test_status_says_that_it_runs(both: Both) -> None:
    there = both.there("status")
    assert there.out.startswith("hub        running, version ")
    assert f"{ERP} is paused: month end" in there.out
    items = [both.here("status", "--json").data["items"], both.there("status", "--json").data["items"]]
    assert items[0] == items[1]


def test_verbs_do_there_what_they_say(both: Both) -> None:
    assert both.there("orders", "hold", "#0", "--reason", "asked").code == 0
    assert "held" in both.here("orders", "show", "#0").out
    assert both.there("orders", "release", "PHONE-0", "--reason", "settled").code == 0
    assert both.there("inventory", "adjust", "SKU-001", "dc-east", "-0.5", "--reason", "broken").code == 0
    assert both.there("connections", "resume", ERP).code == 0
    assert both.there("connections", "pause", ERP, "--reason", "month end").code == 0
    exception = both.here("exceptions", "list", "--json").items[0]["id"]
    assert both.there("exceptions", "assign", exception, "it").code == 0
    delivery = both.here("deliveries", "list", "--json").items[0]
    assert both.there("deliveries", "abandon", delivery["business_key"], "--reason", "closed").code == 0
    assert both.there("deliveries", "resend", delivery["id"], "--as-new", "--reason", "open again").code == 0
    made = both.there("keys", "create", "desk", "--scope", "orders:read")
    assert made.out.startswith("ohk_")
    assert both.there("orders", "list", token=made.out.strip()).code == 0
    assert both.there("keys", "revoke", made.out[:14]).code == 0
    assert both.there("orders", "list", token=made.out.strip()).code == 5
    who = {row["who"] for row in audit(both)}
    assert all(name.startswith(("api:key", "test")) for name in who), who


def audit(both: Both) -> list[dict[str, str]]:
    with both.service.hub.store.read() as snapshot:
        return snapshot.rows("audit", {})


def test_what_the_hub_refuses_is_said_in_its_words(both: Both) -> None:
    done = both.there("orders", "release", "#1", "--reason", "why")
    assert (done.code, done.out) == (1, "")
    assert "nothing holds the order" in done.err
    assert both.there("orders", "show", "#404").code == 1


def test_a_hub_that_is_not_there_is_unreachable(both: Both) -> None:
    done = run(("--url", "http://127.0.0.1:9", "--token", "ohk_x", "orders", "list"), {})
    assert done.code == 4
    assert "http://127.0.0.1:9 cannot be reached" in done.err


def test_something_else_than_a_hub_is_unreachable(both: Both) -> None:
    done = run(("--url", f"{both.url}/docs", "--token", "ohk_x", "orders", "list"), {})
    assert done.code in (1, 4)
    assert "ohk_x" not in done.err


def test_a_key_that_may_not_is_refused(both: Both) -> None:
    done = both.there("deliveries", "list", token=both.service.key(SCOPES))
    assert done.code == 5
    assert "monitor" in done.err
    assert both.there("orders", "list", token="ohk_nonsense").code == 5
    assert both.there("orders", "list", token="").code == 5


@pytest.mark.parametrize("command", [("db", "upgrade"), ("config", "check"), ("ingest", SHOP, "x"), ("run",)])
def test_what_is_of_this_machine_does_not_go_elsewhere(both: Both, command: tuple[str, ...]) -> None:
    done = both.there(*command)
    assert done.code == 2
    assert "this machine only" in done.err


def test_the_address_of_a_hub_in_the_environment_is_nothing_to_commands_of_this_machine(both: Both) -> None:
    environ = both.service.site.environ | {"HUB_URL": "http://127.0.0.1:9", "HUB_TOKEN": "ohk_x"}
    done = run(("--config", str(both.service.site.config), "config", "check"), environ)
    assert done.code == 0, done.err
    assert run(("orders", "list"), environ).code == 4


def test_the_address_must_be_one(both: Both) -> None:
    done = run(("--url", "hub.example", "--token", "ohk_x", "orders", "list"), {})
    assert done.code == 1
    assert "is no address" in done.err
