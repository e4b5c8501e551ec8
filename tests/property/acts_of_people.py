"""What people of the seller do at their desks: with orders, money, goods that come back, and goods that move."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hub.domain.change import Addition, Edit, LineEdit
from hub.domain.decision import Decision, Verdict
from hub.domain.ids import derived_id
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.change.changes import edit_order
from hub.oms.fulfilment.staff import collect_elsewhere, report_work
from hub.oms.money.payment_actions import capture_again, refund_order
from hub.oms.people import cancel_order, hold_order, release_order
from hub.oms.returns import return_desk
from hub.oms.stock.move_stock import transfer_stock
from tests.property.invariants import OPEN_STATUS
from tests.property.scene import PLACES, SKUS, SOLD, Scene, few, picks, seldom

WISHES = ("refund", "refund", "store_credit")


class People(Scene):
    """Rules of those who decide here."""

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks, verb=st.sampled_from([hold_order, release_order, cancel_order]))
    def person(self, pick: int, verb: Callable[..., Decision]) -> None:
        self._act(self._order_id(pick), verb, "ann", "because")
        self._done(verb.__name__)

    @precondition(lambda self: self._made_here())
    @rule(pick=picks, whole=st.booleans())
    def cancel_made_here(self, pick: int, whole: bool) -> None:
        """What should go out in exchange or as a replacement is not wanted after all, or part of it."""

        def cancel(*given: Any) -> Decision:
            return cancel_lines(*given)[0]

        made = self._made_here()
        lines = () if whole else [("1", Decimal(1))]
        self._act(made[pick % len(made)], cancel, "jo", "the buyer called", lines)
        self._done("cancel_made_here")

    @precondition(lambda self: self.orders)
    @rule(pick=picks, line=st.sampled_from(sorted(SOLD)), units=few, adds=st.booleans())
    def edit_here(self, pick: int, line: str, units: int, adds: bool) -> None:
        """Somebody here changes what is wanted, or adds a line; after release it is asked for."""
        wish = Edit(additions=[Addition("CAP", Decimal(1), Decimal(4))]) if adds else self._less(line, units)
        self._act(self._order_id(pick), edit_order, "jo", "the buyer called", wish)
        self._done("edit_here")

    @staticmethod
    def _less(line: str, units: int) -> Edit:
        return Edit(lines=[LineEdit(line, Decimal(units))])

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks, line=st.sampled_from(sorted(SOLD)))
    def cancel_here(self, pick: int, line: str) -> None:
        def cancel(*given: Any) -> Decision:
            return cancel_lines(*given)[0]

        self._act(self._order_id(pick), cancel, "jo", "the buyer called", [(line, Decimal(1))])
        self._done("cancel_here")

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks, amount=st.sampled_from(["1", "7.50", "100"]))
    def refund(self, pick: int, amount: str) -> None:
        self._act(self._order_id(pick), refund_order, "ann", "goodwill", Decimal(amount), {})
        self._done("refund")

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks)
    def capture_once_more(self, pick: int) -> None:
        self._act(self._order_id(pick), capture_again, "ann", "try again")
        self._done("capture_once_more")

    @precondition(lambda self: len(self.bench.decisions) % 3 == 0)
    # --- goods that come back ---

    @precondition(lambda self: self.town.parcels)
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), units=st.integers(1, 2), wants=st.sampled_from(WISHES))
    def ask_back(self, pick: int, line: str, units: int, wants: str) -> None:
        lines = [{"external_line_id": line, "quantity": str(units)}]
        self._act(self._order_id(pick), return_desk.request, "api", lines, "too small", wants)
        self._done("ask_back")

    @precondition(lambda self: self._returns())
    @rule(
        pick=picks,
        line=st.sampled_from(["L1", "L2"]),
        units=st.integers(1, 2),
        grade=st.sampled_from(["A", "A", "B", "C", ""]),
        place=st.sampled_from(["east", "store"]),
    )
    def bring_back(self, pick: int, line: str, units: int, grade: str, place: str) -> None:
        """A parcel, or its buyer, comes back to a location; it may hold more than was asked back."""
        said = {"line": line, "quantity": str(units), **({"grade": grade} if grade else {})}
        done = self._decide(self._return(pick), return_desk.receive_return, "ann", place, [said])
        if done and grade == "A":
            self.town.goods[place, SOLD[line]] += units
        self._done("bring_back")

    @precondition(lambda self: self._returns())
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), into=st.sampled_from(["restock", "quarantine", "scrap"]))
    def inspect(self, pick: int, line: str, into: str) -> None:
        for place in ("east", "store"):
            said = {"line": line, "quantity": "1", "disposition": into, "location": place}
            done = self._decide(self._return(pick), return_desk.inspect_return, "ann", [said])
            if done and into == "restock":
                self.town.goods[place, SOLD[line]] += 1
        self._done("inspect")

    @precondition(lambda self: self._returns())
    @rule(pick=picks, verb=st.sampled_from(["approve", "refuse", "cancel", "close", "refund", "nothing"]))
    def decide_return(self, pick: int, verb: str) -> None:
        one = self._return(pick)
        if verb in ("refund", "nothing"):
            self._decide(one, return_desk.settle_return, verb, "a person decided")
        elif verb == "approve":
            self._decide(one, return_desk.approve_return)
        elif verb == "refuse":
            self._decide(one, return_desk.refuse_return, "worn")
        elif verb == "cancel":
            self._decide(one, return_desk.cancel_return, "kept after all")
        else:
            self._decide(one, return_desk.close_return, "ann")
        self._done(f"return {verb}")

    @precondition(lambda self: self._returns())
    @rule(pick=picks, price=st.sampled_from(["4", "10", "25", None]), sku=st.sampled_from(SKUS))
    def exchange(self, pick: int, price: str | None, sku: str) -> None:
        """Other goods for what came back, dearer or cheaper."""
        wanted = {"sku": sku, "quantity": "1", **({"price": price} if price else {})}
        self._decide(self._return(pick), return_desk.exchange_return, [wanted], "another size")
        self._done("exchange")

    @precondition(lambda self: self.town.parcels)
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), claim=st.sampled_from(["replace", "again", "give up"]))
    def claim(self, pick: int, line: str, claim: str) -> None:
        """What arrived broken is sent again, what never arrived is sent again or paid back."""
        lines = [{"external_line_id": line, "quantity": "1"}]
        if claim == "replace":
            self._act(self._order_id(pick), return_desk.replace_goods, lines, "it was broken")
        elif claim == "again":
            self._act(self._order_id(pick), return_desk.ship_goods_again, lines)
        else:
            self._act(self._order_id(pick), return_desk.give_goods_up, lines, "it never came")
        self._done(f"claim {claim}")

    @precondition(seldom)
    @rule(source=st.sampled_from(PLACES), to=st.sampled_from(PLACES), sku=st.sampled_from(SKUS))
    def move_goods(self, source: str, to: str, sku: str) -> None:
        """From one shelf to another, for nobody in particular."""
        self._desk(transfer_stock, sku, source, to, Decimal(1), "the shelf is empty there")
        self._done("move_goods")

    @precondition(lambda self: self.town.under_way())
    @rule(pick=picks, most=st.integers(1, 3))
    def lose_on_the_way(self, pick: int, most: int) -> None:
        """Somebody says that goods between two locations will not come any more."""
        jobs = self.town.under_way()
        job = jobs[pick % len(jobs)]
        gone = self.town.part_of(job.going, most)
        said = {"lines": [{"line": line, "quantity": str(units)} for line, units in gone.items()], "reason": "fell off"}
        if self._desk(report_work, job.id, "lost", said):
            self.town.vanish(job, gone)
        self._done("lose_on_the_way")

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks)
    def collect_there(self, pick: int) -> None:
        """The buyer agrees to another store for what none has in hands; here there is one."""
        self._act(self._order_id(pick), collect_elsewhere, "store")
        self._done("collect_there")

    def _made_here(self) -> list[str]:
        """Orders that go out for goods of others, and are not over."""
        where = {"order_type": ("exchange", "replacement"), "status": OPEN_STATUS}
        return [row["id"] for row in self.bench.store.rows("orders", where, order_by=("id",))]

    def _desk(self, verb: Callable[..., Decision], *said: Any) -> bool:
        """A verb that is about no order; whether it was possible."""
        cause = derived_id("ac", str(self.town.next()))
        self.bench.commit(verb(self.bench.store, self.bench.rules, self.bench.now, cause, *said))
        return self.bench.decisions[-1].verdict is Verdict.APPLIED
