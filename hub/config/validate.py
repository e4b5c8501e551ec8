"""One file against its schema: findings in plain words, at the line and column of the fault."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import jsonschema

from hub.config import schemas
from hub.config.findings import Finding, did_you_mean, finding
from hub.config.schemas import Schema
from hub.config.secrets import ReferenceSyntaxError, SecretError, Secrets, is_reference, resolve_tree
from hub.config.source import Document, Path_, Plain, Scalar, find, walk
from hub.config.units import DURATION_PATTERN, RATE_PATTERN, SIZE_PATTERN

_LIKE_A_REFERENCE = re.compile(r"\$\{[^}]*\}")
_URL_PASSWORD = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")
_INSTANT_PATTERN = (
    r"^(always|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))$"
)
_INBOUND_PATTERN = "^[a-z0-9_-]+/[A-Za-z0-9_.-]+\\.in$"
_WRITTEN_LIKE = {
    _INBOUND_PATTERN: ("mapping that reads a stream", "its name ends with .in, for example shopify/wholesale.in"),
    DURATION_PATTERN: ("duration", "write a number with ms, s, m, h or d, for example 30s, 5m, 1h30m or 90d"),
    SIZE_PATTERN: ("size", "write for example 512kB, 10MB or 4MiB"),
    RATE_PATTERN: ("rate", "write for example 2/s, 0.5/s or 40/m"),
    _INSTANT_PATTERN: ("moment", "write a time in RFC 3339, for example 2026-11-01T00:00:00Z, or always"),
    "^[A-Z]{3}$": ("currency", "write its ISO 4217 code, for example EUR"),
    "^[A-Z]{2}$": ("country", "write its ISO 3166-1 code of two capitals, for example US"),
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": ("time of day", 'write for example "15:00"'),
    r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$": ("part of one", "write a number from 0 to 1, for example 0.25 for a quarter"),
    "^[a-z0-9][a-z0-9-]{0,62}$": ("id", "write small letters, digits and hyphens, for example shop-us"),
}
"""Patterns of the schemas by what a person would call them, and how it is written."""
_TYPE_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "keys with values",
    "array": "a list",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A file after its schema: ``written`` keeps references, ``resolved`` has their values (as far as they have one);
    both have the schema's defaults filled in. Not ``buildable``: a reference without value stands where no text can."""

    document: Document
    schema: Schema
    written: Plain
    resolved: Plain = field(repr=False)
    findings: tuple[Finding, ...]
    buildable: bool = True


