"""The how-to's connector, taken from its page, works as the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hub.config.findings import errors_of
from hub.mapping import run_tests
from hub.runtime.configuration import load_configuration
from hub.runtime.lint import lint
from hub.runtime.registry import site_registry
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import EmulatedRequest
from hub.sdk.records import Found
from tests.connectors.crm_world import SECRETS, write_site
from tests.connectors.declarative_world import Answer, context, everything, opened

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-connector-in-yaml.md"
ENVIRON = {**SECRETS, "ACME_CRM_KEY": "acme-key"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with every file of the page."""
    folder = tmp_path / "config"
    write_site(folder)
    files = re.findall(r"```yaml\n# (config/\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(files) == 7
    for name, text in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_files_of_the_page_are_a_good_configuration(config: Path) -> None:
    assert list(errors_of(lint(config, ENVIRON).findings)) == []


@pytest.mark.parametrize("name", ["acme_crm/customers.in", "acme_crm/upsert_customer.out"])
def test_the_mappings_of_the_page_pass_their_tests(config: Path, name: str) -> None:
    assert all(case.passed for case in run_tests(load_configuration(config, ENVIRON).library.get(name)))


def test_the_connector_of_the_page_reads_writes_and_looks_up(config: Path, tmp_path: Path) -> None:
    people: list[dict[str, Any]] = [{"id": n, "changed": "2026-11-02T08:00:00Z"} for n in range(60)]

    def acme(request: EmulatedRequest) -> Answer:
        assert request.headers["authorization"] == "Bearer acme-key"
        if request.method == "POST":
            people.append({"id": 99, "our_ref": "cu_1", "full_name": "Ada"})
            return 201, people[-1]
        if "our_ref" in request.query:
            return 200, {"people": [one for one in people if one.get("our_ref") == request.query["our_ref"]]}
        assert request.query["order"] == "changed"
        start = (int(request.query["page"]) - 1) * int(request.query["per_page"])
        return 200, {"people": people[start : start + int(request.query["per_page"])]}

    with opened(tmp_path, acme) as world:
        registry = site_registry(config)
        manifest = registry.manifests["acme_crm"]
        connector = registry.implementation(manifest)(context(world, api_key="acme-key"))
        assert len(everything(connector)[0]) == 60
        effect = world.effect({"our_ref": "cu_1", "full_name": "Ada"})
        assert connector.upsert_customer(effect).external_id == "99"
        found = connector.lookup(Capability.UPSERT_CUSTOMER, effect)
        assert isinstance(found, Found)
        assert found.same_content is True
