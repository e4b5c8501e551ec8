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


def test_what_a_shipment_shows_to_be_wanted_still_is_sourced_again() -> None:
    """Its channel says first that one came back and wants two less, then that one has left: another is still wanted."""
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 1)
    bench.order(order_record(("L1", "TEE", 3)))
    bench.run("allocate", "confirm")
    bench.send()
    assert bench.lines()["L1"] == {"backordered": 2, "released": 1}
    said = {"external_id": "r-1", "fact_key": "r-1", "order_external_id": "4507", "amount": "10", "currency": "USD"}
    bench.fact("refunds", {**said, "lines": [{"external_line_id": "L1", "quantity": "1", "restock": "return"}]})
    bench.order(order_record(("L1", "TEE", 1), source_version="2026-11-02T09:01:00.000000Z"))
    bench.run("allocate")
    assert bench.lines()["L1"] == {"cancelled": 2, "released": 1}
    work = bench.sent("send_fulfilment_request")[0].record["fulfilment_order"]
    lines = [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": "1"}]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work}
    bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": lines}]}, connection="wms-east")
    assert bench.lines()["L1"] == {"cancelled": 1, "open": 1, "shipped": 1}
    bench.run("allocate")
    assert bench.lines()["L1"] == {"backordered": 1, "cancelled": 1, "shipped": 1}
