"""JSON codec: exact where it reads, clear where it refuses."""

from decimal import Decimal

import pytest

from hub.formats import FormatError, codec
from hub.formats.json import dumps_canonical, loads


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"1.10", Decimal("1.10")),
        (b"-0.0", Decimal("-0.0")),
        (b"1e2", Decimal("1E+2")),
        (b"820982911946154508", 820982911946154508),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"\xef\xbb\xbf" + b'{"a": null}', {"a": None}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'{"a\\u003a": 1, "b": ":"}', {"a:": 1, "b": ":"}),
        (b'["[", "{\\"", "]"]', ["[", '{"', "]"]),
        (b" \r\n\t[ ] ", []),
        (b'"\\u0000\\b\\/"', "\x00\b/"),
        (b"9" * 400, int("9" * 400)),
    ],
)
def test_a_value_is_read_exactly(body: bytes, tree: object) -> None:
    read = loads(body)
    assert read == tree
    assert repr(read) == repr(tree)  # 1.10 keeps its zero, true is not 1


@pytest.mark.parametrize(
    ("body", "code", "line", "column"),
    [
        (b'{"qty": 1,\n "qty": 99}', "duplicate_key", 2, 2),
        (b'{"a": {"b": 1, "b": {"c": [1, 2]}}}', "duplicate_key", 1, 16),
        (b'{"a:b": 1, "a\\u003ab": 2}', "duplicate_key", 1, 12),
        (b"\xef\xbb\xbf" + b'{"a":1,"a":2}', "duplicate_key", 1, 8),
        (b"[NaN]", "number", 1, 2),
        (b"[Infinity]", "number", 1, 2),
        (b"[-Infinity]", "number", 1, 2),
        (b'{"name": "\xff"}', "encoding", 1, 11),
        (b'"\xed\xa0\x80"', "encoding", 1, 2),
        (b'["\\ud800"]', "encoding", 1, 3),
        (b'["\\udc00"]', "encoding", 1, 3),
        (b'["\\ud800\\ud800"]', "encoding", 1, 3),
        (b"9" * 401, "number", 1, 1),
        (b"9" * 5000, "number", 1, 1),
        (b'{"n": ' + b"1" * 5000 + b"}", "number", 1, 7),
        (b"1e400", "number", 1, 1),
        (b"1E-999999999999999999999", "number", 1, 1),
        (b"[" * 101 + b"]" * 101, "too_deep", 1, 101),
        (b"[" * 100_000, "too_deep", 1, 101),
        (b'{"a":' * 100_000, "too_deep", 1, 501),
        (b"", "syntax", 1, 1),
        (b"  ", "syntax", 1, 3),
        (b'{"a": 1', "syntax", 1, 8),
        (b'{"a" 1}', "syntax", 1, 6),
        (b"{'a': 1}", "syntax", 1, 2),
        (b'{"a": 1,}', "syntax", 1, 9),
        (b"[1,\n2,]", "syntax", 2, 3),
        (b"[1 2]", "syntax", 1, 4),
        (b"01", "syntax", 1, 1),
        (b"1.", "syntax", 1, 1),
        (b".5", "syntax", 1, 1),
        (b"+1", "syntax", 1, 1),
        (b"1 2", "syntax", 1, 3),
        (b'"a\tb"', "syntax", 1, 3),
        (b'"abc', "syntax", 1, 1),
        (b'"\\x"', "syntax", 1, 2),
        (b"tru", "syntax", 1, 1),
        (b"order=1&total=2", "syntax", 1, 1),
    ],
)
def test_a_bad_body_is_refused_with_its_position(body: bytes, code: str, line: int, column: int) -> None:
    with pytest.raises(FormatError) as caught:
        loads(body)
    assert caught.value.code == code
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (line, column)


def test_nesting_is_read_up_to_the_limit_also_when_texts_hold_brackets() -> None:
    assert loads(b"[" * 100 + b"]" * 100)
    hidden = b'["]",' * 200 + b'"x"' + b',"["]' * 200
    with pytest.raises(FormatError) as caught:
        loads(hidden)
    assert caught.value.code == "too_deep"
    escaped = b'["\\"]",' * 200 + b'"x"' + b',"[\\""]' * 200
    with pytest.raises(FormatError, match="deeper than 100"):
        loads(escaped)


def test_a_duplicate_key_is_named_and_the_value_is_not_shown() -> None:
    with pytest.raises(FormatError, match='"qty" is given twice') as caught:
        loads(b'{"qty": 1, "qty": "secret"}')
    assert "secret" not in str(caught.value)


def test_a_body_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(FormatError) as caught:
        loads(b"[1, 2, 3]", max_bytes=8)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"b": 1, "a": [True, None, "é"]}, '{"a":[true,null,"é"],"b":1}'),
        ({"z": Decimal("1.50"), "y": "1.50"}, '{"y":"1.50","z":1.50}'),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("12345678901234567890123456789.012345678"), "12345678901234567890123456789.012345678"),
        ({"n": 10**30, "m": Decimal("1E+3")}, '{"m":1000,"n":' + "1" + "0" * 30 + "}"),
        ({"é": 1, "z": 2, "Z": 3, "\U0001f600": 4, "\uffff": 5}, '{"Z":3,"z":2,"é":1,"\uffff":5,"\U0001f600":4}'),
    ],
)
def test_canonical_text_is_sorted_dense_and_plain(tree: object, text: str) -> None:
    assert dumps_canonical(tree) == text.encode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tree",
    [
        1.5,
        {"a": [0.1]},
        {1: "a"},
        {"a": object()},
        {"a": b"bytes"},
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+500"),
        10**400,
        "\ud800",
        {"\ud800": 1},
    ],
)
def test_what_is_no_tree_is_not_written(tree: object) -> None:
    with pytest.raises(FormatError):
        dumps_canonical(tree)  # type: ignore[arg-type]


def test_a_tree_without_end_is_refused_for_writing() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(FormatError):
        dumps_canonical(endless)  # type: ignore[arg-type]


def test_a_body_splits_into_its_records_with_positions() -> None:
    body = b'{"data": {"orders": [{"id": 1}, {"id": 2}]}}'
    assert codec("json").split(body, options={"items": "data.orders"}) == [
        ("data.orders.0", {"id": 1}),
        ("data.orders.1", {"id": 2}),
    ]
    assert codec("json").split(b'{"order": {"id": 1}}', options={"items": "order"}) == [("order", {"id": 1})]
    assert codec("json").split(b'{"orders": null}', options={"items": "orders"}) == []
    assert codec("json").split(b'{"id": 1}') == [("", {"id": 1})]


def test_a_missing_list_of_records_is_an_error_not_an_empty_list() -> None:
    with pytest.raises(FormatError, match='no "orders" in data') as caught:
        codec("json").split(b'{"data": {}}', options={"items": "data.orders"})
    assert caught.value.code == "items"


def test_an_unknown_codec_or_option_is_named() -> None:
    with pytest.raises(KeyError, match="there are csv, edifact, fixed, json, x12, xml"):
        codec("yaml")
    with pytest.raises(FormatError, match="no option item"):
        codec("json").split(b"{}", options={"item": "orders"})
