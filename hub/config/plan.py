"""What adopting a configuration would change against another: connections, streams, mappings, single values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.config.model import ConnectorInfo
from hub.config.redact import redact
from hub.config.revision import from_blob
from hub.config.show import schema_for
from hub.config.source import Plain, SourceError, loads

ADDED, CHANGED, REMOVED = "+", "~", "-"


@dataclass(frozen=True, slots=True)
class Change:
    """``sign`` is +, ~ or -; ``kind`` connection, mapping, partner, location or the name of a file; ``key`` is what of
    it changes, empty where it comes or goes whole. Values are fit for eyes."""

    sign: str
    kind: str
    name: str
    key: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        text = f"{self.sign} {self.kind} {self.name}".rstrip()
        if self.key:
            text += f"  {self.key}"
        if self.sign == CHANGED and (self.before or self.after):
            return f"{text}: {self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{text}: {self.after}" if self.after else text


def plan(before: bytes | None, after: bytes, connectors: Mapping[str, ConnectorInfo]) -> list[Change]:
    """The changes from one stored revision to another; ``before`` None where nothing ever ran."""
    old_files, old_mappings, old_versions = from_blob(before) if before is not None else ({}, {}, {})
    new_files, new_mappings, new_versions = from_blob(after)
    changes: list[Change] = []
    for name in sorted({*old_files, *new_files}):
        if name.startswith("mappings/"):
            continue
        changes += _of_file(name, old_files.get(name), new_files.get(name), connectors)
    used = _used(new_files)
    for name in sorted({*old_mappings, *new_mappings}):
        changes += _of_mapping(name, old_mappings.get(name), new_mappings.get(name), used, whole=before is None)
    for package in sorted({*old_versions, *new_versions}) if before is not None else ():
        old, new = old_versions.get(package, ""), new_versions.get(package, "")
        if old != new:
            changes.append(Change(CHANGED, "package", package, "", old, new))
    return changes


def _of_file(
    name: str, before: str | None, after: str | None, connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Change]:
    folder, _, last = name.rpartition("/")
    kind, title = (folder.removesuffix("s"), last.removesuffix(".yaml")) if folder else (last.removesuffix(".yaml"), "")
    old, new = _fit_for_eyes(kind, name, before, connectors), _fit_for_eyes(kind, name, after, connectors)
    if before is None or after is None:
        sign = ADDED if before is None else REMOVED
        yield Change(sign, kind, title, "", "", _summary(kind, new if before is None else old))
        return
    yield from _differences(kind, title, old, new, ())


def _fit_for_eyes(kind: str, name: str, text: str | None, connectors: Mapping[str, ConnectorInfo]) -> Plain:
    tree = loads(text, name=name).plain() if text is not None else None
    try:
        return redact(tree, schema_for(kind, tree, connectors))
    except KeyError:
        return redact(tree, {})


def _summary(kind: str, tree: Plain) -> str:
    if kind != "connection" or not isinstance(tree, dict):
        return ""
    streams, effects = tree.get("streams"), tree.get("effects_out")
    parts = [f"connector {tree.get('connector')}"]
    if isinstance(streams, dict) and streams:
        parts.append("reads " + ", ".join(streams))
    if isinstance(effects, dict) and effects:
        parts.append("sends " + ", ".join(effects))
    return "; ".join(parts)


def _differences(kind: str, title: str, old: Plain, new: Plain, path: tuple[str, ...]) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from _member(kind, title, key, old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and _named(old) and _named(new):
        yield from _differences(kind, title, _by_id(old), _by_id(new), path)
        if [one for one in _by_id(old) if one in _by_id(new)] != [one for one in _by_id(new) if one in _by_id(old)]:
            yield Change(CHANGED, kind, title, ".".join(path), ", ".join(_by_id(old)), ", ".join(_by_id(new)))
    else:
        yield Change(CHANGED, kind, title, ".".join(path), _text(old), _text(new))


def _member(
    kind: str, title: str, key: str, old: dict[str, Plain], new: dict[str, Plain], path: tuple[str, ...]
) -> Iterator[Change]:
    if key not in old:
        yield Change(ADDED, kind, title, ".".join((*path, key)), "", _text(new[key]))
    elif key not in new:
        yield Change(REMOVED, kind, title, ".".join((*path, key)), _text(old[key]))
    else:
        yield from _differences(kind, title, old[key], new[key], (*path, key))


def _named(items: list[Plain]) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in items)


def _by_id(items: list[Plain]) -> dict[str, Plain]:
    return {str(item["id"]): item for item in items if isinstance(item, dict)}


def _of_mapping(name: str, before: str | None, after: str | None, used: set[str], *, whole: bool) -> Iterator[Change]:
    if before == after or (name not in used and not name.rpartition("/")[2].startswith("_")):
        return
    if before is not None and after is not None:
        try:
            if loads(before).plain() == loads(after).plain():
                return
        except SourceError:
            pass  # one of them is told as changed
        yield Change(CHANGED, "mapping", name)
    elif not whole:
        yield Change(ADDED if before is None else REMOVED, "mapping", name)


def _used(files: Mapping[str, str]) -> set[str]:
    """The names of the mappings that the connections of a revision use."""
    found: set[str] = set()
    for name, text in files.items():
        tree = loads(text, name=name).plain() if name.startswith("connections/") else None
        if not isinstance(tree, dict):
            continue
        for section, endings in (("streams", (".in",)), ("effects_out", (".out", ".reply"))):
            members = tree.get(section)
            for member, inner in members.items() if isinstance(members, dict) else ():
                found.update(f"{tree.get('connector')}/{member}{ending}" for ending in endings)
                chosen = inner.get("mapping") if isinstance(inner, dict) else None
                found.update([chosen] if isinstance(chosen, str) else [])
    return found


def _text(value: Plain) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
