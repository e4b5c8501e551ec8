"""The ground every emulator stands on: pure request handling, a ledger in a file of its own, scripted faults.

An emulator is a state machine: `handle` takes a request and returns an answer at once, never sleeps and opens no
socket. Who serves it (a process with real sockets, or the simulation with a simulated clock) carries out the answer's
`delay_seconds` and `drop`, and delivers the webhooks that `due` hands out. What it did stands in its ledger, which
audits read without asking the hub.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.sdk.ports import Clock


@dataclass(frozen=True, slots=True)
class EmulatedRequest:
    """Header names are lower case; `path` without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class EmulatedResponse:
    """`drop` closes the connection without an answer, after the delay.

    `after` names webhooks (by `Outgoing.id`) that must have been delivered before this answer leaves, as far as the
    hub takes them in time: the echo that overtakes the answer.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drop: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A webhook that wants to be delivered. `topic` is appended to the hub's /in/<connection>/ address."""

    id: str
    topic: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Faults:
    """Rates in [0, 1] by kind of fault, drawn from the emulator's own seeded source; 0 everywhere = well behaved.

    error_before: 500 without doing the work. error_after: 500 after doing it. throttle: 429 with Retry-After.
    drop_after: does the work, then closes without an answer. late_commit: answers 504 now, does the work
    `late_commit_seconds` later. delay: answers after up to `delay_seconds`. lookup_lag_seconds: searches do not see
    what is younger. duplicate_webhook, reorder_webhook, lose_webhook (lost = sent again after `redeliver_seconds`).
    echo_first: the webhook about our own write leaves before the answer does.
    `script` lists faults by call number for exact tests, e.g. {3: "drop_after"}.
    """

    error_before: float = 0.0
    error_after: float = 0.0
    throttle: float = 0.0
    retry_after_seconds: float = 1.0
    drop_after: float = 0.0
    late_commit: float = 0.0
    late_commit_seconds: float = 3.0
    delay: float = 0.0
    delay_seconds: float = 0.05
    lookup_lag_seconds: float = 0.0
    duplicate_webhook: float = 0.0
    reorder_webhook: float = 0.0
    lose_webhook: float = 0.0
    redeliver_seconds: float = 2.0
    echo_first: float = 0.0
    script: dict[int, str] = field(default_factory=dict)


