"""A connector.yaml with a fault: told with file, line and column, and no other connector is harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.runtime.registry import Registry
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
