"""An edit that comes as a new order: linked, the old one cancelled by it, goods and money moved once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.property.memory_store import Bench, Row, channel, location, order_record, rules

D = Decimal
OLD = "2026-11-02T09:00:00.000000Z"
LATER = "2026-11-02T09:30:00.000000Z"


def bench_with(**changes: Any) -> Bench:
    bench = Bench(rules(location("east"), **changes))
    bench.stock("TEE", "east", 10)
    return bench


def old(**changes: Any) -> Row:
    return order_record(("L1", "TEE", 2), external_id="123", number="000000123", **changes)


def new(**changes: Any) -> Row:
    record = order_record(
        ("M1", "TEE", 3), external_id="456", number="000000123-1", replaces="123", placed_at="2026-11-02T09:29:00Z"
    )
    return {**record, "currency": "EUR", **changes}


def orders(bench: Bench) -> dict[str, str]:
    return {row["number"] or row["external_id"]: row["status"] for row in bench.store.rows("orders", {})}


def stock(bench: Bench) -> tuple[D, D, D]:
    row = bench.store.row("stock", {"sku": "TEE", "location": "east"})
    assert row is not None
    return row["on_hand"], row["soft"], row["firm"]


def ship(bench: Bench, order: str, units: int, notice: str = "s-1") -> None:
    row = bench.store.rows("orders", {"number": order})[0]
    work = next(one for one in bench.store.rows("fulfilment_orders", {"order_id": row["id"]}) if one["state"] != "x")
    line = work["document"]["lines"][0]["line"]
    package = {"package": notice, "lines": [{"line": line, "sku": "TEE", "quantity": str(units)}]}
    record = {"fact_key": notice, "external_id": notice, "fulfilment_order": work["id"], "packages": [package]}
    bench.fact("shipments", record, connection="wms-east")


def test_the_old_order_is_cancelled_by_its_replacement() -> None:
    bench = bench_with(channels={"shop": channel(grace_seconds=600)})
    bench.order(old())
    bench.run("allocate")
    bench.order(new())
    bench.run()
    assert orders(bench) == {"000000123": "cancelled", "000000123-1": "received"}
    assert stock(bench) == (D(10), D(3), D(0))
    (link,) = bench.store.rows("order_links", {})
    assert link["role"] == "replaces"
    assert bench.raised() == []


def test_the_old_one_that_arrives_later_lands_cancelled() -> None:
    bench = bench_with()
    bench.order(new())
    bench.order(old())
    bench.run()
    assert orders(bench) == {"000000123": "cancelled", "000000123-1": "confirmed"}
    assert stock(bench) == (D(10), D(0), D(3))
    assert bench.raised() == []


def test_what_had_left_of_the_old_one_does_not_leave_again_and_is_not_charged_again() -> None:
    bench = bench_with()
    bench.order(old())
    bench.run()
    ship(bench, "000000123", 1)
    bench.send()
    bench.order(new())
    assert orders(bench)["000000123-1"] == "held", "a location may still ship the rest of the old one"
    (asked,) = bench.sent("cancel_fulfilment_request")
    said = {"fulfilment_order": asked.record["fulfilment_order"], "cancel_request": asked.record["cancel_request"]}
    bench.fact("fulfilment_responses", {"fact_key": "a", "status": "cancel_accepted", **said}, connection="wms-east")
    bench.run()
    assert orders(bench) == {"000000123": "closed", "000000123-1": "confirmed"}
    ship(bench, "000000123-1", 2, "s-2")
    assert orders(bench)["000000123-1"] == "closed"
    assert stock(bench) == (D(7), D(0), D(0)), "three in all"
    first, second = bench.sent("post_invoice")
    assert (first.record["amount"], first.record["currency"]) == ("10", "USD")
    assert (second.record["amount"], second.record["currency"]) == ("20", "EUR")
    assert bench.raised() == []


def test_a_location_that_ships_the_old_one_all_the_same_ships_for_the_new_one() -> None:
    bench = bench_with()
    bench.order(old())
    bench.run()
    bench.send()
    bench.order(new())
    bench.run()
    assert orders(bench)["000000123-1"] == "held"
    ship(bench, "000000123", 2)
    bench.run()
    assert orders(bench) == {"000000123": "closed", "000000123-1": "confirmed"}
    ship(bench, "000000123-1", 1, "s-2")
    assert orders(bench)["000000123-1"] == "closed"
    assert stock(bench)[0] == D(7)
    assert "cancel_too_late" not in bench.raised()


@pytest.mark.parametrize("first", ["old", "new"])
def test_an_old_order_that_names_its_replacement_says_the_same(first: str) -> None:
    bench = bench_with()
    both = [old(replaced_by="456"), new()]
    for record in both if first == "old" else reversed(both):
        bench.order(record)
    bench.order(new(source_version=LATER, note="gift"))
    bench.run()
    assert orders(bench) == {"000000123": "cancelled", "000000123-1": "confirmed"}
    assert len(bench.store.rows("order_links", {})) == 1
    assert stock(bench) == (D(10), D(0), D(3))


def test_a_replacement_of_a_replacement_ends_with_one_order() -> None:
    bench = bench_with()
    bench.order(old())
    bench.order(new())
    third = order_record(("N1", "TEE", 1), external_id="789", number="000000123-2", replaces="456")
    bench.order({**third, "placed_at": "2026-11-02T09:40:00Z"})
    bench.run()
    assert orders(bench) == {"000000123": "cancelled", "000000123-1": "cancelled", "000000123-2": "confirmed"}
    assert stock(bench) == (D(10), D(0), D(1))
