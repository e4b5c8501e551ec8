"""X12: what was read writes the same bytes; nothing but the format's own error comes out of any bytes."""

from __future__ import annotations

import contextlib

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.formats import FormatError, codec
from hub.formats.x12 import Separators, write_segments
from tests.edi.site import interchange, purchase_order

X12 = codec("x12")
GOOD = interchange(purchase_order("PO-1", "0001"), purchase_order("PO-2", "0002"))

data = st.text(alphabet="ABC abc012.-äß€", max_size=12)
tags = st.text(alphabet="ABCDEFGHXYZ0123", min_size=2, max_size=3).filter(lambda tag: tag not in ("BIN", "BDS"))
segments = st.lists(st.tuples(tags, st.lists(data, max_size=6)), max_size=12)
separators = st.lists(st.sampled_from("*|^~!@:>'\x1c\x1d\x1f\x15\n\r"), min_size=3, max_size=3, unique=True)
blanks = st.sampled_from(["", "\n", "\r\n", "  ", "\r\n\t", "\x00"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """One to three interchanges of anything, with any separators, in one of the charsets."""
    text = draw(st.sampled_from(["", "\ufeff", "\r\n "]))
    for _ in range(draw(st.integers(1, 3))):
        element, component, terminator = draw(separators)
        assume(element not in "\r\n")
        isa = f"ISA*00*{'':10}*00*{'':10}*ZZ*{'A':15}*ZZ*{'B':15}*261101*1200*U*00401*000000001*0*P*"
        text += isa.replace("*", element) + component + terminator
        for tag, values in draw(segments):
            text += draw(blanks) + element.join([tag, *values]) + terminator
        text += draw(blanks)
    charset = draw(st.sampled_from(["utf-8", "latin-1"]))
    return text.replace("\ufeff", "" if charset == "latin-1" else "\ufeff").encode(charset, "replace")


@given(files())
def test_what_was_read_is_written_with_the_same_bytes(body: bytes) -> None:
    assert X12.dumps(X12.loads(body)) == body


@given(files())
def test_every_file_with_an_isa_is_cut_into_sets_with_different_places(body: bytes) -> None:
    positions = [position for position, _ in X12.split(body)]
    assert len(positions) == len(set(positions))


@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(chosen: st.DataObject) -> None:
    body = bytearray(GOOD.encode())
    for _ in range(chosen.draw(st.integers(1, 6))):
        place = chosen.draw(st.integers(0, len(body) - 1))
        how = chosen.draw(st.integers(0, 3))
        if how == 0:
            body[place] = chosen.draw(st.integers(0, 255))
        elif how == 1:
            del body[place : place + chosen.draw(st.integers(1, 40))]
        elif how == 2:
            body[place:place] = chosen.draw(st.binary(max_size=8))
        else:
            body[place:place] = body[: chosen.draw(st.integers(0, 120))]
        if not body:
            break
    damaged = bytes(body)
    with contextlib.suppress(FormatError):
        X12.split(damaged)
    with contextlib.suppress(FormatError):
        assert X12.dumps(X12.loads(damaged)) == damaged


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes, led: bool) -> None:
    for given_body in (body, GOOD.encode()[:106] + body if led else b"ISA" + body):
        with contextlib.suppress(FormatError):
            X12.split(given_body)
        with contextlib.suppress(FormatError):
            assert X12.dumps(X12.loads(given_body)) == given_body


@given(st.lists(st.tuples(tags, st.lists(st.text(max_size=6), min_size=1, max_size=5)), min_size=1, max_size=6))
def test_written_segments_read_back_or_are_refused(rows: list[tuple[str, list[str]]]) -> None:
    assume(all(tag not in ("ST", "SE", "GS", "GE", "ISA", "IEA", "TA1") for tag, _ in rows))
    given_rows = [[tag, *values] for tag, values in rows]
    printable = all(value.isprintable() for _, values in rows for value in values)
    try:
        text = write_segments([["ST", "999X", "1"], *given_rows, ["SE", "0", "1"]], Separators())
    except FormatError:
        assert any(char in "*~>\r\n" for _, values in rows for value in values for char in value)
        return
    assume(printable and all(not value or value == value.rstrip() for _, values in rows for value in values))
    isa = GOOD[:106] + "GS*ZZ*A*B*20261101*1200*1*X*004010~"
    ((_, tree),) = X12.split((isa + text + "GE*1*1~IEA*1*000000011~").encode())
    assert isinstance(tree, dict)
    read: list[object] = []
    for tag in dict.fromkeys(tag for tag, _ in rows):
        found = tree[tag]
        assert isinstance(found, list)
        read += found
    wanted = [
        {f"{tag}{place:02d}": value for place, value in enumerate(values, start=1) if value}
        for name in dict.fromkeys(tag for tag, _ in rows)
        for tag, values in rows
        if tag == name
    ]
    assert read == wanted
