"""Many at once after the last units, through the rules and the store as they are.

    python -m tests.store.oversell --database sqlite|postgresql|URL --rounds 1000 [--json]

In every round racers order the last units of two SKUs: single lines, and both lines in opposite order. On PostgreSQL
each racer is a process; on SQLite some are threads of the owner and some are processes that ask it over its control
socket. Never may more be reserved than there is. Then the same store is measured: reservations a second on one hot SKU
and over 10,000 of them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub.domain.decision import Decision, DueTask, Incoming
from hub.domain.ids import IdSource, derived_id
from hub.domain.snapshot import BatchSnapshot, Coming
from hub.domain.writeset import Applied, WriteSet
from hub.oms.desk.ahead import reading_ahead
from hub.oms.handlers import build
from hub.oms.ports import Rules
from hub.store.clock import SystemClock
from hub.store.control import ControlServer, call
from hub.store.open import open_store
from hub.store.reading import open_reading
from hub.store.sql_store import SqlStore
from hub.views.promises import PROMISES
from tests.chaos.database import database_url
from tests.property.memory_store import location, order_record, rules

CONFLICT_ROUNDS = 1000
BATCH = 25
AT = ("east", "west")
ROUND_SECONDS = 120
HELD_PROMISES = frozenset(
    {"buckets_sum", "journal_balances", "soft_reserved", "firm_reserved", "reserved_per_line", "stock_journal"}
)
Lines = tuple[tuple[str, str, int], ...]


def network() -> Rules:
    return rules(location("east"), location("west", priority=2, cost_order=Decimal("1.50")), takers={})


@dataclass
class Racer:
    """Captures orders and reserves for them, a batch a transaction, deciding anew what conflicted."""

    store: SqlStore
    rules: Rules = field(default_factory=network)
    conflicts: int = 0
    _clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self._handlers = build(self.rules)
        self._ahead = reading_ahead(self.rules)

    def capture(self, orders: Mapping[str, Lines]) -> list[str]:
        """External id -> lines; the orders' ids."""
        found: list[str] = []

        def decide(snapshot: BatchSnapshot, external_id: str) -> Decision:
            incoming = self._incoming(external_id, orders[external_id])
            return self._handlers.messages["orders"](incoming, snapshot, self._clock.now())

        for decision in self._settle(list(orders), decide):
            found += [task.subject for task in decision.tasks if task.kind == "allocate"]
        return found

    def reserve(self, order_ids: Sequence[str]) -> None:
        def decide(snapshot: BatchSnapshot, order_id: str) -> Decision:
            now = self._clock.now()
            task = DueTask(derived_id("tk", order_id), "allocate", order_id, {}, now)
            return self._handlers.tasks["allocate"](task, snapshot, now)

        self._settle(order_ids, decide)

    def _settle(self, waiting: Sequence[str], decide: Callable[[BatchSnapshot, str], Decision]) -> list[Decision]:
        done: list[Decision] = []
        for _ in range(CONFLICT_ROUNDS):
            if not waiting:
                return done
            with self.store.read() as snapshot:
                self._ahead(snapshot, [Coming("allocate", name, "", "", "") for name in waiting])
                decisions = [decide(snapshot, name) for name in waiting]
            outcomes = self.store.apply([decision.writes for decision in decisions])
            refused = [outcome.applied is Applied.CONFLICT for outcome in outcomes]
            done += [decision for decision, again in zip(decisions, refused, strict=True) if not again]
            waiting = [name for name, again in zip(waiting, refused, strict=True) if again]
            self.conflicts += len(waiting)
        raise RuntimeError(f"{list(waiting)} conflicted {CONFLICT_ROUNDS} times")

    def _incoming(self, external_id: str, lines: Lines) -> Incoming:
        record = order_record(*lines, external_id=external_id, number=external_id)
        return Incoming(
            id=derived_id("ms", external_id),
            connection="shop",
            stream="orders",
            record=record,
            restate=record,
            previous=None,
            highest={line_id: str(units) for line_id, _, units in lines},
            newest=True,
            scope="",
            external_id=external_id,
            fact_key="",
            holds=(),
            source_version=str(record["source_version"]),
            received_at=self._clock.now(),
            source="webhook",
            effects=True,
        )


def wishes(round_number: int, racer: int) -> dict[str, Lines]:
    """What one racer orders in a round: both SKUs, in the opposite order of its neighbours, and one of them alone."""
    first, second = f"A-{round_number}", f"B-{round_number}"
    if (round_number + racer) % 2:
        first, second = second, first
    name = f"{round_number}-{racer}"
    return {f"{name}-both": (("1", first, 1), ("2", second, 1)), f"{name}-one": (("1", f"A-{round_number}", 1),)}


