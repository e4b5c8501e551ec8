"""Write what a mapping makes now into the expectations of its failed tests; comments, order and spacing stay.

Only values that differ are rewritten, in the file and at the place where they stand. What nobody expected stays
unexpected, an expectation of a field that is gone is taken out. A test that expects an error and gets a record, or the
other way about, is left to a person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from hub.config.source import Plain, meaning
from hub.mapping.cases import Reader, at, run_case
from hub.mapping.definition import Spot
from hub.mapping.errors import MappingError
from hub.mapping.mapping import Mapped, Mapping
from hub.mapping.overlay import test_spots

_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Texts that readers of YAML 1.1, many editors among them, take for truth values."""

_BARE = re.compile(r"[A-Za-z+/_](?:[A-Za-z0-9 _./@+#-]*[A-Za-z0-9_/+])?\Z")


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters of a file and what stands in their stead."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of one failed test: `edits` places were rewritten, or `refused` says why a person has to do it."""

    name: str
    file: str
    line: int
    edits: int = 0
    refused: str = ""


def update_tests(mapping: Mapping, texts: dict[str, str], own: str, read: Reader) -> Iterator[Updated]:
    """Correct `texts`, the contents of files by name, for every failed test. Only tests in the file `own` are touched.

    Raises MappingFileError for a test that is badly written.
    """
    edits: list[Edit] = []
    for spot in test_spots(mapping.definition):
        result, outcome = run_case(mapping, spot, read)
        if result.passed:
            continue
        refused, found = "", []
        if result.file != own:
            refused = "it stands in the base: give a test of this name here, or skip it with a reason"
        elif isinstance(outcome, MappingError) or "expect_error" in _case(spot):
            refused = f"it needs a person: {'; '.join(result.problems)}"
        else:
            found = list(_edits(texts[own], spot, outcome))
        edits += found
        yield Updated(result.name, result.file, result.line, len(found), refused)
    texts[own] = _applied(texts.get(own, ""), edits)


def _case(spot: Spot) -> dict[str, Plain]:
    return spot.value if isinstance(spot.value, dict) else {}


def _applied(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _edits(text: str, spot: Spot, mapped: Mapped) -> Iterator[Edit]:
    case = _case(spot)
    node = _node(text, spot)
    members = {key.value: value for key, value in node.value}
    if "expect" in case:
        yield from _of_value(text, members["expect"], case["expect"], mapped.record)
    absent = case.get("expect_absent")
    if isinstance(absent, list):
        kept: list[Plain] = [path for path in absent if at(mapped.record, str(path)) is None]
        if kept != absent:
            yield _replaced(members["expect_absent"], kept)
    held: list[Plain] = [*sorted(hold.field for hold in mapped.holds)]
    wanted = case.get("expect_holds", [] if "expect" in case else list(held))
    if sorted(map(str, wanted if isinstance(wanted, list) else [])) != held:
        if "expect_holds" in members:
            yield _replaced(members["expect_holds"], held)
        else:
            end = _end(node.value[-1][1])
            before = ", " if node.flow_style else "\n" + " " * node.start_mark.column
            yield Edit(end, end, f"{before}expect_holds: {_flow(held)}")


def _node(text: str, spot: Spot) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    assert isinstance(root, yaml.MappingNode)
    node = next(value for key, value in root.value if key.value == "tests").value[spot.place[-1]]
    assert isinstance(node, yaml.MappingNode)
    return node


def _of_value(text: str, node: yaml.Node, expected: Plain, found: object) -> Iterator[Edit]:
    if isinstance(node, yaml.MappingNode) and isinstance(expected, dict) and isinstance(found, dict):
        gone = [name for name in expected if name not in found]
        if gone and (node.flow_style or len(gone) == len(expected)):
            yield _replaced(node, _as_expected(expected, found))
            return
        for key, value in node.value:
            if key.value in gone:
                start = text.rfind("\n", 0, key.start_mark.index) + 1
                yield Edit(start, text.find("\n", _end(value)) + 1 or len(text), "")
            else:
                yield from _of_value(text, value, expected[key.value], found[key.value])
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for value, one, other in zip(node.value, expected, found, strict=True):
            yield from _of_value(text, value, one, other)
    elif type(expected) is not type(found) or expected != found:
        yield _replaced(node, _as_expected(expected, found))


def _as_expected(expected: Plain, found: object) -> Plain:
    """The present value with no more of it than was expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {name: _as_expected(value, found[name]) for name, value in expected.items() if name in found}
    if isinstance(found, list):
        wanted = expected if isinstance(expected, list) else []
        return [_as_expected(wanted[n] if n < len(wanted) else None, item) for n, item in enumerate(found)]
    if isinstance(found, dict):
        return {name: _as_expected(None, value) for name, value in found.items()}
    assert found is None or isinstance(found, str | int | bool) or hasattr(found, "as_tuple")
    return found  # type: ignore[return-value]  # canonical records hold nothing else


def _replaced(node: yaml.Node, value: Plain) -> Edit:
    start, indent = node.start_mark.index, "\n" + " " * node.start_mark.column
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if block and isinstance(value, list) and value:
        return Edit(start, _end(node), indent.join(f"- {_flow(item)}" for item in value))
    if block and isinstance(value, dict) and value:
        return Edit(start, _end(node), indent.join(f"{_flow(name)}: {_flow(item)}" for name, item in value.items()))
    return Edit(start, _end(node), _flow(value))


def _end(node: yaml.Node) -> int:
    """Behind the last character of a value: PyYAML lets block collections end where the next token begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    buffer_end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return buffer_end - 1
    return buffer_end


def _flow(value: Plain) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_flow(name)}: {_flow(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        bare = bool(_BARE.match(value)) and " #" not in value and meaning(value) == value
        bare = bare and value == value.strip() and value.lower() not in _OLD_WORDS
        return value if bare else json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
