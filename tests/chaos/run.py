"""One run from an empty database to its audit."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.runtime.database import database_address
from tests.chaos.audit import audit, open_work, outgoing
from tests.chaos.books import Books
from tests.chaos.configuration import environment, write_configuration
from tests.chaos.crowd import Crowd
from tests.chaos.database import count, database_url, integrity, looking
from tests.chaos.desk import Desk
from tests.chaos.fleet import Blows, Fleet, UpProbe, rampage
from tests.chaos.ledgers import read_truth
from tests.chaos.people import People
from tests.chaos.report import Measured, report_of
from tests.chaos.scenario import AMBIGUOUS, STORE, Scenario
from tests.chaos.shelf import fill_shelf
from tests.chaos.systems import PAYMENT
from tests.chaos.world import World

START_SECONDS = 60.0
DESK_SECONDS = 60.0
"""How long people may take to finish what they began when nothing is killed any more."""
STEADY_LOOKS = 3
HARD_SHARE = 0.02
HARD_PART = 1 / 8
"""Of the time for settling, after which the systems behave again in any case."""

CALLS_AN_ORDER = 10
"""Ambiguous calls as a share of all that an order takes, from which on the systems may behave again: of a hub that was
mostly down, the calls that were made so far are the smaller part."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """`database`: sqlite, postgresql (a server of its own) or a URL. `settle_seconds`: None = the scenario's own."""

    orders: int
    seconds: float
    seed: int
    database: str = "sqlite"
    processes: int = 1
    sabotage: str | None = None
    keep: Path | None = None
    settle_seconds: float | None = None


def run(scenario: Scenario, options: Options, say: Say = lambda _: None) -> dict[str, Any]:
    """Raises RuntimeError where the run could not even begin; everything else is in the report."""
    folder = options.keep or Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    if scenario.needs_postgresql and options.database == "sqlite":
        options = replace(options, database="postgresql")
    options = replace(options, processes=max(options.processes, scenario.processes))
    try:
        with database_url(options.database) as database:
            return _Run(scenario, options, folder, database, say).go()
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


