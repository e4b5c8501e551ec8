"""Objects and lists: what stands between the leaves of a mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.mapping.errors import Hold, MappingError
from hub.mapping.expression import is_false
from hub.mapping.leaf import mark_unread
from hub.mapping.numbers import kind_of
from hub.mapping.paths import Path
from hub.mapping.scope import Emit, Getter, Scope

MAX_ITEMS = 200_000
"""Elements of a source list; longer ones are refused, not cut."""

Rest = Callable[[object, Scope], dict[str, object]]


TOLD = 5
"""Elements of a list that are named in a hint."""


def fields_of(emits: Sequence[Emit], keep: tuple[tuple[str, ...], Rest] | None) -> Emit:
    """All fields of one object, then what nobody read."""
    parts = tuple(emits)
    if keep is None:

        def fill(node: object, scope: Scope, out: dict[str, object]) -> None:
            for emit in parts:
                emit(node, scope, out)

        return fill
    place, rest = keep

    def fill_and_keep(node: object, scope: Scope, out: dict[str, object]) -> None:
        for emit in parts:
            emit(node, scope, out)
        left = rest(node, scope)
        if left:
            _put(out, place, left)

    return fill_and_keep


def _put(out: dict[str, object], place: tuple[str, ...], left: dict[str, object]) -> None:
    here = out
    for name in place[:-1]:
        present = here.get(name)
        inner = dict(present) if isinstance(present, dict) else {}
        here[name] = inner
        here = inner
    present = here.get(place[-1])
    here[place[-1]] = {**left, **present} if isinstance(present, dict) else left


def nested(
    name: str,
    get: Getter | None,
    path: Path | None,
    source: str,
    fill: Emit,
    *,
    otherwise: str,
    required: bool,
    line: int,
) -> Emit:
    """An object below the record; absent when none of its fields is there."""

    def emit(node: object, scope: Scope, out: dict[str, object]) -> None:
        inner_node = node
        if get is not None:
            inner_node = get(node, scope)
            if inner_node is None or inner_node == "" or inner_node == [] or inner_node == {}:
                if required:
                    scope.field = name
                    raise MappingError(scope.where(), "required", f"{source} is missing", source, line)
                return
            if isinstance(inner_node, list) and len(inner_node) == 1:
                inner_node = inner_node[0]
            if not isinstance(inner_node, dict):
                scope.field = name
                message = f"an object is needed, not {kind_of(inner_node)}"
                if otherwise != "hold":
                    raise MappingError(scope.where(), "type", message, source, line)
                scope.holds.append(Hold(scope.where(), "mapping", f"{source}: {message}", "type"))
                if path is not None:
                    mark_unread(path, node, scope)
                return
            scope.parents.append(node)
        inner: dict[str, object] = {}
        scope.path.append(name)
        fill(inner_node, scope, inner)
        scope.path.pop()
        if get is not None:
            scope.parents.pop()
        if inner:
            out[name] = inner
        elif required:
            scope.field = name
            raise MappingError(scope.where(), "required", f"{source} is missing", source, line)

    return emit


def repeated(
    name: str,
    get: Getter,
    path: Path | None,
    source: str,
    where: Getter | None,
    fill: Emit,
    *,
    scalars: bool,
    otherwise: str,
    required: bool,
    line: int,
) -> Emit:
    """A list, one element for each of the source's. One object where a list is expected is a list of one (XML), empty
    text and an empty object are an empty list. With `scalars` the fill sets the element itself, under the name ""."""

    def emit(node: object, scope: Scope, out: dict[str, object]) -> None:
        found = get(node, scope)
        scope.field = name
        if found is None:
            if required:
                raise MappingError(scope.where(), "required", f"{source} is missing", source, line)
            return
        elements = _elements(found, scalars=scalars)
        if elements is None or len(elements) > MAX_ITEMS:
            message = "the list is too long" if elements else f"a list is needed, not {kind_of(found)}"
            if otherwise != "hold":
                raise MappingError(scope.where(), "type", message, source, line)
            scope.holds.append(Hold(scope.where(), "mapping", f"{source}: {message}", "type"))
            if path is not None:
                mark_unread(path, node, scope)
            return
        scope.parents.append(node)
        scope.path.append(name)
        items: list[object] = []
        left_out: list[tuple[str, str]] = []
        for index, element in enumerate(elements):
            if where is not None and is_false(where(element, scope)):
                continue
            depth, left = len(scope.path), len(scope.parents)
            item: dict[str, object] = {}
            scope.path.append(str(len(items)))
            try:
                if not scalars and not isinstance(element, dict):
                    scope.field = ""
                    raise MappingError(
                        scope.where(), "type", f"an object is needed, not {kind_of(element)}", source, line
                    )
                fill(element, scope, item)
            except MappingError as error:
                if otherwise != "hold":
                    raise
                if scalars:
                    hint = f"element {index + 1} of {source} is left out: {error.message}"
                    scope.holds.append(Hold(error.field, "mapping", hint, error.code))
                else:
                    left_out.append((f"element {index + 1}: {error.message}", error.code))
                if path is not None:
                    mark_unread(path, node, scope)
                item = {}
            del scope.path[depth:]
            del scope.parents[left:]
            if scalars:
                if "" in item:
                    items.append(item[""])
            elif item:
                items.append(item)
        scope.path.pop()
        scope.parents.pop()
        out[name] = items
        if left_out:
            # The place of one that is not there is the next one's: the fault is the list's.
            hint = f"not all of {source} can be read, {'; '.join(hint for hint, _ in left_out[:TOLD])}"
            scope.field = name
            scope.holds.append(Hold(scope.where(), "mapping", hint, left_out[0][1]))

    return emit


def _elements(found: object, *, scalars: bool) -> list[object] | None:
    if isinstance(found, list):
        return found
    if found == "" or found == {}:
        return []
    if scalars or isinstance(found, dict):
        return [found]
    return None


def gathered(name: str, parts: Sequence[Emit]) -> Emit:
    """One list out of several sources: every part gives an element or a list of them; absent if none gives any."""

    def emit(node: object, scope: Scope, out: dict[str, object]) -> None:
        items: list[object] = []
        seen = False
        for part in parts:
            piece: dict[str, object] = {}
            part(node, scope, piece)
            if name in piece:
                seen = True
                value = piece[name]
                items.extend(value) if isinstance(value, list) else items.append(value)
        if seen:
            out[name] = items

    return emit


def conditional(condition: Getter, emit: Emit) -> Emit:
    """Only where the condition is true of the node."""

    def run(node: object, scope: Scope, out: dict[str, object]) -> None:
        if not is_false(condition(node, scope)):
            emit(node, scope, out)

    return run
