"""The mapping files around a configuration for people: what there is, who uses it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config.findings import Finding
from hub.config.source import Plain, SourceError, load
from hub.formats import Codec, codec
from hub.mapping.errors import MappingFileError
from hub.mapping.library import MappingLibrary
from hub.runtime.lint import read_fixture
from hub.runtime.lint_coverage import coverage_findings
from hub.runtime.registry import Registry

BROKEN = "HUB021"


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One mapping. `file` is the one that counts, `over` the names, versions and files of those it extends; `fault` the
    first mistake of one that cannot be used."""

    name: str
    version: int
    kind: str
    target: str
    file: str
    over: tuple[str, ...]
    used_by: tuple[str, ...]
    fault: str = ""


def mapping_rows(library: MappingLibrary, users: Mapping[str, Sequence[str]]) -> Iterator[MappingRow]:
    """Every mapping that can be found, by name."""
    for name in library.names():
        used_by = tuple(users.get(name, ()))
        file = shown(library.files(name)[0])
        try:
            found = library.get(name)
        except MappingFileError as error:
            problem = error.problems[0]
            yield MappingRow(name, 0, "", "", file, (), used_by, f"line {problem.line}: {problem.message}")
            continue
        below = list(zip(found.definition.versions(), found.definition.layers, strict=True))[1:]
        over = tuple(f"{base} {version} ({shown(layer.file)})" for (base, version), layer in below)
        target = found.target or "the system's own"
        yield MappingRow(name, found.version, found.kind or found.direction, target, file, over, used_by)


def mapping_users(folder: Path, registry: Registry) -> dict[str, list[str]]:
    """The connections that use a mapping, by its name. Files that cannot be read use none: `hub config check` tells."""
    users: dict[str, list[str]] = {}
    for path in sorted((folder / "connections").glob("*.yaml")):
        try:
            content = load(path).plain()
        except (SourceError, OSError):
            continue
        if isinstance(content, dict):
            for name in _used(content, registry):
                users.setdefault(name, []).append(str(content.get("id", path.stem)))
    return users


def _used(content: Mapping[str, Plain], registry: Registry) -> list[str]:
    connector = str(content.get("connector"))
    manifest = registry.manifests.get(connector)
    streams, effects = content.get("streams"), content.get("effects_out")
    found: list[str] = []
    for name, stream in streams.items() if isinstance(streams, dict) else ():
        chosen = stream.get("mapping") if isinstance(stream, dict) else None
        found.append(chosen if isinstance(chosen, str) else f"{connector}/{name}.in")
        info = manifest.streams.get(name) if manifest is not None else None
        found += [f"{connector}/{shape}.in" for shape in info.shapes.values()] if info is not None else []
    sent = [*(effects if isinstance(effects, dict) else ()), *(manifest.queries if manifest is not None else ())]
    for name in sent:
        found += [f"{connector}/{name}.out", f"{connector}/{name}.reply"]
    return list(dict.fromkeys(found))


def check_mappings(library: MappingLibrary, names: Sequence[str], site: Path) -> list[Finding]:
    """What is wrong with mappings. Of those that are named all is judged against their fixtures; without names every
    mapping is compiled and the site's own files are judged."""
    findings: list[Finding] = []
    for name in names or library.names():
        try:
            library.get(name)
            findings += coverage_findings(library, name, None if names else site, read_fixture)
        except MappingFileError as error:
            findings += [Finding(p.file, p.line, p.column, BROKEN, p.message) for p in error.problems]
    return sorted({_placed(found) for found in findings})


def _placed(found: Finding) -> Finding:
    return Finding(shown(found.file), found.line, found.column, found.rule, found.message, found.hint)


def shown(file: str | Path) -> str:
    """A file as a person in this folder would type it."""
    path, here = Path(file), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def body_codec(registry: Registry, mapping: str, raw: bytes, name: str) -> Codec:
    """How a body for a mapping is read: by its file's suffix, its first bytes, or as its connector's stream is."""
    suffix, start = Path(name).suffix, raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:3]
    if suffix in (".json", ".xml"):
        return codec(suffix[1:])
    if start == b"ISA":
        return codec("x12")
    if start[:1] == b"<":
        return codec("xml")
    connector, _, rest = mapping.partition("/")
    manifest = registry.manifests.get(connector)
    stream = manifest.streams.get(rest.removesuffix(".in")) if manifest is not None else None
    return codec(stream.codec if stream is not None else "json")
