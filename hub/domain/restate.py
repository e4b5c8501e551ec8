"""Merging restates of one entity: per field the newest source version that carried it wins, in any order of arrival.

A *stamp* is `(version, received_order)`: the source's version first (sorts as text), the order of receipt second, so
that of equal versions the later received wins. Every rule below takes a maximum of stamps, which is why the merge
does not depend on arrival:

- A top-level field has the value of the highest stamp that carried it. An absent field says nothing.
- Lines are keyed by `external_line_id`; each of their fields follows the same rule.
- A restate that carries `lines` is complete, unless some of them could not be read (`partial`): a line that a complete
  one does not list was removed as of its stamp. The merged view
  keeps a removed line and shows it with `current_quantity` "0"; a later restate that lists it again brings it back.
  (Shopify lists removed lines with a current quantity of zero itself; a source whose payloads carry only changed lines
  must be mapped to `order_changes`, not to restates.)
- Lines stand in the order of the newest restate that listed them, those of older ones after them.
- `highest` is the largest quantity that any restate, superseded ones included, has carried for a line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text

Stamp = tuple[str, str]
LINES = "lines"
BESIDE = frozenset({"attributes"})
"""What a source's payloads carry beside the canonical fields: its webhooks and its pages need not agree on that."""
LINE_ID = "external_line_id"
_NEVER: Stamp = ("", "")


@dataclass(frozen=True, slots=True)
class LineView:
    """What is known of one line: its fields with their stamps, and when and where a restate last listed it."""

    values: dict[str, Any]
    stamps: dict[str, Stamp]
    listed: Stamp
    position: int
    highest: str


@dataclass(frozen=True, slots=True)
class View:
    """An entity as its source stated it. `record()` is what everybody else reads."""

    values: dict[str, Any] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    lines: dict[str, LineView] = field(default_factory=dict)

    @property
    def newest(self) -> Stamp:
        """The highest stamp seen."""
        return max(self.stamps.values(), default=_NEVER)

    @property
    def highest(self) -> dict[str, str]:
        """Line id -> the highest quantity any restate carried, as decimal text."""
        return {line_id: line.highest for line_id, line in self.lines.items() if line.highest}

    def removed(self, line_id: str) -> bool:
        """A newer complete restate no longer lists the line."""
        return self.lines[line_id].listed < self.stamps.get(LINES, _NEVER)

    def record(self) -> dict[str, Any]:
        """The merged canonical record."""
        record = dict(self.values)
        if LINES in self.stamps:
            record[LINES] = [self._line(line_id) for line_id in self._order()]
        return record

    def _order(self) -> list[str]:
        by_position = sorted(self.lines, key=lambda line_id: (self.lines[line_id].position, line_id))
        return sorted(by_position, key=lambda line_id: self.lines[line_id].listed, reverse=True)

    def _line(self, line_id: str) -> dict[str, Any]:
        values = {LINE_ID: line_id, **self.lines[line_id].values}
        if self.removed(line_id):
            values["current_quantity"] = "0"
        return values


@dataclass(frozen=True, slots=True)
class Merged:
    """`changed`: the record differs from before. `newest`: no later version was merged before this one.

    `conflict`: a field of the same version already had other content (the later received has won).
    """

    view: View
    changed: bool
    newest: bool
    conflict: bool


def merge(
    previous: View | None, restate: dict[str, Any], version: str, received_order: str, *, partial: bool = False
) -> Merged:
    """Merge one restate into the view. `version` sorts as text within its source; `received_order` too. `partial`: it
    has further lines that nobody could read."""
    before = previous or View()
    stamp = (version, received_order)
    newest = before.newest <= stamp
    values, stamps = dict(before.values), dict(before.stamps)
    conflict = False
    for name, value in restate.items():
        if name == LINES:
            continue
        conflict |= _take(values, stamps, name, value, stamp)
    lines = before.lines
    if LINES in restate:
        lines, lines_conflict = _merge_lines(before.lines, restate[LINES], stamp)
        conflict |= lines_conflict
        stamps[LINES] = max(stamps.get(LINES, _NEVER), _NEVER if partial else stamp)
    view = View(values, stamps, lines)
    changed = previous is None or view.record() != before.record() or view.highest != before.highest
    return Merged(view, changed, newest, conflict)


