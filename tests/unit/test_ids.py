"""Ids of our own: what makes them equal, and what lets them sort."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.ids import derived_id, numbered_id

NAMES = st.text(max_size=30)


def order(external_id: str, channel: str = "shop", scope: str = "") -> str:
    return numbered_id("or", external_id, channel, scope)


def test_orders_that_a_channel_counted_up_sort_as_it_counted() -> None:
    ids = [order(str(number)) for number in (999, 1000, 5_000_000_000_001, 5_000_000_000_002)]
    assert ids == sorted(ids)


def test_what_follows_from_an_order_lies_with_it() -> None:
    first, second = order("1001"), order("1002")
    assert derived_id("dl", f"erp/submit_order/order/{first}") < derived_id("dl", f"erp/submit_order/order/{second}")


@given(NAMES, NAMES)
def test_the_same_identity_gives_the_same_id_and_another_another(one: str, other: str) -> None:
    assert order(one) == order(one)
    assert (order(one) == order(other)) == (one == other)
    assert (order("7", channel=one) == order("7", channel=other)) == (one == other)


@given(NAMES)
def test_every_id_is_26_digits(external_id: str) -> None:
    assert len(order(external_id)) == len("or_") + 26


def test_the_same_digits_in_other_words_are_another_order() -> None:
    assert len({order("A-1001"), order("B-1001"), order("1001"), order("10-01")}) == 4
