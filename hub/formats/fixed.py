"""Files of fixed columns: record layouts as data, text exact.

    format:
      records:
        - name: order                 # the first layout whose `when` fits a line reads it
          when: { at: 1, is: H000 }
          fields: { number: [5, 10], placed: [15, 8] }      # first column from 1, width
        - name: line
          when: { at: 1, is: P100 }
          parent: order               # stands inside the order before it, in the list "line"
          fields: { sku: [5, 20], quantity: [25, 9] }

Blanks behind a value are padding and not read, one of blanks alone is absent; so a field that begins where a line has
ended is absent too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.formats.tree import FormatError, Position, ReadTree, Tree, plain_number, position_at

MAX_BYTES = 64 * 1024 * 1024
MAX_LINES = 1_000_000
MAX_WIDTH = 32_000
OPTION_NAMES = frozenset({"records", "encoding", "unknown", "line_end", "width"})

_ENCODINGS = {
    "utf-8": "utf-8",
    "iso-8859-1": "iso-8859-1",
    "windows-1252": "windows-1252",
    "cp850": "cp850",
    "ascii": "ascii",
}
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n", "none": ""}


@dataclass(frozen=True, slots=True)
class Field:
    """`start` from 0 in characters; `right`: padded on the left, with `fill`."""

    name: str
    start: int
    width: int
    right: bool = False
    fill: str = " "


@dataclass(frozen=True, slots=True)
class Layout:
    """`at` and `text`: where a line must say what; an empty text fits every line."""

    name: str
    at: int
    text: str
    parent: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class FixedOptions:
    """`unknown`: what becomes of a line that no layout fits, error or skip. `width` > 0: records of that many
    characters without line breaks."""

    layouts: tuple[Layout, ...]
    encoding: str = "utf-8"
    skips_unknown: bool = False
    line_end: str = "\r\n"
    width: int = 0


def read_options(options: Mapping[str, ReadTree]) -> FixedOptions:
    """The options as configuration writes them; raises FormatError (`option`)."""
    records = options.get("records")
    if isinstance(records, str) or not isinstance(records, list | tuple) or not records:
        raise FormatError("option", "records is a list of layouts")
    layouts: list[Layout] = []
    for number, entry in enumerate(records, start=1):
        layout = _layout(entry, number, {layout.name for layout in layouts})
        for other in layouts:
            if other.name == layout.parent and any(one.name == layout.name for one in other.fields):
                raise FormatError("option", f"{other.name} has a field and a record that are both called {layout.name}")
        layouts.append(layout)
    encoding = options.get("encoding", "utf-8")
    if not isinstance(encoding, str) or encoding.lower() not in _ENCODINGS:
        raise FormatError("option", f"encoding is one of {', '.join(_ENCODINGS)}")
    unknown = options.get("unknown", "error")
    if unknown not in ("error", "skip"):
        raise FormatError("option", "unknown is error or skip")
    line_end = options.get("line_end", "crlf")
    if not isinstance(line_end, str) or line_end not in _LINE_ENDS:
        raise FormatError("option", f"line_end is one of {', '.join(_LINE_ENDS)}")
    width = _count(options.get("width", 0), "width", least=0)
    return FixedOptions(tuple(layouts), encoding.lower(), unknown == "skip", _LINE_ENDS[line_end], width)


def _layout(entry: ReadTree, number: int, known: set[str]) -> Layout:
    if not isinstance(entry, Mapping):
        raise FormatError("option", f"records, {number}: a layout is an object")
    unknown = set(entry) - {"name", "when", "parent", "fields"}
    name, parent = entry.get("name"), entry.get("parent", "")
    if unknown or not isinstance(name, str) or not name or name in known:
        raise FormatError("option", f"records, {number}: a layout has a name of its own, when, parent and fields")
    if not isinstance(parent, str) or (parent and parent not in known):
        raise FormatError("option", f"records, {number}: the parent is a layout above it")
    when = entry.get("when", {})
    if not isinstance(when, Mapping) or set(when) - {"at", "is"}:
        raise FormatError("option", f"records, {number}: when has the keys at and is")
    text = when.get("is", "")
    if not isinstance(text, str):
        raise FormatError("option", f"records, {number}: what a line must say is text")
    fields = entry.get("fields")
    if not isinstance(fields, Mapping) or not fields:
        raise FormatError("option", f"records, {number}: fields name columns")
    if "record" in fields:
        raise FormatError("option", f"records, {number}: record is the layout's own name, no field")
    at = _count(when.get("at", 1), "at", least=1) - 1
    return Layout(name, at, text, parent, tuple(_field(key, value) for key, value in fields.items()))


def _field(name: str, value: ReadTree) -> Field:
    place: ReadTree = value
    right, fill = False, " "
    if isinstance(value, Mapping):
        if set(value) - {"at", "width", "align", "fill"}:
            raise FormatError("option", f"the field {name} has at, width, align and fill")
        align, given = value.get("align", "left"), value.get("fill", " ")
        if align not in ("left", "right") or not isinstance(given, str) or len(given) != 1:
            raise FormatError("option", f"the field {name}: align is left or right, fill one character")
        place, right, fill = [value.get("at"), value.get("width")], align == "right", given
    if not isinstance(place, list | tuple) or len(place) != 2:
        raise FormatError("option", f"the field {name} is [first column, width]")
    return Field(name, _count(place[0], name, least=1) - 1, _count(place[1], name, least=1), right, fill)


def _count(value: ReadTree, what: str, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_WIDTH:
        raise FormatError("option", f"{what} is a number from {least} to {MAX_WIDTH}")
    return value


def loads(data: bytes, options: FixedOptions, *, max_bytes: int = MAX_BYTES) -> Tree:
    """``{"records": [...]}``: each with its layout's name under ``record`` and its children in lists by name."""
    records: list[Tree] = [record for _, record in _records(data, options, max_bytes)]
    return {"records": records}


