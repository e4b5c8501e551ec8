"""The one layout of configuration files: keys in the order of the schema, two spaces a level, comments kept.

What a file means never changes: the result is read again and compared, comments included, and where it would mean
something else (or an anchor makes the order count) the text stays as it was. Formatting twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from hub.config.schemas import Schema, at
from hub.config.source import SourceError, loads

INDENT = 2

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*$")
_MODELINE = re.compile(r"#\s*(yaml-language-server:|\$schema:)")

Path = tuple[str | int, ...]


@dataclass(slots=True)
class _Node:
    """A node with its place in the text: lines and columns from 0, the end exclusive."""

    line: int
    column: int
    end_line: int = 0
    end_column: int = 0
    flow: bool = False
    pairs: list[tuple[_Node, _Node]] | None = None
    items: list[_Node] | None = None
    value: str = ""

    @property
    def is_block(self) -> bool:
        return not self.flow and (self.pairs is not None or self.items is not None)

    @property
    def empty(self) -> bool:
        """A value that is not written at all."""
        return (
            self.pairs is None and self.items is None and (self.line, self.column) == (self.end_line, self.end_column)
        )


def formatted(text: str, schema: Schema | None = None, *, name: str = "text") -> str:
    """The text in the one layout. ``schema`` gives the order of keys; without one it stays. Raises SourceError.

    Moving a key can change whose comment a line is; then it is laid out until nothing moves any more.
    """
    result = _once(text, schema, name)
    for _ in range(SETTLES_WITHIN):
        again = _once(result, schema, name)
        if again == result:
            return result
        result = again
    return text


SETTLES_WITHIN = 4


def _once(text: str, schema: Schema | None, name: str) -> str:
    before = loads(text, name=name)
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if _OTHER_BREAKS.search(plain):
        return text
    try:
        layout = _Layout(plain, schema)
        result = layout.text()
    except _LeftAlone:
        return text
    try:
        after = loads(result, name=name)
    except SourceError:
        return text
    if after.plain() != before.plain() or _comments(result) != _comments(plain):
        return text
    return result


class _LeftAlone(Exception):
    """Something whose layout is not ours to change: anchors, directives."""


@dataclass(slots=True)
class _Layout:
    source: str
    schema: Schema | None
    lines: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)

    def text(self) -> str:
        self.lines = self.source.split("\n")
        root = _composed(self.source)
        if root is None or root.empty:
            return _tidy(self.lines)
        first = root.line
        head = self._header(first)
        self.out = list(head)
        lead = self._between(len(head) if head else 0, first) if root.is_block else self.lines[len(head) : first]
        lead = _squeezed([line for line in lead if line.strip() not in ("---", "")] if not head else lead)
        if root.is_block:
            self._block(root, 0, (), [line.strip() for line in lead if line.strip() != "---"])
            last = self._last(root)
        else:
            self.out += [line.strip() for line in lead if line.strip() != "---"]
            self._value(root, 0, root.column, (), "")
            last = root.end_line
        tail = _squeezed([line.strip() for line in self.lines[last + 1 :] if line.strip() != "..."])
        while tail and not tail[-1]:
            tail.pop()
        self.out += tail
        return _tidy(self.out)

    # What belongs to the file and what to its first key.

    def _header(self, first: int) -> list[str]:
        above = [line.strip() for line in self.lines[:first]]
        blanks = [index for index, line in enumerate(above) if not line or line == "---"]
        keep = blanks[-1] + 1 if blanks and any(line.startswith("#") for line in above[: blanks[-1]]) else 0
        while keep < len(above) and _MODELINE.match(above[keep]):
            keep += 1
        header = [line for line in above[:keep] if line != "---"]
        while header and not header[0]:
            header.pop(0)
        return header if keep == len(header) else (self._drop(keep) or header)

    def _drop(self, keep: int) -> list[str]:
        raise _LeftAlone

    def _between(self, start: int, end: int) -> list[str]:
        return self.lines[start:end]

    # Blocks.

    def _block(self, node: _Node, indent: int, path: Path, lead: Sequence[str], opened: str = "") -> None:
        """A block collection at an indentation; ``opened`` stands on the first line in front of it (``- ``)."""
        if node.pairs is not None:
            self._mapping(node, indent, path, lead, opened)
        elif node.items is not None:
            self._sequence(node, indent, path, lead, opened)

    def _mapping(self, node: _Node, indent: int, path: Path, lead: Sequence[str], opened: str) -> None:
        assert node.pairs is not None
        entries: list[tuple[tuple[_Node, _Node], list[str], list[str]]] = []
        for index, (key, value) in enumerate(node.pairs):
            above = list(lead) if index == 0 else self._above(node.pairs[index - 1], key.line, node.column)[1]
            below = []
            if index + 1 < len(node.pairs):
                below = self._above((key, value), node.pairs[index + 1][0].line, node.column)[0]
            entries.append(((key, value), above, below))
        names = [key.value for key, _ in node.pairs]
        order = self._order(names, path)
        for position, index in enumerate(order):
            (key, value), above, below = entries[index]
            above = _squeezed(above)
            if position == 0:
                while above and not above[0]:
                    above = above[1:]
                if opened and above:
                    self.out.append(opened.rstrip())
                    opened = ""
            self._comment_lines(above, indent)
            front = opened if position == 0 and opened else " " * indent
            opened = ""
            self._value(value, indent, node.column, (*path, key.value), f"{front}{self._slice(key)}:", key)
            self._comment_lines(below, indent + INDENT)

    def _sequence(self, node: _Node, indent: int, path: Path, lead: Sequence[str], opened: str) -> None:
        assert node.items is not None
        for index, item in enumerate(node.items):
            dash = self._dash(node, index)
            if index == 0:
                above = [line for line in _squeezed(lead) if line]
            else:
                deeper, above = self._after(self._last(node.items[index - 1]), dash, node.column)
                self._comment_lines(deeper, indent + INDENT)
                above = _squeezed(above)
            if opened and above:
                self.out.append(opened.rstrip())
                opened = ""
            self._comment_lines(above, indent)
            front = (opened or " " * indent) + "-"
            opened = ""
            if item.is_block:
                comment = _COMMENT.search(self.lines[dash]) if item.line > dash else None
                inner = [line.strip() for line in self.lines[dash + 1 : item.line]] if item.line > dash else []
                if comment is not None or any(inner):
                    self.out.append(f"{front} {comment.group().rstrip()}" if comment is not None else front)
                    self._block(item, indent + INDENT, (*path, index), inner)
                else:
                    self._block(item, indent + INDENT, (*path, index), [], f"{front} ")
            else:
                self._value(item, indent, node.column, (*path, index), front)

    def _dash(self, node: _Node, index: int) -> int:
        """The line of an item's dash."""
        assert node.items is not None
        item = node.items[index]
        line = item.line
        while line >= 0:
            text = self.lines[line]
            if len(text) > node.column and text[node.column] == "-" and not text[: node.column].strip(" -"):
                return line
            line -= 1
        raise _LeftAlone

    def _value(self, node: _Node, indent: int, old: int, path: Path, front: str, key: _Node | None = None) -> None:
        """A value behind ``front`` (its key or its dash); ``old`` is the column its entry had."""
        if node.is_block:
            assert key is not None
            comment = _COMMENT.search(self.lines[key.end_line], key.end_column)
            self.out.append(front + (f" {comment.group().rstrip()}" if comment is not None else ""))
            lead = [line.strip() for line in self.lines[key.end_line + 1 : node.line]]
            self._block(node, indent + INDENT, path, [line for line in lead if line])
            return
        if node.empty:
            line, column = (key.end_line, key.end_column) if key is not None else (node.line, node.column)
            comment = _COMMENT.search(self.lines[line], column)
            self.out.append(front + (f" {comment.group().rstrip()}" if comment is not None else ""))
            return
        if key is not None and node.line != key.end_line:
            raise _LeftAlone  # a value on the line below its key
        space = " " if front else ""
        if node.line == node.end_line:
            rest = _COMMENT.search(self.lines[node.line], node.end_column)
            gap = self.lines[node.line][node.end_column : rest.start()] if rest is not None else ""
            comment_text = f"{gap or ' '}{rest.group().rstrip()}" if rest is not None else ""
            self.out.append(f"{front}{space}{self._inline(node, path)}{comment_text}")
            return
        self._several_lines(node, indent - old, f"{front}{space}")

    def _several_lines(self, node: _Node, shift: int, front: str) -> None:
        """A scalar or flow collection over several lines: as written, moved with its entry."""
        end = node.end_line if node.end_column else node.end_line - 1
        block = self.lines[node.line][node.column :][:1] in ("|", ">")
        kept = "+" in self.lines[node.line][node.column :].split("#")[0]
        lines = self.lines[node.line + 1 : end + 1]
        while block and not kept and lines and not lines[-1].strip():
            lines.pop()
        self.out.append(front + self.lines[node.line][node.column :].rstrip())
        for line in lines:
            bare = line.lstrip(" ")
            if not bare:
                self.out.append(line if block and kept else "")
                continue
            self.out.append(" " * max(len(line) - len(bare) + shift, 1) + (bare if block else bare.rstrip()))

    def _inline(self, node: _Node, path: Path) -> str:
        if node.pairs is not None:
            parts = [
                f"{self._slice(key)}:"
                if value.empty
                else f"{self._slice(key)}: {self._inline(value, (*path, key.value))}"
                for key, value in (node.pairs[i] for i in self._order([key.value for key, _ in node.pairs], path))
            ]
            return f"{{ {', '.join(parts)} }}" if parts else "{}"
        if node.items is not None:
            return f"[{', '.join(self._inline(item, (*path, index)) for index, item in enumerate(node.items))}]"
        return self._slice(node)

    # Pieces.

    def _slice(self, node: _Node) -> str:
        if node.line != node.end_line:
            raise _LeftAlone
        return self.lines[node.line][node.column : node.end_column]

    def _order(self, names: list[str], path: Path) -> list[int]:
        """The indexes of keys as the schema lists them, then the others as written."""
        schema = at(self.schema, path) if self.schema is not None else None
        properties = (schema or {}).get("properties")
        known = {name: rank for rank, name in enumerate(properties)} if isinstance(properties, dict) else {}
        return sorted(range(len(names)), key=lambda index: known.get(names[index], len(known)))

    def _above(self, entry: tuple[_Node, _Node], line: int, column: int) -> tuple[list[str], list[str]]:
        key, value = entry
        return self._after(key.end_line if value.empty else self._last(value), line, column)

    def _after(self, last: int, line: int, column: int) -> tuple[list[str], list[str]]:
        """The lines between two entries: those that still belong to the upper one (indented deeper), and the rest."""
        found = self.lines[last + 1 : line]
        deeper = 0
        for index, text in enumerate(found):
            if text.strip() and len(text) - len(text.lstrip()) > column:
                deeper = index + 1
            elif text.strip():
                break
        return [text.strip() for text in found[:deeper]], [text.strip() for text in found[deeper:]]

    def _last(self, node: _Node) -> int:
        """The last line that has something of a node."""
        if node.is_block:
            if node.pairs:
                key, value = node.pairs[-1]
                return key.end_line if value.empty else self._last(value)
            if node.items:
                item = node.items[-1]
                return self._dash(node, len(node.items) - 1) if item.empty else self._last(item)
        end = node.end_line if node.end_column or node.end_line == node.line else node.end_line - 1
        block = self.lines[node.line][node.column :][:1] in ("|", ">")
        while block and end > node.line and (not self.lines[end].strip() or self._comment_below(node, end)):
            end -= 1
        return end

    def _comment_below(self, node: _Node, line: int) -> bool:
        """Whether a line at the end of a block scalar is a comment behind it rather than text of it."""
        text = self.lines[line]
        own = next((one for one in self.lines[node.line + 1 : line] if one.strip()), "")
        return text.lstrip().startswith("#") and len(text) - len(text.lstrip()) < len(own) - len(own.lstrip())

    def _comment_lines(self, lines: Sequence[str], indent: int) -> None:
        for line in lines:
            self.out.append(" " * indent + line if line else "")


