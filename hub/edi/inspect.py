"""What is in a file of interchanges, and what does not agree: for people, before or after anything took it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.formats.edi_files import opened, records
from hub.formats.edifact import EdifactRaw
from hub.formats.x12 import RawInterchange
from hub.formats.x12_envelope import Finding, Group, Interchange, TransactionSet
from hub.formats.x12_sets import set_definitions

MAX_SHOWN = 1_000
"""Findings that are shown of one file."""


def inspected(body: bytes, charset: str | None = None) -> dict[str, Any]:
    """`interchanges` with their groups and sets, `findings` in the order of the file. Raises FormatError for what is no
    interchange at all."""
    document, found = opened(body, charset)
    records(found)  # adds what is found inside of the sets
    said = [_interchange(interchange, raw) for interchange, raw in zip(found, document.interchanges, strict=True)]
    findings = [one for interchange in found for one in _findings(interchange)]
    findings.sort(key=lambda one: (one["segment"], one["offset"]))
    return {
        "standard": found[0].standard if found else "",
        "charset": document.charset,
        "bytes": len(body),
        "segments": sum(len(raw.segments) for raw in document.interchanges),
        "interchanges": said,
        "findings": findings[:MAX_SHOWN],
    }


def _interchange(interchange: Interchange, raw: RawInterchange) -> dict[str, Any]:
    sent = interchange.sent
    return {
        "position": interchange.position,
        "control": interchange.control,
        "sender": _party(interchange.sender),
        "receiver": _party(interchange.receiver),
        "sent": " ".join(part for part in sent if part),
        "version": interchange.version,
        "test": interchange.usage == "T",
        "wants_report": interchange.wants_report,
        "complete": interchange.trailer is not None,
        "separators": _separators(raw),
        "reports": [" ".join(report.values[1:]) for report in interchange.reports],
        "groups": [_group(interchange, group) for group in interchange.groups],
    }


def _party(party: tuple[str, str]) -> str:
    return "/".join(part for part in party if part)


def _separators(raw: RawInterchange) -> dict[str, str]:
    separators = raw.syntax if isinstance(raw, EdifactRaw) else raw.separators
    found = {
        "element": separators.element,
        "component": separators.component,
        "repetition": separators.repetition,
        "segment": separators.segment,
    }
    if isinstance(raw, EdifactRaw):
        found |= {"release": raw.syntax.release, "decimal": raw.syntax.decimal}
    return {name: shown(char) for name, char in found.items()}


def shown(char: str) -> str:
    """A separator as a person can read it."""
    if not char:
        return "none"
    names = {"\n": "LF", "\r": "CR", "\t": "TAB", " ": "space"}
    return names.get(char, char if char.isprintable() else f"0x{ord(char):02X}")


def _group(interchange: Interchange, group: Group) -> dict[str, Any]:
    named = group.header is not None
    return {
        "position": group.position,
        "functional_id": group.get(1) if named else "",
        "control": group.control if named else "",
        "version": group.get(8) if named and interchange.standard == "x12" else "",
        "sets": [_set(one) for one in group.sets],
    }


def _set(one: TransactionSet) -> dict[str, Any]:
    definition = set_definitions().get(one.id)
    rejects = any(finding.rejects for finding in one.findings)
    return {
        "position": one.position,
        "id": one.id,
        "title": definition.title if definition is not None else "",
        "control": one.control,
        "version": one.version,
        "segments": len(one.segments),
        "verdict": "rejected" if rejects else "errors" if one.findings else "good",
    }


def _findings(interchange: Interchange) -> list[dict[str, Any]]:
    found = [_finding(one, interchange.position) for one in interchange.findings]
    for group in interchange.groups:
        found += [_finding(one, group.position) for one in group.findings]
        for one in group.sets:
            found += [_finding(finding, one.position) for finding in one.findings]
    return found


def _finding(finding: Finding, position: str) -> dict[str, Any]:
    element = f"{finding.tag}{finding.element:02d}" if finding.element else finding.tag
    return {
        "position": position,
        "code": finding.code,
        "message": finding.message,
        "segment": finding.segment,
        "in_set": finding.in_set,
        "offset": finding.offset,
        "at": element,
        "rejects": finding.rejects,
    }


def lines_of(seen: dict[str, Any]) -> Sequence[str]:
    """For a terminal: a line an interchange, group and set, each finding under what it is about."""
    by_place: dict[str, list[dict[str, Any]]] = {}
    for finding in seen["findings"]:
        by_place.setdefault(finding["position"], []).append(finding)
    made: list[str] = []
    for one in seen["interchanges"]:
        flags = [flag for flag, on in (("test", one["test"]), ("asks for a report", one["wants_report"])) if on]
        told = [f"interchange {one['control'] or 'without a number'}", f"{one['sender']} -> {one['receiver']}"]
        made.append("  ".join([*told, one["sent"], one["version"], *flags]).rstrip())
        made.append("  separators  " + "  ".join(f"{name} {char}" for name, char in one["separators"].items()))
        made += [f"  TA1 {report}" for report in one["reports"]]
        made += _said(by_place, one["position"], 2)
        for group in one["groups"]:
            if group["functional_id"] or group["control"]:
                made.append(f"  group {group['functional_id']} {group['control']}  {group['version']}".rstrip())
            made += _said(by_place, group["position"], 4)
            for inner in group["sets"]:
                title = inner["title"] or "not described here"
                named = " ".join(part for part in (inner["id"] or "?", inner["control"], inner["version"]) if part)
                made.append(f"    {named}  {title}, {inner['segments']} segments: {inner['verdict']}")
                made += _said(by_place, inner["position"], 6)
    return made


def _said(by_place: dict[str, list[dict[str, Any]]], position: str, indent: int) -> list[str]:
    return [f"{' ' * indent}{where(one)}: {one['message']} ({one['code']})" for one in by_place.get(position, ())]


def where(finding: dict[str, Any]) -> str:
    """Segment and byte in the file, the segment in its set, the element."""
    inside = f", {finding['in_set']} of its set" if finding["in_set"] else ""
    at = f" {finding['at']}" if finding["at"] else ""
    return f"segment {finding['segment']}{at} (byte {finding['offset']}{inside})"
