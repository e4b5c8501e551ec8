"""Whatever must add up, adds up: apportioned amounts, quantity ledgers, promises, charges."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.money import apportion, minor_units, smallest_amount
from hub.domain.payment import NOTHING, Charge, charge_for
from hub.domain.promise import AtLocation, DatedSupply, Pool, available_to_promise
from hub.domain.quantity import MOVES, SHIPPABLE, Bucket, IllegalMove, Ledger

cents = st.integers(-(10**9), 10**9).map(lambda number: Decimal(number) / 100)
weights = st.lists(st.integers(0, 10**6).map(lambda number: Decimal(number) / 1000), min_size=1, max_size=12)
units = st.integers(0, 5_000).map(lambda number: Decimal(number) / 4)


@given(total=cents, shares=weights)
def test_apportioned_parts_add_up_to_the_total(total: Decimal, shares: list[Decimal]) -> None:
    assert sum(apportion(total, shares, Decimal("0.01"))) == total


@given(total=cents, shares=weights)
def test_a_part_is_never_a_cent_further_than_its_share(total: Decimal, shares: list[Decimal]) -> None:
    whole = sum(shares) or Decimal(len(shares))
    for part, share in zip(apportion(total, shares, Decimal("0.01")), shares, strict=True):
        exact = total * (share if sum(shares) else Decimal(1)) / whole
        assert abs(part - exact) < Decimal("0.010001")


def test_ties_go_to_the_lower_line_number() -> None:
    assert apportion(Decimal("0.05"), [Decimal(1)] * 3, Decimal("0.01")) == [
        Decimal("0.02"),
        Decimal("0.02"),
        Decimal("0.01"),
    ]


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("KWD", 3), ("EUR", 2), ("CLF", 4)])
def test_minor_units_follow_iso_4217(currency: str, digits: int) -> None:
    assert minor_units(currency) == digits
    assert smallest_amount(currency) == Decimal(1).scaleb(-digits)


step = st.tuples(st.sampled_from(list(Bucket)), st.sampled_from(list(Bucket)), st.integers(0, 4), st.booleans())


@given(ordered=st.integers(1, 9), steps=st.lists(step, max_size=30))
def test_the_buckets_of_a_line_always_sum_to_what_is_ordered(
    ordered: int, steps: list[tuple[Bucket, Bucket, int, bool]]
) -> None:
    ledger = Ledger()
    ledger.grow(Decimal(ordered))
    for source, target, quantity, observed in steps:
        before = dict(ledger.buckets)
        try:
            if observed:
                ledger.advance(source, target, Decimal(quantity))
            else:
                ledger.move(source, target, Decimal(quantity))
        except IllegalMove:
            assert dict(ledger.buckets) == before
        assert ledger.balanced
    assert all(move.source is None or move.target in MOVES[move.source] or _observed(move) for move in ledger.moves)


def _observed(move: object) -> bool:
    return getattr(move, "source", None) is Bucket.CANCELLED and getattr(move, "target", None) is Bucket.SHIPPED


@pytest.mark.parametrize("bucket", SHIPPABLE)
def test_an_observed_shipment_reaches_shipped_from_wherever_the_goods_were(bucket: Bucket) -> None:
    ledger = Ledger(Decimal(2), {bucket: Decimal(2)})
    ledger.advance(bucket, Bucket.SHIPPED, Decimal(2))
    assert ledger[Bucket.SHIPPED] == 2
    assert [move.implied for move in ledger.moves] == [True] * (len(ledger.moves) - 1) + [False]


places = st.lists(st.tuples(units, units, units, units), max_size=6)


@given(
    stock=places,
    share=st.integers(0, 12),
    threshold=units,
    unassigned=units,
    increment=st.sampled_from(["1", "0.5"]),
    supply=st.lists(units, max_size=3),
    pools=st.lists(st.tuples(st.sampled_from(["mine", "other"]), units), max_size=3),
)
def test_the_explanation_of_a_promise_sums_to_the_promise(
    stock: list[tuple[Decimal, Decimal, Decimal, Decimal]],
    share: int,
    threshold: Decimal,
    unassigned: Decimal,
    increment: str,
    supply: list[Decimal],
    pools: list[tuple[str, Decimal]],
) -> None:
    at = [AtLocation(f"l{number}", *levels) for number, levels in enumerate(stock)]
    said = available_to_promise(
        at,
        share=Decimal(share) / 10,
        threshold=threshold,
        unassigned=unassigned,
        increment=Decimal(increment),
        supply=[DatedSupply(f"PO-{n}", "l0", quantity, f"2026-12-0{n + 1}") for n, quantity in enumerate(supply)],
        pools=[Pool(name, quantity) for name, quantity in pools],
        channel="mine",
    )
    assert sum((term.amount for term in said.terms), Decimal(0)) == said.quantity
    assert said.quantity >= 0
    assert said.quantity % Decimal(increment) == 0


def test_missing_safety_stock_of_one_location_does_not_eat_anothers_goods() -> None:
    at = [
        AtLocation("east", Decimal(1), Decimal(0), Decimal(0), safety=Decimal(5)),
        AtLocation("west", Decimal(3), Decimal(0), Decimal(0)),
    ]
    assert available_to_promise(at).quantity == 3


@given(
    values=st.lists(st.integers(0, 9_999), min_size=1, max_size=6),
    shipping=st.integers(0, 2_000),
    tax=st.integers(0, 2_000),
    discounts=st.integers(0, 2_000),
)
def test_the_charges_of_all_shipments_add_up_to_the_whole(
    values: list[int], shipping: int, tax: int, discounts: int
) -> None:
    shipped = [Decimal(value) / 100 for value in values]
    whole = Charge(sum(shipped, Decimal(0)), Decimal(shipping) / 100, Decimal(tax) / 100, Decimal(discounts) / 100)
    charged = NOTHING
    for number, value in enumerate(shipped):
        last = number == len(shipped) - 1
        to_come = Decimal(0) if last else max(sum(shipped[number + 1 :], Decimal(0)), Decimal("0.01"))
        charged += charge_for(whole, charged, value, to_come, "USD")
    assert charged == whole
