"""The lint of a whole configuration: its files, its connectors, its mappings. One fault hides no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config.findings import ConfigErrors, Finding, did_you_mean, errors_of, finding
from hub.config.ignores import ignored
from hub.config.load import Examined, examine, read_directory
from hub.config.source import Mark
from hub.config.tree import Tree, at, get, keys, text
from hub.config.validate import Checked
from hub.formats import FormatError, codec
from hub.mapping.cases import MAX_FIXTURE_BYTES, run_tests
from hub.mapping.errors import MappingFileError
from hub.mapping.library import MappingLibrary
from hub.runtime.configuration import Loaded, shipped_texts, versions
from hub.runtime.connections import connector_infos, library_of
from hub.runtime.lint_coverage import coverage_findings
from hub.runtime.registry import Registry, site_registry

MISSING, BROKEN, UNUSED, FAILED = "HUB020", "HUB021", "HUB031", "HUB032"
_EXTENDS = re.compile(r" \((?:extends|extended by) [^)]*\)$")
"""What the compiler adds for people who do not see the file: here its place says it, and a path of this machine would
make the same fault read differently elsewhere."""
_DIRECTIONS = (".in", ".out", ".reply")


@dataclass(frozen=True, slots=True)
class Lint:
    """All findings in the order of files and lines; ``loaded`` is None where one of them is an error."""

    findings: tuple[Finding, ...]
    loaded: Loaded | None
    examined: Examined


def lint(folder: Path, environ: Mapping[str, str], *, registry: Registry | None = None) -> Lint:
    """Check everything that can be checked without connecting to anything. Raises nothing for what is in the files."""
    registry = registry or site_registry(folder)
    connectors = connector_infos(registry)
    examined = examine(
        read_directory(folder),
        environ=environ,
        connectors=connectors,
        mappings=shipped_texts(registry, folder),
        versions=versions(),
    )
    library = library_of(folder, registry)
    found = [*examined.findings, *_mappings(folder, examined.tree, registry, library, examined)]
    found += _connectors(folder, registry)
    kept = tuple(sorted(set(ignored(found, examined.documents))))
    sound = examined.bundle is not None and not errors_of(kept)
    loaded = Loaded(examined.bundle, registry, library) if sound and examined.bundle is not None else None
    return Lint(kept, loaded, examined)


def _connectors(folder: Path, registry: Registry) -> Iterator[Finding]:
    """What is wrong with the connectors that the site keeps beside its configuration."""
    for broken in registry.broken:
        if Path(broken.folder).parent == folder / "connectors":
            file = f"connectors/{Path(broken.folder).name}/manifest.yaml"
            yield from broken.findings or (finding("HUB000", file, Mark(1, 1), broken.error),)


def checked_configuration(folder: Path, environ: Mapping[str, str]) -> Loaded:
    """Load and check everything, mappings included. Raises ConfigErrors with every fault."""
    found = lint(folder, environ)
    if found.loaded is None:
        raise ConfigErrors(errors_of(found.findings))
    return found.loaded


def _mappings(
    folder: Path, tree: Tree, registry: Registry, library: MappingLibrary, examined: Examined
) -> Iterator[Finding]:
    used: set[str] = set()
    for checked in tree.connections:
        connector = text(checked, "connector")
        manifest = registry.manifests.get(connector or "")
        if connector is None or manifest is None:
            continue
        capabilities = {capability.value for capability in manifest.capabilities}
        wanted = [("streams", name, ".in") for name in keys(checked, ("streams",)) if name in manifest.streams]
        wanted += [("effects_out", name, ".out") for name in keys(checked, ("effects_out",)) if name in capabilities]
        for section, name, direction in wanted:
            usual = f"{connector}/{name}{direction}"
            given = get(checked, (section, name, "mapping")) if section == "streams" else None
            chosen = given if isinstance(given, str) else None
            full = chosen or usual
            faults, there = _compiled(library, full, folder)
            used.update(library.definition(full).names if there and not faults else [full])
            yield from faults
            if chosen and not chosen.endswith(".in"):
                continue  # its schema has told that this mapping reads no stream
            if not there:
                what = "stream" if section == "streams" else "capability"
                message = f"there is no mapping {full} for the {what} {name}"
                near = did_you_mean(full, library.names()) if chosen else ""
                hint = near if near.startswith("did") else f"write mappings/{full}.yaml"
                place = (section, name, "mapping") if chosen else (section, name)
                yield at(checked, MISSING, place, message, hint, key=chosen is None)
            if chosen and there and not faults:
                yield from _other_target(checked, library, (section, name, "mapping"), chosen, usual)
            reply = f"{connector}/{name}.reply"
            if direction == ".out" and not faults:
                used.add(reply)
                yield from _compiled(library, reply, folder)[0]
        # What a connection needs beside what its file names: older shapes of a stream's records, questions it can ask.
        shapes = [shape for stream in manifest.streams.values() for shape in stream.shapes.values()]
        used.update(f"{connector}/{shape}.in" for shape in shapes)
        used.update(f"{connector}/{query}.{way}" for query in manifest.queries for way in ("out", "reply"))
    unread = {one.file for one in examined.findings if one.rule == "HUB000"}
    yield from _site_files(folder, library, sorted(used), unread)


def _other_target(
    checked: Checked, library: MappingLibrary, place: tuple[str, ...], chosen: str, usual: str
) -> Iterator[Finding]:
    """A mapping that a connection chose for a stream and that makes something else than the stream's records."""
    makes = library.get(chosen).target
    wanted = library.find(usual) if not _compiled(library, usual, Path())[0] else None
    if wanted is not None and wanted.target != makes:
        message = f"{'.'.join(place)}: {chosen} makes {makes}, but this stream is {wanted.target}"
        yield at(checked, "HUB002", place, message, f"choose a mapping that extends {usual}")


