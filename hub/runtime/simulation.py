"""The whole hub in one thread: simulated time, peers in the same process, webhooks in any order, crashes at any commit.

Everything that could differ between two runs is drawn from one seeded source: so a run is a function of its seed, and
its `trace` lists what happened. A crash drops the Hub as it stands and builds a new one on the database that survived;
a call that a crash interrupts may or may not have reached its peer. Nothing sleeps, no thread is started.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.domain.ids import IdSource
from hub.exchange.ports import StoreUnavailable
from hub.exchange.schedules import next_slot
from hub.runtime.configuration import Loaded
from hub.runtime.hub import Act, Hub, record_revision
from hub.runtime.place import Place
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Outgoing
from hub.sdk.ports import Clock, HttpPort, HttpResponse
from hub.sdk.records import HttpAnswer, RawRequest
from hub.store.open import SimulatedDatabase
from hub.store.types import instant_from_database, instant_to_database
from hub.store.writer import Hooks
from hub.transport.inprocess import InProcessHttp
from hub.transport.limits import Limits

START = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
TICK = dt.timedelta(milliseconds=1)
MAX_TURNS = 4_000
SLACK_SECONDS = (0.0, 0.0, 0.3, 2.0, 10.0)


class SimulatedCrash(BaseException):
    """The process ends here: nothing may catch it but the stepper."""


class NeverSettles(Exception):
    """Work was still under way when the simulated time, or the patience with one moment, was over."""


class SimulatedClock:
    """Stands still unless moved. Never goes back."""

    def __init__(self, start: dt.datetime = START) -> None:
        self._start = start
        self._now = start

    def now(self) -> dt.datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def move_to(self, at: dt.datetime) -> None:
        self._now = max(self._now, at)

    def advance(self, seconds: float) -> None:
        self._now += dt.timedelta(seconds=seconds)


@dataclass(slots=True)
class CrashPlan:
    """When the process dies. The next crash at a commit is drawn when the last one has happened, `gap` commits on at
    most; each call is interrupted with `at_call`. After `most` crashes, or when `calm`, none comes."""

    source: random.Random
    most: int = 4
    gap: int = 60
    at_call: float = 0.01
    calm: bool = False
    crashes: int = 0
    commits: int = 0
    _next: int = 0
    _before: bool = False

    def __post_init__(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self._next = self.commits + self.source.randint(1, self.gap)
        self._before = self.source.random() < 0.5

    @property
    def armed(self) -> bool:
        return not self.calm and self.crashes < self.most

    def before_commit(self, number: int) -> None:
        self.commits = number
        if self.armed and self._before and number >= self._next:
            self.crash()

    def after_commit(self, number: int) -> None:
        if self.armed and not self._before and number >= self._next:
            self.crash()

    def crash(self) -> None:
        self.crashes += 1
        self._draw()
        raise SimulatedCrash

    def call(self) -> str:
        """What becomes of the process around one call: "" (nothing), "before" or "after" the peer has seen it."""
        draw = self.source.random()
        if not self.armed or draw >= self.at_call:
            return ""
        return "before" if draw < self.at_call / 2 else "after"


@dataclass(slots=True)
class Peer:
    """A system over there, reached at `host` (as configured), sending webhooks to the hub's `connection`."""

    connection: str
    host: str
    emulator: Emulator


@dataclass(slots=True)
class Letter:
    """A webhook on its way."""

    peer: Peer
    outgoing: Outgoing


class _Wire:
    """HttpPort of one connection: to the peer in this process, with a crash before or after it where the plan says."""

    def __init__(self, simulation: Simulation, inner: HttpPort, connection: str) -> None:
        self._simulation, self._inner, self._connection = simulation, inner, connection

    def request(self, method: str, url: str, **options: Any) -> HttpResponse:
        simulation = self._simulation
        body: bytes = options.get("body", b"")
        words = f"call {self._connection} {method} {url.partition('//')[2]} {digest(body)}"
        fate = simulation.plan.call()
        if fate == "before":
            simulation.tell(f"{words} never leaves")
            simulation.plan.crash()
        try:
            response = self._inner.request(method, url, **options)
        except Exception as error:
            simulation.tell(f"{words} -> {error}")
            raise
        simulation.tell(f"{words} -> {response.status} {digest(response.body)}")
        if fate == "after":
            simulation.plan.crash()
        return response


@dataclass(slots=True)
class Setting:
    """What stays the same for every seed of a process: compiled configuration, secrets, the table of actions."""

    place: Place
    loaded: Loaded
    environ: Mapping[str, str]
    act: Act
    connection: Any = None
    """Of the database in memory, kept from one run to the next."""


