"""Goods that their buyer comes for: reserved at that store, ready, handed over, or not collected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.change import Addition, Edit
from hub.domain.decision import Decision
from hub.oms.change.changes import edit_order
from hub.oms.ports import NotifyRule, PickupRule
from tests.property.memory_store import Bench, channel, location, order_record, rules

TAKES = frozenset({"push_shipment", "push_order_status", "push_cancellation", "push_refund"})
TEMPLATES = frozenset({"ready_for_pickup", "pickup_reminder", "not_collected", "pickup_cancelled"})


def bench_of(**pickup: Any) -> Bench:
    """A warehouse that ships and two stores, one of which sells nothing by post; the shop calls the first S-14."""
    made = rules(
        location("east"),
        location("store-14", type="store", can=frozenset({"ship", "pickup"}), priority=5),
        location("store-20", type="store", can=frozenset({"pickup"}), priority=5),
        channels={
            "shop": channel(
                capabilities=TAKES, location_map={"S-14": "store-14", "gid://shop/Location/1020": "store-20"}
            )
        },
        pickup=PickupRule(**pickup),
        notify={"shop": NotifyRule(TEMPLATES)},
    )
    bench = Bench(replace(made, takers={**made.takers, "notify": ("mail",)}))
    for place in ("east", "store-14", "store-20"):
        bench.stock("TEE", place, 10)
    return bench


def ordered(bench: Bench, quantity: int = 2, **changes: Any) -> None:
    said = {"method": "pickup", "pickup_location": "S-14", "ship_to": {}, **changes}
    bench.order(order_record(("L1", "TEE", quantity), **said))
    bench.run("allocate", "confirm")


def work_of(bench: Bench, number: int = 0) -> dict[str, Any]:
    return bench.store.rows("fulfilment_orders", {}, order_by=("created_at", "id"))[number]


def report(bench: Bench, status: str, lines: Sequence[tuple[str, str]] = (), **said: Any) -> Decision | None:
    work = said.pop("work", None) or work_of(bench)
    record: dict[str, Any] = {
        "fact_key": f"{status}-{len(bench.decisions)}",
        "fulfilment_order": work["id"],
        "status": status,
        **said,
    }
    if lines:
        record["lines"] = [{"line": bench.line_id(line), "quantity": quantity} for line, quantity in lines]
    return bench.fact("fulfilment_responses", record, connection=f"wms-{work['location']}")


def on_hand(bench: Bench, place: str) -> tuple[int, int]:
    row = bench.store.row("stock", {"sku": "TEE", "location": place})
    assert row is not None
    return int(row["on_hand"]), int(row["firm"])


def test_a_pickup_is_reserved_at_the_chosen_store_though_another_is_nearer() -> None:
    bench = bench_of()
    ordered(bench)
    assert (work_of(bench)["location"], work_of(bench)["method"]) == ("store-14", "pickup")
    (sent,) = bench.sent("send_fulfilment_request")
    assert (sent.record["method"], sent.record["location"]) == ("pickup", "store-14")


def test_a_store_without_the_goods_gets_no_other_store_and_no_parcel() -> None:
    bench = bench_of()
    ordered(bench, 11)
    assert bench.lines() == {"L1": {"released": Decimal(10), "backordered": Decimal(1)}}
    assert {row["location"] for row in bench.store.rows("fulfilment_orders", {})} == {"store-14"}


def test_a_channel_may_name_the_store_by_the_end_of_its_own_id() -> None:
    bench = bench_of()
    ordered(bench, pickup_location="1020")
    assert work_of(bench)["location"] == "store-20"


def test_an_order_for_a_store_that_nobody_knows_is_held_until_its_channel_names_one() -> None:
    bench = bench_of()
    ordered(bench, pickup_location="S-99")
    assert bench.the_order()["status"] == "held"
    (hold,) = bench.store.rows("holds", {})
    assert hold["rule"] == "no_store"
    ordered(bench, source_version="2026-11-02T09:05:00.000000Z")
    assert bench.the_order()["status"] == "confirmed"
    assert work_of(bench)["location"] == "store-14"


def test_ready_is_told_to_buyer_and_channel_once_everything_stands_ready() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "picked")
    report(bench, "ready_for_pickup", [("L1", "1")])
    assert bench.lines() == {"L1": {"ready_for_pickup": Decimal(1), "picked": Decimal(1)}}
    assert not bench.sent("push_order_status")
    report(bench, "ready_for_pickup", [("L1", "1")])
    assert work_of(bench)["state"] == "ready"
    (told,) = bench.sent("push_order_status")
    assert told.record["status"] == "ready_for_pickup"
    assert told.record["lines"][0]["quantity"] == "2"
    (mail,) = bench.sent("notify")
    assert mail.record["template"] == "ready_for_pickup"
    assert bench.the_order()["status"] == "confirmed"
    assert on_hand(bench, "store-14") == (10, 2)


def test_a_channel_is_told_nothing_of_goods_that_were_added_here() -> None:
    """Without lines it would take all of the order for ready."""
    bench = bench_of()
    bench.stock("CAP", "store-14", 1)
    ordered(bench)
    report(bench, "ready_for_pickup")
    wanted = Edit(additions=[Addition("CAP", Decimal(1), Decimal("5.00"))])
    bench.act(edit_order, "jo", "the buyer called", wanted)
    bench.run("allocate", "confirm")
    report(bench, "ready_for_pickup", work=work_of(bench, 1))
    assert work_of(bench, 1)["state"] == "ready"
    (told,) = bench.sent("push_order_status")
    assert [line["external_line_id"] for line in told.record["lines"]] == ["L1"]


def test_a_buyer_is_written_of_what_stands_ready_and_not_of_what_is_still_to_come() -> None:
    bench = bench_of()
    ordered(bench, 11)
    report(bench, "ready_for_pickup")
    (mail,) = bench.sent("notify")
    assert [line["quantity"] for line in mail.record["lines"]] == ["10"]


def test_what_is_left_is_ready_once_the_rest_turns_out_short_or_is_given_up() -> None:
    bench = bench_of()
    ordered(bench, 3)
    report(bench, "ready_for_pickup", [("L1", "1")])
    assert bench.sent("push_order_status") == []
    report(bench, "short", [("L1", "1")])
    assert bench.sent("push_order_status") == []
    bench.send()
    bench.fact(
        "cancel_requests",
        {"fact_key": "c-1", "order_external_id": "4507", "lines": [{"external_line_id": "L1", "quantity": "1"}]},
    )
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.reply(asked, accepted=True)
    assert bench.lines() == {"L1": {"ready_for_pickup": Decimal(1), "cancelled": Decimal(2)}}
    assert [one.record["status"] for one in bench.sent("push_order_status")] == ["ready_for_pickup"]
    assert "no_show" in {task.kind for task in bench.tasks.values()}


def test_a_handover_takes_the_goods_from_stock_charges_them_and_closes_the_order() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "ready_for_pickup")
    report(bench, "handed_over", proof="code 4411", by="till 3")
    assert bench.lines() == {"L1": {"handed_over": Decimal(2)}}
    assert (bench.the_order()["status"], work_of(bench)["state"]) == ("closed", "completed")
    assert on_hand(bench, "store-14") == (8, 0)
    (invoice,) = bench.sent("post_invoice")
    assert invoice.record["amount"] == "20"
    (shipment,) = bench.store.rows("shipments", {})
    assert (shipment["document"]["proof"], shipment["document"]["by"]) == ("code 4411", "till 3")
    (pushed,) = bench.sent("push_shipment")
    assert "tracking_number" not in pushed.record
    assert pushed.record["lines"][0]["told_before"] == "0"
    assert pushed.echo_match == {"order_external_id": "4507", "external_line_id": "L1", "quantity": "2"}


def test_a_handover_that_nobody_announced_implies_all_steps_before_it() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "handed_over")
    moves = bench.store.rows("quantity_moves", {"to_bucket": "ready_for_pickup"})
    assert [move["implied"] for move in moves] == [True]
    assert bench.the_order()["status"] == "closed"


def test_after_its_time_the_store_is_asked_and_only_its_word_frees_and_pays_back() -> None:
    bench = bench_of(hold_for=dt.timedelta(days=7))
    ordered(bench)
    bench.send()
    report(bench, "ready_for_pickup")
    bench.later(days=3)
    bench.run()
    assert [mail.record["template"] for mail in bench.sent("notify")] == ["ready_for_pickup", "pickup_reminder"]
    bench.later(days=5)
    bench.run()
    assert "not_collected" in bench.raised()
    assert bench.lines() == {"L1": {"ready_for_pickup": Decimal(2)}}
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.reply(asked, accepted=True)
    assert bench.lines() == {"L1": {"cancelled": Decimal(2)}}
    assert bench.the_order()["status"] == "cancelled"
    assert on_hand(bench, "store-14") == (10, 0)
    (told,) = bench.sent("push_cancellation")
    assert told.record["whole"] is True
    assert [one.record["amount"] for one in bench.sent("push_refund")] == ["20"]


def test_a_buyer_who_comes_while_the_store_is_asked_gets_the_goods() -> None:
    bench = bench_of(hold_for=dt.timedelta(days=7))
    ordered(bench)
    bench.send()
    report(bench, "ready_for_pickup")
    bench.later(days=8)
    bench.run()
    (asked,) = bench.sent("cancel_fulfilment_request")
    report(bench, "handed_over")
    bench.reply(asked, lines=[{"line": bench.line_id("L1"), "answer": "overtaken", "quantity": "2"}])
    assert bench.lines() == {"L1": {"handed_over": Decimal(2)}}
    assert not bench.sent("push_cancellation")
    assert "cancel_too_late" not in bench.raised()


def open_exceptions(bench: Bench) -> list[str]:
    return list(bench.the_order()["document"].get("raised", []))


def test_a_store_that_does_not_put_goods_back_leaves_a_person_told_until_somebody_has_them() -> None:
    bench = bench_of(hold_for=dt.timedelta(days=7))
    ordered(bench)
    bench.send()
    report(bench, "ready_for_pickup")
    bench.later(days=8)
    bench.run()
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.reply(asked, lines=[{"line": bench.line_id("L1"), "answer": "refused", "quantity": "2"}])
    assert bench.lines() == {"L1": {"ready_for_pickup": Decimal(2)}}
    key = f"not-collected/{work_of(bench)['id']}"
    assert open_exceptions(bench) == [key]
    told = next(one for one in reversed(bench.exceptions) if one.cause_key == key)
    assert "hands over" in told.next_step
    report(bench, "handed_over", [("L1", "1")])
    assert open_exceptions(bench) == [key]
    report(bench, "handed_over", [("L1", "1")])
    assert bench.lines() == {"L1": {"handed_over": Decimal(2)}}
    assert open_exceptions(bench) == []


def test_what_was_handed_over_stays_paid_and_only_the_rest_is_given_back() -> None:
    bench = bench_of()
    ordered(bench, 3)
    report(bench, "ready_for_pickup")
    report(bench, "handed_over", [("L1", "1")])
    report(bench, "not_collected")
    assert bench.lines() == {"L1": {"handed_over": Decimal(1), "cancelled": Decimal(2)}}
    assert bench.the_order()["status"] == "closed"
    assert [one.record["amount"] for one in bench.sent("push_refund")] == ["20"]
    assert [one.record["amount"] for one in bench.sent("post_invoice")] == ["10"]


def test_where_the_policy_keeps_goods_a_person_is_told_and_nothing_moves() -> None:
    bench = bench_of(no_show="keep")
    ordered(bench)
    report(bench, "ready_for_pickup")
    bench.later(days=8)
    bench.run()
    assert "not_collected" in bench.raised()
    assert not bench.sent("cancel_fulfilment_request")
    report(bench, "not_collected")
    assert bench.lines() == {"L1": {"cancelled": Decimal(2)}}


def test_a_store_that_rejects_leads_to_a_cancellation_and_never_to_a_parcel() -> None:
    bench = bench_of()
    ordered(bench, ship_to=order_record()["ship_to"])
    report(bench, "rejected", reason="the shelf is empty")
    bench.run()
    assert bench.lines() == {"L1": {"cancelled": Decimal(2)}}
    assert "pickup_turned_down" in bench.raised()
    assert len(bench.store.rows("fulfilment_orders", {})) == 1
    assert len(bench.sent("push_cancellation")) == 1


def test_a_store_that_rejects_leads_to_a_parcel_only_where_the_policy_says_so() -> None:
    bench = bench_of(on_reject="ship_instead")
    ordered(bench, ship_to=order_record()["ship_to"])
    report(bench, "rejected", reason="the shelf is empty")
    bench.run()
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    assert (work_of(bench, 1)["location"], work_of(bench, 1)["method"]) == ("east", "ship")
    assert "pickup_turned_down" in bench.raised()


def test_an_order_that_may_be_asked_about_waits_for_a_person() -> None:
    bench = bench_of(on_reject="ask")
    ordered(bench)
    report(bench, "short", [("L1", "1")])
    bench.run()
    assert bench.lines() == {"L1": {"open": Decimal(1), "released": Decimal(1)}}
    assert "pickup_turned_down" in bench.raised()
    bench.later(days=2)  # the store may be asked again by now, but nobody has said so
    bench.run("allocate")
    assert bench.lines() == {"L1": {"open": Decimal(1), "released": Decimal(1)}}


def test_lines_to_collect_and_lines_to_send_of_one_order_go_their_own_ways() -> None:
    bench = bench_of()
    record = order_record(("L1", "TEE", 1), ("L2", "TEE", 1))
    record["lines"][0] |= {"method": "pickup", "pickup_location": "store-20"}
    bench.order(record)
    bench.run("allocate", "confirm")
    made = {(work["location"], work["method"]) for work in bench.store.rows("fulfilment_orders", {})}
    assert made == {("store-20", "pickup"), ("east", "ship")}


def test_two_ways_of_one_order_do_not_reserve_the_same_goods_twice() -> None:
    bench = bench_of()
    record = order_record(("L1", "TEE", 8), ("L2", "TEE", 8))
    record["lines"][0] |= {"method": "pickup", "pickup_location": "store-20"}
    record["lines"][1] |= {"method": "ship_to_store", "pickup_location": "store-20"}
    bench.order(record)
    bench.run("allocate", "confirm")
    assert sum(int(row["quantity"]) for row in bench.store.rows("reservations", {"location": "store-20"})) <= 10
    assert bench.lines() == {"L1": {"released": Decimal(8)}, "L2": {"released": Decimal(8)}}


def test_more_than_was_asked_for_is_applied_as_far_as_it_goes_and_shown() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "picked", [("L1", "5")])
    assert bench.lines() == {"L1": {"picked": Decimal(2)}}
    assert "unexpected_report" in bench.raised()


def test_a_quantity_below_nothing_is_shown_and_moves_nothing() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "picked", [("L1", "-1")])
    assert bench.lines() == {"L1": {"released": Decimal(2)}}
    assert "unexpected_report" in bench.raised()


def test_what_a_store_keeps_for_the_shop_is_collected_there_but_not_sent() -> None:
    bench = bench_of()
    rule = replace(bench.rules.locations["store-14"], walk_in_stock={"default": Decimal(9)}, priority=0)
    east = replace(bench.rules.locations["east"], can=frozenset())
    bench.rules = replace(bench.rules, locations={**bench.rules.locations, "store-14": rule, "east": east})
    ordered(bench, method="ship", ship_to=order_record()["ship_to"])
    assert bench.lines() == {"L1": {"released": Decimal(1), "backordered": Decimal(1)}}
    bench = bench_of()
    bench.rules = replace(bench.rules, locations={**bench.rules.locations, "store-14": rule})
    ordered(bench)
    assert bench.lines() == {"L1": {"released": Decimal(2)}}


def test_goods_that_stood_ready_and_were_sent_instead_count_as_shipped() -> None:
    bench = bench_of()
    ordered(bench)
    report(bench, "ready_for_pickup")
    lines = [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": "2"}]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work_of(bench)["id"]}
    bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": lines}]}, connection="wms-store-14")
    assert bench.lines() == {"L1": {"shipped": Decimal(2)}}
    assert bench.the_order()["status"] == "closed"


def hub_paid(bench: Bench) -> None:
    """The shop's money is the hub's to capture; nothing is taken before the goods are handed over."""
    shop = replace(bench.rules.channels["shop"], money="hub")
    takers = {**bench.rules.takers, **dict.fromkeys(("capture", "refund", "void"), ("payment",))}
    bench.rules = replace(bench.rules, channels={"shop": shop}, takers=takers)
    card = {"external_id": "pay-1", "method": "card", "amount": "20", "state": "authorised"}
    ordered(bench, payments=[card], payment_state="authorised")


def test_money_is_taken_at_the_handover_and_not_before() -> None:
    bench = bench_of()
    hub_paid(bench)
    report(bench, "ready_for_pickup")
    assert bench.sent("capture") == []
    report(bench, "handed_over")
    assert [one.record["amount"] for one in bench.sent("capture")] == ["20"]


def test_nothing_was_taken_for_what_nobody_collected_so_it_is_let_go() -> None:
    bench = bench_of()
    hub_paid(bench)
    report(bench, "ready_for_pickup")
    report(bench, "not_collected")
    assert bench.sent("capture") == bench.sent("refund") == []
    assert len(bench.sent("void")) == 1
    assert "refund_not_covered" not in bench.raised()


def test_an_order_taken_in_one_store_credits_it_and_the_one_that_fulfils() -> None:
    bench = bench_of()
    ordered(bench, method="ship", ship_to=order_record()["ship_to"], sold_by="store-20")
    lines = [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": "2"}]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work_of(bench)["id"]}
    decision = bench.fact("shipments", {**notice, "packages": [{"package": "1", "lines": lines}]})
    assert decision is not None
    (shipped,) = [event for event in decision.events if event.type == "hub.shipment.shipped.v1"]
    assert (shipped.data["sold_by"], shipped.data["location"]) == ("store-20", "east")
