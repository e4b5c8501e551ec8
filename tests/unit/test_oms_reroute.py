"""Sending an order from elsewhere: looking first, asking its location, and never freeing before it has accepted."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.decision import Decision
from hub.oms.sourcing.reroute import reroute_order, what_if
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal


def confirmed(*, sent: bool = True) -> Bench:
    bench = Bench(rules(location("east"), location("west", cost_order=D("2.50"))))
    bench.stock("TEE", "east", 2)
    bench.stock("TEE", "west", 5)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    if sent:
        bench.send()
    return bench


def reroute(bench: Bench, leaving: str = "") -> Decision:
    order = bench.the_order()["id"]
    cause = f"ac-{len(bench.decisions)}"
    decision = reroute_order(bench.store, bench.rules, bench.now, cause, order, "bo", "closed by snow", leaving)
    bench._commit(decision)
    return decision


def places(bench: Bench) -> dict[str, str]:
    return {row["location"]: row["state"] for row in bench.store.rows("fulfilment_orders", {})}


def test_looking_first_says_where_it_would_come_from_and_changes_nothing() -> None:
    bench = confirmed()
    before = len(bench.store.rows("sourcing_decisions", {}))
    found = what_if(bench.store, bench.rules, bench.now, bench.the_order()["id"])
    assert found is not None
    assert [work["location"] for work in found["now_at"]] == ["east"]
    (document,) = found["decisions"]
    assert document["plan"]["locations"] == ["west"]
    assert document["exclusions"] == [{"location": "east", "code": "excluded", "detail": "it works on the order now"}]
    assert len(bench.store.rows("sourcing_decisions", {})) == before
    assert what_if(bench.store, bench.rules, bench.now, "or-none") is None


def test_nothing_is_freed_before_the_location_has_accepted() -> None:
    bench = confirmed()
    decision = reroute(bench)
    assert "east was asked to give it back" in decision.message
    bench.run()
    assert places(bench) == {"east": "planned"}
    assert bench.lines() == {"L1": {"released": D(2)}}
    work = bench.store.rows("fulfilment_orders", {})[0]
    request = work["document"]["cancel_requests"][0]["id"]
    answer = {"fact_key": "a", "fulfilment_order": work["id"], "cancel_request": request}
    bench.fact("fulfilment_responses", {**answer, "status": "cancel_accepted"})
    bench.run("resource")
    assert places(bench) == {"east": "cancelled", "west": "planned"}
    assert bench.lines() == {"L1": {"released": D(2)}}


def test_a_location_that_refuses_keeps_the_order() -> None:
    bench = confirmed()
    reroute(bench)
    work = bench.store.rows("fulfilment_orders", {})[0]
    request = work["document"]["cancel_requests"][0]["id"]
    refusal = {"fact_key": "a", "fulfilment_order": work["id"], "cancel_request": request, "status": "cancel_refused"}
    bench.fact("fulfilment_responses", refusal)
    bench.run("allocate", "resource")
    assert list(places(bench)) == ["east"]
    assert bench.lines() == {"L1": {"released": D(2)}}


def test_what_nobody_was_told_of_moves_at_once() -> None:
    bench = confirmed(sent=False)
    assert "sourced anew" in reroute(bench).message
    bench.run("allocate")
    assert places(bench) == {"east": "cancelled", "west": "planned"}


def test_what_is_not_at_that_location_is_not_asked_for() -> None:
    bench = confirmed()
    decision = reroute(bench, "west")
    assert decision.code == "not_possible"
    assert "nothing of it is at west" in decision.message
    assert reroute(bench, "mars").message == "there is no location mars"


def test_an_order_that_only_waits_for_its_grace_is_reserved_elsewhere() -> None:
    slow = rules(location("east"), location("west", cost_order=D(3)), channels={"shop": channel(grace_seconds=600)})
    bench = Bench(slow)
    bench.stock("TEE", "east", 2)
    bench.stock("TEE", "west", 5)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    reroute(bench, "east")
    bench.run("allocate")
    live = bench.store.rows("reservations", {"state": "soft"})
    assert [row["location"] for row in live if row["quantity"]] == ["west"]
