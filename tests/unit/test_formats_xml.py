"""XML codec: business documents come through whole, tricks do not come through at all."""

from decimal import Decimal
from pathlib import Path

import pytest

from hub.formats import FormatError, Tree, codec
from hub.formats.xml import XmlOptions, dumps, loads

ORDER = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- from the shop -->
<o:Order xmlns:o="urn:orders" xmlns:c="urn:common" version="2.1">
  <o:Id>00123</o:Id>
  <c:Party role="buyer"><c:Name>S\xc3\xa3o &amp; Co</c:Name></c:Party>
  <o:Item sku="A-1">3</o:Item>
  <o:Item sku="B-2">1.50</o:Item>
  <o:Note/>
</o:Order>
"""


def refusal(body: bytes, **kwargs: int | str) -> FormatError:
    with pytest.raises(FormatError) as caught:
        loads(body, **kwargs)  # type: ignore[arg-type]
    return caught.value


def test_elements_attributes_texts_and_repeated_children_become_a_tree_of_text() -> None:
    assert loads(ORDER) == {
        "Order": {
            "@version": "2.1",
            "Id": "00123",
            "Party": {"@role": "buyer", "Name": "São & Co"},
            "Item": [{"@sku": "A-1", "#text": "3"}, {"@sku": "B-2", "#text": "1.50"}],
            "Note": "",
        }
    }


def test_children_named_as_lists_are_lists_also_when_there_is_one() -> None:
    body = b"<Orders><Order><Line>1</Line></Order></Orders>"
    assert codec("xml").split(body, options={"items": "Orders.Order", "lists": ["Line"]}) == [
        ("Orders.Order", {"Line": ["1"]})
    ]
    assert codec("xml").split(body, options={"items": "Orders.Order", "lists": ["Order"]}) == [
        ("Orders.Order.0", {"Line": "1"})
    ]


def test_namespaces_are_kept_on_request_where_they_change() -> None:
    tree = loads(ORDER, XmlOptions(namespaces=True))
    assert isinstance(tree, dict)
    order = tree["Order"]
    assert isinstance(order, dict)
    assert order["#ns"] == "urn:orders"
    assert order["Party"] == {"@role": "buyer", "#ns": "urn:common", "Name": "São & Co"}
    assert order["Id"] == "00123"
    assert loads(dumps(tree), XmlOptions(namespaces=True)) == tree


def test_nil_is_none_and_mixed_content_keeps_its_text() -> None:
    nil = b'<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><b xsi:nil="true"/><c>x<d/>y</c></a>'
    assert loads(nil) == {"a": {"b": None, "c": {"d": "", "#text": "xy"}}}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>ü</a>".encode("latin-1"), None),
        ("<a>ü</a>".encode("latin-1"), "text/xml; charset=iso-8859-1"),
        ("<?xml version='1.0' encoding='utf-8'?><a>ü</a>".encode(), "text/xml; charset=iso-8859-1"),
        (b"\xef\xbb\xbf" + "<a>ü</a>".encode(), "text/xml; charset=iso-8859-1"),
        ("<?xml version='1.0' encoding='windows-1252'?><a>ü</a>".encode("cp1252"), None),
    ],
)
def test_the_encoding_is_the_marks_then_the_declarations_then_the_headers(
    body: bytes, content_type: str | None
) -> None:
    assert codec("xml").loads(body, content_type) == {"a": "ü"}


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<?xml version="1.0"?>\n<!-- --><?pi?> <!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b'<!DOCTYPE lol [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><lol>&b;</lol>',
        b"<!doctype html><a/>",
        b"<!DOCTYPE a><a/>",
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE a><a>ü</a>'.encode("latin-1"),
    ],
)
def test_every_document_type_declaration_is_refused(body: bytes) -> None:
    assert refusal(body).code == "dtd"


def test_an_external_entity_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOP-SECRET")
    body = f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{secret.as_uri()}"> %x;]><a/>'.encode()
    assert "TOP-SECRET" not in str(refusal(body))


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_that_could_hide_a_declaration_are_refused(name: str) -> None:
    assert refusal('<?xml version="1.0"?><!DOCTYPE a><a/>'.encode(name)).code == "encoding"


@pytest.mark.parametrize("name", ["UTF-16", "UTF-7", "EBCDIC-CP-US", "no-such"])
def test_a_declared_encoding_that_is_not_read_is_named(name: str) -> None:
    error = refusal(f'<?xml version="1.0" encoding="{name}"?><a>+ADwAIQ-</a>'.encode())
    assert error.code == "encoding"
    assert name in error.message


def test_control_characters_are_refused_with_their_position_or_dropped_on_request() -> None:
    body = b"<a>\n Test\x07Address</a>"
    error = refusal(body)
    assert (error.code, str(error.position)) == ("control_character", "line 2, column 6")
    assert codec("xml").loads(body, options={"drop_control_characters": True}) == {"a": "\n TestAddress"}
    assert refusal(b"<a>&#7;</a>").code == "syntax"
    with pytest.raises(FormatError):
        codec("xml").loads(b"<a>\x00</a>", options={"drop_control_characters": True})


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (b"", "syntax", 1),
        (b"no xml", "syntax", 1),
        (b"<a>\n<b></a>", "syntax", 2),
        (b"<a/><b/>", "syntax", 1),
        (b"<a>&unknown;</a>", "syntax", 1),
        (b"<a>\xff</a>", "encoding", 1),
        (b"<a b='1' b='2'/>", "syntax", 1),
        (b"<a><!-- ", "syntax", 1),
        (b"<!-- ", "syntax", 1),
    ],
)
def test_what_is_not_well_formed_is_refused_with_its_position(body: bytes, code: str, line: int) -> None:
    error = refusal(body)
    assert error.code == code
    assert error.position is not None
    assert error.position.line == line


@pytest.mark.parametrize("levels", [101, 250, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    assert refusal(b"<a>" * levels + b"</a>" * levels).code == "too_deep"


def test_a_hundred_levels_and_the_size_limit_hold() -> None:
    assert loads(b"<a>" * 100 + b"</a>" * 100)
    assert refusal(b"<a>12345</a>", max_bytes=10).code == "too_large"


def test_an_element_of_countless_attributes_is_refused_at_once() -> None:
    body = b"<a " + b" ".join(b'a%d="1"' % number for number in range(100_000)) + b"/>"
    assert refusal(body).code == "too_large"


def test_two_attributes_of_one_local_name_are_not_silently_merged() -> None:
    assert refusal(b'<a xmlns:x="urn:x" b="1" x:b="2"/>').code == "syntax"


def test_a_tree_is_written_and_reads_back() -> None:
    tree: Tree = {
        "Order": {
            "@version": "1",
            "Total": Decimal("1E+2"),
            "Paid": True,
            "Count": 3,
            "Gift": None,
            "Line": ["a<b", {"@xml:lang": "de", "#text": "ß"}],
            "None": [],
        }
    }
    assert loads(dumps(tree)) == {
        "Order": {
            "@version": "1",
            "Total": "100",
            "Paid": "true",
            "Count": "3",
            "Gift": None,
            "Line": ["a<b", {"@xml:lang": "de", "#text": "ß"}],
        }
    }


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"a": 1, "b": 2},
        {"a": [1, 2]},
        ["a"],
        "a",
        {"a b": "1"},
        {"a": {"@b c": "1"}},
        {"a": {"@q:b": "1"}},
        {"a": {"b": [["1"]]}},
        {"a": "\x07"},
        {"a": "\ud800"},
        {"a": {"#text": {"b": 1}}},
        {"a": {"@b": ["1"]}},
        {"a": 1.5},
        {"a": {"#ns": 5}},
        {"a": {"#ns": "\x01"}},
    ],
)
def test_what_has_no_form_in_xml_is_not_written(tree: object) -> None:
    with pytest.raises(FormatError):
        codec("xml").dumps(tree)  # type: ignore[arg-type]


def test_wrong_options_are_refused() -> None:
    for options in ({"lists": "Item"}, {"lists": [1]}, {"namespaces": "yes"}, {"items": 5}):
        with pytest.raises(FormatError) as caught:
            codec("xml").split(b"<a/>", options=options)
        assert caught.value.code == "option"
