"""Channels that sell what was last pushed to them: units sold above stock beside the bound that latency gives.

    python -m tests.property.channel_oversell [--seeds N] [--json]

Two channels show the level that the hub last pushed, and take off only what they sell themselves. Orders reach the hub
late, pushes reach the channels late, changes of a few seconds make one push. The promises, reservations and pushes are
the hub's own; the channels here set a level as it comes, without comparing.

The bound, for a SKU and a push: at most what was sold and not known when the hub made the push, by this channel before
the push arrived there and by others before the next one arrived, less the threshold that the level left out. Nobody can
sell more than that above stock; with a threshold of the bound nobody sells above it at all.
"""

from __future__ import annotations

import argparse
import datetime as dt
import heapq
import itertools
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.property.memory_store import Bench, channel, location, order_record, rules

CHANNELS = ("market", "shop")
THRESHOLDS = (0, 2, 4, 8)
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, but for `units` of every SKU and `buyers` of each channel."""

    skus: int = 2
    units: int = 24
    buyers: int = 30
    over: float = 600.0
    order_latency: tuple[float, float] = (0.5, 6.0)
    push_latency: tuple[float, float] = (0.3, 4.0)
    window: float = 5.0


@dataclass(frozen=True, slots=True)
class Sale:
    at: float
    captured: float
    channel: str
    units: int


@dataclass(slots=True)
class Article:
    sales: list[Sale] = field(default_factory=list)
    pushes: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {name: [] for name in CHANNELS})
    """Channel -> (arrived, when the hub made it)."""


class Market:
    """The hub and its channels under one seed, in events by time."""

    def __init__(self, seed: int, threshold: int, pace: Pace) -> None:
        self.random, self.pace, self.seconds = random.Random(seed), pace, 0.0
        made = {name: replace(channel(), id=name, threshold=Decimal(threshold)) for name in CHANNELS}
        takers = {"push_inventory": CHANNELS}
        self.bench = Bench(
            rules(location("east"), channels=made, takers=takers, push_window_seconds=max(pace.window, 0.001))
        )
        self.started = self.bench.now
        self.articles = {f"SKU-{number}": Article() for number in range(pace.skus)}
        self.shown = {(name, sku): 0 for name in CHANNELS for sku in self.articles}
        self.newest = dict.fromkeys(self.shown, 0)
        self.seen: set[str] = set()
        self.events: list[tuple[float, int, Callable[[], object]]] = []
        self.number = itertools.count(1)
        self.refused = 0

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        heapq.heappush(self.events, (seconds, next(self.number), act))

    def play(self) -> None:
        pace = self.pace
        rows = [{"sku": sku, "quantity": str(pace.units)} for sku in self.articles]
        count = {"location": "EAST", "as_of": self.started.isoformat(), "rows": rows}
        for sku in self.articles:
            self.bench.restate("items", {"sku": sku, "external_id": sku})
        self.bench.restate("stock", count, connection="wms-east")
        self._work()
        for name in CHANNELS:
            for _ in range(pace.buyers):
                sku = self.random.choice(list(self.articles))
                units = self.random.choice((1, 1, 1, 2))
                moment = pace.window + 10 + self.random.uniform(0, pace.over)
                self.at(moment, lambda name=name, sku=sku, units=units: self._buy(name, sku, units))  # type: ignore[misc]
        while self.events:
            self.seconds, _, act = heapq.heappop(self.events)
            self.bench.now = self.started + dt.timedelta(seconds=self.seconds)
            act()
            self._work()

    def _buy(self, name: str, sku: str, units: int) -> None:
        if self.shown[name, sku] < units:
            self.refused += 1
            return
        self.shown[name, sku] -= units
        captured = self.seconds + self.random.uniform(*self.pace.order_latency)
        self.articles[sku].sales.append(Sale(self.seconds, captured, name, units))
        record = order_record(("L1", sku, units), external_id=f"{name}-{next(self.number)}")
        self.at(captured, lambda: self.bench.order(record, connection=name))

    def _work(self) -> None:
        """What the hub does now, and when it is to be woken again."""
        self.bench.run("allocate", "push_stock")
        for key, effect in self.bench.effects.items():
            if effect.capability == "push_inventory" and key not in self.seen:
                self.seen.add(key)
                arrives = self.seconds + self.random.uniform(*self.pace.push_latency)
                self.at(arrives, self._arrival(effect.destination, effect.record, self.seconds))
        due = [task.due_at for task in self.bench.tasks.values() if task.kind == "push_stock"]
        if due:
            self.at((min(due) - self.started).total_seconds(), lambda: None)

    def _arrival(self, name: str, record: dict[str, Any], made: float) -> Callable[[], None]:
        def arrive() -> None:
            sku, sequence = str(record["sku"]), int(record["sequence"])
            if sequence > self.newest[name, sku]:
                self.newest[name, sku] = sequence
                self.shown[name, sku] = int(record["available"])
                self.articles[sku].pushes[name].append((self.seconds, made))

        return arrive


def bound(article: Article, threshold: int) -> int:
    """The most that may have been sold above stock: see the module."""
    worst = 0
    for name in CHANNELS:
        pushes = article.pushes[name]
        for number, (arrived, made) in enumerate(pushes):
            until = pushes[number + 1][0] if number + 1 < len(pushes) else NEVER
            unknown = sum(
                sale.units
                for sale in article.sales
                if sale.captured > made and sale.at <= (arrived if sale.channel == name else until)
            )
            worst = max(worst, unknown)
    return max(0, worst - threshold)


def run(seeds: Sequence[int], thresholds: Sequence[int] = THRESHOLDS, pace: Pace | None = None) -> list[dict[str, Any]]:
    """A row for each threshold, all seeds together."""
    pace = pace or Pace()
    items = []
    for threshold in thresholds:
        sold = above = allowed = beyond = refused = reserved_above = 0
        for seed in seeds:
            market = Market(seed, threshold, pace)
            market.play()
            refused += market.refused
            for sku, article in market.articles.items():
                units = sum(sale.units for sale in article.sales)
                excess, most = max(0, units - pace.units), bound(article, threshold)
                sold, above, allowed = sold + units, above + excess, allowed + most
                beyond += excess > most
                row = market.bench.store.row("stock", {"sku": sku, "location": "east"})
                assert row is not None
                reserved_above += max(0, int(row["soft"] + row["firm"]) - pace.units)
        items.append(
            {
                "threshold": threshold,
                "articles": len(seeds) * pace.skus,
                "units": len(seeds) * pace.skus * pace.units,
                "sold": sold,
                "sold_above_stock": above,
                "bound": allowed,
                "articles_beyond_bound": beyond,
                "reserved_above_stock": reserved_above,
                "turned_away": refused,
            }
        )
    return items


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nobody sold beyond the bound and nothing was reserved that was not there. 1: not so. 2: usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.property.channel_oversell", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--threshold", type=int, action="append", help=f"of {THRESHOLDS}, or others")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    items = run(range(given.seeds), given.threshold or THRESHOLDS)
    print(json.dumps({"items": items}, indent=1) if given.json else _table(items))
    return 1 if any(item["articles_beyond_bound"] or item["reserved_above_stock"] for item in items) else 0


def _table(items: Sequence[dict[str, Any]]) -> str:
    names = list(items[0])
    return "\n".join(
        ["  ".join(names), *("  ".join(str(item[name]).rjust(len(name)) for name in names) for item in items)]
    )


if __name__ == "__main__":
    sys.exit(main())
