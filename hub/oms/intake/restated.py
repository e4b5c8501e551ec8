"""What was edited here, met by what the channel states afterwards.

The channel states the same: the edit is its word now. It states what it stated when the edit was made: nothing has
happened. It states a third thing: a conflict, told with both values; what was decided here stands until a person
decides again.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.oms.change.change_answers import STATED_ADDRESS, drop_edit, fingerprint_of, rebase_edit
from hub.oms.desk.load import Case

CONFLICT = "conflicting-edit/"


def meet_edits(case: Case) -> None:
    """After a restate was taken over: drop the edits that the channel has made too, tell of those it contradicts."""
    edits: Mapping[str, Any] = case.order.facts.get("edits", {})
    if not edits:
        return
    for name, edit in list(edits.items()):
        line = case.order.line(name)
        said, ours = _values(case, name, line)
        theirs_alone = edit["by"] == case.order.channel and said != edit["was"]
        if (line is None or not line.added_here) and (said == ours or theirs_alone):
            drop_edit(case, name)
        elif line is not None:
            rebase_edit(case, line)
    found = conflicts(case)
    if not found:
        case.clear_exception(f"{CONFLICT}{case.order.id}", case.order.channel)
        return
    case.raise_exception(
        f"{CONFLICT}{case.order.id}",
        "conflicting_edit",
        "The channel changes what was edited here",
        "; ".join(_told(case, name) for name in found) + ".",
        "What was decided here stands. Edit the order again, or take what the channel states.",
        f"hub orders edit {case.order.id} --as-channel --reason WHY",
    )


def conflicts(case: Case) -> list[str]:
    """Names of the edits (a line's id, "ship_to") that the channel has contradicted since they were made."""
    found = []
    for name, edit in case.order.facts.get("edits", {}).items():
        line = case.order.line(name)
        if line is not None and line.added_here:
            continue
        said, ours = _values(case, name, line)
        if said not in (ours, edit["was"]):
            found.append(name)
    return found


def _values(case: Case, name: str, line: OrderLine | None) -> tuple[str, str]:
    """(what the channel states, what was decided here)."""
    if line is not None:
        return decimal_text(line.wanted), decimal_text(line.wish)
    contacts = case.contacts
    return fingerprint_of(contacts.get(STATED_ADDRESS, {})), fingerprint_of(contacts.get(name, {}))


def _told(case: Case, name: str) -> str:
    """Both values; of an address, which holds personal data, the parts that differ."""
    line = case.order.line(name)
    channel = case.order.channel
    if line is not None:
        by = case.order.facts["edits"][name]["by"]
        return (
            f"line {line.number} ({line.sku}): {decimal_text(line.wish)} here by {by},"
            f" {decimal_text(line.wanted)} at {channel}"
        )
    ours, theirs = case.contacts.get(name, {}), case.contacts.get(STATED_ADDRESS, {})
    parts = sorted(part for part in {*ours, *theirs} if ours.get(part) != theirs.get(part))
    shown = [
        f"{part} {ours.get(part) or '-'} here, {theirs.get(part) or '-'} at {channel}"
        for part in parts
        if part in _TOLD
    ]
    hidden = ", ".join(part for part in parts if part not in _TOLD)
    return "address: " + "; ".join([*shown, *([f"{hidden} as the contacts have them"] if hidden else [])])


_TOLD = ("country", "admin_area", "admin_area_code")
"""Parts of an address that do not tell who lives there."""


def stated_changes(before: Mapping[str, Any] | None, record: Mapping[str, Any]) -> list[tuple[str, Decimal, Decimal]]:
    """External line id, quantity before and now, of each line of which the source wants another quantity than before;
    nothing for a first sight."""
    if before is None:
        return []
    old, new = wanted_quantities(before), wanted_quantities(record)
    return [
        (line, old.get(line, Decimal(0)), new.get(line, Decimal(0)))
        for line in sorted({*old, *new})
        if old.get(line, Decimal(0)) != new.get(line, Decimal(0))
    ]


def wanted_quantities(record: Mapping[str, Any]) -> dict[str, Decimal]:
    """External line id -> quantity as its source wants it."""
    lines = record.get("lines") or ()
    return {
        str(line["external_line_id"]): Decimal(str(line.get("current_quantity", line.get("quantity", "0"))))
        for line in lines
    }
