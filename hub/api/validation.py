"""Requests are as the document says, or refused with every place named: jsonschema-rs, exact JSON, nothing unknown."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

from hub.api.document import Node, Operation, operations
from hub.api.problems import Problem
from hub.formats import FormatError, json
from hub.mapping.schemas import compile_schema

MAX_DEPTH = 32
MOST_ERRORS = 20
AT_ONCE_BYTES = 16_384
"""Larger bodies are read in another thread: webhooks are answered by this one."""
MOST_PARAMETERS = 50
_WHOLE = re.compile(r"-?[0-9]{1,15}\Z")

Check = Callable[[object], list[dict[str, Any]]]


def operation_of(scope: Mapping[str, Any]) -> Operation:
    return operations()[scope["extensions"]["connexion_routing"]["operation_id"]]


class Parameters:
    """In connexion's validator map: query, path and headers, each named, known, once and of its form."""

    def __init__(self, parameters: object, **options: object) -> None:
        del parameters, options  # they are the operation's, which the request names itself

    def validate(self, scope: Mapping[str, Any]) -> None:
        """Raises Problem."""
        operation = operation_of(scope)
        errors = [*_query_errors(operation, scope["query_string"]), *_path_errors(operation, scope["path_params"])]
        errors += _header_errors(operation, scope["headers"])
        if errors:
            missing = [one for one in errors if one.get("parameter") == "Idempotency-Key" and one["code"] == "required"]
            kind = "idempotency-key-missing" if len(missing) == len(errors) else "invalid-request"
            raise Problem(kind, _words(errors), errors=errors[:MOST_ERRORS])


def _query_errors(operation: Operation, query: bytes) -> Iterator[dict[str, Any]]:
    checks = parameter_checks(operation.id, "query")
    try:
        given = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_PARAMETERS,
            errors="strict",
        )
    except ValueError:
        yield {"in": "query", "code": "encoding", "detail": "the query is not percent-encoded UTF-8"}
        return
    seen: set[str] = set()
    for name, text in given:
        if name not in checks:
            known = ", ".join(sorted(checks)) or "none"
            yield {"parameter": name[:80], "in": "query", "code": "unknown", "detail": f"is not known here; {known} is"}
        elif name in seen:
            yield {"parameter": name, "in": "query", "code": "repeated", "detail": "is given more than once"}
        else:
            yield from checks[name](text)
        seen.add(name)
    yield from _missing(operation, "query", seen)


def _path_errors(operation: Operation, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    checks = parameter_checks(operation.id, "path")
    for name, text in given.items():
        yield from checks[name](text)


def _header_errors(operation: Operation, headers: Sequence[tuple[bytes, bytes]]) -> Iterator[dict[str, Any]]:
    names = {name.lower(): name for name in parameter_checks(operation.id, "header")}
    seen: set[str] = set()
    for raw_name, raw in headers:
        name = names.get(raw_name.decode("latin-1").lower())
        if name is None:
            continue
        if name in seen:
            yield {"parameter": name, "in": "header", "code": "repeated", "detail": "is given more than once"}
        else:
            yield from parameter_checks(operation.id, "header")[name](raw.decode("latin-1"))
        seen.add(name)
    yield from _missing(operation, "header", seen)


def _missing(operation: Operation, place: str, seen: set[str]) -> Iterator[dict[str, Any]]:
    for one in operation.parameters:
        if one["in"] == place and one.get("required") and one["name"] not in seen:
            yield {"parameter": one["name"], "in": place, "code": "required", "detail": "is missing"}


@functools.cache
def parameter_checks(operation: str, place: str) -> Mapping[str, Callable[[str], list[dict[str, Any]]]]:
    """By name: what is wrong with a parameter's text."""
    return {one["name"]: _parameter_check(one) for one in operations()[operation].parameters if one["in"] == place}


def _parameter_check(parameter: Node) -> Callable[[str], list[dict[str, Any]]]:
    schema = parameter["schema"]
    kind = schema["type"]
    checker = compile_schema(schema)
    where = {"parameter": parameter["name"], "in": parameter["in"]}

    def check(text: str) -> list[dict[str, Any]]:
        value: object = text
        if kind == "integer":
            if not _WHOLE.match(text):
                return [{**where, "code": "type", "detail": "is no whole number"}]
            value = int(text)
        if "\x00" in text:
            return [{**where, "code": "character", "detail": "holds U+0000"}]
        return [{**where, "code": _code(error), "detail": error.message} for error in checker.iter_errors(value)]

    return check


class Body:
    """In connexion's validator map: the body as exact JSON against its schema, kept for the operation as a tree."""

    def __init__(self, **options: object) -> None:
        del options

    async def wrap_receive(self, receive: Any, *, scope: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Reads all of it. Raises Problem."""
        operation = operation_of(scope)
        raw = await _whole(receive)
        if not raw:
            if operation.body_required:
                raise Problem("invalid-request", "The body is missing", errors=[_at("", "required", "is missing")])
            return _nothing_more, scope
        if len(raw) > AT_ONCE_BYTES:
            tree = await asyncio.to_thread(read_body, operation.id, raw)
        else:
            tree = read_body(operation.id, raw)
        call = scope["extensions"]["connexion_context"]["call"]
        call.raw, call.body = raw, tree
        return _nothing_more, scope


def read_body(operation: str, raw: bytes) -> Any:
    """The tree of a body that is as the document says. Raises Problem."""
    try:
        tree = json.loads(raw, max_depth=MAX_DEPTH)
    except FormatError as error:
        where = f" at byte {error.position.offset}" if error.position else ""
        raise Problem("invalid-json", f"{error.message}{where}", errors=[_at("", error.code, error.message)]) from error
    if b"\\u0000" in raw and _holds_nul(tree):
        raise Problem("unstorable-text", "A text or a name holds U+0000, which no database takes as text")
    errors = body_check(operation)(tree)
    if errors:
        raise Problem("invalid-request", _words(errors), errors=errors)
    return tree


@functools.cache
def body_check(operation: str) -> Check:
    schema = operations()[operation].body
    assert schema is not None
    checker = compile_schema(schema)

    def check(tree: object) -> list[dict[str, Any]]:
        if checker.is_valid(tree):
            return []
        found = []
        for error in checker.iter_errors(tree):
            found.append(_at(_pointer(error.instance_path), _code(error), error.message))
            if len(found) == MOST_ERRORS:
                break
        return found

    return check


async def _whole(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _nothing_more() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _holds_nul(tree: object) -> bool:
    if isinstance(tree, str):
        return "\x00" in tree
    if isinstance(tree, dict):
        return any("\x00" in name or _holds_nul(value) for name, value in tree.items())
    return isinstance(tree, list) and any(_holds_nul(value) for value in tree)


def _pointer(path: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _at(pointer: str, code: str, detail: str) -> dict[str, Any]:
    return {"pointer": pointer, "code": code, "detail": detail}


def _code(error: jsonschema_rs.ValidationError) -> str:
    """The rule that was broken, as JSON Schema calls it."""
    return str(error.schema_path[-1]) if error.schema_path else "schema"


def _words(errors: Sequence[Mapping[str, Any]]) -> str:
    first = errors[0]
    where = (
        first.get("parameter") or first.get("pointer") or ("the query" if first.get("in") == "query" else "the body")
    )
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {first['detail']}{more}"
