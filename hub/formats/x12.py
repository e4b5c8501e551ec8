"""ANSI ASC X12 as it comes: bytes to segments and back, byte for byte.

The separators are taken from the ISA by position (X12.6, interchange control structures): the character behind the tag,
the repetition separator in ISA11 from version 00402 on, the one in ISA16 and the one behind it. An ISA that is not the
106 characters it should be is read by counting its separators. What partners really send is tolerated where its meaning
is plain, and every character is kept, so that writing what was read gives the same bytes:

- a byte order mark, white space and NUL before the ISA and between segments, indented segments;
- any terminator, with or without line breaks behind it; line breaks inside data are wraps, unless they are terminators;
- several interchanges in one file, each with separators of its own;
- UTF-8, else ISO 8859-1 (the bytes say which); binary segments by their length.

Meaning (groups, sets, counts) is given by :mod:`hub.formats.x12_envelope`, loops by :mod:`hub.formats.x12_sets`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hub.formats.tree import FormatError, Position, ReadTree, Tree, position_at

MAX_BYTES = 32 * 1024 * 1024
MAX_SEGMENTS = 500_000
MAX_ELEMENTS = 1_000
"""Elements of one segment; no segment of the standard has more than a few dozen."""
OPTION_NAMES = frozenset({"charset"})

CHARSETS = {"ascii": "ascii", "utf-8": "utf-8", "latin-1": "iso-8859-1"}
_BLANK = " \t\r\n\v\f\x00\x1a\xa0\ufeff"
_BOM_IN_LATIN_1 = "\xef\xbb\xbf"
_ISA_WINDOW = 400
_FIXED = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_ISA = re.compile("ISA(?=[^A-Za-z0-9 ])")
_CONTROLS = (*map(chr, range(32)), "\x7f", "\ufeff")
_NOTHING: frozenset[str] = frozenset({""})


@dataclass(frozen=True, slots=True)
class Separators:
    """`component` and `repetition` may be empty: none. `trims`: blanks stood before the line break that ends the ISA,
    so that they stand before each and belong to no element."""

    element: str = "*"
    component: str = ">"
    segment: str = "~"
    repetition: str = ""
    trims: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. `lead` is what stood before it, `text` all of it as it came, without the terminator; `closed` says
    whether that was there. `number` counts from 1 in the file, `offset` is the character where the tag begins."""

    lead: str
    text: str
    closed: bool
    number: int
    offset: int


