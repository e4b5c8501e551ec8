"""What a channel and its customers do: order, edit, cancel, and a marketplace that gives money back by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.property.scene import SOLD, Scene, few, picks, seldom

METHODS = ("ship", "ship", "ship", "pickup", "ship_to_store")


class Buyers(Scene):
    """Rules of those who buy and of where they buy."""

    @precondition(lambda self: len(self.orders) < 8)
    @rule(
        where=st.sampled_from(["shop", "shop", "market"]),
        tees=st.integers(1, 3),
        caps=few,
        sets=st.integers(0, 2),
        paid=st.sampled_from(["authorised", "authorised", "captured", "two", "pending"]),
        method=st.sampled_from(METHODS),
    )
    def order(self, where: str, tees: int, caps: int, sets: int, paid: str, method: str) -> None:
        lines = {"L1": tees, "L2": caps, **({"L3": sets} if sets else {})}
        self._place(where, {"lines": lines, "paid": paid, "method": method})
        self._done("order")

    @precondition(lambda self: self.orders)
    @rule(pick=picks, tees=few, caps=few, sets=st.integers(0, 2), pays=st.booleans())
    def edit(self, pick: int, tees: int, caps: int, sets: int, pays: bool) -> None:
        where, number = self._pick(pick)
        kept = self.orders[where, number]
        kept["version"] += 1
        kept["lines"] = {"L1": tees, "L2": caps, **({"L3": sets} if "L3" in kept["lines"] else {})}
        if pays and kept["paid"] == "pending":
            kept["paid"] = "authorised"
        self._restate(where, number)
        self._done("edit")

    @precondition(lambda self: self.orders and seldom(self))
    @rule(pick=picks, line=st.sampled_from([None, *SOLD]), executed=st.booleans())
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
