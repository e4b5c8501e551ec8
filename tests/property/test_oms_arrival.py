"""However the observations of one order arrive, the order that comes of them is the same.

Before outgoing work is sent; source versions are distinct (docs: proofs). After every observation the order is
allocated, as in real life.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.memory_store import Bench, channel, location, order_record, rules
from tests.property.observations import Observation, cancel_asked, played, refunded, restated, version


def same_for_every_arrival(observations: Sequence[Observation]) -> dict[str, Any]:
    expected = played(observations)
    for arrival in itertools.permutations(observations):
        assert played(arrival) == expected
    return expected


def test_an_order_edited_up_and_down_ends_the_same() -> None:
    seen = same_for_every_arrival(
        [
            restated(1, ("L1", "TEE", 3), ("L2", "CAP", 1)),
            restated(2, ("L1", "TEE", 5), ("L2", "CAP", 1)),
            restated(3, ("L1", "TEE", 2), ("L2", "CAP", 3), note="leave at the door"),
        ]
    )
    assert seen["lines"]["L1"] == {"released": Decimal(2), "cancelled": Decimal(3)}
    assert seen["lines"]["L2"] == {"released": Decimal(3)}
    assert any("submit_order" in key for key in seen["keys"])


def test_a_cancelled_order_leaves_nothing_behind_whenever_the_cancel_comes() -> None:
    cancelled = {"cancelled_at": "2026-11-02T09:03:00Z", "cancel_reason": "customer"}
    seen = same_for_every_arrival(
        [
            restated(1, ("L1", "TEE", 3)),
            restated(2, ("L1", "TEE", 4)),
            restated(3, ("L1", "TEE", 4), **cancelled),
            refunded("r-1", "L1", 1),
        ]
    )
    assert seen["order"]["status"] == "cancelled"
    assert seen["keys"] == []
    assert all(row["soft"] == row["firm"] == 0 for row in seen["stock"])


def test_a_refund_that_takes_lines_back_counts_once_beside_the_restate_that_says_it_too() -> None:
    shrunk = order_record(("L1", "TEE", 3), source_version=version(2))
    shrunk["lines"][0]["current_quantity"] = "2"
    seen = same_for_every_arrival(
        [restated(1, ("L1", "TEE", 3)), lambda bench: bench.order(shrunk), refunded("r-1", "L1", 1)]
    )
    assert seen["lines"]["L1"] == {"released": Decimal(2), "cancelled": Decimal(1)}


def test_a_line_that_a_complete_restate_no_longer_lists_is_cancelled() -> None:
    seen = same_for_every_arrival(
        [restated(1, ("L1", "TEE", 1), ("L2", "CAP", 1)), restated(2, ("L2", "CAP", 1), ("L3", "TEE", 2))]
    )
    assert seen["lines"]["L1"] == {"cancelled": Decimal(1)}
    assert seen["lines"]["L3"] == {"released": Decimal(2)}


def test_a_partial_payload_changes_only_what_it_carries() -> None:
    partial = {"external_id": "4507", "source_version": version(2), "payment_state": "authorised", "currency": "USD"}
    seen = same_for_every_arrival(
        [restated(1, ("L1", "TEE", 2)), lambda bench: bench.order(partial), restated(3, ("L1", "TEE", 1))]
    )
    assert seen["lines"]["L1"] == {"released": Decimal(1), "cancelled": Decimal(1)}


quantities = st.integers(0, 6)
observation = st.one_of(
    st.builds(lambda units, caps: ("restate", units, caps), quantities, quantities),
    st.builds(lambda line, units: ("refund", line, units), st.sampled_from(["L1", "L2"]), st.integers(1, 3)),
    st.builds(lambda line, units: ("cancel", line, units), st.sampled_from(["L1", "L2"]), st.integers(1, 3)),
    st.just(("cancel", "", 0)),
)


@given(story=st.lists(observation, min_size=1, max_size=4), data=st.data())
@settings(max_examples=120, deadline=dt.timedelta(seconds=5))
def test_any_story_of_one_order_ends_the_same_in_any_order_of_arrival(story: list[Any], data: st.DataObject) -> None:
    observations = [restated(1, ("L1", "TEE", 2), ("L2", "CAP", 1))]
    for number, (kind, *said) in enumerate(story, start=2):
        if kind == "restate":
            observations.append(restated(number, ("L1", "TEE", said[0]), ("L2", "CAP", said[1])))
        elif kind == "refund":
            observations.append(refunded(f"r-{number}", said[0], said[1]))
        elif said[0]:
            observations.append(cancel_asked(f"c-{number}", (said[0], said[1])))
        else:
            observations.append(cancel_asked(f"c-{number}"))
    assert played(data.draw(st.permutations(observations))) == played(observations)


def test_equal_versions_fall_to_arrival_and_are_told_apart() -> None:
    first, second = (restated(1, ("L1", "TEE", units)) for units in (1, 2))
    assert played([first, second])["lines"]["L1"] == {"released": Decimal(2)}
    assert played([second, first])["lines"]["L1"] == {"released": Decimal(1), "cancelled": Decimal(1)}


def test_grace_is_counted_from_the_first_sight() -> None:
    bench = Bench(rules(location("east"), channels={"shop": replace(channel(), grace_seconds=60)}))
    bench.stock("TEE", "east", 5)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate", "confirm")
    assert bench.the_order()["status"] == "received"
    assert bench.lines() == {"L1": {"allocated": Decimal(1)}}
    bench.later(seconds=60)
    bench.run("confirm")
    assert bench.the_order()["status"] == "confirmed"
