"""connector.yaml: read, checked against its schema and the manifest beside it, with the place of every fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import cast

from hub.config import schemas
from hub.config.findings import ConfigErrors, Finding, did_you_mean, finding
from hub.config.schemas import Schema
from hub.config.secrets import Secrets
from hub.config.source import Document, Plain, Scalar, SourceError, load, loads, walk
from hub.config.validate import check_document
from hub.mapping.errors import MappingError, Unusable
from hub.mapping.expression import ExpressionError, compile_expression
from hub.mapping.scope import Scope
from hub.sdk.classify import load_table
from hub.sdk.connector import Expression
from hub.sdk.errors import ConfigurationError, DataError
from hub.sdk.manifest import Manifest
from hub.sdk.records import Tree

FILE = "connector.yaml"
ENGINE = "declarative"
"""The connector that carries definitions out."""

_EFFECT = ("config", "payload", "key", "refs", "attempt")
SEEN: dict[tuple[str, ...], tuple[str, ...]] = {
    ("base_url",): ("config",),
    ("headers",): ("config",),
    ("auth",): ("config",),
    ("check",): ("config",),
    ("webhooks", "secrets"): ("config",),
    ("streams", "*", "read", "request"): ("config", "since", "start_from", "size"),
    ("streams", "*", "fetch", "request"): ("config", "id"),
    ("streams", "*", "list_ids", "request"): ("config", "from", "to", "size"),
    ("effects", "*", "send", "request"): _EFFECT,
    ("effects", "*", "lookup", "request"): _EFFECT,
}
"""What the expressions of each part see; all others look at an answer of the other side."""

SECRET = frozenset(
    {("auth", "password"), ("auth", "token"), ("auth", "key"), ("auth", "client_secret"), ("webhooks", "secrets")}
)
"""Expressions whose value is a secret: they name a place in the connection's config and never hold it."""