class _Run:
    def __init__(self, scenario: Scenario, options: Options, folder: Path, database: str, say: Say) -> None:
        self.scenario, self.options, self.folder, self.say = scenario, options, folder, say
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.shelf = fill_shelf(options.orders, scenario, random.Random(options.seed))
        self.log = (folder / "emulators.log").open("ab")
        self.world = World(folder, seed=options.seed, scenario=scenario, shelf=self.shelf, log=self.log)
        write_configuration(folder / "config", self.world, database)
        self.address = database_address(folder / "config", environment())
        self.fleet = Fleet(
            folder / "config", self.home, environment(), processes=options.processes, sabotage=options.sabotage
        )
        self.crowd = Crowd(
            self.world,
            self.fleet.port,
            orders=options.orders,
            seconds=options.seconds * 0.9,
            seed=options.seed,
            placed=self._placed,
        )
        self.desk = (
            Desk(folder / "config", self.home, environment(), self.fleet.port, scenario.habits, options.seed)
            if PAYMENT in scenario.systems
            else None
        )
        self.people = People(self.world)
        self.quiet_since: dt.datetime | None = None
        self.settle_seconds = options.settle_seconds or scenario.settle_seconds
        self.blows = Blows()

    def go(self) -> dict[str, Any]:
        try:
            self._open_shop()
            up_share = self._storm()
            drained, unsettled = self._settle()
            return self._audit(up_share, drained, unsettled)
        finally:
            self.fleet.stop()
            self.world.close()
            self.log.close()

    def _open_shop(self) -> None:
        """Start, let the warehouse count, and wait until the channels show what the hub says of every article."""
        self.fleet.start()
        if self.desk is not None:
            self.desk.open()
        self.world.point_at(self.fleet.url)
        self.world.stock_up()
        self.world.count_stock()
        deadline = time.monotonic() + START_SECONDS
        while unshown := self.world.unshown():
            if time.monotonic() > deadline:
                words = "; ".join(f"{name} of {len(skus)}, {skus[:3]} among them" for name, skus in unshown.items())
                raise RuntimeError(f"channels never showed the stock of all articles: {words}")
            time.sleep(0.1)

    def _storm(self) -> float:
        options, stop = self.options, threading.Event()
        self.say(f"{options.orders} orders in {options.seconds:g} s, {self.scenario.note}")
        self.world.unleash()
        threads = [threading.Thread(target=self.crowd.run, args=(stop,), name="crowd")]
        desk, closing = None, threading.Event()
        if self.desk is not None:
            desk = threading.Thread(target=self.desk.run, args=(closing,), name="desk")
            desk.start()
        if self.scenario.monkey.kills:
            arguments = (self.fleet, self.scenario.monkey, self.blows, stop, random.Random(options.seed))
            threads.append(threading.Thread(target=rampage, args=arguments, name="monkey"))
        probe = UpProbe(self.fleet)
        for thread in threads:
            thread.start()
        stop.wait(options.seconds)
        threads[0].join(options.seconds)
        stop.set()
        for thread in threads:
            thread.join(90)
        share = probe.close()
        for member in self.fleet.members:
            if not member.process.alive:
                member.start()
                member.await_ready()
        closing.set()
        if desk is not None:
            desk.join(DESK_SECONDS)
        self.say(f"quiet after {self.blows.kills} kills and {self.blows.stops} stops, up {share:.0%}")
        return share

    def _placed(self, order: str) -> None:
        if self.desk is not None:
            self.desk.order_placed(order, self.shelf)

    def _bring_what_was_asked_back(self) -> int:
        """Buyers who asked bring their goods, worn."""
        expected = self.desk.said.expected if self.desk is not None else []
        count = len(expected)
        while expected:
            number, sku = expected.pop()
            goods = {"sku": sku, "quantity": "1", "grade": "B", "disposition": "quarantine"}
            self.world.wms.control("return_goods", {"warehouse": STORE, "return": number, "lines": [goods]})
        return count

    def _settle(self) -> tuple[float, list[str]]:
        """Seconds until nothing is under way, and what still is when the time is over."""
        started = time.monotonic()
        calmed = False
        self.world.point_at(self.fleet.url)
        self.world.release_silent()
        self.world.bring_goods(self.options.orders)
        steady, told = 0, ""
        found: list[str] = []
        while time.monotonic() - started < self.settle_seconds:
            came = self.crowd.bring_back() + self._bring_what_was_asked_back()
            time.sleep(0.5)
            looked = dt.datetime.now(dt.UTC)
            with looking(self.address, self._home()) as connection:
                found = open_work(connection)
                captured = count(connection, "SELECT COUNT(*) FROM orders")
                self.people.follow(connection)
            found += [f"{many} of {name} are not taken" for name, many in self.world.untaken().items()]
            if (missing := self.crowd.placed - captured) > 0:
                found.append(f"{missing} orders are missing")
            if not calmed or found or came:
                steady = 0
            else:
                steady += 1
                self.quiet_since = looked if steady == 1 else self.quiet_since
            if steady >= STEADY_LOOKS:
                break
            if not calmed and (self._hard_enough() or time.monotonic() - started > self.settle_seconds * HARD_PART):
                self.world.calm()
                calmed = True
            now = "; ".join(found)
            if now != told:
                self.say(f"{time.monotonic() - started:5.1f} s: {now}")
                told = now
        return time.monotonic() - started, found

    def _hard_enough(self) -> bool:
        """Enough calls have misbehaved; the backlog of a slow machine would else be worked off in peace."""
        faults = self.world.faults()
        wanted = [kind for kind, rate in self.scenario.calls.items() if rate > 0 and not kind.endswith("_seconds")]
        ambiguous = sum(faults.get(kind, 0) for kind in AMBIGUOUS)
        calls = max(sum(self.world.calls().values()), self.options.orders * CALLS_AN_ORDER)
        return all(faults.get(kind, 0) for kind in wanted) and ambiguous >= calls * HARD_SHARE

    def _audit(self, up_share: float, drained: float, unsettled: list[str]) -> dict[str, Any]:
        calls = self.world.calls()
        self.fleet.stop()
        self.world.close()
        truth = read_truth(self.folder, self.scenario.systems)
        if self.desk is not None:
            truth.touched_here, truth.paid_back = self.desk.said.touched, self.desk.said.paid_back
        with looking(self.address, self._home()) as connection:
            books = Books(truth, connection, self.shelf, self.quiet_since)
            findings = audit(books, self.scenario.systems)
            findings.unsettled += unsettled
            deliveries = outgoing(connection)
        seen = self.crowd.seen
        return report_of(
            findings,
            Measured(
                seed=self.options.seed,
                scenario=self.scenario,
                database=self.options.database,
                processes=self.options.processes,
                sabotage=self.options.sabotage,
                seconds=self.options.seconds,
                drain_seconds=drained,
                up_share=up_share,
                blows=self.blows,
                answers_ms=seen.answers_ms,
                calls=calls,
                ambiguous=sum(truth.faults[kind] for kind in AMBIGUOUS),
                faults=truth.faults,
                sold_out=sum(channel.bought.sold_out for channel in self.crowd.channels.values()),
                forged=seen.forged,
                corrupt=seen.corrupt,
                forged_accepted=seen.forged_accepted,
                server_errors=seen.server_errors,
                deliveries=deliveries,
                desk=dict(sorted(self.desk.said.answers.items())) if self.desk is not None else {},
                integrity=integrity(self.address, self._home()),
            ),
        )

    def _home(self) -> Path:
        return self.home


def to_stderr(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
