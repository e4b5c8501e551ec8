"""Waiting for work: woken by every commit that may have made some, in this process or, on PostgreSQL, in another."""

from __future__ import annotations

import threading


class Wakeups:
    """A count of wake-ups; each thread waits for one it has not seen, so that none between two looks is missed."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._count = 0
        self._seen = threading.local()

    def wake(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> bool:
        seen: int = getattr(self._seen, "count", -1)
        with self._changed:
            woken = self._changed.wait_for(lambda: self._count != seen, timeout_seconds)
            self._seen.count = self._count
        return woken
