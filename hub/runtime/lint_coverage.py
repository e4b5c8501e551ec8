"""What a site's own mappings say about data that none of their fixtures shows: dead paths, tables that nothing hits.

Only what stands in the site's files is judged; the shipped mapping under an override has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.config.findings import Finding
from hub.config.source import Plain
from hub.mapping.coverage import fields_of
from hub.mapping.definition import Definition, Place, Spot
from hub.mapping.errors import Unusable
from hub.mapping.expression import ExpressionError, compile_expression
from hub.mapping.library import MappingLibrary
from hub.mapping.mapping import resolve
from hub.mapping.overlay import test_spots
from hub.mapping.paths import getter, parse_path, step
from hub.mapping.scope import Scope

DEAD_PATH, DEAD_TABLE = "HUB025", "HUB026"

Reader = Callable[[Path], object]
"""Reads a fixture into a tree. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class _Here:
    """A node of a fixture with what paths see from it."""

    node: object
    scope: Scope

    def below(self, node: object) -> _Here:
        scope = Scope(self.scope.root, self.scope.context)
        scope.parents = [*self.scope.parents, self.node]
        return _Here(node, scope)


@dataclass(slots=True)
class _Walk:
    """One mapping against its fixtures. ``hits`` count by place in the file: how often a path found something."""

    library: MappingLibrary
    hits: dict[tuple[str, Place], int] = field(default_factory=dict)
    spots: dict[tuple[str, Place], Spot] = field(default_factory=dict)
    tables: dict[tuple[str, Place], tuple[Spot, bool]] = field(default_factory=dict)

    def fields(self, spot: Spot, heres: Sequence[_Here], using: frozenset[str]) -> None:
        use = (spot / "use").value
        if isinstance(use, str) and use in using:
            return
        below = using | {use} if isinstance(use, str) else using
        for _, field_ in fields_of(spot, self.library, using):
            self.field(field_, heres, below)

    def field(self, spot: Spot, heres: Sequence[_Here], using: frozenset[str]) -> None:
        if isinstance(spot.value, str):
            self.found(spot, heres)
        elif spot.has("gather"):
            parts = (spot / "gather").value
            for index in range(len(parts) if isinstance(parts, list) else 0):
                self.field(spot / "gather" / index, heres, using)
        elif spot.has("each"):
            elements = [here.below(node) for here, value in self.values(spot / "each", heres) for node in _list(value)]
            self.inside(spot, elements, using)
        elif spot.has("fields") or spot.has("use"):
            if spot.has("from") or spot.has("expr"):
                found = self.values(spot / ("from" if spot.has("from") else "expr"), heres)
                heres = [here.below(value) for here, value in found]
            self.inside(spot, heres, using)
        else:
            self.leaf(spot, heres)

    def inside(self, spot: Spot, heres: Sequence[_Here], using: frozenset[str]) -> None:
        if heres and (spot.has("fields") or spot.has("use")):
            self.fields(spot, heres, using)

    def leaf(self, spot: Spot, heres: Sequence[_Here]) -> None:
        key = next((key for key in ("from", "expr") if spot.has(key)), None)
        found = self.values(spot / key, heres) if key is not None else []
        if spot.has("table") and found:
            self.table(spot / "table", [value for _, value in found])

    def table(self, spot: Spot, values: Sequence[object]) -> None:
        if isinstance(spot.value, str):
            spot = Spot(spot.definition, (), spot.definition.content) / "tables" / spot.value
        known = {str(name).strip().casefold() for name in spot.names() if _own(spot / name)}
        if known:
            hit = any(str(value).strip().casefold() in known for value in values)
            place = (spot.definition.name, spot.place)
            self.tables[place] = (spot, hit or self.tables.get(place, (spot, False))[1])

    def values(self, spot: Spot, heres: Sequence[_Here]) -> list[tuple[_Here, object]]:
        """What a path, a list of alternatives or an expression finds, by the node it was found from."""
        if isinstance(spot.value, list):
            every = [self.found(spot / index, heres) for index in range(len(spot.value))]
            return [pair for found in every for pair in found]
        if isinstance(spot.value, dict):
            spot = spot / "expr"
        return self.found(spot, heres)

    def found(self, spot: Spot, heres: Sequence[_Here]) -> list[tuple[_Here, object]]:
        text = spot.value
        if not isinstance(text, str):
            return []
        if spot.place[-1] == "expr":
            return list(_evaluated(text, heres))
        try:
            get = getter(parse_path(text))
        except ValueError:
            return []
        found = [(here, value) for here in heres if (value := get(here.node, here.scope)) not in (None, "")]
        place = (spot.definition.name, spot.place)
        anchored = text.partition(".")[0] in ("context", "parent")
        if heres and not anchored:
            self.spots[place] = spot
            self.hits[place] = self.hits.get(place, 0) + len(found)
        return found


def coverage_findings(library: MappingLibrary, name: str, site: Path | None, read: Reader) -> Iterator[Finding]:
    """What the fixtures never show of the site's file of a mapping, without a site of all of it. Raises
    MappingFileError."""
    definition = library.definition(name)
    folder = "" if site is None else str(site)
    if not definition.layers[0].file.startswith(folder):
        return
    heres = [_Here(tree, Scope(tree, context)) for tree, context in _fixtures(definition, read)]
    if not heres:
        return
    walk = _Walk(library)
    walk.fields(Spot(definition, (), definition.content), heres, frozenset())
    for place, spot in walk.spots.items():
        if walk.hits[place] == 0:
            yield from _told(spot, folder, DEAD_PATH, f'the path "{spot.value}" finds nothing in any fixture of {name}')
    for spot, hit in walk.tables.values():
        if not hit:
            keys = ", ".join(list(spot.names())[:4])
            yield from _told(spot, folder, DEAD_TABLE, f"no value in any fixture of {name} is in this table: {keys}")


def _told(spot: Spot, folder: str, rule: str, message: str) -> Iterator[Finding]:
    file, line, column = spot.definition.position(spot.place)
    if file.startswith(folder):
        yield Finding(file, line, column, rule, message, "correct it, or add a fixture that shows it")


def _own(spot: Spot) -> bool:
    """Whether the topmost layer wrote it."""
    return spot.definition.position(spot.place)[0] == spot.definition.layers[0].file


def _fixtures(definition: Definition, read: Reader) -> Iterator[tuple[object, Mapping[str, object]]]:
    for spot in test_spots(definition):
        case = spot.value
        if isinstance(case, dict) and not {"expect_error", "skip"} & case.keys():
            yield from _fixture(definition, case, read)


def _fixture(
    definition: Definition, case: Mapping[str, Plain], read: Reader
) -> Iterator[tuple[object, Mapping[str, object]]]:
    tree: object = case.get("input")
    if isinstance(tree, str):
        path = resolve(definition, tree)
        try:
            tree = read(path) if path is not None else None
        except ValueError:
            tree = None  # `hub mapping test` says what is wrong with it
    items = case.get("items")
    for segment in parse_path(items).segments if isinstance(items, str) else ():
        tree = step(tree, segment)
    context = case.get("context")
    if isinstance(tree, dict | list):
        yield tree, context if isinstance(context, dict) else {}


def _evaluated(text: str, heres: Sequence[_Here]) -> Iterator[tuple[_Here, object]]:
    try:
        get = compile_expression(text, {})
    except ExpressionError:
        return
    for here in heres:
        try:
            value = get(here.node, here.scope)
        except Unusable:
            continue
        if value is not None and value != "":
            yield here, value


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
