"""What the people of one seed do: customers change their minds, locations fall short, the ERP closes its books."""

from __future__ import annotations

import datetime as dt
import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from hub.runtime.simulation import START, Peer, Simulation
from tests.simulation.site import ERP, LOCATIONS, SHOP, SKUS, WMS

Act = Callable[[], object]


@dataclass(slots=True)
class Story:
    """The agenda of a seed, and what the audit must know of it."""

    simulation: Simulation
    source: random.Random
    orders: list[str] = field(default_factory=list)
    """Numbers (names) of the orders placed."""
    scripted_short: set[str] = field(default_factory=set)
    """Numbers of orders of which the warehouse will not find everything, however much lies there."""
    scripted_refusals: bool = False
    places: tuple[str, ...] = LOCATIONS
    """Where goods lie."""
    by_hand: set[str] = field(default_factory=set)
    """The hub's ids of orders that people here have changed or paid back."""
    _agenda: list[tuple[float, int, Act]] = field(default_factory=list)
    _order: int = 0

    # The agenda.

    def at(self, seconds: float, act: Act) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (round(seconds, 3), self._order, act))

    def next_at(self) -> dt.datetime | None:
        return START + dt.timedelta(seconds=self._agenda[0][0]) if self._agenda else None

    def soon(self, most: float, act: Act) -> None:
        """At a moment of the next `most` seconds, mostly early."""
        self.at(self.simulation.clock.monotonic() + most * self.source.random() ** 3, act)

    def play(self) -> None:
        """Everything on the agenda, with the hub and its peers working in between."""
        forever = START + dt.timedelta(days=3)
        while self._agenda:
            self.simulation.run_until(forever, agenda=self.next_at)
            while self._agenda and self._agenda[0][0] <= self.simulation.clock.monotonic():
                heapq.heappop(self._agenda)[2]()

    # The peers' people.

    def ask(self, peer: str, verb: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """None where it was refused."""
        found: Peer = next(one for one in self.simulation.peers if one.connection == peer)
        answer = self.simulation.control(found, verb, json.dumps(asked).encode())
        return dict(json.loads(answer.body) or {}) if answer.status == 200 else None

    def write(self) -> None:
        """Draw the agenda."""
        source = self.source
        rows = [
            {"warehouse": location, "sku": sku, "quantity": str(source.choice((0, 1, 2, 3, 5, 8)))}
            for location in self.places
            for sku in SKUS
        ]
        self.ask(WMS, "set_stock", {"rows": rows})
        self.count()
        for number in range(source.choice((2, 2, 2, 3, 3, 4, 6))):
            self.at(round(source.random() * 40.0 * (number + 1)), self._place)
        if source.random() < 0.2:
            self.scripted_refusals = True
            self.ask(ERP, "refuse", {"by": "sku", "value": source.choice(SKUS)})
        if source.random() < 0.15:
            begin = source.random() * 60
            self.at(begin, lambda: self._lock(True))
            self.at(begin + source.choice((20, 900)), lambda: self._lock(False))
        if source.random() < 0.2:
            self.at(source.random() * 120, self._outage)
        for _ in range(source.choice((0, 1, 2))):
            self.at(source.random() * 200, self.count)
        if source.random() < 0.5:
            self.at(300 + source.random() * 600, self.restock)

    def count(self) -> None:
        """Every location counts and tells."""
        for location in self.places:
            self.ask(WMS, "snapshot", {"warehouse": location})

    def restock(self) -> None:
        """Goods arrive: enough for everybody who waits."""
        held = self.ask(WMS, "stock", {})
        assert held is not None
        rows = [{**row, "quantity": str(Decimal(row["quantity"]) + 20)} for row in held["rows"]]
        self.ask(WMS, "set_stock", {"rows": rows})
        self.count()

    def _lock(self, locked: bool) -> None:
        self.ask(ERP, "lock", {"locked": locked})

    def _outage(self) -> None:
        """The hub is down for a while; the others go on."""
        self.simulation.stop(self.source.choice((60.0, 900.0, 7200.0)))

    def _place(self) -> None:
        source = self.source
        skus = source.sample(SKUS, source.choice((1, 1, 2, 3)))
        wish: dict[str, Any] = {
            "lines": [
                {
                    "sku": sku,
                    "quantity": source.choice((1, 1, 2, 3)),
                    "price": f"{source.randint(1, 40)}.{source.choice(('19', '35', '95', '99'))}",
                }
                for sku in skus
            ],
            "tax_rate": "0.0825",
            "shipping": "4.95",
        }
        if source.random() < 0.2:
            wish |= {"discount_code": "WELCOME", "discount": "1.10"}
        wish |= self._further(wish)
        placed = self.ask(SHOP, "place", wish)
        assert placed is not None
        number = str(placed["name"])
        self.orders.append(number)
        self._treat(number)
        self._second_thoughts(str(placed["id"]), skus)
        self._placed(str(placed["id"]))

    def _placed(self, order: str) -> None:
        """What else people do about an order, by the shop's id of it; nothing at a site that only ships."""

    def _further(self, wish: dict[str, Any]) -> dict[str, Any]:
        """What else an order says; nothing at a site that only ships."""
        del wish
        return {}

    def _treat(self, number: str) -> None:
        """How the warehouse treats this order, if not as usual."""
        draw = self.source.random()
        match = {"order_number": number}
        if draw < 0.12:
            self.scripted_short.add(number)
            lost = self.source.choice(("1", "all"))
            self.ask(WMS, "behave", {"match": match, "short": {self.source.choice(SKUS): lost}})
        elif draw < 0.18:
            self.ask(WMS, "behave", {"match": {**match, "warehouse": self.source.choice(LOCATIONS)}, "mode": "reject"})
        elif draw < 0.24:
            self.ask(WMS, "behave", {"match": match, "mode": "silent"})
            self.at(
                self.simulation.clock.monotonic() + self.source.choice((100, 5000)),
                lambda: self.ask(WMS, "behave", {"match": match, "mode": "auto"}),
            )

    def _second_thoughts(self, order: str, skus: list[str]) -> None:
        source = self.source
        for _ in range(source.choice((0, 0, 0, 1, 1, 2))):
            draw = source.random()
            sku, quantity = source.choice(skus), source.choice((0, 1, 2, 4))
            if draw < 0.35:
                wish: dict[str, Any] = {"id": order, "lines": {sku: quantity}}
                if source.random() < 0.3:
                    wish["add"] = [{"sku": source.choice(SKUS), "quantity": 1, "price": "7.77"}]
                self.soon(240, partial(self.ask, SHOP, "edit", wish))
            elif draw < 0.45:
                wish = {"id": order, "note": f"note {source.randint(1, 9)}"}
                self.soon(240, partial(self.ask, SHOP, "edit", wish))
            elif draw < 0.7:
                self.soon(300, lambda: self.ask(SHOP, "cancel", {"id": order}))
            elif draw < 0.9:
                restock = source.choice(("cancel", "cancel", "none"))
                wish = {"id": order, "lines": {sku: 1}, "restock": restock}
                self.soon(300, partial(self.ask, SHOP, "refund", wish))
            else:
                self.soon(300, lambda: self.ask(SHOP, "resend", {"id": order}))
