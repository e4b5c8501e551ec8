"""UN/EDIFACT as it comes: bytes to segments (ISO 9735, syntax versions 1 to 4).

The separators are those of the UNA, else the standard's; a file without UNA that uses others shows them around its UNB
and UNH. What partners send is tolerated where its meaning is plain: a byte order mark, white space and foreign lines
before the UNB, line breaks between segments, several interchanges in a file (each with a UNA of its own, or none), a
missing trailer. What a release character protects stays protected until a component is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.formats.tree import FormatError, position_at
from hub.formats.x12 import CHARSETS, MAX_ELEMENTS, MAX_SEGMENTS, Document, RawInterchange, Segment
from hub.formats.x12 import Separators as X12Separators

MAX_BYTES = 32 * 1024 * 1024
_BLANK = " \t\r\n\v\f\x00\x1a\xa0\ufeff"
_JUNK = 4_000
"""Characters before the first UNA or UNB that are looked over."""
_BEGIN = re.compile(r"UNA(?=.{5,6}\s*UNB)|UNB(?=[^A-Za-z0-9 \r\n])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Separators:
    """`release` and `repetition` may be empty: none."""

    element: str = "+"
    component: str = ":"
    segment: str = "'"
    repetition: str = ""
    decimal: str = "."
    release: str = "?"

    def split(self, text: str, separator: str) -> list[str]:
        """Cut at a separator that no release character protects; the parts keep their release characters."""
        if not separator:
            return [text]
        parts = text.split(separator)
        if not self.release or self.release not in text:
            return parts
        joined: list[str] = []
        open_part = ""
        for part in parts:
            whole = open_part + part
            if _protects(whole, self.release):
                open_part = whole + separator
            else:
                joined.append(whole)
                open_part = ""
        return [*joined, open_part] if open_part else joined

    def plain(self, text: str) -> str:
        """Without release characters."""
        if not self.release or self.release not in text:
            return text
        made: list[str] = []
        protected = False
        for char in text:
            if char == self.release and not protected:
                protected = True
                continue
            made.append(char)
            protected = False
        return "".join(made)

    def components(self, element: str) -> list[str]:
        """The parts of a composite as they are meant, without blanks around them."""
        return [self.plain(part).strip() for part in self.split(element, self.component)]

    def protected(self, text: str) -> str:
        """Text as it is written: what separates here is released. Raises FormatError where there is no release."""
        special = {self.element, self.component, self.segment, self.repetition, self.release} - {"", " "}
        if not any(char in special for char in text):
            return text
        if not self.release:
            raise FormatError("unwritable", f"{text[:35]!r} holds a separator, and nothing releases it")
        return "".join(f"{self.release}{char}" if char in special else char for char in text)


def _protects(text: str, release: str) -> bool:
    """The text ends in an odd number of release characters."""
    return (len(text) - len(text.rstrip(release))) % 2 == 1


@dataclass(slots=True)
class EdifactRaw(RawInterchange):
    """The segments from a UNB up to its UNZ. `una` is the service string advice, where there is one."""

    una: str = ""
    syntax: Separators = field(default_factory=Separators)

    def elements(self, segment: Segment) -> list[str]:
        """Tag and elements; composites are not cut."""
        parts = self.syntax.split(segment.text.replace("\r", "").replace("\n", ""), self.syntax.element)
        if len(parts) > MAX_ELEMENTS:
            raise FormatError("too_large", f"segment {segment.number} has more than {MAX_ELEMENTS} elements")
        # A tag may carry how often its loop was repeated ("LIN:1").
        parts[0] = self.syntax.split(parts[0], self.syntax.component)[0].strip().upper()
        return parts


def is_edifact(body: bytes) -> bool:
    """The bytes look like EDIFACT: an UNA or UNB stands before any ISA."""
    head = body[:_JUNK].decode("latin-1")
    found = _BEGIN.search(head)
    return found is not None and "ISA" not in head[: found.start()]


def read(body: bytes, *, charset: str | None = None) -> Document:
    """Cut a file into segments. Raises FormatError with the byte offset where there is one."""
    if len(body) > MAX_BYTES:
        raise FormatError("too_large", f"the body has {len(body)} bytes, at most {MAX_BYTES} are read")
    name, text = _decoded(body, charset)
    found = _BEGIN.search(text[:_JUNK])
    if found is None:
        problem = "no UNA or UNB segment is where an interchange begins" if text.strip(_BLANK) else "the file is empty"
        raise FormatError("syntax", problem, position_at(body, 0))
    at, number, lead = found.start(), 0, text[: found.start()]
    interchanges: list[RawInterchange] = []
    while at < len(text):
        begin = at
        una, separators, at = _service(text, at)
        lead += text[begin:at]
        raw = EdifactRaw(_flat(separators), una=una, syntax=separators)
        at, number, lead = _cut(raw, text, at, number, lead)
        interchanges.append(raw)
        following = _BEGIN.search(text, at)
        if following is None:
            break
        lead, at = lead + text[at : following.start()], following.start()
    return Document(name, interchanges, lead + text[at:], text)


def _flat(separators: Separators) -> X12Separators:
    return X12Separators(separators.element, separators.component, separators.segment, separators.repetition)


def _decoded(body: bytes, charset: str | None) -> tuple[str, str]:
    if charset is not None and charset not in CHARSETS:
        raise FormatError("option", f"the charset {charset!r} is none of {', '.join(CHARSETS)}")
    try:
        name = charset or "utf-8"
        return name, body.decode(CHARSETS[name])
    except UnicodeDecodeError as error:
        if charset is None:
            return "latin-1", body.decode("iso-8859-1")
        problem = f"byte 0x{body[error.start]:02x} is no {charset}"
        raise FormatError("encoding", problem, position_at(body, error.start)) from None


def _service(text: str, at: int) -> tuple[str, Separators, int]:
    """The UNA, what it says, and where the UNB begins."""
    if not text.startswith("UNA", at):
        return "", _guessed(text, at), at
    unb = text.index("UNB", at + 3)
    una = text[at:unb]
    said = una[3:9].ljust(6)
    component, element, decimal, release, repetition, terminator = list(said)
    if len(una.rstrip(_BLANK)) < 9 and una.rstrip(_BLANK)[-1:] not in ("'", "~"):  # the terminator is a line break
        terminator = said[5] if said[5] in "\r\n" else "\n"
    if (
        element == component
        or element in _BLANK
        or component in _BLANK
        or element.isalnum()
        or terminator in (" ", element, component, "")
    ):
        raise FormatError("separators", f"the UNA says {said!r}, which separates nothing", position_at(b"", 0))
    taken = {component, element, release, terminator}
    repeats = "" if repetition in (" ", "") or repetition in taken else repetition
    return una, Separators(element, component, terminator, repeats, decimal, "" if release == " " else release), unb


def _guessed(text: str, at: int) -> Separators:
    """Without a UNA: the standard's, unless UNB and UNH are separated otherwise."""
    element = text[at + 3]
    syntax = text[at + 4 : at + 12]
    component = next((char for char in syntax if not char.isalnum() and char != element), ":")
    if (element, component) == ("+", ":") and "'" in text[at : at + 500]:
        return Separators(repetition="*" if f"{component}4" in syntax else "")
    following = re.compile(rf"UN[HG](?={re.escape(element)})").search(text, at, at + 1_000)
    before = text[at : following.start()].rstrip(" \t") if following is not None else ""
    terminator = before.rstrip("\r\n")[-1:] if before else "'"
    if before and (terminator.isalnum() or terminator == element):
        terminator = before[-1]
    return Separators(element, component, terminator or "'", release="" if element == "\x1d" else "?")


