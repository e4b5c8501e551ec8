"""What channels sell above stock is what latency allows, and nothing where the threshold covers it."""

from __future__ import annotations

from tests.property.channel_oversell import Pace, run

PACE = Pace(skus=1, units=12, buyers=15, over=200.0)


def test_channels_sell_above_stock_at_most_what_nobody_knew_and_nothing_below_a_threshold_that_covers_it() -> None:
    bare, covered = run(range(3), (0, 12), PACE)
    assert 0 < bare["sold_above_stock"] <= bare["bound"]
    assert covered["sold_above_stock"] == covered["bound"] == 0
    for item in (bare, covered):
        assert item["articles_beyond_bound"] == item["reserved_above_stock"] == 0


def test_the_bound_is_the_latency() -> None:
    (slow,) = run(range(3), (0,), PACE)
    quick = Pace(1, 12, 15, 200.0, order_latency=(0.0, 0.0), push_latency=(0.0, 0.0), window=0.0)
    (fast,) = run(range(3), (0,), quick)
    assert fast["bound"] < slow["bound"] / 2
    assert fast["sold_above_stock"] <= fast["bound"]
