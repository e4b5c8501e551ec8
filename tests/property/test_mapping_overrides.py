"""Whatever comes in: a mapping maps it or raises MappingError, an override of nothing is its base, watching changes
nothing."""

from __future__ import annotations

import re
import tempfile
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping import Mapping, MappingError, MappingLibrary, shipped_folder
from hub.mapping.coverage import coverage

SHIPPED = MappingLibrary()
NAMES = SHIPPED.names()
_WORD = re.compile(r"[A-Za-z_@][A-Za-z0-9_@:]*")
_FOLDER = tempfile.TemporaryDirectory(prefix="overrides-")
CONTEXT = {"connection": "shop", "base_currency": "EUR", "partner": {}}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["1", "-3.50", "USD", "paid", "2026-11-03T10:00:00Z", "20261103", "DE", "true", "", "\x00", "1e999"]
    )
)


@cache
def words(name: str) -> list[str]:
    """Every word of a mapping's file: the keys it might look for are among them."""
    return sorted(set(_WORD.findall((shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8"))))


@cache
def overrides() -> MappingLibrary:
    """A site that extends every shipped mapping and changes nothing."""
    folder = Path(_FOLDER.name)
    for name in NAMES:
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"mapping: {name}\nextends: {name}\nfields: {{}}\ntables: {{}}\n", encoding="utf-8")
    return MappingLibrary([folder, shipped_folder()])


def trees(name: str) -> st.SearchStrategy[dict[str, object]]:
    keys = st.sampled_from(words(name)) | st.text(max_size=4)
    inner = st.recursive(
        SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=6), max_leaves=30
    )
    return st.dictionaries(keys, inner, max_size=12)


def outcome(mapping: Mapping, tree: dict[str, object], *, trace: bool = False) -> object:
    try:
        mapped = mapping.run(tree, context=CONTEXT, trace=trace)
    except MappingError as error:
        return error.field, error.code, error.message, error.source_path
    return mapped.record, mapped.holds, mapped.notes


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)
@given(data=st.data())
def test_any_tree_is_mapped_or_refused_and_an_override_of_nothing_agrees(name: str, data: st.DataObject) -> None:
    tree = data.draw(trees(name))
    expected = outcome(SHIPPED.get(name), tree)
    assert outcome(overrides().get(name), tree) == expected
    assert outcome(SHIPPED.get(name), tree, trace=True) == expected
    found = coverage(SHIPPED.get(name), [tree], CONTEXT)
    assert not found.read.keys() & (found.kept.keys() | found.left.keys())


@given(amount=st.decimals(allow_nan=True, allow_infinity=True))
def test_no_number_that_json_can_carry_breaks_an_order(amount: Decimal) -> None:
    result = outcome(
        SHIPPED.get("shopify/orders.in"), {"id": 1, "total_price": amount, "line_items": [{"price": amount}]}
    )
    assert isinstance(result, tuple)


def test_every_shipped_mapping_is_among_them() -> None:
    assert len(NAMES) > 40
    assert all(overrides().get(name).definition.names == (name, name) for name in NAMES)
