"""JSON: what is written comes back, and the fast and the careful reader are one language."""

import json as stdlib_json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats import json_scanner
from hub.formats.json import MAX_DEPTH, dumps_canonical, loads
from hub.formats.tree import FormatError, Tree

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
decimals = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: len(format(d, "f")) < 390)
integers = st.integers(-(10**399), 10**399) | st.integers(-(2**70), 2**70)
trees: st.SearchStrategy[Tree] = st.recursive(
    st.none() | st.booleans() | integers | decimals | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=30,
)
json_ish = st.text(alphabet='{}[]":,\\u0039aeE+-. \ntrflsn', max_size=30) | st.text(max_size=10)


@given(trees)
def test_what_is_written_canonically_reads_back_equal_and_writes_the_same_bytes(tree: Tree) -> None:
    body = dumps_canonical(tree)
    assert loads(body) == tree
    assert dumps_canonical(loads(body)) == body


@given(st.dictionaries(texts, decimals, max_size=4))
def test_decimals_keep_every_digit_and_trailing_zero(amounts: dict[str, Decimal]) -> None:
    read = loads(dumps_canonical(amounts))
    assert isinstance(read, dict)
    assert {k: format(v, "f") for k, v in amounts.items()} == {
        k: format(v, "f") if isinstance(v, Decimal) else str(v) for k, v in read.items()
    } or any(v.is_zero() and v.is_signed() for v in amounts.values())


@given(trees, st.booleans(), st.sampled_from([None, 2]))
def test_any_spelling_of_a_value_reads_the_same(tree: Tree, ascii_only: bool, indent: int | None) -> None:
    plain = loads(dumps_canonical(tree))
    respelled = stdlib_json.dumps(_without_decimals(plain), ensure_ascii=ascii_only, indent=indent).encode()
    assert loads(respelled) == _without_decimals(plain)


@given(json_ish.map(str.encode) | st.binary(max_size=20))
def test_both_readers_agree_on_every_body(body: bytes) -> None:
    try:
        careful: object = json_scanner.scan(body.removeprefix(b"\xef\xbb\xbf"), max_depth=MAX_DEPTH)
    except FormatError as error:
        careful = error.code
    try:
        fast: object = loads(body)
    except FormatError as error:
        fast = error.code
    assert repr(fast) == repr(careful)


@given(st.dictionaries(texts, trees, min_size=1, max_size=4), st.data())
def test_a_name_given_twice_anywhere_is_always_found(pairs: dict[str, Tree], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(sorted(pairs)))
    members = [b"%s:%s" % (dumps_canonical(k), dumps_canonical(v)) for k, v in pairs.items()]
    members.append(b"%s:%s" % (stdlib_json.dumps(again).encode(), dumps_canonical(data.draw(trees))))
    body = b'{"outer":[{' + b",".join(data.draw(st.permutations(members))) + b"}]}"
    with pytest.raises(FormatError) as caught:
        loads(body)
    assert caught.value.code == "duplicate_key"


def _without_decimals(tree: Tree) -> Tree:
    if isinstance(tree, Decimal):
        return str(tree)
    if isinstance(tree, dict):
        return {name: _without_decimals(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_without_decimals(value) for value in tree]
    return tree
