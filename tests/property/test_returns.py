"""Random stories of goods that come back: whatever happens in whatever order, the ledgers agree with each other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.domain.return_policy import ReturnPolicy, value_of
from hub.domain.returns import BACK, CLAIMING, RETURN_MOVES, STAGE_MOVES, ReturnState, Stage
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench
from tests.unit.test_oms_returns import refunds, shipped

D = Decimal
ZERO = D(0)
SKUS = ("TEE", "CAP")
TOTALS = {"lines": "70", "discounts": "3.33", "tax": "5.71", "shipping": "4.95", "total": "77.33"}
LOCATIONS = {"east": "wms-east", "store-7": "pos-7"}
DISPOSED = ("restocked", "quarantined", "scrapped")

units = st.integers(1, 3)
skus = st.sampled_from(SKUS)
places = st.sampled_from(sorted(LOCATIONS))
dispositions = st.sampled_from(["restock", "quarantine", "scrap"])


class Story(RuleBasedStateMachine):
    """One order of 4 TEE and 3 CAP that has left. Verbs that are not possible are refused; nothing else may happen."""

    @initialize(refund_on=st.sampled_from(["inspection", "receipt"]), fee=st.sampled_from(["0", "0.15"]))
    def begin(self, refund_on: str, fee: str) -> None:
        policy = ReturnPolicy(refund_on=refund_on, restocking_fee=D(fee))
        self.bench: Bench = shipped(("L1", "TEE", 4), ("L2", "CAP", 3), policy=policy, totals=TOTALS)
        self.keeps = D(fee) > 0
        self.facts = 0
        self.began = {sku: self.on_hand(sku) for sku in SKUS}

    def do(self, verb: Any, *arguments: Any) -> None:
        cause = f"ac_{len(self.bench.decisions)}"
        self.bench._commit(verb(self.bench.store, self.bench.rules, self.bench.now, cause, *arguments))

    def some_return(self, number: int) -> str:
        found = self.bench.store.rows("returns", {}, order_by=("id",))
        return str(found[number % len(found)]["id"]) if found else "rt_none"

    @rule(sku=skus, quantity=units)
    def is_asked_for(self, sku: str, quantity: int) -> None:
        order = self.bench.the_order()["id"]
        lines = [{"sku": sku, "quantity": str(quantity)}]
        self.do(return_desk.request, order, "api", lines, "too small")

    @rule(sku=skus, quantity=units, place=places, number=st.integers(0, 3), named=st.booleans(), graded=st.booleans())
    def arrives(self, sku: str, quantity: int, place: str, number: int, named: bool, graded: bool) -> None:
        self.facts += 1
        line = {"sku": sku, "quantity": str(quantity)} | ({"grade": "A"} if graded else {})
        record = {"fact_key": f"r-{self.facts}", "status": "received", "location": place.upper(), "lines": [line]}
        record |= {"return": self.some_return(number)} if named else {"order": "1001"}
        if not named or record["return"] != "rt_none":
            self.bench.fact("returns", record, connection=LOCATIONS[place])

    @rule(sku=skus, quantity=units, number=st.integers(0, 3), disposition=dispositions)
    def is_inspected(self, sku: str, quantity: int, number: int, disposition: str) -> None:
        lines = [{"sku": sku, "quantity": str(quantity), "disposition": disposition}]
        self.do(return_desk.inspect_return, self.some_return(number), "ada", lines)

    @rule(number=st.integers(0, 3))
    def is_cancelled(self, number: int) -> None:
        self.do(return_desk.cancel_return, self.some_return(number), "kept")

    @rule(number=st.integers(0, 3))
    def is_closed(self, number: int) -> None:
        self.do(return_desk.close_return, self.some_return(number), "ada")

    @rule(number=st.integers(0, 3), sku=skus, quantity=units)
    def is_refunded_ahead(self, number: int, sku: str, quantity: int) -> None:
        lines = [{"sku": sku, "quantity": str(quantity)}]
        self.do(return_desk.settle_return, self.some_return(number), "refund", "goodwill", lines)

    @rule()
    def time_passes(self) -> None:
        self.bench.later(days=31)
        self.bench.run("return_expiry", "return_inspection", "close_return")

    def on_hand(self, sku: str) -> Decimal:
        found = self.bench.store.rows("stock", {"sku": sku})
        return sum((row["on_hand"] + row["quarantine"] + row["damaged"] for row in found), ZERO)

    @invariant()
    def the_ledgers_agree(self) -> None:
        store = self.bench.store
        parts, moves = store.rows("return_lines", {}), store.rows("return_moves", {})
        for part in parts:
            assert sum(part[stage.value] for stage in Stage) == part["claimed"]
            for stage in Stage:
                told = [
                    move["quantity"] * ((move["to_stage"] == stage) - (move["from_stage"] == stage))
                    for move in moves
                    if move["return_line_id"] == part["id"]
                ]
                assert sum(told, ZERO) == part[stage.value]
            assert part["settled"] <= part["claimed"] - part["over"]
        for move in moves:
            assert not move["from_stage"] or Stage(move["to_stage"]) in STAGE_MOVES[Stage(move["from_stage"])]
        for line in store.rows("order_lines", {}):
            of_line = [part for part in parts if part["line_id"] == line["id"]]
            claimed = sum((sum(part[stage.value] for stage in CLAIMING) - part["over"] for part in of_line), ZERO)
            assert claimed <= line["shipped"], "no more comes back than had left"

    @invariant()
    def goods_are_where_they_were_put(self) -> None:
        for sku in SKUS:
            of_sku = self.bench.store.rows("return_lines", {"sku": sku})
            back = sum((part[stage] for part in of_sku for stage in DISPOSED), ZERO)
            assert self.on_hand(sku) == self.began[sku] + back

    @invariant()
    def money_is_given_once_and_to_the_cent(self) -> None:
        paid = sum(map(D, refunds(self.bench)), ZERO)
        assert paid == sum((row["amount"] for row in self.bench.store.rows("return_settlements", {})), ZERO)
        assert paid <= D(TOTALS["total"])
        settled = sum((part["settled"] for part in self.bench.store.rows("return_lines", {})), ZERO)
        if settled == 7 and not self.keeps:
            assert paid == D(TOTALS["total"]), "everything is back, everything is paid back"
        credited = [D(note.record["amount"]) for note in self.bench.sent("post_credit_note")]
        assert sum(credited, ZERO) == paid

    @invariant()
    def a_closed_return_owes_nothing(self) -> None:
        for one in self.bench.store.rows("returns", {"state": ("settled", "closed")}):
            for part in self.bench.store.rows("return_lines", {"return_id": one["id"]}):
                assert part["requested"] + part["in_transit"] + part["received"] == 0
                back = sum(part[stage.value] for stage in BACK)
                assert part["line_id"] is None or part["settled"] >= back - part["over"]


Story.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestReturns = Story.TestCase


def test_shares_of_an_amount_add_up_however_it_is_cut() -> None:
    for cents in (1, 99, 1000, 3333, 7733):
        for whole in (1, 3, 7):
            amount, of_units = D(cents) / 100, D(whole)
            parts = [value_of(amount, of_units, D(number), D(1), "USD") for number in range(whole)]
            assert sum(parts) == amount
            assert value_of(amount, of_units, of_units, D(1), "USD") == 0, "more than there was is worth nothing"


def test_every_state_can_be_reached_and_left_or_is_an_end() -> None:
    reached = {target for targets in RETURN_MOVES.values() for target in targets}
    assert set(ReturnState) == reached | {ReturnState.REQUESTED}
