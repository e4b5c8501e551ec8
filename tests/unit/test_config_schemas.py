"""The shipped schemas and samples: what editors and people are given must itself be right."""

import json
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from hub.config import schemas
from hub.config.load import load_bundle
from hub.config.model import ConnectorInfo, StreamOffer
from hub.config.source import Plain, load
from hub.config.units import parse_duration, parse_rate, parse_size

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "config").rglob("*.yaml"))
MAPPINGS = sorted((ROOT / "mappings").rglob("*.yaml"))

SECRET: Plain = {"type": "string", "writeOnly": True}


def shipped_connectors() -> dict[str, ConnectorInfo]:
    """What the manifests and schemas of the connectors in this repository say."""
    found: dict[str, ConnectorInfo] = {}
    for path in sorted((ROOT / "connectors").glob("*/manifest.yaml")):
        manifest = load(path).plain()
        schema = load(path.with_name("config.schema.yaml")).plain()
        assert isinstance(manifest, dict)
        assert isinstance(schema, dict)
        streams, capabilities = manifest.get("streams") or {}, manifest.get("capabilities") or {}
        assert isinstance(streams, dict)
        assert isinstance(capabilities, dict)
        offers = {
            name: StreamOffer(push=stream.get("push") is True, poll=stream.get("poll") is True)
            for name, stream in streams.items()
            if isinstance(stream, dict)
        }
        name = str(manifest["name"])
        found[name] = ConnectorInfo(name, schema, offers, frozenset(capabilities))
    return found


def sub_schemas(node: Plain, path: str = "#") -> Iterator[tuple[str, dict[str, Plain]]]:
    if isinstance(node, dict):
        yield path, node
        for name, value in node.items():
            yield from sub_schemas(value, f"{path}/{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from sub_schemas(value, f"{path}/{index}")


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_every_kind_has_a_valid_schema_with_a_title_and_described_keys(kind: str) -> None:
    schema = dict(schemas.schema_of(kind))
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["title"]
    assert schema["description"]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    undescribed = [
        name
        for name in properties
        if not (schemas.at(schema, (name,)) or {}).get("description") and kind not in ("locations", "routing")
    ]
    assert undescribed == []


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_every_default_and_example_fits_its_own_schema(kind: str) -> None:
    schema = schemas.schema_of(kind)
    for path, sub in sub_schemas(dict(schema)):
        if "/default" in path or "/examples" in path or path.endswith("/properties"):
            continue
        values = [sub["default"]] if "default" in sub else []
        examples = sub.get("examples")
        values += [e for e in examples if "${" not in str(e)] if isinstance(examples, list) else []
        validator = jsonschema.Draft7Validator({**sub, "definitions": schema.get("definitions", {})})
        for value in values:
            assert validator.is_valid(value), f"{kind} {path}: {value!r}"


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_a_schema_can_be_given_to_editors_as_json(kind: str) -> None:
    assert json.loads(json.dumps(schemas.schema_of(kind))) == schemas.schema_of(kind)


def test_the_patterns_of_units_are_those_the_parsers_read() -> None:
    connection = schemas.schema_of("connection")
    for path, parse, good in (
        (("streams", "orders", "poll", "every"), parse_duration, "5m"),
        (("limits", "default", "rate"), parse_rate, "2/s"),
    ):
        pattern = (schemas.at(connection, path) or {}).get("pattern")
        assert isinstance(pattern, str)
        assert jsonschema.Draft7Validator({"pattern": pattern}).is_valid(good)
        assert parse(good)
    size = (schemas.at(schemas.schema_of("hub"), ("web", "max_body")) or {}).get("default")
    assert isinstance(size, str)
    assert parse_size(size) == 10_000_000


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sample_names_a_schema_that_exists_and_fits_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    target = (path.parent / first.partition("=")[2]).resolve()
    assert target.is_file()
    assert target.parent == ROOT / "hub" / "config" / "schemas"
    errors = jsonschema.Draft7Validator(dict(schemas.schema_of(target.stem))).iter_errors(load(path).plain())
    assert [error.message for error in errors] == []


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_mapping_fits_the_schema_that_editors_use(path: Path) -> None:
    errors = jsonschema.Draft7Validator(dict(schemas.schema_of("mapping"))).iter_errors(load(path).plain())
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    ("folder", "variables"),
    [
        (
            "config",
            ["US_SHOP_TOKEN", "US_SHOP_HOOK", "WMS_TOKEN", "WMS_HOOK", "ERP_PASSWORD", "ERP_HOOK", "SMTP_PASSWORD"],
        ),
        (
            "config/demo",
            [
                "DEMO_SHOP_URL",
                "DEMO_SHOP_TOKEN",
                "DEMO_SHOP_SECRET",
                "DEMO_WMS_URL",
                "DEMO_WMS_TOKEN",
                "DEMO_WMS_SECRET",
                "DEMO_ERP_URL",
                "DEMO_ERP_PASSWORD",
                "DEMO_ERP_SECRET",
            ],
        ),
    ],
)
def test_the_samples_load_with_exactly_the_variables_they_are_said_to_need(folder: str, variables: list[str]) -> None:
    environ = {
        name: f"http://127.0.0.1:{port}" if name.endswith("_URL") else f"value-of-{name.lower()}"
        for port, name in enumerate(variables, 9000)
    }
    bundle = load_bundle(ROOT / folder, environ=environ, connectors=shipped_connectors())
    assert sorted(bundle.connections) == ["erp-soap", "shopify-us", "wms-east"]
    assert {location.wms for location in bundle.locations.values()} == {"wms-east"}
    assert sorted(location.type for location in bundle.locations.values()) == ["dc", "dc", "store"]
    assert all(location.zone in zoneinfo.available_timezones() for location in bundle.locations.values())
    assert {name for name in variables if f"${{env:{name}}}".encode() in bundle.blob} == set(variables)


def test_a_connectors_schema_takes_the_place_of_config_with_its_references_and_defaults() -> None:
    merged = schemas.connection_schema(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "required": ["token"],
            "properties": {"token": {"$ref": "#/definitions/s"}, "page": {"type": "integer", "default": 50}},
            "definitions": {"s": SECRET},
        }
    )
    jsonschema.Draft7Validator.check_schema(dict(merged))
    assert schemas.is_secret(merged, ("config", "token"))
    filled = schemas.with_defaults(merged, {"id": "a", "connector": "b", "config": {"token": "x"}})
    assert isinstance(filled, dict)
    assert filled["config"] == {"token": "x", "page": 50}
    assert not jsonschema.Draft7Validator(dict(merged)).is_valid({"id": "a", "connector": "b"})


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(KeyError, match="there is no schema 'invoice'"):
        schemas.schema_of("invoice")