def _compiled(library: MappingLibrary, name: str, folder: Path) -> tuple[list[Finding], bool]:
    """The mistakes in a mapping, and whether there is one."""
    try:
        return [], library.find(name) is not None
    except MappingFileError as error:
        return [
            Finding(_shown(p.file, folder), p.line, p.column, BROKEN, _EXTENDS.sub("", p.message))
            for p in error.problems
        ], True


def _site_files(folder: Path, library: MappingLibrary, used: Sequence[str], unread: set[str]) -> Iterator[Finding]:
    """The site's own mapping files: those that nothing uses, and what their fixtures never show."""
    root = folder / "mappings"
    for path in sorted(root.glob("**/*.yaml")) if root.is_dir() else ():
        name = path.relative_to(root).with_suffix("").as_posix()
        file = path.relative_to(folder).as_posix()
        if not name.endswith(_DIRECTIONS) or file in unread:
            continue
        if name not in used:
            # The nearest name that is used may itself be the typo: no suggestion.
            hint = "no connection has such a stream or capability, or names it as a stream's `mapping`"
            yield finding(UNUSED, file, Mark(1, 1), f"no connection uses the mapping {name}", hint)
            continue
        try:
            for found in coverage_findings(library, name, root, read_fixture):
                place = _shown(found.file, folder)
                yield Finding(place, found.line, found.column, found.rule, found.message, found.hint)
        except MappingFileError:
            continue  # its mistakes have been told
        yield from _failed_tests(library, name, file, folder)


def _failed_tests(library: MappingLibrary, name: str, file: str, folder: Path) -> Iterator[Finding]:
    """The tests that a site's mapping fails, those of its base included. What differs is not told here: findings are
    logged, and fixtures may be records of customers."""
    if _compiled(library, name, folder)[0]:
        return  # its mistakes have been told
    try:
        failed = [result for result in run_tests(library.get(name), read_fixture) if not result.passed]
    except MappingFileError as error:
        for p in error.problems:
            yield Finding(_shown(p.file, folder), p.line, p.column, FAILED, _EXTENDS.sub("", p.message))
        return
    shows = f"`hub mapping test {name}` shows what differs"
    own = [result for result in failed if Path(result.file) == folder / file]
    for result in own:
        yield finding(FAILED, file, Mark(result.line, 1), f'{name} fails its test "{result.name}"', shows)
    others = [f'"{result.name}"' for result in failed if result not in own]
    if others:
        words = f"{name} fails {len(others)} {'test' if len(others) == 1 else 'tests'} of its base: {', '.join(others)}"
        hint = f"{shows}; what is meant to differ needs a test of the same name here, or a `skip` of it that says why"
        yield finding(FAILED, file, Mark(1, 1), words, hint)


def _shown(file: str, folder: Path) -> str:
    """A file of the configuration by its name there, another by its path."""
    path = Path(file)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else file


def read_fixture(path: Path) -> object:
    """A fixture by the format of its ending or its first byte. Raises ValueError."""
    with path.open("rb") as stream:
        raw = stream.read(MAX_FIXTURE_BYTES + 1)
    if len(raw) > MAX_FIXTURE_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_FIXTURE_BYTES} bytes")
    is_xml = path.suffix == ".xml" or (path.suffix != ".json" and raw.lstrip()[:1] == b"<")
    try:
        return codec("xml" if is_xml else "json").loads(raw)
    except FormatError as error:
        raise ValueError(str(error)) from error
