"""The customers of all channels, and somebody who sends forged and broken webhooks."""

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

from hub.demo.processes import EmulatorProcess
from tests.chaos.channels import Act, ShopCounter, open_channels
from tests.chaos.systems import DOMAIN, SHOP, SHOP_SECRET, channels_of
from tests.chaos.world import World

POST_TIMEOUT_SECONDS = 5.0
RETURNS_EVERY = 10
"""After so many orders those who send something back do it."""
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
    """What the crowd saw of the hub. `answers_ms` are the times of posts that were answered 2xx."""

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
        world: World,
        hub_port: int,
        *,
        orders: int,
        seconds: float,
        seed: int,
        placed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`placed` hears of every order of the shop, by its id there."""
        self._shop: EmulatorProcess = world.systems[SHOP]
        self._port = hub_port
        self._habits = world.scenario.habits
        self._orders = orders
        self._seconds = seconds
        self._random = random.Random(seed)
        self._agenda: list[tuple[float, int, Act]] = []
        self._order = itertools.count()
        self._forged = itertools.count()
        self._last_body = b"{}"
        self._shares = {row.name: row.share for row in channels_of(world.scenario)}
        self.channels = open_channels(
            world.systems, world.shelf, self._habits, self._random, self._soon, copy=self._copy, placed=placed
        )
        self.seen = Seen()

    @property
    def placed(self) -> int:
        """Orders at all channels."""
        return sum(len(channel.bought.placed) for channel in self.channels.values())

    def _bring_back(self) -> None:
        self.bring_back()

    def bring_back(self) -> int:
        """What has left and nobody wants goes back; returns how many orders."""
        return sum(one.bring_back() for one in self.channels.values() if isinstance(one, ShopCounter))

    def run(self, stop: threading.Event) -> None:
        names, weights = list(self._shares), list(self._shares.values())
        for number in range(self._orders):
            at = self._seconds * number / self._orders
            (name,) = self._random.choices(names, weights)
            self._at(at, self.channels[name].buy)
            if number % RETURNS_EVERY == 0:
                self._at(at, self._bring_back)
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

    def _at(self, seconds: float, act: Act) -> None:
        heapq.heappush(self._agenda, (seconds, next(self._order), act))

    def _soon(self, act: Act) -> None:
        self._at(self._now + self._random.uniform(0.05, 4.0), act)

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
