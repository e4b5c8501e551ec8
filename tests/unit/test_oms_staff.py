"""What the people of a store say by hand: told when it cannot be, else the facts that a warehouse system reports."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision, Verdict
from hub.oms.fulfilment.staff import buyer_arrived, collect_elsewhere, report_work
from hub.oms.stock.move_stock import transfer_stock
from tests.property.memory_store import Bench, order_record
from tests.unit.test_oms_pickup import bench_of, on_hand, ordered, report, work_of


def done(bench: Bench, decision: Decision) -> Decision:
    bench.commit(decision)
    return decision


def say(bench: Bench, status: str, lines: Sequence[tuple[str, str]] = (), **said: Any) -> Decision:
    work = said.pop("work", None) or work_of(bench)
    record = {**said, "lines": [{"line": line, "quantity": quantity} for line, quantity in lines]}
    cause = f"ac_{len(bench.decisions)}"
    return done(bench, report_work(bench.store, bench.rules, bench.now, cause, work["id"], status, record))


def test_a_pickup_is_picked_packed_put_ready_and_handed_over_by_hand() -> None:
    bench = bench_of()
    ordered(bench)
    for status in ("acknowledged", "picked", "packed", "ready_for_pickup"):
        assert say(bench, status).verdict is Verdict.APPLIED
    assert say(bench, "handed_over", proof="code 12").verdict is Verdict.APPLIED
    assert bench.the_order()["status"] == "closed"
    assert on_hand(bench, "store-14") == (8, 0)


@pytest.mark.parametrize("lines", [(), (("L1", "2"),), (("L1", "1"), ("L1", "1"))], ids=["whole", "named", "parts"])
def test_what_a_person_handed_over_and_the_stores_system_reports_is_one_handover(lines: Sequence[Any]) -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "ready_for_pickup")
    say(bench, "handed_over", proof="code 12")
    before = (bench.lines(), on_hand(bench, "store-14"), len(bench.effects))
    report(bench, "handed_over", lines)
    assert (bench.lines(), on_hand(bench, "store-14"), len(bench.effects)) == before
    assert bench.raised() == []
    report(bench, "handed_over", lines)
    assert bench.raised() == ["unexpected_report"], "once more is another one"


def test_a_system_that_reports_more_than_a_person_handed_over_tells_the_rest() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "ready_for_pickup")
    say(bench, "handed_over", [("TEE", "1")])
    report(bench, "handed_over", [("L1", "2")])
    assert bench.lines() == {"L1": {"handed_over": Decimal(2)}}
    assert (on_hand(bench, "store-14"), bench.raised()) == ((8, 0), [])
    report(bench, "handed_over", [("L1", "1")])
    assert bench.raised() == ["unexpected_report"]


def test_a_store_ships_with_a_number_of_its_carrier() -> None:
    bench = bench_of()
    ordered(bench, method="ship", ship_to=order_record()["ship_to"])
    decision = say(bench, "shipped", [("TEE", "2")], carrier="Parcel Co", tracking_number="TN9")
    assert decision.verdict is Verdict.APPLIED, decision.message
    (pushed,) = bench.sent("push_shipment")
    assert pushed.record["tracking_number"] == "TN9"


def test_what_cannot_be_is_refused_in_words_and_nothing_moves() -> None:
    bench = bench_of()
    ordered(bench)
    refused = [
        say(bench, "picked", [("TEE", "3")]),
        say(bench, "picked", [("CAP", "1")]),
        say(bench, "picked", [("TEE", "0")]),
        say(bench, "received"),
        say(bench, "shipped"),
        say(bench, "cancel_accepted", cancel_request="cr_none"),
        say(bench, "teleported"),
    ]
    assert {decision.verdict for decision in refused} == {Verdict.IGNORED}
    assert "has 2 that can be picked, not 3" in refused[0].message
    assert "is pickup" in refused[3].message
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    say(bench, "handed_over")
    assert "finished" in say(bench, "handed_over").message


def test_a_store_without_a_system_answers_what_should_not_leave() -> None:
    bench = bench_of()
    rule = bench.rules.locations["store-14"]
    object.__setattr__(rule, "wms", None)
    ordered(bench)
    say(bench, "picked")
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": True})
    (request,) = work_of(bench)["document"]["cancel_requests"]
    assert bench.lines() == {"L1": {"picked": Decimal(2)}}
    assert say(bench, "cancel_accepted", cancel_request=request["id"]).verdict is Verdict.APPLIED
    assert bench.lines() == {"L1": {"cancelled": Decimal(2)}}


def test_a_buyer_who_waits_outside_is_a_fact_without_what_they_wrote() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "ready_for_pickup")
    order = bench.the_order()["id"]
    decision = done(bench, buyer_arrived(bench.store, bench.rules, bench.now, "ac_1", order, "blue car, row 3"))
    (event,) = [event for event in decision.events if "arrived" in event.type]
    assert event.data["ready"] == "yes"
    assert "blue" not in repr(decision.events)
    assert bench.store.row("contacts", {"role": "arrival"}) is not None
    say(bench, "handed_over")
    late = buyer_arrived(bench.store, bench.rules, bench.now, "ac_2", order, "")
    assert late.verdict is Verdict.IGNORED


def test_another_store_that_the_buyer_agreed_to_gives_what_the_first_could_not() -> None:
    bench = bench_of(on_reject="ask")
    ordered(bench)
    say(bench, "rejected", reason="closed for stocktaking")
    order = bench.the_order()["id"]
    done(bench, collect_elsewhere(bench.store, bench.rules, bench.now, "ac_3", order, "store-20"))
    bench.run()
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    assert {row["location"] for row in bench.store.rows("reservations", {"state": "firm"})} == {"store-20"}


def transfer(bench: Bench, quantity: str, source: str = "east", destination: str = "store-14") -> Decision:
    amount = Decimal(quantity)
    return done(
        bench,
        transfer_stock(bench.store, bench.rules, bench.now, "ac_move", "TEE", source, destination, amount, "refill"),
    )


def test_stock_moves_between_shelves_through_its_own_bucket() -> None:
    bench = bench_of()
    assert transfer(bench, "4").verdict is Verdict.APPLIED
    assert on_hand(bench, "east") == (10, 4)
    say(bench, "shipped")
    assert on_hand(bench, "east") == (6, 0)
    row = bench.store.row("stock", {"sku": "TEE", "location": "store-14"})
    assert row is not None
    assert (row["on_hand"], row["in_transit"]) == (Decimal(10), Decimal(4))
    say(bench, "received", [("TEE", "3")])
    say(bench, "lost", reason="broken on the way")
    assert on_hand(bench, "store-14") == (13, 0)
    assert bench.lines() == {"1": {"delivered": Decimal(3), "cancelled": Decimal(1)}}
    assert bench.the_order()["status"] == "closed"
    assert work_of(bench)["state"] == "partially_completed"
    assert bench.sent("submit_order") == bench.sent("post_invoice") == []


def test_a_transfer_of_more_than_is_free_is_refused_with_the_number() -> None:
    bench = bench_of()
    assert "has 10 of TEE free, not 11" in transfer(bench, "11").message
    assert "no location" in transfer(bench, "1", destination="moon").message
    assert "where they are" in transfer(bench, "1", destination="east").message


def test_a_transfer_that_its_source_cannot_send_ends_there() -> None:
    bench = bench_of()
    transfer(bench, "4")
    say(bench, "short", [("TEE", "1")], reason="not found")
    assert bench.lines() == {"1": {"released": Decimal(3), "cancelled": Decimal(1)}}
    assert "resource" not in {task.kind for task in bench.tasks.values()}
