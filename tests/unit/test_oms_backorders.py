"""The queue of those who wait: goods that come go to whoever is first, and whoever is passed over has a reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.backorder import Fairness, place_in_queue
from hub.domain.decision import Decision
from hub.oms import people
from hub.oms.desk import waiting
from hub.oms.handlers import build
from hub.oms.ports import Backorders, Strategy
from tests.property.memory_store import Bench, location, order_record, rules

D = Decimal


def warehouse(units: int = 0, **changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", units)
    return bench


def order(bench: Bench, number: str, units: int, *, run: bool = True, **more: Any) -> None:
    bench.order(order_record(("L1", "TEE", units), external_id=number, **more))
    if run:
        bench.run("allocate")
    bench.later(seconds=1)


def goods(bench: Bench, units: int) -> None:
    """Stock comes; nobody has looked yet."""
    bench.later(seconds=1)
    decision = people.adjust_stock(
        bench.store, bench.rules, bench.now, f"ac-{bench.now}", "TEE", "east", D(units), "clerk", "came"
    )
    bench._commit(decision)


def has(bench: Bench, number: str) -> Decimal:
    (row,) = bench.store.rows("orders", {"external_id": number})
    (line,) = bench.store.rows("order_lines", {"order_id": row["id"]})
    return D(line["released"] + line["allocated"])


def turn(bench: Bench, number: str) -> tuple[str, str]:
    (row,) = bench.store.rows("orders", {"external_id": number})
    (waits,) = bench.store.rows("reservations", {"order_id": row["id"], "state": "unassigned"})
    return waits["turn"], waits["why"]


def test_an_order_that_comes_after_the_goods_does_not_take_what_another_waits_for() -> None:
    bench = warehouse()
    order(bench, "1", 2)
    goods(bench, 3)
    late = {task_id for task_id, task in bench.tasks.items() if task.kind == "allocate"}
    bench.order(order_record(("L1", "TEE", 3), external_id="2", placed_at="2026-11-02T09:30:00Z"))
    first = bench.tasks
    bench.tasks = {task_id: task for task_id, task in first.items() if task_id not in late}
    bench.run("allocate")
    assert has(bench, "2") == 1
    bench.tasks |= {task_id: task for task_id, task in first.items() if task_id in late}
    bench.run("allocate")
    assert (has(bench, "1"), has(bench, "2")) == (D(2), D(1))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Backorders(), ["1", "2", "3"]),
        (Backorders("value"), ["2", "3", "1"]),
        (Backorders("promised_date"), ["3", "1", "2"]),
        (Backorders("priority", (("contains(tags, 'vip')", 1),)), ["3", "1", "2"]),
    ],
)
def test_goods_go_to_those_who_wait_in_the_declared_order(policy: Backorders, expected: list[str]) -> None:
    bench = warehouse(backorders=policy)
    for number, total in (("1", "10"), ("2", "30"), ("3", "20")):
        more: dict[str, Any] = {"totals": {"total": total, "lines": total}}
        if number == "3":
            more["tags"] = ["vip"]
        record = order_record(("L1", "TEE", 1), external_id=number, **more)
        if number == "3":
            record["lines"][0]["promised_by"] = "2026-11-05T00:00:00Z"
        record["lines"][0]["unit_price"] = total
        bench.order(record)
        bench.run("allocate")
        bench.later(seconds=1)
    served: list[str] = []
    for _ in range(3):
        goods(bench, 1)
        bench.run("allocate")
        bench.later(seconds=1)
        served += [number for number in ("1", "2", "3") if has(bench, number) and number not in served]
    assert served == expected


def test_who_cannot_use_what_there_is_gives_way_with_a_reason_and_is_first_again_when_more_comes() -> None:
    whole = {"whole": Strategy("whole", ship_complete=True)}
    bench = warehouse(strategies=whole, fallback="whole")
    order(bench, "1", 3)
    order(bench, "2", 1)
    goods(bench, 1)
    bench.run("allocate")
    assert turn(bench, "1") == ("passed", "less is free than fallback/whole can use")
    assert has(bench, "2") == 1
    goods(bench, 2)
    assert turn(bench, "1") == ("waits", "")
    goods(bench, 1)
    order(bench, "3", 1)
    assert (has(bench, "1"), has(bench, "3")) == (D(3), D(0))
    entries = bench.store.rows("backorder_releases", {}, order_by=("at",))
    assert [(entry["outcome"], entry["quantity"]) for entry in entries] == [
        ("passed", D(0)),
        ("released", D(1)),
        ("released", D(3)),
    ]
    assert all(entry["quantity"] <= entry["free"] - entry["ahead"] for entry in entries)


def test_what_is_held_has_no_turn_and_gets_its_place_back_when_it_is_released() -> None:
    bench = warehouse()
    order(bench, "1", 1, payment_state="pending", source_version="2026-11-02T09:00:00.000000Z")
    order(bench, "2", 1)
    assert turn(bench, "1")[0] == "held"
    goods(bench, 1)
    bench.run("allocate")
    assert has(bench, "2") == 1
    order(bench, "3", 1)
    order(bench, "1", 1, payment_state="paid", source_version="2026-11-02T10:00:00.000000Z")
    goods(bench, 1)
    bench.run("allocate")
    assert (has(bench, "1"), has(bench, "3")) == (D(1), D(0))


def test_when_the_first_in_the_queue_is_cancelled_the_next_looks() -> None:
    bench = warehouse()
    order(bench, "1", 1)
    order(bench, "2", 1)
    goods(bench, 1)
    (second,) = bench.store.rows("orders", {"external_id": "2"})
    first_to_look = {task_id: task for task_id, task in bench.tasks.items() if task.subject != second["id"]}
    bench.tasks = {task_id: task for task_id, task in bench.tasks.items() if task.subject == second["id"]}
    bench.run("allocate")
    assert has(bench, "2") == 0
    bench.tasks = {}
    bench.order(order_record(("L1", "TEE", 1), external_id="1", cancelled_at="2026-11-02T10:00:00Z"))
    bench.run("allocate")
    assert has(bench, "2") == 1
    assert first_to_look


def test_a_late_order_of_an_earlier_day_stands_before_those_of_today() -> None:
    bench = warehouse()
    order(bench, "1", 1, placed_at="2026-11-02T09:00:00Z")
    order(bench, "2", 1, placed_at="2026-11-01T09:00:00Z")
    goods(bench, 1)
    bench.run("allocate")
    assert (has(bench, "1"), has(bench, "2")) == (D(0), D(1))


def test_a_long_queue_is_served_to_its_end() -> None:
    bench = warehouse()
    for number in range(30):
        order(bench, f"{number:02}", 1)
    goods(bench, 30)
    bench.run("allocate")
    assert sum(has(bench, f"{number:02}") for number in range(30)) == 30


def test_a_queue_is_served_by_windows_not_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody of a round decides on what stood before it, as a batch does; then the next round has a whole window."""
    monkeypatch.setattr(waiting, "WINDOW", 5)
    bench = warehouse()
    for number in range(100, 120):
        order(bench, str(number), 1)
    goods(bench, 20)
    rounds = 0
    while due := [task_id for task_id, task in bench.tasks.items() if task.kind == "allocate" and _now(bench, task_id)]:
        rounds += 1
        looks = [bench.tasks.pop(task_id) for task_id in due]
        decide = build(bench.rules).tasks["allocate"]
        # What each asks for next is asked on the queue as the round found it; what it takes is taken in turn.
        asked = [decide(task, bench.store, bench.now).tasks for task in looks]
        for task in looks:
            bench._commit(replace(decide(task, bench.store, bench.now), tasks=[]))
        for tasks in asked:
            bench._commit(Decision(tasks=list(tasks)))
    assert rounds <= 5
    assert all(has(bench, str(number)) == 1 for number in range(100, 120))


def _now(bench: Bench, task_id: str) -> bool:
    return bench.tasks[task_id].due_at <= bench.now


def test_the_dearer_order_stands_first_and_one_without_a_value_last() -> None:

    day = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    cheap = place_in_queue(Fairness.VALUE, day, day, "a", value=D("9.99"))
    dear = place_in_queue(Fairness.VALUE, day, day, "b", value=D("1000"))
    unknown = place_in_queue(Fairness.VALUE, day, day, "c")
    assert sorted([cheap, unknown, dear]) == [dear, cheap, unknown]
