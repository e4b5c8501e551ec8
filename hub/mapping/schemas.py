"""The canonical records' schemas: found, resolved, enforced.

The files under openapi/schemas use the common subset of JSON Schema dialects (no null, no type lists) and refer to each
other as `./Name.yaml`. jsonschema-rs checks records on the hot path; jsonschema is the authority for prose, and a test
keeps the two in agreement.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import jsonschema_rs

import hub
from hub.config.source import Plain, load

Schema = dict[str, Plain]

_MASK = "the value"
_MAX_PROBLEMS = 20
_MAX_FOUND = 40
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """Where a record breaks its schema. `message` names the rule, never the value; `found` is the value, cut, where
    only some words are allowed, for the person who tries a mapping and not for logs."""

    field: str
    message: str
    found: str = ""


def schema_folder() -> Path:
    """Where the schemas lie: inside an installed package, else in the checkout."""
    package = Path(hub.__file__).parent
    installed = package / "_data" / "openapi" / "schemas"
    return installed if installed.is_dir() else package.parent / "openapi" / "schemas"


def schema_names() -> list[str]:
    """Every schema there is, sorted."""
    return sorted(path.stem for path in schema_folder().glob("*.yaml"))


@functools.cache
def raw_schema(name: str) -> Schema:
    """The schema as written, references unresolved. Raises KeyError for a name that is none."""
    path = schema_folder() / f"{name}.yaml"
    if not name.isalpha() or not path.is_file():
        raise KeyError(name)
    loaded = load(path).plain()
    if not isinstance(loaded, dict):
        raise KeyError(name)
    return loaded


@functools.cache
def schema(name: str) -> Schema:
    """The schema with every reference put in its place. Raises KeyError."""
    resolved = _resolve(raw_schema(name))
    assert isinstance(resolved, dict)
    return resolved


@functools.cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """The compiled validator of a canonical record; messages hold no values."""
    return compile_schema(schema(name))


def compile_schema(plain: object) -> jsonschema_rs.Draft202012Validator:
    """A validator that fetches nothing. Raises ValueError for a schema that is none."""
    return jsonschema_rs.Draft202012Validator(json.loads(json.dumps(plain, default=_number)), mask=_MASK)


def validate(record: object, name: str) -> list[SchemaProblem]:
    """What is wrong with a record, nothing if it is right."""
    return problems(validator(name), record)


def problems(checker: jsonschema_rs.Draft202012Validator, record: object) -> list[SchemaProblem]:
    """At most twenty problems of a record, empty if it is valid."""
    if checker.is_valid(record):
        return []
    found: list[SchemaProblem] = []
    for error in checker.iter_errors(record):
        found.append(_problem(error))
        if len(found) == _MAX_PROBLEMS:
            break
    return found


def _problem(error: jsonschema_rs.ValidationError) -> SchemaProblem:
    field = ".".join(map(str, error.instance_path))
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        names = [json.dumps(str(one)[:_MAX_FOUND], ensure_ascii=False) for one in error.kind.unexpected]
        return SchemaProblem(field, f"there is no field {' or '.join(names[:_MAX_NAMES])} here")
    if not isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Enum):
        return SchemaProblem(field, error.message)
    allowed = ", ".join(json.dumps(one, ensure_ascii=False) for one in error.kind.options)
    shown = json.dumps(str(error.instance)[:_MAX_FOUND], ensure_ascii=False)
    return SchemaProblem(field, f"{_MASK} is none of {allowed}", shown)


def describe_child(parent: Schema | None, name: str) -> Schema | None:
    """The schema of a property, one reference followed; None where the parent says nothing of it."""
    if parent is None:
        return None
    properties = parent.get("properties")
    child = properties.get(name) if isinstance(properties, dict) else None
    if child is None:
        rest = parent.get("additionalProperties")
        child = rest if isinstance(rest, dict) else None
    return follow(child)


def describe_items(parent: Schema | None) -> Schema | None:
    """The schema of a list's elements."""
    return follow(parent.get("items")) if parent is not None else None


def follow(node: Plain) -> Schema | None:
    """A schema node with its reference replaced by what it names (its title stays to tell a Decimal from a text)."""
    if not isinstance(node, dict):
        return None
    whole = node.get("allOf")
    if isinstance(whole, list) and len(whole) == 1:
        return follow(whole[0])
    reference = node.get("$ref")
    return raw_schema(_referred(reference)) if isinstance(reference, str) else node


_TYPES: dict[str, str] = {"boolean": "boolean", "integer": "integer", "string": "text", "object": "tree"}
_TITLES: dict[str, str] = {"Decimal": "decimal", "Instant": "instant", "Currency": "currency"}


def natural_type(target: Schema | None) -> str:
    """The conversion that fits a target field when the mapping names none."""
    if target is None:
        return "tree"
    title = target.get("title")
    if isinstance(title, str) and title in _TITLES:
        return _TITLES[title]
    kind = target.get("type")
    if kind == "array":
        items = describe_items(target)
        return "texts" if items is not None and items.get("type") == "string" else "tree"
    return _TYPES.get(kind, "tree") if isinstance(kind, str) else "tree"


def _resolve(node: Plain) -> Plain:
    if isinstance(node, list):
        return [_resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        return _resolve(raw_schema(_referred(reference)))
    whole = node.get("allOf")
    if isinstance(whole, list) and len(whole) == 1 and set(node) <= {"allOf", "description"}:
        return _resolve(whole[0])
    return {key: _resolve(value) for key, value in node.items()}


def _referred(reference: str) -> str:
    return Path(reference).stem


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} in a schema")
