"""The seller's people at their desks while the storm goes on: they cancel, change and pay back through the API of a hub
that is killed under their hands.

What can be said twice under one key is said until it is answered. What cannot is said once: a person whose screen broke
does not try again.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.demo.processes import call, compiled_environment
from tests.chaos.scenario import LOCATIONS, Habits
from tests.chaos.shelf import Shelf

TRIES = 60
"""How often somebody asks again while the hub is down or does not know the order yet, once a second."""
REFUND_FROM = Decimal("0.10")
"""Refunds of an amount are all of different amounts, from here on by cents: each can be found at the provider."""
SCOPES = ("orders:read", "orders:write", "money:write", "inventory:write")
Deed = Callable[[], bool]
"""True when it is done with: answered, or not to be tried again."""


@dataclass(frozen=True, slots=True)
class PaidBack:
    """What somebody was told to be done: an order of the shop by its id there, and what its buyer gets back."""

    order: str
    amount: Decimal


@dataclass(slots=True)
class Said:
    """What came of it all. `touched`: ids of orders at the shop that people here changed or tried to."""

    touched: set[str] = field(default_factory=set)
    paid_back: list[PaidBack] = field(default_factory=list)
    expected: list[tuple[str, str]] = field(default_factory=list)
    """(number of a return that was asked for and has not come, SKU of its one unit)"""
    answers: Counter[str] = field(default_factory=Counter)
    """Deed and status -> how often."""


class Desk:
    """Everybody here, one after the other, in a thread of their own: `run` until told to stop and all is answered."""

    def __init__(self, config: Path, home: Path, environ: Mapping[str, str], port: int, habits: Habits, seed: int):
        self._place = (config, home, environ)
        self._port, self._habits, self._random = port, habits, random.Random(seed)
        self._agenda: list[tuple[float, int, str, Deed, int]] = []
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self.said = Said()

    def open(self) -> None:
        """Get a key. Raises CalledProcessError where the hub gives none."""
        config, home, environ = self._place
        words = [sys.executable, "-m", "hub", "--config", str(config), "--home", str(home), "keys", "create", "people"]
        words += [word for scope in SCOPES for word in ("--scope", scope)]
        made = subprocess.run(
            [*words, "--json"], env={**compiled_environment(), **environ}, capture_output=True, check=True, timeout=60
        )
        token = json.loads(made.stdout)["items"][0]["token"]
        self._headers = {"authorization": f"Bearer {token}"}

    def order_placed(self, order: str, shelf: Shelf) -> None:
        """Some of them have something to do about an order of the shop, now or when it is in their hands."""
        if self._random.random() >= self._habits.desk:
            return
        deeds: dict[str, Callable[[str], Deed]] = {
            "cancel": self._cancel,
            "edit": self._edit,
            "refund": self._refund,
            "refund lines": self._refund_lines,
            "return": self._ask_back,
            "transfer": lambda _: self._move(shelf),
        }
        name = self._random.choice(sorted(deeds))
        soon = name in ("cancel", "edit", "transfer")  # the others are about what has left
        self._soon(name, deeds[name](order), self._random.uniform(0.3, 8.0) if soon else self._random.uniform(5, 25))

    def run(self, stop: threading.Event) -> None:
        while True:
            with self._lock:
                due = self._agenda and self._agenda[0][0] <= time.monotonic()
                next_one = heapq.heappop(self._agenda) if due else None
            if next_one is None:
                if stop.is_set() and not self._agenda:
                    return
                time.sleep(0.05)
                continue
            _, _, name, deed, tries = next_one
            try:
                done = deed()
            except OSError:  # the hub is down
                done = False
            if not done and tries < TRIES:
                self._soon(name, deed, 1.0, tries + 1)

    def _soon(self, name: str, deed: Deed, seconds: float, tries: int = 0) -> None:
        with self._lock:
            heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._number), name, deed, tries))

    def _ask(self, name: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        given = {**self._headers, **{key.replace("_", "-"): value for key, value in headers.items()}}
        status, answer = call(self._port, method, path, body, given)
        self.said.answers[f"{name} {status}"] += 1
        return status, answer

    def _id(self, order: str) -> str | None:
        """The hub's id of an order of the shop; None while it has none."""
        status, answer = call(self._port, "GET", f"/v1/orders?channel=shop&reference={order}", None, self._headers)
        items = answer["items"] if status == 200 else []
        return str(items[0]["id"]) if items else None

    # What cannot be said twice.

    def _cancel(self, order: str) -> Deed:
        """One unit of a line, or everything."""
        body: dict[str, Any] = {"reason": "the buyer called"}
        if self._random.random() < 0.7:
            body["lines"] = [{"line": "1", "quantity": "1"}]
        return self._once(order, lambda known: self._ask("cancel", "POST", f"/v1/orders/{known}/cancel", body))

    def _edit(self, order: str) -> Deed:
        """One unit less of the first line, on what they saw of the order."""

        def change(known: str) -> tuple[int, Any]:
            _, seen = call(self._port, "GET", f"/v1/orders/{known}", None, self._headers)
            line = min(seen["lines"], key=lambda one: int(one["number"]))
            wanted = max(Decimal(str(line["ordered"])) - 1, Decimal(0))
            body = {"reason": "the buyer called", "lines": [{"line": str(line["number"]), "quantity": str(wanted)}]}
            return self._ask("edit", "PATCH", f"/v1/orders/{known}", body, if_match=f'"{seen["version"]}"')

        return self._once(order, change)

    def _once(self, order: str, says: Callable[[str], tuple[int, Any]]) -> Deed:
        def deed() -> bool:
            known = self._id(order)
            if known is None:
                return False
            self.said.touched.add(order)
            try:
                says(known)
            except OSError:
                self.said.answers["nobody knows"] += 1
            return True

        return deed

    # What is said until it is answered.

    def _refund(self, order: str) -> Deed:
        amount = REFUND_FROM + Decimal(next(self._number)) / 100
        body = {"reason": "goodwill", "amount": str(amount)}

        def done(_: Any) -> None:
            self.said.paid_back.append(PaidBack(order, amount))

        return self._until(order, "refund", "refund", body, done)

    def _refund_lines(self, order: str) -> Deed:
        return self._until(order, "refund lines", "refund", {"reason": "it was broken", "lines": {"1": "1"}})

    def _ask_back(self, order: str) -> Deed:
        body = {"reason": "too small", "lines": [{"line": "1", "quantity": "1"}], "wants": "refund"}

        def done(answer: Any) -> None:
            _, one = call(self._port, "GET", f"/v1/returns/{answer['return']}", None, self._headers)
            self.said.expected.append((str(one["number"]), str(one["lines"][0]["sku"])))

        return self._until(order, "return", "returns", body, done)

    def _until(
        self, order: str, name: str, path: str, body: object, done: Callable[[Any], None] = lambda _: None
    ) -> Deed:
        """An order that is not there yet, and goods or money that nobody has yet, are asked for again under a new key:
        what was refused is answered for ever."""
        key, tried = f"desk-{next(self._number)}", itertools.count()
        attempt = [f"{key}-{next(tried)}"]

        def deed() -> bool:
            known = self._id(order)
            if known is None:
                return False
            self.said.touched.add(order)
            path_there = f"/v1/orders/{known}/{path}"
            status, answer = self._ask(name, "POST", path_there, body, idempotency_key=attempt[0])
            if status in (200, 201):
                done(answer)
                return True
            if 400 <= status < 500:
                attempt[0] = f"{key}-{next(tried)}"
                return next(tried) > 30  # it will never be possible
            return False

        return deed

    def _move(self, shelf: Shelf) -> Deed:
        """Goods go from one location to another."""
        there, here = self._random.sample(LOCATIONS, 2)
        body = {"sku": self._random.choice(shelf.guarded), "from": there, "to": here, "quantity": "1"}
        body["reason"] = "the shelf is empty there"
        key = f"desk-{next(self._number)}"

        def deed() -> bool:
            status, _ = self._ask("transfer", "POST", "/v1/inventory/transfers", body, idempotency_key=key)
            return status < 500

        return deed
