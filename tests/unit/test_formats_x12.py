"""X12: what partners really send is read where its meaning is plain, and said where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from hub.formats import FormatError, codec
from hub.formats.x12_sets import set_definitions, set_segments
from tests.edi.site import interchange, purchase_order

X12 = codec("x12")


def sets(body: bytes | str) -> list[dict[str, Any]]:
    found = X12.split(body if isinstance(body, bytes) else body.encode())
    return [tree for _, tree in found if isinstance(tree, dict)]


def the_set(body: bytes | str) -> dict[str, Any]:
    (one,) = sets(body)
    return one


GOOD = interchange(purchase_order())


def rewritten(element: str = "*", component: str = ">", segment: str = "~", after: str = "\n") -> str:
    """The good interchange with other separators."""
    text = GOOD.replace("~\n", "\x01").replace("*", "\x02").replace(">", "\x03")
    return text.replace("\x01", segment + after).replace("\x02", element).replace("\x03", component)


@pytest.mark.parametrize(
    ("element", "component", "segment", "after"),
    [
        ("*", ">", "~", ""),
        ("*", ">", "~", "\r\n"),
        ("*", ":", "\x15", "\r\n"),
        ("|", ">", "\n", ""),
        ("*", ">", "\r", "\n"),
        ("\x1d", "\x1f", "\x1c", ""),
        ("\x7f", ">", "\x15", ""),
        ("~", ">", "*", "\r\n"),
        ("*", "@", "!", "\n"),
        ("+", ":", "'", ""),
        ("|", "|", "\n", ""),
        ("*", ">", "…", "\r\n"),
        ("*", ">", "Ö", ""),
        ("*", ">", "~", "\n\t  "),
    ],
)
def test_separators_are_those_that_the_isa_shows(element: str, component: str, segment: str, after: str) -> None:
    tree = the_set(rewritten(element, component, segment, after))
    assert tree["BEG"] == {"BEG01": "00", "BEG02": "SA", "BEG03": "PO-1", "BEG05": "20261101"}
    assert tree["PO1"][0]["ids"] == {"VN": "MUG"}
    assert "findings" not in tree


@pytest.mark.parametrize("before", ["\ufeff", "\r\n  ", "\ufeff\n\t", "\x00 "])
def test_what_stands_before_the_isa_is_passed_over(before: str) -> None:
    assert the_set(before + GOOD)["BEG"]["BEG03"] == "PO-1"


def test_an_isa_that_is_not_padded_is_read_by_counting() -> None:
    short = GOOD.replace("          ", " ").replace("049351117      ", "049351117").replace("ACME           ", "ACME")
    tree = the_set(short)
    assert tree["envelope"]["sender"] == {"qualifier": "01", "id": "049351117"}
    assert tree["BEG"]["BEG03"] == "PO-1"


def test_blanks_before_line_breaks_that_end_segments_belong_to_no_element() -> None:
    tree = the_set(GOOD.replace("~\n", " \r\n"))
    assert tree["set"]["control"] == "0001"
    assert tree["N1"][0]["N102"] == "Riverside DC"


def test_lines_wrapped_at_eighty_characters_are_joined() -> None:
    text = GOOD.replace("\n", "")
    wrapped = "\r\n".join(text[at : at + 80] for at in range(0, len(text), 80))
    assert the_set(wrapped) == the_set(text)


def test_an_isa_without_its_last_element_is_read() -> None:
    tree = the_set(GOOD.replace("*P*>~", "*P~", 1))
    assert (tree["envelope"]["usage"], tree["BEG"]["BEG03"]) == ("P", "PO-1")


def test_each_interchange_of_a_file_has_separators_of_its_own() -> None:
    other = rewritten("|", ":", "\n", "").replace("PO-1", "PO-2")
    positions = [position for position, _ in X12.split((GOOD + "\r\n" + other).encode())]
    assert positions == ["isa.1.gs.1.st.1", "isa.2.gs.1.st.1"]
    assert [tree["BEG"]["BEG03"] for tree in sets(GOOD + "\r\n" + other)] == ["PO-1", "PO-2"]


def test_names_are_read_in_utf_8_and_else_in_latin_1() -> None:
    text = GOOD.replace("Riverside DC", "Käfer GmbH")
    assert the_set(text.encode())["N1"][0]["N102"] == "Käfer GmbH"
    assert the_set(text.encode("latin-1"))["N1"][0]["N102"] == "Käfer GmbH"


def test_control_characters_and_trailing_component_separators_mean_nothing() -> None:
    tree = the_set(GOOD.replace("*MUG~", "*MUG>>~").replace("Riverside DC", "River\x07side DC"))
    assert tree["PO1"][0]["ids"] == {"VN": "MUG"}
    assert tree["N1"][0]["N102"] == "Riverside DC"


def test_binary_segments_end_where_their_length_says() -> None:
    body = ["ST*841*0001", "SPI*00", "BIN*9*ab~cd*e\x00\xff", "SE*4*0001"]
    data = interchange(body).encode("latin-1")
    tree = the_set(data)
    assert "findings" not in tree
    assert X12.dumps(X12.loads(data)) == data


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("SE*8*0001", "SE*9*0001"), "set_count"),
        (("SE*8*0001", "SE*8*0002"), "set_control"),
        (("SE*8*0001", "SE*x*0001"), "set_count"),
        (("SE*8*0001~\n", ""), "no_se"),
    ],
)
def test_a_trailer_that_does_not_agree_is_a_finding_with_its_place(change: tuple[str, str], code: str) -> None:
    (finding,) = the_set(GOOD.replace(*change))["findings"]
    assert finding["code"] == code
    assert GOOD.replace(*change)[finding["offset"] :][:2] in ("SE", "GE")


def test_a_set_that_ends_with_the_file_says_so() -> None:
    (finding,) = the_set(GOOD[: GOOD.index("CTT")])["findings"]
    assert finding["code"] == "cut_off"


def test_segments_belong_to_the_loop_they_stand_in() -> None:
    order = purchase_order()
    order[6:6] = ["PID*F****Mug, blue", "DTM*002*20261120", "N1*ST**92*0079", "PO1**3*CA*1**BP*X", "ZZZ*1"]
    tree = the_set(interchange(order))
    first, second = tree["PO1"]
    assert first["PID"] == [{"PID01": "F", "PID05": "Mug, blue"}]
    assert first["DTM"] == [{"DTM01": "002", "DTM02": "20261120"}]
    assert [one["N104"] for one in first["N1"]] == ["0079"]
    assert [one["N104"] for one in tree["N1"]] == ["0078"]
    assert second["ZZZ"] == [{"ZZZ01": "1"}]
    assert tree["CTT"]["CTT01"] == "1"


@pytest.mark.parametrize(
    ("numbers", "keys"),
    [
        (["1", "2"], ["1", "2"]),
        (["", ""], ["1", "2"]),
        (["1", "1", "1"], ["1", "1#2", "1#3"]),
        (["2", ""], ["2", "#2"]),
        (["0001", "1"], ["0001", "1"]),
    ],
)
def test_each_line_has_a_name_of_its_own(numbers: list[str], keys: list[str]) -> None:
    order = purchase_order()
    order[5:6] = [f"PO1*{number}*1*EA*1**VN*A" for number in numbers]
    assert [line["key"] for line in the_set(interchange(order))["PO1"]] == keys


def test_levels_of_a_ship_notice_are_nested_by_their_parents() -> None:
    body = [
        "ST*856*0001",
        "BSN*00*S1*20261101*1200",
        "HL*1**S",
        "HL*2*1*O",
        "PRF*PO-1",
        "HL*3*2*I",
        "SN1**2*EA",
        "HL*4*1*O",
        "PRF*PO-2",
        "HL*5*9*I",
        "CTT*5",
        "SE*12*0001",
    ]
    tree = the_set(interchange(body, kind="SH"))
    shipment, stray = tree["HL"]
    assert [order["PRF"]["PRF01"] for order in shipment["HL"]] == ["PO-1", "PO-2"]
    assert shipment["HL"][0]["HL"][0]["SN1"] == {"SN102": "2", "SN103": "EA"}
    assert stray["HL01"] == "5"
    assert [finding["code"] for finding in tree["findings"]] == ["no_parent"]


def test_a_set_that_nobody_described_is_still_cut_into_segments() -> None:
    tree = the_set(interchange(["ST*404*0001", "ZC1*A*B", "ZC1*C", "SE*4*0001"]))
    assert tree["ZC1"] == [{"ZC101": "A", "ZC102": "B"}, {"ZC101": "C"}]


def test_an_interchange_acknowledgement_outside_of_groups_is_a_record() -> None:
    isa, rest = GOOD.split("\n", 1)
    body = f"{isa}\nTA1*000000005*261101*1200*A*000~\nIEA*0*000000011~\n"
    assert rest
    ((position, tree),) = X12.split(body.encode())
    assert position == "isa.1.ta1.1"
    assert isinstance(tree, dict)
    assert tree["TA1"] == {"TA101": "000000005", "TA102": "261101", "TA103": "1200", "TA104": "A", "TA105": "000"}


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"", "syntax", "empty"),
        (b"UNB+UNOA:1+A+B'", "syntax", "does not begin with an ISA"),
        (b"GS*PO*A*B~", "syntax", "does not begin with an ISA"),
        (b"ISA*00*x~GS~", "syntax", "fewer than 16 elements"),
        (b"ISA", "separators", "no element separator"),
        (GOOD.replace("~\n", "").encode(), "separators", "can end no segment"),
    ],
)
def test_what_is_no_interchange_is_refused_with_its_place(body: bytes, code: str, says: str) -> None:
    with pytest.raises(FormatError) as refused:
        X12.split(body)
    assert refused.value.code == code
    assert says in refused.value.message
    assert refused.value.position is not None


@pytest.mark.parametrize("charset", ["utf-7", 8])
def test_only_known_charsets_are_options(charset: Any) -> None:
    with pytest.raises(FormatError, match="charset"):
        X12.split(GOOD.encode(), None, {"charset": charset})


def test_bytes_outside_the_fixed_charset_are_refused_with_their_offset() -> None:
    data = GOOD.replace("Riverside", "Käfer").encode("latin-1")
    with pytest.raises(FormatError) as refused:
        X12.loads(data, None, {"charset": "ascii"})
    assert refused.value.position is not None
    assert data[refused.value.position.offset] == 0xE4


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"AK1": {"AK101": "PO", "AK102": "1"}}, "AK9 is missing"),
        ({"AK1": {"AK101": "PO"}, "AK9": {"AK901": "A"}, "ZZZ": []}, "ZZZ has no place"),
        ({"AK1": {"AK1x": "PO"}, "AK9": {"AK901": "A"}}, "AK1x has no place in AK1"),
        ({"AK1": [{"AK101": "A"}, {"AK101": "B"}], "AK9": {}}, "at most once"),
        ({"AK1": {"AK101": True}, "AK9": {}}, "AK101 must be text"),
    ],
)
def test_a_tree_that_does_not_fit_its_set_is_not_written(tree: dict[str, Any], says: str) -> None:
    with pytest.raises(FormatError, match=says):
        set_segments("997", tree)


def test_every_described_set_can_be_written_and_read_again() -> None:
    assert {"810", "850", "855", "856", "860", "997"} <= set(set_definitions())
    tree: dict[str, Any] = {
        "BEG": {"BEG01": "00", "BEG03": "PO-9"},
        "REF": [{"REF01": "DP", "REF02": "038"}],
        "PO1": [{"PO101": "1", "PO102": "2", "PID": [{"PID01": "F", "PID05": "Mug"}]}],
        "CTT": {"CTT01": "1", "AMT": [{"AMT01": "TT", "AMT02": "9"}]},
    }
    segments = set_segments("850", tree)
    text = interchange(["ST*850*0001", *("*".join(one) for one in segments), f"SE*{len(segments) + 2}*0001"])
    read = the_set(text)
    assert {name: read[name] for name in ("BEG", "REF", "CTT")} == {name: tree[name] for name in ("BEG", "REF", "CTT")}
    assert read["PO1"][0]["PID"] == [{"PID01": "F", "PID05": "Mug"}]
