"""What a mapping reads of real bodies, what it only keeps, and which of its fields they ever fill."""

from __future__ import annotations

from pathlib import Path

from hub.mapping import MappingLibrary, compile_mapping
from hub.mapping.coverage import Coverage, coverage

TEXT = """\
mapping: t/orders.in
target: Order
kind: state
fields:
  external_id: { from: id, as: text }
  note: { from: [note, memo] }
  number: { expr: "concat('S-', ref.no)" }
  tags: { from: tags, as: texts }
  buyer: { fields: { email: mail, name: { expr: "values(who)[0]" } } }
  lines:
    each: items
    fields: { external_line_id: n, quantity: q, sku: { from: sku.code } }
    keep_rest: properties.rest
"""
BODY = {
    "id": 1,
    "memo": "x",
    "ref": {"no": "7", "kind": "web"},
    "tags": ["a", "b"],
    "who": {"name": "Kim"},
    "items": [{"n": 1, "q": 2, "sku": {"code": "S", "shelf": 4}}, {"n": 2, "q": 1, "gift": {"text": "hi"}}],
    "extra": [{"a": 1}],
}


def covered(tmp_path: Path, text: str, *bodies: object) -> Coverage:
    path = tmp_path / "orders.in.yaml"
    path.write_text(text, encoding="utf-8")
    return coverage(compile_mapping(path, library=MappingLibrary([tmp_path])), bodies, {})


def test_a_path_is_read_by_a_field_or_an_expression_or_kept_or_left(tmp_path: Path) -> None:
    found = covered(tmp_path, TEXT, BODY, {"id": 2})
    once = ("items[].n", "items[].q", "items[].sku.code", "memo", "ref.no", "tags[]", "who.name")
    assert found.read == {"id": 2, **dict.fromkeys(once, 1)}
    assert found.kept == {"items[].gift.text": 1, "items[].sku.shelf": 1}
    assert found.left == {"extra[].a": 1, "ref.kind": 1}


def test_what_keeps_the_rest_keeps_all_of_it(tmp_path: Path) -> None:
    found = covered(tmp_path, TEXT + "keep_rest: attributes.rest\n", BODY)
    assert found.left == {}
    assert {"extra[].a", "ref.kind"} <= found.kept.keys()


def test_fields_are_counted_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = covered(tmp_path, TEXT, BODY, {"id": 2})
    assert list(found.filled.items()) == [
        ("external_id", 2),
        ("note", 1),
        ("number", 1),
        ("tags", 1),
        ("buyer.email", 0),
        ("buyer.name", 1),
        ("lines[].external_line_id", 1),
        ("lines[].quantity", 1),
        ("lines[].sku", 1),
    ]


def test_a_tree_that_is_taken_whole_is_read_whole(tmp_path: Path) -> None:
    head = "mapping: t/orders.in\ntarget: Order\nkind: state\n"
    found = covered(
        tmp_path,
        f"{head}fields: {{ external_id: id, attributes: {{ from: all, as: tree }} }}\n",
        {"id": 1, "all": {"a": {"b": [1]}}},
    )
    assert set(found.read) == {"id", "all.a.b[]"}


def test_a_body_that_cannot_be_mapped_is_counted_and_told_as_refused(tmp_path: Path) -> None:
    found = covered(tmp_path, TEXT.replace("as: text }", "as: text, required: true }"), {"x": 1}, BODY)
    assert (found.bodies, found.refused) == (2, 1)
    assert found.left["x"] == 1
