"""Bad input and races, each with its one answer, the order management behind the real exchange (docs: races)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.change import Edit, LineEdit
from hub.domain.decision import Decision
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.exceptions import resolve
from hub.oms.change.changes import edit_order
from hub.oms.money.payment_actions import refund_order
from hub.oms.people import cancel_order
from hub.oms.returns import return_desk
from hub.sdk.capabilities import SafetyMode
from tests.exchange.whole import Whole
from tests.property.memory_store import channel

GRACE = 600


@pytest.fixture
def hub() -> Iterator[Whole]:
    world = Whole()
    world.items("TEE", "CAP")
    world.stock(TEE=5, CAP=5)
    world.clock.advance(60)
    yield world
    assert world.findings() == []


def with_provider(hub: Whole) -> None:
    """The shop's money is the hub's to handle, at the connection `payment`."""
    asked = dict.fromkeys(("capture", "refund", "void"), SafetyMode.LOOKUP)
    hub.streams |= {name: type(hub.streams["orders"])(name) for name in ("payments", "refunds")}
    hub.views["payment"] = hub._view("payment", hub.shop, ("payments", "refunds"), asked)
    takers = {**hub.rules.takers, **dict.fromkeys(asked, ("payment",))}
    hub.change_rules(replace(hub.rules, channels={"shop": channel(money="hub")}, takers=takers))


def exception(hub: Whole, kind: str) -> dict[str, Any]:
    (found,) = hub.rows("exceptions", kind=kind, state="open")
    return found


def confirmed(hub: Whole, units: int = 2, **fields: Any) -> None:
    hub.restate(("L1", "TEE", units), **fields)
    hub.settle()
    assert hub.buckets() == {"released": units}


def test_a_cancelled_order_that_ships_is_kept_as_shipped_and_shows_the_way_back(hub: Whole) -> None:
    confirmed(hub)
    hub.person(cancel_order)
    (request,) = hub.work("east")["document"]["cancel_requests"]
    hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert hub.the_order()["status"] == "cancelled"
    hub.ships("east", "2")
    assert hub.buckets() == {"shipped": 2}
    assert hub.the_order()["status"] == "closed"
    (stock,) = hub.rows("stock", sku="TEE", location="east")
    assert stock["on_hand"] == 3
    told = exception(hub, "shipped_unexpected")
    assert "cancelled" in told["detail"]
    assert "return" in told["next_step"]


def test_a_refund_larger_than_was_captured_is_booked_whole_and_shown(hub: Whole) -> None:
    confirmed(hub)
    hub.fact("refunds", external_id="r-1", order_external_id="4507", amount="99.00", currency="USD")
    hub.settle()
    (booked,) = hub.rows("refunds")
    assert (booked["amount"], booked["state"]) == (Decimal(99), "succeeded")
    assert "99.00 USD refunded" in exception(hub, "refund_too_high")["detail"]


def test_a_refund_larger_than_was_captured_is_not_made_by_us(hub: Whole) -> None:
    with_provider(hub)
    card = {"external_id": "pay-1", "method": "card", "amount": "20", "state": "captured"}
    confirmed(hub, payments=[card])
    given = asked_by_ann(hub, Decimal(21))
    assert given.message.startswith("21.00 USD to refund, 20.00 USD can be")
    assert hub.rows("refunds") == []
    asked_by_ann(hub, Decimal(15))
    assert asked_by_ann(hub, Decimal(6)).message.startswith("6.00 USD to refund, 5.00 USD can be")
    assert [row["amount"] for row in hub.rows("refunds")] == [15]


def asked_by_ann(hub: Whole, amount: Decimal) -> Decision:
    """Ann gives an amount of the order back."""
    cause, now, taken = hub.ids.new("ac", hub.clock.now()), hub.clock.now(), []
    order = hub.the_order()["id"]

    def rows(writer: Writer) -> WriteSet:
        taken.append(refund_order(writer.snapshot, hub.rules, now, cause, order, "ann", "goodwill", amount, {}))
        return decision_rows(taken[-1], writer)

    assert hub.commit(rows) is Applied.APPLIED
    hub.settle()
    return taken[-1]


def test_a_receipt_larger_than_what_was_delivered_is_kept_where_it_lies_and_paid_for_as_far_as_it_had_left(
    hub: Whole,
) -> None:
    able = {
        name: replace(rule, can=frozenset({"ship", "receive_returns"})) for name, rule in hub.rules.locations.items()
    }
    hub.change_rules(replace(hub.rules, locations=able))
    confirmed(hub)
    hub.ships("east", "1")
    hub.clock.advance(60)
    order, now = hub.the_order()["id"], hub.clock.now()
    lines = [{"external_line_id": "L1", "quantity": "1"}]
    hub.commit(
        lambda writer: decision_rows(
            return_desk.request(writer.snapshot, hub.rules, now, "ac-1", order, "api", lines, "too small"), writer
        )
    )
    (one,) = hub.rows("returns")
    arrived = [{"line": "L1", "quantity": "3", "grade": "A"}]
    hub.commit(
        lambda writer: decision_rows(
            return_desk.receive_return(writer.snapshot, hub.rules, now, "ac-2", one["id"], "ann", "east", arrived),
            writer,
        )
    )
    hub.settle()
    (stock,) = hub.rows("stock", sku="TEE", location="east")
    assert stock["on_hand"] == 5 - 1 + 3
    assert "2 of TEE more than had left" in exception(hub, "return_unexpected")["detail"]
    assert [row["amount"] for row in hub.rows("refunds")] == [10]


def test_a_confirmation_for_an_order_that_nobody_knows_waits_and_is_shown_in_the_end(hub: Whole) -> None:
    hub.fact("fulfilment_responses", "wms-east", fulfilment_order="fo_unknown", status="acknowledged")
    hub.fact(
        "shipments",
        "wms-east",
        fulfilment_order="fo_unknown",
        external_id="s",
        packages=[{"package": "1", "lines": []}],
    )
    hub.settle()
    assert hub.states("fulfilment_responses") == hub.states("shipments") == ["waiting"]
    assert hub.rows("orders") == []
    hub.run_for(25 * 3600, every=3600)
    assert hub.states("fulfilment_responses") == hub.states("shipments") == ["parked"]
    assert set(hub.exceptions()) == {"unmatched"}


def test_a_negative_count_stands_for_nothing_and_is_shown(hub: Whole) -> None:
    hub.clock.advance(60)
    hub.stock(TEE=-3)
    (stock,) = hub.rows("stock", sku="TEE", location="east")
    (counted,) = [row for row in hub.rows("stock_events", sku="TEE") if row["absolute"] == -3]
    assert (stock["on_hand"], counted["delta"]) == (0, -5)
    assert "-3" in exception(hub, "stock_negative")["detail"]
    hub.restate(("L1", "TEE", 1))
    hub.settle()
    assert hub.buckets() == {"backordered": 1}


@pytest.mark.parametrize("broken", [{"rows": []}, {"rows": [{"sku": "TEE", "quantity": "0"}], "row_count": 2}])
def test_an_empty_or_truncated_feed_is_refused_whole_and_the_next_good_one_ends_it(
    hub: Whole, broken: dict[str, Any]
) -> None:
    hub.clock.advance(60)
    hub.receive({"location": "EAST", "as_of": hub.clock.now().isoformat(), **broken}, "stock", "wms-east")
    hub.settle()
    assert hub.exceptions() == ["stock_feed"]
    assert {row["sku"]: row["on_hand"] for row in hub.rows("stock")} == {"TEE": 5, "CAP": 5}
    hub.clock.advance(60)
    hub.stock(TEE=4, CAP=5)
    assert hub.exceptions() == []
    assert hub.states("stock")[-2:] == ["superseded", "applied"]


def test_a_cancel_that_overtakes_its_create_cancels_it(hub: Whole) -> None:
    hub.fact("cancel_requests", order_external_id="4507", executed=True)
    hub.settle()
    hub.restate(("L1", "TEE", 2))
    hub.settle()
    assert hub.buckets() == {"cancelled": 2}
    assert hub.the_order()["status"] == "cancelled"
    assert hub.sent("submit_order") == hub.sent("send_fulfilment_request") == []


def test_a_cancel_of_lines_that_overtakes_its_create_is_asked_for_as_soon_as_they_are_known(hub: Whole) -> None:
    lines = [{"external_line_id": "L1", "quantity": "1"}]
    hub.fact("cancel_requests", order_external_id="4507", executed=True, lines=lines)
    hub.settle()
    assert hub.states("cancel_requests") == ["waiting"]
    hub.restate(("L1", "TEE", 2))
    hub.settle()
    assert hub.states("cancel_requests") == ["applied"]
    (request,) = hub.work("east")["document"]["cancel_requests"]
    hub.report("east", "cancel_accepted", cancel_request=request["id"])
    assert hub.buckets() == {"released": 1, "cancelled": 1}


def test_two_edits_at_once_are_decided_one_after_the_other_and_both_stand(hub: Whole) -> None:
    hub.change_rules(replace(hub.rules, channels={"shop": channel(grace_seconds=GRACE)}))
    hub.restate(("L1", "TEE", 2), ("L2", "CAP", 1))
    hub.settle()
    order = hub.the_order()["id"]

    def edited(snapshot: Any, line: str, units: str, cause: str) -> Decision:
        wanted = Edit(lines=[LineEdit(line, Decimal(units))])
        now = hub.clock.now()
        return edit_order(snapshot, hub.rules, now, cause, order, "jo", "asked", wanted)

    with hub.store.read() as snapshot:
        pair = [("L1", "3", "ac-1"), ("L2", "2", "ac-2")]
        writes = [decision_rows(edited(snapshot, *one), hub.writer(snapshot)) for one in pair]
    first, second = hub.store.apply(writes)
    assert (first.applied, second.applied) == (Applied.APPLIED, Applied.CONFLICT)
    assert hub.commit(lambda writer: decision_rows(edited(writer.snapshot, *pair[1]), writer)) is Applied.APPLIED
    hub.settle()
    assert (hub.buckets("L1"), hub.buckets("L2")) == ({"allocated": 3}, {"allocated": 2})
    assert [row["state"] for row in hub.rows("changes")] == ["accepted", "accepted"]


def test_a_restate_that_reverts_an_edit_made_here_does_not_and_both_values_are_shown(hub: Whole) -> None:
    hub.change_rules(replace(hub.rules, channels={"shop": channel(grace_seconds=GRACE)}))
    hub.restate(("L1", "TEE", 2))
    hub.settle()
    order = hub.the_order()["id"]
    wanted = Edit(lines=[LineEdit("L1", Decimal(3))])
    now = hub.clock.now()
    hub.commit(
        lambda writer: decision_rows(
            edit_order(writer.snapshot, hub.rules, now, "ac-1", order, "jo", "asked", wanted), writer
        )
    )
    hub.restate(("L1", "TEE", 2), number=2, note="the same as before")
    hub.settle()
    assert (hub.buckets(), hub.exceptions()) == ({"allocated": 3}, ["collect_at_channel"])
    hub.restate(("L1", "TEE", 1), number=3)
    hub.settle()
    assert sum(hub.buckets().values()) - hub.buckets().get("cancelled", 0) == 3
    told = exception(hub, "conflicting_edit")
    assert "3" in told["detail"]
    assert "1" in told["detail"]


@pytest.mark.parametrize("misfortune", ["lose_answer", "late"])
def test_our_own_refund_that_comes_back_before_its_answer_is_one_refund(hub: Whole, misfortune: str) -> None:
    with_provider(hub)
    card = {"external_id": "pay-1", "method": "card", "amount": "20", "state": "captured"}
    confirmed(hub, payments=[card])
    hub.shop.script.append(misfortune)
    asked_by_ann(hub, Decimal(5))
    (refund,) = hub.rows("refunds")
    (call,) = hub.rows("deliveries", capability="refund")
    assert call["state"] in ("unknown", "in_flight", "sent")
    hub.fact(
        "refunds",
        "payment",
        external_id="re-1",
        payment_external_id="pay-1",
        amount="5",
        currency="USD",
        reference=call["business_key"],
    )
    hub.settle()
    assert [row["state"] for row in hub.rows("refunds")] == ["succeeded"]
    hub.run_for(900)
    assert [(row["id"], row["state"]) for row in hub.rows("refunds")] == [(refund["id"], "succeeded")]
    (payment,) = hub.rows("payments")
    assert (payment["refunded"], payment["refunding"]) == (5, 0)
    assert hub.shop.count(call["business_key"]) == 1
    assert hub.rows("deliveries", capability="refund")[0]["state"] == "acknowledged"
    assert hub.exceptions() == []


def test_edits_that_only_the_channel_can_charge_are_one_exception_with_their_sum(hub: Whole) -> None:
    hub.change_rules(replace(hub.rules, channels={"shop": channel(grace_seconds=GRACE)}))
    hub.restate(("L1", "TEE", 2))
    hub.settle()
    order, causes = hub.the_order()["id"], iter(("ac-1", "ac-2", "ac-3", "ac-4", "ac-5"))

    def edit(units: int) -> None:
        hub.clock.advance(1)
        wanted, now, cause = Edit(lines=[LineEdit("L1", Decimal(units))]), hub.clock.now(), next(causes)
        hub.commit(
            lambda writer: decision_rows(
                edit_order(writer.snapshot, hub.rules, now, cause, order, "jo", "asked", wanted), writer
            )
        )

    def edited(units: int) -> dict[str, Any]:
        edit(units)
        return exception(hub, "collect_at_channel")

    first = edited(3)
    assert first["detail"] == "10.00 USD for an edit of the order."
    assert first["hint"] == f"hub exceptions resolve {first['id']} --reason WHY"
    second = edited(5)
    words = "30.00 USD in all: 10.00 USD for an edit of the order, 20.00 USD for an edit of the order."
    assert (second["id"], second["detail"]) == (first["id"], words)
    assert edited(4)["detail"].startswith("20.00 USD in all: ")
    hub.commit(lambda writer: resolve(writer.snapshot, first["id"], "jo", "charged", hub.clock.now()))
    assert edited(5)["detail"] == "10.00 USD for an edit of the order.", "the others were charged"
    edit(4)
    assert hub.rows("exceptions", kind="collect_at_channel", state="open") == []
    assert hub.rows("refunds") == [], "what nobody charged is not given back"
