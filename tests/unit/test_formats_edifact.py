"""EDIFACT as partners send it: separators, releases, envelopes that do not agree."""

from __future__ import annotations

from typing import Any

import pytest

from hub.formats import FormatError, codec
from hub.formats.edi_files import opened, records
from hub.formats.edifact import Separators
from hub.formats.edifact_sets import message_segments

PLAIN = "UNB+UNOA:1+S:14+R:14+261101:0930+7'UNH+1+ORDERS:D:96A:UN'BGM+220+B?'1?+2??+9'UNT+3+1'UNZ+1+7'"


def bodies(text: str | bytes) -> list[str]:
    body = text if isinstance(text, bytes) else text.encode()
    trees: list[Any] = [tree for _, tree in records(opened(body)[1])]
    return [str(tree["BGM"]["BGM0201"]) for tree in trees]


def findings(text: str) -> list[str]:
    _, found = opened(text.encode())
    records(found)
    groups = [group for interchange in found for group in interchange.groups]
    said = [finding for interchange in found for finding in interchange.findings]
    said += [finding for group in groups for finding in group.findings]
    said += [finding for group in groups for one in group.sets for finding in one.findings]
    return [finding.code for finding in said]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        "UNA:+.? '" + PLAIN,
        "UNA:+.? '\r\n" + PLAIN.replace("'U", "'\r\nU"),
        "\r\n\x00 " + PLAIN,
        "UNA:+,? ~" + PLAIN.replace("'", "~").replace("?~", "'"),
        "UNA:+.? \n" + PLAIN.replace("?'", "\x02").replace("'", "\n").replace("\x02", "'"),
        "UNA*|.! ;" + PLAIN.replace("?'1?+2??", "#").translate(str.maketrans("+:'", "|*;")).replace("#", "'1+2?"),
    ],
)
def test_separators_are_those_of_the_file(text: str) -> None:
    assert bodies(text) == ["B'1+2?"]
    assert findings(text) == []


def test_separators_without_a_una_are_seen_around_its_segments() -> None:
    text = "UNB|UNOB~1|S|R|261101~0930|7^UNH|1|ORDERS~D^BGM|220|B?1^UNT|3|1^UNZ|1|7^"
    text = text.translate(str.maketrans("|~^", "\x1d\x1f\x1c"))
    assert bodies(text) == ["B?1"]
    assert bodies(PLAIN.replace("?'1", "").replace("'", "~\n")) == ["B+2?"]


def test_several_interchanges_each_have_separators_of_their_own() -> None:
    other = "UNA;/.? !" + PLAIN.replace("B?'1?+2??", "2").translate(str.maketrans("+:'", "/;!"))
    assert bodies(PLAIN + "\r\n" + other + "\n" + PLAIN.removesuffix("UNZ+1+7'") + PLAIN) == [
        "B'1+2?",
        "2",
        *["B'1+2?"] * 2,
    ]


def test_bytes_that_are_no_utf_8_are_latin_1() -> None:
    assert bodies(PLAIN.replace("?'1?+2??", "Größe").encode("latin-1")) == ["BGröße"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("UNT+3", "UNT+4", "set_count"),
        ("UNT+3+1", "UNT+3+2", "set_control"),
        ("UNT+3+1'", "", "no_se"),
        ("UNT+3+1'UNZ+1+7'", "", "cut_off"),
        ("UNZ+1+7", "UNZ+2+7", "interchange_count"),
        ("UNZ+1+7", "UNZ+1+8", "interchange_control"),
        ("UNZ+1+7'", "", "no_iea"),
        ("BGM+220+B?'1?+2??+9'", "BGM+220'", "missing_element"),
        ("UNH+1+", "BGM+1'UNH+1+", "stray_segment"),
    ],
)
def test_what_does_not_agree_is_named(old: str, new: str, code: str) -> None:
    assert code in findings(PLAIN.replace(old, new))


@pytest.mark.parametrize(
    ("text", "code"), [("", "syntax"), ("hello", "syntax"), ("UNA+++++'UNB+UNOA:1'UNZ+1'", "separators")]
)
def test_what_is_no_edifact_is_refused(text: str, code: str) -> None:
    with pytest.raises(FormatError) as refused:
        codec("edifact").split(text.encode())
    assert refused.value.code == code


def test_what_separates_is_released_and_comes_back() -> None:
    separators = Separators()
    (segment,) = message_segments(
        "CONTRL", {"UCI": {"UCI0101": "a+b:c'd?e", "UCI0202": "z", "UCI0401": "7"}}, separators
    )
    assert segment == ["UCI", "a?+b?:c?'d??e", ":z", "", "7"]
    assert separators.components(segment[1]) == ["a+b:c'd?e"]
    with pytest.raises(FormatError, match="nothing releases it"):
        Separators(release="").protected("a+b")
    with pytest.raises(FormatError, match="UCI is missing"):
        message_segments("CONTRL", {}, separators)