_FIRST_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*(?![\w(])")
_HOLE = re.compile(r"\{([^{}]*)\}")


@cache
def schema() -> Schema:
    """The schema of connector.yaml."""
    text = resources.files(schemas.__name__).joinpath("connector.yaml").read_bytes()
    return cast("Schema", loads(text, name="connector.yaml").plain())


def with_definition(manifest: Manifest, engine: str) -> Manifest:
    """The manifest with the content of the connector.yaml in its folder. `engine` is the engine's import string.

    Raises ConfigErrors with every fault found, and ConfigurationError for a wrong errors.yaml.
    """
    folder = Path(manifest.folder)
    try:
        document = load(folder / FILE, name=f"{folder.parent.name}/{folder.name}/{FILE}")
    except SourceError as error:
        raise ConfigErrors([finding("HUB000", error.file, error.mark, error.message, error.hint)]) from error
    checked = check_document(document, schema(), Secrets({}))
    found = [*checked.findings, *_expressions(document)]
    if not found:
        found += _beside(document, manifest)
    if found:
        raise ConfigErrors(found)
    if (folder / "errors.yaml").is_file():
        load_table(folder / "errors.yaml")
    return replace(manifest, implementation=engine, definition=cast("Mapping[str, object]", checked.written))


def expression(text: str) -> Expression:
    """Compiles an expression as connectors are promised it: ConfigurationError and DataError, nothing else."""
    try:
        getter = compile_expression(text)
    except ExpressionError as error:
        raise ConfigurationError(f"{text[:80]} is no JMESPath: {error}") from error

    def evaluate(tree: Tree) -> Tree:
        try:
            return getter(tree, Scope(tree, {}))
        except (Unusable, MappingError) as error:
            raise DataError(f"{text[:80]} does not suit what it finds: {error}") from error

    return evaluate


def _expressions(document: Document) -> Iterator[Finding]:
    """Texts that are no JMESPath, and those that begin with a name that nothing has there."""
    for path, node in walk(document.root):
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        described = schemas.at(schema(), path)
        if described is None or described.get("format") != "jmespath":
            continue
        try:
            compile_expression(node.value)
        except ExpressionError as error:
            yield finding("HUB017", document.file, node.mark, f"{_name(path)} is no JMESPath: {error}")
            continue
        if path in SECRET and not node.value.startswith("config."):
            hint = "name a key of the connection's config, and take this value out of use: it has been in a file"
            yield finding("HUB003", document.file, node.mark, f"{_name(path)} is a secret written out", hint)
            continue
        seen = _seen(path)
        first = _FIRST_NAME.match(node.value)
        if seen and first and first[1] not in seen:
            hint = f"a fixed text is written \"'{node.value}'\"" if first[0] == node.value else ""
            nearest = did_you_mean(first[1], seen)
            why = f"{_name(path)} begins with {first[1]}, which there is not here"
            yield finding("HUB017", document.file, node.mark, why, "; ".join(filter(None, (nearest, hint))))


def _seen(path: tuple[str | int, ...]) -> tuple[str, ...]:
    for pattern, names in SEEN.items():
        if len(path) >= len(pattern) and all(p in ("*", step) for p, step in zip(pattern, path, strict=False)):
            return names
    return ()


def _beside(document: Document, manifest: Manifest) -> Iterator[Finding]:
    """What the manifest declares must be described, and the other way round."""
    content = cast("Mapping[str, Mapping[str, Plain]]", document.plain())
    streams = cast("Mapping[str, Mapping[str, Plain]]", content.get("streams") or {})
    effects = content.get("effects") or {}
    yield from _unknown(document, "streams", streams, [*manifest.streams], "HUB006", "stream")
    capabilities = [capability.value for capability in manifest.capabilities]
    yield from _unknown(document, "effects", effects, capabilities, "HUB007", "capability")
    for name, stream in manifest.streams.items():
        described = streams.get(name, {})
        wanted = {"read": stream.poll, "fetch": stream.fetch}
        for part in (part for part, needed in wanted.items() if needed and part not in described):
            mark = document.mark(("streams", name))
            message = f"the manifest says that {name} can be {'polled' if part == 'read' else 'fetched'}"
            yield finding("HUB014", document.file, mark, f'{message}, and streams.{name} has no "{part}"')
        if stream.push and "webhooks" not in content:
            yield finding(
                "HUB014",
                document.file,
                document.mark(()),
                f'the manifest says that {name} is pushed, and there is no "webhooks"',
            )
    for capability, info in manifest.capabilities.items():
        mark = document.mark(("effects", capability.value))
        described = cast("Mapping[str, Plain]", effects.get(capability.value) or {})
        if capability.value not in effects:
            yield finding(
                "HUB014",
                document.file,
                mark,
                f"the manifest offers {capability.value}, and effects does not describe it",
            )
        elif info.safety in ("lookup", "unique_reference") and "lookup" not in described:
            message = f'{capability.value} is made safe by {info.safety.value}, and has no "lookup"'
            yield finding("HUB014", document.file, mark, message)
    yield from _holes(document)


def _unknown(
    document: Document, part: str, described: Mapping[str, object], known: list[str], rule: str, what: str
) -> Iterator[Finding]:
    for name in described:
        if name not in known:
            mark = document.mark((part, name), key=True)
            yield finding(rule, document.file, mark, f"the manifest has no {what} {name}", did_you_mean(name, known))


def _holes(document: Document) -> Iterator[Finding]:
    """A {name} in a path without its parameter, and a parameter that no path has."""
    for path, node in walk(document.root):
        if not path or path[-1] != "path" or not isinstance(node, Scalar) or "request" not in path:
            continue
        request = cast("Mapping[str, Mapping[str, Plain]]", _at(document.plain(), path[:-1]))
        holes, given = _HOLE.findall(node.text), list(request.get("parameters") or {})
        for name in holes:
            if name not in given:
                message = f"the path has {{{name}}}, and parameters has no {name}"
                yield finding("HUB014", document.file, node.mark, message, did_you_mean(name, given))
        for name in given:
            if name not in holes:
                mark = document.mark((*path[:-1], "parameters", name), key=True)
                yield finding("HUB001", document.file, mark, f"the path has no {{{name}}}", did_you_mean(name, holes))


def _at(tree: Plain, path: tuple[str | int, ...]) -> Plain:
    for step in path:
        if isinstance(tree, dict):
            tree = tree[str(step)]
        elif isinstance(tree, list):
            tree = tree[int(step)]
    return tree


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