def _composed(text: str) -> _Node | None:
    events = yaml.parse(text, Loader=_Loader)
    root: _Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
            raise _LeftAlone
        if isinstance(event, yaml.NodeEvent):
            root = _node(event, events)
    return root


def _node(event: yaml.NodeEvent, events: Iterator[yaml.Event]) -> _Node:
    if event.anchor is not None:
        raise _LeftAlone
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    node = _Node(start.line, start.column, end.line, end.column)
    if isinstance(event, yaml.ScalarEvent):
        node.value = str(event.value)
        return node
    node.flow = bool(getattr(event, "flow_style", False))
    if isinstance(event, yaml.MappingStartEvent):
        node.pairs = []
        for inner in events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            assert isinstance(inner, yaml.NodeEvent)
            key = _node(inner, events)
            following = next(events)
            assert isinstance(following, yaml.NodeEvent)
            node.pairs.append((key, _node(following, events)))
    else:
        node.items = []
        for inner in events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            assert isinstance(inner, yaml.NodeEvent)
            node.items.append(_node(inner, events))
    if node.flow:
        assert inner.end_mark is not None
        node.end_line, node.end_column = inner.end_mark.line, inner.end_mark.column
    return node


def _squeezed(lines: Sequence[str]) -> list[str]:
    """No two empty lines in a row."""
    return [line for index, line in enumerate(lines) if line or index == 0 or lines[index - 1]]


def _tidy(lines: Sequence[str]) -> str:
    """One line break at the end, none in front."""
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    return "\n".join(kept) + "\n" if kept else ""


def _comments(text: str) -> list[str]:
    """The comments of a text, sorted; a `#` inside a scalar counts on both sides alike."""
    return sorted(found.group().strip() for line in text.split("\n") if (found := _COMMENT.search(line)))
