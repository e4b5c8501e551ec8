"""A count and a shipment that are decided at the same time: one of them is decided anew, or goods leave twice."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Decision
from hub.oms.handlers import build
from tests.property.memory_store import Bench, Conflict, location, order_record, rules

EARLIER, LATER = "2026-11-02T12:00:00Z", "2026-11-02T13:00:00Z"


def released() -> Bench:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 0)
    bench.restate("stock", count("2026-11-02T08:00:00Z", 10), connection="wms-east")
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate", "confirm")
    return bench


def count(at: str, units: int) -> dict[str, Any]:
    rows = [{"sku": "TEE", "quantity": str(units)}]
    return {"external_id": "EAST", "location": "EAST", "as_of": at, "rows": rows}


def notice(bench: Bench) -> dict[str, Any]:
    (work,) = bench.sent("send_fulfilment_request")
    lines = [{"line": bench.line_id("L1"), "sku": "TEE", "quantity": "2"}]
    return {
        "fact_key": "s-1",
        "external_id": "s-1",
        "fulfilment_order": work.record["fulfilment_order"],
        "shipped_at": EARLIER,
        "packages": [{"package": "1", "tracking_number": "TN1", "lines": lines}],
    }


def decided(bench: Bench, stream: str, record: dict[str, Any]) -> Decision:
    """What is decided on what stands now, not yet written."""
    incoming = bench._incoming("wms-east", stream, record, str(record["external_id"]))
    incoming = replace(incoming, fact_key=str(record.get("fact_key", "")))
    return build(bench.rules).messages[stream](incoming, copy.deepcopy(bench.store), bench.now)


def on_hand(bench: Bench) -> Decimal:
    row = bench.store.row("stock", {"sku": "TEE", "location": "east"})
    assert row is not None
    return Decimal(row["on_hand"])


def test_a_shipment_decided_before_a_count_that_holds_it_is_decided_anew() -> None:
    bench = released()
    stale = decided(bench, "shipments", notice(bench))
    bench.restate("stock", count(LATER, 8), connection="wms-east")
    with pytest.raises(Conflict):
        bench.store.apply(stale.writes)
    bench.store.apply(decided(bench, "shipments", notice(bench)).writes)
    assert on_hand(bench) == 8


def test_a_count_decided_before_a_shipment_that_it_holds_is_decided_anew() -> None:
    bench = released()
    stale = decided(bench, "stock", count(LATER, 8))
    bench.store.apply(decided(bench, "shipments", notice(bench)).writes)
    with pytest.raises(Conflict):
        bench.store.apply(stale.writes)
    bench.store.apply(decided(bench, "stock", count(LATER, 8)).writes)
    assert on_hand(bench) == 8
