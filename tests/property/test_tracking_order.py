"""Scans arrive in any order, some twice, before or after the shipment notice: one end."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.package import Scan, greater
from hub.domain.shipment import PackageState
from tests.property.memory_store import Bench
from tests.unit.test_oms_tracking import open_exceptions, scan, ship, the_state, working

D = Decimal
STATES = ("note", "in_transit", "out_for_delivery", "delivered", "exception", "returned_to_sender", "lost")
SCANNED = [PackageState(name) for name in STATES if name != "note"]
START = dt.datetime(2026, 11, 3, tzinfo=dt.UTC)

scans = st.builds(
    Scan,
    st.sampled_from(SCANNED),
    st.integers(0, 3).map(lambda hours: START + dt.timedelta(hours=hours)),
    st.sampled_from("abc"),
)
told = st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 4)), min_size=1, max_size=6)


@given(scans, scans, scans)
def test_taking_the_greater_scan_does_not_depend_on_order_or_number(one: Scan, two: Scan, three: Scan) -> None:
    assert greater(one, two) == greater(two, one) or one.weight == two.weight
    assert greater(greater(one, two), three).weight == greater(one, greater(two, three)).weight
    assert greater(one, one) == one


def outcome(bench: Bench) -> tuple[Any, ...]:
    return (
        the_state(bench),
        the_state(bench, "TN2"),
        bench.lines()["L1"],
        sorted(open_exceptions(bench)),
        bench.the_order()["status"],
    )


def play(steps: list[tuple[str, str, int]]) -> Bench:
    bench = working()
    for what, number, minute in steps:
        if what == "ship":
            ship(bench, 1 if number == "TN1" else 2, number, f"P-{number}")
        else:
            scan(bench, what, minute, number)
    return bench


@settings(max_examples=60, deadline=None)
@given(told, told, st.data())
def test_scans_in_any_order_end_in_one_state(first: list[Any], second: list[Any], data: st.DataObject) -> None:
    steps = [("ship", "TN1", 0), ("ship", "TN2", 0)]
    steps += [(status, "TN1", minute) for status, minute in first]
    steps += [(status, "TN2", minute) for status, minute in second]
    shuffled = data.draw(st.permutations([*steps, *data.draw(st.lists(st.sampled_from(steps[2:]), max_size=4))]))
    bench, other = play(steps), play(shuffled)
    assert outcome(bench) == outcome(other)
    assert sum(bench.lines()["L1"].values(), D(0)) == 3
