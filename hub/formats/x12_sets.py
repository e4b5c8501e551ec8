"""Transaction sets as data: which segment begins which loop, so that a set is a nested tree, and back.

One YAML file a set under sets/x12, a subset of what the standard allows: enough to know where a segment belongs. What
no file names still has its place, in the loop in which it stands. Elements are named as everybody names them
(``BEG03``), empty ones are absent, loops and repeating segments are lists.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any

import yaml

from hub.formats.tree import FormatError, ReadTree, Tree
from hub.formats.x12 import Separators
from hub.formats.x12_envelope import Finding, Group, Interchange, Read, TransactionSet, finding_trees

MAX_LEVELS = 20
"""Depth of HL levels; the deepest in use have six."""

_SLOT = re.compile(r"([A-Z][A-Z0-9]{1,2})([!?*+])\Z")
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})\Z")
_DATE = re.compile(r"(?:[0-9]{2})?[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])\Z")


@dataclass(frozen=True, slots=True)
class Slot:
    """A segment's place in a loop. `loop` is set where it begins one."""

    tag: str
    many: bool
    required: bool
    loop: "Loop | None" = None


@dataclass(frozen=True)
class Loop:
    """Slots in the order of the standard. `key` is the element that names an occurrence; `levels`: occurrences are
    nested by HL01 and HL02."""

    slots: Mapping[str, Slot] = field(default_factory=dict)
    key: str = ""
    levels: bool = False

    @cached_property
    def watched(self) -> tuple[Slot, ...]:
        """Slots that are required or begin a loop."""
        return tuple(slot for slot in self.slots.values() if slot.required or slot.loop is not None)


@dataclass(frozen=True)
class SetDefinition:
    """A transaction set. `group` is its functional identifier code (GS01)."""

    id: str
    title: str
    group: str
    root: Loop
    elements: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    identity: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    pairs: Mapping[str, int] = field(default_factory=dict)
    composites: frozenset[str] = frozenset()

    @cached_property
    def checked(self) -> frozenset[str]:
        """Tags of segments of which something is demanded."""
        return frozenset([*self.elements, *(name[:-2] for name in (*self.numbers, *self.dates))])


_UNKNOWN = SetDefinition("", "", "", Loop())


@cache
def set_definitions() -> Mapping[str, SetDefinition]:
    """All sets that are described, by identifier."""
    folders = [resources.files("hub.formats").joinpath("sets", name) for name in ("x12", "edifact")]
    files = [file for folder in folders for file in folder.iterdir() if file.name.endswith(".yaml")]
    found = [_definition(_yaml(file.read_text("utf-8"))) for file in files]
    return {one.id: one for one in sorted(found, key=lambda one: one.id)}


def definition_of(set_id: str) -> SetDefinition:
    """The description of a set; of one that nobody described, one that knows no loops."""
    return set_definitions().get(set_id, _UNKNOWN)


