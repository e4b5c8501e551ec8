"""Plays the story: places the orders, does what people outside do to them, waits until every order stands right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.demo.goods import LOCATIONS
from hub.demo.seen import Seen, SeenOrder, look
from hub.demo.stage import Stage
from hub.demo.story import HUB, Step, Tale, missing
from hub.demo.systems import CALL_CENTRE, GOOD, SHOP, SYSTEMS

LOOK_SECONDS = 0.15
STOCK_SECONDS = 60.0
SETTLE_SECONDS = 150.0
SECONDS_AN_ORDER = 0.25
QUIET_ORDERS = 6
"""Placed before the systems begin to misbehave."""

Progress = Callable[[str, int, int], None]
"""(what, done, of how many)"""


class Interrupted(Exception):
    """Somebody asked us to end before the story did."""


@dataclass(slots=True)
class Played:
    """A tale under way. `order` is the shop's id once it is placed."""

    tale: Tale
    order: str = ""
    number: str = ""
    total: str = ""
    steps: list[Step] = field(default_factory=list)
    seen: SeenOrder | None = None
    answers: dict[str, str] = field(default_factory=dict)
    """What steps at the hub answered, for the steps after them."""

    @property
    def missing(self) -> str:
        if not self.order:
            return "was not placed"
        if self.steps:
            return f"waits for what {self.steps[0].system} does next ({self.steps[0].verb}); {self._state()}"
        return missing(self.tale, self.seen)

    def _state(self) -> str:
        if self.seen is None:
            return "has not arrived"
        units = ", ".join(f"{units:f} {bucket}" for bucket, units in self.seen.quantities.items())
        return f"now {self.seen.status}, {units or 'no units'}"


@dataclass(slots=True)
class Outcome:
    played: list[Played]
    seen: Seen
    settled: bool
    seconds: float

    def unsettled(self) -> list[Played]:
        return [one for one in self.played if one.missing]


class Play:
    def __init__(
        self, stage: Stage, tales: Iterable[Tale], *, database: str, stopping: threading.Event, progress: Progress
    ) -> None:
        self._stage = stage
        self._database = database
        self._stopping = stopping
        self._progress = progress
        self.played = [Played(tale, steps=list(tale.steps)) for tale in tales]

    def perform(self) -> Outcome:
        """Raises Interrupted, or ProcessFailed where the hub dies."""
        started = time.monotonic()
        self._await_stock()
        order = sorted(range(len(self.played)), key=lambda n: (not self.played[n].tale.placed_early, n))
        for count, index in enumerate(order):
            if count == QUIET_ORDERS:
                self._misbehave()
            self._place(self.played[index])
            self._progress("placed", count + 1, len(order))
            self._step(self._look())
        seen = self._settle()
        self._behave()
        seen = self._count_again()
        settled = not seen.busy and not any(one.missing for one in self.played)
        return Outcome(self.played, seen, settled, time.monotonic() - started)

    # Waiting.

    def _look(self) -> Seen:
        if self._stopping.is_set():
            raise Interrupted
        self._stage.check()
        seen = look(self._stage.home, self._database)
        for one in self.played:
            one.seen = seen.orders.get((one.tale.channel, one.order)) if one.order else None
        return seen

    def _wait(self, done: Callable[[Seen], bool], seconds: float) -> Seen:
        """Look again and again until done or out of time; the last picture."""
        until = time.monotonic() + seconds
        while True:
            seen = self._look()
            if done(seen) or time.monotonic() >= until:
                return seen
            self._stopping.wait(LOOK_SECONDS)

    def _await_stock(self) -> None:
        self._wait(lambda seen: seen.counted_locations >= len(LOCATIONS) and not seen.busy, STOCK_SECONDS)

    def _settle(self) -> Seen:
        quiet = 0

        def done(seen: Seen) -> bool:
            nonlocal quiet
            self._step(seen)
            ended = sum(1 for one in self.played if not one.missing)
            self._progress("settled", ended, len(self.played))
            # Twice in a row: what one system still has to say may arrive between two looks.
            calm = ended == len(self.played) and not seen.busy and not self._webhooks_waiting()
            quiet = quiet + 1 if calm else 0
            return quiet >= 2

        return self._wait(done, SETTLE_SECONDS + SECONDS_AN_ORDER * len(self.played))

    def _webhooks_waiting(self) -> int:
        return sum(int(system.status()["waiting_webhooks"]) for system in self._stage.systems.values())

    def _count_again(self) -> Seen:
        """The warehouses count at the end, so that the hub's stock can be compared with theirs."""
        before = look(self._stage.home, self._database).stock_receipts
        for name in LOCATIONS:
            self._stage.wms.control("snapshot", {"warehouse": name})

        def done(seen: Seen) -> bool:
            return seen.stock_receipts >= before + len(LOCATIONS) and not seen.busy and not self._webhooks_waiting()

        return self._wait(done, STOCK_SECONDS)

    # Doing.

    def _place(self, one: Played) -> None:
        if one.tale.channel == CALL_CENTRE:
            one.order = one.number = str(one.tale.wish["external_id"])
            one.total = str(one.tale.wish["totals"]["total"])
            self._stage.take_by_telephone(CALL_CENTRE, one.tale.wish)
            return
        placed = self._stage.systems[one.tale.channel].control("place", dict(one.tale.wish))
        # The shop numbers its orders beside their ids; elsewhere the id is what people call an order by.
        number = placed["name"] if one.tale.channel == SHOP else placed["id"]
        one.order, one.number, one.total = str(placed["id"]), str(number), str(placed["total_price"])

    def _step(self, seen: Seen) -> None:
        for one in self.played:
            while one.steps and one.seen is not None and one.steps[0].when(one.seen):
                self._do(one, one.steps.pop(0))

    def _do(self, one: Played, step: Step) -> None:
        assert one.seen is not None, "nothing is done to what has not arrived"
        work = one.seen.work[0].id if one.seen.work else ""
        names: dict[str, Any] = {"$order": one.seen.id if step.system == HUB else one.order, "$work": work}
        names |= {"$version": one.seen.version} | {f"${name}": value for name, value in one.answers.items()}
        payload = _filled(step.payload, names)
        if step.system == HUB:
            said = self._stage.act(step.verb, **payload)
            one.answers |= {name: value for name, value in said.items() if isinstance(value, str)}
        else:
            self._stage.systems[step.system].control(step.verb, payload)

    def _misbehave(self) -> None:
        for system in SYSTEMS:
            process = self._stage.systems[system.connection]
            calls = int(process.status()["calls"])
            script = {calls + number: kind for number, kind in system.faults.items()}
            process.set_faults(script=script, **system.webhooks)

    def _behave(self) -> None:
        for system in self._stage.systems.values():
            system.set_faults(**GOOD)


def _filled(payload: Any, names: Mapping[str, Any]) -> Any:
    """The payload with the names of things in place of "$name"."""
    if isinstance(payload, str):
        return names.get(payload, payload)
    if isinstance(payload, Mapping):
        return {name: _filled(value, names) for name, value in payload.items()}
    if isinstance(payload, list | tuple):
        return [_filled(value, names) for value in payload]
    return payload
