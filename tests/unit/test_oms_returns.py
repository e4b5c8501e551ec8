"""Goods that come back: asked for, received anywhere, inspected, put where they belong, and paid back to the cent."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.return_policy import ReturnPolicy
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
SHOP = channel(capabilities=frozenset({"push_shipment", "push_inventory", "push_refund", "push_return"}))
ERP = ("submit_order", "update_order", "cancel_order", "post_invoice", "post_credit_note", "post_goods_movement")
STORE = location("store-7", type="store", wms="pos-7", stock_authority="pos-7", can=frozenset({"receive_returns"}))


def shipped(
    *lines: tuple[str, str, int],
    policy: ReturnPolicy | None = None,
    channel_rule: Any = SHOP,
    follows: bool = False,
    **changes: Any,
) -> Bench:
    """An order that has left from `east`, whole."""
    east = location("east", can=frozenset({"ship", "receive_returns"}))
    setup = rules(
        east,
        STORE,
        channels={"shop": channel_rule},
        takers=dict.fromkeys(ERP, ("erp",)) | {"push_inventory": ("shop",)},
        returns={"": policy or ReturnPolicy()},
        follows_packages=follows,
    )
    bench = Bench(setup)
    for sku in dict.fromkeys(sku for _, sku, _ in lines):
        bench.stock(sku, "east", 10)
    bench.order(order_record(*lines, **changes))
    bench.run("allocate", "confirm")
    (work,) = bench.store.rows("fulfilment_orders", {})
    packed = [
        {"line": part["line"], "sku": part["sku"], "quantity": part["quantity"]} for part in work["document"]["lines"]
    ]
    notice = {
        "fact_key": "n-1",
        "external_id": "n-1",
        "fulfilment_order": work["id"],
        "shipped_at": "2026-11-02T12:00:00Z",
        "packages": [{"package": "box-1", "tracking_number": "TRK-1", "lines": packed}],
    }
    bench.fact("shipments", notice, connection="wms-east")
    return bench


def ask(bench: Bench, *wishes: tuple[str, str], reason: str = "too_small", wants: str = "refund") -> Decision:
    lines = [{"external_line_id": line, "quantity": units} for line, units in wishes]
    order = bench.store.rows("orders", {"number": "#1001"})[0]["id"]
    cause = f"ac_{len(bench.decisions)}"
    made = return_desk.request(bench.store, bench.rules, bench.now, cause, order, "api", lines, reason, wants)
    bench._commit(made)
    return made


def do(bench: Bench, verb: Any, *arguments: Any, **named: Any) -> Decision:
    (one,) = bench.store.rows("returns", {})
    cause = f"ac_{len(bench.decisions)}"
    made: Decision = verb(bench.store, bench.rules, bench.now, cause, one["id"], *arguments, **named)
    bench._commit(made)
    return made


def arrives(
    bench: Bench, key: str, at: str, *lines: dict[str, str], connection: str = "pos-7", **more: str
) -> Decision:
    record = {"fact_key": key, "status": "received", "location": at, "lines": list(lines), **more}
    made = bench.fact("returns", record, connection=connection)
    assert made is not None
    return made


def the_return(bench: Bench) -> dict[str, Any]:
    (row,) = bench.store.rows("returns", {})
    return row


def stock(bench: Bench, sku: str, at: str) -> dict[str, Decimal]:
    row = bench.store.row("stock", {"sku": sku, "location": at})
    return {name: row[name] for name in ("on_hand", "quarantine", "damaged") if row[name]} if row else {}


def stages(bench: Bench) -> dict[str, dict[str, Decimal]]:
    names = ("requested", "in_transit", "received", "restocked", "quarantined", "scrapped", "withdrawn", "over")
    return {
        row["sku"]: {name: row[name] for name in names if row[name]}
        for row in bench.store.rows("return_lines", {}, order_by=("number",))
    }


def refunds(bench: Bench) -> list[str]:
    return [str(effect.record["amount"]) for effect in bench.sent("push_refund")]


def test_a_parcel_bought_online_comes_back_to_a_store_and_is_paid_back_once() -> None:
    bench = shipped(("L1", "TEE", 2), ("L2", "CAP", 1))
    assert bench.the_order()["status"] == "closed"
    ask(bench, ("L1", "1"))
    assert the_return(bench)["state"] == "approved"
    assert bench.the_order()["status"] == "confirmed", "a return opens its order again"
    name = the_return(bench)["number"]
    assert name == "#1001-RT1"
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": name})
    assert stock(bench, "TEE", "store-7") == {"on_hand": D(1)}, "the goods lie where they arrived"
    assert stock(bench, "TEE", "east") == {"on_hand": D(8)}
    assert stages(bench) == {"TEE": {"restocked": D(1)}}
    assert refunds(bench) == ["10"]
    (note,) = bench.sent("post_credit_note")
    assert (note.record["amount"], note.record["currency"]) == ("10", "USD")
    moved = [(one.record["kind"], one.record["location"]) for one in bench.sent("post_goods_movement")]
    assert ("return", "store-7") in moved
    assert [effect.record["status"] for effect in bench.sent("push_return")][:2] == ["approved", "received"]
    assert bench.fact("returns", {"fact_key": "r-1"}, connection="pos-7") is None, "a fact is applied once"
    assert refunds(bench) == ["10"]


def test_what_can_come_back_is_what_has_left_less_what_comes_back_already() -> None:
    bench = shipped(("L1", "TEE", 2))
    ask(bench, ("L1", "1"))
    refused = ask(bench, ("L1", "2"))
    assert refused.verdict is Verdict.IGNORED
    assert refused.message.startswith("2 of TEE asked for, 1 can come back")
    assert len(bench.store.rows("returns", {})) == 1


def test_goods_that_have_not_left_cannot_come_back() -> None:
    bench = Bench(rules(location("east"), channels={"shop": SHOP}))
    bench.stock("TEE", "east", 5)
    bench.order(order_record(("L1", "TEE", 1)))
    assert ask(bench, ("L1", "1")).message.startswith("1 of TEE asked for, 0 can come back")


def test_it_comes_in_two_parcels_and_is_received_inspected_and_settled_for_each() -> None:
    bench = shipped(("L1", "TEE", 3))
    ask(bench, ("L1", "3"))
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1"}, **{"return": one})
    assert (the_return(bench)["state"], refunds(bench)) == ("partially_received", [])
    do(bench, return_desk.inspect_return, "ada", [{"sku": "TEE", "quantity": "1", "disposition": "restock"}])
    assert refunds(bench) == ["10"]
    arrives(bench, "r-2", "EAST", {"sku": "TEE", "quantity": "2"}, connection="wms-east", **{"return": one})
    assert the_return(bench)["state"] == "received"
    lines = [
        {"sku": "TEE", "quantity": "1", "disposition": "quarantine", "grade": "B"},
        {"sku": "TEE", "quantity": "1", "disposition": "scrap", "grade": "C"},
    ]
    do(bench, return_desk.inspect_return, "ada", lines)
    assert stages(bench) == {"TEE": {"restocked": D(1), "quarantined": D(1), "scrapped": D(1)}}
    assert stock(bench, "TEE", "east") == {"on_hand": D(7), "quarantine": D(1), "damaged": D(1)}
    assert sum(map(D, refunds(bench))) == D(30)
    kinds = sorted(one.record["kind"] for one in bench.sent("post_goods_movement") if one.key.startswith("return/"))
    assert kinds == ["quarantine", "return", "scrap"]
    do(bench, return_desk.inspect_return, "ada", [{"sku": "TEE", "quantity": "1", "disposition": "restock"}])
    assert stock(bench, "TEE", "east") == {"on_hand": D(8), "damaged": D(1)}, "out of quarantine, for sale"
    assert sum(map(D, refunds(bench))) == D(30), "money and stock are decided apart"


def test_more_than_was_sent_is_kept_where_it_lies_and_not_paid_for() -> None:
    bench = shipped(("L1", "TEE", 1))
    ask(bench, ("L1", "1"))
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "3", "grade": "A"}, **{"return": one})
    assert stages(bench) == {"TEE": {"restocked": D(3), "over": D(2)}}
    assert stock(bench, "TEE", "store-7") == {"on_hand": D(3)}
    assert refunds(bench) == ["10"]
    assert bench.raised() == ["return_unexpected"]
    assert "2 of TEE more than had left" in bench.exceptions[-1].detail


def test_what_nobody_asked_back_makes_a_return_of_its_own() -> None:
    bench = shipped(("L1", "TEE", 2))
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, order="1001")
    assert (the_return(bench)["origin"], refunds(bench)) == ("blind", ["10"])
    assert stages(bench) == {"TEE": {"restocked": D(1)}}


def test_a_parcel_with_the_number_it_left_under_is_known_by_it() -> None:
    bench = shipped(("L1", "TEE", 2), follows=True)
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, tracking_number="TRK-1")
    assert (the_return(bench)["origin"], stages(bench)) == ("blind", {"TEE": {"restocked": D(1)}})


def test_what_a_carrier_says_is_under_way_cannot_be_asked_back_yet() -> None:
    bench = shipped(("L1", "TEE", 1), follows=True)
    scan = {"tracking_number": "TRK-1", "occurred_at": "2026-11-03T10:00:00Z"}
    bench.fact("tracking", {**scan, "fact_key": "s-1", "status": "in_transit"}, connection="carrier")
    assert ask(bench, ("L1", "1")).message.startswith("1 of TEE asked for, 0 can come back")
    bench.fact("tracking", {**scan, "fact_key": "s-2", "status": "delivered"}, connection="carrier")
    ask(bench, ("L1", "1"))
    assert the_return(bench)["state"] == "approved"


def test_what_belongs_to_nothing_known_waits() -> None:
    bench = shipped(("L1", "TEE", 2))
    made = arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1"}, order="9999")
    assert made.verdict is Verdict.WAITING


def test_goods_the_order_never_had_are_kept_and_a_person_decides() -> None:
    bench = shipped(("L1", "TEE", 1))
    arrives(bench, "r-1", "STORE-7", {"sku": "MUG", "quantity": "1", "grade": "A"}, order="#1001")
    assert stages(bench) == {"MUG": {"restocked": D(1), "over": D(1)}}
    assert stock(bench, "MUG", "store-7") == {"on_hand": D(1)}
    assert (refunds(bench), bench.raised()) == ([], ["return_unexpected"])


def test_after_the_window_it_is_refused_and_a_person_may_still_approve_it() -> None:
    bench = shipped(("L1", "TEE", 1), policy=ReturnPolicy(window=dt.timedelta(days=14)))
    bench.later(days=20)
    made = ask(bench, ("L1", "1"))
    assert "it is 19 days since the goods arrived; returns are taken for 14" in made.message
    assert the_return(bench)["state"] == "refused"
    assert bench.the_order()["status"] == "closed"
    do(bench, return_desk.approve_return)
    assert the_return(bench)["state"] == "approved"
    assert stages(bench) == {"TEE": {"requested": D(1), "withdrawn": D(1)}}


def test_a_person_decides_where_the_policy_says_so() -> None:
    bench = shipped(("L1", "TEE", 1), policy=ReturnPolicy(approve="person"))
    ask(bench, ("L1", "1"))
    assert (the_return(bench)["state"], bench.raised()) == ("requested", ["return_requested"])
    do(bench, return_desk.refuse_return, "worn")
    assert (the_return(bench)["state"], stages(bench)) == ("refused", {"TEE": {"withdrawn": D(1)}})
    assert bench.decisions[-1].clears, "nobody is asked any more"


def test_what_was_refused_and_comes_all_the_same_is_kept_and_not_paid_by_itself() -> None:
    bench = shipped(("L1", "TEE", 1), policy=ReturnPolicy(not_returnable=frozenset({"TEE"})))
    made = ask(bench, ("L1", "1"))
    assert "TEE cannot be returned" in made.message
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": one})
    assert (stages(bench), refunds(bench)) == ({"TEE": {"restocked": D(1)}}, [])
    assert bench.raised() == ["return_unexpected", "return_unsettled"]
    done = do(bench, return_desk.settle_return, "refund", "goodwill", amount="4.00")
    assert (refunds(bench), done.message) == (["4"], "4.00 USD given for #1001-RT1 (refund)")
    too_much = do(bench, return_desk.settle_return, "refund", "again")
    assert too_much.message.startswith("nothing of it has arrived that is not settled")


def test_it_expires_when_nothing_comes_and_the_order_is_closed_again() -> None:
    bench = shipped(("L1", "TEE", 1))
    ask(bench, ("L1", "1"))
    bench.later(days=31)
    bench.run("return_expiry")
    assert (the_return(bench)["state"], stages(bench)) == ("expired", {"TEE": {"withdrawn": D(1)}})
    assert bench.the_order()["status"] == "closed"
    assert not ask(bench, ("L1", "1")).message.startswith("1 of TEE asked for"), "it may be asked for again"


def test_it_is_cancelled_before_it_arrives_and_not_after() -> None:
    bench = shipped(("L1", "TEE", 2))
    ask(bench, ("L1", "2"))
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": one})
    assert "has arrived in part" in do(bench, return_desk.cancel_return, "kept").message
    do(bench, return_desk.close_return, "ada")
    assert stages(bench) == {"TEE": {"restocked": D(1), "withdrawn": D(1)}}
    assert refunds(bench) == ["10"]


def test_received_goods_that_nobody_inspects_are_shown_to_a_person() -> None:
    bench = shipped(("L1", "TEE", 1))
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1"}, order="1001")
    bench.later(days=4)
    bench.run("return_inspection")
    assert bench.raised() == ["return_uninspected"]
    do(bench, return_desk.inspect_return, "ada", [{"sku": "TEE", "quantity": "1", "disposition": "restock"}])
    assert any(clear.cause_key.startswith("return-uninspected/") for clear in bench.decisions[-1].clears)


def test_fee_and_deduction_are_kept_back_unless_it_is_our_fault() -> None:
    policy = ReturnPolicy(restocking_fee=D("0.10"), deductions={"B": D("0.25")})
    bench = shipped(("L1", "TEE", 2), policy=policy)
    line = {"sku": "TEE", "quantity": "1", "grade": "B", "disposition": "quarantine"}
    arrives(bench, "r-1", "STORE-7", line, order="1001")
    assert refunds(bench) == ["6.5"]
    arrives(bench, "r-2", "STORE-7", {**line, "reason": "damaged"}, order="1001")
    assert refunds(bench) == ["6.5", "10"]


def test_tax_discount_and_shipping_come_back_to_the_cent_however_it_is_cut() -> None:
    totals = {"lines": "30", "discounts": "1.00", "tax": "2.33", "shipping": "4.95", "total": "36.28"}
    bench = shipped(("L1", "TEE", 3), totals=totals)
    for number in range(3):
        arrives(bench, f"r-{number}", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, order="1001")
    paid = [D(amount) for amount in refunds(bench)]
    assert paid == [D("10.44"), D("10.45"), D("10.44") + D("4.95")]
    assert sum(paid) == D("36.28")
    assert sum(D(note.record["amount"]) for note in bench.sent("post_credit_note")) == D("36.28")


def test_refunds_are_paid_at_the_receipt_where_the_policy_says_so() -> None:
    bench = shipped(("L1", "TEE", 1), policy=ReturnPolicy(refund_on="receipt"))
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1"}, order="1001")
    assert (refunds(bench), the_return(bench)["state"]) == (["10"], "received")
    do(bench, return_desk.inspect_return, "ada", [{"sku": "TEE", "quantity": "1", "disposition": "scrap"}])
    assert refunds(bench) == ["10"]


def test_a_person_may_refund_before_the_goods_arrive_and_it_is_not_paid_again() -> None:
    bench = shipped(("L1", "TEE", 1))
    ask(bench, ("L1", "1"))
    do(bench, return_desk.settle_return, "refund", "regular customer", [{"sku": "TEE", "quantity": "1"}])
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": one})
    assert refunds(bench) == ["10"]


def test_where_the_channel_pays_back_itself_the_hub_pays_nothing() -> None:
    bench = shipped(("L1", "TEE", 1))
    notice = {"fact_key": "q-1", "status": "requested", "external_id": "RMA-9", "order_external_id": "4507"}
    lines = [{"external_line_id": "L1", "quantity": "1"}]
    bench.fact("returns", {**notice, "settled_by": "channel", "lines": lines})
    bench.fact("returns", {"fact_key": "q-2", "status": "in_transit", "external_id": "RMA-9", "settled_by": "channel"})
    assert the_return(bench)["state"] == "in_transit"
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": one})
    assert (refunds(bench), the_return(bench)["state"]) == ([], "closed")


def test_more_asked_for_at_the_channel_than_had_left_is_kept_and_a_person_is_told() -> None:
    bench = shipped(("L1", "TEE", 1))
    notice = {"fact_key": "q-1", "status": "requested", "external_id": "RMA-9", "order_external_id": "4507"}
    bench.fact("returns", {**notice, "lines": [{"external_line_id": "L1", "quantity": "2"}]})
    assert stages(bench) == {"TEE": {"requested": D(2), "over": D(1)}}
    assert bench.raised() == ["return_unexpected"]


def test_a_store_that_does_not_receive_returns_is_not_told_to() -> None:
    bench = shipped(("L1", "TEE", 1))
    closed = replace(STORE, can=frozenset({"pickup"}))
    bench.rules = replace(bench.rules, locations={**bench.rules.locations, "store-7": closed})
    ask(bench, ("L1", "1"))
    lines = [{"sku": "TEE", "quantity": "1"}]
    assert do(bench, return_desk.receive_return, "ada", "store-7", lines).message.startswith("store-7 does not receive")
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, order="1001")
    assert stock(bench, "TEE", "store-7") == {"on_hand": D(1)}, "what has arrived has arrived"
    assert "store-7 is not configured to receive returns" in bench.exceptions[-1].detail


def test_a_count_that_is_newer_than_the_receipt_has_the_goods_already() -> None:
    bench = shipped(("L1", "TEE", 1))
    count = {"location": "STORE-7", "as_of": "2026-11-02T20:00:00Z", "rows": [{"sku": "TEE", "quantity": "4"}]}
    bench.restate("stock", count, connection="pos-7")
    line = {"sku": "TEE", "quantity": "1", "grade": "A"}
    arrives(bench, "r-1", "STORE-7", line, order="1001", occurred_at="2026-11-02T19:00:00Z")
    assert stock(bench, "TEE", "store-7") == {"on_hand": D(4)}
    (entry,) = bench.store.rows("stock_events", {"kind": "return"})
    assert (entry["delta"], entry["bucket"]) == (D(0), "on_hand")


def test_a_return_stays_on_top_of_a_count_made_before_it() -> None:
    bench = shipped(("L1", "TEE", 1))
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "B"}, order="1001")
    do(bench, return_desk.inspect_return, "ada", [{"sku": "TEE", "quantity": "1", "disposition": "restock"}])
    count = {"location": "STORE-7", "as_of": "2026-11-02T08:00:00Z", "rows": [{"sku": "TEE", "quantity": "4"}]}
    bench.restate("stock", count, connection="pos-7")
    assert stock(bench, "TEE", "store-7") == {"on_hand": D(5)}


def test_what_a_channel_takes_off_its_total_for_a_return_is_not_credited_twice() -> None:
    bench = shipped(("L1", "TEE", 2))
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, order="1001")
    record = order_record(("L1", "TEE", 2), source_version="2026-11-05T09:00:00.000000Z")
    bench.order({**record, "totals": {"lines": "20", "total": "20", "current_total": "10"}})
    assert [note.record["amount"] for note in bench.sent("post_credit_note")] == ["10"]
    record = order_record(("L1", "TEE", 2), source_version="2026-11-06T09:00:00.000000Z")
    bench.order({**record, "totals": {"lines": "20", "total": "20", "current_total": "7.50"}})
    assert [note.record["amount"] for note in bench.sent("post_credit_note")] == ["10", "2.5"]
    assert "invoiced_above_total" not in bench.raised()
