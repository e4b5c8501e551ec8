"""Tests that travel inside a mapping file, and the printable trace of a run.

tests:
  - name: two lines
    input: fixtures/two_lines.json          a file beside the mapping or in its connector's folder, or a tree
    items: orders.0                         optional: where in the file the record is
    context: { connection: shop }           optional
    expect: { external_id: "1" }            objects are compared in part, lists and values whole
    expect_absent: [cancelled_at]
    expect_holds: [lines.0.sku]
    expect_error: { field: external_id, code: required }
  - { name: a test of the base, skip: why it does not hold here }       where a site's file extends another

A mapping that extends another is held to the tests of both; one of the same name stands for the base's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from hub.config.source import Plain
from hub.mapping.definition import Spot
from hub.mapping.errors import MappingError, MappingFileError
from hub.mapping.mapping import Mapped, Mapping, resolve
from hub.mapping.overlay import test_spots
from hub.mapping.paths import parse_path, step
from hub.mapping.scope import TraceRow

Reader = Callable[[Path], object]
"""Reads a fixture file into a tree (the codec of its format)."""

_KEYS = frozenset(
    {"name", "input", "items", "context", "expect", "expect_absent", "expect_holds", "expect_error", "skip"}
)
MAX_FIXTURE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TestResult:
    """`problems` is empty when the test passed; `file` and `line` where it stands, `skipped` why it was left out."""

    __test__ = False

    mapping: str
    name: str
    file: str
    line: int
    problems: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return not self.problems


def exact_json(path: Path) -> object:
    """A JSON fixture with its numbers exact. Raises ValueError."""
    with path.open("rb") as stream:
        data = stream.read(MAX_FIXTURE_BYTES + 1)
    if len(data) > MAX_FIXTURE_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_FIXTURE_BYTES} bytes")
    tree: object = json.loads(data, parse_float=Decimal)
    return tree


def run_tests(mapping: Mapping, read: Reader = exact_json) -> list[TestResult]:
    """Run every test of a mapping file, in order. Raises MappingFileError for a test that is badly written."""
    return [run_case(mapping, spot, read)[0] for spot in test_spots(mapping.definition)]


def trace_lines(mapped: Mapped) -> list[tuple[str, str, str, str, str]]:
    """A run with trace as rows of text: target field, source, raw value, steps, result; then holds and notes."""
    rows = [
        (
            row.field,
            row.source,
            _shown(row.raw),
            _path_of(row),
            _shown(row.result),
        )
        for row in mapped.trace or ()
    ]
    rows.extend((hold.field, f"hold {hold.rule}", "-", hold.code, hold.hint) for hold in mapped.holds)
    rows.extend((note.field, "note", "-", note.code, note.text) for note in mapped.notes)
    return rows


def _path_of(row: TraceRow) -> str:
    """The steps, each with what it made; of the last one only where that is not the result."""
    words = [name if value is None else f"{name} -> {_shown(value)}" for name, value in row.steps]
    if row.steps and row.steps[-1][1] == row.result:
        words[-1] = row.steps[-1][0]
    return ", ".join(words) or "-"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str | int | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def run_case(mapping: Mapping, spot: Spot, read: Reader) -> tuple[TestResult, Mapped | MappingError]:
    """One test, and what came of its input. Raises MappingFileError for one that is badly written."""
    case = spot.value
    if not isinstance(case, dict):
        raise MappingFileError([spot.wrong("a test is a mapping of keys")])
    unknown = [spot / key for key in case if key not in _KEYS]
    if unknown:
        raise MappingFileError(
            [one.wrong(f"not known here; there are {', '.join(sorted(_KEYS))}", key=True) for one in unknown]
        )
    file, line, _ = spot.definition.position(spot.place)
    result = TestResult(mapping.name, str(case.get("name", f"test in line {line}")), file, line)
    if "skip" in case:
        if not isinstance(case["skip"], str) or not case["skip"].strip():
            raise MappingFileError([(spot / "skip").wrong("`skip` says why the test is left out")])
        return replace(result, skipped=case["skip"]), Mapped({})
    given = _input(mapping, spot, read)
    context = case.get("context")
    try:
        mapped = mapping.run(given, context=context if isinstance(context, dict) else {})
    except MappingError as error:
        return replace(result, problems=tuple(_error_differences(case.get("expect_error"), error))), error
    if "expect_error" in case:
        return replace(result, problems=("it maps, but an error is expected",)), mapped
    return replace(result, problems=tuple(_differences(case, mapped))), mapped


def _input(mapping: Mapping, spot: Spot, read: Reader) -> object:
    value = (spot / "input").value
    if isinstance(value, str):
        path = resolve(mapping.definition, value)
        if path is None:
            raise MappingFileError(
                [(spot / "input").wrong("there is no such file beside the mapping or in its connector's folder")]
            )
        try:
            tree = read(path)
        except ValueError as error:
            raise MappingFileError([(spot / "input").wrong(f"cannot be read: {error}")]) from error
    else:
        tree = value
    items = (spot / "items").value
    if isinstance(items, str):
        for segment in parse_path(items).segments:
            tree = step(tree, segment)
    return tree


def _error_differences(expected: Plain, error: MappingError) -> list[str]:
    if not isinstance(expected, dict):
        return [f"it fails with {error.code} at {error.field or 'the input'}: {error.message}"]
    found = {"field": error.field, "code": error.code, "message": error.message, "source_path": error.source_path}
    return [
        f"error {key}: {found.get(key)!r} instead of {value!r}"
        for key, value in expected.items()
        if found.get(key) != value
    ]


def _differences(case: dict[str, Plain], mapped: Mapped) -> list[str]:
    problems = list(_unlike(case.get("expect") or {}, mapped.record, ""))
    absent = case.get("expect_absent")
    paths = map(str, absent if isinstance(absent, list) else [])
    problems.extend(f"{path} is there, but should be absent" for path in paths if at(mapped.record, path) is not None)
    held = [hold.field for hold in mapped.holds]
    wanted = case.get("expect_holds", [] if "expect" in case else held)
    if sorted(map(str, wanted if isinstance(wanted, list) else [])) != sorted(held):
        problems.append(f"holds on {', '.join(held) or 'nothing'} instead of {wanted}")
    return problems


def _unlike(expected: Plain, found: object, where: str) -> Sequence[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        problems: list[str] = []
        for key, value in expected.items():
            problems.extend(_unlike(value, found.get(key), f"{where}.{key}" if where else key))
        return problems
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        problems = []
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            problems.extend(_unlike(one, other, f"{where}.{index}"))
        return problems
    if type(expected) is type(found) and expected == found:
        return []
    return [f"{where}: {_shown(found)} instead of {_shown(expected)}"]


def at(record: object, path: str) -> object:
    """What stands at a dotted path, None where nothing does."""
    for segment in parse_path(path).segments:
        record = step(record, segment)
    return record
