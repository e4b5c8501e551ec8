"""EDIFACT messages as data: what :mod:`hub.formats.x12_sets` does, with composites.

Every element is named by its place and that of its component: what stands first in the second element of BGM is
``BGM0201``. Of a repeated element the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.formats.edifact import Separators
from hub.formats.edifact_envelope import EdifactRead
from hub.formats.tree import FormatError, ReadTree, Tree
from hub.formats.x12_envelope import Read
from hub.formats.x12_sets import NUMBER, SetDefinition, SetReader, SetWriter, element_text, set_definitions


class MessageReader(SetReader):
    """Nests the segments of an EDIFACT message; an element is named by its place and that of its component."""

    def item(self, read: Read, number: int) -> dict[str, Tree]:
        assert isinstance(read, EdifactRead)
        item: dict[str, Tree] = {}
        for place, element in enumerate(read.values[1:], start=1):
            if not element:
                continue
            repeated = read.syntax.split(element, read.syntax.repetition)[0]
            for inner, part in enumerate(read.syntax.components(repeated), start=1):
                if part:
                    item[f"{read.tag}{place:02d}{inner:02d}"] = part
        self._check_message(read, item, number)
        return item

    def _check_message(self, read: Read, item: Mapping[str, Tree], number: int) -> None:
        definition, tag = self.definition, read.tag
        for place in definition.elements.get(tag, ()):
            name = f"{tag}{place:04d}"
            if name not in item:
                self.found(
                    "missing_element", f"{name} is empty", read, number, place // 100, name in definition.identity
                )
        for name in definition.numbers:
            value = item.get(name)
            if isinstance(value, str) and not NUMBER.match(value.replace(",", ".")):
                self.found("no_number", f"{name} is no number", read, number, int(name[3:5]))


def message_segments(set_id: str, tree: ReadTree, separators: Separators) -> list[list[str]]:
    """As :func:`set_segments` for an EDIFACT message, without UNH and UNT: elements are composed and released."""
    definition = set_definitions().get(set_id)
    if definition is None or definition.group:
        raise FormatError("unwritable", f"the message {set_id} is not described")
    if not isinstance(tree, Mapping):
        raise FormatError("unwritable", "a message is an object of its segments")
    return list(MessageWriter(definition, separators).loop(definition.root, tree, ""))


class MessageWriter(SetWriter):
    digits = 4
    """Of an element's name: its place and that of its component."""

    def __init__(self, definition: SetDefinition, separators: Separators) -> None:
        super().__init__(definition)
        self._separators = separators

    def segment(self, tag: str, item: Mapping[str, ReadTree]) -> list[str]:
        values: dict[int, dict[int, str]] = {}
        for name, value in item.items():
            if self.is_element(name, tag) and value is not None:
                place = name[len(tag) :]
                values.setdefault(int(place[:2]), {})[int(place[2:])] = self._separators.protected(
                    element_text(name, value)
                )
        return [tag, *(self._composed(values.get(place, {})) for place in range(1, max(values, default=0) + 1))]

    def _composed(self, parts: Mapping[int, str]) -> str:
        last = max((place for place, value in parts.items() if value), default=0)
        return self._separators.component.join(parts.get(place, "") for place in range(1, last + 1))
