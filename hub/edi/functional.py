"""What is told of a group that was received: the canonical record of a functional acknowledgement (997).

A 997 speaks of syntax only: whether the sets could be read as what they claim to be. What becomes of an order is said
by other documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.edi.partners import ACKNOWLEDGEMENTS
from hub.formats.x12_envelope import Finding, Group, TransactionSet

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
        "verdict": verdict,
        "errors": list(dict.fromkeys(errors)),
        "segments": _segments(inside),
    }
    return {name: value for name, value in record.items() if value != ""}


def _is_inside(finding: Finding) -> bool:
    """About a segment of the set, not about its header or trailer."""
    return finding.in_set > 0 and finding.tag not in ("ST", "SE")


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
