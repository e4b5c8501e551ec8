"""Rules of the domain one by one: totals, statuses, stock marks, tables of legal moves."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.fulfilment import WORK_MOVES
from hub.domain.money import Money, decimal_text
from hub.domain.order import Effects, Hold, Order, OrderLine, OrderStatus, status
from hub.domain.payment import PAYMENT_MOVES
from hub.domain.quantity import FORWARD, MOVES, OBSERVED_ONLY, Bucket, IllegalMove, Ledger, path
from hub.domain.reservation import RESERVATION_MOVES
from hub.domain.shipment import PACKAGE_MOVES
from hub.domain.stock import Mark, movement_effect, relation, sequence_key
from hub.domain.stock import Order as When
from hub.domain.totals import check_totals

D = Decimal
NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)


def line(**buckets: int) -> OrderLine:
    held = {Bucket(name): D(units) for name, units in buckets.items()}
    return OrderLine("l", "o", 1, "L1", "TEE", Ledger(sum(held.values(), D(0)), held))


def order(*lines: OrderLine, confirmed: bool = False, held: bool = False) -> Order:
    made = Order("o", "shop", "", "1", "acme", effects=Effects.ON, lines=list(lines))
    made.confirmed_at = NOON if confirmed else None
    if held:
        made.holds.append(Hold("h", "o", None, "manual", "manual", "", "", NOON))
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (order(line(open=2)), OrderStatus.RECEIVED),
        (order(line(open=2), held=True), OrderStatus.HELD),
        (order(line(released=2), confirmed=True), OrderStatus.CONFIRMED),
        (order(line(released=2), confirmed=True, held=True), OrderStatus.HELD),
        (order(line(shipped=1, cancelled=1), confirmed=True), OrderStatus.CLOSED),
        (order(line(delivered=2), confirmed=True, held=True), OrderStatus.CLOSED),
        (order(line(shipped=1, lost=1), confirmed=True), OrderStatus.CONFIRMED),
        (order(line(cancelled=2)), OrderStatus.CANCELLED),
        (order(line(cancelled=2), held=True), OrderStatus.CANCELLED),
        (order(), OrderStatus.RECEIVED),
    ],
)
def test_the_status_follows_from_ledgers_and_holds(made: Order, expected: OrderStatus) -> None:
    assert status(made) is expected


@pytest.mark.parametrize("table", [MOVES, WORK_MOVES, PAYMENT_MOVES, RESERVATION_MOVES, PACKAGE_MOVES])
def test_every_state_that_can_be_reached_is_in_its_table(table: Any) -> None:
    assert {target for targets in table.values() for target in targets} <= set(table)
    assert all(source not in targets for source, targets in table.items())


def test_every_step_forward_is_a_legal_move_and_no_observation_is_one() -> None:
    assert all(target in MOVES[source] for source, targets in FORWARD.items() for target in targets)
    assert all(target not in MOVES[source] for source, target in OBSERVED_ONLY)


def test_there_is_no_way_forward_out_of_delivered() -> None:
    with pytest.raises(IllegalMove):
        path(Bucket.DELIVERED, Bucket.SHIPPED)


@pytest.mark.parametrize(
    ("record", "difference"),
    [
        ({"totals": {"total": "20"}, "lines": [{"quantity": "2", "unit_price": "10"}]}, "0"),
        ({"totals": {"total": "22", "tax": "2"}, "lines": [{"quantity": "2", "unit_price": "10"}]}, "0"),
        (
            {
                "taxes_included": True,
                "totals": {"total": "20", "tax": "3.19"},
                "lines": [{"quantity": "2", "unit_price": "10"}],
            },
            "0",
        ),
        (
            {
                "totals": {"total": "23.99", "discounts": "1", "shipping": "4.99"},
                "lines": [{"quantity": "2", "unit_price": "10"}],
            },
            "0",
        ),
        (
            {
                "totals": {"total": "21"},
                "adjustments": [{"type": "gift_card", "amount": "-5"}, {"type": "tip", "amount": "6"}],
                "lines": [{"quantity": "2", "unit_price": "10"}],
            },
            "0",
        ),
        ({"totals": {"total": "19.99"}, "lines": [{"quantity": "2", "unit_price": "10"}]}, "-0.01"),
        (
            {
                "totals": {"total": "5"},
                "lines": [{"quantity": "200", "unit_price": "2.5", "price_base_quantity": "100"}],
            },
            "0",
        ),
        ({"totals": {"total": "9"}, "lines": [{"quantity": "2", "total": "9"}]}, "0"),
        ({"totals": {"total": "9"}}, None),
        ({"lines": [{"quantity": "2", "unit_price": "10"}]}, None),
    ],
)
def test_the_sources_total_is_compared_with_its_own_parts(record: dict[str, Any], difference: str | None) -> None:
    found = check_totals(record).difference
    assert found == (None if difference is None else D(difference))


@pytest.mark.parametrize(
    ("statement", "snapshot", "expected"),
    [
        (Mark(NOON), None, When.AFTER),
        (Mark(NOON), Mark(NOON), When.BEFORE),
        (Mark(NOON + dt.timedelta(seconds=1)), Mark(NOON), When.AFTER),
        (Mark(NOON, "10"), Mark(NOON + dt.timedelta(hours=1), "9"), When.AFTER),
        (Mark(NOON + dt.timedelta(hours=1), "9"), Mark(NOON, "10"), When.BEFORE),
    ],
)
def test_a_sequence_beats_time_and_equal_is_inside(statement: Mark, snapshot: Mark | None, expected: When) -> None:
    assert relation(statement, snapshot) is expected


def test_inside_the_clock_skew_nobody_guesses() -> None:
    close = Mark(NOON + dt.timedelta(seconds=3))
    assert relation(close, Mark(NOON), dt.timedelta(seconds=5)) is When.UNCLEAR
    assert movement_effect(D(-1), Mark(NOON), Mark(NOON)) == 0


def test_sequences_count_as_numbers_where_they_are_numbers() -> None:
    assert sorted(["10", "9", "0011", "2"], key=sequence_key) == ["2", "9", "10", "0011"]


def test_money_of_two_currencies_does_not_add_up() -> None:
    assert Money(D("1.10"), "EUR") + Money(D("2"), "EUR") == Money(D("3.10"), "EUR")
    assert Money(D("0.125"), "KWD").rounded() == Money(D("0.125"), "KWD")
    assert Money(D("10.5"), "JPY").rounded() == Money(D("10"), "JPY")
    with pytest.raises(ValueError, match="EUR and USD"):
        Money(D(1), "EUR") - Money(D(1), "USD")


@pytest.mark.parametrize(
    ("value", "text"), [("3.00", "3"), ("1.50", "1.5"), ("0.002", "0.002"), ("1E+3", "1000"), ("-0.0", "0")]
)
def test_decimal_text_is_plain_and_short(value: str, text: str) -> None:
    assert decimal_text(D(value)) == text
