"""YAML read for people who did not write the YAML specification: every node keeps its position, no value is guessed.

Plain scalars mean what the core schema of YAML 1.2 says (YAML 1.2.2, section 10.3), with one strictness more: a number
with a leading zero stays text, because it is a SKU or a postal code. So ``NO``, ``01234`` and ``12:30:45`` are text.
Refused, each with line and column: a key given twice, tags, merge keys, several documents, keys that are no text, and
aliases beyond a bound (they expand like XML entities do).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import cast

import yaml

Plain = dict[str, "Plain"] | list["Plain"] | str | int | Decimal | bool | None
"""What :func:`plain` gives: no positions, no binary floating point."""

Path_ = Sequence[str | int]
"""The way from the root to a node: names of keys and indexes of items."""

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 60
MAX_NODES = 200_000
MAX_ALIASES = 500

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,399})\Z")
_OCTAL = re.compile(r"0o[0-7]{1,100}\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,100}\Z")
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]{0,199})(?:\.[0-9]{0,200})?|\.[0-9]{1,200})(?:[eE][-+]?[0-9]{1,3})?\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    """Line and column in a file, both from 1; the column counts characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class SourceError(Exception):
    """A file that is no YAML as the hub reads it. ``str()`` is ``file:line:column: message``."""

    def __init__(self, file: str, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(f"{file}:{mark}: {message}" + (f"; {hint}" if hint else ""))
        self.file = file
        self.mark = mark
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: its meaning, the text as written, and whether quotes (or a block) made it text."""

    value: str | int | Decimal | bool | None
    text: str
    quoted: bool
    mark: Mark
    size: int = 1


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list of nodes."""

    items: tuple["Node", ...]
    mark: Mark
    size: int = 1


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping; ``keys`` holds the position of each key, in the order of the file."""

    entries: Mapping[str, "Node"]
    keys: Mapping[str, Mark]
    mark: Mark
    size: int = 1


Node = Scalar | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name as shown to people, the text, the root node (an empty file is a null scalar)."""

    file: str
    text: str
    root: Node

    def plain(self) -> Plain:
        """The content without positions."""
        return plain(self.root)

    def mark(self, path: Path_, *, key: bool = False) -> Mark:
        """Where a value stands, or its key; the nearest existing ancestor where the path leads nowhere."""
        return mark_at(self.root, path, key=key)


def load(path: Path, *, name: str | None = None) -> Document:
    """Read a file; ``name`` is how messages call it. Raises :class:`SourceError` and OSError."""
    shown = str(path) if name is None else name
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    return loads(data, name=shown)


def loads(data: bytes | str, *, name: str = "text") -> Document:
    """Read the text of one document; raises :class:`SourceError`."""
    if len(data) > MAX_BYTES:
        raise SourceError(name, Mark(1, 1), f"the file is larger than {MAX_BYTES} bytes")
    text = data if isinstance(data, str) else _decoded(data, name)
    return Document(name, text, _Composer(name, text).document())


def text_of(data: bytes, *, name: str = "text") -> str:
    """The text of a file, a byte order mark dropped; raises :class:`SourceError` where it is too large or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise SourceError(name, Mark(1, 1), f"the file is larger than {MAX_BYTES} bytes")
    return _decoded(data, name)


def plain(node: Node) -> Plain:
    """A node without positions; every call gives new containers."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {name: plain(value) for name, value in node.entries.items()}


def find(node: Node, path: Path_) -> Node | None:
    """The node a path leads to, or None."""
    for step in path:
        following = _step(node, step)
        if following is None:
            return None
        node = following
    return node


def mark_at(node: Node, path: Path_, *, key: bool = False) -> Mark:
    """Where the value at a path stands (or its key); the nearest existing ancestor where the path leads nowhere."""
    mark = node.mark
    for index, step in enumerate(path):
        following = _step(node, step)
        if following is None:
            break
        mark = following.mark
        if key and index == len(path) - 1 and isinstance(node, MappingNode) and isinstance(step, str):
            mark = node.keys[step]
        node = following
    return mark


def walk(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Every node below and including this one with its path, in the order of the file."""
    yield path, node
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))
    elif isinstance(node, MappingNode):
        for name, value in node.entries.items():
            yield from walk(value, (*path, name))


def _step(node: Node, step: str | int) -> Node | None:
    if isinstance(node, MappingNode) and isinstance(step, str):
        return node.entries.get(step)
    if isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        raise SourceError(name, Mark(line, column), f"byte 0x{data[error.start]:02x} is no UTF-8") from None


def meaning(text: str) -> str | int | Decimal | bool | None:
    """What a plain (unquoted) scalar means."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return Decimal(text)
    return text


@dataclass(slots=True)
class _Composer:
    """Builds nodes from the parser's events: PyYAML's own composer forgets whether a tag was written."""

    file: str
    text: str
    anchors: dict[str, Node] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    aliases: int = 0
    nodes: int = 0

    def document(self) -> Node:
        try:
            events = yaml.parse(self.text, Loader=_Loader)
            return self._document(events)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except yaml.reader.ReaderError:
            bad = _NOT_PRINTABLE.search(self.text)
            before = self.text[: bad.start()] if bad is not None else ""
            mark = Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
            raise SourceError(self.file, mark, "a control character is not allowed in YAML") from None
        except RecursionError:
            raise SourceError(self.file, Mark(1, 1), f"nested deeper than {MAX_DEPTH} levels") from None

    def _document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._error(event, "a second document begins here; a file holds one")
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        return Scalar(None, "", False, Mark(1, 1)) if root is None else root

    def _node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(event, 1)
        anchor = event.anchor
        if anchor is not None:
            self.open_anchors.add(anchor)
        node = self._own_node(event, events, depth)
        if anchor is not None:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = node
        return node

    def _own_node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._error(event, f"the tag {tag} is not read", "values are typed by the schema; quote what is text")
        if isinstance(event, yaml.ScalarEvent):
            quoted = event.style not in (None, "")
            value = event.value if quoted else meaning(event.value)
            return Scalar(value, event.value, quoted, _mark(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, events, depth)
        return self._mapping(event, events, depth)

    def _sequence(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        items: list[Node] = []
        size = 1
        for inner in events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self._node(cast("yaml.NodeEvent", inner), events, depth + 1))
            size += items[-1].size
        return SequenceNode(tuple(items), _mark(event), size)

    def _mapping(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        size = 1
        for inner in events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            name = self._key(cast("yaml.NodeEvent", inner))
            if name in entries:
                raise self._error(inner, f'the key "{name}" is given twice', f"the first is in line {keys[name].line}")
            keys[name] = _mark(inner)
            entries[name] = self._node(cast("yaml.NodeEvent", next(events)), events, depth + 1)
            size += entries[name].size
        return MappingNode(entries, keys, _mark(event), size)

    def _key(self, event: yaml.NodeEvent) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise self._error(event, "a key must be plain text")
        if event.value == "<<" and not event.style:
            raise self._error(event, "merge keys are not read", "write the keys out, or use an alias as a value")
        self._count(event, 1)
        return str(event.value)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        if name in self.open_anchors:
            raise self._error(event, f"the alias *{name} is inside what it names")
        if name not in self.anchors:
            raise self._error(event, f"the alias *{name} names nothing above")
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._error(event, f"more than {MAX_ALIASES} aliases")
        node = self.anchors[name]
        self._count(event, node.size)
        return node

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values, aliases counted as often as they stand for one")

    def _error(self, event: yaml.Event, message: str, hint: str = "") -> SourceError:
        return SourceError(self.file, _mark(event), message, hint)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> SourceError:
        at = error.problem_mark or error.context_mark
        mark = Mark(at.line + 1, at.column + 1) if at is not None else Mark(1, 1)
        parts = [part for part in (error.context, error.problem) if part]
        return SourceError(self.file, mark, "no YAML: " + ", ".join(parts), error.note or "")


def _mark(event: yaml.Event) -> Mark:
    at = event.start_mark
    assert at is not None  # the parser sets it on every event
    return Mark(at.line + 1, at.column + 1)
