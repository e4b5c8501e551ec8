"""Fixed columns: layouts are data, nothing is cut off."""

from __future__ import annotations

from typing import Any

import pytest

from hub.formats import FormatError, codec

FIXED = codec("fixed")
LAYOUTS: list[Any] = [
    {"name": "order", "when": {"at": 1, "is": "H"}, "fields": {"number": [2, 6], "buyer": [8, 6]}},
    {
        "name": "line",
        "when": {"at": 1, "is": "P"},
        "parent": "order",
        "fields": {"sku": [2, 6], "quantity": {"at": 8, "width": 5, "align": "right", "fill": "0"}},
    },
    {"name": "text", "when": {"at": 1, "is": "T"}, "parent": "line", "fields": {"text": [2, 20]}},
]
FILE = b"HPO-1  ACME\r\nPMUG   00012\r\nTblue\r\nPCUP   00001\r\nHPO-2\r\n"
TREE: dict[str, Any] = {
    "records": [
        {
            "record": "order",
            "number": "PO-1",
            "buyer": "ACME",
            "line": [
                {"record": "line", "sku": "MUG", "quantity": "00012", "text": [{"record": "text", "text": "blue"}]},
                {"record": "line", "sku": "CUP", "quantity": "00001"},
            ],
        },
        {"record": "order", "number": "PO-2"},
    ]
}


def test_records_stand_inside_their_parents_and_are_written_the_same() -> None:
    options: dict[str, Any] = {"records": LAYOUTS}
    assert FIXED.loads(FILE, None, options) == TREE
    assert FIXED.dumps(TREE, options) == FILE
    assert [position for position, _ in FIXED.split(FILE, None, options)] == ["record.1", "record.2"]


def test_records_without_line_breaks_have_a_width() -> None:
    layouts: list[Any] = [{"name": "row", "fields": {"a": [1, 3], "b": [4, 2]}}]
    options: dict[str, Any] = {"records": layouts, "width": 5, "line_end": "none"}
    tree: dict[str, Any] = {"records": [{"record": "row", "a": "x", "b": "12"}, {"record": "row", "a": "yyy"}]}
    assert FIXED.loads(b"x  12yyy  ", None, options) == tree
    assert FIXED.dumps(tree, options) == b"x  12yyy  "


def test_columns_count_characters_of_the_encoding() -> None:
    layouts: list[Any] = [{"name": "row", "fields": {"a": [1, 3], "b": [4, 1]}}]
    for encoding in ("utf-8", "iso-8859-1", "cp850"):
        body = "äöüX\n".encode(encoding)
        (record,) = FIXED.split(body, None, {"records": layouts, "encoding": encoding})
        assert record[1] == {"record": "row", "a": "äöü", "b": "X"}


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [(b"HPO-1\nX\n", "syntax", 2), (b"PMUG\n", "syntax", 1), (b"H\xff\n", "encoding", 1)],
)
def test_what_fits_no_layout_is_refused_with_its_line(body: bytes, code: str, line: int) -> None:
    with pytest.raises(FormatError) as refused:
        FIXED.loads(body, None, {"records": LAYOUTS})
    assert refused.value.code == code
    assert refused.value.position is not None
    assert refused.value.position.line == line


def test_lines_that_no_layout_fits_may_be_skipped() -> None:
    tree = FIXED.loads(b"*** report\nHPO-1\n", None, {"records": LAYOUTS, "unknown": "skip"})
    assert tree == {"records": [{"record": "order", "number": "PO-1"}]}


@pytest.mark.parametrize(
    "records",
    [
        None,
        [],
        ["order"],
        [{"name": "a", "fields": {}}],
        [{"name": "a", "fields": {"x": [0, 1]}}],
        [{"name": "a", "fields": {"x": [1]}}],
        [{"name": "a", "fields": {"record": [1, 1]}}],
        [{"name": "a", "parent": "b", "fields": {"x": [1, 1]}}],
        [{"name": "a", "fields": {"b": [1, 1]}}, {"name": "b", "parent": "a", "fields": {"x": [1, 1]}}],
        [{"name": "a", "fields": {"x": {"at": 1, "width": 1, "align": "middle"}}}],
        [{"name": "a", "when": {"is": 5}, "fields": {"x": [1, 1]}}],
    ],
)
def test_layouts_that_mean_nothing_are_refused(records: Any) -> None:
    with pytest.raises(FormatError) as refused:
        FIXED.loads(b"x", None, {} if records is None else {"records": records})
    assert refused.value.code == "option"


@pytest.mark.parametrize(
    "records",
    [
        [{"record": "order", "number": "PO-12345"}],
        [{"record": "line", "sku": "MUG"}],
        [{"record": "order", "other": "x"}],
        [{"record": "order", "number": "a\nb"}],
        [{"record": "order", "number": ["a"]}],
        ["order"],
        "order",
    ],
)
def test_what_has_no_room_or_no_place_is_not_written(records: Any) -> None:
    with pytest.raises(FormatError) as refused:
        FIXED.dumps({"records": records}, {"records": LAYOUTS})
    assert refused.value.code == "unwritable"
