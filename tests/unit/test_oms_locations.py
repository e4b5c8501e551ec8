"""What locations say of their work: shorts, rejections, answers to cancel requests, surprises, silence."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Verdict
from hub.oms.sourcing.reroute import reroute_order
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal


def working(units: int = 3, *, west: int = 0, **changes: Any) -> Bench:
    """A confirmed order of TEE that the location east has been asked for."""
    bench = Bench(rules(location("east"), location("west", priority=2, cost_order=D(9)), **changes))
    bench.stock("TEE", "east", units)
    bench.stock("TEE", "west", west)
    bench.order(order_record(("L1", "TEE", units)))
    bench.run("allocate")
    bench.send()
    return bench


def work_id(bench: Bench, at: str = "east") -> str:
    rows = bench.store.rows("fulfilment_orders", {"location": at})
    return str(rows[-1]["id"])


def work_state(bench: Bench, at: str = "east") -> str:
    return str(bench.store.rows("fulfilment_orders", {"location": at})[-1]["state"])


def says(bench: Bench, status: str, *, units: int | None = None, at: str = "east", **more: Any) -> None:
    record: dict[str, Any] = {
        "fact_key": f"{status}-{len(bench.decisions)}",
        "fulfilment_order": work_id(bench, at),
        "status": status,
        **more,
    }
    if units is not None:
        record["lines"] = [{"line": bench.line_id("L1"), "quantity": str(units)}]
    decision = bench.fact("fulfilment_responses", record, connection=f"wms-{at}")
    assert decision is not None
    assert decision.verdict is Verdict.APPLIED


def ships(bench: Bench, units: int, *, at: str = "east", shipped_at: str = "2026-11-02T12:00:00Z") -> None:
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}
    key = f"ship-{len(bench.decisions)}"
    notice = {
        "fact_key": key,
        "external_id": key,
        "fulfilment_order": work_id(bench, at),
        "shipped_at": shipped_at,
        "packages": [{"package": "1", "tracking_number": key, "lines": [line]}],
    }
    bench.fact("shipments", notice, connection=f"wms-{at}")


def asks_to_cancel(bench: Bench, units: int | None = None) -> None:
    record: dict[str, Any] = {"fact_key": f"c-{len(bench.decisions)}", "order_external_id": "4507"}
    if units is not None:
        record["lines"] = [{"external_line_id": "L1", "quantity": str(units)}]
    bench.fact("cancel_requests", record)


def open_exceptions(bench: Bench) -> list[str]:
    return sorted(key.partition("/")[0] for key in bench.the_order()["document"].get("raised", ()))


def on_hand(bench: Bench, at: str = "east") -> Decimal:
    row = bench.store.row("stock", {"sku": "TEE", "location": at})
    assert row is not None
    return D(row["on_hand"])


def test_progress_moves_the_ledger_and_the_work_along() -> None:
    bench = working()
    says(bench, "acknowledged")
    assert (bench.lines()["L1"], work_state(bench)) == ({"accepted": D(3)}, "acknowledged")
    says(bench, "picked", units=2)
    assert (bench.lines()["L1"], work_state(bench)) == ({"accepted": D(1), "picked": D(2)}, "in_progress")
    says(bench, "packed")
    assert (bench.lines()["L1"], work_state(bench)) == ({"packed": D(3)}, "packed")
    ships(bench, 3)
    assert (bench.lines()["L1"], work_state(bench)) == ({"shipped": D(3)}, "completed")


def test_a_report_that_comes_late_takes_nothing_back() -> None:
    bench = working()
    ships(bench, 3)
    says(bench, "acknowledged")
    assert (bench.lines()["L1"], work_state(bench)) == ({"shipped": D(3)}, "completed")


def test_a_short_is_sourced_from_elsewhere_and_the_location_not_asked_again() -> None:
    bench = working(3, west=5)
    says(bench, "short", units=2, reason="not on the shelf")
    bench.run("resource")
    assert bench.lines()["L1"] == {"released": D(3)}
    assert work_state(bench, "west") == "planned"
    (decision,) = bench.store.rows("sourcing_decisions", {})[1:]
    assert decision["document"]["exclusions"][0]["location"] == "east"
    assert decision["document"]["exclusions"][0]["code"] == "excluded"
    ships(bench, 1)
    assert work_state(bench) == "partially_completed"


def test_a_rejected_order_that_nobody_else_has_is_backordered_and_tried_again_when_stock_comes() -> None:
    bench = working(2)
    says(bench, "rejected", reason="closed")
    bench.run("resource")
    assert (bench.lines()["L1"], work_state(bench)) == ({"backordered": D(2)}, "rejected")
    unassigned = bench.store.rows("reservations", {"state": "unassigned"})
    assert [row["quantity"] for row in unassigned] == [D(2)]
    count = {"location": "WEST", "as_of": "2026-11-02T09:30:00Z", "rows": [{"sku": "TEE", "quantity": "2"}]}
    bench.restate("stock", count, connection="wms-west")
    bench.run("allocate")
    assert bench.lines()["L1"] == {"released": D(2)}
    assert bench.store.rows("reservations", {"state": "unassigned"}) == []


def test_sourcing_again_ends_with_a_person() -> None:
    bench = working(1, west=1)
    bench.rules = rules(location("east"), location("west"), silence_hours=0)
    for _ in range(6):
        at = "east" if bench.store.rows("fulfilment_orders", {"location": "east", "state": "planned"}) else "west"
        says(bench, "rejected", at=at)
        bench.later(seconds=1)
        bench.run("resource")
    assert "resource_limit" in bench.raised()
    assert bench.lines()["L1"] == {"open": D(1)}


def test_what_was_turned_down_too_often_is_sourced_again_by_a_person_and_not_by_time() -> None:
    places = [location(name, priority=number) for number, name in enumerate("abcdefg")]
    bench = Bench(rules(*places))
    for place in places:
        bench.stock("TEE", place.id, 5)
    bench.order(order_record(("L1", "TEE", 1)))
    bench.run("allocate")
    for name in "abcdef":
        says(bench, "rejected", at=name)
        bench.run("allocate", "resource")
    bench.later(days=2)
    bench.run("allocate")
    assert bench.lines()["L1"] == {"open": D(1)}
    (raised,) = (one for one in bench.exceptions if one.kind == "resource_limit")
    assert "orders reroute" in raised.hint
    decision = bench.act(reroute_order, "eve", "they have it after all")
    assert decision.message == "is sourced anew; every location may be asked again"
    bench.run("allocate")
    assert bench.lines()["L1"] == {"released": D(1)}
    assert open_exceptions(bench) == []
    says(bench, "rejected", at="a")
    bench.run("allocate", "resource")
    assert work_state(bench, "b") == "planned"


def test_a_cancel_before_anything_was_sent_withdraws_the_work_and_the_posting() -> None:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 2)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    asks_to_cancel(bench)
    assert bench.the_order()["status"] == "cancelled"
    assert bench.effects == {}
    assert work_state(bench) == "cancelled"


def test_a_cancel_frees_nothing_until_the_location_accepts_it() -> None:
    bench = working()
    asks_to_cancel(bench)
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert asked.record["lines"][0]["quantity"] == "3"
    assert bench.lines()["L1"] == {"released": D(3)}
    bench.reply(asked, lines=[{"line": bench.line_id("L1"), "quantity": "3", "answer": "accepted"}])
    assert bench.lines()["L1"] == {"cancelled": D(3)}
    assert (bench.the_order()["status"], work_state(bench)) == ("cancelled", "cancelled")
    (told,) = bench.sent("cancel_order")
    assert told.destination == "erp"


def test_answers_are_by_line_quantity_and_what_is_refused_ships() -> None:
    bench = working()
    asks_to_cancel(bench, 2)
    request = bench.sent("cancel_fulfilment_request")[0].record["cancel_request"]
    says(bench, "cancel_accepted", units=1, cancel_request=request)
    says(bench, "cancel_refused", units=1, cancel_request=request)
    assert bench.lines()["L1"] == {"released": D(2), "cancelled": D(1)}
    assert "cancel_refused" in bench.raised()
    ships(bench, 2)
    assert bench.the_order()["status"] == "closed"
    assert len(bench.sent("cancel_fulfilment_request")) == 1
    (updated,) = bench.sent("update_order")
    assert updated.record["lines"][0]["quantity"] == "2"


def test_a_shipment_overtakes_a_cancel_request() -> None:
    bench = working()
    asks_to_cancel(bench)
    ships(bench, 3)
    (work,) = bench.store.rows("fulfilment_orders", {})
    assert work["document"]["cancel_requests"][0]["lines"][0]["overtaken"] == "3"
    assert bench.the_order()["status"] == "closed"
    assert "cancel_too_late" in bench.raised()


def test_nobody_is_sent_to_cancel_at_the_channel_what_has_left() -> None:
    bench = working()
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507", "executed": False})
    assert open_exceptions(bench) == ["cancel-at-channel"]
    ships(bench, 3)
    assert open_exceptions(bench) == ["cancel-too-late"]
    bench.fact("cancel_requests", {"fact_key": "d", "order_external_id": "4507", "executed": False})
    assert open_exceptions(bench) == ["cancel-too-late"]


def lowered(bench: Bench, units: int) -> None:
    """The channel says that of the line only so many are wanted now."""
    record = order_record(("L1", "TEE", 3), source_version="2026-11-02T13:00:00.000000Z")
    record["lines"][0]["current_quantity"] = str(units)
    bench.order(record)


def test_what_the_channel_takes_back_after_it_left_is_told_when_nothing_explains_it() -> None:
    bench = working()
    ships(bench, 3)
    lowered(bench, 1)
    assert open_exceptions(bench) == []
    bench.later(hours=1)
    bench.run("less_wanted")
    assert open_exceptions(bench) == ["less-wanted"]
    returned = [{"external_line_id": "L1", "quantity": "2", "restock": "return"}]
    bench.fact("refunds", {"external_id": "r", "fact_key": "r", "order_external_id": "4507", "lines": returned})
    assert open_exceptions(bench) == []


def test_a_refund_that_says_why_less_is_wanted_leaves_nobody_to_be_told() -> None:
    bench = working()
    ships(bench, 3)
    lowered(bench, 1)
    returned = [{"external_line_id": "L1", "quantity": "2", "restock": "return"}]
    bench.fact("refunds", {"external_id": "r", "fact_key": "r", "order_external_id": "4507", "lines": returned})
    bench.later(hours=1)
    bench.run("less_wanted")
    assert open_exceptions(bench) == []


def test_what_left_in_part_is_still_to_be_cancelled_at_the_channel() -> None:
    bench = working()
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507", "executed": False})
    ships(bench, 1)
    assert open_exceptions(bench) == ["cancel-at-channel", "cancel-too-late"]


def test_cancelled_goods_that_ship_anyway_are_kept_as_shipped_with_an_exception() -> None:
    bench = working()
    asks_to_cancel(bench)
    says(bench, "cancel_accepted", cancel_request=bench.sent("cancel_fulfilment_request")[0].record["cancel_request"])
    ships(bench, 3)
    assert bench.lines()["L1"] == {"shipped": D(3)}
    assert "shipped_unexpected" in bench.raised()
    assert on_hand(bench) == 0


def test_more_than_was_asked_for_is_counted_beside_the_sum() -> None:
    bench = working()
    ships(bench, 5)
    (line,) = bench.store.rows("order_lines", {})
    assert (line["shipped"], line["over_shipped"], line["ordered"]) == (D(3), D(2), D(3))
    assert on_hand(bench) == D(-2)
    assert "shipped_unexpected" in bench.raised()


def test_goods_reported_short_that_ship_after_all_are_not_asked_for_twice() -> None:
    bench = working(2)
    says(bench, "short", units=2)
    bench.run("resource")
    ships(bench, 2)
    assert bench.lines()["L1"] == {"shipped": D(2)}
    assert bench.store.rows("reservations", {"state": "unassigned"}) == []


def test_silence_frees_nothing() -> None:
    bench = working()
    bench.reply(bench.sent("send_fulfilment_request")[0])
    bench.later(hours=24)
    bench.run("silence")
    assert "silence" in bench.raised()
    assert bench.lines()["L1"] == {"released": D(3)}
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.reply(asked, accepted=True)
    assert bench.lines()["L1"] == {"open": D(3)}


def test_a_location_that_answered_is_not_silent() -> None:
    bench = working()
    says(bench, "acknowledged")
    bench.later(hours=24)
    bench.run("silence")
    assert bench.raised() == []


def test_a_refused_request_is_sourced_again_like_a_rejection() -> None:
    bench = working(2, west=2)
    bench.reply(bench.sent("send_fulfilment_request")[0], "rejected", reason="unknown article")
    bench.run("resource")
    assert work_state(bench) == "rejected"
    assert bench.lines()["L1"] == {"released": D(2)}
    assert work_state(bench, "west") == "planned"


def test_an_edit_after_release_asks_for_less_or_plans_more() -> None:
    bench = working(3, west=4)
    fewer = order_record(("L1", "TEE", 2), source_version="2026-11-02T09:10:00.000000Z")
    bench.order(fewer)
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert asked.record["lines"][0]["quantity"] == "1"
    more = order_record(("L1", "TEE", 5), source_version="2026-11-02T09:20:00.000000Z")
    bench.order(more)
    bench.reply(asked, accepted=True)
    bench.run("allocate")
    assert bench.lines()["L1"] == {"released": D(5)}
    assert work_state(bench, "west") == "planned"


def test_the_shop_that_fulfils_by_hand_takes_our_work_back() -> None:
    bench = working()
    notice = {
        "fact_key": "f-1",
        "external_id": "f-1",
        "order_external_id": "4507",
        "packages": [{"package": "1", "lines": [{"external_line_id": "L1", "quantity": "3"}]}],
    }
    bench.fact("shipments", notice)
    assert bench.lines()["L1"] == {"released": D(3)}
    (asked,) = bench.sent("cancel_fulfilment_request")
    assert bench.store.row("stock", {"sku": "TEE", "location": "east"})["firm"] == D(3)  # type: ignore[index]
    bench.reply(asked, accepted=True)
    assert bench.store.row("stock", {"sku": "TEE", "location": "east"})["firm"] == D(0)  # type: ignore[index]
    assert bench.lines()["L1"] == {"shipped": D(3)}
    restated = order_record(("L1", "TEE", 3), source_version="2026-11-02T10:00:00.000000Z")
    restated["lines"][0]["fulfilled_quantity"] = "3"
    bench.order(restated)
    assert bench.store.rows("order_lines", {})[0]["over_shipped"] == 0


def test_what_the_shop_shipped_by_hand_and_we_shipped_too_has_left_twice() -> None:
    bench = working(1)
    notice = {
        "fact_key": "f-1",
        "external_id": "f-1",
        "order_external_id": "4507",
        "packages": [{"package": "1", "lines": [{"external_line_id": "L1", "quantity": "1"}]}],
    }
    bench.fact("shipments", notice)
    ships(bench, 1)
    (line,) = bench.store.rows("order_lines", {})
    assert (line["shipped"], line["over_shipped"]) == (D(1), D(1))
    assert "shipped_twice" in bench.raised()


def test_a_report_about_unknown_work_waits_for_it() -> None:
    bench = Bench(rules(location("east")))
    decision = bench.fact(
        "fulfilment_responses", {"fact_key": "1", "fulfilment_order": "fo_x", "status": "acknowledged"}
    )
    assert decision is not None
    assert (decision.verdict, decision.waits_for) == (Verdict.WAITING, "fulfilment_order|fo_x")


def test_lines_and_answers_nobody_asked_about_raise_an_exception() -> None:
    bench = working()
    says(bench, "packed", lines=[{"line": "ln_x", "quantity": "1"}])
    says(bench, "cancel_accepted", cancel_request="cr_x")
    assert bench.raised() == ["unexpected_report", "unexpected_report"]
    assert bench.lines()["L1"] == {"released": D(3)}


@pytest.mark.parametrize("parts", [(1, 2), (2, 1), (1, 1, 1)])
def test_invoices_of_all_shipments_add_up_to_the_sources_total(parts: tuple[int, ...]) -> None:
    bench = Bench(rules(location("east"), totals_otherwise="accept"))
    bench.stock("TEE", "east", 3)
    totals = {"lines": "30", "shipping": "4.99", "tax": "2.51", "discounts": "3.33", "total": "34.17"}
    bench.order(order_record(("L1", "TEE", 3), totals=totals))
    bench.run("allocate")
    for units in parts:
        ships(bench, units)
    invoices = bench.sent("post_invoice")
    assert len(invoices) == len(parts)
    assert sum(D(invoice.record["amount"]) for invoice in invoices) == D("34.17")
    assert [invoice.record["last"] for invoice in invoices] == [False] * (len(parts) - 1) + [True]


def test_an_observing_channel_writes_its_calls_as_suppressed() -> None:
    bench = working(channels={"shop": channel(effects=False)})
    assert bench.the_order()["effects"] == "observe"
    assert bench.effects
    assert all(effect.suppressed for effect in bench.effects.values())


def test_a_location_that_does_not_say_whether_it_stops_is_asked_about() -> None:
    bench = working(3)
    says(bench, "acknowledged")
    asks_to_cancel(bench)
    (asked,) = bench.sent("cancel_fulfilment_request")
    bench.send()
    bench.later(days=1)
    bench.run("silence")
    assert open_exceptions(bench) == ["unanswered"]
    assert bench.lines()["L1"] == {"accepted": D(3)}
    says(bench, "cancel_accepted", cancel_request=asked.refs["cancel_request"])
    assert open_exceptions(bench) == []


def test_work_that_should_have_left_is_for_a_person_until_it_leaves() -> None:
    bench = working(2, ship_within=dt.timedelta(days=5))
    says(bench, "picked")
    bench.later(days=4)
    bench.run("silence")
    assert open_exceptions(bench) == []
    bench.later(days=1)
    bench.run("silence")
    assert open_exceptions(bench) == ["late-work"]
    ships(bench, 2)
    assert open_exceptions(bench) == []


def test_a_location_that_keeps_what_it_was_asked_for_has_not_turned_it_down() -> None:
    bench = working(2, west=5)
    bench.reply(bench.sent("send_fulfilment_request")[0], accepted=True)
    bench.later(days=1)
    bench.run("silence")
    (asked,) = bench.sent("cancel_fulfilment_request")
    says(bench, "cancel_refused", cancel_request=asked.refs["cancel_request"])
    bench.run("allocate", "resource")
    assert bench.lines()["L1"] == {"released": D(2)}
    facts = bench.the_order()["document"]
    assert "exclusions" not in facts
    assert "resourced" not in facts