def split(data: bytes, options: FixedOptions) -> list[tuple[str, Tree]]:
    """The records without a parent, each with its position ``record.3``."""
    found = _records(data, options, MAX_BYTES)
    return [(f"record.{number}", record) for number, (_, record) in enumerate(found, start=1)]


def _records(data: bytes, options: FixedOptions, max_bytes: int) -> list[tuple[int, dict[str, Tree]]]:
    if len(data) > max_bytes:
        raise FormatError("too_large", f"the body has {len(data)} bytes, at most {max_bytes} are read")
    top: list[tuple[int, dict[str, Tree]]] = []
    open_: dict[str, dict[str, Tree]] = {}
    for number, (offset, line) in enumerate(_lines(data, options), start=1):
        if not line.strip(" \x1a\x00"):
            continue
        where = Position(offset, number, 1)
        layout = next((one for one in options.layouts if line.startswith(one.text, one.at)), None)
        if layout is None:
            if options.skips_unknown:
                continue
            raise FormatError("syntax", f"no layout fits line {number}", where)
        record: dict[str, Tree] = {"record": layout.name}
        for one in layout.fields:
            value = line[one.start : one.start + one.width]
            value = value.lstrip(one.fill) if one.right and one.fill == " " else value
            value = value.rstrip(" ")
            if value:
                record[one.name] = value
        _forget_below(open_, layout.name, options.layouts)
        open_[layout.name] = record
        if not layout.parent:
            top.append((number, record))
            continue
        parent = open_.get(layout.parent)
        if parent is None:
            raise FormatError("syntax", f"line {number}, {layout.name}, stands before its {layout.parent}", where)
        held = parent.setdefault(layout.name, [])
        assert isinstance(held, list)  # fields and children cannot share a name: see _check_names
        held.append(record)
    return top


def _forget_below(open_: dict[str, dict[str, Tree]], name: str, layouts: Sequence[Layout]) -> None:
    for layout in layouts:
        if layout.parent == name and layout.name in open_:
            del open_[layout.name]
            _forget_below(open_, layout.name, layouts)


