"""CSV and fixed columns: what is written reads back, and any bytes are read or refused."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.formats import FormatError, codec

CSV, FIXED = codec("csv"), codec("fixed")
cells = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
delimiters = st.sampled_from([",", ";", "tab", "|"])


@given(st.lists(st.tuples(cells, cells), max_size=5), delimiters)
def test_written_cells_read_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    options: dict[str, Any] = {"delimiter": delimiter, "formulas": True}
    tree: dict[str, Any] = {"columns": ["a", "b"], "rows": [{"a": one, "b": other} for one, other in rows]}
    read = CSV.loads(CSV.dumps(tree, options), None, options)
    assert isinstance(read, dict)
    assert read["rows"] == tree["rows"]


@given(st.lists(st.lists(cells, min_size=1, max_size=3), max_size=4))
def test_no_written_cell_begins_as_a_formula(rows: list[list[str]]) -> None:
    tree = [{str(place): cell for place, cell in enumerate(row)} for row in rows]
    options: dict[str, Any] = {"header": False, "columns": ["0", "1", "2"]}
    for _, row in CSV.split(CSV.dumps(tree, options), None, options):
        assert isinstance(row, dict)
        for cell in row.values():
            assert isinstance(cell, str)
            assert not cell.startswith(("=", "@", "\t", "\r"))


@given(st.binary(max_size=120), st.sampled_from(["utf-8", "utf-16", "iso-8859-1"]), delimiters)
def test_any_bytes_are_csv_or_refused(body: bytes, encoding: str, delimiter: str) -> None:
    with contextlib.suppress(FormatError):
        CSV.split(body, None, {"encoding": encoding, "delimiter": delimiter})


LAYOUTS: list[Any] = [
    {"name": "a", "when": {"is": "A"}, "fields": {"x": [2, 3], "y": {"at": 5, "width": 4, "align": "right"}}},
    {"name": "b", "parent": "a", "fields": {"z": [1, 5]}},
]
values = st.text(alphabet="abc0 1ä", max_size=3).map(str.strip)


@given(
    st.lists(st.tuples(values, values, st.lists(values.filter(lambda v: v and v[0] != "A"), max_size=2)), max_size=4)
)
def test_written_records_read_back(rows: list[tuple[str, str, list[str]]]) -> None:
    records: list[dict[str, Any]] = []
    for one, other, below in rows:
        record: dict[str, Any] = {"record": "a"}
        record |= {name: value for name, value in (("x", one), ("y", other)) if value}
        if below:
            record["b"] = [{"record": "b", "z": value} for value in below]
        records.append(record)
    options = {"records": LAYOUTS}
    assert FIXED.loads(FIXED.dumps({"records": records}, options), None, options) == {"records": records}


@given(st.binary(max_size=80), st.sampled_from(["utf-8", "cp850"]))
def test_any_bytes_are_records_or_refused(body: bytes, encoding: str) -> None:
    with contextlib.suppress(FormatError):
        FIXED.split(body, None, {"records": LAYOUTS, "encoding": encoding})
