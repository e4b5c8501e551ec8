"""Payouts: each line finds what it pays for, and the books balance or a person is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.payout import paid_line
from hub.oms.money.payouts import match_again
from tests.property.memory_store import Bench, order_record
from tests.unit.test_oms_pay import card, provider, ship

D = Decimal


def paid(bench: Bench, *lines: dict[str, Any], amount: str | None = None, key: str = "po_1") -> None:
    whole = amount if amount is not None else str(sum(D(line["net"]) for line in lines))
    record = {"external_id": key, "fact_key": key, "currency": "USD", "amount": whole, "lines": list(lines)}
    bench.fact("payouts", record, connection="payment")


def matches(bench: Bench) -> list[str]:
    return [row["matched"] for row in bench.store.rows("payout_lines", {}, order_by=("number",))]


def shipped() -> Bench:
    bench = provider()
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.run()
    ship(bench, 1)
    bench.reply(bench.sent("capture")[0], external_id="cap_1")
    return bench


def test_each_line_finds_its_capture_its_payment_or_its_order() -> None:
    bench = shipped()
    paid(
        bench,
        {"type": "charge", "gross": "10", "fee": "0.39", "net": "9.61", "reference": "cap_1"},
        {"type": "refund", "net": "-2", "payment_external_id": "pay-1"},
        {"type": "dispute", "net": "-1", "order_reference": "#1001"},
        {"type": "reserve", "net": "-3"},
        {"type": "charge", "net": "7", "reference": "cap_404"},
    )
    assert matches(bench) == ["capture", "payment", "order", "none_needed", "nothing"]
    order_id = bench.the_order()["id"]
    assert {row["order_id"] for row in bench.store.rows("payout_lines", {})} == {order_id, None}
    assert bench.raised() == ["payout_unmatched"]


def test_a_payout_that_is_not_the_sum_of_its_lines_says_what_is_not_explained() -> None:
    bench = shipped()
    paid(bench, {"type": "charge", "net": "9.61", "reference": "cap_1"}, amount="9.60")
    assert bench.raised() == ["payout_difference"]
    assert "-0.01 USD is not explained" in bench.exceptions[-1].detail


def test_a_line_that_came_before_its_order_is_matched_later() -> None:
    bench = provider()
    paid(bench, {"type": "charge", "net": "9.61", "payment_external_id": "pay-1"})
    assert matches(bench) == ["nothing"]
    bench.order(order_record(("L1", "TEE", 1), payments=[card("10")]))
    bench.commit(match_again(bench.store, 100))
    assert matches(bench) == ["payment"]


def test_the_same_payout_read_twice_is_one() -> None:
    bench = shipped()
    for connection_key in ("po_1", "po_1-again"):
        record = {"external_id": "po_1", "fact_key": connection_key, "currency": "USD", "amount": "1"}
        bench.fact("payouts", {**record, "lines": [{"type": "fee", "net": "1"}]}, connection="payment")
    assert len(bench.store.rows("payouts", {})) == len(bench.store.rows("payout_lines", {})) == 1


@pytest.mark.parametrize(
    ("said", "gross", "fee", "net"),
    [
        ({"gross": "10", "fee": "0.39", "net": "9.61"}, "10", "0.39", "9.61"),
        ({"gross": "10", "fee": "-0.39"}, "10", "0.39", "9.61"),
        ({"gross": "10", "fee": "", "net": ""}, "10", "0", "10"),
        ({"net": "-2"}, "-2", "0", "-2"),
        ({"gross": " ", "fee": "0.10", "net": "-0.10"}, "0", "0.1", "-0.1"),
        ({"gross": "-10", "fee": "-0.39", "net": "-9.61"}, "-10", "-0.39", "-9.61"),
    ],
)
def test_columns_that_say_nothing_follow_from_the_others(said: dict[str, str], gross: str, fee: str, net: str) -> None:
    line = paid_line(1, {"type": "charge", **said})
    assert (line.gross, line.fee, line.net) == (D(gross), D(fee), D(net))


def test_another_provider_may_call_its_captures_alike() -> None:
    bench = shipped()
    record = {"external_id": "po_9", "fact_key": "po_9", "currency": "USD", "amount": "9"}
    bench.fact(
        "payouts", {**record, "lines": [{"type": "charge", "net": "9", "reference": "cap_1"}]}, connection="other"
    )
    assert matches(bench) == ["nothing"]
