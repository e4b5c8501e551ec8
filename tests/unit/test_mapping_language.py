"""What a mapping file can say, and what becomes of values that are missing or cannot be used."""

from decimal import Decimal
from pathlib import Path

import pytest

from hub.mapping import Mapped, MappingError, MappingLibrary, compile_mapping, trace_lines


def run(tmp_path: Path, text: str, tree: object, **options: object) -> Mapped:
    head = "mapping: t/orders.in\ntarget: Order\nkind: state\n"
    path = tmp_path / "orders.in.yaml"
    path.write_text(text if "mapping:" in text else head + text, encoding="utf-8")
    context = options.get("context", {})
    assert isinstance(context, dict)
    return compile_mapping(path, library=MappingLibrary()).run(
        tree, trace=options.get("trace") is True, context=context
    )


ID = "fields:\n  external_id: { from: id, required: true }\n"


def test_a_field_without_a_type_takes_the_one_its_target_has(tmp_path: Path) -> None:
    fields = ID + "  placed_at: at\n  currency: cur\n  test: { from: t }\n  totals: { fields: { total: amount } }\n"
    tree = {"id": 7, "at": "2026-11-01T10:00:00+01:00", "cur": "eur", "t": "false", "amount": Decimal("1.50")}
    assert run(tmp_path, fields, tree).record == {
        "external_id": "7",
        "placed_at": "2026-11-01T09:00:00.000000Z",
        "currency": "EUR",
        "test": False,
        "totals": {"total": "1.50"},
    }


def test_the_first_alternative_that_is_neither_null_nor_empty_wins(tmp_path: Path) -> None:
    fields = ID + "  note: { from: [a, b, c.d] }\n"
    assert run(tmp_path, fields, {"id": "1", "a": None, "b": "", "c": {"d": "here"}}).record["note"] == "here"


@pytest.mark.parametrize("tree", [{"id": "1"}, {"id": "1", "note": None}, {"id": "1", "note": ""}])
def test_missing_null_and_empty_are_absent(tmp_path: Path, tree: dict[str, object]) -> None:
    assert run(tmp_path, ID + "  note: note\n", tree).record == {"external_id": "1"}


def test_a_default_stands_in_for_what_is_absent(tmp_path: Path) -> None:
    assert run(tmp_path, ID + "  note: { from: n, default: none given }\n", {"id": "1"}).record["note"] == "none given"


