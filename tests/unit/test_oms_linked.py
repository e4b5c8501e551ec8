"""Orders made out of others: linked both ways, saved together, allocated and shipped by the same rules."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.link import INVERSE, MEANINGS, LinkRole, link_of, role_of
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save
from hub.oms.intake.linked import also_open, link, linked_order, same_goods
from tests.property.memory_store import Bench, location, order_record, rules


def shipped_order() -> Bench:
    bench = Bench(rules(location("east")))
    bench.stock("TEE", "east", 10)
    bench.order(order_record(("L1", "TEE", 2)))
    bench.run("allocate", "confirm")
    return bench


def case_of(bench: Bench, cause: str = "ac_1") -> Case:
    row = bench.store.rows("orders", {"number": "#1001"})[0]
    case = open_case(bench.store, bench.rules, bench.now, cause, row["id"])
    assert case is not None
    return case


def replace_one(bench: Bench) -> Case:
    case = case_of(bench)
    lines = [same_goods(case.order.lines[0], Decimal(1), unit_price="0")]
    other = linked_order(case, "replacement", LinkRole.REPLACEMENT_FOR, lines, service_level="express")
    bench._commit(save(case))
    return other


def test_a_replacement_is_an_order_of_its_own_that_goes_out_by_itself() -> None:
    bench = shipped_order()
    other = replace_one(bench)
    bench.run("allocate", "confirm")
    row = bench.store.row("orders", {"id": other.order.id})
    assert row is not None
    assert (row["order_type"], row["number"], row["total"], row["status"]) == (
        "replacement",
        "#1001-R1",
        Decimal(0),
        "confirmed",
    )
    assert row["document"]["service_level"] == "express"
    _, work = bench.sent("send_fulfilment_request")
    assert work.record["order"] == other.order.id
    assert work.record["ship_to"]["postal_code"] == "12207"
    assert [effect.order_id for effect in bench.sent("submit_order")] == [
        bench.store.rows("orders", {"number": "#1001"})[0]["id"],
        other.order.id,
    ]


def test_both_orders_tell_of_the_link_in_their_own_words() -> None:
    bench = shipped_order()
    other = replace_one(bench)
    (row,) = bench.store.rows("order_links", {})
    assert (row["order_id"], row["role"]) == (other.order.id, "replacement_for")
    told = {event.order_id: event.data["role"] for event in bench.decisions[-1].events if "linked" in event.type}
    assert told == {other.order.id: "replacement_for", row["other_order_id"]: "replacement"}


def test_computing_the_same_cause_again_makes_the_same_order() -> None:
    bench = shipped_order()
    made = []
    for _ in range(2):
        case = case_of(bench)
        other = linked_order(case, "exchange", LinkRole.EXCHANGE_FOR, [same_goods(case.order.lines[0], Decimal(1))])
        made.append(save(case).writes.operations)
        assert other.order.number == "#1001-X1"
    assert made[0] == made[1]


def test_a_second_order_of_the_same_kind_gets_the_next_number() -> None:
    bench = shipped_order()
    replace_one(bench)
    case = case_of(bench, "ac_2")
    other = linked_order(case, "replacement", LinkRole.REPLACEMENT_FOR, [same_goods(case.order.lines[0], Decimal(1))])
    assert other.order.number == "#1001-R2"


def test_the_channel_is_not_told_of_shipments_of_an_order_that_it_does_not_know() -> None:
    bench = shipped_order()
    other = replace_one(bench)
    bench.run("allocate", "confirm")
    work = bench.sent("send_fulfilment_request")[1].record
    line = work["lines"][0]
    package = {"package": "1", "lines": [{"line": line["line"], "sku": "TEE", "quantity": "1"}]}
    notice = {"fact_key": "s-9", "external_id": "s-9", "fulfilment_order": work["fulfilment_order"]}
    bench.fact("shipments", {**notice, "packages": [package]}, connection="wms-east")
    row = bench.store.row("orders", {"id": other.order.id})
    assert row is not None
    assert row["status"] == "closed"
    assert bench.sent("push_shipment") == []


def test_two_orders_of_a_channel_can_be_linked_and_changed_in_one_decision() -> None:
    bench = shipped_order()
    bench.order(order_record(("L1", "TEE", 1), external_id="4508", number="#1002"))
    second = bench.store.rows("orders", {"number": "#1002"})[0]["id"]
    case = case_of(bench)
    other = also_open(case, second)
    assert other is not None
    link(case, second, LinkRole.REPLACED_BY)
    other.order.facts = {**other.order.facts, "service_level": "express"}
    bench._commit(save(case))
    (row,) = bench.store.rows("order_links", {})
    assert (row["order_id"], row["role"], row["other_order_id"]) == (second, "replaces", case.order.id)
    changed = bench.store.row("orders", {"id": second})
    assert changed is not None
    assert (changed["version"], changed["document"]["service_level"]) == (2, "express")
    again = case_of(bench, "ac_3")
    link(again, second, LinkRole.REPLACED_BY)
    assert save(again).writes.operations == []


def test_every_role_has_a_meaning_and_an_inverse() -> None:
    assert set(MEANINGS) == set(LinkRole) == {*INVERSE, *INVERSE.values()}
    for role in LinkRole:
        made = link_of("a", role, "b")
        assert role_of("a", made) is role
