"""Mapping files: mistakes are found with their place, sites override, the shipped ones pass their own tests."""

import shutil
from pathlib import Path

import pytest

from hub.mapping import MappingFileError, MappingLibrary, compile_mapping, run_tests, shipped_folder
from hub.mapping.cases import exact_json


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "orders.in.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        compile_mapping(path, library=MappingLibrary())
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


HEAD = "mapping: t/orders.in\ntarget: Order\nkind: state\nfields:\n  external_id: id\n"


@pytest.mark.parametrize(
    ("line", "place", "says"),
    [
        ("  nota: x", "6:3", "Order has no field nota; did you mean `note`?"),
        ("  note: { form: x }", "6:11", "`form` is not known here; did you mean `from`?"),
        ("  note: { from: x, expr: y }", "6:9", "exactly one of `from`, `expr`, `const`"),
        ("  note: { as: text }", "6:9", "exactly one of `from`, `expr`, `const`"),
        ("  note: { from: x, as: string }", "6:24", "no type; there are text, trimmed"),
        ("  note: { from: 'x[0]' }", "6:17", "write an expression under `expr`"),
        ("  note: { from: x..y }", "6:17", "not a dotted path"),
        ("  note: { from: [] }", "6:17", "names no path"),
        ("  note: { from: 5 }", "6:17", "a path is text"),
        ("  note: { expr: 'a[' }", "6:17", ""),
        ("  note: { expr: 'x == `1.5`' }", "6:17", "literal with a point"),
        ("  note: { from: x, otherwise: maybe }", "6:31", "one of hold, default, error"),
        ("  note: { from: x, otherwise: default }", "6:9", "needs `default`"),
        ("  note: { from: x, required: perhaps }", "6:30", "true or false"),
        ("  note: { expr: lenght(x) }", "6:17", "there is no function lenght(); did you mean `length`?"),
        ("  test: { from: x, as: text }", "6:24", "gives a string, but the field takes a boolean: `as: boolean`"),
        ("  note: { from: x, as: boolean }", "6:24", "gives a boolean, but the field takes a string: `as: text`"),
        ("  order_type: { const: sales }", "6:24", "does not take 'sales'; did you mean `sale`?"),
        ("  order_type: { from: x, default: sales }", "6:35", "does not take 'sales'; did you mean `sale`?"),
        ("  note: { from: x, zone: UTC }", "6:20", "`zone` is not known here"),
        ("  placed_at: { from: x, zone: Nowhere/Land }", "6:14", "Nowhere/Land"),
        ("  payment_state: { from: x, table: { a: payed } }", "6:36", "gives 'payed' for 'a'"),
        ("  payment_state: { from: x, table: unheard_of }", "6:36", "there is no unheard_of"),
        ("  ship_to: { from: x, use: _lib/nothing }", "6:28", "there is no _lib/nothing"),
        ("  ship_to: { fields: { street: x } }", "6:24", "Address has no field street"),
        ("  lines: { each: i, fields: { external_line_id: a, quantity: q, price: x } }", "6:65", "no field price"),
        ("  lines: { each: items, fields: {} }", "6:33", "mapping of target fields"),
        ("  lines: { each: items, fields: { external_line_id: id } }", "6:33", "OrderLine needs quantity"),
        ("  lines: { gather: [] }", "6:20", "list of fields"),
        ("  note: 5", "6:9", "a field is a path"),
        ("keep_rest: extras.shop", "6:12", "Order has no field extras"),
        ("whatever: 1", "6:1", "`whatever` is not known here"),
        ("version: new", "6:10", "whole number"),
        ("schema: nowhere.json", "6:9", "no such file"),
    ],
)
def test_a_mistake_is_shown_where_it_stands(tmp_path: Path, line: str, place: str, says: str) -> None:
    found = problems(tmp_path, HEAD + line + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"{place} ")
    assert says in found[0]


