"""The shipped schemas and samples: what editors and people are given must itself be right."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from hub.config import schemas
from hub.config.explain import all_keys
from hub.config.layout import formatted
from hub.config.source import Plain, load
from hub.config.units import parse_duration, parse_rate, parse_size
from hub.runtime.connections import connector_infos
from hub.runtime.lint import lint
from hub.runtime.registry import Registry

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "config").rglob("*.yaml"))
MAPPINGS = sorted((ROOT / "mappings").rglob("*.yaml"))

SECRET: Plain = {"type": "string", "writeOnly": True}


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


@pytest.mark.parametrize("folder", ["config", "config/demo"])
def test_the_samples_are_good_and_need_the_variables_they_name_and_nothing_else(folder: str) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).glob("*.yaml"))
    text += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / folder / "connections").glob("*.yaml"))
    variables = sorted(set(re.findall(r"\$\{env:([A-Z_]+)\}", re.sub("#.*", "", text))))
    environ = {name: f"http://127.0.0.1:{port}" if name.endswith("_URL") else f"value-of-{name.lower()}"
               for port, name in enumerate(variables, 9000)}  # fmt: skip
    environ |= {name: "2222" for name in variables if name.endswith("_PORT")}
    environ |= {name: "ssh-ed25519 AAAA" for name in variables if name.endswith("_SFTP_KEY")}
    found = lint(ROOT / folder, environ)
    assert [str(one) for one in found.findings] == []
    assert found.loaded is not None
    assert {"erp-soap", "shopify-us", "wms-east"} <= set(found.loaded.bundle.connections)
    for missing in variables:
        told = [one.message for one in lint(ROOT / folder, {**environ, missing: ""}).findings]
        assert told
        assert set(told) == {f"the variable {missing} is not set"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sample_is_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    kind = (
        "connection"
        if path.parent.name == "connections"
        else "partner"
        if path.parent.name == "partners"
        else path.stem
    )
    schema = schemas.schema_of(kind)
    connector = (load(path).plain() or {}).get("connector") if kind == "connection" else None  # type: ignore[union-attr]
    if connector is not None:
        schema = schemas.connection_schema(connector_infos(Registry())[str(connector)].config_schema)
    assert formatted(text, schema) == text


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


@pytest.mark.parametrize(
    "path", sorted((ROOT / "connectors").glob("*/manifest.yaml")), ids=lambda path: path.parent.name
)
def test_every_manifest_fits_its_schema(path: Path) -> None:
    errors = jsonschema.Draft7Validator(dict(schemas.schema_of("manifest"))).iter_errors(load(path).plain())
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_every_key_says_what_it_is_for() -> None:
    silent = [f"{key.kind} {key.path}" for key in all_keys({}) if not key.schema.get("description")]
    # NAME below a list of names and what connector.yaml only points at is described where it is pointed at.
    assert [name for name in silent if not name.startswith("connector ")] == []
