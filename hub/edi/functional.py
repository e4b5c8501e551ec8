"""What is told of what was received: the canonical record of a 997, 999, CONTRL or TA1.

They speak of syntax only: whether the sets could be read as what they claim to be. What becomes of an order is said
by other documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.edi.partners import ACKNOWLEDGEMENTS
from hub.formats.x12_envelope import Finding, Group, Interchange, TransactionSet

ACKNOWLEDGEMENT_GROUP = "FA"
MAX_TOLD = 100
"""Segments in error that one acknowledgement names."""


def is_acknowledged(group: Group) -> bool:
    """Never an acknowledgement of acknowledgements; and a group without its GS has no number to name it by."""
    if group.header is None or group.get(1) == ACKNOWLEDGEMENT_GROUP:
        return False
    return not any(one.id in ACKNOWLEDGEMENTS for one in group.sets)


def group_record(key: str, interchange: str, group: Group, refused: dict[str, str]) -> dict[str, Any]:
    """The record of one group. `refused` names the positions of sets that nothing here takes, with our code."""
    sets = [_set(one, refused.get(one.position, "")) for one in group.sets]
    verdicts = [one["verdict"] for one in sets]
    taken = sum(verdict != "rejected" for verdict in verdicts)
    errors = [finding.code for finding in group.findings]
    if not sets or not taken:
        verdict = "rejected"
    elif taken < len(sets):
        verdict = "partially_accepted"
    elif errors or "accepted_with_errors" in verdicts:
        verdict = "accepted_with_errors"
    else:
        verdict = "accepted"
    included = group.trailer.get(1).strip() if group.trailer is not None else ""
    record: dict[str, Any] = {
        "key": key,
        "interchange": interchange,
        "functional_id": group.get(1),
        "control": group.control,
        "version": group.get(8),
        "verdict": verdict,
        "included": int(included) if included.isascii() and included.isdigit() and len(included) < 7 else len(sets),
        "received": len(sets),
        "accepted": taken,
        "errors": list(dict.fromkeys(errors)),
        "sets": sets,
    }
    return {name: value for name, value in record.items() if value != ""}


def is_report(interchange: Interchange) -> bool:
    """It holds reports only, and nothing is reported of those."""
    sets = [one for group in interchange.groups for one in group.sets]
    return bool(sets) and all(one.id in ACKNOWLEDGEMENTS for one in sets)


def interchange_record(key: str, interchange: Interchange, refused: dict[str, str]) -> dict[str, Any]:
    """The record of a whole interchange, as EDIFACT acknowledges it (CONTRL)."""
    entries = [_set(one, refused.get(one.position, "")) for group in interchange.groups for one in group.sets]
    findings = [*interchange.findings, *(one for group in interchange.groups for one in group.findings)]
    errors = [finding.code for finding in findings]
    verdicts = {entry["verdict"] for entry in entries}
    if not entries or verdicts == {"rejected"}:
        verdict = "rejected"
    elif "rejected" in verdicts:
        verdict = "partially_accepted"
    else:
        verdict = "accepted_with_errors" if errors or "accepted_with_errors" in verdicts else "accepted"
    count = interchange.trailer.get(1).strip() if interchange.trailer is not None else ""
    return {
        "key": key,
        "document": "CONTRL",
        "interchange": interchange.control,
        "functional_id": "UNB",
        "control": interchange.control,
        "sender": _party(interchange.sender),
        "receiver": _party(interchange.receiver),
        "verdict": verdict,
        "included": int(count) if count.isascii() and count.isdigit() and len(count) < 7 else len(entries),
        "received": len(entries),
        "accepted": sum(entry["verdict"] != "rejected" for entry in entries),
        "errors": list(dict.fromkeys(errors)),
        "sets": entries,
    }


def report_record(key: str, interchange: Interchange) -> dict[str, Any]:
    """The record of the envelope alone: a TA1. It arrived, or it cannot be taken as it stands."""
    errors = list(dict.fromkeys(finding.code for finding in interchange.findings))
    verdict = "accepted_with_errors" if errors else "accepted"
    sent = interchange.sent
    return {
        "key": key,
        "document": "TA1",
        "interchange": interchange.control,
        "functional_id": "ISA",
        "control": interchange.control,
        "sent_date": sent[0],
        "sent_time": sent[1],
        "verdict": verdict,
        "received": len(interchange.groups),
        "accepted": len(interchange.groups),
        "errors": errors,
        "sets": [],
    }


def _party(party: tuple[str, str]) -> dict[str, str]:
    return {name: value for name, value in (("qualifier", party[0]), ("id", party[1])) if value}


def _set(one: TransactionSet, refused: str) -> dict[str, Any]:
    about_set = [finding for finding in one.findings if not _is_inside(finding)]
    inside = [finding for finding in one.findings if _is_inside(finding)]
    errors = [finding.code for finding in about_set]
    if inside:
        errors.append("segment_errors")
    if refused:
        errors.append(refused)
    if refused or any(finding.rejects for finding in one.findings):
        verdict = "rejected"
    else:
        verdict = "accepted_with_errors" if errors else "accepted"
    record: dict[str, Any] = {
        "id": one.id,
        "control": one.control,
        "version": one.version,
        "verdict": verdict,
        "errors": list(dict.fromkeys(errors)),
        "segments": _segments(inside),
    }
    return {name: value for name, value in record.items() if value != ""}


def _is_inside(finding: Finding) -> bool:
    """About a segment of the set, not about its header or trailer."""
    return finding.in_set > 0 and finding.tag not in ("ST", "SE", "UNH", "UNT")


def _segments(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """By segment, in order."""
    by_place: dict[tuple[int, str], dict[str, Any]] = {}
    for finding in findings[:MAX_TOLD]:
        entry = by_place.setdefault(
            (finding.in_set, finding.tag),
            {
                "tag": finding.tag,
                "position": finding.in_set,
                "error": finding.code if not finding.element else "element_errors",
                "elements": [],
            },
        )
        if finding.element:
            entry["elements"].append({"position": finding.element, "error": finding.code})
    return list(by_place.values())