def race(racer: Racer, round_number: int, number: int) -> None:
    racer.reserve(racer.capture(wishes(round_number, number)))


def there_are(round_number: int) -> dict[tuple[str, str], int]:
    """(SKU, location) -> units: fewer than are wanted, by chance at one location or two."""
    source = random.Random(round_number)
    return {
        (f"{letter}-{round_number}", at): source.randint(1 if at == "east" else 0, 2) for letter in "AB" for at in AT
    }


def lay_out(store: SqlStore, units: Mapping[tuple[str, str], int]) -> None:
    now = SystemClock().now()
    rows = sorted(units.items())
    for start in range(0, len(rows), 1000):
        writes = WriteSet()
        for (sku, at), there in rows[start : start + 1000]:
            writes.insert("items", {"sku": sku, "document": {}, "updated_at": now}, ignore=True)
            if there:
                writes.insert("stock", {"sku": sku, "location": at, "on_hand": Decimal(there), "updated_at": now})
                writes.insert("stock_events", _counted(sku, at, there, now))
        (outcome,) = store.apply([writes])
        assert outcome.applied is Applied.APPLIED, outcome.failed


def _counted(sku: str, at: str, units: int, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": derived_id("se", sku, at),
        "sku": sku,
        "location": at,
        "bucket": "on_hand",
        "kind": "snapshot",
        "delta": Decimal(units),
        "absolute": Decimal(units),
        "source": "test",
        "source_time": now,
        "reason": "counted",
        "cause": "test",
        "sequence": f"{now.isoformat()}/{sku}/{at}",
    }


@dataclass(frozen=True)
class Place:
    """A database: its address and the home it is opened from."""

    address: str
    home: Path

    @property
    def postgresql(self) -> bool:
        return self.address.startswith("postgres")

    def open(self, seed: int) -> SqlStore:
        return open_store(self.address, home=self.home, clock=SystemClock(), ids=IdSource(random.Random(seed)))


def _process(place: Place, rounds: int, number: int, start: Any, found: Any) -> None:
    """A racer of its own on PostgreSQL."""
    store = place.open(number)
    try:
        racer = Racer(store)
        for round_number in range(rounds):
            start.wait(ROUND_SECONDS)
            race(racer, round_number, number)
        found.put(racer.conflicts)
    finally:
        store.close()


def _client(place: Place, rounds: int, number: int, start: Any, found: Any) -> None:
    """A racer that asks the owner of a SQLite database over its control socket."""
    for round_number in range(rounds):
        start.wait(ROUND_SECONDS)
        call(place.home, "race", {"round": round_number, "racer": number})
    found.put(0)


def run_race(place: Place, rounds: int, processes: int, threads: int) -> dict[str, Any]:
    """`processes` racers beside `threads` of this process; on SQLite the processes are clients of this one."""
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(processes + threads), context.Queue()
    store = place.open(0)
    served: ControlServer | None = None
    failures: list[BaseException] = []
    try:
        for round_number in range(rounds):
            lay_out(store, there_are(round_number))
        racers = [Racer(store) for _ in range(threads)]
        if not place.postgresql:
            asked = Racer(store)
            racers.append(asked)
            served = ControlServer(
                place.home, {"race": lambda args: race(asked, int(args["round"]), int(args["racer"]))}
            )

        def thread(number: int) -> None:
            try:
                for round_number in range(rounds):
                    start.wait(ROUND_SECONDS)
                    race(racers[number - processes], round_number, number)
            except BaseException as error:
                failures.append(error)
                start.abort()
                raise

        target = _process if place.postgresql else _client
        others = [
            context.Process(target=target, args=(place, rounds, number, start, found)) for number in range(processes)
        ]
        runners = [threading.Thread(target=thread, args=(processes + number,)) for number in range(threads)]
        began = time.monotonic()
        for other in others:
            other.start()
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        conflicts = sum(racer.conflicts for racer in racers)
        conflicts += sum(found.get(timeout=ROUND_SECONDS * 5) for _ in others)
        seconds = time.monotonic() - began
        for other in others:
            other.join(ROUND_SECONDS)
        if failures or any(other.exitcode for other in others):
            raise RuntimeError(f"a racer failed: {failures or [other.exitcode for other in others]}")
    finally:
        if served is not None:
            served.close()
        store.close()
    return {
        "rounds": rounds,
        "racers": {"processes": processes, "threads": threads},
        "orders": rounds * (processes + threads) * 2,
        "seconds": round(seconds, 1),
        "decided_anew": conflicts,
        **audit(place, rounds, processes + threads),
    }


