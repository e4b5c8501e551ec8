"""A line that its channel states with another article: the other one, until somebody works on it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
LATER = "2026-11-02T10:00:00.000000Z"


def bench_with(grace: int = 3600, **stock: int) -> Bench:
    bench = Bench(rules(location("east"), channels={"shop": channel(grace_seconds=grace)}))
    for sku, units in {"TEE": 5, "CAP": 5, **stock}.items():
        bench.stock(sku, "east", units)
    return bench


def reserved(bench: Bench) -> dict[str, tuple[int, int]]:
    return {row["sku"]: (int(row["soft"]), int(row["firm"])) for row in bench.store.rows("stock", {})}


@pytest.mark.parametrize("tees", [5, 0])
def test_before_release_the_line_is_the_other_article_and_its_goods_are_reserved(tees: int) -> None:
    bench = bench_with(TEE=tees)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run()
    bench.order(order_record(("L1", "CAP", 2), source_version=LATER))
    bench.run()
    assert reserved(bench) == {"TEE": (0, 0), "CAP": (2, 0)}
    assert bench.store.rows("reservations", {"state": "unassigned"}) == []
    bench.later(hours=2)
    bench.run()
    assert reserved(bench) == {"TEE": (0, 0), "CAP": (0, 2)}
    assert [line["sku"] for line in bench.sent("send_fulfilment_request")[0].record["lines"]] == ["CAP"]


def test_what_a_location_works_on_stays_what_it_is_and_a_person_is_told() -> None:
    bench = bench_with(grace=0)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run()
    bench.send()
    other = order_record(("L1", "CAP", 2), source_version=LATER)
    other["lines"][0]["unit_price"] = "99.00"
    bench.order(other)
    bench.run()
    (line,) = bench.store.rows("order_lines", {})
    assert (line["sku"], line["document"]["details"]["unit_price"]) == ("TEE", "10.00")
    assert reserved(bench) == {"TEE": (0, 2), "CAP": (0, 0)}
    assert bench.raised() == ["goods_changed"]
    assert "line 1: TEE before, CAP now" in bench.exceptions[-1].detail
    bench.order(order_record(("L1", "TEE", 2), source_version="2026-11-02T11:00:00.000000Z"))
    assert [clear.cause_key for decision in bench.decisions for clear in decision.clears if "goods" in clear.cause_key]


def test_a_kit_in_place_of_an_article_is_sourced_as_its_components() -> None:
    bench = bench_with()
    parts = [{"sku": "TEE", "quantity": "1"}, {"sku": "CAP", "quantity": "1"}]
    bench.restate("items", {"external_id": "SET", "sku": "SET", "components": parts})
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run()
    bench.order(order_record(("L1", "SET", 2), source_version=LATER))
    bench.run()
    assert reserved(bench) == {"TEE": (2, 0), "CAP": (2, 0)}


def test_what_was_preordered_gives_its_date_to_others() -> None:
    bench = bench_with(TEE=0)
    supply = {"external_id": "PO/1", "reference": "PO", "sku": "TEE", "location": "EAST", "quantity": "2"}
    bench.restate("supply", {**supply, "expected_at": "2026-11-20T08:00:00Z"}, connection="wms-east")
    bench.order(order_record(("L1", "TEE", 2)))
    bench.order(order_record(("L1", "TEE", 2), external_id="4508"))
    bench.run()
    bench.order(order_record(("L1", "CAP", 2), source_version=LATER))
    bench.later(minutes=2)
    bench.run()
    (one,) = bench.store.rows("supply", {})
    (other,) = bench.store.rows("orders", {"external_id": "4508"})
    claims = [row for row in bench.store.rows("supply_claims", {}) if row["quantity"]]
    assert (one["promised"], [row["order_id"] for row in claims]) == (D(2), [other["id"]])
    assert reserved(bench)["CAP"] == (2, 0)