def test_a_required_field_names_itself_its_source_and_its_line(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        run(tmp_path, ID, {"name": "no id"})
    error = caught.value
    assert (error.field, error.code, error.source_path, error.line) == ("external_id", "required", "id", 5)


def test_an_unusable_value_of_a_state_record_is_held_and_kept_in_the_rest(tmp_path: Path) -> None:
    mapped = run(tmp_path, ID + "  placed_at: at\nkeep_rest: attributes.shop\n", {"id": "1", "at": "soon"})
    assert [(hold.field, hold.code) for hold in mapped.holds] == [("placed_at", "format")]
    assert mapped.record == {"external_id": "1", "attributes": {"shop": {"at": "soon"}}}


def test_an_unusable_value_of_a_fact_is_an_error(tmp_path: Path) -> None:
    text = """
mapping: t/refunds.in
target: RefundEvent
kind: fact
fact_key: external_id
fields: { external_id: id, order_external_id: order, occurred_at: at }
"""
    with pytest.raises(MappingError) as caught:
        run(tmp_path, text, {"id": 1, "order": 2, "at": "soon"})
    assert (caught.value.field, caught.value.code) == ("occurred_at", "format")
    assert run(tmp_path, text, {"id": 1, "order": 2}).record["fact_key"] == "1"


def test_a_field_may_choose_its_default_over_a_hold(tmp_path: Path) -> None:
    fields = ID + "  test: { from: t, otherwise: default, default: false }\n"
    mapped = run(tmp_path, fields, {"id": "1", "t": "perhaps"})
    assert mapped.record["test"] is False
    assert mapped.holds == []


def test_a_missing_field_is_held_only_where_the_condition_says_so(tmp_path: Path) -> None:
    fields = (
        ID + "  note: { from: n, otherwise: hold, hold_if: \"kind == 'stock'\", rule: needs_note, hint: add one }\n"
    )
    held = run(tmp_path, fields, {"id": "1", "kind": "stock"})
    assert [(h.field, h.rule, h.hint, h.code) for h in held.holds] == [("note", "needs_note", "add one", "missing")]
    assert run(tmp_path, fields, {"id": "1", "kind": "digital"}).holds == []


def test_a_table_is_looked_up_exactly_then_without_regard_to_case(tmp_path: Path) -> None:
    fields = ID + "  payment_state: { from: p, table: { Paid: paid, PAID: refunded, open: pending } }\n"
    states = [
        run(tmp_path, fields, {"id": "1", "p": word}).record["payment_state"] for word in ("Paid", "PAID", "OPEN")
    ]
    assert states == ["paid", "refunded", "pending"]


def test_a_word_that_no_table_knows_is_quoted_but_nothing_else_is(tmp_path: Path) -> None:
    fields = ID + "  payment_state: { from: p, table: { paid: paid } }\n"
    assert '"disputed"' in run(tmp_path, fields, {"id": "1", "p": "disputed"}).holds[0].hint
    assert "kim@example.com" not in run(tmp_path, fields, {"id": "1", "p": "kim@example.com"}).holds[0].hint


def test_elements_see_their_parent_and_the_root(tmp_path: Path) -> None:
    text = """
fields:
  external_id: id
  lines:
    each: groups.0.items
    fields:
      external_line_id: { from: n }
      quantity: { const: 1 }
      title: { from: root.name }
      sku: { from: parent.id }
      unit: { expr: "root().unit" }
"""
    tree = {"id": 9, "name": "N", "unit": "KGM", "groups": [{"items": [{"n": "a"}]}]}
    assert run(tmp_path, text, tree).record["lines"] == [
        {"external_line_id": "a", "quantity": "1", "title": "N", "sku": "9", "unit": "KGM"}
    ]


LINES = """
fields:
  external_id: id
  lines:
    each: items
    where: "state != 'removed'"
    fields: { external_line_id: { from: n, required: true }, quantity: { from: q, required: true } }
"""


def test_a_list_of_one_may_come_as_an_object_and_an_empty_one_as_empty_text(tmp_path: Path) -> None:
    assert run(tmp_path, LINES, {"id": 1, "items": {"n": 1, "q": "2.50"}}).record["lines"] == [
        {"external_line_id": "1", "quantity": "2.50"}
    ]
    empties: list[object] = ["", [], {}]
    for empty in empties:
        assert run(tmp_path, LINES, {"id": 1, "items": empty}).record["lines"] == []
    assert "lines" not in run(tmp_path, LINES, {"id": 1, "items": None}).record


def test_where_leaves_elements_out(tmp_path: Path) -> None:
    tree = {"id": 1, "items": [{"n": 1, "q": 1, "state": "removed"}, {"n": 2, "q": 1}]}
    assert [line["external_line_id"] for line in lines_of(run(tmp_path, LINES, tree))] == ["2"]


def lines_of(mapped: Mapped) -> list[dict[str, object]]:
    lines = mapped.record["lines"]
    assert isinstance(lines, list)
    return lines


@pytest.mark.parametrize("bad", ["text", 5, None, ["nested"], {"n": 1}, {"q": 1}, {"n": {"a": 1}, "q": 1}])
def test_one_bad_element_does_not_stop_the_others(tmp_path: Path, bad: object) -> None:
    mapped = run(tmp_path, LINES, {"id": 1, "items": [{"n": 1, "q": 1}, bad, {"n": 3, "q": 3}]})
    assert [line["external_line_id"] for line in lines_of(mapped)] == ["1", "3"]
    assert [hold.field for hold in mapped.holds] == ["lines"], "the place of the bad one is the next one's"
    assert mapped.holds[0].hint.startswith("not all of items can be read, element 2: ")


def test_a_list_that_is_none_is_held(tmp_path: Path) -> None:
    mapped = run(tmp_path, LINES, {"id": 1, "items": "many"})
    assert [(hold.field, hold.code) for hold in mapped.holds] == [("lines", "type")]


def test_gather_makes_one_list_of_several_sources(tmp_path: Path) -> None:
    fields = ID + "  aliases: { gather: [{ from: a }, { each: more, as: text }, { from: c }] }\n"
    assert run(tmp_path, fields, {"id": 1, "a": 1, "more": [2, "x"], "c": None}).record["aliases"] == ["1", "2", "x"]
    assert "aliases" not in run(tmp_path, fields, {"id": 1}).record


def test_scalars_that_cannot_be_used_are_held_or_stop_the_mapping_as_it_says(tmp_path: Path) -> None:
    tree = {"id": 1, "words": ["a", {"b": 1}, None, "c"]}
    mapped = run(tmp_path, ID + "  tags: { each: words, as: text }\n", tree)
    assert (mapped.record["tags"], [hold.field for hold in mapped.holds]) == (["a", "c"], ["tags.1"])
    with pytest.raises(MappingError, match=r"tags\.1"):
        run(tmp_path, ID + "  tags: { each: words, as: text, otherwise: error }\n", tree)


def test_a_constant_is_the_same_in_every_run(tmp_path: Path) -> None:
    path = tmp_path / "o.in.yaml"
    head = "mapping: t/o.in\ntarget: Order\nkind: state\n"
    path.write_text(head + ID + "  attributes: { const: { from: us } }\nkeep_rest: attributes.shop\n", encoding="utf-8")
    mapping = compile_mapping(path, library=MappingLibrary())
    assert mapping.run({"id": 1, "x": 1}).record["attributes"] == {"from": "us", "shop": {"x": 1}}
    assert mapping.run({"id": 1}).record["attributes"] == {"from": "us"}


def test_the_context_is_in_reach(tmp_path: Path) -> None:
    fields = (
        ID + "  scope: { from: context.config.store }\n  note: { expr: \"concat(context().connection, '/', id)\" }\n"
    )
    record = run(tmp_path, fields, {"id": 1}, context={"connection": "pos", "config": {"store": 14}}).record
    assert (record["scope"], record["note"]) == ("14", "pos/1")


def test_keep_rest_keeps_what_nothing_read_at_every_depth(tmp_path: Path) -> None:
    text = """
fields:
  external_id: id
  buyer: { fields: { email: { from: [mail, customer.mail] }, name: customer.name } }
  lines:
    each: items
    fields: { external_line_id: n, quantity: q }
    keep_rest: properties.shop
  shipping_charges: { each: ship, fields: { amount: price } }
keep_rest: attributes.shop
"""
    tree = {
        "id": 1,
        "mail": "a@example.com",
        "customer": {"name": "A", "mail": "b@example.com", "vip": None},
        "items": [{"n": 1, "q": 1, "colour": "red", "engraving": [{"x": 1}]}],
        "ship": [{"price": "1", "carrier": "C"}, {"price": "2"}],
        "big": 10**40,
    }
    record = run(tmp_path, text, tree).record
    assert record["attributes"] == {
        "shop": {
            "customer": {"mail": "b@example.com", "vip": None},
            "ship": [{"carrier": "C"}, {}],
            "big": 10**40,
        }
    }
    lines = record["lines"]
    assert isinstance(lines, list)
    assert lines[0]["properties"] == {"shop": {"colour": "red", "engraving": [{"x": 1}]}}


def test_a_record_that_breaks_its_schema_is_an_error_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        run(tmp_path, ID + "  source_version: v\n", {"id": "1", "v": "secret" * 20})
    assert (caught.value.field, caught.value.code) == ("source_version", "schema")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("tree", [None, "text", 5, True])
def test_an_input_that_is_no_object_is_refused(tmp_path: Path, tree: object) -> None:
    with pytest.raises(MappingError) as caught:
        run(tmp_path, ID, tree)
    assert caught.value.code == "not_an_object"


def test_more_than_six_decimals_are_rounded_half_even_and_the_source_text_is_kept(tmp_path: Path) -> None:
    fields = ID + "  totals: { fields: { tax: t, total: s } }\n"
    mapped = run(tmp_path, fields, {"id": 1, "t": "0.6212505", "s": Decimal("10.799999999999999")})
    assert mapped.record["totals"] == {"tax": "0.621250", "total": "10.800000"}
    assert [(note.code, note.field, note.text) for note in mapped.notes] == [
        ("precision_lost", "totals.tax", "0.6212505"),
        ("precision_lost", "totals.total", "10.799999999999999"),
    ]


def test_a_trace_has_a_row_for_every_field_with_source_raw_value_steps_and_result(tmp_path: Path) -> None:
    fields = ID + "  currency: { from: cur }\n  note: { from: n }\n" + LINES.partition("external_id: id\n")[2]
    mapped = run(tmp_path, fields, {"id": 1, "cur": "eur", "items": [{"n": 5, "q": "1"}]}, trace=True)
    assert trace_lines(mapped) == [
        ("external_id", "id", "1", "as text", "1"),
        ("currency", "cur", "eur", "as currency", "EUR"),
        ("note", "n", "-", "-", "-"),
        ("lines.0.external_line_id", "n", "5", "as text", "5"),
        ("lines.0.quantity", "q", "1", "as decimal", "1"),
    ]


def test_a_trace_shows_every_step_and_why_one_stopped(tmp_path: Path) -> None:
    fields = (
        ID + "  currency: { from: c, table: { euro: eur }, as: currency }\n"
        "  payment_state: { from: p, table: { settled: paid }, rule: pay }\n  note: { from: n, default: none }\n"
    )
    mapped = run(tmp_path, fields, {"id": 1, "c": "euro", "p": "lost"}, trace=True)
    assert trace_lines(mapped) == [
        ("external_id", "id", "1", "as text", "1"),
        ("currency", "c", "euro", "table here -> eur, as currency", "EUR"),
        ("payment_state", "p", "lost", 'table here -> "lost" is not in the table here, refused, held -> pay', "-"),
        ("note", "n", "-", "default", "none"),
        ("payment_state", "hold pay", "-", "unknown_value", 'p: "lost" is not in the table here'),
    ]
    row = (mapped.trace or [])[1]
    assert row.file.endswith("orders.in.yaml")
    assert row.line > 1


def test_an_out_mapping_makes_the_vendors_own_tree(tmp_path: Path) -> None:
    text = """
mapping: erp/submit_order.out
input: PostedOrder
fields:
  Header:
    fields:
      "@version": { const: "2" }
      Ref: key
      Total: { from: totals.total, as: number }
      Gone: { from: buyer_name, default: null }
  Date: { from: placed_at, as: instant, write: "%Y%m%d" }
  Items: { each: lines, fields: { Qty: { from: quantity, as: integer }, Sku: sku } }
"""
    tree = {
        "key": "k",
        "totals": {"total": "1.50"},
        "placed_at": "2026-11-01T23:00:00.000000Z",
        "lines": [{"quantity": "2", "sku": "A"}],
    }
    assert run(tmp_path, text, tree).record == {
        "Header": {"@version": "2", "Ref": "k", "Total": Decimal("1.50"), "Gone": None},
        "Date": "20261101",
        "Items": [{"Qty": 2, "Sku": "A"}],
    }


def test_money_carries_the_currency_beside_it(tmp_path: Path) -> None:
    text = """
mapping: t/x.out
fields:
  a: { from: x.amount, as: money, currency: x.code }
  b: { from: x.amount, as: money, currency: { const: EUR } }
  c: { each: list, fields: { price: { from: p, as: money, currency: cur } } }
"""
    tree = {"x": {"amount": "5.5", "code": "gbp"}, "list": [{"p": 3, "cur": "JPY"}, {"p": 4, "cur": "KWD"}]}
    assert run(tmp_path, text, tree).record == {
        "a": {"amount": "5.5", "currency": "GBP"},
        "b": {"amount": "5.5", "currency": "EUR"},
        "c": [{"price": {"amount": "3", "currency": "JPY"}}, {"price": {"amount": "4", "currency": "KWD"}}],
    }
    with pytest.raises(MappingError, match="no currency"):
        run(tmp_path, text, {"x": {"amount": "5.5"}})
