"""Other goods for what came back, the same again for what broke, and what is done about goods that never arrived."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.change import Edit, LineEdit
from hub.domain.decision import Decision
from hub.domain.writeset import Insert, WriteSet
from hub.oms.change.changes import edit_order
from hub.oms.people import cancel_order
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench
from tests.unit.test_oms_returns import SHOP, arrives, ask, refunds, shipped, stages, stock, the_return

D = Decimal


def exchanged(bench: Bench, *wanted: dict[str, str]) -> Decision:
    one = the_return(bench)["id"]
    cause = f"ac_{len(bench.decisions)}"
    made = return_desk.exchange_return(bench.store, bench.rules, bench.now, cause, one, wanted, "another size")
    bench._commit(made)
    return made


def came_back() -> Bench:
    """One of two shirts at 10.00 is back, and its customer wants another."""
    bench = shipped(("L1", "TEE", 2))
    bench.stock("TEE-L", "east", 5)
    ask(bench, ("L1", "1"), wants="exchange")
    one = the_return(bench)["id"]
    arrives(bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": one})
    return bench


@pytest.mark.parametrize(
    ("price", "words", "paid", "raised"),
    [
        ("", "no difference", [], []),
        ("10.00", "no difference", [], []),
        ("12.50", "2.50 USD more is charged", [], ["collect_at_channel"]),
        ("7.01", "2.99 USD is given back", ["2.99"], []),
    ],
)
def test_an_exchange_is_an_order_of_its_own_and_its_difference_is_settled_once(
    price: str, words: str, paid: list[str], raised: list[str]
) -> None:
    bench = came_back()
    assert bench.raised() == ["return_unsettled"], "the customer does not want the money"
    made = exchanged(bench, {"sku": "TEE-L", "quantity": "1", "price": price})
    assert made.message.endswith(words)
    bench.run("allocate", "confirm")
    (other,) = bench.store.rows("orders", {"order_type": "exchange"})
    assert (other["number"], other["status"]) == ("#1001-X1", "confirmed")
    assert [effect.record["lines"][0]["sku"] for effect in bench.sent("send_fulfilment_request")] == ["TEE", "TEE-L"]
    assert refunds(bench) == paid
    assert bench.raised()[1:] == raised
    (note,) = [one.record["amount"] for one in bench.sent("post_credit_note")]
    assert note == "10", "the books have what came back as a credit and what goes out as an invoice"
    again = exchanged(bench, {"sku": "TEE-L", "quantity": "1"})
    assert "left to settle" in again.message


@pytest.mark.parametrize(
    ("price", "paid"),
    [("10.00", ["10"]), ("7.01", ["2.99", "7.01"]), ("12.50", ["10"])],
    ids=["as dear", "cheaper", "dearer, and nobody has charged the difference"],
)
def test_an_exchange_that_is_not_sent_gives_back_what_its_customer_gave_for_it(price: str, paid: list[str]) -> None:
    bench = came_back()
    exchanged(bench, {"sku": "TEE-L", "quantity": "1", "price": price})
    for one in bench.exceptions[1:]:
        shown = {"id": one.cause_key, "cause_key": one.cause_key, "state": "open"}
        bench.store.apply(WriteSet([Insert("exceptions", shown)]))
    bench.run("allocate")
    (other,) = bench.store.rows("orders", {"order_type": "exchange"})
    for number in (1, 2):
        made = cancel_order(bench.store, bench.rules, bench.now, f"ac_c{number}", other["id"], "ann", "sold out")
        bench._commit(made)
        bench.run("settle_money")
    (ended,) = bench.store.rows("orders", {"order_type": "exchange"})
    assert ended["status"] == "cancelled"
    assert refunds(bench) == paid, "ten in all, once: what came back was worth ten"
    (note,) = [one.record["amount"] for one in bench.sent("post_credit_note")]
    assert any(
        clear.cause_key.startswith("collect-at-channel/") for made in bench.decisions for clear in made.clears
    ) == (price == "12.50")
    assert note == "10", "what came back is credited already, what was not sent was never invoiced"


@pytest.mark.parametrize(("units", "refunded"), [("0", ["10"]), ("3", [])])
@pytest.mark.parametrize("money", ["hub", "channel"])
def test_an_exchange_that_is_edited_is_settled_with_the_first_order_and_credits_nothing_of_it(
    money: str, units: str, refunded: list[str]
) -> None:
    card = {"external_id": "card-1", "amount": "20", "captured": "20", "state": "captured", "method": "card"}
    bench = shipped(("L1", "TEE", 2), channel_rule=replace(SHOP, money=money), payments=[card])
    bench.stock("TEE-L", "east", 5)
    ask(bench, ("L1", "1"), wants="exchange")
    arrives(
        bench, "r-1", "STORE-7", {"sku": "TEE", "quantity": "1", "grade": "A"}, **{"return": the_return(bench)["id"]}
    )
    exchanged(bench, {"sku": "TEE-L", "quantity": "1"})
    (other,) = bench.store.rows("orders", {"order_type": "exchange"})
    wish = Edit(lines=[LineEdit("1", D(units))])
    bench._commit(edit_order(bench.store, bench.rules, bench.now, "ac_e", other["id"], "jo", "they called", wish))
    for effect in bench.sent("push_refund"):
        bench.reply(effect, external_id="re-1")
    bench.run("allocate", "settle_money")
    assert refunds(bench) == refunded
    assert [one.record["amount"] for one in bench.sent("post_credit_note")] == ["10"], "for what came back, alone"
    more = [one.detail for one in bench.exceptions if one.kind in ("collect_at_channel", "capture_short")]
    assert [words.split(" ")[0] for words in more] == (["20.00"] if units == "3" else [])


def said(bench: Bench, verb: Any, *arguments: Any) -> Decision:
    order = bench.store.rows("orders", {"number": "#1001"})[0]["id"]
    cause = f"ac_{len(bench.decisions)}"
    made: Decision = verb(bench.store, bench.rules, bench.now, cause, order, *arguments)
    bench._commit(made)
    return made


def test_a_replacement_costs_nothing_and_is_sent_once_for_each_unit() -> None:
    bench = shipped(("L1", "TEE", 1))
    said(bench, return_desk.replace_goods, [{"sku": "TEE", "quantity": "1"}], "broken")
    bench.run("allocate", "confirm")
    (other,) = bench.store.rows("orders", {"order_type": "replacement"})
    assert (other["number"], other["total"], other["status"]) == ("#1001-R1", D(0), "confirmed")
    again = said(bench, return_desk.replace_goods, [{"sku": "TEE"}], "again")
    assert again.message == "1 of TEE named, 0 have left and were not replaced yet"


def lost(bench: Bench, status: str) -> None:
    """The carrier says what became of the parcel."""
    scan = {"tracking_number": "TRK-1", "status": status, "occurred_at": "2026-11-04T10:00:00Z", "fact_key": "s-1"}
    bench.fact("tracking", scan, connection="carrier")


def followed(*lines: tuple[str, str, int]) -> Bench:
    return shipped(*lines, follows=True)


def test_what_was_lost_is_shipped_again_by_a_person_s_word() -> None:
    bench = followed(("L1", "TEE", 2))
    lost(bench, "lost")
    assert bench.lines() == {"L1": {"lost": D(2)}}
    made = said(bench, return_desk.ship_goods_again, [{"sku": "TEE", "quantity": "2"}])
    assert made.message == "what did not arrive is shipped again"
    assert any(clear.cause_key.endswith("/package_lost") for clear in made.clears)
    bench.run("allocate", "confirm", "resource")
    assert bench.lines() == {"L1": {"released": D(2)}}
    assert len(bench.sent("send_fulfilment_request")) == 2


def test_what_was_lost_is_cancelled_and_paid_back_to_the_cent() -> None:
    bench = followed(("L1", "TEE", 3))
    lost(bench, "lost")
    said(bench, return_desk.give_goods_up, [{"sku": "TEE", "quantity": "1"}], "lost")
    made = said(bench, return_desk.give_goods_up, [{"sku": "TEE", "quantity": "2"}], "lost")
    assert (bench.lines(), refunds(bench)) == ({"L1": {"cancelled": D(3)}}, ["10", "20"])
    assert any(clear.cause_key.endswith("/package_lost") for clear in made.clears)
    assert "0 did not arrive" in said(bench, return_desk.give_goods_up, [{"sku": "TEE"}], "again").message


def test_what_a_carrier_brings_back_is_stock_again_and_no_return() -> None:
    bench = followed(("L1", "TEE", 2))
    lost(bench, "returned_to_sender")
    assert bench.lines() == {"L1": {"returned_to_sender": D(2)}}
    arrives(bench, "r-1", "EAST", {"sku": "TEE", "quantity": "2"}, connection="wms-east", order="1001")
    assert stock(bench, "TEE", "east") == {"on_hand": D(10)}
    assert (stages(bench), refunds(bench)) == ({}, [])
    said(bench, return_desk.give_goods_up, [{"sku": "TEE", "quantity": "2"}], "refused at the door")
    assert refunds(bench) == ["20"]
    assert bench.the_order()["status"] == "cancelled"


def test_a_parcel_can_only_be_decided_once_it_did_not_arrive() -> None:
    bench = followed(("L1", "TEE", 1))
    made = said(bench, return_desk.ship_goods_again, [{"sku": "TEE", "quantity": "1"}])
    assert made.message == "1 of TEE named, 0 did not arrive"