def _cut(raw: EdifactRaw, text: str, at: int, number: int, lead: str) -> tuple[int, int, str]:
    """Fill in the segments of one interchange; where it ends, the last number, what stands behind."""
    separators = raw.syntax
    terminator, element = separators.segment, separators.element
    while at < len(text):
        begin = at
        while begin < len(text) and text[begin] in _BLANK and text[begin] != terminator:
            begin += 1
        if begin >= len(text):
            return at, number, lead
        if raw.segments and _BEGIN.match(text, begin) is not None:
            return at, number, lead  # the next interchange, and this one had no UNZ
        stop = _stop(text, begin, separators)
        end = stop if stop >= 0 else len(text)
        number += 1
        if number > MAX_SEGMENTS:
            raise FormatError("too_large", f"the file has more than {MAX_SEGMENTS} segments")
        piece = text[begin:end]
        raw.segments.append(Segment(lead + text[at:begin], piece, stop >= 0, number, begin))
        lead, at = "", end + 1
        if piece.startswith(("UNZ" + element, "UNZ" + separators.component)) or piece == "UNZ":
            return min(at, len(text)), number, lead
    return min(at, len(text)), number, lead


def _stop(text: str, begin: int, separators: Separators) -> int:
    """Where the terminator stands that nothing releases; -1: nowhere."""
    at = begin
    while (stop := text.find(separators.segment, at)) >= 0:
        if not separators.release or not _protects(text[max(begin, stop - 64) : stop], separators.release):
            return stop
        at = stop + 1
    return -1


def write_segments(segments: Sequence[Sequence[str]], separators: Separators, *, suffix: str = "") -> str:
    """Segments whose elements are composed and released already, as text; empty elements at the end are left out."""
    written: list[str] = []
    for segment in segments:
        values = list(segment)
        while len(values) > 1 and not values[-1]:
            values.pop()
        if any("\r" in value or "\n" in value for value in values):
            raise FormatError("unwritable", f"{values[0]} holds a line break")
        written.append(separators.element.join(values) + separators.segment + suffix)
    return "".join(written)