def test_all_mistakes_are_listed_not_only_the_first(tmp_path: Path) -> None:
    assert len(problems(tmp_path, HEAD + "  emial: x\n  note: { as: text }\nversion: x\n")) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mapping: t/orders.in\nkind: state\nfields: { external_id: id }\n", "`target` names the canonical record"),
        ("mapping: t/orders.in\ntarget: Ordre\nkind: state\nfields: { external_id: id }\n", "no canonical record"),
        ("mapping: t/orders.in\ntarget: Order\nfields: { external_id: id }\n", "`kind` is one of"),
        ("mapping: t/orders.in\ntarget: Order\nkind: fact\nfields: { external_id: id }\n", "names its `fact_key`"),
        ("mapping: t/orders.in\ntarget: Order\nkind: state\nfields: { note: id }\n", "Order needs external_id"),
        ("mapping: t/x.out\ninput: Shipment\nfields: { a: trackingnumber }\n", "Shipment has no field trackingnumber"),
        (
            "mapping: t/x.out\ninput: Shipment\nfields: { a: { each: lines, fields: { q: qty } } }\n",
            "no field lines.qty",
        ),
        ("mapping: t/x.out\ninput: Consignment\nfields: { a: key }\n", "`input` is the canonical record"),
        ("- a list\n", "a mapping of keys"),
        ("a: 1\na: 2\n", "given twice"),
    ],
)
def test_a_head_that_cannot_work_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in problem for problem in problems(tmp_path, text))


BASE = """
mapping: shop/orders.in
version: 1
target: Order
kind: state
tables: { pay: { paid: paid } }
fields:
  external_id: id
  note: note
  payment_state: { from: pay, table: pay }
  buyer: { fields: { email: mail, name: name } }
  lines: { each: items, fields: { external_line_id: n, quantity: q, sku: { from: sku, otherwise: hold } } }
tests:
  - { name: base, input: { id: 1 }, expect: { external_id: "1" } }
"""
SITE = """
mapping: shop/orders.in
extends: shop/orders.in
version: 2
tables: { pay: { settled: paid } }
fields:
  note: null
  buyer: { fields: { phone: tel } }
  lines: { fields: { sku: barcode } }
"""


def site_library(tmp_path: Path) -> MappingLibrary:
    for folder, text in (("site", SITE), ("shipped", BASE)):
        (tmp_path / folder / "shop").mkdir(parents=True)
        (tmp_path / folder / "shop" / "orders.in.yaml").write_text(text, encoding="utf-8")
    return MappingLibrary([tmp_path / "site", tmp_path / "shipped"])


def test_a_sites_file_changes_single_fields_of_the_shipped_one(tmp_path: Path) -> None:
    mapping = site_library(tmp_path).get("shop/orders.in")
    tree = {
        "id": 1,
        "note": "gone",
        "pay": "settled",
        "mail": "a@example.com",
        "tel": "1",
        "items": [{"n": 1, "q": 1, "sku": "S", "barcode": "B"}],
    }
    mapped = mapping.run(tree)
    assert mapping.version == 2
    assert mapped.record == {
        "external_id": "1",
        "payment_state": "paid",
        "buyer": {"email": "a@example.com", "phone": "1"},
        "lines": [{"external_line_id": "1", "quantity": "1", "sku": "B"}],
    }
    assert mapping.run({"id": 1, "pay": "paid"}).record["payment_state"] == "paid"
    assert [(result.name, result.passed) for result in run_tests(mapping)] == [("base", True)]


