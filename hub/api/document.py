"""openapi/hub.yaml as one document: the canonical records among its components, nothing left to fetch."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from hub.mapping.schemas import raw_schema, schema_folder

METHODS = ("get", "post", "put", "patch", "delete")
Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document. `body` is its JSON Schema, references resolved, or None."""

    id: str
    method: str
    path: str
    scope: str
    parameters: tuple[Node, ...]
    body: Node | None
    body_required: bool


@functools.cache
def document() -> Node:
    """The whole document: OpenAPI 3.0.3, every reference inside it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (schema_folder().parent / "hub.yaml").read_text(encoding="utf-8")
    whole: Node = yaml.load(text, Loader=loader)  # noqa: S506 - either is a safe loader
    records: dict[str, Any] = {}
    whole = _pointing_inside(whole, records)
    done: set[str] = set()
    while missing := set(records) - done:
        for name in sorted(missing):
            records[name] = _pointing_inside(_plain(raw_schema(name)), records)
            done.add(name)
    whole["components"]["schemas"] |= dict(sorted(records.items()))
    return whole


@functools.cache
def document_bytes() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


@functools.cache
def operations() -> Mapping[str, Operation]:
    """By operation id."""
    return {one.id: one for one in _operations()}


def _operations() -> Iterator[Operation]:
    whole = document()
    for path, item in whole["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            node = item[method]
            body = resolved(node.get("requestBody") or {})
            yield Operation(
                id=node["operationId"],
                method=method.upper(),
                path=path,
                scope=node["x-scope"],
                parameters=tuple(resolved(one) for one in node.get("parameters", ())),
                body=body["content"]["application/json"]["schema"] if body else None,
                body_required=bool(body.get("required")),
            )


def resolved(node: Any) -> Any:
    """With every reference put in its place."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        target: Any = document()
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        return resolved(target)
    return {key: resolved(value) for key, value in node.items()}


def _pointing_inside(node: Any, records: dict[str, Any]) -> Any:
    """References to record files become references to components; `records` collects their names."""
    if isinstance(node, list):
        return [_pointing_inside(item, records) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.endswith(".yaml"):
        name = PurePosixPath(reference).stem
        records.setdefault(f"{name}", None)
        return {"$ref": f"#/components/schemas/{name}"}
    return {key: _pointing_inside(value, records) for key, value in node.items()}


def _plain(node: Any) -> Any:
    """Numbers as JSON has them: the reader of our schema files gives Decimal."""
    return json.loads(json.dumps(node, default=lambda number: int(number) if number == int(number) else float(number)))
