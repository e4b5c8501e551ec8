"""EDIFACT: what is written is read back, whatever it holds; what is broken is refused or named, no more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.formats import FormatError
from hub.formats.edi_files import opened, records
from hub.formats.edifact import Separators, write_segments
from hub.formats.edifact_sets import message_segments

TEXT = st.text(
    st.characters(codec="latin-1", exclude_characters="".join(map(chr, [*range(32), *range(127, 161)]))),
    min_size=1,
    max_size=12,
).filter(lambda text: text == text.strip() and "\xa0" not in text)
SEPARATORS = st.sampled_from(
    [Separators(), Separators("|", "*", "~"), Separators("\x1d", "\x1f", "\x1c", release="\\")]
)
LINE = st.fixed_dictionaries({"LIN0101": TEXT}, optional={"LIN0301": TEXT, "LIN0302": TEXT})


@given(number=TEXT, lines=st.lists(LINE, max_size=4), separators=SEPARATORS, ends=st.sampled_from(["", "\n", "\r\n"]))
@settings(max_examples=60, deadline=None)
def test_a_message_comes_back_as_it_was(
    number: str, lines: list[dict[str, str]], separators: Separators, ends: str
) -> None:
    body = message_segments("ORDERS", {"BGM": {"BGM0101": "220", "BGM0201": number}, "LIN": lines}, separators)
    join = separators.component.join
    segments = [
        ["UNB", join(["UNOC", "3"]), "S", "R", join(["261101", "0930"]), "7"],
        ["UNH", "1", join(["ORDERS", "D", "96A", "UN"])],
        *body,
        ["UNT", str(len(body) + 2), "1"],
        ["UNZ", "1", "7"],
    ]
    una = f"UNA{separators.component}{separators.element}.{separators.release} {separators.segment}"
    text = una + write_segments(segments, separators, suffix=ends)
    _, found = opened(text.encode("latin-1"), "latin-1")
    ((_, tree),) = records(found)
    read: Any = tree
    assert "findings" not in read
    assert read["BGM"]["BGM0201"] == number
    kept = [{name: value for name, value in line.items() if name.startswith("LIN")} for line in read.get("LIN", [])]
    assert kept == lines


GOOD = b"UNA:+.? 'UNB+UNOC:3+S+R+261101:0930+7'UNH+1+ORDERS:D:96A:UN'BGM+220+B?'1'LIN+1'UNT+4+1'UNZ+1+7'"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        records(opened(bytes(body))[1])
    except FormatError:
        return
