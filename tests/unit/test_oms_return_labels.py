"""Labels of returns: bought once from the buyer to us, sent to the buyer, given back when nothing comes."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.domain.return_policy import ReturnPolicy
from hub.mapping import validate
from hub.oms.ports import NotifyRule
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, location
from tests.unit.test_oms_returns import ask, shipped

D = Decimal
ADDRESS = {
    "company": "Acme East",
    "lines": ["1 Depot Road"],
    "locality": "Newark",
    "postal_code": "07114",
    "country": "US",
}
SOLD: dict[str, Any] = {
    "label": {
        "external_id": "LBL-1",
        "tracking_number": "EZ1",
        "carrier": "acme-post",
        "service": "ground",
        "amount": "6.10",
        "currency": "USD",
        "format": "pdf",
        "content": base64.b64encode(b"%PDF-1.4").decode(),
    }
}


def asked() -> Bench:
    """A buyer may send one of two back, and its label is asked for."""
    bench = shipped(("L1", "TEE", 2), policy=ReturnPolicy(carrier="carrier", service="ground", location="east"))
    east = location("east", can=frozenset({"ship", "receive_returns"}), address=ADDRESS)
    bench.rules = replace(
        bench.rules,
        locations={**bench.rules.locations, "east": east},
        follows_packages=True,
        takers={**bench.rules.takers, "notify": ("mail",)},
        notify={"shop": NotifyRule(frozenset({"return_label"}))},
    )
    ask(bench, ("L1", "1"))
    return bench


def the_label(bench: Bench) -> dict[str, Any]:
    (row,) = bench.store.rows("labels", {})
    return dict(row)


def cancel(bench: Bench) -> None:
    (one,) = bench.store.rows("returns", {})
    made = return_desk.cancel_return(
        bench.store, bench.rules, bench.now, f"ac_{len(bench.decisions)}", one["id"], "kept"
    )
    bench._commit(made)


def test_a_label_of_a_return_goes_from_the_buyer_to_us() -> None:
    bench = asked()
    (bought,) = bench.sent("buy_label")
    assert validate(bought.record, "LabelRequest") == []
    assert bought.record["direction"] == "return"
    assert bought.record["ship_from"]["lines"] == ["1 Example Street"]
    assert bought.record["ship_to"]["lines"] == ["1 Depot Road"]
    bench.reply(bought, **SOLD)
    bench.reply(bought, **SOLD)
    label = the_label(bench)
    assert (label["state"], label["tracking_number"], label["cost"]) == ("bought", "EZ1", D("6.10"))
    (letter,) = bench.sent("notify")
    assert letter.record["attachments"][0]["content"] == SOLD["label"]["content"]
    assert letter.record["data"]["tracking_number"] == "EZ1"
    assert validate(letter.record, "Notification") == []


def test_the_label_of_a_return_that_does_not_come_is_given_back() -> None:
    bench = asked()
    (bought,) = bench.sent("buy_label")
    bench.reply(bought, **SOLD)
    cancel(bench)
    (void,) = bench.sent("void_label")
    assert validate(void.record, "LabelVoid") == []
    bench.reply(void, accepted=True, refund={"amount": "6.10", "currency": "USD"})
    assert (the_label(bench)["state"], the_label(bench)["refunded"]) == ("voided", D("6.10"))


def test_one_that_nobody_was_asked_for_yet_is_taken_back() -> None:
    bench = asked()
    cancel(bench)
    assert the_label(bench)["state"] == "withdrawn"
    assert not bench.sent("buy_label"), "withdrawn with its void"


def test_one_that_is_sold_after_the_return_was_cancelled_is_given_back_at_once() -> None:
    bench = asked()
    (bought,) = bench.sent("buy_label")
    bench.send()
    cancel(bench)
    assert the_label(bench)["state"] == "requested"
    bench.reply(bought, **SOLD)
    assert the_label(bench)["state"] == "voiding"
    assert len(bench.sent("void_label")) == 1
    assert not bench.sent("notify"), "the buyer is not sent a label that is void"


def test_a_void_that_is_refused_is_told_as_a_cost() -> None:
    bench = asked()
    (bought,) = bench.sent("buy_label")
    bench.reply(bought, **SOLD)
    cancel(bench)
    (void,) = bench.sent("void_label")
    bench.reply(void, accepted=False, reason="scanned")
    assert the_label(bench)["state"] == "void_refused"
    told = [event for made in bench.decisions for event in made.events if event.type == "hub.package.void_refused.v1"]
    assert [(one.data["cost"], one.data["currency"]) for one in told] == [("6.1", "USD")]
