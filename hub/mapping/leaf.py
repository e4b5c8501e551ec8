"""One target field from one source value: read, look up, convert, or say why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.mapping.errors import Hold, MappingError, Unusable
from hub.mapping.expression import is_false
from hub.mapping.functions import text_of
from hub.mapping.paths import Path, step
from hub.mapping.scope import Convert, Emit, Getter, Scope, TraceRow

_HARMLESS = re.compile(r"[A-Za-z0-9_. -]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A compiled leaf. `otherwise` is what happens to a value that cannot be used: hold, default or error; with
    `hold_missing` a missing one is held too, where `hold_if` (if given) is true of the node. `steps` is the conversion
    in its parts, for a trace."""

    name: str
    get: Getter
    source: str
    convert: Convert
    line: int
    otherwise: str
    required: bool = False
    hold_missing: bool = False
    hold_if: Getter | None = None
    has_default: bool = False
    default: object = None
    rule: str = "mapping"
    hint: str = ""
    paths: tuple[Path, ...] = ()
    traced: bool = False
    file: str = ""
    steps: tuple[tuple[str, Convert], ...] = ()


def looked_up(table: Mapping[str, object], name: str, then: Convert | None) -> Convert:
    """A conversion by value table, exact first, then without regard to case."""
    folded = {key.casefold(): value for key, value in table.items()}

    def run(value: object, scope: Scope) -> object:
        key = value if isinstance(value, str) else text_of(value)
        found = table.get(key, folded)
        if found is folded:
            found = folded.get(key.strip().casefold(), folded)
            if found is folded:
                shown = f'"{key}"' if _HARMLESS.match(key) else "the value"
                raise Unusable("unknown_value", f"{shown} is not in the table {name}")
        return then(found, scope) if then is not None and found is not None else found

    return run


def emit_leaf(leaf: Leaf) -> Emit:
    """The leaf as a closure."""
    get, convert, name = leaf.get, leaf.convert, leaf.name

    def emit(node: object, scope: Scope, out: dict[str, object]) -> None:
        try:
            value = get(node, scope)
            if value is None or value == "":
                if matters:
                    _missing(leaf, node, scope, out)
                return
            scope.field = name
            result = convert(value, scope)
        except Unusable as problem:
            _unusable(leaf, problem, node, scope, out)
            return
        if result is not None:
            out[name] = result
        elif matters:
            _missing(leaf, node, scope, out)

    matters = leaf.required or leaf.has_default or leaf.hold_missing
    return _traced(leaf, emit) if leaf.traced else emit


def _missing(leaf: Leaf, node: object, scope: Scope, out: dict[str, object]) -> None:
    if leaf.has_default:
        out[leaf.name] = leaf.default
        return
    scope.field = leaf.name
    if leaf.required:
        raise MappingError(scope.where(), "required", f"{leaf.source} is missing", leaf.source, leaf.line)
    if leaf.hold_missing and (leaf.hold_if is None or not is_false(leaf.hold_if(node, scope))):
        scope.holds.append(Hold(scope.where(), leaf.rule, leaf.hint or f"{leaf.source} is missing", "missing"))


def _unusable(leaf: Leaf, problem: Unusable, node: object, scope: Scope, out: dict[str, object]) -> None:
    scope.field = leaf.name
    if leaf.otherwise == "default":
        out[leaf.name] = leaf.default
        scope.note(problem.code, problem.message)
    elif leaf.otherwise == "hold" and not leaf.required:
        hint = f"{leaf.source}: {problem.message}" + (f"; {leaf.hint}" if leaf.hint else "")
        scope.holds.append(Hold(scope.where(), leaf.rule, hint, problem.code))
    else:
        raise MappingError(scope.where(), problem.code, problem.message, leaf.source, leaf.line) from problem
    for path in leaf.paths:
        mark_unread(path, node, scope)


def mark_unread(path: Path, node: object, scope: Scope) -> None:
    """Keep a value that was read but could not be used among the rest."""
    if path.anchor or not path.segments:
        return
    for segment in path.segments[:-1]:
        node = step(node, segment)
    if isinstance(node, dict) and path.segments[-1] in node:
        scope.unread.add((id(node), path.segments[-1]))


def _traced(leaf: Leaf, emit: Emit) -> Emit:
    def run(node: object, scope: Scope, out: dict[str, object]) -> None:
        notes = len(scope.notes)
        try:
            raw = leaf.get(node, scope)
        except Unusable as problem:
            raw = problem.message
        steps = _steps(leaf, raw, scope)
        del scope.notes[notes:]
        holds, before = len(scope.holds), len(scope.rows)
        scope.field = leaf.name
        row = TraceRow(scope.where(), leaf.source, raw, None, leaf.line, leaf.file, steps)
        scope.rows.append(row)
        emit(node, scope, out)
        result = out.get(leaf.name)
        if len(scope.holds) > holds:
            steps = (*steps, ("held", scope.holds[-1].rule))
        elif result is not None and leaf.has_default and (raw is None or raw == "" or steps[-1:] == (_REFUSED,)):
            steps = (*steps, ("default", result))
        scope.rows[before] = replace(row, result=result, steps=steps)

    return run


_REFUSED = ("refused", None)


def _steps(leaf: Leaf, value: object, scope: Scope) -> tuple[tuple[str, object], ...]:
    """What each part of the conversion makes of the value, up to the first that cannot take it."""
    steps: list[tuple[str, object]] = []
    for name, convert in leaf.steps:
        if value is None or value == "":
            break
        try:
            value = convert(value, scope)
        except Unusable as problem:
            return (*steps, (name, problem.message), _REFUSED)
        steps.append((name, value))
    return tuple(steps)
