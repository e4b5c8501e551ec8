"""What a buyer may say of lines in an X12 860: mapped as it ships, and decided by the OMS in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.writeset import Update, WriteSet
from hub.mapping.library import MappingLibrary, shipped_folder
from tests.property.memory_store import Bench, channel, location, order_record, rules

ANSWERS = frozenset({"push_shipment", "change_response"})
MAPPING = MappingLibrary([shipped_folder()]).get("sftp_files/order_changes.in")
_ELEMENTS = ("POC01", "POC02", "POC03", "POC04", "POC05", "POC06", "POC07", "POC08", "POC09")


def bench_of(*lines: tuple[str, str, int | str], grace_seconds: float = 1800) -> Bench:
    shop = channel(capabilities=ANSWERS, grace_seconds=grace_seconds)
    bench = Bench(rules(location("east"), channels={"shop": shop}))
    for sku in sorted({sku for _, sku, _ in lines}):
        bench.stock(sku, "east", 100)
    record = order_record(*lines)
    record["lines"] = [{**line, "unit": "EA"} for line in record["lines"]]
    bench.order(record)
    bench.run("allocate")
    return bench


def tell(bench: Bench, *lines: str, purpose: str = "04", key: str = "1", partner: dict[str, str] | None = None) -> None:
    """An 860 with POC segments, mapped and given to the OMS."""
    poc = []
    for line in lines:
        elements = dict(zip(_ELEMENTS, line.split("*"), strict=False))
        item: dict[str, Any] = {name: value for name, value in elements.items() if value}
        if "POC09" in item:
            item["ids"] = {item["POC08"]: item["POC09"]}
        poc.append(item)
    tree = {
        "envelope": {"sender": {"id": "BIGBOX"}, "control": key, "group": {"control": key}},
        "set": {"control": "0001"},
        "BCH": {"BCH01": purpose, "BCH03": "4507", "BCH05": key},
        "POC": poc,
    }
    context = {"partner": {"change_quantities": "total", **(partner or {})}}
    mapped = MAPPING.run(tree, context=context)
    assert not mapped.holds
    bench.fact("order_changes", mapped.record)


def wanted(bench: Bench) -> dict[str, Decimal]:
    return {
        row["external_line_id"]: row["ordered"] - row["cancelled"]
        for row in bench.store.rows("order_lines", {}, order_by=("number",))
    }


def answers(bench: Bench) -> list[dict[str, Any]]:
    return [effect.record for effect in bench.sent("change_response")]


@pytest.mark.parametrize(
    ("line", "verdict", "left", "why"),
    [
        ("1*CA*12**EA", "accepted", 12, ""),
        ("001*RZ*12**EA", "accepted", 12, ""),
        ("*CA*12**EA***VN*MUG", "accepted", 12, ""),
        ("9*CA*12**EA***VN*MUG", "accepted", 12, ""),
        ("1*DI", "accepted", 0, ""),
        ("1*CF", "accepted", 0, ""),
        ("1*NC*10**EA", "accepted", 10, ""),
        ("1*QI*15**EA", "accepted", 15, ""),
        ("1*QI*10**EA", "accepted", 10, ""),
        ("1*QI*2**EA", "declined", 10, "line 1 has 10; 2 is not more"),
        ("1*QD*12**EA", "declined", 10, "line 1 has 10; 12 is not less"),
        ("1*CA*-1**EA", "declined", 10, "line 1 has 10, and cannot become -1"),
        ("1*CA*1**CA", "declined", 10, "line 1 is ordered in EA, and the change counts in CS"),
        ("1*CA***EA", "declined", 10, "for line 1 the change says no quantity"),
        ("1*PC*10*10*EA*4.50", "declined", 10, "line 1 costs 10.00; another price (4.50) is a person's to agree"),
        ("1*PC*10*10*EA*10", "accepted", 10, ""),
        ("1*PQ*8*8*EA*10.00", "accepted", 8, ""),
        ("1*PQ*8*8*EA*9", "declined", 10, "another price (9)"),
        ("1*CT*10*10*EA", "declined", 10, "its dates are not changed by a message"),
        ("1*RQ*8*8*EA", "accepted_in_part", 8, "of line 1 only the quantity is changed"),
        ("1*RQ*10*10*EA", "declined", 10, "its dates are not changed"),
        ("1*ZZ*8*8*EA", "declined", 10, "nothing here does what is asked of it"),
        ("1*RE*10**EA***VN*CUP", "declined", 10, "an item is not replaced in its line"),
        ("1*AI*10**EA***VN*MUG", "accepted", 10, ""),
        ("1*AI*3**EA***VN*MUG", "declined", 10, "line 1 is there already, with 10"),
        ("1*QD*5**EA***VN*CAP", "declined", 10, "line 1 is MUG, and the change says CAP"),
        ("9*DI", "declined", 10, "the order has no line 9"),
        ("*CA*3", "declined", 10, "names neither line nor item"),
        ("3*AI*3**EA", "declined", 10, "needs a line id, a SKU and a quantity above zero"),
    ],
)
def test_what_a_line_of_a_change_may_say(line: str, verdict: str, left: int, why: str) -> None:
    bench = bench_of(("1", "MUG", 10), ("2", "CAP", 4))
    tell(bench, line)
    assert wanted(bench) == {"1": left, "2": 4}
    (answer,) = answers(bench)
    (told,) = answer["lines"]
    assert (told["verdict"], answer["verdict"]) == (verdict, verdict)
    assert why in told.get("why", "")
    assert bool(bench.raised()) == bool(why)


@pytest.mark.parametrize(
    ("kind", "line", "left"),
    [
        ("difference", "1*QI*2**EA", 12),
        ("difference", "1*QD*2**EA", 8),
        ("difference", "1*QD*-2**EA", 8),
        ("difference", "1*QD**2*EA", 8),
        ("difference", "1*CA*7**EA", 7),
        ("difference_in_poc04", "1*QI*10*3*EA", 13),
    ],
)
def test_quantities_of_a_partner_that_tells_differences(kind: str, line: str, left: int) -> None:
    bench = bench_of(("1", "MUG", 10))
    tell(bench, line, partner={"change_quantities": kind})
    assert wanted(bench) == {"1": left}


def test_two_differences_of_one_line_add_up() -> None:
    bench = bench_of(("1", "MUG", 10))
    tell(bench, "1*QI*2**EA", "1*QD*5**EA", partner={"change_quantities": "difference"})
    assert wanted(bench) == {"1": 7}


def test_a_difference_below_nothing_is_declined() -> None:
    bench = bench_of(("1", "MUG", 10))
    tell(bench, "1*QD*11**EA", partner={"change_quantities": "difference"})
    assert wanted(bench) == {"1": 10}
    assert answers(bench)[0]["lines"][0]["why"] == "line 1 has 10, and cannot become -1"


def test_an_item_on_two_lines_does_not_say_which() -> None:
    bench = bench_of(("1", "MUG", 10), ("2", "MUG", 4))
    tell(bench, "*QD*5**EA***VN*MUG")
    assert wanted(bench) == {"1": 10, "2": 4}
    assert "is on several lines" in answers(bench)[0]["why"]


def test_a_replacement_drops_what_it_does_not_name() -> None:
    bench = bench_of(("1", "MUG", 10), ("2", "CAP", 4))
    tell(bench, "2*RZ*3**EA", "3*AI*1**EA*2.50**VN*TEE", purpose="05")
    assert wanted(bench) == {"1": 0, "2": 3, "3": 1}
    assert [line["verdict"] for line in answers(bench)[0]["lines"]] == ["accepted"] * 3


def test_a_change_after_release_is_answered_when_the_location_has() -> None:
    bench = bench_of(("1", "MUG", 10), grace_seconds=0)
    bench.run("confirm")
    bench.send()
    tell(bench, "1*QD*4**EA", "9*DI")
    assert answers(bench) == []
    asked = bench.sent("cancel_fulfilment_request")[-1]
    report = {
        "fact_key": "a-1",
        "fulfilment_order": asked.record["fulfilment_order"],
        "cancel_request": asked.record["cancel_request"],
        "status": "cancel_rejected",
    }
    bench.fact("fulfilment_responses", report, connection="wms-east")
    (answer,) = answers(bench)
    assert answer["verdict"] == "declined"
    assert [(line["verdict"], line.get("quantity")) for line in answer["lines"]] == [
        ("declined", "10"),
        ("declined", None),
    ]
    assert "6 of line 1 cannot be taken back any more" in answer["why"]


def test_a_change_after_shipment_is_declined_as_far_as_goods_have_left() -> None:
    bench = bench_of(("1", "MUG", 10), ("2", "CAP", 4), grace_seconds=0)
    bench.run("confirm")
    bench.send()
    (work,) = bench.sent("send_fulfilment_request")
    notice = {
        "fact_key": "s-1",
        "external_id": "s-1",
        "fulfilment_order": work.record["fulfilment_order"],
        "shipped_at": "2026-11-02T12:00:00Z",
        "packages": [{"package": "1", "lines": [{"line": bench.line_id("1"), "sku": "MUG", "quantity": "10"}]}],
    }
    bench.fact("shipments", notice, connection="wms-east")
    tell(bench, "1*QD*3**EA", "2*QI*6**EA")
    (answer,) = answers(bench)
    assert (answer["verdict"], answer["why"]) == ("accepted_in_part", "7 of line 1 cannot be taken back any more")
    assert [(line["verdict"], line["quantity"], line["open"]) for line in answer["lines"]] == [
        ("declined", "10", "0"),
        ("accepted", "6", "6"),
    ]


def test_a_change_that_does_not_say_whose_number_it_means_is_of_the_only_one() -> None:
    bench = bench_of(("1", "MUG", 10))
    bench.store.apply(WriteSet([Update("orders", {"external_id": "4507"}, {"scope": "BIGBOX/2026"})]))
    tell(bench, "1*QD*3**EA")
    assert wanted(bench) == {"1": 3}


def test_a_change_of_a_cancelled_order_is_declined_and_its_cancellation_accepted() -> None:
    bench = bench_of(("1", "MUG", 10))
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507"})
    tell(bench, "1*QI*12**EA")
    tell(bench, purpose="01", key="2")
    assert [answer["verdict"] for answer in answers(bench)] == ["declined", "accepted"]
    assert answers(bench)[0]["why"] == "the order is cancelled"
    assert wanted(bench) == {"1": 0}


def test_a_change_that_has_no_channel_to_answer_is_answered_to_nobody() -> None:
    bench = Bench(rules(location("east"), channels={"shop": channel()}))
    bench.order(order_record(("1", "MUG", 10)))
    tell(bench, "1*CA*3**EA")
    assert wanted(bench) == {"1": 3}
    assert answers(bench) == []