def _lines(data: bytes, options: FixedOptions) -> list[tuple[int, str]]:
    """(byte offset, text) of each line or record."""
    body = data.removeprefix(b"\xef\xbb\xbf")
    skipped = len(data) - len(body)
    try:
        text = body.decode(_ENCODINGS[options.encoding])
    except UnicodeDecodeError as error:
        problem = f"byte 0x{body[error.start]:02x} is no {options.encoding}"
        raise FormatError("encoding", problem, position_at(data, error.start + skipped)) from None
    if options.width:
        cut = [text[at : at + options.width] for at in range(0, len(text), options.width)]
        breaks = 0
    else:
        cut, breaks = text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1
    if len(cut) > MAX_LINES:
        raise FormatError("too_large", f"the file has more than {MAX_LINES} lines")
    crlf = 1 if breaks and "\r\n" in text else 0
    lines: list[tuple[int, str]] = []
    offset = skipped
    for line in cut:
        if len(line) > MAX_WIDTH:
            raise FormatError("too_large", f"a line has more than {MAX_WIDTH} characters", Position(offset, 1, 1))
        lines.append((offset, line))
        offset += len(line.encode(_ENCODINGS[options.encoding])) + breaks + crlf
    return lines


def dumps(tree: ReadTree, options: FixedOptions) -> bytes:
    """Write ``{"records": [...]}`` or a list of records. Raises FormatError (`unwritable`), also for a value that is
    wider than its column: nothing is cut off."""
    records = tree.get("records") if isinstance(tree, Mapping) else tree
    lines: list[str] = []
    _write(records, options, "", lines)
    text = "".join(line + options.line_end for line in lines)
    try:
        return text.encode(_ENCODINGS[options.encoding])
    except UnicodeEncodeError as error:
        problem = f"character U+{ord(text[error.start]):04X} cannot be written in {options.encoding}"
        raise FormatError("unwritable", problem) from error


def _write(records: ReadTree, options: FixedOptions, parent: str, lines: list[str]) -> None:
    if isinstance(records, str) or not isinstance(records, list | tuple):
        raise FormatError("unwritable", "records are a list")
    for record in records:
        if not isinstance(record, Mapping):
            raise FormatError("unwritable", "a record is an object")
        layout = next((one for one in options.layouts if one.name == record.get("record")), None)
        if layout is None or layout.parent != parent:
            raise FormatError(
                "unwritable", f"there is no layout {record.get('record')} {f'in {parent}' if parent else ''}"
            )
        below = [one.name for one in options.layouts if one.parent == layout.name]
        unknown = set(record) - {"record", *(one.name for one in layout.fields), *below}
        if unknown:
            raise FormatError("unwritable", f"{layout.name} has no field {min(unknown)}")
        lines.append(_line(layout, record, options.width))
        for name in below:
            _write(record.get(name, []), options, layout.name, lines)


def _line(layout: Layout, record: Mapping[str, ReadTree], width: int) -> str:
    ends = [one.start + one.width for one in layout.fields]
    length = width or max([*ends, layout.at + len(layout.text)])
    if length < max(ends):
        raise FormatError("unwritable", f"{layout.name} is wider than its record")
    cells = [" "] * length
    cells[layout.at : layout.at + len(layout.text)] = layout.text
    for one in layout.fields:
        value = _value(record.get(one.name), one.name)
        if len(value) > one.width:
            raise FormatError("unwritable", f"{layout.name}.{one.name} has {len(value)} of {one.width} characters")
        if value:
            filled = value.rjust(one.width, one.fill) if one.right else value.ljust(one.width, one.fill)
            cells[one.start : one.start + one.width] = filled
    line = "".join(cells)
    return line if width else line.rstrip(" ")


def _value(value: ReadTree, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, Decimal):
        text = plain_number(value)
    else:
        raise FormatError("unwritable", f"{name} is text or a number")
    if "\n" in text or "\r" in text:
        raise FormatError("unwritable", f"{name} holds a line break")
    return text
