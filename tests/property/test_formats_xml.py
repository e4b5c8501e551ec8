"""XML: a tree of texts survives writing and reading; no body makes the reader fail in another way than its own."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from hub.formats.tree import FormatError, Tree
from hub.formats.xml import XmlOptions, dumps, loads

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,8}", fullmatch=True)
# a parser turns carriage returns into line feeds unless they are escaped, and white space alone is layout
texts = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=10).filter(
    lambda text: not text or bool(text.strip(" \t\r\n"))
)
inner: st.SearchStrategy[Tree] = st.recursive(
    texts,
    lambda deeper: st.dictionaries(names, deeper | st.lists(deeper, min_size=2, max_size=3), min_size=1, max_size=4),
    max_leaves=15,
)
attributes = st.dictionaries(names.map(lambda name: f"@{name}"), texts, max_size=3)
xml_ish = st.lists(
    st.sampled_from(
        ["<a>", "</a>", "<b x='1'>", "</b>", "<!DOCTYPE a>", "&amp;", "&x;", "<!--", "-->", "<?xml ?>", "ü"]
    )
).map("".join)


@given(names, inner, attributes)
def test_a_tree_survives_writing_and_reading(root: str, content: Tree, attached: dict[str, str]) -> None:
    body: Tree = {root: {**attached, **content} if isinstance(content, dict) else content}
    assert loads(dumps(body)) == body
    assert loads(dumps(body), XmlOptions(namespaces=True)) == body


@given(st.binary(max_size=40) | xml_ish.map(str.encode))
def test_any_bytes_read_or_are_refused(body: bytes) -> None:
    with contextlib.suppress(FormatError):
        loads(body)