def check_document(document: Document, schema: Schema, secrets: Secrets) -> Checked:
    """Check one file; never raises for what is in it."""
    written = document.plain()
    if written is None:
        written = {}
    found: list[Finding] = []
    silent: set[tuple[str | int, ...]] = set()
    missing: list[tuple[str | int, ...]] = []

    def unresolved(path: tuple[str | int, ...], error: SecretError) -> None:
        silent.add(path)
        missing.append(path)
        rule = "HUB015" if isinstance(error, ReferenceSyntaxError) else "HUB004"
        found.append(finding(rule, document.file, document.mark(path), str(error)))

    for path, message in _written_out_secrets(document, schema):
        silent.add(path)
        found.append(
            finding(
                "HUB003",
                document.file,
                document.mark(path),
                message,
                "write ${env:NAME} or ${file:/path}, and take this value out of use: it has been in a file",
            )
        )
    resolved = resolve_tree(written, secrets, schema, on_error=unresolved)
    validator = jsonschema.Draft7Validator(dict(schema), format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    # Stub releases differ on whether iter_errors is typed.
    for error in validator.iter_errors(resolved):  # type: ignore[no-untyped-call, unused-ignore]
        if tuple(error.absolute_path) not in silent:
            found.extend(_explained(document, schema, error))
    found.extend(_without_effect(document, schema))
    return Checked(
        document,
        schema,
        schemas.with_defaults(schema, written),
        schemas.with_defaults(schema, resolved),
        tuple(found),
        buildable=all(path[:1] == ("config",) or schemas.is_free_text(schema, path) for path in missing),
    )


def _without_effect(document: Document, schema: Schema) -> Iterator[Finding]:
    """Keys that are checked and kept and that nothing acts by; the schema says which."""
    for path, _ in walk(document.root):
        words = (schemas.at(schema, path) or {}).get("x-no-effect") if path else None
        if isinstance(words, str):
            mark = document.mark(path, key=True)
            yield finding("HUB028", document.file, mark, f"{_name(path)} has no effect yet", words)


def _written_out_secrets(document: Document, schema: Schema) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for path, node in walk(document.root):
        if not isinstance(node, Scalar) or node.value is None:
            continue
        if schemas.is_secret(schema, path):
            # What looks like a reference and is none is told as that.
            if not is_reference(node.text) and not _LIKE_A_REFERENCE.fullmatch(node.text):
                yield path, f"{_name(path)} is a secret written out"
        elif isinstance(node.value, str):
            password = _URL_PASSWORD.search(node.value)
            if password is not None and not is_reference(password.group(1)):
                yield path, f"{_name(path)} holds a password written out"


def _explained(document: Document, schema: Schema, error: jsonschema.ValidationError) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    rule = str(error.validator)
    instance: Plain = cast("Plain", error.instance)
    if rule == "additionalProperties" and isinstance(error.schema, dict):
        known = list(error.schema.get("properties") or {})
        for name in instance if isinstance(instance, dict) else ():
            if name not in known:
                mark = document.mark((*path, name), key=True)
                yield finding("HUB001", document.file, mark, f'unknown key "{name}"', did_you_mean(name, known))
    elif rule == "required":
        for name in cast("list[str]", error.validator_value):
            if (
                isinstance(instance, dict)
                and name not in instance
                and not _stands_in(document, cast("Plain", error.schema))
            ):
                yield _missing(document, schema, path, name)
    elif rule == "propertyNames" or (error.parent is not None and error.parent.validator == "propertyNames"):
        mark = document.mark((*path, str(instance)), key=True)
        yield finding("HUB002", document.file, mark, f'"{instance}" is no name here', _example(error.schema))
    else:
        message, hint = _value_fault(document, schema, path, error)
        yield finding("HUB002", document.file, document.mark(path), message, hint)


def _stands_in(document: Document, schema: Plain) -> bool:
    """A key of the connection's own configuration says what a stream or an effect would have to."""
    key = schema.get(schemas.UNLESS_CONFIG) if isinstance(schema, dict) else None
    return isinstance(key, str) and find(document.root, ("config", key)) is not None


def _missing(document: Document, schema: Schema, path: tuple[str | int, ...], name: str) -> Finding:
    rule = "HUB011" if not path and name == "fallback" else "HUB014"
    where = f"{_name(path)} has" if path else "the file has"
    hint = _example(schemas.at(schema, (*path, name)), f"{name}: ")
    if rule == "HUB011":
        hint = 'for example "fallback: { use: cheapest, when_nothing: backorder }"'
    return finding(rule, document.file, document.mark(path), f'{where} no "{name}"', hint)


def _value_fault(
    document: Document, schema: Schema, path: tuple[str | int, ...], error: jsonschema.ValidationError
) -> tuple[str, str]:
    name = _name(path)
    rule, limit = error.validator, error.validator_value
    node = find(document.root, path)
    shown = ""
    if isinstance(node, Scalar) and not schemas.is_secret(schema, path):
        shown = f", not {node.text[:60]!r}" if isinstance(node.value, str) else f", not {node.text[:60] or 'nothing'}"
    if rule in ("type", "enum") and isinstance(node, Scalar) and node.value is None:
        return f"{name} has no value", _example(schemas.at(schema, path)) or "write one, or remove the key"
    if rule == "type":
        wanted = limit if isinstance(limit, list) else [limit]
        words = " or ".join(_TYPE_NAMES.get(str(kind), str(kind)) for kind in wanted)
        hint = f"quote it: '{node.text}'" if shown and wanted == ["string"] and isinstance(node, Scalar) else ""
        like = _WRITTEN_LIKE.get(str((schemas.at(schema, path) or {}).get("pattern")))
        if hint and like is not None and like[0] in ("duration", "size", "rate", "time of day"):
            return f"{name}: {node.text[:60] if isinstance(node, Scalar) else ''} is no {like[0]}", like[1]
        return f"{name} must be {words}{shown or _kind_of(error.instance)}", hint
    if rule == "enum" and isinstance(limit, list):
        known = [str(value) for value in limit]
        return f"{name} must be one of {', '.join(known)}{shown}", _close(node, known)
    if rule == "pattern":
        what = _WRITTEN_LIKE.get(str(limit))
        if what is None:
            return f"{name} is not written as expected{shown}", _example(error.schema)
        shown_as = f"{node.text[:60]!r}" if shown and isinstance(node, Scalar) else "the value"
        return f"{name}: {shown_as} is no {what[0]}", what[1]
    bounds = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    if rule in bounds:
        return f"{name} must be {bounds[str(rule)]} {limit}{shown}", ""
    lengths = {"minLength": "at least {} characters long", "maxLength": "at most {} characters long"}
    counts = {"minItems": "a list of at least {}", "maxItems": "a list of at most {}"}
    for table in (lengths, counts):
        if rule in table:
            return f"{name} must be {table[str(rule)].format(limit)}", ""
    if rule in ("anyOf", "oneOf"):
        return f"{name} has none of the forms allowed here", _example(error.schema)
    return f"{name} breaks the rule {rule} of its schema", _example(error.schema)


def _close(node: object, known: list[str]) -> str:
    hint = did_you_mean(node.text, known) if isinstance(node, Scalar) else ""
    return hint if hint.startswith("did") else ""


def _kind_of(value: object) -> str:
    names = {dict: "keys with values", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return f", not {names.get(type(value), 'a number')}"


def _example(schema: object, front: str = "") -> str:
    examples = schema.get("examples") if isinstance(schema, dict) else None
    if not isinstance(examples, list) or not examples:
        return ""
    shown = [
        json.dumps(one, ensure_ascii=False, default=str) if isinstance(one, dict | list) else str(one)
        for one in examples
    ]
    return f"for example {front}" + ", ".join(shown[: 1 if front else 3])


def _name(path: Path_) -> str:
    return ".".join(str(step) for step in path) or "the file"