@dataclass(slots=True)
class RawInterchange:
    """The segments from an ISA up to the next one or the end."""

    separators: Separators
    segments: list[Segment] = field(default_factory=list)
    _table: dict[int, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {self.separators.element, self.separators.component, self.separators.repetition}
        self._table = {ord(char): None for char in _CONTROLS if char not in kept}

    def elements(self, segment: Segment) -> list[str]:
        """Tag and elements as they are meant: without wraps and control characters, white space around them, and
        separators of components that nothing follows. Raises FormatError for more elements than there can be."""
        separators = self.separators
        text = segment.text if segment.text.isprintable() else segment.text.translate(self._table)
        if separators.trims:
            text = text.rstrip(" ")
        parts = text.split(separators.element)
        if len(parts) > MAX_ELEMENTS:
            raise FormatError("too_large", f"segment {segment.number} has more than {MAX_ELEMENTS} elements")
        component = separators.component
        if component and component in text and component != separators.element:
            parts = [part.rstrip(component) if part.endswith(component) else part for part in parts]
        parts[0] = parts[0].strip()
        return parts


@dataclass(slots=True)
class Document:
    """A whole file. `tail` is the white space behind the last segment."""

    charset: str
    interchanges: list[RawInterchange]
    tail: str
    _text: str
    _counted: tuple[int, int] = (0, 0)

    def byte_offset(self, offset: int) -> int:
        """Where a character stands in the file, in bytes; cheap where it is asked for in rising order."""
        if self.charset != "utf-8":
            return offset
        chars, size = self._counted
        if offset < chars:
            chars, size = 0, 0
        size += len(self._text[chars:offset].encode("utf-8"))
        self._counted = offset, size
        return size


def read(body: bytes, *, charset: str | None = None, max_bytes: int = MAX_BYTES) -> Document:
    """Cut a file into segments. Raises FormatError with the byte offset where there is one.

    `charset` fixes the encoding (ascii, utf-8, latin-1); without it the bytes decide.
    """
    if len(body) > max_bytes:
        raise FormatError("too_large", f"the body has {len(body)} bytes, at most {max_bytes} are read")
    binary = _has_binary(body)
    name, text = _decoded(body, charset, binary=binary)
    at = _start(text)
    if not text.startswith("ISA", at):
        problem = "the file does not begin with an ISA segment" if text.strip(_BLANK) else "the file is empty"
        raise FormatError("syntax", problem, _position(text, name, at))
    interchanges: list[RawInterchange] = []
    lead, number = text[:at], 0
    while at < len(text):
        separators = _separators(text, at, name)
        end = _end(text, at, separators)
        interchange = RawInterchange(separators)
        lead = _cut(interchange, text, at, end, lead, number, binary=binary)
        number += len(interchange.segments)
        interchanges.append(interchange)
        at = end
        if at < len(text):  # what `_end` stopped at: blanks and an ISA
            begin = _start(text, at)
            lead, at = lead + text[at:begin], begin
    return Document(name, interchanges, lead, text)


def _decoded(body: bytes, charset: str | None, *, binary: bool) -> tuple[str, str]:
    if charset is not None and charset not in CHARSETS:
        raise FormatError("option", f"the charset {charset!r} is none of {', '.join(CHARSETS)}")
    if charset is None:
        charset = "latin-1" if binary else "utf-8"
        try:
            return charset, body.decode(CHARSETS[charset])
        except UnicodeDecodeError:
            return "latin-1", body.decode("iso-8859-1")
    try:
        return charset, body.decode(CHARSETS[charset])
    except UnicodeDecodeError as error:
        problem = f"byte 0x{body[error.start]:02x} is no {charset}"
        raise FormatError("encoding", problem, position_at(body, error.start)) from None


_BINARY = re.compile(rb"[^A-Za-z0-9](?:BIN|BDS)[^A-Za-z0-9 ]")


def _has_binary(body: bytes) -> bool:
    return _BINARY.search(body) is not None


def _start(text: str, at: int = 0) -> int:
    if at == 0 and text.startswith(_BOM_IN_LATIN_1):
        at = len(_BOM_IN_LATIN_1)
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _position(text: str, charset: str, at: int) -> Position:
    data = text.encode(CHARSETS[charset])
    return position_at(data, len(text[:at].encode(CHARSETS[charset])))


def _separators(text: str, at: int, charset: str) -> Separators:
    """From the ISA that begins at `at`."""
    window = text[at : at + _ISA_WINDOW]
    element = window[3:4]
    if _is_word(element) or element in ("", " ", "\r", "\n"):
        raise FormatError("separators", "no element separator follows the tag ISA", _position(text, charset, at))
    ends = _element_ends(window, element)
    if ends is None:
        raise FormatError("syntax", "the ISA segment has fewer than 16 elements", _position(text, charset, at))
    component, place = _component(window, element, ends)
    terminator, trims = _terminator(window, place)
    if _is_word(terminator) or terminator in ("", " ", element):
        where = _position(text, charset, at + place)
        raise FormatError("separators", "what follows ISA16 can end no segment", where)
    repetition = ""
    version = window[ends[10] + 1 : ends[11]].strip(_BLANK) if len(ends) > 11 else ""
    standards = window[ends[9] + 1 : ends[10]].strip(_BLANK)
    if version.isdigit() and int(version) >= 402 and len(standards) == 1 and not standards.isalnum():
        repetition = standards if standards not in (element, component, terminator) else ""
    return Separators(element, component, terminator, repetition, trims)


def _is_word(char: str) -> bool:
    """A letter or digit that data is made of. Others have been seen as separators after a file was re-encoded."""
    return char.isascii() and char.isalnum()


def _element_ends(window: str, element: str) -> list[int] | None:
    """Where the element separators of the ISA stand: the first behind the tag, the sixteenth before ISA16."""
    if all(window[place : place + 1] == element for place in _FIXED):
        return list(_FIXED)
    ends = [match.start() for match in re.finditer(re.escape(element), window)][:16]
    return ends if len(ends) >= 15 else None


def _component(window: str, element: str, ends: list[int]) -> tuple[str, int]:
    """The component separator, and where the terminator is to be looked for. Where ISA16 is missing there is none."""
    if len(ends) == 16:
        usage = window[ends[14] + 1 : ends[15]].strip(_BLANK)
        if len(usage) <= 1:
            place = ends[15] + 1
            component = window[place : place + 1]
            following = window[place + 1 : place + 2]
            if component in ("\r", "\n") and (_is_word(following) or following in ("\r", "\n", "")):
                return "", place
            if _is_word(component) or component == " ":
                return "", place + 1
            return component, place + 1
    return "", ends[14] + 2


def _terminator(window: str, place: int) -> tuple[str, bool]:
    """The character at the place; where blanks lead to a line break, that is what ends segments."""
    end = place
    while window[end : end + 1] == " ":
        end += 1
    if end > place and window[end : end + 1] in ("\r", "\n"):
        return window[end], True
    return window[place : place + 1], False


def _end(text: str, at: int, separators: Separators) -> int:
    """Where the interchange ends: behind the terminator that the next ISA follows, else the end of the text."""
    for found in _ISA.finditer(text, at + 3):
        place = found.start() - 1
        while place > at and text[place] in _BLANK and text[place] != separators.segment:
            place -= 1
        if text[place] == separators.segment:
            return place + 1
    return len(text)


def _cut(interchange: RawInterchange, text: str, at: int, end: int, lead: str, number: int, *, binary: bool) -> str:
    """Fill in the segments of text[at:end]; what is left behind the last of them."""
    separators = interchange.separators
    if binary:
        pieces = list(_pieces(text, at, end, separators))
    else:
        pieces = text[at:end].split(separators.segment)
    if number + len(pieces) > MAX_SEGMENTS:
        raise FormatError("too_large", f"the file has more than {MAX_SEGMENTS} segments")
    here = at
    last = len(pieces) - 1
    segments = interchange.segments
    for index, piece in enumerate(pieces):
        body = piece.lstrip(_BLANK) if index else piece
        begin = here + len(piece) - len(body)
        lead += text[here:begin]
        if index == last and not body:
            return lead
        number += 1
        segments.append(Segment(lead, body, index != last, number, begin))
        lead = ""
        here += len(piece) + 1
    return lead


def _pieces(text: str, at: int, end: int, separators: Separators) -> Iterator[str]:
    """As split, but a binary segment (BIN, BDS) ends where its length says, if a terminator stands there."""
    element, terminator = separators.element, separators.segment
    while True:
        stop = text.find(terminator, at, end)
        if stop < 0:
            yield text[at:end]
            return
        begin = _start(text, at)
        tag = text[begin : begin + 4]
        if tag in (f"BIN{element}", f"BDS{element}"):
            skipped = 1 if tag.startswith("BIN") else 2
            head = text[begin : begin + 60].split(element, skipped + 1)
            if len(head) == skipped + 2 and head[skipped].isdigit() and len(head[skipped]) <= 9:
                data = begin + sum(map(len, head[: skipped + 1])) + skipped + 1
                told = data + int(head[skipped])
                if told <= end and text[told : told + 1] == terminator:
                    stop = told
        yield text[at:stop]
        at = stop + 1


# --- the flat tree --------------------------------------------------------------------------------------------------


def loads(body: bytes, options: Mapping[str, ReadTree]) -> Tree:
    """The file as a flat tree from which the same bytes can be written: per interchange its separators and segments,
    each a list of tag and elements as they came; `lead` is what stood before a segment where it is not empty."""
    document = read(body, charset=read_charset(options))
    interchanges: list[Tree] = []
    for interchange in document.interchanges:
        separators = interchange.separators
        segments: list[Tree] = []
        for segment in interchange.segments:
            parts: list[Tree] = [*segment.text.split(separators.element)]
            row: dict[str, Tree] = {"elements": parts}
            if segment.lead:
                row["lead"] = segment.lead
            if not segment.closed:
                row["open"] = True
            segments.append(row)
        interchanges.append({"separators": separators_tree(separators), "segments": segments})
    return {"charset": document.charset, "interchanges": interchanges, "tail": document.tail}


def read_charset(options: Mapping[str, ReadTree]) -> str | None:
    """The option `charset`; raises FormatError (`option`)."""
    charset = options.get("charset")
    if charset is None:
        return None
    if not isinstance(charset, str) or charset not in CHARSETS:
        raise FormatError("option", f"charset is one of {', '.join(CHARSETS)}")
    return charset


def separators_tree(separators: Separators) -> dict[str, Tree]:
    return {
        "element": separators.element,
        "component": separators.component,
        "segment": separators.segment,
        "repetition": separators.repetition,
    }


def dumps(tree: ReadTree, options: Mapping[str, ReadTree]) -> bytes:
    """Write the flat tree of :func:`loads`. Raises FormatError (`unwritable`) for an element that holds its own
    separator or terminator and for characters outside the charset."""
    top = _object(tree, "the file")
    charset = read_charset(options) or _text(top.get("charset", "utf-8"), "charset")
    if charset not in CHARSETS:
        raise FormatError("unwritable", f"the charset {charset!r} is none of {', '.join(CHARSETS)}")
    parts: list[str] = []
    for interchange in _list(top.get("interchanges"), "interchanges"):
        held = _object(interchange, "an interchange")
        names = _object(held.get("separators"), "separators")
        element = _text(names.get("element"), "the element separator")
        terminator = _text(names.get("segment"), "the terminator")
        if len(element) != 1 or len(terminator) != 1 or element == terminator:
            raise FormatError("unwritable", "element separator and terminator are two different characters")
        for number, segment in enumerate(_list(held.get("segments"), "segments"), start=1):
            row = _object(segment, "a segment")
            parts.append(_text(row.get("lead", ""), "lead"))
            parts.append(_segment_text(row, element, terminator, number))
            if row.get("open") is not True:
                parts.append(terminator)
    parts.append(_text(top.get("tail", ""), "tail"))
    return encoded("".join(parts), charset)


def _segment_text(row: Mapping[str, ReadTree], element: str, terminator: str, number: int) -> str:
    values = [_text(value, "an element") for value in _list(row.get("elements"), "elements")]
    binary = values[:1] in (["BIN"], ["BDS"])
    for place, value in enumerate(values):
        if element in value or (terminator in value and not binary):
            raise FormatError("unwritable", f"element {place} of segment {number} holds a separator")
    return element.join(values)


def encoded(text: str, charset: str) -> bytes:
    """Text in a charset; raises FormatError (`unwritable`) naming the character that has no place in it."""
    try:
        return text.encode(CHARSETS[charset])
    except UnicodeEncodeError as error:
        problem = f"character U+{ord(text[error.start]):04X} cannot be written in {charset}"
        raise FormatError("unwritable", problem) from error


def write_segments(segments: Sequence[Sequence[str]], separators: Separators, *, suffix: str = "") -> str:
    """Fresh segments as text, each with its terminator and `suffix` behind it; trailing empty elements are left out.

    Raises FormatError (`unwritable`) for data that holds a separator: X12 knows no escape, and dropping a character of
    somebody's name or number is nobody's decision but theirs. ISA11 and ISA16 are separators themselves.
    """
    forbidden = {separators.element, separators.segment, separators.component, separators.repetition} - _NOTHING
    written: list[str] = []
    for segment in segments:
        tag = segment[0]
        values = list(segment)
        while len(values) > 1 and not values[-1]:
            values.pop()
        for place, value in enumerate(values):
            if tag == "ISA" and place in (11, 16):
                continue
            for char in value:
                if char in forbidden or char in "\r\n":
                    shown = f"U+{ord(char):04X}" if ord(char) < 33 else f'"{char}"'
                    problem = f"{tag}{place:02d} holds {shown}, which separates data here"
                    raise FormatError("unwritable", problem)
        written.append(separators.element.join(values) + separators.segment + suffix)
    return "".join(written)


def _object(node: ReadTree, what: str) -> Mapping[str, ReadTree]:
    if not isinstance(node, Mapping):
        raise FormatError("unwritable", f"{what} must be an object")
    return node


def _list(node: ReadTree, what: str) -> Sequence[ReadTree]:
    if not isinstance(node, list | tuple):
        raise FormatError("unwritable", f"{what} must be a list")
    return node


def _text(node: ReadTree, what: str) -> str:
    if not isinstance(node, str):
        raise FormatError("unwritable", f"{what} must be text")
    return node
