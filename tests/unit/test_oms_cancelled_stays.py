"""What its source took off an order stays cancelled when other units of it are given back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hub.oms.desk.load import open_case
from hub.oms.money.payment_actions import refund_order
from hub.oms.money.whole import whole_of
from hub.oms.returns import return_desk
from tests.unit.test_oms_credit import answered, balance, cancelled, leave, posted, restated, sold

D = Decimal


@pytest.mark.parametrize("wants", ["refund", "nothing"])
def test_what_the_channel_took_off_before_stays_cancelled_when_other_units_come_back(wants: str) -> None:
    """It lowered the line by one before anything left; a return of another is no wish for that one."""
    bench = sold(release=False)
    restated(bench, 5, 2, current_total="25")
    bench.run("allocate", "confirm")
    leave(bench, 2)
    answered(bench)
    asked = [{"line": "1", "quantity": "1"}]
    order = bench.the_order()["id"]
    bench.commit(return_desk.request(bench.store, bench.rules, bench.now, "ac_1", order, "api", asked, "small"))
    (one,) = bench.store.rows("returns", {})
    settled = return_desk.settle_return(bench.store, bench.rules, bench.now, "ac_2", one["id"], wants, "small", asked)
    bench.commit(settled)
    restated(bench, 6, 2, current_total="25")
    bench.run("allocate", "confirm")
    assert bench.lines() == {"L1": {"shipped": D(2), "cancelled": D(1)}}
    restated(bench, 7, 1, current_total="15")
    assert bench.lines() == {"L1": {"shipped": D(2), "cancelled": D(1)}}


def test_units_that_were_cancelled_stay_so_when_a_person_refunds_others() -> None:
    bench = sold(release=False)
    restated(bench, 5, 2, current_total="25")
    bench.run("allocate", "confirm")
    leave(bench, 2)
    answered(bench)
    bench.act(refund_order, "op", "broken", None, {"L1": D(1)})
    answered(bench)
    restated(bench, 6, 2, current_total="25")
    assert bench.lines() == {"L1": {"shipped": D(2), "cancelled": D(1)}}


def test_what_was_to_be_cancelled_and_left_is_charged_when_it_has_come_back() -> None:
    """Its location was too late; it came back and was credited, and the channel lowered its total for that."""
    bench = sold()
    cancelled(bench, 1)
    leave(bench, 3)
    answered(bench)
    bench.act(refund_order, "op", "came back", None, {"L1": D(1)})
    answered(bench)
    restated(bench, 5, 2, current_total="25")
    assert (posted(bench), balance(bench)) == ((["35"], ["10"]), (D(25), D(25)))
    case = open_case(bench.store, bench.rules, bench.now, "look", bench.the_order()["id"])
    assert case is not None
    assert whole_of(case.order).amount == 35
