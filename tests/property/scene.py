"""What all rules of the state machine stand on: the site, the town around it, orders as their channels state them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from hub.domain.decision import Decision, Verdict
from hub.domain.ids import derived_id
from hub.domain.return_policy import ReturnPolicy
from hub.oms.handlers import build
from hub.oms.ports import LabelRule, NotifyRule
from tests.property.memory_store import Bench, channel, location, order_record, rules
from tests.property.town import Account, Job, Town

SKUS = ("TEE", "CAP", "MUG")
SOLD = {"L1": "TEE", "L2": "CAP", "L3": "SET"}
"""External line id -> what is sold; the set is a kit."""
KIT = {
    "sku": "SET",
    "external_id": "SET",
    "components": [{"sku": "TEE", "quantity": "1", "share": "3"}, {"sku": "MUG", "quantity": "2", "share": "1"}],
}
PLACES = ("east", "west", "store")
MONEY = ("capture", "refund", "void", "reauthorise", "authorise")
PUSHES = ("push_shipment", "push_refund", "push_cancellation", "push_return", "push_order_status")
TEMPLATES = ("ready_for_pickup", "pickup_reminder", "not_collected", "pickup_cancelled", "shipped")
ADDRESS = {"lines": ["1 Depot Road"], "locality": "Newark", "postal_code": "07114", "country": "US"}
picks = st.integers(0, 63)
few = st.integers(0, 3)


def seldom(scene: Scene) -> bool:
    """Precondition of rules that are nearly always possible, lest stories consist of them."""
    return len(scene.bench.decisions) % 4 == 0


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


class Scene(RuleBasedStateMachine):
    """`orders` are those placed: (channel, external id) -> (version, quantities, highest total)."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = furnished()
        self.town = Town(self.bench)
        self.orders: dict[tuple[str, str], dict[str, Any]] = {}
        self.eager = False

    @initialize(units=st.lists(st.integers(1, 6), min_size=9, max_size=9), delivered=st.booleans(), eager=st.booleans())
    def stock_up(self, units: list[int], delivered: bool, eager: bool) -> None:
        """`delivered`: the first two orders have arrived when the story begins. `eager`: whatever can be sent is sent,
        and well answered, after every step that was not a call itself."""
        self.eager = eager
        for sku in SKUS:
            self.bench.restate("items", {"sku": sku, "external_id": sku})
        self.bench.restate("items", KIT)
        for number, place in enumerate(PLACES):
            for offset, sku in enumerate(SKUS):
                self.town.goods[place, sku] = Decimal(units[number * 3 + offset])
            self.town.count(place)
        self.bench.later(seconds=1)
        for paid in ("authorised", "two"):
            self._place("shop", {"lines": {"L1": 2, "L2": 1}, "paid": paid, "method": "ship"})
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
        if self.eager and not name.startswith("call "):
            self._send_all(2)

    def _send_all(self, rounds: int) -> None:
        for _ in range(rounds):
            for key in self.town.waiting():
                self.town.send(key, "done")
            self._work()

    def _work(self) -> None:
        """The hub does what is due."""
        handlers = build(self.bench.rules)
        self.bench.run(*(kind for kind in handlers.tasks if kind != "push_stock"))

    def _place(self, where: str, wish: dict[str, Any]) -> None:
        number = str(len(self.orders) + 1)
        self.orders[where, number] = {"version": 1, "most": 0, **wish}
        self._restate(where, number)

    def _restate(self, where: str, number: str) -> None:
        kept = self.orders[where, number]
        lines = [(line, SOLD[line], units) for line, units in kept["lines"].items()]
        total = Decimal(10) * sum(kept["lines"].values())
        kept["most"] = max(kept["most"], total)
        said: dict[str, Any] = {
            "external_id": number,
            "number": f"#{where}-{number}",
            "source_version": f"2026-11-02T09:00:{kept['version']:02}.000000Z",
            "payment_state": "pending" if kept["paid"] == "pending" else "paid",
        }
        if kept["method"] != "ship" and where == "shop":
            said |= {"method": kept["method"], "pickup_location": "S-1"}
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

    def _act(self, order_id: str | None, verb: Callable[..., Decision], *said: Any) -> None:
        if order_id is None:
            return
        cause = derived_id("ac", str(self.town.next()))
        self.bench.commit(verb(self.bench.store, self.bench.rules, self.bench.now, cause, order_id, *said))

    def _decide(self, one: str, verb: Callable[..., Decision], *said: Any) -> bool:
        """Whether it was possible."""
        self._act(one, verb, *said)
        return self.bench.decisions[-1].verdict is Verdict.APPLIED

    def _pick(self, number: int) -> tuple[str, str]:
        return list(self.orders)[number % len(self.orders)]

    def _order_id(self, number: int) -> str | None:
        where, external_id = self._pick(number)
        row = self.bench.store.row("orders", {"channel": where, "scope": "", "external_id": external_id})
        return None if row is None else str(row["id"])

    def _jobs(self) -> list[Job]:
        return [job for job in self.town.jobs.values() if job.open]

    def _returns(self) -> list[dict[str, Any]]:
        return self.bench.store.rows("returns", {}, order_by=("id",))

    def _return(self, pick: int) -> str:
        found = self._returns()
        return str(found[pick % len(found)]["id"])
