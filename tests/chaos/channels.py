"""How people buy, and what they do afterwards, at each channel."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.demo.processes import EmulatorProcess
from tests.chaos.scenario import LOCATIONS, STORE, Habits
from tests.chaos.shelf import Shelf
from tests.chaos.systems import EDI, MARKET, PAYMENT, SHOP, WMS

Act = Callable[[], None]
Soon = Callable[[Act], None]
"""Does something a moment later."""


@dataclass(slots=True)
class Bought:
    """What the crowd has done at one channel."""

    placed: list[str] = field(default_factory=list)
    sold_out: int = 0
    refused: int = 0


class Channel(Protocol):
    """One channel with its customers."""

    bought: Bought

    def buy(self) -> None: ...


class _Counter:
    """What all channels share: wishes, and what becomes of them."""

    def __init__(
        self, system: EmulatorProcess, shelf: Shelf, habits: Habits, source: random.Random, soon: Soon
    ) -> None:
        self.system, self.shelf, self.habits, self.random, self.soon = system, shelf, habits, source, soon
        self.bought = Bought()

    def control(self, verb: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.system.control(verb, wish))

    def attempt(self, verb: str, wish: Mapping[str, Any]) -> None:
        """It may be too late for it."""
        try:
            self.system.control(verb, wish)
        except ValueError:
            self.bought.refused += 1

    def lines(self, skus: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "sku": sku,
                "quantity": self.random.choice((1, 1, 1, 2)),
                "price": f"{self.random.randint(1, 60)}.{self.random.choice(('19', '35', '57', '95', '99', '15'))}",
            }
            for sku in skus
        ]

    def choice(self) -> list[str]:
        return self.random.sample(self.shelf.guarded, self.random.choice((1, 1, 2, 3)))

    def sell(self, wish: Callable[[list[str]], dict[str, Any]]) -> str | None:
        """The order's id; some buy what is not there, the others look at what the channel shows until they find it."""
        if self.random.random() < self.habits.oversize:
            order = str(self.control("place", wish([self.random.choice(self.shelf.late)]))["id"])
            self.bought.placed.append(order)
            return order
        for _ in range(20):
            answer = self.control("sell", wish(self.choice()))
            if answer["accepted"]:
                self.bought.placed.append(str(answer["id"]))
                return str(answer["id"])
            self.bought.sold_out += 1
        return None


