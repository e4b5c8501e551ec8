"""Mappings by name, compiled once.

A name is the file's path below a search folder without `.yaml`: `shopify/orders.in`, `wms_rest/push_shipment.out`,
`erp_soap/submit_order.reply`, `_lib/address`. The first folder that has it wins, so a site's folder stands before the
connectors' and ours; there a file that says `extends: shopify/orders.in` is laid over the next one of that name. In a
connector's own folder mappings lie in `mappings/` (`connectors/shopify/mappings/orders.in.yaml`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hub
from hub.mapping.definition import Definition, Spot, read_definition
from hub.mapping.errors import FileProblem, MappingFileError
from hub.mapping.functions import Function
from hub.mapping.mapping import Mapping, build
from hub.mapping.overlay import overlaid
from hub.mapping.words import among

DIRECTIONS = ("in", "out", "reply")


def shipped_folder() -> Path:
    """The mappings that come with the hub: inside an installed package, else in the checkout."""
    package = Path(hub.__file__).parent
    installed = package / "_data" / "mappings"
    return installed if installed.is_dir() else package.parent / "mappings"


class MappingLibrary:
    """Finds, overlays, compiles and keeps mappings. Safe to share between threads; files are read once."""

    def __init__(self, search_paths: Sequence[Path] = (), functions: MappingType[str, Function] | None = None) -> None:
        self._folders = tuple(search_paths) or (shipped_folder(),)
        self._functions = dict(functions or {})
        self._compiled: dict[str, Mapping] = {}
        self._definitions: dict[str, Definition] = {}
        self._lock = threading.RLock()

    def get(self, name: str) -> Mapping:
        """The mapping of that name. Raises MappingFileError (unknown names too)."""
        found = self._compiled.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._compiled:
                self._compiled[name] = build(self.definition(name), self, self._functions)
            return self._compiled[name]

    def find(self, name: str) -> Mapping | None:
        """The mapping of that name, None where no folder has it. Raises MappingFileError for one that is wrong."""
        return self._compiled.get(name) or (self.get(name) if self._files(name) else None)

    def inbound(self, connector: str, stream: str) -> Mapping | None:
        """Their record of a stream -> ours."""
        return self.find(f"{connector}/{stream}.in")

    def outbound(self, connector: str, capability: str) -> Mapping | None:
        """Our payload of a capability -> theirs."""
        return self.find(f"{connector}/{capability}.out")

    def reply(self, connector: str, capability: str) -> Mapping | None:
        """Their answer to a capability -> ours."""
        return self.find(f"{connector}/{capability}.reply")

    def names(self) -> list[str]:
        """Every mapping in the search folders, `_lib` left out, sorted."""
        found: set[str] = set()
        for folder in self._folders:
            for direction in DIRECTIONS:
                for path in folder.glob(f"*/*.{direction}.yaml"):
                    found.add(f"{path.parent.name}/{path.stem}")
                for path in folder.glob(f"*/mappings/*.{direction}.yaml"):
                    found.add(f"{path.parent.parent.name}/{path.stem}")
        return sorted(name for name in found if not name.startswith("_"))

    def shared_names(self) -> list[str]:
        """Every file that others use, sorted: those in `_lib` and those whose name begins with `_`."""
        found = {f"{path.parent.name}/{path.stem}" for folder in self._folders for path in folder.glob("*/_*.yaml")}
        for folder in self._folders:
            found |= {f"{path.parent.parent.name}/{path.stem}" for path in folder.glob("*/mappings/_*.yaml")}
            found |= {f"_lib/{path.stem}" for path in folder.glob("_lib/*.yaml")}
        return sorted(found)

    def definition(self, name: str) -> Definition:
        """The mapping as written, overrides applied. Raises MappingFileError."""
        with self._lock:
            if name not in self._definitions:
                files = self._files(name)
                if not files:
                    raise MappingFileError([FileProblem(name, 1, 1, self._unknown(name))])
                self._definitions[name] = self._layered(name, files, frozenset())
            return self._definitions[name]

    def shared(self, name: str, spot: Spot) -> Definition:
        """What `use:` or `table:` names. Raises MappingFileError at the place that names it."""
        if not self._files(name):
            raise MappingFileError([spot.wrong(f"there is no {name}; {among(name, self.shared_names())}")])
        return self.definition(name)

    def _layered(self, name: str, files: Sequence[Path], seen: frozenset[str]) -> Definition:
        own = read_definition(files[0], name)
        base_name = own.content.get("extends")
        if base_name is None:
            return own
        top = Spot(own, (), own.content) / "extends"
        if not isinstance(base_name, str):
            raise MappingFileError([top.wrong("`extends` is the name of a mapping")])
        if base_name in seen:
            raise MappingFileError([top.wrong(f"{base_name} extends itself")])
        below = files[1:] if base_name == name else self._files(base_name)
        if not below:
            raise MappingFileError([top.wrong(f"there is no other mapping {base_name}; {self._near(base_name)}")])
        return overlaid(own, self._layered(base_name, below, seen if base_name == name else seen | {name}))

    def _unknown(self, name: str) -> str:
        return f"there is no mapping {name} in {', '.join(map(str, self._folders))}; {self._near(name)}"

    def _near(self, name: str) -> str:
        return among(name, [*self.names(), *self.shared_names()])

    def files(self, name: str) -> list[Path]:
        """Every file of that name, the one that counts first."""
        return self._files(name)

    def _files(self, name: str) -> list[Path]:
        first, _, last = name.partition("/")
        if not last or not all(part and part not in (".", "..") for part in name.split("/")):
            return []
        places = (
            path
            for folder in self._folders
            for path in (folder / f"{name}.yaml", folder / first / "mappings" / f"{last}.yaml")
        )
        return [path for path in places if path.is_file()]


def compile_mapping(
    source: Path | Definition, *, library: MappingLibrary, functions: MappingType[str, Function] | None = None
) -> Mapping:
    """Compile one file (or definition) that need not be in the library; what it uses comes from there.

    Raises MappingFileError with every mistake found.
    """
    if isinstance(source, Definition):
        definition = source
    else:
        definition = read_definition(source, str(source.with_suffix("")))
        declared = definition.content.get("mapping")
        name = declared if isinstance(declared, str) else definition.name
        if any(source.samefile(path) for path in library.files(name)[:1]):
            return library.get(name)
        base = definition.content.get("extends")
        definition = replace(definition, name=name, names=(name,))
        if isinstance(base, str):
            definition = overlaid(definition, library.definition(base))
    return build(definition, library, functions or {})
