"""Cancelling by line and quantity: answers per line, the channel told once, what has left kept as shipped."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision
from hub.mapping import validate
from hub.oms.change.cancel_by_hand import LineAnswer, cancel_lines
from hub.oms.ports import NotifyRule
from tests.property.memory_store import Bench, channel, location, order_record, rules

TAKES = frozenset({"push_shipment", "push_cancellation", "push_refund"})


def bench_of(*lines: tuple[str, str, int | str], takes: frozenset[str] = TAKES, **changes: Any) -> Bench:
    made = rules(location("east"), channels={"shop": channel(capabilities=takes)})
    bench = Bench(replace(made, **changes))
    bench.stock("TEE", "east", 20)
    bench.stock("MUG", "east", 20)
    bench.order(order_record(*lines))
    return bench


def released(*lines: tuple[str, str, int | str], **changes: Any) -> Bench:
    bench = bench_of(*lines, **changes)
    bench.run("allocate", "confirm")
    bench.send()
    return bench


def parts(answers: tuple[LineAnswer, ...]) -> list[tuple[int, int, int, int]]:
    """(cancelled, asked, kept, left) of each line."""
    return [(int(one.cancelled), int(one.asked), int(one.kept), int(one.left)) for one in answers]


def cancel(bench: Bench, *lines: tuple[str, str], who: str = "ann") -> tuple[Decision, tuple[LineAnswer, ...]]:
    wanted = [(name, Decimal(units)) for name, units in lines]
    cause = f"ac_{len(bench.decisions)}"
    order = bench.the_order()["id"]
    decision, answers = cancel_lines(bench.store, bench.rules, bench.now, cause, order, who, "too many", wanted)
    bench._commit(decision)
    return decision, answers


def told(bench: Bench) -> list[tuple[bool, list[tuple[str, str]]]]:
    """What the channel was told: whether nothing is left, and the quantities."""
    bench.later(seconds=10)
    bench.run("tell_cancellation")
    pushed = bench.sent("push_cancellation")
    for effect in pushed:
        assert validate(effect.record, "CancellationPush") == []
    return [
        (effect.record["whole"], [(line["external_line_id"], line["quantity"]) for line in effect.record["lines"]])
        for effect in pushed
    ]


def cleared(bench: Bench) -> bool:
    return any(one.cause_key.startswith("cancel-at-channel/") for made in bench.decisions for one in made.clears)


def answer(bench: Bench, said: str, quantity: str | None = None) -> None:
    (asked,) = bench.sent("cancel_fulfilment_request")
    lines = [{"line": bench.line_id("L1"), "quantity": quantity}] if quantity else []
    bench.fact(
        "fulfilment_responses",
        {
            "fact_key": f"{said}-{len(bench.decisions)}",
            "fulfilment_order": asked.record["fulfilment_order"],
            "status": said,
            "cancel_request": asked.record["cancel_request"],
            "lines": lines,
        },
        connection="wms-east",
    )


def shipped(bench: Bench, quantity: str) -> None:
    (work,) = bench.sent("send_fulfilment_request")
    lines = [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": quantity}]
    notice = {"fact_key": "s-1", "external_id": "s-1", "fulfilment_order": work.record["fulfilment_order"]}
    notice |= {"shipped_at": "2026-11-02T12:00:00Z", "packages": [{"package": "1", "lines": lines}]}
    bench.fact("shipments", notice, connection="wms-east")


def test_what_is_still_here_is_cancelled_at_once_and_the_channel_told_of_it() -> None:
    bench = bench_of(("L1", "TEE", 5), ("L2", "MUG", 1))
    decision, answers = cancel(bench, ("L1", "2"))
    assert parts(answers) == [(2, 0, 0, 0)]
    assert decision.message == "line 1 (TEE): 2 cancelled"
    assert bench.lines()["L1"]["cancelled"] == 2
    assert told(bench) == [(False, [("L1", "2")])]


def test_a_second_cancellation_counts_beside_the_first() -> None:
    bench = bench_of(("L1", "TEE", 5))
    cancel(bench, ("1", "2"))
    cancel(bench, ("TEE", "1"))
    assert bench.lines()["L1"]["cancelled"] == 3
    assert told(bench) == [(False, [("L1", "3")])], "two in one moment are told together"
    cancel(bench)
    assert bench.the_order()["status"] == "cancelled"
    assert told(bench)[-1] == (True, [("L1", "2")])


def test_what_a_location_has_is_asked_for_and_told_when_it_answers() -> None:
    bench = released(("L1", "TEE", 5))
    _, answers = cancel(bench, ("L1", "2"))
    assert parts(answers) == [(0, 2, 0, 0)]
    assert told(bench) == []
    answer(bench, "cancel_accepted", "1")
    assert bench.lines()["L1"]["cancelled"] == 1
    assert told(bench) == [(False, [("L1", "1")])]
    answer(bench, "cancel_refused", "1")
    assert told(bench) == [(False, [("L1", "1")])]
    assert bench.raised() == ["cancel_refused"]


def test_a_channel_that_lowers_what_it_was_told_is_not_told_again() -> None:
    bench = bench_of(("L1", "TEE", 5))
    cancel(bench, ("L1", "2"))
    assert told(bench) == [(False, [("L1", "2")])]
    lowered = order_record(("L1", "TEE", 5), source_version="2026-11-02T10:00:00.000000Z")
    lowered["lines"][0]["current_quantity"] = "3"
    bench.order(lowered)
    assert bench.lines()["L1"]["cancelled"] == 2
    cancel(bench, ("L1", "1"))
    assert bench.lines()["L1"]["cancelled"] == 3
    assert told(bench) == [(False, [("L1", "2")]), (False, [("L1", "1")])]


def test_what_the_channel_cancelled_it_is_not_told() -> None:
    bench = bench_of(("L1", "TEE", 5))
    lines = [{"external_line_id": "L1", "quantity": "2"}]
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": True, "lines": lines})
    assert bench.lines()["L1"]["cancelled"] == 2
    assert told(bench) == []
    bench.fact("cancel_requests", {"fact_key": "c-2", "order_external_id": "4507", "executed": True})
    assert bench.the_order()["status"] == "cancelled"
    assert told(bench) == []


def test_a_buyers_wish_is_done_and_the_channel_told_instead_of_a_person() -> None:
    bench = bench_of(("L1", "TEE", 5))
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": False})
    assert told(bench) == [(True, [("L1", "5")])]
    assert bench.raised() == []


def test_our_own_cancellation_that_comes_back_as_a_refund_is_money_only() -> None:
    bench = bench_of(("L1", "TEE", 5))
    cancel(bench, ("L1", "2"))
    assert told(bench) == [(False, [("L1", "2")])]
    (pushed,) = bench.sent("push_cancellation")
    assert pushed.record["refund"] is True, "the channel manages the money: it pays back"
    refund = {
        "fact_key": "r-1",
        "external_id": "r-1",
        "order_external_id": "4507",
        "amount": "20",
        "currency": "USD",
        "reference": f"shop/push_cancellation/{pushed.key}",
        "lines": [{"external_line_id": "L1", "quantity": "2", "restock": "cancel"}],
    }
    bench.fact("refunds", refund)
    assert bench.lines()["L1"]["cancelled"] == 2, "cancelled once"
    assert [row["amount"] for row in bench.store.rows("money_moves", {"kind": "refunded"})] == [20]
    another = {**refund, "fact_key": "r-2", "external_id": "r-2", "amount": "10", "reference": ""}
    another["lines"] = [{"external_line_id": "L1", "quantity": "1", "restock": "cancel"}]
    bench.fact("refunds", another)
    assert bench.lines()["L1"]["cancelled"] == 3
    assert len(told(bench)) == 1


def test_what_has_left_is_kept_as_shipped_with_the_way_back() -> None:
    bench = released(("L1", "TEE", 5))
    shipped(bench, "3")
    _, answers = cancel(bench)
    assert parts(answers) == [(0, 2, 0, 3)]
    assert bench.lines()["L1"]["shipped"] == 3
    (raised,) = bench.exceptions
    assert (raised.kind, raised.hint) == ("cancel_too_late", f"hub returns request {bench.the_order()['id']}")
    assert raised.detail == "3 units were to be cancelled but have left already."


def test_what_was_cancelled_before_is_not_said_to_have_left() -> None:
    bench = bench_of(("L1", "TEE", 5), ("L2", "MUG", 1))
    cancel(bench, ("L1", "3"))
    decision, _ = cancel(bench, ("L1", "4"))
    assert decision.message == "line 1 (TEE): 2 cancelled, 2 cancelled before"


def test_nothing_that_is_left_is_no_cancellation() -> None:
    bench = released(("L1", "TEE", 5), ("L2", "MUG", 1))
    shipped(bench, "5")
    decision, _ = cancel(bench, ("L1", "2"))
    assert (decision.code, decision.message) == ("not_possible", "line 1 (TEE): 2 left already")
    assert not bench.sent("cancel_fulfilment_request")
    for name, units, words in (
        ("L9", "1", "no line L9"),
        ("L2", "9", "is for 1 in all"),
        ("L2", "0", "nothing to cancel"),
        ("L2", "-1", "nothing"),
    ):
        decision, _ = cancel(bench, (name, units))
        assert decision.code == "not_possible"
        assert words in decision.message


def test_where_the_policy_asks_nobody_released_goods_go_on() -> None:
    bench = released(("L1", "TEE", 5), cancel_after_release="refuse")
    decision, answers = cancel(bench)
    assert parts(answers) == [(0, 0, 5, 0)]
    assert decision.code == "not_possible"
    bench.fact("cancel_requests", {"fact_key": "c-1", "order_external_id": "4507", "executed": False})
    assert bench.lines()["L1"] == {"released": 5}
    assert not bench.sent("cancel_fulfilment_request")
    assert bench.raised()[0] == "cancel_declined"
    bench.fact("cancel_requests", {"fact_key": "c-2", "order_external_id": "4507", "executed": True})
    assert len(bench.sent("cancel_fulfilment_request")) == 1, "what its channel has cancelled is asked back"


def test_where_the_policy_asks_nobody_what_is_still_here_is_cancelled() -> None:
    bench = bench_of(("L1", "TEE", 30), cancel_after_release="refuse")
    bench.run("allocate", "confirm")
    here = bench.lines()["L1"]
    assert here == {"released": Decimal(20), "backordered": Decimal(10)}
    _, answers = cancel(bench)
    assert parts(answers) == [(10, 0, 20, 0)]
    assert told(bench) == [(False, [("L1", "10")])]


@pytest.mark.parametrize(
    ("takes", "raised"), [(frozenset({"push_shipment"}), ["cancel_at_channel"]), (frozenset[str](), [])]
)
def test_a_channel_that_cannot_be_told_is_cancelled_at_by_a_person(takes: frozenset[str], raised: list[str]) -> None:
    bench = bench_of(("L1", "TEE", 5), takes=takes)
    cancel(bench)
    assert bench.raised() == raised
    assert told(bench) == []
    again = order_record(("L1", "TEE", 5), source_version="2026-11-02T10:00:00.000000Z")
    bench.order(again)
    assert not cleared(bench)
    bench.order({**again, "source_version": "2026-11-02T11:00:00.000000Z", "cancelled_at": "2026-11-02T11:00:00Z"})
    assert cleared(bench) is bool(raised)


def test_the_buyer_is_written_of_a_cancellation_made_here_and_not_of_their_own_channels() -> None:
    mail = {**rules().takers, "notify": ("mail",)}
    bench = bench_of(("L1", "TEE", 5), takers=mail, notify={"shop": NotifyRule(frozenset({"cancelled"}))})
    cancel(bench, ("L1", "2"))
    assert told(bench) == [(False, [("L1", "2")])]
    (mailed,) = bench.sent("notify")
    assert [line["quantity"] for line in mailed.record["lines"]] == ["2"]
    assert mailed.record["data"] == {"reason": "too many"}
    bench.fact("cancel_requests", {"fact_key": "c-2", "order_external_id": "4507", "executed": True})
    assert len(told(bench)) == 1
    assert len(bench.sent("notify")) == 1
