"""Scans of packages: what they move, what they only note, and what a person hears of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.decision import Verdict
from tests.property.memory_store import Bench, location, order_record, rules

D = Decimal


def working(units: int = 3, **changes: Any) -> Bench:
    """An order of TEE at a location that ships with labels of its own; somebody tells scans."""
    bench = Bench(rules(location("east"), follows_packages=True, **changes))
    bench.stock("TEE", "east", units)
    bench.order(order_record(("L1", "TEE", units)))
    bench.run("allocate")
    bench.send()
    return bench


def ship(bench: Bench, units: int = 3, number: str = "TN1", package: str = "P-1") -> None:
    (work,) = bench.store.rows("fulfilment_orders", {})
    line = {"line": bench.line_id("L1"), "sku": "TEE", "quantity": str(units)}
    notice = {
        "fact_key": f"ship-{package}",
        "external_id": f"ship-{package}",
        "fulfilment_order": work["id"],
        "packages": [{"package": package, "tracking_number": number, "lines": [line]}],
    }
    bench.fact("shipments", notice, connection="wms-east")


def scan(bench: Bench, status: str, minute: int = 0, number: str = "TN1", **more: Any) -> Verdict | None:
    record = {
        "fact_key": f"{number}-{status}-{minute}",
        "tracking_number": number,
        "status": status,
        "occurred_at": f"2026-11-03T10:{minute:02}:00Z",
        **more,
    }
    decision = bench.fact("tracking", record, connection="carrier")
    return decision.verdict if decision else None


def the_state(bench: Bench, number: str = "TN1") -> str:
    (row,) = bench.store.rows("packages", {"tracking_number": number})
    return str(row["state"])


def open_exceptions(bench: Bench) -> list[str]:
    return [key.rpartition("/")[2] for key in bench.the_order()["document"].get("raised", [])]


def events(bench: Bench, kind: str) -> list[Any]:
    return [event for decision in bench.decisions for event in decision.events if kind in event.type]


def test_a_package_goes_from_the_dock_to_the_door_and_its_goods_are_delivered() -> None:
    bench = working()
    ship(bench)
    assert (the_state(bench), bench.lines()["L1"]) == ("in_transit", {"shipped": D(3)})
    scan(bench, "in_transit", 1)
    scan(bench, "out_for_delivery", 2)
    assert (the_state(bench), bench.lines()["L1"]) == ("out_for_delivery", {"shipped": D(3)})
    scan(bench, "delivered", 3)
    assert (the_state(bench), bench.lines()["L1"]) == ("delivered", {"delivered": D(3)})
    assert bench.the_order()["status"] == "closed"
    assert len(events(bench, "package.scanned")) == 3
    assert {event.key for event in events(bench, "package.delivered")} == {
        f"hub.package.delivered.v1/{bench.the_order()['id']}/{bench.store.rows('packages', {})[0]['id']}"
    }


def test_only_what_was_in_the_package_is_delivered() -> None:
    bench = working()
    ship(bench, 1, "TN1", "P-1")
    ship(bench, 2, "TN2", "P-2")
    scan(bench, "delivered", number="TN2")
    assert bench.lines()["L1"] == {"shipped": D(1), "delivered": D(2)}


def test_a_late_scan_takes_nothing_back() -> None:
    bench = working()
    ship(bench)
    scan(bench, "delivered", 9)
    scan(bench, "out_for_delivery", 5)
    scan(bench, "in_transit", 30)
    assert (the_state(bench), bench.lines()["L1"]) == ("delivered", {"delivered": D(3)})


def test_the_same_scan_told_twice_is_one() -> None:
    bench = working()
    ship(bench)
    assert scan(bench, "in_transit", 1) is Verdict.APPLIED
    assert scan(bench, "in_transit", 1) is None


def test_a_note_moves_nothing_but_stands_on_the_timeline() -> None:
    bench = working()
    ship(bench)
    scan(bench, "note", 1, words="Label created, not yet with the carrier")
    assert the_state(bench) == "in_transit"
    (noted,) = events(bench, "package.scanned")
    assert noted.data["words"] == "Label created, not yet with the carrier"


def test_the_carriers_words_do_not_tell_who_signed() -> None:
    bench = working()
    ship(bench)
    scan(bench, "delivered", 1, words="Signed by A. Buyer")
    (told,) = events(bench, "package.scanned")
    assert "A. Buyer" not in told.data["words"]


def test_a_number_that_nobody_knows_waits_for_its_package() -> None:
    bench = working()
    assert scan(bench, "delivered", number="TN1") is Verdict.WAITING
    ship(bench)
    assert (the_state(bench), bench.lines()["L1"]) == ("delivered", {"delivered": D(3)})


def test_two_packages_under_one_number_go_together() -> None:
    bench = working()
    ship(bench, 1, "TN1", "P-1")
    ship(bench, 2, "TN1", "P-2")
    scan(bench, "delivered")
    assert bench.lines()["L1"] == {"delivered": D(3)}


@pytest.mark.parametrize(
    ("status", "bucket", "kind"),
    [("lost", "lost", "package_lost"), ("returned_to_sender", "returned_to_sender", "package_returned")],
)
def test_a_package_that_never_arrives_needs_a_person(status: str, bucket: str, kind: str) -> None:
    bench = working()
    ship(bench)
    scan(bench, status, 1)
    scan(bench, status, 2)
    assert (bench.lines()["L1"], open_exceptions(bench)) == ({bucket: D(3)}, [kind])
    assert bench.raised().count(kind) == 1


def test_trouble_on_the_way_is_over_when_the_package_moves_on() -> None:
    bench = working()
    ship(bench)
    scan(bench, "exception", 1)
    assert open_exceptions(bench) == ["package_exception"]
    scan(bench, "in_transit", 2)
    assert open_exceptions(bench) == []


def test_a_lost_package_that_turns_up_is_delivered() -> None:
    bench = working()
    ship(bench)
    scan(bench, "lost", 1)
    scan(bench, "delivered", 2)
    assert (bench.lines()["L1"], open_exceptions(bench)) == ({"delivered": D(3)}, [])


def test_the_last_scan_of_a_returned_parcel_is_its_delivery_to_the_sender() -> None:
    bench = working()
    ship(bench)
    scan(bench, "returned_to_sender", 1)
    scan(bench, "delivered", 2)
    assert (the_state(bench), bench.lines()["L1"]) == ("returned_to_sender", {"returned_to_sender": D(3)})


def test_goods_beyond_the_order_are_not_delivered_in_the_books() -> None:
    bench = working()
    ship(bench, 5)
    scan(bench, "delivered")
    assert bench.lines()["L1"] == {"delivered": D(3)}


def test_where_nobody_tells_scans_packages_have_no_rows() -> None:
    bench = working()
    bench.rules = rules(location("east"))
    ship(bench)
    assert bench.store.rows("packages", {}) == []
