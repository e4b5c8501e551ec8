"""Store credit: taken from what was captured, owed from then on, told to whoever keeps it, or to a person."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Verdict
from hub.oms.money.payment_actions import refund_made, refund_order
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, order_record
from tests.unit.test_oms_credit import TOTALS, answered, balance, came_back, leave, posted, requested, shop, sold
from tests.unit.test_oms_pay import card, payment

D = Decimal


def credited(bench: Bench, amount: str) -> Any:
    return bench.act(refund_order, "op", "late", D(amount), {}, "store_credit")


def with_crm(bench: Bench) -> None:
    takers = {**bench.rules.takers, "upsert_customer": ("crm",), "issue_store_credit": ("crm",)}
    bench.rules = replace(bench.rules, takers=takers)


def test_a_refund_as_store_credit_is_told_to_the_system_that_keeps_it_and_owed_from_its_yes() -> None:
    bench = shop()
    with_crm(bench)
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=[card("35")]))
    bench.run("allocate", "confirm")
    leave(bench, 3)
    answered(bench)
    credited(bench, "12")
    (issued,) = bench.sent("issue_store_credit")
    assert (issued.destination, issued.record["amount"], issued.record["currency"]) == ("crm", "12", "USD")
    assert issued.record["customer"] == bench.sent("upsert_customer")[0].record["reference"]
    assert issued.requires == (f"crm/upsert_customer/{bench.sent('upsert_customer')[0].key}",)
    assert payment(bench)["refunding"] == 12, "it cannot be given back otherwise meanwhile"
    bench.reply(issued, external_id="cr-1")
    bench.reply(issued, external_id="cr-1")
    row = payment(bench)
    assert (row["store_credit"], row["refunding"], row["refunded"], row["captured"]) == (12, 0, 0, 35)
    assert bench.sent("refund") == []
    assert bench.sent("push_refund") == []
    (move,) = bench.store.rows("money_moves", {"kind": "store_credit"})
    assert (move["amount"], move["external_id"]) == (12, "cr-1")
    assert posted(bench)[1] == ["12"]
    refused = bench.act(refund_order, "op", "more", D(24), {})
    assert (refused.verdict, "24.00 USD to refund, 23.00 USD can be" in refused.message) == (Verdict.IGNORED, True)


def test_where_nobody_keeps_credit_a_person_gives_it_and_says_so() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    credited(bench, "12")
    assert bench.raised() == ["store_credit_by_hand"]
    (refund,) = bench.store.rows("refunds", {})
    assert (refund["state"], refund["tender"], refund["id"] in bench.exceptions[-1].hint) == (
        "pending",
        "store_credit",
        True,
    )
    bench.act(refund_made, "ada", refund["id"], "GC-77")
    assert payment(bench)["store_credit"] == 12
    assert any(clear.cause_key == f"store-credit/{refund['id']}" for clear in bench.decisions[-1].clears)


def test_credit_that_is_refused_is_told_and_can_be_given_back_otherwise() -> None:
    bench = shop()
    with_crm(bench)
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=[card("35")]))
    bench.run("allocate", "confirm")
    leave(bench, 3)
    answered(bench)
    credited(bench, "12")
    bench.reply(bench.sent("issue_store_credit")[0], accepted=False, reason="the account is closed")
    assert (bench.raised(), payment(bench)["refunding"], posted(bench)[1]) == (["refund_failed"], D(0), [])
    bench.act(refund_order, "op", "late", D(12), {})
    answered(bench)
    assert (payment(bench)["refunded"], balance(bench)) == (D(12), (D(23), D(23)))


@pytest.mark.parametrize("managed_by", ["hub", "channel"])
def test_a_return_settled_as_store_credit_is_credited_once_and_not_refunded(managed_by: str) -> None:
    bench = sold(managed_by=managed_by)
    leave(bench, 3)
    answered(bench)
    one = requested(bench, bench.the_order()["id"])
    bench.rules = replace(bench.rules, returns={"": replace(bench.rules.return_policy("shop"), settle="person")})
    came_back(bench, one)
    given = (bench.store, bench.rules, bench.now, "ac_s", one, "store_credit", "prefers credit")
    bench.commit(return_desk.settle_return(*given))
    (settlement,) = bench.store.rows("return_settlements", {})
    (refund,) = bench.store.rows("refunds", {})
    assert (settlement["kind"], settlement["refund_id"], refund["tender"]) == (
        "store_credit",
        refund["id"],
        "store_credit",
    )
    bench.act(refund_made, "ada", "", "GC-78")
    assert posted(bench)[1] == ["10"]
    assert bench.sent("refund") == []
    assert bench.sent("push_refund") == []
    moved = bench.store.rows("money_moves", {"kind": "store_credit"})
    assert [move["amount"] for move in moved] == [D(10)]


def test_tenders_are_charged_and_refunded_in_their_declared_order_store_credit_among_them() -> None:
    order = ("store_credit", "gift_card", "card")
    bench = shop(capture_order=order, refund_order=order[::-1])
    tenders = [("pay-1", "card", "20"), ("gift-1", "gift_card", "10"), ("credit-1", "store_credit", "5")]
    stated = [card(amount, external_id=name, method=method) for name, method, amount in tenders]
    bench.order(order_record(("L1", "TEE", 3), totals=TOTALS, payments=stated))
    bench.run("allocate", "confirm")
    leave(bench, 1)
    leave(bench, 2, "n-2")
    answered(bench)
    charged = [(one.record["payment_external_id"], one.record["amount"]) for one in bench.sent("capture")]
    assert charged == [("credit-1", "5"), ("gift-1", "6.67"), ("gift-1", "3.33"), ("pay-1", "20")]
    bench.act(refund_order, "op", "all of it", D(33), {})
    answered(bench)
    back = [(one.record["payment_external_id"], one.record["amount"]) for one in bench.sent("refund")]
    assert back == [("pay-1", "20"), ("gift-1", "10"), ("credit-1", "3")]
    assert balance(bench) == (D(2), D(2))


def test_credit_that_a_person_gave_before_they_settled_the_return_is_given_at_once() -> None:
    bench = sold()
    leave(bench, 3)
    answered(bench)
    one = requested(bench, bench.the_order()["id"])
    lines = [{"line": "1", "quantity": "1"}]
    given = (bench.store, bench.rules, bench.now, "ac_s", one, "store_credit", "prefers credit", lines, "", "GC-79")
    bench.commit(return_desk.settle_return(*given))
    assert (payment(bench)["store_credit"], payment(bench)["refunding"]) == (10, 0)
    assert (bench.raised(), posted(bench)[1]) == ([], ["10"])
