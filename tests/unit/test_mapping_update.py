"""`--update` writes what comes out now where the old expectation stands, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.mapping import MappingLibrary, compile_mapping, run_tests
from hub.mapping.cases import exact_json
from hub.mapping.update import Updated, update_tests

HEAD = """\
mapping: t/orders.in
target: Order
kind: state
fields:
  external_id: { from: id, as: text, required: true }
  note: note
  currency: { from: cur }
  tags: { from: tags, as: texts }
  lines: { each: items, fields: { external_line_id: n, quantity: q, sku: { from: sku, otherwise: hold } } }
tests:
"""
HELD = "expect_holds: [lines.0.sku]"
INPUT = '{ id: 1, note: "yes", cur: eur, tags: [a, b], items: [{ n: 1, q: 2 }, { n: 2, q: 3, sku: S }] }'


def updated(tmp_path: Path, tests: str) -> tuple[str, list[Updated]]:
    path = tmp_path / "orders.in.yaml"
    path.write_text(HEAD + tests, encoding="utf-8")
    texts = {str(path): path.read_text(encoding="utf-8")}
    mapping = compile_mapping(path, library=MappingLibrary([tmp_path / "none"]))
    outcomes = list(update_tests(mapping, texts, str(path), exact_json))
    path.write_text(texts[str(path)], encoding="utf-8")
    assert texts[str(path)].startswith(HEAD)
    again = run_tests(compile_mapping(path, library=MappingLibrary([tmp_path / "none"])))
    assert all(result.passed for result in again) is not any(one.refused for one in outcomes), again
    return texts[str(path)].removeprefix(HEAD), outcomes


def test_only_what_differs_is_rewritten_and_comments_stay(tmp_path: Path) -> None:
    after, (outcome,) = updated(
        tmp_path,
        f"""\
  # what the shop sends
  - name: all
    input: {INPUT}
    expect:   # of everything
      external_id:   "1"   # as text
      note: 'no'     # to be seen
      currency: USD
      lines:
        - {{ external_line_id: "1", quantity: "9" }}  # the first
        # the second
        - sku:   S
          quantity: "3"
    expect_holds: [lines.0.sku]   # it has none
""",
    )
    assert outcome.edits == 3
    assert after == (
        f"""\
  # what the shop sends
  - name: all
    input: {INPUT}
    expect:   # of everything
      external_id:   "1"   # as text
      note: "yes"     # to be seen
      currency: EUR
      lines:
        - {{ external_line_id: "1", quantity: "2" }}  # the first
        # the second
        - sku:   S
          quantity: "3"
    expect_holds: [lines.0.sku]   # it has none
"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"expect: {{ number: x, note: a }}, {HELD}", f'expect: {{ note: "yes" }}, {HELD}'),
        ("expect: { tags: [a] }, expect_holds: [lines.0.sku]", "expect: { tags: [a, b] }, expect_holds: [lines.0.sku]"),
        ("expect: { currency: EUR }", "expect: { currency: EUR }, expect_holds: [lines.0.sku]"),
        ("expect_holds: [lines.1.sku], expect: {}", "expect_holds: [lines.0.sku], expect: {}"),
        ("expect_absent: [note, number]", "expect_absent: [number]"),
        (
            f"expect: {{ lines: [{{ quantity: '2' }}] }}, {HELD}",
            f'expect: {{ lines: [{{ quantity: "2" }}, {{ external_line_id: "2", quantity: "3", sku: S }}] }}, {HELD}',
        ),
    ],
)  # fmt: skip
def test_a_test_in_one_line_stays_in_one_line(tmp_path: Path, before: str, after: str) -> None:
    text, _ = updated(tmp_path, f"  - {{ name: one, input: {INPUT}, {before} }}\n")
    assert text == f"  - {{ name: one, input: {INPUT}, {after} }}\n"


def test_a_field_that_is_gone_is_taken_out_with_its_line(tmp_path: Path) -> None:
    head = f"  - name: one\n    input: {INPUT}\n    expect:\n"
    text, _ = updated(
        tmp_path, head + '      number: x  # it had one\n      note: "yes"\n    expect_holds: [lines.0.sku]\n'
    )
    assert text == head + '      note: "yes"\n    expect_holds: [lines.0.sku]\n'


def test_a_block_list_of_another_length_stays_a_block_list(tmp_path: Path) -> None:
    head = f"  - name: one\n    input: {INPUT}\n    expect_holds: [lines.0.sku]\n    expect:\n"
    text, _ = updated(tmp_path, head + "      tags:\n        - a\n")
    assert text == head + "      tags:\n        - a\n        - b\n"


def test_an_error_in_place_of_a_record_is_left_to_a_person(tmp_path: Path) -> None:
    tests = "  - { name: one, input: { id: null }, expect: { external_id: '1' } }\n"
    text, (outcome,) = updated(tmp_path, tests)
    assert text == tests
    assert "it needs a person: it fails with required at external_id" in outcome.refused
