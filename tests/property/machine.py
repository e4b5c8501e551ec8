"""A state machine over the whole order management: whatever is done next, nothing is lost, doubled or forgotten.

    python -m tests.property.machine --steps 20000 [--seed N] [--json]

Orders are placed, edited, held, cancelled, sourced, packed, shipped, short, collected, refunded and told back by those
who were told; calls are refused, or lost before or after they were done, compensations among them. After every step the
ledgers of the hub are held against each other and against those of the town around it; in the end everything that can
still be done is done, and nothing may be left open that nobody knows of.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.domain.change import Addition, Edit, LineEdit
from hub.domain.decision import Decision, Verdict
from hub.domain.ids import derived_id
from hub.domain.quantity import Bucket
from hub.domain.return_policy import ReturnPolicy
from hub.oms.change.cancel_by_hand import cancel_lines
from hub.oms.change.changes import edit_order
from hub.oms.handlers import build
from hub.oms.money.payment_actions import capture_again, refund_order
from hub.oms.people import cancel_order, hold_order, release_order
from hub.oms.ports import LabelRule, NotifyRule
from hub.oms.returns import return_desk
from tests.property.memory_store import Bench, channel, location, order_record, rules
from tests.property.town import Account, Job, Town

ZERO = Decimal(0)
SKUS = ("TEE", "CAP")
PLACES = ("east", "west", "store")
MONEY = ("capture", "refund", "void", "reauthorise", "authorise")
PUSHES = ("push_shipment", "push_refund", "push_cancellation", "push_return", "push_order_status")
TEMPLATES = ("ready_for_pickup", "pickup_reminder", "not_collected", "pickup_cancelled", "shipped")
OUTCOMES = ("done", "done", "done", "done", "declined", "refused", "lost before", "lost after")
WISHES = ("refund", "refund", "store_credit")
RETURN_ENDED = ("refused", "expired", "cancelled", "closed")
STORE = frozenset({"ship", "pickup", "receive_returns"})
OPEN_STATUS = ("received", "held", "confirmed")
WORK_ENDED = ("completed", "cancelled", "rejected", "partially_completed")
ADDRESS = {"lines": ["1 Depot Road"], "locality": "Newark", "postal_code": "07114", "country": "US"}
picks = st.integers(0, 63)
few = st.integers(0, 3)
COUNTS: Counter[str] = Counter()
"""Steps by rule, over all runs of this process."""


def furnished() -> Bench:
    """Two warehouses, for one of which the hub buys labels, and a store; a shop whose money the hub handles and a
    marketplace that handles its own."""
    shop = channel(money="hub", capabilities=frozenset(PUSHES), location_map={"S-1": "store"})
    market = channel(id="market", capabilities=frozenset(PUSHES), grace_seconds=1800.0)
    takers = dict.fromkeys(
        ("submit_order", "update_order", "cancel_order", "post_invoice", "post_credit_note"), ("erp",)
    )
    takers |= dict.fromkeys(MONEY, ("payment",))
    takers |= {"post_goods_movement": ("erp",), "notify": ("mail",)}
    made = rules(
        location("east", labels=LabelRule("carrier"), address=ADDRESS, can=frozenset({"ship", "receive_returns"})),
        location("west", priority=2, cost_order=Decimal("2.50")),
        location(
            "store",
            type="store",
            priority=3,
            can=frozenset({"ship", "pickup", "receive_returns"}),
            cost_order=Decimal(9),
        ),
        channels={"shop": shop, "market": market},
        takers=takers,
        follows_packages=True,
        returns={"": ReturnPolicy(restocking_fee=Decimal("1.50"))},
        notify={"shop": NotifyRule(frozenset(TEMPLATES))},
    )
    return Bench(made)


class Oms(RuleBasedStateMachine):
    """`orders` are those placed: (channel, external id) -> (version, quantities, highest total)."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = furnished()
        self.town = Town(self.bench)
        self.orders: dict[tuple[str, str], dict[str, Any]] = {}

    @initialize(units=st.lists(st.integers(1, 6), min_size=6, max_size=6), delivered=st.booleans())
    def stock_up(self, units: list[int], delivered: bool) -> None:
        """`delivered`: the first two orders have arrived when the story begins."""
        for sku in SKUS:
            self.bench.restate("items", {"sku": sku, "external_id": sku})
        for number, place in enumerate(PLACES):
            for offset, sku in enumerate(SKUS):
                self.town.goods[place, sku] = Decimal(units[number * 2 + offset])
            self.town.count(place)
        self.bench.later(seconds=1)
        for paid in ("authorised", "two"):
            self._place("shop", {"lines": {"L1": 2, "L2": 1}, "paid": paid, "pickup": False})
        self._work()
        if delivered:
            self._deliver()

    def _deliver(self) -> None:
        for _ in range(6):
            for key in self.town.waiting():
                self.town.send(key, "done")
            for job in self._jobs():
                self.bench.later(seconds=1)
                self.town.ship(job, {line: held for line, held in job.held.items() if held > 0})
            self.bench.later(seconds=1)
            self._work()
        for tracking in self.town.parcels:
            self._scan(tracking, "delivered")
        self._work()

    def _scan(self, tracking: str, status: str) -> None:
        record = {"fact_key": f"t{self.town.next()}", "tracking_number": tracking, "status": status}
        self.bench.fact("tracking", record | {"occurred_at": self.bench.now.isoformat()}, connection="carrier")

    def _done(self, name: str) -> None:
        COUNTS[name] += 1
        self.bench.later(seconds=1)
        self._work()

    def _work(self) -> None:
        """The hub does what is due."""
        handlers = build(self.bench.rules)
        self.bench.run(*(kind for kind in handlers.tasks if kind != "push_stock"))

    # --- the channel and its customers ---

    @precondition(lambda self: len(self.orders) < 5)
    @rule(
        where=st.sampled_from(["shop", "shop", "market"]),
        tees=st.integers(1, 3),
        caps=few,
        paid=st.sampled_from(["authorised", "authorised", "captured", "two", "pending"]),
        pickup=st.booleans(),
    )
    def order(self, where: str, tees: int, caps: int, paid: str, pickup: bool) -> None:
        self._place(where, {"lines": {"L1": tees, "L2": caps}, "paid": paid, "pickup": pickup})
        self._done("order")

    def _place(self, where: str, wish: dict[str, Any]) -> None:
        number = str(len(self.orders) + 1)
        self.orders[where, number] = {"version": 1, "most": 0, **wish}
        self._restate(where, number)

    def _restate(self, where: str, number: str) -> None:
        kept = self.orders[where, number]
        skus = {"L1": "TEE", "L2": "CAP"}
        lines = [(line, skus[line], units) for line, units in kept["lines"].items()]
        total = Decimal(10) * sum(kept["lines"].values())
        kept["most"] = max(kept["most"], total)
        said: dict[str, Any] = {
            "external_id": number,
            "number": f"#{where}-{number}",
            "source_version": f"2026-11-02T09:00:{kept['version']:02}.000000Z",
            "payment_state": "pending" if kept["paid"] == "pending" else "paid",
        }
        if kept["pickup"] and where == "shop":
            said |= {"method": "pickup", "pickup_location": "S-1"}
        if where == "shop":
            said["payments"] = self._payments(number, kept)
        else:
            self.town.accounts.setdefault(f"channel {number}", Account(total, total)).authorised = kept["most"]
            self.town.accounts[f"channel {number}"].captured = kept["most"]
        self.bench.order(order_record(*lines, **said), connection=where)

    def _payments(self, number: str, kept: dict[str, Any]) -> list[dict[str, Any]]:
        """One card, or a voucher of ten before it; what is asked for more is authorised on the card."""
        most, paid = kept["most"], kept["paid"]
        parts = {f"card-{number}": most}
        if paid == "two" and most > 10:
            parts = {f"gift-{number}": Decimal(10), f"card-{number}": most - 10}
        stated = []
        for external_id, amount in parts.items():
            account = self.town.accounts.setdefault(external_id, Account(amount))
            account.authorised = max(account.authorised, amount)
            state = "authorised"
            if paid == "captured" and kept["version"] == 1:
                account.captured = amount
                state = "captured"
            one = {"external_id": external_id, "amount": str(account.authorised), "state": state}
            if account.captured and paid == "captured":
                one |= {"captured": str(kept.setdefault("upfront", amount))}
            stated.append({**one, "method": "gift_card" if external_id.startswith("gift") else "card"})
        return stated

    @precondition(lambda self: self.orders)
    @rule(pick=picks, tees=few, caps=few, pays=st.booleans())
    def edit(self, pick: int, tees: int, caps: int, pays: bool) -> None:
        where, number = self._pick(pick)
        kept = self.orders[where, number]
        kept["version"] += 1
        kept["lines"] = {"L1": tees, "L2": caps}
        if pays and kept["paid"] == "pending":
            kept["paid"] = "authorised"
        self._restate(where, number)
        self._done("edit")

    @precondition(lambda self: self.orders)
    @rule(pick=picks, line=st.sampled_from([None, "L1", "L2"]), executed=st.booleans())
    def cancel(self, pick: int, line: str | None, executed: bool) -> None:
        where, number = self._pick(pick)
        record: dict[str, Any] = {"fact_key": f"c{self.town.next()}", "order_external_id": number, "executed": executed}
        if line is not None:
            record["lines"] = [{"external_line_id": line, "quantity": "1"}]
        self.bench.fact("cancel_requests", record, connection=where)
        self._done("cancel")

    @precondition(lambda self: any(where == "market" for where, _ in self.orders))
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), restock=st.sampled_from(["none", "cancel", "return"]))
    def refund_at_channel(self, pick: int, line: str, restock: str) -> None:
        """The marketplace gives money back by itself."""
        markets = [number for where, number in self.orders if where == "market"]
        number = markets[pick % len(markets)]
        account = self.town.accounts[f"channel {number}"]
        amount = min(Decimal(10), account.captured - account.refunded)
        if amount <= 0:
            return
        account.refunded += amount
        key = f"cr{self.town.next()}"
        lines = [{"external_line_id": line, "quantity": "1", "restock": restock}]
        record = {"external_id": key, "fact_key": key, "order_external_id": number, "amount": str(amount)}
        self.bench.fact("refunds", {**record, "currency": "USD", "lines": lines}, connection="market")
        self._done("refund_at_channel")

    # --- people here ---

    @precondition(lambda self: self.orders)
    @rule(pick=picks, verb=st.sampled_from([hold_order, release_order, cancel_order]))
    def person(self, pick: int, verb: Callable[..., Decision]) -> None:
        self._act(self._order_id(pick), verb, "ann", "because")
        self._done(verb.__name__)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), units=few, adds=st.booleans())
    def edit_here(self, pick: int, line: str, units: int, adds: bool) -> None:
        """Somebody here changes what is wanted, or adds a line; after release it is asked for."""
        wish = Edit(additions=[Addition("CAP", Decimal(1), Decimal(4))]) if adds else self._less(line, units)
        self._act(self._order_id(pick), edit_order, "jo", "the buyer called", wish)
        self._done("edit_here")

    @staticmethod
    def _less(line: str, units: int) -> Edit:
        return Edit(lines=[LineEdit(line, Decimal(units))])

    @precondition(lambda self: self.orders)
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]))
    def cancel_here(self, pick: int, line: str) -> None:
        def cancel(*given: Any) -> Decision:
            return cancel_lines(*given)[0]

        self._act(self._order_id(pick), cancel, "jo", "the buyer called", [(line, Decimal(1))])
        self._done("cancel_here")

    @precondition(lambda self: self.orders)
    @rule(pick=picks, amount=st.sampled_from(["1", "7.50", "100"]))
    def refund(self, pick: int, amount: str) -> None:
        self._act(self._order_id(pick), refund_order, "ann", "goodwill", Decimal(amount), {})
        self._done("refund")

    @precondition(lambda self: len(self.bench.decisions) % 4 == 0)
    @rule(pick=picks)
    def capture_once_more(self, pick: int) -> None:
        self._act(self._order_id(pick), capture_again, "ann", "try again")
        self._done("capture_once_more")

    def _act(self, order_id: str | None, verb: Callable[..., Decision], *said: Any) -> None:
        if order_id is None:
            return
        cause = derived_id("ac", str(self.town.next()))
        self.bench.commit(verb(self.bench.store, self.bench.rules, self.bench.now, cause, order_id, *said))

    # --- systems that are called ---

    @precondition(lambda self: self.town.waiting())
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def call(self, pick: int, outcome: str) -> None:
        waiting = self.town.waiting()
        self.town.send(waiting[pick % len(waiting)], outcome)
        self._done(f"call {outcome}")

    @precondition(lambda self: self.town.waiting())
    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=8))
    def calls(self, outcomes: list[str]) -> None:
        for outcome in outcomes:
            waiting = self.town.waiting()
            if waiting:
                self.town.send(waiting[0], outcome)
                self._done(f"call {outcome}")

    @precondition(lambda self: len(self.town.waiting()) > 3)
    @rule()
    def all_calls(self) -> None:
        """Everything that can go out goes out."""
        for _ in range(20):
            waiting = self.town.waiting()
            for key in waiting:
                self.town.send(key, "done")
            self._work()
        self._done("all_calls")

    @precondition(lambda self: self.town.unknown())
    @rule(pick=picks)
    def look_up(self, pick: int) -> None:
        unknown = self.town.unknown()
        self.town.look_up(unknown[pick % len(unknown)])
        self._done("look_up")

    @precondition(lambda self: self.town.echoes)
    @rule(pick=picks)
    def echo(self, pick: int) -> None:
        """The provider tells of what it did for us, before or after its answer."""
        connection, stream, record = self.town.echoes.pop(pick % len(self.town.echoes))
        self.bench.fact(stream, record, connection=connection)
        self._done("echo")

    # --- locations and carriers ---

    @precondition(lambda self: self._jobs())
    @rule(
        pick=picks,
        said=st.sampled_from(["acknowledged", "picked", "pack", "pack", "ship", "ship", "ship", "short", "rejected"]),
        most=st.integers(1, 4),
    )
    def work(self, pick: int, said: str, most: int) -> None:
        jobs = self._jobs()
        job = jobs[pick % len(jobs)]
        units = self.town.part(job, most)
        if job.method == "pickup" and said in ("pack", "ship"):
            ready = Bucket.READY_FOR_PICKUP.value
            waits = sum(row[ready] for row in self.bench.store.rows("order_lines", {"id": tuple(job.held)}))
            if waits:
                self.town.hand_over(job, job.held)
            else:
                self.town.tell(job, "ready_for_pickup")
        elif said == "ship":
            self.town.ship(job, units)
        elif said == "pack":
            self.town.pack(job, units)
        elif said == "short":
            self.town.give_back(job, said, units)
        elif said == "rejected":
            self.town.give_back(job, said, {line: held for line, held in job.held.items() if held > 0})
        else:
            self.town.tell(job, said)
        self._done(f"work {said}")

    @precondition(lambda self: any(job.asked for job in self.town.jobs.values()))
    @rule(pick=picks, accepts=st.booleans())
    def answer_cancel(self, pick: int, accepts: bool) -> None:
        asked = [(job, request) for job in self.town.jobs.values() for request in job.asked]
        job, request = asked[pick % len(asked)]
        self.town.answer(job, request, accepts)
        self._done("answer_cancel")

    @precondition(lambda self: len(self.bench.decisions) % 3 == 0)
    @rule(pick=picks, more=few)
    def count(self, pick: int, more: int) -> None:
        """Goods come, and the location counts."""
        place = PLACES[pick % len(PLACES)]
        self.town.goods[place, SKUS[pick % 2]] += more
        self.town.count(place)
        self._done("count")

    @precondition(lambda self: any(task.kind == "rate" for task in self.bench.tasks.values()))
    @rule(refused=st.booleans())
    def rate(self, refused: bool) -> None:
        self.town.rate(refused)
        self._done("rate")

    @precondition(lambda self: self.town.parcels)
    @rule(pick=picks, status=st.sampled_from(["in_transit", "delivered", "exception", "returned_to_sender", "lost"]))
    def scan(self, pick: int, status: str) -> None:
        self._scan(self.town.parcels[pick % len(self.town.parcels)], status)
        self._done("scan")

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
            self.town.goods[place, {"L1": "TEE", "L2": "CAP"}[line]] += units
        self._done("bring_back")

    @precondition(lambda self: self._returns())
    @rule(pick=picks, line=st.sampled_from(["L1", "L2"]), into=st.sampled_from(["restock", "quarantine", "scrap"]))
    def inspect(self, pick: int, line: str, into: str) -> None:
        for place in ("east", "store"):
            said = {"line": line, "quantity": "1", "disposition": into, "location": place}
            done = self._decide(self._return(pick), return_desk.inspect_return, "ann", [said])
            if done and into == "restock":
                self.town.goods[place, {"L1": "TEE", "L2": "CAP"}[line]] += 1
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

    def _returns(self) -> list[dict[str, Any]]:
        return self.bench.store.rows("returns", {}, order_by=("id",))

    def _return(self, pick: int) -> str:
        found = self._returns()
        return str(found[pick % len(found)]["id"])

    def _decide(self, one: str, verb: Callable[..., Decision], *said: Any) -> bool:
        """Whether it was possible."""
        self._act(one, verb, *said)
        return self.bench.decisions[-1].verdict is Verdict.APPLIED

    @rule(minutes=st.sampled_from([1, 31, 120, 1500, 12_000]))
    def wait(self, minutes: int) -> None:
        self.bench.later(minutes=minutes)
        self._done("wait")

    # --- what holds after every step ---

    @invariant()
    def everything_holds(self) -> None:
        self.nothing_is_refused()
        self.stock_is_conserved()
        self.money_taken_less_money_given_back_is_kept()
        self.no_order_is_silent()

    def nothing_is_refused(self) -> None:
        parked = [one for one in self.bench.decisions[-5:] if one.verdict is Verdict.PARKED]
        assert not parked, parked

    def stock_is_conserved(self) -> None:
        """The hub's stock is what lies there, and what its journal adds up to."""
        for row in self.bench.store.rows("stock", {}):
            there = self.town.goods[row["location"], row["sku"]]
            assert row["on_hand"] == there, f"{row['sku']} at {row['location']}: {row['on_hand']}, {there} lie there"
            for bucket in ("on_hand", "quarantine", "damaged", "in_transit"):
                where = {"sku": row["sku"], "location": row["location"], "bucket": bucket}
                journal = sum((one["delta"] for one in self.bench.store.rows("stock_events", where)), ZERO)
                assert row[bucket] == journal, f"{where}: {row[bucket]}, journal {journal}"

    def money_taken_less_money_given_back_is_kept(self) -> None:
        moves: dict[tuple[str, str], Decimal] = {}
        for move in self.bench.store.rows("money_moves", {}):
            key = (move["payment_id"], move["kind"])
            moves[key] = moves.get(key, ZERO) + move["amount"]
        for payment in self.bench.store.rows("payments", {}):
            for kind in ("captured", "refunded"):
                booked = moves.get((payment["id"], kind), ZERO)
                assert payment[kind] == booked, f"{payment['external_id']}: {kind} {payment[kind]}, journal {booked}"
            account = self.town.accounts.get(str(payment["external_id"]))
            if account is None or payment["managed_by"] != "hub":
                continue
            assert payment["captured"] <= account.captured <= payment["captured"] + payment["capturing"], payment
            assert payment["refunded"] <= account.refunded <= payment["refunded"] + payment["refunding"], payment

    def no_order_is_silent(self) -> None:
        """Every open order has a task, a call under way, a hold, work at a location, a shortage or an exception."""
        bench = self.bench
        subjects = {task.subject for task in bench.tasks.values()}
        for row in bench.store.rows("orders", {"status": OPEN_STATUS}):
            if row["effects"] == "none" or row["id"] in subjects or row["document"].get("raised"):
                continue
            where = {"order_id": row["id"]}
            calls = bench.store.rows("deliveries", where)
            moving = any(self.town.states.get(one["business_key"], one["state"]) in MOVING for one in calls)
            moving |= bool(bench.store.rows("holds", {**where, "released_at": None}))
            moving |= any(one["state"] not in WORK_ENDED for one in bench.store.rows("fulfilment_orders", where))
            moving |= any(one["state"] not in RETURN_ENDED for one in bench.store.rows("returns", where))
            lines = bench.store.rows("order_lines", where)
            moving |= any(one["backordered"] + one["preordered"] > 0 for one in lines)
            assert moving, f"{row['external_id']} is {row['status']} and nothing moves it: {lines}"

    # --- the end ---

    def teardown(self) -> None:
        if self.town.goods:
            self.settle()

    def settle(self) -> None:
        """Everybody does what is still to be done; then nothing is open that nobody knows of."""
        town, bench = self.town, self.bench
        for _ in range(40):
            before = len(bench.decisions)
            for key in town.unknown():
                town.look_up(key)
            for key in town.waiting():
                town.send(key, "done")
            for job in list(town.jobs.values()):
                for request in list(job.asked):
                    town.answer(job, request, accepts=True)
            while town.echoes:
                connection, stream, record = town.echoes.pop(0)
                bench.fact(stream, record, connection=connection)
            self._work()
            town.rate(refused=False)
            for job in self._jobs():
                self._finish(job)
            self._work()
            if len(bench.decisions) == before:
                break
        bench.later(days=3)
        self._work()
        self._all_is_settled()

    def _finish(self, job: Job) -> None:
        if job.asked:
            return
        self.bench.later(seconds=1)
        if job.method == "pickup":
            self.town.tell(job, "ready_for_pickup")
            self.town.hand_over(job, job.held)
        else:
            self.town.ship(job, {line: held for line, held in job.held.items() if held > 0})
        if job.open:
            self.town.give_back(job, "short", {line: held for line, held in job.held.items() if held > 0})

    def _all_is_settled(self) -> None:
        self.stock_is_conserved()
        self.money_taken_less_money_given_back_is_kept()
        self.no_order_is_silent()
        bench = self.bench
        for payment in bench.store.rows("payments", {"managed_by": "hub"}):
            told = bench.store.rows("orders", {"id": payment["order_id"]})[0]["document"].get("raised", ())
            assert payment["capturing"] == payment["refunding"] == 0, payment
            account = self.town.accounts.get(str(payment["external_id"]))
            if account is not None:
                kept = payment["captured"] - payment["refunded"]
                assert kept == account.captured - account.refunded, (payment, account, told)
        self._kept_is_invoiced()
        self._labels_are_accounted_for()

    def _kept_is_invoiced(self) -> None:
        """Where nobody has to look at an order of the shop any more, what its provider kept is what was invoiced, less
        what was given back for other reasons than that too much had been taken."""
        invoiced: dict[str, Decimal] = {}
        for effect in self.bench.effects.values():
            if effect.capability == "post_invoice" and effect.order_id:
                amount = Decimal(str(effect.record["amount"]))
                invoiced[effect.order_id] = invoiced.get(effect.order_id, ZERO) + amount
        for row in self.bench.store.rows("orders", {"channel": "shop", "status": ("closed", "cancelled")}):
            where = {"order_id": row["id"]}
            if row["document"].get("raised") or self.bench.store.rows("order_links", where):
                continue  # what an exchange costs more or less stands between two orders
            payments = self.bench.store.rows("payments", where)
            kept = sum((one["captured"] - one["refunded"] for one in payments), ZERO)
            refunds = self.bench.store.rows("refunds", {**where, "state": "succeeded"})
            given = sum((one["amount"] for one in refunds if one["purpose"] != "overpaid"), ZERO)
            wanted = invoiced.get(row["id"], ZERO) - given
            assert kept == wanted, f"{row['external_id']}: {kept} kept, {wanted} invoiced and not given back"

    def _labels_are_accounted_for(self) -> None:
        """A label that was bought is on a parcel, given back, or a cost that is shown."""
        known = {row["business_key"]: row for row in self.bench.store.rows("labels", {}) if "business_key" in row}
        assert not known
        rows = {row["external_id"]: row for row in self.bench.store.rows("labels", {})}
        for key, state in self.town.labels.items():
            number = self.town.done[key]["label"]["external_id"]
            row = rows[number]
            assert row["cost"] == Decimal("7.10"), row
            if state == "bought":
                order = self.bench.store.rows("orders", {"id": row["order_id"]})[0]
                shown = order["document"].get("raised") or row["state"] in ("void_refused", "voiding")
                assert shown or self._still_packed(row), f"{number} was bought for nothing and nobody knows: {row}"

    def _still_packed(self, label: dict[str, Any]) -> bool:
        (package,) = self.bench.store.rows("packages", {"id": label["package_id"]})
        return package["state"] in ("labelled", "label_pending")

    # --- choosing ---

    def _pick(self, number: int) -> tuple[str, str]:
        return list(self.orders)[number % len(self.orders)]

    def _order_id(self, number: int) -> str | None:
        where, external_id = self._pick(number)
        row = self.bench.store.row("orders", {"channel": where, "scope": "", "external_id": external_id})
        return None if row is None else str(row["id"])

    def _jobs(self) -> list[Job]:
        return [job for job in self.town.jobs.values() if job.open]


