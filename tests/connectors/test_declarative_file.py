"""A connector.yaml with a fault: told with file, line and column, and no other connector is harmed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hub.runtime.configuration import load_configuration
from hub.runtime.lint import lint
from hub.runtime.registry import Registry
from hub.runtime.revisions import stored
from tests.connectors.crm_world import SECRETS, write_site
from tests.connectors.declarative_world import BASE, MANIFEST, folder_of, problem

LINES = BASE.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("good", "broken", "finding"),
    [
        (
            "records: items }\n",
            "recrods: items }\n",
            'declared/connector.yaml:6:11: HUB014 streams.customers.read has no "records"',
        ),
        (
            "method: POST, path: /customers }",
            "method: POTS, path: /customers }",
            "declared/connector.yaml:10:32: HUB002 effects.upsert_customer.send.request.method must be one of",
        ),
        (
            "path: /ping",
            "path: ping",
            "declared/connector.yaml:3:46: HUB002 check.0.request.path is not written as expected",
        ),
        (
            "query: { reference: key }",
            "query: { reference: 'key ==' }",
            "HUB017 effects.upsert_customer.lookup.request.query.reference",
        ),
        (
            "query: { reference: key }",
            "query: { reference: payloads.id }",
            'reference begins with payloads, which there is not here; did you mean "payload"?',
        ),
        (
            "query: { reference: key }",
            "query: { sort: updated_at }",
            "a fixed text is written \"'updated_at'\"",
        ),
        ("query: { reference: key }", "query: { n: '`1.5`' }", "a literal with a point"),
        (
            "parameters: { id: id }",
            "parameters: { di: id }",
            "declared/connector.yaml:7:31: HUB014 the path has {id}, and parameters has no id; there is di",
        ),
        ("external_id: id }\n    lookup", "external_id: [id] }\n    lookup", "external_id must be text"),
        (
            "webhooks: { signature: { header: x-signature } }",
            "",
            'the manifest says that customers is pushed, and there is no "webhooks"',
        ),
        (
            "base_url: config.base_url",
            "base_url: settings.base_url",
            "declared/connector.yaml:2:11: HUB017 base_url begins with settings",
        ),
        (
            "base_url: config.base_url",
            "base_url: config.base_url\nauth: { kind: bearer }",
            'declared/connector.yaml:3:7: HUB014 auth has no "token"',
        ),
        (
            "base_url: config.base_url",
            "base_url: config.base_url\nauth: { kind: bearer, token: \"'tok-123'\" }",
            "declared/connector.yaml:3:30: HUB003 auth.token is a secret written out",
        ),
        ("base_url: config.base_url", "base_url: config.base_url\nbase_url: x", "HUB000"),
        ("base_url: config.base_url", "base_url: !!python/object:x y", "HUB000"),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_to_do(tmp_path: Path, good: str, broken: str, finding: str) -> None:
    assert good in BASE
    folder_of(tmp_path, BASE.replace(good, broken, 1))
    assert finding in problem(tmp_path)


@pytest.mark.parametrize(
    ("good", "broken", "finding"),
    [
        (
            "upsert_customer: { safety: lookup }",
            "upsert_customer: { safety: lookup }, record_loyalty: {}",
            "the manifest offers record_loyalty",
        ),
        (
            "capabilities: { upsert_customer: { safety: lookup } }",
            "",
            "HUB007 the manifest has no capability upsert_customer",
        ),
        ("customers:", "items:", "HUB006 the manifest has no stream customers"),
    ],
)
def test_what_the_manifest_declares_must_be_described_and_nothing_else(
    tmp_path: Path, good: str, broken: str, finding: str
) -> None:
    assert good in MANIFEST
    folder_of(tmp_path, BASE, MANIFEST.replace(good, broken))
    assert finding in problem(tmp_path)


def test_a_capability_that_is_made_safe_by_looking_needs_to_be_able_to_look(tmp_path: Path) -> None:
    folder_of(tmp_path, "".join(line for line in LINES if not line.strip().startswith("lookup:")))
    assert 'upsert_customer is made safe by lookup, and has no "lookup"' in problem(tmp_path)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        BASE.replace("records: items }\n", "records: items, page: {} }\n").replace("path: /ping", "path: ping"),
    )
    assert problem(tmp_path).endswith("2 faults in 1 file")


def test_a_wrong_errors_yaml_is_told_by_its_rule(tmp_path: Path) -> None:
    folder_of(tmp_path, BASE, errors="rules: [{ status: 500, resolution: retry }]")
    assert "errors.yaml, rule 1: retry needs not_processed" in problem(tmp_path)


def test_a_broken_description_harms_no_other_connector(tmp_path: Path) -> None:
    folder_of(tmp_path, "base_url: [")
    assert {"crm_rest", "shopify", "wms_rest"} <= set(Registry((tmp_path,)).manifests)


def test_the_described_connectors_we_ship_are_without_fault() -> None:
    registry = Registry()
    assert registry.broken == ()
    assert registry.manifests["crm_rest"].definition is not None


# A site's own, beside its configuration.

MAPPING = """\
mapping: declared/customers.in
version: 1
target: Customer
kind: state
fields: { external_id: { from: id, as: text, required: true } }
tests: [{ name: one, input: { id: 1 }, expect: { external_id: "1" } }]
"""
OUT = """\
mapping: declared/upsert_customer.out
version: 1
fields: { name: { from: name } }
tests: [{ name: one, input: { name: Ada }, expect: { name: Ada } }]
"""
CONNECTION = {
    "id": "crm",
    "connector": "declared",
    "config": {"base_url": "http://crm.example"},
    "streams": {"customers": {"poll": {"every": "1m"}}},
    "effects_out": {"upsert_customer": {}},
}


def a_site(root: Path, connector: str = BASE) -> Path:
    """A configuration that has a connector of its own."""
    folder = root / "config"
    write_site(folder)
    (folder / "connections" / "crm.yaml").write_text(yaml.safe_dump(CONNECTION), encoding="utf-8")
    (folder / "connectors").mkdir()
    own = folder_of(folder / "connectors", connector)
    (own / "config.schema.yaml").write_text(
        "type: object\nproperties: { base_url: { type: string } }\n", encoding="utf-8"
    )
    (own / "customers.in.yaml").write_text(MAPPING, encoding="utf-8")
    (own / "upsert_customer.out.yaml").write_text(OUT, encoding="utf-8")
    return folder


def test_a_site_keeps_a_connector_beside_its_configuration_and_a_revision_keeps_it_too(tmp_path: Path) -> None:
    loaded = load_configuration(a_site(tmp_path), SECRETS)
    assert loaded.library.inbound("declared", "customers") is not None
    again = stored(loaded.bundle.blob, tmp_path / "home", SECRETS)
    assert again.bundle.revision == loaded.bundle.revision
    assert again.registry.manifests["declared"].definition == loaded.registry.manifests["declared"].definition
    assert again.library.outbound("declared", "upsert_customer") is not None


def test_another_word_in_a_sites_connector_is_another_revision(tmp_path: Path) -> None:
    one = load_configuration(a_site(tmp_path / "one"), SECRETS)
    two = load_configuration(a_site(tmp_path / "two", BASE.replace("/ping", "/pong")), SECRETS)
    assert one.bundle.revision != two.bundle.revision


def test_a_fault_of_a_sites_connector_is_a_finding_of_its_configuration(tmp_path: Path) -> None:
    found = lint(a_site(tmp_path, BASE.replace("path: /ping", "path: ping")), SECRETS).findings
    places = [(one.file, one.line, one.column, one.rule) for one in found if "connector" in one.file]
    assert ("connectors/declared/connector.yaml", 3, 46, "HUB002") in places
