"""A site's file over a shipped mapping: single fields, tables and tests are changed, the rest stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.mapping import MappingFileError, MappingLibrary, compile_mapping, run_tests

BASE = """\
mapping: shop/orders.in
version: 3
target: Order
kind: state
tables:
  pay: { paid: paid, void: voided }
  unused: { a: b }
fields:
  external_id: { from: id, as: text, required: true }
  note: note
  payment_state: { from: pay, table: pay, rule: pay }
  method: { from: how, as: text, table: { post: ship } }
  ship_to: { from: address, use: shop/_address }
  lines:
    each: items
    fields:
      external_line_id: n
      quantity: q
      sku: { from: sku, otherwise: hold, hint: no SKU }
tests:
  - name: a note
    input: { id: 1, note: hello }
    expect: { external_id: "1", note: hello }
  - name: paid
    input: { id: 1, pay: paid }
    expect: { payment_state: paid }
"""
ADDRESS = "mapping: shop/_address\nfields: { name: name, locality: city, phone: phone }\n"
TREE = {
    "id": 1,
    "note": "hello",
    "how": "post",
    "pay": "void",
    "address": {"name": "Kim", "city": "Ghent", "phone": "1", "place": "Bruges"},
    "items": [{"n": "a", "q": 2, "sku": "S", "ean": "E"}],
}


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("shipped", "shop/orders.in", BASE)
        self.write("shipped", "shop/_address", ADDRESS)

    def write(self, place: str, name: str, text: str) -> Path:
        path = self.folder / place / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def over(self, changes: str, name: str = "shop/orders.in") -> Path:
        return self.write("site", name, f"mapping: {name}\nextends: shop/orders.in\n{changes}")

    @property
    def library(self) -> MappingLibrary:
        return MappingLibrary([self.folder / "site", self.folder / "shipped"])

    def record(self, name: str = "shop/orders.in") -> dict[str, object]:
        return self.library.get(name).run(TREE).record

    def problem(self, name: str = "shop/orders.in") -> str:
        with pytest.raises(MappingFileError) as caught:
            self.library.get(name)
        return str(caught.value)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_an_override_of_nothing_is_its_base(site: Site) -> None:
    before = site.record()
    site.over("")
    assert site.record() == before


def test_a_field_with_a_source_replaces_the_bases(site: Site) -> None:
    site.over("fields: { note: { const: fixed } }")
    assert site.record()["note"] == "fixed"


def test_a_field_without_a_source_keeps_what_it_does_not_name(site: Site) -> None:
    site.over("fields: { lines: { fields: { sku: { hint: scan it } } } }")
    mapped = site.library.get("shop/orders.in").run({"id": 1, "items": [{"n": "a", "q": 1}]})
    assert [(hold.field, hold.hint) for hold in mapped.holds] == [("lines.0.sku", "scan it")]


def test_a_key_of_a_field_is_taken_away_by_null(site: Site) -> None:
    site.over("fields: { method: { table: null } }")
    assert site.library.get("shop/orders.in").run({"id": 1, "how": "ship"}).record["method"] == "ship"


def test_a_field_is_taken_away_by_null(site: Site) -> None:
    site.over("fields: { note: null, lines: { fields: { sku: null } } }")
    record = site.record()
    assert "note" not in record
    assert record["lines"] == [{"external_line_id": "a", "quantity": "2"}]


def test_a_field_is_added(site: Site) -> None:
    site.over(
        "fields: { number: { expr: \"concat('S-', id)\" }, lines: { fields: { gtin: ean } } }".replace("gtin", "title")
    )
    record = site.record()
    assert record["number"] == "S-1"
    assert record["lines"] == [{"external_line_id": "a", "quantity": "2", "sku": "S", "title": "E"}]


def test_a_field_of_a_shared_file_is_changed_here_only(site: Site) -> None:
    site.over("fields: { ship_to: { fields: { locality: place, phone: null } } }")
    assert site.record()["ship_to"] == {"name": "Kim", "locality": "Bruges"}


def test_another_shared_file_is_used_at_the_same_place(site: Site) -> None:
    site.write("site", "shop/_short", "fields: { locality: place }\n")
    site.over("fields: { ship_to: { use: shop/_short } }")
    assert site.record()["ship_to"] == {"locality": "Bruges"}


def test_a_shared_file_is_extended_for_everything_that_uses_it(site: Site) -> None:
    site.write("site", "shop/_address", "extends: shop/_address\nfields: { phone: null }\n")
    assert site.record()["ship_to"] == {"name": "Kim", "locality": "Ghent"}


def test_tables_get_entries_and_keep_the_others(site: Site) -> None:
    site.over("tables: { pay: { settled: paid }, unused: null }\nfields: { method: { table: { locker: pickup } } }")
    mapping = site.library.get("shop/orders.in")
    for word, state in (("settled", "paid"), ("void", "voided")):
        assert mapping.run({"id": 1, "pay": word}).record["payment_state"] == state
    for word, method in (("locker", "pickup"), ("post", "ship")):
        assert mapping.run({"id": 1, "how": word}).record["method"] == method


def test_a_mapping_of_another_name_can_extend_for_some_connections(site: Site) -> None:
    site.over("fields: { note: null }", "shop/wholesale.in")
    assert "note" not in site.record("shop/wholesale.in")
    assert site.record()["note"] == "hello"


def test_the_files_of_an_override_are_known_with_their_versions(site: Site) -> None:
    site.over("version: 7\nfields: { note: null }")
    mapping = site.library.get("shop/orders.in")
    assert mapping.version == 7
    assert mapping.definition.versions() == (("shop/orders.in", 7), ("shop/orders.in", 3))


def test_a_file_given_by_its_path_is_the_one_the_library_finds(site: Site) -> None:
    path = site.over("fields: { note: null }")
    library = site.library
    assert compile_mapping(path, library=library) is library.get("shop/orders.in")


def results(site: Site) -> list[tuple[str, str]]:
    found = run_tests(site.library.get("shop/orders.in"))
    return [(one.name, "skipped" if one.skipped else "passed" if one.passed else "failed") for one in found]


def test_the_tests_of_the_base_run_with_the_override(site: Site) -> None:
    site.over("fields: { note: null }")
    assert results(site) == [("a note", "failed"), ("paid", "passed")]
    failed = run_tests(site.library.get("shop/orders.in"))[0]
    assert failed.file == str(site.folder / "shipped" / "shop" / "orders.in.yaml")
    assert failed.line == 21


def test_a_test_of_the_same_name_stands_for_the_bases(site: Site) -> None:
    site.over(
        "fields: { note: null }\ntests:\n"
        "  - { name: a note, input: { id: 1, note: x }, expect: { external_id: '1' }, expect_absent: [note] }\n"
        "  - { name: of the site, input: { id: 2 }, expect: { external_id: '2' } }\n"
    )
    assert results(site) == [("a note", "passed"), ("paid", "passed"), ("of the site", "passed")]


def test_a_test_of_the_base_is_left_out_with_a_reason(site: Site) -> None:
    site.over("fields: { note: null }\ntests: [{ name: a note, skip: notes are private here }]")
    assert results(site) == [("a note", "skipped"), ("paid", "passed")]


@pytest.mark.parametrize(
    ("changes", "place", "says"),
    [
        ("fields: { noet: null }", "3:11", "has no noet; did you mean `note`?"),
        ("fields: { noet: { rule: x } }", "3:11", "noet says no source"),
        ("fields: { lines: { fields: { skku: null } } }", "3:30", "did you mean `sku`?"),
        ("tables: { pays: null }", "3:11", "did you mean `pay`?"),
        ("fields: { ship_to: { fields: { fone: null } } }", "3:32", "did you mean `phone`?"),
        ("fields: { payment_state: { table: pays } }", "3:35", "did you mean `pay`?"),
        ("fields: { lines: { fields: { skuu: x } } }", "3:30", "OrderLine has no field skuu; did you mean `sku`?"),
        ("fields: { lines: { fields: { quantity: null } } }", "3:28", "OrderLine needs quantity"),
    ],
)
def test_a_mistake_names_its_place_and_both_files(site: Site, changes: str, place: str, says: str) -> None:
    path = site.over(changes)
    found = site.problem()
    assert found.startswith(f"{path}:{place}: "), found
    assert says in found
    assert "shipped/shop/orders.in.yaml)" in found


def test_a_mistake_that_the_base_shows_names_the_override(site: Site) -> None:
    path = site.over("tables: { pay: null }")
    found = site.problem()
    assert found.startswith(f"{site.folder / 'shipped' / 'shop' / 'orders.in.yaml'}:11:")
    assert f"(extended by {path})" in found


def test_a_base_that_is_not_there_is_named_with_the_nearest(site: Site) -> None:
    site.write("site", "shop/orders.in", "extends: shop/order.in\n")
    assert "there is no other mapping shop/order.in; did you mean `shop/orders.in`?" in site.problem()


def test_a_replaced_field_is_shown_where_the_site_wrote_it(site: Site) -> None:
    path = site.over("fields: { payment_state: 'a[' }")
    assert site.problem().startswith(f"{path}:3:26: ")
