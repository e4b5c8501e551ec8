"""A compiled mapping: run it, trace it."""

from __future__ import annotations

import functools
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from pathlib import Path

import jsonschema_rs

import hub
from hub.config.source import SourceError, load
from hub.mapping import schemas
from hub.mapping.compile import Shared, compile_definition
from hub.mapping.definition import Definition, Spot
from hub.mapping.errors import FileProblem, Hold, MappingError, MappingFileError, Note, Unusable
from hub.mapping.functions import Function
from hub.mapping.overlay import short
from hub.mapping.rest import EACH, Consumed
from hub.mapping.scope import Emit, Scope, TraceRow
from hub.mapping.words import among

KINDS = ("state", "fact", "delta", "snapshot")
_HEAD = ("mapping", "version", "direction", "input", "target", "kind", "fact_key", "otherwise", "schema", "extends")
_TOP_KEYS = frozenset((*_HEAD, "note", "tables", "fields", "use", "keep_rest", "tests"))
_NO_CONTEXT: MappingType[str, object] = {}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping made of an input. The record shares unread parts with the input; treat both as read-only.

    `holds` are fields that need a person or better data before anything is sent on; `trace` one row per target field.
    """

    record: dict[str, object]
    holds: list[Hold] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    trace: list[TraceRow] | None = None


@dataclass(frozen=True)
class Mapping:
    """`target` is a canonical record's name, or "" for a vendor's own tree. `direction` is in, out or reply.

    `kind` and `fact_key` (the field of the record that carries the key of a fact) are set for `in` mappings.
    """

    name: str
    version: int
    direction: str
    target: str
    kind: str | None
    fact_key: str | None
    definition: Definition
    _fill: Emit
    _check: jsonschema_rs.Draft202012Validator | None
    library: Shared
    functions: MappingType[str, Function]

    def run(self, tree: object, *, trace: bool = False, context: MappingType[str, object] = _NO_CONTEXT) -> Mapped:
        """Map one input. `context` is what `context.` paths see: connection, received_at (text), config.

        Raises MappingError; the record is valid by its schema when it returns.
        """
        if not isinstance(tree, dict | list):
            raise MappingError("", "not_an_object", "the input is no object")
        scope = Scope(tree, context)
        record: dict[str, object] = {}
        fill = self._traced_fill if trace else self._fill
        try:
            fill(tree, scope, record)
        except Unusable as problem:
            raise MappingError(scope.where(), problem.code, problem.message) from problem
        if self.fact_key is not None and "fact_key" not in record and self.fact_key in record:
            record["fact_key"] = record[self.fact_key]
        if self._check is not None and not self._check.is_valid(record):
            problem_list = schemas.problems(self._check, record)
            first = problem_list[0]
            raise MappingError(first.field, "schema", first.message, found=first.found)
        return Mapped(record, scope.holds, scope.notes, scope.rows if trace else None)

    @functools.cached_property
    def _traced_fill(self) -> Emit:
        target = schemas.raw_schema(self.target) if self.target else None
        compiled = compile_definition(
            self.definition,
            self.library,
            target=target,
            otherwise=_otherwise(self.definition, self.direction, self.kind),
            functions=self.functions,
            traced=True,
        )
        return compiled.fill


def build(definition: Definition, library: Shared, functions: MappingType[str, Function]) -> Mapping:
    """Check the head of a mapping, compile its fields. Raises MappingFileError with every mistake."""
    top = Spot(definition, (), definition.content)
    problems = [
        (top / key).wrong(f"`{key}` is not known here; {among(key, _TOP_KEYS)}", key=True)
        for key in top.names()
        if key not in _TOP_KEYS
    ]
    direction = _direction(top, problems)
    target = _target(top, direction, problems)
    kind = _kind(top, direction, problems)
    fact_key = _fact_key(top, kind, target, problems)
    version = definition.content.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool):
        problems.append((top / "version").wrong("`version` is a whole number"))
        version = 0
    target_schema = schemas.raw_schema(target) if target else None
    compiled = compile_definition(
        definition,
        library,
        target=target_schema,
        otherwise=_otherwise(definition, direction, kind),
        functions=functions,
        traced=False,
    )
    problems.extend(compiled.problems)
    if target_schema is not None:
        problems.extend(_uncovered(top, target_schema, fact_key))
    if direction == "out":
        problems.extend(_unknown_input(top, compiled.reads))
    check = _checker(top, definition, target, problems)
    if problems:
        raise MappingFileError([_both_named(definition, problem) for problem in problems])
    return Mapping(
        definition.name,
        version,
        direction,
        target,
        kind,
        fact_key,
        definition,
        compiled.fill,
        check,
        library,
        functions,
    )


def _both_named(definition: Definition, problem: FileProblem) -> FileProblem:
    """A mistake in what two files say together names the other one too."""
    files = [layer.file for layer in definition.layers]
    if len(files) == 1 or problem.file not in files:
        return problem
    other = f"extends {short(definition.alone(1))}" if problem.file == files[0] else f"extended by {files[0]}"
    return replace(problem, message=f"{problem.message} ({other})")


def _direction(top: Spot, problems: list[FileProblem]) -> str:
    given = top.value.get("direction") if isinstance(top.value, dict) else None
    if given is None:
        suffix = top.definition.name.rpartition(".")[2]
        given = suffix if suffix in ("in", "out", "reply") else "in"
    if given not in ("in", "out", "reply"):
        problems.append((top / "direction").wrong("`direction` is in, out or reply"))
        return "in"
    return str(given)


def _target(top: Spot, direction: str, problems: list[FileProblem]) -> str:
    given = (top / "target").value
    if given is None:
        if direction == "reply":
            return "Reply"
        if direction == "in":
            problems.append(top.wrong("`target` names the canonical record"))
        return ""
    if not isinstance(given, str) or given not in schemas.schema_names():
        if direction == "out":
            return ""
        problems.append(
            (top / "target").wrong(f"{given!r} is no canonical record; there are {', '.join(schemas.schema_names())}")
        )
        return ""
    return given


def _kind(top: Spot, direction: str, problems: list[FileProblem]) -> str | None:
    given = (top / "kind").value
    if given is None:
        if direction == "in" and top.has("target") and not top.definition.name.startswith("_lib/"):
            problems.append(top.wrong(f"`kind` is one of {', '.join(KINDS)}"))
        return None
    if given not in KINDS:
        problems.append((top / "kind").wrong(f"`kind` is one of {', '.join(KINDS)}"))
        return None
    return str(given)


def _fact_key(top: Spot, kind: str | None, target: str, problems: list[FileProblem]) -> str | None:
    given = (top / "fact_key").value
    if given is None:
        if kind == "fact":
            problems.append(top.wrong("a fact names its `fact_key`: the field of the record that is never repeated"))
        return None
    known = schemas.raw_schema(target).get("properties") if target else None
    if not isinstance(given, str) or not isinstance(known, dict) or given not in known:
        problems.append((top / "fact_key").wrong("`fact_key` is a field of the target"))
        return None
    return given


def _otherwise(definition: Definition, direction: str, kind: str | None) -> str:
    given = definition.content.get("otherwise")
    if given in ("hold", "error"):
        return str(given)
    return "hold" if direction == "in" and kind == "state" else "error"


def _uncovered(top: Spot, target: schemas.Schema, fact_key: str | None) -> list[FileProblem]:
    required = target.get("required")
    if top.has("use") or not isinstance(required, list):
        return []
    covered = set((top / "fields").names()) | ({"fact_key"} if fact_key else set())
    return [
        top.wrong(f"{target.get('title', 'the target')} needs {name}, but no field sets it")
        for name in required
        if name not in covered
    ]


def _unknown_input(top: Spot, reads: Consumed) -> list[FileProblem]:
    """Paths that the record named by `input` does not have: a misspelt one would silently be absent for ever."""
    if not top.has("input"):
        return []
    name = (top / "input").value
    if not isinstance(name, str) or name not in schemas.schema_names():
        known = ", ".join(schemas.schema_names())
        return [(top / "input").wrong(f"`input` is the canonical record that is read; there are {known}")]
    return [
        (top / "input").wrong(f"{name} has no field {path}, which the mapping reads")
        for path in _strangers(reads, schemas.raw_schema(name), "")
    ]


def _strangers(reads: Consumed, node: schemas.Schema | None, where: str) -> list[str]:
    found: list[str] = []
    for key, below in reads.items():
        if key == "" or node is None:
            continue
        path = f"{where}.{key}" if where else key
        if key == EACH:
            found.extend(_strangers(below or {}, schemas.describe_items(node), where))
            continue
        child = schemas.describe_child(node, key)
        if child is None and node.get("additionalProperties") is False:
            found.append(path)
        elif below:
            found.extend(_strangers(below, child, path))
    return found


def _checker(
    top: Spot, definition: Definition, target: str, problems: list[FileProblem]
) -> jsonschema_rs.Draft202012Validator | None:
    given = (top / "schema").value
    if given is None:
        return schemas.validator(target) if target else None
    path = resolve(definition, str(given))
    if path is None:
        problems.append((top / "schema").wrong("there is no such file beside the mapping or in its connector's folder"))
        return None
    try:
        return schemas.compile_schema(load(path).plain())
    except (SourceError, ValueError) as error:
        problems.append((top / "schema").wrong(f"no JSON Schema: {error}"))
        return None


def resolve(definition: Definition, name: str) -> Path | None:
    """A file that a mapping names (fixture, schema): beside it, in the folder above (a connector's), in the connector's
    folder beside the mappings of a checkout or beside the installed package. An override has those of its base too."""
    installed = Path(hub.__file__).parent.parent / "connectors"
    for folder, own in zip(definition.folders, definition.names, strict=True):
        connector = own.partition("/")[0]
        for place in (folder, folder.parent, folder.parent.parent / "connectors" / connector, installed / connector):
            path = place / name
            if path.is_file():
                return path
    return None
