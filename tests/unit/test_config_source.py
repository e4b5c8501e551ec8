"""YAML as the hub reads it: nothing guessed, everything with its place."""

from decimal import Decimal
from pathlib import Path

import pytest

from hub.config.source import MAX_NODES, MappingNode, Mark, SourceError, find, load, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("01234", "01234"),
        ("-007", "-007"),
        ("00.5", "00.5"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("2026-11-01", "2026-11-01"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("0.02", Decimal("0.02")),
        ("1.10", Decimal("1.10")),
        ("1e3", Decimal("1E+3")),
        (".5", Decimal("0.5")),
        ("'5'", "5"),
        ('"true"', "true"),
        ("820982911946154508", 820982911946154508),
        (".nan", ".nan"),
        ("5m", "5m"),
    ],
)
def test_a_plain_value_means_what_yaml_1_2_says_and_leading_zeros_stay_text(text: str, value: object) -> None:
    tree = loads(f"key: {text}\n").plain()
    assert isinstance(tree, dict)
    assert repr(tree["key"]) == repr(value)


def test_every_value_and_key_has_its_line_and_column() -> None:
    document = loads("a:\n  b: [x, {c: 1}]\nd: é\ne: z\n", name="x.yaml")
    assert document.mark(("a", "b")) == Mark(2, 6)
    assert document.mark(("a", "b"), key=True) == Mark(2, 3)
    assert document.mark(("a", "b", 1, "c")) == Mark(2, 14)
    assert document.mark(("a", "b", 1, "c"), key=True) == Mark(2, 11)
    assert document.mark(("e",)) == Mark(4, 4)
    assert document.mark(("a", "nothing", "here")) == Mark(2, 3)
    assert document.mark(()) == Mark(1, 1)
    assert find(document.root, ("a", "b", 9)) is None
    assert isinstance(find(document.root, ("a",)), MappingNode)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'x.yaml:3:1: the key "a" is given twice; the first is in line 1'),
        ("'a': {b: 1, b: 2}", 'x.yaml:1:13: the key "b" is given twice; the first is in line 1'),
        ("a: !!python/object/apply:os.system [ls]", "x.yaml:1:4: the tag tag:yaml.org,2002:python/object/apply"),
        ("a: !!str 5", "x.yaml:1:4: the tag tag:yaml.org,2002:str is not read"),
        ("a: !secret x", "x.yaml:1:4: the tag !secret is not read"),
        ("b: &x {c: 1}\na:\n  <<: *x\n", "x.yaml:3:3: merge keys are not read"),
        ("a: *x", "x.yaml:1:4: the alias *x names nothing above"),
        ("a: &x [*x]", "x.yaml:1:8: the alias *x is inside what it names"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document begins here"),
        ("? [a]\n: 1\n", "x.yaml:1:3: a key must be plain text"),
        ("a:\n\t- b\n", "x.yaml:2:1: no YAML"),
        ("a: [1, 2\n", "x.yaml:2:1: no YAML"),
        ("é: [ü, \x07]\n", "x.yaml:1:8: a control character"),
    ],
)
def test_what_could_be_misread_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        loads(text, name="x.yaml")
    assert str(caught.value).startswith(message)


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert loads("'<<': 1").plain() == {"<<": 1}


def test_aliases_stand_for_what_they_name_but_not_without_end() -> None:
    assert loads("a: &x {b: [1]}\nc: *x\n").plain() == {"a": {"b": [1]}, "c": {"b": [1]}}
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(SourceError, match=f"more than {MAX_NODES} values"):
        loads(bomb)
    with pytest.raises(SourceError, match="more than 500 aliases"):
        loads("a: &a 1\nb: [" + ",".join(["*a"] * 501) + "]")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 50_000 + "x"])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="nested deeper than 60 levels"):
        loads(text)


def test_a_file_is_read_as_utf_8_with_or_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\n")
    assert load(path, name="x.yaml").plain() == {"a": "é"}
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(SourceError, match=r"x\.yaml:2:4: byte 0xff is no UTF-8"):
        load(path, name="x.yaml")
    path.write_bytes(b"")
    assert load(path).plain() is None


def test_a_huge_number_of_digits_is_text_and_costs_nothing() -> None:
    tree = loads("a: " + "9" * 5000).plain()
    assert tree == {"a": "9" * 5000}
