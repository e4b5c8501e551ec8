"""Whatever a channel and its locations say, in any order: nothing is refused, everything still adds up.

The bench checks after every decision that buckets sum to what is ordered, that counters equal live reservations, and
that no business key is asked for twice.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.decision import Decision, Verdict
from hub.oms.fulfilment.staff import REPORTS, collect_elsewhere, report_work
from hub.oms.stock.move_stock import transfer_stock
from tests.property.memory_store import Bench, location, order_record, rules

units = st.integers(0, 4)
line_ids = st.sampled_from(["L1", "L2", "L3"])
reports = st.sampled_from(
    [
        "acknowledged",
        "in_progress",
        "picked",
        "packed",
        "ready_for_pickup",
        "handed_over",
        "received",
        "not_collected",
        "short",
        "rejected",
        "cancel_accepted",
        "cancel_refused",
    ]
)
step = st.one_of(
    st.tuples(st.just("restate"), units, units),
    st.tuples(st.just("report"), st.integers(0, 3), reports, st.none() | st.tuples(line_ids, units)),
    st.tuples(st.just("ship"), st.integers(0, 3), line_ids, units),
    st.tuples(st.just("by hand"), line_ids, units),
    st.tuples(st.just("cancel"), st.none() | st.tuples(line_ids, units)),
    st.tuples(st.just("refund"), line_ids, units, st.sampled_from(["none", "cancel", "return"])),
    st.tuples(st.just("reply"), st.integers(0, 5), st.sampled_from(["success", "rejected", "ambiguous"])),
    st.tuples(st.just("count"), st.sampled_from(["east", "west"]), units),
    st.tuples(
        st.just("by the store"), st.integers(0, 3), st.sampled_from(REPORTS), st.none() | st.tuples(line_ids, units)
    ),
    st.tuples(st.just("move"), st.sampled_from(["TEE", "CAP"]), units),
    st.tuples(st.just("elsewhere")),
    st.tuples(st.just("days pass")),
    st.tuples(st.just("run")),
    st.tuples(st.just("send")),
)


def play(bench: Bench, number: int, said: tuple[Any, ...]) -> None:
    kind, *rest = said
    work = bench.store.rows("fulfilment_orders", {}, order_by=("id",))
    if kind == "restate":
        version = f"2026-11-02T09:00:{number:02}.000000Z"
        record = order_record(
            ("L1", "TEE", rest[0]), ("L2", "CAP", rest[1]), ("L3", "CAP", rest[0]), source_version=version
        )
        record["lines"][1] |= {"method": "pickup", "pickup_location": "west"}
        record["lines"][2] |= {"method": "ship_to_store", "pickup_location": "west"}
        bench.order(record)
    elif kind == "report" and work:
        chosen = work[rest[0] % len(work)]
        record = {"fact_key": str(number), "fulfilment_order": chosen["id"], "status": rest[1]}
        requests = chosen["document"]["cancel_requests"]
        record["cancel_request"] = requests[-1]["id"] if requests else "cr_x"
        if rest[2] is not None:
            record["lines"] = [{"line": bench.line_id(rest[2][0]), "quantity": str(rest[2][1])}]
        bench.fact("fulfilment_responses", record, connection="wms")
    elif kind == "ship" and work:
        record = shipped(number, [{"line": bench.line_id(rest[1]), "quantity": str(rest[2])}])
        bench.fact("shipments", record | {"fulfilment_order": work[rest[0] % len(work)]["id"]}, connection="wms")
    elif kind == "by the store" and work:
        said_lines = [{"line": bench.line_id(rest[2][0]), "quantity": str(rest[2][1])}] if rest[2] is not None else []
        requests = work[rest[0] % len(work)]["document"]["cancel_requests"]
        record = {"lines": said_lines, "cancel_request": requests[-1]["id"] if requests else "", "reason": "so"}
        work_id = work[rest[0] % len(work)]["id"]
        person(bench, report_work(bench.store, bench.rules, bench.now, f"ac_{number}", work_id, rest[1], record))
    elif kind == "move":
        amount = Decimal(rest[1])
        person(
            bench,
            transfer_stock(bench.store, bench.rules, bench.now, f"ac_{number}", rest[0], "east", "west", amount, "so"),
        )
    elif kind == "elsewhere":
        row = bench.store.row("orders", {"external_id": "4507"})
        assert row is not None
        person(bench, collect_elsewhere(bench.store, bench.rules, bench.now, f"ac_{number}", row["id"], "east"))
    elif kind == "days pass":
        bench.later(days=8)
    elif kind == "by hand":
        record = shipped(number, [{"external_line_id": rest[0], "quantity": str(rest[1])}])
        bench.fact("shipments", record | {"order_external_id": "4507"})
    elif kind == "cancel":
        record = {"fact_key": str(number), "order_external_id": "4507"}
        if rest[0] is not None:
            record["lines"] = [{"external_line_id": rest[0][0], "quantity": str(rest[0][1])}]
        bench.fact("cancel_requests", record)
    elif kind == "refund":
        lines = [{"external_line_id": rest[0], "quantity": str(rest[1]), "restock": rest[2]}]
        record = {"external_id": str(number), "fact_key": str(number), "order_external_id": "4507", "lines": lines}
        bench.fact("refunds", record)
    elif kind == "reply" and bench.effects:
        effect = list(bench.effects.values())[rest[0] % len(bench.effects)]
        bench.reply(effect, rest[1], accepted=True)
    elif kind == "count":
        at, quantity = rest
        sku_rows = [{"sku": sku, "quantity": str(quantity)} for sku in ("TEE", "CAP")]
        as_of = (bench.now + dt.timedelta(seconds=number)).isoformat()
        bench.restate("stock", {"location": at.upper(), "as_of": as_of, "rows": sku_rows}, connection=f"wms-{at}")
    elif kind == "send":
        bench.send()
    bench.later(seconds=1)
    bench.run("allocate", "resource", "confirm", "no_show", "pickup_reminder", "transfer_overdue")


def person(bench: Bench, decision: Decision) -> None:
    """What a person did is applied like anything else; what cannot be changes nothing."""
    bench.commit(decision)


def shipped(number: int, lines: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "fact_key": str(number),
        "external_id": str(number),
        "shipped_at": "2026-11-02T10:00:00Z",
        "packages": [{"package": "1", "tracking_number": f"TN{number}", "lines": lines}],
    }


@given(steps=st.lists(step, max_size=14))
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_is_applied_and_still_adds_up(steps: list[tuple[Any, ...]]) -> None:
    west = location("west", priority=2, can=frozenset({"ship", "pickup"}))
    bench = Bench(rules(location("east"), west))
    for sku in ("TEE", "CAP"):
        bench.stock(sku, "east", 2)
        bench.stock(sku, "west", 2)
    play(bench, 0, ("restate", 2, 1))
    for number, said in enumerate(steps, start=1):
        play(bench, number, said)
    refused = [decision for decision in bench.decisions if decision.verdict is Verdict.PARKED]
    assert refused == []
    for line in bench.store.rows("order_lines", {}):
        moved = bench.store.rows("quantity_moves", {"line_id": line["id"]})
        grown = sum((move["quantity"] for move in moved if not move["from_bucket"]), Decimal(0))
        assert grown == line["ordered"]