class Simulation:
    """One run. `peers` makes the systems over there on the given clock, each with a source of its own."""

    def __init__(
        self,
        setting: Setting,
        seed: int,
        peers: Callable[[Clock, random.Random], Sequence[Peer]],
        *,
        crashes: int = 4,
        crash_gap: int = 60,
        crash_at_call: float = 0.01,
    ) -> None:
        self._setting = setting
        self.source = random.Random(f"{seed}/turns")
        self.clock = SimulatedClock()
        self.trace: list[str] = []
        self.plan = CrashPlan(random.Random(f"{seed}/crashes"), most=crashes, gap=crash_gap, at_call=crash_at_call)
        self._ids = IdSource(random.Random(f"{seed}/ids"))
        self._hub_source = random.Random(f"{seed}/hub")
        self.peers = list(peers(self.clock, random.Random(f"{seed}/peers")))
        self.poll_seconds = self.source.choice((45.0, 200.0, 900.0, 3600.0))
        self.database = SimulatedDatabase(
            clock=self.clock,
            ids=self._ids,
            hooks=Hooks(self.plan.before_commit, self.plan.after_commit),
            used=setting.connection,
        )
        setting.connection = self.database.connection
        self._slots: tuple[dt.datetime | None, ...] = ()
        self.letters: list[Letter] = []
        self.delivered = 0
        self.hub: Hub | None = None

    # What happened.

    def tell(self, words: str) -> None:
        self.trace.append(f"{self.clock.monotonic():.6f} {words}")

    def trace_hash(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    # The hub's life.

    def start(self) -> Hub:
        """The hub as it stands, built anew on what survived if there is none. Raises SimulatedCrash."""
        if self.hub is not None:
            return self.hub
        store = self.database.open()
        hub = Hub(
            self._setting.place,
            self._setting.loaded,
            store,
            clock=self.clock,
            ids=self._ids,
            source=self._hub_source,
            environ=self._setting.environ,
            act=self._setting.act,
            http=self._wire,
        )
        record_revision(store, self._setting.loaded, self.clock.now())
        hub.engine.start()
        self.hub = hub
        self._set_polls(hub)
        self.tell(f"start, run {store.epoch}")
        return hub

    def _set_polls(self, hub: Hub) -> None:
        # Nightly schedules (cron) are left out: a run lasts minutes, and reading them each turn would be most of it.
        hub.engine.schedules = tuple(
            dataclasses.replace(schedule, every_seconds=self.poll_seconds) if schedule.kind == "poll" else schedule
            for schedule in hub.engine.schedules
            if schedule.every_seconds is not None
        )

    def poll_every(self, seconds: float) -> None:
        """From now on, also after crashes."""
        self.poll_seconds = seconds
        if self.hub is not None:
            self._set_polls(self.hub)

    def _wire(self, connection: str, config: Mapping[str, Any], limits: Limits, clock: Clock) -> HttpPort:
        del config
        emulators = {peer.host: peer.emulator for peer in self.peers}
        inner = InProcessHttp(
            emulators, clock, limits=limits, delay=self.clock.advance, before_answer=self._deliver_first
        )
        return _Wire(self, inner, connection)

    def guarded(self, work: Callable[[Hub], Any]) -> bool:
        """Do `work` with the hub; True if it came to its end, False if the process died in it."""
        try:
            work(self.start())
        except SimulatedCrash:
            self._die()
            return False
        return True

    def _die(self) -> None:
        self.tell(f"crash {self.plan.crashes} at commit {self.plan.commits}")
        self.hub = None
        # A dead process is not up again in the same instant.
        self.clock.advance(self.source.choice((0.01, 1.0, 30.0)))

    def stop(self, seconds: float) -> None:
        """The process is ended and stays down for `seconds`; the peers go on."""
        self.tell(f"stop for {seconds} s")
        self.hub = None
        self.clock.advance(seconds)

    # Webhooks.

    def collect(self) -> None:
        """Take what peers want delivered by now."""
        now = self.clock.now()
        for peer in self.peers:
            self.letters += [Letter(peer, outgoing) for outgoing in peer.emulator.due(now)]

    def deliver(self, letter: Letter) -> None:
        """Bring one webhook to the hub. Raises SimulatedCrash when the hub dies over it; the sender had no answer."""
        self.letters.remove(letter)
        peer, outgoing = letter.peer, letter.outgoing
        status: int | None = None
        try:
            status = self._answer(self.start(), letter)
            self.delivered += 1
        finally:
            self.tell(f"webhook {peer.connection} {outgoing.topic} {outgoing.id} {digest(outgoing.body)} -> {status}")
            peer.emulator.settled(outgoing, status)

    def _answer(self, hub: Hub, letter: Letter) -> int:
        connection, outgoing = letter.peer.connection, letter.outgoing
        request = RawRequest(
            method="POST",
            path=f"/in/{connection}/{outgoing.topic}",
            query="",
            headers={name.lower(): value for name, value in outgoing.headers.items()},
            body=outgoing.body,
            received_at=self.clock.now(),
        )
        decided = hub.decide(connection, outgoing.topic, request)
        if isinstance(decided, HttpAnswer):
            return decided.status
        try:
            hub.accept_soon(decided).result()
        except StoreUnavailable:
            return 503
        own = hub.respond(connection, request)
        return 202 if own is None else own.status

    def _deliver_first(self, emulator: Emulator, wanted: tuple[str, ...]) -> None:
        """Echoes that overtake the answer."""
        self.collect()
        for letter in [one for one in self.letters if one.peer.emulator is emulator and one.outgoing.id in wanted]:
            self.deliver(letter)

    # Steps.

    def turn(self) -> bool:
        """Some webhooks and some of the hub's work, both in drawn order; False if there was nothing to do now."""
        self.collect()
        worked = False
        draw = self.source.random
        if self.letters:
            worked = True
            many = len(self.letters) if draw() < 0.5 else 1 + int(draw() * len(self.letters))
            chosen = self.source.sample(self.letters, many)
            for letter in chosen:
                self.guarded(lambda _, one=letter: self.deliver(one) if one in self.letters else None)  # type: ignore[misc]
        pieces = self._due_pieces()
        if draw() < 0.5:
            self.source.shuffle(pieces)
        limit = 50 if draw() < 0.8 else 1 + int(draw() * 3)
        for piece in pieces:
            done: list[bool] = []
            if not self.guarded(lambda hub, piece=piece, done=done: done.append(piece(hub, limit))):  # type: ignore[misc]
                return True
            worked = done[0] or worked
            if worked and draw() < 0.3:
                self.clock.advance(draw() * 0.2)
        if worked:
            self.clock.advance(0.001)
        return worked

    def _due_pieces(self) -> list[Piece]:
        """What may have something to do, by one look: asking each would be most of a run."""
        now = self.clock.now()
        hub = self.hub
        if hub is None:
            return list(_PIECES)
        moment = instant_to_database(now)
        due = self.database.connection.execute(_DUE_NOW, (moment,) * 4).fetchone()
        slots = tuple(next_slot(schedule, now) for schedule in hub.engine.schedules)
        upkeep = slots != self._slots or self.source.random() < 0.03
        self._slots = slots
        return [piece for piece, is_due in zip(_PIECES, (upkeep, *due), strict=True) if is_due]

    def control(self, peer: Peer, verb: str, asked: bytes) -> EmulatedResponse:
        """A person over there does something."""
        answer = peer.emulator.handle(EmulatedRequest("POST", f"/_control/{verb}", {}, {}, asked))
        self.tell(f"{peer.connection} {verb} {asked.decode()} -> {answer.status}")
        return answer

    def run_until(self, until: dt.datetime, *, agenda: Callable[[], dt.datetime | None] = lambda: None) -> None:
        """Go on to `until`, or to the next moment of the agenda if that is earlier; time jumps where nothing is due."""
        for _ in range(MAX_TURNS):
            if self.turn():
                continue
            wanted = agenda()
            end = until if wanted is None else min(until, wanted)
            now = self.clock.now()
            if now >= end:
                return
            coming = self.next_moment()
            self.clock.move_to(end if coming is None else min(end, coming + self._slack()))
        raise NeverSettles(f"there was still work after {MAX_TURNS} turns")

    def next_moment(self) -> dt.datetime | None:
        """When hub or peers have something to do next, after now."""
        moments = [peer.emulator.next_due() for peer in self.peers]
        moments += self._hub_moments()
        now = self.clock.now()
        return min((max(moment, now + TICK) for moment in moments if moment is not None), default=None)

    def _hub_moments(self) -> list[dt.datetime | None]:
        now = self.clock.now()
        row = self.database.connection.execute(_NEXT_DUE, (instant_to_database(now),) * 5).fetchone()
        moments: list[dt.datetime | None] = [instant_from_database(value) for value in row if value is not None]
        if self.hub is not None:
            moments += [next_slot(schedule, now) for schedule in self.hub.engine.schedules if schedule.kind == "poll"]
            for name in self.hub.connections.ids():
                view = self.hub.connections.get(name)
                wait = view.gate.wait_seconds() if view is not None else 0.0
                if wait > 0:
                    moments.append(now + dt.timedelta(seconds=wait + 0.001))
        return moments

    def open_work(self) -> dict[str, int]:
        """What the hub still has to do by itself: counts by kind."""
        row = self.database.connection.execute(_OPEN).fetchone()
        return {name: int(count) for name, count in zip(OPEN_KINDS, row, strict=True) if count}

    def settle(self, limit: dt.timedelta) -> None:
        """Until hub and peers have nothing left to do. Raises NeverSettles after `limit` of simulated time."""
        end = self.clock.now() + limit
        for _ in range(MAX_TURNS):
            if self.turn():
                continue
            open_work = self.open_work()
            peers_due = [moment for peer in self.peers if (moment := peer.emulator.next_due()) is not None]
            if not open_work and not self.letters and not peers_due:
                return
            coming = self.next_moment()
            if coming is None or coming > end:
                raise NeverSettles(f"after {limit} there is still {open_work or 'something at the peers'}")
            self.clock.move_to(coming + self._slack())
        raise NeverSettles(f"there was still work after {MAX_TURNS} turns: {self.open_work()}")

    def _slack(self) -> dt.timedelta:
        """Mostly the next things come one by one, sometimes several have become due before anybody looks."""
        return dt.timedelta(seconds=self.source.choice(SLACK_SECONDS))

    def close(self) -> None:
        self.hub = None
        for peer in self.peers:
            peer.emulator.ledger.close()


def _drain(hub: Hub, limit: int) -> bool:
    moved = [hub.engine.drain(name, limit) for name in hub.engine.destinations_due()]
    return sum(moved) > 0


Piece = Callable[[Hub, int], bool]
_PIECES: tuple[Piece, ...] = (
    lambda hub, _: hub.engine.upkeep() > 0,
    lambda hub, limit: hub.engine.parse(limit) > 0,
    lambda hub, limit: hub.engine.apply(limit) > 0,
    lambda hub, limit: hub.engine.run_tasks(limit) > 0,
    _drain,
)

_DUE_NOW = (
    "SELECT EXISTS (SELECT 1 FROM receipts WHERE state = 'pending'),"
    " EXISTS (SELECT 1 FROM messages WHERE state IN ('stored', 'retry') AND due_at <= ?),"
    " EXISTS (SELECT 1 FROM tasks WHERE state = 'pending' AND due_at <= ?),"
    " EXISTS (SELECT 1 FROM deliveries WHERE (state IN ('pending', 'retry') AND due_at <= ?)"
    " OR (state = 'unknown' AND COALESCE(probe_after, due_at) <= ?))"
)
_NEXT_DUE = (
    "SELECT (SELECT min(due_at) FROM messages WHERE state IN ('stored', 'retry') AND due_at > ?),"
    " (SELECT min(due_at) FROM tasks WHERE state = 'pending' AND due_at > ?),"
    " (SELECT min(due_at) FROM deliveries WHERE state IN ('pending', 'retry') AND due_at > ?),"
    " (SELECT min(COALESCE(probe_after, due_at)) FROM deliveries WHERE state = 'unknown'"
    " AND COALESCE(probe_after, due_at) > ?),"
    " (SELECT min(lease_until) + 1 FROM deliveries WHERE state IN ('in_flight', 'probing') AND lease_until > ?)"
)
OPEN_KINDS = ("receipts", "messages", "waiting", "deliveries", "tasks")
_OPEN = (
    "SELECT (SELECT count(*) FROM receipts WHERE state = 'pending'),"
    " (SELECT count(*) FROM messages WHERE state IN ('stored', 'claimed', 'retry')),"
    " (SELECT count(*) FROM messages WHERE state = 'waiting'),"
    " (SELECT count(*) FROM deliveries d WHERE (state IN ('pending', 'retry', 'in_flight', 'probing', 'sent')"
    " OR (state = 'unknown' AND (safety <> 'none' OR probe_after IS NOT NULL)))"
    # What stands in a lane behind something that waits for a person waits for that person too.
    " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.destination = d.destination AND e.aggregate = d.aggregate"
    " AND e.lane = d.lane AND e.sequence < d.sequence AND e.settled_at IS NULL"
    " AND e.state IN ('parked', 'conflict', 'overdue'))),"
    " (SELECT count(*) FROM tasks WHERE state IN ('pending', 'claimed')"
    " AND kind IN ('allocate', 'confirm', 'resource', 're-source', 'fetch', 'push_stock', 'release_holds'))"
)


def digest(body: bytes) -> str:
    """Eight digits that tell two bodies apart in a trace."""
    return hashlib.sha256(body).hexdigest()[:8]
