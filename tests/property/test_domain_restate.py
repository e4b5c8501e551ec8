"""Merging restates: any order of arrival of distinct versions gives the same view."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.restate import View, merge, view_from_json, view_to_json

Record = dict[str, Any]

line: st.SearchStrategy[Record] = st.fixed_dictionaries(
    {"external_line_id": st.sampled_from(["L1", "L2", "L3"])},
    optional={
        "quantity": st.integers(0, 5).map(str),
        "current_quantity": st.integers(0, 5).map(str),
        "sku": st.sampled_from(["A", "B"]),
    },
)
record: st.SearchStrategy[Record] = st.fixed_dictionaries(
    {"external_id": st.just("1")},
    optional={
        "note": st.text(max_size=3),
        "number": st.sampled_from(["#1", "#2"]),
        "lines": st.lists(line, max_size=3, unique_by=lambda stated: str(stated["external_line_id"])),
    },
)


def merged(restates: list[tuple[str, Record]]) -> View:
    view: View | None = None
    for received, (version, restate) in enumerate(restates):
        view = merge(view, restate, version, f"{received:04}").view
        view = view_from_json(*json.loads(json.dumps(view_to_json(view))))
    assert view is not None
    return view


@given(records=st.lists(record, min_size=1, max_size=5), data=st.data())
def test_distinct_versions_merge_to_the_same_in_any_order(records: list[Record], data: st.DataObject) -> None:
    versioned = [(f"v{number}", restate) for number, restate in enumerate(records)]
    one, other = merged(versioned), merged(data.draw(st.permutations(versioned)))
    assert one.record() == other.record()
    assert one.highest == other.highest


@given(records=st.lists(record, min_size=1, max_size=5), data=st.data())
def test_the_newest_carrier_of_a_field_decides_it(records: list[Record], data: st.DataObject) -> None:
    versioned = [(f"v{number}", restate) for number, restate in enumerate(records)]
    seen = merged(data.draw(st.permutations(versioned))).record()
    for name in ("note", "number"):
        carried = [restate[name] for restate in records if name in restate]
        assert seen.get(name) == (carried[-1] if carried else None)


@given(records=st.lists(record, min_size=1, max_size=5), data=st.data())
def test_highest_is_the_largest_quantity_any_restate_carried(records: list[Record], data: st.DataObject) -> None:
    versioned = [(f"v{number}", restate) for number, restate in enumerate(records)]
    view = merged(data.draw(st.permutations(versioned)))
    for line_id in ("L1", "L2", "L3"):
        carried = [
            Decimal(stated[name])
            for restate in records
            for stated in restate.get("lines", [])
            if stated["external_line_id"] == line_id
            for name in ("quantity", "current_quantity")
            if name in stated
        ]
        assert view.highest.get(line_id) == (str(max(carried)) if carried else None)


def test_an_absent_field_says_nothing_and_an_older_restate_still_fills_it() -> None:
    newest = merge(None, {"external_id": "1", "number": "#2"}, "v2", "1")
    late = merge(newest.view, {"external_id": "1", "number": "#1", "note": "ring twice"}, "v1", "2")
    assert late.view.record() == {"external_id": "1", "number": "#2", "note": "ring twice"}
    assert late.changed
    assert not late.newest


def test_a_line_missing_from_a_newer_complete_restate_is_wanted_no_more_until_it_is_listed_again() -> None:
    two = [{"external_line_id": "L1", "quantity": "2"}, {"external_line_id": "L2", "quantity": "1"}]
    first = merge(None, {"lines": two}, "v1", "1")
    fewer = merge(first.view, {"lines": two[1:]}, "v2", "2")
    quantities = {stated["external_line_id"]: stated.get("current_quantity") for stated in fewer.view.record()["lines"]}
    assert quantities == {"L1": "0", "L2": None}
    again = merge(fewer.view, {"lines": two}, "v3", "3")
    assert again.view.record()["lines"] == two


def test_equal_versions_with_other_content_conflict_and_the_later_received_wins() -> None:
    first = merge(None, {"note": "a"}, "v1", "1")
    second = merge(first.view, {"note": "b"}, "v1", "2")
    assert second.conflict
    assert second.view.record() == {"note": "b"}
    assert not merge(second.view, {"note": "b"}, "v1", "3").changed


def test_what_payloads_carry_beside_the_canonical_fields_makes_no_conflict() -> None:
    webhook = {
        "external_id": "1",
        "email": "a",
        "attributes": {"shop": {"by": "webhook"}},
        "lines": [listed("webhook")],
    }
    page = {"external_id": "1", "email": "a", "attributes": {"shop": {}}, "lines": [listed("page")]}
    both = merge(merge(None, webhook, "1", "1").view, page, "1", "2")
    assert not both.conflict
    assert both.view.record()["attributes"] == {"shop": {}}
    assert merge(both.view, {**page, "email": "b"}, "1", "3").conflict


def listed(way: str) -> Record:
    return {"external_line_id": "L1", "sku": "A", "quantity": "1", "attributes": {"shop": {"by": way}}}


@given(arrival=st.permutations(["1", "2", "3"]), partial=st.sampled_from(["1", "2", "3"]))
def test_what_could_not_be_read_removes_nothing_in_any_order_of_arrival(arrival: list[str], partial: str) -> None:
    stated = {"1": ["A", "B"], "2": ["A", "B", "C"], "3": ["A", "C"]}
    seen: View | None = None
    for version in arrival:
        read = [name for name in stated[version] if version != partial or name == "A"]
        lines = [{"external_line_id": name, "quantity": "1"} for name in read]
        seen = merge(seen, {"lines": lines}, version, version, partial=version == partial).view
    assert seen is not None
    gone = {name for name in seen.lines if seen.removed(name)}
    complete = max(version for version in stated if version != partial)
    older = {name for name, line in seen.lines.items() if line.listed[0] < complete}
    assert gone == older - set(stated[complete])