def _yaml(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _definition(raw: Mapping[str, Any]) -> SetDefinition:
    return SetDefinition(
        id=str(raw["set"]),
        title=str(raw["title"]),
        group=str(raw["group"]),
        root=_loop(raw, skip=0),
        elements={tag: tuple(numbers) for tag, numbers in raw.get("elements", {}).items()},
        identity=frozenset(raw.get("identity", ())),
        numbers=frozenset(raw.get("numbers", ())),
        dates=frozenset(raw.get("dates", ())),
        pairs=dict(raw.get("pairs", {})),
        composites=frozenset(raw.get("composites", ())),
    )


def _loop(raw: Mapping[str, Any], *, skip: int) -> Loop:
    slots: dict[str, Slot] = {}
    entries = raw["segments"].split() if isinstance(raw["segments"], str) else raw["segments"]
    for entry in entries[skip:]:
        slot = _slot(entry)
        if slot.tag in slots:
            raise ValueError(f"{slot.tag} stands twice in one loop of the set")
        slots[slot.tag] = slot
    return Loop(slots, key=str(raw.get("key", "")), levels=bool(raw.get("levels", False)))


def _slot(entry: Any) -> Slot:
    if isinstance(entry, str):
        match = _SLOT.match(entry)
        if match is None:
            raise ValueError(f"{entry!r} is no segment with a sign")
        return Slot(match[1], match[2] in "*+", match[2] in "!+")
    return Slot(str(entry["loop"]), not entry.get("once"), bool(entry.get("required")), _loop(entry, skip=1))


# --- reading --------------------------------------------------------------------------------------------------------


def set_tree(
    interchange: Interchange, group: Group, one: TransactionSet, make: "type[SetReader] | None" = None
) -> dict[str, Tree]:
    """A transaction set as a tree: ``envelope`` and ``set`` say where it comes from, its segments follow nested, and
    ``findings`` where something does not agree. The findings are added to those of the set. `make`: what reads its
    segments, where they are not X12."""
    tree: dict[str, Tree] = {"envelope": envelope_tree(interchange, group, one), "set": _set_head(group, one)}
    reader = (make or SetReader)(definition_of(one.id), interchange.separators)
    reader.fill(tree, one)
    one.findings.extend(reader.findings)
    if one.findings:
        tree["findings"] = finding_trees(one.findings)
    return tree


def envelope_tree(interchange: Interchange, group: Group | None, one: TransactionSet | None) -> dict[str, Tree]:
    """Who sent it to whom, when, under which numbers."""
    sender, receiver, sent = interchange.sender, interchange.receiver, interchange.sent
    tree: dict[str, Tree] = {
        "sender": {"qualifier": sender[0], "id": sender[1]},
        "receiver": {"qualifier": receiver[0], "id": receiver[1]},
        "date": sent[0],
        "time": sent[1],
        "version": interchange.version,
        "control": interchange.control,
        "usage": interchange.usage,
    }
    if group is not None and interchange.standard == "x12":
        tree["group"] = {
            "functional_id": group.get(1),
            "sender": group.get(2),
            "receiver": group.get(3),
            "date": group.get(4),
            "time": group.get(5),
            "control": group.get(6),
            "version": group.get(8),
        }
    if one is not None:
        tree["position"] = one.position
    return tree


def _set_head(group: Group, one: TransactionSet) -> dict[str, Tree]:
    return {"id": one.id, "control": one.control, "version": one.version or group.get(8)}


class SetReader:
    """Nests the segments of one set."""

    def __init__(self, definition: SetDefinition, separators: Separators) -> None:
        self.definition = definition
        self._separators = separators
        self.findings: list[Finding] = []

    def fill(self, root: dict[str, Tree], one: TransactionSet) -> None:
        body = one.segments[1:]
        if body and body[-1].tag in ("SE", "UNT"):
            body = body[:-1]
        stack: list[tuple[Loop, dict[str, Tree]]] = [(self.definition.root, root)]
        for number, read in enumerate(body, start=2):
            tag = read.values[0]
            depth = len(stack) - 1
            while depth >= 0 and tag not in stack[depth][0].slots:
                depth -= 1
            item = self.item(read, number)
            if depth < 0:
                _append(stack[-1][1], tag, item)
                continue
            del stack[depth + 1 :]
            loop, node = stack[depth]
            slot = loop.slots[tag]
            if slot.many:
                _append(node, tag, item)
            elif tag in node:
                _append(node, f"{tag}_more", item)
            else:
                node[tag] = item
            if slot.loop is not None:
                if slot.loop.key:
                    item["segment"] = number
                stack.append((slot.loop, item))
        self._finish(self.definition.root, root, one.segments[-1], len(one.segments))

    def item(self, read: Read, number: int) -> dict[str, Tree]:
        values = read.values
        tag = values[0]
        item: dict[str, Tree] = {
            name: text
            for name, value in zip(_element_names(tag, len(values)), values[1:], strict=True)
            if (text := value.rstrip())
        }
        definition = self.definition
        if tag in definition.checked:
            self._check(read, item, number)
        if definition.composites and self._separators.component:
            for name in definition.composites.intersection(item):
                item[name] = [*str(item[name]).split(self._separators.component)]
        first = definition.pairs.get(tag)
        if first is not None:
            ids = _pairs(read, first)
            if ids:
                item["ids"] = ids
        return item

    def _check(self, read: Read, item: Mapping[str, Tree], number: int) -> None:
        definition, tag = self.definition, read.tag
        for place in definition.elements.get(tag, ()):
            name = f"{tag}{place:02d}"
            if name not in item:
                self.found("missing_element", f"{name} is empty", read, number, place, name in definition.identity)
        for place in range(1, len(read.values)):
            name = f"{tag}{place:02d}"
            value = item.get(name)
            if not isinstance(value, str):
                continue
            if name in definition.numbers and not NUMBER.match(value.strip()):
                self.found("no_number", f"{name} is no number", read, number, place)
            elif name in definition.dates and not _DATE.match(value.strip()):
                self.found("no_date", f"{name} is no date", read, number, place)

    def found(
        self, code: str, message: str, read: Read, number: int, element: int = 0, rejects: bool = False, tag: str = ""
    ) -> None:
        if len(self.findings) < 100:
            finding = Finding(code, message, read.number, read.offset, tag or read.tag, number, element, rejects)
            self.findings.append(finding)

    def _finish(self, loop: Loop, node: dict[str, Tree], last: Read, number: int) -> None:
        """Required segments, keys and levels of a loop and of those in it."""
        for slot in loop.watched:
            inner = node.get(slot.tag)
            if inner is None:
                if slot.required:
                    rejects = any(name.startswith(slot.tag) for name in self.definition.identity)
                    self.found("missing_segment", f"there is no {slot.tag}", last, number, 0, rejects, slot.tag)
                continue
            if slot.loop is None:
                continue
            items = [item for item in (inner if isinstance(inner, list) else [inner]) if isinstance(item, dict)]
            for item in items:
                self._finish(slot.loop, item, last, number)
            if slot.loop.key:
                _name(items, slot.loop.key)
            if slot.loop.levels:
                node[slot.tag] = self._levels(items, last, number)

    def _levels(self, items: list[dict[str, Tree]], last: Read, number: int) -> list[Tree]:
        """HL occurrences under their parents; one whose parent did not come before it stays at the top."""
        known: dict[str, tuple[dict[str, Tree], int]] = {}
        top: list[Tree] = []
        for item in items:
            parent = known.get(str(item.get("HL02", "")))
            if parent is None or parent[1] >= MAX_LEVELS:
                if item.get("HL02"):
                    self.found("no_parent", f"HL {item.get('HL01')} names a parent that is not there", last, number)
                top.append(item)
                level = 1
            else:
                _append(parent[0], "HL", item)
                level = parent[1] + 1
            known.setdefault(str(item.get("HL01", "")), (item, level))
        return top


@lru_cache(maxsize=4096)
def _element_names(tag: str, count: int) -> tuple[str, ...]:
    """What the elements of a segment are called, its tag being one of `count`."""
    return tuple(f"{tag}{place:02d}" for place in range(1, count))


def _append(node: dict[str, Tree], name: str, item: Tree) -> None:
    held = node.get(name)
    if isinstance(held, list):
        held.append(item)
    elif held is None:
        node[name] = [item]
    else:
        node[name] = [held, item]


def _pairs(read: Read, first: int) -> dict[str, Tree]:
    """Qualifiers and their values; of a qualifier that comes twice the first counts."""
    ids: dict[str, Tree] = {}
    for place in range(first, len(read.values) - 1, 2):
        qualifier, value = read.get(place).strip(), read.get(place + 1).strip()
        if qualifier and value:
            ids.setdefault(qualifier, value)
    return ids


def _name(items: Sequence[dict[str, Tree]], key: str) -> None:
    """A name of its own for each: the element's value for the first that has it, else something with its place."""
    told = [str(item.get(key, "")).strip() for item in items]
    taken = {value for value in told if value}
    count: Counter[str] = Counter()
    for number, (item, value) in enumerate(zip(items, told, strict=True), start=1):
        count[value] += 1
        name = value if value and count[value] == 1 else str(number) if not value else f"{value}#{number}"
        while (not value or count[value] > 1) and name in taken:
            name = f"#{name}"
        taken.add(name)
        item["key"] = name


# --- writing --------------------------------------------------------------------------------------------------------


def set_segments(set_id: str, tree: ReadTree) -> list[list[str]]:
    """A nested tree as segments in the order of the standard, without ST and SE; HL numbers and the counts in CTT01
    are made here. Raises FormatError (`unwritable`) for what has no place in the set."""
    definition = set_definitions().get(set_id)
    if definition is None:
        raise FormatError("unwritable", f"the transaction set {set_id} is not described")
    if not isinstance(tree, Mapping):
        raise FormatError("unwritable", "a transaction set is an object of its segments")
    writer = SetWriter(definition)
    return list(writer.loop(definition.root, tree, ""))


class SetWriter:
    digits = 2
    """Of an element's name: its place."""

    def __init__(self, definition: SetDefinition) -> None:
        self.definition = definition
        self._levels = 0

    def is_element(self, name: str, tag: str) -> bool:
        rest = name[len(tag) :]
        return bool(tag) and name.startswith(tag) and len(rest) == self.digits and rest.isdigit() and rest[:2] != "00"

    def loop(self, loop: Loop, node: Mapping[str, ReadTree], own: str) -> Iterator[list[str]]:
        children = {name for name in node if not self.is_element(name, own)}
        unknown = sorted(children - set(loop.slots) - {"ids", "key", "segment"})
        if unknown:
            where = f"the loop {own}" if own else f"the set {self.definition.id}"
            raise FormatError("unwritable", f"{unknown[0]} has no place in {where}")
        for slot in loop.slots.values():
            inner = node.get(slot.tag)
            items = list(inner) if isinstance(inner, list | tuple) else [] if inner is None else [inner]
            if not slot.many and len(items) > 1:
                raise FormatError("unwritable", f"{slot.tag} stands at most once there")
            if slot.required and not items:
                raise FormatError("unwritable", f"{slot.tag} is missing")
            for item in items:
                yield from self._one(slot, item, "")

    def _one(self, slot: Slot, item: ReadTree, parent: str) -> Iterator[list[str]]:
        if not isinstance(item, Mapping):
            raise FormatError("unwritable", f"{slot.tag} must be an object of its elements")
        if slot.loop is None:
            unknown = [name for name in item if not self.is_element(name, slot.tag)]
            if unknown:
                raise FormatError("unwritable", f"{unknown[0]} has no place in {slot.tag}")
            yield self.segment(slot.tag, item)
            return
        if not slot.loop.levels:
            yield self.segment(slot.tag, item)
            yield from self.loop(slot.loop, item, slot.tag)
            return
        yield from self._level(slot, item, parent, 1)

    def _level(self, slot: Slot, item: Mapping[str, ReadTree], parent: str, depth: int) -> Iterator[list[str]]:
        assert slot.loop is not None
        if depth > MAX_LEVELS:
            raise FormatError("unwritable", f"more than {MAX_LEVELS} levels of HL")
        self._levels += 1
        number = str(self._levels)
        below = item.get("HL")
        children = below if isinstance(below, list | tuple) else []
        head = {"HL01": number, "HL02": parent, "HL03": item.get("HL03"), "HL04": "1" if children else "0"}
        yield self.segment("HL", head)
        yield from self.loop(slot.loop, {name: value for name, value in item.items() if name != "HL"}, "HL")
        for child in children:
            if not isinstance(child, Mapping):
                raise FormatError("unwritable", "HL must be an object")
            yield from self._level(slot, child, number, depth + 1)

    def segment(self, tag: str, item: Mapping[str, ReadTree]) -> list[str]:
        values: dict[int, str] = {}
        for name, value in item.items():
            if self.is_element(name, tag) and value is not None:
                values[int(name[len(tag) :])] = element_text(name, value)
        if tag == "CTT" and 1 not in values and self._levels:
            values[1] = str(self._levels)
        last = max(values, default=0)
        return [tag, *(values.get(place, "") for place in range(1, last + 1))]


def element_text(name: str, value: ReadTree) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FormatError("unwritable", f"{name} must be text")
