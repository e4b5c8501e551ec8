"""What must leave by a time its channel sets: one warning before it, and a queue of all of it."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.domain.ids import IdSource
from hub.oms.ports import Risk
from hub.store.open import open_store
from hub.store.reading import open_reading
from hub.store.sql_store import SqlStore
from hub.views.risk import list_at_risk
from tests.conftest import SettableClock
from tests.property.memory_store import START, Bench, channel, location, order_record, rules
from tests.unit.test_oms_on_sqlite import SqlTables

D = Decimal


def due(number: str, *, connection: str = "shop", **dates: str) -> dict[str, Any]:
    record = order_record(("L1", "TEE", 2), external_id=number)
    record["lines"][0].update(dates)
    return record


def shop(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", 50)
    return bench


def test_a_person_is_told_before_an_order_is_late_and_not_after_it_has_left() -> None:
    bench = shop(risk=Risk(dt.timedelta(hours=4)))
    bench.order(due("1", ship_by="2026-11-02T16:00:00Z"))
    bench.run()
    assert "deadline" not in bench.raised()
    bench.later(hours=3)  # 12:00, four hours before it
    bench.run()
    assert bench.raised() == ["deadline"]
    assert "ship by 2026-11-02T16:00:00Z" in bench.exceptions[-1].title
    assert "line 1" in bench.exceptions[-1].detail
    work = bench.store.rows("fulfilment_orders", {})[0]
    bench.fact(
        "shipments",
        {
            "fact_key": "s1",
            "external_id": "s1",
            "fulfilment_order": work["id"],
            "shipped_at": "2026-11-02T13:00:00Z",
            "packages": [{"package": "p1", "lines": [{"line": bench.line_id("L1"), "quantity": "2"}]}],
        },
    )
    assert [clear.cause_key for clear in bench.decisions[-1].clears if "deadline/" in clear.cause_key]
    bench.later(hours=9)
    bench.run()
    assert bench.raised() == ["deadline"]


def test_each_date_of_an_order_has_its_own_warning_and_a_moved_one_takes_the_old_back() -> None:
    bench = shop(risk=Risk(dt.timedelta(hours=1)))
    bench.order(due("1", ship_by="2026-11-02T12:00:00Z", cancel_by="2026-11-02T20:00:00Z"))
    bench.run()
    bench.later(hours=2)
    bench.run()
    assert [one.title for one in bench.exceptions] == ["An order must leave soon: ship by 2026-11-02T12:00:00Z"]
    moved = due("1", ship_by="2026-11-02T18:00:00Z", cancel_by="2026-11-02T20:00:00Z")
    bench.order({**moved, "source_version": "2026-11-02T11:00:00.000000Z"})
    assert [clear.cause_key for clear in bench.decisions[-1].clears if "deadline/" in clear.cause_key]
    bench.later(hours=8)
    bench.run()
    assert [one.title for one in bench.exceptions[1:]] == [
        "An order must leave soon: cancel by 2026-11-02T20:00:00Z",
        "An order must leave soon: ship by 2026-11-02T18:00:00Z",
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store("hub.db", home=tmp_path, clock=SettableClock(), ids=IdSource(random.Random(1)))
    yield opened
    opened.close()


def test_the_queue_is_sorted_by_time_left_over_penalty_and_what_is_late_comes_first(
    store: SqlStore, tmp_path: Path
) -> None:
    risk = Risk(dt.timedelta(hours=1), {"market": D(25)})
    channels = {"shop": channel(), "market": channel(id="market")}
    bench = Bench(rules(location("east"), risk=risk, channels=channels), store=SqlTables(store))
    bench.stock("TEE", "east", 50)
    bench.order(due("soon", ship_by="2026-11-02T11:00:00Z"))
    bench.order(due("dear", ship_by="2026-11-03T09:00:00Z"), connection="market")
    bench.order(due("late", cancel_by="2026-11-02T08:00:00Z"))
    bench.order(order_record(("L1", "TEE", 1), external_id="any time"))
    bench.run()
    with open_reading("hub.db", home=tmp_path) as connection:
        found = list_at_risk(connection, START)
    assert [(row["external_id"], row["due"], row["hours_left"]) for row in found] == [
        ("late", "cancel_by", D("-1")),
        ("dear", "ship_by", D("24")),
        ("soon", "ship_by", D("2")),
    ]
    assert found[1]["late_penalty"] == 25
    assert found[0]["location"] == "east"
