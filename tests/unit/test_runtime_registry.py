"""Connectors are found by their manifests; one that is broken is listed and harms no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.runtime.registry import ManifestError, Registry, read_manifest

GOOD = """
name: mine
title: My own system
implementation: mine.connector:Mine
streams:
  orders: { codec: json, push: true, topics: [created] }
capabilities:
  submit_order: { safety: lookup, settle_seconds: 5 }
"""


def folder(tmp_path: Path, name: str, text: str) -> Path:
    place = tmp_path / name
    place.mkdir()
    (place / "manifest.yaml").write_text(text, encoding="utf-8")
    return place


def test_our_own_connectors_are_found() -> None:
    registry = Registry()
    assert {"shopify", "wms_rest", "erp_soap"} <= set(registry.manifests)
    assert registry.broken == ()


def test_a_folder_named_in_the_configuration_is_looked_into(tmp_path: Path) -> None:
    folder(tmp_path, "mine", GOOD)
    manifest = Registry((tmp_path,)).manifests["mine"]
    assert manifest.streams["orders"].topics == ("created",)
    assert next(iter(manifest.capabilities.values())).settle_seconds == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list", "mapping of keys"),
        (GOOD.replace("title: My own system\n", ""), "'title'"),
        (GOOD.replace("orders:", "parcels:"), "no stream parcels"),
        (GOOD.replace("submit_order:", "make_coffee:"), "make_coffee"),
        (GOOD.replace("lookup", "hope"), "hope"),
    ],
)
def test_a_manifest_that_cannot_be_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    place = folder(tmp_path, "mine", text)
    with pytest.raises(ManifestError, match=words):
        read_manifest(place, "mine")


def test_a_broken_connector_is_listed_and_harms_no_other(tmp_path: Path) -> None:
    folder(tmp_path, "mine", GOOD)
    folder(tmp_path, "theirs", "name: [")
    folder(tmp_path, "twin", GOOD)
    registry = Registry((tmp_path,))
    assert "mine" in registry.manifests
    assert {(broken.name, "name already" in broken.error) for broken in registry.broken} == {
        ("theirs", False),
        ("mine", True),
    }
