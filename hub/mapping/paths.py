"""Plain dotted paths, the fast way into a tree: `customer.email`, `line_items.0.sku`, `root.currency`, `.`.

A segment is a key; on a list a number is an index (negative from the end). `root`, `parent` and `context` as the first
segment leave the present node; a key of that name is written in double quotes, as is one that contains a dot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.mapping.scope import Getter, Scope

ANCHORS = ("root", "parent", "context")
_SEGMENT = re.compile(r'"([^"]+)"|([^."]+)')
_INDEX = re.compile(r"-?[0-9]{1,6}\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. `anchor` is "" for the present node."""

    anchor: str
    segments: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((*((self.anchor,) if self.anchor else ()), *self.segments)) or "."


def parse_path(text: str) -> Path:
    """Raises ValueError with a message for the author of the mapping."""
    if text == ".":
        return Path("", ())
    segments: list[str] = []
    anchor = ""
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is not a dotted path; write an expression under `expr`")
        quoted, plain = match.groups()
        if plain is not None and not segments and not anchor and plain in ANCHORS:
            anchor = plain
        elif plain is not None and any(char in plain for char in "[]()*?|&` "):
            raise ValueError(f"{text!r} is not a dotted path; write an expression under `expr`")
        else:
            segments.append(quoted if quoted is not None else plain)
        at = match.end()
        if at < len(text):
            if text[at] != "." or at + 1 == len(text):
                raise ValueError(f"{text!r} is not a dotted path; write an expression under `expr`")
            at += 1
    if not segments and not anchor:
        raise ValueError("the path is empty")
    return Path(anchor, tuple(segments))


def step(node: object, segment: str) -> object:
    """One step down; None where there is nothing."""
    if isinstance(node, dict):
        return node.get(segment)
    if isinstance(node, list) and _INDEX.match(segment):
        index = int(segment)
        if -len(node) <= index < len(node):
            return node[index]
    return None


def getter(path: Path) -> Getter:
    """The path as a closure. The common shapes, one and two keys from the present node, have their own."""
    segments = path.segments
    if path.anchor == "root":
        return lambda _node, scope: _walk(scope.root, segments)
    if path.anchor == "context":
        return lambda _node, scope: _walk(scope.context, segments)
    if path.anchor == "parent":
        return lambda _node, scope: _walk(scope.parents[-1] if scope.parents else None, segments)
    if not segments:
        return lambda node, _scope: node
    if len(segments) == 1 and not _INDEX.match(segments[0]):
        key = segments[0]

        def one(node: object, _scope: Scope) -> object:
            return node.get(key) if isinstance(node, dict) else None

        return one
    if len(segments) == 2 and not any(map(_INDEX.match, segments)):
        first, second = segments

        def two(node: object, _scope: Scope) -> object:
            inner = node.get(first) if isinstance(node, dict) else None
            return inner.get(second) if isinstance(inner, dict) else None

        return two
    return lambda node, _scope: _walk(node, segments)


def first_of(getters: tuple[Getter, ...]) -> Getter:
    """The first alternative that is neither null nor empty text."""

    def first(node: object, scope: Scope) -> object:
        for get in getters:
            value = get(node, scope)
            if value is not None and value != "":
                return value
        return None

    return first


def _walk(node: object, segments: tuple[str, ...]) -> object:
    for segment in segments:
        node = step(node, segment)
        if node is None:
            return None
    return node
