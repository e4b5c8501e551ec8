"""The schemas as editors want them: hover texts in Markdown, one schema for all connections."""

import copy
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from hub.config.model import ConnectorInfo
from hub.config.schemas import NAMED, Schema, for_connector, schema_of
from hub.config.source import Plain

_PLAIN_KEYS = ("properties", "definitions", "$defs", "patternProperties")


def editor_schema(kind: str, connectors: Mapping[str, ConnectorInfo]) -> dict[str, Plain]:
    """The schema of a kind of file as draft-07 JSON; that of connections knows what each connector wants."""
    schema = copy.deepcopy(dict(schema_of(kind)))
    if kind == "connection":
        _know(schema, connectors)
    _explained(schema)
    return schema


def to_json(schema: Mapping[str, Plain]) -> str:
    """Indented, with a line break at its end; decimals as numbers."""
    return json.dumps(schema, indent=2, ensure_ascii=False, default=_number) + "\n"


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"a {type(value).__name__} is no part of a schema")


def _know(schema: dict[str, Plain], connectors: Mapping[str, ConnectorInfo]) -> None:
    """``connector`` becomes a choice, and each choice says what ``config``, ``streams`` and so on may hold."""
    properties = cast("dict[str, dict[str, Plain]]", schema["properties"])
    if not connectors:
        return
    properties["connector"]["enum"] = [*sorted(connectors)]
    cases: list[Plain] = []
    for name, connector in sorted(connectors.items()):
        own = copy.deepcopy(dict(for_connector(connector)))
        fields = cast("dict[str, dict[str, Plain]]", own["properties"])
        place = f"#/definitions/{name}"
        config = cast("dict[str, Plain]", _moved(fields["config"], "#/properties/config", f"{place}/properties/config"))
        given: dict[str, Plain] = {"config": config}
        for key in ("streams", "effects_out"):
            # Only the connector's own names: what is not among them is refused where the name is written.
            given[key] = {"properties": fields[key]["properties"], "additionalProperties": False}
        cast("dict[str, Plain]", schema["definitions"])[name] = {
            "properties": given,
            **({"required": ["config"]} if config.get("required") else {}),
        }
        cases.append(
            {
                "if": {"properties": {"connector": {"const": name}}, "required": ["connector"]},
                "then": {"$ref": place},
            }
        )
    schema["allOf"] = cases


def _moved(node: Plain, before: str, after: str) -> Plain:
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith(before):
            node["$ref"] = after + target.removeprefix(before)
        for value in node.values():
            _moved(value, before, after)
    elif isinstance(node, list):
        for value in node:
            _moved(value, before, after)
    return node


def _explained(node: Plain) -> None:
    """Adds ``markdownDescription``, which editors show when the pointer rests on a key."""
    if isinstance(node, list):
        for item in node:
            _explained(item)
        return
    if not isinstance(node, dict):
        return
    for key in _PLAIN_KEYS:
        inner = node.get(key)
        for value in inner.values() if isinstance(inner, dict) else ():
            _explained(value)
    for key, value in node.items():
        if key not in (*_PLAIN_KEYS, "default", "examples", "enum", "const", "required"):
            _explained(value)
    words = hover(node)
    node.pop("x-no-effect", None)
    node.pop(NAMED, None)
    if words:
        node["markdownDescription"] = words


def hover(schema: Schema) -> str:
    """What is known of a key in Markdown; empty where nothing is."""
    description = schema.get("description")
    if not isinstance(description, str):
        return ""
    parts = [description]
    if schema.get("writeOnly") is True:
        parts.append("A secret: by reference only, `${env:NAME}` or `${file:/path}`.")
    if "default" in schema and schema["default"] not in ({}, []):
        parts.append(f"Default: `{shown(schema['default'])}`")
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        parts.append("For example: " + ", ".join(f"`{shown(example)}`" for example in examples[:3]))
    idle = schema.get("x-no-effect")
    if isinstance(idle, str):
        parts.append(f"**No effect yet:** {idle}.")
    return "\n\n".join(parts)


def shown(value: Plain) -> str:
    """A value as it would stand in a file."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
