"""The circuit breaker of a destination: a pure state machine on an injected clock.

    closed --(35 % of at least 20 calls in 5 minutes failed)--> open --(2 minutes)--> half open
    half open --(the one probe succeeded)--> closed        half open --(it failed)--> open

With an open breaker no attempt starts; it consumes nothing of a delivery's attempts (docs: outbox).
"""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections import deque
from dataclasses import dataclass

from hub.sdk.ports import Clock


class State(enum.StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """Shares in [0, 1], times in seconds."""

    failure_share: float = 0.35
    minimum_calls: int = 20
    window_seconds: float = 300.0
    open_seconds: float = 120.0
    probe_seconds: float = 120.0
    slots: int = 30


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; its result counts only while the breaker is in the state that gave it."""

    generation: int


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """What is kept over a restart. A closed breaker forgets its window: restarts must not open it."""

    state: State
    since: dt.datetime


class Breaker:
    """Thread safe. Every `permit` that is given must be answered with `record` or `give_back`; a lost one expires."""

    def __init__(self, clock: Clock, settings: BreakerSettings | None = None) -> None:
        self._clock = clock
        self._settings = settings or BreakerSettings()
        self._state = State.CLOSED
        self._since = clock.now()
        self._generation = 0
        self._probe_at: dt.datetime | None = None
        self._slots: deque[list[int]] = deque()
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        with self._lock:
            self._advance()
            return self._state

    def permit(self) -> Permit | None:
        """Leave to call now, or None. Half open, one call at a time gets it."""
        with self._lock:
            self._advance()
            if self._state is State.OPEN:
                return None
            if self._state is State.HALF_OPEN:
                if self._probe_at is not None:
                    return None
                self._probe_at = self._clock.now()
            return Permit(self._generation)

    def wait_seconds(self) -> float:
        """How long until `permit` may say yes again; 0 where it would now."""
        with self._lock:
            self._advance()
            if self._state is State.OPEN:
                return max(0.0, self._settings.open_seconds - self._seconds_since(self._since))
            if self._probe_at is not None:
                return max(0.0, self._settings.probe_seconds - self._seconds_since(self._probe_at))
            return 0.0

    def record(self, permit: Permit, *, success: bool) -> None:
        """How the call ended."""
        with self._lock:
            self._advance()
            if permit.generation != self._generation:
                return
            if self._state is State.HALF_OPEN:
                self._move(State.CLOSED if success else State.OPEN)
                return
            slot = int(self._clock.now().timestamp() / self._slot_seconds())
            if not self._slots or self._slots[-1][0] < slot:
                self._slots.append([slot, 0, 0])
            self._slots[-1][1] += 1
            self._slots[-1][2] += 0 if success else 1
            self._forget(slot)
            calls = sum(entry[1] for entry in self._slots)
            failures = sum(entry[2] for entry in self._slots)
            if calls >= self._settings.minimum_calls and failures >= calls * self._settings.failure_share:
                self._move(State.OPEN)

    def give_back(self, permit: Permit) -> None:
        """No call was made, or it said nothing of the target: it counts neither way, and the next one may probe."""
        with self._lock:
            self._advance()
            if permit.generation == self._generation:
                self._probe_at = None

    def snapshot(self) -> BreakerSnapshot:
        with self._lock:
            self._advance()
            return BreakerSnapshot(self._state, self._since)

    def restore(self, snapshot: BreakerSnapshot) -> None:
        """Go on as saved. A probe that was under way is made again."""
        with self._lock:
            self._move(snapshot.state)
            self._since = min(snapshot.since, self._clock.now())

    def _advance(self) -> None:
        if self._state is State.OPEN and self._seconds_since(self._since) >= self._settings.open_seconds:
            self._move(State.HALF_OPEN)
        if self._probe_at is not None and self._seconds_since(self._probe_at) >= self._settings.probe_seconds:
            # The probe's caller died; its late result must not decide over the next one.
            self._generation += 1
            self._probe_at = None

    def _move(self, state: State) -> None:
        self._state = state
        self._since = self._clock.now()
        self._generation += 1
        self._probe_at = None
        self._slots.clear()

    def _forget(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - self._settings.slots:
            self._slots.popleft()

    def _slot_seconds(self) -> float:
        return self._settings.window_seconds / self._settings.slots

    def _seconds_since(self, instant: dt.datetime) -> float:
        return (self._clock.now() - instant).total_seconds()
