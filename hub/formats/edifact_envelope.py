"""Interchanges, groups and messages of an EDIFACT file, and everything about them that does not agree.

The parts are those of :mod:`hub.formats.x12_envelope`: a message is a transaction set, and nothing is repaired. Codes
of findings are the same; what they are in a CONTRL (data element 0085) is the mapping's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.formats.edifact import EdifactRaw, Separators
from hub.formats.x12 import Document, Segment
from hub.formats.x12_envelope import Group, Interchange, Read, TransactionSet, note, number_in


@dataclass(frozen=True, slots=True)
class EdifactRead(Read):
    """A segment; its elements are composites that keep their release characters."""

    syntax: Separators = field(default_factory=Separators)

    def component(self, element: int, part: int = 1) -> str:
        """The part of a composite, counted from 1; empty where there is none."""
        if element >= len(self.values):
            return ""
        parts = self.syntax.components(self.values[element])
        return parts[part - 1] if part <= len(parts) else ""


@dataclass(slots=True)
class Message(TransactionSet):
    @property
    def _header(self) -> EdifactRead:
        header = self.segments[0]
        assert isinstance(header, EdifactRead)
        return header

    @property
    def id(self) -> str:
        return self._header.component(2)

    @property
    def control(self) -> str:
        return self._header.component(1)

    @property
    def version(self) -> str:
        """As UNH says it: D:96A:UN:EAN008."""
        return ":".join(text for part in range(2, 6) if (text := self._header.component(2, part)))


@dataclass(slots=True)
class EdifactGroup(Group):
    def get(self, element: int) -> str:
        return self.header.component(element) if isinstance(self.header, EdifactRead) else ""

    @property
    def control(self) -> str:
        return self.get(5)


@dataclass(slots=True)
class EdifactInterchange(Interchange):
    def _part(self, element: int, part: int = 1) -> str:
        return self.header.component(element, part) if isinstance(self.header, EdifactRead) else ""

    @property
    def standard(self) -> str:
        return "edifact"

    @property
    def sender(self) -> tuple[str, str]:
        return self._part(2, 2), self._part(2)

    @property
    def receiver(self) -> tuple[str, str]:
        return self._part(3, 2), self._part(3)

    @property
    def control(self) -> str:
        return self._part(5)

    @property
    def version(self) -> str:
        return ":".join(text for part in (1, 2) if (text := self._part(1, part)))

    @property
    def sent(self) -> tuple[str, str]:
        return self._part(4), self._part(4, 2)

    @property
    def usage(self) -> str:
        return "T" if self._part(11) == "1" else "P"

    @property
    def wants_report(self) -> bool:
        return self._part(9) == "1"


def interchanges(document: Document) -> list[EdifactInterchange]:
    """Everything in the file, in order."""
    return [
        _Walk(document, raw, f"unb.{number}").run()
        for number, raw in enumerate(document.interchanges, start=1)
        if isinstance(raw, EdifactRaw)
    ]


class _Walk:
    """Goes through the segments of one interchange."""

    def __init__(self, document: Document, raw: EdifactRaw, position: str) -> None:
        self._raw, self._document = raw, document
        header = self._read(raw.segments[0])
        self._here = EdifactInterchange(position, header, raw.separators)
        self._group: Group | None = None
        self._message: Message | None = None
        self._controls: set[str] = set()
        self._last = header

    def run(self) -> EdifactInterchange:
        for segment in self._raw.segments[1:]:
            read = self._read(segment)
            if len(read.values) == 1 and not read.tag:
                note(self._here.findings, "empty_segment", "a terminator follows a terminator", read)
                continue
            self._step(read)
            self._last = read
        self._end()
        return self._here

    def _read(self, segment: Segment) -> EdifactRead:
        offset = self._document.byte_offset(segment.offset)
        return EdifactRead(self._raw.elements(segment), segment.number, offset, segment.closed, self._raw.syntax)

    def _step(self, read: EdifactRead) -> None:
        tag = read.tag
        if tag == "UNH":
            self._open_message(read)
        elif tag == "UNT":
            self._close_message(read)
        elif tag == "UNG":
            self._leave_group(read)
            self._group = EdifactGroup(f"{self._here.position}.ung.{len(self._here.groups) + 1}", read)
            self._here.groups.append(self._group)
        elif tag == "UNE":
            self._close_group(read)
        elif tag == "UNZ":
            self._leave_group(read)
            self._check(read)
        elif self._message is not None:
            self._message.segments.append(read)
        else:
            note(self._here.findings, "stray_segment", f"{tag or 'text'} belongs to no message", read)

    def _open_message(self, read: EdifactRead) -> None:
        self._leave_message(read)
        if self._group is None:
            self._group = EdifactGroup(f"{self._here.position}.ung.{len(self._here.groups) + 1}", None)
            self._here.groups.append(self._group)
        group = self._group
        self._message = Message(f"{group.position}.unh.{len(group.sets) + 1}", [read])
        if self._message.control in self._controls:
            message = f"the reference {self._message.control} stands twice in its interchange"
            note(self._message.findings, "set_control_repeated", message, read, element=1)
        self._controls.add(self._message.control)
        group.sets.append(self._message)

    def _close_message(self, read: EdifactRead) -> None:
        here = self._message
        if here is None:
            note(self._here.findings, "stray_segment", "a UNT closes no message", read)
            return
        here.segments.append(read)
        self._message = None
        count = len(here.segments)
        if number_in(read.component(1)) != count:
            said = f"UNT says {read.component(1) or 'nothing'}, the message has {count} segments"
            note(here.findings, "set_count", said, read, element=1, in_set=count)
        if read.component(2) != here.control:
            said = f"the reference in UNT is {read.component(2) or 'empty'}, in UNH {here.control or 'empty'}"
            note(here.findings, "set_control", said, read, element=2, in_set=count)

    def _leave_message(self, read: EdifactRead) -> None:
        if self._message is not None:
            said = f"the message {self._message.control} has no UNT before {read.tag}"
            note(self._message.findings, "no_se", said, read)
            self._message = None

    def _close_group(self, read: EdifactRead) -> None:
        self._leave_message(read)
        group, self._group = self._group, None
        if group is None or group.header is None:
            note(self._here.findings, "stray_segment", "a UNE closes no group", read)
            return
        group.trailer = read
        if number_in(read.component(1)) != len(group.sets):
            said = f"UNE says {read.component(1) or 'nothing'}, the group has {len(group.sets)} messages"
            note(group.findings, "group_count", said, read, element=1)
        if read.component(2) != group.control:
            said = f"the reference in UNE is {read.component(2) or 'empty'}, in UNG {group.control or 'empty'}"
            note(group.findings, "group_control", said, read, element=2)

    def _leave_group(self, read: EdifactRead) -> None:
        self._leave_message(read)
        if self._group is not None and self._group.header is not None:
            said = f"the group {self._group.control} has no UNE before {read.tag}"
            note(self._group.findings, "no_ge", said, read)
        self._group = None

    def _check(self, read: EdifactRead) -> None:
        here = self._here
        here.trailer = read
        groups = [group for group in here.groups if group.header is not None]
        count = len(groups) if groups else sum(len(group.sets) for group in here.groups)
        what = "groups" if groups else "messages"
        if number_in(read.component(1)) != count:
            said = f"UNZ says {read.component(1) or 'nothing'}, the interchange has {count} {what}"
            note(here.findings, "interchange_count", said, read, element=1)
        if read.component(2) != here.control:
            said = f"the reference in UNZ is {read.component(2) or 'empty'}, in UNB {here.control or 'empty'}"
            note(here.findings, "interchange_control", said, read, element=2)

    def _end(self) -> None:
        last = self._last
        if self._message is not None:
            self._message.complete = False
            said = (
                f"the message {self._message.control} ends with the file, without a UNT: it may be only its beginning"
            )
            note(self._message.findings, "cut_off", said, last, rejects=True)
        if self._here.trailer is None:
            said = f"the interchange {self._here.control} has no UNZ"
            note(self._here.findings, "no_iea", said, last)