class Ledger:
    """Append-only record of what really happened, one SQLite file per emulator (":memory:" in the simulation).

    Table `entries(id INTEGER PRIMARY KEY, at TEXT, kind TEXT, key TEXT, subject TEXT, data TEXT)`: `kind` is what was
    done (e.g. fulfilment_request, sales_order, stock_push), `key` the business key as this system saw it (its unique
    reference), `data` JSON. Table `faults(kind TEXT PRIMARY KEY, count INTEGER)` counts delivered faults. Table
    `state(name TEXT PRIMARY KEY, data TEXT)` is the emulator's own memory, so that it survives a restart. Table
    `webhooks` holds what still has to be delivered.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE IF NOT EXISTS entries(id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL,"
            " key TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL);"
            "CREATE INDEX IF NOT EXISTS entries_kind_key ON entries(kind, key);"
            "CREATE TABLE IF NOT EXISTS faults(kind TEXT PRIMARY KEY, count INTEGER NOT NULL);"
            "CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, data TEXT NOT NULL);"
            "CREATE TABLE IF NOT EXISTS webhooks(number INTEGER PRIMARY KEY, delivery TEXT NOT NULL,"
            " topic TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, due TEXT NOT NULL,"
            " attempts INTEGER NOT NULL);"
        )

    def add(self, at: dt.datetime, kind: str, key: str, subject: str, data: str) -> None:
        self._connection.execute(
            "INSERT INTO entries(at, kind, key, subject, data) VALUES (?, ?, ?, ?, ?)",
            (at.isoformat(), kind, key, subject, data),
        )

    def entries(self, kind: str, key: str | None = None) -> list[tuple[str, str, str, str]]:
        """Rows (at, key, subject, data) of a kind in order, of one key if given."""
        if key is None:
            rows = self._connection.execute(
                "SELECT at, key, subject, data FROM entries WHERE kind = ? ORDER BY id", (kind,)
            )
        else:
            rows = self._connection.execute(
                "SELECT at, key, subject, data FROM entries WHERE kind = ? AND key = ? ORDER BY id", (kind, key)
            )
        return list(rows)

    def count_fault(self, kind: str) -> None:
        self._connection.execute(
            "INSERT INTO faults VALUES (?, 1) ON CONFLICT(kind) DO UPDATE SET count = count + 1", (kind,)
        )

    def faults(self) -> dict[str, int]:
        return dict(self._connection.execute("SELECT kind, count FROM faults ORDER BY kind").fetchall())

    def remember(self, name: str, data: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, data))

    def recall(self, name: str) -> str | None:
        row = self._connection.execute("SELECT data FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def recall_all(self, prefix: str) -> list[tuple[str, str]]:
        """Every remembered (name, data) whose name starts with `prefix`, by name."""
        rows = self._connection.execute(
            "SELECT name, data FROM state WHERE name >= ? AND name < ? ORDER BY name", (prefix, prefix + "\U0010ffff")
        )
        return [(str(name), str(data)) for name, data in rows]

    def keep_webhook(self, number: int, outgoing: Outgoing, due: dt.datetime, attempts: int) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                outgoing.id,
                outgoing.topic,
                json.dumps(dict(outgoing.headers)),
                outgoing.body,
                due.isoformat(),
                attempts,
            ),
        )

    def drop_webhook(self, number: int) -> None:
        self._connection.execute("DELETE FROM webhooks WHERE number = ?", (number,))

    def kept_webhooks(self) -> list[tuple[int, Outgoing, dt.datetime, int]]:
        """Rows (number, webhook, due, attempts so far) in the order they were made."""
        rows = self._connection.execute(
            "SELECT number, delivery, topic, headers, body, due, attempts FROM webhooks ORDER BY number"
        )
        return [
            (number, Outgoing(delivery, topic, json.loads(headers), bytes(body)), dt.datetime.fromisoformat(due), tries)
            for number, delivery, topic, headers, body, due, tries in rows
        ]

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class _Pending:
    number: int
    outgoing: Outgoing
    due: dt.datetime
    attempts: int = 0
    sent: Outgoing | None = None
    """As it was handed out, signed then."""


def _as_it_is(outgoing: Outgoing, now: dt.datetime) -> Outgoing:
    del now
    return outgoing


class WebhookQueue:
    """Webhooks on their way to the hub. Who delivers them (real server or simulation) asks `due` and tells `settled`.

    Duplicates, reordering and losses are drawn here, from the emulator's own random source, when a webhook is pushed.
    Each push draws the same number of times whatever the rates, so a rate changed to zero shifts no later draw.
    A delivery that the hub does not answer with 2xx is sent again with the same id, headers and body, after
    `redeliver_seconds`, doubled each time up to a minute, at most `max_attempts` times (then counted as the fault
    `webhook_given_up`: the poll has to find it). Pending webhooks lie in the ledger's file and survive a restart.
    """

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, max_attempts: int = 12
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._random = source
        self._faults = faults
        self._max_attempts = max_attempts
        self._pending: list[_Pending] = [_Pending(*row) for row in ledger.kept_webhooks()]
        self._in_flight: list[_Pending] = []
        self._number = max((entry.number for entry in self._pending), default=0)

    def __len__(self) -> int:
        """Webhooks that still wait or are being delivered."""
        return len(self._pending) + len(self._in_flight)

    def push(self, outgoing: Outgoing, *, delay_seconds: float = 0.0) -> None:
        """Queue a webhook for `delay_seconds` from now, or when the drawn faults say."""
        lose, reorder, duplicate, spread = (self._random.random() for _ in range(4))
        due = self._clock.now() + dt.timedelta(seconds=delay_seconds)
        if lose < self._faults.lose_webhook:
            self._ledger.count_fault("lose_webhook")
            due += dt.timedelta(seconds=self._faults.redeliver_seconds)
        elif reorder < self._faults.reorder_webhook:
            self._ledger.count_fault("reorder_webhook")
            due += dt.timedelta(seconds=0.05 + spread * self._faults.redeliver_seconds)
        self._add(outgoing, due)
        if duplicate < self._faults.duplicate_webhook:
            self._ledger.count_fault("duplicate_webhook")
            self._add(outgoing, due + dt.timedelta(seconds=spread * self._faults.redeliver_seconds))

    def due(self, now: dt.datetime, sign: Callable[[Outgoing, dt.datetime], Outgoing] = _as_it_is) -> list[Outgoing]:
        """What is to be delivered now, oldest first; each is out until `settled`. Signed when handed out, as vendors
        do, so that a late redelivery bears no old signature."""
        ready = sorted(
            (entry for entry in self._pending if entry.due <= now), key=lambda entry: (entry.due, entry.number)
        )
        if not ready:
            return []
        self._pending = [entry for entry in self._pending if entry.due > now]
        self._in_flight += ready
        sent = []
        for entry in ready:
            entry.sent = sign(entry.outgoing, now)
            sent.append(entry.sent)
        return sent

    def settled(self, outgoing: Outgoing, status: int | None) -> None:
        """One delivery of `outgoing`, as it was handed out, ended with `status` (None: no answer).

        By identity: a doubled webhook that was signed in the same second is equal, and settles by itself.
        """
        entry = next((entry for entry in self._in_flight if entry.sent is outgoing), None)
        if entry is None:
            return
        self._in_flight.remove(entry)
        if status is not None and 200 <= status < 300:
            self._ledger.drop_webhook(entry.number)
            return
        entry.attempts += 1
        if entry.attempts >= self._max_attempts:
            self._ledger.count_fault("webhook_given_up")
            self._ledger.drop_webhook(entry.number)
            return
        wait = min(60.0, self._faults.redeliver_seconds * 2 ** (entry.attempts - 1))
        entry.due = self._clock.now() + dt.timedelta(seconds=wait)
        self._ledger.keep_webhook(entry.number, entry.outgoing, entry.due, entry.attempts)
        self._pending.append(entry)

    def next_due(self) -> dt.datetime | None:
        return min((entry.due for entry in self._pending), default=None)

    def _add(self, outgoing: Outgoing, due: dt.datetime) -> None:
        self._number += 1
        # A copy: a duplicate is the same delivery in content, but settles by itself.
        own = Outgoing(outgoing.id, outgoing.topic, outgoing.headers, outgoing.body)
        self._pending.append(_Pending(self._number, own, due))
        self._ledger.keep_webhook(self._number, own, due, 0)


class Emulator(ABC):
    """A system as the hub meets it. Subclasses live in their connector's folder as `emulator.py`.

    Beside the vendor's own paths every emulator answers `POST /_control/<verb>` (JSON in, JSON out), by which demos,
    tests and chaos runs play the people of that system: place an order, ship a request, set stock.
    """

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.random = source
        self.faults = faults
        self.config = config
        self.calls = 0
        self.webhooks = WebhookQueue(ledger=ledger, clock=clock, source=source, faults=faults)

    @abstractmethod
    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request. Never raises for what a client sends."""

    def open(self) -> None:  # noqa: B027 - most systems speak HTTP only
        """Begin to serve what is not HTTP; called once, by who serves it on real sockets. Raises OSError."""

    def close(self) -> None:  # noqa: B027
        """Stop serving it."""

    def details(self) -> Mapping[str, object]:
        """What `GET /_server/status` tells beside the common figures: ports and keys of what is not HTTP."""
        return {}

    def due(self, now: dt.datetime) -> list[Outgoing]:
        """Webhooks to deliver now, each handed out once until `settled` says how it went."""
        self.catch_up(now)
        return self.webhooks.due(now, self.sign)

    def catch_up(self, now: dt.datetime) -> None:  # noqa: B027 - many systems do nothing by themselves
        """Do what time brings until now, before anything is answered or told."""

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        """The webhook with this vendor's signature of this moment; as it is where it was signed when it was made."""
        return _as_it_is(outgoing, now)

    def settled(self, outgoing: Outgoing, status: int | None) -> None:
        """The hub answered `status` (None: no answer); anything but 2xx is delivered again later, as vendors do."""
        self.webhooks.settled(outgoing, status)

    def next_due(self) -> dt.datetime | None:
        """When `due` may next have something, for a clock that jumps; None = only after a request."""
        return self.webhooks.next_due()

    def waiting(self) -> int:
        """How many webhooks have not arrived yet: 0 means that everything this system had to say was taken."""
        return len(self.webhooks)

    def fault(self) -> str | None:
        """Draw the fault of this call (by script, else by rate) and count it; None = behave."""
        self.calls += 1
        scripted = self.faults.script.get(self.calls)
        if scripted is not None:
            self.ledger.count_fault(scripted)
            return scripted
        draw = self.random.random()
        for kind in ("error_before", "error_after", "throttle", "drop_after", "late_commit", "delay"):
            rate: float = getattr(self.faults, kind)
            if draw < rate:
                self.ledger.count_fault(kind)
                return kind
            draw -= rate
        return None
