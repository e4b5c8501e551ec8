"""Which parts of real bodies a mapping reads, which it only keeps among the rest, and which of its fields they fill.

Paths are those of the input and of the record, with `[]` for the elements of a list. A path counts as read when a field
or an expression got as far as its value in at least one body; the pruning of `keep_rest` is no reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hub.config.source import Plain
from hub.mapping.compile import Shared, compile_definition
from hub.mapping.definition import Spot
from hub.mapping.errors import MappingError, Unusable
from hub.mapping.mapping import Mapping as Compiled
from hub.mapping.schemas import raw_schema
from hub.mapping.scope import Scope

EACH = "[]"
_SCALARS = (str, int, Decimal, bool)


@dataclass(slots=True)
class Coverage:
    """By path, in how many of `bodies` it was found: `read`, `kept` (nobody read it, `keep_rest` has it), `left`
    (nobody read it and nothing keeps it). `filled` counts the records that have a field, in the order of the mapping;
    0 was never filled. `refused` are bodies that could not be mapped."""

    bodies: int = 0
    refused: int = 0
    read: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)


def coverage(mapping: Compiled, bodies: Iterable[object], context: MappingType[str, object]) -> Coverage:
    """Run a mapping over bodies and watch what it touches. Never raises for what is in a body."""
    definition = mapping.definition
    bare = replace(definition, content=_without_rest(definition.content))
    compiled = compile_definition(
        bare,
        mapping.library,
        target=raw_schema(mapping.target) if mapping.target else None,
        otherwise="hold",
        functions=mapping.functions,
        traced=False,
    )
    keepers = tuple(_keepers(Spot(definition, (), definition.content), ""))
    fields = list(target_fields(Spot(definition, (), definition.content), mapping.library))
    found = Coverage(filled=dict.fromkeys(fields, 0))
    read: set[str] = set()
    seen: dict[str, int] = {}
    for body in bodies:
        found.bodies += 1
        watch: set[str] = set()
        record: dict[str, object] = {}
        tree = _watched(body, "", watch)
        try:
            compiled.fill(tree, Scope(tree, context), record)
        except (MappingError, Unusable):
            found.refused += 1
        read |= watch | _passed_through(record)
        for path in {path for path, _ in _leaves(body, "")}:
            seen[path] = seen.get(path, 0) + 1
        there = set(_paths(record, ""))
        for name in fields:
            if name in there or any(path.startswith((f"{name}.", f"{name}{EACH}")) for path in there):
                found.filled[name] += 1
    for path, count in sorted(seen.items()):
        bucket = found.read if _is_read(path, read) else found.kept if path.startswith(keepers) else found.left
        bucket[path] = count
    return found


def target_fields(spot: Spot, library: Shared, where: str = "", using: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every field that a mapping can set, `lines[].sku`, in the order of the file."""
    for name, below in fields_of(spot, library, using):
        path = f"{where}{name}"
        yield from dict.fromkeys(_of_field(below, library, path, using))


def fields_of(spot: Spot, library: Shared, using: frozenset[str]) -> Iterator[tuple[str, Spot]]:
    """The fields of an object with those of the shared file it uses; its own stand for the shared ones."""
    use, own = (spot / "use").value, spot / "fields"
    if isinstance(use, str) and use not in using:
        definition = library.shared(use, spot / "use")
        shared = Spot(definition, (), definition.content)
        yield from ((name, below) for name, below in fields_of(shared, library, using | {use}) if not own.has(name))
    for name in own.names():
        if (own / name).value is not None:
            yield name, own / name


def _of_field(spot: Spot, library: Shared, path: str, using: frozenset[str]) -> Iterator[str]:
    use = (spot / "use").value
    below = using | {use} if isinstance(use, str) and use in using else using
    nested = spot.has("fields") or spot.has("use")
    if spot.has("gather"):
        parts = (spot / "gather").value
        for index in range(len(parts) if isinstance(parts, list) else 0):
            part = spot / "gather" / index
            yield from _of_field(part, library, path if part.has("each") else f"{path}{EACH}", using)
    elif nested:
        yield from target_fields(spot, library, f"{path}{EACH}." if spot.has("each") else f"{path}.", below)
    else:
        yield f"{path}{EACH}" if spot.has("each") else path


class _Watched(dict[str, Any]):
    """An object that notes which of its keys are asked for, and being looked through as a whole."""

    __slots__ = ("path", "watch")

    def __init__(self, path: str, watch: set[str]) -> None:
        super().__init__()
        self.path, self.watch = path, watch

    def get(self, key: str, default: Any = None) -> Any:
        self.watch.add(f"{self.path}{key}")
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.watch.add(f"{self.path}{key}")
        return super().__getitem__(key)

    def values(self) -> Any:
        self.watch.add(f"{self.path}*")
        return super().values()

    def items(self) -> Any:
        self.watch.add(f"{self.path}*")
        return super().items()


def _watched(tree: object, path: str, watch: set[str]) -> object:
    if isinstance(tree, list):
        return [_watched(item, path, watch) for item in tree]
    if not isinstance(tree, dict):
        return tree
    node = _Watched(path, watch)
    for key, value in tree.items():
        inner = f"{path}{key}{EACH}." if isinstance(value, list) else f"{path}{key}."
        dict.__setitem__(node, key, _watched(value, inner, watch))
    return node


def _passed_through(record: object) -> set[str]:
    """Objects of the input that stand in the record as they are: all below them was read."""
    if isinstance(record, _Watched):
        return {f"{record.path}*"}
    inner = record.values() if isinstance(record, dict) else record if isinstance(record, list) else ()
    return {path for value in inner for path in _passed_through(value)}


def _is_read(path: str, read: set[str]) -> bool:
    if path.removesuffix(EACH) in read or path in read or "*" in read:
        return True
    return any(f"{path[: at + 1]}*" in read for at, char in enumerate(path) if char == ".")


def _leaves(tree: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for item in tree:
            yield from _leaves(item, f"{path}{EACH}")
    elif isinstance(tree, _SCALARS):
        yield path, tree


def _paths(record: object, path: str) -> Iterator[str]:
    return (path for path, _ in _leaves(record, path))


def _without_rest(node: Mapping[str, Plain]) -> dict[str, Plain]:
    """The content without any `keep_rest`, so that pruning does not look like reading."""
    bare: dict[str, Plain] = {}
    for key, value in node.items():
        if key == "fields" and isinstance(value, dict):
            bare[key] = {name: _without_rest(spec) if isinstance(spec, dict) else spec for name, spec in value.items()}
        elif key == "gather" and isinstance(value, list):
            bare[key] = [_without_rest(part) if isinstance(part, dict) else part for part in value]
        elif key != "keep_rest":
            bare[key] = value
    return bare


def _keepers(spot: Spot, where: str) -> Iterator[str]:
    """The paths of the input below which `keep_rest` has what nobody reads; "" is all of it."""
    if spot.has("keep_rest"):
        yield where
    for name in (spot / "fields").names():
        below = spot / "fields" / name
        source = (below / "each").value if below.has("each") else (below / "from").value
        if isinstance(source, str) and (below.has("fields") or below.has("keep_rest")):
            yield from _keepers(below, f"{where}{source}{EACH if below.has('each') else ''}.")