def test_a_mistake_in_a_sites_file_is_shown_in_that_file(tmp_path: Path) -> None:
    library = site_library(tmp_path)
    site = tmp_path / "site" / "shop" / "orders.in.yaml"
    site.write_text(SITE.replace("phone: tel", "fone: tel"), encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        library.get("shop/orders.in")
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == (str(site), 8)


def test_extending_in_a_circle_or_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.in.yaml").write_text("extends: a/y.in\n")
    (tmp_path / "a" / "y.in.yaml").write_text("extends: a/x.in\n")
    (tmp_path / "a" / "z.in.yaml").write_text("extends: a/z.in\n")
    library = MappingLibrary([tmp_path])
    for name, says in (("a/x.in", "extends itself"), ("a/z.in", "no other mapping")):
        with pytest.raises(MappingFileError, match=says):
            library.get(name)


def test_a_shared_file_that_uses_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_lib").mkdir()
    (tmp_path / "_lib" / "loop.yaml").write_text("fields: { ship_to: { from: x, use: _lib/loop } }\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "o.in.yaml").write_text(
        HEAD.replace("t/orders", "a/o") + "  ship_to: { from: x, use: _lib/loop }\n"
    )
    with pytest.raises(MappingFileError, match="uses itself"):
        MappingLibrary([tmp_path]).get("a/o.in")


def test_a_library_finds_mappings_by_connector_and_purpose(tmp_path: Path) -> None:
    library = site_library(tmp_path)
    assert library.names() == ["shop/orders.in"]
    inbound = library.inbound("shop", "orders")
    assert inbound is not None
    assert inbound is library.get("shop/orders.in")
    assert library.outbound("shop", "push_shipment") is None
    assert library.reply("shop", "push_shipment") is None
    assert library.find("../../etc/passwd") is None
    with pytest.raises(MappingFileError, match="there is no mapping shop/refunds"):
        library.get("shop/refunds.in")


def test_a_connectors_own_folder_may_hold_its_mappings(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "mappings"
    folder.mkdir(parents=True)
    (folder / "orders.in.yaml").write_text(BASE, encoding="utf-8")
    library = MappingLibrary([tmp_path])
    assert library.names() == ["shop/orders.in"]
    assert library.get("shop/orders.in").target == "Order"


def test_tests_in_a_mapping_fail_with_what_is_different(tmp_path: Path) -> None:
    path = tmp_path / "orders.in.yaml"
    cases = """
tests:
  - { name: right, input: { id: 1 }, expect: { external_id: "1" } }
  - { name: wrong value, input: { id: 1 }, expect: { external_id: "2" } }
  - { name: no error, input: { id: 1 }, expect_error: { code: required } }
  - { name: unexpected error, input: { id: { a: 1 } } , expect: {} }
  - { name: not absent, input: { id: 1 }, expect_absent: [external_id] }
  - { name: other error, input: {}, expect_error: { code: format } }
  - { name: no hold, input: { id: 1 }, expect_holds: [note] }
  - { name: in a list, input: [{ id: 1 }, { id: 5 }], items: "1", expect: { external_id: "5" } }
"""
    path.write_text(HEAD.replace("id: id", "id: { from: id, required: true }") + cases, encoding="utf-8")
    results = run_tests(compile_mapping(path, library=MappingLibrary()))
    assert [result.name for result in results if result.passed] == ["right", "in a list"]
    found = {result.name: result.problems for result in results if not result.passed}
    assert found["wrong value"] == ("external_id: 1 instead of 2",)
    assert found["no error"] == ("it maps, but an error is expected",)
    assert found["unexpected error"] == ("it fails with type at external_id: text is needed, not an object",)
    assert found["not absent"] == ("external_id is there, but should be absent",)
    assert found["other error"] == ("error code: 'required' instead of 'format'",)
    assert found["no hold"] == ("holds on nothing instead of ['note']",)
    assert results[0].line == 8


@pytest.mark.parametrize("case", ["{ name: x, inptu: {} }", "just text", "{ name: x, input: nowhere.json }"])
def test_a_badly_written_test_is_a_mistake_in_the_file(tmp_path: Path, case: str) -> None:
    path = tmp_path / "orders.in.yaml"
    path.write_text(HEAD + f"tests:\n  - {case}\n", encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        run_tests(compile_mapping(path, library=MappingLibrary()))
    assert caught.value.problems[0].line == 7


OURS = ["generic/items.in", "shopify/orders.in", "shopify/refunds.in"]


@pytest.mark.parametrize("name", OURS)
def test_a_shipped_mapping_passes_its_own_tests(name: str) -> None:
    results = run_tests(MappingLibrary().get(name))
    assert len(results) >= 3
    assert [(result.name, result.problems) for result in results if not result.passed] == []


def test_every_fixture_beside_a_shipped_mapping_is_used() -> None:
    folder = shipped_folder()
    used: set[object] = set()
    for name in OURS:
        cases = MappingLibrary().get(name).definition.content["tests"]
        assert isinstance(cases, list)
        used.update(case["input"] for case in cases if isinstance(case, dict) and isinstance(case["input"], str))
    there = {f"fixtures/{path.name}" for path in folder.glob("shopify/fixtures/*.json")}
    assert there == used


def test_json_fixtures_keep_their_numbers_exact(tmp_path: Path) -> None:
    path = tmp_path / "n.json"
    path.write_text('{"a": 0.10, "b": 820982911946154508}')
    assert str(exact_json(path)) == "{'a': Decimal('0.10'), 'b': 820982911946154508}"


def test_mappings_that_lie_apart_from_the_connectors_find_their_schemas(tmp_path: Path) -> None:
    """As in an installed package, where mappings are data and connectors are code."""
    shutil.copytree(shipped_folder(), tmp_path / "data" / "mappings")
    library = MappingLibrary([tmp_path / "data" / "mappings"])
    for name in library.names():
        assert library.get(name).name == name
