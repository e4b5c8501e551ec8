"""A location that tells of the same goods again under another id: nothing leaves twice because it was said twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision, Verdict
from tests.property.memory_store import Bench, location, order_record, rules
from tests.unit.test_oms_locations import on_hand, open_exceptions, work_id, working

D = Decimal


def tells(bench: Bench, key: str, units: int, *, number: str = "", package: str = "1") -> Decision:
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}
    stated: dict[str, Any] = {"package": package, "lines": [line]} | ({"tracking_number": number} if number else {})
    notice = {
        "fact_key": key,
        "external_id": key,
        "fulfilment_order": work_id(bench),
        "shipped_at": "2026-11-02T12:00:00Z",
        "packages": [stated],
    }
    decision = bench.fact("shipments", notice, connection="wms-east")
    assert decision is not None
    return decision


def left_once(bench: Bench) -> None:
    assert bench.lines() == {"L1": {"shipped": D(3)}}
    assert bench.store.rows("order_lines", {})[0]["over_shipped"] == 0
    assert on_hand(bench) == 0
    assert (len(bench.sent("push_shipment")), len(bench.sent("post_invoice"))) == (1, 1)


def test_a_package_that_is_told_again_under_another_id_is_known_by_its_number() -> None:
    bench = working(3)
    tells(bench, "A", 3, number="1Z1")
    assert tells(bench, "B", 3, number="1Z1", package="x").verdict is Verdict.DUPLICATE
    left_once(bench)
    assert open_exceptions(bench) == []


def test_without_a_number_it_is_counted_once_and_a_person_compares() -> None:
    bench = working(3)
    tells(bench, "A", 3)
    tells(bench, "B", 3)
    left_once(bench)
    assert open_exceptions(bench) == ["unexpected-report"]


def test_equal_parts_that_leave_one_after_the_other_are_two() -> None:
    bench = working(2)
    tells(bench, "A", 1)
    tells(bench, "B", 1)
    assert bench.lines() == {"L1": {"shipped": D(2)}}
    assert open_exceptions(bench) == []


def test_a_known_package_in_a_notice_with_a_new_one_is_left_out() -> None:
    bench = working(3)
    tells(bench, "A", 1, number="1Z1")
    line = {"line": bench.line_id("L1"), "sku": "TEE"}
    packages = [
        {"package": "1", "tracking_number": "1Z1", "lines": [{**line, "quantity": "1"}]},
        {"package": "2", "tracking_number": "1Z2", "lines": [{**line, "quantity": "2"}]},
    ]
    notice = {"fact_key": "B", "external_id": "B", "fulfilment_order": work_id(bench), "packages": packages}
    bench.fact("shipments", notice, connection="wms-east")
    assert bench.lines() == {"L1": {"shipped": D(3)}}
    assert [len(row["document"]["packages"]) for row in bench.store.rows("shipments", {})] == [1, 1]


def test_other_units_under_a_known_number_have_left_too() -> None:
    bench = working(3)
    tells(bench, "A", 3, number="1Z1")
    tells(bench, "B", 1, number="1Z1")
    assert bench.store.rows("order_lines", {})[0]["over_shipped"] == 1
    assert open_exceptions(bench) == ["shipped-unexpected"]


@pytest.mark.parametrize("named", [True, False], ids=["with its lines", "without lines"])
def test_a_handover_that_is_told_twice_happened_once(named: bool) -> None:
    bench = Bench(rules(location("store", can=frozenset({"ship", "pickup"}))))
    bench.stock("TEE", "store", 5)
    bench.order(order_record(("L1", "TEE", 2), method="pickup", pickup_location="store"))
    bench.run("allocate")
    for key in ("h1", "h2"):
        said: dict[str, Any] = {"fact_key": key, "fulfilment_order": work_id(bench, "store"), "status": "handed_over"}
        if named:
            said["lines"] = [{"line": bench.line_id("L1"), "quantity": "2"}]
        bench.fact("fulfilment_responses", said, connection="wms-store")
    assert bench.lines() == {"L1": {"handed_over": D(2)}}
    assert on_hand(bench, "store") == 3
    assert len(bench.store.rows("shipments", {})) == 1
    assert open_exceptions(bench) == ["unexpected-report"]
