"""What channels and buyers are told: once a fact, only where they take it, and in records of their schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.mapping import validate
from hub.oms.desk.load import Case, open_case
from hub.oms.ports import NotifyRule
from hub.oms.telling.tell import notify, push_cancellation, push_order_status, push_refund, push_return
from tests.property.memory_store import Bench, channel, location, order_record, rules

TOLD = ("push_order_status", "push_cancellation", "push_refund", "push_return")


def a_case(**changes: Any) -> Case:
    told = channel(capabilities=frozenset(TOLD))
    made = rules(location("east"), channels={"shop": told})
    bench = Bench(replace(made, takers={**made.takers, "notify": ("mail",)}, **changes))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 2)))
    case = open_case(bench.store, bench.rules, bench.now, "a-cause", bench.the_order()["id"])
    assert case is not None
    return case


def status(case: Case) -> None:
    push_order_status(case, "ready_for_pickup", "fo-1", [(case.order.lines[0], Decimal(2))], location="east")


def cancellation(case: Case) -> None:
    push_cancellation(case, [(case.order.lines[0], Decimal(1))], "changed their mind", "c-1")


def refund(case: Case) -> None:
    push_refund(case, "rf-1", Decimal("10.50"), [(case.order.lines[0], Decimal(1))], "broken")


def returned(case: Case) -> None:
    push_return(case, "rt-1", "received", [(case.order.lines[0], Decimal(1))])


@pytest.mark.parametrize(
    ("tell", "schema", "key", "echo"),
    [
        (status, "OrderStatusPush", "status/fo-1/ready_for_pickup", ""),
        (cancellation, "CancellationPush", "cancellation/c-1", ""),
        (refund, "RefundPush", "refund/rf-1", "RefundEvent"),
        (returned, "ReturnPush", "return/rt-1/received", "ReturnNotice"),
    ],
)
def test_a_channel_is_told_in_its_own_record(tell: Callable[[Case], None], schema: str, key: str, echo: str) -> None:
    case = a_case()
    tell(case)
    (effect,) = case.decision.effects
    assert (effect.destination, effect.key, effect.echo) == ("shop", key, echo)
    assert list(validate(effect.record, schema)) == []
    assert effect.record["lines"][0]["external_line_id"] == "L1"


@pytest.mark.parametrize("tell", [status, cancellation, refund, returned])
def test_a_channel_that_does_not_take_it_is_told_nothing(tell: Callable[[Case], None]) -> None:
    case = a_case(channels={"shop": channel()})
    tell(case)
    assert case.decision.effects == []


def test_a_buyer_is_written_to_where_the_channel_has_the_template() -> None:
    case = a_case(notify={"shop": NotifyRule(frozenset({"shipped"}), brand="acme")})
    notify(case, "shipped", "sh-1", tracking_number="TN1")
    notify(case, "delayed", "sh-1")
    (effect,) = case.decision.effects
    assert (effect.destination, effect.capability, effect.key) == ("mail", "notify", "notify/sh-1/shipped/buyer")
    assert effect.give_up_after_seconds == 86_400
    assert list(validate(effect.record, "Notification")) == []
    assert effect.record["to"] == {"email": "buyer@example.com", "name": "A. Buyer"}
    assert effect.record["data"] == {"tracking_number": "TN1"}


def test_nobody_is_written_to_unless_the_channel_says_so() -> None:
    case = a_case()
    notify(case, "shipped", "sh-1")
    assert case.decision.effects == []


def test_a_buyer_hears_of_the_order_and_of_each_package() -> None:
    letters = NotifyRule(frozenset({"order_confirmed", "shipped"}))
    made = rules(location("east"), notify={"shop": letters})
    bench = Bench(replace(made, takers={**made.takers, "notify": ("mail",)}))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 3)))
    bench.run("allocate", "confirm")
    (work,) = bench.sent("send_fulfilment_request")
    line = bench.line_id("L1")
    packages = [
        {"package": name, "tracking_number": f"TN{name}", "lines": [{"line": line, "sku": "TEE", "quantity": units}]}
        for name, units in (("1", "2"), ("2", "1"))
    ]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work.record["fulfilment_order"]}
    notice |= {"shipped_at": "2026-11-02T12:00:00Z", "carrier": "Parcel Co", "packages": packages}
    bench.fact("shipments", notice, connection="wms-east")
    told = [
        (one.record["template"], one.record["lines"][0]["quantity"], one.record["data"].get("tracking_number"))
        for one in bench.sent("notify")
    ]
    assert told == [("order_confirmed", "3", None), ("shipped", "2", "TN1"), ("shipped", "1", "TN2")]
    for one in bench.sent("notify"):
        assert validate(one.record, "Notification") == []
        assert "@" not in one.key