def _merge_lines(
    before: dict[str, LineView], restated: list[dict[str, Any]], stamp: Stamp
) -> tuple[dict[str, LineView], bool]:
    lines = dict(before)
    conflict = False
    for position, restated_line in enumerate(restated):
        line_id = str(restated_line[LINE_ID])
        known = lines.get(line_id)
        values = dict(known.values) if known else {}
        stamps = dict(known.stamps) if known else {}
        for name, value in restated_line.items():
            if name != LINE_ID:
                conflict |= _take(values, stamps, name, value, stamp)
        listed, where = stamp, position
        if known and known.listed > stamp:
            listed, where = known.listed, known.position
        lines[line_id] = LineView(values, stamps, listed, where, _highest(known, restated_line))
    return lines, conflict


def _take(values: dict[str, Any], stamps: dict[str, Stamp], name: str, value: Any, stamp: Stamp) -> bool:
    """Set the field if the stamp is the newest; True if the same version carried other content."""
    known = stamps.get(name)
    same_version = known is not None and bool(stamp[0]) and known[0] == stamp[0]
    conflict = same_version and name not in BESIDE and values[name] != value
    if known is None or stamp >= known:
        values[name] = value
        stamps[name] = stamp
    return conflict


def _highest(known: LineView | None, restated_line: dict[str, Any]) -> str:
    quantities = [
        Decimal(str(restated_line[name])) for name in ("quantity", "current_quantity") if name in restated_line
    ]
    if known and known.highest:
        quantities.append(Decimal(known.highest))
    return decimal_text(max(quantities)) if quantities else ""


def view_to_json(view: View) -> tuple[dict[str, Any], dict[str, Any]]:
    """(values, versions): values hold what the source sent (personal data), versions only stamps and quantities.

    Stamps are written once each and referred to by index; fields that have the commonest stamp of their object, its
    `at`, are not listed, because most entities are restated whole.
    """
    table: dict[Stamp, int] = {}

    def index(stamp: Stamp) -> int:
        return table.setdefault(stamp, len(table))

    def pack(stamps: dict[str, Stamp], at: Stamp) -> dict[str, int]:
        return {name: index(stamp) for name, stamp in stamps.items() if stamp != at}

    newest = view.newest
    lines = {
        line_id: {
            "at": index(line.listed),
            "position": line.position,
            "highest": line.highest,
            "fields": pack(line.stamps, line.listed),
        }
        for line_id, line in view.lines.items()
    }
    versions: dict[str, Any] = {
        "at": index(newest),
        "fields": pack(view.stamps, newest),
        "complete": LINES in view.stamps,
        "lines": lines,
    }
    versions["stamps"] = [list(stamp) for stamp in table]
    values = {"values": view.values, "lines": {line_id: line.values for line_id, line in view.lines.items()}}
    return values, versions


def view_from_json(values: dict[str, Any], versions: dict[str, Any]) -> View:
    """The view that `view_to_json` took apart."""
    table: list[Stamp] = [(str(version), str(received)) for version, received in versions["stamps"]]

    def unpack(names: list[str], fields: dict[str, int], at: int) -> dict[str, Stamp]:
        return {name: table[fields.get(name, at)] for name in names}

    names = list(values["values"])
    if versions["complete"]:
        names.append(LINES)
    lines: dict[str, LineView] = {}
    for line_id, line in versions["lines"].items():
        line_values = values["lines"][line_id]
        lines[line_id] = LineView(
            line_values,
            unpack(list(line_values), line["fields"], line["at"]),
            table[line["at"]],
            line["position"],
            line["highest"],
        )
    return View(dict(values["values"]), unpack(names, versions["fields"], versions["at"]), lines)
