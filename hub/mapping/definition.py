"""Mapping files as written: read with positions, a site's file laid over the one it extends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config.source import Document, Plain, SourceError, find, load
from hub.mapping.errors import FileProblem, MappingFileError

Place = tuple[str | int, ...]
"""The way from the root of a mapping file to a value."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One mapping, overrides applied. `layers` are the files, the site's first; positions come from the first that has
    the place. `folders` are where its fixtures and schemas are looked for, in order."""

    name: str
    content: dict[str, Plain]
    layers: tuple[Document, ...]
    folders: tuple[Path, ...]

    def position(self, place: Place, *, key: bool = False) -> tuple[str, int, int]:
        """File, line and column of a value (or its key)."""
        for document in self.layers:
            if find(document.root, place) is not None:
                mark = document.mark(place, key=key)
                return document.file, mark.line, mark.column
        document = self.layers[0]
        mark = document.mark(place, key=key)
        return document.file, mark.line, mark.column

    def line(self, place: Place) -> int:
        return self.position(place)[1]

    def problem(self, place: Place, message: str, *, key: bool = False) -> FileProblem:
        file, line, column = self.position(place, key=key)
        return FileProblem(file, line, column, message)


def read_definition(path: Path, name: str) -> Definition:
    """One file alone. Raises MappingFileError."""
    try:
        document = load(path)
    except SourceError as error:
        raise MappingFileError([FileProblem(error.file, error.mark.line, error.mark.column, error.message)]) from error
    except OSError as error:
        raise MappingFileError([FileProblem(str(path), 1, 1, error.strerror or "cannot be read")]) from error
    content = document.plain()
    if not isinstance(content, dict):
        raise MappingFileError([FileProblem(document.file, 1, 1, "a mapping file is a mapping of keys")])
    return Definition(name, content, (document,), (path.parent,))


def overlaid(site: Definition, base: Definition) -> Definition:
    """The site's file over its base: `fields` merge by name (null takes one away), a field that is not itself an
    object of fields is replaced whole; tables merge by entry; everything else is replaced. Tests are not inherited."""
    content: dict[str, Plain] = {key: value for key, value in base.content.items() if key != "tests"}
    for key, value in site.content.items():
        if key == "fields":
            content[key] = _merged(content.get(key), value)
        elif key == "tables":
            content[key] = _merged_tables(content.get(key), value)
        elif key not in ("extends", "mapping"):
            content[key] = value
    content["mapping"] = site.content.get("mapping", base.name)
    return Definition(site.name, content, (*site.layers, *base.layers), (*site.folders, *base.folders))


def _merged(base: Plain, site: Plain) -> Plain:
    if not isinstance(base, dict) or not isinstance(site, dict):
        return site
    result = dict(base)
    for name, spec in site.items():
        below = base.get(name)
        if spec is None:
            result.pop(name, None)
        elif isinstance(spec, dict) and isinstance(below, dict) and "fields" in spec and "fields" in below:
            result[name] = {**below, **spec, "fields": _merged(below["fields"], spec["fields"])}
        else:
            result[name] = spec
    return result


def _merged_tables(base: Plain, site: Plain) -> Plain:
    if not isinstance(base, dict) or not isinstance(site, dict):
        return site
    result = dict(base)
    for name, table in site.items():
        below = base.get(name)
        result[name] = {**below, **table} if isinstance(below, dict) and isinstance(table, dict) else table
    return result


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in a definition together with its place, so that every complaint has a position."""

    definition: Definition
    place: Place
    value: Plain

    def __truediv__(self, step: str | int) -> Spot:
        value = self.value
        inner: Plain = None
        if isinstance(value, dict) and isinstance(step, str):
            inner = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            inner = value[step]
        return Spot(self.definition, (*self.place, step), inner)

    @property
    def line(self) -> int:
        return self.definition.line(self.place)

    def names(self) -> Sequence[str]:
        """The keys of a mapping, none of anything else."""
        return list(self.value) if isinstance(self.value, dict) else []

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def wrong(self, message: str, *, key: bool = False) -> FileProblem:
        return self.definition.problem(self.place, message, key=key)
