"""From the thread that commits into the event loop: one wake-up for everybody whom a commit answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Told = Callable[[T | None, Exception | None], None]
"""Called once, from any thread, with a result or an error."""


class Landings(Generic[T]):
    """For one event loop. `asyncio.wrap_future` wakes the loop once for every future, and cancels the work of another
    thread when the one who waits for it is cancelled; here the work goes on and only its result is dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._landed: deque[tuple[asyncio.Future[T], T | None, Exception | None]] = deque()
        self._called = False

    def expect(self) -> tuple[asyncio.Future[T], Told[T]]:
        """What to await in the loop, and what another thread calls."""
        waiter: asyncio.Future[T] = self.loop.create_future()

        def told(result: T | None, error: Exception | None) -> None:
            self._land(waiter, result, error)

        return waiter, told

    def _land(self, waiter: asyncio.Future[T], result: T | None, error: Exception | None) -> None:
        self._landed.append((waiter, result, error))
        # Set here before the call and taken back there before the queue is emptied: what is appended is either seen by
        # the call that is under way or makes one of its own.
        if not self._called:
            self._called = True
            try:
                self.loop.call_soon_threadsafe(self._hand_out)
            except RuntimeError:  # the loop is closed: nobody waits in it any more
                self._landed.clear()

    def _hand_out(self) -> None:
        self._called = False
        while self._landed:
            waiter, result, error = self._landed.popleft()
            if waiter.done():  # cancelled: nobody is there to be told
                continue
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(result)  # type: ignore[arg-type]
