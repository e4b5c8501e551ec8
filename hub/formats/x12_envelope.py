"""Interchanges, functional groups and transaction sets of a file, and everything about them that does not agree.

Nothing is repaired and nothing stops at a disagreement: segments belong where they stand, and what the trailers say
otherwise is a finding with its place. Codes of findings are ours; what they are in a 997 (X12 elements 716, 718, 720,
721, 723) is hub.edi's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.formats.tree import Tree
from hub.formats.x12 import Document, RawInterchange, Segment, Separators

MAX_FINDINGS = 1_000
"""Findings that are kept of one set, group or interchange."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not agree. `segment` counts in the file from 1 and `offset` in bytes from 0; `in_set` counts
    in the transaction set, its ST being 1 (0: not in a set); `element` 0 is the segment as a whole.

    `rejects`: what it is about cannot be taken as it stands.
    """

    code: str
    message: str
    segment: int
    offset: int
    tag: str = ""
    in_set: int = 0
    element: int = 0
    rejects: bool = False

    def tree(self) -> dict[str, Tree]:
        found: dict[str, Tree] = {"code": self.code, "message": self.message, "segment": self.segment}
        found["offset"] = self.offset
        if self.element:
            found["element"] = f"{self.tag}{self.element:02d}"
        elif self.tag:
            found["tag"] = self.tag
        return found


@dataclass(frozen=True, slots=True)
class Read:
    """A segment as it is meant. `values[0]` is the tag; an element that is not there is not in the list."""

    values: list[str]
    number: int
    offset: int
    closed: bool

    @property
    def tag(self) -> str:
        return self.values[0]

    def get(self, element: int) -> str:
        """The element, without trailing blanks; empty where there is none."""
        return self.values[element].rstrip() if element < len(self.values) else ""


@dataclass(slots=True)
class TransactionSet:
    """`segments` run from ST to SE. `complete`: its end was found (its SE, or where the next thing begins)."""

    position: str
    segments: list[Read]
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True

    @property
    def id(self) -> str:
        return self.segments[0].get(1).strip()

    @property
    def control(self) -> str:
        return self.segments[0].get(2).strip()

    @property
    def version(self) -> str:
        """Where the set says it itself; that of its group counts else."""
        return ""


@dataclass(slots=True)
class Group:
    """`header` None: sets that stand in no group."""

    position: str
    header: Read | None
    sets: list[TransactionSet] = field(default_factory=list)
    trailer: Read | None = None
    findings: list[Finding] = field(default_factory=list)

    def get(self, element: int) -> str:
        """An element of the GS, without blanks around it."""
        return self.header.get(element).strip() if self.header is not None else ""

    @property
    def control(self) -> str:
        return self.get(6)


@dataclass(slots=True)
class Interchange:
    """`header` is the ISA, `reports` are the TA1 segments that stand outside of groups."""

    position: str
    header: Read
    separators: Separators
    groups: list[Group] = field(default_factory=list)
    reports: list[Read] = field(default_factory=list)
    trailer: Read | None = None
    findings: list[Finding] = field(default_factory=list)

    def get(self, element: int) -> str:
        """An element of the ISA, without the blanks that fill it up."""
        return self.header.get(element).strip()

    @property
    def standard(self) -> str:
        return "x12"

    @property
    def sender(self) -> tuple[str, str]:
        """Qualifier and id."""
        return self.get(5), self.get(6)

    @property
    def receiver(self) -> tuple[str, str]:
        return self.get(7), self.get(8)

    @property
    def control(self) -> str:
        return self.get(13)

    @property
    def version(self) -> str:
        return self.get(12)

    @property
    def sent(self) -> tuple[str, str]:
        """Date and time as they stand."""
        return self.get(9), self.get(10)

    @property
    def usage(self) -> str:
        return self.get(15)

    @property
    def wants_report(self) -> bool:
        """The sender asks to hear that the interchange arrived (ISA14: a TA1)."""
        return self.get(14) == "1"


def interchanges(document: Document) -> list[Interchange]:
    """Everything in the file, in order."""
    return [_Walk(document, raw, f"isa.{number}").run() for number, raw in enumerate(document.interchanges, start=1)]


class _Walk:
    """Goes through the segments of one interchange."""

    def __init__(self, document: Document, raw: RawInterchange, position: str) -> None:
        self._raw = raw
        self._document = document
        header = self._read(raw.segments[0])
        self._here = Interchange(position, header, raw.separators)
        self._group: Group | None = None
        self._set: TransactionSet | None = None
        self._controls: set[str] = set()
        self._last = header

    def run(self) -> Interchange:
        for segment in self._raw.segments[1:]:
            read = self._read(segment)
            if len(read.values) == 1 and not read.tag:
                if self._raw.separators.segment not in "\r\n":
                    note(self._here.findings, "empty_segment", "a terminator follows a terminator", read)
                continue
            self._step(read)
            self._last = read
        self._end()
        return self._here

    def _read(self, segment: Segment) -> Read:
        values = self._raw.elements(segment)
        return Read(values, segment.number, self._document.byte_offset(segment.offset), segment.closed)

    def _step(self, read: Read) -> None:
        tag = read.tag
        if self._here.trailer is not None:
            note(self._here.findings, "after_iea", f"{tag or 'text'} stands behind the IEA", read)
        elif tag == "ST":
            self._open_set(read)
        elif tag == "SE":
            self._close_set(read)
        elif tag == "GS":
            self._close_group(None, read)
            groups = self._here.groups
            self._group = Group(f"{self._here.position}.gs.{len(groups) + 1}", read)
            self._controls.clear()
            groups.append(self._group)
        elif tag == "GE":
            self._close_group(read, read)
        elif tag == "IEA":
            self._close_group(None, read)
            self._check_interchange(read)
        elif self._set is not None:
            self._set.segments.append(read)
        elif tag == "TA1":
            self._here.reports.append(read)
        else:
            into = self._group.findings if self._group is not None else self._here.findings
            note(into, "stray_segment", f"{tag or 'text'} belongs to no transaction set", read)

    def _open_set(self, read: Read) -> None:
        self._leave_set(read)
        if self._group is None:
            groups = self._here.groups
            self._group = Group(f"{self._here.position}.gs.{len(groups) + 1}", None)
            note(self._group.findings, "no_group", "a transaction set stands in no functional group", read)
            groups.append(self._group)
        group = self._group
        self._set = TransactionSet(f"{group.position}.st.{len(group.sets) + 1}", [read])
        if self._set.control in self._controls:
            message = f"the control number {self._set.control} stands twice in its group"
            note(self._set.findings, "set_control_repeated", message, read, element=2)
        self._controls.add(self._set.control)
        group.sets.append(self._set)

    def _close_set(self, read: Read) -> None:
        here = self._set
        if here is None:
            into = self._group.findings if self._group is not None else self._here.findings
            note(into, "stray_segment", "an SE closes no transaction set", read)
            return
        here.segments.append(read)
        self._set = None
        count = len(here.segments)
        if number_in(read.get(1)) != count:
            message = f"SE01 says {read.get(1) or 'nothing'}, the set has {count} segments"
            note(here.findings, "set_count", message, read, element=1, in_set=count)
        if read.get(2).strip() != here.control:
            message = f"SE02 is {read.get(2) or 'empty'}, ST02 is {here.control or 'empty'}"
            note(here.findings, "set_control", message, read, element=2, in_set=count)

    def _leave_set(self, read: Read) -> None:
        """Something else begins where the set should have ended: that is its end."""
        if self._set is not None:
            message = f"the set {self._set.control} has no SE before {read.tag}"
            note(self._set.findings, "no_se", message, read)
            self._set = None

    def _close_group(self, trailer: Read | None, read: Read) -> None:
        self._leave_set(read)
        group = self._group
        self._group = None
        if group is None or group.header is None:
            if trailer is not None:
                note(self._here.findings, "stray_segment", "a GE closes no group", read)
            return
        if trailer is None:
            message = f"the group {group.control} has no GE before {read.tag}"
            note(group.findings, "no_ge", message, read)
            return
        group.trailer = trailer
        if number_in(trailer.get(1)) != len(group.sets):
            message = f"GE01 says {trailer.get(1) or 'nothing'}, the group has {len(group.sets)} sets"
            note(group.findings, "group_count", message, read, element=1)
        if trailer.get(2).strip() != group.control:
            message = f"GE02 is {trailer.get(2) or 'empty'}, GS06 is {group.control or 'empty'}"
            note(group.findings, "group_control", message, read, element=2)

    def _check_interchange(self, read: Read) -> None:
        here = self._here
        here.trailer = read
        groups = sum(group.header is not None for group in here.groups)
        if number_in(read.get(1)) != groups:
            message = f"IEA01 says {read.get(1) or 'nothing'}, the interchange has {groups} groups"
            note(here.findings, "interchange_count", message, read, element=1)
        if read.get(2).strip() != here.control:
            message = f"IEA02 is {read.get(2) or 'empty'}, ISA13 is {here.control or 'empty'}"
            note(here.findings, "interchange_control", message, read, element=2)

    def _end(self) -> None:
        """The file, or this interchange of it, is over."""
        last = self._last
        if self._set is not None:
            self._set.complete = False
            message = f"the set {self._set.control} ends with the file, without an SE: it may be only its beginning"
            note(self._set.findings, "cut_off", message, last, rejects=True)
        if self._group is not None and self._group.header is not None:
            note(self._group.findings, "no_ge", f"the group {self._group.control} has no GE", last)
        if self._here.trailer is None:
            note(self._here.findings, "no_iea", f"the interchange {self._here.control} has no IEA", last)


def note(
    into: list[Finding],
    code: str,
    message: str,
    read: Read,
    *,
    element: int = 0,
    in_set: int = 0,
    rejects: bool = False,
) -> None:
    """Add what is wrong at a segment, as long as there are not too many already."""
    if len(into) < MAX_FINDINGS:
        into.append(Finding(code, message, read.number, read.offset, read.tag[:20], in_set, element, rejects))


def number_in(text: str) -> int | None:
    """A count as it stands in a trailer; None for what is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def finding_trees(findings: Sequence[Finding]) -> list[Tree]:
    return [finding.tree() for finding in findings]