def audit(place: Place, rounds: int, racers: int) -> dict[str, Any]:
    """What stands in the database, counted by plain SQL."""
    with open_reading(place.address, home=place.home) as connection:

        def number(sql: str) -> int:
            return int(connection.execute(text(sql)).scalar() or 0)

        broken = [
            f"{promise.name}: {row.subject}: {row.detail}"
            for promise in PROMISES
            if promise.name in HELD_PROMISES
            for row in connection.execute(text(promise.sql)).fetchmany(5)
        ]
        deadlocks = None
        if place.postgresql:
            deadlocks = number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        million = 1_000_000
        return {
            "there_were": number("SELECT SUM(on_hand) FROM stock") // million,
            "reserved": number("SELECT SUM(quantity) FROM reservations WHERE state IN ('soft', 'firm')") // million,
            "oversold": number(
                "SELECT SUM(r.held - COALESCE(s.on_hand, 0)) FROM (SELECT sku, location, SUM(quantity) AS held FROM"
                " reservations WHERE state IN ('soft', 'firm') GROUP BY sku, location) r LEFT JOIN stock s"
                " ON s.sku = r.sku AND s.location = r.location WHERE r.held > COALESCE(s.on_hand, 0)"
            )
            // million,
            "left_though_wanted": number(
                "SELECT COUNT(*) FROM (SELECT sku, SUM(backordered) AS waits FROM order_lines GROUP BY sku) l JOIN"
                " (SELECT sku, SUM(on_hand - soft - firm) AS free FROM stock GROUP BY sku) s ON s.sku = l.sku"
                " WHERE l.waits > 0 AND s.free > 0"
            ),
            "orders_lost": rounds * racers * 2 - number("SELECT COUNT(*) FROM orders"),
            "promises_broken": broken,
            "deadlocks": deadlocks,
        }


def _reserving(place: Place, seed: int, order_ids: Sequence[str], start: Any, found: Any) -> None:
    """Reserves for its share of orders, a batch a transaction."""
    store = place.open(seed)
    try:
        racer = Racer(store)
        start.wait(ROUND_SECONDS)
        for first in range(0, len(order_ids), BATCH):
            racer.reserve(order_ids[first : first + BATCH])
        found.put(racer.conflicts)
    finally:
        store.close()


def measure(place: Place, orders: int, skus: int, processes: int) -> dict[str, Any]:
    """Reservations a second, in batches as the hub's workers make them: on PostgreSQL by several processes at once, on
    SQLite, which has one owner, by one."""
    names = [f"M-{skus}-{number}" for number in range(skus)]
    source = random.Random(skus)
    store = place.open(99)
    made: list[str] = []
    try:
        lay_out(store, {(name, "east"): orders + 1 for name in names})
        racer = Racer(store)
        for first in range(0, orders, BATCH):
            batch = {f"m-{skus}-{first + number}": (("1", source.choice(names), 1),) for number in range(BATCH)}
            made += racer.capture(batch)
    finally:
        store.close()
    context = multiprocessing.get_context("spawn")
    processes = processes if place.postgresql else 1
    start, found = context.Barrier(processes + 1), context.Queue()
    shares = [made[number::processes] for number in range(processes)]
    runners = [
        context.Process(target=_reserving, args=(place, number, share, start, found))
        for number, share in enumerate(shares)
    ]
    for runner in runners:
        runner.start()
    start.wait(ROUND_SECONDS)
    began = time.monotonic()
    conflicts = sum(found.get(timeout=ROUND_SECONDS * 5) for _ in runners)
    seconds = time.monotonic() - began
    for runner in runners:
        runner.join(ROUND_SECONDS)
    return {
        "skus": skus,
        "processes": processes,
        "reservations": len(made),
        "per_second": round(len(made) / seconds),
        "decided_anew": conflicts,
    }


@contextlib.contextmanager
def place_of(database: str) -> Iterator[Place]:
    home = Path(tempfile.mkdtemp(prefix="hub-oversell-"))
    try:
        with database_url(database) as address:
            yield Place("hub.db" if address == "sqlite" else address, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing was sold that was not there. 1: something was, or got lost. 2: usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.store.oversell", description=__doc__.split("\n")[0])
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or the URL of an empty database")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--processes", type=int, help="racers in processes of their own (PostgreSQL 4, SQLite 2)")
    parser.add_argument("--orders", type=int, default=2000, help="orders for measuring the speed; 0 measures nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with place_of(given.database) as place:
        processes = given.processes or (4 if place.postgresql else 2)
        report = run_race(place, given.rounds, processes, 0 if place.postgresql else 2)
        if given.orders:
            report["speed"] = [measure(place, given.orders, skus, processes) for skus in (1, 10_000)]
    report = {"database": given.database.partition(":")[0], **report}
    report["ok"] = not (
        report["oversold"] or report["orders_lost"] or report["promises_broken"] or report["left_though_wanted"]
    )
    print(json.dumps(report, indent=1) if given.json else "\n".join(f"{name}: {said}" for name, said in report.items()))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