MOVING = frozenset({"pending", "in_flight", "unknown", "refused", "sent"})
"""Under way, or shown to a person by the exchange's own exception."""


def machine_settings(examples: int, steps: int, phases: Sequence[Phase]) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=tuple(phases),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


def run(steps: int, seed: int, *, shrink: bool = False) -> dict[str, Any]:
    """Stories of up to a hundred steps until so many were taken. Raises what the first broken one broke."""
    COUNTS.clear()
    started, stories = time.monotonic(), 0
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    while sum(COUNTS.values()) < steps:
        machine = hypothesis.seed(seed + stories)(Oms)
        run_state_machine_as_test(machine, settings=machine_settings(20, 100, phases))
        stories += 20
    return {
        "steps": sum(COUNTS.values()),
        "stories": stories,
        "rules": dict(sorted(COUNTS.items())),
        "seconds": round(time.monotonic() - started, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing broke. 1: something did, and the story is told. 2: usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.property.machine", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink", action="store_true", help="make a story that breaks something as short as possible")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        report = run(given.steps, given.seed, shrink=given.shrink)
    except Exception as error:  # noqa: BLE001 - whatever broke is the finding
        print(f"after {sum(COUNTS.values())} steps: {type(error).__name__}: {error}", file=sys.stderr)
        steps = (line for note in getattr(error, "__notes__", ()) for line in note.split("\n"))
        for line in steps:
            if "everything_holds" not in line:
                print(line, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1) if given.json else f"{report['steps']} steps: nothing broke")
    return 0


if __name__ == "__main__":
    sys.exit(main())
