"""Mapping files as written: read with positions, a site's file laid over the one it extends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config.source import Document, MappingNode, Plain, SourceError, find, load
from hub.mapping.errors import FileProblem, MappingFileError

Place = tuple[str | int, ...]
"""The way from the root of a mapping file to a value."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One mapping, overrides applied. `layers` are the files, the site's first; positions come from the first that has
    the place. `folders` are where its fixtures and schemas are looked for, in order; `names` what each layer is called.
    """

    name: str
    content: dict[str, Plain]
    layers: tuple[Document, ...]
    folders: tuple[Path, ...]
    names: tuple[str, ...]

    def position(self, place: Place, *, key: bool = False) -> tuple[str, int, int]:
        """File, line and column of a value (or its key)."""
        found = next((layer for layer in self.layers if _says(layer, place)), self.layers[0])
        mark = found.mark(place, key=key)
        return found.file, mark.line, mark.column

    def alone(self, layer: int) -> Definition:
        """One of the files without the others."""
        content = self.layers[layer].plain()
        assert isinstance(content, dict)
        one = slice(layer, layer + 1)
        return Definition(self.names[layer], content, self.layers[one], self.folders[one], self.names[one])

    def versions(self) -> tuple[tuple[str, int], ...]:
        """Name and version of every layer, the site's first; 1 where a file does not say."""
        found = []
        for name, layer in zip(self.names, self.layers, strict=True):
            content = layer.plain()
            version = content.get("version", 1) if isinstance(content, dict) else 1
            found.append((name, version if isinstance(version, int) else 1))
        return tuple(found)

    def versioned(self) -> str:
        """Name and version, with those of what it extends: `shopify/orders.in 2 over 1`."""
        (name, version), *below = self.versions()
        text = f"{name} {version}"
        for base, number in below:
            text += f" over {number}" if base == name else f" over {base} {number}"
            name = base
        return text

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
    return Definition(name, content, (document,), (path.parent,), (name,))


def _says(layer: Document, place: Place) -> bool:
    """Whether a layer decides about a place: it has it, or something in its stead that is no mapping."""
    for depth in range(len(place)):
        node = find(layer.root, place[: depth + 1])
        if node is None:
            above = find(layer.root, place[:depth])
            return depth > 0 and not isinstance(above, MappingNode)
    return True


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
