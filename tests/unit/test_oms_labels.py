"""Labels that the hub buys: packed, rated, bought, printed, given back; and what becomes of the money."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Answer, Decision, EffectRequest, Question
from hub.oms.handlers import build
from hub.oms.people import hold_order, release_order
from hub.oms.ports import LabelRule
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
RATES = {
    "rates": [
        {
            "external_id": "r1",
            "carrier": "acme-post",
            "service": "ground",
            "amount": "7.10",
            "currency": "USD",
            "days": 5,
        },
        {
            "external_id": "r2",
            "carrier": "fast-air",
            "service": "next-day",
            "amount": "31.00",
            "currency": "USD",
            "days": 1,
        },
        {
            "external_id": "r3",
            "carrier": "fast-air",
            "service": "saver",
            "amount": "7.10",
            "currency": "USD",
            "days": 3,
        },
        {
            "external_id": "r4",
            "carrier": "euro-post",
            "service": "euro",
            "amount": "1.00",
            "currency": "EUR",
            "days": 9,
        },
    ]
}
ADDRESS = {
    "company": "Newark",
    "lines": ["1 Depot Road"],
    "locality": "Newark",
    "postal_code": "07114",
    "country": "US",
}


def packing(
    units: int = 2,
    *,
    labels: LabelRule | None = None,
    wms_takes: bool = False,
    method: str = "ship",
    flags: Sequence[str] = (),
    **changes: Any,
) -> Bench:
    """An order of TEE that the location east works on, which has its labels bought by the hub."""
    given = labels or LabelRule("carrier")
    east = location("east", labels=given, address=ADDRESS, can=frozenset({"ship", "hazmat", "age_check"}))
    takers = {**rules().takers, **({"send_label": ("wms-east",)} if wms_takes else {})}
    bench = Bench(rules(east, takers=takers, follows_packages=True, **changes))
    bench.stock("TEE", "east", units)
    bench.restate("items", {"external_id": "TEE", "sku": "TEE", "flags": list(flags)})
    bench.order(order_record(("L1", "TEE", units), method=method))
    bench.run("allocate")
    bench.send()
    return bench


def work_id(bench: Bench) -> str:
    return str(bench.store.rows("fulfilment_orders", {})[-1]["id"])


def says(bench: Bench, status: str, **more: Any) -> None:
    record = {
        "fact_key": f"{status}-{len(bench.decisions)}",
        "fulfilment_order": work_id(bench),
        "status": status,
        **more,
    }
    assert bench.fact("fulfilment_responses", record, connection="wms-east") is not None


def pack(bench: Bench, *packages: tuple[str, int], weight: str | None = "850") -> None:
    """Boxes by name with so many units of the line."""
    stated: list[dict[str, Any]] = [
        {
            "package": name,
            "length_mm": "300",
            "lines": [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}],
        }
        | ({"weight_grams": weight} if weight else {})
        for name, units in packages or (("BOX-1", 2),)
    ]
    says(bench, "packed", packages=stated)


def ask(bench: Bench) -> list[Question]:
    """What the due tasks would ask the carrier."""
    handler = build(bench.rules).queries["rate"]
    due = [task for task in bench.tasks.values() if task.kind == "rate" and task.due_at <= bench.now]
    asked = [handler.question(task, bench.store, bench.now) for task in due]
    return [question for question in asked if question is not None]


def rate(bench: Bench, answer: Answer | None = None) -> list[Decision]:
    """The carrier answers every question that is due."""
    handler = build(bench.rules).queries["rate"]
    decisions = []
    for task in [task for task in bench.tasks.values() if task.kind == "rate" and task.due_at <= bench.now]:
        del bench.tasks[task.id]
        if handler.question(task, bench.store, bench.now) is not None:
            decisions.append(handler.decide(task, answer or Answer(RATES), bench.store, bench.now))
            bench._commit(decisions[-1])
    return decisions


def bought(bench: Bench, effect: EffectRequest, number: str = "TN1", **label: Any) -> None:
    said = {
        "external_id": f"LBL-{number}",
        "tracking_number": number,
        "carrier": "fast-air",
        "service": "saver",
        "amount": "7.10",
        "currency": "USD",
        "format": "pdf",
        "content": base64.b64encode(b"%PDF label " + number.encode()).decode(),
        **label,
    }
    bench.reply(effect, label=said)


def labelled(**changes: Any) -> Bench:
    bench = packing(**changes)
    pack(bench)
    rate(bench)
    (effect,) = bench.sent("buy_label")
    bench.send()
    bought(bench, effect)
    return bench


def the_label(bench: Bench) -> dict[str, Any]:
    (row,) = bench.store.rows("labels", {})
    return row


def the_package(bench: Bench) -> dict[str, Any]:
    (row,) = bench.store.rows("packages", {})
    return row


def cancel(bench: Bench) -> None:
    bench.fact("cancel_requests", {"fact_key": f"c-{len(bench.decisions)}", "order_external_id": "4507"})
    (effect,) = bench.sent("cancel_fulfilment_request")
    bench.reply(effect, accepted=True)


def test_a_packed_package_is_rated_from_the_location_to_the_customer() -> None:
    bench = packing()
    pack(bench)
    (question,) = ask(bench)
    assert (question.connection, question.query) == ("carrier", "rate")
    assert question.record["ship_from"] == ADDRESS
    assert question.record["ship_to"]["postal_code"] == "12207"
    assert question.record["parcel"] == {
        "weight_grams": "850",
        "length_mm": "300",
        "contents": [{"sku": "TEE", "quantity": "2"}],
    }


@pytest.mark.parametrize(
    ("service", "chosen"),
    [("cheapest", "saver"), ("fastest", "next-day"), ("ground", "ground"), ("fast-air/saver", "saver")],
)
def test_the_location_says_which_service_is_bought(service: str, chosen: str) -> None:
    bench = packing(labels=LabelRule("carrier", service))
    pack(bench)
    rate(bench)
    (effect,) = bench.sent("buy_label")
    assert effect.record["service"] == chosen
    assert effect.record["quoted"]["currency"] == "USD"


def test_what_is_brought_on_the_same_day_gets_a_label_of_its_own_service() -> None:
    bench = packing(labels=LabelRule("carrier", services={"same_day": "next-day"}), method="same_day")
    pack(bench)
    rate(bench)
    assert [effect.record["service"] for effect in bench.sent("buy_label")] == ["next-day"]


def test_the_carrier_hears_of_dangerous_goods_and_of_an_age_limit() -> None:
    bench = packing(flags=["hazmat", "age_restricted", "gift_card"])
    pack(bench)
    (question,) = ask(bench)
    assert question.record["parcel"]["handling"] == ["age_check", "hazmat"]
    rate(bench)
    (effect,) = bench.sent("buy_label")
    assert effect.record["parcel"]["handling"] == ["age_check", "hazmat"]


def test_each_package_gets_one_label_under_its_own_key() -> None:
    bench = packing()
    pack(bench, ("BOX-1", 1), ("BOX-2", 1))
    rate(bench)
    keys = [effect.key for effect in bench.sent("buy_label")]
    packages = [row["id"] for row in bench.store.rows("packages", {})]
    assert sorted(keys) == sorted(f"package/{package}/label/1" for package in packages)
    pack(bench, ("BOX-1", 1), ("BOX-2", 1))
    rate(bench)
    assert len(bench.sent("buy_label")) == 2


def test_the_label_is_kept_with_its_price_its_number_and_its_bytes() -> None:
    bench = labelled()
    label = the_label(bench)
    assert (label["state"], label["cost"], label["currency"], label["tracking_number"]) == (
        "bought",
        D("7.10"),
        "USD",
        "TN1",
    )
    (body,) = bench.store.rows("bodies", {"owner_kind": "label"})
    assert (body["body"], body["content_type"], body["id"]) == (b"%PDF label TN1", "application/pdf", label["body_id"])
    assert the_package(bench)["state"] == "labelled"


def test_the_location_gets_the_label_where_its_system_takes_one() -> None:
    bench = labelled(wms_takes=True)
    (effect,) = bench.sent("send_label")
    assert effect.destination == "wms-east"
    assert (effect.record["package"], effect.record["tracking_number"]) == ("BOX-1", "TN1")
    assert labelled().sent("send_label") == []


def test_a_location_with_labels_of_its_own_is_left_alone() -> None:
    bench = Bench(rules(location("east"), follows_packages=True))
    bench.stock("TEE", "east", 2)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate")
    pack(bench)
    assert bench.store.rows("packages", {}) == []
    assert [task.kind for task in bench.tasks.values()] == ["silence"]


@pytest.mark.parametrize(
    ("answer", "says_why"),
    [
        (Answer(None, "Postcode 12207 is not served", refused=True), "Postcode 12207 is not served"),
        (Answer(None), "did not answer in time"),
        (Answer({"rates": [], "messages": ["too heavy"]}), "offers nothing (too heavy)"),
    ],
)
def test_without_a_rate_a_person_is_told_in_the_carriers_words_and_it_is_asked_again(
    answer: Answer, says_why: str
) -> None:
    bench = packing()
    pack(bench)
    rate(bench, answer)
    assert bench.raised() == ["label_missing"]
    assert says_why in bench.exceptions[0].detail
    assert ask(bench) == []
    bench.later(minutes=5)
    rate(bench)
    assert len(bench.sent("buy_label")) == 1
    assert bench.the_order()["document"].get("raised") is None


def test_a_label_above_the_limit_is_not_bought() -> None:
    bench = packing(labels=LabelRule("carrier", "next-day", at_most=D(20)))
    pack(bench)
    rate(bench)
    assert bench.sent("buy_label") == []
    assert "31.00 USD, more than the 20.00 USD" in bench.exceptions[0].detail


def test_a_package_without_weight_waits_for_it() -> None:
    bench = packing()
    pack(bench, weight=None)
    assert (bench.raised(), ask(bench)) == (["label_missing"], [])
    pack(bench)
    rate(bench)
    assert len(bench.sent("buy_label")) == 1


def test_a_refused_label_can_be_sent_again_as_new() -> None:
    bench = packing()
    pack(bench)
    rate(bench)
    (effect,) = bench.sent("buy_label")
    bench.send()
    bench.reply(effect, "rejected", reason="account is blocked")
    assert (the_label(bench)["state"], the_package(bench)["state"]) == ("refused", "label_pending")
    bought(bench, effect)
    assert (the_label(bench)["state"], the_package(bench)["state"]) == ("bought", "labelled")


def test_an_answer_that_comes_twice_buys_nothing_twice() -> None:
    bench = labelled()
    (effect,) = bench.sent("buy_label")
    bought(bench, effect)
    assert the_label(bench)["state"] == "bought"
    assert bench.sent("void_label") == []


def test_a_second_label_that_a_person_had_bought_gives_the_first_back() -> None:
    bench = labelled()
    (effect,) = bench.sent("buy_label")
    bought(bench, effect, "TN2")
    rows = bench.store.rows("labels", {}, order_by=("number",))
    assert [(row["number"], row["state"]) for row in rows] == [(1, "voiding"), (2, "bought")]
    assert the_package(bench)["tracking_number"] == "TN2"


def test_a_cancel_before_pickup_gives_the_label_back_and_its_price() -> None:
    bench = labelled()
    cancel(bench)
    (void,) = bench.sent("void_label")
    assert void.record["external_id"] == "LBL-TN1"
    bench.reply(void, accepted=True, refund={"amount": "7.10", "currency": "USD"})
    label = the_label(bench)
    assert (label["state"], label["cost"] - label["refunded"]) == ("voided", 0)
    assert the_package(bench)["state"] == "voided"
    assert bench.the_order()["status"] == "cancelled"


def test_a_refund_in_another_currency_is_not_taken_for_the_price() -> None:
    bench = labelled()
    cancel(bench)
    (void,) = bench.sent("void_label")
    bench.reply(void, accepted=True, refund={"amount": "7.10", "currency": "EUR"})
    assert the_label(bench)["refunded"] == 0


def test_a_void_that_is_refused_leaves_its_cost_to_be_seen() -> None:
    bench = labelled()
    cancel(bench)
    (void,) = bench.sent("void_label")
    bench.reply(void, accepted=False, reason="scanned at the depot")
    label = the_label(bench)
    assert (label["state"], label["cost"], label["refunded"]) == ("void_refused", D("7.10"), 0)
    assert "scanned at the depot" in bench.exceptions[-1].detail


def test_a_purchase_that_nobody_was_asked_for_is_taken_back_with_the_cancel() -> None:
    bench = packing()
    pack(bench)
    rate(bench)
    cancel(bench)
    assert (bench.sent("buy_label"), bench.sent("void_label")) == ([], [])
    assert (the_label(bench)["state"], the_package(bench)["state"]) == ("withdrawn", "voided")


def test_a_purchase_under_way_is_given_back_when_its_answer_comes() -> None:
    bench = packing()
    pack(bench)
    rate(bench)
    (effect,) = bench.sent("buy_label")
    bench.send()
    cancel(bench)
    assert (bench.sent("void_label"), the_label(bench)["state"]) == ([], "requested")
    bought(bench, effect)
    assert [void.record["label"] for void in bench.sent("void_label")] == [the_label(bench)["id"]]


def test_a_box_that_is_reported_after_its_goods_were_cancelled_gets_no_label() -> None:
    bench = packing()
    cancel(bench)
    pack(bench)
    assert (ask(bench), bench.store.rows("packages", {}), bench.raised()) == ([], [], [])


def test_a_package_that_the_carrier_has_though_its_goods_are_cancelled_is_for_a_person() -> None:
    bench = labelled()
    scan = {"fact_key": "s1", "tracking_number": "TN1", "status": "in_transit", "occurred_at": "2026-11-03T10:00:00Z"}
    bench.fact("tracking", scan, connection="carrier")
    cancel(bench)
    assert (bench.sent("void_label"), bench.raised()) == ([], ["package_unwanted"])
    assert the_label(bench)["state"] == "bought"


def test_a_cancel_while_rates_are_asked_for_buys_nothing() -> None:
    bench = packing()
    pack(bench)
    cancel(bench)
    assert rate(bench) == []
    assert (bench.sent("buy_label"), the_package(bench)["state"]) == ([], "voided")


def test_where_the_hub_observes_nobody_is_asked_and_the_purchase_stands_suppressed() -> None:
    bench = packing(channels={"shop": channel(effects=False)})
    pack(bench)
    assert ask(bench) == []
    assert [effect.suppressed for effect in bench.sent("buy_label")] == [True]


def ship(bench: Bench, package: str, units: int, number: str = "") -> None:
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}
    key = f"ship-{len(bench.decisions)}"
    stated = {"package": package, "lines": [line]} | ({"tracking_number": number} if number else {})
    notice = {"fact_key": key, "external_id": key, "fulfilment_order": work_id(bench), "packages": [stated]}
    assert bench.fact("shipments", notice, connection="wms-east") is not None


def test_a_shipment_notice_without_numbers_leaves_with_the_labels_that_were_bought() -> None:
    bench = labelled()
    ship(bench, "BOX-1", 2)
    (pushed,) = bench.sent("push_shipment")
    assert (pushed.record["tracking_number"], pushed.record["carrier"], pushed.record["service"]) == (
        "TN1",
        "fast-air",
        "saver",
    )
    assert (the_package(bench)["state"], bench.lines()["L1"]) == ("in_transit", {"shipped": D(2)})
    assert bench.sent("void_label") == []


def test_labels_of_packages_that_left_otherwise_are_given_back() -> None:
    bench = labelled()
    ship(bench, "CRATE", 2, "OWN-1")
    assert len(bench.sent("void_label")) == 1
    states = {row["external_id"]: row["state"] for row in bench.store.rows("packages", {})}
    assert states["CRATE"] == "in_transit"


def test_each_package_of_a_shipment_is_told_with_the_carrier_of_its_own_label() -> None:
    bench = packing()
    pack(bench, ("BOX-1", 1), ("BOX-2", 1))
    rate(bench)
    first, second = bench.sent("buy_label")
    bench.send()
    bought(bench, first, "TN1")
    bought(bench, second, "TN2", carrier="acme-post", service="ground")
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": "1"}
    packages = [{"package": name, "lines": [line]} for name in ("BOX-1", "BOX-2")]
    notice = {"fact_key": "s", "external_id": "s", "fulfilment_order": work_id(bench), "packages": packages}
    bench.fact("shipments", notice, connection="wms-east")
    said = [(one.record["tracking_number"], one.record["carrier"]) for one in bench.sent("push_shipment")]
    assert said == [("TN1", "fast-air"), ("TN2", "acme-post")]


def test_no_label_is_bought_for_what_is_held_until_it_is_released() -> None:
    bench = packing()
    pack(bench)
    held = bench.act(hold_order, "ann", "looks odd")
    assert "east has 2 units of it, which may still leave" in held.message
    rate(bench)
    assert bench.sent("buy_label") == []
    bench.act(release_order, "ann", "called back")
    bench.later(minutes=6)
    rate(bench)
    assert len(bench.sent("buy_label")) == 1
