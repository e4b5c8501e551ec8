"""What the state machine over the order management has found, each as the shortest story that shows it."""

from __future__ import annotations

from hub.domain.decision import Verdict
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, location, order_record, rules


def test_a_line_of_which_nothing_is_left_cannot_be_given_up_and_says_so() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 2)
    bench.order(order_record(("L1", "TEE", 1), ("L2", "TEE", 1)))
    asked = {"fact_key": "c", "order_external_id": "4507", "lines": [{"external_line_id": "L2", "quantity": "1"}]}
    bench.fact("cancel_requests", asked)
    bench.run("allocate")
    assert bench.lines()["L2"] == {"cancelled": 1}
    decision = bench.act(return_desk.give_goods_up, [{"external_line_id": "L2", "quantity": "1"}], "it never came")
    assert decision.verdict is Verdict.IGNORED
    assert "L2" in decision.message or "TEE" in decision.message