class ShopCounter(_Counter):
    """Customers and the shop's people edit, cancel and refund; `copy` is told of orders to send again. `hall` is where
    goods come back to and are collected, `placed` hears of every order."""

    def __init__(
        self,
        *given: Any,
        copy: Callable[[str], None],
        placed: Callable[[str], None],
        hall: EmulatorProcess | None,
    ) -> None:
        super().__init__(*given)
        self._copy, self._placed, self._hall = copy, placed, hall
        self.unwanted: list[str] = []

    def buy(self) -> None:
        order = self.sell(self._wish)
        if order is None:
            return
        habits, draw = self.habits, self.random.random()
        self._placed(order)
        if self._hall is not None and self.random.random() < habits.no_shows:
            number = self.control("order", {"id": order})["name"]
            self._hall.control("behave", {"match": {"order_number": number}, "buyer": "stays_away"})
        if draw < habits.cancels:
            self.soon(lambda: self.attempt("cancel", {"id": order, "reason": "customer"}))
        elif draw < habits.cancels + habits.edits:
            self.soon(lambda: self._edit(order))
        elif draw < habits.cancels + habits.edits + habits.refunds:
            self.soon(lambda: self._refund(order))
        elif self._hall is not None and draw > 1 - habits.returns:
            self.unwanted.append(order)
        if self.random.random() < habits.copies:
            self.soon(lambda: self.attempt("resend", {"id": order}))
            self.soon(lambda: self._copy(order))

    def bring_back(self) -> int:
        """One unit of each order that its buyer keeps no part of, once the shop says that it has left; it comes without
        a word and cannot be sold again. Returns how many have come."""
        came = 0
        for order in tuple(self.unwanted):
            document = self.control("order", {"id": order})
            left = {line["id"] for one in document["fulfillments"] for line in one["line_items"]}
            line = next((line for line in document["line_items"] if line["id"] in left), None)
            if line is None or self._hall is None:
                continue
            self.unwanted.remove(order)
            came += 1
            grade, disposition = self.random.choice((("B", "quarantine"), ("C", "scrap")))
            goods = {"sku": line["sku"], "quantity": "1", "grade": grade, "disposition": disposition}
            where = {"warehouse": self.random.choice(LOCATIONS), "order": document["name"]}
            self._hall.control("return_goods", {**where, "lines": [goods]})
        return came

    def _wish(self, skus: list[str]) -> dict[str, Any]:
        wish: dict[str, Any] = {"lines": self.lines(skus), "tax_rate": "0.0825", "shipping": "4.95"}
        if self.random.random() < 0.2:
            wish |= {"discount_code": "WELCOME", "discount": "1.10"}
        if self._hall is not None and self.random.random() < self.habits.pickups:
            wish["pickup"] = STORE
        return wish

    def _edit(self, order: str) -> None:
        """One unit less of a line that has two, else another note: nothing that could sell what is not there."""
        document = self.control("order", {"id": order})
        for line in document["line_items"]:
            if line["fulfillable_quantity"] > 1:
                self.attempt("edit", {"id": order, "lines": {str(line["id"]): line["current_quantity"] - 1}})
                return
        self.attempt("edit", {"id": order, "note": "leave it at the door"})

    def _refund(self, order: str) -> None:
        document = self.control("order", {"id": order})
        for line in document["line_items"]:
            if line["fulfillable_quantity"] > 0:
                self.attempt("refund", {"id": order, "lines": {str(line["id"]): 1}, "restock": "cancel"})
                return
        self.attempt("refund", {"id": order, "lines": {}, "amount": "1.00", "restock": "none"})


class MarketCounter(_Counter):
    """Buyers ask to cancel; some orders are let go only after their payment."""

    def buy(self) -> None:
        order = self.sell(self._wish)
        if order is not None and self.random.random() < self.habits.cancels:
            self.soon(lambda: self.attempt("request_cancel", {"id": order, "reason": "Changed mind"}))

    def _wish(self, skus: list[str]) -> dict[str, Any]:
        wish: dict[str, Any] = {"lines": self.lines(skus), "tax_rate": "0.0825", "shipping": "4.95"}
        if self.random.random() < self.habits.pending:
            wish["release_after_seconds"] = f"{self.random.uniform(0.5, 3.0):.2f}"
        return wish


class PartnerCounter(_Counter):
    """A partner that orders by file and sees no stock."""

    def buy(self) -> None:
        lines = [{name: str(value) for name, value in line.items()} for line in self.lines(self.choice())]
        self.bought.placed.append(str(self.control("place", {"lines": lines})["id"]))


def open_channels(
    systems: Mapping[str, EmulatorProcess],
    shelf: Shelf,
    habits: Habits,
    source: random.Random,
    soon: Soon,
    copy: Callable[[str], None],
    placed: Callable[[str], None],
) -> dict[str, Channel]:
    """Those channels that there are, by name."""
    hall = systems[WMS] if PAYMENT in systems else None
    made: dict[str, Callable[[EmulatorProcess], Channel]] = {
        SHOP: lambda system: ShopCounter(system, shelf, habits, source, soon, copy=copy, placed=placed, hall=hall),
        MARKET: lambda system: MarketCounter(system, shelf, habits, source, soon),
        EDI: lambda system: PartnerCounter(system, shelf, habits, source, soon),
    }
    return {name: make(systems[name]) for name, make in made.items() if name in systems}
