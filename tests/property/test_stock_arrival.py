"""Counts and movements in every order of arrival: one balance."""

from __future__ import annotations

from tests.property.stock_arrival import run


def test_counts_and_movements_give_one_balance_in_whatever_order_they_arrive() -> None:
    report = run(scenarios=25, seed=20, most=4)
    assert report["divergences"] == 0, report["first"]
    assert report["runs"] > 150
