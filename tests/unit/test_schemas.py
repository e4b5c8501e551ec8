"""The canonical records' schemas: in the common subset of the dialects, and read alike by both validators."""

import copy
from collections.abc import Iterator

import jsonschema
import pytest

from hub.config.source import Plain
from hub.mapping import MappingLibrary, schema, schema_names, validate
from hub.mapping.cases import exact_json
from hub.mapping.library import shipped_folder
from hub.mapping.schemas import raw_schema
from hub.sdk.streams import STREAMS

ALLOWED = {
    "title", "description", "type", "properties", "required", "additionalProperties", "items", "enum", "pattern",
    "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "$ref", "allOf", "example",
}  # fmt: skip


def nodes(node: Plain, where: str) -> Iterator[tuple[str, dict[str, Plain]]]:
    """Every schema inside a schema."""
    if not isinstance(node, dict):
        return
    yield where, node
    properties = node.get("properties")
    if isinstance(properties, dict):
        for name, child in properties.items():
            yield from nodes(child, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        yield from nodes(node.get(key), f"{where}.{key}")
    whole = node.get("allOf")
    for child in whole if isinstance(whole, list) else []:
        yield from nodes(child, f"{where}.allOf")


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_uses_nothing_that_a_dialect_lacks(name: str) -> None:
    for where, node in nodes(raw_schema(name), name):
        assert set(node) <= ALLOWED, where
        assert not isinstance(node.get("type"), list), f"{where}: a list of types"
        assert "$ref" not in node or set(node) == {"$ref"}, f"{where}: OpenAPI 3.0 ignores what stands beside $ref"
        assert node.get("enum") is None or None not in (node["enum"] or []), f"{where}: null in an enum"  # type: ignore[operator]
        for key, value in node.items():
            assert value is not None, f"{where}.{key} is null: an unquoted comma or colon?"


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_titled_as_its_file_and_closed_unless_it_says_so(name: str) -> None:
    root = raw_schema(name)
    assert root["title"] == name
    for where, node in nodes(root, name):
        if node.get("type") == "object":
            assert "additionalProperties" in node, where
            properties = node.get("properties")
            required = node.get("required")
            known = set(properties) if isinstance(properties, dict) else set()
            assert set(map(str, required if isinstance(required, list) else [])) <= known, where
        if node.get("type") == "array":
            assert "maxItems" in node, f"{where} has no bound"


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one_for_the_authority_too(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_every_stream_that_is_read_has_the_schema_of_its_record() -> None:
    wanted = {str(record) for record, _ in STREAMS.values()}
    assert wanted <= set(schema_names())


def test_there_is_no_schema_of_another_name() -> None:
    for name in ("Nothing", "../Order", "", "Order.yaml"):
        with pytest.raises(KeyError):
            schema(name)


def authority(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(name))


def corpus() -> list[dict[str, object]]:
    """Mapped orders of every fixture, and each of them broken in one place."""
    mapping = MappingLibrary().get("shopify/orders.in")
    fixtures = sorted(shipped_folder().glob("shopify/fixtures/*.json"))
    records = [mapping.run(exact_json(path)).record for path in fixtures if not path.name.startswith("refund")]
    broken: list[dict[str, object]] = []
    for record in records:
        for key in record:
            for value in (5, "", "x", [], {}, ["x"], {"x": 1}, True, None, "1e5", "9" * 201):
                changed = copy.copy(record)
                changed[key] = value
                broken.append(changed)
        broken.append({key: value for key, value in record.items() if key != "external_id"})
        broken.append({**record, "surplus": 1})
        lines = record.get("lines")
        for line in copy.deepcopy(lines) if isinstance(lines, list) else []:
            for key in list(line):
                broken.append({**record, "lines": [{**line, key: None}]})
                broken.append({**record, "lines": [{name: value for name, value in line.items() if name != key}]})
    return records + broken


def test_both_validators_agree_on_good_and_broken_records() -> None:
    judge = authority("Order")
    records = corpus()
    verdicts = [(judge.is_valid(record), validate(record, "Order") == []) for record in records]
    assert {one for one, _ in verdicts} == {True, False}
    assert [records[index] for index, (one, other) in enumerate(verdicts) if one != other] == []


def test_a_problem_names_its_field_and_its_rule_but_not_the_value() -> None:
    secret = "hunter2 hunter2"
    problems = validate({"external_id": "1", "lines": [{"external_line_id": "a", "quantity": secret}]}, "Order")
    assert [problem.field for problem in problems] == ["lines.0.quantity"]
    assert "does not match" in problems[0].message
    assert secret not in problems[0].message


def test_problems_are_bounded() -> None:
    lines = [{"external_line_id": str(index), "quantity": "x"} for index in range(100)]
    assert len(validate({"external_id": "1", "lines": lines}, "Order")) == 20
