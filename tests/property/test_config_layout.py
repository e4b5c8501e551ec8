"""The layout of files: whatever they look like, formatting changes neither meaning nor comments, and twice is once."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from hub.config.layout import formatted
from hub.config.schemas import schema_of
from hub.config.source import Plain, SourceError, loads

WORDS = st.sampled_from(["a", "b", "id", "streams", "orders", "poll", "config", "connector", "limits", "x y", "0123"])
LEAVES = st.sampled_from(
    ["1", "text", "'quoted # no comment'", '"a: b"', "", "null", "true", "12:30:00", "NO", "a#b", "- no", "'- yes'",
     "|\n%s  first\n%s    second\n\n%s  third", ">-\n%s  folded\n%s  text", "[]", "{}", "[a,  b]", "{a: 1,b: [2,3]}",
     '"over\n%s  lines"', "[\n%s  1, # one\n%s  2\n%s ]", "|+\n%s  kept\n\n"]
)  # fmt: skip
COMMENTS = st.sampled_from(["", "", "", "# why", "#close", "  # deep", "\n", "# two\n# lines", "\n\n# far"])


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0, indent: int = 0) -> str:
    """A block mapping or sequence with its own taste in indentation, comments and blank lines."""
    lines: list[str] = []
    pad = " " * indent
    step = draw(st.integers(1, 4))
    keys = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    as_list = depth > 0 and draw(st.booleans())
    for key in keys:
        comment = draw(COMMENTS)
        lines += [pad + part if part.strip() else "" for part in comment.split("\n")] if comment else []
        front = "-" if as_list else f"{key}:"
        tail = draw(st.sampled_from(["", "  # tail", " # t"]))
        if depth < 3 and draw(st.booleans()):
            inner = draw(blocks(depth + 1, indent + step))
            if as_list and draw(st.booleans()) and not inner.startswith((" " * (indent + step) + "#", "\n")):
                lines.append(pad + "-" + " " * (step - 1 or 1) + inner.lstrip(" "))
            else:
                lines.append(f"{pad}{front}{tail}")
                lines.append(inner)
        else:
            leaf = draw(LEAVES)
            space = " " * draw(st.integers(1, 3))
            text = f"{pad}{front}{space}{leaf.replace('%s', pad)}".rstrip(" ")
            lines.append(text + tail if "\n" not in text and not text.endswith(("|", ">")) else text)
        if draw(st.integers(0, 9)) == 0:
            lines.append(pad + "   # behind")
    return "\n".join(lines)


@given(blocks(), st.sampled_from(["hub", "connection", None]), st.sampled_from(["", "\n", "\n\n\n# end\n", "\r\n"]))
@example("a: 1\n   # behind\nid: 1\n   # behind", "connection", "")
@example("#h\n\nb: 1\n\n# about a\na: 2", None, "")
def test_formatting_keeps_meaning_and_comments_and_is_stable(text: str, kind: str | None, end: str) -> None:
    source = text + end
    try:
        meaning = loads(source).plain()
    except SourceError:
        return
    schema = schema_of(kind) if kind else None
    once = formatted(source, schema)
    assert loads(once).plain() == meaning
    assert comments(once) == comments(source)
    assert formatted(once, schema) == once
    assert once == source or once.endswith("\n")


@given(st.recursive(WORDS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner)))
def test_flow_is_spaced_alike_however_it_was_written(tree: Plain) -> None:
    one = formatted(flow(tree, "") + "\n")
    assert one == formatted(flow(tree, "  ") + "\n")


def flow(tree: Plain, gap: str) -> str:
    if isinstance(tree, dict):
        return (
            "{" + gap + f"{gap}, ".join(f"'{key}': {gap}{flow(value, gap)}" for key, value in tree.items()) + gap + "}"
        )
    if isinstance(tree, list):
        return "[" + gap + f",{gap} ".join(flow(value, gap) for value in tree) + "]"
    return "null" if tree is None else f"'{tree}'" if isinstance(tree, str) else str(tree)


def comments(text: str) -> int:
    return sum(line.count("#") for line in text.splitlines())
