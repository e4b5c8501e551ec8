"""The customers and the shop's people: orders, edits, cancels and refunds, and somebody who sends forged webhooks."""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hub.demo.processes import EmulatorProcess
from tests.chaos.scenario import Habits
from tests.chaos.world import DOMAIN, SHOP, SHOP_SECRET, Shelf

POST_TIMEOUT_SECONDS = 5.0
FORGED_ID = 9_900_000_000_000
"""Orders of forged and corrupt bodies are numbered from here; the shop never gives such ids."""

CORRUPTIONS: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: body[: len(body) // 2],
    lambda body: b"\xff" + body,
    lambda body: body.replace(b'"currency":"USD"', b'"currency":NaN', 1),
    lambda body: b"[" * 5_000 + body,
    lambda body: b"",
)


@dataclass(slots=True)
class Seen:
    """What the crowd saw. `answers_ms` are the times of posts that were answered 2xx."""

    placed: list[str] = field(default_factory=list)
    sold_out: int = 0
    refused: int = 0
    answers_ms: list[float] = field(default_factory=list)
    forged_accepted: int = 0
    forged: int = 0
    corrupt: int = 0
    server_errors: int = 0
    """5xx other than 503 for what we sent: a sender would retry them for ever."""


class Crowd:
    """Acts in one thread, at seeded moments; `run` returns when the last has acted."""

    def __init__(
        self,
        shop: EmulatorProcess,
        hub_port: int,
        shelf: Shelf,
        habits: Habits,
        *,
        orders: int,
        seconds: float,
        seed: int,
    ) -> None:
        self._shop = shop
        self._port = hub_port
        self._shelf = shelf
        self._habits = habits
        self._orders = orders
        self._seconds = seconds
        self._random = random.Random(seed)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._forged = itertools.count()
        self._last_body = b"{}"
        self.seen = Seen()

    def run(self, stop: threading.Event) -> None:
        for number in range(self._orders):
            at = self._seconds * number / self._orders
            self._at(at, self._buy)
            if self._random.random() < self._habits.bad_signatures:
                self._at(at, self._forge)
            if self._random.random() < self._habits.corrupt_bodies:
                self._at(at, self._corrupt)
        started = time.monotonic()
        while self._agenda and not stop.is_set():
            at, _, act = heapq.heappop(self._agenda)
            wait = at - (time.monotonic() - started)
            if wait > 0:
                stop.wait(wait)
            self._now = max(at, time.monotonic() - started)
            act()

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (seconds, next(self._order), act))

    def _soon(self, act: Callable[[], None]) -> None:
        self._at(self._now + self._random.uniform(0.05, 4.0), act)

    # Customers.

    def _buy(self) -> None:
        if self._random.random() < self._habits.oversize:
            wish = self._wish([self._random.choice(self._shelf.late)])
            self._placed(self._shop.control("place", wish))
            return
        for _ in range(20):
            count = self._random.choice((1, 1, 2, 3))
            answer = self._shop.control("sell", self._wish(self._random.sample(self._shelf.guarded, count)))
            if answer["accepted"]:
                self._placed(answer)
                return
            self.seen.sold_out += 1

    def _wish(self, skus: list[str]) -> dict[str, Any]:
        lines = [
            {
                "sku": sku,
                "quantity": self._random.choice((1, 1, 1, 2)),
                "price": f"{self._random.randint(1, 60)}.{self._random.choice(('19', '35', '57', '95', '99', '15'))}",
            }
            for sku in skus
        ]
        wish: dict[str, Any] = {"lines": lines, "tax_rate": "0.0825", "shipping": "4.95"}
        if self._random.random() < 0.2:
            wish |= {"discount_code": "WELCOME", "discount": "1.10"}
        return wish

    def _placed(self, answer: dict[str, Any]) -> None:
        order = str(answer["id"])
        self.seen.placed.append(order)
        habits, draw = self._habits, self._random.random()
        if draw < habits.cancels:
            self._soon(lambda: self._try("cancel", {"id": order, "reason": "customer"}))
        elif draw < habits.cancels + habits.edits:
            self._soon(lambda: self._edit(order))
        elif draw < habits.cancels + habits.edits + habits.refunds:
            self._soon(lambda: self._refund(order))
        if self._random.random() < habits.copies:
            self._soon(lambda: self._try("resend", {"id": order}))
            self._soon(lambda: self._copy(order))

    def _edit(self, order: str) -> None:
        """One unit less of a line that has two, else another note: nothing that could sell what is not there."""
        document = self._shop.control("order", {"id": order})
        for line in document["line_items"]:
            if line["fulfillable_quantity"] > 1:
                self._try("edit", {"id": order, "lines": {str(line["id"]): line["current_quantity"] - 1}})
                return
        self._try("edit", {"id": order, "note": "leave it at the door"})

    def _refund(self, order: str) -> None:
        document = self._shop.control("order", {"id": order})
        for line in document["line_items"]:
            if line["fulfillable_quantity"] > 0:
                self._try("refund", {"id": order, "lines": {str(line["id"]): 1}, "restock": "cancel"})
                return
        self._try("refund", {"id": order, "lines": {}, "amount": "1.00", "restock": "none"})

    def _try(self, verb: str, wish: dict[str, Any]) -> None:
        try:
            self._shop.control(verb, wish)
        except ValueError:
            self.seen.refused += 1

    # Posts straight to the hub.

    def _copy(self, order: str) -> None:
        """The order as it is now, signed as the shop signs, under a delivery id of its own."""
        body = json.dumps(self._shop.control("order", {"id": order}), separators=(",", ":")).encode()
        self._last_body = body
        self._post(body, _signature(body), f"copy-{order}-{next(self._forged)}")

    def _forge(self) -> None:
        body = self._foreign()
        self.seen.forged += 1
        status = self._post(body, _signature(body + b"x"), f"forged-{next(self._forged)}", counts=False)
        if status is not None and 200 <= status < 300:
            self.seen.forged_accepted += 1

    def _corrupt(self) -> None:
        body = self._random.choice(CORRUPTIONS)(self._foreign())
        if self._post(body, _signature(body), f"corrupt-{next(self._forged)}") is not None:
            self.seen.corrupt += 1

    def _foreign(self) -> bytes:
        """A whole order that no customer placed."""
        order = json.loads(self._last_body) or {"currency": "USD", "line_items": [], "total_price": "1.00"}
        order["id"] = FORGED_ID + next(self._forged)
        return json.dumps(order, separators=(",", ":")).encode()

    def _post(self, body: bytes, signature: str, delivery: str, *, counts: bool = True) -> int | None:
        """The hub's status; None while it is down."""
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": "orders/updated",
            "x-shopify-shop-domain": DOMAIN,
            "x-shopify-hmac-sha256": signature,
            "x-shopify-webhook-id": delivery,
            "x-shopify-event-id": delivery,
            "x-shopify-api-version": "2026-07",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=POST_TIMEOUT_SECONDS)
        started = time.monotonic()
        try:
            connection.request("POST", f"/in/{SHOP}/orders/updated", body, headers)
            answer = connection.getresponse()
            answer.read(1_000_000)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if counts and 200 <= answer.status < 300:
            self.seen.answers_ms.append((time.monotonic() - started) * 1000)
        if answer.status >= 500 and answer.status != 503:
            self.seen.server_errors += 1
        return answer.status


def _signature(body: bytes) -> str:
    return base64.b64encode(hmac.new(SHOP_SECRET.encode(), body, hashlib.sha256).digest()).decode()
