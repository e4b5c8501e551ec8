"""Units come back as they were written, YAML positions point at what they say, revisions see meaning only."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.config.revision import from_blob, revision_of, to_blob
from hub.config.source import Mark, Plain, Scalar, loads, walk
from hub.config.units import format_duration, parse_duration, parse_rate, parse_size

keys = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)
words = st.text(alphabet="abcé日 '\"\\:#-0123456789", max_size=8)
trees: st.SearchStrategy[Plain] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_000)))
def test_a_duration_survives_writing_to_the_millisecond(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value - value % timedelta(milliseconds=1)


@given(st.integers(0, 999_999), st.sampled_from(["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * parse_size(f"1{unit}")


@given(st.decimals("0.000001", 999_999, places=6), st.sampled_from("smhd"))
def test_a_rate_survives_writing(count: object, unit: str) -> None:
    rate = parse_rate(f"{count:f}/{unit}")
    assert parse_rate(str(rate)) == rate


def _flow(tree: Plain) -> str:
    """YAML in flow style, texts in single quotes."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(_flow, tree)) + "]"
    if isinstance(tree, str):
        return "'" + tree.replace("'", "''") + "'"
    return "null" if tree is None else str(tree).lower()


@given(st.dictionaries(keys, trees, max_size=6))
def test_what_is_written_is_read_and_every_position_points_at_its_value(tree: dict[str, Plain]) -> None:
    text = "".join(f"{key}:\n  {_flow(value)}\n" for key, value in tree.items())
    document = loads(text)
    assert document.plain() == (tree or None)
    lines = text.split("\n")
    for path, node in walk(document.root):
        if isinstance(node, Scalar) and path:
            at = document.mark(path)
            assert lines[at.line - 1][at.column - 1 :].startswith(_flow(node.value))
            if isinstance(path[-1], str):
                key = document.mark(path, key=True)
                assert lines[key.line - 1][key.column - 1 :].startswith(f"{path[-1]}:")
    assert document.mark(()) == Mark(1, 1)


@given(st.dictionaries(keys, trees, max_size=3), st.dictionaries(keys, trees, max_size=3))
def test_equal_meaning_is_one_revision_and_other_meaning_another(
    one: dict[str, Plain], other: dict[str, Plain]
) -> None:
    def identity(tree: dict[str, Plain]) -> str:
        return revision_of({"hub.yaml": tree}, {})

    assert identity(one) == identity(dict(reversed(list(one.items()))))
    assert (identity(one) == identity(other)) == (_strict(one) == _strict(other))


@given(st.dictionaries(keys, st.text(), max_size=3), st.dictionaries(keys, words, max_size=2))
def test_a_blob_gives_back_the_texts(files: dict[str, str], versions: dict[str, str]) -> None:
    assert from_blob(to_blob(files, {"a": "b"}, versions)) == (files, {"a": "b"}, versions)


def _strict(tree: Plain) -> str:
    """True and 1 are not the same here."""
    if isinstance(tree, dict):
        return "{" + ",".join(f"{key!r}:{_strict(tree[key])}" for key in sorted(tree)) + "}"
    return "[" + ",".join(map(_strict, tree)) + "]" if isinstance(tree, list) else repr(tree)
