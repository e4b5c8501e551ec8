"""What locations, carriers, suppliers, providers and time itself do."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hub.domain.quantity import Bucket
from tests.property.scene import PLACES, SKUS, Scene, few, picks, seldom
from tests.property.town import Job

OUTCOMES = ("done", "done", "done", "done", "declined", "refused", "lost before", "lost after")


class Places(Scene):
    """Rules of everybody whom the hub asks, and who tell it."""

    @precondition(lambda self: self.town.waiting())
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def call(self, pick: int, outcome: str) -> None:
        waiting = self.town.waiting()
        self.town.send(waiting[pick % len(waiting)], outcome)
        self._done(f"call {outcome}")

    @precondition(lambda self: self.town.waiting())
    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=8))
    def calls(self, outcomes: list[str]) -> None:
        for outcome in outcomes:
            waiting = self.town.waiting()
            if waiting:
                self.town.send(waiting[0], outcome)
                self._done(f"call {outcome}")

    @precondition(lambda self: len(self.town.waiting()) > 3)
    @rule()
    def all_calls(self) -> None:
        """Everything that can go out goes out."""
        self._send_all(20)
        self._done("all_calls")

    @precondition(lambda self: self.town.unknown())
    @rule(pick=picks)
    def look_up(self, pick: int) -> None:
        unknown = self.town.unknown()
        self.town.look_up(unknown[pick % len(unknown)])
        self._done("look_up")

    @precondition(lambda self: self.town.echoes)
    @rule(pick=picks)
    def echo(self, pick: int) -> None:
        """The provider tells of what it did for us, before or after its answer."""
        connection, stream, record = self.town.echoes.pop(pick % len(self.town.echoes))
        self.bench.fact(stream, record, connection=connection)
        self._done("echo")

    @precondition(lambda self: self._jobs())
    @rule(
        pick=picks,
        said=st.sampled_from(
            ["acknowledged", "picked", "pack", "pack", "ship", "ship", "ship", "other", "short", "rejected"]
        ),
        most=st.integers(1, 4),
    )
    def work(self, pick: int, said: str, most: int) -> None:
        jobs = self._jobs()
        job = jobs[pick % len(jobs)]
        units = self.town.part(job, most)
        if job.method == "pickup" and said in ("pack", "ship", "other"):
            ready = Bucket.READY_FOR_PICKUP.value
            waits = sum(row[ready] for row in self.bench.store.rows("order_lines", {"id": tuple(job.held)}))
            if waits:
                self.town.hand_over(job, job.held)
            else:
                self.town.tell(job, "ready_for_pickup")
        elif said in ("ship", "other"):
            self.town.ship(job, units, other=said == "other" and job.method == "ship")
        elif said == "pack":
            self.town.pack(job, units)
        elif said == "short":
            self.town.give_back(job, said, units)
        elif said == "rejected":
            self.town.give_back(job, said, {line: held for line, held in job.held.items() if held > 0})
        else:
            self.town.tell(job, said)
        self._done(f"work {said}")

    @precondition(lambda self: any(job.asked for job in self.town.jobs.values()))
    @rule(pick=picks, accepts=st.booleans())
    def answer_cancel(self, pick: int, accepts: bool) -> None:
        asked = [(job, request) for job in self.town.jobs.values() for request in job.asked]
        job, request = asked[pick % len(asked)]
        self.town.answer(job, request, accepts)
        self._done("answer_cancel")

    @precondition(seldom)
    @rule(pick=picks, more=few)
    def count(self, pick: int, more: int) -> None:
        """Goods come, and the location counts."""
        place = PLACES[pick % len(PLACES)]
        self.town.goods[place, SKUS[pick % len(SKUS)]] += more
        self.town.count(place)
        self._done("count")

    @precondition(lambda self: any(task.kind == "rate" for task in self.bench.tasks.values()))
    @rule(refused=st.booleans())
    def rate(self, refused: bool) -> None:
        self.town.rate(refused)
        self._done("rate")

    @precondition(lambda self: self.town.parcels)
    @rule(pick=picks, status=st.sampled_from(["in_transit", "delivered", "exception", "returned_to_sender", "lost"]))
    def scan(self, pick: int, status: str) -> None:
        self._scan(self.town.parcels[pick % len(self.town.parcels)], status)
        self._done("scan")

    @rule(minutes=st.sampled_from([1, 31, 120, 1500, 12_000]))
    def wait(self, minutes: int) -> None:
        self.bench.later(minutes=minutes)
        self._done("wait")

    @precondition(lambda self: self.town.under_way())
    @rule(pick=picks, most=st.integers(1, 4))
    def come_in(self, pick: int, most: int) -> None:
        """Goods from another location of ours arrive, all or a part."""
        jobs = self.town.under_way()
        job = jobs[pick % len(jobs)]
        self.town.come_in(job, self.town.part_of(job.going, most))
        self._done("come_in")

    @precondition(lambda self: self._pickups())
    @rule(pick=picks)
    def nobody_comes(self, pick: int) -> None:
        """The store puts back what nobody collects."""
        jobs = self._pickups()
        self.town.put_back(jobs[pick % len(jobs)])
        self._done("nobody_comes")

    @precondition(seldom)
    @rule(
        pick=picks,
        sku=st.sampled_from(SKUS),
        units=st.integers(1, 6),
        days=st.integers(1, 20),
        status=st.sampled_from(["open", "open", "open", "closed", "cancelled"]),
    )
    def supply(self, pick: int, sku: str, units: int, days: int, status: str) -> None:
        """A purchase order is announced, or one that stands is moved, made larger or smaller, or given up."""
        due = self.bench.now + dt.timedelta(days=days)
        orders = sorted(self.town.supply)
        if len(orders) < 4 and pick % 2:
            self.town.announce(sku, ("east", "store")[pick % 3 == 0], units, due)
        elif orders:
            self.town.restate_supply(orders[pick % len(orders)], units, due, status)
        self._done("supply")

    @precondition(lambda self: self.town.supply)
    @rule(pick=picks, most=st.integers(1, 6), counts_first=st.booleans())
    def supply_comes(self, pick: int, most: int, counts_first: bool) -> None:
        """Goods of a purchase order come: counted before or after it says so."""
        orders = sorted(self.town.supply)
        self.town.deliver_supply(orders[pick % len(orders)], most, counts_first)
        self._done("supply_comes")

    @precondition(lambda self: self.town.given_back())
    @rule(pick=picks)
    def bounce(self, pick: int) -> None:
        """A refund that was made comes back to the provider: the card is closed."""
        refunds = self.town.given_back()
        self.town.bounce(refunds[pick % len(refunds)])
        self._done("bounce")

    def _pickups(self) -> list[Job]:
        return [job for job in self._jobs() if job.method == "pickup" and not job.asked]
