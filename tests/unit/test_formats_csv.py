"""CSV: cells are text as written, and a spreadsheet runs none of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.formats import FormatError, codec

CSV = codec("csv")


def rows(body: str | bytes, **options: Any) -> list[Any]:
    data = body if isinstance(body, bytes) else body.encode()
    return [tree for _, tree in CSV.split(data, None, options)]


def test_cells_stay_text_with_their_zeros() -> None:
    assert rows("sku,quantity,price\n00123,1.50,007\n") == [{"sku": "00123", "quantity": "1.50", "price": "007"}]


def test_each_row_has_its_place() -> None:
    assert [position for position, _ in CSV.split(b"a\n1\n\n2\n")] == ["row.1", "row.2"]


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b"\xef\xbb\xbfid;name\r\n1;K\xc3\xa4fer\r\n", {"delimiter": ";"}),
        ("id\tname\n1\tKäfer\n".encode("latin-1"), {"delimiter": "tab", "encoding": "iso-8859-1"}),
        ("id,name\r1,Käfer".encode(), {}),
        ("id,name\n1,Käfer\n".encode("utf-16"), {}),
        (b"id,name\n1,'K\xc3\xa4fer'\n", {"quote": "'"}),
        (b"report of today\nid,name\n1,K\xc3\xa4fer\n", {"skip": 1}),
        (b"1,K\xc3\xa4fer\n", {"columns": ["id", "name"]}),
        (b"x,y\n1,K\xc3\xa4fer\n", {"columns": ["id", "name"], "header": True}),
    ],
)
def test_dialects_are_options(body: bytes, options: dict[str, Any]) -> None:
    assert rows(body, **options) == [{"id": "1", "name": "Käfer"}]


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks() -> None:
    assert rows('a,b\n"x, ""y""\r\nz",2\n') == [{"a": 'x, "y"\r\nz', "b": "2"}]


def test_a_quote_inside_of_a_cell_is_data() -> None:
    assert rows('a,b\n4" pipe,"1" inch\n') == [{"a": '4" pipe', "b": "1 inch"}]


def test_short_rows_lack_cells_and_long_ones_have_more() -> None:
    assert rows("a,b\n1\n1,2,3\n1,2,,\n") == [{"a": "1"}, {"a": "1", "b": "2", "#more": ["3"]}, {"a": "1", "b": "2"}]


def test_without_header_columns_are_numbered() -> None:
    assert rows("x,y\n", header=False) == [{"1": "x", "2": "y"}]


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (b"", "syntax", None),
        (b'a,b\n1,2\n"x,3\n', "syntax", 3),
        (b"a,a\n1,2\n", "duplicate_key", 1),
        (b"a,,b\n1,2,3\n", "syntax", 1),
        (b"a\n\xff\n", "encoding", 2),
        (b"a\n" + b"," * 3000, "too_large", 2),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(body: bytes, code: str, line: int | None) -> None:
    with pytest.raises(FormatError) as refused:
        CSV.loads(body)
    assert refused.value.code == code
    assert (refused.value.position.line if refused.value.position else None) == line


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ",", "quote": ","},
        {"delimiter": ""},
        {"delimiter": "ab"},
        {"encoding": "utf-7"},
        {"columns": ["a", "a"]},
        {"columns": "a"},
        {"skip": -1},
        {"line_end": "cr"},
        {"header": "yes"},
        {"other": 1},
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as refused:
        CSV.loads(b"a\n1\n", None, options)
    assert refused.value.code == "option"


def test_what_a_spreadsheet_would_run_is_written_as_text() -> None:
    tree = [{"a": "=1+1", "b": "@x", "c": "-5.00", "d": "+cmd", "e": "-5-3"}]
    assert CSV.dumps(tree, {"header": False}) == b"'=1+1,'@x,-5.00,'+cmd,'-5-3\r\n"
    assert CSV.dumps(tree, {"header": False, "formulas": True}) == b"=1+1,@x,-5.00,+cmd,-5-3\r\n"


def test_numbers_are_written_as_they_are() -> None:
    assert CSV.dumps([{"a": Decimal("1.50"), "b": 7, "c": None, "d": True}]) == b"a,b,c,d\r\n1.50,7,,true\r\n"


@pytest.mark.parametrize(
    ("tree", "options"),
    [
        ("text", {}),
        ([1], {}),
        ([{"a": [1]}], {}),
        ([{"a": "1", "b": "2"}], {"columns": ["a"]}),
        ([{"a": "x,y"}], {"quote": ""}),
        ([{"a": "ä"}], {"encoding": "ascii"}),
    ],
)
def test_what_has_no_form_is_not_written(tree: Any, options: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as refused:
        CSV.dumps(tree, options)
    assert refused.value.code == "unwritable"
